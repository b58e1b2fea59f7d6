//! Rules and organizations for the tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use compiler::organization::{self, Organization, Topology};
use compiler::{Bundle, Part, StackSet, Templates, compile};
use eventbridge_pattern::Pattern;
use rules::{Message, Response, Rule, Severity, Status};
use serde_json::Value;
use syntax::{Diagnostic, SourceFile, SourceLocation, Span};

pub(crate) fn stacksets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets")
}

pub(crate) fn templates() -> Templates {
    Templates::load(&stacksets()).unwrap()
}

/// The text of the committed example, with a list of three Regions.
pub(crate) fn example_text() -> String {
    let text = std::fs::read_to_string(stacksets().join("organization.yaml")).unwrap();
    assert!(text.contains("regions: enabled\n"));
    text.replace(
        "regions: enabled\n",
        "regions:\n  - eu-central-1\n  - us-east-1\n  - us-west-2\n",
    )
}

/// The committed example, with a list of three Regions.
pub(crate) fn example() -> Organization {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("organization.yaml");
    std::fs::write(&path, example_text()).unwrap();
    let (organization, diagnostics) = organization::load(&path);
    assert_eq!(diagnostics, []);
    organization.unwrap()
}

pub(crate) fn local() -> Organization {
    Organization {
        topology: Topology::Local,
        ..example()
    }
}

/// A minimal rule that alerts.
pub(crate) fn rule(id: &str, pattern: &str) -> Rule {
    let file = Arc::new(SourceFile::new(
        format!("rules/{id}.yaml"),
        format!("id: {id}\n"),
    ));
    let pattern = Pattern::parse(pattern).unwrap();
    Rule {
        id: id.to_owned(),
        title: format!("Title of {id}"),
        description: String::new(),
        status: Status::Stable,
        enabled: true,
        severity: Severity::High,
        severity_reason: None,
        owner: None,
        references: Vec::new(),
        false_positives: Vec::new(),
        runbook: None,
        tags: Vec::new(),
        written_pattern: pattern.clone(),
        pattern,
        read_only: false,
        message: Some(Message {
            input_paths: [("account".to_owned(), "$.account".to_owned())].into(),
            input_template: format!(r#"{{"alert": "{id}", "account": <account>}}"#),
        }),
        notify: Vec::new(),
        respond: None,
        budget: None,
        exceptions: Vec::new(),
        imported_from: None,
        tests: Vec::new(),
        location: SourceLocation::new(&file, Span::new(4, 4 + id.len())),
        file,
    }
}

/// A rule for one event name of one service.
pub(crate) fn api_rule(id: &str, service: &str, event: &str) -> Rule {
    rule(
        id,
        &format!(
            r#"{{"source":["aws.{service}"],"detail-type":["AWS API Call via CloudTrail"],"detail":{{"eventSource":["{service}.amazonaws.com"],"eventName":["{event}"]}}}}"#
        ),
    )
}

pub(crate) fn start_instance(id: &str, key: &str, value: &str) -> Rule {
    Rule {
        message: None,
        respond: Some(Response::StartInstance {
            instance: "$.detail.instance-id".to_owned(),
            tag_key: key.to_owned(),
            tag_value: value.to_owned(),
        }),
        ..rule(
            id,
            r#"{"source":["aws.ec2"],"detail-type":["EC2 Instance State-change Notification"],"detail":{"state":["stopped"]}}"#,
        )
    }
}

/// A small library with one rule of each kind.
pub(crate) fn library() -> Vec<Rule> {
    vec![
        rule(
            "console-sign-in-without-mfa",
            r#"{"source":["aws.signin"],"detail-type":["AWS Console Sign In via CloudTrail"],"detail":{"eventName":["ConsoleLogin"],"additionalEventData":{"MFAUsed":["No"]},"responseElements":{"ConsoleLogin":["Success"]}}}"#,
        ),
        Rule {
            severity: Severity::Low,
            ..api_rule("access-key-created", "iam", "CreateAccessKey")
        },
        Rule {
            read_only: true,
            ..api_rule("secret-read", "secretsmanager", "GetSecretValue")
        },
        Rule {
            notify: vec!["alerts".to_owned(), "notices".to_owned()],
            ..api_rule("trail-stopped", "cloudtrail", "StopLogging")
        },
        start_instance("keep-running", "auto-start", "true"),
    ]
}

/// Compiles, and expects no diagnostics except that three Regions aren't all in which sign-ins appear.
pub(crate) fn bundle(rules: &[Rule], organization: &Organization) -> Bundle {
    let (bundle, mut diagnostics) = compile(rules, organization, &templates());
    diagnostics.retain(|diagnostic| diagnostic.code != "compile::unwatched-region");
    assert_eq!(diagnostics, []);
    bundle.unwrap()
}

/// The diagnostics of a failing compilation.
pub(crate) fn errors(rules: &[Rule], organization: &Organization) -> Vec<Diagnostic> {
    let (bundle, diagnostics) = compile(rules, organization, &templates());
    assert!(
        bundle.is_none(),
        "there is a bundle in spite of {diagnostics:?}"
    );
    diagnostics
}

pub(crate) fn only(bundle: &Bundle, part: Part) -> &StackSet {
    let sets: Vec<&StackSet> = bundle
        .stack_sets
        .iter()
        .filter(|set| set.part == part)
        .collect();
    assert_eq!(sets.len(), 1, "stack sets of {part:?}");
    sets[0]
}

pub(crate) fn json(set: &StackSet) -> Value {
    serde_json::from_str(&set.template).unwrap()
}

/// The committed rules.
pub(crate) fn committed_library() -> Vec<Rule> {
    let options = rules::Options {
        today: "2026-11-23".parse().unwrap(),
    };
    rules::load(&stacksets().join("../rules"), &options).rules
}
