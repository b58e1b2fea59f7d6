//! parliament, a linter of policies, looks at every policy of the templates and of `permissions`.

use std::fs;

use serde_json::{Value, json};
use tests::policies::{PolicyKind, policies};
use tests::{HUB, MANAGEMENT, Run, compile_every_variant, python_program};

use crate::committed;
use crate::reasons::Reasons;

/// Prints the findings of each policy.
const LINT: &str = r#"
import json, sys, warnings
warnings.simplefilter("ignore")
import parliament
found = []
for policy in json.load(open(sys.argv[1], encoding="utf-8")):
    analyzed = parliament.analyze_policy_string(json.dumps(policy["document"]), include_community_auditors=True)
    found.append([
        f"{it.issue}: {it.detail or sorted(it.location.get('actions', []))}" for it in analyzed.findings
    ])
print(json.dumps(found))
"#;

#[test]
#[ignore = "needs parliament; `cargo xtask ci --second-opinions` runs it"]
fn parliament_finds_nothing_in_any_policy_without_a_reason() {
    let project = committed();
    let mut all: Vec<(String, Value)> = Vec::new();
    for set in compile_every_variant(&project) {
        for policy in policies(&set.template, &set.parameters) {
            let kind = match policy.kind {
                PolicyKind::Identity => "identity",
                PolicyKind::Trust => "trust",
                PolicyKind::Resource => "resource",
                PolicyKind::Key => "key",
            };
            let name = format!("{kind} policy {} {}", set.name, policy.name);
            all.push((name, policy.document));
        }
    }
    assert!(all.len() > 60, "{} policies in templates", all.len());
    for command in ["plan", "drift", "deploy", "verify"] {
        for (topology, account) in [
            ("hub", MANAGEMENT),
            ("hub", HUB),
            ("local", MANAGEMENT),
            ("local", HUB),
        ] {
            let arguments = [
                ["permissions", command, "--format", "json"],
                ["--topology", topology, "--account", account],
            ];
            let arguments = arguments.concat();
            let printed = project.run(&arguments).expect(0).json();
            for policy in printed["policies"].as_array().expect("policies") {
                let name = policy["name"].as_str().expect("a name");
                let name = format!("permissions of {command}, {name}");
                all.push((name, policy["document"].clone()));
            }
        }
    }
    all.sort_by_cached_key(|(name, document)| format!("{name} {document}"));
    all.dedup();
    let planted = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sns:PublishAlert", "Resource": "*"}]});
    all.push(("planted".to_owned(), planted));
    let mut findings = lint(&all);
    assert!(
        findings.iter().any(|it| it.starts_with("planted ")),
        "parliament missed the planted fault"
    );
    findings.retain(|it| !it.starts_with("planted "));
    findings.dedup();
    let known = Reasons::of("parliament-findings").settle(&findings);
    println!(
        "parliament: {} policies, {known} findings, each with a reason",
        all.len() - 1
    );
}

/// All findings: name of the policy, issue and detail.
fn lint(all: &[(String, Value)]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let task = folder.path().join("policies.json");
    let list: Value = all
        .iter()
        .map(|(_, document)| json!({ "document": document }))
        .collect();
    fs::write(&task, list.to_string()).expect("written");
    let output = python_program("parliament", "python")
        .args(["-c", LINT])
        .arg(&task)
        .output();
    let run = Run::of(&output.expect("Python starts")).expect(0);
    let found: Vec<Vec<String>> = serde_json::from_value(run.json()).expect("lists of texts");
    assert_eq!(found.len(), all.len());
    let named = all.iter().zip(found);
    named
        .flat_map(|((name, _), found)| {
            found
                .into_iter()
                .map(move |finding| format!("{name} {finding}"))
        })
        .collect()
}
