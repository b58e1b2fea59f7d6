//! The `/_simulator/` API, for what tests need and no AWS API offers.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::services::environment::DEFAULT_REGIONS;
use crate::wire::api::ApiError;
use crate::world::World;

/// Maximum seconds by which one call may advance the clock: ten years.
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

/// The inputs of a route.
struct Request<'a> {
    query: &'a [(String, String)],
    body: &'a [u8],
}

impl Request<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(self.body)
            .map_err(|error| ApiError::validation(format!("invalid request body: {error}")))
    }

    fn value(&self, name: &str) -> Option<&str> {
        let mut query = self.query.iter();
        query
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

type Route = fn(&mut World, &Request<'_>) -> Result<Value, ApiError>;

/// Method, path and handler.
const ROUTES: &[(&str, &str, Route)] = &[
    ("GET", "state", |world, _| Ok(state(world))),
    ("GET", "calls", |world, _| {
        Ok(json!({
            "mutating": world.calls.mutating,
            "reading": world.calls.reading,
            "by_action": world.calls.by_action,
        }))
    }),
    ("GET", "authorized", |world, _| {
        Ok(json!(world.services.environment.authorized.all()))
    }),
    ("GET", "sessions", |world, _| {
        Ok(json!(crate::services::sts::issued(&world.services)))
    }),
    ("POST", "calls/reset", |world, _| {
        world.calls = crate::world::Calls::default();
        Ok(json!({}))
    }),
    ("POST", "clock/advance", advance),
    ("POST", "events", emit),
    ("POST", "dead-letters/discard", |world, request| {
        let Discard { event_ids } = request.read()?;
        let discard = crate::services::events::dead_letters::discard;
        let discarded = event_ids.iter().map(|id| discard(&mut world.services, id));
        Ok(json!({"discarded": discarded.sum::<usize>()}))
    }),
    ("GET", "faults", |world, _| Ok(json!(world.faults.faults))),
    ("POST", "faults", |world, request| {
        let faults: crate::faults::Faults = request.read()?;
        faults.check().map_err(ApiError::validation)?;
        crate::faults::start(world, faults);
        Ok(json!({}))
    }),
    ("POST", "drift", |world, request| {
        world.cloudformation.drift_reading = request.read()?;
        Ok(json!({}))
    }),
    ("POST", "happen", |world, request| {
        let event = request.read()?;
        let what = crate::faults::happen(world, &event).map_err(ApiError::validation)?;
        Ok(json!({"happened": what}))
    }),
    ("GET", "stats", |world, _| {
        Ok(json!(crate::stats::stats(world)))
    }),
    ("GET", "inbox", |world, _| {
        Ok(json!(world.services.sns.inbox))
    }),
    ("POST", "inbox/clear", |world, _| {
        world.services.sns.inbox.clear();
        Ok(json!({}))
    }),
    ("POST", "accounts", create_account),
    ("POST", "units", create_unit),
    ("POST", "instances", |world, request| {
        let instance: Value = request.read()?;
        crate::services::ec2::put(&mut world.services, &instance)
    }),
    ("GET", "instances", |world, request| {
        let (account, region) = (request.value("account"), request.value("region"));
        let shown = crate::services::ec2::shown(&world.services, account, region);
        Ok(json!(shown))
    }),
];

/// Handles a request. Returns HTTP status and JSON body; errors are `{"error": …}`.
pub(crate) fn serve(
    world: &mut World,
    method: &str,
    path: &str,
    query: &[(String, String)],
    body: &[u8],
) -> (u16, Value) {
    let mut routes = ROUTES.iter();
    let answer = match routes.find(|(verb, route, _)| *verb == method && *route == path) {
        Some((_, _, answer)) => answer(world, &Request { query, body }),
        None => Err(ApiError::new(
            "NotFound",
            format!("unknown route: {method} /_simulator/{path}"),
        )
        .status(404)),
    };
    match answer {
        Ok(answer) => (200, answer),
        Err(error) => (
            error.status,
            json!({"error": error.message, "code": error.code}),
        ),
    }
}

fn advance(world: &mut World, request: &Request<'_>) -> Result<Value, ApiError> {
    let Advance { seconds } = request.read()?;
    if !(0.0..=LONGEST_STEP).contains(&seconds) {
        return Err(ApiError::validation(
            "seconds must be between 0 and ten years",
        ));
    }
    world.advance(seconds);
    Ok(json!({"now": world.clock.now().to_string()}))
}

fn emit(world: &mut World, request: &Request<'_>) -> Result<Value, ApiError> {
    let Emit {
        account,
        region,
        event,
    } = request.read()?;
    if world.services.organization.account(&account).is_none() {
        return Err(ApiError::validation(format!(
            "account {account} does not exist"
        )));
    }
    // Events also happen in Regions in which this organization has nothing.
    if !world.config.regions.contains(&region) && !DEFAULT_REGIONS.contains(&region.as_str()) {
        return Err(ApiError::validation(format!(
            "Region {region} does not exist"
        )));
    }
    if !event.is_object() {
        return Err(ApiError::validation(
            "event must be a complete event envelope",
        ));
    }
    let trace = world.with_services(|cloud| crate::services::emit(cloud, &account, &region, event));
    Ok(json!(trace))
}

fn create_account(world: &mut World, request: &Request<'_>) -> Result<Value, ApiError> {
    let NewAccount {
        name,
        organizational_unit,
        id,
    } = request.read()?;
    let services = &mut world.services;
    let create = crate::services::organizations::create_account;
    let id = create(services, &name, &organizational_unit, id)?;
    let created = services.organization.account(&id);
    Ok(created.map_or(Value::Null, account))
}

fn create_unit(world: &mut World, request: &Request<'_>) -> Result<Value, ApiError> {
    let NewUnit { name, parent, id } = request.read()?;
    let create = crate::services::organizations::create_unit;
    let id = create(&mut world.services, &name, &parent, id)?;
    Ok(json!({"id": id, "name": name, "parent": parent}))
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
