//! Checks that events can have the values in a pattern.

use cloudtrail::fields::FieldShape;
use eventbridge_pattern::RedundancyReason;
use serde_json::Value;
use syntax::{Diagnostic, Fix, Node, Span, nearest};

use super::{Scope, scalar};
use crate::lint::clause::{Clause, Matcher};
use crate::lint::fields;
use crate::read::reader::listed;
use crate::stand_in;

pub(super) fn check(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for clause in scope.clauses {
        let before = diagnostics.len();
        types(scope, clause, diagnostics);
        if diagnostics.len() == before {
            words(scope, clause, diagnostics);
        }
        success(scope, clause, diagnostics);
        account(scope, clause, diagnostics);
        wildcards(scope, clause, diagnostics);
    }
    redundant(scope, diagnostics);
}

/// The JSON type that a term compares with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Text,
    Bool,
    Number,
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Bool => "true or false",
            Self::Number => "a number",
        }
    }
}

fn type_of(kind: Matcher<'_>) -> Option<Type> {
    match kind {
        Matcher::Text(_)
        | Matcher::Prefix(_)
        | Matcher::Suffix(_)
        | Matcher::Wildcard(_)
        | Matcher::IgnoringCase(_)
        | Matcher::OtherText => Some(Type::Text),
        Matcher::Number(_) | Matcher::Numeric => Some(Type::Number),
        Matcher::Bool(_) => Some(Type::Bool),
        _ => None,
    }
}

/// Reports values of a type that events don't have at this path.
fn types(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let known = match fields::shape(&clause.path, scope.is_cloudtrail()) {
        Some(FieldShape::Text) => Some(Type::Text),
        Some(FieldShape::Boolean) => Some(Type::Bool),
        _ => None,
    };
    let seen = seen_type(scope, &clause.path);
    let Some(actual) = known.or(seen) else {
        return;
    };
    // A list that also has the right type, or matches any, has the other types on purpose.
    if clause.terms.iter().any(|term| {
        type_of(term.matcher) == Some(actual)
            || matches!(term.matcher, Matcher::Except(_) | Matcher::Exists(true))
    }) {
        return;
    }
    for term in &clause.terms {
        let Some(written) = type_of(term.matcher) else {
            continue;
        };
        let diagnostic = Diagnostic::error(
            "pattern::value-type",
            format!(
                "`{}` is {} in events, but this is {}, so it never matches",
                clause.path,
                actual.name(),
                written.name()
            ),
        )
        .at(scope.location(term.node.span));
        diagnostics.push(match retyped(term.matcher, actual) {
            Some(text) => diagnostic.fix(Fix::replace(
                format!("write `{text}`"),
                term.node.span,
                text,
            )),
            None => diagnostic,
        });
    }
}

/// The only type that the rule's test events have at a path.
fn seen_type(scope: &Scope<'_>, path: &str) -> Option<Type> {
    let mut found = None;
    for test in scope.subject.tests {
        let value = path
            .split('.')
            .try_fold(&test.event, |value, step| value.get(step));
        let seen = match value {
            Some(Value::String(_)) => Type::Text,
            Some(Value::Bool(_)) => Type::Bool,
            Some(Value::Number(_)) => Type::Number,
            Some(Value::Null) | None => continue,
            // A list may contain any type.
            Some(_) => return None,
        };
        if found.is_some_and(|found| found != seen) {
            return None;
        }
        found = Some(seen);
    }
    found
}

/// The same value in the wanted type, if only the quotes differ.
fn retyped(kind: Matcher<'_>, wanted: Type) -> Option<String> {
    match (kind, wanted) {
        (Matcher::Bool(value), Type::Text) => Some(format!("\"{value}\"")),
        (Matcher::Number(text), Type::Text) => Some(format!("\"{text}\"")),
        (Matcher::Text(text), Type::Bool) if text == "true" || text == "false" => {
            Some(text.to_owned())
        }
        (Matcher::Text(text), Type::Number) if text.parse::<i64>().is_ok() => Some(text.to_owned()),
        _ => None,
    }
}

/// Reports values that an enumerated field never has.
fn words(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_cloudtrail() {
        return;
    }
    let Some(words) = fields::values(&clause.path) else {
        return;
    };
    let excluded = clause.terms.iter().filter_map(|term| match term.matcher {
        Matcher::Except(node) => Some(node),
        _ => None,
    });
    let excluded = excluded.flat_map(|node| match node.as_sequence() {
        Some(items) => items.iter().collect(),
        None => vec![node],
    });
    let texts = clause
        .texts()
        .chain(excluded.filter_map(|node| Some((node.as_str()?, node))));
    for (text, node) in texts {
        if words.contains(&text) {
            continue;
        }
        if let Some(same) = words.iter().find(|it| it.eq_ignore_ascii_case(text)) {
            diagnostics.push(
                Diagnostic::error(
                    "pattern::case",
                    format!(
                        "`{}` is `{same}`, not `{text}`: EventBridge is case-sensitive here",
                        clause.path
                    ),
                )
                .at(scope.location(node.span))
                .fix(Fix::replace(
                    format!("write `{same}`"),
                    node.span,
                    scalar(same),
                )),
            );
            continue;
        }
        let diagnostic = Diagnostic::warning(
            "pattern::unknown-value",
            format!("`{}` is not known to be `{text}`", clause.path),
        )
        .at(scope.location(node.span));
        diagnostics.push(match nearest(text, words) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help(format!("it is one of {}", listed(words))),
        });
    }
}

/// A successful call has no `errorCode`; it is never null and never empty.
fn success(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    if !scope.is_cloudtrail()
        || !["detail.errorCode", "detail.errorMessage"].contains(&clause.path.as_str())
    {
        return;
    }
    for term in &clause.terms {
        let empty = match term.matcher {
            Matcher::Null => true,
            Matcher::Text(text) => text.is_empty() || text.eq_ignore_ascii_case("success"),
            _ => false,
        };
        if empty {
            let diagnostic = Diagnostic::error(
                "pattern::success-filter",
                format!(
                    "`{}` is absent from successful calls, so this never matches",
                    clause.path
                ),
            )
            .at(scope.location(term.node.span));
            diagnostics.push(if clause.has_exists(false) {
                diagnostic.help("remove it; the `{exists: false}` in the list says the same")
            } else {
                diagnostic.fix(Fix::replace(
                    "write `{exists: false}`",
                    term.node.span,
                    "{exists: false}",
                ))
            });
        }
    }
}

/// Reports account ids without exactly twelve digits.
fn account(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let is_account = match clause.path.as_str() {
        "account" => true,
        "detail.recipientAccountId" | "detail.userIdentity.accountId" => scope.is_cloudtrail(),
        _ => false,
    };
    if !is_account {
        return;
    }
    for (text, node) in clause.texts() {
        let is_id = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        // CloudTrail uses these for callers without an account.
        let nobody = ["anonymous", "ANONYMOUS_PRINCIPAL"].contains(&text);
        let stands_in =
            [stand_in::MANAGEMENT, stand_in::HUB, stand_in::LOG_ARCHIVE].contains(&text);
        if !is_id && !nobody && !stands_in {
            diagnostics.push(
                Diagnostic::error(
                    "pattern::account-id",
                    format!("`{text}` is not an account id, so this never matches"),
                )
                .at(scope.location(node.span))
                .help("an account id has 12 digits; some begin with zeros"),
            );
        }
    }
}

/// Reports `wildcard`, which only 30 rules per bus can use, where another operator is equivalent.
fn wildcards(scope: &Scope<'_>, clause: &Clause<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for term in &clause.terms {
        let Matcher::Wildcard(text) = term.matcher else {
            continue;
        };
        if text.contains('\\') {
            continue;
        }
        let stars = text.matches('*').count();
        let instead = if stars == 0 {
            scalar(text)
        } else if let (1, Some(prefix)) = (stars, text.strip_suffix('*')) {
            format!("{{prefix: {}}}", scalar(prefix))
        } else if let (1, Some(suffix)) = (stars, text.strip_prefix('*')) {
            format!("{{suffix: {}}}", scalar(suffix))
        } else {
            continue;
        };
        diagnostics.push(
            Diagnostic::warning(
                "pattern::needless-wildcard",
                format!("`{instead}` is equivalent to this wildcard"),
            )
            .at(scope.location(term.node.span))
            .note(
                "an event bus can have 30 rules with `wildcard`, and AWS doesn't raise that quota",
            )
            .fix(Fix::replace(
                format!("write `{instead}`"),
                term.node.span,
                instead,
            )),
        );
    }
}

/// Reports parts that the pattern engine proves to be redundant.
fn redundant(scope: &Scope<'_>, diagnostics: &mut Vec<Diagnostic>) {
    // If a clause replaces another, the effective pattern differs from the written one.
    if !scope.subject.written.overridden_paths().is_empty() {
        return;
    }
    for redundant in scope.subject.written.redundant_parts() {
        match (&redundant.path, &redundant.reason) {
            (Some(path), reason) => term(scope, path, &redundant.part, reason, diagnostics),
            (None, RedundancyReason::NeverMatches) => {
                diagnostics.push(
                    Diagnostic::error(
                        "pattern::never-matches",
                        "no event can match this pattern, or a branch of its `$or`",
                    )
                    .at(scope.location(pattern_key(scope)))
                    .note(redundant.part),
                );
            }
            (None, RedundancyReason::CoveredBy(cover)) => {
                diagnostics.push(
                    Diagnostic::warning(
                        "pattern::redundant-branch",
                        "a branch of the `$or` is redundant next to another",
                    )
                    .at(scope.location(pattern_key(scope)))
                    .note(format!("this branch: {}", redundant.part))
                    .note(format!("is covered by: {cover}"))
                    .help("remove it, or narrow the other"),
                );
            }
            _ => {}
        }
    }
}

fn pattern_key(scope: &Scope<'_>) -> Span {
    let entry = scope.subject.root.entry("event_pattern");
    entry.map_or(scope.subject.root.span, |entry| entry.key_span)
}

/// Reports a redundant term at its location.
fn term(
    scope: &Scope<'_>,
    path: &str,
    text: &str,
    reason: &RedundancyReason,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let cover = match reason {
        RedundancyReason::CoveredBy(cover) => Some(cover),
        _ => None,
    };
    let same = |node: &Node| node.to_json_text() == text;
    // Of two equal terms, reports the later one; among several branches, the one that also has the
    // cover.
    let found = scope
        .clauses
        .iter()
        .filter(|clause| clause.path == path)
        .filter(|clause| {
            cover.is_none_or(|cover| {
                clause
                    .terms
                    .iter()
                    .any(|term| term.node.to_json_text() == *cover)
            })
        })
        .find_map(|clause| clause.terms.iter().rev().find(|term| same(term.node)));
    let Some(found) = found else {
        return;
    };
    let diagnostic = match cover {
        Some(cover) => Diagnostic::warning(
            "pattern::redundant-value",
            format!("`{text}` is redundant next to `{cover}`"),
        )
        .help("remove it, or narrow the other"),
        None => Diagnostic::error(
            "pattern::never-matches",
            format!("no value of an event is equal to `{text}`"),
        ),
    };
    diagnostics.push(diagnostic.at(scope.location(found.node.span)));
}
