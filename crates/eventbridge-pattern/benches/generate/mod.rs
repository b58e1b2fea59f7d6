//! Events and patterns in the shape of those that the engine meets: CloudTrail events in their
//! EventBridge envelope, and detections over them. Everything follows from a seed. Names are made
//! up; account ids and addresses are of the kinds reserved for documentation.

mod events;
mod rules;
mod words;

use fastrand::Rng;

pub(crate) use events::events;
pub(crate) use rules::patterns;

/// Whether something happens that has this chance in a hundred.
fn percent(random: &mut Rng, chance: usize) -> bool {
    random.usize(..100) < chance
}

fn pick<'a>(random: &mut Rng, words: &[&'a str]) -> &'a str {
    random.choice(words).copied().unwrap_or_default()
}

/// One to `most` of the words, each once.
fn some<'a>(random: &mut Rng, words: &[&'a str], most: usize) -> Vec<&'a str> {
    let count = random.usize(1..=most.min(words.len()));
    random.choose_multiple(words.iter().copied(), count)
}

fn text(random: &mut Rng, alphabet: &str, length: usize) -> String {
    let characters: Vec<char> = alphabet.chars().collect();
    (0..length)
        .filter_map(|_| random.choice(&characters))
        .collect()
}

fn uuid(random: &mut Rng) -> String {
    let bits = random.u128(..);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        bits >> 96,
        bits >> 80 & 0xffff,
        bits >> 64 & 0xffff,
        bits >> 48 & 0xffff,
        bits & 0xffff_ffff_ffff
    )
}
