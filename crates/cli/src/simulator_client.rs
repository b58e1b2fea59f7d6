//! Talks to a simulator's own API: the clock, events, alerts.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use deployer::ports::Location;
use deployer::verify::{Chain, ChainError, Delivery, TestInstance, Trace};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A running simulator, embedded or served.
#[derive(Clone, Debug)]
pub(crate) struct SimulatorClient {
    endpoint: String,
    agent: ureq::Agent,
}

/// How often the simulator's AWS API was called.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Calls {
    /// Calls that change something.
    pub(crate) mutating: u64,
    /// Calls that only read.
    pub(crate) reading: u64,
    /// By service and action.
    pub(crate) by_action: std::collections::BTreeMap<String, u64>,
}

/// An account of the simulated organization.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SimulatedAccount {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The ids of a simulated organization.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SimulatedOrganization {
    pub(crate) management: String,
    pub(crate) log_archive: String,
    pub(crate) security: String,
}

/// What the simulated organization is made of.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct State {
    pub(crate) organization: SimulatedOrganization,
    pub(crate) accounts: Vec<SimulatedAccount>,
    pub(crate) regions: Vec<String>,
}

impl State {
    /// An account that plays no part of its own, if there is one.
    pub(crate) fn workload(&self) -> Option<&str> {
        let parts = [
            &self.organization.management,
            &self.organization.log_archive,
            &self.organization.security,
        ];
        self.accounts
            .iter()
            .map(|account| &account.id)
            .find(|id| !parts.contains(id))
            .map(String::as_str)
    }
}

impl SimulatorClient {
    /// A client of the simulator at an endpoint such as `http://127.0.0.1:4599`.
    pub(crate) fn new(endpoint: &str) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_mins(2)))
            // The body of a refusal says what was wrong.
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            agent,
        }
    }

    pub(crate) async fn calls(&self) -> Result<Calls> {
        self.get("calls").await
    }

    pub(crate) async fn reset_calls(&self) -> Result<()> {
        self.post::<Value>("calls/reset", json!({})).await?;
        Ok(())
    }

    pub(crate) async fn state(&self) -> Result<State> {
        self.get("state").await
    }

    pub(crate) async fn inbox(&self) -> Result<Vec<Value>> {
        self.get("inbox").await
    }

    /// Moves the virtual clock on.
    pub(crate) async fn advance(&self, duration: Duration) -> Result<()> {
        let seconds = duration.as_secs_f64();
        self.post::<Value>("clock/advance", json!({ "seconds": seconds }))
            .await?;
        Ok(())
    }

    async fn get<T: DeserializeOwned + Send + 'static>(&self, path: &str) -> Result<T> {
        self.call(path, None).await
    }

    async fn post<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: Value,
    ) -> Result<T> {
        self.call(path, Some(body)).await
    }

    async fn call<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        body: Option<Value>,
    ) -> Result<T> {
        let url = format!("{}/_simulator/{path}", self.endpoint);
        let agent = self.agent.clone();
        tokio::task::spawn_blocking(move || {
            let mut answer = match body {
                Some(body) => agent.post(&url).send_json(body),
                None => agent.get(&url).call(),
            }
            .with_context(|| {
                format!(
                    "no simulator answers at {url}; {} starts one",
                    crate::spelling::command("simulator serve")
                )
            })?;
            let text = answer
                .body_mut()
                .with_config()
                .limit(1 << 30)
                .read_to_string()
                .with_context(|| format!("{url} broke off its answer"))?;
            if !answer.status().is_success() {
                bail!("{url} answered {}: {text}", answer.status());
            }
            serde_json::from_str(&text).with_context(|| format!("{url} is not a simulator"))
        })
        .await?
    }
}

impl Chain for SimulatorClient {
    async fn send(&self, location: &Location, event: &Value) -> Result<Trace, ChainError> {
        let body =
            json!({ "account": location.account, "region": location.region, "event": event });
        self.post("events", body).await.map_err(chain_error)
    }

    async fn put_instance(&self, instance: &TestInstance) -> Result<(), ChainError> {
        self.post::<Value>("instances", json!(instance))
            .await
            .map_err(chain_error)?;
        Ok(())
    }

    async fn instances(&self, location: &Location) -> Result<Vec<TestInstance>, ChainError> {
        let path = format!(
            "instances?account={}&region={}",
            location.account, location.region
        );
        self.get(&path).await.map_err(chain_error)
    }

    async fn discard_dead_letters(&self, events: &[String]) -> Result<(), ChainError> {
        self.post::<Value>("dead-letters/discard", json!({ "event_ids": events }))
            .await
            .map_err(chain_error)?;
        Ok(())
    }

    async fn pause(&self, duration: Duration) -> Result<(), ChainError> {
        self.advance(duration).await.map_err(chain_error)
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn chain_error(error: anyhow::Error) -> ChainError {
    ChainError {
        message: format!("{error:#}"),
    }
}

/// An alert as the inbox keeps it, for people.
pub(crate) fn inbox_text(deliveries: &[Value]) -> String {
    let mut text = String::new();
    for value in deliveries {
        let Ok(delivery) = serde_json::from_value::<Delivery>(value.clone()) else {
            continue;
        };
        let at = value.get("at").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&delivery_text(&delivery, at));
    }
    text
}

/// One alert, for people.
pub(crate) fn delivery_text(delivery: &Delivery, at: &str) -> String {
    format!(
        "── {at} {} to {} (topic {})\n{}\n",
        delivery.protocol, delivery.endpoint, delivery.topic_arn, delivery.body
    )
}
