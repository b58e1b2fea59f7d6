//! The actions that read or remove bucket settings.

use quick_xml::escape::escape;

use super::Bucket;
use super::rest::{Call, Response, ok, xml};
use crate::wire::api::ApiError;
use crate::{Services, json_text};

/// The property at a JSON pointer without its leading slash.
fn setting(bucket: &Bucket, pointer: &str) -> Option<String> {
    let (name, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let value = bucket.properties.get(name)?;
    value.pointer(&format!("/{rest}")).map(json_text)
}

fn element(name: &str, value: Option<String>) -> String {
    value.map_or_else(String::new, |value| {
        format!("<{name}>{}</{name}>", escape(value.as_str()))
    })
}

pub(super) fn get_bucket_versioning(services: &mut Services, call: &Call<'_>) -> Response {
    let status = setting(call.bucket(services)?, "VersioningConfiguration/Status");
    Ok(xml("VersioningConfiguration", &element("Status", status)))
}

pub(super) fn get_public_access_block(services: &mut Services, call: &Call<'_>) -> Response {
    let bucket = call.bucket(services)?;
    let property = "PublicAccessBlockConfiguration";
    if !bucket.properties.contains_key(property) {
        return Err(ApiError::new(
            "NoSuchPublicAccessBlockConfiguration",
            "The public access block configuration was not found",
        )
        .status(404));
    }
    let inner: String = [
        "BlockPublicAcls",
        "IgnorePublicAcls",
        "BlockPublicPolicy",
        "RestrictPublicBuckets",
    ]
    .into_iter()
    .map(|name| {
        let value = setting(bucket, &format!("{property}/{name}"));
        element(name, value.or_else(|| Some("false".to_owned())))
    })
    .collect();
    Ok(xml(property, &inner))
}

pub(super) fn delete_public_access_block(services: &mut Services, call: &Call<'_>) -> Response {
    let properties = &mut call.bucket(services)?.properties;
    properties.remove("PublicAccessBlockConfiguration");
    Ok(ok(204, []))
}

pub(super) fn get_bucket_encryption(services: &mut Services, call: &Call<'_>) -> Response {
    let bucket = call.bucket(services)?;
    let rule = "BucketEncryption/ServerSideEncryptionConfiguration/0";
    let default = format!("{rule}/ServerSideEncryptionByDefault");
    // The default encryption is SSE-S3.
    let algorithm =
        setting(bucket, &format!("{default}/SSEAlgorithm")).unwrap_or_else(|| "AES256".to_owned());
    let inner = format!(
        "<Rule><ApplyServerSideEncryptionByDefault>{}{}</ApplyServerSideEncryptionByDefault>{}</Rule>",
        element("SSEAlgorithm", Some(algorithm)),
        element(
            "KMSMasterKeyID",
            setting(bucket, &format!("{default}/KMSMasterKeyID"))
        ),
        element(
            "BucketKeyEnabled",
            setting(bucket, &format!("{rule}/BucketKeyEnabled"))
        ),
    );
    Ok(xml("ServerSideEncryptionConfiguration", &inner))
}
