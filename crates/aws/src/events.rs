//! EventBridge: events of our own, and the rules that send to a target.

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use deployer::ports::{CloudError, CustomEvent, Events, Location};

use crate::connect::Aws;
use crate::error::{by_code, cloud_error};
use crate::pace::Watch;

impl Aws {
    async fn events_at(
        &self,
        location: &Location,
    ) -> Result<aws_sdk_eventbridge::Client, CloudError> {
        let config = self.at(location).await?;
        let config = aws_sdk_eventbridge::config::Builder::from(&config)
            .interceptor(Watch(self.shared_pace()))
            .interceptor(self.clock())
            .build();
        Ok(aws_sdk_eventbridge::Client::from_conf(config))
    }
}

impl Events for Aws {
    async fn rule_names_by_target(
        &self,
        location: &Location,
        bus: &str,
        target: &str,
    ) -> Result<Vec<String>, CloudError> {
        let client = &self.events_at(location).await?;
        let action = "events:ListRuleNamesByTarget";
        self.list(action, |token| async move {
            let answer = client
                .list_rule_names_by_target()
                .target_arn(target)
                .event_bus_name(bus)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| cloud_error(action, &e))?;
            Ok((answer.rule_names.unwrap_or_default(), answer.next_token))
        })
        .await
    }

    async fn put_event(&self, location: &Location, event: &CustomEvent) -> Result<(), CloudError> {
        let client = &self.events_at(location).await?;
        let action = "events:PutEvents";
        let entry = PutEventsRequestEntry::builder()
            .source(event.source)
            .detail_type(event.detail_type)
            .detail(event.detail.to_string())
            .build();
        self.call(action, || async {
            let answer = client.put_events().entries(entry.clone()).send().await;
            let answer = answer.map_err(|e| cloud_error(action, &e))?;
            let entries = answer.entries.unwrap_or_default();
            // The call succeeds although an entry failed. Retrying a throttled entry is safe: a
            // canary that comes twice is counted once.
            match entries.first().and_then(|it| it.error_code.as_deref()) {
                None => Ok(()),
                Some(code) => {
                    let entry = entries.first();
                    let message = entry.and_then(|it| it.error_message.as_deref());
                    Err(by_code(
                        action,
                        code,
                        message.unwrap_or_default(),
                        400,
                        None,
                    ))
                }
            }
        })
        .await
    }
}
