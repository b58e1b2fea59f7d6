//! The API actions of SNS.
#![expect(
    clippy::needless_pass_by_value,
    reason = "handlers take their request by value even if they only borrow from it"
)]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::publish::{Publisher, publish as publish_to};
use super::{Sns, Subscription, Topic, create_topic as create, invalid, no_topic};
use super::{parse_policy, subscribe as subscribe_to};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::organizations::Organization;
use crate::policy::{self, Decision, Request};
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;
use crate::{Services, Trace, iam, json_text, tags};

/// Page size.
const PAGE: usize = 100;

actions! {
    /// All actions of SNS.
    pub(crate) ACTIONS of "sns" {
        Reads ListTopics (anything) sns(list_topics);
        Changes CreateTopic (anything) sns(create_topic);
        Changes DeleteTopic (|it: &DeleteTopic, _| it.topic_arn.clone()) sns(delete_topic);
        Reads GetTopicAttributes (|it: &GetTopicAttributes, _| it.topic_arn.clone())
            sns(get_topic_attributes);
        Changes SetTopicAttributes (|it: &SetTopicAttributes, _| it.topic_arn.clone())
            sns(set_topic_attributes);
        Reads GetDataProtectionPolicy (|it: &GetDataProtectionPolicy, _| it.resource_arn.clone())
            sns(get_data_protection_policy);
        Changes PutDataProtectionPolicy (|it: &PutDataProtectionPolicy, _| it.resource_arn.clone())
            sns(put_data_protection_policy);
        Reads ListTagsForResource (anything) sns(list_tags_for_resource);
        Changes Publish (itself) services(publish);
        Reads ListSubscriptions (anything) sns(list_subscriptions);
        Reads ListSubscriptionsByTopic (|it: &ListSubscriptionsByTopic, _| it.topic_arn.clone())
            sns(list_subscriptions_by_topic);
        Changes Subscribe (|it: &Subscribe, _| it.topic_arn.clone()) services(subscribe);
        Changes ConfirmSubscription (|it: &ConfirmSubscription, _| it.topic_arn.clone())
            sns(confirm_subscription);
        Changes Unsubscribe (anything) sns(unsubscribe);
        Reads GetSubscriptionAttributes (anything) sns(get_subscription_attributes);
        Changes SetSubscriptionAttributes (anything) sns(set_subscription_attributes);
    }
}

requests! {
    struct ListTopics, ListSubscriptions { next_token: Option<String> }
    struct CreateTopic {
        name: String,
        #[serde(default)]
        attributes: BTreeMap<String, Value>,
        tags: Option<Value>,
    }
    struct DeleteTopic, GetTopicAttributes { topic_arn: String }
    struct SetTopicAttributes {
        topic_arn: String,
        attribute_name: String,
        attribute_value: Option<String>,
    }
    struct ListTagsForResource, GetDataProtectionPolicy { resource_arn: String }
    struct PutDataProtectionPolicy { resource_arn: String, data_protection_policy: Option<String> }
    struct Publish { topic_arn: Option<String>, target_arn: Option<String>, message: String }
    struct ListSubscriptionsByTopic { topic_arn: String, next_token: Option<String> }
    struct Subscribe {
        topic_arn: String,
        protocol: String,
        endpoint: String,
        #[serde(default)]
        attributes: BTreeMap<String, Value>,
        return_subscription_arn: Option<bool>,
    }
    struct ConfirmSubscription { topic_arn: String, token: String }
    struct Unsubscribe, GetSubscriptionAttributes { subscription_arn: String }
    struct SetSubscriptionAttributes {
        subscription_arn: String,
        attribute_name: String,
        attribute_value: Option<String>,
    }
}

fn list_topics(request: ListTopics, sns: &mut Sns, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let topics = sns
        .topics
        .values()
        .filter(|topic| topic.account == caller.account && topic.region == caller.region)
        .map(|topic| json!({"TopicArn": topic.arn}))
        .collect();
    listing("Topics", topics, request.next_token.as_deref(), PAGE)
}

fn create_topic(request: CreateTopic, sns: &mut Sns, context: &mut Context<'_>) -> Answer {
    let Caller {
        account, region, ..
    } = context.caller;
    let name = request.name;
    let arn = format!("arn:aws:sns:{region}:{account}:{name}");
    if !sns.topics.contains_key(&arn) {
        let mut properties = Map::new();
        properties.insert("TopicName".to_owned(), json!(name));
        if let Some(tags) = request.tags {
            properties.insert("Tags".to_owned(), tags);
        }
        create(sns, account, region, &name, properties)?;
    }
    for (key, value) in request.attributes {
        set_topic(sns, &arn, &key, value.as_str().unwrap_or_default())?;
    }
    Ok(json!({"TopicArn": arn}))
}

fn delete_topic(request: DeleteTopic, sns: &mut Sns, context: &mut Context<'_>) -> Answer {
    let arn = &request.topic_arn;
    if sns.topics.contains_key(arn) {
        may(
            sns,
            context.organization,
            context.caller,
            arn,
            "sns:DeleteTopic",
        )?;
        super::delete_topic(sns, arn);
    }
    Ok(json!({}))
}

fn get_topic_attributes(
    request: GetTopicAttributes,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let arn = &request.topic_arn;
    let action = "sns:GetTopicAttributes";
    let topic = may(sns, context.organization, context.caller, arn, action)?;
    let count = |confirmed: bool| {
        sns.subscriptions_of(arn)
            .filter(|subscription| subscription.confirmed == confirmed)
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
        if let Some(policy) = &topic.delivery_policy {
            attributes.insert("DeliveryPolicy".to_owned(), json!(policy));
        }
    }
    Ok(json!({"Attributes": attributes}))
}

fn set_topic_attributes(
    request: SetTopicAttributes,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let arn = &request.topic_arn;
    let action = "sns:SetTopicAttributes";
    may(sns, context.organization, context.caller, arn, action)?;
    let value = request.attribute_value.unwrap_or_default();
    set_topic(sns, arn, &request.attribute_name, &value)?;
    Ok(json!({}))
}

fn get_data_protection_policy(
    request: GetDataProtectionPolicy,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let arn = &request.resource_arn;
    let action = "sns:GetDataProtectionPolicy";
    let topic = may(sns, context.organization, context.caller, arn, action)?;
    let policy = topic.data_protection.as_ref().map(json_text);
    Ok(json!({"DataProtectionPolicy": policy.unwrap_or_default()}))
}

fn put_data_protection_policy(
    request: PutDataProtectionPolicy,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let arn = &request.resource_arn;
    let action = "sns:PutDataProtectionPolicy";
    may(sns, context.organization, context.caller, arn, action)?;
    let text = request.data_protection_policy.unwrap_or_default();
    let policy = if text.is_empty() {
        None
    } else {
        Some(serde_json::from_str(&text).map_err(|_| invalid("DataProtectionPolicy: not JSON"))?)
    };
    let topic = sns.topics.get_mut(arn).ok_or_else(no_topic)?;
    topic.data_protection = policy;
    Ok(json!({}))
}

fn list_tags_for_resource(
    request: ListTagsForResource,
    sns: &mut Sns,
    _: &mut Context<'_>,
) -> Answer {
    let topic = sns
        .topics
        .get(&request.resource_arn)
        .ok_or_else(|| ApiError::new("ResourceNotFound", "Resource does not exist").status(404))?;
    Ok(json!({"Tags": tags(&topic.properties)}))
}

fn publish(request: Publish, services: &mut Services, caller: &Caller) -> Answer {
    let arn = request
        .target_arn
        .or(request.topic_arn)
        .filter(|arn| !arn.is_empty())
        .ok_or_else(|| crate::wire::missing("TopicArn"))?;
    let context = owned_by(&services.organization, caller);
    let publisher = Publisher::new(iam::principal(caller), context);
    let permission = Request::new(
        publisher.principal.clone(),
        "sns:Publish",
        &arn,
        publisher.context.clone(),
    );
    iam::within_session(services, caller, &permission)?;
    let mut trace = Trace::default();
    publish_to(services, &arn, &publisher, &request.message, &mut trace)
        .map(|id| json!({"MessageId": id}))
        .map_err(|refusal| {
            if refusal.code == "NO_RESOURCE" {
                no_topic()
            } else {
                let mut error = ApiError::denied(caller, "SNS:Publish", &arn);
                error.message = format!("{} because {}", error.message, refusal.reason);
                error
            }
        })
}

fn list_subscriptions(
    request: ListSubscriptions,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    let subscriptions = sns
        .subscriptions
        .values()
        .filter(|subscription| {
            subscription.owner == caller.account
                && subscription.topic.split(':').nth(3) == Some(&caller.region)
        })
        .map(summary)
        .collect();
    let token = request.next_token.as_deref();
    listing("Subscriptions", subscriptions, token, PAGE)
}

fn list_subscriptions_by_topic(
    request: ListSubscriptionsByTopic,
    sns: &mut Sns,
    context: &mut Context<'_>,
) -> Answer {
    let arn = &request.topic_arn;
    let action = "sns:ListSubscriptionsByTopic";
    may(sns, context.organization, context.caller, arn, action)?;
    let subscriptions = sns.subscriptions_of(arn).map(summary).collect();
    let token = request.next_token.as_deref();
    listing("Subscriptions", subscriptions, token, PAGE)
}

fn subscribe(request: Subscribe, services: &mut Services, caller: &Caller) -> Answer {
    let arn = &request.topic_arn;
    let (sns, organization) = (&services.sns, &services.organization);
    may(sns, organization, caller, arn, "sns:Subscribe")?;
    let mut properties = Map::new();
    for (name, value) in [
        ("TopicArn", arn),
        ("Protocol", &request.protocol),
        ("Endpoint", &request.endpoint),
    ] {
        properties.insert(name.to_owned(), json!(value));
    }
    for (name, value) in &request.attributes {
        let value = value.as_str().unwrap_or_default();
        set_attribute(&mut properties, name, value)?;
    }
    let made = subscribe_to(services, &caller.account, arn, properties)?;
    let pending = services
        .sns
        .subscriptions
        .get(&made)
        .is_some_and(|subscription| !subscription.confirmed);
    let shown = if pending && request.return_subscription_arn != Some(true) {
        "pending confirmation".to_owned()
    } else {
        made
    };
    Ok(json!({"SubscriptionArn": shown}))
}

fn confirm_subscription(
    request: ConfirmSubscription,
    sns: &mut Sns,
    _: &mut Context<'_>,
) -> Answer {
    let arn = sns
        .subscriptions_of(&request.topic_arn)
        .find(|subscription| subscription.token == request.token)
        .map(|subscription| subscription.arn.clone())
        .ok_or_else(|| invalid("Token"))?;
    super::confirm(sns, &arn);
    Ok(json!({"SubscriptionArn": arn}))
}

fn unsubscribe(request: Unsubscribe, sns: &mut Sns, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let arn = request.subscription_arn;
    if arn.split(':').count() < 7 {
        return Err(invalid("SubscriptionArn"));
    }
    let foreign = sns
        .subscriptions
        .get(&arn)
        .is_some_and(|subscription| subscription.owner != caller.account);
    if foreign {
        return Err(ApiError::denied(caller, "SNS:Unsubscribe", &arn));
    }
    sns.subscriptions.remove(&arn);
    Ok(json!({}))
}

fn get_subscription_attributes(
    request: GetSubscriptionAttributes,
    sns: &mut Sns,
    _: &mut Context<'_>,
) -> Answer {
    let subscription = sns
        .subscriptions
        .get(&request.subscription_arn)
        .ok_or_else(no_subscription)?;
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

fn set_subscription_attributes(
    request: SetSubscriptionAttributes,
    sns: &mut Sns,
    _: &mut Context<'_>,
) -> Answer {
    let subscription = sns
        .subscriptions
        .get_mut(&request.subscription_arn)
        .ok_or_else(no_subscription)?;
    let value = request.attribute_value.unwrap_or_default();
    let mut properties = subscription.properties.clone();
    set_attribute(&mut properties, &request.attribute_name, &value)?;
    subscription.set_properties(properties)?;
    Ok(json!({}))
}

fn no_subscription() -> ApiError {
    ApiError::new("NotFound", "Subscription does not exist").status(404)
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

/// The SNS and organization condition keys of a caller's request.
fn owned_by(organization: &Organization, caller: &Caller) -> policy::Context {
    let context = policy::Context::new().with("aws:SourceOwner", caller.account.as_str());
    iam::organization_context(organization, &caller.account, context)
}

/// Finds a topic and checks the action. The topic's own account may, others need its policy.
fn may<'a>(
    sns: &'a Sns,
    organization: &Organization,
    caller: &Caller,
    arn: &str,
    action: &str,
) -> Result<&'a Topic, ApiError> {
    let topic = sns.topics.get(arn).ok_or_else(no_topic)?;
    if topic.region != caller.region {
        return Err(invalid("TopicArn"));
    }
    let context = owned_by(organization, caller);
    let request = Request::new(iam::principal(caller), action, arn, context);
    let allowed = match topic.document.decide(&request) {
        Decision::Allow { .. } => true,
        Decision::Deny { .. } => false,
        Decision::Silent { .. } => topic.account == caller.account,
    };
    if allowed {
        Ok(topic)
    } else {
        Err(ApiError::denied(caller, action, arn))
    }
}

fn set_topic(sns: &mut Sns, arn: &str, name: &str, value: &str) -> Result<(), ApiError> {
    let topic = sns.topics.get_mut(arn).ok_or_else(no_topic)?;
    match name {
        "Policy" => {
            let written: Value =
                serde_json::from_str(value).map_err(|_| invalid("Policy: not JSON"))?;
            topic.document = parse_policy(&written)?;
            topic.policy = written;
        }
        "DeliveryPolicy" => {
            topic.delivery_policy = (!value.is_empty()).then(|| value.to_owned());
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
        // An empty policy lets everything through, so SNS removes it.
        "FilterPolicy" | "RedrivePolicy" | "DeliveryPolicy" if matches!(value, "" | "{}") => {
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
