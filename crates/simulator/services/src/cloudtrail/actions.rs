//! The API actions of CloudTrail.

#![expect(
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    reason = "the signature of all handlers"
)]

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    CloudTrail, Recorded, Trail, create_trail as create, selectors, set_logging as set, trail_arn,
    validate,
};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::environment::Surprise;
use crate::organizations::Organization;
use crate::wire::api::{ApiError, Caller};
use crate::wire::listing;
use crate::wire::time::epoch;
use crate::{Services, tags};

/// Most events in an answer of `LookupEvents`.
const LOOKED_UP: usize = 50;

actions! {
    /// All actions of CloudTrail.
    pub(crate) ACTIONS of "cloudtrail" {
        Reads DescribeTrails (anything) cloudtrail(describe_trails);
        Reads ListTrails (anything) cloudtrail(list_trails);
        Reads GetTrail (|it: &GetTrail, by| arn(by, &it.name)) cloudtrail(get_trail);
        Reads GetTrailStatus (|it: &GetTrailStatus, by| arn(by, &it.name))
            cloudtrail(get_trail_status);
        Reads GetEventSelectors (|it: &GetEventSelectors, by| arn(by, &it.trail_name))
            cloudtrail(get_event_selectors);
        Reads ListTags (anything) cloudtrail(list_tags);
        Reads LookupEvents (anything) cloudtrail(lookup_events);
        Changes StartLogging (|it: &StartLogging, by| arn(by, &it.name))
            cloudtrail(set_logging::<true>);
        Changes StopLogging (|it: &StopLogging, by| arn(by, &it.name))
            cloudtrail(set_logging::<false>);
        Changes DeleteTrail (|it: &DeleteTrail, by| arn(by, &it.name)) cloudtrail(delete_trail);
        Changes CreateTrail (|it: &CreateTrail, by| arn(by, &it.name)) services(create_trail);
        Changes PutEventSelectors (|it: &PutEventSelectors, by| arn(by, &it.trail_name))
            services(put_event_selectors);
        Changes UpdateTrail (|it: &UpdateTrail, by| arn(by, &it.name)) services(update_trail);
    }
}

requests! {
    #[expect(dead_code, reason = "all trails fit on one page")]
    struct ListTrails { next_token: Option<String> }
    struct GetTrail, GetTrailStatus, StartLogging, StopLogging, DeleteTrail { name: String }
    struct GetEventSelectors { trail_name: String }
    struct LookupEvents {
        #[serde(default)] lookup_attributes: Vec<LookupAttribute>,
        start_time: Option<f64>, end_time: Option<f64>,
        max_results: Option<usize>, next_token: Option<String>,
    }
    struct LookupAttribute { attribute_key: LookupKey, attribute_value: String }
    struct PutEventSelectors {
        trail_name: String, event_selectors: Option<Value>,
        advanced_event_selectors: Option<Value>,
    }
    #[expect(dead_code, reason = "all tags fit on one page")]
    struct ListTags {
        #[serde(default)] resource_id_list: Vec<String>, next_token: Option<String>,
    }
}

/// The ARN of a trail that a request gives by name or ARN.
fn arn(caller: &Caller, name: &str) -> String {
    if name.starts_with("arn:") {
        name.to_owned()
    } else {
        trail_arn(&caller.account, &caller.region, name)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DescribeTrails {
    #[serde(default)]
    trail_name_list: Vec<String>,
    include_shadow_trails: Option<bool>,
}

fn describe_trails(
    request: DescribeTrails,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let caller = context.caller;
    let wanted = request.trail_name_list;
    let shadows = request.include_shadow_trails != Some(false);
    let trails: Vec<Value> = visible(cloudtrail, context.organization, caller)
        .filter(|trail| {
            let home = trail.region == caller.region && trail.account == caller.account;
            (shadows || home)
                && (wanted.is_empty()
                    || wanted.contains(&trail.name)
                    || wanted.contains(&trail.arn))
        })
        .map(describe)
        .collect();
    Ok(json!({"trailList": trails}))
}

fn list_trails(_: ListTrails, cloudtrail: &mut CloudTrail, context: &mut Context<'_>) -> Answer {
    let trails: Vec<Value> = visible(cloudtrail, context.organization, context.caller)
        .map(|trail| json!({"TrailARN": trail.arn, "Name": trail.name, "HomeRegion": trail.region}))
        .collect();
    Ok(json!({"Trails": trails}))
}

fn get_trail(request: GetTrail, cloudtrail: &mut CloudTrail, context: &mut Context<'_>) -> Answer {
    let trail = find(
        cloudtrail,
        context.organization,
        context.caller,
        &request.name,
    )?;
    Ok(json!({"Trail": describe(trail)}))
}

fn get_trail_status(
    request: GetTrailStatus,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let trail = find(
        cloudtrail,
        context.organization,
        context.caller,
        &request.name,
    )?;
    let mut answer = Map::new();
    let is_off = context
        .environment
        .trails_off
        .contains(&context.caller.region);
    answer.insert("IsLogging".to_owned(), json!(trail.logging && !is_off));
    for (name, time) in [
        ("StartLoggingTime", trail.started),
        ("LatestDeliveryTime", trail.started),
        ("StopLoggingTime", trail.stopped),
    ] {
        if let Some(time) = time {
            answer.insert(name.to_owned(), epoch(time));
        }
    }
    let refused = Surprise::LogFilesAreRefused;
    if trail.logging && context.environment.surprises(refused) {
        answer.insert("LatestDeliveryError".to_owned(), json!("AccessDenied"));
    }
    Ok(Value::Object(answer))
}

fn get_event_selectors(
    request: GetEventSelectors,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let name = &request.trail_name;
    let trail = find(cloudtrail, context.organization, context.caller, name)?;
    let (kind, list) = selectors::describe(&trail.properties);
    Ok(json!({"TrailARN": trail.arn, kind: list}))
}

/// Replaces the selectors of either kind.
fn put_event_selectors(
    request: PutEventSelectors,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let trail = own(&mut services.cloudtrail, caller, &request.trail_name)?;
    let mut properties = trail.properties.clone();
    for (name, value) in [
        ("EventSelectors", request.event_selectors),
        ("AdvancedEventSelectors", request.advanced_event_selectors),
    ] {
        match value {
            Some(value) => properties.insert(name.to_owned(), value),
            None => properties.shift_remove(name),
        };
    }
    selectors::check(&properties)?;
    trail.properties = properties;
    let (kind, list) = selectors::describe(&trail.properties);
    Ok(json!({"TrailARN": trail.arn, kind: list}))
}

fn list_tags(request: ListTags, cloudtrail: &mut CloudTrail, context: &mut Context<'_>) -> Answer {
    let mut list = Vec::new();
    for arn in &request.resource_id_list {
        let trail = find(cloudtrail, context.organization, context.caller, arn)?;
        list.push(json!({"ResourceId": arn, "TagsList": tags(&trail.properties)}));
    }
    Ok(json!({"ResourceTagList": list}))
}

fn set_logging<const ON: bool>(
    request: StartLogging,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let trail = own(cloudtrail, context.caller, &request.name)?;
    set(trail, ON, context.environment.now);
    Ok(json!({}))
}

fn delete_trail(
    request: DeleteTrail,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let arn = own(cloudtrail, context.caller, &request.name)?.arn.clone();
    cloudtrail.trails.remove(&arn);
    Ok(json!({}))
}

/// The attributes by which the simulator can look events up.
#[derive(Debug, Clone, Copy, Deserialize)]
enum LookupKey {
    EventName,
}

/// The event history of the caller's account and Region, newest first.
fn lookup_events(
    request: LookupEvents,
    cloudtrail: &mut CloudTrail,
    context: &mut Context<'_>,
) -> Answer {
    let size = request.max_results.unwrap_or(LOOKED_UP);
    if !(1..=LOOKED_UP).contains(&size) {
        return Err(ApiError::new(
            "InvalidMaxResultsException",
            format!("MaxResults must be between 1 and {LOOKED_UP}."),
        ));
    }
    let (from, to) = (request.start_time, request.end_time);
    let Caller {
        account, region, ..
    } = context.caller;
    let is_asked_for = |event: &&Recorded| {
        let at = event.at.as_duration().as_secs_f64();
        (&event.account, &event.region) == (account, region)
            && from.is_none_or(|from| at >= from)
            && to.is_none_or(|to| at <= to)
            && request
                .lookup_attributes
                .iter()
                .all(|it| match it.attribute_key {
                    LookupKey::EventName => event.name == it.attribute_value,
                })
    };
    let events = cloudtrail.history.iter().rev().filter(is_asked_for);
    let events = events
        .map(|event| {
            json!({
                "EventName": event.name,
                "EventTime": epoch(event.at),
                "CloudTrailEvent": &*event.record,
            })
        })
        .collect();
    listing("Events", events, request.next_token.as_deref(), size)
}

/// Serializes to the template's property names.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct CreateTrail {
    #[serde(skip_serializing)]
    name: String,
    s3_bucket_name: Option<String>,
    s3_key_prefix: Option<String>,
    sns_topic_name: Option<String>,
    include_global_service_events: Option<bool>,
    is_multi_region_trail: Option<bool>,
    enable_log_file_validation: Option<bool>,
    cloud_watch_logs_log_group_arn: Option<String>,
    cloud_watch_logs_role_arn: Option<String>,
    #[serde(rename(serialize = "KMSKeyId"))]
    kms_key_id: Option<String>,
    is_organization_trail: Option<bool>,
    #[serde(rename(serialize = "Tags"))]
    tags_list: Option<Value>,
}

type UpdateTrail = CreateTrail;

impl CreateTrail {
    /// Overwrites only the properties in the request.
    fn write_to(&self, properties: &mut Map<String, Value>) -> Result<(), ApiError> {
        let written =
            serde_json::to_value(self).map_err(|error| ApiError::validation(error.to_string()))?;
        let members = written.as_object().into_iter().flatten();
        for (name, value) in members.filter(|(_, value)| !value.is_null()) {
            properties.insert(name.clone(), value.clone());
        }
        Ok(())
    }
}

fn create_trail(request: CreateTrail, services: &mut Services, caller: &Caller) -> Answer {
    let mut properties = Map::new();
    properties.insert("IncludeGlobalServiceEvents".to_owned(), json!(true));
    request.write_to(&mut properties)?;
    let Caller {
        account, region, ..
    } = caller;
    let arn = create(services, account, region, &request.name, properties)?;
    Ok(describe(own(&mut services.cloudtrail, caller, &arn)?))
}

fn update_trail(request: UpdateTrail, services: &mut Services, caller: &Caller) -> Answer {
    let trail = own(&mut services.cloudtrail, caller, &request.name)?;
    let (arn, mut properties) = (trail.arn.clone(), trail.properties.clone());
    request.write_to(&mut properties)?;
    validate(services, &caller.account, &arn, &mut properties)?;
    let trail = own(&mut services.cloudtrail, caller, &arn)?;
    trail.properties = properties;
    Ok(describe(trail))
}

/// The trails visible to an account in a Region: its own there, its multi-Region trails from other
/// Regions, and the organization's. A name finds only those of the caller's own account and Region.
fn visible<'a>(
    cloudtrail: &'a CloudTrail,
    organization: &'a Organization,
    caller: &'a Caller,
) -> impl Iterator<Item = &'a Trail> {
    let trails = cloudtrail.trails.values();
    trails.filter(|trail| trail.covers(organization, &caller.account, &caller.region))
}

fn find<'a>(
    cloudtrail: &'a CloudTrail,
    organization: &'a Organization,
    caller: &'a Caller,
    name: &str,
) -> Result<&'a Trail, ApiError> {
    visible(cloudtrail, organization, caller)
        .find(|trail| trail.arn == name || *trail.arn == arn(caller, name))
        .ok_or_else(|| unknown_trail(caller, name))
}

fn unknown_trail(caller: &Caller, name: &str) -> ApiError {
    ApiError::new(
        "TrailNotFoundException",
        format!("Unknown trail: {name} for the user: {}", caller.account),
    )
}

/// A trail that the caller may change: its own, in the trail's home Region.
fn own<'a>(
    cloudtrail: &'a mut CloudTrail,
    caller: &Caller,
    name: &str,
) -> Result<&'a mut Trail, ApiError> {
    let arn = arn(caller, name);
    let trail = cloudtrail
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
        "HasCustomEventSelectors": selectors::are_custom(&trail.properties),
        "HasInsightSelectors": false,
    });
    for (member, property) in [
        ("S3BucketName", "S3BucketName"),
        ("S3KeyPrefix", "S3KeyPrefix"),
        ("SnsTopicName", "SnsTopicName"),
        ("CloudWatchLogsLogGroupArn", "CloudWatchLogsLogGroupArn"),
        ("CloudWatchLogsRoleArn", "CloudWatchLogsRoleArn"),
        ("KmsKeyId", "KMSKeyId"),
    ] {
        if let (Some(value), Some(answer)) =
            (trail.properties.get(property), answer.as_object_mut())
        {
            answer.insert(member.to_owned(), value.clone());
        }
    }
    answer
}
