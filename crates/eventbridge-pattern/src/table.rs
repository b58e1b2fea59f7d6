//! A set of byte strings that is filled once and looked up all the time.
//!
//! Every key and every value at a dispatched path of every event is looked up, and most aren't
//! there: slots hold a part of the hash, and three of four slots are empty, so that a miss costs
//! one look at one slot. `std`'s hasher alone would cost more than that.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Byte strings with an owner each, numbered in the order in which they were added.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Part of a hash and the number of an entry plus one; (0, 0) is an empty slot.
    slots: Vec<(u32, u32)>,
    entries: Vec<Entry>,
    bytes: Vec<u8>,
    /// Secret, so that no set of names can be made to collide in one slot.
    seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    owner: u32,
    start: usize,
    end: usize,
}

impl Default for Table {
    fn default() -> Self {
        Table {
            slots: vec![(0, 0); 16],
            entries: Vec::new(),
            bytes: Vec::new(),
            seed: RandomState::new().build_hasher().finish(),
        }
    }
}

impl Table {
    /// The number of an entry.
    #[inline]
    pub(crate) fn find(&self, owner: u32, key: &[u8]) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let (tag, mut slot) = self.hash(owner, key);
        loop {
            let (found, number) = *self.slots.get(slot & mask)?;
            let index = number.checked_sub(1)?;
            if found == tag
                && let Some(entry) = self.entries.get(index as usize)
                && entry.owner == owner
                && self.bytes.get(entry.start..entry.end) == Some(key)
            {
                return Some(index);
            }
            slot += 1;
        }
    }

    /// The number of an entry, which is added if it isn't there.
    pub(crate) fn insert(&mut self, owner: u32, key: &[u8]) -> u32 {
        if let Some(known) = self.find(owner, key) {
            return known;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        let end = self.bytes.len();
        self.entries.push(Entry { owner, start, end });
        let number = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if self.entries.len() * 4 > self.slots.len() {
            self.slots = vec![(0, 0); self.slots.len() * 4];
            for index in 0..number {
                self.place(index);
            }
        } else {
            self.place(number - 1);
        }
        number - 1
    }

    /// The entries' owners, in the order of their numbers.
    pub(crate) fn owners(&self) -> impl Iterator<Item = u32> {
        self.entries.iter().map(|entry| entry.owner)
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn place(&mut self, index: u32) {
        let Some(entry) = self.entries.get(index as usize) else {
            return;
        };
        let key = self.bytes.get(entry.start..entry.end).unwrap_or_default();
        let (tag, mut slot) = self.hash(entry.owner, key);
        let mask = self.slots.len() - 1;
        while let Some(place) = self.slots.get_mut(slot & mask) {
            if place.1 == 0 {
                *place = (tag, index + 1);
                return;
            }
            slot += 1;
        }
    }

    /// The two halves of the hash: a tag, and the slot to begin with. Multiplying to 128 bits and
    /// folding them mixes eight bytes at a time.
    #[inline]
    fn hash(&self, owner: u32, key: &[u8]) -> (u32, usize) {
        const ONE: u64 = 0x9E37_79B9_7F4A_7C15;
        const TWO: u64 = 0xD6E8_FEB8_6659_FD93;
        let mut state = self.seed ^ u64::from(owner).wrapping_mul(ONE);
        let mut rest = key;
        while rest.len() > 16
            && let Some((low, behind)) = rest.split_first_chunk()
            && let Some((high, behind)) = behind.split_first_chunk()
        {
            state = fold(
                u64::from_le_bytes(*low) ^ state,
                u64::from_le_bytes(*high) ^ TWO,
            );
            rest = behind;
        }
        // Up to 16 bytes are left: two words that may overlap.
        let (low, high) = match rest.len() {
            8.. => (
                rest.first_chunk().map_or(0, |low| u64::from_le_bytes(*low)),
                rest.last_chunk()
                    .map_or(0, |high| u64::from_le_bytes(*high)),
            ),
            4.. => {
                let low = rest.first_chunk().map_or(0, |low| u32::from_le_bytes(*low));
                let high = rest
                    .last_chunk()
                    .map_or(0, |high| u32::from_le_bytes(*high));
                (u64::from(low), u64::from(high))
            }
            length => {
                let byte = |at: usize| rest.get(at).map_or(0, |byte| u64::from(*byte));
                let last = byte(length.saturating_sub(1));
                (byte(0) << 8 | last, byte(length / 2))
            }
        };
        let hash = fold(low ^ state, high ^ ONE ^ (key.len() as u64).rotate_left(32));
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the tag and the slot are parts of the hash"
        )]
        ((hash >> 32) as u32, hash as usize)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are folded")]
    ((product as u64) ^ ((product >> 64) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn finds_what_was_added_and_nothing_else(
            keys in prop::collection::btree_set((0_u32..3, prop::collection::vec(0_u8..3, 0..40)), 0..200),
            others in prop::collection::vec((0_u32..3, prop::collection::vec(0_u8..3, 0..40)), 0..50),
        ) {
            let mut table = Table::default();
            for (number, (owner, key)) in keys.iter().enumerate() {
                prop_assert_eq!(table.insert(*owner, key) as usize, number);
            }
            for (number, (owner, key)) in keys.iter().enumerate() {
                prop_assert_eq!(table.find(*owner, key), Some(u32::try_from(number).unwrap()));
                prop_assert_eq!(table.insert(*owner, key) as usize, number);
            }
            for (owner, key) in &others {
                prop_assert_eq!(table.find(*owner, key).is_some(), keys.contains(&(*owner, key.clone())));
            }
            prop_assert_eq!(table.len(), keys.len());
        }
    }
}
