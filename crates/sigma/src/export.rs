//! Exports a rule file as a Sigma rule.

use cloudtrail::envelope::{API_CALL, DETAIL_TYPES, DETAIL_TYPES_OF_CLOUDTRAIL};
use rules::Rule;
use serde_json::{Map, Value, json};
use syntax::Diagnostic;

use crate::expression::Number;
use crate::fields::{self, FieldKind};
use crate::loss::{Loss, Losses};
use crate::text::{Piece, Text, is_cased};

/// Longest condition in an exported rule, in bytes.
const MAX_CONDITION: usize = 4096;

/// An exported Sigma rule.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Complete text of the Sigma file.
    pub text: String,
    /// Where the Sigma rule differs from the original. If empty, they match the same records.
    pub losses: Vec<Loss>,
}

/// Exports a rule, with its exceptions, as a Sigma rule for CloudTrail.
///
/// Fails with `sigma::not-exportable` if Sigma can't express the rule.
pub fn export(rule: &Rule) -> Result<Exported, Vec<Diagnostic>> {
    let mut writer = Writer::default();
    let outcome = writer.detection(rule);
    let detection = outcome.map_err(|message| {
        vec![
            Diagnostic::error(
                "sigma::not-exportable",
                format!("`{}` can't be expressed in Sigma: {message}", rule.id),
            )
            .at(rule.location.clone()),
        ]
    })?;
    let losses = writer.losses.into_vec();
    Ok(Exported {
        text: file(rule, detection, &losses),
        losses,
    })
}

/// A part of a pattern in Sigma's terms.
#[derive(Clone, Debug)]
enum Part {
    /// A selection: `field|modifier` to value or list of values. All entries must match.
    Fields(Map<String, Value>),
    Not(Box<Part>),
    And(Vec<Part>),
    Or(Vec<Part>),
}

#[derive(Debug, Default)]
struct Writer {
    losses: Losses,
    selections: Map<String, Value>,
}

impl Writer {
    fn detection(&mut self, rule: &Rule) -> Result<Map<String, Value>, String> {
        let pattern = &rule.pattern;
        if let Some(path) = pattern.overridden_paths().first() {
            return Err(format!("`{path}` is given more than once"));
        }
        let root: Map<String, Value> = serde_json::from_str(pattern.text())
            .map_err(|error| format!("its pattern can't be read: {error}"))?;
        self.note_shared_lists(&pattern.field_paths());
        // `source` is implied by the record's `eventSource`.
        let sources = pattern.exact_values("source");
        let implied = pattern
            .exact_values("detail.eventSource")
            .is_some_and(|them| {
                them.iter().all(|it| {
                    let service = it.strip_suffix(".amazonaws.com").unwrap_or(it);
                    sources
                        .as_ref()
                        .is_some_and(|sources| sources.contains(&format!("aws.{service}")))
                })
            });
        let part = self.object(&root, "", implied)?;
        let condition = self.condition(&part, false)?;
        if condition.len() > MAX_CONDITION {
            return Err("its alternatives need a condition that is too long".to_owned());
        }
        let mut detection = std::mem::take(&mut self.selections);
        if detection.is_empty() {
            return Err("it doesn't restrict any field of a record".to_owned());
        }
        let condition = condition
            .strip_prefix('(')
            .and_then(|inside| inside.strip_suffix(')'))
            .filter(|inside| !inside.contains(['(', ')']))
            .unwrap_or(&condition)
            .to_owned();
        detection.insert("condition".to_owned(), json!(condition));
        Ok(detection)
    }

    fn note_shared_lists(&mut self, paths: &[String]) {
        let fields: Vec<&str> = paths
            .iter()
            .filter_map(|path| path.strip_prefix("detail."))
            .collect();
        for (index, a) in fields.iter().enumerate() {
            for b in fields.iter().skip(index + 1) {
                if fields::share_a_list(a, b) {
                    let text = format!(
                        "if `{a}` and `{b}` are inside a list, EventBridge requires both in a single item, which Sigma can't express"
                    );
                    self.losses.wider(text.clone());
                    self.losses.narrower(text);
                }
            }
        }
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        source_is_implied: bool,
    ) -> Result<Part, String> {
        let mut all = Vec::new();
        for (name, value) in object {
            if name == "$or" {
                let mut any = Vec::new();
                for branch in value.as_array().into_iter().flatten() {
                    let branch = branch
                        .as_object()
                        .ok_or("a branch of `$or` is not an object")?;
                    any.push(self.object(branch, path, source_is_implied)?);
                }
                all.push(Part::Or(any));
                continue;
            }
            let path = if path.is_empty() {
                name.clone()
            } else {
                format!("{path}.{name}")
            };
            match value {
                Value::Object(below) => all.push(self.object(below, &path, source_is_implied)?),
                Value::Array(terms) => all.extend(self.list(&path, terms, source_is_implied)?),
                _ => return Err(format!("`{path}` is not a list")),
            }
        }
        Ok(joined(all))
    }

    /// A field's list; nothing if every CloudTrail record satisfies it.
    fn list(
        &mut self,
        path: &str,
        terms: &[Value],
        source_is_implied: bool,
    ) -> Result<Option<Part>, String> {
        let field = match path {
            "source" => {
                return if source_is_implied {
                    Ok(None)
                } else {
                    sources(terms)
                };
            }
            "detail-type" => return detail_types(terms),
            "account" => {
                self.losses.narrower(
                    "a record without `recipientAccountId` matches no account".to_owned(),
                );
                "recipientAccountId"
            }
            "region" => "awsRegion",
            "time" => "eventTime",
            "id" => "eventID",
            _ => path
                .strip_prefix("detail.")
                .ok_or_else(|| format!("a CloudTrail record has no `{path}`"))?,
        };
        if field.contains('|') {
            return Err(format!("`{field}` has a `|` in its name"));
        }
        let absent = json!({ "exists": false });
        let may_be_absent = terms.contains(&absent);
        let mut any = Vec::new();
        for term in terms {
            if term.get("anything-but").is_some() {
                any.push(self.anything_but(field, term, may_be_absent)?);
            } else {
                any.push(self.term(field, term)?);
            }
        }
        // An exclusion that tolerates absence already says that the field may be absent.
        let excludes = terms.iter().any(|term| term.get("anything-but").is_some());
        if may_be_absent && excludes {
            let rest = terms.iter().zip(any).filter(|(term, _)| **term != absent);
            return Ok(Some(alternatives(rest.map(|(_, part)| part).collect())));
        }
        Ok(Some(alternatives(any)))
    }

    fn anything_but(
        &mut self,
        field: &str,
        term: &Value,
        may_be_absent: bool,
    ) -> Result<Part, String> {
        let kind = fields::kind(field);
        let operand = term.get("anything-but").unwrap_or(&Value::Null);
        let (operator, operands) = match operand.as_object().and_then(|it| it.iter().next()) {
            Some((operator, operands)) => (Some(operator.as_str()), operands),
            None => (None, operand),
        };
        let operands = match operands {
            Value::Array(items) => items.clone(),
            single => vec![single.clone()],
        };
        let mut any = Vec::new();
        for operand in operands {
            let term = match operator {
                Some(operator) => json!({ operator: operand }),
                None => operand,
            };
            // Sigma excludes text that spells a number also as a number.
            if kind == FieldKind::Open && spells_another_type(&term) {
                self.losses.narrower(format!(
                    "{term} of `{field}` is excluded both as text and as the value it spells"
                ));
            }
            any.push(self.exact_term(field, &term)?);
        }
        if kind == FieldKind::Open {
            self.losses.narrower(format!(
                "if `{field}` is a list, no item of it may be excluded"
            ));
        }
        let excluded = Part::Not(Box::new(alternatives(any)));
        if may_be_absent {
            return Ok(excluded);
        }
        let present = self.term(field, &json!({ "exists": true }))?;
        Ok(Part::And(vec![present, excluded]))
    }

    fn term(&mut self, field: &str, term: &Value) -> Result<Part, String> {
        let kind = fields::kind(field);
        let spells = kind == FieldKind::Open && spells_another_type(term);
        if spells || (kind == FieldKind::Text && term.is_boolean()) {
            self.losses.wider(format!(
                "{term} of `{field}` also matches the same spelling in another type"
            ));
        }
        self.exact_term(field, term)
    }

    fn exact_term(&mut self, field: &str, term: &Value) -> Result<Part, String> {
        let kind = fields::kind(field);
        let key = |modifier: &str| {
            if modifier.is_empty() {
                field.to_owned()
            } else {
                format!("{field}|{modifier}")
            }
        };
        let fields = |entries: Vec<(String, Value)>| Part::Fields(entries.into_iter().collect());
        Ok(match term {
            Value::String(text) => one(&key(cased("", text)), json!(Text::plain(text).to_string())),
            Value::Number(_) => {
                fields(vec![(key("gte"), term.clone()), (key("lte"), term.clone())])
            }
            Value::Bool(_) => one(field, term.clone()),
            Value::Null => fields(vec![
                (field.to_owned(), Value::Null),
                (key("exists"), json!(true)),
            ]),
            Value::Object(object) => {
                let (operator, operand) = object.iter().next().ok_or("an empty term")?;
                match operator.as_str() {
                    "prefix" | "suffix" => self.affix(field, operator, operand)?,
                    "equals-ignore-case" => {
                        let text = self.folded(field, operand)?;
                        one(field, json!(Text::plain(&text).to_string()))
                    }
                    "wildcard" => {
                        let written = operand.as_str().ok_or("a wildcard that is not text")?;
                        let text = from_wildcard(written);
                        if text.pieces == [Piece::Many] {
                            self.any_text(field)
                        } else {
                            one(&key(cased("", written)), json!(text.to_string()))
                        }
                    }
                    "cidr" => one(&key("cidr"), operand.clone()),
                    "numeric" => fields(numeric(field, operand)?),
                    "exists" => {
                        let there = operand.as_bool().unwrap_or_default();
                        self.note_existence(field, kind, there);
                        one(&key("exists"), json!(there))
                    }
                    other => return Err(format!("Sigma has no equivalent of `{other}`")),
                }
            }
            Value::Array(_) => return Err("a nested list".to_owned()),
        })
    }

    fn note_existence(&mut self, field: &str, kind: FieldKind, there: bool) {
        if matches!(kind, FieldKind::Open | FieldKind::Object) {
            let text = format!(
                "if `{field}` is an object or an empty list, it exists in Sigma but not in EventBridge"
            );
            if there {
                self.losses.wider(text);
            } else {
                self.losses.narrower(text);
            }
        }
    }

    fn affix(&mut self, field: &str, operator: &str, operand: &Value) -> Result<Part, String> {
        let modifier = if operator == "prefix" {
            "startswith"
        } else {
            "endswith"
        };
        let (key, text) = if let Some(text) = operand.get("equals-ignore-case") {
            (format!("{field}|{modifier}"), self.folded(field, text)?)
        } else {
            let text = operand.as_str().ok_or("an operand that is not text")?;
            (
                format!("{field}|{}", cased(modifier, text)),
                text.to_owned(),
            )
        };
        if text.is_empty() {
            return Ok(self.any_text(field));
        }
        Ok(one(&key, json!(Text::plain(&text).to_string())))
    }

    /// Any text. Sigma's `*` is any value, so this may be a loss.
    fn any_text(&mut self, field: &str) -> Part {
        if fields::kind(field) != FieldKind::Text {
            self.losses
                .wider(format!("`{field}` must be text; any value but null passes"));
        }
        one(field, json!("*"))
    }

    fn folded(&mut self, field: &str, operand: &Value) -> Result<String, String> {
        let text = operand.as_str().ok_or("an operand that is not text")?;
        if !text.is_ascii() {
            let note =
                format!("EventBridge folds the letters of `{text}` of `{field}` in its own way");
            self.losses.wider(note.clone());
            self.losses.narrower(note);
        }
        Ok(text.to_owned())
    }

    /// The condition of a part; collects its selections.
    fn condition(&mut self, part: &Part, negated: bool) -> Result<String, String> {
        Ok(match part {
            Part::Fields(fields) => self.selection(Value::Object(fields.clone()), negated),
            Part::Not(inside) => format!("not {}", self.condition(inside, !negated)?),
            Part::And(parts) => format!("({})", self.all(parts, " and ", negated)?),
            Part::Or(parts) => {
                let maps: Option<Vec<Value>> = parts
                    .iter()
                    .map(|part| match part {
                        Part::Fields(fields) => Some(Value::Object(fields.clone())),
                        _ => None,
                    })
                    .collect();
                match maps {
                    Some(maps) => self.selection(Value::Array(maps), negated),
                    None => format!("({})", self.all(parts, " or ", negated)?),
                }
            }
        })
    }

    fn all(&mut self, parts: &[Part], word: &str, negated: bool) -> Result<String, String> {
        let all: Vec<String> = parts
            .iter()
            .map(|part| self.condition(part, negated))
            .collect::<Result<_, _>>()?;
        Ok(all.join(word))
    }

    fn selection(&mut self, selection: Value, negated: bool) -> String {
        let base = if negated { "filter" } else { "selection" };
        let mut name = base.to_owned();
        let mut number = 2;
        while self.selections.contains_key(&name) {
            name = format!("{base}_{number}");
            number += 1;
        }
        self.selections.insert(name.clone(), selection);
        name
    }
}

fn sources(terms: &[Value]) -> Result<Option<Part>, String> {
    if terms == [json!({ "prefix": "aws." })] {
        return Ok(None);
    }
    let services: Option<Vec<Value>> = terms
        .iter()
        .map(|term| {
            let service = term.as_str()?.strip_prefix("aws.")?;
            Some(json!(format!("{service}.amazonaws.com")))
        })
        .collect();
    let services = services.ok_or("its `source` is not a list of AWS services")?;
    Ok(Some(one("eventSource|cased", values(services))))
}

fn detail_types(terms: &[Value]) -> Result<Option<Part>, String> {
    if terms == [json!({ "suffix": " via CloudTrail" })] {
        return Ok(None);
    }
    let mut kinds = Vec::new();
    for term in terms {
        let detail_type = term
            .as_str()
            .filter(|it| DETAIL_TYPES_OF_CLOUDTRAIL.contains(it));
        let Some(detail_type) = detail_type else {
            return Err(format!(
                "{term} is not an event type of CloudTrail, and Sigma has no log source for it"
            ));
        };
        let event_types = DETAIL_TYPES.iter().filter(|(_, it)| *it == detail_type);
        kinds.extend(event_types.map(|(event_type, _)| json!(event_type)));
        if detail_type == API_CALL {
            // A record without `eventType` is an API call.
            kinds.push(Value::Null);
        }
    }
    let (nulls, texts): (Vec<Value>, Vec<Value>) = kinds.into_iter().partition(Value::is_null);
    if texts.is_empty() {
        return Err("no event has its `detail-type`".to_owned());
    }
    let mut any = vec![one("eventType|cased", values(texts))];
    if !nulls.is_empty() {
        any.push(one("eventType", Value::Null));
    }
    Ok(Some(alternatives(any)))
}

/// A selection with a single entry.
fn one(key: &str, value: Value) -> Part {
    Part::Fields([(key.to_owned(), value)].into_iter().collect())
}

/// A modifier, with `cased` if the text has letters: Sigma ignores case by default.
fn cased<'a>(modifier: &'a str, text: &str) -> &'a str {
    let letters = text.chars().any(is_cased);
    match (modifier, letters) {
        ("", true) => "cased",
        ("startswith", true) => "startswith|cased",
        ("endswith", true) => "endswith|cased",
        (modifier, _) => modifier,
    }
}

fn values(mut all: Vec<Value>) -> Value {
    match all.pop() {
        Some(only) if all.is_empty() => only,
        last => {
            all.extend(last);
            Value::Array(all)
        }
    }
}

/// Whether Sigma also matches the term as another type: text as the number it spells, a boolean as
/// its text.
fn spells_another_type(term: &Value) -> bool {
    let text = match term {
        Value::Bool(_) => return true,
        Value::String(text) => text,
        Value::Object(object) => match object.get("equals-ignore-case") {
            Some(Value::String(text)) => text,
            _ => return false,
        },
        _ => return false,
    };
    Number::parse(text).is_some()
        || text.eq_ignore_ascii_case("true")
        || text.eq_ignore_ascii_case("false")
}

/// The disjunction of parts. Parts that test the same field in the same way become one list.
fn alternatives(parts: Vec<Part>) -> Part {
    let mut out: Vec<Part> = Vec::new();
    for part in parts {
        let single = |part: &Part| match part {
            Part::Fields(fields) if fields.len() == 1 => fields
                .iter()
                .next()
                .map(|(key, value)| (key.clone(), value.clone())),
            _ => None,
        };
        let next = single(&part);
        let known = out
            .iter_mut()
            .find_map(|known| match (single(known), &next) {
                (Some((key, value)), Some((other, more)))
                    if key == *other
                        && !key.ends_with("exists")
                        && !value.is_null()
                        && !more.is_null() =>
                {
                    Some((known, key, value, more.clone()))
                }
                _ => None,
            });
        match known {
            Some((known, key, value, more)) => {
                let mut all = match value {
                    Value::Array(items) => items,
                    single => vec![single],
                };
                match more {
                    Value::Array(items) => all.extend(items),
                    single => all.push(single),
                }
                *known = one(&key, Value::Array(all));
            }
            None => out.push(part),
        }
    }
    if out.len() == 1 {
        return out.pop().unwrap_or(Part::Or(Vec::new()));
    }
    Part::Or(out)
}

/// The conjunction of parts. Selections are merged into one.
fn joined(parts: Vec<Part>) -> Part {
    let mut selection = Map::new();
    let mut out = Vec::new();
    let mut flat = Vec::new();
    for part in parts {
        match part {
            Part::And(inside) => flat.extend(inside),
            part => flat.push(part),
        }
    }
    for part in flat {
        match part {
            Part::Fields(fields) if fields.keys().all(|key| !selection.contains_key(key)) => {
                selection.extend(fields);
            }
            part => out.push(part),
        }
    }
    if !selection.is_empty() {
        out.insert(0, Part::Fields(selection));
    }
    if out.len() == 1 {
        return out.pop().unwrap_or(Part::And(Vec::new()));
    }
    Part::And(out)
}

fn from_wildcard(written: &str) -> Text {
    let mut pieces = Vec::new();
    let mut chars = written.chars();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Many,
            '\\' => Piece::Char(chars.next().unwrap_or('\\')),
            c => Piece::Char(c),
        });
    }
    Text { pieces }
}

fn numeric(field: &str, operand: &Value) -> Result<Vec<(String, Value)>, String> {
    let mut out = Vec::new();
    for pair in operand
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .chunks(2)
    {
        let [sign, number] = pair else {
            return Err("half a comparison".to_owned());
        };
        let modifiers: &[&str] = match sign.as_str() {
            Some("<") => &["lt"],
            Some("<=") => &["lte"],
            Some(">") => &["gt"],
            Some(">=") => &["gte"],
            _ => &["gte", "lte"],
        };
        out.extend(
            modifiers
                .iter()
                .map(|modifier| (format!("{field}|{modifier}"), number.clone())),
        );
    }
    Ok(out)
}

fn file(rule: &Rule, detection: Map<String, Value>, losses: &[Loss]) -> String {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let from = rule.imported_from.clone().unwrap_or_default();
    put("title", json!(rule.title));
    if let Some(id) = from.id {
        put("id", json!(id));
    }
    put("name", json!(rule.id));
    put("status", json!(rule.status));
    put("description", json!(rule.description.trim()));
    if let Some(license) = from.license {
        put("license", json!(license));
    }
    let references: Vec<&String> = rule.references.iter().chain(&from.references).collect();
    if !references.is_empty() {
        put("references", json!(references));
    }
    if let Some(author) = from.author.or_else(|| rule.owner.clone()) {
        put("author", json!(author));
    }
    for (name, value) in [("date", from.date), ("modified", from.modified)] {
        if let Some(value) = value {
            put(name, json!(value));
        }
    }
    if !rule.tags.is_empty() {
        put("tags", json!(rule.tags));
    }
    put(
        "logsource",
        json!({ "product": "aws", "service": "cloudtrail" }),
    );
    put("detection", Value::Object(detection));
    let shown: Vec<&str> = rule
        .message
        .iter()
        .flat_map(rules::Message::placeholders)
        .filter_map(|path| path.strip_prefix("$.detail."))
        .filter(|path| !path.contains('['))
        .collect();
    if !shown.is_empty() {
        put("fields", json!(shown));
    }
    if !rule.false_positives.is_empty() {
        put("falsepositives", json!(rule.false_positives));
    }
    put("level", json!(rule.severity));
    if !losses.is_empty() {
        let losses: Vec<String> = losses.iter().map(ToString::to_string).collect();
        put("losses", json!(losses));
    }
    let mut text = String::new();
    for (name, value) in &fields {
        syntax::write_entry(&mut text, 0, name, value);
    }
    text
}
