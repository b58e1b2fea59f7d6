//! Formats YAML files, comments included.
//!
//! No YAML library preserves comments when it reformats a file, so this module attaches the
//! comments from [`comments`] to the tree from [`parse`] and prints both. The result is parsed
//! again before it is returned: output that changes the meaning or loses a comment is never
//! returned.
//!
//! [`parse`]: crate::parse()
//! [`comments`]: crate::comments()

mod attach;
mod print;
mod prose;

use std::sync::Arc;

use crate::comment::comments;
use crate::diagnostic::Diagnostic;
use crate::parse::parse;
use crate::source::SourceFile;
use crate::tree::{Node, Value};

/// Longer lines are broken where possible, in characters.
const WIDTH: usize = 120;
/// Longest line of running text, in characters.
const PROSE: usize = 100;

/// Why a file is left unformatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unformatted {
    /// The file can't be parsed.
    Diagnostics(Vec<Diagnostic>),
    /// The output would have changed the file's meaning or lost a comment. No such file is known.
    Unsafe,
}

/// Formats a file's text, or says why it can't be formatted.
///
/// - Indentation is two spaces, lists are indented below their key, the text ends with one newline,
///   and at most one blank line stays between two entries.
/// - Flow collections stay in brackets if they fit into 120 characters and contain no comment.
/// - Text is quoted only where necessary, in double quotes unless that takes backslashes. Block
///   scalars (`|`, `>`) stay; folded text (`>`) wider than 100 characters is refilled.
/// - Keys come in the order that `order` returns for a mapping, given the path of keys to it (`[]`
///   for a list's items). Keys that it doesn't name come last, in source order.
/// - Comments stay with the value they precede or follow.
///
/// The result means the same as the input, and formatting it again changes nothing.
///
/// ```
/// let file = std::sync::Arc::new(syntax::SourceFile::new("a.yaml", "b:   'x'\n# why\na: [1,   2] # so\n"));
/// let text = syntax::format(&file, &|_| vec!["a", "b"]);
/// assert_eq!(text, Ok("# why\na: [1, 2] # so\nb: x\n".to_owned()));
/// ```
pub fn format(
    file: &Arc<SourceFile>,
    order: &dyn Fn(&[&str]) -> Vec<&'static str>,
) -> Result<String, Unformatted> {
    let (root, diagnostics) = parse(file);
    let root = match root {
        Some(root) if diagnostics.is_empty() => root,
        _ => return Err(Unformatted::Diagnostics(diagnostics)),
    };
    let comments = comments(file);
    let tree = attach::tree(&file.text, &root, &comments, order);
    let text = print::print(&tree);
    let formatted = Arc::new(SourceFile::new(file.path.clone(), text.as_str()));
    if means_the_same(&root, &formatted) && keeps_comments(file, &formatted) {
        Ok(text)
    } else {
        Err(Unformatted::Unsafe)
    }
}

fn means_the_same(root: &Node, formatted: &Arc<SourceFile>) -> bool {
    let (node, diagnostics) = parse(formatted);
    diagnostics.is_empty() && node.is_some_and(|node| same(root, &node))
}

/// Whether two values are equal, ignoring the order of keys.
fn same(a: &Node, b: &Node) -> bool {
    match (&a.value, &b.value) {
        (Value::Sequence(ours), Value::Sequence(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(ours), Value::Mapping(theirs)) => {
            let mut ours: Vec<_> = ours.iter().collect();
            let mut theirs: Vec<_> = theirs.iter().collect();
            ours.sort_by(|a, b| a.key.cmp(&b.key));
            theirs.sort_by(|a, b| a.key.cmp(&b.key));
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(a, b)| a.key == b.key && same(&a.value, &b.value))
        }
        (ours, theirs) => ours == theirs,
    }
}

fn keeps_comments(file: &Arc<SourceFile>, formatted: &Arc<SourceFile>) -> bool {
    let texts = |file| {
        let mut texts: Vec<String> = comments(file).into_iter().map(|it| it.text).collect();
        texts.sort();
        texts
    };
    texts(file) == texts(formatted)
}

#[cfg(test)]
mod tests;
