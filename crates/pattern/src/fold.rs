//! `equals-ignore-case`, with the service's idea of case.

/// A text to compare without case: per UTF-16 unit of the pattern, the spellings that may stand
/// for it.
///
/// The spellings are the unit's lower and its upper case in full (`ß` is `ß` or `SS`), nothing
/// else. A character outside the basic plane is two units of which neither is a character, so it
/// becomes two question marks; AWS does the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folded {
    units: Vec<(String, Option<String>)>,
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
        Folded { units }
    }

    pub(crate) fn equals(&self, text: &str) -> bool {
        reach(self.units.iter(), text, |rest, spelling| {
            rest.strip_prefix(spelling)
        })
        .iter()
        .any(|rest| rest.is_empty())
    }

    pub(crate) fn starts(&self, text: &str) -> bool {
        !reach(self.units.iter(), text, |rest, spelling| {
            rest.strip_prefix(spelling)
        })
        .is_empty()
    }

    pub(crate) fn ends(&self, text: &str) -> bool {
        !reach(self.units.iter().rev(), text, |rest, spelling| {
            rest.strip_suffix(spelling)
        })
        .is_empty()
    }
}

/// What can be left of `text` when all units have taken their spelling off it. Spellings differ
/// in length, so several remainders are followed; they are all tails (or all heads) of one text,
/// so there are never more of them than it has bytes.
fn reach<'u, 't>(
    units: impl Iterator<Item = &'u (String, Option<String>)>,
    text: &'t str,
    strip: impl for<'a> Fn(&'t str, &'a str) -> Option<&'t str>,
) -> Vec<&'t str> {
    let mut rests = vec![text];
    for (lower, upper) in units {
        let mut next: Vec<&str> = Vec::new();
        for rest in rests {
            for spelling in std::iter::once(lower).chain(upper) {
                if let Some(shorter) = strip(rest, spelling)
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
        let equal = |pattern: &str, text: &str| Folded::new(pattern).equals(text);
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
        assert!(Folded::new("ab").starts("ABc") && Folded::new("").starts("x"));
        assert!(Folded::new(".PNG").ends("a.png") && !Folded::new("b").ends("ba"));
        assert!(Folded::new("ß").ends("xSS"));
    }
}
