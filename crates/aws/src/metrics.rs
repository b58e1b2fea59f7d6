//! `CloudWatch`: sums of metrics.

use std::time::SystemTime;

use deployer::ports::{CloudError, Location, Metric, Metrics, Pause};
use serde_json::{Value, json};

use crate::connect::Aws;
use crate::json_call::JsonAction;

const GET_METRIC_DATA: JsonAction = JsonAction {
    action: "cloudwatch:GetMetricData",
    service: "monitoring",
    target: "GraniteServiceVersion20100801",
    version: "1.0",
};

/// Seconds in a data point.
const PERIOD: u64 = 60;

impl Metrics for Aws {
    async fn metric_sums(
        &self,
        location: &Location,
        metrics: &[Metric],
        since: SystemTime,
    ) -> Result<Vec<f64>, CloudError> {
        let queries: Vec<Value> = metrics.iter().enumerate().map(query).collect();
        let (from, to) = (minute(since), minute(self.now()) + PERIOD);
        let mut sums = vec![0.0; metrics.len()];
        let mut token = Value::Null;
        loop {
            let mut input = json!({
                "MetricDataQueries": queries, "StartTime": from, "EndTime": to,
            });
            if let (Some(fields), false) = (input.as_object_mut(), token.is_null()) {
                fields.insert("NextToken".to_owned(), token.clone());
            }
            let answer = self.json_call(location, GET_METRIC_DATA, &input).await?;
            add(&mut sums, &answer);
            match answer.get("NextToken") {
                // An answer that repeats its token would never end.
                Some(next @ Value::String(_)) if *next != token => token = next.clone(),
                _ => return Ok(sums),
            }
        }
    }
}

fn query((index, metric): (usize, &Metric)) -> Value {
    let dimensions: Vec<Value> = metric
        .dimensions
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    json!({
        "Id": format!("m{index}"),
        "MetricStat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": dimensions,
            },
            "Period": PERIOD,
            "Stat": "Sum",
        },
    })
}

/// Adds a page, which may have a part of a metric's data points.
fn add(sums: &mut [f64], answer: &Value) {
    let results = answer.get("MetricDataResults").and_then(Value::as_array);
    for result in results.into_iter().flatten() {
        let index = result
            .get("Id")
            .and_then(Value::as_str)
            .and_then(|id| id.strip_prefix('m')?.parse::<usize>().ok());
        let values = result.get("Values").and_then(Value::as_array);
        let sum: f64 = values.into_iter().flatten().filter_map(Value::as_f64).sum();
        if let Some(total) = index.and_then(|index| sums.get_mut(index)) {
            *total += sum;
        }
    }
}

fn minute(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    seconds - seconds % PERIOD
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_without_data_are_zero_and_pages_are_added() {
        let mut sums = vec![0.0; 2];
        for values in [json!([1.0, 2]), json!([4.0])] {
            let page = json!({"MetricDataResults": [{"Id": "m1", "Values": values}, {"Id": "m7"}]});
            add(&mut sums, &page);
        }
        assert_eq!(sums, [0.0, 7.0]);
    }
}
