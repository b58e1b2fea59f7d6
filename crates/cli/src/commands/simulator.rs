//! `simulator`: the embedded organization, by hand.

use std::path::Path;

use anyhow::{Context, Result};
use deployer::ports::Place;
use deployer::verify::{Chain, Trace};
use serde_json::Value;
use simulator::{Config, Simulator};
use simulator_client::State;

use crate::arguments::{Format, SimulatorCommand};
use crate::events;
use crate::exit::Exit;
use crate::output;
use crate::simulator_client::{SimulatorClient, delivery_text, inbox_text};

pub(crate) async fn run(format: Format, command: SimulatorCommand) -> Result<Exit> {
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
                let text = std::fs::read_to_string(&file).with_context(read)?;
                config.faults = serde_json::from_str(&text).with_context(read)?;
            }
            if !regions.is_empty() {
                config.regions = regions;
            }
            serve(config).await
        }
        SimulatorCommand::Send {
            endpoint,
            account,
            region,
            file,
        } => send(format, &endpoint, account, region, &file).await,
        SimulatorCommand::Inbox { endpoint } => {
            let deliveries = SimulatorClient::new(&endpoint).inbox().await?;
            if format == Format::Json {
                output::json(&deliveries)?;
            } else {
                output::text(&inbox_text(&deliveries))?;
                output::text(&report::plural(deliveries.len(), "alert"))?;
            }
            Ok(Exit::Done)
        }
    }
}

/// Accounts that are listed at the start.
const SHOWN: usize = 50;

async fn serve(config: Config) -> Result<Exit> {
    let simulator = Simulator::start(config).await?;
    let endpoint = simulator.endpoint();
    let state = SimulatorClient::new(&endpoint).state().await?;
    let mut text = format!("An AWS Organization is served at {endpoint}\n\n");
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
         Ctrl-C ends it.",
        state.regions.join(", "),
        state.regions.first().map_or("", String::as_str),
        state.organization.management,
    ));
    output::text(&text)?;
    // Until Ctrl-C, which the caller turns into the exit code 130.
    std::future::pending::<()>().await;
    Ok(Exit::Done)
}

async fn send(
    format: Format,
    endpoint: &str,
    account: Option<String>,
    region: Option<String>,
    file: &Path,
) -> Result<Exit> {
    let client = SimulatorClient::new(endpoint);
    let state = client.state().await?;
    let mut traces = Vec::new();
    for event in events::read(file)? {
        let place = place(&state, &event, account.as_deref(), region.as_deref())?;
        traces.push((place.clone(), client.send(&place, &event).await?));
    }
    if format == Format::Json {
        let traces: Vec<&Trace> = traces.iter().map(|(_, trace)| trace).collect();
        output::json(&traces)?;
    } else {
        for (place, trace) in &traces {
            output::text(&trace_text(place, trace))?;
        }
    }
    Ok(Exit::Done)
}

/// Where an event happens: as asked for, else as it says itself if the organization has such a
/// place, else in a workload account in the home Region.
fn place(
    state: &State,
    event: &Value,
    account: Option<&str>,
    region: Option<&str>,
) -> Result<Place> {
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
            .filter(|own| state.regions.iter().any(|it| it == own))
            .or_else(|| state.regions.first().map(String::as_str))
            .context("the organization has no Region")?,
    };
    Ok(Place::new(account, region))
}

fn trace_text(place: &Place, trace: &Trace) -> String {
    let mut text = format!("event {} in {place}\n", trace.event_id);
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
