//! Reads SNS, CloudTrail, SQS, EventBridge and IAM.

use aws_sdk_sqs::types::QueueAttributeName;
use deployer::ports::{CloudError, Health, Location, Subscription, TrailStatus, TrailSummary};
use serde_json::Value;

use crate::connect::{Aws, partition};
use crate::error::cloud_error;

impl Health for Aws {
    async fn subscriptions(
        &self,
        location: &Location,
        topic: &str,
    ) -> Result<Option<Vec<Subscription>>, CloudError> {
        let arn = format!(
            "arn:{}:sns:{}:{}:{topic}",
            partition(&location.region),
            location.region,
            location.account
        );
        let client = aws_sdk_sns::Client::new(&self.at(location).await?);
        let mut pages = client
            .list_subscriptions_by_topic()
            .topic_arn(arn)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|e| cloud_error("sns:ListSubscriptionsByTopic", &e)) {
                Ok(page) => page,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            };
            for subscription in page.subscriptions.unwrap_or_default() {
                found.push(Subscription {
                    protocol: subscription.protocol.unwrap_or_default(),
                    endpoint: subscription.endpoint.unwrap_or_default(),
                    // Unconfirmed subscriptions have `PendingConfirmation` or `Deleted` in place of
                    // an ARN.
                    confirmed: subscription
                        .subscription_arn
                        .is_some_and(|arn| arn.starts_with("arn:")),
                });
            }
        }
        Ok(Some(found))
    }

    async fn trails(&self, location: &Location) -> Result<Vec<TrailSummary>, CloudError> {
        let client = aws_sdk_cloudtrail::Client::new(&Aws::briefly(&self.at(location).await?));
        let answer = client
            .describe_trails()
            .include_shadow_trails(true)
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:DescribeTrails", &e))?;
        Ok(answer
            .trail_list
            .unwrap_or_default()
            .into_iter()
            .map(|trail| TrailSummary {
                name: trail.name.unwrap_or_default(),
                organization: trail.is_organization_trail.unwrap_or(false),
                home_region: trail.home_region.unwrap_or_default(),
            })
            .collect())
    }

    async fn trail_status(
        &self,
        location: &Location,
        name: &str,
    ) -> Result<Option<TrailStatus>, CloudError> {
        let client = aws_sdk_cloudtrail::Client::new(&self.at(location).await?);
        let answer = client
            .get_trail()
            .name(name)
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:GetTrail", &e));
        let trail = match answer {
            Ok(answer) => answer.trail,
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let Some(trail) = trail else {
            return Ok(None);
        };
        let status = client
            .get_trail_status()
            .name(trail.trail_arn.as_deref().unwrap_or(name))
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:GetTrailStatus", &e))?;
        Ok(Some(TrailStatus {
            logging: status.is_logging.unwrap_or(false),
            multi_region: trail.is_multi_region_trail.unwrap_or(false),
            organization: trail.is_organization_trail.unwrap_or(false),
            log_file_validation: trail.log_file_validation_enabled.unwrap_or(false),
            delivery_error: status.latest_delivery_error.filter(|e| !e.is_empty()),
        }))
    }

    async fn queue_depth(
        &self,
        location: &Location,
        queue: &str,
    ) -> Result<Option<u64>, CloudError> {
        let client = aws_sdk_sqs::Client::new(&self.at(location).await?);
        let url = if queue.starts_with("http") {
            queue.to_owned()
        } else {
            let answer = client
                .get_queue_url()
                .queue_name(queue)
                .send()
                .await
                .map_err(|e| cloud_error("sqs:GetQueueUrl", &e));
            match answer {
                Ok(answer) => answer.queue_url.unwrap_or_default(),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        let answer = client
            .get_queue_attributes()
            .queue_url(url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .send()
            .await
            .map_err(|e| cloud_error("sqs:GetQueueAttributes", &e));
        let attributes = match answer {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let read = |name: QueueAttributeName| {
            attributes
                .get(&name)
                .and_then(|count| count.parse::<u64>().ok())
                .unwrap_or(0)
        };
        Ok(Some(
            read(QueueAttributeName::ApproximateNumberOfMessages)
                + read(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
        ))
    }

    async fn bus_policy(
        &self,
        location: &Location,
        bus: &str,
    ) -> Result<Option<Value>, CloudError> {
        let client = aws_sdk_eventbridge::Client::new(&self.at(location).await?);
        let answer = client
            .describe_event_bus()
            .name(bus)
            .send()
            .await
            .map_err(|e| cloud_error("events:DescribeEventBus", &e));
        match answer {
            Ok(answer) => Ok(Some(
                answer
                    .policy
                    .and_then(|policy| serde_json::from_str(&policy).ok())
                    .unwrap_or(Value::Null),
            )),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn role_names(&self, location: &Location, path: &str) -> Result<Vec<String>, CloudError> {
        let client = aws_sdk_iam::Client::new(&self.at(location).await?);
        let mut pages = client
            .list_roles()
            .path_prefix(path)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| cloud_error("iam:ListRoles", &e))?;
            found.extend(page.roles.into_iter().map(|role| role.role_name));
        }
        Ok(found)
    }
}
