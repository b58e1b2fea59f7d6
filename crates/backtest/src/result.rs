//! What a backtest found.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

/// What the rules would have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Backtest {
    /// Log files that were read to their end.
    pub files: u64,
    /// Size of all files as they are stored, in bytes.
    pub bytes: u64,
    /// Size of what was in them, in bytes.
    pub bytes_unpacked: u64,
    /// Records in all files.
    pub records: u64,
    /// Records of other days, accounts or Regions than were asked for.
    pub out_of_scope: u64,
    /// Records that had been seen before, by their `eventID`.
    pub duplicates: u64,
    /// Records that EventBridge would not have delivered to any of the rules.
    pub not_delivered: NotDelivered,
    /// Records that were put to the rules.
    pub delivered: u64,
    /// Time of the first record in scope.
    pub first: Option<String>,
    /// Time of the last one.
    pub last: Option<String>,
    /// Days (UTC) from the first to the last record, both included.
    pub days: u64,
    /// How many files were not read to their end.
    pub skipped_files: u64,
    /// Those files, each with the reason; at most [`MAX_SKIPPED`] of them.
    pub skipped: Vec<Skipped>,
    /// Folders and files of digests, Insights and other services' logs, by their name; not read.
    pub not_records: BTreeMap<String, u64>,
    /// Alerts by rule id, rules that never fired included.
    pub rules: BTreeMap<String, RuleAlerts>,
}

/// Most skipped files that are kept by name.
pub const MAX_SKIPPED: usize = 1000;

/// Records that EventBridge would not have delivered, by the reason.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html>
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotDelivered {
    /// Read-only management calls; delivered only to rules with `read_only: true`, and there is
    /// none.
    pub read_only: u64,
    /// Data events, which the organization's trail doesn't select.
    pub data_events: u64,
    /// Network activity events, which the organization's trail doesn't select.
    pub network_activity: u64,
    /// Insights.
    pub insights: u64,
    /// Events over 256 KB.
    pub too_large: u64,
    /// Records that aren't CloudTrail's, or of no known kind.
    pub unknown: u64,
}

impl NotDelivered {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.read_only
            + self.data_events
            + self.network_activity
            + self.insights
            + self.too_large
            + self.unknown
    }
}

/// A file that was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
    /// Records before the fault; they are counted.
    pub records: u64,
}

/// The alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleAlerts {
    /// The rule's severity.
    pub severity: String,
    /// How many.
    pub alerts: u64,
    /// How many of them report a call that another alert of the rule reports, too: CloudTrail
    /// records a call across accounts once in each, under the same `sharedEventID`. EventBridge
    /// delivers both, so they are alerts.
    pub copies: u64,
    /// How many of them report a record on which the pattern engine gave up, because it takes too
    /// much work to match. In doubt, a rule alerts.
    pub undecided: u64,
    /// Time of the first, as in the record.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
    /// How many by day (UTC).
    pub days: BTreeMap<String, u64>,
    /// How many by account and Region, as `account/region`.
    pub places: BTreeMap<String, u64>,
    /// Whose calls they report, the most frequent first, at most [`TOP_PRINCIPALS`].
    pub principals: Vec<Principal>,
    /// Alerts about anybody else.
    pub other_principals: u64,
    /// The first alerts as they would have been delivered, at most [`SAMPLES`].
    pub samples: Vec<Sample>,
    /// What the rule's budget says, if it has one.
    pub budget: Option<BudgetUse>,
    /// Whether the rule is about what CloudTrail records: others, such as state changes of
    /// instances, can't fire over CloudTrail logs.
    pub is_about_cloudtrail: bool,
}

/// Principals that are kept by name.
pub const TOP_PRINCIPALS: usize = 10;

/// Alerts that are kept as a sample.
pub const SAMPLES: usize = 3;

/// Somebody whose calls alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// The ARN of the role or user, where the record has one; else what it has.
    pub principal: String,
    /// How many alerts.
    pub alerts: u64,
}

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Sample {
    /// The event's time.
    pub time: String,
    /// The event's id.
    pub event_id: String,
    /// Where it happened, as `account/region`.
    pub place: String,
    /// The alert's text as delivered, cut after 8 KB; `None` for a rule without a message.
    pub message: Option<String>,
}

/// A budget and how it was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetUse {
    /// The budget.
    pub max_alerts_per_day: u64,
    /// Days with more alerts.
    pub days_over: u64,
}

impl RuleAlerts {
    /// Whether a day had more alerts than the rule's budget.
    pub fn is_over_budget(&self) -> bool {
        self.budget
            .as_ref()
            .is_some_and(|budget| budget.days_over > 0)
    }

    /// The day with most alerts, and how many it had.
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

    /// All alerts.
    pub fn alerts(&self) -> u64 {
        self.rules.values().map(|rule| rule.alerts).sum()
    }
}

/// How another revision of the rules would have alerted over the same logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// All alerts of the revision before.
    pub alerts_before: u64,
    /// All alerts of the revision after.
    pub alerts_after: u64,
    /// Every rule that has been added, removed or given another event pattern or `read_only`.
    pub rules: BTreeMap<String, Difference>,
}

/// One rule in two revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Alerts before; `None` if the rule wasn't there.
    pub before: Option<u64>,
    /// Alerts after; `None` if the rule is gone.
    pub after: Option<u64>,
    /// Records that alert after, and didn't before.
    pub added: u64,
    /// Records that alerted before, and don't after.
    pub removed: u64,
}

impl Comparison {
    /// Records that alert after and didn't before, over all rules.
    pub fn added(&self) -> u64 {
        self.rules.values().map(|rule| rule.added).sum()
    }

    /// Records that alerted before and don't after, over all rules.
    pub fn removed(&self) -> u64 {
        self.rules.values().map(|rule| rule.removed).sum()
    }
}
