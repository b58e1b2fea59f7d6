//! A compact set of the records seen so far.

use std::hash::{DefaultHasher, Hasher};
use std::sync::{Mutex, PoisonError};

/// Number of locks; enough that workers rarely wait for each other.
const SHARDS: usize = 64;

/// A set of ids, stored as 8 bytes each.
///
/// Starts with 32 MB, enough for 3.6 million ids, and doubles when full: at most 18 MB per million
/// ids. An id counts as seen if its 64-bit hash was seen. With 100 million distinct ids, the odds
/// of even one collision are 1 in 3,700.
#[derive(Debug)]
pub(crate) struct Seen {
    shards: Vec<Mutex<Shard>>,
}

#[derive(Debug)]
struct Shard {
    /// Open addressing; 0 is an empty slot. The length is a power of two.
    slots: Vec<u64>,
    used: usize,
}

impl Seen {
    /// Sized for the ids of all records.
    pub(crate) fn large() -> Self {
        Self::with_slots(4 << 20)
    }

    /// Sized for ids that few records have.
    pub(crate) fn small() -> Self {
        Self::with_slots(16 << 10)
    }

    fn with_slots(slots: usize) -> Self {
        let shard = || Shard {
            slots: vec![0; slots / SHARDS],
            used: 0,
        };
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(shard())).collect(),
        }
    }

    /// Inserts an id, given in parts. Returns whether it is new.
    pub(crate) fn insert(&self, parts: &[&[u8]]) -> bool {
        let mut hasher = DefaultHasher::new();
        for part in parts {
            hasher.write(part);
            hasher.write_u8(0xff);
        }
        let hash = hasher.finish().max(1);
        let shard = usize::try_from(hash >> 58).unwrap_or_default();
        self.shards.get(shard).is_some_and(|shard| {
            shard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(hash)
        })
    }
}

impl Shard {
    fn insert(&mut self, hash: u64) -> bool {
        if self.used * 8 >= self.slots.len() * 7 {
            let larger = vec![0; self.slots.len() * 2];
            for hash in std::mem::replace(&mut self.slots, larger) {
                if hash != 0
                    && let Some(free) = self.find(hash)
                {
                    *free = hash;
                }
            }
        }
        match self.find(hash) {
            Some(slot) if *slot == 0 => {
                *slot = hash;
                self.used += 1;
                true
            }
            _ => false,
        }
    }

    /// The slot with the hash, or the empty slot where it belongs.
    fn find(&mut self, hash: u64) -> Option<&mut u64> {
        let mask = self.slots.len() - 1;
        let mut at = usize::try_from(hash & u64::from(u32::MAX)).unwrap_or_default() & mask;
        while self
            .slots
            .get(at)
            .is_some_and(|slot| *slot != 0 && *slot != hash)
        {
            at = (at + 1) & mask;
        }
        self.slots.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_is_new_once_even_when_the_set_grows() {
        let seen = Seen::small();
        for _ in 0..2 {
            let news = (0..100_000_u32)
                .filter(|id| seen.insert(&[&id.to_le_bytes()]))
                .count();
            assert!(news == 100_000 || news == 0, "{news}");
        }
        assert!(seen.insert(&[b"a", b"b"]) && seen.insert(&[b"ab"]) && !seen.insert(&[b"ab"]));
    }
}
