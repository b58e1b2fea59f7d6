//! `AWS::SQS::Queue` and its policies.

use serde_json::{Map, Value, json};

use super::{Queue, check, create_queue, parse_policy};
use crate::Services;
use crate::resources::policies::{Holder, Listed, inline, listed};
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, ResourceError, ResourceLocation, Type, created, gone, name_or_generated,
    refused,
};

pub(crate) const TYPES: &[Type] = &[
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

fn queue<'s>(
    services: &'s mut Services,
    location: &ResourceLocation,
    url: &str,
) -> Result<&'s mut Queue, ResourceError> {
    let arn = found(services, location, url).map(|queue| queue.arn.clone());
    arn.and_then(|arn| services.sqs.queues.get_mut(&arn))
        .filter(|queue| queue.account == location.account && queue.region == location.region)
        .ok_or_else(|| gone(url))
}

fn found<'s>(services: &'s Services, location: &ResourceLocation, url: &str) -> Option<&'s Queue> {
    services.sqs.queue(&location.region, url)
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
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<Created, ResourceError> {
    check_encryption(properties)?;
    let name = name_or_generated(services, location, properties, "QueueName", 80);
    let arn = create_queue(
        services,
        &location.account,
        &location.region,
        &name,
        properties.clone(),
    )?;
    found(services, location, &arn)
        .map(made)
        .ok_or_else(|| gone(&arn))
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    url: &str,
    change: &Change,
) -> Result<Created, ResourceError> {
    check_encryption(&change.new)?;
    let queue = queue(services, location, url)?;
    queue.properties.clone_from(&change.new);
    Ok(made(queue))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the signature of all delete handlers"
)]
fn delete(
    services: &mut Services,
    location: &ResourceLocation,
    url: &str,
) -> Result<(), ResourceError> {
    if let Some(arn) = found(services, location, url).map(|queue| queue.arn.clone()) {
        services.sqs.queues.remove(&arn);
    }
    Ok(())
}

fn read(services: &Services, location: &ResourceLocation, url: &str) -> Option<Map<String, Value>> {
    let queue = found(services, location, url)?;
    let mut live = queue.properties.clone();
    live.insert("QueueName".to_owned(), json!(queue.name));
    Some(live)
}

impl Holder for Queue {
    const PROPERTY: &'static str = "Queue";

    fn put(
        services: &mut Services,
        location: &ResourceLocation,
        url: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError> {
        let document = parse_policy(&written)?;
        let queue = queue(services, location, url)?;
        if fresh && queue.policy.is_some() {
            return Err(ResourceError::AlreadyExists(format!(
                "The queue {url} already has a policy."
            )));
        }
        queue.policy = Some((written, document));
        Ok(())
    }

    fn clear(
        services: &mut Services,
        location: &ResourceLocation,
        url: &str,
    ) -> Result<(), ResourceError> {
        if let Ok(queue) = queue(services, location, url) {
            queue.policy = None;
        }
        Ok(())
    }

    fn policy(services: &Services, location: &ResourceLocation, url: &str) -> Option<Value> {
        let (written, _) = found(services, location, url)?.policy.as_ref()?;
        Some(written.clone())
    }
}

impl Listed for Queue {
    const LIST: &'static str = "Queues";
}
