//! What a rule file says, once it has been read and checked.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use eventbridge_pattern::Pattern;
use jiff::civil::Date;
use serde::Serialize;
use syntax::{SourceFile, SourceLocation};

/// One detection. Only rules without error diagnostics become a `Rule`.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The file's stem, 3 to 48 of `[a-z0-9-]`; becomes the EventBridge rule's name.
    pub id: String,
    /// One line of at most 100 characters, without a full stop.
    pub title: String,
    /// What it detects and why that matters.
    pub description: String,
    /// How mature it is.
    pub status: Status,
    /// Whether it is deployed; a rule that isn't is checked and tested all the same.
    pub enabled: bool,
    /// How bad it is when it fires.
    pub severity: Severity,
    /// Why it is that bad and no worse.
    pub severity_reason: Option<String>,
    /// The team or address that answers for the rule.
    pub owner: Option<String>,
    /// https addresses of background reading.
    pub references: Vec<String>,
    /// Harmless situations in which it fires.
    pub false_positives: Vec<String>,
    /// First steps as text, or an https address.
    pub runbook: Option<String>,
    /// Free words such as `attack.t1078.004` or `service.iam`.
    pub tags: Vec<String>,
    /// The event pattern with the exceptions compiled in; what is deployed.
    pub pattern: Pattern,
    /// The event pattern as written.
    pub written_pattern: Pattern,
    /// Whether the rule must see read-only calls, that is, needs the rule state
    /// `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`
    /// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail-management.html>).
    pub read_only: bool,
    /// The alert's text; `None` for a rule that only responds.
    pub message: Option<Message>,
    /// Names of topics; empty means: route by severity.
    pub notify: Vec<String>,
    /// What is done about it without a person.
    pub respond: Option<Response>,
    /// How many alerts its owner can live with; checked by the backtest.
    pub budget: Option<Budget>,
    /// What is known and harmless, each with an owner and an end.
    pub exceptions: Vec<Exception>,
    /// Where an imported rule comes from.
    pub imported_from: Option<ImportedFrom>,
    /// Events it must and must not match.
    pub tests: Vec<RuleTest>,
    /// The rule file.
    pub file: Arc<SourceFile>,
    /// Where the id was written.
    pub location: SourceLocation,
}

impl Rule {
    /// Whether the rule becomes part of a bundle, a verification and a backtest.
    pub fn is_deployed(&self) -> bool {
        self.enabled && self.status != Status::Deprecated
    }
}

/// How many alerts are too many. Nothing is deployed of it: a backtest over past logs fails for a
/// rule that is over its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Most alerts on one day (UTC), over all accounts and Regions.
    pub max_alerts_per_day: u64,
}

/// Where a rule comes from that was imported: what its license wants to be kept, and what the
/// import lost. Nothing of it is deployed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportedFrom {
    /// The format it was written in: `sigma`.
    pub format: String,
    /// Its id there.
    pub id: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// SPDX identifier of its license.
    pub license: Option<String>,
    /// The day it was written, as it says.
    pub date: Option<String>,
    /// The day it was last changed, as it says.
    pub modified: Option<String>,
    /// References that aren't https addresses.
    pub references: Vec<String>,
    /// What the imported rule doesn't do as the original does.
    pub losses: Vec<String>,
}

/// The first word of a text that the author has yet to write.
pub const UNFINISHED: &str = "TODO";

/// How mature a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// New; expect noise.
    Experimental,
    /// Being tried on a part of the fleet.
    Test,
    /// Trusted.
    Stable,
    /// Kept for its history; left out of the bundle.
    Deprecated,
}

impl Status {
    /// Every status in the order of a rule's life.
    pub const ALL: [Self; 4] = [
        Self::Experimental,
        Self::Test,
        Self::Stable,
        Self::Deprecated,
    ];

    /// The word in the rule file.
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

/// How bad it is when a rule fires; ordered from harmless to worst. Selects the topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For the record.
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
    /// Every severity from harmless to worst.
    pub const ALL: [Self; 5] = [
        Self::Informational,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The word in rule and organization files.
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

/// The text is not one of the five severities.
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

/// An alert's text, compiled to the two halves of an EventBridge input transformer
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html>).
///
/// The template is a JSON object in which every value that a caller can influence stands alone
/// and unquoted, so no value can make the result invalid, and an invalid result would not be
/// delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// `InputPathsMap`: placeholder name to JSON path; at most 100.
    pub input_paths: BTreeMap<String, String>,
    /// `InputTemplate`: at most 8,192 characters.
    pub input_template: String,
}

/// Something native that AWS does about a matching event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// Starts an EC2 instance again through the SSM automation `AWS-StartEC2Instance`, if it
    /// carries the tag.
    StartInstance {
        /// JSON path of the instance's id in the event, `$.detail.instance-id`.
        instance: String,
        /// Key of the tag that opts an instance in.
        tag_key: String,
        /// Value of that tag.
        tag_value: String,
    },
}

/// A known and harmless case that doesn't alert, until it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Short name, unique in the rule.
    pub name: String,
    /// Why it is harmless.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub expires: Date,
    /// Dotted event path to the values that are excepted; one path.
    pub when: BTreeMap<String, Vec<String>>,
}

/// One event and what the rule must say to it.
#[derive(Clone, Debug)]
pub struct RuleTest {
    /// Name, unique in the rule.
    pub name: String,
    /// The whole `EventBridge` event.
    pub event: serde_json::Value,
    /// Where the shape of the event is known from.
    pub origin: Origin,
    /// Whether the rule must match.
    pub matches: bool,
    /// The exact message expected, if the test says one.
    pub message: Option<String>,
    /// Where the test was written.
    pub location: SourceLocation,
}

/// Where the shape of a test's event is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// AWS has recorded such an event; only names, ids and addresses are made up.
    Recorded,
    /// Written after the documentation: no such event was at hand.
    Synthetic,
}

impl Origin {
    /// Both origins.
    pub const ALL: [Self; 2] = [Self::Recorded, Self::Synthetic];

    /// The word in the rule file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Synthetic => "synthetic",
        }
    }
}
