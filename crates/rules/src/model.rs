//! The data model of rule files that have been read and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use eventbridge_pattern::Pattern;
use jiff::civil::Date;
use serde::Serialize;
use syntax::{SourceFile, SourceLocation};

/// One detection. A file with errors doesn't become a `Rule`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The file's stem: 3 to 48 characters of `[a-z0-9-]`. Becomes the EventBridge rule's name.
    pub id: String,
    /// One line of at most 100 characters, without a period.
    pub title: String,
    /// What it detects and why that matters, at most 2,000 characters.
    pub description: String,
    /// Deprecated rules are not deployed; stable ones need a reference.
    pub status: Status,
    /// Whether it is deployed. Disabled rules are still checked and tested.
    pub enabled: bool,
    /// Decides which topics receive the alert, unless `notify` does.
    pub severity: Severity,
    /// Why this severity, and not a lower or higher one.
    pub severity_reason: Option<String>,
    /// The team or address responsible for the rule.
    pub owner: Option<String>,
    /// https addresses; at least one for a stable rule.
    pub references: Vec<String>,
    /// Harmless situations in which it fires.
    pub false_positives: Vec<String>,
    /// First steps as text, or an https address. Part of every alert.
    pub runbook: Option<String>,
    /// Free-form tags such as `attack.t1078.004` or `service.iam`.
    pub tags: Vec<String>,
    /// The deployed event pattern: the written one with the exceptions compiled in.
    pub pattern: Pattern,
    /// The event pattern in the file, without exceptions.
    pub written_pattern: Pattern,
    /// Whether the rule needs read-only calls, and so the rule state
    /// `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html>).
    pub read_only: bool,
    /// The alert's text; `None` for a rule that only responds.
    pub message: Option<Message>,
    /// Names of topics; empty to route by severity.
    pub notify: Vec<String>,
    /// The automatic response, if any.
    pub respond: Option<Response>,
    /// Most alerts that the owner accepts; checked by backtests.
    pub budget: Option<Budget>,
    /// Known harmless cases, each with an owner and an end date.
    pub exceptions: Vec<Exception>,
    /// The origin of an imported rule.
    pub imported_from: Option<ImportedFrom>,
    /// Events that it must or must not match.
    pub tests: Vec<RuleTest>,
    /// The source file, for locations in diagnostics.
    pub file: Arc<SourceFile>,
    /// Location of the id.
    pub location: SourceLocation,
}

impl Rule {
    /// Whether the rule is part of bundles, verification and backtests.
    pub fn is_deployed(&self) -> bool {
        self.enabled && self.status != Status::Deprecated
    }
}

/// The most alerts that are acceptable. It isn't deployed: a backtest over past logs fails if a
/// rule exceeds its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Most alerts per day (UTC), across all accounts and Regions.
    pub max_alerts_per_day: u64,
}

/// The origin of an imported rule: attribution that its license requires, and the losses of the
/// import. It isn't deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportedFrom {
    /// The original format: `sigma`.
    pub format: String,
    /// Id in the original format.
    pub id: Option<String>,
    /// The original's author.
    pub author: Option<String>,
    /// SPDX identifier of the original's license.
    pub license: Option<String>,
    /// Creation date in the original's spelling.
    pub date: Option<String>,
    /// Date of the last change in the original's spelling.
    pub modified: Option<String>,
    /// References that aren't https addresses.
    pub references: Vec<String>,
    /// Differences from the original.
    pub losses: Vec<String>,
}

/// The prefix of a text that the author must still write.
pub const UNFINISHED: &str = "TODO";

/// A rule's maturity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New; may be noisy.
    Experimental,
    /// On trial in a part of the fleet.
    Test,
    /// Proven; needs at least one reference.
    Stable,
    /// Kept for its history and not deployed.
    Deprecated,
}

impl Status {
    /// All statuses in the order of a rule's life cycle.
    pub const ALL: [Self; 4] = [
        Self::Experimental,
        Self::Test,
        Self::Stable,
        Self::Deprecated,
    ];

    /// The spelling in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Experimental => "experimental",
            Self::Test => "test",
            Self::Stable => "stable",
            Self::Deprecated => "deprecated",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The impact when a rule fires, ordered from harmless to worst. Selects the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record only; nobody needs to react.
    Informational,
    /// Look at it this week.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Page the person on call.
    Critical,
}

impl Severity {
    /// All severities, from harmless to worst.
    pub const ALL: [Self; 5] = [
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The spelling in rule and organization files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not one of the five severity names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a severity; use informational, low, medium, high or critical")]
pub struct UnknownSeverity(pub String);

impl FromStr for Severity {
    type Err = UnknownSeverity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.as_str() == text)
            .ok_or_else(|| UnknownSeverity(text.to_owned()))
    }
}

/// An alert's text, compiled to an EventBridge input transformer
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html>).
///
/// The template is a JSON object in which every value that a caller can influence is an unquoted
/// placeholder of its own. So no value can make the result invalid JSON, which EventBridge would
/// not deliver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `InputPathsMap`: placeholder name to JSON path; at most 100.
    pub input_paths: BTreeMap<String, String>,
    /// `InputTemplate`: at most 8,192 characters.
    pub input_template: String,
}

/// An automatic action on a matching event, performed by an AWS service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Starts an EC2 instance again with the SSM automation `AWS-StartEC2Instance`, if it has the
    /// tag.
    StartInstance {
        /// JSON path of the instance id in the event, such as `$.detail.instance-id`.
        instance: String,
        /// Key of the tag that opts an instance in.
        tag_key: String,
        /// Value of that tag.
        tag_value: String,
    },
}

/// A known harmless case that doesn't alert until the exception expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Unique in the rule.
    pub name: String,
    /// Why the case is harmless.
    pub reason: String,
    /// The person or team responsible for it.
    pub owner: String,
    /// The last day on which it applies.
    pub expires: Date,
    /// Dotted event path to the excepted values; always a single path.
    pub when: BTreeMap<String, Vec<String>>,
}

/// A test: an event and whether the rule must match it.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// Unique in the rule; says what is special about the event.
    pub name: String,
    /// The whole `EventBridge` event, envelope included.
    pub event: serde_json::Value,
    /// Whether AWS has recorded such an event.
    pub origin: Origin,
    /// The expected result of matching.
    pub matches: bool,
    /// The exact expected alert, if the test has one.
    pub message: Option<String>,
    /// Location of the test in the rule file.
    pub location: SourceLocation,
}

/// How the shape of a test's event is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// AWS has recorded such an event; only names, ids and addresses are changed.
    Recorded,
    /// Written from the documentation, without a recorded event.
    Synthetic,
}

impl Origin {
    /// Both origins, for parsing and schemas.
    pub const ALL: [Self; 2] = [Self::Recorded, Self::Synthetic];

    /// The spelling in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Synthetic => "synthetic",
        }
    }
}
