//! Rules, events and queues.

use std::time::Duration;

use serde_json::json;

use super::Fake;
use crate::ports::*;

impl Events for Fake {
    async fn rule_names_by_target(
        &self,
        location: &Location,
        bus: &str,
        _: &str,
    ) -> Result<Vec<String>, CloudError> {
        let rules = self.event_rules(location, bus, "").await?;
        let rules = rules.unwrap_or_default().into_iter();
        Ok(rules.map(|rule| rule.name).collect())
    }

    async fn put_event(&self, location: &Location, event: &CustomEvent) -> Result<(), CloudError> {
        let mut state = self.state();
        let sent = std::time::SystemTime::UNIX_EPOCH + state.now;
        let account = if state.misplaced.contains(location) {
            "999999999999"
        } else {
            &location.account
        };
        let nonce = &event.detail["nonce"];
        let body = json!({"nonce": nonce, "account": account, "region": location.region});
        let message = QueueMessage {
            receipt: format!("{location}"),
            body: body.to_string(),
            attributes: std::collections::BTreeMap::new(),
            sent: Some(sent),
        };
        state.messages.push(message);
        Ok(())
    }
}

impl Metrics for Fake {
    async fn metric_sums(
        &self,
        _: &Location,
        metrics: &[Metric],
        _: std::time::SystemTime,
    ) -> Result<Vec<f64>, CloudError> {
        Ok(vec![0.0; metrics.len()])
    }
}

impl History for Fake {
    async fn recorded_calls(
        &self,
        _: &Location,
        _: &str,
    ) -> Result<Vec<serde_json::Value>, CloudError> {
        Ok(Vec::new())
    }
}

impl Parameters for Fake {
    async fn delete_parameter(&self, _: &Location, _: &str) -> Result<(), CloudError> {
        Ok(())
    }
}

impl Queues for Fake {
    async fn queue_url(&self, _: &Location, name: &str) -> Result<Option<String>, CloudError> {
        Ok(Some(format!("https://sqs/{name}")))
    }

    async fn receive_messages(
        &self,
        _: &Location,
        url: &str,
        _: Duration,
        _: Duration,
    ) -> Result<Vec<QueueMessage>, CloudError> {
        let is_canary = url.ends_with(compiler::canary::NAME);
        Ok(if is_canary {
            self.state().messages.iter().take(10).cloned().collect()
        } else {
            Vec::new()
        })
    }

    async fn delete_messages(
        &self,
        _: &Location,
        _: &str,
        receipts: &[String],
    ) -> Result<(), CloudError> {
        self.state()
            .messages
            .retain(|message| !receipts.contains(&message.receipt));
        Ok(())
    }
}
