//! The canonical form of patterns, and when one alternative covers another.

use std::collections::{BTreeMap, BTreeSet};

use crate::pattern::{Alternative, Pattern};
use crate::scan::write_string;

/// How terms of a list are compared: whether numbers are only numbers, and addresses addresses.
pub(crate) type Kind = (bool, bool);

/// One alternative, in a form that doesn't depend on how it was written: per path, the set of the
/// terms' texts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CanonicalAlternative {
    fields: BTreeMap<String, (Kind, BTreeSet<String>)>,
    uses_empty_step: bool,
}

impl CanonicalAlternative {
    fn of(alternative: &Alternative) -> CanonicalAlternative {
        let fields = alternative
            .fields
            .iter()
            .map(|field| {
                let kind = (field.list.has_numeric, field.list.has_address);
                (
                    field.path.to_string(),
                    (kind, field.list.sources.iter().cloned().collect()),
                )
            })
            .collect();
        CanonicalAlternative {
            fields,
            uses_empty_step: alternative.uses_empty_step,
        }
    }

    /// The alternatives of a pattern.
    pub(crate) fn all_of(pattern: &Pattern) -> BTreeSet<CanonicalAlternative> {
        pattern
            .alternatives
            .iter()
            .map(CanonicalAlternative::of)
            .collect()
    }

    /// Whether it can't be taken out of its pattern: which empty steps of an event are visible
    /// depends on the whole pattern.
    pub(crate) fn is_opaque(&self) -> bool {
        self.uses_empty_step
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&str, Kind)> {
        self.fields
            .iter()
            .map(|(path, (kind, _))| (path.as_str(), *kind))
    }

    /// A field's list as JSON.
    pub(crate) fn list(&self, path: &str) -> Option<String> {
        let (_, terms) = self.fields.get(path)?;
        Some(format!(
            "[{}]",
            terms
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(",")
        ))
    }

    /// The one path in whose list the other differs, if there is no other difference: then the two
    /// lists can be joined. (`None` for equal ones as well.)
    pub(crate) fn only_difference(&self, other: &CanonicalAlternative) -> Option<&str> {
        if self.uses_empty_step != other.uses_empty_step || self.fields.len() != other.fields.len()
        {
            return None;
        }
        let mut found = None;
        for ((path, (kind, terms)), (other_path, (other_kind, other_terms))) in
            self.fields.iter().zip(&other.fields)
        {
            if path != other_path
                || kind != other_kind
                || (terms != other_terms && found.replace(path).is_some())
            {
                return None;
            }
        }
        found.map(String::as_str)
    }

    /// Adds the other's terms at the path.
    pub(crate) fn join_list(&mut self, path: &str, other: &CanonicalAlternative) {
        if let (Some((_, terms)), Some((_, more))) =
            (self.fields.get_mut(path), other.fields.get(path))
        {
            terms.extend(more.iter().cloned());
        }
    }

    /// Whether every event of `other` provably satisfies this alternative. `false` may mean that
    /// it is unknown.
    pub(crate) fn covers(&self, other: &CanonicalAlternative) -> bool {
        // An absence depends on the array elements that earlier fields chose, so that with fewer
        // fields it means something else.
        let same_paths = self.fields.len() == other.fields.len();
        let has_absence = || {
            self.fields
                .values()
                .any(|(_, terms)| terms.contains(r#"{"exists":false}"#))
        };
        self.uses_empty_step == other.uses_empty_step
            && (same_paths || !has_absence())
            && self.fields.iter().all(|(path, (kind, terms))| {
                other
                    .fields
                    .get(path)
                    .is_some_and(|(other_kind, other_terms)| {
                        kind == other_kind && other_terms.is_subset(terms)
                    })
            })
    }
}

impl Pattern {
    /// A text that is the same for patterns that differ only in how they are written: order of
    /// members and alternatives, repetition, white space, nesting against joined names.
    ///
    /// Two patterns with the same canonical text match the same events. It is for comparing, not
    /// for deploying: alternatives are spelled out.
    pub fn canonical(&self) -> String {
        let mut out = String::from("[");
        for (index, alternative) in CanonicalAlternative::all_of(self).iter().enumerate() {
            out.push_str(if index > 0 { ",{" } else { "{" });
            for (index, path) in alternative.paths().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_string(&mut out, path);
                out.push(':');
                out.push_str(&alternative.list(path).unwrap_or_default());
            }
            out.push('}');
        }
        out.push(']');
        out
    }
}
