//! Reads a rule's tests and their events.

use cloudtrail::envelope;
use serde_json::Value;
use syntax::{Diagnostic, Node, Span};

use super::fixtures::{self, Fixtures, MAX_EVENT_BYTES};
use super::reader::Reader;
use super::shape::{self, MAX_WORDS};
use crate::model::{Origin, RuleTest};

/// Most tests of one rule.
const MAX_TESTS: usize = 200;
/// Total size limit of the events of one rule's tests, in bytes.
const MAX_TOTAL_BYTES: usize = 4 * 1024 * 1024;

/// The tests of a rule and their expectations.
#[derive(Debug, Default)]
pub(crate) struct Tests {
    pub(crate) list: Vec<RuleTest>,
    /// Whether each test expects a match, including tests with invalid events; `None` if the list
    /// itself is invalid.
    pub(crate) expected: Option<Vec<bool>>,
}

/// Reads the tests. A test with an invalid event is left out, with a diagnostic.
pub(super) fn tests(reader: &mut Reader, root: &Node, fixtures: &mut Fixtures) -> Tests {
    let Some(node) = root.get("tests") else {
        return Tests::default();
    };
    let Some(items) = reader.sequence(node, "`tests`") else {
        return Tests::default();
    };
    if items.len() > MAX_TESTS {
        reader.error(
            "test::too-many",
            format!("{} tests are more than {MAX_TESTS}", items.len()),
            node.span,
        );
        return Tests::default();
    }
    let has_message = root.get("message").is_some();
    let mut list: Vec<RuleTest> = Vec::new();
    // The unwrapped events, for tests with `like`.
    let mut written: Vec<(String, Value)> = Vec::new();
    let mut expected = Vec::new();
    let mut total = 0;
    'items: for item in items {
        let (variants, matches) = test(reader, item, fixtures, &mut written, has_message);
        expected.extend(matches);
        for test in variants {
            if list.iter().any(|other| other.name == test.name) {
                reader.diagnostics.push(
                    Diagnostic::error(
                        "test::duplicate-name",
                        format!("two tests are named \"{}\"", test.name),
                    )
                    .at(test.location.clone()),
                );
            }
            total += test.event.to_string().len();
            if let Err(problem) = fixtures.count(&test.event) {
                let diagnostic = Diagnostic::error("library::too-many", problem);
                reader.diagnostics.push(diagnostic.at(test.location));
                break 'items;
            }
            let problem = if total > MAX_TOTAL_BYTES {
                format!("the tests' events have more than {MAX_TOTAL_BYTES} bytes together")
            } else if list.len() == MAX_TESTS {
                format!("with every value of `each` there are more than {MAX_TESTS} tests")
            } else {
                list.push(test);
                continue;
            };
            reader
                .diagnostics
                .push(Diagnostic::error("test::too-many", problem).at(test.location));
            break 'items;
        }
    }
    Tests {
        list,
        expected: Some(expected),
    }
}

/// One test for each value of its `each`, if the events are valid, and the expectation, if it is
/// valid.
fn test(
    reader: &mut Reader,
    node: &Node,
    fixtures: &mut Fixtures,
    written: &mut Vec<(String, Value)>,
    has_message: bool,
) -> (Vec<RuleTest>, Option<bool>) {
    if !reader.mapping(node, "a test", &shape::TEST) {
        return (Vec::new(), None);
    }
    let name = node
        .get("name")
        .and_then(|name| reader.short_text(name, "`name` of a test", MAX_WORDS));
    let matches = node.get("expect").and_then(|expect| {
        reader.word(expect, "`expect`", &[("match", true), ("no_match", false)])
    });
    let origin = node.get("origin").map_or(Some(Origin::Recorded), |origin| {
        let words = Origin::ALL.map(|origin| (origin.as_str(), origin));
        reader.word(origin, "`origin`", &words)
    });
    let event = event(reader, node, fixtures, written);
    let base = event.as_ref().map(|(value, _)| value.clone());
    let variants = event.and_then(|(value, location)| {
        let values = match node.get("each") {
            None => vec![(String::new(), value)],
            Some(each) => self::each(reader, each, &value)?,
        };
        let mut variants = Vec::new();
        for (label, value) in values {
            let label = name.as_ref().map(|name| format!("{name}{label}"));
            variants.push((label?, envelope(reader, &value, location)?));
        }
        Some(variants)
    });
    let message = expected_message(reader, node, matches, has_message);
    let span = node.get("name").map_or(node.span, |name| name.span);
    let build = |(name, event)| {
        Some(RuleTest {
            name,
            event,
            origin: origin?,
            matches: matches?,
            message: message.clone(),
            location: reader.location(span),
        })
    };
    let tests: Vec<RuleTest> = variants.into_iter().flatten().filter_map(build).collect();
    // Only events that became tests count toward the limits, so only those are kept.
    if !tests.is_empty() {
        written.extend(name.zip(base));
    }
    (tests, matches)
}

/// The alert that a test expects, if given.
fn expected_message(
    reader: &mut Reader,
    node: &Node,
    matches: Option<bool>,
    has_message: bool,
) -> Option<String> {
    let message = reader.text_of(node, "message", "a test");
    let problem = if matches == Some(false) {
        "an event that doesn't match has no message"
    } else if !has_message {
        "the rule has no message"
    } else if node.get("each").is_some() {
        "the events of `each` have different messages"
    } else {
        return message;
    };
    if let Some(written) = node.get("message") {
        reader.error("test::message", problem, written.span);
    }
    message
}

/// One event for every value of `each`, with the value as text for the test's name.
fn each(reader: &mut Reader, node: &Node, event: &Value) -> Option<Vec<(String, Value)>> {
    let path_and_values = match node.as_mapping() {
        Some([entry]) => entry
            .value
            .as_sequence()
            .filter(|values| !values.is_empty())
            .map(|values| (&entry.key, values)),
        _ => None,
    };
    let Some((path, values)) = path_and_values else {
        reader.push(
            Diagnostic::error(
                "test::each",
                "`each` takes one path and the values to put there",
            )
            .help("write `each: {eventName: [DeleteTrail, StopLogging]}`"),
            node.span,
        );
        return None;
    };
    let room = MAX_TOTAL_BYTES / event.to_string().len().max(1);
    if values.len() > MAX_TESTS.min(room) {
        reader.error(
            "test::too-many",
            format!("{} events are too many for one rule", values.len()),
            node.span,
        );
        return None;
    }
    let variants = values.iter().map(|value| {
        let value = value.to_json();
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let patch = path
            .rsplit('.')
            .fold(value, |below, key| serde_json::json!({ key: below }));
        let mut event = event.clone();
        fixtures::merge(&mut event, &patch);
        (format!(": {text}"), event)
    });
    Some(variants.collect())
}

/// The event before wrapping, and its location for diagnostics.
fn event(
    reader: &mut Reader,
    node: &Node,
    fixtures: &mut Fixtures,
    written: &[(String, Value)],
) -> Option<(Value, Span)> {
    let (mut value, location) = match (node.get("event"), node.get("fixture"), node.get("like")) {
        (Some(event), None, None) => {
            if let Some(patch) = node.entry("override") {
                reader.error(
                    "test::event",
                    "`override` changes a `fixture` or what a test is `like`, not an `event`",
                    patch.key_span,
                );
            }
            return Some((event.to_json(), event.span));
        }
        (None, Some(fixture), None) => {
            let name = reader.text(fixture, "`fixture`")?;
            match fixtures.get(name.trim()) {
                Ok(value) => (value, fixture.span),
                Err(message) => {
                    reader.error("test::fixture", message, fixture.span);
                    return None;
                }
            }
        }
        (None, None, Some(like)) => {
            let name = reader.text(like, "`like`")?;
            let Some((_, value)) = written.iter().find(|(known, _)| known == name.trim()) else {
                reader.push(
                    Diagnostic::error(
                        "test::like",
                        format!("no earlier test is named \"{}\"", name.trim()),
                    )
                    .help("`like` names an earlier test of this rule"),
                    like.span,
                );
                return None;
            };
            (value.clone(), like.span)
        }
        _ => {
            reader.push(
                Diagnostic::error(
                    "test::event",
                    "a test has one of `event`, `fixture` and `like`",
                )
                .help("a fixture is a JSON file in the rules folder's `fixtures/`; `like` names an earlier test"),
                node.get("name").map_or(node.span, |name| name.span),
            );
            return None;
        }
    };
    if let Some(patch) = node.get("override") {
        if patch.as_mapping().is_none() {
            reader.error(
                "rule::wrong-type",
                format!("`override` must be a mapping, not {}", patch.kind()),
                patch.span,
            );
            return None;
        }
        fixtures::merge(&mut value, &patch.to_json());
    }
    Some((value, location))
}

/// The event as it arrives on a bus.
fn envelope(reader: &mut Reader, value: &Value, location: Span) -> Option<Value> {
    match envelope::of(value) {
        Ok(event) if event.to_string().len() > MAX_EVENT_BYTES => {
            reader.error(
                "test::event",
                "the event is larger than 256 KB, which EventBridge doesn't accept",
                location,
            );
            None
        }
        Ok(event) => Some(event),
        Err(error) => {
            reader.error("test::event", error.to_string(), location);
            None
        }
    }
}
