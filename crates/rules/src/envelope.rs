//! From a CloudTrail record to the event that `EventBridge` makes of it.
//!
//! The rules of `EventBridge`'s guide
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>),
//! except for one spelling: the guide prints `AWS Console Signin via CloudTrail`, the events
//! themselves say `AWS Console Sign In via CloudTrail`.

use serde_json::{Map, Value, json};

/// The value is neither a CloudTrail record nor an `EventBridge` event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a JSON object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A field that is needed is missing or has another type.
    #[error("`{field}` of the {kind} is missing or not {wanted}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// `CloudTrail record` or `EventBridge event`.
        kind: &'static str,
        /// What it has to be.
        wanted: &'static str,
    },
    /// A record of a kind that isn't sent to `EventBridge`, or of an unknown one.
    #[error("a CloudTrail record of the eventType `{0}` does not become an EventBridge event")]
    EventType(String),
    /// Neither a record nor an event.
    #[error(
        "neither a CloudTrail record (`eventSource`, `eventName`) nor an EventBridge event (`source`, `detail-type`, `detail`)"
    )]
    Unknown,
}

/// Wraps a CloudTrail record into the event that reaches the default bus.
///
/// `source` is `aws.` and the first part of `eventSource`, `detail-type` follows from
/// `eventType`, `account` is `recipientAccountId` (the account whose trail recorded the call),
/// `region`, `time` and `id` are the record's own. AWS gives the event an id of its own; the
/// record's makes the result repeatable.
///
/// What old or shortened records lack is filled in: the caller's account for
/// `recipientAccountId`, `AwsApiCall` for `eventType` (a field since record version 1.02), the
/// start of 1970 for `eventTime` and a nil UUID for `eventID`.
///
/// ```
/// let record = serde_json::json!({
///     "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "eventType": "AwsConsoleSignIn",
///     "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "us-east-1", "recipientAccountId": "012345678901",
///     "eventID": "6f0c1f6e-0b3f-4bb1-9b0e-5f3b0f3e7a11",
/// });
/// let event = rules::envelope::wrap(&record)?;
/// assert_eq!(event["source"], "aws.signin");
/// assert_eq!(event["detail-type"], "AWS Console Sign In via CloudTrail");
/// # Ok::<(), rules::envelope::EnvelopeError>(())
/// ```
pub fn wrap(record: &Value) -> Result<Value, EnvelopeError> {
    let object = record.as_object().ok_or(EnvelopeError::NotAnObject)?;
    let event_source = text(object, "eventSource")?;
    let service = event_source
        .strip_suffix(".amazonaws.com")
        .unwrap_or(event_source);
    let event_type = text(object, "eventType").unwrap_or("AwsApiCall");
    let detail_type =
        detail_type(event_type).ok_or_else(|| EnvelopeError::EventType(event_type.to_owned()))?;
    let account = match text(object, "recipientAccountId") {
        Ok(account) => account,
        Err(error) => object
            .get("userIdentity")
            .and_then(|identity| identity.get("accountId"))
            .and_then(Value::as_str)
            .ok_or(error)?,
    };
    Ok(json!({
        "version": "0",
        "id": text(object, "eventID").unwrap_or("00000000-0000-0000-0000-000000000000"),
        "detail-type": detail_type,
        "source": format!("aws.{service}"),
        "account": account,
        "time": text(object, "eventTime").unwrap_or("1970-01-01T00:00:00Z"),
        "region": text(object, "awsRegion")?,
        "resources": [],
        "detail": record,
    }))
}

/// The event of a value that is either a whole event, which passes through unchanged, or a
/// CloudTrail record, which is wrapped.
pub fn of(value: &Value) -> Result<Value, EnvelopeError> {
    let object = value.as_object().ok_or(EnvelopeError::NotAnObject)?;
    if object.contains_key("detail-type") || object.contains_key("detail") {
        for field in ["id", "detail-type", "source", "account", "time", "region"] {
            if !object.get(field).is_some_and(Value::is_string) {
                return Err(event_field(field, "text"));
            }
        }
        if !object.get("detail").is_some_and(Value::is_object) {
            return Err(event_field("detail", "an object"));
        }
        return Ok(value.clone());
    }
    if object.contains_key("eventSource") || object.contains_key("eventName") {
        return wrap(value);
    }
    Err(EnvelopeError::Unknown)
}

fn event_field(field: &'static str, wanted: &'static str) -> EnvelopeError {
    EnvelopeError::Field {
        field,
        kind: "EventBridge event",
        wanted,
    }
}

fn text<'a>(record: &'a Map<String, Value>, field: &'static str) -> Result<&'a str, EnvelopeError> {
    record
        .get(field)
        .and_then(Value::as_str)
        .ok_or(EnvelopeError::Field {
            field,
            kind: "CloudTrail record",
            wanted: "text",
        })
}

fn detail_type(event_type: &str) -> Option<&'static str> {
    Some(match event_type {
        "AwsApiCall" => "AWS API Call via CloudTrail",
        "AwsServiceEvent" => "AWS Service Event via CloudTrail",
        "AwsConsoleAction" => "AWS Console Action via CloudTrail",
        // Both capitalisations occur in records.
        "AwsConsoleSignIn" | "AwsConsoleSignin" => "AWS Console Sign In via CloudTrail",
        "AwsCloudTrailInsight" => "AWS Insight via CloudTrail",
        "AwsVpceEvent" => "AWS Network Activity Event via CloudTrail",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Value {
        json!({
            "eventSource": "monitoring.amazonaws.com", "eventName": "DeleteAlarms", "eventType": "AwsApiCall",
            "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "eu-central-1", "recipientAccountId": "012345678901",
            "eventID": "6f0c1f6e-0b3f-4bb1-9b0e-5f3b0f3e7a11", "userIdentity": {"accountId": "111122223333"},
        })
    }

    #[test]
    fn the_envelope_says_what_the_record_says() {
        let event = wrap(&record()).unwrap();
        assert_eq!(event["source"], "aws.monitoring");
        assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
        assert_eq!(event["account"], "012345678901");
        assert_eq!(event["region"], "eu-central-1");
        assert_eq!(event["time"], "2026-11-23T03:00:00Z");
        assert_eq!(event["resources"], json!([]));
        assert_eq!(event["detail"], record());
    }

    #[test]
    fn an_old_record_has_the_callers_account() {
        let mut old = record();
        old.as_object_mut().unwrap().remove("recipientAccountId");
        assert_eq!(wrap(&old).unwrap()["account"], "111122223333");
    }

    #[test]
    fn a_shortened_record_is_filled_in() {
        let mut short = record();
        for field in ["eventType", "eventTime", "eventID"] {
            short.as_object_mut().unwrap().remove(field);
        }
        let event = wrap(&short).unwrap();
        assert_eq!(event["detail-type"], "AWS API Call via CloudTrail");
        assert_eq!(event["time"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_whole_event_passes_unchanged() {
        let event = wrap(&record()).unwrap();
        assert_eq!(of(&event).unwrap(), event);
        assert_eq!(of(&record()).unwrap(), event);
    }

    #[test]
    fn what_is_missing_is_named() {
        let mut bad = record();
        bad.as_object_mut().unwrap().remove("awsRegion");
        assert_eq!(
            of(&bad).unwrap_err().to_string(),
            "`awsRegion` of the CloudTrail record is missing or not text"
        );
        assert_eq!(of(&json!({"a": 1})), Err(EnvelopeError::Unknown));
        assert_eq!(of(&json!([])), Err(EnvelopeError::NotAnObject));
        let mut event = wrap(&record()).unwrap();
        event["account"] = json!(12_345_678_901_u64);
        assert_eq!(
            of(&event).unwrap_err().to_string(),
            "`account` of the EventBridge event is missing or not text"
        );
    }
}
