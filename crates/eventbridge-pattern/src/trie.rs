//! The paths that some pattern names, step by step.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::table::Table;

/// What a set of patterns needs from a path.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Node {
    /// The number under which leaves at this path are collected.
    pub(crate) path: Option<u32>,
    /// Whether a longer path is wanted too.
    pub(crate) descend: bool,
    /// A bit for each step that leads on, many to one: most keys of an event lead nowhere, which
    /// this shows without a lookup in the table.
    steps: u64,
}

/// The wanted paths. Node 0 is the root.
#[derive(Debug, Clone)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// The steps, owned by the node they lead away from; entry `n` leads to node `n + 1`.
    steps: Table,
    paths: u32,
    id: u64,
}

impl Default for Trie {
    fn default() -> Self {
        Trie {
            nodes: vec![Node::default()],
            steps: Table::default(),
            paths: 0,
            id: 0,
        }
    }
}

impl Trie {
    /// Adds a joined path and returns its number.
    pub(crate) fn add(&mut self, path: &str) -> u32 {
        let mut node = 0;
        for step in path.split('.') {
            if let Some(known) = self.nodes.get_mut(node as usize) {
                known.descend = true;
                known.steps |= bit(step.as_bytes());
            }
            node = self.steps.insert(node, step.as_bytes()) + 1;
            if self.nodes.len() <= node as usize {
                self.nodes.push(Node::default());
            }
        }
        let paths = &mut self.paths;
        self.nodes.get_mut(node as usize).map_or(0, |node| {
            *node.path.get_or_insert_with(|| {
                *paths += 1;
                *paths - 1
            })
        })
    }

    /// Sets that have different paths have different ids.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Gives the finished trie an id of its own.
    pub(crate) fn finish(&mut self) {
        static LAST: AtomicU64 = AtomicU64::new(0);
        self.id = LAST.fetch_add(1, Ordering::Relaxed) + 1;
    }

    /// How many paths there are.
    pub(crate) fn len(&self) -> usize {
        self.paths as usize
    }

    #[inline]
    pub(crate) fn node(&self, number: u32) -> Node {
        self.nodes.get(number as usize).copied().unwrap_or_default()
    }

    /// The node that a key of an event leads to. Paths are compared joined, so that a key with dots
    /// in it is several steps.
    #[inline]
    pub(crate) fn descend(&self, node: u32, key: &[u8]) -> Option<u32> {
        if self.node(node).steps & bit(key) != 0
            && let Some(entry) = self.steps.find(node, key)
        {
            return Some(entry + 1);
        }
        if has_dot(key) {
            return key
                .split(|b| *b == b'.')
                .try_fold(node, |node, step| Some(self.steps.find(node, step)? + 1));
        }
        None
    }
}

#[inline]
fn bit(step: &[u8]) -> u64 {
    let first = step.first().copied().unwrap_or_default();
    1 << ((usize::from(first) * 5 + step.len()) % 64)
}

/// Whether there is a dot in a key; keys are too short for `memchr` to be worth its start.
#[inline]
fn has_dot(key: &[u8]) -> bool {
    const DOTS: u64 = 0x2E2E_2E2E_2E2E_2E2E;
    const LOW: u64 = 0x0101_0101_0101_0101;
    let in_word = |word: u64| {
        let zero = word ^ DOTS;
        zero.wrapping_sub(LOW) & !zero & (LOW << 7) != 0
    };
    // The last word overlaps the one before it.
    if let Some(last) = key.last_chunk() {
        let (words, _) = key.as_chunks();
        words.iter().any(|word| in_word(u64::from_le_bytes(*word)))
            || in_word(u64::from_le_bytes(*last))
    } else if let (Some(low), Some(high)) = (key.first_chunk(), key.last_chunk()) {
        let (low, high) = (u32::from_le_bytes(*low), u32::from_le_bytes(*high));
        in_word(u64::from(high) << 32 | u64::from(low))
    } else {
        key.contains(&b'.')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_and_dotted_keys_lead_to_the_same_path() {
        let mut trie = Trie::default();
        let name = trie.add("detail.userIdentity.arn");
        assert_eq!(trie.add("detail.userIdentity.arn"), name);
        let detail = trie.descend(0, b"detail").unwrap();
        assert!(trie.node(detail).descend && trie.node(detail).path.is_none());
        let long = trie.descend(0, b"detail.userIdentity.arn").unwrap();
        assert_eq!(trie.node(long).path, Some(name));
        let split = trie.descend(detail, b"userIdentity.arn").unwrap();
        assert_eq!(split, long);
        assert!(!trie.node(long).descend);
        assert_eq!(trie.descend(detail, b"userIdentity."), None);
        let empty = trie.add("detail..x");
        let empty_step = trie.descend(detail, b"").unwrap();
        assert_eq!(
            trie.node(trie.descend(empty_step, b"x").unwrap()).path,
            Some(empty)
        );
        assert_eq!(trie.len(), 2);
    }

    #[test]
    fn sees_dots_anywhere() {
        for length in 0..30 {
            let mut key = vec![b'/'; length];
            assert!(!has_dot(&key));
            for at in 0..length {
                key[at] = b'.';
                assert!(has_dot(&key));
                key[at] = b'/';
            }
        }
    }
}
