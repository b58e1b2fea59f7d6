//! `AWS::SQS::Queue` and its policies.

use serde_json::{Map, Value, json};

use super::policies::{Holder, Listed, inline, listed};
use super::shape::{Property, Shape, TAGS};
use super::{
    Change, Created, Place, ResourceError, Type, created, gone, name_or_generated, refused,
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
    inline::<Queue>(
        "AWS::SQS::QueueInlinePolicy",
        &[
            Property::new("Queue", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
    ),
    listed::<Queue>(
        "AWS::SQS::QueuePolicy",
        &[
            Property::new("PolicyDocument", Shape::Document).required(),
            Property::new("Queues", Shape::List(&Shape::Text))
                .required()
                .fixed(),
        ],
    ),
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
        return Err(refused(
            "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.",
            "InvalidRequest",
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

impl Holder for Queue {
    const PROPERTY: &'static str = "Queue";

    fn put(
        world: &mut World,
        place: &Place,
        url: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError> {
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

    fn clear(world: &mut World, place: &Place, url: &str) -> Result<(), ResourceError> {
        if let Ok(queue) = queue(world, place, url) {
            queue.policy = None;
        }
        Ok(())
    }

    fn policy(world: &World, place: &Place, url: &str) -> Option<Value> {
        let (written, _) = found(world, place, url)?.policy.as_ref()?;
        Some(written.clone())
    }
}

impl Listed for Queue {
    const LIST: &'static str = "Queues";
}
