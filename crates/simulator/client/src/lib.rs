//! A client for the simulator's own API, `/_simulator/`: the clock, events, alerts and instances.
//!
//! The types mirror the API's JSON, so a program that drives a simulator, embedded or served,
//! depends on this crate and not on the simulator.
//!
//! # Example
//!
//! ```no_run
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use std::time::Duration;
//!
//! use simulator_client::Client;
//!
//! let client = Client::new("http://127.0.0.1:4599");
//! let state = client.state().await?;
//! let account = state.workload().unwrap_or(&state.organization.management);
//! let event = serde_json::json!({
//!     "source": "aws.signin",
//!     "detail-type": "AWS Console Sign In via CloudTrail",
//!     "detail": {},
//! });
//! let trace = client.send(account, &state.regions[0], &event).await?;
//! client.advance(Duration::from_mins(5)).await?;
//! println!("{} alerts", trace.deliveries.len());
//! # Ok::<(), simulator_client::ClientError>(())
//! # }).unwrap();
//! ```

mod model;

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use model::{Account, Calls, Delivery, Hop, HopOutcome, Instance, Organization, State, Trace};

/// Maximum response size; the inbox of a long campaign is the largest response.
const ANSWER_LIMIT: u64 = 1 << 30;

/// Why a call to the simulator failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection failed: nothing listens there, or the simulator stopped.
    #[error("no simulator answers at {url}")]
    Unreachable {
        /// The URL called.
        url: String,
        /// The transport error.
        #[source]
        source: Box<ureq::Error>,
    },
    /// The simulator refused the call.
    #[error("{url} answered {status}: {text}")]
    Refused {
        /// The URL called.
        url: String,
        /// HTTP status.
        status: u16,
        /// The response body, with the reason.
        text: String,
    },
    /// The response isn't a simulator's.
    #[error("{url} is not a simulator")]
    NotASimulator {
        /// The URL called.
        url: String,
        /// The JSON error.
        #[source]
        source: serde_json::Error,
    },
    /// The runtime shut down before the response arrived.
    #[error("the call to the simulator was cut short")]
    CutShort(#[from] tokio::task::JoinError),
}

/// A client for a running simulator, embedded or served. Clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    endpoint: String,
    agent: ureq::Agent,
}

impl Client {
    /// Creates a client for an endpoint such as `http://127.0.0.1:4599`.
    pub fn new(endpoint: &str) -> Client {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_mins(2)))
            // The body of a refusal has the reason.
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        Client {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    /// Call counts of the AWS APIs since [`reset_calls`](Client::reset_calls).
    pub async fn calls(&self) -> Result<Calls, ClientError> {
        self.ask("calls", None).await
    }

    /// Resets the call counters.
    pub async fn reset_calls(&self) -> Result<(), ClientError> {
        self.tell("calls/reset", json!({})).await
    }

    /// The accounts and Regions of the organization.
    pub async fn state(&self) -> Result<State, ClientError> {
        self.ask("state", None).await
    }

    /// All delivered alerts, oldest first.
    pub async fn inbox(&self) -> Result<Vec<Delivery>, ClientError> {
        self.ask("inbox", None).await
    }

    /// Advances the virtual clock, running the work that becomes due.
    pub async fn advance(&self, duration: Duration) -> Result<(), ClientError> {
        self.tell("clock/advance", json!({"seconds": duration.as_secs_f64()}))
            .await
    }

    /// Emits an event as an AWS service would, and returns its path.
    pub async fn send(
        &self,
        account: &str,
        region: &str,
        event: &Value,
    ) -> Result<Trace, ClientError> {
        let body = json!({"account": account, "region": region, "event": event});
        self.ask("events", Some(body)).await
    }

    /// Creates or replaces an EC2 instance.
    pub async fn put_instance(&self, instance: &Instance) -> Result<(), ClientError> {
        self.tell("instances", json!(instance)).await
    }

    /// The EC2 instances of an account in a Region.
    pub async fn instances(
        &self,
        account: &str,
        region: &str,
    ) -> Result<Vec<Instance>, ClientError> {
        let path = format!("instances?account={account}&region={region}");
        self.ask(&path, None).await
    }

    /// Removes the dead letters of these events from all queues.
    pub async fn discard_dead_letters(&self, event_ids: &[String]) -> Result<(), ClientError> {
        self.tell("dead-letters/discard", json!({"event_ids": event_ids}))
            .await
    }

    /// Sends a GET, or a POST if there is a body, and blocks until the response; for tests, and for
    /// routes without a method of their own.
    pub fn call<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ClientError> {
        let url = format!("{}/_simulator/{path}", self.endpoint);
        let answered = match body {
            Some(body) => self
                .agent
                .post(&url)
                .content_type("application/json")
                .send(body.to_string()),
            None => self.agent.get(&url).call(),
        };
        let read = answered.and_then(|mut answer| {
            let status = answer.status();
            let body = answer.body_mut().with_config().limit(ANSWER_LIMIT);
            Ok((status, body.read_to_string()?))
        });
        let (status, text) = match read {
            Ok(read) => read,
            Err(source) => {
                let source = Box::new(source);
                return Err(ClientError::Unreachable { url, source });
            }
        };
        if !status.is_success() {
            let status = status.as_u16();
            return Err(ClientError::Refused { url, status, text });
        }
        serde_json::from_str(&text).map_err(|source| ClientError::NotASimulator { url, source })
    }

    async fn ask<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: Option<Value>,
    ) -> Result<T, ClientError> {
        let (client, path) = (self.clone(), path.to_owned());
        tokio::task::spawn_blocking(move || client.call(&path, body.as_ref())).await?
    }

    async fn tell(&self, path: &str, body: Value) -> Result<(), ClientError> {
        self.ask::<Value>(path, Some(body)).await.map(drop)
    }
}
