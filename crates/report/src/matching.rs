//! Which rules fire on an event, and why a rule does or doesn't.

use eventbridge_pattern::{ExplainedAlternative, ExplainedField, Explanation};
use serde::Serialize;
use serde_json::Value;

use crate::{plural, push_line};

/// Maximum alternatives of a pattern to show as text; the closest ones are shown.
const MAX_ALTERNATIVES: usize = 5;

/// The result for one event.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Matched {
    /// The id by which the event can be looked up: a record's `eventID`, else the event's `id`.
    pub id: String,
    /// The event's `source`, such as `aws.iam`.
    pub source: String,
    /// Name of the API call, or the detail type of an event without one.
    pub name: String,
    /// Account in which it happened.
    pub account: String,
    /// Region in which it happened.
    pub region: String,
    /// The event's `time`.
    pub time: String,
    /// What was assumed to make an event of a bare CloudTrail record, one clause each.
    pub assumed: Vec<String>,
    /// The rules that fire, sorted by id.
    pub fires: Vec<Fired>,
    /// The rules that would fire if the event's Region were watched, sorted by id.
    pub missed: Vec<Fired>,
    /// Why EventBridge doesn't deliver the event to most or all rules.
    pub withheld: Option<String>,
    /// The verdict of the rule selected with `--why`.
    pub why: Option<Why>,
}

/// A rule that fires.
#[derive(Clone, Debug, Serialize)]
pub struct Fired {
    /// Unique in the rule library.
    pub rule: String,
    /// Decides which topics receive its alerts.
    pub severity: &'static str,
    /// Whether deployments include it.
    pub is_deployed: bool,
    /// Whether matching exceeded the work limit; the event then counts as a match.
    pub is_undecided: bool,
}

/// One rule's verdict with reasons.
#[derive(Clone, Debug, Serialize)]
pub struct Why {
    /// Id of the rule.
    pub rule: String,
    /// Whether it fires: the event is delivered to it and matches its pattern.
    pub fires: bool,
    /// Whether deployments include it.
    pub is_deployed: bool,
    /// Why the event isn't delivered to the rule.
    pub withheld: Option<String>,
    /// Names of the exceptions without which it would match.
    pub exceptions: Vec<String>,
    /// Comparison of its pattern with the event, field by field.
    pub explanation: Explanation,
}

impl Matched {
    /// The event's own fields, without verdicts.
    pub fn of(event: &Value) -> Self {
        let text = |value: Option<&Value>| {
            let text = value.and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let field = |name: &str| text(event.get(name));
        let call = text(event.pointer("/detail/eventName"));
        let record = text(event.pointer("/detail/eventID"));
        Self {
            id: if record.is_empty() {
                field("id")
            } else {
                record
            },
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
    for clause in &result.assumed {
        push_line(text, &format!("  assumed: {clause}"));
    }
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
    if !result.missed.is_empty() {
        let missed: Vec<&str> = result.missed.iter().map(|it| it.rule.as_str()).collect();
        push_line(
            text,
            &format!(
                "  would fire if that Region were watched: {}",
                missed.join(", ")
            ),
        );
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
            &format!("    {branch}{} of {fields} fields match", fields - failures),
        );
        for failure in alternative.failures() {
            field(failure, text);
        }
        if alternative.is_split_over_elements {
            push_line(
                text,
                "      every field matches, but not in the same element of the event's arrays",
            );
        }
    }
    if alternatives.len() > MAX_ALTERNATIVES {
        push_line(
            text,
            &format!(
                "    and {} that are no closer",
                plural(alternatives.len() - MAX_ALTERNATIVES, "alternative")
            ),
        );
    }
}

fn field(field: &ExplainedField, text: &mut String) {
    let found = if field.is_object {
        "an object, which the pattern can't match as a value".to_owned()
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
