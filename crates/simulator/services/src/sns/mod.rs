//! Amazon SNS: topics, policies, subscriptions, and the inbox of deliveries.

mod actions;
mod publish;
pub(crate) mod resources;

use std::collections::BTreeMap;

use eventbridge_pattern::Pattern;
use serde_json::{Map, Value, json};

pub(crate) use actions::ACTIONS;
pub(crate) use publish::{Publisher, Refusal, publish};

use super::arn::is_queue_or_topic_name;
use super::{Delivery, Task, json_text, sqs};
use crate::Services;
use crate::policy::{Document, Kind};
use crate::wire::api::ApiError;

/// Virtual seconds until a simulated recipient confirms.
const CONFIRMATION_SECONDS: i64 = 30;

/// All topics, subscriptions and deliveries.
#[derive(Clone, Debug, Default)]
pub struct Sns {
    /// By ARN.
    pub(crate) topics: BTreeMap<String, Topic>,
    /// By ARN.
    pub(crate) subscriptions: BTreeMap<String, Subscription>,
    /// Deliveries since the inbox was last cleared, oldest first.
    pub inbox: Vec<Delivery>,
}

impl Sns {
    /// A topic's subscriptions: those whose ARN starts with the topic's.
    pub(crate) fn subscriptions_of(&self, topic: &str) -> impl Iterator<Item = &Subscription> {
        self.subscriptions
            .range(format!("{topic}:")..format!("{topic};"))
            .map(|(_, subscription)| subscription)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) arn: String,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// As in `AWS::SNS::Topic`, without `Subscription`.
    pub(crate) properties: Map<String, Value>,
    /// Unparsed, as written.
    pub(crate) policy: Value,
    pub(crate) document: Document,
    /// Like the next, of no resource type here, so that CloudFormation leaves it alone.
    pub(crate) data_protection: Option<Value>,
    /// For HTTPS endpoints; kept, but retries aren't simulated.
    pub(crate) delivery_policy: Option<String>,
}

impl Topic {
    /// The statement of the data protection policy that refuses messages in a direction, `Inbound`
    /// or `Outbound`. Every message counts as sensitive: that is the worst that a policy can do.
    pub(crate) fn data_protection_denies(&self, direction: &str) -> Option<String> {
        let policy = self.data_protection.as_ref()?;
        let statements = policy.get("Statement")?.as_array()?;
        let mut statements = statements.iter();
        let denies = |it: &&Value| {
            it.get("DataDirection").and_then(Value::as_str) == Some(direction)
                && it.pointer("/Operation/Deny").is_some()
        };
        let statement = statements.find(denies)?.get("Sid").and_then(Value::as_str);
        let statement = statement.unwrap_or("a statement");
        Some(format!(
            "{statement} of the data protection policy of {} denies the message",
            self.name
        ))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) arn: String,
    pub(crate) topic: String,
    pub(crate) owner: String,
    pub(crate) protocol: String,
    pub(crate) endpoint: String,
    /// As in `AWS::SNS::Subscription`.
    pub(crate) properties: Map<String, Value>,
    /// Parsed from the properties.
    filter: Option<Filter>,
    pub(crate) confirmed: bool,
    pub(crate) token: String,
}

/// A parsed filter policy.
#[derive(Clone, Debug)]
enum Filter {
    /// Filters by message attributes, which no simulated message has.
    Attributes,
    Body(Pattern),
}

impl Filter {
    fn of(properties: &Map<String, Value>) -> Result<Option<Filter>, ApiError> {
        let scope = properties.get("FilterPolicyScope").and_then(Value::as_str);
        let pattern = properties
            .get("FilterPolicy")
            .map(|filter| Pattern::parse(&json_text(filter)))
            .transpose()
            .map_err(|error| invalid(format!("FilterPolicy: {}", error.message)))?;
        match scope {
            None | Some("MessageAttributes") => Ok(pattern.map(|_| Filter::Attributes)),
            Some("MessageBody") => Ok(pattern.map(Filter::Body)),
            Some(other) => Err(invalid(format!("FilterPolicyScope: {other}"))),
        }
    }
}

impl Subscription {
    /// Replaces the properties. An invalid filter policy changes nothing.
    fn set_properties(&mut self, properties: Map<String, Value>) -> Result<(), ApiError> {
        self.filter = Filter::of(&properties)?;
        self.properties = properties;
        Ok(())
    }
}

/// The default policy of a topic: its own account may do everything.
pub(crate) fn default_policy(arn: &str, account: &str) -> Value {
    json!({
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [{
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:GetTopicAttributes", "SNS:SetTopicAttributes", "SNS:AddPermission",
                "SNS:RemovePermission", "SNS:DeleteTopic", "SNS:Subscribe",
                "SNS:ListSubscriptionsByTopic", "SNS:Publish",
            ],
            "Resource": arn,
            "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
        }],
    })
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(
        "InvalidParameter",
        format!("Invalid parameter: {}", message.into()),
    )
}

pub(crate) fn no_topic() -> ApiError {
    ApiError::new("NotFound", "Topic does not exist").status(404)
}

pub(crate) fn parse_policy(value: &Value) -> Result<Document, ApiError> {
    let document = Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("sns"))
        .map_err(|error| invalid(format!("Policy statement: {error}")))?;
    Ok(document)
}

/// Creates a topic from template properties and returns its ARN.
pub(crate) fn create_topic(
    sns: &mut Sns,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    if !is_queue_or_topic_name(name, 256) {
        return Err(invalid("Topic Name"));
    }
    let arn = format!("arn:aws:sns:{region}:{account}:{name}");
    if sns.topics.contains_key(&arn) {
        return Err(ApiError::new(
            "TopicAlreadyExists",
            format!("Topic {name} already exists"),
        ));
    }
    let policy = default_policy(&arn, account);
    let document = parse_policy(&policy)?;
    let topic = Topic {
        arn: arn.clone(),
        account: account.to_owned(),
        region: region.to_owned(),
        name: name.to_owned(),
        properties,
        policy,
        document,
        data_protection: None,
        delivery_policy: None,
    };
    sns.topics.insert(arn.clone(), topic);
    Ok(arn)
}

/// Deletes a topic with its subscriptions.
pub(crate) fn delete_topic(sns: &mut Sns, arn: &str) {
    sns.topics.remove(arn);
    sns.subscriptions
        .retain(|_, subscription| subscription.topic != arn);
}

/// Subscribes an endpoint. Queues of the same account are confirmed immediately; email and HTTP
/// endpoints must confirm, and if configured, simulated recipients do so after
/// [`CONFIRMATION_SECONDS`].
pub(crate) fn subscribe(
    services: &mut Services,
    owner: &str,
    topic_arn: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    let topic = services.sns.topics.get(topic_arn).ok_or_else(no_topic)?;
    let text = |name: &str| {
        properties
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (protocol, endpoint) = (text("Protocol").to_owned(), text("Endpoint").to_owned());
    check_endpoint(&protocol, &endpoint)?;
    let filter = Filter::of(&properties)?;
    let confirmed = if protocol == "sqs" {
        let Some(queue) = services.sqs.queues.get(&endpoint) else {
            return Err(invalid(format!(
                "SQS endpoint ARN: the queue {endpoint} does not exist"
            )));
        };
        queue.account == owner && topic.account == owner
    } else {
        false
    };
    let existing = services
        .sns
        .subscriptions_of(topic_arn)
        .find(|subscription| {
            subscription.protocol == protocol && subscription.endpoint == endpoint
        });
    if let Some(existing) = existing {
        return Ok(existing.arn.clone());
    }
    let arn = format!("{topic_arn}:{}", services.environment.uuid());
    let token = services.environment.uuid().replace('-', "");
    services.sns.subscriptions.insert(
        arn.clone(),
        Subscription {
            arn: arn.clone(),
            topic: topic_arn.to_owned(),
            owner: owner.to_owned(),
            protocol,
            endpoint,
            properties,
            filter,
            confirmed,
            token,
        },
    );
    if !confirmed && services.environment.confirm_subscriptions {
        let subscription = arn.clone();
        services.environment.schedule(
            CONFIRMATION_SECONDS,
            Task::ConfirmSubscription { subscription },
        );
    }
    Ok(arn)
}

fn check_endpoint(protocol: &str, endpoint: &str) -> Result<(), ApiError> {
    let valid = match protocol {
        "email" | "email-json" => endpoint.split_once('@').is_some_and(|(user, host)| {
            !user.is_empty() && host.contains('.') && !host.contains('@')
        }),
        "https" => endpoint.starts_with("https://"),
        "http" => endpoint.starts_with("http://"),
        "sqs" => sqs::is_queue_arn(endpoint),
        _ => {
            return Err(invalid(format!(
                "Protocol: the simulator does not deliver by {protocol:?}"
            )));
        }
    };
    if valid {
        Ok(())
    } else {
        Err(invalid(format!(
            "Endpoint: {endpoint:?} is not an address for {protocol}"
        )))
    }
}

pub(crate) fn confirm(sns: &mut Sns, arn: &str) {
    if let Some(subscription) = sns.subscriptions.get_mut(arn) {
        subscription.confirmed = true;
    }
}

#[cfg(test)]
mod tests;
