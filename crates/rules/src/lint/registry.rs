//! Every code, with its page.

mod exception;
mod library;
mod limit;
mod message;
mod pattern;
mod respond;
mod rule;
mod test;
mod yaml;

use std::sync::LazyLock;

use syntax::Severity;

use super::{Example, Lint};

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

static REGISTRY: LazyLock<Vec<Lint>> = LazyLock::new(|| {
    [
        pattern::LINTS,
        rule::LINTS,
        message::LINTS,
        test::LINTS,
        exception::LINTS,
        respond::LINTS,
        library::LINTS,
        limit::LINTS,
        yaml::LINTS,
    ]
    .concat()
});

/// Every lint, in the order of the page.
pub fn registry() -> &'static [Lint] {
    &REGISTRY
}

/// The lint with that code.
pub fn find(code: &str) -> Option<&'static Lint> {
    registry().iter().find(|lint| lint.code == code)
}

/// An error that can't be allowed.
const fn error(
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
const fn warning(
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
    const fn with_fix(mut self) -> Self {
        self.fix = true;
        self
    }

    const fn may_be_allowed(mut self) -> Self {
        self.allow = true;
        self
    }

    const fn never_allowed(mut self) -> Self {
        self.allow = false;
        self
    }
}
