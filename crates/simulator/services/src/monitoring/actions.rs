//! The API actions of `CloudWatch`.
#![expect(clippy::unnecessary_wraps, reason = "the signature of all handlers")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Alarm, Counted, Monitoring, alarm_arn};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;

actions! {
    /// All actions of `CloudWatch`.
    pub(crate) ACTIONS of "cloudwatch" {
        Reads DescribeAlarms (|it: &DescribeAlarms, caller| on(caller, &it.alarm_names)) monitoring(describe_alarms);
        Changes DeleteAlarms (|it: &DeleteAlarms, caller| on(caller, &it.alarm_names)) monitoring(delete_alarms);
        Reads GetMetricData (anything) monitoring(get_metric_data);
        Changes EnableAlarmActions (|it: &EnableAlarmActions, caller| on(caller, &it.alarm_names))
            monitoring(set_actions::<true>);
        Changes DisableAlarmActions (|it: &DisableAlarmActions, caller| on(caller, &it.alarm_names))
            monitoring(set_actions::<false>);
    }
}

requests! {
    struct DescribeAlarms {
        #[serde(default)]
        alarm_names: Vec<String>,
        alarm_name_prefix: Option<String>,
        /// Without it, composite alarms aren't listed, of which the simulator has none.
        #[serde(default)]
        _alarm_types: Vec<String>,
        state_value: Option<String>,
    }
    struct DeleteAlarms, EnableAlarmActions, DisableAlarmActions {
        #[serde(default)]
        alarm_names: Vec<String>,
    }
    struct GetMetricData {
        metric_data_queries: Vec<MetricDataQuery>,
        start_time: f64,
        end_time: f64,
        next_token: Option<String>,
        max_datapoints: Option<usize>,
    }
    struct MetricDataQuery { id: String, metric_stat: Statistic }
    struct Statistic { metric: OfMetric, period: i64, stat: Stat }
    struct OfMetric {
        namespace: String,
        metric_name: String,
        #[serde(default)]
        dimensions: Vec<Dimension>,
    }
    struct Dimension { name: String, value: String }
}

/// What calls about alarms act on. A call about several asks for all of them.
fn on(caller: &Caller, names: &[String]) -> String {
    let name = match names {
        [only] => only,
        _ => "*",
    };
    alarm_arn(&caller.account, &caller.region, name)
}

/// The statistics that the simulator computes.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
enum Stat {
    Sum,
}

/// Most queries in a request.
const QUERIES: usize = 500;

fn get_metric_data(
    request: GetMetricData,
    monitoring: &mut Monitoring,
    context: &mut Context<'_>,
) -> Answer {
    let invalid = |message: String| ApiError::new("ValidationError", message);
    let queries = request.metric_data_queries;
    if !(1..=QUERIES).contains(&queries.len()) {
        return Err(invalid(format!(
            "The collection MetricDataQueries must have a size between 1 and {QUERIES}."
        )));
    }
    if request.start_time >= request.end_time {
        return Err(invalid(
            "The parameter StartTime must be less than the parameter EndTime.".to_owned(),
        ));
    }
    let caller = context.caller;
    let location = (caller.account.as_str(), caller.region.as_str());
    let mut results = Vec::new();
    for query in queries {
        let Statistic {
            metric,
            period,
            stat: Stat::Sum,
        } = query.metric_stat;
        if period < 60 || period % 60 != 0 {
            return Err(invalid(format!("Invalid Period {period}.")));
        }
        let mut dimensions: Vec<(String, String)> = metric
            .dimensions
            .into_iter()
            .map(|it| (it.name, it.value))
            .collect();
        dimensions.sort();
        let counted = Counted {
            namespace: metric.namespace,
            name: metric.metric_name,
            dimensions,
        };
        let mut sums: BTreeMap<i64, u64> = BTreeMap::new();
        let minutes =
            monitoring
                .metrics
                .between(location, &counted, request.start_time, request.end_time);
        for (second, count) in minutes {
            *sums.entry(second - second % period).or_default() += count;
        }
        let (seconds, values): (Vec<i64>, Vec<u64>) = sums.into_iter().rev().unzip();
        results.push(json!({
            "Id": query.id,
            "Label": counted.name,
            "StatusCode": "Complete",
            "Timestamps": seconds,
            "Values": values,
        }));
    }
    let token = request.next_token.as_deref();
    let size = request.max_datapoints.unwrap_or(QUERIES).max(1);
    listing("MetricDataResults", results, token, size)
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

/// `EnableAlarmActions` if `ON`, otherwise `DisableAlarmActions`.
fn set_actions<const ON: bool>(
    request: EnableAlarmActions,
    monitoring: &mut Monitoring,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    for name in request.alarm_names {
        let arn = alarm_arn(&caller.account, &caller.region, &name);
        if let Some(alarm) = monitoring.alarms.get_mut(&arn) {
            alarm
                .properties
                .insert("ActionsEnabled".to_owned(), json!(ON));
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
