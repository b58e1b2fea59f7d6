//! Source files and locations in them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A text file under the path that the user knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    /// As shown to the user; relative if the user gave a relative path.
    pub path: PathBuf,
    /// The complete content.
    pub text: String,
}

impl SourceFile {
    /// A file with the path to show and its content.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            text: text.into(),
        }
    }
}

/// A range of bytes in a [`SourceFile`]; `end` is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Byte offset of the first byte.
    pub start: usize,
    /// Byte offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }
}

/// A span in a file; diagnostics point at it.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceLocation {
    /// Shared by all locations in it.
    pub file: Arc<SourceFile>,
    /// Byte range in the file's text.
    pub span: Span,
}

impl SourceLocation {
    /// The location of a span in a file.
    pub fn new(file: &Arc<SourceFile>, span: Span) -> Self {
        Self {
            file: Arc::clone(file),
            span,
        }
    }

    /// Line and column of the first byte, both counted from 1, the column in characters.
    ///
    /// An offset past the end, or inside a character, counts as the last position before it.
    pub fn line_column(&self) -> (usize, usize) {
        let text = self.file.text.as_str();
        let mut offset = self.span.start.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        (line, column)
    }

    /// The text at this location; empty if the span lies outside the file.
    pub fn text(&self) -> &str {
        self.file
            .text
            .get(self.span.start..self.span.end)
            .unwrap_or_default()
    }

    /// The location of the first occurrence of `needle` inside this one, or this location itself.
    ///
    /// A block scalar is one value with one span; this finds the word that matters in it.
    #[must_use]
    pub fn narrowed_to(&self, needle: &str) -> Self {
        match self.text().find(needle) {
            Some(found) if !needle.is_empty() => {
                let start = self.span.start + found;
                Self::new(&self.file, Span::new(start, start + needle.len()))
            }
            _ => self.clone(),
        }
    }
}

impl fmt::Display for SourceLocation {
    /// `path:line:column`, which terminals and editors turn into a link.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}", self.file.path.display())
    }
}

impl fmt::Debug for SourceLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceLocation({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(text: &str, start: usize, end: usize) -> SourceLocation {
        SourceLocation::new(
            &Arc::new(SourceFile::new("a.yaml", text)),
            Span::new(start, end),
        )
    }

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(location("ä: ö\nß: x", 3, 4).line_column(), (1, 3));
        assert_eq!(location("ab\ncd", 3, 5).line_column(), (2, 1));
        assert_eq!(location("ab\ncd", 4, 5).to_string(), "a.yaml:2:2");
    }

    #[test]
    fn an_offset_outside_the_text_is_the_end() {
        assert_eq!(location("ab", 99, 120).line_column(), (1, 3));
        assert_eq!(location("", 0, 0).line_column(), (1, 1));
        assert_eq!(location("ab", 99, 120).text(), "");
    }

    #[test]
    fn narrowing_finds_the_word_inside() {
        let whole = location("m: say {{ x }} now", 3, 18);
        assert_eq!(whole.narrowed_to("{{ x }}").span, Span::new(7, 14));
        assert_eq!(whole.narrowed_to("absent"), whole);
    }
}
