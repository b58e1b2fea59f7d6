//! Any text as a Sigma rule: refused with a diagnostic, or imported as rule files that `check` parses,
//! that `fmt` leaves alone, and that agree with the Sigma rule on real records as far as the stated
//! losses go. The import can be exported, and that is a Sigma rule again.
#![no_main]

use std::sync::{Arc, LazyLock};

use eventbridge_pattern::Event;
use fuzz::{TODAY, check, check_rule, repository};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use sigma::{Case, Imported, Options, Record, Rule};
use syntax::SourceFile;

/// The records of the repository's fixtures, with their events.
static RECORDS: LazyLock<Vec<(Value, Event)>> = LazyLock::new(|| {
    let folder = std::fs::read_dir(repository("rules/fixtures")).expect("fixtures");
    let texts = folder.filter_map(|entry| std::fs::read_to_string(entry.ok()?.path()).ok());
    let values = texts.filter_map(|text| serde_json::from_str::<Value>(&text).ok());
    let pair = |value: Value| {
        let event = cloudtrail::envelope::of(&value).ok()?;
        let text = event.to_string();
        Some((event["detail"].clone(), Event::parse(&text).ok()?))
    };
    values.filter_map(pair).collect()
});

fn check_import(rule: &Rule, imported: &Imported) {
    check(&imported.diagnostics);
    assert!(!imported.rules.is_empty());
    let said: Vec<&str> = imported.diagnostics.iter().map(|it| it.code).collect();
    assert!(
        !said.iter().any(|code| code.starts_with("test::")),
        "{:?}",
        imported.diagnostics
    );
    for written in &imported.rules {
        let path = format!("rules/{}.yaml", written.id);
        let file = Arc::new(SourceFile::new(path, written.text.as_str()));
        let (node, diagnostics) = syntax::parse(&file);
        assert!(
            node.is_some() && diagnostics.is_empty(),
            "{diagnostics:?} {}",
            file.text
        );
        assert_eq!(rules::format(&file).as_ref(), Ok(&written.text));
        let library = check_rule(&file);
        match library.rules.first() {
            Some(read) => {
                assert_eq!(read.written_pattern.text(), written.pattern.text());
                if let Ok(exported) = sigma::export(read) {
                    let file = Arc::new(SourceFile::new("exported.yml", exported.text));
                    assert!(sigma::read(&file).is_ok(), "{}", file.text);
                }
            }
            None => assert!(library.has_errors() && !said.is_empty()),
        }
    }
    for (record, event) in RECORDS.iter() {
        let wanted = rule.matches(&Record::new(record));
        let matched = imported.matches(event);
        assert_eq!(imported.disagreement(wanted, matched), None, "{record}");
    }
}

fuzz_target!(|text: &str| {
    let file = Arc::new(SourceFile::new("example.yml", text));
    let rule = match sigma::read(&file) {
        Ok(rule) => rule,
        Err(diagnostics) => {
            assert!(!diagnostics.is_empty());
            return check(&diagnostics);
        }
    };
    for case in [Case::Ignore, Case::Exact] {
        let options = Options {
            case,
            license: None,
            today: TODAY,
        };
        match sigma::import(&rule, &options) {
            Ok(imported) => check_import(&rule, &imported),
            Err(diagnostics) => {
                assert!(!diagnostics.is_empty());
                check(&diagnostics);
            }
        }
    }
});
