//! Checks clauses against the shape of events.

use cloudtrail::fields::FieldShape;
use serde_json::Value;
use syntax::{Diagnostic, Fix, Span, nearest};

use super::{Scope, scalar};
use crate::lint::clause::{Clause, Matcher};
use crate::lint::fields;

pub(super) fn check(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    shadowed(scope, diagnostics);
    for clause in scope.clauses {
        dotted(scope, clause, diagnostics);
        unknown(scope, clause, diagnostics);
        exists(scope, clause, diagnostics);
        exclusions(scope, clause, diagnostics);
    }
}

/// A path that occurs twice for the same events: only the later clause counts.
fn shadowed(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for (at, first) in scope.clauses.iter().enumerate() {
        let later = scope.clauses.iter().skip(at + 1);
        let Some(second) = later
            .filter(|it| it.path == first.path)
            .find(|it| it.meets(first))
        else {
            continue;
        };
        let (line, _) = scope.location(second.span()).line_column();
        let inside = second.branches.len() > first.branches.len();
        let diagnostic = Diagnostic::error(
            "pattern::or-shadow",
            format!(
                "this clause on `{}` has no effect: the one on line {line} replaces it",
                first.path
            ),
        )
        .at(scope.location(first.span()))
        .note("EventBridge keeps the last clause of a path; clauses inside a `$or` don't narrow those outside");
        diagnostics.push(if inside {
            diagnostic.help("constrain the field in each branch of the `$or`, and not outside")
        } else {
            diagnostic.help("merge the two into one list, or remove one")
        });
    }
}

fn dotted(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let key = clause.key;
    if key.key.contains('.') {
        diagnostics.push(
            Diagnostic::warning(
                "pattern::dotted-key",
                format!("EventBridge splits the key `{}` at its dots", key.key),
            )
            .at(scope.location(key.key_span))
            .help("nest the levels as in the event"),
        );
    }
}

/// Reports fields that CloudTrail records don't have.
fn unknown(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_cloudtrail() || clause.key.key.contains('.') {
        return;
    }
    let Some((step, known)) = fields::unknown(&clause.path) else {
        return;
    };
    // Only the last step belongs to this clause; a wrong parent is reported with its first clause.
    let seen = scope.subject.tests.iter().any(|test| {
        // A test event with the field shows that it exists.
        test.matches && value_at(&test.event, &clause.path).next().is_some()
    });
    if seen {
        return;
    }
    let path = &clause.path;
    let diagnostic = |text: String| {
        Diagnostic::warning("pattern::unknown-field", text).at(scope.location(clause.key.key_span))
    };
    let text = format!("CloudTrail records have no `{step}` at `{path}`");
    if let Some(same) = known.iter().find(|it| it.eq_ignore_ascii_case(step)) {
        let found = diagnostic(format!(
            "{text}; it is `{same}`: EventBridge is case-sensitive here"
        ));
        diagnostics.push(if clause.key.key == step {
            found.fix(Fix::replace(
                format!("write `{same}`"),
                clause.key.key_span,
                scalar(same),
            ))
        } else {
            found
        });
        return;
    }
    diagnostics.push(match nearest(step, &known) {
        Some(near) => diagnostic(text).help(format!("did you mean `{near}`?")),
        None => diagnostic(text).help(
            "parameters and results of a call are below `requestParameters` and `responseElements`",
        ),
    });
}

/// `exists` tests for a leaf, which an object is not.
fn exists(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for term in &clause.terms {
        let Matcher::Exists(wanted) = term.matcher else {
            continue;
        };
        let known = matches!(
            fields::shape(&clause.path, scope.is_cloudtrail()),
            Some(FieldShape::Object | FieldShape::ServiceObject | FieldShape::List)
        );
        let seen = scope
            .subject
            .tests
            .iter()
            .flat_map(|test| value_at(&test.event, &clause.path))
            .any(|value| {
                matches!(value, Value::Object(_))
                    || value
                        .as_array()
                        .is_some_and(|items| items.iter().any(Value::is_object))
            });
        if known || seen {
            let meaning = if wanted {
                "so this never matches"
            } else {
                "so this always matches, even if the object is present"
            };
            diagnostics.push(
                Diagnostic::error(
                    "pattern::exists-on-object",
                    format!("`{}` is an object, {meaning}", clause.path),
                )
                .at(scope.location(term.node.span))
                .note("`exists` looks for a value that is neither an object nor a list")
                .help("name a field inside it that is always present"),
            );
        }
    }
}

/// `anything-but` on lists and on fields that may be absent.
fn exclusions(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let exclusions: Vec<_> = clause
        .terms
        .iter()
        .filter(|term| matches!(term.matcher, Matcher::Except(_)))
        .collect();
    let Some(first) = exclusions.first() else {
        return;
    };
    let in_list = clause.path.starts_with("resources")
        || clause.path.starts_with("detail.resources")
        || scope
            .subject
            .tests
            .iter()
            .any(|test| crosses_list(&test.event, &clause.path));
    if in_list {
        diagnostics.push(
            Diagnostic::warning(
                "pattern::exclusion-in-list",
                format!("`{}` is in a list, and one other item is enough to match", clause.path),
            )
            .at(scope.location(first.node.span))
            .note("`anything-but` matches as soon as any item of the list differs, not only if all do")
            .help("match what you look for instead, or use `exceptions` with care"),
        );
    }
    if let Some(second) = clause.terms.get(1).filter(|_| overlap(clause)) {
        diagnostics.push(
            Diagnostic::error(
                "pattern::always-matches",
                format!("every value of `{}` satisfies this list", clause.path),
            )
            .at(scope.location(Span::new(
                clause.key.value.span.start,
                clause.key.value.span.end.max(second.node.span.end),
            )))
            .note("items of a list are joined by \"or\": what one excludes, another lets in")
            .help("put all excluded values into one `anything-but: […]`"),
        );
        return;
    }
    if !clause.has_exists(false) && !fields::is_always_there(&clause.path) {
        diagnostics.push(
            Diagnostic::warning(
                "pattern::missing-key",
                format!("events without `{}` don't match", clause.path),
            )
            .at(scope.location(clause.span()))
            .note("`anything-but` needs a value; a root user has no user name, a refused call often no parameters")
            .help("add `{exists: false}` to the list, so that a missing field is \"anything but\", too"),
        );
    }
}

/// Whether two items of a list together match every value.
fn overlap(clause: &Clause<'_>) -> bool {
    let texts = |node: &syntax::Node| -> Option<Vec<String>> {
        match &node.value {
            syntax::Value::String(text) => Some(vec![text.clone()]),
            syntax::Value::Sequence(items) => items
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect(),
            _ => None,
        }
    };
    let excluded: Vec<Option<Vec<String>>> = clause
        .terms
        .iter()
        .filter_map(|term| match term.matcher {
            Matcher::Except(node) => Some(texts(node)),
            _ => None,
        })
        .collect();
    let exists = clause.has_exists(true) && !excluded.is_empty();
    // Two disjoint exclusions together exclude nothing.
    let disjoint = excluded.iter().enumerate().any(|(at, one)| {
        excluded
            .iter()
            .skip(at + 1)
            .any(|other| match (one, other) {
                (Some(one), Some(other)) => !one.iter().any(|text| other.contains(text)),
                _ => false,
            })
    });
    // The list contains every value that the exclusion excludes.
    let named: Vec<&str> = clause.texts().map(|(text, _)| text).collect();
    let let_in = excluded
        .iter()
        .flatten()
        .any(|texts| !texts.is_empty() && texts.iter().all(|text| named.contains(&text.as_str())));
    exists || disjoint || let_in
}

/// The values at a pattern's path; lists are traversed.
fn value_at<'v>(event: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    let mut values = vec![event];
    for step in path.split('.') {
        values = values
            .into_iter()
            .flat_map(|value| match value {
                Value::Array(items) => items.iter().collect(),
                _ => vec![value],
            })
            .filter_map(|value| value.get(step))
            .collect();
    }
    values.into_iter()
}

/// Whether a path goes through or ends in a list.
fn crosses_list(event: &Value, path: &str) -> bool {
    let mut value = event;
    for step in path.split('.') {
        if let Value::Array(items) = value {
            return items.iter().any(|item| item.get(step).is_some());
        }
        match value.get(step) {
            Some(below) => value = below,
            None => return false,
        }
    }
    value.is_array()
}
