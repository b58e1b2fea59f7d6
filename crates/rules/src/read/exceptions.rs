//! Compiles exceptions into the event pattern.
//!
//! An exception on a field becomes `anything-but` its values. Alone, that would also exclude events
//! without the field (a root user has no user name), so `exists: false` is added: events without
//! the field still alert.

use serde_json::{Map, Value, json};

/// The pattern language can't express the exception for this pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotExpressible {
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// Adds "`path` is none of `values`, or absent" to a pattern.
pub(crate) fn compile(
    pattern: &mut Value,
    path: &str,
    values: &[String],
) -> Result<(), NotExpressible> {
    let Some((parents, leaf)) = path.rsplit_once('.') else {
        return Err(NotExpressible {
            message: format!("`{path}` is not a field below `detail`"),
            help: "write the whole path, such as `detail.userIdentity.userName`",
        });
    };
    let mut object = pattern.as_object_mut();
    for step in parents.split('.') {
        object = match object {
            Some(map) => match nested(map, step) {
                Some(map) => Some(map),
                None => return Err(constrained(path)),
            },
            None => return Err(constrained(path)),
        };
    }
    let Some(object) = object else {
        return Err(constrained(path));
    };
    if object.contains_key(leaf) {
        return Err(constrained(path));
    }
    object.insert(
        leaf.to_owned(),
        json!([{"anything-but": values}, {"exists": false}]),
    );
    Ok(())
}

fn nested<'a>(map: &'a mut Map<String, Value>, step: &str) -> Option<&'a mut Map<String, Value>> {
    map.entry(step.to_owned())
        .or_insert_with(|| Value::Object(Map::new()))
        .as_object_mut()
}

pub(crate) fn constrained(path: &str) -> NotExpressible {
    NotExpressible {
        message: format!(
            "the pattern already constrains `{path}`, and a field's terms are joined by \"or\""
        ),
        help: "change the event pattern itself instead",
    }
}

#[cfg(test)]
mod tests {
    use eventbridge_pattern::{Event, Pattern};
    use proptest::prelude::*;

    use super::*;

    fn values(list: &[&str]) -> Vec<String> {
        list.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn events_without_the_field_still_match() {
        let mut pattern =
            json!({"source": ["aws.iam"], "detail": {"eventName": ["CreateAccessKey"]}});
        compile(
            &mut pattern,
            "detail.userIdentity.userName",
            &values(&["break-glass"]),
        )
        .unwrap();
        assert_eq!(
            pattern["detail"]["userIdentity"]["userName"],
            json!([{"anything-but": ["break-glass"]}, {"exists": false}])
        );
        assert_eq!(pattern["detail"]["eventName"], json!(["CreateAccessKey"]));
    }

    #[test]
    fn an_exception_on_a_constrained_field_is_rejected() {
        let mut pattern = json!({"detail": {"eventName": ["X"], "userIdentity": ["x"]}});
        assert!(compile(&mut pattern, "detail.eventName", &values(&["X"])).is_err());
        assert!(compile(&mut pattern, "detail.userIdentity.arn", &values(&["X"])).is_err());
        assert!(compile(&mut pattern, "detail", &values(&["X"])).is_err());
    }

    proptest! {
        /// With an exception, a rule matches the same events, except those with one of the values.
        #[test]
        fn an_exception_excludes_only_its_values(
            name in prop::option::of("[ab]{1,2}"),
            event_name in "[XY]",
            excepted in prop::collection::vec("[ab]{1,2}", 1..3),
        ) {
            let written = json!({"source": ["aws.iam"], "detail": {"eventName": ["X"]}});
            let mut with = written.clone();
            compile(&mut with, "detail.userIdentity.userName", &excepted).unwrap();
            let mut event = json!({"source": "aws.iam", "detail": {"eventName": event_name, "userIdentity": {"type": "Root"}}});
            if let Some(name) = &name {
                event["detail"]["userIdentity"]["userName"] = json!(name);
            }
            let event = Event::parse(&event.to_string()).unwrap();
            let matches = |pattern: &Value| Pattern::parse(&pattern.to_string()).unwrap().matches(&event).unwrap();
            let is_excepted = name.is_some_and(|name| excepted.contains(&name));
            prop_assert_eq!(matches(&with), matches(&written) && !is_excepted);
        }
    }
}
