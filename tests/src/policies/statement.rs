//! What is wrong with a policy, statement by statement.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Reference;
use super::pattern::arn_fits;
use super::reference::Action;

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PolicyKind {
    /// A caller or a role: what it may do.
    Identity,
    /// A role: who may assume it.
    Trust,
    /// A bucket, bus, queue or topic: who may do what with it.
    Resource,
    /// A key: like [`Resource`](PolicyKind::Resource), but the key itself is always `*`.
    Key,
}

impl Reference {
    /// Everything in a policy that the reference doesn't confirm, one sentence each: an action that
    /// doesn't exist, a resource that fits no resource type of the statement's actions, `*` for an
    /// action that can be restricted, a resource type that an allowed action requires and no
    /// statement covers, and a condition key that no request has.
    pub fn faults(&self, policy: &Value, kind: PolicyKind) -> Vec<String> {
        let statements = texts_or_items(policy.get("Statement"));
        if statements.is_empty() {
            return vec!["it has no statement".to_owned()];
        }
        let mut faults = Vec::new();
        for statement in &statements {
            self.statement(statement, kind, &mut faults);
        }
        if matches!(kind, PolicyKind::Identity | PolicyKind::Resource) {
            self.coverage(&statements, &mut faults);
        }
        faults
    }

    fn statement(&self, statement: &Value, kind: PolicyKind, faults: &mut Vec<String>) {
        for element in statement.as_object().into_iter().flat_map(|it| it.keys()) {
            if element.starts_with("Not") {
                faults.push(format!("`{element}` can't be compared with the reference"));
            }
        }
        let mut actions = Vec::new();
        for written in texts(statement.get("Action")) {
            let matched = self.actions(&written);
            if matched.is_empty() {
                faults.push(format!(
                    "`{written}` is no action in tests/data/service-authorization.txt; if AWS has \
                     it, add its service in xtask/src/service_authorization.rs"
                ));
            }
            for key in condition_keys(statement) {
                if !matched.is_empty() && !matched.iter().any(|it| self.has_key(it, &key)) {
                    faults.push(format!("requests for `{written}` have no key `{key}`"));
                }
            }
            actions.extend(matched);
        }
        let resources = texts(statement.get("Resource"));
        match kind {
            PolicyKind::Trust if resources.is_empty() => {}
            PolicyKind::Key if resources == ["*"] => {}
            PolicyKind::Trust => faults.push("a trust policy has no `Resource`".to_owned()),
            PolicyKind::Key => faults.push("the resource of a key policy is `*`".to_owned()),
            PolicyKind::Identity | PolicyKind::Resource => {
                for resource in &resources {
                    self.resource(resource, &actions, is_allow(statement), faults);
                }
            }
        }
    }

    fn resource(&self, written: &str, on: &[&Action], allows: bool, faults: &mut Vec<String>) {
        let all: BTreeSet<&str> = on.iter().map(|action| action.name).collect();
        if written != "*" {
            if !on.iter().any(|action| self.fits(action, written)) {
                let all: Vec<&str> = all.into_iter().collect();
                let all = all.join(", ");
                faults.push(format!("`{written}` fits no resource type of {all}"));
            }
            return;
        }
        for action in on
            .iter()
            .filter(|action| allows && !action.types.is_empty())
        {
            let types: Vec<&str> = action.types.iter().map(|(kind, _)| kind.as_str()).collect();
            faults.push(format!(
                "`{}` is allowed on `*`, but can be restricted to {}",
                action.name,
                types.join(", ")
            ));
        }
    }

    /// Whether a resource of a policy fits a resource type of the action.
    fn fits(&self, action: &Action, written: &str) -> bool {
        let mut types = action.types.iter();
        types.any(|(kind, _)| self.is_of_type(written, kind))
    }

    fn is_of_type(&self, written: &str, kind: &str) -> bool {
        let found = self.resources.get(kind);
        written == "*" || found.is_some_and(|(format, _)| arn_fits(written, format))
    }

    /// Checks that the policy covers what its allowed actions require, in whichever statement.
    fn coverage(&self, statements: &[Value], faults: &mut Vec<String>) {
        let allowed: Vec<(BTreeSet<&str>, Vec<String>)> = statements
            .iter()
            .filter(|statement| is_allow(statement))
            .map(|statement| {
                let actions = texts(statement.get("Action"));
                let names = actions.iter().flat_map(|it| self.actions(it));
                let names = names.map(|action| action.name).collect();
                (names, texts(statement.get("Resource")))
            })
            .collect();
        for action in &self.actions {
            let granting = allowed
                .iter()
                .filter(|(names, _)| names.contains(action.name));
            let resources: Vec<&str> = granting
                .flat_map(|(_, resources)| resources)
                .map(String::as_str)
                .collect();
            if resources.is_empty() {
                continue;
            }
            if action.types.is_empty() {
                if !resources.contains(&"*") {
                    faults.push(format!(
                        "`{}` has no resource types, so it needs the resource `*`",
                        action.name
                    ));
                }
                continue;
            }
            for (kind, required) in &action.types {
                let covered = resources.iter().any(|it| self.is_of_type(it, kind));
                if *required && !covered {
                    let format = self.resources.get(kind.as_str()).map(|(format, _)| format);
                    faults.push(format!(
                        "`{}` requires a resource of type {kind} ({})",
                        action.name,
                        format.unwrap_or(&"")
                    ));
                }
            }
        }
    }
}

fn is_allow(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
}

/// An element that is one value or a list of them.
fn texts_or_items(value: Option<&Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}

fn texts(value: Option<&Value>) -> Vec<String> {
    texts_or_items(value)
        .iter()
        .map(|item| {
            let text = item.as_str();
            text.unwrap_or_else(|| panic!("{item} is no text"))
                .to_owned()
        })
        .collect()
}

fn condition_keys(statement: &Value) -> Vec<String> {
    let operators = statement.get("Condition").and_then(Value::as_object);
    operators
        .into_iter()
        .flat_map(|operators| operators.values())
        .filter_map(Value::as_object)
        .flat_map(|keys| keys.keys().cloned())
        .collect()
}
