//! The scale case: one large organization without faults, measured step by step.

mod step;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aws::Aws;
use compiler::{Bundle, Part, Templates, organization};
use deployer::drift::DriftOutcome;
use deployer::{ApplyOutcome, DeployError, DriftOptions, Silent};
use serde::Serialize;
use simulator::{DEFAULT_REGIONS, Fleet};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use step::{Calls, Step};

use crate::differences::differences;
use crate::lab::{Lab, ROOT};
use crate::process;
use step::{Extent, Measured};

/// Memory limit for client and simulator together, in megabytes.
const MEMORY: f64 = 300.0;
/// Time limit for a drift check, in real seconds.
const DRIFT: f64 = 90.0;
/// Calls for the drift check's own looks, per account and Region.
const LOOKS_PER_LOCATION: usize = 2;
/// Time limit for a plan, and for a deployment with nothing to do, in real seconds.
const QUICK: f64 = 10.0;

/// The results of the scale case, except for its steps.
#[derive(Debug, Serialize)]
pub struct Scale {
    /// Accounts in the organization, including the management account.
    pub accounts: usize,
    /// Number of watched Regions.
    pub regions: usize,
    /// Number of rules in the repository.
    pub rules: usize,
    /// Stack instances after the deployment, plus the management account's stacks.
    pub instances: usize,
    /// Peak memory of client and simulator in megabytes; `None` if the system doesn't report it.
    pub peak_mb: Option<f64>,
    /// The requirements that were not met.
    pub missed: Vec<String>,
}

/// Deploys the repository's own rules to this many accounts and Regions. Calls `progress` after
/// each step.
pub async fn scale(
    accounts: usize,
    regions: usize,
    progress: &mut dyn FnMut(&Step) -> Result<()>,
) -> Result<Scale> {
    if accounts < 4 || !(1..=DEFAULT_REGIONS.len()).contains(&regions) {
        bail!(
            "the scale case needs at least 4 accounts and 1 to {} Regions",
            DEFAULT_REGIONS.len()
        );
    }
    let (bundle, rules) = bundle(regions)?;
    // A thread of its own: AWS doesn't take the client's time.
    let server = Server::start()?;
    let lab = Lab::plain_on(
        &server.handle,
        accounts - 3,
        &bundle.organization.regions,
        1,
    )
    .await?;
    let mut scale = Scale {
        accounts,
        regions,
        rules,
        instances: 0,
        peak_mb: None,
        missed: Vec::new(),
    };
    let mut extent = Extent {
        accounts,
        ..Extent::default()
    };

    let steps = Steps {
        lab: &lab,
        server: &server.handle,
        bundle: &bundle,
    };

    let plan = steps.measure("plan", async |cloud| {
        let observed = deployer::observe(&cloud, &bundle).await?;
        Ok(deployer::plan(&bundle, &observed))
    });
    let (planned, step) = plan.await?;
    let step = step.ended(format!(
        "{} instances to add",
        planned.summary().instances_add
    ));
    scale.quick(&step);
    progress(&step.compared(&extent))?;

    let deploy = steps.measure("deploy", async |cloud| {
        deployer::apply(&cloud, &bundle, &planned, &Silent).await
    });
    let (report, step) = deploy.await?;
    let outcome = report.outcome();
    drop((report, planned));
    scale.require(outcome == ApplyOutcome::Done, "the deployment succeeded");
    let fleet = lab.simulator.fleet();
    count(&mut extent, &bundle, &fleet);
    scale.instances = extent.instances + extent.managed;
    let wrong = differences(&bundle, &fleet).len();
    drop(fleet);
    scale.require(wrong == 0, "the fleet matches the bundle");
    progress(&step.ended(format!("{outcome:?}")).compared(&extent))?;

    let again = steps.measure("plan again", async |cloud| {
        let observed = deployer::observe(&cloud, &bundle).await?;
        Ok(deployer::plan(&bundle, &observed).is_empty())
    });
    let (is_empty, step) = again.await?;
    let step = step.ended(format!("empty: {is_empty}"));
    scale.require(is_empty, "the second plan is empty");
    scale.quick(&step);
    progress(&step.compared(&extent))?;

    let before = lab.simulator.journal_length();
    let again = steps.measure("deploy again", async |cloud| {
        let observed = deployer::observe(&cloud, &bundle).await?;
        let plan = deployer::plan(&bundle, &observed);
        drop(observed);
        deployer::apply(&cloud, &bundle, &plan, &Silent).await
    });
    let (report, step) = again.await?;
    let step = step.ended(format!("{:?}", report.outcome()));
    let mutating = lab.simulator.journal_length() - before;
    scale.require(mutating == 0, "deploying again made no mutating call");
    scale.quick(&step);
    progress(&step.compared(&extent))?;

    let drift = steps.measure("drift", async |cloud| {
        deployer::drift(&cloud, &bundle, &DriftOptions::default(), &Silent).await
    });
    let (report, step) = drift.await?;
    let outcome = report.outcome();
    let settled: usize = report.settled.iter().map(|it| it.settled).sum();
    let open: usize = report.settled.iter().map(|it| it.open).sum();
    scale.require(outcome == DriftOutcome::InSync, "there is no drift");
    // Otherwise the simulator reports nothing falsely, and the run proves less.
    scale.require(settled > 0, "CloudFormation reports drift falsely");
    scale.affordable(&step, &extent);
    let words = format!("{outcome:?}, {settled} settled, {open} left to a deep run");
    progress(&step.ended(words).compared(&extent))?;

    lab.simulator.stop().await;
    scale.peak_mb = process::peak_memory();
    let small = scale.peak_mb.is_none_or(|peak| peak < MEMORY);
    scale.require(small, &format!("the peak memory is below {MEMORY} MB"));
    Ok(scale)
}

/// A thread that runs the simulator. It ends when this is dropped.
struct Server {
    handle: Handle,
    /// Dropped to end the thread.
    _stop: oneshot::Sender<()>,
}

impl Server {
    fn start() -> Result<Server> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("could not start a runtime")?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        std::thread::Builder::new()
            .name("simulator".to_owned())
            // Ends with an error, since nothing is ever sent.
            .spawn(move || runtime.block_on(stopped).unwrap_or_default())
            .context("could not start a thread")?;
        Ok(Server {
            handle,
            _stop: stop,
        })
    }
}

/// Runs the steps of the scale case, each like a new process.
struct Steps<'a> {
    lab: &'a Lab,
    server: &'a Handle,
    bundle: &'a Bundle,
}

impl Steps<'_> {
    async fn measure<T>(
        &self,
        name: &'static str,
        work: impl AsyncFnOnce(Aws) -> Result<T, DeployError>,
    ) -> Result<(T, Step)> {
        let measured = Measured::start(self.lab, self.server);
        let work = measured.run(async {
            let cloud = self.lab.connect(&self.bundle.organization).await;
            work(cloud).await
        });
        let result = Box::pin(work).await?;
        Ok((result, measured.end(name)))
    }
}

/// The repository's rules for all accounts and the first Regions.
fn bundle(regions: usize) -> Result<(Bundle, usize)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let options = rules::Options {
        // The date on which the simulator starts.
        today: jiff::civil::date(2026, 11, 23),
    };
    let rules = rules::load(&root.join("rules"), &options).rules;
    let (organization, _) = organization::load(&root.join("stacksets/organization.yaml"));
    let mut organization = organization.context("stacksets/organization.yaml has errors")?;
    let home = organization.home_region.clone();
    let others = DEFAULT_REGIONS.iter().map(|region| (*region).to_owned());
    let watched: Vec<String> = [home.clone()]
        .into_iter()
        .chain(others.filter(|region| *region != home))
        .take(regions)
        .collect();
    organization.resolve_regions(&watched)?;
    organization.regions = watched;
    organization.targets.organizational_units = vec![ROOT.to_owned()];
    let Ok(templates) = Templates::load(&root.join("stacksets")) else {
        bail!("the templates in `stacksets/` can't be loaded; `cargo xtask check` says why");
    };
    let (bundle, _) = compiler::compile(&rules, &organization, &templates);
    let bundle = bundle.context("the rules don't compile; `cargo xtask check` says why")?;
    Ok((bundle, rules.len()))
}

/// Counts the deployed resources.
fn count(extent: &mut Extent, bundle: &Bundle, fleet: &Fleet) {
    let managed = bundle.stack_sets.iter();
    let managed: BTreeSet<&String> = managed
        .flat_map(|set| &set.targets.management_regions)
        .collect();
    extent.managed_regions = managed.len();
    for set in &bundle.stack_sets {
        let stacks = set.targets.management_regions.len();
        extent.managed += stacks;
        let found = fleet.stack_sets.get(&set.name);
        let instances = found.map_or(0, |found| found.instances.len());
        if found.is_some() {
            extent.add_stack_set(instances);
        }
        let queues = set.template.matches("\"AWS::SQS::Queue\"").count();
        extent.queues += queues * (stacks + instances);
        let rules = set.template.matches("\"AWS::Events::Rule\"").count();
        if matches!(set.part, Part::RulesHub | Part::Topic) {
            extent.hub_rules += rules;
        } else if rules > 0 {
            extent.rule_lists += stacks + instances;
        }
    }
}

impl Scale {
    fn require(&mut self, holds: bool, what: &str) {
        if !holds {
            self.missed.push(what.to_owned());
        }
    }

    /// Compares the drift check's own looks with their budget: two calls per account and Region
    /// besides those that it has always made, one paged read of IAM per account, and the hub's rules.
    fn affordable(&mut self, step: &Step, extent: &Extent) {
        let made = |action: &str| step.calls.get(action).map_or(0, |calls| calls.made);
        let locations = extent.accounts * self.regions;
        let budget = LOOKS_PER_LOCATION * locations + extent.hub_rules + extent.stack_sets;
        let looks = made("events:ListRules")
            + made("events:ListTargetsByRule")
            + made("cloudformation:ListStackInstanceResourceDrifts");
        // A sample of what CloudFormation may have reported falsely.
        let budget = budget + 1_000;
        self.require(
            looks <= budget as u64,
            &format!("{looks} looks are within the budget of {budget}"),
        );
        let roles = made("iam:GetAccountAuthorizationDetails");
        self.require(
            roles <= extent.accounts as u64,
            &format!("{roles} reads of IAM are one per account"),
        );
        let what = format!("`{}` takes less than {DRIFT} s", step.name);
        self.require(step.real_seconds < DRIFT, &what);
    }

    fn quick(&mut self, step: &Step) {
        let what = format!("`{}` takes less than {QUICK} s", step.name);
        self.require(step.real_seconds < QUICK, &what);
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} accounts x {} Regions, {} rules: {} stack instances and stacks",
            self.accounts, self.regions, self.rules, self.instances
        )?;
        match self.peak_mb {
            Some(peak) => writeln!(f, "peak memory, client and simulator: {peak:.0} MB")?,
            None => writeln!(f, "peak memory unknown on this system")?,
        }
        for missed in &self.missed {
            writeln!(f, "MISSED: {missed}")?;
        }
        writeln!(f, "requirements missed: {}", self.missed.len())
    }
}
