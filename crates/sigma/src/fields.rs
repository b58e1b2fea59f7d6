//! What the translation needs to know of a record's fields.

use cloudtrail::fields::{self, FieldShape};

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// One text, if it is there.
    Text,
    /// One boolean, if it is there.
    Boolean,
    /// An object or null.
    Object,
    /// Anything, possibly a list: the called service decides.
    Open,
}

/// What a field holds, by its path in the record.
pub(crate) fn kind(path: &str) -> FieldKind {
    match fields::field(path).map(|field| field.shape) {
        Some(FieldShape::Boolean) => FieldKind::Boolean,
        Some(FieldShape::Object | FieldShape::ServiceObject) => FieldKind::Object,
        Some(FieldShape::Text) if !path.starts_with("resources.") => FieldKind::Text,
        // All fields of these two objects that aren't objects are texts.
        None if path.starts_with("userIdentity.") || path.starts_with("tlsDetails.") => {
            FieldKind::Text
        }
        Some(FieldShape::Text | FieldShape::List) | None => FieldKind::Open,
    }
}

/// Whether two fields may lie in the items of one list, where EventBridge wants both from the same
/// item. The objects at a record's top are never lists.
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
