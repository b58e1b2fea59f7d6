//! Converts regular expressions that wildcards can express.
//!
//! Literals, `.`, `.*`, anchors, groups, alternatives, small classes and `?` become a list of
//! texts. Nothing else can be expressed in an event pattern.

use crate::expression::Regex;
use crate::text::{Piece, Text};

/// Most texts per expression.
const MAX_TEXTS: usize = 50;
/// Most characters in a class.
const MAX_CLASS: usize = 16;
/// Deepest nesting of groups.
const MAX_DEPTH: usize = 20;

/// Texts of which one matches if and only if the expression does. `None` if the expression isn't
/// simple enough.
pub(crate) fn texts(regex: &Regex) -> Option<Vec<Text>> {
    let chars: Vec<char> = regex.source.chars().collect();
    let mut parser = Parser {
        chars: &chars,
        at: 0,
    };
    let sequences = parser.alternatives(0)?;
    if parser.at < chars.len() {
        return None;
    }
    sequences
        .into_iter()
        .map(|sequence| unanchored(&sequence, regex.multi_line))
        .collect()
}

/// Whether the expression contains a `.` before a trailing `.*`. Unlike a wildcard, `.` doesn't
/// match a line end.
pub(crate) fn has_dot(regex: &Regex) -> bool {
    let source = regex.source.trim_end_matches(".*");
    let mut escaped = false;
    source.chars().any(|c| {
        let dot = c == '.' && !escaped;
        escaped = c == '\\' && !escaped;
        dot
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Piece(Piece),
    Start,
    End,
}

type Sequence = Vec<Token>;

/// Adds `*` at both ends unless there are anchors: a regular expression matches anywhere in a
/// value.
fn unanchored(sequence: &[Token], multi_line: bool) -> Option<Text> {
    let (starts, sequence) = match sequence {
        [Token::Start, rest @ ..] => (true, rest),
        all => (false, all),
    };
    let (ends, sequence) = match sequence {
        [rest @ .., Token::End] => (true, rest),
        all => (false, all),
    };
    if multi_line && (starts || ends) {
        return None;
    }
    let pieces = sequence
        .iter()
        .map(|token| match token {
            Token::Piece(piece) => Some(*piece),
            Token::Start | Token::End => None,
        })
        .collect::<Option<Vec<_>>>()?;
    let mut text = Text { pieces };
    text.pieces
        .dedup_by(|a, b| *a == Piece::Many && *b == Piece::Many);
    if !ends {
        text = text.starting();
    }
    if !starts {
        text = text.ending();
    }
    Some(text)
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self, depth: usize) -> Option<Vec<Sequence>> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut all = self.sequence(depth)?;
        while self.take('|') {
            all.extend(self.sequence(depth)?);
        }
        (all.len() <= MAX_TEXTS).then_some(all)
    }

    fn sequence(&mut self, depth: usize) -> Option<Vec<Sequence>> {
        let mut so_far: Vec<Sequence> = vec![Vec::new()];
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let item = self.item(depth)?;
            so_far = so_far
                .iter()
                .flat_map(|before| {
                    item.iter()
                        .map(move |after| before.iter().chain(after).copied().collect())
                })
                .collect();
            if so_far.len() > MAX_TEXTS {
                return None;
            }
        }
        Some(so_far)
    }

    /// Parses one item and its quantifier.
    fn item(&mut self, depth: usize) -> Option<Vec<Sequence>> {
        let c = self.peek()?;
        self.at += 1;
        let one = |piece| vec![vec![Token::Piece(piece)]];
        let item = match c {
            '^' => return Some(vec![vec![Token::Start]]),
            '$' => return Some(vec![vec![Token::End]]),
            '.' => {
                let item = if self.take('*') {
                    one(Piece::Many)
                } else if self.take('+') {
                    vec![vec![Token::Piece(Piece::One), Token::Piece(Piece::Many)]]
                } else {
                    one(Piece::One)
                };
                // A lazy quantifier matches the same texts.
                self.take('?');
                item
            }
            '(' => {
                if self.take('?') && !self.take(':') {
                    return None;
                }
                let inside = self.alternatives(depth + 1)?;
                if !self.take(')') {
                    return None;
                }
                inside
            }
            '[' => self.class()?,
            '\\' => one(Piece::Char(self.escaped()?)),
            '*' | '+' | '?' | '{' | '}' | ']' => return None,
            c => one(Piece::Char(c)),
        };
        match self.peek() {
            Some('?') if c != '.' => {
                self.at += 1;
                let mut optional = item;
                optional.push(Vec::new());
                Some(optional)
            }
            Some('*' | '+' | '{' | '?') => None,
            _ => Some(item),
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        (!c.is_alphanumeric()).then_some(c)
    }

    /// Parses a small character class.
    fn class(&mut self) -> Option<Vec<Sequence>> {
        let mut found = Vec::new();
        if self.peek() == Some('^') {
            return None;
        }
        loop {
            let c = self.peek()?;
            self.at += 1;
            let first = match c {
                ']' if !found.is_empty() => break,
                '[' | ']' => return None,
                '\\' => self.escaped()?,
                c => c,
            };
            let is_range = self.peek() == Some('-')
                && self.chars.get(self.at + 1).is_some_and(|next| *next != ']');
            if is_range {
                self.at += 1;
                let last = match self.peek()? {
                    '\\' | '[' => return None,
                    c => c,
                };
                self.at += 1;
                found.extend((first..=last).take(MAX_CLASS + 1));
            } else {
                found.push(first);
            }
            if found.len() > MAX_CLASS {
                return None;
            }
        }
        Some(
            found
                .into_iter()
                .map(|c| vec![Token::Piece(Piece::Char(c))])
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(source: &str) -> Option<Vec<String>> {
        let regex = Regex::new(source, false, false, true).unwrap();
        Some(texts(&regex)?.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn simple_expressions_are_texts() {
        assert_eq!(of("^Stop.*$").unwrap(), ["Stop*"]);
        assert_eq!(of(r"foo\.bar").unwrap(), ["*foo.bar*"]);
        assert_eq!(
            of("^(Put|Delete)Bucket(Policy)?$").unwrap(),
            [
                "PutBucketPolicy",
                "PutBucket",
                "DeleteBucketPolicy",
                "DeleteBucket"
            ]
        );
        assert_eq!(of("^[Aa]b$").unwrap(), ["Ab", "ab"]);
        assert_eq!(of("a.b").unwrap(), ["*a?b*"]);
        for hard in ["a+", "a*", r"\d", "[^a]", "a{2}", r"\bword", "(?i)a", "a^b"] {
            assert_eq!(of(hard), None, "{hard}");
        }
    }

    proptest! {
        #[test]
        fn texts_match_what_the_expression_matches(
            source in r"\^?([ab]|\.|\.\*|\(a\|b\)|\[ab\]|a\?){0,5}\$?", value in "[abc]{0,6}",
        ) {
            let Ok(regex) = Regex::new(&source, false, false, true) else { return Ok(()) };
            let Some(texts) = texts(&regex) else { return Ok(()) };
            prop_assert_eq!(
                texts.iter().any(|text| text.matches(&value, false)),
                regex.compiled.is_match(&value)
            );
        }
    }
}
