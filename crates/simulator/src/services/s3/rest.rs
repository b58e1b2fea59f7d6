//! The REST interface of S3.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use crate::policy::{Context, Decision, Request, Verdict};
use crate::services::Services;
use crate::services::{iam, json_text};
use crate::wire::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::wire::protocol::error_body;
use crate::wire::time::iso;

use super::Bucket;
use super::objects::{doomed, etag};
use super::settings::configuration;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// Bucket and key of a path-style or virtual-hosted request.
fn address(request: &RawRequest) -> (String, String) {
    let path = request.path.trim_start_matches('/');
    let host = request.headers.get("host").map_or("", String::as_str);
    if let Some((bucket, rest)) = host.split_once('.')
        && (rest.starts_with("localhost") || rest.starts_with("s3."))
    {
        return (bucket.to_owned(), path.to_owned());
    }
    match path.split_once('/') {
        Some((bucket, key)) => (bucket.to_owned(), key.to_owned()),
        None => (path.to_owned(), String::new()),
    }
}

fn has(request: &RawRequest, name: &str) -> bool {
    request.query.iter().any(|(key, _)| key == name)
}

fn parameter<'a>(request: &'a RawRequest, name: &str) -> Option<&'a str> {
    request
        .query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// The sub-resources that make other actions out of a bucket's `GET`, `PUT` and `DELETE`.
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

/// The name of the action a request stands for: `GetBucketPolicy`, `PutObject`, …
pub(crate) fn action(request: &RawRequest) -> String {
    let (bucket, key) = address(request);
    let method = request.method.as_str();
    if bucket.is_empty() {
        return if method == "GET" {
            "ListBuckets"
        } else {
            "Unknown"
        }
        .to_owned();
    }
    if !key.is_empty() {
        return match method {
            "GET" => "GetObject",
            "HEAD" => "HeadObject",
            "PUT" => "PutObject",
            "DELETE" => "DeleteObject",
            _ => "Unknown",
        }
        .to_owned();
    }
    if let Some((_, what)) = SUBRESOURCES.iter().find(|(name, _)| has(request, name)) {
        let verb = match method {
            "GET" if what.starts_with("ObjectVersions") || what.starts_with("Multipart") => "List",
            "GET" => "Get",
            "PUT" => "Put",
            "DELETE" => "Delete",
            _ => return "Unknown".to_owned(),
        };
        return format!("{verb}{what}");
    }
    match method {
        "HEAD" => "HeadBucket",
        "GET" if parameter(request, "list-type") == Some("2") => "ListObjectsV2",
        "GET" => "ListObjects",
        "PUT" => "CreateBucket",
        "DELETE" => "DeleteBucket",
        "POST" if has(request, "delete") => "DeleteObjects",
        _ => "Unknown",
    }
    .to_owned()
}

/// Answers one REST request. Bucket in the path or in the host name, body decoded or in AWS's
/// chunked signing format.
pub(crate) fn rest(services: &mut Services, caller: &Caller, request: &RawRequest) -> RawResponse {
    let action = action(request);
    match respond(services, caller, request, &action) {
        Ok(response) => response,
        Err(error) => {
            let body = if request.method == "HEAD" {
                String::new()
            } else {
                error_body(&error)
            };
            RawResponse {
                status: error.status,
                headers: Vec::new(),
                body: body.into_bytes(),
            }
        }
    }
}

fn ok(status: u16, body: impl Into<Vec<u8>>) -> RawResponse {
    RawResponse {
        status,
        headers: Vec::new(),
        body: body.into(),
    }
}

pub(super) fn xml(root: &str, inner: &str) -> RawResponse {
    ok(
        200,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{root} xmlns=\"{NAMESPACE}\">{inner}</{root}>"
        ),
    )
}

fn respond(
    services: &mut Services,
    caller: &Caller,
    request: &RawRequest,
    action: &str,
) -> Result<RawResponse, ApiError> {
    let (bucket, key) = address(request);
    if action == "ListBuckets" {
        return Ok(list_buckets(services, caller));
    }
    if action == "CreateBucket" {
        super::create_bucket(
            services,
            &caller.account,
            &caller.region,
            &bucket,
            serde_json::Map::new(),
        )?;
        let mut response = ok(200, Vec::new());
        response
            .headers
            .push(("location".to_owned(), format!("/{bucket}")));
        return Ok(response);
    }
    let resource = if key.is_empty() {
        format!("arn:aws:s3:::{bucket}")
    } else {
        format!("arn:aws:s3:::{bucket}/{key}")
    };
    let expected = request.headers.get("x-amz-expected-bucket-owner");
    if let Some(expected) = expected
        && bucket_mut(services, &bucket)?.account != *expected
    {
        return Err(ApiError::new("AccessDenied", "Access Denied").status(403));
    }
    let response = if action == "DeleteObjects" {
        bucket_mut(services, &bucket)?;
        Ok(delete_objects(services, caller, &bucket, &body(request))?)
    } else {
        let version = parameter(request, "versionId").is_some();
        let permission = permission(action, version);
        permitted(services, caller, &bucket, permission, &resource)?;
        bucket_call(services, request, action, (&bucket, &key))
    };
    let region = bucket_mut(services, &bucket).map(|bucket| bucket.region.clone());
    let mut response = response?;
    let Ok(region) = region else {
        return Ok(response);
    };
    response
        .headers
        .push(("x-amz-bucket-region".to_owned(), region));
    Ok(response)
}

/// The permission that an action takes.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn permission(action: &str, version: bool) -> &str {
    match (action, version) {
        ("HeadBucket" | "ListObjects" | "ListObjectsV2", _) => "ListBucket",
        ("ListObjectVersions", _) => "ListBucketVersions",
        ("GetObject" | "HeadObject", true) => "GetObjectVersion",
        ("DeleteObject", true) => "DeleteObjectVersion",
        ("HeadObject", false) => "GetObject",
        (other, _) => other,
    }
}

/// Reads an object on behalf of a caller, as a service does that was given its address.
pub(crate) fn read(
    services: &mut Services,
    caller: &Caller,
    (bucket, key): (&str, &str),
    version: Option<&str>,
) -> Result<Vec<u8>, ApiError> {
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    let permission = permission("GetObject", version.is_some());
    permitted(services, caller, bucket, permission, &resource)?;
    let content = bucket_mut(services, bucket)?.objects.get(key, version)?;
    Ok(content.to_vec())
}

/// Deletes what a list names; what the caller may not delete is reported, and stays.
fn delete_objects(
    services: &mut Services,
    caller: &Caller,
    bucket: &str,
    body: &[u8],
) -> Result<RawResponse, ApiError> {
    let mut errors = String::new();
    for object in doomed(body)? {
        let resource = format!("arn:aws:s3:::{bucket}/{}", object.key);
        let permission = permission("DeleteObject", object.version.is_some());
        if let Err(error) = permitted(services, caller, bucket, permission, &resource) {
            write!(
                errors,
                "<Error><Key>{}</Key><Code>{}</Code><Message>{}</Message></Error>",
                escape(object.key.as_str()),
                error.code,
                error.message
            )
            .unwrap_or_default();
            continue;
        }
        let marker = marker(services, bucket);
        let objects = &mut bucket_mut(services, bucket)?.objects;
        match object.version {
            Some(version) => objects.delete_version(&object.key, &version),
            None => objects.delete(&object.key, marker),
        }
    }
    Ok(xml("DeleteResult", &errors))
}

/// The id of the next version in a bucket; `None` if the bucket keeps no versions.
fn marker(services: &mut Services, bucket: &str) -> Option<String> {
    let bucket = services.s3.buckets.get(bucket)?;
    let versioning = bucket.properties.get("VersioningConfiguration")?;
    (versioning.get("Status")? == "Enabled").then(|| services.environment.token(32))
}

fn bucket_mut<'w>(services: &'w mut Services, name: &str) -> Result<&'w mut Bucket, ApiError> {
    services.s3.buckets.get_mut(name).ok_or_else(|| {
        ApiError::new("NoSuchBucket", "The specified bucket does not exist").status(404)
    })
}

/// The bucket's own account may unless its policy denies; everybody else needs the policy.
fn permitted(
    services: &mut Services,
    caller: &Caller,
    bucket: &str,
    permission: &str,
    resource: &str,
) -> Result<(), ApiError> {
    bucket_mut(services, bucket)?;
    let permission = format!("s3:{permission}");
    let request = Request::new(
        iam::principal(caller),
        &permission,
        resource,
        iam::organization_context(&services.organization, &caller.account, Context::new()),
    );
    let identity = match &caller.role {
        Some(role) => iam::identity(services, role, &request),
        None => Verdict::allow("the account's administrator may"),
    };
    let bucket = bucket_mut(services, bucket)?;
    let decision = bucket
        .policy
        .as_ref()
        .map(|(_, policy)| policy.decide(&request));
    let same = bucket.account == caller.account;
    let allowed = match decision {
        Some(Decision::Deny { .. }) => false,
        Some(Decision::Allow { .. }) => same || identity.allowed,
        Some(Decision::Silent { .. }) | None => same && identity.allowed,
    };
    if allowed {
        Ok(())
    } else {
        Err(ApiError::new("AccessDenied", "Access Denied").status(403))
    }
}

fn list_buckets(services: &Services, caller: &Caller) -> RawResponse {
    let mut inner = format!("<Owner><ID>{}</ID></Owner><Buckets>", caller.account);
    for bucket in services
        .s3
        .buckets
        .values()
        .filter(|bucket| bucket.account == caller.account)
    {
        // Writing to a string does not fail.
        write!(
            inner,
            "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate></Bucket>",
            bucket.name,
            iso(bucket.created)
        )
        .unwrap_or_default();
    }
    inner.push_str("</Buckets>");
    xml("ListAllMyBucketsResult", &inner)
}

fn bucket_call(
    services: &mut Services,
    request: &RawRequest,
    action: &str,
    place: (&str, &str),
) -> Result<RawResponse, ApiError> {
    let (name, key) = place;
    let now = iso(services.environment.now);
    let fresh = matches!(action, "PutObject" | "DeleteObject")
        .then(|| marker(services, name))
        .flatten();
    let version = parameter(request, "versionId");
    let bucket = bucket_mut(services, name)?;
    match action {
        "HeadBucket" => Ok(ok(200, Vec::new())),
        "GetBucketLocation" => {
            // us-east-1 is written as an empty constraint.
            let region = if bucket.region == "us-east-1" {
                ""
            } else {
                &bucket.region
            };
            Ok(xml("LocationConstraint", region))
        }
        "GetBucketPolicy" => match &bucket.policy {
            Some((written, _)) => {
                let mut response = ok(200, json_text(written));
                response
                    .headers
                    .push(("content-type".to_owned(), "application/json".to_owned()));
                Ok(response)
            }
            None => Err(
                ApiError::new("NoSuchBucketPolicy", "The bucket policy does not exist").status(404),
            ),
        },
        "PutBucketPolicy" => {
            let written = serde_json::from_slice(&body(request))
                .map_err(|_| ApiError::new("MalformedPolicy", "Policies must be valid JSON"))?;
            let document = super::parse_policy(bucket, &written)?;
            bucket.policy = Some((written, document));
            Ok(ok(204, Vec::new()))
        }
        "DeleteBucketPolicy" => {
            bucket.policy = None;
            Ok(ok(204, Vec::new()))
        }
        "GetBucketEncryption" | "GetBucketVersioning" | "GetPublicAccessBlock" => {
            configuration(bucket, action)
        }
        "DeletePublicAccessBlock" => {
            bucket.properties.remove("PublicAccessBlockConfiguration");
            Ok(ok(204, Vec::new()))
        }
        "DeleteBucket" => {
            if !bucket.objects.is_empty() {
                return Err(not_empty());
            }
            services.s3.buckets.remove(name);
            Ok(ok(204, Vec::new()))
        }
        "PutObject" => {
            let body = body(request);
            let mut response = ok(200, Vec::new());
            response.headers.push(("etag".to_owned(), etag(&body)));
            if let Some(id) = &fresh {
                let header = ("x-amz-version-id".to_owned(), id.clone());
                response.headers.push(header);
            }
            bucket.objects.put(key, body, fresh);
            Ok(response)
        }
        "GetObject" | "HeadObject" => {
            let content = bucket.objects.get(key, version)?;
            let tag = etag(content);
            let body = if action == "GetObject" { content } else { &[] };
            let mut response = ok(200, body);
            response.headers.push(("etag".to_owned(), tag));
            Ok(response)
        }
        "DeleteObject" => {
            match version {
                Some(version) => bucket.objects.delete_version(key, version),
                None => bucket.objects.delete(key, fresh),
            }
            Ok(ok(204, Vec::new()))
        }
        "ListObjectsV2" => {
            let prefix = parameter(request, "prefix").unwrap_or("");
            Ok(bucket.objects.list(name, prefix, &now))
        }
        "ListObjectVersions" => {
            let prefix = parameter(request, "prefix").unwrap_or("");
            let after = (
                parameter(request, "key-marker"),
                parameter(request, "version-id-marker"),
            );
            Ok(bucket.objects.list_versions(name, prefix, after, &now))
        }
        _ => Err(ApiError::new(
            "NotImplemented",
            format!("The simulator does not know the action s3:{action}."),
        )
        .status(501)),
    }
}

/// The answer to deleting a bucket that holds objects.
pub(super) fn not_empty() -> ApiError {
    ApiError::new(
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
    )
    .status(409)
}

/// The content of an upload: SDKs may send it in signed chunks, each with a line in front that
/// gives its length in hexadecimal.
fn body(request: &RawRequest) -> Vec<u8> {
    let chunked = request
        .headers
        .get("content-encoding")
        .is_some_and(|encoding| encoding.contains("aws-chunked"))
        || request
            .headers
            .get("x-amz-content-sha256")
            .is_some_and(|kind| kind.starts_with("STREAMING-"));
    if !chunked {
        return request.body.clone();
    }
    let mut rest = request.body.as_slice();
    let mut content = Vec::new();
    while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
        let line = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        let length = line.split(';').next().unwrap_or_default();
        let Ok(length) = usize::from_str_radix(length, 16) else {
            break;
        };
        let from = end + 2;
        let Some(chunk) = rest.get(from..from.saturating_add(length)) else {
            break;
        };
        if length == 0 {
            break;
        }
        content.extend_from_slice(chunk);
        rest = rest.get(from + length + 2..).unwrap_or_default();
    }
    content
}
