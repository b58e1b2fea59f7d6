//! Writes an imported rule's file.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use syntax::SourceFile;

use crate::event_pattern::{self, Part};
use crate::import::{Options, Tests};
use crate::loss::Loss;
use crate::rule::Rule;

/// Limits of rule files, see `rules/README.md`.
const MAX_ID: usize = 48;
const MAX_TITLE: usize = 100;
const MAX_DESCRIPTION: usize = 2000;
const MAX_WORDS: usize = 200;
/// Most alert lines for fields that the rule tests.
const MAX_FIELDS: usize = 6;

/// The rule's id and the text of its file.
pub(crate) fn rule_file(
    rule: &Rule,
    options: &Options,
    part: &Part,
    losses: &[Loss],
    tests: Option<&Tests>,
    number: Option<usize>,
) -> (String, String) {
    let id = id(rule, number);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("version", json!(1));
    put("id", json!(id));
    put("title", json!(title(rule, number)));
    put("description", json!(description(rule)));
    put("status", json!(status(rule)));
    put("severity", json!(severity(rule)));
    put("references", json!(references(rule).0));
    put("false_positives", json!(false_positives(rule)));
    put("runbook", json!(runbook(rule)));
    if !rule.tags.is_empty() {
        let tags: Vec<String> = rule.tags.iter().map(|tag| clean(tag, MAX_WORDS)).collect();
        put("tags", json!(tags));
    }
    put("imported_from", imported_from(rule, options, losses));
    put("event_pattern", part.json.clone());
    if event_pattern::reads(&part.alternatives) {
        put("read_only", json!(true));
    }
    put("message", json!(message(rule, part, tests)));
    put("tests", self::tests(tests));
    let mut text = String::new();
    for (name, value) in &fields {
        syntax::write_entry(&mut text, 0, name, value);
    }
    let file = Arc::new(SourceFile::new(format!("{id}.yaml"), text));
    let text = rules::format(&file).unwrap_or_else(|_| file.text.clone());
    (id, text)
}

/// Text that passes every check: one line, without anything that a template would expand.
fn clean(text: &str, limit: usize) -> String {
    let text: String = text
        .chars()
        .map(|c| match c {
            '<' => '(',
            '>' => ')',
            c if c.is_whitespace() => ' ',
            c => c,
        })
        .filter(|c| !syntax::untrusted::is_deceptive(*c))
        .collect();
    let text = text.replace("{{", "{ {").replace("${", "$ {");
    let words: Vec<&str> = text.split_whitespace().collect();
    shortened(&words.join(" "), limit)
}

fn shortened(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// From the file's name, which is unique in its collection; without one, from the title.
fn id(rule: &Rule, number: Option<usize>) -> String {
    let stem = rule.file.path.file_stem().unwrap_or_default();
    let slug = |text: &str| {
        let mut slug = String::new();
        for c in text.chars() {
            match c {
                'a'..='z' | '0'..='9' => slug.push(c),
                'A'..='Z' => slug.push(c.to_ascii_lowercase()),
                _ if slug.is_empty() || slug.ends_with('-') => {}
                _ => slug.push('-'),
            }
        }
        slug
    };
    let mut id = slug(&stem.to_string_lossy());
    if id.trim_matches('-').len() < 3 {
        id = slug(&format!("sigma {}", rule.title));
    }
    let suffix = number
        .map(|number| format!("-{number}"))
        .unwrap_or_default();
    id.truncate(MAX_ID - suffix.len());
    format!("{}{suffix}", id.trim_matches('-'))
}

fn title(rule: &Rule, number: Option<usize>) -> String {
    let suffix = number
        .map(|number| format!(" ({number})"))
        .unwrap_or_default();
    let title = clean(rule.title.trim_end_matches('.'), MAX_TITLE - suffix.len());
    format!("{}{suffix}", title.trim_end_matches('.'))
}

fn description(rule: &Rule) -> String {
    let text = rule.description.as_deref().unwrap_or(&rule.title);
    clean(text, MAX_DESCRIPTION)
}

fn status(rule: &Rule) -> &'static str {
    let (_, dropped) = references(rule);
    match rule.status.as_deref() {
        // A stable rule needs at least one reference.
        Some("stable") if rule.references.len() > dropped.len() => "stable",
        Some("stable" | "test") => "test",
        Some("deprecated") => "deprecated",
        _ => "experimental",
    }
}

fn severity(rule: &Rule) -> &'static str {
    match rule.level.as_deref() {
        Some("informational") => "informational",
        Some("low") => "low",
        Some("high") => "high",
        Some("critical") => "critical",
        _ => "medium",
    }
}

/// References that the format accepts, and the others.
fn references(rule: &Rule) -> (Vec<String>, Vec<String>) {
    let (kept, others): (Vec<String>, Vec<String>) = rule
        .references
        .iter()
        .map(|text| clean(text, MAX_DESCRIPTION))
        .partition(|text| text.starts_with("https://") && !text.contains(' '));
    (kept, others)
}

fn false_positives(rule: &Rule) -> Vec<String> {
    rule.false_positives
        .iter()
        .map(|text| clean(text, MAX_DESCRIPTION))
        .collect()
}

/// First steps that apply to any call. Sigma rules have no runbook.
fn runbook(rule: &Rule) -> String {
    let mut steps = vec![
        "Ask the person or team behind \"who\" whether this was them, through a channel other than e-mail.".to_owned(),
        "Look up what \"who\" did before and after: CloudTrail event history, filter by user name.".to_owned(),
        "If nobody knows why: disable the credentials, then undo the call.".to_owned(),
    ];
    let known: Vec<String> = false_positives(rule)
        .into_iter()
        .filter(|text| !text.eq_ignore_ascii_case("unknown"))
        .collect();
    if let Some(first) = known.first() {
        steps.push(format!(
            "Known to be harmless: {}",
            shortened(first, MAX_WORDS)
        ));
    }
    steps.push(String::new());
    steps.join("\n")
}

fn imported_from(rule: &Rule, options: &Options, losses: &[Loss]) -> Value {
    let mut from = Map::new();
    from.insert("format".to_owned(), json!("sigma"));
    let license = match &rule.license {
        Some(_) => &rule.license,
        None => &options.license,
    };
    let known = [
        ("id", &rule.id),
        ("author", &rule.author),
        ("license", license),
        ("date", &rule.date),
        ("modified", &rule.modified),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            from.insert(name.to_owned(), json!(clean(value, MAX_DESCRIPTION)));
        }
    }
    let (_, others) = references(rule);
    if !others.is_empty() {
        from.insert("references".to_owned(), json!(others));
    }
    if !losses.is_empty() {
        let losses: Vec<String> = losses
            .iter()
            .map(|loss| clean(&loss.to_string(), MAX_DESCRIPTION))
            .collect();
        from.insert("losses".to_owned(), json!(losses));
    }
    Value::Object(from)
}

/// Who, what, from where, and the fields that the rule tests. Account, Region and time are in every
/// alert.
fn message(rule: &Rule, part: &Part, tests: Option<&Tests>) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    let standard = [
        ("who", "userIdentity.arn"),
        ("did", "eventName"),
        ("service", "eventSource"),
        ("from address", "sourceIPAddress"),
        ("user agent", "userAgent"),
    ];
    let has = |path: &str| {
        let value = tests.map(|tests| {
            path.split('.')
                .try_fold(&tests.positive, |value, step| value.get(step))
        });
        value.is_none_or(|value| value.is_some_and(|value| !value.is_null()))
    };
    for (label, path) in standard {
        if has(path) {
            lines.push((label.to_owned(), path.to_owned()));
        }
    }
    let asked = part
        .alternatives
        .iter()
        .flat_map(|alternative| {
            alternative
                .fields
                .keys()
                .filter(|field| alternative.asks_presence(field))
        })
        .chain(&rule.fields);
    let mut more = 0;
    for path in asked {
        let is_path = path.len() <= MAX_WORDS
            && path.split('.').all(|step| {
                !step.is_empty()
                    && step
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '/'))
            });
        let is_new = lines.iter().all(|(_, known)| known != path);
        if is_path && is_new && more < MAX_FIELDS && has(path) {
            lines.push((label(path, &lines), path.clone()));
            more += 1;
        }
    }
    let mut text = String::new();
    for (label, path) in lines {
        text.push_str(&format!("{label}: {{{{ detail.{path} }}}}\n"));
    }
    // The license of the public rules requires the author's name in every alert.
    if let Some(author) = &rule.author {
        text.push_str(&format!("rule by: {}\n", clean(author, MAX_WORDS)));
    }
    text
}

/// A label for a path: its last step, or more steps if that is taken.
fn label(path: &str, taken: &[(String, String)]) -> String {
    let steps: Vec<&str> = path.split('.').collect();
    for count in 1..=steps.len() {
        let words: Vec<&str> = steps.iter().rev().take(count).rev().copied().collect();
        let label: String = words
            .join(" ")
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-'))
            .collect();
        let fits = label.starts_with(|c: char| c.is_ascii_alphabetic())
            && label.len() <= 40
            && !rules::Message::FRAME
                .iter()
                .any(|it| it.eq_ignore_ascii_case(&label))
            && !label.eq_ignore_ascii_case("rule by")
            && !taken.iter().any(|(it, _)| it.eq_ignore_ascii_case(&label));
        if fits {
            return label;
        }
    }
    format!("field {}", taken.len() + 1)
}

fn tests(tests: Option<&Tests>) -> Value {
    const POSITIVE: &str = "a call that the rule looks for";
    let Some(tests) = tests else {
        return json!([]);
    };
    let mut all = vec![json!({
        "name": POSITIVE,
        "expect": "match",
        "origin": "synthetic",
        "event": tests.positive,
    })];
    for changed in &tests.negative {
        // A removed field is written as null, which removes it in an override.
        let value = changed.value.clone().unwrap_or_default();
        let change = changed
            .field
            .rsplit('.')
            .fold(value, |below, step| json!({ step: below }));
        all.push(json!({
            "name": clean(&changed.name, MAX_WORDS),
            "expect": "no_match",
            "origin": "synthetic",
            "like": POSITIVE,
            "override": change,
        }));
    }
    Value::Array(all)
}
