//! Do the rules that protect Gizmos' own resources know what these are called?
//!
//! A rule can only name a trail or bucket in its pattern, while the organization file decides what
//! they are called. Where the two differ, the rule would watch over something that doesn't exist.

use eventbridge_pattern::Event;
use rules::Rule;
use serde_json::Value;
use syntax::Diagnostic;

use crate::organization::Organization;

/// The trail's name in the rules' tests, which is the organization file's default.
const TRAIL: &str = "gizmos";
/// How the log bucket's name begins unless the organization file gives another.
const LOG_BUCKET: &str = "gizmos-logs-";

/// Warns about every rule with a tag `protects.trail` or `protects.log-bucket` that doesn't match
/// the events of its own positive tests any more when they carry the organization's names.
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
                "rule `{}` protects the {what}, but doesn't know its name, `{name}`",
                rule.id
            ),
        )
        .at(rule.location.clone())
        .help("put the organization file's name into `event_pattern`, beside or in place of the default")
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
