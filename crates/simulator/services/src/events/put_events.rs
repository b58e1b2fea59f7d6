//! `PutEvents`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Origin, arrive, not_found, validation};
use crate::action::Answer;
use crate::environment::Cloud;
use crate::policy::{Context, Named, Request, Verdict, combine};
use crate::wire::api::{ApiError, Caller};
use crate::{Services, Trace, iam};

/// Maximum entries per call.
const ENTRIES: usize = 10;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
pub(super) struct PutEvents {
    #[serde(default)]
    entries: Vec<Entry>,
}

/// Entries are refused individually, so required fields are `Option`s here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase")]
struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    event_bus_name: Option<String>,
    #[serde(default)]
    resources: Vec<String>,
    _time: Option<Value>,
}

pub(super) fn put_events(request: PutEvents, cloud: &mut Cloud<'_>, caller: &Caller) -> Answer {
    let entries = request.entries;
    if entries.is_empty() || entries.len() > ENTRIES {
        return Err(validation(format!(
            "Entries must have 1 to {ENTRIES} members."
        )));
    }
    let mut answers = Vec::new();
    let mut failed = 0;
    for entry in entries {
        match put_event(cloud, caller, entry) {
            Ok(id) => answers.push(json!({"EventId": id})),
            Err(error) => {
                failed += 1;
                answers.push(json!({"ErrorCode": error.code, "ErrorMessage": error.message}));
            }
        }
    }
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

fn put_event(cloud: &mut Cloud<'_>, caller: &Caller, entry: Entry) -> Result<String, ApiError> {
    let source = required(entry.source, "Source")?;
    let detail_type = required(entry.detail_type, "DetailType")?;
    let detail = required(entry.detail, "Detail")?;
    if source.starts_with("aws.") {
        return Err(ApiError::new(
            "NotAuthorizedForSourceException",
            "Not authorized for the source.",
        ));
    }
    let detail: Value = serde_json::from_str(&detail)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| ApiError::new("MalformedDetail", "Detail is malformed."))?;
    let reference = entry.event_bus_name.as_deref().unwrap_or("default");
    let context = Context::new()
        .with("events:source", source.as_str())
        .with("events:detail-type", detail_type.as_str());
    let (account, region, name) = permitted_bus(cloud, caller, reference, context)?;
    let id = cloud.environment.uuid();
    let now = cloud.environment.now;
    let event = json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": caller.account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": region,
        "resources": entry.resources,
        "detail": detail,
    });
    let origin = if account == caller.account && region == caller.region {
        Origin::Here
    } else {
        Origin::Forwarded
    };
    let bus = (account.as_str(), region.as_str(), name.as_str());
    arrive(cloud, bus, &event, origin, &mut Trace::default());
    Ok(id)
}

fn required(text: Option<String>, name: &str) -> Result<String, ApiError> {
    text.filter(|text| !text.is_empty()).ok_or_else(|| {
        ApiError::new(
            "InvalidArgument",
            format!("Parameter {name} is not valid. Reason: {name} is a required argument."),
        )
    })
}

/// Account, Region and name of the bus, if the caller may put events on it.
fn permitted_bus(
    services: &mut Services,
    caller: &Caller,
    reference: &str,
    context: Context,
) -> Result<(String, String, String), ApiError> {
    let (account, region) = (&caller.account, &caller.region);
    services.events.bus_mut(account, region, reference)?;
    let services = &*services;
    let bus = services
        .events
        .bus(account, region, reference)
        .ok_or_else(|| not_found(format!("Event bus {reference} does not exist.")))?;
    let context = iam::organization_context(&services.organization, account, context);
    let principal = iam::principal(caller);
    let request = Request::new(principal, "events:PutEvents", &bus.arn, context);
    iam::within_session(services, caller, &request)?;
    let identity = match &caller.role {
        Some(role) => iam::identity(services, role, &request),
        None => Verdict::allow("the account's administrator may"),
    };
    let named = bus.policy.as_ref().map(|document| Named {
        name: format!("bus policy of {}", bus.name),
        document,
    });
    if !combine(&request, &bus.account, &identity, named.as_ref()).allowed {
        return Err(ApiError::denied(caller, "events:PutEvents", &bus.arn));
    }
    Ok((bus.account.clone(), bus.region.clone(), bus.name.clone()))
}
