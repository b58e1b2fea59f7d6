//! The IAM permissions of every command, from one table.
//!
//! [`ROWS`] has every action that the adapter (crate `aws`) calls and every action that
//! CloudFormation's resource handlers call with the caller's permissions in the management
//! account. From it come the [policies] that `gizmos permissions` prints and what the
//! preflight asks IAM about; a test of crate `aws` compares the calls in its sources with it.
//!
//! **A new call** of the adapter is one row in `table.rs`: who makes it, the action, its resources
//! and the commands:
//!
//! ```text
//! Management: "events:ListRules" on [Anything] for [Drift Deploy];
//! ```
//!
//! A new property of a resource in the management account's stacks may need a row, too, with
//! `of ["AWS::Events::Rule"]` behind the action. Resources that no row had before are a new variant
//! of [`On`].
//!
//! The resources of each action are those of the service authorization reference:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html>. The actions
//! of resource handlers are those in the schemas of the CloudFormation registry.

mod policy;
mod resource;
mod table;

use std::collections::BTreeSet;

use compiler::Bundle;
use serde_json::Value;

pub(crate) use policy::statement;
pub use policy::{Policy, policies, session_policy};
pub use resource::{Condition, On};
pub use table::ROWS;

/// A command that has a policy of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Command {
    /// `plan`, and `doctor`'s own questions.
    Plan,
    /// `drift`.
    Drift,
    /// `deploy` and `destroy`, with everything that the others need.
    Deploy,
    /// `verify`.
    Verify,
}

impl Command {
    /// All commands, in the order in which a user needs them.
    pub const ALL: [Command; 4] = [
        Command::Plan,
        Command::Drift,
        Command::Deploy,
        Command::Verify,
    ];

    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            Command::Plan => "plan",
            Command::Drift => "drift",
            Command::Deploy => "deploy",
            Command::Verify => "verify",
        }
    }
}

/// Whose permission a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// The caller, who administers stack sets.
    Caller,
    /// Whoever works in the management account: the caller, or the access role that a delegated
    /// administrator assumes there.
    Management,
    /// The access role in every other account.
    AccessRole,
}

/// One action that commands need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Whose permission it needs.
    pub holder: Holder,
    /// As IAM names it: `cloudformation:CreateStackSet`.
    pub action: &'static str,
    /// Who calls it in place of the adapter: the resource types whose handlers do, or the action
    /// that implies it.
    pub of: &'static [&'static str],
    /// The resources of the call. AWS asks for each of them.
    pub on: &'static [On],
    /// The commands that need it; none if it takes no permission.
    pub commands: &'static [Command],
}

impl Row {
    /// Whether the adapter itself makes the call.
    pub fn is_of_adapter(&self) -> bool {
        self.of.is_empty()
    }

    /// Whether a command needs the row for this bundle: handlers only for the types that the
    /// management account's stacks have.
    fn applies(&self, command: Command, types: &BTreeSet<String>) -> bool {
        let is_type = |name: &&&str| name.starts_with("AWS::");
        let mut handled = self.of.iter().filter(is_type).peekable();
        self.commands.contains(&command)
            && (handled.peek().is_none() || handled.any(|name| types.contains(*name)))
    }
}

/// The organization and who calls, as the ARNs of policies depend on them.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The compiled stack sets.
    pub bundle: &'a Bundle,
    /// The account of the caller: the management account, or a delegated administrator of
    /// StackSets.
    pub account: &'a str,
}

impl Setting<'_> {
    /// Whether the caller is a delegated administrator of StackSets.
    pub fn is_delegated(&self) -> bool {
        self.account != self.bundle.organization.accounts.management
    }
}

/// The resource types of the management account's stacks.
pub fn management_types(bundle: &Bundle) -> BTreeSet<String> {
    bundle
        .stack_sets
        .iter()
        .filter(|set| !set.targets.management_regions.is_empty())
        .filter_map(|set| serde_json::from_str::<Value>(&set.template).ok())
        .flat_map(|template| {
            let resources = template.get("Resources").and_then(Value::as_object);
            let types = resources.into_iter().flat_map(serde_json::Map::values);
            types
                .filter_map(|resource| resource.get("Type")?.as_str().map(str::to_owned))
                .collect::<Vec<String>>()
        })
        .collect()
}

/// Actions that the same holder needs on the same resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) on: BTreeSet<On>,
    pub(crate) actions: BTreeSet<&'static str>,
}

/// What a holder needs for a command, with equal resources together.
pub(crate) fn grants(setting: Setting<'_>, command: Command, holder: Holder) -> Vec<Grant> {
    // Each caller works in its own account with its own permissions: in the management account, or
    // as a delegated administrator in a member account, which may be the hub.
    let holders: &[Holder] = match holder {
        Holder::Caller if !setting.is_delegated() => &[Holder::Caller, Holder::Management],
        Holder::Management if !setting.is_delegated() => &[],
        Holder::Caller => &[Holder::Caller, Holder::AccessRole],
        Holder::Management => &[Holder::Management],
        Holder::AccessRole => &[Holder::AccessRole],
    };
    grants_of(setting, command, holders)
}

/// What the rows of these holders grant for a command, with equal resources together.
fn grants_of(setting: Setting<'_>, command: Command, holders: &[Holder]) -> Vec<Grant> {
    let types = management_types(setting.bundle);
    let rows = || {
        ROWS.iter()
            .filter(|row| holders.contains(&row.holder) && row.applies(command, &types))
    };
    let mut grants: Vec<Grant> = Vec::new();
    for action in rows().map(|row| row.action).collect::<BTreeSet<_>>() {
        let on = rows()
            .filter(|row| row.action == action)
            .flat_map(|row| row.on);
        let on: BTreeSet<On> = on
            .copied()
            .filter(|on| !on.patterns(setting).is_empty())
            .collect();
        // A condition belongs to a statement of its own.
        let (plain, conditional): (BTreeSet<On>, BTreeSet<On>) =
            on.into_iter().partition(|on| on.condition().is_none());
        // `*` includes every other resource.
        let plain = if plain.contains(&On::Anything) {
            BTreeSet::from([On::Anything])
        } else {
            plain
        };
        let conditional = conditional.into_iter().map(|on| BTreeSet::from([on]));
        for on in std::iter::once(plain).chain(conditional) {
            match grants.iter_mut().find(|grant| grant.on == on) {
                _ if on.is_empty() => {}
                Some(grant) => {
                    grant.actions.insert(action);
                }
                None => grants.push(Grant {
                    on,
                    actions: BTreeSet::from([action]),
                }),
            }
        }
    }
    grants.sort_by(|a, b| a.on.cmp(&b.on));
    grants
}

#[cfg(test)]
mod tests;
