//! What must change for the fleet to equal the bundle.

mod basis;
mod compare;
mod desired;
mod estimate;
mod model;

use std::collections::{BTreeMap, BTreeSet};

use compiler::{Bundle, OWNERSHIP_TAG, Part, StackSet};

use compare::{Deployed, reasons, rule_changes};
pub(crate) use compare::{resources, rule_of, same_template};
pub(crate) use desired::{desired, region_is_off, selected};
pub use model::{
    Basis, BlockedLocation, Cells, Change, Estimate, Plan, PlanSummary, Problem, ProblemKind,
    Reason, Repair, RuleChange, RuleChangeKind, StackPlan, StackSetPlan,
};

use crate::observe::{Observed, ObservedStack, ObservedStackSet, World};
use crate::ports::{Account, AccountState, Instance, InstanceStatus, Location, TrustedAccess};

/// Compares bundle and fleet. Pure: the same two always give the same plan.
pub fn plan(bundle: &Bundle, observed: &Observed) -> Plan {
    let problems = problems(bundle, observed);
    let mut plan = Plan {
        organization: bundle.organization.id.clone(),
        problems,
        stack_sets: Vec::new(),
        stacks: Vec::new(),
        accounts: watched(bundle, &observed.accounts).len(),
        regions: bundle.organization.regions.len(),
        estimate: Estimate::default(),
        basis: basis::basis(bundle, observed),
    };
    if observed.organization.id != bundle.organization.id {
        // Compared with a stranger's fleet, everything would look new.
        return plan;
    }
    let world = observed.world();
    for set in &bundle.stack_sets {
        if set.targets.members.is_some() {
            let existing = observed.stack_sets.get(&set.name);
            plan.stack_sets
                .push(plan_stack_set(bundle, set, existing, &world));
        }
        for region in &set.targets.management_regions {
            let location = Location::new(&bundle.organization.accounts.management, region);
            let blocked = observed
                .stacks_unreadable
                .as_ref()
                .map(|error| no_way_in(bundle, error))
                .or_else(|| world.is_off(region).then(|| region_is_off(region)));
            if let Some(reason) = blocked {
                plan.stacks.push(StackPlan {
                    name: set.name.clone(),
                    part: Some(set.part),
                    location,
                    change: Change::Blocked { reason },
                    rules: Vec::new(),
                });
                continue;
            }
            let existing = find_stack(observed, &location, &set.name);
            plan.stacks.push(plan_stack(set, location, existing));
        }
    }
    plan.stack_sets
        .extend(unwanted_stack_sets(bundle, observed, &world));
    plan.stacks.extend(unwanted_stacks(bundle, observed));
    plan.estimate = estimate::estimate(bundle, &world.accounts, &plan);
    plan
}

/// What a delegated administrator that can't act in the management account has to know.
fn no_way_in(bundle: &Bundle, error: &str) -> String {
    let organization = &bundle.organization;
    format!(
        "the stacks of the management account can't be reached from here ({error}); create the \
         role {} in account {} and let this account assume it, or deploy once with the management \
         account's own credentials",
        organization.access_role, organization.accounts.management
    )
}

/// Accounts in use that the bundle is meant for, the management account included if it gets a
/// stack.
fn watched<'a>(bundle: &'a Bundle, accounts: &'a [Account]) -> BTreeSet<&'a str> {
    let mut ids = BTreeSet::new();
    for set in &bundle.stack_sets {
        if let Some(members) = &set.targets.members {
            ids.extend(
                selected(members, &bundle.organization, accounts)
                    .filter(|account| account.state == AccountState::Active)
                    .map(|account| account.id.as_str()),
            );
        }
        if !set.targets.management_regions.is_empty() {
            ids.insert(&bundle.organization.accounts.management);
        }
    }
    ids
}

fn problems(bundle: &Bundle, observed: &Observed) -> Vec<Problem> {
    let organization = &bundle.organization;
    if observed.organization.id != organization.id {
        return vec![Problem {
            kind: ProblemKind::WrongOrganization,
            message: format!(
                "the credentials belong to organization {}, the organization file is about {}",
                observed.organization.id, organization.id
            ),
            fix: "use credentials of the right organization, or correct `organization` in the \
                  organization file"
                .to_owned(),
        }];
    }
    let mut problems = Vec::new();
    if observed.organization.management_account != organization.accounts.management {
        problems.push(Problem {
            kind: ProblemKind::WrongManagementAccount,
            message: format!(
                "the organization's management account is {}, the organization file says {}",
                observed.organization.management_account, organization.accounts.management
            ),
            fix: "correct `accounts.management` in the organization file".to_owned(),
        });
    }
    let uses_stack_sets = bundle
        .stack_sets
        .iter()
        .any(|set| set.targets.members.is_some());
    if uses_stack_sets && observed.trusted_access == TrustedAccess::Disabled {
        problems.push(Problem {
            kind: ProblemKind::TrustedAccessOff,
            message: "StackSets has no trusted access to the organization".to_owned(),
            fix: "activate it once with the management account's credentials: \
                  `aws cloudformation activate-organizations-access`"
                .to_owned(),
        });
    }
    let parts = [
        ("accounts.log_archive", &organization.accounts.log_archive),
        ("accounts.hub", &organization.accounts.hub),
    ];
    for (field, id) in parts {
        let account = observed.accounts.iter().find(|account| account.id == *id);
        let wrong = match account {
            None => Some("is not in the organization".to_owned()),
            Some(account) if account.state != AccountState::Active => {
                Some(format!("is {}", account.state.describe()))
            }
            Some(_) => None,
        };
        if let Some(wrong) = wrong {
            problems.push(Problem {
                kind: ProblemKind::AccountMissing,
                message: format!("account {id} {wrong}"),
                fix: format!("correct `{field}` in the organization file"),
            });
        }
    }
    for unit in &organization.targets.organizational_units {
        if !observed
            .accounts
            .iter()
            .any(|account| account.is_under(unit))
        {
            problems.push(Problem {
                kind: ProblemKind::EmptyTarget,
                message: format!("there is no account under {unit}"),
                fix: "correct `targets.organizational_units` in the organization file".to_owned(),
            });
        }
    }
    problems
}

/// Whether somebody else's tags, or none, are on it.
pub(crate) fn is_owned(tags: &BTreeMap<String, String>) -> bool {
    tags.get(OWNERSHIP_TAG.0)
        .is_some_and(|value| value == OWNERSHIP_TAG.1)
}

fn not_owned(what: &str, name: &str) -> String {
    format!(
        "a {what} named {name} exists without the tag {}={}; it belongs to somebody else",
        OWNERSHIP_TAG.0, OWNERSHIP_TAG.1
    )
}

/// Compares one stack set with what exists.
pub(crate) fn plan_stack_set(
    bundle: &Bundle,
    set: &StackSet,
    existing: Option<&ObservedStackSet>,
    world: &World,
) -> StackSetPlan {
    let mut wanted = match &set.targets.members {
        Some(members) => desired(members, &bundle.organization, world),
        None => desired::Desired::default(),
    };
    let mut plan = StackSetPlan::new(&set.name, Some(set.part), Change::Create);
    let Some(existing) = existing else {
        plan.rules = rule_changes(Some(set), None);
        plan.add = wanted.locations.into_iter().collect();
        plan.blocked = wanted.blocked;
        return plan;
    };
    if !is_owned(&existing.details.tags) {
        plan.change = Change::Blocked {
            reason: not_owned("stack set", &set.name),
        };
        return plan;
    }
    plan.in_progress = existing.pending.iter().map(|op| op.id.clone()).collect();
    let mut why = reasons(
        set,
        Deployed {
            template: &existing.details.template,
            parameters: &existing.details.parameters,
            tags: &existing.details.tags,
            description: Some(&existing.details.description),
        },
    );
    let everywhere = !why.is_empty();
    if let Some(auto) = &existing.details.auto_deployment
        && (auto.enabled != set.auto_deployment || (auto.enabled && auto.retain_stacks))
    {
        why.push(Reason::AutoDeployment);
    }
    plan.rules = rule_changes(Some(set), Some(&existing.details.template));
    plan.change = if why.is_empty() {
        Change::Unchanged
    } else {
        Change::Update { reasons: why }
    };
    plan.blocked = wanted.blocked;
    let blocked: BTreeSet<Location> = plan.blocked.iter().map(|it| it.location.clone()).collect();
    for instance in &existing.instances {
        let location = Location::new(&instance.account, &instance.region);
        if wanted.locations.remove(&location) {
            if is_stuck(instance) {
                plan.repair.push(Repair::of(instance));
            } else if everywhere || instance.status != InstanceStatus::Current {
                plan.update.push(location);
            } else {
                plan.unchanged += 1;
                *plan.unchanged_in.entry(location.region).or_default() += 1;
            }
        } else if !blocked.contains(&location) {
            if world.is_off(&location.region) {
                plan.blocked.push(out_of_reach(location, world));
            } else {
                plan.remove.push(location);
            }
        }
    }
    plan.add = wanted.locations.into_iter().collect();
    plan.blocked.sort_by(|a, b| a.location.cmp(&b.location));
    plan.update.sort();
    plan.remove.sort();
    plan
}

/// Whether no operation can reach an instance any more.
fn is_stuck(instance: &Instance) -> bool {
    instance.status == InstanceStatus::Inoperable
        || matches!(
            instance.detailed_status.as_deref(),
            Some("FAILED_IMPORT" | "SKIPPED_SUSPENDED_ACCOUNT" | "INOPERABLE")
        )
}

fn find_stack<'a>(
    observed: &'a Observed,
    location: &Location,
    name: &str,
) -> Option<&'a ObservedStack> {
    observed
        .stacks
        .iter()
        .find(|stack| stack.location == *location && stack.stack.name == name)
}

/// Compares one stack of the management account with what exists.
pub(crate) fn plan_stack(
    set: &StackSet,
    location: Location,
    existing: Option<&ObservedStack>,
) -> StackPlan {
    let old = existing.and_then(|stack| stack.template.as_deref());
    let mut rules = rule_changes(Some(set), old);
    let change = match existing {
        None => Change::Create,
        // It waits for its first change set: nothing was made yet, so there is nothing to own.
        Some(found) if found.stack.status == "REVIEW_IN_PROGRESS" => Change::Create,
        Some(found) if !is_owned(&found.stack.tags) => {
            rules.clear();
            Change::Blocked {
                reason: not_owned("stack", &set.name),
            }
        }
        Some(found) if found.stack.must_be_replaced() => Change::Replace {
            status: found.stack.status.clone(),
        },
        Some(found) if found.stack.status == "UPDATE_ROLLBACK_FAILED" => Change::Blocked {
            reason: format!(
                "stack {} is in UPDATE_ROLLBACK_FAILED; continue its rollback by hand: `aws \
                 cloudformation continue-update-rollback`",
                set.name
            ),
        },
        Some(found) => {
            let mut why = reasons(
                set,
                Deployed {
                    template: found.template.as_deref().unwrap_or_default(),
                    parameters: &found.stack.parameters,
                    tags: &found.stack.tags,
                    description: None,
                },
            );
            if found.stack.is_in_progress() {
                why.push(Reason::InProgress(found.stack.status.clone()));
            }
            if why.is_empty() {
                Change::Unchanged
            } else {
                Change::Update { reasons: why }
            }
        }
    };
    StackPlan {
        name: set.name.clone(),
        part: Some(set.part),
        location,
        change,
        rules,
    }
}

/// The part that a stack set or stack says it is, by its tag.
pub(crate) fn tagged_part(tags: &BTreeMap<String, String>) -> Option<Part> {
    let name = tags.get("gizmos:part")?;
    Part::ALL.into_iter().find(|part| part.name() == name)
}

/// Position in the order of removal: what depends on others goes first.
pub(crate) fn removal_rank(part: Option<Part>) -> u8 {
    match part {
        Some(Part::RulesSpoke | Part::RulesLocal | Part::DriftSchedule) | None => 0,
        Some(Part::RulesHub) => 1,
        Some(Part::Topic | Part::TopicLocal) => 2,
        Some(Part::Trail) => 3,
        Some(Part::Bucket) => 4,
        // Until the end a template may have to be handed over once more.
        Some(Part::Artifacts) => 5,
    }
}

/// Stack sets that are ours but no longer in the bundle (or no longer as a stack set), in the
/// order of removal.
fn unwanted_stack_sets(bundle: &Bundle, observed: &Observed, world: &World) -> Vec<StackSetPlan> {
    let mut plans: Vec<StackSetPlan> = observed
        .stack_sets
        .values()
        .filter(|found| is_owned(&found.details.tags))
        .filter(|found| {
            !bundle
                .stack_sets
                .iter()
                .any(|set| set.name == found.details.name && set.targets.members.is_some())
        })
        .map(|found| delete_stack_set(found, world))
        .collect();
    plans.sort_by_key(|plan| removal_rank(plan.part));
    plans
}

/// The plan to remove a stack set with all its instances.
pub(crate) fn delete_stack_set(found: &ObservedStackSet, world: &World) -> StackSetPlan {
    let part = tagged_part(&found.details.tags);
    let mut plan = StackSetPlan::new(&found.details.name, part, Change::Delete);
    for instance in &found.instances {
        let location = Location::new(&instance.account, &instance.region);
        if world.is_off(&location.region) {
            plan.blocked.push(out_of_reach(location, world));
        } else {
            plan.remove.push(location);
        }
    }
    plan.rules = rule_changes(None, Some(&found.details.template));
    plan.in_progress = found.pending.iter().map(|op| op.id.clone()).collect();
    plan
}

/// An instance that nobody wants, where no operation is taken.
fn out_of_reach(location: Location, world: &World) -> BlockedLocation {
    BlockedLocation {
        account_name: world.account(&location.account).map(|it| it.name.clone()),
        reason: format!(
            "it is no longer wanted and can't be removed: {}",
            region_is_off(&location.region)
        ),
        location,
    }
}

fn unwanted_stacks(bundle: &Bundle, observed: &Observed) -> Vec<StackPlan> {
    let mut found: Vec<&ObservedStack> = observed
        .stacks
        .iter()
        .filter(|found| is_owned(&found.stack.tags))
        .filter(|found| {
            !bundle.stack_sets.iter().any(|set| {
                set.name == found.stack.name
                    && set
                        .targets
                        .management_regions
                        .contains(&found.location.region)
            })
        })
        .collect();
    found.sort_by_key(|found| removal_rank(tagged_part(&found.stack.tags)));
    found.into_iter().map(delete_stack).collect()
}

/// The plan to remove a stack of the management account.
pub(crate) fn delete_stack(found: &ObservedStack) -> StackPlan {
    StackPlan {
        name: found.stack.name.clone(),
        part: tagged_part(&found.stack.tags),
        location: found.location.clone(),
        change: Change::Delete,
        rules: rule_changes(None, found.template.as_deref()),
    }
}

#[cfg(test)]
mod tests;
