//! Amazon `CloudWatch`: alarms on queue depth, and the metrics of EventBridge and SNS that say what
//! became of events.

mod actions;
mod metrics;
pub(crate) mod resources;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(crate) use actions::ACTIONS;
pub(crate) use metrics::Counted;

use super::sns::{self, Publisher};
use super::{Task, Trace};
use crate::Services;
use crate::policy::{Context, Principal};
use crate::wire::api::ApiError;
use crate::wire::time::iso;

/// The service principal in policies.
const SERVICE: &str = "cloudwatch.amazonaws.com";

#[derive(Clone, Debug, Default)]
pub(crate) struct Monitoring {
    /// By ARN.
    pub(crate) alarms: BTreeMap<String, Alarm>,
    pub(crate) metrics: metrics::Metrics,
}

#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// As in `AWS::CloudWatch::Alarm`.
    pub(crate) properties: Map<String, Value>,
    /// `OK` or `ALARM`.
    pub(crate) state: &'static str,
    scheduled: bool,
}

pub(crate) fn alarm_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:cloudwatch:{region}:{account}:alarm:{name}")
}

/// Creates or replaces an alarm from template properties.
pub(crate) fn put_alarm(
    monitoring: &mut Monitoring,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    let comparison = properties.get("ComparisonOperator").and_then(Value::as_str);
    if !matches!(
        comparison,
        Some(
            "GreaterThanThreshold"
                | "GreaterThanOrEqualToThreshold"
                | "LessThanThreshold"
                | "LessThanOrEqualToThreshold"
        )
    ) {
        return Err(ApiError::validation(
            "ComparisonOperator is not one the simulator knows.",
        ));
    }
    let arn = alarm_arn(account, region, name);
    let alarm = Alarm {
        arn: arn.clone(),
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        properties,
        state: "OK",
        scheduled: false,
    };
    monitoring.alarms.insert(arn.clone(), alarm);
    Ok(arn)
}

impl Alarm {
    fn text(&self, name: &str) -> &str {
        self.properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// The ARN of the queue whose depth the alarm watches; `None` for any other metric.
    fn queue(&self) -> Option<String> {
        let depth = self.text("Namespace") == "AWS/SQS"
            && self.text("MetricName") == "ApproximateNumberOfMessagesVisible";
        let name = self
            .properties
            .get("Dimensions")
            .and_then(Value::as_array)?
            .iter()
            .find(|dimension| dimension.get("Name") == Some(&json!("QueueName")))?
            .get("Value")?
            .as_str()?;
        depth.then(|| format!("arn:aws:sqs:{}:{}:{name}", self.region, self.account))
    }

    fn breached(&self, value: f64) -> bool {
        let threshold = self
            .properties
            .get("Threshold")
            .and_then(Value::as_f64)
            .unwrap_or(0.0);
        match self.text("ComparisonOperator") {
            "GreaterThanThreshold" => value > threshold,
            "GreaterThanOrEqualToThreshold" => value >= threshold,
            "LessThanThreshold" => value < threshold,
            _ => value <= threshold,
        }
    }

    /// Virtual seconds until the next evaluation.
    fn delay(&self) -> i64 {
        let number = |name: &str, default| {
            self.properties
                .get(name)
                .and_then(Value::as_i64)
                .unwrap_or(default)
        };
        number("Period", 60).clamp(10, 86_400) * number("EvaluationPeriods", 1).clamp(1, 10)
    }
}

/// Schedules an evaluation of all alarms that watch a queue whose depth changed.
pub(crate) fn queue_changed(services: &mut Services, queue: &str) {
    let mut due = Vec::new();
    for alarm in services.monitoring.alarms.values_mut() {
        if !alarm.scheduled && alarm.queue().as_deref() == Some(queue) {
            alarm.scheduled = true;
            due.push((alarm.delay(), alarm.arn.clone()));
        }
    }
    for (seconds, alarm) in due {
        services
            .environment
            .schedule(seconds, Task::EvaluateAlarm { alarm });
    }
}

/// Evaluates an alarm, and publishes if its state changed.
pub(crate) fn evaluate(services: &mut Services, arn: &str) {
    let now = services.environment.now;
    let Some(alarm) = services.monitoring.alarms.get_mut(arn) else {
        return;
    };
    alarm.scheduled = false;
    let Some(queue) = alarm
        .queue()
        .and_then(|queue| services.sqs.queues.get(&queue))
    else {
        return;
    };
    let depth = queue.messages.len();
    #[expect(
        clippy::cast_precision_loss,
        reason = "a queue never holds 2^53 messages"
    )]
    let state = if alarm.breached(depth as f64) {
        "ALARM"
    } else {
        "OK"
    };
    let before = std::mem::replace(&mut alarm.state, state);
    let alarm = alarm.clone();
    if before == state || alarm.properties.get("ActionsEnabled") == Some(&Value::Bool(false)) {
        return;
    }
    let actions = if state == "ALARM" {
        "AlarmActions"
    } else {
        "OKActions"
    };
    let message = json!({
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.properties.get("AlarmDescription"),
        "AWSAccountId": alarm.account,
        "AlarmArn": alarm.arn,
        "NewStateValue": state,
        "OldStateValue": before,
        "NewStateReason": format!("Threshold Crossed: the queue {} holds {depth} messages.", queue.name),
        "StateChangeTime": iso(now),
        "Region": alarm.region,
    })
    .to_string();
    let context = Context::new()
        .with("aws:SourceArn", alarm.arn.as_str())
        .with("aws:SourceAccount", alarm.account.as_str());
    let publisher = Publisher::new(Principal::Service(SERVICE.to_owned()), context);
    let topics: Vec<String> = alarm
        .properties
        .get(actions)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|action| action.as_str().map(str::to_owned))
        .collect();
    for topic in topics {
        let mut trace = Trace::default();
        // As on AWS, a notification that the topic refuses is lost.
        sns::publish(services, &topic, &publisher, &message, &mut trace).ok();
    }
}
