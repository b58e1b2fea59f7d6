//! Which stack sets and stacks Gizmos made. Nothing else is ever changed or removed.

use std::collections::BTreeMap;

use compiler::{OWNERSHIP_TAG, Part};

/// Whether these tags say that Gizmos made it.
pub(crate) fn is_owned(tags: &BTreeMap<String, String>) -> bool {
    tags.get(OWNERSHIP_TAG.0)
        .is_some_and(|value| value == OWNERSHIP_TAG.1)
}

/// The part of the alert chain that these tags name.
pub(crate) fn tagged_part(tags: &BTreeMap<String, String>) -> Option<Part> {
    let name = tags.get("gizmos:part")?;
    Part::ALL.into_iter().find(|part| part.name() == name)
}
