//! Which events `EventBridge` delivers to a rule, before any pattern is looked at.

use serde::Serialize;
use serde_json::Value;

use super::Head;

/// `EventBridge` gets no record above this size, in bytes.
///
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html>
pub const MAX_RECORD: usize = 256 * 1024;

/// What kind of record a trail's selectors take it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A management event; every other service's event counts as one, too.
    Management,
    /// A data event.
    Data,
    /// A call through a VPC endpoint.
    Network,
    /// An Insight.
    Insight,
}

impl Kind {
    /// The kind of a record.
    pub fn of(head: &Head<'_>) -> Self {
        match (head.event_type.as_deref(), head.event_category.as_deref()) {
            (Some("AwsCloudTrailInsight"), _) | (_, Some("Insight")) => Self::Insight,
            (Some("AwsVpceEvent"), _) | (_, Some("NetworkActivity")) => Self::Network,
            (_, Some("Management")) => Self::Management,
            (_, Some(_)) => Self::Data,
            // Records before version 1.07 have no category.
            (_, None) if head.management_event == Some(false) => Self::Data,
            (_, None) => Self::Management,
        }
    }
}

/// Why `EventBridge` delivers an event to no rule, or not to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// The record is larger than [`MAX_RECORD`].
    #[error("the record has more than 256 KB, and CloudTrail sends no such record to EventBridge")]
    TooLarge,
    /// An Insight.
    #[error("an Insight, which the organization's trail doesn't record")]
    Insight,
    /// A data event.
    #[error("a data event, which the organization's trail doesn't select")]
    Data,
    /// A network activity event.
    #[error("a network activity event, which the organization's trail doesn't select")]
    Network,
    /// A read-only management call, and the rule's state asks for none.
    #[error("a read-only call (`readOnly` is true), which only rules with `read_only: true` get")]
    ReadOnly,
}

impl Withheld {
    /// Why a record of `size` bytes isn't delivered. `data_events`: as if the trail selected data
    /// and network activity events. `asks`: the rule has `read_only: true`.
    pub fn of(head: &Head<'_>, size: usize, data_events: bool, asks: bool) -> Option<Self> {
        Some(match Kind::of(head) {
            _ if size > MAX_RECORD => Self::TooLarge,
            Kind::Insight => Self::Insight,
            Kind::Data if !data_events => Self::Data,
            Kind::Network if !data_events => Self::Network,
            Kind::Management if !asks && head.is_read_only_management() => Self::ReadOnly,
            Kind::Management | Kind::Data | Kind::Network => return None,
        })
    }

    /// As [`Withheld::of`], for a whole event.
    ///
    /// ```
    /// use rules::envelope::{Withheld, wrap};
    ///
    /// let event = wrap(&serde_json::json!({
    ///     "eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "awsRegion": "us-east-1",
    ///     "recipientAccountId": "012345678901", "readOnly": true,
    /// }))?;
    /// assert_eq!(Withheld::of_event(&event, false), Some(Withheld::ReadOnly));
    /// assert_eq!(Withheld::of_event(&event, true), None);
    /// # Ok::<(), rules::envelope::EnvelopeError>(())
    /// ```
    pub fn of_event(event: &Value, asks: bool) -> Option<Self> {
        let detail = event
            .get("detail")
            .map(Value::to_string)
            .unwrap_or_default();
        let via_cloudtrail = event
            .get("detail-type")
            .and_then(Value::as_str)
            .is_some_and(|detail_type| detail_type.ends_with("via CloudTrail"));
        // Other services' events have other fields; none of a record's flags then.
        let head = if via_cloudtrail {
            serde_json::from_str(&detail).unwrap_or_default()
        } else {
            Head::default()
        };
        Self::of(&head, detail.len(), false, asks)
    }
}

impl Head<'_> {
    /// Whether this is a management call that changes nothing. `EventBridge` gives those only to
    /// rules whose state asks for them.
    pub fn is_read_only_management(&self) -> bool {
        Kind::of(self) == Kind::Management && self.read_only == Some(true)
    }
}
