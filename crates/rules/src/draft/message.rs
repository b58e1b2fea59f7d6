//! Drafts a message about who, what and from where, using fields that the event has.

use serde_json::Value;

use crate::model::Message;
use crate::read::path::EventPath;

/// Most lines about request parameters.
const MAX_LINES: usize = 6;
/// Deepest nesting of values that get a line.
const MAX_STEPS: usize = 5;
/// Longest value that gets a line, in bytes.
const MAX_VALUE: usize = 300;
/// Longest label, in characters.
const MAX_LABEL: usize = 40;

/// The drafted message for an event.
pub(super) fn of(event: &Value) -> String {
    let mut lines = Lines {
        event,
        lines: Vec::new(),
    };
    let detail = event.get("detail").unwrap_or(&Value::Null);
    if detail.get("eventName").is_some() {
        lines.first_of(
            "who",
            &[
                "detail.userIdentity.arn",
                "detail.userIdentity.userName",
                "detail.userIdentity.principalId",
                "detail.userIdentity.invokedBy",
                "detail.userIdentity.type",
            ],
        );
        let most = lines.lines.len() + MAX_LINES;
        lines.leaves("detail.requestParameters", most);
        if lines.lines.len() < 2 {
            lines.leaves("detail.responseElements", most);
        }
        if lines.lines.len() < 2 {
            lines.leaves("detail.serviceEventDetails", most);
        }
        lines.first_of("error", &["detail.errorCode"]);
        lines.first_of("error message", &["detail.errorMessage"]);
        lines.first_of("from address", &["detail.sourceIPAddress"]);
        lines.first_of("user agent", &["detail.userAgent"]);
    } else {
        lines.first_of("resource", &["resources[0]"]);
        lines.leaves("detail", MAX_LINES + 1);
    }
    if lines.lines.is_empty() {
        lines.first_of("event", &["detail-type"]);
    }
    let mut text = String::new();
    for (label, path) in &lines.lines {
        text.push_str(&format!("{label}: {{{{ {path} }}}}\n"));
    }
    text
}

struct Lines<'a> {
    event: &'a Value,
    /// Pairs of label and path.
    lines: Vec<(String, String)>,
}

impl Lines<'_> {
    /// Adds a line for the first path that has a value.
    fn first_of(&mut self, label: &str, paths: &[&str]) {
        let found = paths.iter().find(|path| self.has(path));
        if let Some(path) = found {
            self.lines.push((label.to_owned(), (*path).to_owned()));
        }
    }

    fn has(&self, path: &str) -> bool {
        EventPath::parse(path).is_ok_and(|path| {
            path.lookup(self.event)
                .is_some_and(|value| is_worth_a_line(&value))
        })
    }

    /// Adds a line for each value below a path, up to `most` lines in total.
    fn leaves(&mut self, path: &str, most: usize) {
        let below = EventPath::parse(path)
            .ok()
            .and_then(|path| path.lookup(self.event));
        if let Some(value) = below {
            self.walk(path, &value, MAX_STEPS, most);
        }
    }

    fn walk(&mut self, path: &str, value: &Value, steps: usize, most: usize) {
        match value {
            _ if self.lines.len() >= most => {}
            Value::Object(fields) if steps > 0 => {
                for (key, value) in fields {
                    self.walk(&format!("{path}.{key}"), value, steps - 1, most);
                }
            }
            // The elements of a list are alike, so the first one shows their fields.
            Value::Array(items) if steps > 0 => {
                if let Some(first) = items.first() {
                    self.walk(&format!("{path}[*]"), first, steps - 1, most);
                }
            }
            value if is_worth_a_line(value) && self.has(path) => {
                let known = self.lines.iter().any(|(_, known)| known == path);
                if let Some(label) = self.label(path).filter(|_| !known) {
                    self.lines.push((label, path.to_owned()));
                }
            }
            _ => {}
        }
    }

    /// The shortest unused label made from the path's last words.
    fn label(&self, path: &str) -> Option<String> {
        let steps: Vec<&str> = path.split('.').collect();
        (1..=steps.len()).find_map(|count| {
            let last = steps.iter().skip(steps.len() - count);
            let words: Vec<String> = last.map(|step| words(step)).collect();
            let label = words.join(" ");
            let is_taken = Message::FRAME
                .iter()
                .copied()
                .chain(self.lines.iter().map(|(label, _)| label.as_str()))
                .chain(["error", "error message", "from address", "user agent"])
                .any(|taken| taken.eq_ignore_ascii_case(&label));
            let is_label = label.starts_with(|c: char| c.is_ascii_alphabetic())
                && label.chars().count() <= MAX_LABEL
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-'));
            (is_label && !is_taken).then_some(label)
        })
    }
}

fn is_worth_a_line(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty() && text.len() <= MAX_VALUE,
        Value::Array(items) => !items.is_empty() && items.iter().all(is_worth_a_line),
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Object(_) => false,
    }
}

/// Splits `instanceId` and `instance-id` into words: `instance id`.
fn words(step: &str) -> String {
    let step = step.split('[').next().unwrap_or_default();
    let mut out = String::new();
    let mut was_lower = false;
    for c in step.chars() {
        if c.is_uppercase() && was_lower {
            out.push(' ');
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        match c {
            '-' | '/' => out.push(' '),
            c => out.extend(c.to_lowercase()),
        }
    }
    out.trim().to_owned()
}
