//! Wildcard matching in policies.

/// Whether `text` matches `pattern`, where `*` is any run of characters and `?` is one. Backtracks
/// only to the last star, so it is linear in practice.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        match (pattern.get(at), text.get(position)) {
            (Some('*'), _) => {
                star = Some((at, position));
                at += 1;
            }
            (Some('?'), Some(_)) => {
                at += 1;
                position += 1;
            }
            (Some(wanted), Some(found)) if wanted == found => {
                at += 1;
                position += 1;
            }
            _ => match star {
                Some((before, from)) => {
                    at = before + 1;
                    position = from + 1;
                    star = Some((before, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

/// Whether an ARN matches an ARN pattern. Compares each of the six parts separately, so a star
/// never spans parts.
pub(crate) fn arn_matches(pattern: &str, arn: &str) -> bool {
    let pattern: Vec<&str> = pattern.splitn(6, ':').collect();
    let arn: Vec<&str> = arn.splitn(6, ':').collect();
    pattern.len() == 6
        && arn.len() == 6
        && pattern
            .iter()
            .zip(&arn)
            .all(|(pattern, part)| matches(pattern, part))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_in_an_arn_stays_in_its_part() {
        let wanted = "arn:*:iam::*:role/gizmos/*";
        assert!(arn_matches(
            wanted,
            "arn:aws:iam::111122223333:role/gizmos/forwarder"
        ));
        assert!(!arn_matches(
            wanted,
            "arn:aws:iam::111122223333:role/other/forwarder"
        ));
        assert!(!arn_matches(
            "arn:*",
            "arn:aws:iam::111122223333:role/gizmos/forwarder"
        ));
    }

    proptest! {
        #[test]
        fn a_pattern_without_wildcards_matches_only_itself(text in "[a-z:/]{0,12}", other in "[a-z:/]{0,12}") {
            prop_assert!(matches(&text, &text));
            prop_assert_eq!(matches(&text, &other), text == other);
        }

        #[test]
        fn replacing_a_piece_by_a_star_still_matches(a in "[a-z]{0,6}", b in "[a-z]{0,6}", c in "[a-z]{0,6}") {
            let pattern = format!("{a}*{c}");
            let text = format!("{a}{b}{c}");
            prop_assert!(matches(&pattern, &text));
        }
    }
}
