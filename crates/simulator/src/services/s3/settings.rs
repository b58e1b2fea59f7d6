//! How a bucket is set up.

use quick_xml::escape::escape;

use super::Bucket;
use super::rest::xml;
use crate::services::json_text;
use crate::wire::api::{ApiError, RawResponse};

/// The settings people look at first.
pub(super) fn configuration(bucket: &Bucket, action: &str) -> Result<RawResponse, ApiError> {
    let at = |pointer: &str| {
        let (name, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
        let value = bucket.properties.get(name)?;
        value.pointer(&format!("/{rest}")).map(json_text)
    };
    let element = |name: &str, value: Option<String>| {
        value.map_or_else(String::new, |value| {
            format!("<{name}>{}</{name}>", escape(value.as_str()))
        })
    };
    match action {
        "GetBucketVersioning" => {
            let status = at("VersioningConfiguration/Status");
            Ok(xml("VersioningConfiguration", &element("Status", status)))
        }
        "GetPublicAccessBlock" => {
            if !bucket
                .properties
                .contains_key("PublicAccessBlockConfiguration")
            {
                return Err(ApiError::new(
                    "NoSuchPublicAccessBlockConfiguration",
                    "The public access block configuration was not found",
                )
                .status(404));
            }
            let mut inner = String::new();
            for name in [
                "BlockPublicAcls",
                "IgnorePublicAcls",
                "BlockPublicPolicy",
                "RestrictPublicBuckets",
            ] {
                let value = at(&format!("PublicAccessBlockConfiguration/{name}"));
                inner.push_str(&element(name, value.or_else(|| Some("false".to_owned()))));
            }
            Ok(xml("PublicAccessBlockConfiguration", &inner))
        }
        _ => {
            // Without a setting of its own a bucket is encrypted with keys S3 manages.
            let rule = "BucketEncryption/ServerSideEncryptionConfiguration/0";
            let default = format!("{rule}/ServerSideEncryptionByDefault");
            let algorithm = at(&format!("{default}/SSEAlgorithm"));
            let inner = format!(
                "<Rule><ApplyServerSideEncryptionByDefault>{}{}</ApplyServerSideEncryptionByDefault>{}</Rule>",
                element(
                    "SSEAlgorithm",
                    algorithm.or_else(|| Some("AES256".to_owned()))
                ),
                element("KMSMasterKeyID", at(&format!("{default}/KMSMasterKeyID"))),
                element("BucketKeyEnabled", at(&format!("{rule}/BucketKeyEnabled"))),
            );
            Ok(xml("ServerSideEncryptionConfiguration", &inner))
        }
    }
}
