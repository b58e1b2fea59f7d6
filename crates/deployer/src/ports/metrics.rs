//! What `CloudWatch` counted.

use std::future::Future;
use std::time::SystemTime;

use super::{CloudError, Location};

/// A metric with its dimensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Such as `AWS/Events`.
    pub namespace: &'static str,
    /// Such as `FailedInvocations`.
    pub name: &'static str,
    /// Names and values.
    pub dimensions: Vec<(&'static str, String)>,
}

/// Reads metrics.
pub trait Metrics {
    /// The sums of up to 500 metrics since a time, in their order; zero for a metric without data.
    /// Metrics come minutes after what they count.
    ///
    /// AWS: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html>
    fn metric_sums(
        &self,
        location: &Location,
        metrics: &[Metric],
        since: SystemTime,
    ) -> impl Future<Output = Result<Vec<f64>, CloudError>> + Send;
}
