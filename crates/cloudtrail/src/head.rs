//! The head of a record, deserialized without building a tree of the record.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::envelope::{Envelope, EnvelopeError};

/// The few fields of a CloudTrail record that decide whether it is delivered and as which event,
/// borrowed from the record's text.
///
/// A backtest reads millions of records, and only a few fields matter until a rule matches.
/// [`Head::envelope`] and [`Envelope::write`] produce the same event as
/// [`wrap`](crate::envelope::wrap), around the record's own bytes.
///
/// ```
/// let record = br#"{"eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1",
///     "recipientAccountId": "012345678901", "eventID": "1", "eventTime": "2026-11-23T03:00:00Z"}"#;
/// let head: cloudtrail::Head<'_> = serde_json::from_slice(record)?;
/// let mut event = Vec::new();
/// head.envelope()?.write(record, &mut event);
/// let whole: serde_json::Value = serde_json::from_slice(&event)?;
/// assert_eq!(whole, cloudtrail::envelope::wrap(&serde_json::from_slice(record)?)?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// `eventID`, if it is text.
    pub event_id: Option<Cow<'a, str>>,
    /// `sharedEventID`: the same in all records of one call that several accounts receive.
    pub shared_event_id: Option<Cow<'a, str>>,
    /// `eventTime`.
    pub event_time: Option<Cow<'a, str>>,
    /// `eventCategory`: `Management`, `Data`, `NetworkActivity` or `Insight`.
    pub event_category: Option<Cow<'a, str>>,
    /// `readOnly`; the text `"true"` counts too.
    pub read_only: Option<bool>,
    /// `managementEvent`.
    pub management_event: Option<bool>,
    /// `eventType`.
    pub event_type: Option<Cow<'a, str>>,
    /// `eventName`.
    pub event_name: Option<Cow<'a, str>>,
    /// Whether this is a whole EventBridge event rather than a record: it has `detail` or
    /// `detail-type`.
    pub is_event: bool,
    pub(crate) event_source: Option<Cow<'a, str>>,
    has_event_source: bool,
    has_event_name: bool,
    pub(crate) aws_region: Option<Cow<'a, str>>,
    pub(crate) recipient_account_id: Option<Cow<'a, str>>,
    pub(crate) caller_account: Option<Cow<'a, str>>,
}

impl Head<'_> {
    /// The service that recorded the event: `eventSource` without `.amazonaws.com`.
    pub(crate) fn service(&self) -> Option<&str> {
        let source = self.event_source.as_deref()?;
        Some(source.strip_suffix(".amazonaws.com").unwrap_or(source))
    }

    /// The envelope around the record; fails where [`of`](crate::envelope::of) fails.
    pub fn envelope(&self) -> Result<Envelope<'_>, EnvelopeError> {
        if !self.has_event_source && !self.has_event_name {
            return Err(EnvelopeError::Unknown);
        }
        Envelope::new(self)
    }
}

impl<'de> Deserialize<'de> for Head<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeadVisitor)
    }
}

struct HeadVisitor;

impl<'de> Visitor<'de> for HeadVisitor {
    type Value = Head<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudTrail record")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut head = Head::default();
        // The last value of a duplicate key wins, as everywhere in serde_json.
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::EventId => head.event_id = map.next_value::<Scalar<'de>>()?.text(),
                Key::SharedEventId => {
                    head.shared_event_id = map.next_value::<Scalar<'de>>()?.text();
                }
                Key::EventTime => head.event_time = map.next_value::<Scalar<'de>>()?.text(),
                Key::EventCategory => head.event_category = map.next_value::<Scalar<'de>>()?.text(),
                Key::EventType => head.event_type = map.next_value::<Scalar<'de>>()?.text(),
                Key::ReadOnly => head.read_only = map.next_value::<Scalar<'de>>()?.flag(),
                Key::ManagementEvent => {
                    head.management_event = map.next_value::<Scalar<'de>>()?.flag();
                }
                Key::EventSource => {
                    head.has_event_source = true;
                    head.event_source = map.next_value::<Scalar<'de>>()?.text();
                }
                Key::EventName => {
                    head.has_event_name = true;
                    head.event_name = map.next_value::<Scalar<'de>>()?.text();
                }
                Key::AwsRegion => head.aws_region = map.next_value::<Scalar<'de>>()?.text(),
                Key::RecipientAccountId => {
                    head.recipient_account_id = map.next_value::<Scalar<'de>>()?.text();
                }
                Key::UserIdentity => head.caller_account = map.next_value::<Identity<'de>>()?.0,
                Key::Detail => {
                    head.is_event = true;
                    map.next_value::<IgnoredAny>()?;
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(head)
    }
}

/// `userIdentity.accountId`.
struct Identity<'a>(Option<Cow<'a, str>>);

impl<'de> Deserialize<'de> for Identity<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdentityVisitor)
    }
}

struct IdentityVisitor;

/// Visits and discards values of other types.
macro_rules! ignore_scalars {
    ($nothing:expr) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($nothing)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            Ok($nothing)
        }
    };
}

impl<'de> Visitor<'de> for IdentityVisitor {
    type Value = Identity<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a userIdentity")
    }

    ignore_scalars!(Identity(None));

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Identity(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Identity(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut account = None;
        while let Some(key) = map.next_key::<IsAccount>()? {
            if key.0 {
                account = map.next_value::<Scalar<'de>>()?.text();
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Identity(account))
    }
}

/// The value of a scalar field; other values are skipped.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Flag(bool),
    Other,
}

impl<'a> Scalar<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Scalar::Text(text) => Some(text),
            Scalar::Flag(_) | Scalar::Other => None,
        }
    }

    fn flag(&self) -> Option<bool> {
        match self {
            Scalar::Flag(flag) => Some(*flag),
            Scalar::Text(text) if text == "true" => Some(true),
            Scalar::Text(text) if text == "false" => Some(false),
            Scalar::Text(_) | Scalar::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    ignore_scalars!(Scalar::Other);

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

enum Key {
    EventId,
    SharedEventId,
    EventTime,
    EventCategory,
    EventType,
    ReadOnly,
    ManagementEvent,
    EventSource,
    EventName,
    AwsRegion,
    RecipientAccountId,
    UserIdentity,
    Detail,
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match name {
            "eventID" => Key::EventId,
            "sharedEventID" => Key::SharedEventId,
            "eventTime" => Key::EventTime,
            "eventCategory" => Key::EventCategory,
            "eventType" => Key::EventType,
            "readOnly" => Key::ReadOnly,
            "managementEvent" => Key::ManagementEvent,
            "eventSource" => Key::EventSource,
            "eventName" => Key::EventName,
            "awsRegion" => Key::AwsRegion,
            "recipientAccountId" => Key::RecipientAccountId,
            "userIdentity" => Key::UserIdentity,
            "detail" | "detail-type" => Key::Detail,
            _ => Key::Other,
        })
    }
}

struct IsAccount(bool);

impl<'de> Deserialize<'de> for IsAccount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_identifier(IsAccountVisitor)
    }
}

struct IsAccountVisitor;

impl Visitor<'_> for IsAccountVisitor {
    type Value = IsAccount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<IsAccount, E> {
        Ok(IsAccount(name == "accountId"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::envelope;

    /// The event for a record's text, from [`Head`] and from `wrap`.
    fn both(text: &str) -> (Option<Value>, Option<Value>) {
        let value: Value = serde_json::from_str(text).unwrap();
        let wrapped = envelope::of(&value).ok();
        let head: Head<'_> = serde_json::from_str(text).unwrap();
        let written = head.envelope().ok().map(|envelope| {
            let mut bytes = Vec::new();
            envelope.write(text.as_bytes(), &mut bytes);
            serde_json::from_slice(&bytes).unwrap()
        });
        (wrapped, written)
    }

    #[test]
    fn escapes_and_doubled_keys_come_out_as_from_a_whole_record() {
        for text in [
            r#"{"eventSource":"iam\u002eamazonaws.com","awsRegion":"us-east-1","recipientAccountId":"1","eventID":"a\"\\\n\u0001ü"}"#,
            r#"{"eventSource":"a","eventSource":"iam.amazonaws.com","awsRegion":"x","userIdentity":{"accountId":"1"},"userIdentity":{"accountId":"2","x":[{}]}}"#,
            r#"{"eventName":"a","eventSource":7,"awsRegion":"x","recipientAccountId":"1"}"#,
            r#"{"eventSource":"s3.amazonaws.com","awsRegion":"x","recipientAccountId":"1","eventTime":5,"eventID":null,"eventType":{"a":[1]}}"#,
        ] {
            let (wrapped, written) = both(text);
            assert_eq!(wrapped, written, "{text}");
        }
    }

    #[test]
    fn flags_are_read_as_values_and_as_text() {
        let head: Head<'_> =
            serde_json::from_str(r#"{"readOnly":"true","managementEvent":false}"#).unwrap();
        assert_eq!(
            (head.read_only, head.management_event),
            (Some(true), Some(false))
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
            Just(json!({"accountId": "012345678901", "arn": "x"})),
            Just(json!({"accountId": 7})),
            Just(json!([[{"accountId": "1"}], "x"])),
            prop_oneof![
                Just("AwsApiCall"),
                Just("AwsConsoleSignIn"),
                Just("AwsServiceEvent")
            ]
            .prop_map(Value::from),
        ]
    }

    fn any_record() -> impl Strategy<Value = Map<String, Value>> {
        let name = prop_oneof![
            Just("eventSource"),
            Just("eventName"),
            Just("eventType"),
            Just("eventTime"),
            Just("awsRegion"),
            Just("eventID"),
            Just("recipientAccountId"),
            Just("userIdentity"),
            Just("other"),
        ];
        proptest::collection::vec((name, any_value()), 0..6).prop_map(|changes| {
            let mut record = json!({
                "eventSource": "ec2.amazonaws.com", "eventName": "StopInstances", "eventType": "AwsApiCall",
                "eventTime": "2026-11-23T03:00:00Z", "awsRegion": "eu-central-1", "eventID": "1",
                "recipientAccountId": "012345678901", "userIdentity": {"accountId": "111122223333"},
            });
            for (name, value) in changes {
                if value.is_null() {
                    record.as_object_mut().unwrap().remove(name);
                } else {
                    record[name] = value;
                }
            }
            record.as_object().unwrap().clone()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_written_envelope_is_the_wrapped_one(record in any_record()) {
            let (wrapped, written) = both(&Value::Object(record).to_string());
            prop_assert_eq!(wrapped, written);
        }
    }
}
