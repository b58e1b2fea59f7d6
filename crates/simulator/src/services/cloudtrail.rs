//! AWS CloudTrail: trails, and whether one of them carries an event to EventBridge.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{kms, s3, tags};
use crate::input::Input;
use crate::policy::{Context, Principal};
use crate::services::Services;
use crate::services::organizations::{MANAGEMENT, ORGANIZATION_ID};
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::epoch;

/// The service's principal, for policies and for trusted access.
const SERVICE: &str = "cloudtrail.amazonaws.com";

/// Trails per account and Region.
const TRAILS: usize = 5;

/// The Region in which global services record their events.
pub(crate) const GLOBAL_REGION: &str = "us-east-1";

/// Services with one endpoint for all Regions.
const GLOBAL_SOURCES: [&str; 6] = [
    "aws.iam",
    "aws.organizations",
    "aws.route53",
    "aws.cloudfront",
    "aws.globalaccelerator",
    "aws.account",
];

/// All trails.
#[derive(Clone, Debug, Default)]
pub(crate) struct CloudTrail {
    /// By trail ARN.
    pub(crate) trails: BTreeMap<String, Trail>,
}

/// One trail.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Template shape of `AWS::CloudTrail::Trail`, apart from `IsLogging`.
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

    fn covers(&self, services: &Services, account: &str, region: &str) -> bool {
        let account_covered = self.account == account
            || self.organization() && services.organization.account(account).is_some();
        account_covered && (self.flag("IsMultiRegionTrail") || self.region == region)
    }
}

fn flag(properties: &Map<String, Value>, name: &str) -> bool {
    properties.get(name) == Some(&Value::Bool(true))
}

/// The ARN of a trail.
pub(crate) fn trail_arn(account: &str, region: &str, name: &str) -> String {
    format!("arn:aws:cloudtrail:{region}:{account}:trail/{name}")
}

/// Whether an event comes from a service that records in one Region only.
pub(crate) fn is_global(event: &Value) -> bool {
    event
        .get("source")
        .and_then(Value::as_str)
        .is_some_and(|source| GLOBAL_SOURCES.contains(&source))
}

/// Whether a trail that logs carries this event to the default bus of its account and Region. The
/// text says which, or why none does.
pub(crate) fn carries(
    services: &Services,
    account: &str,
    region: &str,
    event: &Value,
) -> Result<String, String> {
    let trails = &services.cloudtrail.trails;
    let mut reason = "no trail covers this account and Region".to_owned();
    for trail in trails.values() {
        if !trail.covers(services, account, region) {
            continue;
        }
        if !trail.logging {
            reason = format!("the trail {} has stopped logging", trail.name);
        } else if is_global(event) && !trail.flag("IncludeGlobalServiceEvents") {
            reason = format!("the trail {} leaves out global services", trail.name);
        } else if !selected(trail, event) {
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

/// Whether a trail's event selectors include an event. Without selectors a trail records all
/// management events and nothing else.
fn selected(trail: &Trail, event: &Value) -> bool {
    let detail = |name: &str| event.pointer(&format!("/detail/{name}"));
    let management = detail("eventCategory")
        .and_then(Value::as_str)
        .is_none_or(|category| category == "Management");
    let read_only =
        detail("readOnly").is_some_and(|flag| *flag == json!(true) || *flag == json!("true"));
    let selectors = trail
        .properties
        .get("EventSelectors")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty());
    let Some(selectors) = selectors else {
        return management;
    };
    selectors.iter().any(|selector| {
        let kind = match selector.get("ReadWriteType").and_then(Value::as_str) {
            Some("ReadOnly") => read_only,
            Some("WriteOnly") => !read_only,
            _ => true,
        };
        let included = if management {
            selector.get("IncludeManagementEvents") != Some(&Value::Bool(false))
        } else {
            selector
                .get("DataResources")
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
        };
        kind && included
    })
}

/// Creates a trail from template-shaped properties (`IsLogging` apart) and gives its ARN.
pub(crate) fn create_trail(
    services: &mut Services,
    account: &str,
    region: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
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
        .filter(|trail| trail.account == account && trail.region == region)
        .count();
    if there >= TRAILS {
        return Err(ApiError::new(
            "MaximumNumberOfTrailsExceededException",
            format!("User: {account} already has {TRAILS} trails in {region}."),
        ));
    }
    validate(services, account, &arn, &properties)?;
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

/// What `CreateTrail` and `UpdateTrail` check: the organization, the bucket and the key.
pub(crate) fn validate(
    services: &Services,
    account: &str,
    arn: &str,
    properties: &Map<String, Value>,
) -> Result<(), ApiError> {
    let text = |name: &str| {
        properties
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let organization = flag(properties, "IsOrganizationTrail");
    if organization {
        if account != MANAGEMENT {
            return Err(ApiError::new(
                "NotOrganizationMasterAccountException",
                "The request could not be processed because the caller is not the management account of the organization.",
            ));
        }
        if !services.organization.trusts(SERVICE) {
            return Err(ApiError::new(
                "CloudTrailAccessNotEnabledException",
                "Trusted access for CloudTrail is not enabled in the organization.",
            ));
        }
    }
    if flag(properties, "IsMultiRegionTrail")
        && properties.get("IncludeGlobalServiceEvents") == Some(&Value::Bool(false))
    {
        return Err(ApiError::new(
            "InvalidParameterCombinationException",
            "Multi-Region trail must include global service events.",
        ));
    }
    let bucket = text("S3BucketName").ok_or_else(|| {
        ApiError::new("InvalidS3BucketNameException", "S3BucketName is required.")
    })?;
    let prefix = text("S3KeyPrefix").map_or_else(String::new, |prefix| format!("{prefix}/"));
    let context = Context::new()
        .with("aws:SourceArn", arn)
        .with("aws:SourceAccount", account);
    let refused = |why: String| {
        ApiError::new(
            "InsufficientS3BucketPolicyException",
            format!("Incorrect S3 bucket policy is detected for bucket: {bucket} ({why})"),
        )
    };
    let Some(found) = services.s3.buckets.get(bucket) else {
        return Err(ApiError::new(
            "S3BucketDoesNotExistException",
            format!("S3 bucket {bucket} does not exist!"),
        ));
    };
    let bucket_region = found.region.clone();
    let service = Principal::Service(SERVICE.to_owned());
    let bucket_arn = format!("arn:aws:s3:::{bucket}");
    s3::may(
        services,
        bucket,
        &service,
        "s3:GetBucketAcl",
        &bucket_arn,
        &context,
    )
    .map_err(refused)?;
    let mut folders = vec![format!("{prefix}AWSLogs/{account}")];
    if organization {
        folders.push(format!("{prefix}AWSLogs/{ORGANIZATION_ID}"));
    }
    for folder in folders {
        let object = format!("{bucket_arn}/{folder}/CloudTrail/probe.json.gz");
        let context = context
            .clone()
            .with("s3:x-amz-acl", "bucket-owner-full-control");
        s3::may(
            services,
            bucket,
            &service,
            "s3:PutObject",
            &object,
            &context,
        )
        .map_err(refused)?;
    }
    if let Some(key) = text("KMSKeyId") {
        let region = arn.split(':').nth(3).unwrap_or_default();
        let unusable = |why: String| {
            ApiError::new(
                "InsufficientEncryptionPolicyException",
                format!(
                    "Insufficient permissions to access S3 bucket {bucket} or KMS key {key} ({why})."
                ),
            )
        };
        let Some(found) = services.kms.find(key, account, region) else {
            return Err(ApiError::new(
                "KmsKeyNotFoundException",
                format!("The KMS key {key} does not exist."),
            ));
        };
        if found.region != bucket_region {
            return Err(unusable(format!(
                "the key is not in the bucket's Region {bucket_region}"
            )));
        }
        let encryption = context
            .clone()
            .with("kms:EncryptionContext:aws:cloudtrail:arn", arn);
        for (action, context) in [
            ("kms:GenerateDataKey", &encryption),
            ("kms:DescribeKey", &context),
        ] {
            let verdict = kms::may_use(
                services,
                key,
                (account, region),
                &service,
                &[action],
                context,
            );
            if !verdict.allowed {
                return Err(unusable(verdict.reason));
            }
        }
    }
    Ok(())
}

/// Starts or stops logging.
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

/// The members `CreateTrail` and `UpdateTrail` share with the template, by their API names.
const MEMBERS: [(&str, &str); 10] = [
    ("S3BucketName", "S3BucketName"),
    ("S3KeyPrefix", "S3KeyPrefix"),
    ("SnsTopicName", "SnsTopicName"),
    ("IncludeGlobalServiceEvents", "IncludeGlobalServiceEvents"),
    ("IsMultiRegionTrail", "IsMultiRegionTrail"),
    ("EnableLogFileValidation", "EnableLogFileValidation"),
    ("CloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn"),
    ("CloudWatchLogsRoleArn", "CloudWatchLogsRoleArn"),
    ("KmsKeyId", "KMSKeyId"),
    ("IsOrganizationTrail", "IsOrganizationTrail"),
];

/// Answers one CloudTrail action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "DescribeTrails" => {
            let input = Input::new(input, &["trailNameList", "includeShadowTrails"])?;
            let wanted: Vec<&str> = input.texts("trailNameList")?;
            let shadows = input.boolean("includeShadowTrails")? != Some(false);
            let trails: Vec<Value> = visible(services, caller)
                .filter(|trail| {
                    let home = trail.region == caller.region && trail.account == caller.account;
                    (shadows || home)
                        && (wanted.is_empty()
                            || wanted.contains(&trail.name.as_str())
                            || wanted.contains(&trail.arn.as_str()))
                })
                .map(describe)
                .collect();
            Ok(json!({"trailList": trails}))
        }
        "ListTrails" => {
            Input::new(input, &["NextToken"])?;
            let trails: Vec<Value> = visible(services, caller)
                .map(|trail| json!({"TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.region}))
                .collect();
            Ok(json!({"Trails": trails}))
        }
        "GetTrail" => {
            let input = Input::new(input, &["Name"])?;
            Ok(json!({"Trail": describe(find(services, caller, input)?)}))
        }
        "GetTrailStatus" => {
            let input = Input::new(input, &["Name"])?;
            let trail = find(services, caller, input)?;
            let mut answer = json!({"IsLogging": trail.logging});
            if let Some(answer) = answer.as_object_mut() {
                if let Some(started) = trail.started {
                    answer.insert("StartLoggingTime".to_owned(), epoch(started));
                    answer.insert("LatestDeliveryTime".to_owned(), epoch(started));
                }
                if let Some(stopped) = trail.stopped {
                    answer.insert("StopLoggingTime".to_owned(), epoch(stopped));
                }
            }
            Ok(answer)
        }
        "GetEventSelectors" => {
            let input = Input::new(input, &["TrailName"])?;
            let trail = find_by(services, caller, input.required("TrailName")?)?;
            let selectors = trail.properties.get("EventSelectors").cloned().unwrap_or_else(|| {
                json!([{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": []}])
            });
            Ok(json!({"TrailARN": trail.arn, "EventSelectors": selectors}))
        }
        "ListTags" => {
            let input = Input::new(input, &["ResourceIdList", "NextToken"])?;
            let mut list = Vec::new();
            for arn in input.texts::<&str>("ResourceIdList")? {
                let trail = find_by(services, caller, arn)?;
                list.push(json!({"ResourceId": arn, "TagsList": tags(&trail.properties)}));
            }
            Ok(json!({"ResourceTagList": list}))
        }
        "StartLogging" | "StopLogging" => {
            let input = Input::new(input, &["Name"])?;
            let now = services.environment.now;
            let trail = own(services, caller, input.required("Name")?)?;
            set_logging(trail, action == "StartLogging", now);
            Ok(json!({}))
        }
        "DeleteTrail" => {
            let input = Input::new(input, &["Name"])?;
            let arn = own(services, caller, input.required("Name")?)?.arn.clone();
            services.cloudtrail.trails.remove(&arn);
            Ok(json!({}))
        }
        "CreateTrail" | "UpdateTrail" => {
            let mut allowed: Vec<&str> = MEMBERS.iter().map(|(name, _)| *name).collect();
            allowed.extend(["Name", "TagsList"]);
            let input = Input::new(input, &allowed)?;
            let name = input.required("Name")?;
            let mut properties = if action == "CreateTrail" {
                let mut properties = Map::new();
                properties.insert("IncludeGlobalServiceEvents".to_owned(), json!(true));
                properties
            } else {
                own(services, caller, name)?.properties.clone()
            };
            for (member, property) in MEMBERS {
                if let Some(value) = input.value(member) {
                    properties.insert(property.to_owned(), value.clone());
                }
            }
            if let Some(tags) = input.value("TagsList") {
                properties.insert("Tags".to_owned(), tags.clone());
            }
            let arn = if action == "CreateTrail" {
                create_trail(services, &caller.account, &caller.region, name, properties)?
            } else {
                let arn = own(services, caller, name)?.arn.clone();
                validate(services, &caller.account, &arn, &properties)?;
                own(services, caller, name)?.properties = properties;
                arn
            };
            Ok(describe(find_by(services, caller, &arn)?))
        }
        _ => Err(ApiError::unknown_action("cloudtrail", action)),
    }
}

/// The trails an account sees in a Region: its own there, its multi-Region ones of other Regions,
/// and the organization's.
fn visible<'w>(services: &'w Services, caller: &'w Caller) -> impl Iterator<Item = &'w Trail> {
    services
        .cloudtrail
        .trails
        .values()
        .filter(|trail| trail.covers(services, &caller.account, &caller.region))
}

fn find<'w>(
    services: &'w Services,
    caller: &'w Caller,
    input: Input<'_>,
) -> Result<&'w Trail, ApiError> {
    find_by(services, caller, input.required("Name")?)
}

fn find_by<'w>(
    services: &'w Services,
    caller: &'w Caller,
    name: &str,
) -> Result<&'w Trail, ApiError> {
    visible(services, caller)
        .find(|trail| trail.arn == name || trail.name == name && trail.region == caller.region)
        .ok_or_else(|| unknown_trail(caller, name))
}

fn unknown_trail(caller: &Caller, name: &str) -> ApiError {
    ApiError::new(
        "TrailNotFoundException",
        format!("Unknown trail: {name} for the user: {}", caller.account),
    )
}

/// A trail the caller may change: its own, and in its home Region.
fn own<'w>(
    services: &'w mut Services,
    caller: &Caller,
    name: &str,
) -> Result<&'w mut Trail, ApiError> {
    let arn = if name.starts_with("arn:") {
        name.to_owned()
    } else {
        trail_arn(&caller.account, &caller.region, name)
    };
    let trail = services
        .cloudtrail
        .trails
        .get_mut(&arn)
        .ok_or_else(|| unknown_trail(caller, name))?;
    if trail.account != caller.account {
        return Err(ApiError::new(
            "NotOrganizationMasterAccountException",
            "Only the management account may change the organization's trail.",
        ));
    }
    if trail.region != caller.region {
        return Err(ApiError::new(
            "InvalidHomeRegionException",
            format!(
                "The trail {name} can only be changed in its home Region {}.",
                trail.region
            ),
        ));
    }
    Ok(trail)
}

fn describe(trail: &Trail) -> Value {
    let mut answer = json!({
        "Name": trail.name,
        "TrailARN": trail.arn,
        "HomeRegion": trail.region,
        "IncludeGlobalServiceEvents": trail.flag("IncludeGlobalServiceEvents"),
        "IsMultiRegionTrail": trail.flag("IsMultiRegionTrail"),
        "IsOrganizationTrail": trail.organization(),
        "LogFileValidationEnabled": trail.flag("EnableLogFileValidation"),
        "HasCustomEventSelectors": trail.properties.contains_key("EventSelectors"),
        "HasInsightSelectors": false,
    });
    if let Some(answer) = answer.as_object_mut() {
        for (member, property) in MEMBERS {
            if let Some(value @ Value::String(_)) = trail.properties.get(property) {
                answer.insert(member.to_owned(), value.clone());
            }
        }
    }
    answer
}
