//! Checks for gaps in the tests.

use eventbridge_pattern::{Event, Pattern};
use serde_json::{Map, Value};
use syntax::{Diagnostic, Span};

use super::Scope;
use crate::lint::clause::Matcher;

pub(super) fn check(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    refused_calls(scope, diagnostics);
    exceptions(scope, diagnostics);
    near_miss(scope, diagnostics);
    own_deployments(scope, diagnostics);
}

fn tests_key(scope: &Scope<'_>) -> Span {
    let entry = scope.subject.root.entry("tests");
    entry.map_or(scope.subject.root.span, |entry| entry.key_span)
}

/// A rule should alert on refused calls only on purpose.
fn refused_calls(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    const OUTCOME: [&str; 2] = ["detail.errorCode", "detail.errorMessage"];
    let decides = scope.clauses.iter().any(|clause| {
        OUTCOME.contains(&clause.path.as_str())
            || clause.path.starts_with("detail.responseElements")
    });
    let tested = scope
        .subject
        .tests
        .iter()
        .any(|test| test.event.pointer("/detail/errorCode").is_some());
    let names = scope.at("detail.eventName").next();
    let Some(names) = names.filter(|_| scope.is_api_call() && !decides && !tested) else {
        return;
    };
    diagnostics.push(
        Diagnostic::warning(
            "test::refused-call",
            "nothing says whether refused calls alert",
        )
        .at(scope.location(names.key.key_span))
        .help("add `errorCode: [{exists: false}]` to alert on successful calls only, or a test with an `errorCode` that shows the intent"),
    );
}

/// Finds exceptions without a test.
fn exceptions(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for (exception, span) in scope.subject.exceptions {
        let shown = scope.subject.tests.iter().any(|test| {
            let Ok(event) = Event::parse(&test.event.to_string()) else {
                return true;
            };
            scope.subject.written.matches(&event) == Ok(true)
                && scope.subject.pattern.matches(&event) == Ok(false)
        });
        if !shown {
            diagnostics.push(
                Diagnostic::warning(
                    "exception::untested",
                    format!(
                        "no test shows that the exception `{}` works",
                        exception.name
                    ),
                )
                .at(scope.location(*span))
                .help("add a test with `expect: no_match` whose event has the excepted value"),
            );
        }
    }
}

/// Checks that some negative test fails only a single clause.
fn near_miss(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let conditions = conditions(scope.subject.pattern);
    let negative: Vec<_> = scope
        .subject
        .tests
        .iter()
        .filter(|test| !test.matches)
        .collect();
    if negative.is_empty() || conditions.is_empty() {
        return;
    }
    let near = negative.iter().any(|test| {
        let Ok(event) = Event::parse(&test.event.to_string()) else {
            return true;
        };
        let failed = conditions
            .iter()
            .filter(|it| it.matches(&event) == Ok(false))
            .count();
        failed <= 1
    });
    if !near {
        diagnostics.push(
            Diagnostic::warning("test::no-near-miss", "no test is a near miss")
                .at(scope.location(tests_key(scope)))
                .note("every `no_match` test fails two or more clauses of the pattern")
                .help("add one that differs from a match in a single field"),
        );
    }
}

/// Each clause of a pattern as a separate pattern; a `$or` counts as one clause.
fn conditions(pattern: &Pattern) -> Vec<Pattern> {
    fn walk(object: &Map<String, Value>, path: &mut Vec<String>, out: &mut Vec<Pattern>) {
        for (key, value) in object {
            path.push(key.clone());
            if let Value::Object(below) = value {
                walk(below, path, out);
            } else {
                let alone = path.iter().rev().fold(value.clone(), |below, step| {
                    Value::Object(Map::from_iter([(step.clone(), below)]))
                });
                out.extend(Pattern::parse(&alone.to_string()).ok());
            }
            path.pop();
        }
    }
    let mut out = Vec::new();
    if let Ok(Value::Object(root)) = serde_json::from_str(pattern.text()) {
        walk(&root, &mut Vec::new(), &mut out);
    }
    out
}

/// A rule that watches Gizmos' resources would alert on every deployment, unless it excludes the
/// deploying caller.
fn own_deployments(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_api_call() {
        return;
    }
    let ours = |text: &str| text.to_ascii_lowercase().contains("gizmos");
    let names_ours = scope.clauses.iter().find(|clause| {
        clause.path.starts_with("detail.requestParameters")
            && clause.terms.iter().any(|term| match term.matcher {
                Matcher::Text(text)
                | Matcher::Prefix(text)
                | Matcher::Suffix(text)
                | Matcher::Wildcard(text)
                | Matcher::IgnoringCase(text) => ours(text),
                _ => false,
            })
    });
    let Some(clause) = names_ours else {
        return;
    };
    let who = |path: &str| {
        path.starts_with("detail.userIdentity")
            || path == "detail.sourceIPAddress"
            || path == "detail.userAgent"
    };
    let leaves_out = scope.clauses.iter().any(|it| {
        who(&it.path)
            && it
                .terms
                .iter()
                .any(|term| matches!(term.matcher, Matcher::Except(_) | Matcher::Exists(false)))
    }) || scope
        .subject
        .exceptions
        .iter()
        .any(|(exception, _)| exception.when.keys().any(|path| who(path)));
    if !leaves_out {
        diagnostics.push(
            Diagnostic::warning(
                "rule::own-deployments",
                "the rule watches Gizmos' own resources, and every deployment would alert",
            )
            .at(scope.location(clause.span()))
            .help("exclude the role and the service of a deployment together, as `rules/self-protection` does: either alone can be had by others"),
        );
    }
}
