//! Checks that rules which protect Gizmos' own resources match their names.
//!
//! A rule names a trail or bucket in its pattern, but the organization file can rename them. If the
//! two differ, the rule protects something that doesn't exist.

use eventbridge_pattern::Event;
use rules::Rule;
use serde_json::Value;
use syntax::Diagnostic;

use crate::organization::Organization;

/// The trail's default name, which the rules' tests use.
const TRAIL: &str = "gizmos";
/// Prefix of the log bucket's default name.
const LOG_BUCKET: &str = "gizmos-logs-";

/// Warns about rules tagged `protects.trail` or `protects.log-bucket` that no longer match the
/// events of their own positive tests once these have the organization's names.
pub(crate) fn check(
    rules: &[&Rule],
    organization: &Organization,
    diagnostics: &mut Vec<Diagnostic>,
) {
    for rule in rules {
        let tagged = |tag: &str| rule.tags.iter().any(|it| it == tag);
        if tagged("protects.trail") {
            let name = &organization.trail.name;
            let rename = |text: &str| match text.strip_suffix(TRAIL) {
                Some(before) if before.is_empty() || before.ends_with(":trail/") => {
                    format!("{before}{name}")
                }
                _ => text.to_owned(),
            };
            diagnostics.extend(blind(rule, "trail", name, &rename));
        }
        if tagged("protects.log-bucket") {
            let name = organization.log_bucket();
            let rename = |text: &str| {
                if text.starts_with(LOG_BUCKET) {
                    name.clone()
                } else {
                    text.to_owned()
                }
            };
            diagnostics.extend(blind(rule, "log bucket", &name, &rename));
        }
    }
}

fn blind(
    rule: &Rule,
    what: &str,
    name: &str,
    rename: &dyn Fn(&str) -> String,
) -> Option<Diagnostic> {
    let misses = rule.tests.iter().filter(|test| test.matches).any(|test| {
        let mut event = test.event.clone();
        if let Some(parameters) = event.pointer_mut("/detail/requestParameters") {
            renamed(parameters, rename);
        }
        let event = Event::parse(&event.to_string());
        !event.is_ok_and(|event| rule.pattern.matches(&event) == Ok(true))
    });
    misses.then(|| {
        Diagnostic::warning(
            "compile::unprotected",
            format!(
                "rule `{}` protects the {what}, but its pattern doesn't match the name `{name}`",
                rule.id
            ),
        )
        .at(rule.location.clone())
        .help("add the name from the organization file to `event_pattern`, next to or instead of the default")
    })
}

fn renamed(value: &mut Value, rename: &dyn Fn(&str) -> String) {
    match value {
        Value::String(text) => *text = rename(text),
        Value::Array(items) => items.iter_mut().for_each(|item| renamed(item, rename)),
        Value::Object(fields) => fields.values_mut().for_each(|field| renamed(field, rename)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
