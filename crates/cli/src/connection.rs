//! Connects a command to AWS (or to the endpoint in `AWS_ENDPOINT_URL`), to a served simulator, or
//! to one embedded for the duration of the command.

use std::sync::Arc;

use anyhow::{Context, Result};
use aws::{ArtifactBucket, Aws, Credentials, Options, Pauser, SessionPolicies};
use compiler::Bundle;
use compiler::organization::{ARTIFACT_PREFIX, Organization};
use deployer::permissions::{Command, Holder, session_policy};
use simulator::{Config, Simulator};

use crate::arguments::{EMBEDDED, Target};
use crate::simulator_client::SimulatorClient;

/// An established connection.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) cloud: Aws,
    /// The simulator's own API; `None` on AWS.
    pub(crate) simulator: Option<SimulatorClient>,
    is_embedded: bool,
}

impl Connection {
    /// Connects, runs `work` and disconnects. An embedded organization is stopped however `work`
    /// ends. In other accounts it may do what `policies` allow.
    pub(crate) async fn with<T>(
        target: &Target,
        organization: &Organization,
        policies: Option<SessionPolicies>,
        work: impl AsyncFnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        let embedded = match target.simulator.as_deref() {
            Some(EMBEDDED) => {
                let started = Simulator::start(Config::default()).await;
                Some(started.context("could not start the embedded organization")?)
            }
            _ => None,
        };
        let endpoint = embedded.as_ref().map(Simulator::endpoint);
        let endpoint = endpoint.as_deref().or(target.simulator.as_deref());
        // An embedded organization is deployed by whichever command needs it.
        let policies = policies.filter(|_| embedded.is_none());
        let result = async {
            let connection =
                Self::open(endpoint, embedded.is_some(), organization, policies).await?;
            // Boxed, because a deployment's future is too large for each caller's stack.
            Box::pin(work(&connection)).await
        }
        .await;
        if let Some(simulator) = embedded {
            simulator.stop().await;
        }
        result
    }

    /// Connects to a simulator, or to AWS if none is given.
    async fn open(
        simulator: Option<&str>,
        is_embedded: bool,
        organization: &Organization,
        session_policies: Option<SessionPolicies>,
    ) -> Result<Self> {
        let mut options = Options::new(&organization.home_region);
        options.access_role.clone_from(&organization.access_role);
        options.session_policies = session_policies;
        options.artifacts = organization.artifacts.as_ref().map(|it| ArtifactBucket {
            name: it.bucket.clone(),
            owner: organization.accounts.management.clone(),
            prefix: ARTIFACT_PREFIX.to_owned(),
        });
        let management = &organization.accounts.management;
        let Some(address) = simulator else {
            let cloud = Aws::connect(options).await;
            return Ok(Self {
                cloud: cloud.on_behalf_of(management).await,
                simulator: None,
                is_embedded,
            });
        };
        let (caller, endpoint) = caller(address);
        let client = SimulatorClient::new(&endpoint);
        // Fails early, with a reason, if nothing is served there.
        client.state().await?;
        client.reset_calls().await?;
        // The simulator accepts an account id as credentials of that account's administrator.
        options.credentials = Some(Credentials {
            access_key_id: caller.unwrap_or(management).to_owned(),
            secret_access_key: "simulator".to_owned(),
        });
        options.endpoint_url = Some(endpoint);
        options.pause = Some(virtual_pause(&client));
        let mut cloud = Aws::connect(options).await;
        if caller.is_some() {
            cloud = cloud.on_behalf_of(management).await;
        }
        Ok(Self {
            cloud,
            simulator: Some(client),
            is_embedded,
        })
    }

    /// Whether the organization exists only for the duration of this command.
    pub(crate) fn is_embedded(&self) -> bool {
        self.is_embedded
    }

    /// Describes the organization and its cloud.
    pub(crate) fn describe(&self, organization: &Organization) -> String {
        let what = match &self.simulator {
            Some(_) if self.is_embedded => "an embedded simulation",
            Some(_) => "a served simulation",
            None => "AWS",
        };
        format!("organization {} ({what})", organization.id)
    }

    /// A line with the number of API calls to the simulator; empty on AWS.
    pub(crate) async fn calls_line(&self) -> Result<String> {
        let Some(simulator) = &self.simulator else {
            return Ok(String::new());
        };
        let calls = simulator.calls().await?;
        Ok(format!(
            "The simulator counted {} mutating and {} reading API calls.\n",
            calls.mutating, calls.reading
        ))
    }
}

/// What the access role's sessions may do at most; `None` for a command that repairs and deploys.
pub(crate) fn session_policies(bundle: &Bundle, command: Command) -> Option<SessionPolicies> {
    Some(SessionPolicies {
        management: bundle.organization.accounts.management.clone(),
        in_management: session_policy(bundle, command, Holder::Management)?,
        elsewhere: session_policy(bundle, command, Holder::AccessRole)?,
    })
}

/// Splits an address such as `http://333344445555@127.0.0.1:4599` into the calling account or
/// access key, if there is one, and the rest.
fn caller(address: &str) -> (Option<&str>, String) {
    let parts = address
        .split_once("://")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?)));
    match parts {
        Some((scheme, (caller, host))) => (Some(caller), format!("{scheme}://{host}")),
        None => (None, address.to_owned()),
    }
}

/// Pauses by advancing the virtual clock, so that a forty-minute operation takes no time.
fn virtual_pause(client: &SimulatorClient) -> Pauser {
    let client = client.clone();
    Arc::new(move |duration| {
        let client = client.clone();
        Box::pin(async move {
            if client.advance(duration).await.is_err() {
                // The simulator is gone. The next call reports that better than this one could.
                tokio::time::sleep(duration).await;
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::bail;

    use super::*;

    #[test]
    fn an_address_can_name_the_caller() {
        for (address, wanted) in [
            ("http://127.0.0.1:4599", (None, "http://127.0.0.1:4599")),
            (
                "http://333344445555@127.0.0.1:4599",
                (Some("333344445555"), "http://127.0.0.1:4599"),
            ),
            ("127.0.0.1", (None, "127.0.0.1")),
        ] {
            let (name, endpoint) = caller(address);
            assert_eq!((name, endpoint.as_str()), wanted);
        }
    }

    #[tokio::test]
    async fn an_embedded_organization_is_stopped_when_the_work_fails() {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/library/organization.yaml");
        let (organization, _) = compiler::organization::load(&file);
        let target = Target {
            org: true,
            simulator: Some(EMBEDDED.to_owned()),
        };
        let mut client = None;
        let result: Result<()> =
            Connection::with(&target, &organization.unwrap(), None, async |connection| {
                assert!(connection.is_embedded());
                client.clone_from(&connection.simulator);
                bail!("no")
            })
            .await;
        assert_eq!(result.unwrap_err().to_string(), "no");
        assert!(client.unwrap().state().await.is_err());
    }
}
