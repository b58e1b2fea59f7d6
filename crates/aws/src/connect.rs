//! Credentials, Regions and SDK clients.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cloudformation::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_cloudformation::config::timeout::TimeoutConfig;
use aws_sdk_cloudformation::config::{
    AsyncSleep, Credentials as SdkCredentials, IdentityCache, SharedCredentialsProvider, Sleep,
};
use deployer::ports::{CloudError, Identity, Location, Organizations, Pause};
use futures::FutureExt;
use lru::LruCache;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::artifacts::ArtifactBucket;
use crate::clock::Clock;
use crate::error::cloud_error;
use crate::http;
use crate::pace::{Pace, Watch};
use crate::retry::QuotaIsFinal;

/// Attempts per call in standard mode. Adaptive mode waits about twenty seconds per throttled call.
const ATTEMPTS: u32 = 10;

/// The longest that the pauses between a call's attempts take together.
const BACKOFFS: Duration = Duration::from_mins(2);

/// Attempts per call for questions whose answer a command can do without.
const BRIEF_ATTEMPTS: u32 = 4;

/// Time limit for establishing a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Cached sessions of the access role. Caching all of them would take too much memory when ten
/// thousand accounts are checked.
const SESSIONS: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// Cached patterns of rules: more than a fleet has, and few enough to be found fast.
const PATTERNS: NonZeroUsize = NonZeroUsize::new(1_024).unwrap();

/// A session is renewed when it expires within this time.
const SESSION_MARGIN: Duration = Duration::from_mins(5);

/// Lets time pass between two polls.
pub type Pauser = Arc<dyn Fn(Duration) -> futures::future::BoxFuture<'static, ()> + Send + Sync>;

/// Whether the caller manages stack sets as the management account or as a delegated administrator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallAs {
    /// The credentials belong to the management account.
    #[default]
    Management,
    /// The credentials belong to a delegated administrator; every call must say so.
    DelegatedAdministrator,
}

/// Connection options.
#[derive(Clone)]
pub struct Options {
    /// Region of all stack sets, regardless of the environment: a stack set is visible only in the
    /// Region in which it was created.
    pub home_region: String,
    /// Role in other accounts that the credentials may assume.
    pub access_role: String,
    /// What sessions of that role may do at most; `None` leaves them everything that the role may.
    pub session_policies: Option<SessionPolicies>,
    /// Bucket for templates that are too large for a request; `None` rejects such templates.
    pub artifacts: Option<ArtifactBucket>,
    /// The caller's role in managing stack sets.
    pub call_as: CallAs,
    /// One endpoint for all services. Overrides `AWS_ENDPOINT_URL`.
    pub endpoint_url: Option<String>,
    /// Replaces the environment's credentials.
    pub credentials: Option<Credentials>,
    /// How to pause; `None` sleeps. If this is set and `sleep` isn't, the SDK's own delays are
    /// limited to milliseconds, because real waiting is pointless while simulated time is skipped.
    pub pause: Option<Pauser>,
    /// Time limit for one attempt.
    pub attempt_timeout: Duration,
    /// How the SDK delays retries and measures timeouts; `None` sleeps.
    pub sleep: Option<Pauser>,
}

/// The session policies of the access role, as JSON.
#[derive(Clone, Debug)]
pub struct SessionPolicies {
    /// The id of the management account.
    pub management: String,
    /// For the role in the management account.
    pub in_management: String,
    /// For the role in every other account.
    pub elsewhere: String,
}

impl SessionPolicies {
    fn of(&self, account: &str) -> &str {
        if account == self.management {
            &self.in_management
        } else {
            &self.elsewhere
        }
    }
}

/// A static access key.
#[derive(Clone)]
pub struct Credentials {
    /// Public part of the key, `AKIA…`.
    pub access_key_id: String,
    /// Secret part of the key; never printed.
    pub secret_access_key: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Uses the environment's endpoint and credentials, and `OrganizationAccountAccessRole`, which
    /// Organizations creates in new accounts.
    pub fn new(home_region: impl Into<String>) -> Options {
        Options {
            home_region: home_region.into(),
            access_role: "OrganizationAccountAccessRole".to_owned(),
            session_policies: None,
            artifacts: None,
            call_as: CallAs::Management,
            endpoint_url: None,
            credentials: None,
            pause: None,
            attempt_timeout: Duration::from_secs(30),
            sleep: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("home_region", &self.home_region)
            .field("access_role", &self.access_role)
            .field("artifacts", &self.artifacts)
            .field("call_as", &self.call_as)
            .field("endpoint_url", &self.endpoint_url)
            .finish_non_exhaustive()
    }
}

/// Delegates the SDK's delays to a [`Pauser`].
struct Sleeper(Pauser);

impl fmt::Debug for Sleeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sleeper")
    }
}

impl AsyncSleep for Sleeper {
    fn sleep(&self, duration: Duration) -> Sleep {
        // The SDK requires a future that is `Sync`.
        Sleep::new((self.0)(duration).shared())
    }
}

/// The AWS adapter: implements all of [`deployer::ports`].
#[derive(Clone)]
pub struct Aws {
    options: Options,
    base: SdkConfig,
    stack_sets: aws_sdk_cloudformation::Client,
    organizations: aws_sdk_organizations::Client,
    pace: Arc<Pace>,
    clock: Clock,
    /// Number of requests so far.
    requests: Arc<AtomicU64>,
    identity: Arc<OnceCell<Identity>>,
    /// The most recent sessions of the access role, by account.
    sessions: Arc<Mutex<LruCache<String, SharedSession>>>,
    /// The most recent patterns of listed rules, by their text.
    patterns: Arc<Mutex<LruCache<String, Arc<Value>>>>,
    /// Whether a member's Regions must be asked for in the member.
    asks_members: Arc<AtomicBool>,
}

/// A session of the access role in one account.
#[derive(Clone)]
struct Session {
    credentials: SharedCredentialsProvider,
    expires: SystemTime,
}

/// An account's session, once somebody has asked for it.
type SharedSession = Arc<tokio::sync::Mutex<Option<Session>>>;

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Aws {
    /// Connects with the environment's credentials, found like in every AWS SDK. Makes no call yet.
    pub async fn connect(options: Options) -> Aws {
        let mut retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        if options.pause.is_some() && options.sleep.is_none() {
            retries = retries
                .with_initial_backoff(Duration::from_millis(2))
                .with_max_backoff(Duration::from_millis(20));
        }
        let requests = Arc::default();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_WITHIN)
            .operation_attempt_timeout(options.attempt_timeout)
            .operation_timeout(options.attempt_timeout * (ATTEMPTS + 2) + BACKOFFS)
            .build();
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::new(options.home_region.clone()))
            .retry_config(retries)
            .timeout_config(timeouts)
            .http_client(http::client(&requests));
        if let Some(url) = &options.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        if let Some(credentials) = &options.credentials {
            loader = loader.credentials_provider(SdkCredentials::new(
                credentials.access_key_id.clone(),
                credentials.secret_access_key.clone(),
                None,
                None,
                "gizmos",
            ));
        }
        if let Some(sleep) = &options.sleep {
            loader = loader.sleep_impl(Sleeper(Arc::clone(sleep)));
        }
        let base = loader.load().await;
        let simulated = options.pause.is_some();
        let pace = Arc::new(Pace::new(simulated));
        let clock = Clock::new(simulated);
        let stack_sets = cloudformation(&base, &pace, &clock);
        let organizations = aws_sdk_organizations::Client::from_conf(
            aws_sdk_organizations::config::Builder::from(&base)
                .interceptor(Watch(Arc::clone(&pace)))
                .build(),
        );
        Aws {
            options,
            base,
            stack_sets,
            organizations,
            pace,
            clock,
            requests,
            identity: Arc::new(OnceCell::new()),
            sessions: Arc::new(Mutex::new(LruCache::new(SESSIONS))),
            patterns: Arc::new(Mutex::new(LruCache::new(PATTERNS))),
            asks_members: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Acts as a delegated administrator if the credentials belong to another account than
    /// `management`: every call then says so, and AWS checks whether it is true.
    pub async fn on_behalf_of(mut self, management: &str) -> Aws {
        // Without an identity, the next call fails with a better message.
        if let Ok(identity) = self.identity().await
            && identity.account != management
        {
            self.options.call_as = CallAs::DelegatedAdministrator;
        }
        self
    }

    /// The number of requests so far, retries included.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Configuration for the caller's own account and the home Region.
    pub(crate) fn base(&self) -> &SdkConfig {
        &self.base
    }

    /// A configuration for questions whose answer a command can do without. Ten attempts take two
    /// minutes where an endpoint answers every one with a server error.
    pub(crate) fn briefly(config: &SdkConfig) -> SdkConfig {
        let retries = config
            .retry_config()
            .cloned()
            .unwrap_or_else(RetryConfig::standard);
        config
            .to_builder()
            .retry_config(retries.with_max_attempts(BRIEF_ATTEMPTS))
            .build()
    }

    /// Region of all stack sets.
    pub(crate) fn home_region(&self) -> &str {
        &self.options.home_region
    }

    /// Bucket for templates that are too large for a request.
    pub(crate) fn artifacts(&self) -> Option<&ArtifactBucket> {
        self.options.artifacts.as_ref()
    }

    /// Client for stack sets, in the caller's account and the home Region.
    pub(crate) fn stack_sets(&self) -> &aws_sdk_cloudformation::Client {
        &self.stack_sets
    }

    /// Client for AWS Organizations.
    pub(crate) fn organizations(&self) -> &aws_sdk_organizations::Client {
        &self.organizations
    }

    /// Rate limits, to be watched by a client.
    pub(crate) fn shared_pace(&self) -> Arc<Pace> {
        Arc::clone(&self.pace)
    }

    /// AWS's clock, to be read off a client's responses.
    pub(crate) fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Whether a member's Regions must be asked for in the member, with the access role.
    pub(crate) fn asks_members(&self) -> &AtomicBool {
        &self.asks_members
    }

    /// Rate limits shared by all clients.
    pub(crate) fn pace(&self) -> &Pace {
        &self.pace
    }

    pub(crate) fn call_as(&self) -> aws_sdk_cloudformation::types::CallAs {
        match self.options.call_as {
            CallAs::Management => aws_sdk_cloudformation::types::CallAs::SelfValue,
            CallAs::DelegatedAdministrator => aws_sdk_cloudformation::types::CallAs::DelegatedAdmin,
        }
    }

    /// The caller's identity, read once.
    pub(crate) async fn identity(&self) -> Result<&Identity, CloudError> {
        self.identity
            .get_or_try_init(|| self.caller_identity())
            .await
    }

    /// Configuration for an account and Region: the caller's own credentials in its own account,
    /// the access role in all others.
    pub(crate) async fn at(&self, location: &Location) -> Result<SdkConfig, CloudError> {
        let region = Region::new(location.region.clone());
        let mut builder = self.base.to_builder().region(region);
        if self.identity().await?.account != location.account {
            let session = self.session(location).await?;
            // Disable the SDK's credentials cache: sessions are cached here, and a second copy
            // would take memory.
            builder = builder
                .credentials_provider(session.credentials)
                .identity_cache(IdentityCache::no_cache());
        }
        Ok(builder.build())
    }

    /// A session of the access role, valid for all Regions of the account. Whoever asks for an
    /// account at the same time waits for the same session.
    async fn session(&self, location: &Location) -> Result<Session, CloudError> {
        let shared = self.shared_session(&location.account);
        let mut shared = shared.lock().await;
        // AWS's clock, because it set the time at which the session expires.
        let soon = self.clock.now() + SESSION_MARGIN;
        if let Some(session) = shared.as_ref().filter(|session| session.expires > soon) {
            return Ok(session.clone());
        }
        let session = self.assume_access_role(location).await?;
        *shared = Some(session.clone());
        Ok(session)
    }

    fn shared_session(&self, account: &str) -> SharedSession {
        // Accounts are processed one after the other, so evicted sessions are rarely needed again.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sessions.get_or_insert_ref(account, SharedSession::default))
    }

    /// The document of an event pattern; `null` if it is none. A fleet has the same few patterns in
    /// every account and Region, so they are parsed once and kept once.
    pub(crate) fn pattern(&self, text: &str) -> Arc<Value> {
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        let parse = || Arc::new(serde_json::from_str(text).unwrap_or_default());
        Arc::clone(patterns.get_or_insert_ref(text, parse))
    }

    async fn assume_access_role(&self, location: &Location) -> Result<Session, CloudError> {
        let config = aws_sdk_sts::config::Builder::from(&self.base)
            .interceptor(self.clock())
            .build();
        let policies = self.options.session_policies.as_ref();
        let answer = aws_sdk_sts::Client::from_conf(config)
            .assume_role()
            .role_arn(format!(
                "arn:{}:iam::{}:role/{}",
                location.partition(),
                location.account,
                self.options.access_role
            ))
            .role_session_name("gizmos")
            .set_policy(policies.map(|it| it.of(&location.account).to_owned()))
            .send()
            .await
            .map_err(|e| cloud_error("sts:AssumeRole", &e))?;
        let Some(keys) = answer.credentials else {
            return Err(CloudError::Invalid {
                message: "sts:AssumeRole returned no credentials".to_owned(),
            });
        };
        let expires = SystemTime::try_from(keys.expiration).unwrap_or_else(|_| self.clock.now());
        let credentials = SdkCredentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            Some(expires),
            "gizmos",
        );
        Ok(Session {
            credentials: SharedCredentialsProvider::new(credentials),
            expires,
        })
    }

    /// CloudFormation client for an account and Region.
    pub(crate) async fn cloudformation_at(
        &self,
        location: &Location,
    ) -> Result<aws_sdk_cloudformation::Client, CloudError> {
        Ok(cloudformation(
            &self.at(location).await?,
            &self.pace,
            &self.clock,
        ))
    }

    /// [`Aws::cloudformation_at`] for a question whose answer a command can do without.
    pub(crate) async fn cloudformation_briefly_at(
        &self,
        location: &Location,
    ) -> Result<aws_sdk_cloudformation::Client, CloudError> {
        Ok(cloudformation(
            &Aws::briefly(&self.at(location).await?),
            &self.pace,
            &self.clock,
        ))
    }
}

fn cloudformation(
    config: &SdkConfig,
    pace: &Arc<Pace>,
    clock: &Clock,
) -> aws_sdk_cloudformation::Client {
    use aws_sdk_cloudformation::operation::create_stack_instances::CreateStackInstancesError;
    use aws_sdk_cloudformation::operation::create_stack_set::CreateStackSetError;

    let config = aws_sdk_cloudformation::config::Builder::from(config)
        .retry_classifier(QuotaIsFinal::<CreateStackSetError>::new())
        .retry_classifier(QuotaIsFinal::<CreateStackInstancesError>::new())
        // The default retry quota suits services that respond within milliseconds. An
        // organization's lists take hundreds of pages at a few per second, any of which may be
        // throttled. Here, the number of attempts limits retries.
        .retry_partition(
            RetryPartition::custom("gizmos")
                .token_bucket(TokenBucket::unlimited())
                .build(),
        )
        .interceptor(Watch(Arc::clone(pace)))
        .interceptor(clock.clone())
        .build();
    aws_sdk_cloudformation::Client::from_conf(config)
}

impl Pause for Aws {
    async fn pause(&self, duration: Duration) {
        match &self.options.pause {
            Some(pause) => {
                pause(duration).await;
                self.pace.skip(duration);
            }
            None => tokio::time::sleep(duration).await,
        }
    }

    fn now(&self) -> SystemTime {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_newest_sessions_are_kept_whatever_their_accounts() {
        let mut options = Options::new("eu-central-1");
        options.credentials = Some(Credentials {
            access_key_id: "111122223333".to_owned(),
            secret_access_key: "simulated".to_owned(),
        });
        let aws = Aws::connect(options).await;
        // Each id comes before all others in the order of ids.
        let session = |number: usize| aws.shared_session(&format!("{:012}", 9_999 - number));
        for number in 1..2 * SESSIONS.get() {
            let before = session(number - 1);
            session(number);
            assert!(Arc::ptr_eq(&before, &session(number - 1)), "{number}");
        }
    }
}
