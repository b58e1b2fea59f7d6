//! Calls to services of which Gizmos needs a single action.
//!
//! The SDK's crates for Systems Manager, KMS and `CloudWatch` have hundreds of actions, all of which every build
//! would compile. So these calls are made with the parts of which the SDK's clients are made: credentials,
//! signature, retries, time limits and HTTP client are theirs.

use std::fmt;

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::HttpStatusCodeClassifier;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::identity::SharedIdentityResolver;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use deployer::ports::{CloudError, Location};
use serde_json::Value;

use crate::connect::Aws;
use crate::error::{by_code, unknown_answer};
use crate::pace::Watch;

/// An action of a service that speaks AWS's JSON protocol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JsonAction {
    /// As IAM names it, such as `ssm:DeleteParameters`.
    pub(crate) action: &'static str,
    /// The service in endpoints and signatures.
    pub(crate) service: &'static str,
    /// The service in the header `X-Amz-Target`.
    pub(crate) target: &'static str,
    /// The version of the protocol.
    pub(crate) version: &'static str,
}

impl JsonAction {
    fn name(self) -> &'static str {
        self.action.split(':').next_back().unwrap_or_default()
    }
}

impl Aws {
    /// Performs the action and returns its answer.
    pub(crate) async fn json_call(
        &self,
        location: &Location,
        action: JsonAction,
        input: &Value,
    ) -> Result<Value, CloudError> {
        let config = self.at(location).await?;
        let operation = self.operation(&config, location, action)?;
        let name = action.action;
        let body = input.to_string();
        let answer = self.call(name, || async {
            let answer = operation.invoke(body.clone()).await;
            answer.map_err(|error| match error {
                SdkError::ServiceError(service) => service.into_err().into_cloud_error(name),
                other => CloudError::Unavailable {
                    message: format!("{name}: {}", DisplayErrorContext(other)),
                },
            })
        });
        let text = answer.await?;
        serde_json::from_str(&text).map_err(|_| unknown_answer(name, 200, text.as_bytes()))
    }

    fn operation(
        &self,
        config: &SdkConfig,
        location: &Location,
        action: JsonAction,
    ) -> Result<Operation<String, String, Refused>, CloudError> {
        let service = action.service;
        let region = &location.region;
        let lacking = |what: &str| CloudError::Invalid {
            message: format!("{}: the SDK's configuration has no {what}", action.action),
        };
        let client = config.http_client().ok_or_else(|| lacking("HTTP client"))?;
        let retries = config.retry_config().ok_or_else(|| lacking("retries"))?;
        let timeouts = config
            .timeout_config()
            .ok_or_else(|| lacking("time limits"))?;
        let credentials = config.credentials_provider();
        let credentials = credentials.ok_or_else(|| lacking("credentials"))?;
        let endpoint = config.endpoint_url().map(str::to_owned);
        let endpoint = endpoint
            .unwrap_or_else(|| format!("https://{service}.{region}.{}", location.url_suffix()));

        let mut settings = Layer::new("signature");
        settings.store_put(AuthSchemeOptionResolverParams::new(()));
        settings.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(aws_config::Region::new(region.clone()))),
            region_set: None,
            name: Some(SigningName::from_static(service)),
            signing_options: SigningOptions::default(),
        });
        let mut components = RuntimeComponentsBuilder::new("signature");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
        )));
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        components.set_identity_cache(Some(IdentityCache::no_cache()));
        components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        let mut operation = Operation::builder()
            .service_name(service)
            .operation_name(action.name())
            .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
            .http_client(client)
            .endpoint_url(&endpoint)
            .standard_retry(retries)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .timeout_config(timeouts.clone())
            .interceptor(Watch(self.shared_pace()))
            .interceptor(self.clock())
            .runtime_plugin(
                StaticRuntimePlugin::new()
                    .with_config(settings.freeze())
                    .with_runtime_components(components),
            );
        if let Some(sleep) = config.sleep_impl() {
            operation = operation.sleep_impl(sleep);
        }
        let serializer = move |body: String| request(action, body);
        Ok(operation
            .serializer(serializer)
            .deserializer(answer)
            .build())
    }
}

fn request(action: JsonAction, body: String) -> Result<HttpRequest, BoxError> {
    let length = body.len().to_string();
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.insert(
        "content-type",
        format!("application/x-amz-json-{}", action.version),
    );
    headers.insert("content-length", length);
    headers.insert(
        "x-amz-target",
        format!("{}.{}", action.target, action.name()),
    );
    Ok(request)
}

fn answer(response: &HttpResponse) -> Result<String, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let body = String::from_utf8_lossy(body).into_owned();
    if response.status().is_success() {
        return Ok(body);
    }
    Err(OrchestratorError::operation(Refused {
        status: response.status().as_u16(),
        body,
    }))
}

/// An answer that is an error.
#[derive(Debug)]
struct Refused {
    status: u16,
    body: String,
}

impl Refused {
    fn into_cloud_error(self, action: &str) -> CloudError {
        let body: Value = serde_json::from_str(&self.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        // `com.amazonaws.ssm#AccessDeniedException`, with or without the namespace.
        let code = text("__type").and_then(|it| it.rsplit('#').next());
        let message = text("message").or_else(|| text("Message"));
        match code {
            Some(code) => by_code(action, code, message.unwrap_or_default(), self.status, None),
            None => unknown_answer(action, self.status, self.body.as_bytes()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP status {}", self.status)
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_call_names_the_action_and_the_services_words() {
        let refused = Refused {
            status: 400,
            body:
                r#"{"__type":"com.amazonaws.ssm#AccessDeniedException","Message":"not authorized"}"#
                    .to_owned(),
        };
        assert_eq!(
            refused.into_cloud_error("ssm:DeleteParameters").to_string(),
            "access denied for `ssm:DeleteParameters`: not authorized"
        );
    }
}
