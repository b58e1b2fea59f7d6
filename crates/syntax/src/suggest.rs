//! Suggestions for misspelled words: "did you mean …?"

/// Longer words are not treated as typos.
const MAX_WORD: usize = 64;

/// The candidate nearest to `word`, ignoring case, if `word` is likely a misspelling of it.
///
/// ```
/// assert_eq!(syntax::nearest("titel", &["title", "severity"]), Some("title"));
/// assert_eq!(syntax::nearest("banana", &["title", "severity"]), None);
/// ```
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    if word.len() > MAX_WORD {
        return None;
    }
    let limit = (word.chars().count() + 1).max(3) / 3;
    candidates
        .iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase());
            (distance, *candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_finds_typos_and_ignores_other_words() {
        let fields = ["title", "severity", "event_pattern", "read_only"];
        assert_eq!(nearest("titel", &fields), Some("title"));
        assert_eq!(nearest("titl", &fields), Some("title"));
        assert_eq!(nearest("Severity", &fields), Some("severity"));
        assert_eq!(nearest("event-pattern", &fields), Some("event_pattern"));
        assert_eq!(nearest("banana", &fields), None);
    }
}
