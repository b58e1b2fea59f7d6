//! Checks the caller's IAM permissions: asks IAM for every action on every kind of resource that
//! the table names for a deployment.

use std::collections::{BTreeMap, BTreeSet};

use compiler::Bundle;
use remedy::{Command as Recommended, Remedy};

use super::Preflight;
use crate::permissions::{Command, Grant, Holder, On, Setting, grants, statement};
use crate::ports::{Cloud, CloudError, Identity, Permission};

const WHAT: &str = "permissions";

/// Kinds of resources that a message names. A caller who lacks more lacks the policy.
const SHOWN: usize = 4;

/// Simulates the caller's policies for every action of a deployment.
pub(super) async fn check(
    cloud: &impl Cloud,
    bundle: &Bundle,
    caller: &Identity,
    found: &mut Preflight,
) {
    if caller.is_root() {
        // IAM refuses to simulate it, and no policy limits it.
        let message = "not simulated: the root user of an account may do everything in it";
        found.pass(WHAT, message.to_owned());
        return;
    }
    let setting = Setting {
        bundle,
        account: &caller.account,
    };
    let mut asked = BTreeSet::new();
    let mut denied: BTreeMap<On, BTreeSet<&'static str>> = BTreeMap::new();
    for grant in grants(setting, Command::Deploy, Holder::Caller) {
        for &on in &grant.on {
            match refused(cloud, setting, caller, &grant, on).await {
                Ok(actions) if actions.is_empty() => {}
                Ok(actions) => denied.entry(on).or_default().extend(actions),
                Err(error) => {
                    found.unknown(WHAT, &error);
                    return;
                }
            }
        }
        asked.extend(grant.actions);
    }
    if denied.is_empty() {
        found.pass(WHAT, format!("all {} actions allowed", asked.len()));
        return;
    }
    let mut parts: Vec<String> = denied
        .iter()
        .take(SHOWN)
        .map(|(on, actions)| missing(setting, *on, actions))
        .collect();
    let more = denied.len().saturating_sub(SHOWN);
    if more > 0 {
        parts.push(format!("and more on {more} other kinds of resources"));
    }
    let mut fix = Remedy::from("give the caller the policy that ")
        .command(Recommended::Permissions)
        .words(" prints");
    if more == 0 {
        let statements = denied.into_iter().map(|(on, actions)| {
            let on = BTreeSet::from([on]);
            statement(setting, &Grant { on, actions }).to_string()
        });
        let statements: Vec<String> = statements.collect();
        fix = fix.words(format!(
            ", or add to the statements of its own: {}",
            statements.join(", ")
        ));
    }
    found.fail(
        WHAT,
        format!("{} may not {}", caller.arn, parts.join("; ")),
        fix,
    );
}

/// The actions and what they were refused on.
fn missing(setting: Setting<'_>, on: On, actions: &BTreeSet<&str>) -> String {
    let actions: Vec<&str> = actions.iter().copied().collect();
    let condition = on
        .condition()
        .map(|it| format!(" (passed to {})", it.value))
        .unwrap_or_default();
    format!(
        "{} on {}{condition}",
        actions.join(", "),
        on.patterns(setting).join(" and ")
    )
}

/// The actions of a grant that the caller may not perform on one kind of resource.
async fn refused(
    cloud: &impl Cloud,
    setting: Setting<'_>,
    caller: &Identity,
    grant: &Grant,
    on: On,
) -> Result<BTreeSet<&'static str>, CloudError> {
    let resources = on.examples(setting, &caller.policy_holder());
    if resources.is_empty() {
        return Ok(BTreeSet::new());
    }
    let actions: Vec<&str> = grant.actions.iter().copied().collect();
    let condition = on.condition().map(|it| (it.key, it.value));
    let answers = cloud
        .simulate_permissions(&caller.policy_holder(), &actions, &resources, condition)
        .await?;
    Ok(grant
        .actions
        .iter()
        .copied()
        .filter(|action| {
            answers
                .iter()
                .any(|(name, answer)| name == action && *answer == Permission::Denied)
        })
        .collect())
}
