//! The `/_simulator/` API: what a test needs and no AWS API offers.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::wire::api::ApiError;
use crate::world::World;

/// The furthest one call may move the clock: ten years.
const LONGEST_STEP: f64 = 10.0 * 365.0 * 86_400.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Emit {
    account: String,
    region: String,
    event: Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Discard {
    event_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewAccount {
    name: String,
    organizational_unit: String,
    id: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUnit {
    name: String,
    parent: String,
    id: Option<String>,
}

/// Answers a request: HTTP status and JSON body. Errors are `{"error": …}`.
pub(crate) fn serve(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> (u16, Value) {
    match route(world, method, path, query, body) {
        Ok(answer) => (200, answer),
        Err(error) => (
            error.status,
            json!({"error": error.message, "code": error.code}),
        ),
    }
}

fn route(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> Result<Value, ApiError> {
    match (method, path) {
        ("GET", "state") => Ok(state(world)),
        ("GET", "calls") => Ok(json!({
            "mutating": world.calls.mutating,
            "reading": world.calls.reading,
            "by_action": world.calls.by_action,
        })),
        ("POST", "calls/reset") => {
            world.calls = crate::world::Calls::default();
            Ok(json!({}))
        }
        ("POST", "clock/advance") => {
            let Advance { seconds } = read(body)?;
            if !(0.0..=LONGEST_STEP).contains(&seconds) {
                return Err(ApiError::validation(
                    "seconds must be between 0 and ten years",
                ));
            }
            world.advance(seconds);
            Ok(json!({"now": world.clock.now().to_string()}))
        }
        ("POST", "events") => {
            let Emit {
                account,
                region,
                event,
            } = read(body)?;
            if world.services.organization.account(&account).is_none() {
                return Err(ApiError::validation(format!(
                    "there is no account {account}"
                )));
            }
            if !world.config.regions.contains(&region) {
                return Err(ApiError::validation(format!("there is no Region {region}")));
            }
            if !event.is_object() {
                return Err(ApiError::validation("event must be a whole event envelope"));
            }
            let trace =
                world.with_services(|cloud| crate::services::emit(cloud, &account, &region, event));
            Ok(json!(trace))
        }
        ("POST", "dead-letters/discard") => {
            let Discard { event_ids } = read(body)?;
            let discard = crate::services::events::dead_letters::discard;
            let discarded: usize = event_ids
                .iter()
                .map(|id| discard(&mut world.services, id))
                .sum();
            Ok(json!({"discarded": discarded}))
        }
        ("GET", "faults") => Ok(json!(world.faults.faults)),
        ("POST", "faults") => {
            let faults: crate::faults::Faults = read(body)?;
            faults.check().map_err(ApiError::validation)?;
            crate::faults::start(world, faults);
            Ok(json!({}))
        }
        ("POST", "happen") => {
            let event = read(body)?;
            let what = crate::faults::happen(world, &event).map_err(ApiError::validation)?;
            Ok(json!({"happened": what}))
        }
        ("GET", "stats") => Ok(json!(crate::stats::stats(world))),
        ("GET", "inbox") => Ok(json!(world.services.sns.inbox)),
        ("POST", "inbox/clear") => {
            world.services.sns.inbox.clear();
            Ok(json!({}))
        }
        ("POST", "accounts") => {
            let NewAccount {
                name,
                organizational_unit,
                id,
            } = read(body)?;
            let id = crate::services::organizations::create_account(
                &mut world.services,
                &name,
                &organizational_unit,
                id,
            )?;
            Ok(world
                .services
                .organization
                .account(&id)
                .map_or(Value::Null, account))
        }
        ("POST", "units") => {
            let NewUnit { name, parent, id } = read(body)?;
            let id = crate::services::organizations::create_unit(
                &mut world.services,
                &name,
                &parent,
                id,
            )?;
            Ok(json!({"id": id, "name": name, "parent": parent}))
        }
        ("POST", "instances") => {
            let instance: Value = read(body)?;
            crate::services::ec2::put(&mut world.services, &instance)
        }
        ("GET", "instances") => {
            let value = |name: &str| {
                query
                    .iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value.as_str())
            };
            Ok(json!(crate::services::ec2::shown(
                &world.services,
                value("account"),
                value("region")
            )))
        }
        _ => Err(ApiError::new(
            "NotFound",
            format!("there is no {method} /_simulator/{path}"),
        )
        .status(404)),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| {
        ApiError::validation(format!("the body is not what was expected: {error}"))
    })
}

fn state(world: &World) -> Value {
    use crate::services::organizations::{
        LOG_ARCHIVE, MANAGEMENT, ORGANIZATION_ID, ROOT_ID, SECURITY,
    };
    let organization = &world.services.organization;
    let units: Vec<Value> = organization
        .units()
        .map(|unit| json!({"id": unit.id, "name": unit.name, "parent": unit.parent}))
        .collect();
    json!({
        "now": world.clock.now().to_string(),
        "organization": {
            "id": ORGANIZATION_ID,
            "root": ROOT_ID,
            "management": MANAGEMENT,
            "log_archive": LOG_ARCHIVE,
            "security": SECURITY,
            "organizational_units": units,
        },
        "accounts": organization.accounts().map(account).collect::<Vec<_>>(),
        "regions": world.config.regions,
    })
}

fn account(account: &crate::services::organizations::Account) -> Value {
    json!({"id": account.id, "name": account.name, "ou": account.parent, "state": account.state})
}
