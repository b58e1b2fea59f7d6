//! Parses one entry of a selection, `field|modifier|…: values`.
//!
//! The modifiers are those of the Sigma specification's appendix, version 2.1.0
//! (<https://sigmahq.io/sigma-specification/specification/sigma-appendix-modifiers.html>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use syntax::{Diagnostic, Entry, Node, Span, Value};

use crate::expression::{
    Atom, Comparison, Expression, How, Network, Number, Regex, Test, TimePart, Written,
};
use crate::text::{Piece, Text};

/// Most values that one entry may expand to.
const MAX_VALUES: usize = 1000;

/// A diagnostic without its file.
pub(crate) struct Wrong {
    pub(crate) diagnostic: Box<Diagnostic>,
    pub(crate) span: Span,
}

impl Wrong {
    fn help(mut self, help: &str) -> Self {
        *self.diagnostic = self.diagnostic.help(help);
        self
    }

    fn note(mut self, note: &str) -> Self {
        *self.diagnostic = self.diagnostic.note(note);
        self
    }
}

pub(crate) fn wrong(code: &'static str, message: impl Into<String>, span: Span) -> Wrong {
    Wrong {
        diagnostic: Box::new(Diagnostic::error(code, message)),
        span,
    }
}

/// The modifiers that don't transform values.
#[derive(Debug, Default)]
struct Flags {
    all: bool,
    neq: bool,
    cased: bool,
    contains: bool,
    starts: bool,
    ends: bool,
    ignore_case: bool,
    multi_line: bool,
    dot_all: bool,
    comparison: Option<Comparison>,
    part: Option<TimePart>,
    kind: ModifierKind,
}

/// How a modifier interprets the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ModifierKind {
    #[default]
    Value,
    Regex,
    Cidr,
    Exists,
    Reference,
}

/// A modifier that transforms values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Contains,
    Starts,
    Ends,
    Windash,
    Base64,
    Base64Offset,
    Utf16Le,
    Utf16Be,
    Utf16,
    Expand,
}

/// A value between two steps.
#[derive(Clone, Debug)]
enum Operand {
    Text(Text),
    Bytes(Vec<u8>),
}

/// The expression of an entry.
pub(crate) fn entry(entry: &Entry) -> Result<Expression, Wrong> {
    let mut parts = entry.key.split('|');
    let field = parts.next().unwrap_or_default().to_owned();
    let names: Vec<&str> = parts.collect();
    if field.is_empty() {
        return Err(keywords(entry.key_span));
    }
    let (flags, steps) = read(&names, entry.key_span)?;
    let nodes: Vec<&Node> = match &entry.value.value {
        Value::Sequence(items) if items.is_empty() => {
            return Err(wrong(
                "sigma::value",
                format!("`{field}` is compared with an empty list"),
                entry.value.span,
            ));
        }
        Value::Sequence(items) => items.iter().collect(),
        _ => vec![&entry.value],
    };
    if flags.kind == ModifierKind::Exists {
        return exists(&field, &nodes, entry.value.span);
    }
    let mut per_value = Vec::new();
    let mut total = 0;
    for node in nodes {
        let tests = tests(node, &flags, &steps)?;
        total += tests.len();
        if total > MAX_VALUES {
            return Err(wrong(
                "sigma::too-large",
                format!("`{}` has more than {MAX_VALUES} values", entry.key),
                entry.key_span,
            ));
        }
        per_value.push(tests);
    }
    let atom = |tests| {
        Expression::Atom(Atom {
            field: field.clone(),
            tests,
        })
    };
    let positive = if flags.all && per_value.len() > 1 {
        Expression::And(per_value.into_iter().map(atom).collect())
    } else {
        atom(per_value.into_iter().flatten().collect())
    };
    Ok(if flags.neq {
        Expression::Not(Box::new(positive))
    } else {
        positive
    })
}

/// The diagnostic for keywords, which Sigma searches in the whole event.
pub(crate) fn keywords(span: Span) -> Wrong {
    wrong(
        "sigma::keywords",
        "the rule looks for words anywhere in the event",
        span,
    )
    .note("an event pattern compares fields; it can't search the whole event")
    .help("name the field that contains the word, such as `userAgent|contains`")
}

fn exists(field: &str, nodes: &[&Node], span: Span) -> Result<Expression, Wrong> {
    let there = match nodes {
        [node] => node.as_bool().or_else(|| match node.as_str() {
            Some("true" | "yes") => Some(true),
            Some("false" | "no") => Some(false),
            _ => None,
        }),
        _ => None,
    };
    let Some(there) = there else {
        return Err(wrong(
            "sigma::value",
            "`exists` takes `true` or `false`",
            span,
        ));
    };
    let atom = Expression::Atom(Atom {
        field: field.to_owned(),
        tests: vec![Test::Exists],
    });
    Ok(if there {
        atom
    } else {
        Expression::Not(Box::new(atom))
    })
}

fn kind(name: &str) -> Option<ModifierKind> {
    Some(match name {
        "re" => ModifierKind::Regex,
        "cidr" => ModifierKind::Cidr,
        "exists" => ModifierKind::Exists,
        "fieldref" => ModifierKind::Reference,
        _ => return None,
    })
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "lt" => Comparison::Less,
        "lte" => Comparison::LessOrEqual,
        "gt" => Comparison::Greater,
        "gte" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn time_part(name: &str) -> Option<TimePart> {
    Some(match name {
        "minute" => TimePart::Minute,
        "hour" => TimePart::Hour,
        "day" => TimePart::Day,
        "week" => TimePart::Week,
        "month" => TimePart::Month,
        "year" => TimePart::Year,
        _ => return None,
    })
}

fn read(names: &[&str], span: Span) -> Result<(Flags, Vec<Step>), Wrong> {
    let mut flags = Flags::default();
    let mut steps = Vec::new();
    let mut kinds = 0;
    for name in names {
        if let Some(kind) = kind(name) {
            kinds += 1;
            flags.kind = kind;
            continue;
        }
        if let Some(comparison) = comparison(name) {
            kinds += 1;
            flags.comparison = Some(comparison);
            continue;
        }
        if let Some(part) = time_part(name) {
            flags.part = Some(part);
            continue;
        }
        let flag = match *name {
            "all" => Some(&mut flags.all),
            "neq" => Some(&mut flags.neq),
            "cased" => Some(&mut flags.cased),
            "i" => Some(&mut flags.ignore_case),
            "m" => Some(&mut flags.multi_line),
            "s" => Some(&mut flags.dot_all),
            _ => None,
        };
        if let Some(flag) = flag {
            *flag = true;
            continue;
        }
        let step = match *name {
            "contains" => Step::Contains,
            "startswith" => Step::Starts,
            "endswith" => Step::Ends,
            "windash" => Step::Windash,
            "base64" => Step::Base64,
            "base64offset" => Step::Base64Offset,
            "wide" | "utf16le" => Step::Utf16Le,
            "utf16be" => Step::Utf16Be,
            "utf16" => Step::Utf16,
            "expand" => Step::Expand,
            other => {
                return Err(wrong(
                    "sigma::modifier",
                    format!("there is no modifier `{other}`"),
                    span,
                )
                .help(
                    "the modifiers: all, base64, base64offset, cased, cidr, contains, endswith, exists, expand, \
                     fieldref, gt, gte, lt, lte, neq, re (i, m, s), startswith, utf16, utf16be, utf16le, wide, \
                     windash, minute, hour, day, week, month, year",
                ));
            }
        };
        flags.contains |= step == Step::Contains;
        flags.starts |= step == Step::Starts;
        flags.ends |= step == Step::Ends;
        steps.push(step);
    }
    let references = flags.kind == ModifierKind::Reference;
    let typed = kinds > 0 || flags.part.is_some();
    let changes = steps
        .iter()
        .any(|step| !references || !matches!(step, Step::Contains | Step::Starts | Step::Ends));
    let regex_flags = flags.ignore_case || flags.multi_line || flags.dot_all;
    if kinds > 1
        || (typed && changes)
        || (regex_flags && flags.kind != ModifierKind::Regex)
        || (flags.part.is_some() && flags.kind != ModifierKind::Value)
    {
        return Err(wrong(
            "sigma::modifier",
            format!("the modifiers `{}` can't be combined", names.join("|")),
            span,
        ));
    }
    Ok((flags, steps))
}

/// The tests for one value; passing any of them is enough.
fn tests(node: &Node, flags: &Flags, steps: &[Step]) -> Result<Vec<Test>, Wrong> {
    let (text, written) = match &node.value {
        Value::Null if steps.is_empty() && flags.is_plain() => return Ok(vec![Test::Null]),
        Value::String(text) => (text.clone(), Written::Text),
        Value::Number(text) => (text.clone(), Written::Number),
        Value::Bool(value) => (value.to_string(), Written::Boolean),
        Value::Null | Value::Sequence(_) | Value::Mapping(_) => {
            return Err(wrong(
                "sigma::value",
                format!("{} can't be compared like this", node.kind()),
                node.span,
            ));
        }
    };
    let refuse = |message: String| wrong("sigma::value", message, node.span);
    if let Some(part) = flags.part {
        let number = text
            .parse()
            .map_err(|_| refuse(format!("`{text}` is not a whole number")))?;
        return Ok(vec![Test::Time {
            part,
            comparison: flags.comparison,
            number,
        }]);
    }
    if let Some(comparison) = flags.comparison {
        let number = Number::parse(&text)
            .ok_or_else(|| refuse(format!("`{text}` is not a number that can be compared")))?;
        return Ok(vec![Test::Compare(comparison, number)]);
    }
    match flags.kind {
        ModifierKind::Regex => {
            let regex = Regex::new(&text, flags.ignore_case, flags.multi_line, flags.dot_all)
                .map_err(refuse)?;
            Ok(vec![Test::Regex(regex)])
        }
        ModifierKind::Cidr => Network::parse(&text)
            .map(|network| vec![Test::Cidr(network)])
            .ok_or_else(|| {
                refuse(format!(
                    "`{text}` is not an address range such as 192.0.2.0/24"
                ))
            }),
        ModifierKind::Reference => Ok(vec![Test::Reference {
            other: text,
            how: match (flags.contains, flags.starts, flags.ends) {
                (true, ..) => How::Contains,
                (_, true, _) => How::Starts,
                (_, _, true) => How::Ends,
                _ => How::Equals,
            },
            cased: flags.cased,
        }]),
        ModifierKind::Exists | ModifierKind::Value => {
            let plain_number = written != Written::Text && steps.is_empty();
            let text = if plain_number {
                Text::plain(&text)
            } else {
                Text::parse(&text)
            };
            let texts = steps
                .iter()
                .try_fold(vec![Operand::Text(text)], |operands, step| {
                    transform(operands, *step)
                })
                .map_err(|message| {
                    let code = if steps.contains(&Step::Expand) {
                        "sigma::placeholder"
                    } else {
                        "sigma::value"
                    };
                    wrong(code, message, node.span)
                })?;
            texts
                .into_iter()
                .map(|operand| {
                    Ok(Test::Value {
                        text: operand.into_text().map_err(refuse)?,
                        cased: flags.cased,
                        written,
                    })
                })
                .collect()
        }
    }
}

impl Flags {
    fn is_plain(&self) -> bool {
        self.kind == ModifierKind::Value && self.comparison.is_none() && self.part.is_none()
    }
}

impl Operand {
    fn into_text(self) -> Result<Text, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bytes(bytes) => String::from_utf8(bytes)
                .map(|text| Text::plain(&text))
                .map_err(|_| {
                    "UTF-16 text is bytes, which no CloudTrail field contains; add `base64` or `base64offset` after it".to_owned()
                }),
        }
    }

    fn into_bytes(self) -> Result<Vec<u8>, String> {
        match self {
            Self::Text(text) => text
                .as_plain()
                .map(String::into_bytes)
                .ok_or_else(|| format!("`{text}` has wildcards, which can't be encoded")),
            Self::Bytes(bytes) => Ok(bytes),
        }
    }
}

fn transform(operands: Vec<Operand>, step: Step) -> Result<Vec<Operand>, String> {
    let mut out = Vec::new();
    for operand in operands {
        match step {
            Step::Contains => out.push(Operand::Text(operand.into_text()?.starting().ending())),
            Step::Starts => out.push(Operand::Text(operand.into_text()?.starting())),
            Step::Ends => out.push(Operand::Text(operand.into_text()?.ending())),
            Step::Windash => {
                out.extend(dashes(operand.into_text()?)?.into_iter().map(Operand::Text));
            }
            Step::Base64 => out.push(Operand::Text(Text::plain(
                &STANDARD.encode(operand.into_bytes()?),
            ))),
            Step::Base64Offset => out.extend(
                offsets(&operand.into_bytes()?)
                    .iter()
                    .map(|text| Operand::Text(Text::plain(text))),
            ),
            Step::Utf16Le | Step::Utf16Be | Step::Utf16 => {
                let bytes = operand.into_bytes()?;
                let text = String::from_utf8(bytes).map_err(|_| "encoded twice".to_owned())?;
                let mut encoded = Vec::new();
                if step == Step::Utf16 {
                    encoded.extend([0xff, 0xfe]);
                }
                for unit in text.encode_utf16() {
                    encoded.extend(if step == Step::Utf16Be {
                        unit.to_be_bytes()
                    } else {
                        unit.to_le_bytes()
                    });
                }
                out.push(Operand::Bytes(encoded));
            }
            Step::Expand => out.push(Operand::Text(without_placeholders(operand.into_text()?)?)),
        }
        if out.len() > MAX_VALUES {
            return Err(format!("the value has more than {MAX_VALUES} forms"));
        }
    }
    Ok(out)
}

/// The three encodings of bytes inside longer Base64, by their offset in a group of three.
/// Characters that also depend on adjacent bytes are left out.
fn offsets(bytes: &[u8]) -> Vec<String> {
    (0..3)
        .map(|shift| {
            let mut shifted = vec![b' '; shift];
            shifted.extend_from_slice(bytes);
            let start = [0, 2, 3].get(shift).copied().unwrap_or(0);
            let cut = [0, 3, 2].get(shifted.len() % 3).copied().unwrap_or(0);
            let encoded = STANDARD.encode(&shifted);
            let end = encoded.len().saturating_sub(cut);
            encoded.get(start..end).unwrap_or_default().to_owned()
        })
        .filter(|text| !text.is_empty())
        .collect()
}

const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

/// All variants of the text in which each word's leading dash is one of five dash characters.
fn dashes(text: Text) -> Result<Vec<Text>, String> {
    let is_word = |piece: Option<&Piece>| matches!(piece, Some(Piece::Char(c)) if c.is_alphanumeric() || *c == '_');
    let places: Vec<usize> = text
        .pieces
        .iter()
        .enumerate()
        .filter(|(at, piece)| {
            let before = at.checked_sub(1).and_then(|before| text.pieces.get(before));
            matches!(piece, Piece::Char(c) if DASHES.contains(c))
                && !is_word(before)
                && is_word(text.pieces.get(at + 1))
        })
        .map(|(at, _)| at)
        .collect();
    let forms = DASHES
        .len()
        .checked_pow(u32::try_from(places.len()).unwrap_or(u32::MAX))
        .filter(|forms| *forms <= MAX_VALUES);
    if forms.is_none() {
        return Err(format!("the value has more than {MAX_VALUES} forms"));
    }
    let mut all = vec![text];
    for at in places {
        all = all
            .into_iter()
            .flat_map(|text| {
                DASHES.map(|dash| {
                    let mut other = text.clone();
                    if let Some(piece) = other.pieces.get_mut(at) {
                        *piece = Piece::Char(dash);
                    }
                    other
                })
            })
            .collect();
    }
    Ok(all)
}

/// The text, or an error if it contains a placeholder `%name%`.
fn without_placeholders(text: Text) -> Result<Text, String> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open: Option<String> = None;
    for piece in text.pieces {
        let escaped = pieces.last() == Some(&Piece::Char('\\'));
        match (piece, &mut open) {
            (Piece::Char('%'), _) if escaped => {
                pieces.pop();
                open = None;
            }
            (Piece::Char('%'), Some(name)) if !name.is_empty() => {
                return Err(format!(
                    "`%{name}%` is a placeholder whose values are not in the rule; replace it with them"
                ));
            }
            (Piece::Char('%'), open) => *open = Some(String::new()),
            (Piece::Char(c), Some(name)) if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') => {
                name.push(c);
            }
            (_, open) => *open = None,
        }
        pieces.push(piece);
    }
    Ok(Text { pieces })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_at_three_offsets() {
        assert_eq!(
            offsets(b"foobar"),
            ["Zm9vYmFy", "Zvb2Jhc", "mb29iYX"].map(str::to_owned)
        );
        for (shift, text) in offsets(b"secret").iter().enumerate() {
            let whole = format!("{}secret\u{1}", "x".repeat(shift));
            assert!(
                STANDARD.encode(whole).contains(text.as_str()),
                "{shift} {text}"
            );
        }
    }

    #[test]
    fn only_dashes_that_begin_a_word_vary() {
        let forms = dashes(Text::plain("run -a b-c")).unwrap();
        let shown: Vec<String> = forms.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 5);
        assert!(shown.contains(&"run /a b-c".to_owned()));
        assert!(dashes(Text::plain(&"-a ".repeat(9))).is_err());
    }

    #[test]
    fn placeholders_are_refused_and_escaped_ones_are_text() {
        assert!(without_placeholders(Text::parse("%admins%")).is_err());
        let plain = without_placeholders(Text::parse(r"\%admins\%")).unwrap();
        assert_eq!(plain.as_plain().as_deref(), Some("%admins%"));
        assert!(without_placeholders(Text::parse("100% and 50%")).is_ok());
    }
}
