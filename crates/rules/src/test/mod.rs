//! Runs a rule's own tests.

pub mod mutation;

use eventbridge_pattern::transformer::Reserved;
use eventbridge_pattern::{Event, Pattern};
use serde::Serialize;
use serde_json::{Map, Value};
use syntax::Diagnostic;

use crate::model::{Rule, RuleTest};

/// The result of one test.
#[derive(Clone, Debug, Serialize)]
pub struct TestOutcome {
    /// Id of the tested rule.
    pub rule: String,
    /// Name of the test in the rule file.
    pub test: String,
    /// Whether match and alert were as expected.
    pub passed: bool,
    /// Whether the rule matched the event.
    pub matched: bool,
    /// The alert as delivered, if the rule matched and has a message.
    pub message: Option<String>,
    /// Why the test failed. [`crate::load`] doesn't report this for the rules it returns.
    pub diagnostic: Option<Diagnostic>,
}

/// Runs all tests of a rule, in source order.
///
/// A test passes if the rule matches as expected, the alert can be delivered, and the alert equals
/// the test's `message`, if given, ignoring surrounding white space.
///
/// Codes: `test::match`, `test::message`, `test::undeliverable`, `test::event`.
pub fn run_tests(rule: &Rule) -> Vec<TestOutcome> {
    rule.tests.iter().map(|test| run(rule, test)).collect()
}

fn run(rule: &Rule, test: &RuleTest) -> TestOutcome {
    let mut outcome = TestOutcome {
        rule: rule.id.clone(),
        test: test.name.clone(),
        passed: false,
        matched: false,
        message: None,
        diagnostic: None,
    };
    let diagnostic = judge(rule, test, &mut outcome);
    outcome.passed = diagnostic.is_none();
    outcome.diagnostic = diagnostic.map(|diagnostic| diagnostic.at(test.location.clone()));
    outcome
}

fn judge(rule: &Rule, test: &RuleTest, outcome: &mut TestOutcome) -> Option<Diagnostic> {
    let text = test.event.to_string();
    let matched = Event::parse(&text)
        .map_err(|error| error.to_string())
        .and_then(|event| {
            rule.pattern
                .matches(&event)
                .map_err(|error| error.to_string())
        });
    outcome.matched = match matched {
        Ok(matched) => matched,
        Err(error) => {
            return Some(Diagnostic::error(
                "test::event",
                format!("the event of \"{}\" can't be matched: {error}", test.name),
            ));
        }
    };
    if outcome.matched != test.matches {
        return Some(mismatch(rule, test));
    }
    if !outcome.matched {
        return None;
    }
    let message = rule.message.as_ref()?;
    let rendered = message
        .transformer()
        .map_err(|error| error.to_string())
        .and_then(|transformer| {
            transformer
                .render(&text, &Reserved::default())
                .map_err(|error| error.to_string())
        });
    match rendered {
        Ok(rendered) => {
            let diagnostic = test.message.as_ref().and_then(|expected| {
                (expected.trim() != rendered.trim())
                    .then(|| difference(test, expected.trim(), rendered.trim()))
            });
            outcome.message = Some(rendered);
            diagnostic
        }
        Err(error) => Some(Diagnostic::error(
            "test::undeliverable",
            format!(
                "the alert of \"{}\" could not be delivered: {error}",
                test.name
            ),
        )),
    }
}

fn mismatch(rule: &Rule, test: &RuleTest) -> Diagnostic {
    if !test.matches {
        return Diagnostic::error(
            "test::match",
            format!(
                "`{}` matches \"{}\", which it should not",
                rule.id, test.name
            ),
        );
    }
    let diagnostic = Diagnostic::error(
        "test::match",
        format!(
            "`{}` does not match \"{}\", which it should",
            rule.id, test.name
        ),
    );
    reasons(&rule.pattern, &test.event)
        .into_iter()
        .fold(diagnostic, Diagnostic::note)
}

/// The fields of a pattern that an event fails individually.
fn reasons(pattern: &Pattern, event: &Value) -> Vec<String> {
    let Ok(parsed) = Event::parse(&event.to_string()) else {
        return Vec::new();
    };
    let whole: Value = serde_json::from_str(pattern.text()).unwrap_or_default();
    let mut fields = Vec::new();
    leaves(&whole, &mut Vec::new(), &mut fields);
    fields
        .into_iter()
        .filter_map(|(path, terms)| {
            let alone = path.iter().rev().fold(terms.clone(), |below, step| {
                Value::Object(Map::from_iter([(step.clone(), below)]))
            });
            let alone = Pattern::parse(&alone.to_string()).ok()?;
            let seen = path
                .iter()
                .try_fold(event, |value, step| value.get(step))
                .map_or_else(|| "absent".to_owned(), Value::to_string);
            (alone.matches(&parsed) == Ok(false)).then(|| {
                format!(
                    "`{}` is {seen}; the pattern requires {terms}",
                    path.join(".")
                )
            })
        })
        .collect()
}

fn leaves(value: &Value, path: &mut Vec<String>, out: &mut Vec<(Vec<String>, Value)>) {
    for (key, below) in value.as_object().into_iter().flatten() {
        if key == "$or" {
            continue;
        }
        path.push(key.clone());
        if below.is_array() {
            out.push((path.clone(), below.clone()));
        } else {
            leaves(below, path, out);
        }
        path.pop();
    }
}

/// A line-by-line diff. The lines of an alert are its fields, so after removing the common prefix
/// and suffix, lines can be paired by position.
fn difference(test: &RuleTest, expected: &str, rendered: &str) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        "test::message",
        format!("the alert of \"{}\" is not the expected one", test.name),
    );
    let mut expected: Vec<&str> = expected.lines().collect();
    let mut rendered: Vec<&str> = rendered.lines().collect();
    let start = expected
        .iter()
        .zip(&rendered)
        .take_while(|(a, b)| a == b)
        .count();
    expected.drain(..start);
    rendered.drain(..start);
    let end = expected
        .iter()
        .rev()
        .zip(rendered.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    expected.truncate(expected.len() - end);
    rendered.truncate(rendered.len() - end);
    let lines: Vec<String> = expected
        .iter()
        .map(|line| format!("- {line}"))
        .chain(rendered.iter().map(|line| format!("+ {line}")))
        .collect();
    diagnostic
        .note("`-` is what the test expects, `+` what would be delivered")
        .note(lines.join("\n"))
}
