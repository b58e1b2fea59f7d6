//! The union of many patterns in as few patterns as fit the service's limits.
//!
//! Patterns are split into their alternatives. Alternatives that differ in the list of one field
//! become one with the joined list; what remains different becomes branches of a `$or`, and branches
//! that repeat a field share a `$or` below it (AWS's own engine reads them to any depth:
//! `JsonRuleCompiler` in <https://github.com/aws/event-ruler>).
//! Three things keep this exact: fields keep their paths (so array consistency and the order in
//! which absences are matched stay), lists are only joined if their terms don't change each other's
//! meaning (numbers and addresses do), and no field is both inside and outside a `$or`, where
//! one would override the other. Each result is parsed again, and must have exactly the
//! alternatives it was made from.

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;

use crate::canonical::CanonicalAlternative;
use crate::parse::is_reserved_in_or;
use crate::pattern::{Limits, Pattern};
use crate::scan::write_string;

/// A pattern with more alternatives is kept whole.
const MAX_ALTERNATIVES: usize = 24;

/// One pattern of a packed union.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The pattern.
    pub pattern: Pattern,
    /// Indices of the inputs that this pattern serves, sorted. An input with several `$or`
    /// branches may be served by several patterns.
    pub members: Vec<usize>,
}

/// Why no union could be packed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UnionError {
    /// One input alone is over the limit.
    #[error("pattern {index} alone has {characters} characters, more than {limit}")]
    TooLong {
        /// Index into the inputs.
        index: usize,
        /// Its compact length.
        characters: usize,
        /// The limit.
        limit: usize,
    },
}

/// Packs the exact union of `patterns` into few patterns of at most `max_chars` characters: an
/// event matches one of the results if and only if it matches one of the inputs.
///
/// The result depends on the set of inputs only, not on their order. Packing is greedy: it is
/// small, but not proven smallest.
///
/// ```
/// use eventbridge_pattern::{Pattern, union::pack};
///
/// let start = Pattern::parse(r#"{"source": ["aws.ec2"], "detail": {"eventName": ["StartInstances"]}}"#)?;
/// let stop = Pattern::parse(r#"{"source": ["aws.ec2"], "detail": {"eventName": ["StopInstances"]}}"#)?;
/// let packed = pack(&[&start, &stop], 2048)?;
/// assert_eq!(packed.len(), 1);
/// assert_eq!(packed[0].pattern.text(), r#"{"detail":{"eventName":["StartInstances","StopInstances"]},"source":["aws.ec2"]}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`UnionError::TooLong`] if one input alone doesn't fit.
pub fn pack(patterns: &[&Pattern], max_chars: usize) -> Result<Vec<Packed>, UnionError> {
    let limits = Limits {
        characters: max_chars,
        ..Limits::default()
    };
    let Parts { atoms, whole } = Parts::of(patterns, &limits)?;
    let mut bins: Vec<Bin> = Vec::new();
    for (atom, members) in atoms {
        // The bin that grows least, so that what is alike comes together.
        let best = bins
            .iter()
            .enumerate()
            .filter_map(|(number, bin)| {
                Some((number, bin.text_length(), bin.with(&atom, &limits)?))
            })
            .min_by_key(|(_, before, grown)| grown.text_length().saturating_sub(*before));
        if let Some((number, _, grown)) = best
            && let Some(bin) = bins.get_mut(number)
        {
            *bin = Bin {
                members: bin.members.union(&members).copied().collect(),
                ..grown
            };
        } else {
            let parts = BTreeSet::from([atom]);
            if let Some(pattern) = assemble(&parts, &limits) {
                bins.push(Bin {
                    parts,
                    pattern,
                    members,
                });
            }
        }
    }
    let mut packed: Vec<Packed> = bins
        .into_iter()
        .map(|bin| (bin.pattern, bin.members))
        .chain(whole.into_values())
        .map(|(pattern, members)| Packed {
            pattern,
            members: members.into_iter().collect(),
        })
        .collect();
    packed.sort_by(|a, b| a.pattern.text().cmp(b.pattern.text()));
    Ok(packed)
}

/// The exact union of `patterns` as one pattern of at most `max_chars` characters, if they fit
/// together. It takes less time than [`pack`], and finds unions that are too long only halfway.
pub fn single(patterns: &[&Pattern], max_chars: usize) -> Option<Pattern> {
    let limits = Limits {
        characters: max_chars,
        ..Limits::default()
    };
    let Parts { atoms, whole } = Parts::of(patterns, &limits).ok()?;
    let mut whole = whole.into_values();
    match (atoms.is_empty(), whole.next(), whole.next()) {
        (true, Some((only, _)), None) => Some(only),
        (false, None, None) => together(atoms.keys(), &limits),
        _ => None,
    }
}

/// The alternatives as one pattern, if the service takes it.
fn together<'a>(
    atoms: impl Iterator<Item = &'a CanonicalAlternative>,
    limits: &Limits,
) -> Option<Pattern> {
    let parts = merge(atoms);
    agree_on_meaning(&parts)
        .then(|| assemble(&parts, limits))
        .flatten()
}

/// What a union consists of, each part with the inputs it serves.
struct Parts {
    atoms: BTreeMap<CanonicalAlternative, BTreeSet<usize>>,
    /// Patterns that can't be taken apart, by text.
    whole: BTreeMap<String, (Pattern, BTreeSet<usize>)>,
}

impl Parts {
    fn of(patterns: &[&Pattern], limits: &Limits) -> Result<Parts, UnionError> {
        let mut atoms: BTreeMap<CanonicalAlternative, BTreeSet<usize>> = BTreeMap::new();
        let mut whole: BTreeMap<String, (Pattern, BTreeSet<usize>)> = BTreeMap::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let parts = CanonicalAlternative::all_of(pattern);
            let length = pattern.text().chars().count();
            let apart = parts.len() <= MAX_ALTERNATIVES
                && !parts.iter().any(CanonicalAlternative::is_opaque)
                && agree_on_meaning(&parts)
                && (parts.len() == 1
                    || parts
                        .iter()
                        .all(|part| assemble(&BTreeSet::from([part.clone()]), limits).is_some()))
                && assemble(&merge(parts.iter()), limits).is_some_and(|alone| {
                    alone.text().chars().count() <= length || parts.len() == 1
                });
            if apart {
                for part in parts {
                    atoms.entry(part).or_default().insert(index);
                }
            } else if length > limits.characters {
                return Err(UnionError::TooLong {
                    index,
                    characters: length,
                    limit: limits.characters,
                });
            } else {
                let known = whole
                    .entry(pattern.text().to_owned())
                    .or_insert_with(|| ((*pattern).clone(), BTreeSet::new()));
                known.1.insert(index);
            }
        }
        absorb(&mut atoms);
        Ok(Parts { atoms, whole })
    }
}

/// A result under construction.
struct Bin {
    /// Alternatives of which no two can be joined.
    parts: BTreeSet<CanonicalAlternative>,
    pattern: Pattern,
    members: BTreeSet<usize>,
}

impl Bin {
    fn text_length(&self) -> usize {
        self.pattern.text().chars().count()
    }

    /// The bin with one alternative more, if that fits.
    fn with(&self, atom: &CanonicalAlternative, limits: &Limits) -> Option<Bin> {
        let mut parts = self.parts.clone();
        add_merged(&mut parts, atom.clone());
        if !agree_on_meaning(&parts) {
            return None;
        }
        let pattern = assemble(&parts, limits)?;
        Some(Bin {
            parts,
            pattern,
            members: BTreeSet::new(),
        })
    }
}

/// Whether terms of one path mean the same in all parts. The service builds one machine for a
/// pattern, in which a numeric or address term of one branch can reach those of another.
fn agree_on_meaning(parts: &BTreeSet<CanonicalAlternative>) -> bool {
    let mut kinds = BTreeMap::new();
    parts.iter().all(|part| {
        part.kinds()
            .all(|(path, kind)| *kinds.entry(path).or_insert(kind) == kind)
    })
}

/// Drops alternatives that another one covers.
fn absorb(atoms: &mut BTreeMap<CanonicalAlternative, BTreeSet<usize>>) {
    let all: Vec<CanonicalAlternative> = atoms.keys().cloned().collect();
    for atom in &all {
        let Some(cover) = all
            .iter()
            .find(|other| *other != atom && other.covers(atom) && atoms.contains_key(other))
        else {
            continue;
        };
        if let Some(members) = atoms.remove(atom)
            && let Some(covering) = atoms.get_mut(cover)
        {
            covering.extend(members);
        }
    }
}

/// One pattern with exactly these alternatives, if the service takes it.
fn assemble(parts: &BTreeSet<CanonicalAlternative>, limits: &Limits) -> Option<Pattern> {
    let text = write(parts)?;
    if text.chars().count() > limits.characters {
        return None;
    }
    let pattern = Pattern::parse_within(&text, limits).ok()?;
    (CanonicalAlternative::all_of(&pattern) == *parts && pattern.combinations() == parts.len())
        .then_some(pattern)
}

/// Joins alternatives that differ in the list of one field, until none do.
fn merge<'a>(
    parts: impl Iterator<Item = &'a CanonicalAlternative>,
) -> BTreeSet<CanonicalAlternative> {
    let mut merged = BTreeSet::new();
    for part in parts {
        add_merged(&mut merged, part.clone());
    }
    merged
}

/// Adds an alternative to some of which no two can be joined, and keeps them so.
fn add_merged(merged: &mut BTreeSet<CanonicalAlternative>, mut added: CanonicalAlternative) {
    while let Some((partner, path)) = merged
        .iter()
        .find_map(|part| Some((part.clone(), part.only_difference(&added)?.to_owned())))
    {
        merged.remove(&partner);
        added.join_list(&path, &partner);
    }
    merged.insert(added);
}

/// A JSON object under construction.
#[derive(Default)]
struct Tree {
    /// Members by name; lists are written out already.
    members: BTreeMap<String, Member>,
}

enum Member {
    List(String),
    Object(Tree),
    Or(Vec<Tree>),
}

impl Tree {
    /// Adds a member at a path; inside `$or`, reserved names stay joined to the step before, since
    /// a joined name means the same path.
    fn add(&mut self, path: &[String], member: Member) -> Option<()> {
        let (first, rest) = path.split_first()?;
        if rest.is_empty() {
            return self
                .members
                .insert(first.clone(), member)
                .is_none()
                .then_some(());
        }
        match self
            .members
            .entry(first.clone())
            .or_insert_with(|| Member::Object(Tree::default()))
        {
            Member::Object(tree) => tree.add(rest, member),
            _ => None,
        }
    }

    fn write(&self, out: &mut String) {
        out.push('{');
        for (index, (name, member)) in self.members.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write_string(out, name);
            out.push(':');
            match member {
                Member::List(list) => out.push_str(list),
                Member::Object(tree) => tree.write(out),
                Member::Or(branches) => {
                    out.push('[');
                    for (index, branch) in branches.iter().enumerate() {
                        if index > 0 {
                            out.push(',');
                        }
                        branch.write(out);
                    }
                    out.push(']');
                }
            }
        }
        out.push('}');
    }
}

fn steps(path: &str, inside_or: bool) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for step in path.split('.') {
        match steps.last_mut() {
            Some(last) if inside_or && is_reserved_in_or(step) => {
                last.push('.');
                last.push_str(step);
            }
            _ => steps.push(step.to_owned()),
        }
    }
    steps
}

/// The text of a pattern with exactly these alternatives, if there is one.
fn write(parts: &BTreeSet<CanonicalAlternative>) -> Option<String> {
    let alternatives = parts.iter().map(|part| {
        let fields = part.paths().map(|path| Some((path, part.list(path)?)));
        fields.collect()
    });
    let mut root = Tree::default();
    root.add_alternatives(alternatives.collect::<Option<_>>()?, 0, false)?;
    let mut text = String::new();
    root.write(&mut text);
    Some(text)
}

/// What is still to be written of an alternative: lists by path.
type Fields<'p> = BTreeMap<&'p str, String>;

impl Tree {
    /// Adds what the alternatives share, and a `$or` of the rest. Of each path, `skipped` characters
    /// lead to this tree.
    fn add_alternatives(
        &mut self,
        mut alternatives: Vec<Fields<'_>>,
        skipped: usize,
        inside_or: bool,
    ) -> Option<()> {
        let first = alternatives.first()?.clone();
        for (path, list) in first {
            if alternatives.iter().all(|it| it.get(path) == Some(&list)) {
                for alternative in &mut alternatives {
                    alternative.remove(path);
                }
                let steps = steps(path.get(skipped..)?, inside_or);
                self.add(&steps, Member::List(list))?;
            }
        }
        if alternatives.len() == 1 {
            return Some(());
        }
        if alternatives.iter().any(BTreeMap::is_empty) {
            return None;
        }
        let depth = shared_way(&alternatives, skipped)?;
        let mut way = Vec::new();
        let mut deeper = skipped;
        if !depth.is_empty() {
            way = steps(&depth.join("."), inside_or);
            deeper += depth.iter().map(|step| step.len() + 1).sum::<usize>();
        }
        let mut branches = Vec::new();
        for group in grouped(alternatives) {
            let mut branch = Tree::default();
            branch.add_alternatives(group, deeper, true)?;
            branches.push(branch);
        }
        way.push("$or".to_owned());
        self.add(&way, Member::Or(branches))
    }
}

/// The steps that all fields have in common. A `$or` goes as deep as that, which saves repeating the
/// way there.
fn shared_way<'p>(alternatives: &[Fields<'p>], skipped: usize) -> Option<Vec<&'p str>> {
    let paths = || {
        let paths = alternatives.iter().flat_map(BTreeMap::keys);
        paths.filter_map(|path| path.get(skipped..))
    };
    let mut depth: Vec<&str> = paths().next()?.split('.').collect();
    depth.pop();
    for path in paths() {
        let agreeing = depth
            .iter()
            .zip(path.split('.'))
            .take_while(|(a, b)| *a == b)
            .count();
        depth.truncate(agreeing.min(path.matches('.').count()));
    }
    // A reserved name is only accepted joined to the step before it.
    while !depth.is_empty() {
        let hidden = |path: &str| {
            path.split('.')
                .nth(depth.len())
                .is_some_and(is_reserved_in_or)
        };
        if !paths().any(hidden) {
            break;
        }
        depth.pop();
    }
    Some(depth)
}

/// Characters that a nested `$or` adds, about.
const NESTING: usize = 20;

/// Brings together alternatives that share a field, if that makes the text shorter: the longest
/// field that most of them repeat first. Every alternative keeps a field that its group doesn't share.
fn grouped(mut rest: Vec<Fields<'_>>) -> Vec<Vec<Fields<'_>>> {
    let mut groups = Vec::new();
    while let Some((path, list)) = most_repeated(&rest) {
        let (group, others) = rest
            .into_iter()
            .partition(|alternative| alternative.get(path) == Some(&list));
        groups.push(group);
        rest = others;
    }
    groups.extend(rest.into_iter().map(|alternative| vec![alternative]));
    groups
}

/// The field whose repetition costs the most characters, more than a `$or` for its alternatives does.
fn most_repeated<'p>(alternatives: &[Fields<'p>]) -> Option<(&'p str, String)> {
    let mut repeated: BTreeMap<(&'p str, &String), Vec<&Fields<'p>>> = BTreeMap::new();
    for alternative in alternatives {
        for (path, list) in alternative {
            repeated.entry((path, list)).or_default().push(alternative);
        }
    }
    let characters = |(path, list): (&str, &String)| path.len() + list.len();
    let (field, _) = repeated
        .into_iter()
        .map(|(field, group)| (field, (group.len() - 1) * characters(field), group))
        .filter(|(_, saved, group)| *saved > NESTING && is_different(group))
        .map(|(field, saved, _)| (field, saved))
        .max_by_key(|(_, saved)| *saved)?;
    Some((field.0, field.1.clone()))
}

/// Whether each alternative has a field that not all of them share.
fn is_different(group: &[&Fields<'_>]) -> bool {
    group.iter().all(|alternative| {
        alternative
            .iter()
            .any(|(path, list)| group.iter().any(|other| other.get(path) != Some(list)))
    })
}
