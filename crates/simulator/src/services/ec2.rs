//! Amazon EC2: instances with a state and tags.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Task, Trace, emit};
use crate::input::Input;
use crate::services::Services;
use crate::services::environment::Cloud;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;

/// How long an instance takes to start or stop, in virtual seconds.
const SETTLING_SECONDS: i64 = 10;

/// All instances.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ec2 {
    /// By account, Region and instance id.
    pub(crate) instances: BTreeMap<(String, String, String), Instance>,
}

/// One instance.
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

/// The ARN of an instance.
pub(crate) fn instance_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:ec2:{region}:{account}:instance/{id}")
}

/// Puts an instance there, as the admin API asks for it.
pub(crate) fn put(services: &mut Services, written: &Value) -> Result<Value, ApiError> {
    let input = Input::new(
        written,
        &["account", "region", "instance_id", "state", "tags"],
    )?;
    let (account, region) = (input.required("account")?, input.required("region")?);
    if services.organization.account(account).is_none()
        || !services
            .environment
            .regions
            .iter()
            .any(|known| known == region)
    {
        return Err(ApiError::validation(format!(
            "there is no account {account} with a Region {region}"
        )));
    }
    let id = input.required("instance_id")?;
    let state = input.text("state").unwrap_or("running");
    if !STATES.iter().any(|(name, _)| *name == state) {
        return Err(ApiError::validation(format!(
            "{state} is not a state of an instance"
        )));
    }
    let tags = input
        .map("tags")
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect();
    let launched = services.environment.now;
    services.ec2.instances.insert(
        (account.to_owned(), region.to_owned(), id.to_owned()),
        Instance {
            state: state.to_owned(),
            tags,
            launched,
        },
    );
    Ok(shown(services, Some(account), Some(region))
        .into_iter()
        .find(|instance| instance.get("instance_id").and_then(Value::as_str) == Some(id))
        .unwrap_or_default())
}

/// The instances as the admin API shows them.
pub(crate) fn shown(
    services: &Services,
    account: Option<&str>,
    region: Option<&str>,
) -> Vec<Value> {
    services
        .ec2
        .instances
        .iter()
        .filter(|((in_account, in_region, _), _)| {
            account.is_none_or(|account| account == in_account)
                && region.is_none_or(|region| region == in_region)
        })
        .map(|((account, region, id), instance)| {
            json!({
                "account": account, "region": region, "instance_id": id,
                "state": instance.state, "tags": instance.tags,
            })
        })
        .collect()
}

fn no_instance(id: &str) -> ApiError {
    ApiError::new(
        "InvalidInstanceID.NotFound",
        format!("The instance ID '{id}' does not exist"),
    )
}

/// Starts or stops an instance; the state it was in. The new state and its event follow after a
/// while.
pub(crate) fn turn(
    services: &mut Services,
    place: (&str, &str),
    id: &str,
    on: bool,
) -> Result<String, ApiError> {
    let key = (place.0.to_owned(), place.1.to_owned(), id.to_owned());
    let instance = services
        .ec2
        .instances
        .get_mut(&key)
        .ok_or_else(|| no_instance(id))?;
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
    let (account, region, instance) = key;
    services.environment.schedule(
        SETTLING_SECONDS,
        Task::SettleInstance {
            account,
            region,
            instance,
        },
    );
    Ok(before)
}

/// An instance arrives in the state it was moving to, and its event is emitted.
pub(crate) fn settle(cloud: &mut Cloud<'_>, account: &str, region: &str, id: &str) {
    let key = (account.to_owned(), region.to_owned(), id.to_owned());
    let Some(instance) = cloud.ec2.instances.get_mut(&key) else {
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

/// Whether an account has asked for a Region, where it has to.
fn opted(services: &Services, region: &str, account: &str) -> &'static str {
    if !services.environment.region_is_on(region, account) {
        "not-opted-in"
    } else if crate::services::environment::DEFAULT_REGIONS.contains(&region) {
        "opt-in-not-required"
    } else {
        "opted-in"
    }
}

/// Answers one EC2 action. Names are those of the EC2 query protocol, in and out.
pub(crate) fn call(
    cloud: &mut Cloud<'_>,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "DescribeInstances" => {
            let input = Input::new(input, &["InstanceId", "Filter"])?;
            describe(cloud, caller, input)
        }
        "DescribeRegions" => {
            let input = Input::new(input, &["RegionName", "AllRegions"])?;
            let wanted: Vec<&str> = input.texts("RegionName")?;
            let all = input.boolean("AllRegions")?.unwrap_or_default();
            let regions: Vec<Value> = cloud
                .environment
                .regions
                .iter()
                .filter(|region| wanted.is_empty() || wanted.contains(&region.as_str()))
                .map(|region| (region, opted(cloud, region, &caller.account)))
                .filter(|(_, status)| all || *status != "not-opted-in")
                .map(|(region, status)| {
                    json!({
                        "regionName": region,
                        "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
                        "optInStatus": status,
                    })
                })
                .collect();
            Ok(json!({"regionInfo": regions}))
        }
        "StartInstances" | "StopInstances" => {
            let input = Input::new(input, &["InstanceId", "Force"])?;
            let on = action == "StartInstances";
            let ids: Vec<&str> = input.texts("InstanceId")?;
            let place = (caller.account.as_str(), caller.region.as_str());
            for id in &ids {
                let key = (place.0.to_owned(), place.1.to_owned(), (*id).to_owned());
                if !cloud.ec2.instances.contains_key(&key) {
                    return Err(no_instance(id));
                }
            }
            let mut changes = Vec::new();
            for id in &ids {
                let before = turn(cloud, place, id, on)?;
                let key = (place.0.to_owned(), place.1.to_owned(), (*id).to_owned());
                let now = cloud
                    .ec2
                    .instances
                    .get(&key)
                    .map_or("", |instance| &instance.state);
                changes.push(json!({
                    "instanceId": id, "currentState": state_set(now), "previousState": state_set(&before),
                }));
            }
            record(cloud, caller, action, &ids);
            Ok(json!({"instancesSet": changes}))
        }
        "CreateTags" => {
            let input = Input::new(input, &["ResourceId", "Tag"])?;
            for id in input.texts::<&str>("ResourceId")? {
                let key = (caller.account.clone(), caller.region.clone(), id.to_owned());
                let instance = cloud
                    .ec2
                    .instances
                    .get_mut(&key)
                    .ok_or_else(|| no_instance(id))?;
                for tag in input.list("Tag")? {
                    let text =
                        |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
                    instance
                        .tags
                        .insert(text("Key").to_owned(), text("Value").to_owned());
                }
            }
            Ok(json!({"return": true}))
        }
        _ => Err(ApiError::unknown_action("ec2", action)),
    }
}

fn describe(services: &Services, caller: &Caller, input: Input<'_>) -> Result<Value, ApiError> {
    let ids: Vec<&str> = input.texts("InstanceId")?;
    let filters: Vec<Filter> = input
        .list("Filter")?
        .iter()
        .map(Filter::read)
        .collect::<Result<_, _>>()?;
    let place = (caller.account.as_str(), caller.region.as_str());
    let mut reservations = Vec::new();
    for ((account, region, id), instance) in &services.ec2.instances {
        let chosen = (account.as_str(), region.as_str()) == place
            && (ids.is_empty() || ids.contains(&id.as_str()))
            && filters.iter().all(|filter| filter.passes(id, instance));
        if chosen {
            let tags: Vec<Value> = instance
                .tags
                .iter()
                .map(|(key, value)| json!({"key": key, "value": value}))
                .collect();
            reservations.push(json!({
                "reservationId": format!("r-{}", id.trim_start_matches("i-")),
                "ownerId": account,
                "instancesSet": [{
                    "instanceId": id,
                    "instanceState": state_set(&instance.state),
                    "instanceType": "t3.micro",
                    "launchTime": iso(instance.launched),
                    "tagSet": tags,
                }],
            }));
        }
    }
    let found = |id: &&str| {
        let key = (place.0.to_owned(), place.1.to_owned(), (*id).to_owned());
        services.ec2.instances.contains_key(&key)
    };
    match ids.iter().find(|id| !found(id)) {
        Some(missing) => Err(no_instance(missing)),
        None => Ok(json!({"reservationSet": reservations})),
    }
}

struct Filter {
    name: String,
    values: Vec<String>,
}

impl Filter {
    fn read(value: &Value) -> Result<Filter, ApiError> {
        let input = Input::new(value, &["Name", "Value"])?;
        let name = input.required("Name")?;
        let known = ["instance-id", "instance-state-name", "tag-key"].contains(&name);
        if !known && !name.starts_with("tag:") {
            return Err(ApiError::new(
                "InvalidParameterValue",
                format!("The filter '{name}' is not known to the simulator."),
            ));
        }
        let values = input.texts("Value")?;
        Ok(Filter {
            name: name.to_owned(),
            values,
        })
    }

    fn passes(&self, id: &str, instance: &Instance) -> bool {
        let hit = |text: &str| {
            self.values
                .iter()
                .any(|value| crate::policy::glob(value, text))
        };
        match self.name.as_str() {
            "instance-id" => hit(id),
            "instance-state-name" => hit(&instance.state),
            "tag-key" => instance.tags.keys().any(|key| hit(key)),
            name => name
                .strip_prefix("tag:")
                .and_then(|key| instance.tags.get(key))
                .is_some_and(|value| hit(value)),
        }
    }
}

/// The CloudTrail event of a start or stop that somebody asked for.
fn record(cloud: &mut Cloud<'_>, caller: &Caller, action: &str, ids: &[&str]) {
    let items: Vec<Value> = ids.iter().map(|id| json!({"instanceId": id})).collect();
    let now = cloud
        .environment
        .now
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let identity = if caller.role.is_some() {
        "AssumedRole"
    } else {
        "Root"
    };
    let event_id = cloud.environment.uuid();
    let event = json!({
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "resources": [],
        "detail": {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": identity, "principalId": caller.account, "arn": caller.arn,
                "accountId": caller.account,
            },
            "eventTime": now,
            "eventSource": "ec2.amazonaws.com",
            "eventName": action,
            "awsRegion": caller.region,
            "sourceIPAddress": "192.0.2.10",
            "userAgent": "simulator",
            "requestParameters": {"instancesSet": {"items": items}, "force": false},
            "responseElements": {"instancesSet": {"items": items}},
            "eventID": event_id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": caller.account,
            "eventCategory": "Management",
        },
    });
    let _: Trace = emit(cloud, &caller.account, &caller.region, event);
}
