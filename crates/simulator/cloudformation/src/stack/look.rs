//! Unfolds an account's stacks before a request can observe them.
//!
//! A request that could change something unfolds them for good. One that only reads unfolds them
//! until other accounts have been looked at since. Most resources of many alike stacks are
//! EventBridge rules, and they cost most: a request to a service that shows no rules leaves them
//! folded.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Stack;
use super::fold::{self, fold_away, unfold};
use crate::services::environment::Look;
use crate::services::iam::{access_role, forget_access_role, keep_access_role};
use crate::template::Template;
use crate::{CloudFormation, Stage};

/// How many accounts stay unfolded after requests that only read. A client that visits many at once
/// comes back to each of them a few times.
const KEPT: usize = 64;

const RULE: &str = "AWS::Events::Rule";

impl Stage<'_> {
    /// Brings back what a request is about to look at in an account.
    pub fn look(&mut self, account: &str, look: Look) {
        access_role(self.services, account);
        match look {
            Look::PastRules => {
                let shown = &self.cloudformation.shown;
                let hidden = |it: &Stack| it.folded.is_some() && !shown.contains_key(&it.id);
                for id in stacks(self, account, hidden) {
                    show(self, &id);
                }
            }
            Look::Anywhere => {
                for id in stacks(self, account, |stack| stack.folded.is_some()) {
                    unfold(self, &id);
                }
            }
            Look::ToChange => {
                keep_access_role(self.services, account);
                for id in stacks(self, account, |stack| !stack.looked_into) {
                    look_into(self, &id);
                }
                return;
            }
        }
        self.cloudformation.remember_look(account);
    }

    /// Looks at every account that a request's parameters name in an ARN or a queue's URL.
    pub fn look_at_named(&mut self, input: &Value, look: Look) {
        match input {
            Value::String(text) if text.starts_with("arn:") || text.contains("://") => {
                let parts = text.split([':', '/']);
                for account in parts.filter(|part| is_account_id(part)) {
                    self.look(account, look);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.look_at_named(item, look);
                }
            }
            Value::Object(fields) => {
                for item in Map::values(fields) {
                    self.look_at_named(item, look);
                }
            }
            _ => {}
        }
    }

    /// Folds again what was only read, except in the accounts that were read last: a client that
    /// looks at one comes back to it soon.
    pub fn fold_again(&mut self) {
        while self.cloudformation.looked_at.len() > KEPT {
            let Some(account) = self.cloudformation.looked_at.pop_front() else {
                return;
            };
            for id in stacks(self, &account, |stack| stack.folded.is_some()) {
                hide(self, &id);
            }
            let only_read = |stack: &Stack| {
                let only_read = stack.unfolded.is_some() && !stack.looked_into;
                only_read && stack.folded.is_none() && stack.pending.is_none()
            };
            for id in stacks(self, &account, only_read) {
                fold_away(self, &id);
            }
            forget_access_role(self.services, &account);
        }
    }
}

impl CloudFormation {
    /// Counts an account among those that were looked at last.
    pub fn remember_look(&mut self, account: &str) {
        let looked_at = &mut self.looked_at;
        let known = looked_at.iter().rposition(|known| **known == *account);
        let account = known
            .and_then(|position| looked_at.remove(position))
            .unwrap_or_else(|| account.into());
        looked_at.push_back(account);
    }
}

/// Brings back what a folded stack has besides rules.
fn show(stage: &mut Stage<'_>, id: &Arc<str>) {
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let Some(folded) = stack.folded.clone() else {
        return;
    };
    let deployment = Arc::clone(&stack.deployment);
    let Some(others) = without_rules(&deployment.template) else {
        return unfold(stage, id);
    };
    // Outputs that depend on a rule can't be made, and these requests don't show outputs.
    let made = fold::make_some(stage, id, &deployment, &folded, &others);
    let shown = &mut stage.cloudformation.shown;
    shown.insert(Arc::clone(id), made.resources);
}

/// The logical ids of all resources but rules; `None` if one of them is made from a rule.
pub(super) fn without_rules(template: &Template) -> Option<BTreeSet<String>> {
    let is_rule = |name: &String| {
        template
            .resources
            .get(name)
            .is_some_and(|it| it.kind == RULE)
    };
    let others = template.resources.iter().filter(|(_, it)| it.kind != RULE);
    others
        .map(|(name, it)| (!it.needs.iter().any(is_rule)).then(|| name.clone()))
        .collect()
}

/// Removes what [`show`] brought back.
pub(super) fn hide(stage: &mut Stage<'_>, id: &str) {
    let Some(resources) = stage.cloudformation.shown.remove(id) else {
        return;
    };
    if let Some(stack) = stage.stack(id) {
        let template = Arc::clone(&stack.deployment.template);
        fold::delete(stage, id, &template, &resources);
    }
}

/// Unfolds a stack that may be changed from now on: it is never folded again.
pub(crate) fn look_into(stage: &mut Stage<'_>, id: &str) {
    unfold(stage, id);
    if let Some(stack) = stage.stack_mut(id) {
        stack.looked_into = true;
    }
}

/// The ids of an account's living stacks that match.
fn stacks(stage: &Stage<'_>, account: &str, matches: impl Fn(&Stack) -> bool) -> Vec<Arc<str>> {
    let living = stage.cloudformation.stacks.living_in(account, None);
    living
        .filter(|stack| matches(stack))
        .map(|stack| Arc::clone(&stack.id))
        .collect()
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
