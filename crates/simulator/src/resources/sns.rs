//! `AWS::SNS::Topic`, its policies and its subscriptions.

use serde_json::{Map, Value, json};

use super::shape::{Property, Shape, TAGS};
use super::{
    Change, Created, Place, ResourceError, Type, created, generated, gone, name_or_generated, text,
};
use crate::services::sns::{
    Topic, check_filter, create_topic, default_policy, delete_topic, parse_policy, subscribe,
};
use crate::world::World;

pub(super) const TYPES: &[Type] = &[
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
    Type {
        name: "AWS::SNS::TopicInlinePolicy",
        properties: &[
            Property::new("TopicArn", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
        create: create_inline,
        update: update_inline,
        delete: delete_inline,
        read: Some(read_inline),
    },
    Type {
        name: "AWS::SNS::TopicPolicy",
        properties: &[
            Property::new("PolicyDocument", Shape::Document).required(),
            // Which topics it is on is part of the physical id here.
            Property::new("Topics", Shape::List(&Shape::Text))
                .required()
                .fixed(),
        ],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
        read: None,
    },
];

fn made(arn: &str) -> Created {
    let name = arn.rsplit(':').next().unwrap_or_default();
    created(arn, [("TopicArn", json!(arn)), ("TopicName", json!(name))])
}

fn topic<'w>(world: &'w mut World, arn: &str) -> Result<&'w mut Topic, ResourceError> {
    world
        .services
        .sns
        .topics
        .get_mut(arn)
        .ok_or_else(|| gone(arn))
}

fn own_topic<'w>(
    world: &'w mut World,
    place: &Place,
    arn: &str,
) -> Result<&'w mut Topic, ResourceError> {
    let found = topic(world, arn)?;
    if found.account == place.account && found.region == place.region {
        Ok(found)
    } else {
        Err(gone(arn))
    }
}

fn create(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let name = name_or_generated(world, place, properties, "TopicName", 256);
    let arn = create_topic(
        world,
        &place.account,
        &place.region,
        &name,
        properties.clone(),
    )?;
    Ok(made(&arn))
}

fn update(
    world: &mut World,
    _place: &Place,
    arn: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    topic(world, arn)?.properties.clone_from(&change.new);
    Ok(made(arn))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(world: &mut World, _place: &Place, arn: &str) -> Result<(), ResourceError> {
    delete_topic(world, arn);
    Ok(())
}

fn read(world: &World, _place: &Place, arn: &str) -> Option<Map<String, Value>> {
    let topic = world.services.sns.topics.get(arn)?;
    let mut live = topic.properties.clone();
    live.insert("TopicName".to_owned(), json!(topic.name));
    Some(live)
}

fn create_subscription(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let topic = text(properties, "TopicArn").unwrap_or_default().to_owned();
    let arn = subscribe(world, &place.account, &topic, properties.clone())?;
    Ok(created(arn.as_str(), [("Arn", json!(arn))]))
}

fn update_subscription(
    world: &mut World,
    _place: &Place,
    arn: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    check_filter(&change.new)?;
    let subscription = world
        .services
        .sns
        .subscriptions
        .get_mut(arn)
        .ok_or_else(|| gone(arn))?;
    subscription.properties.clone_from(&change.new);
    Ok(created(arn, [("Arn", json!(arn))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_subscription(world: &mut World, _place: &Place, arn: &str) -> Result<(), ResourceError> {
    world.services.sns.subscriptions.remove(arn);
    Ok(())
}

fn read_subscription(world: &World, _place: &Place, arn: &str) -> Option<Map<String, Value>> {
    world
        .services
        .sns
        .subscriptions
        .get(arn)
        .map(|subscription| subscription.properties.clone())
}

fn put_policy(
    world: &mut World,
    place: &Place,
    arn: &str,
    properties: &Map<String, Value>,
    fresh: bool,
) -> Result<(), ResourceError> {
    let written = properties
        .get("PolicyDocument")
        .cloned()
        .unwrap_or_default();
    let document = parse_policy(&written)?;
    let topic = own_topic(world, place, arn)?;
    if fresh && topic.policy != default_policy(arn, &topic.account) {
        return Err(ResourceError::AlreadyExists(format!(
            "The topic {arn} already has a policy."
        )));
    }
    topic.policy = written;
    topic.document = document;
    Ok(())
}

fn reset_policy(world: &mut World, arn: &str) -> Result<(), ResourceError> {
    if let Some(topic) = world.services.sns.topics.get_mut(arn) {
        let policy = default_policy(arn, &topic.account);
        topic.document = parse_policy(&policy)?;
        topic.policy = policy;
    }
    Ok(())
}

fn create_inline(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let arn = text(properties, "TopicArn").unwrap_or_default();
    put_policy(world, place, arn, properties, true)?;
    Ok(created(arn, []))
}

fn update_inline(
    world: &mut World,
    place: &Place,
    arn: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    put_policy(world, place, arn, &change.new, false)?;
    Ok(created(arn, []))
}

fn delete_inline(world: &mut World, _place: &Place, arn: &str) -> Result<(), ResourceError> {
    reset_policy(world, arn)
}

fn read_inline(world: &World, _place: &Place, arn: &str) -> Option<Map<String, Value>> {
    let topic = world.services.sns.topics.get(arn)?;
    if topic.policy == default_policy(arn, &topic.account) {
        return None;
    }
    let mut live = Map::new();
    live.insert("TopicArn".to_owned(), json!(arn));
    live.insert("PolicyDocument".to_owned(), topic.policy.clone());
    Some(live)
}

fn topics(properties: &Map<String, Value>) -> Vec<String> {
    properties
        .get("Topics")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|topic| topic.as_str().map(str::to_owned))
        .collect()
}

fn create_policy(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    for arn in topics(properties) {
        put_policy(world, place, &arn, properties, false)?;
    }
    let id = format!(
        "{}|{}",
        generated(world, place, 128),
        topics(properties).join("|")
    );
    Ok(created(id.as_str(), [("Id", json!(id))]))
}

fn update_policy(
    world: &mut World,
    place: &Place,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    for arn in topics(&change.new) {
        put_policy(world, place, &arn, &change.new, false)?;
    }
    Ok(created(id, [("Id", json!(id))]))
}

fn delete_policy(world: &mut World, _place: &Place, id: &str) -> Result<(), ResourceError> {
    for arn in id.split('|').skip(1) {
        reset_policy(world, arn)?;
    }
    Ok(())
}
