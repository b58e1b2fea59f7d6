//! `equals-ignore-case`, with the service's idea of case.

use crate::language::Symbol;

/// A text to compare without case: per UTF-16 unit of the pattern, the spellings that may stand
/// for it.
///
/// The spellings are the unit's lower and its upper case in full (`ß` is `ß` or `SS`), nothing
/// else. A character outside the basic plane is two units of which neither is a character, so it
/// becomes two question marks; AWS does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    units: Vec<(String, Option<String>)>,
    /// The two spellings of each unit have the same number of bytes, as those of nearly all do:
    /// then there is only one way to read a text, and nothing to allocate.
    same_lengths: bool,
    /// Bytes of all lower spellings.
    length: usize,
}

impl Folded {
    pub(crate) fn new(text: &str) -> Folded {
        let mut units = Vec::new();
        for c in text.chars() {
            if c.len_utf16() == 2 {
                units.push(("?".to_owned(), None));
                units.push(("?".to_owned(), None));
                continue;
            }
            let lower: String = c.to_lowercase().collect();
            let upper: String = c.to_uppercase().collect();
            let upper = (upper != lower).then_some(upper);
            units.push((lower, upper));
        }
        let same = |(lower, upper): &(String, Option<String>)| {
            upper
                .as_ref()
                .is_none_or(|upper| upper.len() == lower.len())
        };
        Folded {
            same_lengths: units.iter().all(same),
            length: units.iter().map(|(lower, _)| lower.len()).sum(),
            units,
        }
    }

    pub(crate) fn equals(&self, text: &[u8]) -> bool {
        if self.same_lengths {
            return self.strip_front(text).is_some_and(<[u8]>::is_empty);
        }
        reach(self.units.iter(), text, <[u8]>::strip_prefix)
            .iter()
            .any(|rest| rest.is_empty())
    }

    pub(crate) fn starts(&self, text: &[u8]) -> bool {
        if self.same_lengths {
            return self.strip_front(text).is_some();
        }
        !reach(self.units.iter(), text, <[u8]>::strip_prefix).is_empty()
    }

    pub(crate) fn ends(&self, text: &[u8]) -> bool {
        if self.same_lengths {
            let start = text.len().checked_sub(self.length);
            return start
                .and_then(|start| text.get(start..))
                .is_some_and(|tail| self.strip_front(tail).is_some());
        }
        !reach(self.units.iter().rev(), text, <[u8]>::strip_suffix).is_empty()
    }

    /// Byte by byte the two spellings, if those of each unit differ in one byte at most: then every
    /// choice of bytes is a choice of spellings.
    pub(crate) fn symbols(&self) -> Option<Vec<Symbol>> {
        let mut symbols = Vec::with_capacity(self.length);
        for (lower, upper) in &self.units {
            let upper = upper.as_ref().unwrap_or(lower);
            let pairs = || lower.bytes().zip(upper.bytes());
            if lower.len() != upper.len() || pairs().filter(|(a, b)| a != b).count() > 1 {
                return None;
            }
            symbols.extend(pairs().map(|(a, b)| Symbol::Byte(a, b)));
        }
        Some(symbols)
    }

    /// All units in lower case, which is one of the texts that are equal.
    pub(crate) fn lower(&self) -> String {
        self.units.iter().map(|(lower, _)| lower.as_str()).collect()
    }

    /// All units in upper case.
    pub(crate) fn upper(&self) -> String {
        let upper = |(lower, upper): &'_ (String, Option<String>)| {
            upper.clone().unwrap_or_else(|| lower.clone())
        };
        self.units.iter().map(upper).collect()
    }

    /// What follows the text, if all spellings of a unit are equally long.
    fn strip_front<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        self.units.iter().try_fold(text, |rest, (lower, upper)| {
            rest.strip_prefix(lower.as_bytes())
                .or_else(|| rest.strip_prefix(upper.as_ref()?.as_bytes()))
        })
    }
}

/// What can be left of `text` when all units have taken their spelling off it. Spellings differ
/// in length, so several remainders are followed; they are all tails (or all heads) of one text,
/// so there are never more of them than it has bytes.
fn reach<'u, 't>(
    units: impl Iterator<Item = &'u (String, Option<String>)>,
    text: &'t [u8],
    strip: impl for<'a> Fn(&'t [u8], &'a [u8]) -> Option<&'t [u8]>,
) -> Vec<&'t [u8]> {
    let mut rests = vec![text];
    for (lower, upper) in units {
        let mut next: Vec<&[u8]> = Vec::new();
        for rest in rests {
            for spelling in std::iter::once(lower).chain(upper) {
                if let Some(shorter) = strip(rest, spelling.as_bytes())
                    && !next.iter().any(|known| known.len() == shorter.len())
                {
                    next.push(shorter);
                }
            }
        }
        rests = next;
        if rests.is_empty() {
            break;
        }
    }
    rests
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_the_services() {
        let equal = |pattern: &str, text: &str| Folded::new(pattern).equals(text.as_bytes());
        assert!(equal("NO", "No") && equal("", "") && !equal("a", "ab") && !equal("ab", "a"));
        assert!(equal("ß", "SS") && equal("ß", "ß") && !equal("ß", "ss"));
        assert!(equal("İ", "i\u{307}") && !equal("İ", "i"));
        assert!(!equal("K", "\u{212A}"));
        assert!(
            equal("\u{1C5}", "\u{1C4}")
                && equal("\u{1C5}", "\u{1C6}")
                && !equal("\u{1C5}", "\u{1C5}")
        );
        assert!(equal("\u{1F600}", "??") && !equal("\u{1F600}", "\u{1F600}"));
    }

    #[test]
    fn starts_and_ends() {
        assert!(Folded::new("ab").starts(b"ABc") && Folded::new("").starts(b"x"));
        assert!(Folded::new(".PNG").ends(b"a.png") && !Folded::new("b").ends(b"ba"));
        assert!(Folded::new("ß").ends(b"xSS"));
    }
}
