//! The command `simulator`: serves the simulated organization and talks to it.

use std::path::Path;

use anyhow::{Context, Result};
use deployer::ports::Location;
use deployer::verify::{Chain, Trace};
use serde_json::Value;
use simulator::{Config, Simulator};
use simulator_client::State;

use crate::arguments::{Format, SimulatorCommand};
use crate::environment::Environment;
use crate::events;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::simulator_client::{SimulatorClient, delivery_text, inbox_text};

pub(crate) async fn run(invocation: &Invocation<'_>, command: SimulatorCommand) -> Result<Exit> {
    let environment = invocation.environment;
    match command {
        SimulatorCommand::Serve {
            port,
            accounts,
            regions,
            speed,
            faults,
        } => {
            let mut config = Config {
                port,
                workload_accounts: accounts,
                speed,
                ..Config::default()
            };
            if let Some(file) = faults {
                let read = || format!("could not read {}", file.display());
                let text =
                    std::fs::read_to_string(environment.resolve(&file)).with_context(read)?;
                config.faults = serde_json::from_str(&text).with_context(read)?;
            }
            if !regions.is_empty() {
                config.regions = regions;
            }
            serve(environment, config).await
        }
        SimulatorCommand::Send {
            endpoint,
            account,
            region,
            file,
        } => send(invocation, &endpoint, account, region, &file).await,
        SimulatorCommand::Inbox { endpoint } => {
            let deliveries = SimulatorClient::new(&endpoint).inbox().await?;
            if invocation.format == Format::Json {
                environment.print_json(&deliveries)?;
            } else {
                environment.print(&inbox_text(&deliveries))?;
                environment.print(&report::plural(deliveries.len(), "alert"))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// Maximum accounts to list at startup.
const SHOWN: usize = 50;

async fn serve(environment: &Environment, config: Config) -> Result<Exit> {
    let simulator = Simulator::start(config).await?;
    let endpoint = simulator.endpoint();
    let state = SimulatorClient::new(&endpoint).state().await?;
    let mut text = format!("Serving an AWS Organization at {endpoint}\n\n");
    for account in state.accounts.iter().take(SHOWN) {
        text.push_str(&format!("  {}  {}\n", account.id, account.name));
    }
    if state.accounts.len() > SHOWN {
        text.push_str(&format!("  and {} more\n", state.accounts.len() - SHOWN));
    }
    text.push_str(&format!(
        "\nRegions: {}\n\nUse it with any AWS client:\n  \
         export AWS_ENDPOINT_URL={endpoint} AWS_REGION={}\n  \
         export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY=simulator   # an account id is its administrator\n\n\
         Ctrl-C stops it.",
        state.regions.join(", "),
        state.regions.first().map_or("", String::as_str),
        state.organization.management,
    ));
    environment.print(&text)?;
    // Ctrl-C ends the command; the caller turns it into exit code 130.
    std::future::pending::<()>().await;
    Ok(Exit::Done)
}

async fn send(
    invocation: &Invocation<'_>,
    endpoint: &str,
    account: Option<String>,
    region: Option<String>,
    file: &Path,
) -> Result<Exit> {
    let environment = invocation.environment;
    let client = SimulatorClient::new(endpoint);
    let state = client.state().await?;
    let mut traces = Vec::new();
    for event in events::read(environment, file)? {
        let location = location(&state, &event, account.as_deref(), region.as_deref())?;
        traces.push((location.clone(), client.send(&location, &event).await?));
    }
    if invocation.format == Format::Json {
        let traces: Vec<&Trace> = traces.iter().map(|(_, trace)| trace).collect();
        environment.print_json(&traces)?;
    } else {
        for (location, trace) in &traces {
            environment.print(&trace_text(location, trace))?;
        }
    }
    Ok(Exit::Done)
}

/// Where an event happens: as requested, otherwise as the event says. An account that the
/// organization doesn't have is replaced by a workload account, but never the Region: in one that
/// isn't watched, the event must get lost as on AWS.
fn location(
    state: &State,
    event: &Value,
    account: Option<&str>,
    region: Option<&str>,
) -> Result<Location> {
    let own = |key| event.get(key).and_then(Value::as_str);
    let account = match account {
        Some(account) => account,
        None => own("account")
            .filter(|own| state.accounts.iter().any(|it| it.id == *own))
            .or_else(|| state.workload())
            .context("the organization has no workload account; --account names another")?,
    };
    let region = match region {
        Some(region) => region,
        None => own("region")
            .or_else(|| state.regions.first().map(String::as_str))
            .context("the organization has no Region")?,
    };
    Ok(Location::new(account, region))
}

fn trace_text(location: &Location, trace: &Trace) -> String {
    let mut text = format!("event {} in {location}\n", trace.event_id);
    for hop in &trace.hops {
        text.push_str(&format!("  {}\n", report::verify::hop(hop)));
    }
    for delivery in &trace.deliveries {
        text.push_str(&delivery_text(delivery, ""));
    }
    text.push_str(&format!(
        "{} arrived\n",
        report::plural(trace.deliveries.len(), "alert")
    ));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_happens_in_its_own_account_if_there_is_one_and_always_in_its_own_region() {
        let state: State = serde_json::from_value(json!({
            "organization": {
                "management": "111122223333", "log_archive": "222233334444", "security": "333344445555",
            },
            "accounts": [
                {"id": "111122223333", "name": "management"}, {"id": "012345678901", "name": "workload"},
            ],
            "regions": ["eu-central-1", "us-east-1"],
        }))
        .unwrap();
        let at = |event: Value, account: Option<&str>, region: Option<&str>| {
            location(&state, &event, account, region)
                .unwrap()
                .to_string()
        };
        let known = json!({"account": "111122223333", "region": "us-east-1"});
        assert_eq!(at(known.clone(), None, None), "111122223333 us-east-1");
        let asked = at(known, Some("999999999999"), Some("eu-west-1"));
        assert_eq!(asked, "999999999999 eu-west-1");
        let unknown = json!({"account": "999999999999", "region": "eu-west-1"});
        assert_eq!(at(unknown, None, None), "012345678901 eu-west-1");
        assert_eq!(at(json!({}), None, None), "012345678901 eu-central-1");
    }
}
