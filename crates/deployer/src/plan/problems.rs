//! Reasons that make any deployment impossible or unsafe.

use std::collections::{BTreeMap, BTreeSet};

use compiler::organization::{Forward, Organization};
use compiler::{Bundle, FORMAT, RULES_WITH_WILDCARD, rules_with_wildcard};
use remedy::Remedy;

use super::model::{Problem, ProblemKind};
use crate::fleet::{Observed, format};
use crate::ports::{AccountState, OrganizationDetails, TrustedAccess};

fn problem(kind: ProblemKind, message: String, fix: impl Into<Remedy>) -> Problem {
    Problem {
        kind,
        message,
        fix: fix.into(),
    }
}

/// Reports credentials of another organization.
pub(crate) fn wrong_organization(
    expected: &Organization,
    found: &OrganizationDetails,
) -> Option<Problem> {
    (found.id != expected.id).then(|| {
        problem(
            ProblemKind::WrongOrganization,
            format!(
                "the credentials belong to organization {}, but the organization file describes {}",
                found.id, expected.id
            ),
            "use credentials of the right organization, or correct `organization` in the \
             organization file",
        )
    })
}

/// Reports a management account that differs from the organization file.
pub(crate) fn wrong_management_account(
    expected: &Organization,
    found: &OrganizationDetails,
) -> Option<Problem> {
    (found.management_account != expected.accounts.management).then(|| {
        problem(
            ProblemKind::WrongManagementAccount,
            format!(
                "the organization's management account is {}, but the organization file says {}",
                found.management_account, expected.accounts.management
            ),
            "correct `accounts.management` in the organization file",
        )
    })
}

/// Reports a fleet that this version doesn't know how to change.
pub(crate) fn newer_format(bundle: &Bundle, observed: &Observed) -> Option<Problem> {
    let sets = observed.owned_stack_sets(bundle);
    let sets = sets.map(|found| (&found.details.name, &found.details.tags));
    let stacks = observed.owned_stacks(bundle);
    let stacks = stacks.map(|found| (&found.stack.name, &found.stack.tags));
    let formats = sets.chain(stacks);
    let (format, name) = formats
        .filter_map(|(name, tags)| Some((format(tags)?, name)))
        .max()?;
    (format > FORMAT).then(|| {
        problem(
            ProblemKind::NewerFormat,
            format!(
                "a newer version of Gizmos deployed {name}: the fleet has format {format}, and this \
                 version knows formats up to {FORMAT}"
            ),
            "use that version or a later one; this one would misread or harm the fleet",
        )
    })
}

/// Reports an update on whose way a bus would have more rules with wildcards than it may:
/// CloudFormation creates rules before it deletes those that they replace, and stack sets receive
/// rules before others give them.
fn too_many_wildcards(bundle: &Bundle, observed: &Observed) -> Option<Problem> {
    let mut by_bus: BTreeMap<String, BTreeSet<(&str, String)>> = BTreeMap::new();
    let compiled = bundle.stack_sets.iter();
    let compiled = compiled.map(|set| (set.name.as_str(), set.template.as_str()));
    let deployed = observed.owned_stack_sets(bundle);
    let deployed = deployed.map(|it| (it.details.name.as_str(), it.details.template.as_str()));
    for (name, template) in compiled.chain(deployed) {
        for (bus, logical_id) in rules_with_wildcard(template) {
            by_bus.entry(bus).or_default().insert((name, logical_id));
        }
    }
    let (bus, count) = by_bus
        .into_iter()
        .map(|(bus, rules)| (bus, rules.len()))
        .find(|(_, count)| *count > RULES_WITH_WILDCARD)?;
    let is_default = bus.is_empty();
    let bus = if is_default {
        "the default bus of an account"
    } else {
        "the hub's bus"
    };
    let fix = if is_default && bundle.organization.forward == Forward::Exact {
        "deploy once with `forward: broad` in the organization file, which needs no wildcards, and then \
         with `forward: exact` again"
    } else {
        "make the change in two deployments: first remove rules with wildcards, then add others"
    };
    Some(problem(
        ProblemKind::TooManyWildcards,
        format!(
            "on the way, {bus} would have {count} rules with `wildcard`, and the quota is \
             {RULES_WITH_WILDCARD}: new rules are created before those that they replace are deleted"
        ),
        fix,
    ))
}

/// Fix for disabled trusted access.
pub(crate) const ACTIVATE_TRUSTED_ACCESS: &str = "activate it once with the management account's \
     credentials: `aws cloudformation activate-organizations-access`";

pub(super) fn problems(bundle: &Bundle, observed: &Observed) -> Vec<Problem> {
    let organization = &bundle.organization;
    if let Some(problem) = wrong_organization(organization, &observed.organization) {
        return vec![problem];
    }
    if let Some(problem) = newer_format(bundle, observed) {
        return vec![problem];
    }
    let mut problems = Vec::new();
    problems.extend(wrong_management_account(
        organization,
        &observed.organization,
    ));
    let uses_stack_sets = bundle
        .stack_sets
        .iter()
        .any(|set| set.targets.members.is_some());
    if uses_stack_sets && observed.trusted_access == TrustedAccess::Disabled {
        problems.push(problem(
            ProblemKind::TrustedAccessOff,
            "StackSets has no trusted access to the organization".to_owned(),
            ACTIVATE_TRUSTED_ACCESS,
        ));
    }
    problems.extend(too_many_wildcards(bundle, observed));
    let parts = [
        ("accounts.log_archive", &organization.accounts.log_archive),
        ("accounts.hub", &organization.accounts.hub),
    ];
    for (field, id) in parts {
        let wrong = match observed.membership.account(id) {
            None => "is not in the organization".to_owned(),
            Some(account) if account.state != AccountState::Active => {
                format!("is {}", account.state.describe())
            }
            Some(_) => continue,
        };
        problems.push(problem(
            ProblemKind::AccountMissing,
            format!("account {id} {wrong}"),
            format!("correct `{field}` in the organization file"),
        ));
    }
    for unit in &organization.targets.organizational_units {
        let mut accounts = observed.membership.accounts.iter();
        if !accounts.any(|account| account.is_under(unit)) {
            problems.push(problem(
                ProblemKind::EmptyTarget,
                format!("there is no account under {unit}"),
                "correct `targets.organizational_units` in the organization file",
            ));
        }
    }
    problems
}
