//! Reads SNS, CloudTrail, SQS, EventBridge and IAM.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::QueueAttributeName;
use deployer::ports::{
    BasicSelector, BusSettings, CloudError, EventRule, EventSelectors, FieldSelector, Health,
    KeyState, Location, QueueState, RoleDetails, Subscription, SubscriptionSettings, TopicSettings,
    TrailStatus, TrailSummary,
};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::connect::Aws;
use crate::error::cloud_error;
use crate::json_call::JsonAction;

const GET_KEY_POLICY: JsonAction = JsonAction {
    action: "kms:GetKeyPolicy",
    service: "kms",
    target: "TrentService",
    version: "1.1",
};

const DESCRIBE_KEY: JsonAction = JsonAction {
    action: "kms:DescribeKey",
    service: "kms",
    target: "TrentService",
    version: "1.1",
};

const DESCRIBE_ALARMS: JsonAction = JsonAction {
    action: "cloudwatch:DescribeAlarms",
    service: "monitoring",
    target: "GraniteServiceVersion20100801",
    version: "1.0",
};

/// The attributes that decide whether a queue takes a message and how long it keeps it, and the
/// number of its messages.
const QUEUE_ATTRIBUTES: [QueueAttributeName; 10] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::Policy,
    QueueAttributeName::DelaySeconds,
    QueueAttributeName::KmsMasterKeyId,
    QueueAttributeName::MaximumMessageSize,
    QueueAttributeName::MessageRetentionPeriod,
    QueueAttributeName::RedrivePolicy,
    QueueAttributeName::SqsManagedSseEnabled,
    QueueAttributeName::VisibilityTimeout,
];

impl Health for Aws {
    async fn subscriptions(
        &self,
        location: &Location,
        topic: &str,
    ) -> Result<Option<Vec<Subscription>>, CloudError> {
        let arn = topic_arn(location, topic);
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
                // Unconfirmed subscriptions have `PendingConfirmation` or `Deleted` in place of an
                // ARN.
                let arn = subscription
                    .subscription_arn
                    .filter(|arn| arn.starts_with("arn:"));
                found.push(Subscription {
                    protocol: subscription.protocol.unwrap_or_default(),
                    endpoint: subscription.endpoint.unwrap_or_default(),
                    confirmed: arn.is_some(),
                    arn,
                });
            }
        }
        Ok(Some(found))
    }

    async fn topic_settings(
        &self,
        location: &Location,
        topic: &str,
    ) -> Result<Option<TopicSettings>, CloudError> {
        let client = aws_sdk_sns::Client::new(&self.at(location).await?);
        let answer = client
            .get_topic_attributes()
            .topic_arn(topic_arn(location, topic))
            .send()
            .await
            .map_err(|e| cloud_error("sns:GetTopicAttributes", &e));
        let attributes = match answer {
            Ok(answer) => answer.attributes.unwrap_or_default(),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let policy = attributes.get("Policy");
        Ok(Some(TopicSettings {
            policy: policy
                .and_then(|policy| serde_json::from_str(policy).ok())
                .unwrap_or(Value::Null),
            key: attributes.get("KmsMasterKeyId").cloned(),
            delivery_policy: attributes.get("DeliveryPolicy").cloned(),
        }))
    }

    async fn data_protection(
        &self,
        location: &Location,
        topic: &str,
    ) -> Result<Option<Value>, CloudError> {
        let client = aws_sdk_sns::Client::new(&self.at(location).await?);
        let answer = client
            .get_data_protection_policy()
            .resource_arn(topic_arn(location, topic))
            .send()
            .await
            .map_err(|e| cloud_error("sns:GetDataProtectionPolicy", &e));
        match answer {
            Ok(answer) => Ok(answer
                .data_protection_policy
                .filter(|policy| !policy.trim().is_empty())
                .map(|policy| serde_json::from_str(&policy).unwrap_or(Value::String(policy)))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn key_state(
        &self,
        location: &Location,
        key: &str,
    ) -> Result<Option<KeyState>, CloudError> {
        let input = json!({"KeyId": key});
        let answer = match self.json_call(location, DESCRIBE_KEY, &input).await {
            Ok(answer) => answer,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let text = |name: &str| {
            let value = answer.pointer(&format!("/KeyMetadata/{name}"));
            let value = value.and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        Ok(Some(KeyState {
            arn: text("Arn"),
            state: text("KeyState"),
            description: text("Description"),
        }))
    }

    async fn alarm(&self, location: &Location, name: &str) -> Result<Option<Value>, CloudError> {
        let input = json!({"AlarmNames": [name], "AlarmTypes": ["MetricAlarm"]});
        let answer = self.json_call(location, DESCRIBE_ALARMS, &input).await?;
        Ok(answer.pointer("/MetricAlarms/0").cloned())
    }

    async fn key_policy(
        &self,
        location: &Location,
        key: &str,
    ) -> Result<Option<Value>, CloudError> {
        let input = json!({"KeyId": key, "PolicyName": "default"});
        match self.json_call(location, GET_KEY_POLICY, &input).await {
            Ok(answer) => {
                let policy = answer.get("Policy").and_then(Value::as_str);
                let policy = policy.and_then(|policy| serde_json::from_str(policy).ok());
                Ok(Some(policy.unwrap_or(Value::Null)))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn subscription_settings(
        &self,
        location: &Location,
        subscription: &str,
    ) -> Result<SubscriptionSettings, CloudError> {
        let client = aws_sdk_sns::Client::new(&self.at(location).await?);
        let answer = client
            .get_subscription_attributes()
            .subscription_arn(subscription)
            .send()
            .await
            .map_err(|e| cloud_error("sns:GetSubscriptionAttributes", &e))?;
        let attributes = answer.attributes.unwrap_or_default();
        Ok(SubscriptionSettings {
            filter_policy: attributes
                .get("FilterPolicy")
                .filter(|policy| !policy.is_empty() && *policy != "{}")
                .cloned(),
            raw: attributes
                .get("RawMessageDelivery")
                .is_some_and(|raw| raw == "true"),
            dead_letters: attributes.get("RedrivePolicy").and_then(|policy| {
                let policy: Value = serde_json::from_str(policy).ok()?;
                Some(policy.get("deadLetterTargetArn")?.as_str()?.to_owned())
            }),
            delivery_policy: attributes.get("DeliveryPolicy").cloned(),
        })
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
                arn: trail.trail_arn.unwrap_or_default(),
                bucket: trail.s3_bucket_name.filter(|bucket| !bucket.is_empty()),
                multi_region: trail.is_multi_region_trail.unwrap_or(false),
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
        let arn = trail.trail_arn.unwrap_or_else(|| name.to_owned());
        let status = client
            .get_trail_status()
            .name(&arn)
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:GetTrailStatus", &e))?;
        let selectors = client
            .get_event_selectors()
            .trail_name(&arn)
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:GetEventSelectors", &e))?;
        Ok(Some(TrailStatus {
            arn,
            key: trail.kms_key_id.filter(|key| !key.is_empty()),
            bucket: trail.s3_bucket_name.filter(|bucket| !bucket.is_empty()),
            selectors: EventSelectors {
                basic: selectors
                    .event_selectors
                    .unwrap_or_default()
                    .into_iter()
                    .map(basic_selector)
                    .collect(),
                advanced: selectors
                    .advanced_event_selectors
                    .unwrap_or_default()
                    .into_iter()
                    .map(|it| it.field_selectors.into_iter().map(field_selector).collect())
                    .collect(),
            },
            logging: status.is_logging.unwrap_or(false),
            multi_region: trail.is_multi_region_trail.unwrap_or(false),
            global_services: trail.include_global_service_events.unwrap_or(false),
            organization: trail.is_organization_trail.unwrap_or(false),
            log_file_validation: trail.log_file_validation_enabled.unwrap_or(false),
            delivery_error: status.latest_delivery_error.filter(|e| !e.is_empty()),
        }))
    }

    async fn trail_logs(&self, location: &Location, arn: &str) -> Result<Option<bool>, CloudError> {
        let client = aws_sdk_cloudtrail::Client::new(&Aws::briefly(&self.at(location).await?));
        let answer = client
            .get_trail_status()
            .name(arn)
            .send()
            .await
            .map_err(|e| cloud_error("cloudtrail:GetTrailStatus", &e));
        match answer {
            Ok(answer) => Ok(Some(answer.is_logging.unwrap_or(false))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn queue(
        &self,
        location: &Location,
        queue: &str,
    ) -> Result<Option<QueueState>, CloudError> {
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
            .set_attribute_names(Some(QUEUE_ATTRIBUTES.to_vec()))
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
        Ok(Some(QueueState {
            messages: read(QueueAttributeName::ApproximateNumberOfMessages)
                + read(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
            policy: attributes
                .get(&QueueAttributeName::Policy)
                .and_then(|policy| serde_json::from_str(policy).ok()),
            attributes: attributes
                .into_iter()
                .map(|(name, value)| (name.as_str().to_owned(), value))
                .filter(|(name, _)| name != "Policy" && !name.starts_with("Approximate"))
                .collect(),
        }))
    }

    async fn event_rules(
        &self,
        location: &Location,
        bus: &str,
        prefix: &str,
    ) -> Result<Option<Vec<EventRule>>, CloudError> {
        let client = aws_sdk_eventbridge::Client::new(&self.at(location).await?);
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .list_rules()
                .event_bus_name(bus)
                .set_name_prefix((!prefix.is_empty()).then(|| prefix.to_owned()))
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| cloud_error("events:ListRules", &e));
            let page = match page {
                Ok(page) => page,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            };
            for rule in page.rules.unwrap_or_default() {
                found.push(EventRule {
                    name: rule.name.unwrap_or_default(),
                    state: rule
                        .state
                        .map(|state| state.as_str().to_owned())
                        .unwrap_or_default(),
                    pattern: rule.event_pattern.map(|pattern| self.pattern(&pattern)),
                });
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }

    async fn rule_targets(
        &self,
        location: &Location,
        bus: &str,
        rule: &str,
    ) -> Result<Option<Vec<Value>>, CloudError> {
        let client = aws_sdk_eventbridge::Client::new(&self.at(location).await?);
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = client
                .list_targets_by_rule()
                .event_bus_name(bus)
                .rule(rule)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| cloud_error("events:ListTargetsByRule", &e));
            let page = match page {
                Ok(page) => page,
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            };
            found.extend(page.targets.unwrap_or_default().into_iter().map(target));
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }

    async fn bus(&self, location: &Location, bus: &str) -> Result<Option<BusSettings>, CloudError> {
        let client = aws_sdk_eventbridge::Client::new(&self.at(location).await?);
        let answer = client
            .describe_event_bus()
            .name(bus)
            .send()
            .await
            .map_err(|e| cloud_error("events:DescribeEventBus", &e));
        match answer {
            Ok(answer) => Ok(Some(BusSettings {
                policy: answer
                    .policy
                    .and_then(|policy| serde_json::from_str(&policy).ok())
                    .unwrap_or(Value::Null),
                dead_letters: answer.dead_letter_config.and_then(|config| config.arn),
                key: answer.kms_key_identifier.filter(|key| !key.is_empty()),
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn roles(&self, location: &Location, path: &str) -> Result<Vec<RoleDetails>, CloudError> {
        let client = aws_sdk_iam::Client::new(&self.at(location).await?);
        // The only call that returns roles together with their policies.
        let mut pages = client
            .get_account_authorization_details()
            .filter(aws_sdk_iam::types::EntityType::Role)
            .max_items(1000)
            .into_paginator()
            .send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|e| cloud_error("iam:GetAccountAuthorizationDetails", &e))?;
            let roles = page.role_detail_list.unwrap_or_default().into_iter();
            found.extend(roles.map(role).filter(|role| role.path.starts_with(path)));
        }
        Ok(found)
    }
}

fn topic_arn(location: &Location, topic: &str) -> String {
    let Location { account, region } = location;
    let partition = location.partition();
    format!("arn:{partition}:sns:{region}:{account}:{topic}")
}

fn basic_selector(selector: aws_sdk_cloudtrail::types::EventSelector) -> BasicSelector {
    BasicSelector {
        read_write_type: selector
            .read_write_type
            .map_or_else(|| "All".to_owned(), |it| it.as_str().to_owned()),
        management_events: selector.include_management_events.unwrap_or(true),
        excluded_sources: selector
            .exclude_management_event_sources
            .unwrap_or_default(),
    }
}

fn field_selector(selector: aws_sdk_cloudtrail::types::AdvancedFieldSelector) -> FieldSelector {
    let others = [
        &selector.starts_with,
        &selector.ends_with,
        &selector.not_starts_with,
        &selector.not_ends_with,
    ];
    FieldSelector {
        others: others
            .into_iter()
            .any(|list| list.as_ref().is_some_and(|list| !list.is_empty())),
        field: selector.field,
        equals: selector.equals.unwrap_or_default(),
        not_equals: selector.not_equals.unwrap_or_default(),
    }
}

/// A target with the property names of a template. Targets of types that Gizmos doesn't use have
/// further properties, which a comparison must see.
fn target(target: aws_sdk_eventbridge::types::Target) -> Value {
    let more = [
        target.kinesis_parameters.is_some(),
        target.run_command_parameters.is_some(),
        target.ecs_parameters.is_some(),
        target.batch_parameters.is_some(),
        target.sqs_parameters.is_some(),
        target.http_parameters.is_some(),
        target.redshift_data_parameters.is_some(),
        target.sage_maker_pipeline_parameters.is_some(),
        target.app_sync_parameters.is_some(),
    ];
    let transformer = target.input_transformer.map(|it| {
        let paths: BTreeMap<String, String> =
            it.input_paths_map.unwrap_or_default().into_iter().collect();
        json!({"InputPathsMap": paths, "InputTemplate": it.input_template})
    });
    let retry = target.retry_policy.map(|it| {
        without_nulls(json!({
            "MaximumEventAgeInSeconds": it.maximum_event_age_in_seconds,
            "MaximumRetryAttempts": it.maximum_retry_attempts,
        }))
    });
    without_nulls(json!({
        "Id": target.id,
        "Arn": target.arn,
        "RoleArn": target.role_arn,
        "Input": target.input,
        "InputPath": target.input_path,
        "InputTransformer": transformer,
        "DeadLetterConfig": target.dead_letter_config.map(|it| json!({"Arn": it.arn})),
        "RetryPolicy": retry,
        "OtherParameters": more.contains(&true).then_some(true),
    }))
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(fields) = &mut value {
        fields.retain(|_, field| !field.is_null());
    }
    value
}

fn role(role: aws_sdk_iam::types::RoleDetail) -> RoleDetails {
    RoleDetails {
        name: role.role_name.unwrap_or_default(),
        path: role.path.unwrap_or_default(),
        inline: role
            .role_policy_list
            .unwrap_or_default()
            .into_iter()
            .map(|policy| {
                let document = decoded(policy.policy_document.as_deref());
                (policy.policy_name.unwrap_or_default(), document)
            })
            .collect(),
        attached: role
            .attached_managed_policies
            .unwrap_or_default()
            .into_iter()
            .filter_map(|policy| policy.policy_arn)
            .collect(),
        trust: decoded(role.assume_role_policy_document.as_deref()),
        boundary: role
            .permissions_boundary
            .and_then(|boundary| boundary.permissions_boundary_arn),
    }
}

/// A policy, which IAM returns percent-encoded (RFC 3986).
fn decoded(document: Option<&str>) -> Value {
    let document = percent_decode_str(document.unwrap_or_default()).decode_utf8_lossy();
    serde_json::from_str(&document).unwrap_or(Value::Null)
}
