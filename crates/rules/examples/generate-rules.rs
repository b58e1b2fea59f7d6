//! Generates a folder of distinct valid rules, to benchmark `check`:
//!
//! ```console
//! $ cargo run -p rules --example generate-rules -- target/generated 2000
//! $ time target/debug/gizmos check --rules target/generated
//! ```
#![expect(clippy::expect_used, reason = "a developer's program")]

use std::fs;
use std::path::PathBuf;

/// The table of event names; all its `Create…` calls are valid event names.
const TABLE: &str = include_str!("../data/event-names.txt");

/// Verbs of calls that change something.
const WORDS: [&str; 5] = ["Create", "Delete", "Put", "Update", "Disassociate"];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().expect("a folder"));
    let number: usize = arguments
        .next()
        .and_then(|text| text.parse().ok())
        .expect("how many rules");
    let calls = TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(": "))
        // Data events need another trail, and Lambda's names need versions.
        .filter(|(service, _)| {
            !["dynamodb", "kinesis", "lambda", "s3", "sns", "sqs", "ebs"].contains(service)
        })
        .filter(|(service, _)| *service == service.to_lowercase())
        .flat_map(|(service, names)| names.split(' ').map(move |name| (service, name)))
        .filter(|(_, name)| WORDS.iter().any(|word| name.starts_with(word)));
    for (index, (service, name)) in calls.take(number).enumerate() {
        let id = format!("rule-{index}");
        let path = folder.join(service).join(format!("{id}.yaml"));
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, rule(&id, service, name, index)).expect("a file");
    }
}

fn rule(id: &str, service: &str, name: &str, index: usize) -> String {
    // Most rules test something besides the name.
    let more = match index % 4 {
        1 => "    userIdentity: {type: [IAMUser, Root]}\n",
        2 => "    userIdentity: {userName: [{anything-but: [deployer]}, {exists: false}]}\n",
        3 => "    sourceIPAddress: [{anything-but: {suffix: .amazonaws.com}}]\n",
        _ => "",
    };
    format!(
        r#"version: 1
id: {id}
title: {service} {name}
description: Somebody called {name}.
status: stable
severity: medium
references: [https://docs.aws.amazon.com/]
false_positives: [A planned change.]
tags: [attack.t1098, service.{service}]
runbook: Ask whoever called it.
event_pattern:
  source: [aws.{service}]
  detail-type: [AWS API Call via CloudTrail]
  detail:
    eventSource: [{service}.amazonaws.com]
    eventName: [{name}]
{more}    errorCode: [{{exists: false}}]
message: |
  who: {{{{ detail.userIdentity.arn }}}}
  from address: {{{{ detail.sourceIPAddress }}}}
  with: {{{{ detail.requestParameters }}}}
tests:
  - name: it is called
    expect: match
    event: &event
      eventVersion: "1.10"
  - name: it was refused
    expect: no_match
    event: &event
      errorCode: AccessDenied
"#
    )
    .replace("    event: &event\n", &event(service, name))
}

/// The event for both tests.
fn event(service: &str, name: &str) -> String {
    format!(
        r#"    event:
      eventTime: "2026-11-23T10:00:00Z"
      eventSource: {service}.amazonaws.com
      eventName: {name}
      eventType: AwsApiCall
      awsRegion: eu-central-1
      sourceIPAddress: 198.51.100.23
      userAgent: aws-cli/2.31.5
      recipientAccountId: "111122223333"
      eventID: 11111111-2222-4333-8444-555555555555
      readOnly: false
      managementEvent: true
      eventCategory: Management
      requestParameters: {{name: example}}
      userIdentity: {{type: IAMUser, arn: "arn:aws:iam::111122223333:user/alice", userName: alice}}
"#
    )
}
