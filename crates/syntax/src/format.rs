//! One layout for YAML files, comments included.
//!
//! No YAML library keeps comments through a change of layout, so this prints the tree of [`parse`]
//! with the comments of [`comments`] set beside the values that they stand beside. What it gives is
//! read once more before it is handed out: a layout that says something else, or lost a comment, is
//! never handed out.
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

/// Longest line that isn't broken if it can be, in characters.
const WIDTH: usize = 120;
/// Longest line of running text.
const PROSE: usize = 100;

/// Why a file stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unformatted {
    /// It can't be read, for these reasons.
    Diagnostics(Vec<Diagnostic>),
    /// The layout would have said something else than the file, or lost a comment. No file is known
    /// of which that is true.
    Unsafe,
}

/// A file's text in the one layout, or what is wrong with the file.
///
/// - Indentation is two spaces, lists are indented below their key, the text ends with one newline,
///   and at most one blank line stays between two entries.
/// - What is written in brackets stays so if it fits into 120 characters and holds no comment.
/// - Text is in quotes only where it needs them, and those are double ones unless that takes
///   backslashes. Text in blocks (`|`, `>`) stays; folded text (`>`) wider than 100 characters is
///   filled again.
/// - Keys come in the order that `order` has for a mapping, given the keys that lead to it (`[]`
///   for a list's items); keys that it doesn't name come last, as they were.
/// - Comments stay with the value that they precede or follow.
///
/// The result says what the file said, and formatting it again changes nothing.
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
    if says_the_same(&root, &formatted) && keeps_comments(file, &formatted) {
        Ok(text)
    } else {
        Err(Unformatted::Unsafe)
    }
}

fn says_the_same(root: &Node, formatted: &Arc<SourceFile>) -> bool {
    let (node, diagnostics) = parse(formatted);
    diagnostics.is_empty() && node.is_some_and(|node| same(root, &node))
}

/// Whether two values are one, whatever the order of their keys.
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
