//! What a misspelt word was probably meant to be.

/// The candidate that differs least from `word`, if it differs by no more than a slip of the
/// keyboard would: a third of the letters.
pub(crate) fn closest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, delete or replace (Levenshtein).
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut last = i + 1;
        for ((above, above_right), b) in row.iter().zip(row.iter().skip(1)).zip(&right) {
            last = (above + usize::from(a != *b))
                .min(above_right + 1)
                .min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn suggests_only_what_is_near() {
        let fields = ["regions", "topics", "waves"];
        assert_eq!(closest("region", fields), Some("regions"));
        assert_eq!(closest("topcis", fields), Some("topics"));
        assert_eq!(closest("colour", fields), None);
    }
}
