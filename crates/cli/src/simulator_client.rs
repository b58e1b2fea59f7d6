//! The simulator's own API as the [`Chain`] that verification sends events through.

use std::ops::Deref;
use std::time::Duration;

use anyhow::Result;
use deployer::ports::Location;
use deployer::verify::{Chain, ChainError, Delivery, Hop, HopOutcome, TestInstance, Trace};
use serde_json::Value;
use simulator_client::{Client, ClientError, Instance, State};

/// A client of a running simulator, embedded or served.
#[derive(Clone, Debug)]
pub(crate) struct SimulatorClient(Client);

impl Deref for SimulatorClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.0
    }
}

impl SimulatorClient {
    /// A client of the simulator at an endpoint such as `http://127.0.0.1:4599`.
    pub(crate) fn new(endpoint: &str) -> Self {
        Self(Client::new(endpoint))
    }

    /// What the simulated organization is made of.
    pub(crate) async fn state(&self) -> Result<State> {
        explained(self.0.state().await)
    }

    /// Every alert that reached somebody, oldest first.
    pub(crate) async fn inbox(&self) -> Result<Vec<simulator_client::Delivery>> {
        explained(self.0.inbox().await)
    }
}

/// Says how to start a simulator if there is none.
fn explained<T>(answer: Result<T, ClientError>) -> Result<T> {
    answer.map_err(|error| match error {
        ClientError::Unreachable { url, source } => anyhow::Error::new(*source).context(format!(
            "no simulator answers at {url}; {} starts one",
            crate::spelling::command("simulator serve")
        )),
        error => error.into(),
    })
}

impl Chain for SimulatorClient {
    async fn send(&self, location: &Location, event: &Value) -> Result<Trace, ChainError> {
        let sent = self
            .0
            .send(&location.account, &location.region, event)
            .await;
        sent.map(trace).map_err(chain_error)
    }

    async fn put_instance(&self, instance: &TestInstance) -> Result<(), ChainError> {
        let TestInstance {
            account,
            region,
            instance_id,
            state,
            tags,
        } = instance.clone();
        let instance = Instance {
            account,
            region,
            instance_id,
            state,
            tags,
        };
        self.0.put_instance(&instance).await.map_err(chain_error)
    }

    async fn instances(&self, location: &Location) -> Result<Vec<TestInstance>, ChainError> {
        let instances = self.0.instances(&location.account, &location.region).await;
        let instances = instances.map_err(chain_error)?.into_iter();
        Ok(instances
            .map(|instance| TestInstance {
                account: instance.account,
                region: instance.region,
                instance_id: instance.instance_id,
                state: instance.state,
                tags: instance.tags,
            })
            .collect())
    }

    async fn discard_dead_letters(&self, events: &[String]) -> Result<(), ChainError> {
        let discarded = self.0.discard_dead_letters(events).await;
        discarded.map_err(chain_error)
    }

    async fn pause(&self, duration: Duration) -> Result<(), ChainError> {
        self.advance(duration).await.map_err(chain_error)
    }
}

fn chain_error(error: ClientError) -> ChainError {
    let error = anyhow::Error::from(error);
    ChainError {
        message: format!("{error:#}"),
    }
}

fn trace(trace: simulator_client::Trace) -> Trace {
    Trace {
        event_id: trace.event_id,
        event: None,
        hops: trace.hops.into_iter().map(hop).collect(),
        deliveries: trace.deliveries.into_iter().map(delivery).collect(),
    }
}

fn hop(hop: simulator_client::Hop) -> Hop {
    Hop {
        account: hop.account,
        region: hop.region,
        link: hop.link,
        outcome: match hop.outcome {
            simulator_client::HopOutcome::Ok => HopOutcome::Ok,
            simulator_client::HopOutcome::Dropped => HopOutcome::Dropped,
            simulator_client::HopOutcome::Denied => HopOutcome::Denied,
            simulator_client::HopOutcome::Failed => HopOutcome::Failed,
        },
        detail: Some(hop.detail),
    }
}

fn delivery(delivery: simulator_client::Delivery) -> Delivery {
    Delivery {
        topic_arn: delivery.topic_arn,
        protocol: delivery.protocol,
        endpoint: delivery.endpoint,
        body: delivery.body,
    }
}

/// The alerts that the inbox keeps, for people.
pub(crate) fn inbox_text(deliveries: &[simulator_client::Delivery]) -> String {
    deliveries
        .iter()
        .map(|it| delivery_text(&delivery(it.clone()), &it.at))
        .collect()
}

/// One alert, for people.
pub(crate) fn delivery_text(delivery: &Delivery, at: &str) -> String {
    format!(
        "── {at} {} to {} (topic {})\n{}\n",
        delivery.protocol, delivery.endpoint, delivery.topic_arn, delivery.body
    )
}
