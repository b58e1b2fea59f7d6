//! Making one stack set, and all its instances, what the bundle says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use compiler::StackSet;

use super::operation::{Chain, Finished, Task, fingerprint};
use super::report::{InstanceFailure, OperationReport, PartReport, Unfinished};
use super::settle::{is_old, settled};
use super::waves::WaveCells;
use super::{Run, Stop, gate, give_back, repair, targeting, waves};
use crate::observe::{ObservedStackSet, Patience, World, observe_stack_set};
use crate::plan::{Change, Reason, StackSetPlan, plan_stack_set};
use crate::ports::{
    Account, AutoDeployment, Cloud, CloudError, DeploymentTargets, InstanceRequest, Location,
    NewStackSet, OperationStatus, Preferences, StackSetUpdate,
};
use crate::progress::ProgressEvent;

/// How often a stack set is looked at afresh when it changes under our hands.
const REPLANS: u32 = 8;

/// How often lists are read again that show the fleet as it was.
const LAGS: u32 = 12;

/// How long is waited for them each time.
const LAG: std::time::Duration = std::time::Duration::from_secs(10);

/// How often a stack set was begun anew.
#[derive(Debug, Default)]
struct Tries {
    replans: u32,
    lags: u32,
    /// Where operations of this run have succeeded.
    done: BTreeSet<Location>,
}

impl Tries {
    /// Whether a list still shows as due what has just been done.
    fn are_done(&self, plan: &StackSetPlan) -> bool {
        plan.change == Change::Unchanged
            && (plan.add.iter().chain(&plan.update)).any(|location| self.done.contains(location))
    }
}

/// Brings a stack set and its instances into line, apart from what is to be removed. Ends with
/// another look, so that "done" says what is, and not only what was asked for.
pub(crate) async fn deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    planned: &StackSetPlan,
) -> PartReport {
    let mut report = PartReport::begin(&set.name, None);
    let mut tries = Tries::default();
    let mut world = Arc::clone(&run.world);
    let result = loop {
        let round = Box::pin(try_deploy(run, set, &mut world, &mut report, &mut tries)).await;
        match round {
            Ok(plan) => {
                leave_unplanned(&plan, planned, &mut report);
                break Ok(());
            }
            Err(Stop::Replan) if tries.replans < REPLANS => tries.replans += 1,
            Err(Stop::Lagging) if tries.lags < LAGS => {
                tries.lags += 1;
                run.cloud.pause(LAG).await;
            }
            Err(stop) => break Err(stop),
        }
    };
    report.conclude(result);
    if !report.outcome.is_good() {
        account_for(run, set, &world, &mut report).await;
    }
    report
}

/// Instances that are no longer wanted since the plan was made, as an account has moved: nobody has
/// agreed to their removal.
fn leave_unplanned(plan: &StackSetPlan, planned: &StackSetPlan, report: &mut PartReport) {
    let known: BTreeSet<&Location> = planned.remove.iter().collect();
    let locations: Vec<Location> = (plan.remove.iter())
        .filter(|location| !known.contains(location))
        .cloned()
        .collect();
    if !locations.is_empty() {
        report.unfinished.push(Unfinished {
            reason: "no longer wanted, but not in the plan; run the same command again".to_owned(),
            locations,
        });
    }
}

/// One round: looks, and does what is to be done. `Ok`, with the plan as it is now, once there is
/// nothing left to do apart from removals, or nothing that doing it again would mend.
async fn try_deploy<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    world: &mut Arc<World>,
    report: &mut PartReport,
    tries: &mut Tries,
) -> Result<StackSetPlan, Stop> {
    let existing = settled(run, &set.name, &report.operations).await?;
    let mut plan = plan_stack_set(run.bundle, set, existing.as_ref(), world);
    if tries.replans > 0 && !nothing_to_do(&plan) {
        // Accounts move while operations run.
        let fresh = World::read(run.cloud).await;
        *world = Arc::new(fresh.map_err(|error| Stop::deploy(&error))?);
        plan = plan_stack_set(run.bundle, set, existing.as_ref(), world);
    }
    report.blocked.clone_from(&plan.blocked);
    if let Change::Blocked { reason } = &plan.change {
        return Err(Stop::Failed(reason.clone()));
    }
    let Some(members) = &set.targets.members else {
        return Ok(plan);
    };
    if nothing_to_do(&plan) || !report.failures.is_empty() {
        return Ok(plan);
    }
    let lenient = tries.lags >= LAGS;
    if let Some(existing) = &existing
        && (tries.are_done(&plan) || is_old(run, existing, &plan).await?)
    {
        if !lenient {
            return Err(Stop::Lagging);
        }
        if report.changed {
            // It was done, and yet it isn't to be seen: don't do it again and again.
            return Err(Stop::Failed(format!(
                "the operations on {} succeeded, but not all of its instances are current",
                set.name
            )));
        }
    }
    if tries.replans >= REPLANS {
        return Err(Stop::Failed(format!(
            "{} keeps being changed by somebody else",
            set.name
        )));
    }
    let latest = existing.as_ref().map(|found| found.operations.as_slice());
    let mut chain = Chain::after(&set.name, latest.unwrap_or_default());
    match &plan.change {
        Change::Create => create(run, set, report).await?,
        Change::Update { reasons } if reasons.contains(&Reason::AutoDeployment) => {
            if let Some(existing) = &existing {
                switch_auto_deployment(run, set, existing, &mut chain, report).await?;
            }
        }
        _ => {}
    }
    if let Some(existing) = &existing
        && !plan.repair.is_empty()
    {
        let repaired = repair::repair(run, existing, &plan.repair, &mut chain, report).await?;
        plan.add.extend(repaired);
        plan.add.sort();
    }
    let definition = matches!(&plan.change, Change::Update { reasons }
        if reasons.iter().any(|reason| *reason != Reason::AutoDeployment));
    let step = Step {
        set,
        units: &members.organizational_units,
        regions: &members.regions,
        pool: pool(run, world, &members.organizational_units),
        accounts: &world.accounts,
        previous: existing.as_ref().filter(|_| definition),
        instances: existing.as_ref().map_or(0, |found| found.instances.len()),
    };
    roll_out(run, &step, &plan, &mut chain, report).await?;
    if report.failures.is_empty() && report.changed {
        tries.done = plan.add.into_iter().chain(plan.update).collect();
        // Whether it is so is seen in the next round.
        return Err(Stop::Replan);
    }
    Ok(plan)
}

fn nothing_to_do(plan: &StackSetPlan) -> bool {
    plan.change == Change::Unchanged
        && plan.add.is_empty()
        && plan.update.is_empty()
        && plan.repair.is_empty()
}

/// What stays the same through all waves of a stack set.
pub(super) struct Step<'a> {
    pub(super) set: &'a StackSet,
    pub(super) units: &'a [String],
    pub(super) regions: &'a [String],
    pub(super) pool: BTreeSet<&'a str>,
    accounts: &'a [Account],
    /// The stack set as it was, if its definition changes.
    pub(super) previous: Option<&'a ObservedStackSet>,
    /// How many instances it has.
    instances: usize,
}

/// Goes through the waves.
async fn roll_out<C: Cloud>(
    run: &Run<'_, C>,
    step: &Step<'_>,
    plan: &StackSetPlan,
    chain: &mut Chain,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut template_due = step.previous.is_some();
    if template_due && plan.update.is_empty() {
        // No instance wants it, but those to be created do.
        let update = update(step.set, None, Vec::new(), waves::main());
        let task = Task::Update(Box::new(update));
        let finished = chain.perform(run, task, None, step.instances).await?;
        report.take(finished)?;
        template_due = false;
    }
    let parts = waves::split(
        &run.bundle.organization.waves,
        step.accounts,
        &plan.update,
        &plan.add,
        template_due,
    );
    let everything = plan.update.len() == step.instances && parts.len() == 1;
    let last = parts.len().saturating_sub(1);
    let gate = gate::Gate::before(run, last > 0 && !plan.update.is_empty()).await;
    let mut touched: Vec<Location> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let name = part.name.clone().unwrap_or_default();
        // What this run has created never had the previous template, and may not bear it.
        touched.extend(part.update.iter().cloned());
        let passed = wave(
            run,
            step,
            part,
            &mut template_due,
            everything,
            chain,
            report,
        )
        .await?;
        let broken = passed.broken;
        let mut why = if passed.failed && (broken || index < last) {
            Some(match &part.name {
                Some(name) => format!("wave {name} failed"),
                None => "the operation failed".to_owned(),
            })
        } else {
            None
        };
        if why.is_none() && index < last {
            // Soaking keeps a bad template from what works already. Where everything is new,
            // nothing works yet, and a wait would only leave the rest unwatched for longer.
            if !part.update.is_empty() {
                soak(run, &step.set.name, name.clone(), part.soak_minutes).await;
            }
            why = gate.worse(run).await.map(|broken| {
                format!("after wave {name} the alert chain is worse than before: {broken}")
            });
        }
        let Some(mut why) = why else { continue };
        if let Some(previous) = step.previous
            && !touched.is_empty()
        {
            why.push_str("; ");
            why.push_str(
                &give_back::give_back(run, step, previous, &touched, chain, report).await?,
            );
        }
        if index < last {
            why.push_str("; the later waves were not begun");
            if step.previous.is_none() && !touched.is_empty() {
                why.push_str(
                    " and keep the template before; it isn't known to this run, since an earlier \
                     one began the change: to go back, deploy the commit before",
                );
            }
        }
        return Err(Stop::Failed(why));
    }
    Ok(())
}

/// How a wave went.
#[derive(Debug, Default)]
struct Passed {
    /// Whether an instance failed.
    failed: bool,
    /// Whether an operation failed as a whole.
    broken: bool,
}

async fn wave<C: Cloud>(
    run: &Run<'_, C>,
    step: &Step<'_>,
    part: &WaveCells,
    template_due: &mut bool,
    everything: bool,
    chain: &mut Chain,
    report: &mut PartReport,
) -> Result<Passed, Stop> {
    let mut passed = Passed::default();
    let wave = part.name.as_deref();
    let mut note = |finished: Finished, report: &mut PartReport| -> Result<(), Stop> {
        passed.broken |= finished.report.status != OperationStatus::Succeeded;
        passed.failed |= !report.take(finished)?;
        Ok(())
    };
    let groups =
        |locations: &[Location]| targeting::group(locations, step.units, &step.pool, step.regions);
    for group in groups(&part.update) {
        let total = group.locations.len();
        if !*template_due {
            let request = request(step.set, group.targets, group.regions, part.preferences);
            let task = Task::Refresh(request);
            note(chain.perform(run, task, wave, total).await?, report)?;
            continue;
        }
        *template_due = false;
        let (targets, regions, total) = if everything {
            (None, Vec::new(), step.instances)
        } else {
            (Some(group.targets), group.regions, total)
        };
        let update = update(step.set, targets, regions, part.preferences);
        let task = Task::Update(Box::new(update));
        note(chain.perform(run, task, wave, total).await?, report)?;
        if everything {
            break;
        }
    }
    for group in groups(&part.add) {
        let total = group.locations.len();
        let request = request(step.set, group.targets, group.regions, part.preferences);
        let task = Task::Create(request);
        note(chain.perform(run, task, wave, total).await?, report)?;
    }
    Ok(passed)
}

async fn soak<C: Cloud>(run: &Run<'_, C>, set: &str, wave: String, minutes: u32) {
    if minutes > 0 {
        run.progress.report(&ProgressEvent::Soaking {
            stack_set: set.to_owned(),
            wave,
            minutes,
        });
        let seconds = u64::from(minutes) * 60;
        run.cloud
            .pause(std::time::Duration::from_secs(seconds))
            .await;
    }
}

/// Names every location that isn't what the bundle says, now that the part has ended badly.
async fn account_for<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    world: &World,
    report: &mut PartReport,
) {
    let why = report.outcome.reason().to_owned();
    // Without an answer, the failures that are known have to do.
    let Ok(existing) = observe_stack_set(run.cloud, &set.name, Patience::None).await else {
        return;
    };
    let plan = plan_stack_set(run.bundle, set, existing.as_ref(), world);
    let reasons: BTreeMap<Location, &str> = existing
        .iter()
        .flat_map(|found| &found.instances)
        .filter_map(|instance| {
            let reason = instance.reason.as_deref()?;
            Some((Location::new(&instance.account, &instance.region), reason))
        })
        .collect();
    let failed: BTreeSet<Location> = report
        .failures
        .iter()
        .map(|it| it.location.clone())
        .collect();
    let repair = plan.repair.into_iter().map(|repair| repair.location);
    let open: Vec<Location> = plan
        .add
        .into_iter()
        .chain(plan.update)
        .chain(repair)
        .filter(|location| !failed.contains(location))
        .collect();
    let mut quiet = Vec::new();
    for location in open {
        match reasons.get(&location) {
            Some(reason) => report.failures.push(InstanceFailure {
                status: "not current".to_owned(),
                reason: (*reason).to_owned(),
                events: Vec::new(),
                location,
            }),
            None => quiet.push(location),
        }
    }
    if !quiet.is_empty() {
        report.unfinished.push(Unfinished {
            reason: why,
            locations: quiet,
        });
    }
}

async fn create<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let mut new = NewStackSet {
        name: set.name.clone(),
        description: set.description.clone(),
        template: set.template.clone(),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: auto_deployment(set),
        token: String::new(),
    };
    new.token = format!("gizmos-{}", fingerprint(&new));
    match run.cloud.create_stack_set(&new).await {
        Ok(()) => {
            report.changed = true;
            run.progress.report(&ProgressEvent::StackSetCreated {
                stack_set: set.name.clone(),
            });
            Ok(())
        }
        Err(CloudError::AlreadyExists { .. } | CloudError::Stale { .. }) => Err(Stop::Replan),
        // Whether it took effect is seen by looking.
        Err(CloudError::Unavailable { .. } | CloudError::Throttled) => {
            run.cloud.pause(LAG).await;
            Err(Stop::Replan)
        }
        Err(error) => Err(Stop::cloud(&format!("cannot create {}", set.name), &error)),
    }
}

fn auto_deployment(set: &StackSet) -> AutoDeployment {
    AutoDeployment {
        enabled: set.auto_deployment,
        // What a spoke's stack holds is of no use once the account is gone.
        retain_stacks: false,
    }
}

/// Its own call, since the API takes it only without targets. Everything else stays as it is.
async fn switch_auto_deployment<C: Cloud>(
    run: &Run<'_, C>,
    set: &StackSet,
    existing: &ObservedStackSet,
    chain: &mut Chain,
    report: &mut PartReport,
) -> Result<(), Stop> {
    let details = &existing.details;
    let update = StackSetUpdate {
        name: set.name.clone(),
        description: details.description.clone(),
        template: None,
        parameters: details.parameters.clone(),
        tags: details.tags.clone(),
        capabilities: details.capabilities.clone(),
        auto_deployment: Some(auto_deployment(set)),
        targets: None,
        regions: Vec::new(),
        preferences: waves::main(),
        operation_id: String::new(),
    };
    let total = existing.instances.len();
    let task = Task::Update(Box::new(update));
    let finished = chain.perform(run, task, None, total).await?;
    if report.take(finished)? {
        Ok(())
    } else {
        Err(Stop::Failed(format!(
            "the auto-deployment of {} could not be switched everywhere",
            set.name
        )))
    }
}

fn update(
    set: &StackSet,
    targets: Option<DeploymentTargets>,
    regions: Vec<String>,
    preferences: Preferences,
) -> StackSetUpdate {
    StackSetUpdate {
        name: set.name.clone(),
        description: set.description.clone(),
        template: Some(set.template.clone()),
        parameters: set.parameters.clone(),
        tags: set.tags.clone(),
        capabilities: set.capabilities.clone(),
        auto_deployment: None,
        targets,
        regions,
        preferences,
        operation_id: String::new(),
    }
}

pub(super) fn request(
    set: &StackSet,
    targets: DeploymentTargets,
    regions: Vec<String>,
    preferences: Preferences,
) -> InstanceRequest {
    InstanceRequest {
        stack_set: set.name.clone(),
        targets,
        regions,
        preferences,
        operation_id: String::new(),
        retain_stacks: false,
    }
}

/// All accounts that a call for these units without a filter would reach.
fn pool<'a, C>(run: &Run<'_, C>, world: &'a World, units: &[String]) -> BTreeSet<&'a str> {
    let management = &run.bundle.organization.accounts.management;
    world
        .accounts
        .iter()
        .filter(|account| account.id != *management)
        .filter(|account| units.iter().any(|unit| account.is_under(unit)))
        .map(|account| account.id.as_str())
        .collect()
}

impl PartReport {
    /// Notes a finished operation; `false` if it didn't work out everywhere.
    pub(super) fn take(&mut self, finished: Finished) -> Result<bool, Stop> {
        let good = finished.is_good();
        let OperationReport {
            id,
            status,
            succeeded,
            failed,
            ..
        } = finished.report.clone();
        self.changed = true;
        self.operations.push(finished.report);
        self.failures.extend(finished.failures);
        let reason = finished.reason.as_deref().unwrap_or("no reason given");
        match status {
            // Somebody wanted it so: nothing of ours goes on.
            OperationStatus::Stopped => Err(Stop::Stopped(format!(
                "operation {id} was stopped by hand after {succeeded} of {} instances; run the \
                 same command again to go on",
                succeeded + failed
            ))),
            OperationStatus::Succeeded => Ok(good),
            _ if failed == 0 => Err(Stop::Failed(format!(
                "operation {id} failed without a failed instance: {reason}"
            ))),
            _ => Ok(good),
        }
    }
}
