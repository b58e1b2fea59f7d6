//! Prints the tree and its comments.

use granit_parser::ScalarStyle;

use super::attach::{Collection, Document, Item, Line, Scalar, Tree};
use super::{WIDTH, prose};
use crate::tree::Value;
use crate::write::{is_word, quoted};

/// Indentation per level, in spaces.
const STEP: usize = 2;

pub(super) fn print(document: &Document<'_>) -> String {
    let mut out = String::new();
    lines(&mut out, 0, &document.head, true);
    if document.head_stands_apart {
        out.push('\n');
    }
    match &document.root {
        Tree::Collection(collection) if is_block(collection, 0) => {
            block(&mut out, 0, collection, true);
        }
        tree => {
            lines(&mut out, 0, &inside_nothing(tree), true);
            let mut value = String::new();
            below(&mut value, 0, 0, tree, None, None);
            // `below` starts with the space that separates a value from its key; the root has no
            // key.
            out.push_str(value.strip_prefix(' ').unwrap_or(&value));
        }
    }
    lines(&mut out, 0, &document.rest, false);
    out
}

fn pad(out: &mut String, indent: usize) {
    out.push_str(&" ".repeat(indent));
}

/// Comments on their own lines. No empty line precedes the first if it opens a block.
fn lines(out: &mut String, indent: usize, lines: &[Line<'_>], opens: bool) {
    for (index, line) in lines.iter().enumerate() {
        if line.after_blank && !(opens && index == 0) {
            out.push('\n');
        }
        pad(out, indent);
        out.push_str(line.comment);
        out.push('\n');
    }
}

/// Whether a collection that begins at `column` is printed as a block rather than in brackets.
fn is_block(collection: &Collection<'_>, column: usize) -> bool {
    if collection.items.is_empty() {
        return false;
    }
    if !collection.is_flow {
        return true;
    }
    flow_collection(collection).is_none_or(|text| column + text.chars().count() > WIDTH)
}

/// The value on one line; `None` if it contains a comment or a block.
fn flow(tree: &Tree<'_>) -> Option<String> {
    match tree {
        Tree::Scalar(scalar) => match scalar.style {
            ScalarStyle::Literal | ScalarStyle::Folded => None,
            _ => Some(one_line(scalar)),
        },
        Tree::Collection(collection) => {
            if collection.is_flow || collection.items.is_empty() {
                flow_collection(collection)
            } else {
                // A single pair without braces, as in `[a: b]`.
                let is_pair = collection.is_mapping && collection.items.len() == 1;
                is_pair.then(|| flow_collection(collection)).flatten()
            }
        }
    }
}

fn flow_collection(collection: &Collection<'_>) -> Option<String> {
    if !collection.rest.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    for item in &collection.items {
        if !item.before.is_empty() || item.beside.is_some() || item.beside_key.is_some() {
            return None;
        }
        let value = flow(&item.value)?;
        parts.push(match item.key {
            Some(key) => format!("{}: {value}", self::key(key)),
            None => value,
        });
    }
    let inside = parts.join(", ");
    Some(if collection.is_mapping {
        format!("{{{inside}}}")
    } else {
        format!("[{inside}]")
    })
}

/// Prints a collection as a block.
fn block(out: &mut String, indent: usize, collection: &Collection<'_>, opens: bool) {
    for (index, item) in collection.items.iter().enumerate() {
        self::item(out, indent, item, opens && index == 0);
    }
    lines(out, indent, &collection.rest, collection.items.is_empty());
}

fn item(out: &mut String, indent: usize, item: &Item<'_>, opens: bool) {
    let mut before = item.before.clone();
    let mut beside = item.beside;
    before.extend(inside_nothing(&item.value));
    let in_lines = matches!(&item.value, Tree::Collection(it) if in_lines(it, indent, item));
    if in_lines {
        // A comment after a closing bracket moves above the lines that replace it.
        before.extend(beside.take().map(|comment| Line {
            after_blank: false,
            comment,
        }));
    }
    if item.key.is_none() {
        // The first entry begins on the dash's line, so its comments go above the dash.
        hoist(&item.value, indent, in_lines, &mut before);
    }
    let blank_first = before.first().map_or(item.after_blank, |it| it.after_blank);
    lines(out, indent, &before, opens);
    let blank = if before.is_empty() {
        blank_first && !opens
    } else {
        item.after_blank
    };
    if blank {
        out.push('\n');
    }
    if let Some(key) = item.key {
        pad(out, indent);
        out.push_str(&self::key(key));
        out.push(':');
        let column = indent + self::key(key).chars().count() + 1;
        below(out, indent, column, &item.value, item.beside_key, beside);
        return;
    }
    match &item.value {
        Tree::Collection(collection) if in_lines && !collection.items.is_empty() => {
            let mut inside = String::new();
            let bare = Bare(collection);
            bare.block(&mut inside, indent + STEP);
            pad(out, indent);
            out.push_str("- ");
            out.push_str(inside.trim_start_matches(' '));
        }
        value => {
            pad(out, indent);
            out.push('-');
            below(out, indent, indent + 1, value, None, beside);
        }
    }
}

/// Whether an item's collection is printed as a block.
fn in_lines(collection: &Collection<'_>, indent: usize, item: &Item<'_>) -> bool {
    // A trailing comment may exceed the width.
    let lead = item.key.map_or(2, |key| self::key(key).chars().count() + 2);
    is_block(collection, indent + lead)
}

/// Moves the comments of a list item's first entry above the dash.
fn hoist<'a>(tree: &Tree<'a>, indent: usize, in_lines: bool, before: &mut Vec<Line<'a>>) {
    let Tree::Collection(collection) = tree else {
        return;
    };
    let Some(first) = collection.items.first().filter(|_| in_lines) else {
        return;
    };
    before.extend(first.before.iter().cloned());
    before.extend(inside_nothing(&first.value));
    if first.key.is_none()
        && let Tree::Collection(below) = &first.value
    {
        let lines = self::in_lines(below, indent + STEP, first);
        if lines {
            before.extend(first.beside.map(|comment| Line {
                after_blank: false,
                comment,
            }));
        }
        hoist(&first.value, indent + STEP, lines, before);
    }
}

/// Comments inside empty brackets; they are printed above them.
fn inside_nothing<'a>(tree: &Tree<'a>) -> Vec<Line<'a>> {
    match tree {
        Tree::Collection(collection) if collection.items.is_empty() => collection.rest.clone(),
        _ => Vec::new(),
    }
}

/// A block whose first item's comments are already printed.
struct Bare<'a, 'b>(&'b Collection<'a>);

impl Bare<'_, '_> {
    fn block(&self, out: &mut String, indent: usize) {
        for (index, item) in self.0.items.iter().enumerate() {
            if index > 0 {
                self::item(out, indent, item, false);
                continue;
            }
            let below_lines =
                matches!(&item.value, Tree::Collection(it) if in_lines(it, indent, item));
            match (&item.key, &item.value) {
                (None, Tree::Collection(collection)) if below_lines => {
                    let mut inside = String::new();
                    Bare(collection).block(&mut inside, indent + STEP);
                    pad(out, indent);
                    out.push_str("- ");
                    out.push_str(inside.trim_start_matches(' '));
                }
                (None, value) => {
                    pad(out, indent);
                    out.push('-');
                    below(out, indent, indent + 1, value, None, item.beside);
                }
                (Some(key), value) => {
                    pad(out, indent);
                    let key = self::key(*key);
                    out.push_str(&key);
                    out.push(':');
                    let column = indent + key.chars().count() + 1;
                    // A comment after a closing bracket would be lost with the bracket.
                    let beside_key = item.beside_key.or(item.beside.filter(|_| below_lines));
                    let beside = item.beside.filter(|_| !below_lines);
                    below(out, indent, column, value, beside_key, beside);
                }
            }
        }
        lines(out, indent, &self.0.rest, false);
    }
}

/// Prints a value after its key or dash, which ends at `column`, and the rest of its last line.
fn below(
    out: &mut String,
    indent: usize,
    column: usize,
    tree: &Tree<'_>,
    beside_key: Option<&str>,
    beside: Option<&str>,
) {
    match tree {
        Tree::Collection(collection) if is_block(collection, column + 1) => {
            end(out, beside_key);
            block(out, indent + STEP, collection, true);
        }
        Tree::Collection(collection) => {
            let empty = if collection.is_mapping { "{}" } else { "[]" };
            out.push(' ');
            out.push_str(&flow_collection(collection).unwrap_or_else(|| empty.to_owned()));
            end(out, beside_key.or(beside));
        }
        Tree::Scalar(scalar) => {
            out.push(' ');
            let block = block_lines(scalar, indent + STEP);
            if let Some((header, _)) = &block {
                out.push_str(header);
            } else {
                out.push_str(&lines_of_plain(scalar, column + 1, indent + STEP));
            }
            end(out, beside_key.or(beside));
            for line in block.into_iter().flat_map(|(_, lines)| lines) {
                if !line.is_empty() {
                    pad(out, indent + STEP);
                }
                out.push_str(&line);
                out.push('\n');
            }
        }
    }
}

fn end(out: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        out.push(' ');
        out.push_str(comment);
    }
    out.push('\n');
}

/// Header and lines of a block scalar, if the text can be printed as one.
fn block_lines(scalar: &Scalar<'_>, indent: usize) -> Option<(String, Vec<String>)> {
    let Value::String(text) = scalar.value else {
        return None;
    };
    let sign = match scalar.style {
        ScalarStyle::Literal => '|',
        ScalarStyle::Folded => '>',
        _ => return None,
    };
    let body = text.trim_end_matches('\n');
    let is_printable = |c: char| c == '\n' || c == '\t' || !c.is_control();
    if body.is_empty() || text.starts_with(['\n', ' ', '\t']) || !text.chars().all(is_printable) {
        return None;
    }
    let newlines = text.len() - body.len();
    let chomp = match newlines {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let mut lines: Vec<String> = if sign == '|' {
        body.split('\n').map(str::to_owned).collect()
    } else {
        let mut lines: Vec<&str> = scalar
            .source
            .split('\n')
            .enumerate()
            .map(|(index, line)| {
                let line = line.strip_suffix('\r').unwrap_or(line);
                let column = if index == 0 { 0 } else { scalar.column };
                let spaces = line.len() - line.trim_start_matches(' ').len();
                line.get(spaces.min(column)..).unwrap_or_default()
            })
            .collect();
        while lines.last().is_some_and(|line| line.is_empty()) {
            lines.pop();
        }
        prose::folded(&lines, indent)
    };
    // With `+`, every trailing empty line is part of the text.
    lines.extend((1..newlines).map(|_| String::new()));
    Some((format!("{sign}{chomp}"), lines))
}

/// A scalar after its key; plain text that is too wide continues on more lines.
fn lines_of_plain(scalar: &Scalar<'_>, column: usize, indent: usize) -> String {
    let text = one_line(scalar);
    let is_text = matches!(scalar.value, Value::String(_));
    let is_plain = scalar.style == ScalarStyle::Plain && is_text && !text.starts_with('"');
    if !is_plain || column + text.chars().count() <= WIDTH || text.contains("  ") {
        return text;
    }
    let may_begin = |word: &str| word.starts_with(|c: char| c.is_alphanumeric() || c == '(');
    let separator = format!("\n{}", " ".repeat(indent));
    prose::filled(&text, column, indent, may_begin).join(&separator)
}

/// A scalar on one line.
fn one_line(scalar: &Scalar<'_>) -> String {
    match scalar.value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) => text.clone(),
        Value::String(text) => self::text(text, scalar.style == ScalarStyle::Plain),
        Value::Sequence(_) | Value::Mapping(_) => String::new(),
    }
}

fn key((key, was_quoted): (&str, bool)) -> String {
    text(key, !was_quoted)
}

/// The text with as few quotes as keep it text.
fn text(text: &str, was_plain: bool) -> String {
    let is_printable = !text.chars().any(char::is_control);
    if is_word(text) || (was_plain && is_printable) {
        text.to_owned()
    } else if text.contains(['"', '\\']) && !text.contains('\'') && is_printable {
        format!("'{text}'")
    } else {
        quoted(text)
    }
}
