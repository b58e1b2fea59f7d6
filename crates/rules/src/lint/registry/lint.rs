//! A lint, its page and the examples on it.

use syntax::Severity;

/// The rule that the examples change.
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

/// Its fixture, `stop-logging.json`.
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

/// One check and its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Stable: `pattern::value-type`. The part before `::` says what part of a rule it is about.
    pub code: &'static str,
    /// The heading: what is wrong, in a few words.
    pub name: &'static str,
    /// Errors stop a deployment.
    pub severity: Severity,
    /// Why it matters and what to do, in one paragraph.
    pub about: &'static str,
    /// Where it fires.
    pub bad: Example,
    /// Where it is silent.
    pub good: Example,
    /// Whether `check --fix` can mend it, in the usual case.
    pub fix: bool,
    /// Whether a comment `# allow: code reason` silences it. What EventBridge or CloudFormation
    /// would refuse, and what protects the deployment from a rule file, can't be allowed.
    pub allow: bool,
}

/// An example of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Example {
    /// Fields at the top of the file, in place of those of [`EXAMPLE_RULE`]; a line `---` begins
    /// another rule of the same folder.
    Fields(&'static str),
    /// [`EXAMPLE_RULE`] without a field.
    Without(&'static str),
    /// A whole file.
    File(&'static str),
    /// Nothing that a page could show: a file that is too large, a link, a folder.
    Words(&'static str),
}

impl Example {
    /// The text of the example's rule files, one after another; none for [`Example::Words`].
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

/// A rule file's text with some of its top fields replaced, and new ones added at the end.
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

/// The top fields of a file with their lines; a comment before a field belongs to it.
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
