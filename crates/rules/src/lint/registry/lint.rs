//! The type of a registry entry, and its examples.

use syntax::Severity;

/// The rule that the examples modify.
pub const EXAMPLE_RULE: &str = r"version: 1
id: example-rule
title: A trail was stopped
description: Somebody stopped a trail.
status: stable
severity: high
references: [https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html]
false_positives: [A trail that is being replaced.]
runbook: Ask whoever stopped it, and start it again.
event_pattern:
  source: [aws.cloudtrail]
  detail-type: [AWS API Call via CloudTrail]
  detail:
    eventSource: [cloudtrail.amazonaws.com]
    eventName: [StopLogging]
    errorCode: [{exists: false}]
message: |
  who: {{ detail.userIdentity.arn }}
tests:
  - name: a trail is stopped
    expect: match
    fixture: stop-logging.json
  - name: the call was refused
    expect: no_match
    fixture: stop-logging.json
    override: {errorCode: AccessDenied}
";

/// The fixture of [`EXAMPLE_RULE`], `stop-logging.json`.
pub const EXAMPLE_EVENT: &str = r#"{
  "eventVersion": "1.10",
  "userIdentity": {
    "type": "IAMUser",
    "arn": "arn:aws:iam::111122223333:user/alice",
    "accountId": "111122223333",
    "userName": "alice"
  },
  "eventTime": "2026-11-23T03:30:00Z",
  "eventSource": "cloudtrail.amazonaws.com",
  "eventName": "StopLogging",
  "awsRegion": "eu-central-1",
  "sourceIPAddress": "198.51.100.23",
  "userAgent": "aws-cli/2.31.5",
  "requestParameters": {"name": "audit"},
  "responseElements": null,
  "eventID": "e51d8a60-52c7-4ab0-8c4a-6a6cf2ad9006",
  "readOnly": false,
  "eventType": "AwsApiCall",
  "managementEvent": true,
  "recipientAccountId": "111122223333",
  "eventCategory": "Management"
}
"#;

/// A diagnostic code and its documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Stable, such as `pattern::value-type`. The part before `::` names the part of a rule.
    pub code: &'static str,
    /// The heading: what is wrong, in a few words.
    pub name: &'static str,
    /// Errors block deployment.
    pub severity: Severity,
    /// Why it matters and what to do, in one paragraph.
    pub about: &'static str,
    /// An example that triggers it.
    pub bad: Example,
    /// An example that doesn't trigger it.
    pub good: Example,
    /// Whether `check --fix` can usually correct it.
    pub fix: bool,
    /// Whether a comment `# allow: code reason` can silence it. Never true for what EventBridge or
    /// CloudFormation would refuse, or for checks that protect the deployment from a rule file.
    pub allow: bool,
}

/// An example of a rule file, relative to [`EXAMPLE_RULE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Example {
    /// Top-level fields that replace those of [`EXAMPLE_RULE`]; a line `---` begins another rule in
    /// the same folder.
    Fields(&'static str),
    /// [`EXAMPLE_RULE`] without this field.
    Without(&'static str),
    /// A complete file.
    File(&'static str),
    /// A description of something that a page can't show: a huge file, a link, a folder.
    Words(&'static str),
}

impl Example {
    /// The texts of the example's rule files; empty for [`Example::Words`].
    pub fn files(self) -> Vec<String> {
        match self {
            Self::Fields(fields) => fields
                .split("---\n")
                .map(|fields| with_fields(EXAMPLE_RULE, fields))
                .collect(),
            Self::Without(field) => vec![
                blocks(EXAMPLE_RULE)
                    .into_iter()
                    .filter(|(name, _)| *name != field)
                    .map(|(_, text)| text)
                    .collect(),
            ],
            Self::File(text) => vec![text.to_owned()],
            Self::Words(_) => Vec::new(),
        }
    }
}

/// Replaces top-level fields in a rule file's text, and appends new ones.
fn with_fields(rule: &str, fields: &str) -> String {
    let mut blocks = blocks(rule);
    for (name, text) in self::blocks(fields) {
        match blocks.iter_mut().find(|(known, _)| *known == name) {
            Some(block) => block.1 = text,
            None => blocks.push((name, text)),
        }
    }
    blocks.into_iter().map(|(_, text)| text).collect()
}

/// The top-level fields of a file with their lines; a comment before a field belongs to it.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut before = String::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('#') || (blocks.is_empty() && line == "\n") {
            before.push_str(line);
        } else if let (Some(block), true) = (blocks.last_mut(), line.starts_with([' ', '\n'])) {
            block.1.push_str(&before);
            block.1.push_str(line);
            before.clear();
        } else {
            let name = line.split(':').next().unwrap_or_default();
            blocks.push((name, format!("{before}{line}")));
            before.clear();
        }
    }
    blocks
}

/// An error that can't be allowed.
pub(super) const fn error(
    code: &'static str,
    name: &'static str,
    about: &'static str,
    bad: Example,
    good: Example,
) -> Lint {
    Lint {
        code,
        name,
        severity: Severity::Error,
        about,
        bad,
        good,
        fix: false,
        allow: false,
    }
}

/// A warning that can be allowed.
pub(super) const fn warning(
    code: &'static str,
    name: &'static str,
    about: &'static str,
    bad: Example,
    good: Example,
) -> Lint {
    Lint {
        severity: Severity::Warning,
        allow: true,
        ..error(code, name, about, bad, good)
    }
}

impl Lint {
    pub(super) const fn with_fix(mut self) -> Self {
        self.fix = true;
        self
    }

    pub(super) const fn may_be_allowed(mut self) -> Self {
        self.allow = true;
        self
    }

    pub(super) const fn never_allowed(mut self) -> Self {
        self.allow = false;
        self
    }
}
