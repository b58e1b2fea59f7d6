//! Flattens an event pattern into fields with their locations and enclosing `$or` branches.

use syntax::{Entry, Node, Span, Value};

/// A field of a pattern and its list of terms.
#[derive(Debug)]
pub(super) struct Clause<'a> {
    /// The dotted path, such as `detail.userIdentity.type`.
    pub(super) path: String,
    /// The last key of the path, with its list.
    pub(super) key: &'a Entry,
    /// The enclosing `$or`s, outermost first: an id of the `$or` and the index of the branch.
    pub(super) branches: Vec<(usize, usize)>,
    pub(super) terms: Vec<Term<'a>>,
}

/// An item of a field's list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Term<'a> {
    pub(super) node: &'a Node,
    pub(super) matcher: Matcher<'a>,
}

/// The condition of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matcher<'a> {
    Text(&'a str),
    Number(&'a str),
    Bool(bool),
    Null,
    Prefix(&'a str),
    Suffix(&'a str),
    Wildcard(&'a str),
    IgnoringCase(&'a str),
    Exists(bool),
    /// `anything-but` and its operand.
    Except(&'a Node),
    /// A range of numbers.
    Numeric,
    /// Another operator on text: a CIDR block, or a case-insensitive prefix or suffix.
    OtherText,
    Other,
}

impl<'a> Clause<'a> {
    /// The list's exact texts with their nodes.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&'a str, &'a Node)> {
        self.terms.iter().filter_map(|term| match term.matcher {
            Matcher::Text(text) => Some((text, term.node)),
            _ => None,
        })
    }

    /// Whether a single event may have to satisfy both clauses.
    pub(super) fn meets(&self, other: &Clause<'_>) -> bool {
        self.branches.iter().all(|(or, branch)| {
            other
                .branches
                .iter()
                .all(|(other_or, other_branch)| or != other_or || branch == other_branch)
        })
    }

    /// Whether the list contains `{exists: wanted}`.
    pub(super) fn has_exists(&self, wanted: bool) -> bool {
        self.terms
            .iter()
            .any(|term| term.matcher == Matcher::Exists(wanted))
    }

    /// The span of the key and the list.
    pub(super) fn span(&self) -> Span {
        Span::new(self.key.key_span.start, self.key.value.span.end)
    }
}

/// The clauses of a valid pattern, in source order.
pub(super) fn clauses(pattern: &Node) -> Vec<Clause<'_>> {
    let mut walk = Walk::default();
    walk.object(pattern, "", &mut Vec::new());
    walk.clauses
}

#[derive(Default)]
struct Walk<'a> {
    clauses: Vec<Clause<'a>>,
    ors: usize,
}

impl<'a> Walk<'a> {
    fn object(&mut self, node: &'a Node, path: &str, branches: &mut Vec<(usize, usize)>) {
        for entry in node.as_mapping().unwrap_or_default() {
            if entry.key == "$or" {
                let number = self.ors;
                self.ors += 1;
                for (index, branch) in entry.value.as_sequence().into_iter().flatten().enumerate() {
                    branches.push((number, index));
                    self.object(branch, path, branches);
                    branches.pop();
                }
                continue;
            }
            let path = if path.is_empty() {
                entry.key.clone()
            } else {
                format!("{path}.{}", entry.key)
            };
            match &entry.value.value {
                Value::Sequence(items) => self.clauses.push(Clause {
                    path,
                    key: entry,
                    branches: branches.clone(),
                    terms: items.iter().map(term).collect(),
                }),
                _ => self.object(&entry.value, &path, branches),
            }
        }
    }
}

fn term(node: &Node) -> Term<'_> {
    let matcher = match &node.value {
        Value::String(text) => Matcher::Text(text),
        Value::Number(text) => Matcher::Number(text),
        Value::Bool(value) => Matcher::Bool(*value),
        Value::Null => Matcher::Null,
        Value::Mapping(entries) => entries.first().map_or(Matcher::Other, operator),
        Value::Sequence(_) => Matcher::Other,
    };
    Term { node, matcher }
}

fn operator(entry: &Entry) -> Matcher<'_> {
    let text = entry.value.as_str();
    match (entry.key.as_str(), text) {
        ("prefix", Some(text)) => Matcher::Prefix(text),
        ("suffix", Some(text)) => Matcher::Suffix(text),
        ("wildcard", Some(text)) => Matcher::Wildcard(text),
        ("equals-ignore-case", Some(text)) => Matcher::IgnoringCase(text),
        ("numeric", _) => Matcher::Numeric,
        ("prefix" | "suffix" | "cidr" | "equals-ignore-case" | "exactly", _) => Matcher::OtherText,
        ("anything-but", _) => Matcher::Except(&entry.value),
        ("exists", _) => entry
            .value
            .as_bool()
            .map_or(Matcher::Other, Matcher::Exists),
        _ => Matcher::Other,
    }
}
