//! Counts by name with a bounded number of names.

use std::collections::BTreeMap;

/// Counts per name. Beyond twice `LIMIT` names, the rarest are counted together, so that memory
/// stays bounded and the most frequent names are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts<const LIMIT: usize> {
    pub(crate) by_name: BTreeMap<String, u64>,
    /// The total of the names that were dropped.
    pub(crate) others: u64,
}

impl<const LIMIT: usize> Counts<LIMIT> {
    pub(crate) fn add(&mut self, name: &str, count: u64) {
        if let Some(known) = self.by_name.get_mut(name) {
            *known += count;
            return;
        }
        self.by_name.insert(name.to_owned(), count);
        if self.by_name.len() > 2 * LIMIT {
            for (name, count) in self.ranked().split_off(LIMIT) {
                self.others += count;
                self.by_name.remove(&name);
            }
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.others += other.others;
        for (name, count) in other.by_name {
            self.add(&name, count);
        }
    }

    /// All counts by name; those of dropped names as `others`.
    pub(crate) fn named(self) -> BTreeMap<String, u64> {
        let mut named = self.by_name;
        if self.others > 0 {
            named.insert("others".to_owned(), self.others);
        }
        named
    }

    /// Most frequent name first.
    pub(crate) fn ranked(&self) -> Vec<(String, u64)> {
        let mut all: Vec<_> = self
            .by_name
            .iter()
            .map(|(name, count)| (name.clone(), *count))
            .collect();
        all.sort_by(|(a, x), (b, y)| y.cmp(x).then_with(|| a.cmp(b)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_names_are_kept_and_no_count_is_lost() {
        let mut counts = Counts::<10>::default();
        for round in 0..1000 {
            counts.add("often", 1);
            counts.add(&format!("once-{round}"), 1);
        }
        assert!(counts.by_name.len() <= 20);
        assert_eq!(counts.ranked()[0], ("often".to_owned(), 1000));
        assert_eq!(counts.by_name.values().sum::<u64>() + counts.others, 2000);
    }
}
