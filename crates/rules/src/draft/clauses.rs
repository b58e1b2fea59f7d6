//! Derives a draft's pattern from an event, and a change that makes the event a near miss.

use cloudtrail::envelope::{
    API_CALL, SERVICE_EVENT, SIGN_IN, SIGN_IN_IN_GUIDE, is_from_cloudtrail,
};
use serde_json::{Map, Value, json};

/// Fields that tell the kind of a service's own event, most specific first.
const KINDS: [&str; 10] = [
    "type",
    "state",
    "status",
    "state/value",
    "newEvaluationResult/complianceType",
    "eventTypeCode",
    "event",
    "action",
    "result",
    "operation",
];
/// Most of these fields in a pattern.
const MAX_KINDS: usize = 2;

/// The pattern and related parts of the draft.
#[derive(Debug)]
pub(super) struct Clauses {
    pub(super) pattern: Value,
    /// The event name or the detail type.
    pub(super) subject: String,
    pub(super) tags: Vec<String>,
    pub(super) near_miss: NearMiss,
}

/// A change that turns the event into a near miss.
#[derive(Debug)]
pub(super) struct NearMiss {
    pub(super) name: String,
    /// The change, if the fixture is a CloudTrail record.
    pub(super) record: Value,
    /// The change, if the fixture is a whole event.
    pub(super) event: Value,
}

impl NearMiss {
    /// A change of the record, which is below `detail` in a whole event.
    fn of_detail(name: impl Into<String>, change: Value) -> Self {
        Self {
            name: name.into(),
            event: json!({ "detail": change }),
            record: change,
        }
    }
}

impl Clauses {
    /// Derives the clauses from a whole event.
    pub(super) fn of(event: &Value) -> Self {
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let (source, detail_type) = (text("source"), text("detail-type"));
        let detail = event.get("detail").unwrap_or(&Value::Null);
        let service = source.strip_prefix("aws.").unwrap_or(source);
        let name = detail.get("eventName").and_then(Value::as_str);
        let mut pattern = Map::new();
        pattern.insert("source".to_owned(), json!([source]));
        let (types, below, near_miss) = match name {
            Some(name) if is_from_cloudtrail(detail_type) => call(detail_type, detail, name),
            _ => own_event(detail_type, detail),
        };
        pattern.insert("detail-type".to_owned(), json!(types));
        if !below.is_empty() {
            pattern.insert("detail".to_owned(), Value::Object(below));
        }
        Self {
            pattern: Value::Object(pattern),
            subject: name.unwrap_or(detail_type).to_owned(),
            tags: vec![format!("service.{service}")],
            near_miss,
        }
    }
}

type Parts = (Vec<String>, Map<String, Value>, NearMiss);

/// An event from CloudTrail.
fn call(detail_type: &str, detail: &Value, name: &str) -> Parts {
    let mut below = Map::new();
    if let Some(source) = detail.get("eventSource") {
        below.insert("eventSource".to_owned(), json!([source]));
    }
    below.insert("eventName".to_owned(), json!([name]));
    // Root activity deserves its own rule, so the pattern keeps the identity type only for root.
    if detail.pointer("/userIdentity/type") == Some(&json!("Root")) {
        below.insert("userIdentity".to_owned(), json!({"type": ["Root"]}));
    }
    if detail_type == SERVICE_EVENT {
        let near_miss = NearMiss {
            name: "a call of that name, not the service's own doing".to_owned(),
            record: json!({"eventType": "AwsApiCall"}),
            event: json!({"detail-type": API_CALL, "detail": {"eventType": "AwsApiCall"}}),
        };
        return (vec![detail_type.to_owned()], below, near_miss);
    }
    // Sign-ins have no error code; the outcome is in `responseElements`.
    let outcome = detail
        .get("responseElements")
        .and_then(|answer| answer.get(name))
        .and_then(Value::as_str);
    if let Some(outcome) = outcome {
        below.insert("responseElements".to_owned(), json!({name: [outcome]}));
        let no_mfa = detail.pointer("/additionalEventData/MFAUsed") == Some(&json!("No"));
        if no_mfa && outcome == "Success" {
            below.insert("additionalEventData".to_owned(), json!({"MFAUsed": ["No"]}));
        }
        let other = if outcome == "Success" {
            "Failure"
        } else {
            "Success"
        };
        let near_miss = NearMiss::of_detail(
            format!("the outcome is {other}"),
            json!({"responseElements": {name: other}}),
        );
        return (both_spellings(detail_type), below, near_miss);
    }
    let near_miss = if let Some(code) = detail.get("errorCode").and_then(Value::as_str) {
        below.insert("errorCode".to_owned(), json!([code]));
        NearMiss::of_detail(
            "the call was accepted",
            json!({"errorCode": null, "errorMessage": null}),
        )
    } else {
        below.insert("errorCode".to_owned(), json!([{"exists": false}]));
        NearMiss::of_detail(
            "the call was denied",
            json!({"errorCode": "AccessDenied", "responseElements": null}),
        )
    };
    (both_spellings(detail_type), below, near_miss)
}

/// AWS's guide and the events spell one detail type differently.
fn both_spellings(detail_type: &str) -> Vec<String> {
    let both = [SIGN_IN, SIGN_IN_IN_GUIDE];
    if both.contains(&detail_type) {
        both.map(str::to_owned).to_vec()
    } else {
        vec![detail_type.to_owned()]
    }
}

/// An event that a service sends directly.
fn own_event(detail_type: &str, detail: &Value) -> Parts {
    let mut below = Map::new();
    let mut near_miss = NearMiss {
        name: "another kind of event of that source".to_owned(),
        record: json!({}),
        event: json!({"detail-type": "Something Else"}),
    };
    let mut found = 0;
    for path in KINDS {
        let value = detail.pointer(&format!("/{path}")).and_then(Value::as_str);
        let Some(value) = value.filter(|value| value.len() <= 200) else {
            continue;
        };
        let nested = |value: Value| {
            path.rsplit('/')
                .fold(value, |below, step| json!({ step: below }))
        };
        if let Value::Object(clause) = nested(json!([value])) {
            below.extend(clause);
        }
        if found == 0 {
            let words = path.replace('/', " ");
            near_miss =
                NearMiss::of_detail(format!("another {words}"), nested(json!("something else")));
        }
        found += 1;
        if found == MAX_KINDS {
            break;
        }
    }
    (vec![detail_type.to_owned()], below, near_miss)
}
