//! Who looks at an account finds what is there, though its stacks are folded.
//!
//! Somebody who could change something brings everything back for good, and somebody who only
//! reads, until others have been looked at since. Most resources of many alike stacks are
//! EventBridge rules, and they cost most: who asks another service doesn't bring them back.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Stack;
use super::fold::{self, put_away, unfold};
use crate::cloudformation::template::Template;
use crate::cloudformation::{CloudFormation, Stage};
use crate::services::environment::Look;

/// So many accounts that were only looked at stay as they were looked at. A client that visits many
/// at once comes back to each of them a few times.
const GLANCED: usize = 64;

/// The services whose answers show nothing of a stack's rules.
const WITHOUT_RULES: &[&str] = &["iam", "sqs"];

const RULE: &str = "AWS::Events::Rule";

impl Look {
    /// What a call of a service looks at.
    pub(crate) fn of(service: &str, mutating: bool) -> Look {
        if mutating {
            Look::ToChange
        } else if WITHOUT_RULES.contains(&service) {
            Look::PastRules
        } else {
            Look::Anywhere
        }
    }

    /// Brings back what there is to see in an account.
    pub(crate) fn at(self, stage: &mut Stage<'_>, account: &str) {
        match self {
            Look::PastRules => glance_past_rules(stage, account),
            Look::Anywhere => glance(stage, account),
            Look::ToChange => warm(stage, account),
        }
    }
}

/// Somebody is going to look into an account and change nothing: brings back what is folded there,
/// until [`cool`] finds that it is long ago.
pub(crate) fn glance(stage: &mut Stage<'_>, account: &str) {
    crate::services::iam::access_role(stage.services, account);
    for id in stacks(stage, account, |stack| stack.folded.is_some()) {
        unfold(stage, &id);
    }
    stage.cloudformation.remember_glance(account);
}

/// Somebody is going to ask one of the [`WITHOUT_RULES`] about an account and change nothing.
fn glance_past_rules(stage: &mut Stage<'_>, account: &str) {
    crate::services::iam::access_role(stage.services, account);
    let shown = &stage.cloudformation.shown;
    let hidden = |stack: &Stack| stack.folded.is_some() && !shown.contains_key(&stack.id);
    for id in stacks(stage, account, hidden) {
        show(stage, &id);
    }
    stage.cloudformation.remember_glance(account);
}

/// Brings back what a folded stack has besides rules.
fn show(stage: &mut Stage<'_>, id: &Arc<str>) {
    let Some(stack) = stage.cloudformation.stacks.get(id) else {
        return;
    };
    let Some(folded) = stack.folded.clone() else {
        return;
    };
    let deployment = Arc::clone(&stack.deployment);
    let Some(others) = without_rules(&deployment.template) else {
        return unfold(stage, id);
    };
    // Outputs that tell something of a rule can't be made, and nobody asks for them here.
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

/// Takes back what [`show`] has brought.
pub(super) fn conceal(stage: &mut Stage<'_>, id: &str) {
    let Some(resources) = stage.cloudformation.shown.remove(id) else {
        return;
    };
    if let Some(stack) = stage.cloudformation.stacks.get(id) {
        let template = Arc::clone(&stack.deployment.template);
        fold::delete(stage, id, &template, &resources);
    }
}

impl CloudFormation {
    /// Has [`cool`] look after an account.
    pub(crate) fn remember_glance(&mut self, account: &str) {
        let glanced = &mut self.glanced;
        if let Some(position) = glanced.iter().rposition(|known| **known == *account) {
            if let Some(known) = glanced.remove(position) {
                glanced.push_back(known);
            }
        } else {
            glanced.push_back(account.into());
        }
    }
}

/// Folds again what was only glanced at, but for the accounts that were glanced at last: whoever
/// looks at one comes back to it soon.
pub(crate) fn cool(stage: &mut Stage<'_>) {
    while stage.cloudformation.glanced.len() > GLANCED {
        let Some(account) = stage.cloudformation.glanced.pop_front() else {
            return;
        };
        for id in stacks(stage, &account, |stack| stack.folded.is_some()) {
            conceal(stage, &id);
        }
        let glanced_at = |stack: &Stack| {
            let glanced_at = stack.unfolded.is_some() && !stack.looked_into;
            glanced_at && stack.folded.is_none() && stack.pending.is_none()
        };
        for id in stacks(stage, &account, glanced_at) {
            put_away(stage, &id);
        }
        crate::services::iam::forget_access_role(stage.services, &account);
    }
}

/// Somebody is going to change something in an account: brings back for good what is folded there.
pub(crate) fn warm(stage: &mut Stage<'_>, account: &str) {
    crate::services::iam::access_role(stage.services, account);
    crate::services::iam::keep_access_role(stage.services, account);
    for id in stacks(stage, account, |stack| !stack.looked_into) {
        look_into(stage, &id);
    }
}

/// Somebody is going to look into a stack or change it: it is never folded again.
pub(crate) fn look_into(stage: &mut Stage<'_>, id: &str) {
    unfold(stage, id);
    if let Some(stack) = stage.cloudformation.stacks.get_mut(id) {
        stack.looked_into = true;
    }
}

/// Looks at every account that a request's parameters name in an ARN or a queue's URL.
pub(crate) fn named(stage: &mut Stage<'_>, input: &Value, look: Look) {
    match input {
        Value::String(text) if text.starts_with("arn:") || text.contains("://") => {
            let parts = text.split([':', '/']);
            for account in parts.filter(|part| is_account_id(part)) {
                look.at(stage, account);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(stage, item, look)),
        Value::Object(fields) => Map::values(fields).for_each(|item| named(stage, item, look)),
        _ => {}
    }
}

/// The ids of an account's living stacks, as far as they are such.
fn stacks(stage: &Stage<'_>, account: &str, such: impl Fn(&Stack) -> bool) -> Vec<Arc<str>> {
    let living = stage.cloudformation.stacks.living_in(account, None);
    living
        .filter(|stack| such(stack))
        .map(|stack| Arc::clone(&stack.id))
        .collect()
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
