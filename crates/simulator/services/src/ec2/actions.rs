//! The API actions of EC2. Requests and responses use the names of the EC2 Query protocol.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the signature of all handlers"
)]

use serde_json::{Value, json};

use super::{Ec2, Instance, state_set, turn};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::emit;
use crate::environment::{Cloud, DEFAULT_REGIONS, Environment};
use crate::policy::glob;
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;

actions! {
    /// All actions of EC2.
    pub(crate) ACTIONS of "ec2" {
        Reads DescribeInstances (anything) ec2(describe_instances);
        Reads DescribeRegions (anything) context(describe_regions);
        Changes StartInstances (anything) cloud(turn_instances::<true>);
        Changes StopInstances (anything) cloud(turn_instances::<false>);
        Changes CreateTags (anything) ec2(create_tags);
    }
}

requests! {
    struct DescribeInstances {
        #[serde(default)] instance_id: Vec<String>, #[serde(default)] filter: Vec<Filter>,
    }
    struct Filter { name: String, #[serde(default)] value: Vec<String> }
    struct DescribeRegions {
        #[serde(default)] region_name: Vec<String>, #[serde(default)] all_regions: bool,
    }
    #[expect(dead_code, reason = "instances always stop without force")]
    struct StartInstances, StopInstances {
        #[serde(default)] instance_id: Vec<String>, force: Option<bool>,
    }
    struct CreateTags {
        #[serde(default)] resource_id: Vec<String>, #[serde(default)] tag: Vec<Tag>,
    }
    struct Tag { key: String, value: Option<String> }
}

fn describe_instances(
    request: DescribeInstances,
    ec2: &mut Ec2,
    context: &mut Context<'_>,
) -> Answer {
    for filter in &request.filter {
        filter.check()?;
    }
    let location = location(context.caller);
    let ids = request.instance_id;
    for id in &ids {
        ec2.instance(location, id)?;
    }
    let reservations: Vec<Value> = ec2
        .instances
        .iter()
        .filter(|((account, region, id), instance)| {
            (account.as_str(), region.as_str()) == location
                && (ids.is_empty() || ids.contains(id))
                && request.filter.iter().all(|it| it.passes(id, instance))
        })
        .map(|((account, _, id), instance)| reservation(account, id, instance))
        .collect();
    Ok(json!({"reservationSet": reservations}))
}

fn location(caller: &Caller) -> (&str, &str) {
    (&caller.account, &caller.region)
}

fn reservation(account: &str, id: &str, instance: &Instance) -> Value {
    let tags: Vec<Value> = instance
        .tags
        .iter()
        .map(|(key, value)| json!({"key": key, "value": value}))
        .collect();
    json!({
        "reservationId": format!("r-{}", id.trim_start_matches("i-")),
        "ownerId": account,
        "instancesSet": [{
            "instanceId": id,
            "instanceState": state_set(&instance.state),
            "instanceType": "t3.micro",
            "launchTime": iso(instance.launched),
            "tagSet": tags,
        }],
    })
}

impl Filter {
    fn check(&self) -> Result<(), ApiError> {
        let name = self.name.as_str();
        if ["instance-id", "instance-state-name", "tag-key"].contains(&name)
            || name.starts_with("tag:")
        {
            return Ok(());
        }
        Err(ApiError::new(
            "InvalidParameterValue",
            format!("The filter '{name}' is not known to the simulator."),
        ))
    }

    fn passes(&self, id: &str, instance: &Instance) -> bool {
        let hit = |text: &str| self.value.iter().any(|value| glob(value, text));
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

fn describe_regions(request: DescribeRegions, context: &mut Context<'_>) -> Answer {
    let wanted = request.region_name;
    let environment = &*context.environment;
    let regions: Vec<Value> = environment
        .regions
        .iter()
        .filter(|region| wanted.is_empty() || wanted.contains(region))
        .map(|region| (region, opted(environment, region, &context.caller.account)))
        .filter(|(_, status)| request.all_regions || *status != "not-opted-in")
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

/// The `optInStatus` of a Region in an account.
fn opted(environment: &Environment, region: &str, account: &str) -> &'static str {
    if !environment.region_is_on(region, account) {
        "not-opted-in"
    } else if DEFAULT_REGIONS.contains(&region) {
        "opt-in-not-required"
    } else {
        "opted-in"
    }
}

/// `StartInstances` if `ON`, otherwise `StopInstances`.
fn turn_instances<const ON: bool>(
    request: StartInstances,
    cloud: &mut Cloud<'_>,
    caller: &Caller,
) -> Answer {
    let ids = request.instance_id;
    let location = location(caller);
    for id in &ids {
        cloud.ec2.instance(location, id)?;
    }
    let mut changes = Vec::new();
    for id in &ids {
        let before = turn(cloud, location, id, ON)?;
        let now = &cloud.ec2.instance(location, id)?.state;
        changes.push(json!({
            "instanceId": id, "currentState": state_set(now), "previousState": state_set(&before),
        }));
    }
    let action = if ON {
        "StartInstances"
    } else {
        "StopInstances"
    };
    record(cloud, caller, action, &ids);
    Ok(json!({"instancesSet": changes}))
}

fn create_tags(request: CreateTags, ec2: &mut Ec2, context: &mut Context<'_>) -> Answer {
    for id in &request.resource_id {
        let instance = ec2.instance(location(context.caller), id)?;
        for Tag { key, value } in &request.tag {
            let value = value.clone().unwrap_or_default();
            instance.tags.insert(key.clone(), value);
        }
    }
    Ok(json!({"return": true}))
}

/// Emits the CloudTrail event of a start or stop.
fn record(cloud: &mut Cloud<'_>, caller: &Caller, action: &str, ids: &[String]) {
    let items: Vec<Value> = ids.iter().map(|id| json!({"instanceId": id})).collect();
    let now = cloud.environment.now;
    let identity = if caller.role.is_some() {
        "AssumedRole"
    } else {
        "Root"
    };
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
            "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "eventSource": "ec2.amazonaws.com",
            "eventName": action,
            "awsRegion": caller.region,
            "sourceIPAddress": "192.0.2.10",
            "userAgent": "simulator",
            "requestParameters": {"instancesSet": {"items": items}, "force": false},
            "responseElements": {"instancesSet": {"items": items}},
            "eventID": cloud.environment.uuid(),
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": caller.account,
            "eventCategory": "Management",
        },
    });
    emit(cloud, &caller.account, &caller.region, event);
}
