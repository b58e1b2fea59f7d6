//! Wildcard complexity, which the service limits to 10.
//!
//! It is the largest number of prefixes of wildcard operands that one input can keep alive at
//! once. `*a*a` over `aaa…` keeps `*`, `*a`, `*a*` and `*a*a` alive: four. Operands are taken with
//! their quotes and by UTF-8 bytes. The service computes it over the state machine that it builds
//! for the pattern, so terms of one field add up, and fields that it reaches only through an
//! absence don't count.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::pattern::Alternative;
use crate::term::{Except, Term, TermList};
use crate::wildcard::{Symbol, Wildcard};

/// Sets of live prefixes after which a machine counts as too complex. Patterns within the
/// limit and the size quota have far fewer.
const MAX_SETS: usize = 50_000;

/// The complexity of the worst machine, exact up to `limit`; above it, some number above it.
pub(crate) fn of(alternatives: &[Alternative], limit: usize) -> usize {
    machines(alternatives)
        .into_iter()
        .map(|machine| machine.complexity(limit))
        .max()
        .unwrap_or(0)
}

/// One wildcard term: whether it is an `anything-but`, and its operands in the order in which the
/// service takes them.
type Operands = (bool, Vec<Vec<Symbol>>);

/// The machines of a pattern: one for each path and each way of getting there.
fn machines(alternatives: &[Alternative]) -> Vec<Machine> {
    let mut states: HashMap<(usize, Arc<str>, *const TermList), usize> = HashMap::new();
    let mut terms: BTreeMap<(usize, Arc<str>), Vec<&Arc<TermList>>> = BTreeMap::new();
    for alternative in alternatives {
        let mut state = 0;
        for field in &alternative.fields {
            let lists = terms.entry((state, Arc::clone(&field.path))).or_default();
            if !lists.iter().any(|known| Arc::ptr_eq(known, &field.list)) {
                lists.push(&field.list);
            }
            if !field.list.allows_presence {
                break;
            }
            let next = states.len() + 1;
            state = *states
                .entry((state, Arc::clone(&field.path), Arc::as_ptr(&field.list)))
                .or_insert(next);
        }
    }
    let operand_lists = terms
        .into_values()
        .map(|lists| lists.into_iter().flat_map(|list| operands(list)).collect());
    let unique: BTreeSet<Vec<Operands>> = operand_lists
        .filter(|terms: &Vec<Operands>| !terms.is_empty())
        .collect();
    unique.iter().map(|terms| Machine::new(terms)).collect()
}

fn operands(list: &TermList) -> impl Iterator<Item = Operands> + '_ {
    list.terms.iter().filter_map(|term| match term {
        Term::Wildcard(wildcard) => Some((false, vec![wildcard.symbols()])),
        Term::Not(Except::Wildcards(wildcards)) => Some((true, hashed_order(wildcards))),
        _ => None,
    })
}

/// The operands in the order of a Java `HashSet` of their quoted texts, each once. The order
/// decides which of them share states, and so the number.
fn hashed_order(wildcards: &[Wildcard]) -> Vec<Vec<Symbol>> {
    let mut unique: Vec<(u32, Vec<Symbol>)> = Vec::new();
    for wildcard in wildcards {
        let symbols = wildcard.symbols();
        if !unique.iter().any(|(_, known)| *known == symbols) {
            let quoted = format!("\"{}\"", wildcard.operand());
            let hash = quoted.encode_utf16().fold(0_u32, |hash, unit| {
                hash.wrapping_mul(31).wrapping_add(unit.into())
            });
            unique.push((hash ^ (hash >> 16), symbols));
        }
    }
    let mut buckets: usize = 16;
    while unique.len() > buckets / 4 * 3 {
        buckets *= 2;
    }
    unique.sort_by_key(|(hash, _)| usize::try_from(*hash).unwrap_or(0) & (buckets - 1));
    unique.into_iter().map(|(_, symbols)| symbols).collect()
}

/// The service's machine for one field, as far as wildcards go: a trie that shares less than it
/// could.
#[derive(Debug, Default)]
struct Machine {
    nodes: Vec<Node>,
    /// The terms whose end can be reached from each node.
    reaches: Vec<BTreeSet<usize>>,
}

#[derive(Debug, Default)]
struct Node {
    is_star: bool,
    /// There is a star on the way here.
    behind_star: bool,
    bytes: BTreeMap<u8, Vec<usize>>,
    star: Option<usize>,
}

impl Machine {
    fn new(terms: &[Operands]) -> Machine {
        let mut machine = Machine::default();
        let root = machine.add(false, false);
        let mut ends: BTreeMap<&Operands, (usize, usize)> = BTreeMap::new();
        for term in terms {
            // Equal terms are one, and the ends of one term's operands are one.
            let (number, end) = if let Some(known) = ends.get(term) {
                *known
            } else {
                let new = (ends.len(), machine.add(false, true));
                *ends.entry(term).or_insert(new)
            };
            for operand in &term.1 {
                machine.insert(root, operand, number, end);
            }
        }
        machine
    }

    fn add(&mut self, is_star: bool, behind_star: bool) -> usize {
        self.nodes.push(Node {
            is_star,
            behind_star,
            ..Node::default()
        });
        self.reaches.push(BTreeSet::new());
        self.nodes.len() - 1
    }

    fn insert(&mut self, root: usize, operand: &[Symbol], term: usize, end: usize) {
        let mut at = root;
        let mut shared = true;
        for (index, symbol) in operand.iter().enumerate() {
            if let Some(reached) = self.reaches.get_mut(at) {
                reached.insert(term);
            }
            let is_last = index + 1 == operand.len();
            let Some(node) = self.nodes.get(at) else {
                return;
            };
            let (behind_star, starred) = (node.behind_star, node.star.is_some());
            let known = match symbol {
                Symbol::Any => node.star,
                Symbol::Byte(byte) => node
                    .bytes
                    .get(byte)
                    .and_then(|known| known.first())
                    .copied(),
            };
            shared = shared
                && match symbol {
                    Symbol::Any => true,
                    // Behind a star, a character that has two cases gets a state of its own, and so
                    // does a character where a star could be too.
                    Symbol::Byte(_) => !behind_star || (!starred && !starts_cased(operand, index)),
                };
            at = match (known, symbol) {
                (_, Symbol::Byte(byte)) if is_last => {
                    self.link(at, *byte, end);
                    end
                }
                (Some(known), _) if shared => known,
                (_, Symbol::Byte(byte)) => {
                    let child = self.add(false, behind_star);
                    self.link(at, *byte, child);
                    child
                }
                (_, Symbol::Any) => {
                    let child = self.add(true, true);
                    if let Some(node) = self.nodes.get_mut(at) {
                        node.star = Some(child);
                    }
                    child
                }
            };
        }
        if let Some(reached) = self.reaches.get_mut(at) {
            reached.insert(term);
        }
    }

    fn link(&mut self, at: usize, byte: u8, child: usize) {
        if let Some(node) = self.nodes.get_mut(at) {
            let children = node.bytes.entry(byte).or_default();
            if !children.contains(&child) {
                children.push(child);
            }
        }
    }

    fn complexity(&self, limit: usize) -> usize {
        let mut seen: HashSet<Vec<usize>> = HashSet::new();
        let mut queue = vec![vec![0]];
        let mut worst = 0;
        while let Some(alive) = queue.pop() {
            let mut bytes: BTreeSet<Option<u8>> = BTreeSet::new();
            bytes.insert(None);
            for node in alive.iter().filter_map(|at| self.nodes.get(*at)) {
                bytes.extend(node.bytes.keys().copied().map(Some));
            }
            for byte in bytes {
                let next = self.step(&alive, byte);
                worst = worst.max(
                    next.iter()
                        .filter_map(|at| self.reaches.get(*at))
                        .map(BTreeSet::len)
                        .sum(),
                );
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
            let Some(node) = self.nodes.get(*at) else {
                continue;
            };
            if node.is_star {
                next.insert(*at);
            }
            let children = byte
                .and_then(|byte| node.bytes.get(&byte))
                .into_iter()
                .flatten();
            for child in children {
                next.insert(*child);
                // A star also takes nothing.
                next.extend(self.nodes.get(*child).and_then(|child| child.star));
            }
        }
        next.into_iter().collect()
    }
}

/// Whether a character with an upper and a lower case starts at this symbol.
fn starts_cased(operand: &[Symbol], index: usize) -> bool {
    let bytes: Vec<u8> = operand
        .iter()
        .skip(index)
        .map_while(|symbol| match symbol {
            Symbol::Byte(byte) => Some(*byte),
            Symbol::Any => None,
        })
        .take(4)
        .collect();
    let valid = match std::str::from_utf8(&bytes) {
        Ok(text) => text,
        Err(error) => bytes
            .get(..error.valid_up_to())
            .and_then(|head| std::str::from_utf8(head).ok())
            .unwrap_or(""),
    };
    valid
        .chars()
        .next()
        .is_some_and(|c| c.to_lowercase().ne(c.to_uppercase()))
}
