//! What the translation needs to know about a record's fields.

use cloudtrail::fields::{self, FieldShape};

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// A single text, if present.
    Text,
    /// A single boolean, if present.
    Boolean,
    /// An object or null.
    Object,
    /// Any type, possibly a list; the called service defines it.
    Open,
}

/// The type of the field at a path in the record.
pub(crate) fn kind(path: &str) -> FieldKind {
    match fields::field(path).map(|field| field.shape) {
        Some(FieldShape::Boolean) => FieldKind::Boolean,
        Some(FieldShape::Object | FieldShape::ServiceObject) => FieldKind::Object,
        Some(FieldShape::Text) if !path.starts_with("resources.") => FieldKind::Text,
        // Every field of these two objects is text or an object.
        None if path.starts_with("userIdentity.") || path.starts_with("tlsDetails.") => {
            FieldKind::Text
        }
        Some(FieldShape::Text | FieldShape::List) | None => FieldKind::Open,
    }
}

/// Whether two fields may be in the items of the same list, where EventBridge requires both in a
/// single item. Top-level objects of a record are never lists.
pub(crate) fn share_a_list(a: &str, b: &str) -> bool {
    if a == b || kind(a) != FieldKind::Open || kind(b) != FieldKind::Open {
        return false;
    }
    let shared = a
        .split('.')
        .zip(b.split('.'))
        .take_while(|(a, b)| a == b)
        .count();
    let below = a
        .split('.')
        .next()
        .is_some_and(|top| kind(top) == FieldKind::Object);
    shared > usize::from(below)
}
