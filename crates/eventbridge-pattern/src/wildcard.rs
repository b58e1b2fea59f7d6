//! Wildcard operands: checking, matching.

use std::sync::OnceLock;

use memchr::memmem::Finder;

/// A checked wildcard: literal pieces with any text between them.
#[derive(Debug, Clone)]
pub(crate) struct Wildcard {
    /// One piece more than there are stars.
    pieces: Vec<String>,
    /// Searchers for the pieces between two stars, prepared by the first match: preparing one takes
    /// longer than searching a short text, and a pattern that is only checked needs none.
    middle: OnceLock<Vec<Finder<'static>>>,
}

impl PartialEq for Wildcard {
    fn eq(&self, other: &Self) -> bool {
        self.pieces == other.pieces
    }
}

impl Eq for Wildcard {}

/// One symbol of a wildcard, for counting its complexity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Symbol {
    Byte(u8),
    Any,
}

impl Wildcard {
    /// Checks an operand. `*` is any text, `\*` and `\\` are themselves; positions in the messages
    /// count UTF-8 bytes from the opening quote, which is position 0.
    pub(crate) fn new(operand: &str) -> Result<Wildcard, String> {
        let mut pieces = vec![String::new()];
        let mut chars = operand.char_indices().peekable();
        while let Some((index, c)) = chars.next() {
            let position = index + 1;
            match c {
                '*' => {
                    if chars.peek().is_some_and(|(_, next)| *next == '*') {
                        return Err(format!("Consecutive wildcard characters at pos {position}"));
                    }
                    pieces.push(String::new());
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('*' | '\\'))) => push(&mut pieces, escaped),
                    _ => return Err(format!("Invalid escape character at pos {position}")),
                },
                c => push(&mut pieces, c),
            }
        }
        Ok(Wildcard {
            pieces,
            middle: OnceLock::new(),
        })
    }

    /// Whether the whole text fits. Each piece is looked for once, from the left, so the time is
    /// linear in the text.
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        let [first, others @ ..] = self.pieces.as_slice() else {
            return false;
        };
        let Some((last, middle)) = others.split_last() else {
            return text == first.as_bytes();
        };
        let Some(mut rest) = text
            .strip_prefix(first.as_bytes())
            .and_then(|rest| rest.strip_suffix(last.as_bytes()))
        else {
            return false;
        };
        let middle = self.middle.get_or_init(|| {
            let prepare = |piece| Finder::new(piece).into_owned();
            middle.iter().map(prepare).collect()
        });
        for piece in middle {
            let behind = piece
                .find(rest)
                .and_then(|at| rest.get(at + piece.needle().len()..));
            let Some(behind) = behind else {
                return false;
            };
            rest = behind;
        }
        true
    }

    /// What a text must begin with, what it must contain (the longest of several), and what it must
    /// end with.
    pub(crate) fn parts(&self) -> (&str, Option<&str>, &str) {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            let all = self.pieces.first().map_or("", String::as_str);
            return (all, None, all);
        };
        let longest = middle.iter().max_by_key(|piece| piece.len());
        (first, longest.map(String::as_str), last)
    }

    pub(crate) fn has_one_star(&self) -> bool {
        self.pieces.len() == 2
    }

    /// A text that fits, with `filling` for each star.
    pub(crate) fn example(&self, filling: &str) -> String {
        self.pieces.join(filling)
    }

    /// The operand as it was written.
    pub(crate) fn operand(&self) -> String {
        let escaped = |piece: &String| piece.replace('\\', "\\\\").replace('*', "\\*");
        self.pieces
            .iter()
            .map(escaped)
            .collect::<Vec<_>>()
            .join("*")
    }

    /// The operand in its quotes, symbol by symbol.
    pub(crate) fn symbols(&self) -> Vec<Symbol> {
        let mut symbols = vec![Symbol::Byte(b'"')];
        for (index, piece) in self.pieces.iter().enumerate() {
            if index > 0 {
                symbols.push(Symbol::Any);
            }
            symbols.extend(piece.bytes().map(Symbol::Byte));
        }
        symbols.push(Symbol::Byte(b'"'));
        symbols
    }
}

fn push(pieces: &mut [String], c: char) {
    if let Some(piece) = pieces.last_mut() {
        piece.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(operand: &str, text: &str) -> bool {
        Wildcard::new(operand)
            .expect(operand)
            .matches(text.as_bytes())
    }

    #[test]
    fn stars_and_escapes() {
        assert!(fits("*", "") && fits("*", "x") && fits("", "") && !fits("", "x"));
        assert!(
            fits("a*b", "ab")
                && fits("a*b", "axxb")
                && !fits("a*b", "abc")
                && !fits("ab*ba", "aba")
        );
        assert!(
            fits("*a*a*", "xaya")
                && !fits("*a*a*", "xa")
                && fits("a\\*b", "a*b")
                && !fits("a\\*b", "axb")
        );
        assert!(fits("\\\\*", "\\x") && fits("\\**", "*x"));
    }

    #[test]
    fn refuses_with_positions() {
        let error = |operand| Wildcard::new(operand).expect_err(operand);
        assert_eq!(error("a**b"), "Consecutive wildcard characters at pos 2");
        assert_eq!(error("\\***"), "Consecutive wildcard characters at pos 3");
        assert_eq!(error("日**"), "Consecutive wildcard characters at pos 4");
        assert_eq!(error("a\\qb"), "Invalid escape character at pos 2");
        assert_eq!(error("a\\"), "Invalid escape character at pos 2");
        assert_eq!(error("\\\\\\"), "Invalid escape character at pos 3");
    }
}
