//! Intersects globs, texts with stars as in EventBridge's `wildcard`.

use crate::text::{Piece, fits, same_letter};

/// Search steps after which an intersection counts as too hard.
const MAX_STEPS: usize = 5_000;
/// Most pieces of two globs together; bounds the search depth.
const MAX_PIECES: usize = 1_500;
/// Most globs in an intersection.
const MAX_ALTERNATIVES: usize = 30;

/// Characters and stars, without adjacent stars and without [`Piece::One`].
pub(crate) type Glob = Vec<Piece>;

/// The glob as an operand of `wildcard`.
pub(crate) fn operand(glob: &[Piece]) -> String {
    let mut out = String::new();
    for piece in glob {
        match piece {
            Piece::Char(c @ ('*' | '\\')) => out.extend(['\\', *c]),
            Piece::Char(c) => out.push(*c),
            Piece::One | Piece::Many => out.push('*'),
        }
    }
    out
}

/// Replaces `?` with `*`, which matches any number of characters.
pub(crate) fn widened(pieces: &[Piece]) -> Glob {
    let mut glob = Glob::new();
    for piece in pieces {
        match piece {
            Piece::Char(_) => glob.push(*piece),
            Piece::One | Piece::Many if glob.last() == Some(&Piece::Many) => {}
            Piece::One | Piece::Many => glob.push(Piece::Many),
        }
    }
    glob
}

/// The intersection: one of the returned globs matches if and only if both `a` and `b` do. `None`
/// if that takes too many.
///
/// With `fold`, case is ignored, and the result has the case of `a`.
pub(crate) fn common(a: &[Piece], b: &[Piece], fold: bool) -> Option<Vec<Glob>> {
    if a.len() + b.len() > MAX_PIECES {
        return None;
    }
    let mut search = Search {
        fold,
        steps: 0,
        found: Vec::new(),
    };
    search.go(a, b, &mut Glob::new())?;
    Some(search.found)
}

struct Search {
    fold: bool,
    steps: usize,
    found: Vec<Glob>,
}

impl Search {
    /// Tries every way in which one text can match both. Each call consumes a piece, so the depth
    /// is bounded by the lengths.
    fn go(&mut self, a: &[Piece], b: &[Piece], so_far: &mut Glob) -> Option<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return None;
        }
        let length = so_far.len();
        match (a.split_first(), b.split_first()) {
            (None, None) => self.note(so_far)?,
            (Some((Piece::Char(x), rest_a)), Some((Piece::Char(y), rest_b))) => {
                if x == y || (self.fold && same_letter(*x, *y)) {
                    so_far.push(Piece::Char(*x));
                    self.go(rest_a, rest_b, so_far)?;
                }
            }
            (Some((Piece::Char(_), _)), None) | (None, Some((Piece::Char(_), _))) => {}
            (Some((Piece::Char(x), rest_a)), Some((_, rest_b))) => {
                self.go(a, rest_b, so_far)?;
                so_far.truncate(length);
                so_far.push(Piece::Char(*x));
                self.go(rest_a, b, so_far)?;
            }
            (Some((_, rest_a)), Some((Piece::Char(y), rest_b))) => {
                self.go(rest_a, b, so_far)?;
                so_far.truncate(length);
                so_far.push(Piece::Char(*y));
                self.go(a, rest_b, so_far)?;
            }
            (Some((_, rest_a)), None) => self.go(rest_a, b, so_far)?,
            (None, Some((_, rest_b))) => self.go(a, rest_b, so_far)?,
            (Some((_, rest_a)), Some((_, rest_b))) => {
                if so_far.last() != Some(&Piece::Many) {
                    so_far.push(Piece::Many);
                }
                let length = so_far.len();
                self.go(rest_a, b, so_far)?;
                so_far.truncate(length);
                self.go(a, rest_b, so_far)?;
            }
        }
        so_far.truncate(length);
        Some(())
    }

    fn note(&mut self, glob: &Glob) -> Option<()> {
        if self.found.iter().any(|known| covers(known, glob)) {
            return Some(());
        }
        self.found.retain(|known| !covers(glob, known));
        self.found.push(glob.clone());
        (self.found.len() <= MAX_ALTERNATIVES).then_some(())
    }
}

/// Whether a time as CloudTrail writes it, `2026-11-23T03:04:05Z`, may match.
pub(crate) fn may_be_time(glob: &[Piece]) -> bool {
    const FORM: &[u8] = b"0000-00-00T00:00:00Z";
    fits(glob, FORM.len(), |c, at| match FORM.get(at) {
        Some(b'0') => c.is_ascii_digit(),
        Some(form) => c == char::from(*form),
        None => false,
    })
}

/// Whether `wide` matches everything that `narrow` matches. May return false negatives.
fn covers(wide: &[Piece], narrow: &[Piece]) -> bool {
    fits(wide, narrow.len(), |c, at| {
        narrow.get(at) == Some(&Piece::Char(c))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::Text;

    fn both(a: &str, b: &str) -> Vec<String> {
        let globs = common(&Text::parse(a).pieces, &Text::parse(b).pieces, false).unwrap();
        let mut shown: Vec<String> = globs.iter().map(|glob| operand(glob)).collect();
        shown.sort();
        shown
    }

    #[test]
    fn intersections_of_two_globs() {
        assert_eq!(both("*foo*", "*bar*"), ["*bar*foo*", "*foo*bar*"]);
        assert_eq!(both("*ab*", "*bc*"), ["*ab*bc*", "*abc*", "*bc*ab*"]);
        assert_eq!(both("ab*", "*cd"), ["ab*cd"]);
        assert_eq!(both("ab*", "*bc"), ["ab*bc", "abc"]);
        assert_eq!(both("*foobar*", "*oba*"), ["*foobar*"]);
        assert!(both("a*", "b*").is_empty());
    }

    #[test]
    fn hard_intersections_give_up() {
        let a = Text::parse(&"*a".repeat(40));
        let b = Text::parse(&"*b".repeat(40));
        assert!(common(&a.pieces, &b.pieces, false).is_none());
    }

    proptest! {
        #[test]
        fn the_intersection_matches_what_both_globs_match(
            a in "[ab*]{0,6}", b in "[ab*]{0,6}", text in "[ab]{0,8}",
        ) {
            let (a, b) = (Text::parse(&a), Text::parse(&b));
            let globs = common(&a.pieces, &b.pieces, false);
            prop_assume!(globs.is_some());
            let fits = globs.unwrap().into_iter().any(|glob| Text { pieces: glob }.matches(&text, false));
            prop_assert_eq!(fits, a.matches(&text, false) && b.matches(&text, false));
        }
    }
}
