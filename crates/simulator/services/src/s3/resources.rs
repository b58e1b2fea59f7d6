//! `AWS::S3::Bucket` and `AWS::S3::BucketPolicy`.

use serde_json::{Map, Value, json};

use super::{Bucket, create_bucket, parse_policy};
use crate::Services;
use crate::resources::policies::{Holder, inline};
use crate::resources::shape::{Property, Shape, TAGS};
use crate::resources::{
    Change, Created, Made, ResourceError, ResourceLocation, Type, created, generated, gone,
    refused, text,
};

const STATUS: Shape = Shape::Choice(&["Enabled", "Disabled"]);

const ENCRYPTION: Shape = Shape::Object(&[Property::new(
    "ServerSideEncryptionConfiguration",
    Shape::List(&Shape::Object(&[
        Property::new("BucketKeyEnabled", Shape::Flag),
        Property::new(
            "ServerSideEncryptionByDefault",
            Shape::Object(&[
                Property::new(
                    "SSEAlgorithm",
                    Shape::Choice(&["AES256", "aws:kms", "aws:kms:dsse"]),
                )
                .required(),
                Property::new("KMSMasterKeyID", Shape::Text),
            ]),
        ),
    ])),
)
.required()]);

const TRANSITION: Shape = Shape::Object(&[
    Property::new("StorageClass", Shape::Text).required(),
    Property::new("TransitionInDays", Shape::Integer),
]);

const LIFECYCLE: Shape = Shape::Object(&[Property::new(
    "Rules",
    Shape::List(&Shape::Object(&[
        Property::new("Id", Shape::Text),
        Property::new("Status", STATUS).required(),
        Property::new("Prefix", Shape::Text),
        Property::new("ExpirationInDays", Shape::Integer),
        Property::new("ExpiredObjectDeleteMarker", Shape::Flag),
        Property::new("Transitions", Shape::List(&TRANSITION)),
        Property::new(
            "NoncurrentVersionExpiration",
            Shape::Object(&[
                Property::new("NoncurrentDays", Shape::Integer).required(),
                Property::new("NewerNoncurrentVersions", Shape::Integer),
            ]),
        ),
        Property::new(
            "AbortIncompleteMultipartUpload",
            Shape::Object(&[Property::new("DaysAfterInitiation", Shape::Integer).required()]),
        ),
    ])),
)
.required()]);

pub(crate) const TYPES: &[Type] = &[
    Type {
        name: "AWS::S3::Bucket",
        properties: &[
            Property::new("BucketName", Shape::Text).fixed(),
            Property::new("BucketEncryption", ENCRYPTION),
            Property::new("LifecycleConfiguration", LIFECYCLE),
            Property::new(
                "LoggingConfiguration",
                Shape::Object(&[
                    Property::new("DestinationBucketName", Shape::Text),
                    Property::new("LogFilePrefix", Shape::Text),
                ]),
            ),
            Property::new("ObjectLockEnabled", Shape::Flag),
            Property::new(
                "OwnershipControls",
                Shape::Object(&[Property::new(
                    "Rules",
                    Shape::List(&Shape::Object(&[Property::new(
                        "ObjectOwnership",
                        Shape::Choice(&[
                            "BucketOwnerEnforced",
                            "BucketOwnerPreferred",
                            "ObjectWriter",
                        ]),
                    )])),
                )
                .required()]),
            ),
            Property::new(
                "PublicAccessBlockConfiguration",
                Shape::Object(&[
                    Property::new("BlockPublicAcls", Shape::Flag),
                    Property::new("BlockPublicPolicy", Shape::Flag),
                    Property::new("IgnorePublicAcls", Shape::Flag),
                    Property::new("RestrictPublicBuckets", Shape::Flag),
                ]),
            ),
            Property::new(
                "VersioningConfiguration",
                Shape::Object(&[
                    Property::new("Status", Shape::Choice(&["Enabled", "Suspended"])).required(),
                ]),
            ),
            TAGS,
        ],
        create,
        update,
        delete,
        read: Some(read),
    },
    inline::<Bucket>(
        "AWS::S3::BucketPolicy",
        &[
            Property::new("Bucket", Shape::Text).required().fixed(),
            Property::new("PolicyDocument", Shape::Document).required(),
        ],
    ),
];

fn made(name: &str, region: &str) -> Created {
    created(
        name,
        [
            ("Arn", json!(format!("arn:aws:s3:::{name}"))),
            ("DomainName", json!(format!("{name}.s3.amazonaws.com"))),
            (
                "RegionalDomainName",
                json!(format!("{name}.s3.{region}.amazonaws.com")),
            ),
        ],
    )
}

/// Checks that access logs go to a bucket of the same account and Region.
fn check_logging(
    services: &Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Result<(), ResourceError> {
    let destination = properties
        .get("LoggingConfiguration")
        .and_then(|logging| logging.get("DestinationBucketName"))
        .and_then(Value::as_str);
    let Some(name) = destination else {
        return Ok(());
    };
    let good = services.s3.buckets.get(name).is_some_and(|bucket| {
        bucket.account == location.account && bucket.region == location.region
    });
    if good {
        Ok(())
    } else {
        let why = "The target bucket for logging does not exist in this account and Region";
        Err(refused(&format!("{why}: {name}"), "InvalidRequest"))
    }
}

fn create(
    services: &mut Services,
    location: &ResourceLocation,
    properties: &Map<String, Value>,
) -> Made {
    check_logging(services, location, properties)?;
    let name = match text(properties, "BucketName") {
        Some(name) => name.to_owned(),
        None => generated(services, location, 63).to_ascii_lowercase(),
    };
    create_bucket(
        services,
        &location.account,
        &location.region,
        &name,
        properties.clone(),
    )?;
    Ok(made(&name, &location.region))
}

fn update(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
    change: &Change,
) -> Made {
    check_logging(services, location, &change.new)?;
    let bucket = services
        .s3
        .buckets
        .get_mut(name)
        .ok_or_else(|| gone(name))?;
    bucket.properties.clone_from(&change.new);
    Ok(made(name, &location.region))
}

fn delete(
    services: &mut Services,
    location: &ResourceLocation,
    name: &str,
) -> Result<(), ResourceError> {
    let Some(bucket) = services.s3.buckets.get(name) else {
        return Ok(());
    };
    if bucket.account != location.account {
        return Ok(());
    }
    if !bucket.objects.is_empty() {
        return Err(refused(
            "The bucket you tried to delete is not empty",
            "GeneralServiceException",
        ));
    }
    services.s3.buckets.remove(name);
    Ok(())
}

fn read(
    services: &Services,
    _location: &ResourceLocation,
    name: &str,
) -> Option<Map<String, Value>> {
    services
        .s3
        .buckets
        .get(name)
        .map(|bucket| bucket.properties.clone())
}

impl Holder for Bucket {
    const PROPERTY: &'static str = "Bucket";

    fn put(
        services: &mut Services,
        location: &ResourceLocation,
        name: &str,
        written: Value,
        fresh: bool,
    ) -> Result<(), ResourceError> {
        let bucket = services
            .s3
            .buckets
            .get_mut(name)
            .filter(|bucket| bucket.account == location.account)
            .ok_or_else(|| gone(name))?;
        if fresh && bucket.policy.is_some() {
            return Err(ResourceError::AlreadyExists(format!(
                "The bucket policy already exists on bucket {name}."
            )));
        }
        let document = parse_policy(bucket, &written)?;
        bucket.policy = Some((written, document));
        Ok(())
    }

    fn clear(
        services: &mut Services,
        _location: &ResourceLocation,
        name: &str,
    ) -> Result<(), ResourceError> {
        if let Some(bucket) = services.s3.buckets.get_mut(name) {
            bucket.policy = None;
        }
        Ok(())
    }

    fn policy(services: &Services, _location: &ResourceLocation, name: &str) -> Option<Value> {
        let (written, _) = services.s3.buckets.get(name)?.policy.as_ref()?;
        Some(written.clone())
    }
}
