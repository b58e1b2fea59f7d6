//! Comments of a YAML file with their positions.

use std::sync::Arc;

use granit_parser::{Event, Options, Parser};

use crate::source::{SourceFile, Span};

/// A YAML comment, from `#` to the end of its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// The text after `#`, trimmed.
    pub text: String,
    /// Byte range from `#` to the end of the line.
    pub span: Span,
    /// Whether nothing precedes it on its line.
    pub alone: bool,
}

/// The comments of a file, in source order. A `#` inside a scalar doesn't start one.
///
/// If the file isn't valid YAML, only the comments before the first error are returned.
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
