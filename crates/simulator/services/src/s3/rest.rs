//! The REST API of S3.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::objects::{etag, objects_to_delete};
use super::routes::{self, DELETE_OBJECT, GET_OBJECT};
use super::{Bucket, parse_policy};
use crate::Services;
use crate::policy::{Context, Decision, Request, Verdict};
use crate::wire::api::{ApiError, Caller, RawRequest, RawResponse};
use crate::wire::protocol::error_body;
use crate::wire::time::iso;
use crate::{iam, json_text};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The result of a handler.
pub(super) type Response = Result<RawResponse, ApiError>;

/// A request with its bucket and key.
pub(super) struct Call<'a> {
    caller: &'a Caller,
    request: &'a RawRequest,
    bucket: String,
    /// Empty for bucket-level actions.
    key: String,
}

impl<'a> Call<'a> {
    pub(super) fn bucket<'s>(
        &self,
        services: &'s mut Services,
    ) -> Result<&'s mut Bucket, ApiError> {
        bucket_named(services, &self.bucket)
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        parameter(self.request, name)
    }

    fn version(&self) -> Option<&'a str> {
        self.parameter("versionId")
    }

    fn resource(&self) -> String {
        if self.key.is_empty() {
            format!("arn:aws:s3:::{}", self.bucket)
        } else {
            format!("arn:aws:s3:::{}/{}", self.bucket, self.key)
        }
    }
}

/// Bucket and key of a path-style or virtual-hosted request.
pub(super) fn address(request: &RawRequest) -> (String, String) {
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

pub(super) fn parameter<'a>(request: &'a RawRequest, name: &str) -> Option<&'a str> {
    request
        .query
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Performs one REST request. The bucket is in the path or the host name; the body is plain or in
/// AWS's chunked signing format.
pub fn rest(services: &mut Services, caller: &Caller, request: &RawRequest) -> RawResponse {
    match respond(services, caller, request) {
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

pub(super) fn ok(status: u16, body: impl Into<Vec<u8>>) -> RawResponse {
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

fn respond(services: &mut Services, caller: &Caller, request: &RawRequest) -> Response {
    let (bucket, key) = address(request);
    let call = Call {
        caller,
        request,
        bucket,
        key,
    };
    if let Some(owner) = request.headers.get("x-amz-expected-bucket-owner")
        && call.bucket(services)?.account != *owner
    {
        return Err(access_denied());
    }
    let action = routes::action(request);
    let route = routes::named(&action);
    let permission = match route {
        Some(route) => route.permission,
        None => Some((action.as_str(), action.as_str())),
    };
    if let Some(permission) = permission {
        let resource = call.resource();
        let bucket = &call.bucket;
        check(
            services,
            caller,
            bucket,
            permission,
            call.version(),
            &resource,
        )?;
    }
    let Some(route) = route else {
        return Err(ApiError::new(
            "NotImplemented",
            format!("The simulator does not know the action s3:{action}."),
        )
        .status(501));
    };
    let region = call.bucket(services).map(|bucket| bucket.region.clone());
    let mut response = (route.answer)(services, &call)?;
    if let Ok(region) = region {
        response = with_header(response, "x-amz-bucket-region", region);
    }
    Ok(response)
}

fn with_header(mut response: RawResponse, name: &str, value: impl Into<String>) -> RawResponse {
    response.headers.push((name.to_owned(), value.into()));
    response
}

fn access_denied() -> ApiError {
    ApiError::new("AccessDenied", "Access Denied").status(403)
}

/// Reads an object with a caller's permissions, on behalf of another service.
pub fn read(
    services: &mut Services,
    caller: &Caller,
    (bucket, key): (&str, &str),
    version: Option<&str>,
) -> Result<Vec<u8>, ApiError> {
    let resource = format!("arn:aws:s3:::{bucket}/{key}");
    check(services, caller, bucket, GET_OBJECT, version, &resource)?;
    let bucket = bucket_named(services, bucket)?;
    Ok(bucket.objects.get(key, version)?.to_vec())
}

fn bucket_named<'s>(services: &'s mut Services, name: &str) -> Result<&'s mut Bucket, ApiError> {
    services.s3.buckets.get_mut(name).ok_or_else(|| {
        ApiError::new("NoSuchBucket", "The specified bucket does not exist").status(404)
    })
}

/// Checks a permission, given without and with a version. The bucket's own account has it unless
/// the bucket policy denies it; other accounts need an allow.
fn check(
    services: &mut Services,
    caller: &Caller,
    bucket: &str,
    permission: (&str, &str),
    version: Option<&str>,
    resource: &str,
) -> Result<(), ApiError> {
    bucket_named(services, bucket)?;
    let permission = version.map_or(permission.0, |_| permission.1);
    let request = Request::new(
        iam::principal(caller),
        &format!("s3:{permission}"),
        resource,
        iam::organization_context(&services.organization, &caller.account, Context::new()),
    );
    iam::within_session(services, caller, &request).map_err(|_| access_denied())?;
    let identity = match &caller.role {
        Some(role) => iam::identity(services, role, &request),
        None => Verdict::allow("the account's administrator may"),
    };
    let bucket = bucket_named(services, bucket)?;
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
        Err(access_denied())
    }
}

pub(super) fn create_bucket(services: &mut Services, call: &Call<'_>) -> Response {
    let (
        Caller {
            account, region, ..
        },
        name,
    ) = (call.caller, &call.bucket);
    super::create_bucket(services, account, region, name, serde_json::Map::new())?;
    Ok(with_header(ok(200, []), "location", format!("/{name}")))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all handlers")]
pub(super) fn list_buckets(services: &mut Services, call: &Call<'_>) -> Response {
    let account = &call.caller.account;
    let mut inner = format!("<Owner><ID>{account}</ID></Owner><Buckets>");
    let buckets = services.s3.buckets.values();
    for bucket in buckets.filter(|bucket| bucket.account == *account) {
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
    Ok(xml("ListAllMyBucketsResult", &inner))
}

/// `DeleteObjects`. Objects that the caller may not delete are kept and reported.
pub(super) fn delete_objects(services: &mut Services, call: &Call<'_>) -> Response {
    let bucket = &call.bucket;
    call.bucket(services)?;
    let mut errors = String::new();
    for object in objects_to_delete(&body(call.request))? {
        let resource = format!("arn:aws:s3:::{bucket}/{}", object.key);
        let version = object.version.as_deref();
        let checked = check(
            services,
            call.caller,
            bucket,
            DELETE_OBJECT,
            version,
            &resource,
        );
        match checked {
            Ok(()) => delete(services, bucket, &object.key, version)?,
            Err(error) => write!(
                errors,
                "<Error><Key>{}</Key><Code>{}</Code><Message>{}</Message></Error>",
                escape(object.key.as_str()),
                error.code,
                error.message
            )
            .unwrap_or_default(),
        }
    }
    Ok(xml("DeleteResult", &errors))
}

/// Deletes one version of an object, or the object itself, honoring the bucket's versioning.
fn delete(
    services: &mut Services,
    bucket: &str,
    key: &str,
    version: Option<&str>,
) -> Result<(), ApiError> {
    let marker = new_version(services, bucket);
    let objects = &mut bucket_named(services, bucket)?.objects;
    match version {
        Some(version) => objects.delete_version(key, version),
        None => objects.delete(key, marker),
    }
    Ok(())
}

/// A new version id; `None` if the bucket isn't versioned.
fn new_version(services: &mut Services, bucket: &str) -> Option<String> {
    let bucket = services.s3.buckets.get(bucket)?;
    let versioning = bucket.properties.get("VersioningConfiguration")?;
    (versioning.get("Status")? == "Enabled").then(|| services.environment.token(32))
}

pub(super) fn head_bucket(services: &mut Services, call: &Call<'_>) -> Response {
    call.bucket(services).map(|_| ok(200, []))
}

pub(super) fn get_bucket_location(services: &mut Services, call: &Call<'_>) -> Response {
    // S3 represents us-east-1 as an empty constraint.
    Ok(match call.bucket(services)?.region.as_str() {
        "us-east-1" => xml("LocationConstraint", ""),
        region => xml("LocationConstraint", region),
    })
}

pub(super) fn get_bucket_policy(services: &mut Services, call: &Call<'_>) -> Response {
    match &call.bucket(services)?.policy {
        Some((written, _)) => {
            let response = ok(200, json_text(written));
            Ok(with_header(response, "content-type", "application/json"))
        }
        None => {
            Err(ApiError::new("NoSuchBucketPolicy", "The bucket policy does not exist").status(404))
        }
    }
}

pub(super) fn put_bucket_policy(services: &mut Services, call: &Call<'_>) -> Response {
    let written = serde_json::from_slice(&body(call.request))
        .map_err(|_| ApiError::new("MalformedPolicy", "Policies must be valid JSON"))?;
    let bucket = call.bucket(services)?;
    let document = parse_policy(bucket, &written)?;
    bucket.policy = Some((written, document));
    Ok(ok(204, []))
}

pub(super) fn delete_bucket_policy(services: &mut Services, call: &Call<'_>) -> Response {
    call.bucket(services)?.policy = None;
    Ok(ok(204, []))
}

pub(super) fn delete_bucket(services: &mut Services, call: &Call<'_>) -> Response {
    if !call.bucket(services)?.objects.is_empty() {
        return Err(not_empty());
    }
    services.s3.buckets.remove(&call.bucket);
    Ok(ok(204, []))
}

pub(super) fn put_object(services: &mut Services, call: &Call<'_>) -> Response {
    let version = new_version(services, &call.bucket);
    let content = body(call.request);
    let mut response = with_header(ok(200, []), "etag", etag(&content));
    if let Some(id) = &version {
        response = with_header(response, "x-amz-version-id", id);
    }
    let objects = &mut call.bucket(services)?.objects;
    objects.put(&call.key, content, version);
    Ok(response)
}

/// `GetObject` and `HeadObject`.
pub(super) fn get_object(services: &mut Services, call: &Call<'_>) -> Response {
    let objects = &call.bucket(services)?.objects;
    let content = objects.get(&call.key, call.version())?;
    let head = call.request.method == "HEAD";
    let response = ok(200, if head { &[] } else { content });
    Ok(with_header(response, "etag", etag(content)))
}

pub(super) fn delete_object(services: &mut Services, call: &Call<'_>) -> Response {
    delete(services, &call.bucket, &call.key, call.version())?;
    Ok(ok(204, []))
}

pub(super) fn list_objects(services: &mut Services, call: &Call<'_>) -> Response {
    let now = iso(services.environment.now);
    let prefix = call.parameter("prefix").unwrap_or_default();
    let objects = &call.bucket(services)?.objects;
    Ok(objects.list(&call.bucket, prefix, &now))
}

pub(super) fn list_object_versions(services: &mut Services, call: &Call<'_>) -> Response {
    let now = iso(services.environment.now);
    let prefix = call.parameter("prefix").unwrap_or_default();
    let after = (
        call.parameter("key-marker"),
        call.parameter("version-id-marker"),
    );
    let objects = &call.bucket(services)?.objects;
    Ok(objects.list_versions(&call.bucket, prefix, after, &now))
}

/// The error for deleting a bucket with objects.
fn not_empty() -> ApiError {
    ApiError::new(
        "BucketNotEmpty",
        "The bucket you tried to delete is not empty",
    )
    .status(409)
}

/// The content of an upload. SDKs may send it in signed chunks, each preceded by a line with its
/// length in hexadecimal.
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
