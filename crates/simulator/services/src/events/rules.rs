//! The rules of a bus, compiled for matching on demand.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use eventbridge_pattern::transformer::InputTransformer;
use eventbridge_pattern::{EventError, RuleSet, Scratch};
use serde_json::Value;

use super::{Rule, targets};

/// The rules of a bus, by name. Any change drops the compiled set.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    by_name: BTreeMap<String, Rule>,
    /// Compiled on the first event after a change, so a bus without events costs nothing.
    ready: Option<Arc<Ready>>,
}

impl Deref for Rules {
    type Target = BTreeMap<String, Rule>;

    fn deref(&self) -> &BTreeMap<String, Rule> {
        &self.by_name
    }
}

impl Rules {
    pub(crate) fn insert(&mut self, name: String, rule: Rule) {
        self.ready = None;
        self.by_name.insert(name, rule);
    }

    /// Mutable access; drops the compiled set.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Rule> {
        self.ready = None;
        self.by_name.get_mut(name)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.ready = None;
        self.by_name.remove(name);
    }

    /// The compiled rules, shared by all events until a rule changes.
    pub(super) fn ready(&mut self) -> Arc<Ready> {
        let ready = self
            .ready
            .get_or_insert_with(|| Arc::new(Ready::new(&self.by_name)));
        Arc::clone(ready)
    }
}

/// The patterns of a bus compiled to one set, with each rule's targets.
#[derive(Debug)]
pub(super) struct Ready {
    set: RuleSet,
    /// Indexed by the set's pattern ids.
    rules: Vec<ReadyRule>,
}

/// A rule with parsed targets.
#[derive(Debug)]
pub(super) struct ReadyRule {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) targets: Vec<Target>,
}

#[derive(Debug)]
pub(super) struct Target {
    pub(super) id: String,
    pub(super) arn: String,
    pub(super) role: Option<String>,
    pub(super) dead_letters: Option<String>,
    pub(super) input: Input,
    /// The unparsed target: any part of it may name another account.
    pub(super) written: Value,
}

/// The input that a target receives.
#[derive(Debug)]
pub(super) enum Input {
    Event,
    Constant(String),
    Path(String),
    Transformer(InputTransformer),
    /// An invalid transformer, with the reason.
    Invalid(String),
}

impl Ready {
    fn new(rules: &BTreeMap<String, Rule>) -> Ready {
        let mut set = RuleSet::builder();
        for (id, rule) in rules.values().enumerate() {
            if let Some(pattern) = &rule.pattern {
                set = set.add(id, pattern);
            }
        }
        Ready {
            set: set.build(),
            rules: rules.values().map(ReadyRule::new).collect(),
        }
    }

    /// The rules whose patterns match the event. A pattern that exceeds the matcher's limit counts
    /// as a match: a false alert is better than a lost one.
    pub(super) fn matching(
        &self,
        event: &str,
        scratch: &mut Scratch,
    ) -> Result<Vec<&ReadyRule>, EventError> {
        let matches = self.set.matches(event.as_bytes(), scratch)?;
        Ok(matches
            .possible()
            .filter_map(|id| self.rules.get(id))
            .collect())
    }

    pub(super) fn count(&self) -> usize {
        self.rules.len()
    }
}

impl ReadyRule {
    fn new(rule: &Rule) -> ReadyRule {
        ReadyRule {
            arn: rule.arn.clone(),
            name: rule.name.clone(),
            state: rule.state().to_owned(),
            targets: rule.targets().iter().map(Target::new).collect(),
        }
    }
}

impl Target {
    fn new(written: &Value) -> Target {
        let text = |name: &str| written.get(name).and_then(Value::as_str).map(str::to_owned);
        let dead_letters = written
            .pointer("/DeadLetterConfig/Arn")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let input = match (text("Input"), text("InputPath")) {
            (Some(constant), _) => Input::Constant(constant),
            (None, Some(path)) if path.is_empty() => Input::Constant("{}".to_owned()),
            (None, Some(path)) => Input::Path(path),
            (None, None) => match targets::transformer(written) {
                Ok(Some(transformer)) => Input::Transformer(transformer),
                Ok(None) => Input::Event,
                Err(error) => Input::Invalid(error.message),
            },
        };
        Target {
            id: text("Id").unwrap_or_default(),
            arn: text("Arn").unwrap_or_default(),
            role: text("RoleArn"),
            dead_letters,
            input,
            written: written.clone(),
        }
    }
}
