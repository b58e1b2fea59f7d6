//! Fixes: text edits that correct a diagnostic and leave the rest of the file alone.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::source::Span;

/// A change that corrects a diagnostic, in the diagnostic's own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fix {
    /// What it does, in the imperative: `put it in quotes`.
    pub title: String,
    /// Non-overlapping replacements.
    pub edits: Vec<Edit>,
}

/// Replaces a byte range with text.
///
/// Serializes to `{start, end, text}`, offsets in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The bytes to remove; empty for an insertion.
    pub span: Span,
    /// The text to insert.
    pub text: String,
}

impl Fix {
    /// A fix with a single replacement.
    pub fn replace(title: impl Into<String>, span: Span, text: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            edits: vec![Edit {
                span,
                text: text.into(),
            }],
        }
    }
}

impl Serialize for Edit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Edit", 3)?;
        out.serialize_field("start", &self.span.start)?;
        out.serialize_field("end", &self.span.end)?;
        out.serialize_field("text", &self.text)?;
        out.end()
    }
}

/// Applies fixes and returns the new text and the number of fixes applied. A fix that touches an
/// earlier fix's edits, or has a span outside the text, is skipped as a whole; the next round finds
/// it again.
///
/// ```
/// use syntax::{Fix, Span};
///
/// let fixes = [Fix::replace("b for a", Span::new(4, 5), "b"), Fix::replace("c for a", Span::new(4, 5), "c")];
/// assert_eq!(syntax::apply("x: [a] # why\n", &fixes), ("x: [b] # why\n".to_owned(), 1));
/// ```
pub fn apply(text: &str, fixes: &[Fix]) -> (String, usize) {
    let mut edits: Vec<&Edit> = Vec::new();
    let mut applied = 0;
    for fix in fixes {
        let fits = fix.edits.iter().all(|edit| {
            text.get(edit.span.start..edit.span.end).is_some()
                && edits.iter().all(|other| !touch(edit.span, other.span))
        });
        if fits && !fix.edits.is_empty() {
            edits.extend(&fix.edits);
            applied += 1;
        }
    }
    edits.sort_by_key(|edit| edit.span);
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(text.get(at..edit.span.start).unwrap_or_default());
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    (out, applied)
}

/// Whether two spans overlap or are adjacent, so that the order of the edits would matter.
fn touch(a: Span, b: Span) -> bool {
    a.start <= b.end && b.start <= a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_apply_in_source_order() {
        let fixes = [
            Fix::replace("", Span::new(4, 5), "EE"),
            Fix::replace("", Span::new(0, 1), ""),
            Fix::replace("", Span::new(2, 2), "_"),
        ];
        assert_eq!(apply("abcdef", &fixes), ("b_cdEEf".to_owned(), 3));
    }

    #[test]
    fn conflicting_fixes_are_skipped_as_a_whole() {
        let two = Fix {
            title: String::new(),
            edits: vec![
                Edit {
                    span: Span::new(0, 1),
                    text: "x".to_owned(),
                },
                Edit {
                    span: Span::new(90, 91),
                    text: "y".to_owned(),
                },
            ],
        };
        assert_eq!(apply("ab", &[two]), ("ab".to_owned(), 0));
        // Inside a character.
        let inside = Fix::replace("", Span::new(1, 2), "x");
        assert_eq!(apply("ä", &[inside]), ("ä".to_owned(), 0));
    }
}
