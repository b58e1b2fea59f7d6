//! Wraps a CloudTrail record into the event that `EventBridge` makes of it.
//!
//! Follows `EventBridge`'s guide
//! (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>),
//! except for one spelling: the guide prints `AWS Console Signin via CloudTrail`, but events have
//! `AWS Console Sign In via CloudTrail`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Category, Head};

/// Event types of records and the detail types of the resulting events. Both capitalizations of the
/// sign-in event type occur in records.
pub const DETAIL_TYPES: [(&str, &str); 7] = [
    ("AwsApiCall", API_CALL),
    ("AwsServiceEvent", SERVICE_EVENT),
    ("AwsConsoleAction", CONSOLE_ACTION),
    ("AwsConsoleSignIn", SIGN_IN),
    ("AwsConsoleSignin", SIGN_IN),
    ("AwsCloudTrailInsight", INSIGHT),
    ("AwsVpceEvent", NETWORK_ACTIVITY),
];
/// Detail types of events that carry a record. It has both spellings of the sign-in type, since
/// patterns use either.
pub const DETAIL_TYPES_OF_CLOUDTRAIL: [&str; 7] = [
    API_CALL,
    CONSOLE_ACTION,
    SIGN_IN,
    SIGN_IN_IN_GUIDE,
    INSIGHT,
    NETWORK_ACTIVITY,
    SERVICE_EVENT,
];
const CONSOLE_ACTION: &str = "AWS Console Action via CloudTrail";
const INSIGHT: &str = "AWS Insight via CloudTrail";
const NETWORK_ACTIVITY: &str = "AWS Network Activity Event via CloudTrail";
/// The detail type of an API call.
pub const API_CALL: &str = "AWS API Call via CloudTrail";
/// The detail type of actions that a service takes on its own.
pub const SERVICE_EVENT: &str = "AWS Service Event via CloudTrail";
/// The detail type of a sign-in, as spelled in events.
pub const SIGN_IN: &str = "AWS Console Sign In via CloudTrail";
/// The detail type of a sign-in, as spelled in the guide. No event has this spelling.
pub const SIGN_IN_IN_GUIDE: &str = "AWS Console Signin via CloudTrail";

/// The `eventID` of a record that has none.
const NIL_ID: &str = "00000000-0000-0000-0000-000000000000";
/// The `eventTime` of a record that has none.
const START: &str = "1970-01-01T00:00:00Z";

/// Events of the service `signin` that IAM Identity Center records as a service.
/// <https://docs.aws.amazon.com/singlesignon/latest/userguide/understanding-sign-in-events.html>
const IDENTITY_CENTER_EVENTS: [&str; 3] = [
    "CredentialChallenge",
    "CredentialVerification",
    "UserAuthentication",
];
/// Operations of the service `signin`, which are API calls; everything else there is a sign-in.
const SIGN_IN_CALLS: [&str; 4] = [
    "BatchRevokeSessions",
    "CreateOAuth2Token",
    "PutConsoleAuthorizationConfiguration",
    "PutResourcePermissionStatement",
];

/// Whether events of this detail type carry a CloudTrail record.
pub fn is_from_cloudtrail(detail_type: &str) -> bool {
    detail_type.ends_with(" via CloudTrail")
}

/// The value is neither a CloudTrail record nor an `EventBridge` event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The value is not a JSON object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A required field is missing or has the wrong type.
    #[error("`{field}` of the {kind} is missing or not {wanted}")]
    Field {
        /// Name of the field in the record or event.
        field: &'static str,
        /// `CloudTrail record` or `EventBridge event`.
        kind: &'static str,
        /// The expected type.
        wanted: &'static str,
    },
    /// CloudTrail doesn't send records of this type to `EventBridge`, or the type is unknown.
    #[error("a CloudTrail record of the eventType `{0}` does not become an EventBridge event")]
    EventType(String),
    /// The object has the fields of neither a record nor an event.
    #[error(
        "neither a CloudTrail record (`eventSource`, `eventName`) nor an EventBridge event (`source`, `detail-type`, `detail`)"
    )]
    Unknown,
}

/// Wraps a CloudTrail record into the event that reaches the default bus.
///
/// `source` is `aws.` and the first part of `eventSource`, `detail-type` follows from
/// `eventType`, `account` is `recipientAccountId` (the account whose trail recorded the call),
/// `region`, `time` and `id` are the record's own. AWS generates a new id for the event; using the
/// record's makes the result deterministic.
///
/// Fields missing from old or shortened records get defaults, which [`assumptions`] lists: the
/// caller's account for `recipientAccountId`, the usual type of the service's events for `eventType`
/// (a field since record version 1.02), the start of 1970 for `eventTime` and a nil UUID for
/// `eventID`.
///
/// ```
/// let record = serde_json::json!({
///     "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "eventType": "AwsConsoleSignIn",
///     "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "us-east-1", "recipientAccountId": "012345678901",
///     "eventID": "6f0c1f6e-0b3f-4bb1-9b0e-5f3b0f3e7a11",
/// });
/// let event = cloudtrail::envelope::wrap(&record)?;
/// assert_eq!(event["source"], "aws.signin");
/// assert_eq!(event["detail-type"], "AWS Console Sign In via CloudTrail");
/// # Ok::<(), cloudtrail::envelope::EnvelopeError>(())
/// ```
pub fn wrap(record: &Value) -> Result<Value, EnvelopeError> {
    if !record.is_object() {
        return Err(EnvelopeError::NotAnObject);
    }
    let head = Head::deserialize(record).map_err(|_| EnvelopeError::Unknown)?;
    let envelope = Envelope::new(&head)?;
    Ok(json!({
        "version": "0",
        "id": envelope.id,
        "detail-type": envelope.detail_type,
        "source": format!("aws.{}", envelope.service),
        "account": envelope.account,
        "time": envelope.time,
        "region": envelope.region,
        "resources": [],
        "detail": record,
    }))
}

/// The envelope around a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// The event's id, which is the record's `eventID`.
    pub id: &'a str,
    /// The event's detail type, such as `AWS API Call via CloudTrail`.
    pub detail_type: &'static str,
    /// The event's source without the prefix `aws.`.
    pub service: &'a str,
    /// The account whose bus receives the event.
    pub account: &'a str,
    /// RFC 3339, UTC.
    pub time: &'a str,
    /// The Region in which the call was made.
    pub region: &'a str,
}

impl<'a> Envelope<'a> {
    /// The envelope of the record with this head.
    pub(crate) fn new(head: &'a Head<'_>) -> Result<Self, EnvelopeError> {
        let missing = |field| EnvelopeError::Field {
            field,
            kind: "CloudTrail record",
            wanted: "text",
        };
        let service = head.service().ok_or_else(|| missing("eventSource"))?;
        let event_type = head
            .event_type
            .as_deref()
            .unwrap_or_else(|| default_type(service, head.event_name.as_deref()));
        let detail_type = DETAIL_TYPES.iter().find(|(known, _)| *known == event_type);
        let (_, detail_type) =
            detail_type.ok_or_else(|| EnvelopeError::EventType(event_type.to_owned()))?;
        let account = head.recipient_account_id.as_deref();
        let region = head.aws_region.as_deref();
        Ok(Self {
            detail_type,
            service,
            account: account
                .or(head.caller_account.as_deref())
                .ok_or_else(|| missing("recipientAccountId"))?,
            region: region.ok_or_else(|| missing("awsRegion"))?,
            id: head.event_id.as_deref().unwrap_or(NIL_ID),
            time: head.event_time.as_deref().unwrap_or(START),
        })
    }

    /// Appends the event; the record's text becomes its `detail` verbatim.
    pub fn write(&self, record: &[u8], out: &mut Vec<u8>) {
        out.reserve(record.len() + 300);
        out.extend_from_slice(br#"{"version":"0","id":"#);
        quoted("", self.id, out);
        out.extend_from_slice(br#","detail-type":"#);
        quoted("", self.detail_type, out);
        out.extend_from_slice(br#","source":"#);
        quoted("aws.", self.service, out);
        out.extend_from_slice(br#","account":"#);
        quoted("", self.account, out);
        out.extend_from_slice(br#","time":"#);
        quoted("", self.time, out);
        out.extend_from_slice(br#","region":"#);
        quoted("", self.region, out);
        out.extend_from_slice(br#","resources":[],"detail":"#);
        out.extend_from_slice(record);
        out.push(b'}');
    }
}

/// The `eventType` of a record that has none: sign-ins never were API calls.
fn default_type(service: &str, name: Option<&str>) -> &'static str {
    match service {
        "signin" if name.is_some_and(|name| IDENTITY_CENTER_EVENTS.contains(&name)) => {
            "AwsServiceEvent"
        }
        "signin" if !name.is_some_and(|name| SIGN_IN_CALLS.contains(&name)) => "AwsConsoleSignIn",
        _ => "AwsApiCall",
    }
}

/// What [`wrap`] had to assume about a record, one clause per missing field; empty for a complete
/// record.
///
/// ```
/// let record = serde_json::json!({
///     "eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "awsRegion": "us-east-1",
///     "recipientAccountId": "012345678901", "eventTime": "2026-11-23T03:00:00Z", "eventID": "1",
///     "readOnly": false,
/// });
/// assert_eq!(
///     cloudtrail::envelope::assumptions(&record),
///     ["`eventType` is missing: taken as AwsConsoleSignIn"]
/// );
/// ```
pub fn assumptions(record: &Value) -> Vec<String> {
    let Ok(head) = Head::deserialize(record) else {
        return Vec::new();
    };
    let Ok(envelope) = head.envelope() else {
        return Vec::new();
    };
    let mut assumed = Vec::new();
    let mut assume = |is_missing: bool, field: &str, value: &str| {
        if is_missing {
            assumed.push(format!("`{field}` is missing: taken as {value}"));
        }
    };
    let kind = default_type(envelope.service, head.event_name.as_deref());
    assume(head.event_type.is_none(), "eventType", kind);
    assume(
        head.recipient_account_id.is_none(),
        "recipientAccountId",
        "the caller's account",
    );
    assume(head.event_time.is_none(), "eventTime", START);
    assume(head.event_id.is_none(), "eventID", NIL_ID);
    assume(
        head.read_only.is_none() && Category::of(&head) == Category::Management,
        "readOnly",
        "false, so that the call reaches every rule",
    );
    assumed
}

/// Appends a JSON string. The prefix has nothing to escape.
fn quoted(prefix: &str, text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(prefix.as_bytes());
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The event for a value: a whole event is returned unchanged, a CloudTrail record is wrapped.
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
    fn a_sign_in_record_without_event_type_is_a_sign_in() {
        let detail_type = |source: &str, name: &str| {
            let mut record = record();
            record.as_object_mut().unwrap().remove("eventType");
            record["eventSource"] = json!(source);
            record["eventName"] = json!(name);
            wrap(&record).unwrap()["detail-type"].clone()
        };
        let sign_in = "signin.amazonaws.com";
        assert_eq!(detail_type(sign_in, "ConsoleLogin"), SIGN_IN);
        assert_eq!(detail_type(sign_in, "SwitchRole"), SIGN_IN);
        assert_eq!(detail_type(sign_in, "UserAuthentication"), SERVICE_EVENT);
        assert_eq!(detail_type(sign_in, "CreateOAuth2Token"), API_CALL);
        assert_eq!(detail_type("iam.amazonaws.com", "CreateUser"), API_CALL);
    }

    #[test]
    fn assumptions_name_every_missing_field() {
        let mut complete = record();
        complete["readOnly"] = json!(false);
        assert_eq!(assumptions(&complete), Vec::<String>::new());
        let mut short = record();
        for field in ["eventType", "recipientAccountId", "eventTime", "eventID"] {
            short.as_object_mut().unwrap().remove(field);
        }
        assert_eq!(
            assumptions(&short),
            [
                "`eventType` is missing: taken as AwsApiCall",
                "`recipientAccountId` is missing: taken as the caller's account",
                "`eventTime` is missing: taken as 1970-01-01T00:00:00Z",
                "`eventID` is missing: taken as 00000000-0000-0000-0000-000000000000",
                "`readOnly` is missing: taken as false, so that the call reaches every rule",
            ]
        );
        assert_eq!(assumptions(&json!(1)), Vec::<String>::new());
    }

    #[test]
    fn a_whole_event_passes_unchanged() {
        let event = wrap(&record()).unwrap();
        assert_eq!(of(&event).unwrap(), event);
        assert_eq!(of(&record()).unwrap(), event);
    }

    #[test]
    fn missing_fields_are_named() {
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
