//! Starts a rule file from a recorded event.
//!
//! The pattern, message, fixture and two tests are derived from the event. What only the author
//! knows becomes a line that begins with [`UNFINISHED`]. The lint `rule::unfinished` reports it
//! until the author replaces it, so that a rule without a runbook isn't deployed by mistake.

mod clauses;
mod message;
mod sanitize;

use cloudtrail::Withheld;
use cloudtrail::envelope::{self, API_CALL, EnvelopeError};
use serde_json::{Map, Value, json};
use syntax::write_entry;

use self::clauses::Clauses;
use crate::lint::names;
use crate::model::UNFINISHED;
pub use sanitize::Replaced;

/// A rule file and its fixture, not on disk yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Complete text of the rule file.
    pub rule: String,
    /// JSON text of the fixture: the event with identifying values replaced.
    pub fixture: String,
    /// What was replaced in the fixture, by kind.
    pub replaced: Vec<Replaced>,
    /// Why `EventBridge` would not deliver this event even to this rule.
    pub withheld: Option<Withheld>,
}

/// Drafts a rule from an event: a CloudTrail record or a whole `EventBridge` event.
///
/// `id` is the rule's id; the fixture is `<id>.json`. `schema` is the path of the JSON Schema of
/// rule files, relative to the rule file's folder, for editors.
///
/// ```
/// let record = serde_json::json!({
///     "eventSource": "iam.amazonaws.com", "eventName": "CreateUser", "awsRegion": "us-east-1",
///     "recipientAccountId": "700080009000", "userIdentity": {"arn": "arn:aws:iam::700080009000:user/alice"},
/// });
/// let draft = rules::draft("user-created", &record, "../rule.schema.json")?;
/// assert!(draft.rule.contains("eventName: [CreateUser]"));
/// assert!(!draft.fixture.contains("700080009000"));
/// # Ok::<(), cloudtrail::envelope::EnvelopeError>(())
/// ```
pub fn draft(id: &str, event: &Value, schema: &str) -> Result<Draft, EnvelopeError> {
    let (event, replaced) = sanitize::sanitize(event);
    let whole = envelope::of(&event)?;
    let is_record = event != whole;
    let clauses = Clauses::of(&whole);
    let withheld = [false, true].map(|asks| Withheld::of_event(&whole, asks));
    let read_only = withheld[0] == Some(Withheld::ReadOnly) || is_reading_call(&whole);

    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let to_do = |what: &str| Value::from(format!("{UNFINISHED}: {what}"));
    put("version", json!(1));
    put("id", json!(id));
    put(
        "title",
        to_do(&format!(
            "what happened, in a few words; every alert begins with it ({})",
            shortened(&clauses.subject)
        )),
    );
    put(
        "description",
        to_do("what this detects, and why that matters"),
    );
    put("status", json!("experimental"));
    put("severity", json!("medium"));
    put(
        "severity_reason",
        to_do("why this severity, not lower or higher; high and critical wake people up"),
    );
    put("references", json!([]));
    put(
        "false_positives",
        json!([to_do("when this happens and is harmless")]),
    );
    put("tags", json!(clauses.tags));
    put(
        "runbook",
        json!(format!(
            "{UNFINISHED}: what to do first, one step per line, with the commands\n"
        )),
    );
    put("event_pattern", clauses.pattern.clone());
    if read_only {
        put("read_only", json!(true));
    }
    put("message", json!(message::of(&whole)));
    put("tests", both_tests(id, &clauses, is_record));
    let mut rule = format!("# yaml-language-server: $schema={schema}\n");
    for (name, value) in &fields {
        write_entry(&mut rule, 0, name, value);
    }
    Ok(Draft {
        rule,
        fixture: format!("{event:#}\n"),
        replaced,
        withheld: withheld[1],
    })
}

/// Whether the event name is that of a read-only call. Old and shortened records lack `readOnly`.
fn is_reading_call(event: &Value) -> bool {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let (Some(name), Some(source)) = (text("/detail/eventName"), text("/detail/eventSource"))
    else {
        return false;
    };
    let service = source.strip_suffix(".amazonaws.com").unwrap_or(source);
    text("/detail-type") == Some(API_CALL)
        && event.pointer("/detail/readOnly").is_none()
        && names::is_read_only(service, name)
}

fn both_tests(id: &str, clauses: &Clauses, is_record: bool) -> Value {
    let fixture = format!("{id}.json");
    // An override applies before the record is wrapped.
    let change = if is_record {
        clauses.near_miss.record.clone()
    } else {
        clauses.near_miss.event.clone()
    };
    json!([
        {"name": "the event this rule was made from", "expect": "match", "fixture": fixture},
        {"name": clauses.near_miss.name, "expect": "no_match", "fixture": fixture, "override": change, "origin": "synthetic"},
    ])
}

fn shortened(text: &str) -> String {
    text.chars()
        .take(30)
        .filter(|c| !syntax::untrusted::is_deceptive(*c))
        .collect()
}

#[cfg(test)]
mod tests;
