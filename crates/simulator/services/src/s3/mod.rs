//! Amazon S3: buckets with policies, and the part of the REST API that reads settings and puts,
//! gets, lists and deletes small, versioned objects.

mod objects;
pub(crate) mod resources;
mod rest;
mod routes;
mod settings;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

pub(crate) use objects::Objects;
pub use rest::{read, rest};
pub use routes::action;
pub(crate) use routes::effect;

use crate::Services;
use crate::policy::{Context, Decision, Document, Kind, Principal, Request};
use crate::wire::api::ApiError;

/// All buckets. Names are unique across accounts.
#[derive(Clone, Debug, Default)]
pub struct S3 {
    /// By name.
    pub buckets: BTreeMap<String, Bucket>,
}

/// An S3 bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    pub(crate) name: String,
    pub(crate) account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// As in `AWS::S3::Bucket`.
    pub(crate) properties: Map<String, Value>,
    /// As written, and parsed.
    pub(crate) policy: Option<(Value, Document)>,
    pub(crate) objects: Objects,
    pub(crate) created: jiff::Timestamp,
}

impl Bucket {
    /// Whether objects are encrypted with an S3 Bucket Key.
    pub(crate) fn has_bucket_key(&self) -> bool {
        let rules = self
            .properties
            .get("BucketEncryption")
            .and_then(|encryption| encryption.get("ServerSideEncryptionConfiguration"))
            .and_then(Value::as_array);
        rules
            .into_iter()
            .flatten()
            .any(|rule| rule.get("BucketKeyEnabled") == Some(&Value::Bool(true)))
    }
}

/// Creates a bucket from template properties.
pub(crate) fn create_bucket(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<(), ApiError> {
    let good = (3..=63).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.')
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric())
        && !name.contains("..");
    if !good {
        return Err(ApiError::new(
            "InvalidBucketName",
            format!("The specified bucket is not valid: {name}"),
        ));
    }
    if let Some(bucket) = services.s3.buckets.get(name) {
        return Err(if bucket.account == account {
            ApiError::new(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
            )
            .status(409)
        } else {
            ApiError::new(
                "BucketAlreadyExists",
                "The requested bucket name is not available.",
            )
            .status(409)
        });
    }
    let bucket = Bucket {
        name: name.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        properties,
        policy: None,
        objects: Objects::default(),
        created: services.environment.now,
    };
    services.s3.buckets.insert(name.to_owned(), bucket);
    Ok(())
}

/// Parses a bucket policy. Every resource must be the bucket or within it, and a bucket that blocks
/// public policies refuses public ones.
pub(crate) fn parse_policy(bucket: &Bucket, written: &Value) -> Result<Document, ApiError> {
    let malformed = |why: String| ApiError::new("MalformedPolicy", why);
    let document = Document::parse(written, Kind::Resource)
        .and_then(|document| document.within("s3"))
        .map_err(|error| malformed(error.to_string()))?;
    let parsed;
    let object = match written {
        Value::String(text) => {
            parsed = serde_json::from_str(text).unwrap_or(Value::Null);
            &parsed
        }
        other => other,
    };
    let blocks_public = bucket
        .properties
        .get("PublicAccessBlockConfiguration")
        .and_then(|block| block.get("BlockPublicPolicy"))
        == Some(&Value::Bool(true));
    for statement in one_or_many(object.get("Statement")) {
        let resources = one_or_many(statement.get("Resource"));
        let outside = resources
            .filter_map(Value::as_str)
            .find(|resource| !lies_in(&bucket.name, resource));
        if let Some(resource) = outside {
            return Err(malformed(format!(
                "Policy has invalid resource: {resource}"
            )));
        }
        if blocks_public && is_public(statement) {
            return Err(ApiError::new(
                "AccessDenied",
                "The bucket policy allows public access, which BlockPublicPolicy prevents.",
            )
            .status(403));
        }
    }
    Ok(document)
}

fn one_or_many(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    match value {
        Some(Value::Array(list)) => list.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    }
    .iter()
}

/// Whether a policy's resource is the bucket or within it.
fn lies_in(bucket: &str, resource: &str) -> bool {
    let rest = resource
        .strip_prefix("arn:aws:s3:::")
        .and_then(|name| name.strip_prefix(bucket));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || rest == "*")
}

/// Whether a statement grants public access.
fn is_public(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
        && statement.get("Condition").is_none()
        && matches!(statement.get("Principal"), Some(Value::String(_)))
}

/// Checks that a service may perform an action in a bucket; the error is the reason if not.
pub(crate) fn may(
    services: &Services,
    bucket: &str,
    principal: &Principal,
    action: &str,
    resource: &str,
    context: &Context,
) -> Result<(), String> {
    let policy = services
        .s3
        .buckets
        .get(bucket)
        .and_then(|bucket| bucket.policy.as_ref());
    let Some((_, policy)) = policy else {
        return Err("the bucket has no policy".to_owned());
    };
    let request = Request::new(principal.clone(), action, resource, context.clone());
    match policy.decide(&request) {
        Decision::Allow { .. } => Ok(()),
        Decision::Deny { by } => Err(format!("{by} denies {principal} {action}")),
        Decision::Silent { because } => Err(format!(
            "it does not allow {principal} {action} on {resource}: {because}"
        )),
    }
}

#[cfg(test)]
mod tests;
