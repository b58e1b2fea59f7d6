//! The keys that topics and queues are encrypted with.

use std::collections::BTreeMap;

use remedy::Remedy;
use serde_json::Value;

use super::Look;
use crate::code::DriftCode;
use crate::fleet::document::same_policy;
use crate::fleet::resolve::UNKNOWN;
use crate::ports::{Cloud, KeyState};
use crate::restore::quoted;

/// The only state in which a key encrypts.
const ENABLED: &str = "Enabled";

impl<C: Cloud> Look<'_, C> {
    /// Reads the keys that topics and queues really have: a template doesn't know the ids of its
    /// keys. What encrypts with another key than the rest is a difference, too.
    pub(super) async fn keys(&mut self) {
        for (id, uses) in std::mem::take(&mut self.encrypted) {
            let Some(chosen) = most_common(&uses) else {
                let (link, _) = uses.into_iter().next().unwrap_or_default();
                self.has_another_key(link, "none", "a key of the template");
                continue;
            };
            for (link, actual) in uses {
                if actual.as_ref() != Some(&chosen) {
                    self.has_another_key(link, actual.as_deref().unwrap_or("none"), &chosen);
                }
            }
            self.key(&id, &chosen).await;
        }
    }

    fn has_another_key(&mut self, link: String, actual: &str, expected: &str) {
        self.fault(
            (DriftCode::TopicSettings, link),
            format!("it is encrypted with another key than the template sets: {actual}"),
            (expected, actual),
            self.fix.clone(),
        );
    }

    async fn key(&mut self, id: &str, key: &str) {
        let link = format!("key {key}");
        let expected = self.of_type("AWS::KMS::Key").into_iter();
        let expected = expected.into_iter().find(|(it, _)| it == id);
        let expected = expected.map_or(Value::Null, |(_, expected)| expected);
        match self.cloud.key_state(self.location, key).await {
            Ok(Some(state)) => self.key_state(&link, &state, &expected),
            Ok(None) => {
                let values = ("a key", "none");
                let code = (DriftCode::KeyMissing, link);
                return self.fault(code, "the key does not exist", values, self.fix.clone());
            }
            Err(error) => return self.unreadable(link, &error),
        }
        let link = format!("key policy of {key}");
        let policy = expected.get("KeyPolicy").unwrap_or(&Value::Null);
        match self.cloud.key_policy(self.location, key).await {
            Ok(Some(actual)) if same_policy(policy, &actual) => {}
            Ok(Some(actual)) => self.fault(
                (DriftCode::KeyPolicy, link),
                format!("the policy differs from the compiled one: {actual}"),
                (policy.to_string(), actual.to_string()),
                self.key_policy_restored(key, policy),
            ),
            // It has just existed.
            Ok(None) => {}
            Err(error) => self.unreadable(link, &error),
        }
    }

    fn key_state(&mut self, link: &str, actual: &KeyState, expected: &Value) {
        let KeyState {
            arn,
            state,
            description,
        } = actual;
        if state != ENABLED {
            let mut fix = Remedy::from("find out who did it and why; then ");
            let run = |command: &str| {
                let command = format!("{command} --key-id {arn}");
                self.command(&command)
            };
            if state == "PendingDeletion" {
                fix = fix.and(run("kms cancel-key-deletion")).words(", then ");
            }
            let fix = fix.and(run("kms enable-key"));
            self.fault(
                (DriftCode::KeyState, link.to_owned()),
                format!("the key is {state}, so nothing that it encrypts takes a message"),
                (ENABLED, state.as_str()),
                fix,
            );
        }
        let wanted = expected.get("Description").and_then(Value::as_str);
        if let Some(wanted) = wanted.filter(|wanted| wanted != description) {
            self.fault(
                (DriftCode::TopicSettings, link.to_owned()),
                format!("it is not the key of the template, but `{description}`"),
                (wanted, description.as_str()),
                self.fix.clone(),
            );
        }
    }

    /// CloudFormation doesn't see every change of a key policy, so a drift check may find nothing.
    fn key_policy_restored(&self, key: &str, policy: &Value) -> Remedy {
        if policy.to_string().contains(UNKNOWN) || policy.is_null() {
            return self.fix.clone();
        }
        self.run(&format!(
            "kms put-key-policy --key-id {key} --policy-name default --policy {}",
            quoted(policy)
        ))
    }
}

fn most_common(uses: &[(String, Option<String>)]) -> Option<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for (_, key) in uses {
        if let Some(key) = key {
            *counts.entry(key).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map(|(key, _)| key.clone())
}
