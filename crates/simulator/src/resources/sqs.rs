//! `AWS::SQS::Queue` and its policies.

use serde_json::{Map, Value, json};

use super::shape::{Property, Shape, TAGS};
use super::{
    Change, Created, Place, ResourceError, Type, created, generated, gone, name_or_generated, text,
};
use crate::services::sqs::{Queue, arn_of, check, create_queue, parse_policy};
use crate::world::World;

pub(super) const TYPES: &[Type] = &[
    Type {
        name: "AWS::SQS::Queue",
        properties: &[
            Property::new("QueueName", Shape::Text).fixed(),
            Property::new("DelaySeconds", Shape::Integer),
            Property::new("KmsMasterKeyId", Shape::Text),
            Property::new("KmsDataKeyReusePeriodSeconds", Shape::Integer),
            Property::new("MaximumMessageSize", Shape::Integer),
            Property::new("MessageRetentionPeriod", Shape::Integer),
            Property::new("ReceiveMessageWaitTimeSeconds", Shape::Integer),
            Property::new("SqsManagedSseEnabled", Shape::Flag),
            Property::new("VisibilityTimeout", Shape::Integer),
            TAGS,
        ],
        create,
        update,
        delete,
        read: Some(read),
    },
    Type {
        name: "AWS::SQS::QueueInlinePolicy",
        properties: &[
            Property::new("Queue", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
        create: create_inline,
        update: update_inline,
        delete: delete_inline,
        read: Some(read_inline),
    },
    Type {
        name: "AWS::SQS::QueuePolicy",
        properties: &[
            Property::new("PolicyDocument", Shape::Document).required(),
            // Which queues it is on is part of the physical id here.
            Property::new("Queues", Shape::List(&Shape::Text))
                .required()
                .fixed(),
        ],
        create: create_policy,
        update: update_policy,
        delete: delete_policy,
        read: None,
    },
];

fn made(queue: &Queue) -> Created {
    created(
        queue.url.as_str(),
        [
            ("Arn", json!(queue.arn)),
            ("QueueName", json!(queue.name)),
            ("QueueUrl", json!(queue.url)),
        ],
    )
}

fn queue<'w>(
    world: &'w mut World,
    place: &Place,
    url: &str,
) -> Result<&'w mut Queue, ResourceError> {
    let arn = arn_of(world, &place.region, url).map(str::to_owned);
    arn.and_then(|arn| world.services.sqs.queues.get_mut(&arn))
        .filter(|queue| queue.account == place.account && queue.region == place.region)
        .ok_or_else(|| gone(url))
}

fn found<'w>(world: &'w World, place: &Place, url: &str) -> Option<&'w Queue> {
    world
        .services
        .sqs
        .queues
        .get(arn_of(world, &place.region, url)?)
}

fn check_encryption(properties: &Map<String, Value>) -> Result<(), ResourceError> {
    let both = properties.contains_key("KmsMasterKeyId")
        && properties.get("SqsManagedSseEnabled") == Some(&Value::Bool(true));
    if both {
        return Err(ResourceError::Refused(
            "Resource handler returned message: \"You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.\" (HandlerErrorCode: InvalidRequest)".to_owned(),
        ));
    }
    check(properties)?;
    Ok(())
}

fn create(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    check_encryption(properties)?;
    let name = name_or_generated(world, place, properties, "QueueName", 80);
    let arn = create_queue(
        world,
        &place.account,
        &place.region,
        &name,
        properties.clone(),
    )?;
    world
        .services
        .sqs
        .queues
        .get(&arn)
        .map(made)
        .ok_or_else(|| gone(&arn))
}

fn update(
    world: &mut World,
    place: &Place,
    url: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    check_encryption(&change.new)?;
    let queue = queue(world, place, url)?;
    queue.properties.clone_from(&change.new);
    Ok(made(queue))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(world: &mut World, place: &Place, url: &str) -> Result<(), ResourceError> {
    if let Some(arn) = arn_of(world, &place.region, url).map(str::to_owned) {
        world.services.sqs.queues.remove(&arn);
    }
    Ok(())
}

fn read(world: &World, place: &Place, url: &str) -> Option<Map<String, Value>> {
    let queue = found(world, place, url)?;
    let mut live = queue.properties.clone();
    live.insert("QueueName".to_owned(), json!(queue.name));
    Some(live)
}

fn put_policy(
    world: &mut World,
    place: &Place,
    url: &str,
    properties: &Map<String, Value>,
    fresh: bool,
) -> Result<(), ResourceError> {
    let written = properties
        .get("PolicyDocument")
        .cloned()
        .unwrap_or_default();
    let document = parse_policy(&written)?;
    let queue = queue(world, place, url)?;
    if fresh && queue.policy.is_some() {
        return Err(ResourceError::AlreadyExists(format!(
            "The queue {url} already has a policy."
        )));
    }
    queue.policy = Some((written, document));
    Ok(())
}

fn clear_policy(world: &mut World, place: &Place, url: &str) {
    if let Ok(queue) = queue(world, place, url) {
        queue.policy = None;
    }
}

fn create_inline(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    let url = text(properties, "Queue").unwrap_or_default();
    put_policy(world, place, url, properties, true)?;
    Ok(created(url, []))
}

fn update_inline(
    world: &mut World,
    place: &Place,
    url: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    put_policy(world, place, url, &change.new, false)?;
    Ok(created(url, []))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_inline(world: &mut World, place: &Place, url: &str) -> Result<(), ResourceError> {
    clear_policy(world, place, url);
    Ok(())
}

fn read_inline(world: &World, place: &Place, url: &str) -> Option<Map<String, Value>> {
    let (written, _) = found(world, place, url)?.policy.as_ref()?;
    let mut live = Map::new();
    live.insert("Queue".to_owned(), json!(url));
    live.insert("PolicyDocument".to_owned(), written.clone());
    Some(live)
}

fn queues(properties: &Map<String, Value>) -> Vec<String> {
    properties
        .get("Queues")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|queue| queue.as_str().map(str::to_owned))
        .collect()
}

fn create_policy(
    world: &mut World,
    place: &Place,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    for url in queues(properties) {
        put_policy(world, place, &url, properties, false)?;
    }
    let id = format!(
        "{}|{}",
        generated(world, place, 128),
        queues(properties).join("|")
    );
    Ok(created(id.as_str(), [("Id", json!(id))]))
}

fn update_policy(
    world: &mut World,
    place: &Place,
    id: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    for url in queues(&change.new) {
        put_policy(world, place, &url, &change.new, false)?;
    }
    Ok(created(id, [("Id", json!(id))]))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete_policy(world: &mut World, place: &Place, id: &str) -> Result<(), ResourceError> {
    for url in id.split('|').skip(1) {
        clear_policy(world, place, url);
    }
    Ok(())
}
