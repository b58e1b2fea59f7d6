//! The scale case: one large organization, without faults, measured step by step.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use compiler::{Bundle, Templates, organization};
use deployer::drift::DriftOutcome;
use deployer::{ApplyOutcome, DeployError, DriftOptions, Silent};
use serde::Serialize;
use simulator::{DEFAULT_REGIONS, Fleet};

use crate::differences::differences;
use crate::lab::{Lab, ROOT};
use crate::memory;
use crate::time::{Ended, drive};

/// Megabytes that client and simulator together may take.
const MEMORY: f64 = 300.0;
/// Real seconds for a plan, and for a deployment that has nothing to do.
const QUICK: f64 = 10.0;

/// Entries of a page, by the actions that give pages.
const ACCOUNTS_PAGE: usize = 20;
const PAGE: usize = 100;

/// What the scale case took.
#[derive(Debug, Serialize)]
pub struct Scale {
    /// Accounts of the organization, the management account included.
    pub accounts: usize,
    /// Regions that are watched.
    pub regions: usize,
    /// Rules of the repository.
    pub rules: usize,
    /// Stack instances after the deployment, and the management account's stacks.
    pub instances: usize,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// Megabytes of client and simulator at their peak; `None` where the system doesn't tell.
    pub peak_mb: Option<f64>,
    /// The bars that were missed.
    pub missed: Vec<String>,
}

/// One step.
#[derive(Debug, Serialize)]
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// How it ended.
    pub outcome: String,
    /// Calls by `service:Action`.
    pub calls: BTreeMap<String, Calls>,
    /// Virtual time.
    pub virtual_seconds: u64,
    /// Real time.
    pub real_seconds: f64,
}

/// Calls of one action.
#[derive(Debug, Serialize)]
pub struct Calls {
    /// That were made.
    pub made: u64,
    /// That reading everything once takes; `None` for actions that are not about reading all.
    pub least: Option<u64>,
}

/// Deploys the repository's own rules to so many accounts and Regions. `progress` hears of every
/// step that has ended.
pub async fn scale(accounts: usize, regions: usize, progress: &dyn Fn(&Step)) -> Result<Scale> {
    if accounts < 4 || !(1..=DEFAULT_REGIONS.len()).contains(&regions) {
        bail!(
            "it takes at least 4 accounts, and 1 to {} Regions",
            DEFAULT_REGIONS.len()
        );
    }
    let (bundle, rules) = bundle(regions)?;
    let lab = Lab::plain(accounts - 3, &bundle.organization.regions, 1).await?;
    let mut scale = Scale {
        accounts,
        regions,
        rules,
        instances: 0,
        steps: Vec::new(),
        peak_mb: None,
        missed: Vec::new(),
    };

    let plan = Measured::start(&lab);
    let planned = plan.run(async {
        let cloud = lab.connect().await;
        let observed = deployer::observe(&cloud, &bundle).await?;
        Ok::<_, DeployError>(deployer::plan(&bundle, &observed))
    });
    let planned = Box::pin(planned).await?;
    let what = format!("{} instances to add", planned.summary().instances_add);
    scale.end(&plan, progress, "plan", what);

    let deploy = Measured::start(&lab);
    let report = deploy.run(async {
        let cloud = lab.connect().await;
        deployer::apply(&cloud, &bundle, &planned, &Silent).await
    });
    let report = Box::pin(report).await?;
    drop(planned);
    let outcome = report.outcome();
    scale.end(&deploy, progress, "deploy", format!("{outcome:?}"));
    scale.require(outcome == ApplyOutcome::Done, "the deployment worked out");
    let fleet = lab.simulator.fleet();
    scale.instances = instances(&fleet) + managed(&bundle);
    let wrong = differences(&bundle, &fleet).len();
    drop(fleet);
    scale.require(wrong == 0, "the fleet equals the bundle");

    let plan = Measured::start(&lab);
    let planned = plan.run(async {
        let cloud = lab.connect().await;
        let observed = deployer::observe(&cloud, &bundle).await?;
        Ok::<_, DeployError>(deployer::plan(&bundle, &observed).is_empty())
    });
    let is_empty = Box::pin(planned).await?;
    scale.end(&plan, progress, "plan again", format!("empty: {is_empty}"));
    scale.require(is_empty, "the second plan is empty");

    let again = Measured::start(&lab);
    let before = lab.simulator.journal_length();
    let report = again.run(async {
        let cloud = lab.connect().await;
        let observed = deployer::observe(&cloud, &bundle).await?;
        let plan = deployer::plan(&bundle, &observed);
        drop(observed);
        deployer::apply(&cloud, &bundle, &plan, &Silent).await
    });
    let outcome = Box::pin(report).await?.outcome();
    scale.end(&again, progress, "deploy again", format!("{outcome:?}"));
    let mutating = lab.simulator.journal_length() - before;
    scale.require(mutating == 0, "deploying again made no mutating call");

    let drift = Measured::start(&lab);
    let found = drift.run(async {
        let cloud = lab.connect().await;
        deployer::drift(&cloud, &bundle, &DriftOptions::default(), &Silent).await
    });
    let outcome = Box::pin(found).await?.outcome();
    scale.end(&drift, progress, "drift", format!("{outcome:?}"));
    scale.require(outcome == DriftOutcome::InSync, "there is no drift");

    scale.least(&lab.simulator.fleet());
    lab.simulator.stop().await;
    for name in ["plan", "plan again", "deploy again"] {
        let time = scale.steps.iter().find(|step| step.name == name);
        let quick = time.is_some_and(|step| step.real_seconds < QUICK);
        scale.require(quick, &format!("`{name}` takes less than {QUICK} s"));
    }
    scale.peak_mb = memory::peak();
    let small = scale.peak_mb.is_none_or(|peak| peak < MEMORY);
    scale.require(small, &format!("the peak memory is below {MEMORY} MB"));
    Ok(scale)
}

/// The repository's rules for all accounts and the first Regions.
fn bundle(regions: usize) -> Result<(Bundle, usize)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let options = rules::Options {
        // The day on which the simulator starts.
        today: jiff::civil::date(2026, 11, 23),
    };
    let rules = rules::load(&root.join("rules"), &options).rules;
    let (organization, _) = organization::load(&root.join("stacksets/organization.yaml"));
    let mut organization = organization.context("stacksets/organization.yaml has errors")?;
    let home = organization.home_region.clone();
    let others = DEFAULT_REGIONS.iter().map(|region| (*region).to_owned());
    organization.regions = [home.clone()]
        .into_iter()
        .chain(others.filter(|region| *region != home))
        .take(regions)
        .collect();
    organization.targets.organizational_units = vec![ROOT.to_owned()];
    let Ok(templates) = Templates::load(&root.join("stacksets")) else {
        bail!("the templates in `stacksets/` can't be loaded; `cargo xtask check` says why");
    };
    let (bundle, _) = compiler::compile(&rules, &organization, &templates);
    let bundle = bundle.context("the rules don't compile; `cargo xtask check` says why")?;
    Ok((bundle, rules.len()))
}

fn instances(fleet: &Fleet) -> usize {
    fleet
        .stack_sets
        .values()
        .map(|set| set.instances.len())
        .sum()
}

fn managed(bundle: &Bundle) -> usize {
    let sets = bundle.stack_sets.iter();
    sets.map(|set| set.targets.management_regions.len()).sum()
}

/// A step that is going on.
struct Measured<'l> {
    lab: &'l Lab,
    start: Instant,
    virtual_start: jiff::Timestamp,
    calls: BTreeMap<String, u64>,
}

impl<'l> Measured<'l> {
    fn start(lab: &'l Lab) -> Measured<'l> {
        Measured {
            lab,
            start: Instant::now(),
            virtual_start: lab.simulator.now(),
            calls: lab.simulator.calls(),
        }
    }

    async fn run<T, E: std::error::Error + Send + Sync + 'static>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T> {
        let lab = self.lab;
        match drive(&lab.simulator, &lab.time, None, Box::pin(work)).await {
            Ended::Finished(result) => Ok(result?),
            Ended::Killed | Ended::Hung => bail!("the deployer hangs"),
        }
    }
}

impl Scale {
    fn end(
        &mut self,
        measured: &Measured<'_>,
        progress: &dyn Fn(&Step),
        name: &'static str,
        outcome: String,
    ) {
        let simulator = &measured.lab.simulator;
        let calls = simulator
            .calls()
            .into_iter()
            .map(|(action, count)| {
                let before = measured.calls.get(&action).copied().unwrap_or_default();
                let calls = Calls {
                    made: count - before,
                    least: None,
                };
                (action, calls)
            })
            .filter(|(_, calls)| calls.made > 0)
            .collect();
        let elapsed = simulator.now().duration_since(measured.virtual_start);
        self.steps.push(Step {
            name,
            outcome,
            calls,
            virtual_seconds: u64::try_from(elapsed.as_secs()).unwrap_or_default(),
            real_seconds: measured.start.elapsed().as_secs_f64(),
        });
        if let Some(step) = self.steps.last() {
            progress(step);
        }
    }

    fn require(&mut self, holds: bool, what: &str) {
        if !holds {
            self.missed.push(what.to_owned());
        }
    }

    /// Fills in what reading everything once takes.
    fn least(&mut self, fleet: &Fleet) {
        let pages = |entries: usize, page: usize| entries.div_ceil(page).max(1) as u64;
        let sets = &fleet.stack_sets;
        let instances: u64 = sets
            .values()
            .map(|it| pages(it.instances.len(), PAGE))
            .sum();
        let accounts = pages(self.accounts, ACCOUNTS_PAGE);
        for step in &mut self.steps {
            // On the first plan there is no stack set yet.
            let first = step.name == "plan";
            for (action, calls) in &mut step.calls {
                calls.least = match action.as_str() {
                    "organizations:ListAccounts" => Some(accounts),
                    "cloudformation:ListStackSets" => Some(1),
                    "cloudformation:ListStackInstances" if !first => Some(instances),
                    "cloudformation:DescribeStackSet" | "cloudformation:ListStackSetOperations"
                        if !first =>
                    {
                        Some(sets.len() as u64)
                    }
                    "cloudformation:CreateStackSet"
                    | "cloudformation:CreateStackInstances"
                    | "cloudformation:DetectStackSetDrift" => Some(sets.len() as u64),
                    _ => None,
                };
            }
        }
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} accounts x {} Regions, {} rules: {} stack instances and stacks",
            self.accounts, self.regions, self.rules, self.instances
        )?;
        for step in &self.steps {
            let time = Duration::from_secs(step.virtual_seconds);
            writeln!(
                f,
                "\n{}: {}; {:.1} min virtual, {:.2} s real, {} calls",
                step.name,
                step.outcome,
                time.as_secs_f64() / 60.0,
                step.real_seconds,
                step.calls.values().map(|calls| calls.made).sum::<u64>()
            )?;
            for (action, calls) in &step.calls {
                match calls.least {
                    Some(least) => {
                        writeln!(f, "  {action:<48} {:>7}   least {least}", calls.made)?;
                    }
                    None => writeln!(f, "  {action:<48} {:>7}", calls.made)?,
                }
            }
        }
        match self.peak_mb {
            Some(peak) => writeln!(f, "\npeak memory, client and simulator: {peak:.0} MB")?,
            None => writeln!(f, "\npeak memory unknown on this system")?,
        }
        for missed in &self.missed {
            writeln!(f, "MISSED: {missed}")?;
        }
        writeln!(f, "bars missed: {}", self.missed.len())
    }
}
