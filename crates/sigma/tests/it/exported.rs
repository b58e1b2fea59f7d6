//! Exports rules as Sigma rules.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use eventbridge_pattern::Event;
use serde_json::Value;
use sigma::{Effect, Record};
use syntax::SourceFile;

use crate::support::{all_imported, options};

/// This repository's rules.
fn library() -> Vec<rules::Rule> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
    let options = rules::Options {
        today: jiff::civil::date(2026, 11, 23),
    };
    rules::load(&folder, &options).rules
}

/// Reads a rule from the text of its file.
fn rule_of(id: &str, text: &str) -> rules::Rule {
    let file = Arc::new(SourceFile::new(format!("{id}.yaml"), text));
    let options = rules::Options {
        today: jiff::civil::date(2026, 11, 23),
    };
    let library = rules::check_file(&file, Path::new("fixtures"), &options);
    library.rules.into_iter().next().unwrap()
}

fn sigma_rule(name: &str, text: &str) -> sigma::Rule {
    let file = Arc::new(SourceFile::new(format!("{name}.yml"), text));
    sigma::read(&file).unwrap_or_else(|diagnostics| panic!("{name}: {diagnostics:?}\n{text}"))
}

/// The records of a rule's tests, plus variants with one field removed or changed.
fn records(rule: &rules::Rule) -> Vec<Value> {
    let mut records = Vec::new();
    for test in &rule.tests {
        let record = &test.event["detail"];
        let is_record = cloudtrail::envelope::wrap(record).is_ok_and(|event| event == test.event);
        if is_record {
            vary(record, record, &mut Vec::new(), &mut records);
            records.push(record.clone());
        }
    }
    records
}

fn vary(record: &Value, at: &Value, path: &mut Vec<String>, out: &mut Vec<Value>) {
    for (name, value) in at.as_object().into_iter().flatten() {
        path.push(name.clone());
        let pointer = format!("/{}", path.join("/"));
        for other in [Value::Null, Value::from("something-else"), Value::from(7)] {
            let mut changed = record.clone();
            if let Some(slot) = changed.pointer_mut(&pointer) {
                *slot = other;
            }
            out.push(changed);
        }
        let mut less = record.clone();
        let parent = pointer.rsplit_once('/').unwrap().0.to_owned();
        let parent = less.pointer_mut(&parent).unwrap();
        parent.as_object_mut().unwrap().shift_remove(name);
        out.push(less);
        vary(record, value, path, out);
        path.pop();
    }
}

/// Whether the event's type is only an assumption, which a Sigma rule about the record can't make.
fn is_typed_by_wrapping(record: &Value) -> bool {
    !record.get("eventType").is_some_and(Value::is_string)
}

/// An exported rule matches the same records as the original, except for its stated losses. An
/// exact export that is imported exactly again is the same rule.
fn round_trip(rule: &rules::Rule) -> (usize, usize) {
    let exported = sigma::export(rule).unwrap();
    let sigma = sigma_rule(&rule.id, &exported.text);
    let again = sigma::import(&sigma, &options());
    let stated = |effect| exported.losses.iter().any(|loss| loss.effect == effect);
    let (mut judged, mut matched) = (0, 0);
    for record in records(rule) {
        // Skips records in which a field that is always text has another type.
        let Ok(event) = cloudtrail::envelope::wrap(&record) else {
            continue;
        };
        if !is_plausible(&record) || is_typed_by_wrapping(&record) {
            continue;
        }
        let event = Event::parse(&event.to_string()).unwrap();
        let ours = rule.pattern.matches(&event).unwrap();
        let theirs = sigma.matches(&Record::new(&record));
        judged += 1;
        matched += usize::from(ours);
        assert!(
            ours == theirs
                || (theirs && stated(Effect::Wider))
                || (ours && stated(Effect::Narrower)),
            "{}: we say {ours}, Sigma {theirs}: {record}\n{}",
            rule.id,
            exported.text
        );
        if let Ok(again) = &again
            && again.is_exact()
            && exported.losses.is_empty()
        {
            assert_eq!(again.matches(&event), ours, "{}: {record}", rule.id);
        }
    }
    (judged, matched)
}

/// Whether every field that is always text is text or missing.
fn is_plausible(record: &Value) -> bool {
    let is_text = |value: &Value| value.is_string() || value.is_null();
    let below = |value: &Value| {
        value
            .as_object()
            .is_none_or(|object| object.values().all(|it| it.is_object() || is_text(it)))
    };
    let texts = [
        "awsRegion",
        "errorCode",
        "errorMessage",
        "eventCategory",
        "eventID",
        "eventName",
        "eventSource",
        "eventTime",
        "eventType",
        "recipientAccountId",
        "sourceIPAddress",
        "userAgent",
    ];
    texts.iter().all(|field| is_text(&record[*field]))
        && record["userIdentity"].is_object()
        && below(&record["userIdentity"])
        && record["userIdentity"]
            .as_object()
            .into_iter()
            .flatten()
            .all(|(_, value)| below(value))
}

#[test]
fn the_library_survives_export_and_import() {
    let mut table = String::new();
    let (mut judged, mut matched) = (0, 0);
    for rule in library() {
        if let Err(diagnostics) = sigma::export(&rule) {
            writeln!(table, "{}: {}", rule.id, diagnostics[0].message).unwrap();
            continue;
        }
        let counts = round_trip(&rule);
        judged += counts.0;
        matched += counts.1;
    }
    assert!(matched > 10 && judged > matched, "{judged} {matched}");
    // Only events of other services can't be exported.
    for line in table.lines() {
        assert!(line.contains("not an event type of CloudTrail"), "{table}");
    }
}

#[test]
fn imported_rules_go_back() {
    let (mut exact, mut all) = (0, 0);
    for (name, _, imported) in all_imported() {
        for file in &imported.rules {
            let rule = rule_of(&file.id, &file.text);
            round_trip(&rule);
            let exported = sigma::export(&rule).unwrap();
            exact += usize::from(exported.losses.is_empty());
            all += 1;
            let again = sigma::import(&sigma_rule(&name, &exported.text), &options());
            assert!(
                again.is_ok(),
                "{name}: {:?}\n{}",
                again.err(),
                exported.text
            );
        }
    }
    assert!(exact * 2 > all, "only {exact} of {all} are exact");
}

#[test]
fn an_exported_rule_is_as_a_person_would_write_it() {
    let file = all_imported()
        .into_iter()
        .find(|(name, ..)| name == "mixed_selection")
        .map(|(_, _, imported)| imported.rules.into_iter().next().unwrap())
        .unwrap();
    let exported = sigma::export(&rule_of(&file.id, &file.text)).unwrap();
    insta::assert_snapshot!(exported.text);
}
