//! Whether a text of a policy and a format of the reference have a value in common.

/// A text with wildcards.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Token>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token {
    Is(char),
    /// Any text within one segment of an ARN.
    Segment,
    /// Any text.
    Anything,
}

impl Pattern {
    /// A text of a policy, with the wildcards `*` and `?`.
    pub(super) fn written(text: &str) -> Pattern {
        let tokens = text.chars().map(|c| match c {
            '*' | '?' => Token::Anything,
            c => Token::Is(c),
        });
        Pattern(tokens.collect())
    }

    /// A part of an ARN format with placeholders such as `${TopicName}`. A placeholder stands for
    /// one segment, except the last after a slash: the names of roles and objects contain slashes.
    pub(super) fn format(text: &str) -> Pattern {
        let mut tokens = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            tokens.extend(before.chars().map(Token::Is));
            let (_, after) = after.split_once('}').unwrap_or_default();
            let is_path = after.is_empty() && tokens.last() == Some(&Token::Is('/'));
            tokens.push(if is_path {
                Token::Anything
            } else {
                Token::Segment
            });
            rest = after;
        }
        tokens.extend(rest.chars().map(Token::Is));
        Pattern(tokens)
    }

    /// A condition key of the reference, such as `aws:ResourceTag/${TagKey}`.
    pub(super) fn key(text: &str) -> Pattern {
        let fixed = text.split(['$', '<']).next().unwrap_or_default();
        let mut pattern = Pattern::written(&fixed.to_lowercase());
        if fixed.len() < text.len() {
            pattern.0.push(Token::Anything);
        }
        pattern
    }

    /// Whether some text fits both.
    pub(super) fn overlaps(&self, other: &Pattern) -> bool {
        let (mine, theirs) = (&self.0, &other.0);
        let takes = |wild: Token, token: Option<&Token>| match (wild, token) {
            (_, None) | (Token::Is(_), _) => false,
            (Token::Segment, Some(Token::Is('/' | ':'))) => false,
            (Token::Segment | Token::Anything, Some(_)) => true,
        };
        let wild = |token: Option<&Token>| token.copied().filter(|it| !matches!(it, Token::Is(_)));
        // From the ends to the beginnings: whether the rests overlap. A row has the answers from
        // right to left.
        let mut below = vec![false; theirs.len() + 1];
        for i in (0..=mine.len()).rev() {
            let mut row = Vec::with_capacity(below.len());
            let mut diagonal = false;
            for (j, under) in (0..=theirs.len()).rev().zip(&below) {
                let right = row.last().copied().unwrap_or_default();
                row.push(match (mine.get(i), theirs.get(j)) {
                    (None, None) => true,
                    (Some(Token::Is(x)), Some(Token::Is(y))) => x == y && diagonal,
                    (a, b) => {
                        wild(a).is_some_and(|a| *under || (takes(a, b) && right))
                            || wild(b).is_some_and(|b| right || (takes(b, a) && *under))
                    }
                });
                diagonal = *under;
            }
            below = row;
        }
        below.last() == Some(&true)
    }
}

/// Whether an ARN of a policy can name a resource of this format.
pub(super) fn arn_fits(written: &str, format: &str) -> bool {
    let written: Vec<&str> = written.splitn(6, ':').collect();
    let format: Vec<&str> = format.splitn(6, ':').collect();
    written.len() == format.len()
        && written
            .iter()
            .zip(&format)
            .all(|(written, format)| Pattern::format(format).overlaps(&Pattern::written(written)))
}
