//! Running a rule's own tests.

use pattern::transformer::Reserved;
use pattern::{Event, Pattern};
use serde::Serialize;
use serde_json::{Map, Value};
use syntax::Finding;

use crate::model::{Rule, RuleTest};

/// What came of one rule test.
#[derive(Clone, Debug, Serialize)]
pub struct TestOutcome {
    /// The rule's id.
    pub rule: String,
    /// The test's name.
    pub test: String,
    /// Whether everything was as expected.
    pub passed: bool,
    /// Whether the rule matched.
    pub matched: bool,
    /// The alert as delivered, if the rule matched and has a message.
    pub message: Option<String>,
    /// What went wrong. [`crate::load`] doesn't report this for the rules it hands out.
    pub finding: Option<Finding>,
}

/// Runs all tests of a rule, in the order written.
///
/// A test passes if the rule matches exactly when it should, the alert can be delivered, and its
/// text is the expected one where the test gives one (blank space around it doesn't count).
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
        finding: None,
    };
    let finding = judge(rule, test, &mut outcome);
    outcome.passed = finding.is_none();
    outcome.finding = finding.map(|finding| finding.at(test.place.clone()));
    outcome
}

fn judge(rule: &Rule, test: &RuleTest, outcome: &mut TestOutcome) -> Option<Finding> {
    let text = test.event.to_string();
    outcome.matched = match Event::parse(&text).and_then(|event| rule.pattern.try_matches(&event)) {
        Ok(matched) => matched,
        Err(error) => {
            return Some(Finding::error(
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
            let finding = test.message.as_ref().and_then(|expected| {
                (expected.trim() != rendered.trim())
                    .then(|| difference(test, expected.trim(), rendered.trim()))
            });
            outcome.message = Some(rendered);
            finding
        }
        Err(error) => Some(Finding::error(
            "test::undeliverable",
            format!(
                "the alert of \"{}\" could not be delivered: {error}",
                test.name
            ),
        )),
    }
}

fn mismatch(rule: &Rule, test: &RuleTest) -> Finding {
    if !test.matches {
        return Finding::error(
            "test::match",
            format!(
                "`{}` matches \"{}\", which it should not",
                rule.id, test.name
            ),
        );
    }
    let finding = Finding::error(
        "test::match",
        format!(
            "`{}` does not match \"{}\", which it should",
            rule.id, test.name
        ),
    );
    reasons(&rule.pattern, &test.event)
        .into_iter()
        .fold(finding, Finding::note)
}

/// The fields of a pattern that, taken alone, an event fails.
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
            (!alone.matches(&parsed))
                .then(|| format!("`{}` is {seen}; the pattern wants {terms}", path.join(".")))
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

/// A line by line comparison; the lines of an alert are its fields, so position is enough to
/// line them up once common beginnings and ends are set aside.
fn difference(test: &RuleTest, expected: &str, rendered: &str) -> Finding {
    let finding = Finding::error(
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
    finding
        .note("`-` is what the test expects, `+` what would be delivered")
        .note(lines.join("\n"))
}
