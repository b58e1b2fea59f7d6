//! Any text as a rule file. What `fmt` writes is the same rule and stays as it is; `check --fix` leaves
//! YAML; a valid rule runs its tests and compiles.
#![no_main]

use std::sync::{Arc, LazyLock};

use compiler::Templates;
use compiler::organization::Organization;
use eventbridge_pattern::Pattern;
use fuzz::{check_rule, compile, organization, repository, rule_file};
use libfuzzer_sys::fuzz_target;
use rules::{Library, Rule, RuleTest};
use serde_json::{Value, json};
use syntax::{Fix, SourceFile, Unformatted};

static ORGANIZATION: LazyLock<Organization> = LazyLock::new(organization);
static TEMPLATES: LazyLock<Templates> =
    LazyLock::new(|| Templates::load(&repository("stacksets")).expect("templates"));

/// What a rule says, without its places in the file. The order of keys means nothing.
fn gist(rule: &Rule) -> Value {
    let pattern = |pattern: &Pattern| serde_json::from_str::<Value>(pattern.text()).ok();
    let test = |test: &RuleTest| json!([test.name, test.event, test.matches, test.message]);
    json!({
        "about": [rule.id, rule.title, rule.description, rule.severity_reason, rule.owner, rule.runbook],
        "kind": [rule.status.as_str(), rule.severity.as_str()],
        "flags": [rule.enabled, rule.read_only],
        "lists": [rule.references, rule.false_positives, rule.tags, rule.notify],
        "patterns": [pattern(&rule.pattern), pattern(&rule.written_pattern)],
        "message": rule.message,
        "response": rule.respond,
        "budget": rule.budget.as_ref().map(|budget| budget.max_alerts_per_day),
        "exceptions": format!("{:?}", rule.exceptions),
        "tests": rule.tests.iter().map(test).collect::<Vec<_>>(),
    })
}

fn gists(library: &Library) -> (Vec<Value>, Vec<&'static str>) {
    let mut codes: Vec<_> = library.diagnostics.iter().map(|it| it.code).collect();
    codes.sort_unstable();
    (library.rules.iter().map(gist).collect(), codes)
}

fn check_format(file: &Arc<SourceFile>, library: &Library) {
    match rules::format(file) {
        Ok(text) if text == file.text => {}
        Ok(text) => {
            let formatted = Arc::new(SourceFile::new(file.path.clone(), text.as_str()));
            assert_eq!(rules::format(&formatted), Ok(text));
            assert_eq!(gists(&check_rule(&formatted)), gists(library));
        }
        Err(Unformatted::Diagnostics(diagnostics)) => assert!(!diagnostics.is_empty()),
        Err(Unformatted::Unsafe) => panic!("formatting would have changed the meaning"),
    }
}

fn check_fixes(file: &Arc<SourceFile>, library: &Library) {
    let fixes: Vec<Fix> = library
        .diagnostics
        .iter()
        .filter_map(|it| it.fix.clone())
        .collect();
    let (text, _) = syntax::apply(&file.text, &fixes);
    let is_yaml = |file: &Arc<SourceFile>| syntax::parse(file).1.is_empty();
    let fixed = Arc::new(SourceFile::new(file.path.clone(), text));
    assert!(is_yaml(&fixed) || !is_yaml(file), "{}", fixed.text);
}

fuzz_target!(|text: &str| {
    let file = rule_file(text);
    let library = check_rule(&file);
    check_format(&file, &library);
    check_fixes(&file, &library);
    for rule in &library.rules {
        rules::run_tests(rule);
    }
    if !library.rules.is_empty() {
        compile(&library.rules, &ORGANIZATION, &TEMPLATES);
    }
});
