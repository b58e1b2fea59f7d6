//! Drift detection: compares a stack's resources with its template.
//!
//! As on AWS, only properties that the template sets are compared, `KmsKeyId` is never compared,
//! types without a read handler are not checked, and read handlers return less than the truth
//! ([`read_back`]). Policies are compared as written, not by meaning.

mod read_back;

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Stage;
use crate::resources::{ResourceError, Resources};
use crate::template::evaluate::Scope;
use crate::template::{PATTERN, RULE, with_documents};
use crate::wire::scalar;
use crate::wire::time::iso;

pub use read_back::{DriftReading, Unreadable};

use super::{Resource, Stack, look};

/// Properties with free-form documents, where every difference counts.
const DOCUMENTS: &[&str] = &[
    "AssumeRolePolicyDocument",
    "Content",
    "FilterPolicy",
    "KeyPolicy",
    "Policy",
    "PolicyDocument",
    "RedrivePolicy",
];

/// A property that differs from the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// A JSON pointer into the properties.
    pub(crate) path: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
    /// `ADD`, `REMOVE` or `NOT_EQUAL`.
    pub(crate) kind: &'static str,
}

/// The drift of one resource.
#[derive(Debug, Clone)]
pub(crate) struct ResourceDrift {
    /// `IN_SYNC`, `MODIFIED`, `DELETED`, `NOT_CHECKED` or `UNKNOWN`.
    pub(crate) status: &'static str,
    /// `null`, like `actual`, if the resource was as recorded, whatever was read: most are, and there
    /// are many.
    pub(crate) expected: Value,
    pub(crate) actual: Value,
    pub(crate) differences: Vec<Difference>,
    pub(crate) at: Timestamp,
}

/// Compares every resource of a stack with its template and records the result. Returns the stack's
/// drift status and number of drifted resources.
pub(crate) fn detect(stage: &mut Stage<'_>, id: &str) -> (&'static str, usize) {
    let now = stage.now();
    let Some(stack) = stage.stack_mut(id) else {
        return ("NOT_CHECKED", 0);
    };
    stack.drift_checked = Some(now);
    let Some(stack) = stage.stack(id) else {
        return ("NOT_CHECKED", 0);
    };
    let reading = &stage.cloudformation.drift_reading;
    if stack.folded.is_some() && reading.fails_at(&stack.account, &stack.region) {
        super::fold::unfold(stage, id);
    }
    let Some(stack) = stage.stack(id) else {
        return ("NOT_CHECKED", 0);
    };
    let statuses: Vec<&'static str> = if stack.folded.is_some() {
        // A folded stack matched its template when folded, and can't have changed since.
        let reading = &stage.cloudformation.drift_reading;
        let misread = reading.misread(&stack.deployment.template);
        vec!["MODIFIED"; misread.len()]
    } else {
        let found: Vec<(String, ResourceDrift)> = stack
            .resources
            .iter()
            .map(|(name, resource)| {
                let drift = compare(stage, stack, name, resource, now);
                (name.clone(), drift)
            })
            .collect();
        let statuses = found.iter().map(|(_, drift)| drift.status).collect();
        if let Some(stack) = stage.stack_mut(id) {
            for (name, drift) in found {
                if let Some(resource) = stack.resources.get_mut(&name) {
                    resource.drift = Some(drift);
                }
            }
        }
        statuses
    };
    let drifted = |status: &&&str| matches!(**status, "MODIFIED" | "DELETED");
    let drifted = statuses.iter().filter(drifted).count();
    let status = match drifted {
        0 if statuses.contains(&"UNKNOWN") => "UNKNOWN",
        0 => "IN_SYNC",
        _ => "DRIFTED",
    };
    if let Some(stack) = stage.stack_mut(id) {
        stack.drift = status;
    }
    (status, drifted)
}

/// Compares resources of a stack that was checked while it was folded.
pub(super) fn recall(stage: &mut Stage<'_>, id: &str, at: Timestamp) {
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let reading = &stage.cloudformation.drift_reading;
    let resources = stack.resources.iter();
    let found: Vec<(String, ResourceDrift)> = if reading.fails_at(&stack.account, &stack.region) {
        resources
            .map(|(name, resource)| (name.clone(), compare(stage, stack, name, resource, at)))
            .collect()
    } else {
        let misread = reading.misread(&stack.deployment.template).iter();
        misread
            .filter_map(|name| {
                let Resource {
                    kind, properties, ..
                } = stack.resources.get(name)?;
                Some((name.clone(), misreading(stage, kind, properties, at)))
            })
            .collect()
    };
    if let Some(stack) = stage.stack_mut(id) {
        for (name, drift) in found {
            if let Some(resource) = stack.resources.get_mut(&name) {
                resource.drift = Some(drift);
            }
        }
    }
}

/// What drift detection sees of a resource that is as recorded.
fn misreading(stage: &Stage<'_>, kind: &str, properties: &Value, at: Timestamp) -> ResourceDrift {
    let (expected, actual) = as_read(stage, kind, properties);
    let (status, differences) = compared(&expected, &actual);
    ResourceDrift {
        status,
        expected: Value::Null,
        actual: Value::Null,
        differences,
        at,
    }
}

/// The properties of a resource that is as recorded, and what its read handler returns of them.
fn as_read(stage: &Stage<'_>, kind: &str, properties: &Value) -> (Value, Value) {
    let expected = stage
        .services
        .normalize(kind, properties)
        .unwrap_or_else(|_| properties.clone());
    let mut actual = expected.clone();
    let reading = &stage.cloudformation.drift_reading;
    reading.apply(kind, &expected, &mut actual);
    (expected, actual)
}

/// Sends the event for a completed drift detection to the account's default bus.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-drift-detection-status-change.html>
pub(crate) fn announce(
    stage: &mut Stage<'_>,
    id: &str,
    detection: &str,
    (status, drifted): (&'static str, usize),
) {
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let event = json!({
        "source": "aws.cloudformation",
        "detail-type": "CloudFormation Drift Detection Status Change",
        "resources": [&*stack.id],
        "detail": {
            "stack-id": &*stack.id,
            "stack-drift-detection-id": detection,
            "status-details": {
                "stack-drift-status": status,
                "detection-status": "DETECTION_COMPLETE",
            },
            "drift-detection-details": {"drifted-stack-resource-count": drifted},
        },
    });
    let task = crate::services::Task::Emit {
        account: stack.account.as_ref().to_owned(),
        region: stack.region.as_ref().to_owned(),
        event: event.to_string(),
    };
    stage.services.environment.schedule(1, task);
}

/// The resources of a stack that drift detection would find `MODIFIED` or `DELETED`; records
/// nothing.
pub(crate) fn drifted(stage: &Stage<'_>, stack: &Stack) -> BTreeMap<String, &'static str> {
    let resources = stack.resources.iter();
    let compared = resources.map(|(name, resource)| {
        let drift = compare(stage, stack, name, resource, resource.at);
        (name.clone(), drift.status)
    });
    compared
        .filter(|(_, status)| matches!(*status, "MODIFIED" | "DELETED"))
        .collect()
}

/// Whether all resources match the template, whatever drift detection can read; records nothing.
pub(crate) fn is_in_sync(stage: &Stage<'_>, stack: &Stack) -> bool {
    stack.resources.iter().all(|(name, resource)| {
        let Resource {
            kind, properties, ..
        } = resource;
        let services = &*stage.services;
        let live = services.read(&stack.location(name), kind, &resource.physical_id);
        let expected = services.normalize(kind, properties);
        match (expected, live) {
            (Ok(expected), Ok(Some(live))) => {
                let mut differences = Vec::new();
                difference(&expected, &live, "", false, &mut differences);
                differences.is_empty()
            }
            _ => false,
        }
    })
}

fn compare(
    stage: &Stage<'_>,
    stack: &Stack,
    name: &str,
    resource: &Resource,
    at: Timestamp,
) -> ResourceDrift {
    let Resource {
        kind, properties, ..
    } = resource;
    let services = &*stage.services;
    let reading = &stage.cloudformation.drift_reading;
    let live = services.read(&stack.location(name), kind, &resource.physical_id);
    let expected = services
        .normalize(kind, properties)
        .unwrap_or_else(|_| properties.clone());
    let drift = |status, actual, differences| ResourceDrift {
        status,
        expected: expected.clone(),
        actual,
        differences,
        at,
    };
    if reading.fails(&stack.account, &stack.region, kind) {
        return drift("UNKNOWN", Value::Null, Vec::new());
    }
    match live {
        Err(ResourceError::NotFound(_)) | Ok(None) => drift("DELETED", Value::Null, Vec::new()),
        Err(_) => drift("NOT_CHECKED", Value::Null, Vec::new()),
        Ok(Some(mut actual)) => {
            reading.apply(kind, &expected, &mut actual);
            let (status, differences) = compared(&expected, &actual);
            drift(status, actual, differences)
        }
    }
}

/// The drift status of a resource that could be read, with its differences.
fn compared(expected: &Value, actual: &Value) -> (&'static str, Vec<Difference>) {
    let mut differences = Vec::new();
    difference(expected, actual, "", false, &mut differences);
    let status = if differences.is_empty() {
        "IN_SYNC"
    } else {
        "MODIFIED"
    };
    (status, differences)
}

/// Collects the differences of `actual` from `expected`. `exact` includes properties that
/// `expected` doesn't set.
fn difference(
    expected: &Value,
    actual: &Value,
    path: &str,
    exact: bool,
    found: &mut Vec<Difference>,
) {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(given)) => {
            for (key, wanted) in wanted {
                if key.eq_ignore_ascii_case("KmsKeyId") {
                    continue;
                }
                if given.get(key) == Some(wanted) {
                    continue;
                }
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                match given.get(key) {
                    Some(given) if key == PATTERN => {
                        difference(&document(wanted), &document(given), &path, true, found);
                    }
                    Some(given) => {
                        let exact = exact || DOCUMENTS.contains(&key.as_str());
                        difference(wanted, given, &path, exact, found);
                    }
                    None => found.push(Difference::new(&path, Some(wanted), None)),
                }
            }
            if exact {
                for (key, given) in given.iter().filter(|(key, _)| !wanted.contains_key(*key)) {
                    found.push(Difference::new(&format!("{path}/{key}"), None, Some(given)));
                }
            }
        }
        (Value::Array(wanted), Value::Array(given)) if exact => {
            for (index, wanted) in wanted.iter().enumerate() {
                let path = format!("{path}/{index}");
                match given.get(index) {
                    Some(given) => difference(wanted, given, &path, exact, found),
                    None => found.push(Difference::new(&path, Some(wanted), None)),
                }
            }
            for (index, given) in given.iter().enumerate().skip(wanted.len()) {
                found.push(Difference::new(
                    &format!("{path}/{index}"),
                    None,
                    Some(given),
                ));
            }
        }
        (Value::Array(wanted), Value::Array(given)) => {
            // Lists are compared without order: equal items are paired first.
            let mut left: Vec<&Value> = given.iter().collect();
            let mut open: Vec<(usize, &Value)> = Vec::new();
            for (index, wanted) in wanted.iter().enumerate() {
                match left.iter().position(|given| equal(wanted, given, exact)) {
                    Some(position) => {
                        left.remove(position);
                    }
                    None => open.push((index, wanted)),
                }
            }
            let mut left = left.into_iter();
            for (index, wanted) in open {
                let path = format!("{path}/{index}");
                match left.next() {
                    Some(given) => difference(wanted, given, &path, exact, found),
                    None => found.push(Difference::new(&path, Some(wanted), None)),
                }
            }
            for (offset, given) in left.enumerate() {
                let path = format!("{path}/{}", wanted.len() + offset);
                found.push(Difference::new(&path, None, Some(given)));
            }
        }
        (wanted, given) => {
            let same = match (scalar(wanted), scalar(given)) {
                (Some(wanted), Some(given)) if !exact => wanted == given,
                _ => wanted == given,
            };
            if !same {
                found.push(Difference::new(path, Some(wanted), Some(given)));
            }
        }
    }
}

/// A pattern, which is kept as its text.
fn document(value: &Value) -> Cow<'_, Value> {
    let parsed = value.as_str().map(serde_json::from_str::<Value>);
    match parsed {
        Some(Ok(document @ Value::Object(_))) => Cow::Owned(document),
        _ => Cow::Borrowed(value),
    }
}

fn equal(expected: &Value, actual: &Value, exact: bool) -> bool {
    let mut found = Vec::new();
    difference(expected, actual, "", exact, &mut found);
    found.is_empty()
}

impl Difference {
    fn new(path: &str, expected: Option<&Value>, actual: Option<&Value>) -> Difference {
        let text = |value: Option<&Value>| match value {
            None => "null".to_owned(),
            Some(value) => scalar(value).unwrap_or_else(|| value.to_string()),
        };
        let kind = match (expected, actual) {
            (Some(_), None) => "REMOVE",
            (None, Some(_)) => "ADD",
            _ => "NOT_EQUAL",
        };
        Difference {
            path: path.to_owned(),
            expected: text(expected),
            actual: text(actual),
            kind,
        }
    }
}

/// The drift of a stack's resources in the API's format. An empty `statuses` includes all that were
/// checked.
pub(crate) fn describe(
    stage: &Stage<'_>,
    id: &str,
    statuses: &[String],
    detailed: bool,
) -> Vec<Value> {
    let Some(stack) = stage.stack(id) else {
        return Vec::new();
    };
    stack
        .resources
        .iter()
        .filter_map(|(name, resource)| {
            let drift = resource.drift.as_ref()?;
            if !statuses.is_empty() && !statuses.iter().any(|status| status == drift.status) {
                return None;
            }
            let found = (resource.kind.as_str(), resource.physical_id.as_str());
            let differences = described(&drift.differences);
            let mut entry = entry(stack, name, found, &differences, (drift.status, drift.at));
            if let ("UNKNOWN", Some(fields)) = (drift.status, entry.as_object_mut()) {
                let reason = format!("The read handler of {} failed", resource.kind);
                fields.insert("DriftStatusReason".to_owned(), reason.into());
            }
            if let (true, Some(fields)) = (
                detailed && !matches!(drift.status, "NOT_CHECKED" | "UNKNOWN"),
                entry.as_object_mut(),
            ) {
                let (expected, actual) = match &drift.expected {
                    Value::Null if drift.status == "IN_SYNC" => {
                        (resource.properties.clone(), resource.properties.clone())
                    }
                    Value::Null => as_read(stage, &resource.kind, &resource.properties),
                    expected => (expected.clone(), drift.actual.clone()),
                };
                let expected = with_documents(&expected).to_string();
                fields.insert("ExpectedProperties".to_owned(), expected.into());
                if !actual.is_null() {
                    let actual = with_documents(&actual).to_string();
                    fields.insert("ActualProperties".to_owned(), actual.into());
                }
            }
            Some(entry)
        })
        .collect()
}

/// A resource's drift in the API's format.
fn entry(
    stack: &Stack,
    logical_id: &str,
    (kind, physical_id): (&str, &str),
    differences: &Value,
    (status, at): (&str, Timestamp),
) -> Value {
    json!({
        "StackId": &*stack.id,
        "LogicalResourceId": logical_id,
        "PhysicalResourceId": physical_id,
        "ResourceType": kind,
        "PropertyDifferences": differences,
        "StackResourceDriftStatus": status,
        "Timestamp": iso(at),
    })
}

/// Differences in the API's format.
fn described(differences: &[Difference]) -> Value {
    let described = differences.iter().map(|difference| {
        json!({
            "PropertyPath": difference.path,
            "ExpectedValue": difference.expected,
            "ActualValue": difference.actual,
            "DifferenceType": difference.kind,
        })
    });
    described.collect()
}

/// [`describe`] without details for a folded stack, all of whose drift is misread. `None` if the
/// stack must be unfolded to tell, as for resources in sync.
pub(crate) fn describe_folded(
    stage: &mut Stage<'_>,
    id: &Arc<str>,
    statuses: &[String],
) -> Option<Vec<Value>> {
    let stack = stage.stack(id).filter(|stack| stack.folded.is_some())?;
    let reading = &stage.cloudformation.drift_reading;
    let wanted = |status: &str| statuses.is_empty() || statuses.iter().any(|it| it == status);
    if wanted("IN_SYNC") || reading.fails_at(&stack.account, &stack.region) {
        return None;
    }
    let Some(at) = stack.drift_checked.filter(|_| wanted("MODIFIED")) else {
        return Some(Vec::new());
    };
    let template = Arc::clone(&stack.deployment.template);
    let misread = reading.misread(&template);
    let is_rule = |name: &String| {
        template
            .resources
            .get(name)
            .is_some_and(|it| it.kind == RULE)
    };
    if !misread.iter().all(is_rule) {
        return None;
    }
    look::show(stage, id);
    let stack = stage.stack(id).filter(|stack| stack.folded.is_some())?;
    let folded = stack.folded.as_ref()?;
    let exports = BTreeMap::new();
    let shown = stage.cloudformation.shown.get(id)?.iter();
    let made = shown.map(|(name, it)| {
        (
            name.clone(),
            (it.physical_id.clone(), it.attributes.clone()),
        )
    });
    let scope = Scope {
        template: &template,
        parameters: &stack.deployment.parameters,
        account: &stack.account,
        region: &stack.region,
        stack_name: &stack.name,
        stack_id: id,
        made: made.collect(),
        exports: &exports,
        imported: RefCell::default(),
        produced: Cell::default(),
    };
    let mut entries = Vec::new();
    // The forwarders of a template have the same target.
    let mut last: Option<(&Value, Value)> = None;
    for name in misread {
        let declared = template.resources.get(name)?;
        if let Some(condition) = &declared.condition
            && !scope.condition(condition).ok()?
        {
            continue;
        }
        let targets = declared.properties.get("Targets")?;
        let differences = match &last {
            Some((same, differences)) if *same == targets => differences.clone(),
            _ => {
                let properties = json!({"Targets": scope.resolve(targets).ok()??});
                let drift = misreading(stage, RULE, &properties, at);
                described(&drift.differences)
            }
        };
        if differences.as_array().is_some_and(|it| !it.is_empty()) {
            let mut location = stack.location(name);
            location.generation = folded.generations.get(name).copied().unwrap_or_default();
            let physical_id = stage.services.generated_rule_name(&location);
            let found = (RULE, physical_id.as_str());
            let entry = entry(stack, name, found, &differences, ("MODIFIED", at));
            entries.push(entry);
        }
        last = Some((targets, differences));
    }
    Some(entries)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(expected: &Value, actual: &Value) -> Vec<(String, &'static str)> {
        let mut found = Vec::new();
        difference(expected, actual, "", false, &mut found);
        found
            .into_iter()
            .map(|difference| (difference.path, difference.kind))
            .collect()
    }

    #[test]
    fn sees_what_the_template_sets_and_nothing_else() {
        let expected = json!({"Name": "a", "Days": 3, "KmsKeyId": "x", "Nested": {"On": true}});
        let actual = json!({"Name": "a", "Days": "3", "KmsKeyId": "y", "Nested": {"On": "true", "More": 1}, "Extra": 1});
        assert_eq!(paths(&expected, &actual), []);
        let actual = json!({"Name": "b", "Nested": {"On": true}});
        assert_eq!(
            paths(&expected, &actual),
            [
                ("/Name".to_owned(), "NOT_EQUAL"),
                ("/Days".to_owned(), "REMOVE")
            ]
        );
    }

    #[test]
    fn order_of_lists_does_not_count_but_members_do() {
        let expected = json!({"Tags": [{"Key": "a"}, {"Key": "b"}]});
        assert_eq!(
            paths(&expected, &json!({"Tags": [{"Key": "b"}, {"Key": "a"}]})),
            []
        );
        assert_eq!(
            paths(
                &expected,
                &json!({"Tags": [{"Key": "b"}, {"Key": "a"}, {"Key": "c"}]})
            ),
            [("/Tags/2".to_owned(), "ADD")]
        );
        assert_eq!(
            paths(&expected, &json!({"Tags": [{"Key": "b"}]})),
            [("/Tags/0".to_owned(), "REMOVE")]
        );
    }

    #[test]
    fn policies_are_compared_as_written() {
        let expected =
            json!({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["a"]}]}});
        assert_eq!(paths(&expected, &expected), []);
        let one = json!({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "a"}]}});
        assert_eq!(
            paths(&expected, &one),
            [("/PolicyDocument/Statement/0/Action".to_owned(), "NOT_EQUAL")]
        );
        let wider = json!({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["a"]}, {"Effect": "Allow"}]}});
        assert_eq!(
            paths(&expected, &wider),
            [("/PolicyDocument/Statement/1".to_owned(), "ADD")]
        );
        let limited = json!({"PolicyDocument": {"Statement": [{"Effect": "Allow", "Action": ["a"], "Condition": {}}]}});
        assert_eq!(
            paths(&expected, &limited),
            [("/PolicyDocument/Statement/0/Condition".to_owned(), "ADD")]
        );
        let flag = json!({"Policy": {"Bool": false}});
        let text = json!({"Policy": {"Bool": "false"}});
        assert_eq!(
            paths(&flag, &text),
            [("/Policy/Bool".to_owned(), "NOT_EQUAL")]
        );
    }

    /// Any JSON value, a few levels deep.
    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[a-zA-Z]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[A-Z][a-z]{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_differs_from_itself(value in any_value()) {
            prop_assert_eq!(paths(&value, &value), []);
            prop_assert!(equal(&value, &value, true));
        }

        #[test]
        fn an_extra_property_is_no_drift_unless_it_is_in_a_policy(value in any_value()) {
            let expected = json!({"A": {"B": 1}});
            let actual = json!({"A": {"B": 1, "Extra": value}});
            prop_assert_eq!(paths(&expected, &actual), []);
            prop_assert!(!equal(&expected, &actual, true));
        }
    }
}
