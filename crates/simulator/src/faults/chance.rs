//! Random draws that depend on the question, not on the time or order of asking.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Draws random numbers per question. Repeating a question draws a new number, but the sequence of
/// each question is the same in every run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chance {
    seed: u64,
    /// The number of times each question was asked, by its digest.
    asked: HashMap<u64, u32>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Chance {
        Chance {
            seed,
            asked: HashMap::new(),
        }
    }

    /// Returns how often `question` was asked before, and counts this time.
    pub(crate) fn attempt(&mut self, question: &str) -> u32 {
        let asked = self
            .asked
            .entry(digest(self.seed, &[question]))
            .or_default();
        let before = *asked;
        *asked = asked.saturating_add(1);
        before
    }

    /// A number in `0.0..1.0` that depends only on the seed and the question.
    pub(crate) fn of(&self, question: &[&str]) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an f64 in 0..1 has 53 bits")]
        let (drawn, whole) = (
            (digest(self.seed, question) >> 11) as f64,
            (1_u64 << 53) as f64,
        );
        drawn / whole
    }
}

fn digest(seed: u64, parts: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let bytes: [u8; 32] = hash.finalize().into();
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = from;
    }
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_of_arrival_plays_no_part() {
        let draw = |questions: &[&str]| {
            let mut chance = Chance::new(7);
            let mut drawn: Vec<(String, u32, String)> = questions
                .iter()
                .map(|question| {
                    let attempt = chance.attempt(question);
                    let number = chance.of(&[question, &attempt.to_string()]);
                    ((*question).to_owned(), attempt, number.to_string())
                })
                .collect();
            drawn.sort();
            drawn
        };
        assert_eq!(draw(&["a", "b", "a", "c"]), draw(&["c", "a", "a", "b"]));
    }

    #[test]
    fn shares_are_met() {
        let chance = Chance::new(1);
        let hits = (0..10_000)
            .filter(|number| chance.of(&[&number.to_string()]) < 0.1)
            .count();
        assert!((900..1_100).contains(&hits), "{hits}");
    }
}
