//! Reads the fleet without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use compiler::Bundle;
use compiler::organization::Organization;
use futures::{StreamExt, TryStreamExt, stream};

use super::{Membership, Observed, ObservedStack, ObservedStackSet};
use crate::error::{DeployError, Doing};
use crate::operation::number;
use crate::ports::{
    Account, AccountState, Action, Cloud, CloudError, Location, OperationSummary, Stack,
    TrustedAccess,
};

/// Prefix of all names that Gizmos uses. Other stack sets are not read: describing every stack set
/// of an administrator account would take minutes at two calls per second.
const NAME_PREFIX: &str = "gizmos-";

/// Locations read concurrently.
const AT_ONCE: usize = 4;

/// Member accounts asked for their Regions concurrently.
const MEMBERS_AT_ONCE: usize = 16;

/// How long after an operation's end the lists may show the previous state. AWS calls them
/// eventually consistent without naming a limit; in practice it takes seconds.
const LAG: Duration = Duration::from_secs(30);

/// Whether to wait until the lists can be trusted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience<'a> {
    /// Use the lists as they are.
    None,
    /// Wait, unless the latest operation is one of these, whose effects are known.
    AllBut(&'a BTreeSet<String>),
}

/// Reads everything a plan needs, as CloudFormation shows it now. Within half a minute after an
/// operation, that may be the state before it.
pub async fn observe(cloud: &impl Cloud, bundle: &Bundle) -> Result<Observed, DeployError> {
    observe_with(cloud, bundle, Patience::None).await
}

/// Like [`observe`], but first waits until the latest operation ended at least half a minute ago.
/// For callers that change the fleet or report that there is nothing to do.
pub async fn observe_settled(cloud: &impl Cloud, bundle: &Bundle) -> Result<Observed, DeployError> {
    observe_with(cloud, bundle, Patience::AllBut(&BTreeSet::new())).await
}

async fn observe_with(
    cloud: &impl Cloud,
    bundle: &Bundle,
    patience: Patience<'_>,
) -> Result<Observed, DeployError> {
    let caller = cloud
        .caller_identity()
        .await
        .doing(|| "cannot identify the caller".to_owned())?;
    let organization = cloud
        .describe_organization()
        .await
        .doing(|| "cannot describe the organization".to_owned())?;
    let trusted_access = match cloud.trusted_access().await {
        Ok(access) => access,
        // Only the preflight uses it: without this permission, a deployment may still work.
        Err(CloudError::AccessDenied { .. } | CloudError::Unsupported { .. }) => {
            TrustedAccess::Unknown
        }
        Err(error) => {
            return Err(error).doing(|| "cannot read StackSets' trusted access".to_owned());
        }
    };
    let mut observed = Observed {
        caller,
        organization,
        trusted_access,
        membership: Membership::read(cloud, &bundle.organization).await?,
        stacks_unreadable: None,
        stack_sets: BTreeMap::new(),
        stacks: Vec::new(),
    };
    if observed.organization.id != bundle.organization.id {
        // The plan rejects another organization, so its stacks don't matter.
        return Ok(observed);
    }
    observed.stack_sets = observe_stack_sets(cloud, bundle, patience).await?;
    match observe_management_stacks(cloud, bundle, &observed).await {
        Ok(stacks) => observed.stacks = stacks,
        // A delegated administrator needs a role to enter the management account.
        Err(error)
            if observed.caller.account != bundle.organization.accounts.management
                && error.source.is_denied() =>
        {
            observed.stacks_unreadable = Some(error.source.to_string());
        }
        Err(error) => return Err(error),
    }
    Ok(observed)
}

impl Membership {
    /// Reads accounts and enabled Regions.
    pub async fn read(
        cloud: &impl Cloud,
        expected: &Organization,
    ) -> Result<Membership, DeployError> {
        let mut accounts = cloud
            .list_accounts()
            .await
            .doing(|| "cannot list the accounts".to_owned())?;
        accounts.sort_by(|a, b| a.id.cmp(&b.id));
        accounts.dedup_by(|a, b| a.id == b.id);
        // Without permission to list Regions, deployment to a disabled Region fails later.
        let enabled_regions = optional(cloud.enabled_regions().await)
            .doing(|| "cannot list the enabled Regions".to_owned())?
            .map(|regions| regions.into_iter().collect::<BTreeSet<String>>());
        let not_enabled = if enabled_regions.is_some() {
            not_enabled(cloud, expected, &accounts).await?
        } else {
            BTreeMap::new()
        };
        Ok(Membership {
            accounts,
            enabled_regions,
            not_enabled,
        })
    }
}

/// Watched Regions that members haven't enabled. Members are asked only if such a Region is watched,
/// because it takes a call for each.
async fn not_enabled(
    cloud: &impl Cloud,
    expected: &Organization,
    accounts: &[Account],
) -> Result<BTreeMap<String, BTreeSet<String>>, DeployError> {
    // Without an answer, a deployment to a disabled Region fails later.
    let opt_in = optional(cloud.opt_in_regions().await)
        .doing(|| "cannot list the Regions that need an opt-in".to_owned())?;
    let watched =
        |region: &String| expected.regions.contains(region) || *region == expected.home_region;
    let regions: BTreeSet<String> = opt_in.into_iter().flatten().filter(watched).collect();
    if regions.is_empty() {
        return Ok(BTreeMap::new());
    }
    let members = accounts.iter().filter(|account| {
        account.id != expected.accounts.management && account.state == AccountState::Active
    });
    stream::iter(members)
        .map(|account| async {
            let enabled = optional(cloud.member_regions(&account.id).await)
                .doing(|| format!("cannot list the Regions of account {}", account.id))?;
            let Some(enabled) = enabled else {
                return Ok(None);
            };
            let missing = regions.iter().filter(|region| !enabled.contains(region));
            let missing: BTreeSet<String> = missing.cloned().collect();
            Ok((!missing.is_empty()).then(|| (account.id.clone(), missing)))
        })
        .buffer_unordered(MEMBERS_AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// An answer that a caller can do without.
fn optional<T>(answer: Result<Option<T>, CloudError>) -> Result<Option<T>, CloudError> {
    match answer {
        Err(
            CloudError::AccessDenied { .. }
            | CloudError::Unsupported { .. }
            | CloudError::Unavailable { .. }
            | CloudError::Unexpected { .. }
            | CloudError::Invalid { .. },
        ) => Ok(None),
        answer => answer,
    }
}

async fn observe_stack_sets(
    cloud: &impl Cloud,
    bundle: &Bundle,
    patience: Patience<'_>,
) -> Result<BTreeMap<String, ObservedStackSet>, DeployError> {
    let names: Vec<String> = cloud
        .list_stack_sets()
        .await
        .doing(|| "cannot list the stack sets".to_owned())?
        .into_iter()
        .map(|set| set.name)
        .filter(|name| has_gizmos_name(name, bundle))
        .collect();
    stream::iter(names)
        .map(|name| async move {
            let set = observe_stack_set(cloud, &name, patience).await?;
            Ok::<_, DeployError>(set.map(|set| (name, set)))
        })
        .buffer_unordered(AT_ONCE)
        .try_filter_map(|found| async move { Ok(found) })
        .try_collect()
        .await
}

/// Reads the management account's stacks in every Region that may have one, including Regions that
/// are no longer watched.
async fn observe_management_stacks(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: &Observed,
) -> Result<Vec<ObservedStack>, DeployError> {
    let left_behind = observed
        .stack_sets
        .values()
        .flat_map(|set| &set.instances)
        .map(|instance| &instance.region);
    let regions: BTreeSet<&String> = bundle
        .stack_sets
        .iter()
        .flat_map(|set| &set.targets.management_regions)
        .chain(&bundle.organization.regions)
        .chain([&bundle.organization.home_region])
        .chain(left_behind)
        .chain(observed.membership.enabled_regions.iter().flatten())
        .filter(|region| !observed.membership.is_off(region))
        .collect();
    let management = &bundle.organization.accounts.management;
    let mut stacks: Vec<ObservedStack> = stream::iter(regions)
        .map(|region| observe_stacks(cloud, bundle, Location::new(management, region)))
        .buffer_unordered(AT_ONCE)
        .try_concat()
        .await?;
    stacks.sort_by(|a, b| (&a.location, &a.stack.name).cmp(&(&b.location, &b.stack.name)));
    Ok(stacks)
}

fn has_gizmos_name(name: &str, bundle: &Bundle) -> bool {
    name.starts_with(NAME_PREFIX) || bundle.stack_sets.iter().any(|set| set.name == name)
}

/// Reads one stack set; `None` if it doesn't exist.
pub(crate) async fn observe_stack_set(
    cloud: &impl Cloud,
    name: &str,
    patience: Patience<'_>,
) -> Result<Option<ObservedStackSet>, DeployError> {
    let details = || async {
        cloud
            .describe_stack_set(name)
            .await
            .doing(|| format!("cannot describe stack set {name}"))
    };
    let Some(mut found) = details().await? else {
        return Ok(None);
    };
    // Read operations first: which ones had ended by then tells whether the list of instances can
    // be outdated.
    let mut operations = number::latest(cloud, name).await?;
    let mut waited = BTreeSet::new();
    while let Patience::AllBut(known) = patience
        && let Some((id, wait)) = recent(&operations, known, cloud.now())
        && waited.insert(id)
    {
        cloud.pause(wait).await;
        let Some(now) = details().await? else {
            return Ok(None);
        };
        found = now;
        operations = number::latest(cloud, name).await?;
    }
    let mut instances = cloud
        .list_instances(name)
        .await
        .doing(|| format!("cannot list the instances of stack set {name}"))?;
    instances.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
    // A list that changes between pages may contain an instance twice.
    instances.dedup_by(|a, b| (&a.account, &a.region) == (&b.account, &b.region));
    let pending = operations
        .iter()
        .filter(|operation| operation.status.is_pending())
        .cloned()
        .collect();
    Ok(Some(ObservedStackSet {
        details: found,
        instances,
        pending,
        operations,
    }))
}

/// The operation that ended last, if the lists may not show its effect yet, and how long that may
/// last.
fn recent(
    operations: &[OperationSummary],
    known: &BTreeSet<String>,
    now: SystemTime,
) -> Option<(String, Duration)> {
    let (ended, last) = operations
        .iter()
        // Drift detection changes nothing that a plan depends on.
        .filter(|operation| operation.action != Some(Action::DetectDrift))
        .filter(|operation| !known.contains(&operation.id))
        .filter_map(|operation| Some((operation.ended?, operation)))
        .max_by_key(|(ended, _)| *ended)?;
    // Clocks differ, so an operation may seem to end in the future.
    let age = now.duration_since(ended).unwrap_or_default();
    let wait = LAG.checked_sub(age).filter(|wait| !wait.is_zero())?;
    Some((last.id.clone(), wait))
}

async fn observe_stacks(
    cloud: &impl Cloud,
    bundle: &Bundle,
    location: Location,
) -> Result<Vec<ObservedStack>, DeployError> {
    let stacks = cloud
        .list_stacks(&location)
        .await
        .doing(|| format!("cannot list the stacks in {location}"))?;
    let mut observed = Vec::new();
    for stack in stacks {
        if has_gizmos_name(&stack.name, bundle) {
            observed.push(with_template(cloud, &location, stack).await?);
        }
    }
    Ok(observed)
}

/// Reads one stack; `None` if it doesn't exist.
pub(crate) async fn observe_stack(
    cloud: &impl Cloud,
    location: &Location,
    name: &str,
) -> Result<Option<ObservedStack>, DeployError> {
    let stack = cloud
        .describe_stack(location, name)
        .await
        .doing(|| format!("cannot describe stack {name} in {location}"))?;
    match stack {
        Some(stack) => with_template(cloud, location, stack).await.map(Some),
        None => Ok(None),
    }
}

async fn with_template(
    cloud: &impl Cloud,
    location: &Location,
    stack: Stack,
) -> Result<ObservedStack, DeployError> {
    let template = match cloud.stack_template(location, &stack.name).await {
        Ok(template) => Some(template),
        // A stack has no template until its first change set is executed.
        Err(CloudError::NotFound { .. } | CloudError::Invalid { .. })
            if stack.status == "REVIEW_IN_PROGRESS" =>
        {
            None
        }
        Err(error) => {
            return Err(error).doing(|| {
                format!(
                    "cannot read the template of stack {} in {location}",
                    stack.name
                )
            });
        }
    };
    Ok(ObservedStack {
        location: location.clone(),
        stack,
        template,
    })
}
