//! CloudTrail's event history.

use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use deployer::ports::{CloudError, History, Location};
use serde_json::Value;

use crate::connect::Aws;
use crate::error::cloud_error;

impl History for Aws {
    async fn recorded_calls(
        &self,
        location: &Location,
        event_name: &str,
    ) -> Result<Vec<Value>, CloudError> {
        let client = &aws_sdk_cloudtrail::Client::new(&self.at(location).await?);
        let action = "cloudtrail:LookupEvents";
        let attribute = LookupAttribute::builder()
            .attribute_key(LookupAttributeKey::EventName)
            .attribute_value(event_name)
            .build()
            .map_err(|error| CloudError::Invalid {
                message: format!("{action}: {error}"),
            })?;
        let answer = self.call(action, || async {
            let request = client.lookup_events().lookup_attributes(attribute.clone());
            let answer = request.max_results(50).send().await;
            answer.map_err(|e| cloud_error(action, &e))
        });
        let events = answer.await?.events.unwrap_or_default();
        let records = events.into_iter().filter_map(|it| it.cloud_trail_event);
        Ok(records
            .filter_map(|record| serde_json::from_str(&record).ok())
            .collect())
    }
}
