//! The fields of events, as far as the checks know them.

use cloudtrail::fields::{self, Field, FieldShape};

/// The fields beside `detail` that every event has, as texts.
const ENVELOPE: [&str; 7] = [
    "account",
    "detail-type",
    "id",
    "region",
    "source",
    "time",
    "version",
];

/// The shape of the field at a pattern's path, if it is known. `cloudtrail` says whether `detail` is
/// a record.
pub(super) fn shape(path: &str, cloudtrail: bool) -> Option<FieldShape> {
    if ENVELOPE.contains(&path) {
        return Some(FieldShape::Text);
    }
    if path == "detail" {
        return Some(FieldShape::ServiceObject);
    }
    field(path).filter(|_| cloudtrail).map(|field| field.shape)
}

/// The first step of a path that is no field of a record, and the fields it could have been. `None`
/// if all steps are fields, or lie in an object whose fields belong to the service.
pub(super) fn unknown(path: &str) -> Option<(&str, Vec<&'static str>)> {
    fields::unknown_step(path.strip_prefix("detail.")?)
}

/// Whether every record has the field, so that `anything-but` misses none for its absence.
pub(super) fn is_always_there(path: &str) -> bool {
    ENVELOPE.contains(&path) || field(path).is_some_and(|field| field.is_in_every_record)
}

/// The values that a field can have, if they are known.
pub(super) fn values(path: &str) -> Option<&'static [&'static str]> {
    field(path)
        .map(|field| field.values)
        .filter(|values| !values.is_empty())
}

fn field(path: &str) -> Option<&'static Field> {
    let below = path.strip_prefix("detail.")?;
    fields::field(below).or_else(|| fields::service_field(below))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(shape("detail.readOnly", true), Some(FieldShape::Boolean));
        assert_eq!(shape("detail.readOnly", false), None);
        assert_eq!(shape("account", false), Some(FieldShape::Text));
        assert_eq!(shape("detail.userIdentity", true), Some(FieldShape::Object));
        assert_eq!(shape("detail.requestParameters.name", true), None);
        assert_eq!(unknown("account"), None);
    }
}
