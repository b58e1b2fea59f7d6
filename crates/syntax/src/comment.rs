//! The comments of a YAML file, for what is said beside the values.

use std::sync::Arc;

use granit_parser::{Event, Options, Parser};

use crate::source::{SourceFile, Span};

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Its text without `#` and the blank space around it.
    pub text: String,
    /// Its bytes in the file, from `#` to the end of the line.
    pub span: Span,
    /// Whether it has its line to itself.
    pub alone: bool,
}

/// The comments of a file in the order written. `#` inside of a text starts none.
///
/// If the file isn't YAML, these are the comments before the first error.
///
/// ```
/// let file = std::sync::Arc::new(syntax::SourceFile::new("a.yaml", "# one\na: '# no' # two\n"));
/// let texts: Vec<_> = syntax::comments(&file).into_iter().map(|it| (it.text, it.alone)).collect();
/// assert_eq!(texts, [("one".to_owned(), true), ("two".to_owned(), false)]);
/// ```
pub fn comments(file: &Arc<SourceFile>) -> Vec<Comment> {
    if file.text.len() > crate::MAX_BYTES {
        return Vec::new();
    }
    let mut options = Options::default();
    options.disallow_directives = true;
    options.set_emit_comments(true);
    let mut parser = Parser::new_from_str_with_options(&file.text, options);
    let mut comments = Vec::new();
    while let Some(Ok((event, span))) = parser.next_event() {
        match event {
            Event::Comment(text, _) => {
                let range = span.byte_range().unwrap_or_default();
                let before = file.text.get(..range.start).unwrap_or_default();
                let line = before.rsplit('\n').next().unwrap_or_default();
                comments.push(Comment {
                    text: text.trim().to_owned(),
                    span: Span::new(range.start, range.end),
                    alone: line.trim().is_empty(),
                });
            }
            Event::StreamEnd => break,
            _ => {}
        }
    }
    comments
}
