//! `AWS::SNS::Topic`, its policies and its subscriptions.

use serde_json::{Map, Value, json};

use super::{Topic, create_topic, default_policy, delete_topic, parse_policy, subscribe};
use crate::Services;
use crate::resources::policies::{Holder, Listed, inline, listed};
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, ResourceError, ResourceLocation, Type, created, gone, name_or_generated, text,
};

pub(crate) const TYPES: &[Type] = &[
    Type {
        name: "AWS::SNS::Topic",
        properties: &[
            Property::new("TopicName", Shape::Text).fixed(),
            Property::new("DisplayName", Shape::Text),
            Property::new("KmsMasterKeyId", Shape::Text),
            Property::new("SignatureVersion", Shape::Choice(&["1", "2"])),
            Property::new("TracingConfig", Shape::Choice(&["PassThrough", "Active"])),
            TAGS,
        ],
        create,
        update,
        delete,
        read: Some(read),
    },
    Type {
        name: "AWS::SNS::Subscription",
        properties: &[
            Property::new("TopicArn", Shape::Text).required().fixed(),
            Property::new("Protocol", Shape::Text).required().fixed(),
            Property::new("Endpoint", Shape::Text).required().fixed(),
            Property::new("FilterPolicy", Shape::Document),
            Property::new(
                "FilterPolicyScope",
                Shape::Choice(&["MessageAttributes", "MessageBody"]),
            ),
            Property::new("RawMessageDelivery", Shape::Flag),
            Property::new(
                "RedrivePolicy",
                Shape::Object(&[Property::new("deadLetterTargetArn", Shape::Text).required()]),
            ),
        ],
        create: create_subscription,
        update: update_subscription,
        delete: delete_subscription,
        read: Some(read_subscription),
    },
    inline::<Topic>(
        "AWS::SNS::TopicInlinePolicy",
        &[
            Property::new("TopicArn", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
    ),
    listed::<Topic>(
        "AWS::SNS::TopicPolicy",
        &[
            Property::new("PolicyDocument", Shape::Document).required(),
            Property::new("Topics", Shape::List(&Shape::Text))
                .required()
                .fixed(),
        ],
    ),
];

fn made(arn: &str) -> Created {
    let name = arn.rsplit(':').next().unwrap_or_default();
    created(arn, [("TopicArn", json!(arn)), ("TopicName", json!(name))])
}

fn topic<'s>(services: &'s mut Services, arn: &str) -> Result<&'s mut Topic, ResourceError> {
    services.sns.topics.get_mut(arn).ok_or_else(|| gone(arn))
}

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = name_or_generated(services, location, properties, "TopicName", 256);
    let arn = create_topic(
        &mut services.sns,
        &location.account,
        &location.region,
        &name,
        properties.clone(),
    )?;
    Ok(made(&arn))
}

fn update(
    services: &mut Services,
    _location: &ResourceLocation,
    arn: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    topic(services, arn)?.properties.clone_from(&change.new);
    Ok(made(arn))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(
    services: &mut Services,
    _location: &ResourceLocation,
    arn: &str,
) -> Result<(), ResourceError> {
    delete_topic(&mut services.sns, arn);
    Ok(())
}

fn read(
    services: &Services,
    _location: &ResourceLocation,
    arn: &str,
) -> Option<Map<String, Value>> {
    let topic = services.sns.topics.get(arn)?;
    let mut live = topic.properties.clone();
    live.insert("TopicName".to_owned(), json!(topic.name));
    Some(live)
}

fn create_subscription(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let topic = text(properties, "TopicArn").unwrap_or_default().to_owned();
    let arn = subscribe(services, &location.account, &topic, properties.clone())?;
    Ok(created(arn.as_str(), [("Arn", json!(arn))]))
}

fn update_subscription(
    services: &mut Services,
    _location: &ResourceLocation,
    arn: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    let subscription = services
        .sns
        .subscriptions
        .get_mut(arn)
        .ok_or_else(|| gone(arn))?;
    subscription.set_properties(change.new.clone())?;
    Ok(created(arn, [("Arn", json!(arn))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_subscription(
    services: &mut Services,
    _location: &ResourceLocation,
    arn: &str,
) -> Result<(), ResourceError> {
    services.sns.subscriptions.remove(arn);
    Ok(())
}

fn read_subscription(
    services: &Services,
    _location: &ResourceLocation,
    arn: &str,
) -> Option<Map<String, Value>> {
    services
        .sns
        .subscriptions
        .get(arn)
        .map(|subscription| subscription.properties.clone())
}

impl Holder for Topic {
    const PROPERTY: &'static str = "TopicArn";

    fn put(
        services: &mut Services,
        location: &ResourceLocation,
        arn: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError> {
        let document = parse_policy(&written)?;
        let topic = topic(services, arn)?;
        if topic.account != location.account || topic.region != location.region {
            return Err(gone(arn));
        }
        if fresh && topic.policy != default_policy(arn, &topic.account) {
            return Err(ResourceError::AlreadyExists(format!(
                "The topic {arn} already has a policy."
            )));
        }
        topic.policy = written;
        topic.document = document;
        Ok(())
    }

    /// A topic always has a policy, so this restores the default.
    fn clear(
        services: &mut Services,
        _location: &ResourceLocation,
        arn: &str,
    ) -> Result<(), ResourceError> {
        if let Ok(topic) = topic(services, arn) {
            let policy = default_policy(arn, &topic.account);
            topic.document = parse_policy(&policy)?;
            topic.policy = policy;
        }
        Ok(())
    }

    fn policy(services: &Services, _location: &ResourceLocation, arn: &str) -> Option<Value> {
        let topic = services.sns.topics.get(arn)?;
        (topic.policy != default_policy(arn, &topic.account)).then(|| topic.policy.clone())
    }
}

impl Listed for Topic {
    const LIST: &'static str = "Topics";
}
