//! Sets of texts that terms accept, as sequences of bytes and stars: whether one covers or
//! excludes another.

use crate::term::{Except, Term};
use crate::wildcard;

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// One byte, which is one of these two (which may be the same).
    Byte(u8, u8),
    /// Any bytes, or none.
    Star,
}

impl Symbol {
    /// Whether this byte is always one that `other` allows.
    fn is_within(self, other: Symbol) -> bool {
        match (self, other) {
            (Symbol::Byte(a, b), Symbol::Byte(c, d)) => (a == c || a == d) && (b == c || b == d),
            _ => false,
        }
    }

    fn meets(self, other: Symbol) -> bool {
        match (self, other) {
            (Symbol::Byte(a, b), Symbol::Byte(c, d)) => a == c || a == d || b == c || b == d,
            _ => false,
        }
    }
}

/// The texts of one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Language(Vec<Symbol>);

/// The steps that a question may still take; without any left, the answer is "unknown".
#[derive(Debug)]
pub(crate) struct Budget(pub(crate) usize);

impl Budget {
    pub(crate) fn spend(&mut self, steps: usize) -> bool {
        let left = self.0.checked_sub(steps);
        self.0 = left.unwrap_or(0);
        left.is_some()
    }
}

impl Language {
    pub(crate) fn all() -> Language {
        Language(vec![Symbol::Star])
    }

    /// Exactly this text.
    pub(crate) fn text(text: &str) -> Language {
        Language(text.bytes().map(|byte| Symbol::Byte(byte, byte)).collect())
    }

    fn prefix(text: &str) -> Language {
        Language::text(text).then(Symbol::Star)
    }

    fn suffix(text: &str) -> Language {
        Language::after_star(Language::text(text))
    }

    fn then(mut self, symbol: Symbol) -> Language {
        self.0.push(symbol);
        self
    }

    fn after_star(rest: Language) -> Language {
        let mut symbols = vec![Symbol::Star];
        symbols.extend(rest.0);
        Language(symbols)
    }

    fn wildcard(wildcard: &wildcard::Wildcard) -> Language {
        let quoted = wildcard.symbols();
        let operand = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let symbol = |symbol: &wildcard::Symbol| match symbol {
            wildcard::Symbol::Byte(byte) => Symbol::Byte(*byte, *byte),
            wildcard::Symbol::Any => Symbol::Star,
        };
        Language(operand.iter().map(symbol).collect())
    }

    /// The texts that a term compares with. `None` if it isn't a term for texts, or has no such
    /// form: a few letters have spellings of different lengths.
    pub(crate) fn of(term: &Term) -> Option<Language> {
        Some(match term {
            Term::Text(text) => Language::text(text),
            Term::Prefix(text) => Language::prefix(text),
            Term::Suffix(text) => Language::suffix(text),
            Term::Wildcard(wildcard) => Language::wildcard(wildcard),
            Term::Folded(folded) => Language(folded.symbols()?),
            Term::FoldedPrefix(folded) => Language(folded.symbols()?).then(Symbol::Star),
            Term::FoldedSuffix(folded) => Language::after_star(Language(folded.symbols()?)),
            _ => return None,
        })
    }

    /// The texts that `anything-but` excludes; `None` for those without such a form.
    pub(crate) fn excluded(except: &Except) -> Vec<Option<Language>> {
        match except {
            Except::Texts(texts) => texts
                .iter()
                .map(|text| Some(Language::text(text)))
                .collect(),
            Except::Numbers(_) => Vec::new(),
            Except::Prefixes(texts) => texts
                .iter()
                .map(|text| Some(Language::prefix(text)))
                .collect(),
            Except::Suffixes(texts) => texts
                .iter()
                .map(|text| Some(Language::suffix(text)))
                .collect(),
            Except::Folded(all) => all
                .iter()
                .map(|folded| folded.symbols().map(Language))
                .collect(),
            Except::Wildcards(all) => all
                .iter()
                .map(|wildcard| Some(Language::wildcard(wildcard)))
                .collect(),
        }
    }

    /// Whether every text of `other` is provably one of these. A star of `other` stands for any text,
    /// so only a star can take it in.
    pub(crate) fn covers(&self, other: &Language, budget: &mut Budget) -> bool {
        self.compare(other, budget, |near, ours, theirs| match (ours, theirs) {
            (Some(Symbol::Star), None) => near.below,
            (Some(Symbol::Star), Some(_)) => near.below || near.right,
            (Some(ours), Some(theirs)) => theirs.is_within(ours) && near.diagonal,
            (None, None) => true,
            _ => false,
        })
        .unwrap_or(false)
    }

    /// Whether provably no text is in both.
    pub(crate) fn is_disjoint(&self, other: &Language, budget: &mut Budget) -> bool {
        let meet = self.compare(other, budget, |near, ours, theirs| match (ours, theirs) {
            (Some(Symbol::Star), None) => near.below,
            (None, Some(Symbol::Star)) => near.right,
            (Some(Symbol::Star), Some(_)) | (Some(_), Some(Symbol::Star)) => {
                near.below || near.right
            }
            (Some(ours), Some(theirs)) => ours.meets(theirs) && near.diagonal,
            (None, None) => true,
            _ => false,
        });
        meet == Some(false)
    }

    /// Fills a table over both sequences from their ends, a row at a time. `None` if that takes too
    /// long.
    fn compare(
        &self,
        other: &Language,
        budget: &mut Budget,
        cell: impl Fn(Near, Option<Symbol>, Option<Symbol>) -> bool,
    ) -> Option<bool> {
        let width = other.0.len() + 1;
        if !budget.spend((self.0.len() + 1) * width) {
            return None;
        }
        let from_end = |symbols: &[Symbol]| {
            let symbols: Vec<Option<Symbol>> = symbols.iter().rev().copied().map(Some).collect();
            std::iter::once(None).chain(symbols)
        };
        // Rows are kept from the end too.
        let mut row = vec![false; width];
        for ours in from_end(&self.0) {
            let mut near = Near::default();
            for (slot, theirs) in row.iter_mut().zip(from_end(&other.0)) {
                near.below = *slot;
                let value = cell(near, ours, theirs);
                near.diagonal = std::mem::replace(slot, value);
                near.right = value;
            }
        }
        row.last().copied()
    }
}

/// The answers for what is left of two sequences when one or both have lost a symbol more.
#[derive(Debug, Clone, Copy, Default)]
struct Near {
    below: bool,
    right: bool,
    diagonal: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wildcard::Wildcard;
    use proptest::prelude::*;

    fn language(operand: &str) -> Language {
        Language::wildcard(&Wildcard::new(operand).unwrap())
    }

    proptest! {
        #[test]
        fn agrees_with_matching(
            one in prop::collection::vec(prop::sample::select(&["a", "b", "*"][..]), 0..6),
            other in prop::collection::vec(prop::sample::select(&["a", "b", "*"][..]), 0..6),
            texts in prop::collection::vec("[ab]{0,7}", 20),
        ) {
            let (one, other) = (one.concat(), other.concat());
            prop_assume!(!one.contains("**") && !other.contains("**"));
            let (a, b) = (Wildcard::new(&one).unwrap(), Wildcard::new(&other).unwrap());
            let budget = &mut Budget(1000);
            let covers = language(&one).covers(&language(&other), budget);
            let is_disjoint = language(&one).is_disjoint(&language(&other), budget);
            for text in texts {
                let (a, b) = (a.matches(text.as_bytes()), b.matches(text.as_bytes()));
                prop_assert!(!covers || a || !b, "{one} {other} {text}");
                prop_assert!(!is_disjoint || !a || !b, "{one} {other} {text}");
            }
        }
    }

    #[test]
    fn tells_what_can_be_told() {
        let covers = |a: &str, b: &str| language(a).covers(&language(b), &mut Budget(1000));
        assert!(
            covers("*", "")
                && covers("a*", "ab*c")
                && covers("*b*", "abc*")
                && covers("a*c", "ab*bc")
        );
        assert!(!covers("a*", "*") && !covers("a*b", "a*") && !covers("ab", "a*b"));
        let apart = |a: &str, b: &str| language(a).is_disjoint(&language(b), &mut Budget(1000));
        assert!(apart("a*", "b*") && apart("*a", "*b") && apart("ab", "a*c") && apart("", "*a*"));
        assert!(!apart("a*", "*b") && !apart("*a*", "*b*") && !apart("a*b*", "ab"));
        let no_time = &mut Budget(3);
        assert!(!language("ab*").covers(&language("ab*"), no_time));
        assert!(!language("a*").is_disjoint(&language("b*"), no_time));
    }
}
