//! Ownership tags. Gizmos never changes or removes stack sets and stacks without them.

use std::collections::BTreeMap;

use compiler::{OWNERSHIP_TAG, Part};

/// Whether the tags mark a stack set or stack created by Gizmos.
pub(crate) fn is_owned(tags: &BTreeMap<String, String>) -> bool {
    tags.get(OWNERSHIP_TAG.0)
        .is_some_and(|value| value == OWNERSHIP_TAG.1)
}

/// The part of the alert chain named by the tags.
pub(crate) fn tagged_part(tags: &BTreeMap<String, String>) -> Option<Part> {
    let name = tags.get("gizmos:part")?;
    Part::ALL.into_iter().find(|part| part.name() == name)
}
