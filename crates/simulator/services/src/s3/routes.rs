//! Maps REST requests to actions, permissions and handlers.

use super::rest::{self, Call, Response};
use super::settings;
use crate::Services;
use crate::wire::Effect::{self, Changes, Reads};
use crate::wire::api::RawRequest;

/// An action of S3. Unlike those of other services, its parameters are in path, query and body.
pub(super) struct Route {
    pub(super) name: &'static str,
    effect: Effect,
    /// The required permission, without and with a version; `None` if the handler evaluates
    /// policies on its own.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
    pub(super) permission: Option<(&'static str, &'static str)>,
    pub(super) answer: Answer,
}

type Answer = fn(&mut Services, &Call<'_>) -> Response;

const fn route(
    name: &'static str,
    effect: Effect,
    permission: &'static str,
    answer: Answer,
) -> Route {
    Route {
        name,
        effect,
        permission: Some((permission, permission)),
        answer,
    }
}

const fn unchecked(name: &'static str, effect: Effect, answer: Answer) -> Route {
    Route {
        permission: None,
        ..route(name, effect, "", answer)
    }
}

const fn versioned(
    name: &'static str,
    effect: Effect,
    permission: (&'static str, &'static str),
    answer: Answer,
) -> Route {
    Route {
        permission: Some(permission),
        ..route(name, effect, "", answer)
    }
}

/// Permissions to read an object and a specific version.
pub(super) const GET_OBJECT: (&str, &str) = ("GetObject", "GetObjectVersion");

/// Permissions to delete an object and a specific version.
pub(super) const DELETE_OBJECT: (&str, &str) = ("DeleteObject", "DeleteObjectVersion");

/// The simulated actions.
#[rustfmt::skip]
const ROUTES: &[Route] = &[
    unchecked("ListBuckets", Reads, rest::list_buckets),
    unchecked("CreateBucket", Changes, rest::create_bucket),
    unchecked("DeleteObjects", Changes, rest::delete_objects),
    route("HeadBucket", Reads, "ListBucket", rest::head_bucket),
    route("DeleteBucket", Changes, "DeleteBucket", rest::delete_bucket),
    route("GetBucketLocation", Reads, "GetBucketLocation", rest::get_bucket_location),
    route("GetBucketPolicy", Reads, "GetBucketPolicy", rest::get_bucket_policy),
    route("PutBucketPolicy", Changes, "PutBucketPolicy", rest::put_bucket_policy),
    route("DeleteBucketPolicy", Changes, "DeleteBucketPolicy", rest::delete_bucket_policy),
    route("GetBucketEncryption", Reads, "GetBucketEncryption", settings::get_bucket_encryption),
    route("GetBucketVersioning", Reads, "GetBucketVersioning", settings::get_bucket_versioning),
    route("GetPublicAccessBlock", Reads, "GetPublicAccessBlock", settings::get_public_access_block),
    route("DeletePublicAccessBlock", Changes, "DeletePublicAccessBlock", settings::delete_public_access_block),
    route("ListObjectsV2", Reads, "ListBucket", rest::list_objects),
    route("ListObjectVersions", Reads, "ListBucketVersions", rest::list_object_versions),
    versioned("GetObject", Reads, GET_OBJECT, rest::get_object),
    versioned("HeadObject", Reads, GET_OBJECT, rest::get_object),
    route("PutObject", Changes, "PutObject", rest::put_object),
    versioned("DeleteObject", Changes, DELETE_OBJECT, rest::delete_object),
];

/// The route of an action; `None` if it isn't simulated.
pub(super) fn named(action: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| route.name == action)
}

/// The effect of an action; `None` if it isn't simulated.
pub(crate) fn effect(action: &str) -> Option<Effect> {
    named(action).map(|route| route.effect)
}

/// Subresources in the query that select another action than a bucket's `GET`, `PUT` or `DELETE`.
const SUBRESOURCES: [(&str, &str); 24] = [
    ("policy", "BucketPolicy"),
    ("policyStatus", "BucketPolicyStatus"),
    ("location", "BucketLocation"),
    ("encryption", "BucketEncryption"),
    ("versioning", "BucketVersioning"),
    ("publicAccessBlock", "PublicAccessBlock"),
    ("ownershipControls", "BucketOwnershipControls"),
    ("lifecycle", "BucketLifecycleConfiguration"),
    ("logging", "BucketLogging"),
    ("tagging", "BucketTagging"),
    ("acl", "BucketAcl"),
    ("notification", "BucketNotificationConfiguration"),
    ("cors", "BucketCors"),
    ("website", "BucketWebsite"),
    ("replication", "BucketReplication"),
    ("object-lock", "ObjectLockConfiguration"),
    ("accelerate", "BucketAccelerateConfiguration"),
    ("requestPayment", "BucketRequestPayment"),
    ("inventory", "BucketInventoryConfiguration"),
    ("metrics", "BucketMetricsConfiguration"),
    ("analytics", "BucketAnalyticsConfiguration"),
    (
        "intelligent-tiering",
        "BucketIntelligentTieringConfiguration",
    ),
    ("versions", "ObjectVersions"),
    ("uploads", "MultipartUploads"),
];

/// The action name of a request: `GetBucketPolicy`, `PutObject`, …
pub fn action(request: &RawRequest) -> String {
    let (bucket, key) = rest::address(request);
    let method = request.method.as_str();
    let has = |name: &str| request.query.iter().any(|(key, _)| key == name);
    if key.is_empty()
        && !bucket.is_empty()
        && let Some((_, what)) = SUBRESOURCES.iter().find(|(name, _)| has(name))
    {
        let verb = match (method, *what) {
            ("GET", "ObjectVersions" | "MultipartUploads") => "List",
            ("GET", _) => "Get",
            ("PUT", _) => "Put",
            ("DELETE", _) => "Delete",
            _ => return "Unknown".to_owned(),
        };
        return format!("{verb}{what}");
    }
    let second = rest::parameter(request, "list-type") == Some("2");
    match (bucket.is_empty(), key.is_empty(), method) {
        (true, _, "GET") => "ListBuckets",
        (true, ..) => "Unknown",
        (_, false, "GET") => "GetObject",
        (_, false, "HEAD") => "HeadObject",
        (_, false, "PUT") => "PutObject",
        (_, false, "DELETE") => "DeleteObject",
        (_, true, "HEAD") => "HeadBucket",
        (_, true, "GET") if second => "ListObjectsV2",
        (_, true, "GET") => "ListObjects",
        (_, true, "PUT") => "CreateBucket",
        (_, true, "DELETE") => "DeleteBucket",
        (_, true, "POST") if has("delete") => "DeleteObjects",
        _ => "Unknown",
    }
    .to_owned()
}
