//! Computes the changes that make the fleet match the bundle.

mod basis;
mod compare;
mod estimate;
mod model;
mod moves;
mod problems;

use std::collections::{BTreeMap, BTreeSet};

use compiler::organization::RegionSource;
use compiler::{Bundle, OWNERSHIP_TAG, Part, StackSet};

pub(crate) use compare::Deployed;
use compare::{reasons, rule_changes};
pub use model::{
    Basis, Cells, Change, Estimate, LeftBehind, Plan, PlanSummary, Problem, ProblemKind, Reason,
    Repair, RuleChange, RuleChangeKind, StackPlan, StackSetPlan,
};
pub use moves::Move;
pub(crate) use moves::{receivers, waits_for};
pub(crate) use problems::{
    ACTIVATE_TRUSTED_ACCESS, newer_format, wrong_management_account, wrong_organization,
};

use crate::fleet::template::resources;
use crate::fleet::{Membership, Observed, ObservedStack, ObservedStackSet, Owner, tagged_part};
use crate::ports::{Account, AccountState, Instance, InstanceStatus, Location};
pub use crate::rollout::BlockedLocation;
use crate::rollout::{Desired, desired, region_is_not_enabled, region_is_off, selected};

fn pinned_regions(bundle: &Bundle) -> Vec<String> {
    match bundle.organization.region_source {
        RegionSource::Enabled => bundle.organization.regions.clone(),
        RegionSource::Listed | RegionSource::Unresolved => Vec::new(),
    }
}

/// Compares bundle and fleet. Pure: equal inputs give equal plans.
pub fn plan(bundle: &Bundle, observed: &Observed) -> Plan {
    let membership = &observed.membership;
    let mut plan = Plan {
        organization: bundle.organization.id.clone(),
        problems: problems::problems(bundle, observed),
        stack_sets: Vec::new(),
        stacks: Vec::new(),
        moves: Vec::new(),
        accounts: watched(bundle, &membership.accounts).len(),
        regions: bundle.organization.regions.len(),
        notes: confirmations(bundle, observed)
            .into_iter()
            .chain(automatic_deployment(bundle))
            .chain(left_alone(bundle, observed))
            .chain(retained_bucket(bundle, observed))
            .collect(),
        pinned_regions: pinned_regions(bundle),
        estimate: Estimate::default(),
        basis: basis::basis(bundle, observed),
    };
    if observed.organization.id != bundle.organization.id {
        // Compared with another organization's fleet, everything would look new.
        return plan;
    }
    for set in &bundle.stack_sets {
        if set.targets.members.is_some() {
            let existing = observed.stack_sets.get(&set.name).map(|found| {
                let owner = observed.owner(bundle, &set.name, &found.details.tags);
                (found, owner)
            });
            plan.stack_sets
                .push(plan_stack_set(bundle, set, existing, membership));
        }
        for region in &set.targets.management_regions {
            let location = Location::new(&bundle.organization.accounts.management, region);
            let blocked = observed
                .stacks_unreadable
                .as_ref()
                .map(|error| management_account_unreachable(bundle, error))
                .or_else(|| membership.is_off(region).then(|| region_is_off(region)));
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
            let existing = observed.stack(&location, &set.name).map(|found| {
                let owner = observed.owner(bundle, &set.name, &found.stack.tags);
                (found, owner)
            });
            plan.stacks.push(plan_stack(set, location, existing));
        }
    }
    plan.stack_sets
        .extend(unwanted_stack_sets(bundle, observed, membership));
    plan.stacks.extend(unwanted_stacks(bundle, observed));
    plan.moves = moves::moves(bundle, observed);
    moves::name_moves(&mut plan, bundle, observed);
    estimate::estimate(bundle, &membership.accounts, &mut plan);
    plan
}

/// Who has to confirm subscriptions that the deployment makes in the hub, and how often: alerts and the
/// alarm on dead letters come from topics of their own.
fn confirmations(bundle: &Bundle, observed: &Observed) -> Option<String> {
    let set = bundle
        .stack_sets
        .iter()
        .find(|set| set.part == Part::Topic)?;
    let deployed = observed.stack_sets.get(&set.name);
    let deployed = deployed.map(|found| resources(&found.details.template));
    let deployed = deployed.unwrap_or_default();
    let compiled = resources(&set.template);
    let mut topics: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (id, resource) in &compiled {
        let text = |path: &str| resource.pointer(path)?.as_str();
        let needs_confirmation = matches!(text("/Properties/Protocol"), Some("email" | "https"));
        if let (true, false, Some(topic), Some(endpoint)) = (
            needs_confirmation,
            deployed.contains_key(id),
            text("/Properties/TopicArn/Ref"),
            text("/Properties/Endpoint"),
        ) {
            let topic = compiled.get(topic);
            let name = topic.and_then(|topic| topic.pointer("/Properties/TopicName")?.as_str());
            topics.entry(endpoint).or_default().extend(name);
        }
    }
    let each: Vec<String> = topics
        .into_iter()
        .map(|(endpoint, topics)| format!("{endpoint} once for each of {}", topics.join(", ")))
        .collect();
    (!each.is_empty()).then(|| {
        format!(
            "new subscriptions must be confirmed, or nothing is delivered to them: {}",
            each.join("; ")
        )
    })
}

/// The log bucket of an own trail that is removed for an existing one.
fn retained_bucket(bundle: &Bundle, observed: &Observed) -> Option<String> {
    if bundle.stack_sets.iter().any(|set| set.part == Part::Bucket) {
        return None;
    }
    let set = observed
        .owned_stack_sets(bundle)
        .find(|found| tagged_part(&found.details.tags) == Some(Part::Bucket))?;
    let bucket = set.details.parameters.get("BucketName")?;
    Some(format!(
        "the log bucket {bucket} stays in account {} with its logs and their key; no rule protects it any \
         more",
        bundle.organization.accounts.log_archive
    ))
}

/// What happens to accounts that join or move between deployments.
fn automatic_deployment(bundle: &Bundle) -> Option<String> {
    if bundle.stack_sets.iter().any(|set| set.auto_deployment) {
        return Some(
            "automatic deployment is on: an account that joins or moves into the targets gets its \
             stacks within minutes, without a deployment"
                .to_owned(),
        );
    }
    if bundle.organization.targets.exclude_accounts.is_empty() {
        return None;
    }
    Some(
        "automatic deployment is off, because it would also deploy to excluded accounts: an account \
         that joins or moves into the targets waits for the next deployment; with the excluded \
         accounts in an organizational unit that is no target, `exclude_accounts` isn't needed"
            .to_owned(),
    )
}

/// Explains to a delegated administrator why the management account can't be read.
fn management_account_unreachable(bundle: &Bundle, error: &str) -> String {
    let organization = &bundle.organization;
    format!(
        "the stacks of the management account can't be reached from here ({error}); create the \
         role {} in account {} and let this account assume it, or deploy once with the management \
         account's own credentials",
        organization.access_role, organization.accounts.management
    )
}

/// Accounts in use that the bundle watches, including the management account if it gets a stack.
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

fn not_owned(what: &str, name: &str, distinction: &str) -> String {
    format!("a {what} named {name} exists that isn't this installation's: it has {distinction}")
}

/// Stack sets and stacks with the ownership tag that aren't this installation's, such as another
/// organization's.
fn left_alone(bundle: &Bundle, observed: &Observed) -> impl Iterator<Item = String> {
    let wanted = |name: &str| bundle.stack_sets.iter().any(|set| set.name == name);
    let sets = observed.stack_sets.values().map(|found| {
        let details = &found.details;
        ("stack set", &details.name, &details.tags, None)
    });
    let stacks = observed.stacks.iter().map(|found| {
        let stack = &found.stack;
        ("stack", &stack.name, &stack.tags, Some(&found.location))
    });
    sets.chain(stacks)
        // One that is in the way is blocked, and says so.
        .filter(|(_, name, ..)| !wanted(name))
        .filter(|(_, _, tags, _)| {
            tags.get(OWNERSHIP_TAG.0).map(String::as_str) == Some(OWNERSHIP_TAG.1)
        })
        .filter_map(|(what, name, tags, location)| {
            let Owner::Another(distinction) = observed.owner(bundle, name, tags) else {
                return None;
            };
            let place = location.map_or_else(String::new, |it| format!(" in {it}"));
            Some(format!(
                "{what} {name}{place} is left alone, because it isn't this installation's: it has \
                 {distinction}"
            ))
        })
        .collect::<Vec<_>>()
        .into_iter()
}

/// Compares one stack set with the deployed one.
pub(crate) fn plan_stack_set(
    bundle: &Bundle,
    set: &StackSet,
    existing: Option<(&ObservedStackSet, Owner)>,
    membership: &Membership,
) -> StackSetPlan {
    let mut wanted = match &set.targets.members {
        Some(members) => desired(members, &bundle.organization, membership),
        None => Desired::default(),
    };
    let mut plan = StackSetPlan::new(&set.name, Some(set.part), Change::Create);
    let Some((existing, owner)) = existing else {
        plan.rules = rule_changes(Some(set), None);
        plan.add = wanted.locations.into_iter().collect();
        plan.blocked = wanted.blocked;
        return plan;
    };
    if let Owner::Another(distinction) = &owner {
        plan.change = Change::Blocked {
            reason: not_owned("stack set", &set.name, distinction),
        };
        return plan;
    }
    plan.in_progress = existing.pending.iter().map(|op| op.id.clone()).collect();
    let mut why = reasons(set, existing.into(), &owner);
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
        let location = instance.location();
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
            if membership.is_closed(&location) {
                plan.blocked.push(out_of_reach(location, membership));
            } else {
                plan.left_behind
                    .extend(LeftBehind::of(instance, membership));
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

/// Whether no operation can reach the instance.
fn is_stuck(instance: &Instance) -> bool {
    instance.status == InstanceStatus::Inoperable
        || matches!(
            instance.detailed_status.as_deref(),
            Some("FAILED_IMPORT" | "SKIPPED_SUSPENDED_ACCOUNT" | "INOPERABLE")
        )
}

/// Compares one stack of the management account with the deployed one.
pub(crate) fn plan_stack(
    set: &StackSet,
    location: Location,
    existing: Option<(&ObservedStack, Owner)>,
) -> StackPlan {
    let old = existing
        .as_ref()
        .and_then(|(stack, _)| stack.template.as_deref());
    let mut rules = rule_changes(Some(set), old);
    let change = match existing {
        None => Change::Create,
        // A stack that waits for its first change set has no resources, so its owner doesn't
        // matter.
        Some((found, _)) if found.stack.status == "REVIEW_IN_PROGRESS" => Change::Create,
        Some((_, Owner::Another(distinction))) => {
            rules.clear();
            Change::Blocked {
                reason: not_owned("stack", &set.name, &distinction),
            }
        }
        Some((found, _)) if found.stack.must_be_replaced() => Change::Replace {
            status: found.stack.status.clone(),
        },
        Some((found, _)) if found.stack.status == "UPDATE_ROLLBACK_FAILED" => Change::Blocked {
            reason: format!(
                "stack {} is in UPDATE_ROLLBACK_FAILED; continue its rollback by hand: `aws \
                 cloudformation continue-update-rollback --stack-name {} --region {}`",
                set.name, set.name, location.region
            ),
        },
        Some((found, owner)) => {
            let mut why = reasons(set, found.into(), &owner);
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

/// Position in the removal order: dependents come first.
pub(crate) fn removal_rank(part: Option<Part>) -> u8 {
    match part {
        Some(Part::RulesSpoke | Part::RulesLocal | Part::DriftSchedule) | None => 0,
        Some(Part::RulesHub) => 1,
        Some(Part::Topic | Part::TopicLocal) => 2,
        Some(Part::Trail) => 3,
        Some(Part::Bucket) => 4,
        // Last, because removing other parts may require uploading a template.
        Some(Part::Artifacts) => 5,
    }
}

/// Stack sets created by Gizmos that are no longer in the bundle as stack sets, in removal order.
fn unwanted_stack_sets(
    bundle: &Bundle,
    observed: &Observed,
    membership: &Membership,
) -> Vec<StackSetPlan> {
    let mut plans: Vec<StackSetPlan> = observed
        .owned_stack_sets(bundle)
        .filter(|found| {
            !bundle
                .stack_sets
                .iter()
                .any(|set| set.name == found.details.name && set.targets.members.is_some())
        })
        .map(|found| delete_stack_set(found, membership))
        .collect();
    plans.sort_by_key(|plan| removal_rank(plan.part));
    plans
}

/// The plan to delete a stack set with all its instances.
pub(crate) fn delete_stack_set(found: &ObservedStackSet, membership: &Membership) -> StackSetPlan {
    let part = tagged_part(&found.details.tags);
    let mut plan = StackSetPlan::new(&found.details.name, part, Change::Delete);
    for instance in &found.instances {
        let location = instance.location();
        if membership.is_closed(&location) {
            plan.blocked.push(out_of_reach(location, membership));
        } else {
            plan.left_behind
                .extend(LeftBehind::of(instance, membership));
            plan.remove.push(location);
        }
    }
    plan.rules = rule_changes(None, Some(&found.details.template));
    plan.in_progress = found.pending.iter().map(|op| op.id.clone()).collect();
    plan
}

/// An instance to be removed in a Region where no operation works.
fn out_of_reach(location: Location, membership: &Membership) -> BlockedLocation {
    let why = if membership.is_off(&location.region) {
        region_is_off(&location.region)
    } else {
        region_is_not_enabled(&location.region)
    };
    BlockedLocation {
        account_name: membership
            .account(&location.account)
            .map(|it| it.name.clone()),
        reason: format!("it is no longer wanted and can't be removed: {why}"),
        location,
    }
}

fn unwanted_stacks(bundle: &Bundle, observed: &Observed) -> Vec<StackPlan> {
    let mut found: Vec<&ObservedStack> = observed
        .owned_stacks(bundle)
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

/// The plan to delete a stack of the management account.
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
