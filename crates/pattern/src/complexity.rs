//! Wildcard complexity, which the service limits to 10.
//!
//! It is the largest number of prefixes of wildcard operands that one input can keep alive at
//! once. `*a*a` over `aaa…` keeps `*`, `*a`, `*a*` and `*a*a` alive: four. Operands are taken with
//! their quotes and by UTF-8 bytes. The service computes it over the state machine that it builds
//! for the pattern, so terms of one field add up, and fields that it reaches only through an
//! absence aren't looked at.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::pattern::SubRule;
use crate::term::{Except, Leaf, Term};
use crate::wildcard::Symbol;

/// Sets of live prefixes looked at before a machine counts as too complex. Patterns within the
/// limit and the size quota have far fewer.
const MAX_SETS: usize = 50_000;

/// The complexity of the worst machine, exact up to `limit`; above it, some number above it.
pub(crate) fn of(sub_rules: &[SubRule], limit: usize) -> usize {
    machines(sub_rules).into_iter().map(|machine| machine.complexity(limit)).max().unwrap_or(0)
}

/// The machines of a pattern: one for each path and each way of getting there.
fn machines(sub_rules: &[SubRule]) -> Vec<Machine> {
    let mut states: HashMap<(usize, Arc<str>, *const Leaf), usize> = HashMap::new();
    let mut terms: BTreeMap<(usize, Arc<str>), BTreeSet<Vec<Vec<Symbol>>>> = BTreeMap::new();
    for sub_rule in sub_rules {
        let mut state = 0;
        for field in &sub_rule.fields {
            let operands = operands(&field.leaf);
            if !operands.is_empty() {
                terms.entry((state, Arc::clone(&field.path))).or_default().extend(operands);
            }
            if !field.leaf.allows_presence {
                break;
            }
            let next = states.len() + 1;
            state = *states.entry((state, Arc::clone(&field.path), Arc::as_ptr(&field.leaf))).or_insert(next);
        }
    }
    let unique: BTreeSet<BTreeSet<Vec<Vec<Symbol>>>> = terms.into_values().collect();
    unique.into_iter().map(|groups| Machine::new(&groups)).collect()
}

/// The wildcard operands of a list, grouped by term.
fn operands(leaf: &Leaf) -> Vec<Vec<Vec<Symbol>>> {
    leaf.terms
        .iter()
        .filter_map(|term| match term {
            Term::Wildcard(wildcard) => Some(vec![wildcard.symbols()]),
            Term::Not(Except::Wildcards(wildcards)) => {
                Some(wildcards.iter().map(crate::wildcard::Wildcard::symbols).collect())
            }
            _ => None,
        })
        .collect()
}

/// A trie of the operands of each term.
#[derive(Debug, Default)]
struct Machine {
    nodes: Vec<Node>,
    roots: Vec<usize>,
}

#[derive(Debug, Default)]
struct Node {
    is_star: bool,
    bytes: BTreeMap<u8, usize>,
    star: Option<usize>,
}

impl Machine {
    fn new(groups: &BTreeSet<Vec<Vec<Symbol>>>) -> Machine {
        let mut machine = Machine::default();
        for group in groups {
            let root = machine.add(false);
            machine.roots.push(root);
            for operand in group {
                let mut at = root;
                for symbol in operand {
                    at = machine.child(at, *symbol);
                }
            }
        }
        machine
    }

    fn add(&mut self, is_star: bool) -> usize {
        self.nodes.push(Node { is_star, ..Node::default() });
        self.nodes.len() - 1
    }

    fn child(&mut self, at: usize, symbol: Symbol) -> usize {
        let known = self.nodes.get(at).and_then(|node| match symbol {
            Symbol::Byte(byte) => node.bytes.get(&byte).copied(),
            Symbol::Any => node.star,
        });
        if let Some(known) = known {
            return known;
        }
        let child = self.add(symbol == Symbol::Any);
        if let Some(node) = self.nodes.get_mut(at) {
            match symbol {
                Symbol::Byte(byte) => {
                    node.bytes.insert(byte, child);
                }
                Symbol::Any => node.star = Some(child),
            }
        }
        child
    }

    fn complexity(&self, limit: usize) -> usize {
        let start = self.roots.clone();
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        let mut queue = vec![start];
        let mut worst = 0;
        while let Some(alive) = queue.pop() {
            let mut bytes: BTreeSet<Option<u8>> = BTreeSet::new();
            bytes.insert(None);
            for node in alive.iter().filter_map(|at| self.nodes.get(*at)) {
                bytes.extend(node.bytes.keys().copied().map(Some));
            }
            for byte in bytes {
                let next = self.step(&alive, byte);
                worst = worst.max(next.len());
                if worst > limit {
                    return worst;
                }
                if !next.is_empty() && !seen.contains(&next) {
                    if seen.len() >= MAX_SETS {
                        return limit.saturating_add(1);
                    }
                    seen.insert(next.clone());
                    queue.push(next);
                }
            }
        }
        worst
    }

    /// What is alive after a byte; `None` is any byte that no operand names.
    fn step(&self, alive: &[usize], byte: Option<u8>) -> Vec<usize> {
        let mut next = BTreeSet::new();
        for at in alive {
            let Some(node) = self.nodes.get(*at) else { continue };
            if node.is_star {
                next.insert(*at);
            }
            let Some(child) = byte.and_then(|byte| node.bytes.get(&byte)) else { continue };
            next.insert(*child);
            // A star also takes nothing.
            next.extend(self.nodes.get(*child).and_then(|child| child.star));
        }
        next.into_iter().collect()
    }
}
