//! Unfolds an account's stacks before a request can observe them.
//!
//! A mutating request unfolds them permanently. A read-only one unfolds them until enough other
//! accounts have been read. Most resources are EventBridge rules, the most expensive to recreate,
//! so a request to a service that shows no rules leaves them folded.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::fold::{self, fold_away, unfold};
use super::{Deployment, Stack};
use crate::services::environment::Look;
use crate::services::iam::{access_role, forget_access_role, keep_access_role};
use crate::template::{RULE, Template};
use crate::{CloudFormation, Stage};

/// The number of accounts that stay unfolded after read-only requests. A client that visits many in
/// parallel returns to each of them a few times.
const KEPT: usize = 64;

impl Stage<'_> {
    /// Unfolds what a request can observe in an account.
    pub fn look(&mut self, account: &str, look: Look) {
        self.look_in(account, None, look);
    }

    /// [`look`](Stage::look) for a request that can observe one Region only, if one is given. A
    /// change may reach further.
    pub fn look_in(&mut self, account: &str, region: Option<&str>, look: Look) {
        access_role(self.services, account);
        match look {
            Look::PastRules => {
                for id in stacks(self, account, region, |stack| stack.folded.is_some()) {
                    show(self, &id);
                }
            }
            Look::RuleList => {
                for id in stacks(self, account, region, |stack| stack.folded.is_some()) {
                    list_rules(self, &id);
                }
            }
            Look::Anywhere => {
                for id in stacks(self, account, region, |stack| stack.folded.is_some()) {
                    unfold(self, &id);
                }
            }
            Look::ToChange => {
                keep_access_role(self.services, account);
                for id in stacks(self, account, None, |stack| !stack.looked_into) {
                    look_into(self, &id);
                }
                return;
            }
        }
        self.cloudformation.remember_look(account);
    }

    /// [`look`](Stage::look) for every account that the parameters name in an ARN or a queue URL.
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

    /// Refolds stacks that were only read, except in the `KEPT` most recently read accounts.
    pub fn fold_again(&mut self) {
        while self.cloudformation.looked_at.len() > KEPT {
            let Some(account) = self.cloudformation.looked_at.pop_front() else {
                return;
            };
            for id in stacks(self, &account, None, |stack| stack.folded.is_some()) {
                hide(self, &id);
            }
            let only_read = |stack: &Stack| {
                let only_read = stack.unfolded.is_some() && !stack.looked_into;
                only_read && stack.folded.is_none() && stack.pending.is_none()
            };
            for id in stacks(self, &account, None, only_read) {
                fold_away(self, &id);
            }
            forget_access_role(self.services, &account);
        }
    }
}

impl CloudFormation {
    /// Marks an account as recently read.
    pub fn remember_look(&mut self, account: &str) {
        let looked_at = &mut self.looked_at;
        let known = looked_at.iter().rposition(|known| **known == *account);
        let account = known
            .and_then(|position| looked_at.remove(position))
            .unwrap_or_else(|| account.into());
        looked_at.push_back(account);
    }
}

/// Recreates a folded stack's resources except rules, unless they exist already.
pub(super) fn show(stage: &mut Stage<'_>, id: &Arc<str>) {
    if stage.cloudformation.shown.contains_key(id) {
        return;
    }
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
    // Outputs that depend on a rule fail here, but these requests don't show outputs.
    let made = fold::make_some(stage, id, &deployment, &folded, Some(&others));
    let shown = &mut stage.cloudformation.shown;
    shown.insert(Arc::clone(id), made.resources);
}

/// The logical ids of all resources except rules; `None` if one of them depends on a rule.
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

/// Recreates a folded stack's rules without their targets, for which other resources would have to
/// exist; unless they exist already.
fn list_rules(stage: &mut Stage<'_>, id: &Arc<str>) {
    if stage.cloudformation.listed.contains_key(id) {
        return;
    }
    let Some(stack) = stage.stack(id) else {
        return;
    };
    let Some(folded) = stack.folded.clone() else {
        return;
    };
    let rules = Deployment {
        template: Arc::clone(stack.deployment.template.rule_list()),
        ..stack.deployment.as_ref().clone()
    };
    let made = fold::make_some(stage, id, &rules, &folded, None);
    let is_complete = made.failure.is_none();
    stage
        .cloudformation
        .listed
        .insert(Arc::clone(id), made.resources);
    if !is_complete {
        // A name or a pattern depends on another resource.
        unfold(stage, id);
    }
}

/// Removes the resources that [`show`] and [`list_rules`] recreated.
pub(super) fn hide(stage: &mut Stage<'_>, id: &str) {
    let shown = stage.cloudformation.shown.remove(id);
    let listed = stage.cloudformation.listed.remove(id);
    let Some(stack) = stage
        .stack(id)
        .filter(|_| shown.is_some() || listed.is_some())
    else {
        return;
    };
    let template = Arc::clone(&stack.deployment.template);
    let (account, region) = (Arc::clone(&stack.account), Arc::clone(&stack.region));
    for resources in shown.iter().chain(&listed) {
        fold::delete(stage, id, &template, resources);
    }
    stage.services.events.forget_default(&account, &region);
}

/// Unfolds a stack permanently, because it may be changed from now on.
pub(crate) fn look_into(stage: &mut Stage<'_>, id: &str) {
    unfold(stage, id);
    if let Some(stack) = stage.stack_mut(id) {
        stack.looked_into = true;
    }
}

/// Ids of an account's existing stacks that match, in one Region or all.
fn stacks(
    stage: &Stage<'_>,
    account: &str,
    region: Option<&str>,
    matches: impl Fn(&Stack) -> bool,
) -> Vec<Arc<str>> {
    let living = stage.cloudformation.stacks.living_in(account, region);
    living
        .filter(|stack| matches(stack))
        .map(|stack| Arc::clone(&stack.id))
        .collect()
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
