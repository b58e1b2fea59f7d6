//! A cache of bounded size.

use std::collections::{BTreeMap, VecDeque};

/// Values by key, of which the ones that came first are dropped when there are too many.
pub(crate) struct Recent<T> {
    most: usize,
    by_key: BTreeMap<String, T>,
    /// Oldest first.
    keys: VecDeque<String>,
}

impl<T: Clone> Recent<T> {
    pub(crate) fn new(most: usize) -> Recent<T> {
        Recent {
            most,
            by_key: BTreeMap::new(),
            keys: VecDeque::new(),
        }
    }

    /// The value of a key, which is made if it isn't known.
    pub(crate) fn get(&mut self, key: &str, make: impl FnOnce() -> T) -> T {
        if let Some(known) = self.by_key.get(key) {
            return known.clone();
        }
        while self.keys.len() >= self.most
            && let Some(oldest) = self.keys.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        self.keys.push_back(key.to_owned());
        let made = make();
        self.by_key.insert(key.to_owned(), made.clone());
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_value_goes_first_whatever_its_key() {
        let mut recent = Recent::new(2);
        for key in ["9", "8", "1"] {
            assert_eq!(recent.get(key, || key.to_owned()), key);
        }
        let mut made = 0;
        for key in ["1", "8", "1", "9"] {
            recent.get(key, || {
                made += 1;
                key.to_owned()
            });
        }
        assert_eq!(made, 1, "only the first was dropped");
    }
}
