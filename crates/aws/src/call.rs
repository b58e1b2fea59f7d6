//! Shared by every call: rate limits, retries when throttled, and paging.

use std::future::Future;
use std::time::Duration;

use deployer::ports::{CloudError, Pause};

use crate::connect::Aws;

/// Extra attempts for a throttled call, after the SDK's own.
const PATIENCE: u32 = 8;

/// The same for a question whose answer a command can do without.
const BRIEF_PATIENCE: u32 = 1;

/// How often a list is restarted after its token was rejected.
const RESTARTS: u32 = 5;

impl Aws {
    /// Makes a call once the rate limit allows it, and retries it for a while if it is throttled.
    /// Retries are safe, because calls that change something carry an idempotency token.
    ///
    /// `action` is the IAM action, such as `cloudformation:DescribeStackSet`.
    pub(crate) async fn call<T, F>(
        &self,
        action: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, CloudError>>,
    {
        self.call_patiently(action, PATIENCE, attempt).await
    }

    async fn call_patiently<T, F>(
        &self,
        action: &str,
        patience: u32,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, CloudError>
    where
        F: Future<Output = Result<T, CloudError>>,
    {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        let mut pause = Duration::from_secs(2);
        let mut tried = 0;
        loop {
            let turn = self.pace().turn(name);
            if !turn.is_zero() {
                self.pause(turn).await;
            }
            match attempt().await {
                Err(CloudError::Throttled) if tried < patience => {
                    tried += 1;
                    self.pause(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(30));
                }
                result => return result,
            }
        }
    }

    /// Reads a list page by page. `page` takes a page's token and returns its items and the next
    /// token. Tokens expire, so a list whose token is rejected is restarted.
    pub(crate) async fn list<T, F>(
        &self,
        action: &str,
        page: impl Fn(Option<String>) -> F,
    ) -> Result<Vec<T>, CloudError>
    where
        F: Future<Output = Result<(Vec<T>, Option<String>), CloudError>>,
    {
        self.list_patiently(action, PATIENCE, page).await
    }

    /// [`Aws::list`] for a question whose answer a command can do without: it isn't worth minutes.
    /// The client must have been made with [`Aws::briefly`].
    pub(crate) async fn list_optional<T, F>(
        &self,
        action: &str,
        page: impl Fn(Option<String>) -> F,
    ) -> Result<Vec<T>, CloudError>
    where
        F: Future<Output = Result<(Vec<T>, Option<String>), CloudError>>,
    {
        self.list_patiently(action, BRIEF_PATIENCE, page).await
    }

    async fn list_patiently<T, F>(
        &self,
        action: &str,
        patience: u32,
        page: impl Fn(Option<String>) -> F,
    ) -> Result<Vec<T>, CloudError>
    where
        F: Future<Output = Result<(Vec<T>, Option<String>), CloudError>>,
    {
        let mut restarts = 0;
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            match self
                .call_patiently(action, patience, || page(token.clone()))
                .await
            {
                Ok((items, next)) => {
                    found.extend(items);
                    match next.filter(|next| !next.is_empty()) {
                        None => return Ok(found),
                        Some(next) if token.as_ref() == Some(&next) => {
                            return Err(CloudError::Unavailable {
                                message: format!("{action} keeps returning the same page"),
                            });
                        }
                        Some(next) => token = Some(next),
                    }
                }
                Err(error) if token.is_some() && is_about_the_token(&error) => {
                    restarts += 1;
                    if restarts > RESTARTS {
                        return Err(error);
                    }
                    found.clear();
                    token = None;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether the service rejected the token: the request differs from the previous page's by nothing
/// else.
fn is_about_the_token(error: &CloudError) -> bool {
    match error {
        CloudError::Invalid { .. } => true,
        CloudError::Unexpected { code, .. } => code.contains("Token"),
        _ => false,
    }
}
