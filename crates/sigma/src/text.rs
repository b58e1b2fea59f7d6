//! Sigma's strings: characters, `?` for one character and `*` for any number of them.

/// One element of a [`Text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Piece {
    /// A literal character.
    Char(char),
    /// `?`: any one character.
    One,
    /// `*`: any text, including none.
    Many,
}

/// A rule's string with its wildcards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text {
    pub(crate) pieces: Vec<Piece>,
}

/// Classification of a text by the position of its stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Exact(String),
    Prefix(String),
    Suffix(String),
    /// `*` alone: any value.
    Any,
    /// Wildcards in other positions.
    Other,
}

impl Text {
    /// Parses a string from a rule. `\` escapes a wildcard or itself; before any other character it
    /// is literal.
    pub(crate) fn parse(written: &str) -> Self {
        let mut pieces = Vec::new();
        let mut chars = written.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' => push_many(&mut pieces),
                '?' => pieces.push(Piece::One),
                '\\' => match chars.peek() {
                    Some(next @ ('*' | '?' | '\\')) => {
                        pieces.push(Piece::Char(*next));
                        chars.next();
                    }
                    _ => pieces.push(Piece::Char('\\')),
                },
                c => pieces.push(Piece::Char(c)),
            }
        }
        Self { pieces }
    }

    /// A text without wildcards.
    pub(crate) fn plain(text: &str) -> Self {
        Self {
            pieces: text.chars().map(Piece::Char).collect(),
        }
    }

    /// The text, if it has no wildcards.
    pub(crate) fn as_plain(&self) -> Option<String> {
        characters(&self.pieces)
    }

    pub(crate) fn starting(mut self) -> Self {
        push_many(&mut self.pieces);
        self
    }

    pub(crate) fn ending(mut self) -> Self {
        if self.pieces.first() != Some(&Piece::Many) {
            self.pieces.insert(0, Piece::Many);
        }
        self
    }

    pub(crate) fn shape(&self) -> Shape {
        let found = match self.pieces.as_slice() {
            [Piece::Many] => Some(Shape::Any),
            [Piece::Many, rest @ ..] => characters(rest).map(Shape::Suffix),
            [rest @ .., Piece::Many] => characters(rest).map(Shape::Prefix),
            all => characters(all).map(Shape::Exact),
        };
        found.unwrap_or(Shape::Other)
    }

    /// Whether case makes a difference.
    pub(crate) fn has_letters(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Char(c) if is_cased(*c)))
    }

    /// Whether a value matches; `fold` ignores case.
    ///
    /// Takes time proportional to at most the product of the two lengths.
    pub(crate) fn matches(&self, value: &str, fold: bool) -> bool {
        let value: Vec<char> = value.chars().collect();
        fits(&self.pieces, value.len(), |wanted, at| {
            let c = value.get(at).copied();
            c.is_some_and(|c| wanted == c || (fold && same_letter(wanted, c)))
        })
    }
}

/// Whether a text with `length` characters matches the pieces; `same` compares a character with the
/// text's character at an index.
pub(crate) fn fits(pieces: &[Piece], length: usize, same: impl Fn(char, usize) -> bool) -> bool {
    let (mut at, mut seen) = (0, 0);
    // Where to retry with the last star matching one more character.
    let mut retry: Option<(usize, usize)> = None;
    while seen < length {
        let fits = match pieces.get(at) {
            Some(Piece::Many) => {
                retry = Some((at + 1, seen));
                at += 1;
                continue;
            }
            Some(Piece::One) => true,
            Some(Piece::Char(wanted)) => same(*wanted, seen),
            None => false,
        };
        if fits {
            (at, seen) = (at + 1, seen + 1);
        } else if let Some((after, taken)) = retry {
            retry = Some((after, taken + 1));
            (at, seen) = (after, taken + 1);
        } else {
            return false;
        }
    }
    pieces
        .get(at..)
        .unwrap_or_default()
        .iter()
        .all(|piece| *piece == Piece::Many)
}

impl std::fmt::Display for Text {
    /// The spelling in a rule, escapes included.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Char(c @ ('*' | '?' | '\\')) => write!(f, "\\{c}"),
            Piece::Char(c) => write!(f, "{c}"),
            Piece::One => f.write_str("?"),
            Piece::Many => f.write_str("*"),
        })
    }
}

fn push_many(pieces: &mut Vec<Piece>) {
    if pieces.last() != Some(&Piece::Many) {
        pieces.push(Piece::Many);
    }
}

fn characters(pieces: &[Piece]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Char(c) => Some(*c),
            Piece::One | Piece::Many => None,
        })
        .collect()
}

/// Whether a character has another case.
pub(crate) fn is_cased(c: char) -> bool {
    c.to_lowercase().ne(c.to_uppercase())
}

/// Whether two characters are the same letter, ignoring case. An ASCII letter never equals a
/// non-ASCII one, such as the Kelvin sign.
pub(crate) fn same_letter(a: char, b: char) -> bool {
    if a.is_ascii() || b.is_ascii() {
        return a.eq_ignore_ascii_case(&b);
    }
    a == b || a.to_lowercase().eq(b.to_lowercase()) || a.to_uppercase().eq(b.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes_escape_wildcards_and_themselves() {
        for (written, shape) in [
            (r"a\b", Shape::Exact(r"a\b".to_owned())),
            (r"a\\b", Shape::Exact(r"a\b".to_owned())),
            (r"a\*", Shape::Exact("a*".to_owned())),
            (r"a\\*", Shape::Prefix(r"a\".to_owned())),
            (r"a\\\*", Shape::Exact(r"a\*".to_owned())),
            (r"\\\\", Shape::Exact(r"\\".to_owned())),
            ("**x", Shape::Suffix("x".to_owned())),
            ("*", Shape::Any),
            ("a?b", Shape::Other),
            ("*x*", Shape::Other),
            ("", Shape::Exact(String::new())),
        ] {
            assert_eq!(Text::parse(written).shape(), shape, "{written}");
        }
    }

    #[test]
    fn stars_and_question_marks_match() {
        for (written, value, fits) in [
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("", "", true),
            ("*", "", true),
            ("?", "", false),
            ("*aab", "aaab", true),
        ] {
            assert_eq!(
                Text::parse(written).matches(value, false),
                fits,
                "{written}"
            );
        }
        assert!(Text::parse("NO").matches("No", true));
        assert!(!Text::parse("NO").matches("No", false));
        assert!(!Text::parse("k").matches("\u{212A}", true));
    }
}
