//! Decides which errors the SDK retries.

use std::error::Error;
use std::fmt;
use std::marker::PhantomData;

use aws_sdk_cloudformation::config::interceptors::InterceptorContext;
use aws_sdk_cloudformation::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_cloudformation::error::ProvideErrorMetadata;

/// Keeps the SDK from retrying `LimitExceededException`. The SDK lists it as a throttling error,
/// but StackSets returns it for an exhausted quota, which retries can't change.
pub(crate) struct QuotaIsFinal<E>(PhantomData<fn() -> E>);

impl<E> QuotaIsFinal<E> {
    pub(crate) fn new() -> Self {
        QuotaIsFinal(PhantomData)
    }
}

impl<E> fmt::Debug for QuotaIsFinal<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QuotaIsFinal")
    }
}

impl<E> ClassifyRetry for QuotaIsFinal<E>
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let code = context
            .output_or_error()
            .and_then(Result::err)
            .and_then(|error| error.as_operation_error())
            .and_then(|error| error.downcast_ref::<E>())
            .and_then(ProvideErrorMetadata::code);
        match code {
            Some("LimitExceededException" | "LimitExceeded") => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "a used-up quota is final"
    }
}
