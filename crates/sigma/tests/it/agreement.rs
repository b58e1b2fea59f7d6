//! Compares imported patterns with the rules themselves, over records generated from the rules'
//! values.

use std::cell::Cell;
use std::collections::BTreeMap;

use eventbridge_pattern::Event;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value, json};
use sigma::{Imported, Record, Rule};
use syntax::{Node, SourceFile};

use crate::support::all_imported;

/// Records per rule.
const CASES: u32 = 400;

/// Every difference is a stated loss in the same direction.
#[test]
fn imported_patterns_differ_only_as_stated() {
    let mut never = Vec::new();
    for (name, rule, imported) in all_imported() {
        let (matched, missed) = (Cell::new(0), Cell::new(0));
        run(
            &name,
            &records(&rule.file, &matching(&imported)),
            |record| {
                let counter = if agree(&rule, &imported, record)? {
                    &matched
                } else {
                    &missed
                };
                counter.set(counter.get() + 1);
                Ok(())
            },
        );
        if matched.get() == 0 || missed.get() == 0 {
            never.push(name);
        }
    }
    assert!(never.is_empty(), "records always or never match {never:?}");
}

fn run(
    name: &str,
    records: &BoxedStrategy<Value>,
    check: impl Fn(&Value) -> Result<(), TestCaseError>,
) {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let outcome = TestRunner::new_with_rng(config, rng).run(records, |record| check(&record));
    if let Err(error) = outcome {
        panic!("{name}: {error}");
    }
}

/// Whether the rule itself matches; fails on an unstated difference.
fn agree(rule: &Rule, imported: &Imported, record: &Value) -> Result<bool, TestCaseError> {
    let wanted = rule.matches(&Record::new(record));
    let event = cloudtrail::envelope::wrap(record).unwrap();
    let matched = imported.matches(&Event::parse(&event.to_string()).unwrap());
    let disagreement = imported.disagreement(wanted, matched);
    prop_assert!(
        disagreement.is_none(),
        "{disagreement:?}: Sigma says {wanted}, the patterns {matched}: {record}"
    );
    Ok(wanted)
}

/// The records of the imported rules' positive tests.
fn matching(imported: &Imported) -> Vec<Value> {
    let mut records = Vec::new();
    for rule in &imported.rules {
        let file = std::sync::Arc::new(SourceFile::new("rule.yaml", rule.text.as_str()));
        let root = syntax::parse(&file).0.unwrap();
        records.extend(root.pointer("/tests/0/event").map(Node::to_json));
    }
    records
}

/// Records whose fields have variants of the rule's values, or other values. Half of them are
/// matching records with few changes.
fn records(file: &std::sync::Arc<SourceFile>, matching: &[Value]) -> BoxedStrategy<Value> {
    let (root, _) = syntax::parse(file);
    let mut fields: BTreeMap<String, Vec<String>> = BTreeMap::new();
    collect(root.unwrap().get("detection").unwrap(), &mut fields);
    for field in ["eventSource", "eventName", "errorCode", "userIdentity.arn"] {
        fields.entry(field.to_owned()).or_default();
    }
    let parts: Vec<_> = fields
        .into_iter()
        .map(|(field, values)| {
            let value = value(&field, values);
            (Just(field), value, 0..100_u8).boxed()
        })
        .collect();
    let matching = matching.to_vec();
    (prop::option::of(any::<Index>()), parts)
        .prop_map(move |(base, fields)| {
            let base = base.filter(|_| !matching.is_empty());
            // Percentage of fields that change.
            let share = if base.is_some() { 25 } else { 100 };
            let base = base.map(|base| base.get(&matching).clone());
            let mut record = base.unwrap_or_else(|| json!({
                "eventTime": "2026-11-23T03:04:05Z", "awsRegion": "us-east-1", "eventSource": "iam.amazonaws.com",
                "eventName": "Other", "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
            }));
            for (field, value, chance) in fields {
                if let Some(value) = value.filter(|_| chance < share) {
                    set(&mut record, &field, value);
                }
            }
            record
        })
        .boxed()
}

fn set(record: &mut Value, path: &str, value: Value) {
    let mut at = record;
    for step in path.split('.') {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        at = at
            .as_object_mut()
            .unwrap()
            .entry(step.to_owned())
            .or_insert(Value::Null);
    }
    *at = value;
}

/// Every `field|modifier: value` below a node.
fn collect(node: &Node, fields: &mut BTreeMap<String, Vec<String>>) {
    for item in node.as_sequence().unwrap_or_default() {
        collect(item, fields);
    }
    for entry in node.as_mapping().unwrap_or_default() {
        if matches!(entry.key.as_str(), "condition" | "timeframe") {
            continue;
        }
        if entry.value.as_mapping().is_some()
            || entry
                .value
                .as_sequence()
                .is_some_and(|items| items.iter().any(|item| item.as_mapping().is_some()))
        {
            collect(&entry.value, fields);
            continue;
        }
        let field = entry.key.split('|').next().unwrap_or_default();
        let values = fields.entry(field.to_owned()).or_default();
        let items = match entry.value.as_sequence() {
            Some(items) => items.to_vec(),
            None => vec![entry.value.clone()],
        };
        for item in items {
            match item.to_json() {
                Value::String(text) => values.push(text),
                Value::Null => {}
                other => values.push(other.to_string()),
            }
        }
        // The operand of `fieldref` is a field as well.
        if entry.key.contains("fieldref") {
            for value in values.clone() {
                fields.entry(value).or_default();
            }
        }
    }
}

/// A value for a field; `None` leaves it out.
fn value(field: &str, values: Vec<String>) -> BoxedStrategy<Option<Value>> {
    if field == "eventTime" {
        return (2025..2028_i32, 1..=12_u8, 1..=28_u8, 0..24_u8, 0..60_u8)
            .prop_map(|(year, month, day, hour, minute)| {
                // Half of them are at times that occur in rules.
                let (month, day, hour) = match minute % 4 {
                    0 => (12, 30, 2),
                    1 => (12, 31, 3),
                    _ => (month, day, hour),
                };
                Some(json!(format!(
                    "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:05Z"
                )))
            })
            .boxed();
    }
    if ["readOnly", "managementEvent"].contains(&field) {
        return prop::option::of(any::<bool>().prop_map(Value::from)).boxed();
    }
    let text = text(values);
    if field == "eventSource" {
        return text
            .prop_map(|text| Some(json!(text.to_ascii_lowercase())))
            .boxed();
    }
    if field == "eventName" {
        return text.prop_map(|text| Some(json!(text))).boxed();
    }
    let is_object = ["requestParameters", "responseElements"].contains(&field);
    if is_object {
        return select(vec![
            None,
            Some(Value::Null),
            Some(json!({"other": {"x": 1}})),
        ])
        .boxed();
    }
    let is_open = field.starts_with("requestParameters")
        || field.starts_with("responseElements")
        || field.starts_with("additionalEventData");
    if !is_open {
        return prop_oneof![1 => Just(None), 6 => text.prop_map(|text| Some(json!(text)))].boxed();
    }
    let scalar = prop_oneof![
        4 => text.clone().prop_map(Value::from),
        // As a number or boolean if the text spells one.
        2 => text.prop_map(|text| serde_json::from_str(&text).unwrap_or_else(|_| json!(text))),
        1 => (0..60_i64).prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
    ];
    let any_value = prop_oneof![
        6 => scalar.clone(),
        1 => prop::collection::vec(scalar.clone(), 0..3).prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(json!({})),
        1 => scalar.prop_map(|value| json!({"below": value})),
    ];
    prop_oneof![1 => Just(None), 6 => any_value.prop_map(Some)].boxed()
}

/// A variant of a rule's text: unchanged, in another case, or with something added.
fn text(mut values: Vec<String>) -> BoxedStrategy<String> {
    values.push("something".to_owned());
    values.push("198.51.100.7".to_owned());
    values.push("arn:aws:sts::111122223333:assumed-role/worker/i-0123456789abcdef0".to_owned());
    (any::<Index>(), 0..12_u8, any::<Index>())
        .prop_map(move |(which, how, other)| {
            let value = which.get(&values).clone();
            let plain = value.replace(['*', '?'], "x").replace('\\', "");
            match how {
                0 => plain.to_uppercase(),
                1 => plain.to_lowercase(),
                2 => format!("x{plain}"),
                3 => format!("{plain}x"),
                4 => format!("x{plain} {}", other.get(&values)),
                5 => format!("{}{plain}", other.get(&values)),
                6 => value,
                7 => value.replace(['*', '?'], ""),
                8 => String::new(),
                9 => value.replace('/', ".").replace("0.", "9."),
                _ => plain,
            }
        })
        .boxed()
}
