//! The own look at everything in the hub that decides whether an alert is delivered: keys, topics,
//! subscriptions, queues, the bus and the alarm. What is expected is read from the template alone, so that a resource that is added to it is looked at without a change here.
//!
//! CloudFormation's drift detection sees neither a key that was disabled nor a filter policy,
//! because a template sets neither. Rules and roles are read by whoever has the stacks at hand:
//! `drift` and `proof`.

mod keys;
mod queues;
mod topics;

use std::collections::BTreeMap;

use compiler::canary;
use remedy::Remedy;
use serde_json::Value;

pub(crate) use queues::compare_queue;

use super::{Inspection, Link, put_policy, read_dead_letters};
use crate::code::DriftCode;
use crate::fleet::document::{same_document, same_policy};
use crate::fleet::resolve::{Context, UNKNOWN, named_resources};
use crate::fleet::template::{parameter_values, resources};
use crate::ports::{Cloud, CloudError, Location};
use crate::restore::in_account;

/// Looks at the hub.
pub(super) async fn look(
    cloud: &impl Cloud,
    (template, parameters): (&str, &BTreeMap<String, String>),
    location: &Location,
    fix: &Remedy,
) -> Inspection {
    let parameters = parameter_values(template, parameters);
    let template = resources(template);
    let mut look = Look {
        cloud,
        location,
        fix,
        known: named_resources(&template, location, &parameters),
        template,
        parameters,
        encrypted: BTreeMap::new(),
        found: Inspection::default(),
    };
    look.topics().await;
    look.queues().await;
    look.bus().await;
    look.alarms().await;
    look.keys().await;
    look.found
}

/// A look at the resources of one stack.
struct Look<'a, C> {
    cloud: &'a C,
    location: &'a Location,
    /// Restores what CloudFormation can restore.
    fix: &'a Remedy,
    /// By logical id.
    template: BTreeMap<String, Value>,
    parameters: BTreeMap<String, String>,
    /// See [`Context::resources`].
    known: BTreeMap<String, String>,
    /// What each key encrypts, by the key's logical id: the topic or queue, and the key that it has.
    encrypted: BTreeMap<String, Vec<(String, Option<String>)>>,
    found: Inspection,
}

impl<C: Cloud> Look<'_, C> {
    fn context(&self) -> Context<'_> {
        Context {
            location: self.location,
            parameters: &self.parameters,
            resources: &self.known,
        }
    }

    /// The resolved properties of all resources of a type, by logical id.
    fn of_type(&self, kind: &str) -> Vec<(String, Value)> {
        let context = self.context();
        let of_type = self
            .template
            .iter()
            .filter(|(_, it)| it.get("Type").and_then(Value::as_str) == Some(kind));
        of_type
            .map(|(id, resource)| {
                let properties = resource.get("Properties").unwrap_or(&Value::Null);
                (id.clone(), context.resolve(properties))
            })
            .collect()
    }

    /// The policy that a resource of this type gives to the topic or queue with this `Ref`.
    fn inline_policy(&self, kind: &str, of: &str, reference: &str) -> Option<Value> {
        let policies = self.of_type(kind);
        let mut policies = policies.into_iter();
        let (_, properties) = policies.find(|(_, it)| text(it, of) == Some(reference))?;
        properties.get("PolicyDocument").cloned()
    }

    fn link(&self, name: String) -> Link<'_> {
        Link {
            name,
            location: self.location,
        }
    }

    fn fault(
        &mut self,
        (code, link): (DriftCode, String),
        message: impl Into<String>,
        values: (impl Into<String>, impl Into<String>),
        fix: impl Into<Remedy>,
    ) {
        let fault = self.link(link).fault(code, message, values, fix);
        self.found.faults.push(fault);
    }

    fn unreadable(&mut self, link: String, error: &CloudError) {
        let unreadable = self.link(link).unreadable(error);
        self.found.unreadable.push(unreadable);
    }

    /// Runs a command of the AWS CLI in the hub.
    fn command(&self, command: &str) -> Remedy {
        let Location { account, region } = self.location;
        in_account(account, &format!("{command} --region {region}"))
    }

    /// Asks who it was, then runs the command.
    fn run(&self, command: &str) -> Remedy {
        Remedy::from("find out who did it and why; then ").and(self.command(command))
    }

    /// Remembers that a topic or queue is encrypted with a key of the template.
    fn uses_key(&mut self, logical_id: &str, link: &str, actual: Option<&String>) {
        let property = "/Properties/KmsMasterKeyId/Fn::GetAtt/0";
        let key = self.template.get(logical_id);
        let key = key.and_then(|it| it.pointer(property)?.as_str());
        if let Some(key) = key.map(str::to_owned) {
            let uses = self.encrypted.entry(key).or_default();
            uses.push((link.to_owned(), actual.cloned()));
        }
    }

    async fn queues(&mut self) {
        for (id, expected) in self.of_type("AWS::SQS::Queue") {
            if let Some(name) = text(&expected, "QueueName") {
                self.queue(&id, name, &expected).await;
            }
        }
    }

    async fn queue(&mut self, id: &str, name: &str, expected: &Value) {
        let link = format!("queue {name}");
        let state = match self.cloud.queue(self.location, name).await {
            Ok(Some(state)) => state,
            Ok(None) => {
                let values = ("a queue", "none");
                let code = (DriftCode::QueueMissing, link);
                return self.fault(code, "the queue does not exist", values, self.fix.clone());
            }
            Err(error) => return self.unreadable(link, &error),
        };
        let url = self.known.get(id).cloned().unwrap_or_default();
        // Canaries on their way are not dead letters.
        if state.messages > 0 && name != canary::NAME {
            let depth = state.messages;
            self.fault(
                (DriftCode::DeadLetters, format!("dead letters {name}")),
                format!("{depth} events or alerts could not be delivered"),
                ("0 messages", format!("{depth} messages")),
                read_dead_letters(self.location, &url),
            );
        }
        self.uses_key(id, &link, state.attributes.get("KmsMasterKeyId"));
        let policy = self.inline_policy("AWS::SQS::QueueInlinePolicy", "Queue", &url);
        for difference in compare_queue(expected, policy.as_ref(), &state) {
            let fix = match difference.reset(&url) {
                Some(command) => self.run(&command),
                None => self.fix.clone(),
            };
            let code = (difference.code, link.clone());
            let values = (difference.expected, difference.actual);
            self.fault(code, difference.message, values, fix);
        }
    }

    async fn bus(&mut self) {
        for (id, expected) in self.of_type("AWS::Events::EventBus") {
            let Some(name) = text(&expected, "Name") else {
                continue;
            };
            let link = format!("bus policy of {name}");
            let actual = match self.cloud.bus(self.location, name).await {
                Ok(Some(actual)) => actual,
                Ok(None) => {
                    let values = ("an event bus", "none");
                    let code = (DriftCode::BusMissing, link);
                    self.fault(code, "the bus does not exist", values, self.fix.clone());
                    continue;
                }
                Err(error) => {
                    self.unreadable(link, &error);
                    continue;
                }
            };
            let policy = expected.get("Policy").unwrap_or(&Value::Null);
            if !same_policy(policy, &actual.policy) {
                let fix = put_policy(self.location, name, policy, self.fix);
                self.fault(
                    (DriftCode::BusPolicy, link),
                    "the policy differs from the compiled one, so it may refuse spokes or admit \
                     other accounts",
                    (policy.to_string(), actual.policy.to_string()),
                    fix,
                );
            }
            let dead_letters = expected.pointer("/DeadLetterConfig/Arn");
            let declared = self.template.get(&id);
            let key = declared.and_then(|it| it.pointer("/Properties/KmsKeyIdentifier"));
            let key = key.map(|key| self.context().resolve(key));
            for (what, expected, actual) in [
                ("dead-letter queue", dead_letters, &actual.dead_letters),
                ("key", key.as_ref(), &actual.key),
            ] {
                self.bus_setting(&format!("bus {name}"), what, expected, actual.as_deref());
            }
        }
    }

    fn bus_setting(
        &mut self,
        link: &str,
        what: &str,
        expected: Option<&Value>,
        actual: Option<&str>,
    ) {
        if same_value(expected, actual.map(Value::from).as_ref()) {
            return;
        }
        let expected = expected.and_then(Value::as_str).unwrap_or("none");
        self.fault(
            (DriftCode::BusSettings, link.to_owned()),
            format!("the bus has another {what} than the template sets"),
            (expected, actual.unwrap_or("none")),
            self.fix.clone(),
        );
    }

    async fn alarms(&mut self) {
        for (_, expected) in self.of_type("AWS::CloudWatch::Alarm") {
            let Some(name) = text(&expected, "AlarmName") else {
                continue;
            };
            let link = format!("alarm {name}");
            match self.cloud.alarm(self.location, name).await {
                Ok(Some(actual)) => self.alarm(link, name, &expected, &actual),
                Ok(None) => {
                    let values = ("an alarm", "none");
                    let code = (DriftCode::AlarmMissing, link);
                    self.fault(code, "the alarm does not exist", values, self.fix.clone());
                }
                Err(error) => self.unreadable(link, &error),
            }
        }
    }

    fn alarm(&mut self, link: String, name: &str, expected: &Value, actual: &Value) {
        if actual.get("ActionsEnabled") == Some(&Value::Bool(false)) {
            self.fault(
                (DriftCode::AlarmChanged, link),
                "the alarm's actions are disabled, so nobody hears of dead letters",
                ("ActionsEnabled: true", "ActionsEnabled: false"),
                self.run(&format!(
                    "cloudwatch enable-alarm-actions --alarm-names {name}"
                )),
            );
            return;
        }
        let properties = expected.as_object().into_iter().flatten();
        let differing: Vec<(&String, &Value, &Value)> = properties
            .map(|(name, value)| (name, value, actual.get(name).unwrap_or(&Value::Null)))
            .filter(|(name, ..)| *name != "AlarmDescription" && *name != "Tags")
            .filter(|(_, expected, actual)| !same_value(Some(expected), Some(actual)))
            .collect();
        if differing.is_empty() {
            return;
        }
        let names: Vec<&str> = differing.iter().map(|(name, ..)| name.as_str()).collect();
        let side = |pick: fn(&(&String, &Value, &Value)) -> String| {
            let values: Vec<String> = differing.iter().map(pick).collect();
            values.join("; ")
        };
        let values = (
            side(|(name, expected, _)| format!("{name}: {expected}")),
            side(|(name, _, actual)| format!("{name}: {actual}")),
        );
        self.fault(
            (DriftCode::AlarmChanged, link),
            format!("the alarm was changed: {}", names.join(", ")),
            values,
            self.fix.clone(),
        );
    }
}

/// A property that is a text, if it is known.
fn text<'v>(properties: &'v Value, name: &str) -> Option<&'v str> {
    let value = properties.get(name)?.as_str();
    value.filter(|value| *value != UNKNOWN)
}

/// Whether two values mean the same; a missing one is `null`.
fn same_value(expected: Option<&Value>, actual: Option<&Value>) -> bool {
    let (expected, actual) = (
        expected.unwrap_or(&Value::Null),
        actual.unwrap_or(&Value::Null),
    );
    match (expected.as_f64(), actual.as_f64()) {
        (Some(expected), Some(actual)) => (expected - actual).abs() < f64::EPSILON,
        _ => same_document(expected, actual),
    }
}
