//! CloudTrail's event history.

use std::future::Future;

use serde_json::Value;

use super::{CloudError, Location};

/// Looks up what CloudTrail recorded, with or without a trail.
pub trait History {
    /// The latest records of an API call in an account and Region, newest first, at most one page of
    /// 50. They go back 90 days.
    ///
    /// AWS: <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html>
    fn recorded_calls(
        &self,
        location: &Location,
        event_name: &str,
    ) -> impl Future<Output = Result<Vec<Value>, CloudError>> + Send;
}
