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
    /// A management call that is read-only by name and flag; the rule's state excludes them.
    #[error(
        "a read-only call (its name begins with Describe, Get or List, and `readOnly` is true), which only rules with `read_only: true` receive"
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

/// First words of the names of calls that `EventBridge` counts as read-only.
const READING: [&str; 3] = ["Describe", "Get", "List"];

/// Calls of STS that `EventBridge` delivers like changes, although they are read-only by name and flag.
const DELIVERED: [&str; 2] = ["GetFederationToken", "GetSessionToken"];

/// Whether `EventBridge` withholds management calls of this name, if they are also marked `readOnly`.
/// `service` is the first part of `eventSource`, such as `sts`.
///
/// Calls that read but are named otherwise (`AssumeRole`, `Decrypt`, `LookupEvents`) reach every rule.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html>
pub fn is_reading_name(service: &str, name: &str) -> bool {
    READING.iter().any(|word| name.starts_with(word))
        && !(service == "sts" && DELIVERED.contains(&name))
}

/// Whether some name that begins with `prefix` is one of [`is_reading_name`].
pub fn may_begin_reading_name(prefix: &str) -> bool {
    READING
        .iter()
        .any(|word| word.starts_with(prefix) || prefix.starts_with(word))
}

impl Head<'_> {
    /// Whether this is a management call that changes nothing, by its name *and* its flag.
    /// `EventBridge` delivers these only to rules in the state
    /// `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub fn is_read_only_management(&self) -> bool {
        Category::of(self) == Category::Management
            && self.read_only == Some(true)
            && self
                .event_name
                .as_deref()
                .is_some_and(|name| is_reading_name(self.service().unwrap_or_default(), name))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::envelope::wrap;

    fn withheld(source: &str, name: &str, read_only: bool) -> bool {
        let event = wrap(&json!({
            "eventSource": source, "eventName": name, "awsRegion": "eu-central-1",
            "recipientAccountId": "012345678901", "readOnly": read_only,
        }))
        .unwrap();
        Withheld::of_event(&event, false) == Some(Withheld::ReadOnly)
    }

    #[test]
    fn read_only_calls_are_withheld_by_name_and_flag() {
        assert!(withheld("iam.amazonaws.com", "ListUsers", true));
        assert!(withheld("ec2.amazonaws.com", "DescribeInstances", true));
        assert!(withheld("ec2.amazonaws.com", "GetPasswordData", true));
        // Marked read-only, but named otherwise.
        assert!(!withheld("sts.amazonaws.com", "AssumeRole", true));
        assert!(!withheld("kms.amazonaws.com", "Decrypt", true));
        assert!(!withheld(
            "secretsmanager.amazonaws.com",
            "BatchGetSecretValue",
            true
        ));
        // Named like a read-only call, but not marked.
        assert!(!withheld("signin.amazonaws.com", "GetSigninToken", false));
        assert!(!withheld("sts.amazonaws.com", "GetSessionToken", true));
        assert!(!withheld("sts.amazonaws.com", "GetFederationToken", true));
        assert!(withheld("sts.amazonaws.com", "GetCallerIdentity", true));
    }

    #[test]
    fn a_prefix_may_begin_the_name_of_a_read_only_call() {
        assert!(
            ["", "G", "Get", "GetObj", "De"]
                .into_iter()
                .all(may_begin_reading_name)
        );
        assert!(
            !["Delete", "Decrypt", "Lookup"]
                .into_iter()
                .any(may_begin_reading_name)
        );
    }
}
