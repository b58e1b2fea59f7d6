//! Validates the editor schemas with the JSON Schema implementation for Python.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::Run;

/// Validates documents and prints the errors of each.
const VALIDATE: &str = r#"
import json, sys, jsonschema
task = json.load(open(sys.argv[1], encoding="utf-8"))
kind = jsonschema.validators.validator_for(task["schema"])
assert kind is jsonschema.Draft7Validator, kind
kind.check_schema(task["schema"])
validator = kind(task["schema"])
print(json.dumps([[f"{error.json_path}: {error.message}"[:300] for error in validator.iter_errors(it)] for it in task["documents"]]))
"#;

/// The validation errors of each document.
fn errors(schema: &str, documents: &[Value]) -> Vec<Vec<String>> {
    let text = fs::read_to_string(tests::repository().join(schema)).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let task = folder.path().join("task.json");
    let content = json!({"schema": schema, "documents": documents}).to_string();
    fs::write(&task, content).expect("written");
    let mut python = tests::python_program("second-opinions", "python");
    let output = python.args(["-c", VALIDATE]).arg(&task).output();
    let run = Run::of(&output.expect("Python starts")).expect(0);
    let lists: Vec<Vec<String>> = serde_json::from_value(run.json()).expect("lists of texts");
    assert_eq!(lists.len(), documents.len());
    lists
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file");
    serde_yaml::from_str(&text).expect("YAML")
}

fn rule_files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rule_files(&path, found);
        } else if path.extension().is_some_and(|it| it == "yaml") {
            found.push(path);
        }
    }
}

#[test]
#[ignore = "needs the Python environment"]
fn every_rule_fits_its_schema() {
    let mut paths = Vec::new();
    rule_files(&tests::repository().join("rules"), &mut paths);
    rule_files(
        &tests::repository().join("stacksets/drift-rules"),
        &mut paths,
    );
    assert!(paths.len() > 100);
    let documents: Vec<Value> = paths.iter().map(|path| read(path)).collect();
    let wrong: Vec<String> = paths
        .iter()
        .zip(errors("rules/rule.schema.json", &documents))
        .filter(|(_, errors)| !errors.is_empty())
        .map(|(path, errors)| format!("{}: {errors:?}", path.display()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A document with one value, given by JSON pointer, replaced; null removes it.
fn with(document: &Value, pointer: &str, value: Value) -> Value {
    let mut document = document.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    if let Some(place) = document.pointer_mut(pointer).filter(|_| !value.is_null()) {
        *place = value;
        return document;
    }
    let parent = document.pointer_mut(parent).expect("its parent");
    let parent = parent.as_object_mut().expect("a mapping");
    if value.is_null() {
        parent.remove(key).expect("a field to take away");
    } else {
        parent.insert(key.to_owned(), value);
    }
    document
}

fn refuses(schema: &str, good: &Value, changes: &[(&str, Value)]) {
    let mut documents = vec![good.clone()];
    documents.extend(
        changes
            .iter()
            .map(|(at, value)| with(good, at, value.clone())),
    );
    let mut found = errors(schema, &documents).into_iter();
    assert_eq!(found.next(), Some(Vec::new()));
    for ((at, value), errors) in changes.iter().zip(found) {
        assert!(!errors.is_empty(), "{at} = {value} passes {schema}");
    }
}

#[test]
#[ignore = "needs the Python environment"]
fn the_rule_schema_rejects_what_check_rejects() {
    let good =
        read(&tests::repository().join("tests/library/rules/iam/iam-access-key-created.yaml"));
    let changes = [
        ("/severty", json!("high")),
        ("/severity", json!("hihg")),
        ("/severity", json!(null)),
        ("/version", json!(2)),
        ("/version", json!("1")),
        ("/id", json!("Example_Rule")),
        ("/title", json!("x".repeat(101))),
        ("/description", json!(" ")),
        ("/status", json!("stabel")),
        ("/enabled", json!("yes")),
        ("/references", json!(["http://example.com"])),
        ("/false_positives", json!("A trail that is being replaced.")),
        ("/tags", json!([1])),
        ("/notify", json!([])),
        ("/budget", json!({"max_alerts_per_day": "few"})),
        ("/budget", json!({"max_alerts_per_hour": 1})),
        ("/message", json!(null)),
        ("/event_pattern", json!({"source": "aws.iam"})),
        ("/event_pattern", json!({"source": [{"prefx": "aws."}]})),
        ("/event_pattern", json!({"source": []})),
        ("/exceptions", json!([{"name": "x"}])),
        (
            "/respond",
            json!({"start_instance": {"instance": "detail.instance-id"}}),
        ),
        ("/tests", json!([])),
        ("/tests/0", json!({"name": "x", "expect": "match"})),
        (
            "/tests/0",
            json!({"name": "x", "expect": "match", "event": {}, "like": "y"}),
        ),
        (
            "/tests/0",
            json!({"name": "x", "expect": "yes", "event": {}}),
        ),
        (
            "/tests/0",
            json!({"name": "x", "expect": "match", "event": {}, "each": {"a": []}}),
        ),
        (
            "/tests/0",
            json!({"name": "x", "expect": "match", "event": {}, "orign": "recorded"}),
        ),
    ];
    refuses("rules/rule.schema.json", &good, &changes);
}

#[test]
#[ignore = "needs the Python environment"]
fn the_organization_file_fits_its_schema_and_wrong_ones_do_not() {
    let good = read(&tests::repository().join("tests/library/organization.yaml"));
    let changes = [
        ("/organizations", json!("o-exampleorg1")),
        ("/organization", json!("exampleorg1")),
        ("/root", json!(null)),
        ("/home_region", json!("EU")),
        ("/regions", json!("eu-central-1")),
        ("/accounts/hub", json!(333_344_445_555_u64)),
        ("/accounts/hub", json!(null)),
        ("/targets/organizational_units", json!([])),
        ("/topology", json!("star")),
        ("/trail/retention_days", json!(0)),
        ("/trail/retention_days", json!("400")),
        ("/topics/0/severities", json!(["hihg"])),
        ("/topics/0/subscriptions/0/protocol", json!("fax")),
        ("/topics/0/subscriptions/0/endpoint", json!("nobody")),
        ("/waves/0", json!({"name": "canary"})),
        ("/waves/0/soak_minutes", json!(1441)),
        ("/drift_schedule", json!("daily")),
    ];
    refuses("stacksets/organization.schema.json", &good, &changes);
}
