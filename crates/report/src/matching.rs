//! Which rules fire on an event, and why one does or doesn't.

use eventbridge_pattern::{ExplainedAlternative, ExplainedField, Explanation};
use serde::Serialize;
use serde_json::Value;

use crate::{plural, push_line};

/// Most alternatives of a pattern that are shown as text; the nearest ones.
const MAX_ALTERNATIVES: usize = 5;

/// What became of one event.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matched {
    /// The event's id.
    pub id: String,
    /// Its source, such as `aws.iam`.
    pub source: String,
    /// The call's name; for an event without one, its detail type.
    pub name: String,
    /// The account in which it happened.
    pub account: String,
    /// The Region in which it happened.
    pub region: String,
    /// When it happened.
    pub time: String,
    /// The rules that fire, by id.
    pub fires: Vec<Fired>,
    /// Why most rules, or all, don't get to see it.
    pub withheld: Option<String>,
    /// The verdict of the rule that was asked for.
    pub why: Option<Why>,
}

/// A rule that fires.
#[derive(Clone, Debug, Serialize)]
pub struct Fired {
    /// Its id.
    pub rule: String,
    /// Its severity.
    pub severity: &'static str,
    /// Whether it is deployed at all.
    pub is_deployed: bool,
    /// The engine gave up on the event, so it counts as a match.
    pub is_undecided: bool,
}

/// One rule's verdict with its reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Its id.
    pub rule: String,
    /// Whether it fires: the event is delivered to it, and its pattern matches.
    pub fires: bool,
    /// Whether it is deployed at all.
    pub is_deployed: bool,
    /// Why the event isn't delivered to the rule.
    pub withheld: Option<String>,
    /// The exceptions without which it would match.
    pub exceptions: Vec<String>,
    /// What its pattern says, field by field.
    pub explanation: Explanation,
}

impl Matched {
    /// What an event says of itself, without any verdict.
    pub fn of(event: &Value) -> Self {
        let text = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str).unwrap_or_default();
            // A terminal would act on them.
            text.replace(char::is_control, "?")
        };
        let field = |name: &str| text(event.get(name));
        let call = text(event.pointer("/detail/eventName"));
        Self {
            id: field("id"),
            source: field("source"),
            name: if call.is_empty() {
                field("detail-type")
            } else {
                call
            },
            account: field("account"),
            region: field("region"),
            time: field("time"),
            ..Self::default()
        }
    }
}

/// All events for a terminal.
pub fn text(results: &[Matched]) -> String {
    let mut text = String::new();
    for result in results {
        event(result, &mut text);
    }
    let firing = results.iter().filter(|result| !result.fires.is_empty());
    push_line(
        &mut text,
        &format!(
            "{}, {} of them with a rule that fires",
            plural(results.len(), "event"),
            firing.count()
        ),
    );
    text
}

fn event(result: &Matched, text: &mut String) {
    push_line(
        text,
        &format!(
            "{} ({}) in {} {} at {}, id {}",
            result.name, result.source, result.account, result.region, result.time, result.id
        ),
    );
    for fired in &result.fires {
        push_line(
            text,
            &format!(
                "  fires: {} ({}){}{}",
                fired.rule,
                fired.severity,
                undeployed(fired.is_deployed),
                if fired.is_undecided {
                    ", undecided: the event takes too much work to match"
                } else {
                    ""
                }
            ),
        );
    }
    if result.fires.is_empty() {
        push_line(text, "  no rule fires");
    }
    if let Some(reason) = &result.withheld {
        push_line(text, &format!("  not delivered: {reason}"));
    }
    if let Some(verdict) = &result.why {
        why(verdict, text);
    }
}

fn undeployed(is_deployed: bool) -> &'static str {
    if is_deployed { "" } else { ", not deployed" }
}

fn why(why: &Why, text: &mut String) {
    push_line(
        text,
        &format!(
            "  {} {}{}",
            why.rule,
            if why.fires { "fires" } else { "does not fire" },
            undeployed(why.is_deployed)
        ),
    );
    if let Some(reason) = &why.withheld {
        push_line(text, &format!("    not delivered: {reason}"));
    }
    for exception in &why.exceptions {
        push_line(text, &format!("    excepted by `{exception}`"));
    }
    let explanation = &why.explanation;
    if explanation.matches {
        if !why.fires {
            push_line(text, "    the pattern itself matches");
        }
        return;
    }
    let mut alternatives: Vec<(usize, usize, &ExplainedAlternative)> = explanation
        .alternatives
        .iter()
        .enumerate()
        .map(|(index, alternative)| (alternative.failures().count(), index + 1, alternative))
        .collect();
    alternatives.sort_by_key(|(failures, number, _)| (*failures, *number));
    let several = alternatives.len() > 1;
    for (failures, number, alternative) in alternatives.iter().take(MAX_ALTERNATIVES) {
        let fields = alternative.fields.len();
        let branch = if several {
            format!("alternative {number} of the `$or`: ")
        } else {
            String::new()
        };
        push_line(
            text,
            &format!("    {branch}{} of {fields} fields fit", fields - failures),
        );
        for failure in alternative.failures() {
            field(failure, text);
        }
        if alternative.is_split_over_elements {
            push_line(
                text,
                "      every field fits, but not in the same element of the event's arrays",
            );
        }
    }
    if alternatives.len() > MAX_ALTERNATIVES {
        push_line(
            text,
            &format!(
                "    and {} that are no nearer",
                plural(alternatives.len() - MAX_ALTERNATIVES, "alternative")
            ),
        );
    }
}

fn field(field: &ExplainedField, text: &mut String) {
    let found = if field.is_object {
        "an object, which a field doesn't look into".to_owned()
    } else if field.found.is_empty() {
        "no such field".to_owned()
    } else {
        let mut found = field.found.join(", ");
        let more = field.values - field.found.len();
        if more > 0 {
            found.push_str(&format!(" and {more} more"));
        }
        found
    };
    push_line(text, &format!("      {}", field.path));
    push_line(
        text,
        &format!("        wants {}", field.wanted.join(" or ")),
    );
    push_line(text, &format!("        found {found}"));
}
