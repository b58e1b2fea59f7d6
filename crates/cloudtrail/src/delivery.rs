//! Which events `EventBridge` delivers to a rule before it evaluates any pattern.

use serde::Serialize;
use serde_json::Value;

use crate::Head;
use crate::envelope::is_from_cloudtrail;

/// CloudTrail doesn't send larger records to `EventBridge`, in bytes.
///
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html>
pub const MAX_DELIVERED_BYTES: usize = 256 * 1024;

/// The category by which trails select records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Category {
    /// A management event. Events from services other than CloudTrail count as management events.
    Management,
    /// A data event: an operation on the content of a resource.
    Data,
    /// A call through a VPC endpoint.
    Network,
    /// An Insights event: unusual call or error rates.
    Insight,
}

impl Category {
    /// The category of a record.
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

/// Why `EventBridge` doesn't deliver an event to any rule, or not to this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Withheld {
    /// The record is larger than [`MAX_DELIVERED_BYTES`].
    #[error(
        "the record is larger than 256 KB, and CloudTrail doesn't send such records to EventBridge"
    )]
    TooLarge,
    /// An Insights event: unusual call or error rates.
    #[error("an Insight, which the organization's trail doesn't record")]
    Insight,
    /// A data event: an operation on the content of a resource.
    #[error("a data event, which the organization's trail doesn't select")]
    Data,
    /// The organization's trail doesn't select network activity events.
    #[error("a network activity event, which the organization's trail doesn't select")]
    Network,
    /// A read-only management call; the rule's state excludes them.
    #[error(
        "a read-only call (`readOnly` is true), which only rules with `read_only: true` receive"
    )]
    ReadOnly,
}

impl Withheld {
    /// Why a record of `size` bytes isn't delivered. `data_events` assumes a trail that selects
    /// data and network activity events; `read_only` is the rule's field of that name.
    pub fn of(head: &Head<'_>, size: usize, data_events: bool, read_only: bool) -> Option<Self> {
        Some(match Category::of(head) {
            _ if size > MAX_DELIVERED_BYTES => Self::TooLarge,
            Category::Insight => Self::Insight,
            Category::Data if !data_events => Self::Data,
            Category::Network if !data_events => Self::Network,
            Category::Management if !read_only && head.is_read_only_management() => Self::ReadOnly,
            Category::Management | Category::Data | Category::Network => return None,
        })
    }

    /// Like [`Withheld::of`], but for a whole event.
    ///
    /// ```
    /// use cloudtrail::{Withheld, envelope::wrap};
    ///
    /// let event = wrap(&serde_json::json!({
    ///     "eventSource": "iam.amazonaws.com", "eventName": "ListUsers", "awsRegion": "us-east-1",
    ///     "recipientAccountId": "012345678901", "readOnly": true,
    /// }))?;
    /// assert_eq!(Withheld::of_event(&event, false), Some(Withheld::ReadOnly));
    /// assert_eq!(Withheld::of_event(&event, true), None);
    /// # Ok::<(), cloudtrail::envelope::EnvelopeError>(())
    /// ```
    pub fn of_event(event: &Value, read_only: bool) -> Option<Self> {
        let detail = event
            .get("detail")
            .map(Value::to_string)
            .unwrap_or_default();
        let via_cloudtrail = event
            .get("detail-type")
            .and_then(Value::as_str)
            .is_some_and(is_from_cloudtrail);
        // Events from other services lack a record's flags.
        let head = if via_cloudtrail {
            serde_json::from_str(&detail).unwrap_or_default()
        } else {
            Head::default()
        };
        Self::of(&head, detail.len(), false, read_only)
    }
}

impl Head<'_> {
    /// Whether this is a management call that changes nothing. `EventBridge` delivers these only to
    /// rules in the state `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub fn is_read_only_management(&self) -> bool {
        Category::of(self) == Category::Management && self.read_only == Some(true)
    }
}
