//! checkov looks at every template.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::{Run, compile_every_variant, python_program};

use crate::committed;
use crate::reasons::Reasons;

#[test]
#[ignore = "needs checkov; `cargo xtask ci --second-opinions` runs it"]
fn checkov_finds_nothing_in_any_template_without_a_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut reasons = Reasons::of("checkov-findings");
    let compiled = compile_every_variant(&committed());
    for set in &compiled {
        let mut template = set.template.clone();
        // Reasons in templates are for adopters who run checkov too. checkov doesn't say which of
        // them it doesn't need, so they are compared with what it finds without them.
        for (check, resource) in remove_skips(&mut template) {
            reasons.add(&format!("{} {resource} {check}", set.name));
        }
        let file = format!("{}.{}.json", set.name, set.variant);
        fs::write(folder.path().join(file), template.to_string()).expect("written");
    }
    let planted = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": { "Planted": {
            "Type": "AWS::SNS::Topic", "Properties": { "TopicName": "planted" }
        }},
    });
    fs::write(folder.path().join("planted.json"), planted.to_string()).expect("written");

    let mut findings = findings(folder.path(), compiled.len() + 1);
    let all = findings.len();
    findings.retain(|finding| !finding.starts_with("planted "));
    assert!(findings.len() < all, "checkov missed the planted fault");
    findings.sort();
    findings.dedup();
    let known = reasons.settle(&findings);
    println!(
        "checkov: {} templates, {known} findings, each with a reason",
        compiled.len()
    );
}

/// Removes the reasons that stand in a template. Returns check and resource of each.
fn remove_skips(template: &mut Value) -> Vec<(String, String)> {
    let mut removed = Vec::new();
    let resources = template["Resources"].as_object_mut().expect("resources");
    for (id, resource) in resources {
        let Some(metadata) = resource.get_mut("Metadata").and_then(Value::as_object_mut) else {
            continue;
        };
        let skips = metadata.remove("checkov").unwrap_or_default();
        for skip in skips["skip"].as_array().into_iter().flatten() {
            assert!(skip["comment"].is_string(), "{id}: {skip} has no reason");
            let check = skip["id"].as_str().expect("a check");
            removed.push((check.to_owned(), id.clone()));
        }
    }
    removed
}

/// All findings in a folder of templates: stack set, resource, check and its title.
fn findings(folder: &Path, templates: usize) -> Vec<String> {
    let output = python_program("checkov", "checkov")
        .args(["--framework", "cloudformation", "--output", "json"])
        // Without the last one, it asks its maker's servers.
        .args(["--quiet", "--compact", "--soft-fail", "--skip-download"])
        .arg("--directory")
        .arg(folder)
        .output()
        .expect("checkov starts");
    let report = Run::of(&output).expect(0).json();
    assert_eq!(report["summary"]["parsing_errors"], 0, "{report:#}");
    let failed = report["results"]["failed_checks"].as_array();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let of_set = |failed: &Value| {
        let file = text(&failed["file_path"]);
        let name = file.trim_start_matches('/').split('.').next();
        name.unwrap_or_default().to_owned()
    };
    let resources = report["summary"]["resource_count"].as_u64();
    assert!(
        resources.is_some_and(|it| usize::try_from(it).is_ok_and(|it| it > templates)),
        "{report:#}"
    );
    failed
        .expect("checks")
        .iter()
        .map(|it| {
            let resource = text(&it["resource"]);
            format!(
                "{} {} {}: {}",
                of_set(it),
                resource.rsplit('.').next().unwrap_or_default(),
                text(&it["check_id"]),
                text(&it["check_name"]),
            )
        })
        .collect()
}
