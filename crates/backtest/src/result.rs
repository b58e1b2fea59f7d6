//! The results of a backtest.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// The alerts that the rules would have sent, and what was read.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Backtest {
    /// Log files that were read completely.
    pub files: u64,
    /// Total size of the files as stored, in bytes.
    pub bytes: u64,
    /// Total size of the files' unpacked content, in bytes.
    pub bytes_unpacked: u64,
    /// Total number of records in all files.
    pub records: u64,
    /// Records outside the selected days, accounts or Regions.
    pub out_of_scope: u64,
    /// Records whose `eventID` had been seen before.
    pub duplicates: u64,
    /// Records that EventBridge would not have delivered to any of the rules.
    pub not_delivered: NotDelivered,
    /// The records among those that are of unwatched Regions, by Region.
    pub unwatched_regions: BTreeMap<String, u64>,
    /// Records that were evaluated against the rules.
    pub delivered: u64,
    /// Time of the earliest record in scope, RFC 3339.
    pub first: Option<String>,
    /// Time of the latest record in scope, RFC 3339.
    pub last: Option<String>,
    /// Number of days (UTC) from the first to the last record, inclusive.
    pub days: u64,
    /// Number of files that were not read completely.
    pub skipped_files: u64,
    /// These files with the reasons; at most [`MAX_SKIPPED`].
    pub skipped: Vec<Skipped>,
    /// Number of folders and files with digests, Insights and other services' logs, by name. They
    /// aren't read.
    pub not_records: BTreeMap<String, u64>,
    /// Alerts by rule id, including rules that never fired.
    pub rules: BTreeMap<String, RuleAlerts>,
}

/// Most skipped files that are listed.
pub const MAX_SKIPPED: usize = 1000;

/// Records that EventBridge would not have delivered, by reason.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotDelivered {
    /// Read-only management calls, in a library without a rule with `read_only: true`.
    pub read_only: u64,
    /// Data events, which the organization's trail doesn't select.
    pub data_events: u64,
    /// Network activity events, which the organization's trail doesn't select.
    pub network_activity: u64,
    /// Insights events, which the organization's trail doesn't record.
    pub insights: u64,
    /// Records over 256 KB, which CloudTrail doesn't send to EventBridge.
    pub too_large: u64,
    /// Records of Regions that aren't watched, so that nothing forwards them.
    pub unwatched: u64,
    /// Records that aren't from CloudTrail, or are of an unknown type.
    pub unknown: u64,
}

impl NotDelivered {
    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.read_only
            + self.data_events
            + self.network_activity
            + self.insights
            + self.too_large
            + self.unwatched
            + self.unknown
    }
}

/// A file that was not read completely.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The path as listed by its source.
    pub path: PathBuf,
    /// The predicate of a sentence about the file: `is empty`.
    pub reason: String,
    /// Records before the error; they are counted.
    pub records: u64,
}

/// The alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleAlerts {
    /// Severity as spelled in the rule file.
    pub severity: String,
    /// Total number, `copies` and `undecided` included.
    pub alerts: u64,
    /// Alerts for a call that another alert of the rule also reports. CloudTrail records a
    /// cross-account call once per account, with the same `sharedEventID`. EventBridge delivers
    /// both, so both are alerts.
    pub copies: u64,
    /// Alerts for a record on which the pattern engine gave up, because matching takes too much
    /// work. An undecided match counts as an alert.
    pub undecided: u64,
    /// Records that match but are of an unwatched Region, so that there was no alert. They are not
    /// among `alerts`.
    pub missed: u64,
    /// Time of the first alert's record.
    pub first: Option<String>,
    /// Time of the last alert's record.
    pub last: Option<String>,
    /// Alerts by day (UTC).
    pub days: BTreeMap<String, u64>,
    /// Alerts by `account/region`.
    pub places: BTreeMap<String, u64>,
    /// The principals with the most alerts, most frequent first, at most [`TOP_PRINCIPALS`].
    pub principals: Vec<Principal>,
    /// Alerts about all other principals.
    pub other_principals: u64,
    /// The first alerts as they would have been delivered, at most [`SAMPLES`].
    pub samples: Vec<Sample>,
    /// Present if the rule has a budget.
    pub budget: Option<BudgetUse>,
    /// Whether the rule matches CloudTrail records at all. Others, such as instance state changes,
    /// can't fire in a backtest.
    pub is_about_cloudtrail: bool,
}

/// Most principals that are listed per rule.
pub const TOP_PRINCIPALS: usize = 10;

/// Most sample alerts per rule.
pub const SAMPLES: usize = 3;

/// A principal whose calls alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The ARN of the role or user, or the best identification that the record has.
    pub principal: String,
    /// Number of the rule's alerts about this principal.
    pub alerts: u64,
}

/// A sample alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sample {
    /// The event's time, RFC 3339.
    pub time: String,
    /// The event's `eventID`.
    pub event_id: String,
    /// Account and Region, as `account/region`.
    pub place: String,
    /// The alert as delivered, truncated to 8 KB; `None` for a rule without a message.
    pub message: Option<String>,
}

/// A rule's budget and its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetUse {
    /// The budget's limit.
    pub max_alerts_per_day: u64,
    /// Number of days with more alerts.
    pub days_over: u64,
}

impl RuleAlerts {
    /// Whether any day exceeded the rule's budget.
    pub fn is_over_budget(&self) -> bool {
        self.budget
            .as_ref()
            .is_some_and(|budget| budget.days_over > 0)
    }

    /// The day with the most alerts, and their number.
    pub fn busiest_day(&self) -> Option<(&str, u64)> {
        let days = self.days.iter().rev();
        days.max_by_key(|(_, alerts)| **alerts)
            .map(|(day, alerts)| (day.as_str(), *alerts))
    }
}

impl Backtest {
    /// Whether any rule is over its budget.
    pub fn is_over_budget(&self) -> bool {
        self.rules.values().any(RuleAlerts::is_over_budget)
    }

    /// The total over all rules.
    pub fn alerts(&self) -> u64 {
        self.rules.values().map(|rule| rule.alerts).sum()
    }
}

/// The alerts of two revisions of the rules over the same logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// Total alerts of the old revision.
    pub alerts_before: u64,
    /// Total alerts of the new revision.
    pub alerts_after: u64,
    /// Every rule that was added or removed, or whose event pattern or `read_only` changed.
    pub rules: BTreeMap<String, Difference>,
}

/// One rule in two revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Alerts of the old revision; `None` if the rule is new.
    pub before: Option<u64>,
    /// Alerts of the new revision; `None` if the rule was removed.
    pub after: Option<u64>,
    /// Records that alert only in the new revision.
    pub added: u64,
    /// Records that alert only in the old revision.
    pub removed: u64,
}

impl Comparison {
    /// Records that alert only in the new revision, over all rules.
    pub fn added(&self) -> u64 {
        self.rules.values().map(|rule| rule.added).sum()
    }

    /// Records that alert only in the old revision, over all rules.
    pub fn removed(&self) -> u64 {
        self.rules.values().map(|rule| rule.removed).sum()
    }
}
