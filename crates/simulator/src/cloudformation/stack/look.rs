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
use crate::services::environment::Look;
use crate::world::World;

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
    pub(crate) fn at(self, world: &mut World, account: &str) {
        match self {
            Look::PastRules => glance_past_rules(world, account),
            Look::Anywhere => glance(world, account),
            Look::ToChange => warm(world, account),
        }
    }
}

/// Somebody is going to look into an account and change nothing: brings back what is folded there,
/// until [`cool`] finds that it is long ago.
pub(crate) fn glance(world: &mut World, account: &str) {
    crate::services::iam::access_role(&mut world.services, account);
    for id in stacks(world, account, |stack| stack.folded.is_some()) {
        unfold(world, &id);
    }
    remember_glance(world, account);
}

/// Somebody is going to ask one of the [`WITHOUT_RULES`] about an account and change nothing.
fn glance_past_rules(world: &mut World, account: &str) {
    crate::services::iam::access_role(&mut world.services, account);
    let shown = &world.cloudformation.shown;
    let hidden = |stack: &Stack| stack.folded.is_some() && !shown.contains_key(&stack.id);
    for id in stacks(world, account, hidden) {
        show(world, &id);
    }
    remember_glance(world, account);
}

/// Brings back what a folded stack has besides rules.
fn show(world: &mut World, id: &Arc<str>) {
    let Some(stack) = world.cloudformation.stacks.get(id) else {
        return;
    };
    let Some(folded) = stack.folded.clone() else {
        return;
    };
    let deployment = Arc::clone(&stack.deployment);
    let Some(others) = without_rules(&deployment.template) else {
        return unfold(world, id);
    };
    // Outputs that tell something of a rule can't be made, and nobody asks for them here.
    let made = fold::make_some(world, id, &deployment, &folded, &others);
    let shown = &mut world.cloudformation.shown;
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
pub(super) fn conceal(world: &mut World, id: &str) {
    let Some(resources) = world.cloudformation.shown.remove(id) else {
        return;
    };
    if let Some(stack) = world.cloudformation.stacks.get(id) {
        let template = Arc::clone(&stack.deployment.template);
        fold::delete(world, id, &template, &resources);
    }
}

/// Has [`cool`] look after an account.
pub(crate) fn remember_glance(world: &mut World, account: &str) {
    let glanced = &mut world.cloudformation.glanced;
    match glanced.iter().rposition(|known| **known == *account) {
        Some(position) => {
            if let Some(known) = glanced.remove(position) {
                glanced.push_back(known);
            }
        }
        None => glanced.push_back(account.into()),
    }
}

/// Folds again what was only glanced at, but for the accounts that were glanced at last: whoever
/// looks at one comes back to it soon.
pub(crate) fn cool(world: &mut World) {
    while world.cloudformation.glanced.len() > GLANCED {
        let Some(account) = world.cloudformation.glanced.pop_front() else {
            return;
        };
        for id in stacks(world, &account, |stack| stack.folded.is_some()) {
            conceal(world, &id);
        }
        let glanced_at = |stack: &Stack| {
            let glanced_at = stack.unfolded.is_some() && !stack.looked_into;
            glanced_at && stack.folded.is_none() && stack.pending.is_none()
        };
        for id in stacks(world, &account, glanced_at) {
            put_away(world, &id);
        }
        crate::services::iam::forget_access_role(&mut world.services, &account);
    }
}

/// Somebody is going to change something in an account: brings back for good what is folded there.
pub(crate) fn warm(world: &mut World, account: &str) {
    crate::services::iam::access_role(&mut world.services, account);
    crate::services::iam::keep_access_role(&mut world.services, account);
    for id in stacks(world, account, |stack| !stack.looked_into) {
        look_into(world, &id);
    }
}

/// Somebody is going to look into a stack or change it: it is never folded again.
pub(crate) fn look_into(world: &mut World, id: &str) {
    unfold(world, id);
    if let Some(stack) = world.cloudformation.stacks.get_mut(id) {
        stack.looked_into = true;
    }
}

/// Looks at every account that a request's parameters name in an ARN or a queue's URL.
pub(crate) fn named(world: &mut World, input: &Value, look: Look) {
    match input {
        Value::String(text) if text.starts_with("arn:") || text.contains("://") => {
            let parts = text.split([':', '/']);
            for account in parts.filter(|part| is_account_id(part)) {
                look.at(world, account);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(world, item, look)),
        Value::Object(fields) => Map::values(fields).for_each(|item| named(world, item, look)),
        _ => {}
    }
}

/// The ids of an account's living stacks, as far as they are such.
fn stacks(world: &World, account: &str, such: impl Fn(&Stack) -> bool) -> Vec<Arc<str>> {
    let living = world.cloudformation.stacks.living_in(account, None);
    living
        .filter(|stack| such(stack))
        .map(|stack| Arc::clone(&stack.id))
        .collect()
}

fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
