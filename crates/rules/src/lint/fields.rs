//! What the checks know about the fields of events.

use cloudtrail::fields::{self, Field, FieldShape};

/// The text fields next to `detail` that every event has.
const ENVELOPE: [&str; 7] = [
    "account",
    "detail-type",
    "id",
    "region",
    "source",
    "time",
    "version",
];

/// The shape of the field at a pattern's path, if known. `cloudtrail` says whether `detail` is a
/// record.
pub(super) fn shape(path: &str, cloudtrail: bool) -> Option<FieldShape> {
    if ENVELOPE.contains(&path) {
        return Some(FieldShape::Text);
    }
    if path == "detail" {
        return Some(FieldShape::ServiceObject);
    }
    field(path).filter(|_| cloudtrail).map(|field| field.shape)
}

/// The first step of a path that isn't a field of a record, and its valid siblings. `None` if all
/// steps are fields, or are inside an object whose fields belong to the service.
pub(super) fn unknown(path: &str) -> Option<(&str, Vec<&'static str>)> {
    fields::unknown_step(path.strip_prefix("detail.")?)
}

/// Whether every record has the field, so that `anything-but` never misses a record that lacks it.
pub(super) fn is_always_there(path: &str) -> bool {
    ENVELOPE.contains(&path) || field(path).is_some_and(|field| field.is_in_every_record)
}

/// All possible values of a field, if known.
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
