//! Refills running text without changing its value.

use super::PROSE;

/// The lines of a folded block (`>`), with each paragraph refilled that is too wide at this
/// indentation. In a folded block a line break is a space, unless the line or a neighbor is
/// indented.
pub(super) fn folded(lines: &[&str], indent: usize) -> Vec<String> {
    let mut out = Vec::new();
    let mut paragraph: Vec<&str> = Vec::new();
    for line in lines {
        if line.is_empty() || line.starts_with([' ', '\t']) {
            flush(&mut paragraph, indent, &mut out);
            out.push((*line).to_owned());
        } else {
            paragraph.push(line);
        }
    }
    flush(&mut paragraph, indent, &mut out);
    out
}

fn flush(paragraph: &mut Vec<&str>, indent: usize, out: &mut Vec<String>) {
    let is_wide = |line: &&str| indent + line.chars().count() > PROSE;
    let is_plain =
        |line: &&str| !line.contains("  ") && !line.contains('\t') && !line.ends_with(' ');
    if paragraph.iter().any(is_wide) && paragraph.iter().all(is_plain) {
        let words = paragraph.join(" ");
        out.extend(filled(&words, indent, indent, |_| true));
    } else {
        out.extend(paragraph.iter().map(|line| (*line).to_owned()));
    }
    paragraph.clear();
}

/// Fills lines of at most [`PROSE`] characters. The first line starts at column `first`, the others
/// at `indent`; `may_begin` says which words may start a line.
pub(super) fn filled(
    text: &str,
    first: usize,
    indent: usize,
    may_begin: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut width = first;
    for word in text.split(' ') {
        let length = word.chars().count();
        if !line.is_empty() && width + 1 + length > PROSE && may_begin(word) {
            lines.push(std::mem::take(&mut line));
            width = indent;
        }
        if !line.is_empty() {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += length;
    }
    lines.push(line);
    lines
}
