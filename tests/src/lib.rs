//! Support for the whole-system tests: a project with a small library, the commands, and a
//! simulator.
//!
//! The tests use public interfaces only: the commands' arguments, output and exit codes, and the
//! simulator's HTTP API. They never use a crate's internals.
//!
//! Commands run within the test's process, many concurrently, unless the process itself matters:
//! signals, a closed pipe, AWS settings from the environment, or third-party programs.
#![expect(
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a broken setup should fail the test at once"
)]

mod client;
mod compiled;
pub mod policies;
mod process;
mod project;
mod python;
mod remedy;
mod run;
mod served;

use std::path::{Path, PathBuf};

pub use client::{Client, authorization};
pub use compiled::{CompiledStackSet, EVERY_OPTION, compile_every_variant};
pub use process::Started;
pub use project::Project;
pub use python::python_program;
pub use run::Run;
pub use served::Served;

/// The management account of the seeded organization.
pub const MANAGEMENT: &str = "111122223333";

/// The hub account of the seeded organization.
pub const HUB: &str = "333344445555";

/// The home Region in the committed organization file.
pub const HOME: &str = "eu-central-1";

/// The role that [`Served::create_access_role`] creates in every account.
pub const ACCESS_ROLE: &str = "DetectionsAccess";

/// A valid rule for tests to break. It needs `fixtures/event.json`.
pub const EXAMPLE_RULE: &str = r"version: 1
id: example-rule
title: A trail was stopped
description: Someone stopped a trail.
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
  - name: stopped
    expect: match
    fixture: event.json
  - name: refused
    expect: no_match
    fixture: event.json
    override: {errorCode: AccessDenied}
";

/// The content of `fixtures/event.json` for [`EXAMPLE_RULE`].
pub const EXAMPLE_EVENT: &str = r#"{
  "eventVersion": "1.08", "eventTime": "2026-11-23T10:00:00Z", "eventSource": "cloudtrail.amazonaws.com",
  "eventName": "StopLogging", "eventType": "AwsApiCall", "awsRegion": "eu-central-1",
  "recipientAccountId": "111122223333", "eventID": "11111111-2222-4333-8444-555555555555",
  "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"}
}"#;

/// The root of the repository.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}
