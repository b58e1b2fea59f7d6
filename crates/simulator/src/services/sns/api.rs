//! The API actions of SNS.

use serde_json::{Map, Value, json};

use super::{Publisher, Subscription, check_filter, confirm, invalid, no_topic, parse_policy};
use crate::api::{ApiError, Caller};
use crate::input::Input;
use crate::policy::{Context, Decision, Request};
use crate::services::Services;
use crate::services::{Trace, iam, json_text, tags};

/// Answers one SNS action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "ListTopics" => {
            let input = Input::new(input, &["NextToken"])?;
            let topics = services
                .sns
                .topics
                .values()
                .filter(|topic| topic.account == caller.account && topic.region == caller.region)
                .map(|topic| json!({"TopicArn": topic.arn}))
                .collect();
            listing("Topics", topics, input)
        }
        "CreateTopic" => {
            let input = Input::new(input, &["Name", "Attributes", "Tags"])?;
            let name = input.required("Name")?;
            let arn = format!("arn:aws:sns:{}:{}:{name}", caller.region, caller.account);
            if !services.sns.topics.contains_key(&arn) {
                let mut properties = Map::new();
                properties.insert("TopicName".to_owned(), json!(name));
                if let Some(tags) = input.value("Tags") {
                    properties.insert("Tags".to_owned(), tags.clone());
                }
                super::create_topic(services, &caller.account, &caller.region, name, properties)?;
            }
            for (key, value) in input.map("Attributes") {
                set_topic(services, &arn, key, value.as_str().unwrap_or_default())?;
            }
            Ok(json!({"TopicArn": arn}))
        }
        "DeleteTopic" => {
            let input = Input::new(input, &["TopicArn"])?;
            let arn = input.required("TopicArn")?;
            if services.sns.topics.contains_key(arn) {
                may(services, caller, arn, "sns:DeleteTopic")?;
                super::delete_topic(services, arn);
            }
            Ok(json!({}))
        }
        "GetTopicAttributes" => {
            let input = Input::new(input, &["TopicArn"])?;
            topic_attributes(services, caller, input.required("TopicArn")?)
        }
        "SetTopicAttributes" => {
            let input = Input::new(input, &["TopicArn", "AttributeName", "AttributeValue"])?;
            let arn = input.required("TopicArn")?;
            may(services, caller, arn, "sns:SetTopicAttributes")?;
            let value = input.text("AttributeValue").unwrap_or_default();
            set_topic(services, arn, input.required("AttributeName")?, value)?;
            Ok(json!({}))
        }
        "ListTagsForResource" => {
            let input = Input::new(input, &["ResourceArn"])?;
            let arn = input.required("ResourceArn")?;
            let topic = services.sns.topics.get(arn).ok_or_else(|| {
                ApiError::new("ResourceNotFound", "Resource does not exist").status(404)
            })?;
            Ok(json!({"Tags": tags(&topic.properties)}))
        }
        "Publish" => {
            let input = Input::new(input, &["TopicArn", "TargetArn", "Message"])?;
            let arn = match input.text("TargetArn") {
                Some(arn) => arn,
                None => input.required("TopicArn")?,
            };
            let publisher = Publisher {
                principal: iam::principal(caller),
                context: context(services, caller),
            };
            let mut trace = Trace::default();
            super::publish(
                services,
                arn,
                &publisher,
                input.required("Message")?,
                &mut trace,
            )
            .map(|id| json!({"MessageId": id}))
            .map_err(|refusal| {
                if refusal.code == "NO_RESOURCE" {
                    no_topic()
                } else {
                    let mut error = ApiError::denied(caller, "SNS:Publish", arn);
                    error.message = format!("{} because {}", error.message, refusal.reason);
                    error
                }
            })
        }
        _ => subscription_call(services, caller, action, input),
    }
}

fn subscription_call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "ListSubscriptions" => {
            let input = Input::new(input, &["NextToken"])?;
            let subscriptions = services
                .sns
                .subscriptions
                .values()
                .filter(|subscription| {
                    subscription.owner == caller.account
                        && subscription.topic.split(':').nth(3) == Some(&caller.region)
                })
                .map(summary)
                .collect();
            listing("Subscriptions", subscriptions, input)
        }
        "ListSubscriptionsByTopic" => {
            let input = Input::new(input, &["TopicArn", "NextToken"])?;
            let arn = input.required("TopicArn")?;
            may(services, caller, arn, "sns:ListSubscriptionsByTopic")?;
            let subscriptions = services
                .sns
                .subscriptions
                .values()
                .filter(|subscription| subscription.topic == arn)
                .map(summary)
                .collect();
            listing("Subscriptions", subscriptions, input)
        }
        "Subscribe" => {
            let input = Input::new(
                input,
                &[
                    "TopicArn",
                    "Protocol",
                    "Endpoint",
                    "Attributes",
                    "ReturnSubscriptionArn",
                ],
            )?;
            let arn = input.required("TopicArn")?;
            may(services, caller, arn, "sns:Subscribe")?;
            let mut properties = Map::new();
            for name in ["TopicArn", "Protocol", "Endpoint"] {
                properties.insert(name.to_owned(), json!(input.required(name)?));
            }
            for (name, value) in input.map("Attributes") {
                let value = value.as_str().unwrap_or_default();
                set_attribute(&mut properties, name, value)?;
            }
            let made = super::subscribe(services, &caller.account, arn, properties)?;
            let pending = services
                .sns
                .subscriptions
                .get(&made)
                .is_some_and(|subscription| !subscription.confirmed);
            let shown = if pending && input.boolean("ReturnSubscriptionArn")? != Some(true) {
                "pending confirmation".to_owned()
            } else {
                made
            };
            Ok(json!({"SubscriptionArn": shown}))
        }
        "ConfirmSubscription" => {
            let input = Input::new(input, &["TopicArn", "Token"])?;
            let (topic, token) = (input.required("TopicArn")?, input.required("Token")?);
            let arn = services
                .sns
                .subscriptions
                .values()
                .find(|subscription| subscription.topic == topic && subscription.token == token)
                .map(|subscription| subscription.arn.clone())
                .ok_or_else(|| invalid("Token"))?;
            confirm(services, &arn);
            Ok(json!({"SubscriptionArn": arn}))
        }
        "Unsubscribe" => {
            let input = Input::new(input, &["SubscriptionArn"])?;
            let arn = input.required("SubscriptionArn")?.to_owned();
            if arn.split(':').count() < 7 {
                return Err(invalid("SubscriptionArn"));
            }
            let foreign = subscription(services, &arn)
                .is_ok_and(|subscription| subscription.owner != caller.account);
            if foreign {
                return Err(ApiError::denied(caller, "SNS:Unsubscribe", &arn));
            }
            services.sns.subscriptions.remove(&arn);
            Ok(json!({}))
        }
        "GetSubscriptionAttributes" => {
            let input = Input::new(input, &["SubscriptionArn"])?;
            let subscription = subscription(services, input.required("SubscriptionArn")?)?;
            let mut attributes = json!({
                "SubscriptionArn": subscription.arn,
                "TopicArn": subscription.topic,
                "Owner": subscription.owner,
                "Protocol": subscription.protocol,
                "Endpoint": subscription.endpoint,
                "PendingConfirmation": (!subscription.confirmed).to_string(),
                "ConfirmationWasAuthenticated": "false",
                "RawMessageDelivery": "false",
            });
            if let Some(attributes) = attributes.as_object_mut() {
                for (name, value) in &subscription.properties {
                    attributes.insert(name.clone(), json!(json_text(value)));
                }
            }
            Ok(json!({"Attributes": attributes}))
        }
        "SetSubscriptionAttributes" => {
            let input = Input::new(
                input,
                &["SubscriptionArn", "AttributeName", "AttributeValue"],
            )?;
            let arn = input.required("SubscriptionArn")?;
            let (name, value) = (
                input.required("AttributeName")?,
                input.text("AttributeValue"),
            );
            let mut properties = subscription(services, arn)?.properties.clone();
            set_attribute(&mut properties, name, value.unwrap_or_default())?;
            check_filter(&properties)?;
            if let Some(subscription) = services.sns.subscriptions.get_mut(arn) {
                subscription.properties = properties;
            }
            Ok(json!({}))
        }
        _ => Err(ApiError::unknown_action("sns", action)),
    }
}

fn subscription<'w>(services: &'w Services, arn: &str) -> Result<&'w Subscription, ApiError> {
    services
        .sns
        .subscriptions
        .get(arn)
        .ok_or_else(|| ApiError::new("NotFound", "Subscription does not exist").status(404))
}

fn summary(subscription: &Subscription) -> Value {
    json!({
        "SubscriptionArn": if subscription.confirmed { subscription.arn.as_str() } else { "PendingConfirmation" },
        "Owner": subscription.owner,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic,
    })
}

fn listing(name: &str, items: Vec<Value>, input: Input<'_>) -> Result<Value, ApiError> {
    input.listing(name, items, 100)
}

fn context(services: &Services, caller: &Caller) -> Context {
    iam::organization_context(
        services,
        &caller.account,
        Context::new().with("aws:SourceOwner", caller.account.as_str()),
    )
}

/// Whether a caller may do something with a topic: its own account may, others need its policy.
fn may(services: &Services, caller: &Caller, arn: &str, action: &str) -> Result<(), ApiError> {
    let topic = services.sns.topics.get(arn).ok_or_else(no_topic)?;
    if topic.region != caller.region {
        return Err(invalid("TopicArn"));
    }
    let request = Request::new(
        iam::principal(caller),
        action,
        arn,
        context(services, caller),
    );
    let allowed = match topic.document.decide(&request) {
        Decision::Allow { .. } => true,
        Decision::Deny { .. } => false,
        Decision::Silent { .. } => topic.account == caller.account,
    };
    if allowed {
        Ok(())
    } else {
        Err(ApiError::denied(caller, action, arn))
    }
}

fn topic_attributes(services: &Services, caller: &Caller, arn: &str) -> Result<Value, ApiError> {
    may(services, caller, arn, "sns:GetTopicAttributes")?;
    let topic = services.sns.topics.get(arn).ok_or_else(no_topic)?;
    let count = |confirmed: bool| {
        services
            .sns
            .subscriptions
            .values()
            .filter(|subscription| subscription.topic == arn && subscription.confirmed == confirmed)
            .count()
            .to_string()
    };
    let mut attributes = json!({
        "TopicArn": topic.arn,
        "Owner": topic.account,
        "Policy": json_text(&topic.policy),
        "DisplayName": "",
        "SubscriptionsConfirmed": count(true),
        "SubscriptionsPending": count(false),
        "SubscriptionsDeleted": "0",
    });
    if let Some(attributes) = attributes.as_object_mut() {
        for name in [
            "DisplayName",
            "KmsMasterKeyId",
            "TracingConfig",
            "SignatureVersion",
        ] {
            if let Some(value) = topic.properties.get(name) {
                attributes.insert(name.to_owned(), json!(json_text(value)));
            }
        }
    }
    Ok(json!({"Attributes": attributes}))
}

fn set_topic(services: &mut Services, arn: &str, name: &str, value: &str) -> Result<(), ApiError> {
    let topic = services.sns.topics.get_mut(arn).ok_or_else(no_topic)?;
    match name {
        "Policy" => {
            let written: Value =
                serde_json::from_str(value).map_err(|_| invalid("Policy: not JSON"))?;
            topic.document = parse_policy(&written)?;
            topic.policy = written;
        }
        "DisplayName" | "KmsMasterKeyId" | "TracingConfig" | "SignatureVersion" => {
            if value.is_empty() {
                topic.properties.remove(name);
            } else {
                topic.properties.insert(name.to_owned(), json!(value));
            }
        }
        _ => return Err(invalid(format!("AttributeName: {name}"))),
    }
    Ok(())
}

fn set_attribute(
    properties: &mut Map<String, Value>,
    name: &str,
    value: &str,
) -> Result<(), ApiError> {
    let parsed = match name {
        "RawMessageDelivery" => value
            .parse()
            .map(Value::Bool)
            .map_err(|_| invalid(format!("Attributes: {name}")))?,
        "FilterPolicy" | "RedrivePolicy" | "DeliveryPolicy" if value.is_empty() => {
            properties.remove(name);
            return Ok(());
        }
        "FilterPolicy" | "RedrivePolicy" | "DeliveryPolicy" => {
            serde_json::from_str(value).map_err(|_| invalid(format!("Attributes: {name}")))?
        }
        "FilterPolicyScope" => json!(value),
        _ => return Err(invalid(format!("AttributeName: {name}"))),
    };
    properties.insert(name.to_owned(), parsed);
    Ok(())
}
