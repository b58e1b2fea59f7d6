//! Amazon EC2: instances, reduced to a state and tags.

mod actions;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use actions::ACTIONS;

use super::{Task, emit};
use crate::Services;
use crate::environment::Cloud;
use crate::wire::api::ApiError;
use crate::wire::decode;

/// Virtual seconds until an instance has started or stopped.
const SETTLING_SECONDS: i64 = 10;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ec2 {
    /// By account, Region and instance id.
    pub(crate) instances: BTreeMap<(String, String, String), Instance>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) state: String,
    pub(crate) tags: BTreeMap<String, String>,
    launched: jiff::Timestamp,
}

const STATES: [(&str, u8); 6] = [
    ("pending", 0),
    ("running", 16),
    ("shutting-down", 32),
    ("terminated", 48),
    ("stopping", 64),
    ("stopped", 80),
];

fn state_set(state: &str) -> Value {
    let code = STATES
        .iter()
        .find(|(name, _)| *name == state)
        .map_or(0, |(_, code)| *code);
    json!({"code": code, "name": state})
}

pub(crate) fn instance_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{account}:instance/{id}")
}

/// An instance as the admin API creates it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewInstance {
    account: String,
    region: String,
    instance_id: String,
    state: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

/// Creates or replaces an instance for the admin API.
pub fn put(services: &mut Services, written: &Value) -> Result<Value, ApiError> {
    let NewInstance {
        account,
        region,
        instance_id: id,
        state,
        tags,
    } = decode(written)?;
    if services.organization.account(&account).is_none()
        || !services.environment.regions.contains(&region)
    {
        return Err(ApiError::validation(format!(
            "account {account} or Region {region} does not exist"
        )));
    }
    let state = state.unwrap_or_else(|| "running".to_owned());
    if !STATES.iter().any(|(name, _)| *name == state) {
        return Err(ApiError::validation(format!(
            "{state} is not a valid instance state"
        )));
    }
    let instance = Instance {
        state,
        tags,
        launched: services.environment.now,
    };
    let answer = shown_instance((&account, &region, &id), &instance);
    services
        .ec2
        .instances
        .insert((account, region, id), instance);
    Ok(answer)
}

/// The instances as JSON for the admin API, optionally of one account or Region.
pub fn shown(services: &Services, account: Option<&str>, region: Option<&str>) -> Vec<Value> {
    services
        .ec2
        .instances
        .iter()
        .filter(|((in_account, in_region, _), _)| {
            account.is_none_or(|account| account == in_account)
                && region.is_none_or(|region| region == in_region)
        })
        .map(|((account, region, id), instance)| shown_instance((account, region, id), instance))
        .collect()
}

fn shown_instance((account, region, id): (&str, &str, &str), instance: &Instance) -> Value {
    json!({
        "account": account, "region": region, "instance_id": id,
        "state": instance.state, "tags": instance.tags,
    })
}

impl Ec2 {
    /// Finds an instance of an account and Region; the error is EC2's.
    fn instance(
        &mut self,
        (account, region): (&str, &str),
        id: &str,
    ) -> Result<&mut Instance, ApiError> {
        self.instances
            .get_mut(&(account.to_owned(), region.to_owned(), id.to_owned()))
            .ok_or_else(|| no_instance(id))
    }
}

fn no_instance(id: &str) -> ApiError {
    ApiError::new(
        "InvalidInstanceID.NotFound",
        format!("The instance ID '{id}' does not exist"),
    )
}

/// Starts or stops an instance and returns its previous state. It reaches the new state, and emits
/// the event, after [`SETTLING_SECONDS`].
pub(crate) fn turn(
    services: &mut Services,
    location: (&str, &str),
    id: &str,
    on: bool,
) -> Result<String, ApiError> {
    let instance = services.ec2.instance(location, id)?;
    let before = instance.state.clone();
    let (moving, goal) = if on {
        ("pending", "running")
    } else {
        ("stopping", "stopped")
    };
    if before == moving || before == goal {
        return Ok(before);
    }
    let can = if on { "stopped" } else { "running" };
    if before != can {
        return Err(ApiError::new(
            "IncorrectInstanceState",
            format!(
                "The instance '{id}' is not in a state from which it can be {}.",
                if on { "started" } else { "stopped" }
            ),
        ));
    }
    moving.clone_into(&mut instance.state);
    let task = Task::SettleInstance {
        account: location.0.to_owned(),
        region: location.1.to_owned(),
        instance: id.to_owned(),
    };
    services.environment.schedule(SETTLING_SECONDS, task);
    Ok(before)
}

/// Completes the start or stop of an instance and emits its event.
pub(crate) fn settle(cloud: &mut Cloud<'_>, account: &str, region: &str, id: &str) {
    let Ok(instance) = cloud.ec2.instance((account, region), id) else {
        return;
    };
    let state = match instance.state.as_str() {
        "pending" => "running",
        "stopping" => "stopped",
        _ => return,
    };
    state.clone_into(&mut instance.state);
    let event = json!({
        "detail-type": "EC2 Instance State-change Notification",
        "source": "aws.ec2",
        "resources": [instance_arn(account, region, id)],
        "detail": {"instance-id": id, "state": state},
    });
    emit(cloud, account, region, event);
}
