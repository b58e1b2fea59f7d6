//! SQS: receiving and deleting messages.

use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message, MessageSystemAttributeName};
use deployer::ports::{CloudError, Location, QueueMessage, Queues};

use crate::connect::Aws;
use crate::error::{by_code, cloud_error};
use crate::pace::Watch;

/// Most messages in one call.
const MOST: i32 = 10;

impl Aws {
    async fn sqs_at(&self, location: &Location) -> Result<aws_sdk_sqs::Client, CloudError> {
        let config = self.at(location).await?;
        let config = aws_sdk_sqs::config::Builder::from(&config)
            .interceptor(Watch(self.shared_pace()))
            .interceptor(self.clock())
            .build();
        Ok(aws_sdk_sqs::Client::from_conf(config))
    }
}

impl Queues for Aws {
    async fn queue_url(
        &self,
        location: &Location,
        name: &str,
    ) -> Result<Option<String>, CloudError> {
        let client = &self.sqs_at(location).await?;
        let action = "sqs:GetQueueUrl";
        let answer = self.call(action, || async {
            let answer = client.get_queue_url().queue_name(name).send().await;
            answer.map_err(|e| cloud_error(action, &e))
        });
        match answer.await {
            Ok(answer) => Ok(answer.queue_url),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn receive_messages(
        &self,
        location: &Location,
        url: &str,
        wait: Duration,
        hidden: Duration,
    ) -> Result<Vec<QueueMessage>, CloudError> {
        let client = &self.sqs_at(location).await?;
        let action = "sqs:ReceiveMessage";
        let answer = self.call(action, || async {
            client
                .receive_message()
                .queue_url(url)
                .max_number_of_messages(MOST)
                .message_attribute_names("All")
                .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
                .wait_time_seconds(seconds(wait))
                .visibility_timeout(seconds(hidden))
                .send()
                .await
                .map_err(|e| cloud_error(action, &e))
        });
        let messages = answer.await?.messages.unwrap_or_default();
        Ok(messages.into_iter().map(received).collect())
    }

    async fn delete_messages(
        &self,
        location: &Location,
        url: &str,
        receipts: &[String],
    ) -> Result<(), CloudError> {
        let client = &self.sqs_at(location).await?;
        let action = "sqs:DeleteMessage";
        let entries: Result<Vec<DeleteMessageBatchRequestEntry>, _> = receipts
            .iter()
            .enumerate()
            .map(|(index, receipt)| {
                DeleteMessageBatchRequestEntry::builder()
                    .id(index.to_string())
                    .receipt_handle(receipt)
                    .build()
            })
            .collect();
        let entries = entries.map_err(|error| CloudError::Invalid {
            message: format!("{action}: {error}"),
        })?;
        let answer = self.call(action, || async {
            let batch = client.delete_message_batch().queue_url(url);
            let answer = batch.set_entries(Some(entries.clone())).send().await;
            answer.map_err(|e| cloud_error(action, &e))
        });
        // Like `PutEvents`, the call succeeds although an entry failed.
        match answer.await?.failed.first() {
            None => Ok(()),
            Some(failed) => {
                let message = failed.message.as_deref().unwrap_or_default();
                Err(by_code(action, &failed.code, message, 400, None))
            }
        }
    }
}

fn seconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_secs()).unwrap_or(i32::MAX)
}

fn received(message: Message) -> QueueMessage {
    let system = message.attributes.unwrap_or_default();
    let sent = system
        .get(&MessageSystemAttributeName::SentTimestamp)
        .and_then(|sent| sent.parse().ok())
        .map(|sent| SystemTime::UNIX_EPOCH + Duration::from_millis(sent));
    let attributes = message.message_attributes.unwrap_or_default().into_iter();
    QueueMessage {
        receipt: message.receipt_handle.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes: attributes
            .filter_map(|(name, value)| Some((name, value.string_value?)))
            .collect(),
        sent,
    }
}
