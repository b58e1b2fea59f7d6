//! The keys of recent events, and which key followed which.
//!
//! Events of one kind have the same keys in the same order. So the key that followed last time
//! is compared first. If it is there again, neither its end nor its node has to be looked up. A guess
//! only saves time: a key that wasn't guessed is read like any other.

/// Bytes of a key with its quotes and its colon; longer ones aren't guessed.
pub(crate) const LENGTH: usize = 32;
/// Places at which the first keys of objects are noted, by the object's node.
const HEADS: u32 = 64;
/// Places for keys.
const PLACES: u32 = 512;
/// Places that are tried for one key before it pushes another one out.
const PROBES: u32 = 4;

/// A key, or the beginning of an object.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// The node whose key it is.
    node: u32,
    /// The node that it leads to; 0, which no key leads to, if it leads nowhere.
    target: u32,
    /// What followed it last, and what followed it before that.
    next: u32,
    other: u32,
    length: u32,
    /// `"key":`, and which bytes of it count.
    text: [u64; LENGTH / 8],
    mask: [u64; LENGTH / 8],
}

/// A key that was guessed right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// What to guess from next.
    pub(crate) place: u32,
    /// Bytes of the key, its quotes and its colon.
    pub(crate) length: usize,
    pub(crate) target: Option<u32>,
}

/// What was seen of the events of one set of patterns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keys {
    all: Vec<Known>,
    set: u64,
}

impl Known {
    const NONE: Known = Known {
        node: u32::MAX,
        target: 0,
        next: 0,
        other: 0,
        length: 0,
        text: [0; LENGTH / 8],
        mask: [0; LENGTH / 8],
    };
}

impl Keys {
    /// Forgets everything if the last events were for another set, with other nodes.
    pub(crate) fn start(&mut self, set: u64) {
        if self.set != set {
            self.set = set;
            self.all.clear();
            self.all.resize((HEADS + PLACES) as usize, Known::NONE);
        }
    }

    /// What to guess the first key of an object from.
    #[inline]
    pub(crate) fn head(node: u32) -> u32 {
        node % HEADS
    }

    /// Whether the text begins with the key that last followed the one at `place`.
    #[inline]
    pub(crate) fn guess(&self, place: u32, node: u32, text: &[u8; LENGTH]) -> Option<Hit> {
        self.check(self.all.get(place as usize)?.next, node, text)
    }

    /// A second guess: the key that followed before that.
    pub(crate) fn guess_again(
        &mut self,
        place: u32,
        node: u32,
        text: &[u8; LENGTH],
    ) -> Option<Hit> {
        let hit = self.check(self.all.get(place as usize)?.other, node, text)?;
        let before = self.all.get_mut(place as usize)?;
        std::mem::swap(&mut before.next, &mut before.other);
        Some(hit)
    }

    #[inline]
    fn check(&self, place: u32, node: u32, text: &[u8; LENGTH]) -> Option<Hit> {
        let known = self.all.get(place as usize)?;
        let words = words(text);
        let differing = |(text, (known, mask)): (&u64, (&u64, &u64))| (text ^ known) & mask;
        let pairs = words.iter().zip(known.text.iter().zip(&known.mask));
        let differs = pairs.map(differing).fold(0, |all, bits| all | bits);
        (differs | u64::from(known.node ^ node) == 0).then_some(Hit {
            place,
            length: known.length as usize,
            target: (known.target != 0).then_some(known.target),
        })
    }

    /// Notes a key without escapes that followed the one at `place`, and returns its own place. The
    /// key, its quotes and its colon are the first `length` bytes of `text`.
    pub(crate) fn learn(
        &mut self,
        place: u32,
        node: u32,
        text: &[u8; LENGTH],
        length: usize,
        target: Option<u32>,
    ) -> u32 {
        if length > LENGTH {
            return place;
        }
        let mask: [u64; LENGTH / 8] =
            std::array::from_fn(|word| match length.saturating_sub(word * 8) {
                counting @ 0..8 => (1 << (counting * 8)) - 1,
                _ => u64::MAX,
            });
        let mut text = words(text);
        for (word, mask) in text.iter_mut().zip(mask) {
            *word &= mask;
        }
        let mixed = text.iter().fold(u64::from(node), |hash, word| {
            (hash ^ word)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
        });
        #[expect(clippy::cast_possible_truncation, reason = "both are small")]
        let (start, length) = (mixed as u32 % PLACES, length as u32);
        let mut found = HEADS + start;
        for step in 0..PROBES {
            found = HEADS + (start + step) % PLACES;
            let Some(known) = self.all.get_mut(found as usize) else {
                return place;
            };
            if (known.node, known.text) == (node, text) {
                break;
            }
            if known.length == 0 || step + 1 == PROBES {
                *known = Known {
                    node,
                    target: target.unwrap_or(0),
                    next: 0,
                    other: 0,
                    length,
                    text,
                    mask,
                };
                break;
            }
        }
        if let Some(before) = self.all.get_mut(place as usize) {
            before.other = std::mem::replace(&mut before.next, found);
        }
        found
    }
}

#[inline]
fn words(bytes: &[u8; LENGTH]) -> [u64; LENGTH / 8] {
    let (chunks, _) = bytes.as_chunks();
    let mut words = [0; LENGTH / 8];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_le_bytes(*chunk);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: &str = "                                ";

    #[test]
    fn guesses_what_came_last_time() {
        let mut keys = Keys::default();
        keys.start(1);
        let head = Keys::head(7);
        let text = |key: &str| *format!("{key}{REST}").as_bytes().first_chunk().unwrap();
        assert!(keys.guess(head, 7, &text(r#""a":"#)).is_none());
        let a = keys.learn(head, 7, &text(r#""a":"#), 4, Some(9));
        let b = keys.learn(a, 7, &text(r#""b":"#), 4, None);
        let hit = keys.guess(head, 7, &text(r#""a":1"#)).unwrap();
        assert_eq!((hit.place, hit.length, hit.target), (a, 4, Some(9)));
        let hit = keys.guess(a, 7, &text(r#""b":1"#)).unwrap();
        assert_eq!((hit.place, hit.length, hit.target), (b, 4, None));
        for other in [r#""a" :"#, r#""ab":"#, r#""":"#, r#""A":"#] {
            assert!(keys.guess(head, 7, &text(other)).is_none(), "{other}");
        }
        assert!(
            keys.guess(Keys::head(71), 71, &text(r#""a":"#)).is_none(),
            "another object's key"
        );
        assert_eq!(keys.learn(head, 7, &text(r#""long"#), 33, None), head);
        // What came before what came last is the second guess.
        let c = keys.learn(a, 7, &text(r#""c":"#), 4, None);
        assert!(keys.guess(a, 7, &text(r#""b":1"#)).is_none());
        let hit = keys.guess_again(a, 7, &text(r#""b":1"#)).unwrap();
        assert_eq!(hit.place, b);
        let hit = keys.guess_again(a, 7, &text(r#""c":1"#)).unwrap();
        assert_eq!(hit.place, c);
        keys.start(2);
        assert!(keys.guess(head, 7, &text(r#""a":1"#)).is_none());
    }
}
