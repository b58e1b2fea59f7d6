//! The API actions of `CloudWatch`.
#![expect(clippy::unnecessary_wraps, reason = "the signature of all handlers")]

use serde_json::{Value, json};

use super::{Alarm, Monitoring, alarm_arn};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::wire::api::ApiError;

actions! {
    /// All actions of `CloudWatch`.
    pub(crate) ACTIONS of "cloudwatch" {
        Reads DescribeAlarms (anything) monitoring(describe_alarms);
        Changes DeleteAlarms (anything) monitoring(delete_alarms);
    }
}

requests! {
    struct DescribeAlarms {
        #[serde(default)]
        alarm_names: Vec<String>,
        alarm_name_prefix: Option<String>,
        state_value: Option<String>,
    }
    struct DeleteAlarms {
        #[serde(default)]
        alarm_names: Vec<String>,
    }
}

fn describe_alarms(
    request: DescribeAlarms,
    monitoring: &mut Monitoring,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    let prefix = request.alarm_name_prefix.unwrap_or_default();
    let names = request.alarm_names;
    let alarms: Vec<Value> = monitoring
        .alarms
        .values()
        .filter(|alarm| alarm.account == caller.account && alarm.region == caller.region)
        .filter(|alarm| alarm.name.starts_with(&prefix))
        .filter(|alarm| names.is_empty() || names.contains(&alarm.name))
        .filter(|alarm| {
            let wanted = request.state_value.as_deref();
            wanted.is_none_or(|state| state == alarm.state)
        })
        .map(describe)
        .collect();
    Ok(json!({"MetricAlarms": alarms, "CompositeAlarms": []}))
}

fn delete_alarms(
    request: DeleteAlarms,
    monitoring: &mut Monitoring,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    for name in request.alarm_names {
        let arn = alarm_arn(&caller.account, &caller.region, &name);
        if monitoring.alarms.remove(&arn).is_none() {
            return Err(ApiError::new(
                "ResourceNotFound",
                format!("The alarm {name} does not exist."),
            )
            .status(404));
        }
    }
    Ok(json!({}))
}

fn describe(alarm: &Alarm) -> Value {
    let mut answer = json!({
        "AlarmName": alarm.name,
        "AlarmArn": alarm.arn,
        "StateValue": alarm.state,
        "ActionsEnabled": alarm.properties.get("ActionsEnabled") != Some(&Value::Bool(false)),
    });
    if let Some(answer) = answer.as_object_mut() {
        for (name, value) in &alarm.properties {
            if !["Tags", "ActionsEnabled", "AlarmName"].contains(&name.as_str()) {
                answer.insert(name.clone(), value.clone());
            }
        }
    }
    answer
}
