//! Event selectors: which events a trail records.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedEventSelector.html>

use serde_json::{Map, Value, json};

use crate::resources::shape::{Property, Shape};
use crate::wire::api::ApiError;

/// The only sources that basic selectors can leave out.
const EXCLUDABLE: [&str; 2] = ["kms.amazonaws.com", "rdsdata.amazonaws.com"];

/// `EventSelectors` of a template.
pub(super) const BASIC: Shape = Shape::List(&Shape::Object(&[
    Property::new(
        "ReadWriteType",
        Shape::Choice(&["All", "ReadOnly", "WriteOnly"]),
    ),
    Property::new("IncludeManagementEvents", Shape::Flag),
    Property::new("ExcludeManagementEventSources", Shape::List(&Shape::Text)),
    Property::new(
        "DataResources",
        Shape::List(&Shape::Object(&[
            Property::new("Type", Shape::Text).required(),
            Property::new("Values", Shape::List(&Shape::Text)),
        ])),
    ),
]));

/// `AdvancedEventSelectors` of a template.
pub(super) const ADVANCED: Shape = Shape::List(&Shape::Object(&[
    Property::new("Name", Shape::Text),
    Property::new("FieldSelectors", Shape::List(&FIELD)).required(),
]));

const FIELD: Shape = Shape::Object(&[
    Property::new("Field", Shape::Text).required(),
    Property::new("Equals", Shape::List(&Shape::Text)),
    Property::new("StartsWith", Shape::List(&Shape::Text)),
    Property::new("EndsWith", Shape::List(&Shape::Text)),
    Property::new("NotEquals", Shape::List(&Shape::Text)),
    Property::new("NotStartsWith", Shape::List(&Shape::Text)),
    Property::new("NotEndsWith", Shape::List(&Shape::Text)),
]);

/// A non-empty list of selectors.
fn list<'a>(properties: &'a Map<String, Value>, name: &str) -> Option<&'a Vec<Value>> {
    properties
        .get(name)
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
}

/// The checks of `PutEventSelectors`.
pub(super) fn check(properties: &Map<String, Value>) -> Result<(), ApiError> {
    let invalid = |message: &str| ApiError::new("InvalidEventSelectorsException", message);
    let basic = list(properties, "EventSelectors");
    let advanced = list(properties, "AdvancedEventSelectors");
    if basic.is_some() && advanced.is_some() {
        return Err(invalid(
            "You can use either event selectors or advanced event selectors, not both.",
        ));
    }
    for selector in basic.into_iter().flatten() {
        let sources = selector.get("ExcludeManagementEventSources");
        let sources = sources.and_then(Value::as_array).into_iter().flatten();
        for source in sources.filter_map(Value::as_str) {
            if !EXCLUDABLE.contains(&source) {
                return Err(invalid(&format!(
                    "ExcludeManagementEventSources can't contain {source}."
                )));
            }
        }
    }
    for selector in advanced.into_iter().flatten() {
        if !fields(selector).any(|field| is_field(field, "eventCategory")) {
            return Err(invalid(
                "Every advanced event selector needs a field selector for eventCategory.",
            ));
        }
    }
    Ok(())
}

/// The answer of `GetEventSelectors`, and what [`HasCustomEventSelectors`] says.
pub(super) fn describe(properties: &Map<String, Value>) -> (&'static str, Value) {
    if let Some(advanced) = list(properties, "AdvancedEventSelectors") {
        return ("AdvancedEventSelectors", json!(advanced));
    }
    let default = || {
        vec![json!({
            "ReadWriteType": "All", "IncludeManagementEvents": true,
            "DataResources": [], "ExcludeManagementEventSources": [],
        })]
    };
    let basic = list(properties, "EventSelectors").cloned();
    ("EventSelectors", json!(basic.unwrap_or_else(default)))
}

/// Whether a trail has other selectors than the default.
pub(super) fn are_custom(properties: &Map<String, Value>) -> bool {
    list(properties, "AdvancedEventSelectors").is_some()
        || list(properties, "EventSelectors").is_some()
}

/// Whether a trail's event selectors include an event. A trail without selectors records exactly
/// the management events.
pub(super) fn include(properties: &Map<String, Value>, event: &Value) -> bool {
    let event = Selected::of(event);
    if let Some(advanced) = list(properties, "AdvancedEventSelectors") {
        return advanced.iter().any(|selector| event.matches(selector));
    }
    match list(properties, "EventSelectors") {
        Some(basic) => basic.iter().any(|selector| event.is_in(selector)),
        None => event.category == "Management",
    }
}

/// What selectors look at in an event.
struct Selected<'a> {
    category: &'a str,
    read_only: bool,
    source: &'a str,
    name: &'a str,
}

impl<'a> Selected<'a> {
    fn of(event: &'a Value) -> Selected<'a> {
        let detail = |name: &str| event.get("detail").and_then(|detail| detail.get(name));
        let text = |name: &str| detail(name).and_then(Value::as_str);
        Selected {
            category: text("eventCategory").unwrap_or("Management"),
            read_only: detail("readOnly")
                .is_some_and(|flag| *flag == json!(true) || *flag == json!("true")),
            source: text("eventSource").unwrap_or_default(),
            name: text("eventName").unwrap_or_default(),
        }
    }

    fn is_in(&self, selector: &Value) -> bool {
        let kind = match selector.get("ReadWriteType").and_then(Value::as_str) {
            Some("ReadOnly") => self.read_only,
            Some("WriteOnly") => !self.read_only,
            _ => true,
        };
        let texts = |name: &str| selector.get(name).and_then(Value::as_array);
        let included = if self.category == "Management" {
            let excluded = texts("ExcludeManagementEventSources");
            selector.get("IncludeManagementEvents") != Some(&Value::Bool(false))
                && !excluded.is_some_and(|list| list.contains(&json!(self.source)))
        } else {
            texts("DataResources").is_some_and(|list| !list.is_empty())
        };
        kind && included
    }

    fn matches(&self, selector: &Value) -> bool {
        fields(selector).all(|field| {
            let value = match field.get("Field").and_then(Value::as_str) {
                Some("eventCategory") => self.category,
                Some("readOnly") if self.read_only => "true",
                Some("readOnly") => "false",
                Some("eventSource") => self.source,
                Some("eventName") => self.name,
                // Events have none of the other fields as text.
                _ => return false,
            };
            let any = |operator: &str, test: fn(&str, &str) -> bool| {
                let wanted = field.get(operator).and_then(Value::as_array)?;
                let mut wanted = wanted.iter().filter_map(Value::as_str);
                Some(wanted.any(|wanted| test(value, wanted)))
            };
            let equals = |value: &str, wanted: &str| value == wanted;
            let starts = |value: &str, wanted: &str| value.starts_with(wanted);
            let ends = |value: &str, wanted: &str| value.ends_with(wanted);
            any("Equals", equals) != Some(false)
                && any("StartsWith", starts) != Some(false)
                && any("EndsWith", ends) != Some(false)
                && any("NotEquals", equals) != Some(true)
                && any("NotStartsWith", starts) != Some(true)
                && any("NotEndsWith", ends) != Some(true)
        })
    }
}

fn fields(selector: &Value) -> impl Iterator<Item = &Value> {
    let fields = selector.get("FieldSelectors").and_then(Value::as_array);
    fields.into_iter().flatten()
}

fn is_field(field: &Value, name: &str) -> bool {
    field.get("Field").and_then(Value::as_str) == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(selectors: &Value, name: &str, read_only: bool) -> bool {
        let event = json!({"detail": {
            "eventCategory": "Management", "eventName": name, "readOnly": read_only,
            "eventSource": "kms.amazonaws.com"}});
        include(selectors.as_object().unwrap(), &event)
    }

    #[test]
    fn a_basic_selector_can_leave_out_sources_and_writes() {
        let all = json!({"EventSelectors": [{"ReadWriteType": "All"}]});
        assert!(recorded(&all, "DisableKey", false));
        let reads = json!({"EventSelectors": [{"ReadWriteType": "ReadOnly"}]});
        assert!(!recorded(&reads, "DisableKey", false));
        let without = json!({"EventSelectors": [
            {"ExcludeManagementEventSources": ["kms.amazonaws.com"]}]});
        assert!(!recorded(&without, "DisableKey", false));
    }

    #[test]
    fn an_advanced_selector_needs_all_its_fields() {
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        let of = |more: Value| {
            let mut fields = vec![management.clone()];
            fields.extend(more.is_object().then_some(more));
            json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]})
        };
        assert!(recorded(&of(Value::Null), "DisableKey", false));
        let reads = of(json!({"Field": "readOnly", "Equals": ["true"]}));
        assert!(!recorded(&reads, "DisableKey", false));
        assert!(recorded(&reads, "DescribeKey", true));
        let not_kms = of(json!({"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}));
        assert!(!recorded(&not_kms, "DisableKey", false));
    }

    #[test]
    fn only_two_sources_can_be_left_out() {
        let other = json!({"EventSelectors": [
            {"ExcludeManagementEventSources": ["iam.amazonaws.com"]}]});
        assert!(check(other.as_object().unwrap()).is_err());
    }
}
