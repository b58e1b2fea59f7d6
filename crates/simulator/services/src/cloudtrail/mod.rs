//! AWS CloudTrail: trails, and whether one of them sends an event to EventBridge.

mod actions;
pub(crate) mod record;
pub(crate) mod resources;
mod selectors;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Map, Value, json};

pub(crate) use actions::ACTIONS;

use super::{kms, s3};
use crate::Services;
use crate::organizations::{MANAGEMENT, ORGANIZATION_ID, Organization};
use crate::policy::{Context, Principal};
use crate::resources::text;
use crate::wire::api::ApiError;

/// The service principal in policies and for trusted access.
const SERVICE: &str = "cloudtrail.amazonaws.com";

/// Events that the event history keeps. On AWS it has those of 90 days.
const HISTORY: usize = 2_000;

/// Maximum trails per account and Region, with the replicas of trails from other Regions.
const TRAILS: usize = 5;

/// Global services record their events only here.
pub(crate) const GLOBAL_REGION: &str = "us-east-1";

/// Event sources of global services.
const GLOBAL_SOURCES: [&str; 9] = [
    "aws.account",
    "aws.billing",
    "aws.cloudfront",
    "aws.iam",
    "aws.organizations",
    "aws.route53",
    "aws.route53domains",
    "aws.shield",
    "aws.support",
];

/// Events of `aws.signin` that IAM Identity Center records, in the account that has its instance.
const IDENTITY_CENTER: [&str; 3] = [
    "CredentialChallenge",
    "CredentialVerification",
    "UserAuthentication",
];

/// Where AWS records an event, whoever the caller is.
pub(crate) struct Appears {
    pub(crate) account: Option<&'static str>,
    pub(crate) region: Option<&'static str>,
    /// Completes the sentence "it appears there: …".
    pub(crate) why: &'static str,
}

/// Where an event of a trail appears, if that doesn't depend on the caller. Sign-ins of IAM users
/// and roles appear in the Region of the endpoint that they used, which may be any.
pub(crate) fn appears(event: &Value) -> Option<Appears> {
    let field = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    if is_global(event) {
        return Some(Appears {
            account: None,
            region: Some(GLOBAL_REGION),
            why: "the service is global and records only there",
        });
    }
    if event.get("source").and_then(Value::as_str) != Some("aws.signin") {
        return None;
    }
    if field("/detail/eventName").is_some_and(|name| IDENTITY_CENTER.contains(&name)) {
        return Some(Appears {
            account: Some(MANAGEMENT),
            region: None,
            why: "IAM Identity Center records in the account of its instance",
        });
    }
    (field("/detail/userIdentity/type") == Some("Root")).then_some(Appears {
        account: None,
        region: Some(GLOBAL_REGION),
        why: "root users sign in there, whichever endpoint they use",
    })
}

#[derive(Clone, Debug, Default)]
pub(crate) struct CloudTrail {
    /// By trail ARN.
    pub(crate) trails: BTreeMap<String, Trail>,
    history: VecDeque<Recorded>,
}

/// An event in the event history, which needs no trail.
#[derive(Clone, Debug)]
struct Recorded {
    account: String,
    region: String,
    at: jiff::Timestamp,
    name: String,
    /// CloudTrail's record, as JSON text.
    record: Arc<str>,
}

impl CloudTrail {
    /// Adds an event `… via CloudTrail` to the history of an account and Region.
    pub(crate) fn remember(
        &mut self,
        account: &str,
        region: &str,
        event: &Value,
        at: jiff::Timestamp,
    ) {
        let Some(record) = event.get("detail") else {
            return;
        };
        let name = record.get("eventName").and_then(Value::as_str);
        if self.history.len() >= HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(Recorded {
            account: account.to_owned(),
            region: region.to_owned(),
            at,
            name: name.unwrap_or_default().to_owned(),
            record: record.to_string().into(),
        });
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Trail {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// As in `AWS::CloudTrail::Trail`, without `IsLogging`.
    pub(crate) properties: Map<String, Value>,
    pub(crate) logging: bool,
    pub(crate) started: Option<jiff::Timestamp>,
    pub(crate) stopped: Option<jiff::Timestamp>,
}

impl Trail {
    fn flag(&self, name: &str) -> bool {
        flag(&self.properties, name)
    }

    fn organization(&self) -> bool {
        self.flag("IsOrganizationTrail")
    }

    fn covers(&self, organization: &Organization, account: &str, region: &str) -> bool {
        let account_covered = self.account == account
            || self.organization() && organization.account(account).is_some();
        account_covered && (self.flag("IsMultiRegionTrail") || self.region == region)
    }
}

fn flag(properties: &Map<String, Value>, name: &str) -> bool {
    properties.get(name) == Some(&Value::Bool(true))
}

pub(crate) fn trail_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}")
}

/// Whether an event comes from a global service.
pub(crate) fn is_global(event: &Value) -> bool {
    event
        .get("source")
        .and_then(Value::as_str)
        .is_some_and(|source| GLOBAL_SOURCES.contains(&source))
}

/// Whether a logging trail sends this event to the default bus of its account and Region. `Ok`
/// names the trail, `Err` says why there is none.
pub(crate) fn carries(
    services: &Services,
    account: &str,
    region: &str,
    event: &Value,
) -> Result<String, String> {
    let trails = &services.cloudtrail.trails;
    let mut reason = "no trail covers this account and Region".to_owned();
    for trail in trails.values() {
        if !trail.covers(&services.organization, account, region) {
            continue;
        }
        if !trail.logging {
            reason = format!("the trail {} has stopped logging", trail.name);
        } else if services.environment.trails_off.contains(region) {
            reason = format!("the trail {} doesn't log in {region}", trail.name);
        } else if is_global(event) && !trail.flag("IncludeGlobalServiceEvents") {
            reason = format!("the trail {} leaves out global services", trail.name);
        } else if !selectors::include(&trail.properties, event) {
            reason = format!(
                "the event selectors of the trail {} leave this event out",
                trail.name
            );
        } else {
            return Ok(format!("the trail {} records it", trail.name));
        }
    }
    Err(reason)
}

/// Creates a trail from template properties (without `IsLogging`) and returns its ARN.
pub(crate) fn create_trail(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    mut properties: Map<String, Value>,
) -> Result<String, ApiError> {
    check_name(name)?;
    let arn = trail_arn(account, region, name);
    let trails = &services.cloudtrail.trails;
    if trails.contains_key(&arn) {
        return Err(ApiError::new(
            "TrailAlreadyExistsException",
            format!("Trail {name} already exists for customer: {account}"),
        ));
    }
    let there = trails
        .values()
        .filter(|trail| trail.covers(&services.organization, account, region))
        .count();
    if there >= TRAILS {
        return Err(ApiError::new(
            "MaximumNumberOfTrailsExceededException",
            format!("User: {account} already has {TRAILS} trails in {region}."),
        ));
    }
    validate(services, account, &arn, &mut properties)?;
    let trail = Trail {
        arn: arn.clone(),
        name: name.to_owned(),
        account: account.to_owned(),
        region: region.to_owned(),
        properties,
        logging: false,
        started: None,
        stopped: None,
    };
    services.cloudtrail.trails.insert(arn.clone(), trail);
    Ok(arn)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let good = (3..=128).contains(&name.len())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.ends_with(|c: char| c.is_ascii_alphanumeric());
    if !good {
        return Err(ApiError::new(
            "InvalidTrailNameException",
            format!(
                "Trail name {name:?} is not valid: 3 to 128 letters, digits, periods, underscores and dashes."
            ),
        ));
    }
    Ok(())
}

/// The checks of `CreateTrail` and `UpdateTrail`: organization, bucket, selectors and key. The key
/// becomes its ARN, so that an alias that points elsewhere later changes nothing.
pub(crate) fn validate(
    services: &Services,
    account: &str,
    arn: &str,
    properties: &mut Map<String, Value>,
) -> Result<(), ApiError> {
    if flag(properties, "IsOrganizationTrail") {
        check_organization(&services.organization, account)?;
    }
    if flag(properties, "IsMultiRegionTrail")
        && properties.get("IncludeGlobalServiceEvents") == Some(&Value::Bool(false))
    {
        return Err(ApiError::new(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        ));
    }
    let bucket = filled(properties, "S3BucketName").ok_or_else(|| {
        ApiError::new("InvalidS3BucketNameException", "S3BucketName is required.")
    })?;
    check_bucket(services, account, arn, properties, bucket)?;
    selectors::check(properties)?;
    if let Some(key) = filled(properties, "KMSKeyId") {
        let key = check_key(services, account, arn, key, bucket)?;
        properties.insert("KMSKeyId".to_owned(), json!(key));
    }
    Ok(())
}

/// A string property that isn't empty.
fn filled<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    text(properties, name).filter(|text| !text.is_empty())
}

/// Refuses an organization trail without trusted access or outside the management account.
fn check_organization(organization: &Organization, account: &str) -> Result<(), ApiError> {
    if account != MANAGEMENT {
        return Err(ApiError::new(
            "NotOrganizationMasterAccountException",
            "The request could not be processed because the caller is not the management account of the organization.",
        ));
    }
    if !organization.trusts(SERVICE) {
        return Err(ApiError::new(
            "CloudTrailAccessNotEnabledException",
            "Trusted access for CloudTrail is not enabled in the organization.",
        ));
    }
    Ok(())
}

/// The condition keys of CloudTrail's requests on behalf of a trail.
fn source(arn: &str, account: &str) -> Context {
    Context::new()
        .with("aws:SourceArn", arn)
        .with("aws:SourceAccount", account)
}

/// Checks that CloudTrail may write a trail's log files to its bucket.
fn check_bucket(
    services: &Services,
    account: &str,
    arn: &str,
    properties: &Map<String, Value>,
    bucket: &str,
) -> Result<(), ApiError> {
    if !services.s3.buckets.contains_key(bucket) {
        return Err(ApiError::new(
            "S3BucketDoesNotExistException",
            format!("S3 bucket {bucket} does not exist!"),
        ));
    }
    let may = |action: &str, resource: &str, context: &Context| {
        let service = Principal::Service(SERVICE.to_owned());
        s3::may(services, bucket, &service, action, resource, context).map_err(|why| {
            ApiError::new(
                "InsufficientS3BucketPolicyException",
                format!("Incorrect S3 bucket policy is detected for bucket: {bucket} ({why})"),
            )
        })
    };
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    may("s3:GetBucketAcl", &bucket_arn, &source(arn, account))?;
    let prefix = filled(properties, "S3KeyPrefix");
    let prefix = prefix.map_or_else(String::new, |prefix| format!("{prefix}/"));
    let mut owners = vec![account];
    if flag(properties, "IsOrganizationTrail") {
        owners.push(ORGANIZATION_ID);
    }
    let context = source(arn, account).with("s3:x-amz-acl", "bucket-owner-full-control");
    for owner in owners {
        let object = format!("{bucket_arn}/{prefix}AWSLogs/{owner}/CloudTrail/probe.json.gz");
        may("s3:PutObject", &object, &context)?;
    }
    Ok(())
}

/// Checks that CloudTrail may encrypt a trail's log files with a key, and returns the key's ARN.
fn check_key(
    services: &Services,
    account: &str,
    arn: &str,
    key: &str,
    bucket: &str,
) -> Result<String, ApiError> {
    let unusable = |why: String| {
        ApiError::new(
            "InsufficientEncryptionPolicyException",
            format!(
                "Insufficient permissions to access S3 bucket {bucket} or KMS key {key} ({why})."
            ),
        )
    };
    let region = arn.split(':').nth(3).unwrap_or_default();
    let Some(found) = services.kms.find(key, account, region) else {
        return Err(ApiError::new(
            "KmsKeyNotFoundException",
            format!("The KMS key {key} does not exist."),
        ));
    };
    let stored_in = services.s3.buckets.get(bucket);
    if let Some(bucket) = stored_in
        && bucket.region != found.region
    {
        return Err(unusable(format!(
            "the key is not in the bucket's Region {}",
            bucket.region
        )));
    }
    let context = source(arn, account);
    let encryption = context
        .clone()
        .with("kms:EncryptionContext:aws:cloudtrail:arn", arn);
    let mut required = vec![
        ("kms:GenerateDataKey", &encryption),
        ("kms:DescribeKey", &context),
    ];
    // With a Bucket Key, S3 asks for a data key of the whole bucket, with the bucket as encryption
    // context, and for its decryption:
    // <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>,
    // <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html>
    let of_bucket = source(arn, account).with(
        "kms:EncryptionContext:aws:s3:arn",
        format!("arn:aws:s3:::{bucket}"),
    );
    if stored_in.is_some_and(s3::Bucket::has_bucket_key) {
        required.extend([
            ("kms:GenerateDataKey", &of_bucket),
            ("kms:Decrypt", &of_bucket),
        ]);
    }
    let service = Principal::Service(SERVICE.to_owned());
    for (action, context) in required {
        let location = (account, region);
        let verdict = kms::may_use(services, key, location, &service, &[action], context);
        if !verdict.allowed {
            return Err(unusable(verdict.reason));
        }
    }
    Ok(found.arn.clone())
}

/// Starts or stops logging, recording the time.
pub(crate) fn set_logging(trail: &mut Trail, on: bool, now: jiff::Timestamp) {
    if trail.logging == on {
        return;
    }
    trail.logging = on;
    if on {
        trail.started = Some(now);
    } else {
        trail.stopped = Some(now);
    }
}
