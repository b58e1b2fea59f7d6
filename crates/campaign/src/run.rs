//! One run: a random organization, and a deployer that works in it and gets killed.

use std::time::{Duration, Instant};

use anyhow::{Error, Result};
use compiler::{Bundle, Placement};
use deployer::{ApplyOutcome, ApplyReport, DriftReport};
use fastrand::Rng;
use serde_json::{Value, json};
use simulator::Event;

use crate::deployers::Deployer;
use crate::invariants::{self, Broken, History, Invariant};
use crate::lab::Lab;
use crate::random_faults;
use crate::random_input::Input;
use crate::result::Counts;
use crate::tampering::{self, Tampering};
use crate::time::{Ended, Kill, drive};

/// Maximum processes per deployment.
const ATTEMPTS: usize = 12;

/// How long automatic deployment may take to follow a moved account.
const AFTERMATH: Duration = Duration::from_hours(3);

/// Maximum kills per deployment.
const KILLS: usize = 4;

/// What a remedy says if a deployment is part of it.
const DEPLOY: &str = "`deploy`";

/// How often remedies are followed: one difference may hide another, such as a key without a topic.
const REPAIRS: usize = 4;

/// The result of one seed.
#[derive(Debug, Default)]
pub struct Run {
    /// Log of the run, one entry per line.
    pub story: Vec<String>,
    /// The violated invariants.
    pub broken: Vec<Broken>,
    /// Totals of the run.
    pub counts: Counts,
}

/// Runs a seed. An error is the campaign's own and says nothing about the deployer.
pub async fn run(seed: u64, deployer: &dyn Deployer) -> Result<Run> {
    let start = Instant::now();
    // The SDK takes its jitter from this thread's random generator.
    fastrand::seed(seed);
    let mut rng = Rng::with_seed(seed);
    let lab = Lab::random(&mut rng, seed).await?;
    let regions = watched(&mut rng, &lab);
    let input = Input::random(&mut rng, &regions, &lab)?;
    let faults = random_faults::random(&mut rng, &lab, seed);
    let mut runner = Runner {
        deployer,
        epoch: lab.simulator.now(),
        lab,
        input,
        history: History::default(),
        // Most edits here remove more than a fifth of the instances.
        allow_delete: rng.u8(..8) > 0,
        run: Run::default(),
    };
    runner.lab.simulator.set_faults(faults)?;
    runner.log(&format!(
        "an organization of {} accounts, {} units and {} Regions",
        runner.lab.simulator.fleet().accounts.len(),
        runner.lab.units.len(),
        runner.lab.regions.len()
    ));
    runner.deployment(&mut rng).await?;
    for _ in 0..rng.usize(1..4) {
        if !runner.run.broken.is_empty() {
            break;
        }
        runner.change(&mut rng)?;
        if rng.u8(..4) == 0 {
            runner.change(&mut rng)?;
        }
        runner.deployment(&mut rng).await?;
    }
    if runner.run.broken.is_empty() {
        runner.calm(&mut rng).await?;
    }
    Ok(runner.finish(start).await)
}

/// Watched Regions: all or some, always including the home Region.
fn watched(rng: &mut Rng, lab: &Lab) -> Vec<String> {
    let count = rng.usize(1..=lab.regions.len());
    lab.regions.iter().take(count).cloned().collect()
}

/// How one process of the deployer ended.
enum Process {
    Reported(ApplyReport),
    /// It reported, but the organization changed after it was read.
    Overtaken,
    Failed,
    Killed,
}

struct Runner<'d> {
    deployer: &'d dyn Deployer,
    lab: Lab,
    input: Input,
    history: History,
    /// Whether any number of instances may be removed.
    allow_delete: bool,
    epoch: jiff::Timestamp,
    run: Run,
}

impl Runner<'_> {
    fn log(&mut self, line: &str) {
        let at = self.lab.simulator.now().duration_since(self.epoch);
        self.run
            .story
            .push(format!("{:>7} s  {line}", at.as_secs()));
    }

    fn broke(&mut self, broken: Vec<Broken>) {
        for broken in broken {
            self.log(&format!("BROKEN: {broken}"));
            // One cause shows up in many ways, and again after every step.
            if !self.run.broken.contains(&broken) {
                self.run.broken.push(broken);
            }
        }
    }

    /// The bundle for the present fleet.
    fn bundle(&self) -> Result<Bundle> {
        let mut placement = Placement::default();
        for (name, set) in &self.lab.simulator.fleet().stack_sets {
            if !self.lab.is_foreign(name) {
                placement.add(name, set.source.template());
            }
        }
        self.input.bundle(&placement)
    }

    /// Deploys, with crashes in between, until another process would change nothing; then checks
    /// the result.
    async fn deployment(&mut self, rng: &mut Rng) -> Result<Option<ApplyOutcome>> {
        let mut bundle = self.bundle()?;
        self.run.counts.deployments += 1;
        let mut kills = if rng.u8(..4) == 0 {
            0
        } else {
            rng.usize(1..=KILLS)
        };
        let mut last: Option<ApplyReport> = None;
        for _ in 0..ATTEMPTS {
            let kill = (kills > 0).then(|| random_kill(rng));
            bundle = self.bundle()?;
            match self.process(&bundle, kill).await {
                Process::Killed => {
                    kills -= 1;
                    if rng.u8(..12) == 0 {
                        // The deployment is not repeated, and the run continues from this state.
                        self.log("left unfinished");
                        return Ok(None);
                    }
                }
                Process::Failed => {
                    last = None;
                    kills = 0;
                    self.lab.simulator.advance(Duration::from_mins(5));
                }
                Process::Overtaken => {
                    last = None;
                    self.lab.simulator.advance(AFTERMATH);
                }
                Process::Reported(report) => {
                    kills = 0;
                    let good = matches!(
                        report.outcome(),
                        ApplyOutcome::Done | ApplyOutcome::NothingToDo
                    );
                    let settled = good || last.as_ref().is_some_and(|last| is_same(last, &report));
                    last = Some(report);
                    if settled || !self.run.broken.is_empty() {
                        break;
                    }
                    self.lab.simulator.advance(Duration::from_mins(5));
                }
            }
        }
        let Some(report) = last else {
            self.broke(vec![Broken {
                invariant: Invariant::Ends,
                what: format!("no report after {ATTEMPTS} processes"),
            }]);
            return Ok(None);
        };
        let fleet = self.lab.simulator.fleet();
        self.broke(invariants::equal_or_named(&bundle, &fleet, &report));
        let good = matches!(
            report.outcome(),
            ApplyOutcome::Done | ApplyOutcome::NothingToDo
        );
        if good && self.run.broken.is_empty() {
            self.deploy_nothing(&bundle).await;
        }
        Ok(Some(report.outcome()))
    }

    /// A process that must find nothing to do.
    async fn deploy_nothing(&mut self, bundle: &Bundle) {
        let before = self.lab.simulator.journal_length();
        if let Process::Reported(report) = self.process(bundle, None).await {
            let requests = self.lab.simulator.journal(before);
            self.broke(invariants::nothing_to_do(&requests, report.outcome()));
        }
    }

    /// Runs one process of the deployer and checks the invariants of a single process.
    async fn process(&mut self, bundle: &Bundle, kill: Option<Kill>) -> Process {
        let before = self.lab.simulator.journal_length();
        let happened_before = self.lab.simulator.stats().happened.len();
        let operations_before = self.lab.simulator.fleet().operations;
        let deployer = self.deployer;
        let allow_delete = self.allow_delete;
        self.run.counts.processes += 1;
        let work = Box::pin(async {
            let cloud = self.lab.connect(&bundle.organization).await;
            deployer.deploy(&cloud, bundle, allow_delete).await
        });
        let ended = drive(&self.lab.simulator, &self.lab.time, kill, work).await;
        let fleet = self.lab.simulator.fleet();
        let requests = self.lab.simulator.journal(before);
        self.run.counts.mutating += u64::try_from(requests.len()).unwrap_or(u64::MAX);
        self.broke(invariants::only_ours(&self.lab, &fleet, &requests));
        self.history.add(requests, &fleet);
        let happened = self.lab.simulator.stats().happened;
        let happened = happened.get(happened_before..).unwrap_or_default();
        for event in happened {
            self.log(&format!("at the same time: {event}"));
        }
        if !happened.is_empty() {
            // The exact time doesn't matter: work that the event undid may be started again.
            self.history
                .disturb(before..=self.lab.simulator.journal_length());
        }
        let report = match ended {
            Ended::Hung => {
                self.broke(vec![Broken {
                    invariant: Invariant::Ends,
                    what:
                        "the deployer made no progress for 20 seconds of real time, or took more \
                           than 14 days of virtual time"
                            .to_owned(),
                }]);
                return Process::Failed;
            }
            Ended::Killed => {
                self.run.counts.kills += 1;
                self.log(&format!("killed: {kill:?}"));
                return Process::Killed;
            }
            Ended::Finished(Err(error)) => {
                self.run.counts.errors += 1;
                self.log(&format!("failed: {error}: {}", error.source));
                return Process::Failed;
            }
            Ended::Finished(Ok(report)) => report,
        };
        self.log_report(&report);
        // Automatic deployment follows a moved account minutes later.
        let follows = |(set, id): &(String, String)| {
            let ours = id.strip_prefix(set.as_str()).is_some();
            !ours && !operations_before.contains_key(&(set.clone(), id.clone()))
        };
        let overtaken = happened.iter().any(|it| random_faults::changes_targets(it))
            || fleet.operations.keys().any(follows);
        if overtaken {
            return Process::Overtaken;
        }
        self.broke(invariants::no_false_success(bundle, &fleet, &report));
        if report.outcome() == ApplyOutcome::Blocked {
            let requests = self.lab.simulator.journal(before);
            self.broke(invariants::nothing_was_begun(&requests));
        }
        Process::Reported(report)
    }

    fn log_report(&mut self, report: &ApplyReport) {
        self.log(&format!("reported {:?}", report.outcome()));
        for part in &report.parts {
            if !part.outcome.is_good() {
                self.log(&format!("  {}: {:?}", part.name, part.outcome));
            }
            for failure in part.failures.iter().take(3) {
                self.log(&format!(
                    "    {} {}: {}",
                    failure.location, failure.status, failure.reason
                ));
            }
        }
    }

    /// Makes a random change to the rules, the organization file, the organization or a stack set.
    fn change(&mut self, rng: &mut Rng) -> Result<()> {
        let what = match rng.u8(..12) {
            0..=4 => self.input.edit_rules(rng)?,
            5..=7 => self.input.edit_organization(rng, &self.lab),
            8 | 9 => self.organization_changes(rng)?,
            _ => self.second_administrator(rng),
        };
        let next = self.lab.simulator.journal_length();
        self.history.disturb(next..=next);
        self.log(&what);
        // Some lists lag, and the deployer can't know what no list shows.
        let minutes = if rng.bool() { 1 } else { rng.u64(1..90) };
        self.lab.simulator.advance(Duration::from_mins(minutes));
        Ok(())
    }

    fn organization_changes(&mut self, rng: &mut Rng) -> Result<String> {
        let Some(account) = rng.choice(self.lab.workloads()) else {
            return Ok("nothing happens".to_owned());
        };
        Ok(match rng.u8(..4) {
            0 | 1 => {
                let unit = self.lab.move_account(rng, &account)?;
                format!("account {account} moves to {unit}")
            }
            2 => {
                let input = json!({"Email": "new@example.com", "AccountName": "new"});
                self.lab.organizations("CreateAccount", &input)?;
                "an account joins".to_owned()
            }
            _ => {
                let input = json!({"AccountId": account});
                self.lab.organizations("CloseAccount", &input)?;
                format!("account {account} is closed")
            }
        })
    }

    /// An administrator manually changes one of Gizmos' stack sets.
    fn second_administrator(&mut self, rng: &mut Rng) -> String {
        let fleet = self.lab.simulator.fleet();
        let names: Vec<&String> = fleet
            .stack_sets
            .iter()
            // Stacks of the other parts retain named resources when they are deleted, so they can't
            // be created again.
            .filter(|(name, _)| name.starts_with("gizmos-rules") && !self.lab.is_foreign(name))
            .filter(|(_, set)| !set.instances.is_empty())
            .map(|(name, _)| name)
            .collect();
        let Some(name) = rng.choice(names) else {
            return "nothing happens".to_owned();
        };
        let set = fleet.stack_sets.get(name);
        let parameters: Vec<Value> = set
            .iter()
            .flat_map(|set| set.source.parameters())
            .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
            .collect();
        let locations: Vec<&(String, String)> =
            set.iter().flat_map(|set| set.instances.keys()).collect();
        let Some((account, region)) = rng.choice(locations) else {
            return "nothing happens".to_owned();
        };
        let unit = fleet
            .accounts
            .get(account)
            .and_then(|account| account.path.last())
            .map_or("", String::as_str);
        let targets = json!({
            "OrganizationalUnitIds": [unit], "Accounts": [account],
            "AccountFilterType": "INTERSECTION",
        });
        let (what, outcome) = match rng.u8(..4) {
            0 | 1 => (
                format!("{account} {region} is taken out of {name} by hand"),
                self.lab.cloudformation(
                    "DeleteStackInstances",
                    &json!({
                        "StackSetName": name, "DeploymentTargets": targets,
                        "Regions": [region], "RetainStacks": "false",
                    }),
                ),
            ),
            2 => (
                format!("{name} is changed by hand"),
                self.lab.cloudformation(
                    "UpdateStackSet",
                    &json!({
                        "StackSetName": name, "UsePreviousTemplate": "true",
                        "Description": "changed by hand", "Parameters": parameters,
                        "Capabilities": ["CAPABILITY_NAMED_IAM"],
                    }),
                ),
            ),
            _ => (
                format!("drift of {name} is detected by hand"),
                self.lab
                    .cloudformation("DetectStackSetDrift", &json!({"StackSetName": name})),
            ),
        };
        match outcome {
            Ok(_) => what,
            Err(error) => format!("{what}: refused, {error}"),
        }
    }

    /// Ends all faults, after which a deployment must succeed.
    async fn calm(&mut self, rng: &mut Rng) -> Result<()> {
        self.lab
            .simulator
            .set_faults(simulator::Faults::default())?;
        for region in self.lab.regions.clone() {
            let event = Event::SetRegion {
                region,
                enabled: true,
                account: None,
            };
            // The Regions come from the simulator itself.
            self.lab.simulator.happen(&event).map_err(Error::msg)?;
        }
        let next = self.lab.simulator.journal_length();
        self.history.disturb(next..=next);
        self.log("all faults end");
        self.lab.simulator.advance(AFTERMATH);
        // Operations that are still running are stuck, so they are stopped by hand.
        let stop = Event::StopOperation { stack_set: None };
        while let Ok(stopped) = self.lab.simulator.happen(&stop) {
            self.log(&format!("stopped by hand: {stopped}"));
            self.lab.simulator.advance(Duration::from_mins(5));
        }
        let outcome = self.deployment(rng).await?;
        let settled = matches!(
            outcome,
            None | Some(ApplyOutcome::Done | ApplyOutcome::NothingToDo | ApplyOutcome::Blocked)
        );
        let settled = settled || self.lab.blocks(&self.bundle()?);
        if !settled && self.run.broken.is_empty() {
            self.broke(vec![Broken {
                invariant: Invariant::Ends,
                what: format!("without any fault the deployment still ends as {outcome:?}"),
            }]);
        }
        let good = matches!(
            outcome,
            Some(ApplyOutcome::Done | ApplyOutcome::NothingToDo)
        );
        if good && self.run.broken.is_empty() {
            self.drift(&[]).await?;
        }
        if good && self.run.broken.is_empty() {
            let done = tampering::random(rng, &self.lab);
            for tampering in &done {
                self.log(&format!("by hand: {tampering}"));
                let count = self.run.counts.tampering.entry(tampering.what.to_owned());
                *count.or_default() += 1;
            }
            let report = self.drift(&done).await?;
            if let Some(report) = report.filter(|_| self.run.broken.is_empty()) {
                self.repair(report).await?;
            }
        }
        Ok(())
    }

    /// Checks that drift is reported exactly where the fleet was tampered with.
    async fn drift(&mut self, done: &[Tampering]) -> Result<Option<DriftReport>> {
        let before = self.lab.simulator.journal_length();
        let report = self.look_for_drift().await?;
        if let Some(report) = &report {
            let requests = self.lab.simulator.journal(before);
            self.broke(invariants::drift_found(report, done, &requests));
        }
        Ok(report)
    }

    /// Runs the drift check; without a report, an invariant is broken.
    async fn look_for_drift(&mut self) -> Result<Option<DriftReport>> {
        let bundle = self.bundle()?;
        let deployer = self.deployer;
        let work = Box::pin(async {
            let cloud = self.lab.connect(&bundle.organization).await;
            deployer.drift(&cloud, &bundle).await
        });
        let (invariant, what) = match drive(&self.lab.simulator, &self.lab.time, None, work).await {
            Ended::Finished(Ok(report)) => {
                self.log_drift(&report);
                return Ok(Some(report));
            }
            Ended::Finished(Err(error)) => {
                (Invariant::DriftFound, format!("{error}: {}", error.source))
            }
            Ended::Killed | Ended::Hung => {
                let what = "the drift check made no progress".to_owned();
                (Invariant::Ends, what)
            }
        };
        self.broke(vec![Broken { invariant, what }]);
        Ok(None)
    }

    fn log_drift(&mut self, report: &DriftReport) {
        self.log(&format!("drift: {} differences", report.differences.len()));
        for difference in &report.differences {
            let location = difference.location.as_ref();
            let location = location.map_or_else(String::new, |location| format!(" in {location}"));
            self.log(&format!("  {}{location}", difference.code.id()));
        }
        for unchecked in &report.unchecked {
            self.log(&format!(
                "  unchecked: {}: {}",
                unchecked.what, unchecked.reason
            ));
        }
    }

    /// Follows the remedies of a drift report until none is left. Then there is nothing to deploy.
    async fn repair(&mut self, mut report: DriftReport) -> Result<()> {
        for _ in 0..REPAIRS {
            let remedies = remedies(&report);
            for remedy in &remedies {
                self.follow(remedy);
            }
            if remedies.iter().any(|remedy| remedy.contains(DEPLOY)) {
                self.disturb_next();
                let bundle = self.bundle()?;
                self.process(&bundle, None).await;
            }
            if report.differences.is_empty() || !self.run.broken.is_empty() {
                break;
            }
            match self.look_for_drift().await? {
                Some(found) => report = found,
                None => return Ok(()),
            }
        }
        self.broke(invariants::repaired(&report));
        // Where nobody may look, changes are neither found nor repaired.
        if self.run.broken.is_empty() && report.unchecked.is_empty() {
            let bundle = self.bundle()?;
            self.deploy_nothing(&bundle).await;
        }
        Ok(())
    }

    /// Runs the AWS commands of a remedy, as far as they succeed. A deployment comes after those of all
    /// remedies: it trusts stacks whose instances are current.
    fn follow(&mut self, remedy: &str) {
        let account = account_of(remedy);
        let commands = remedy.split('`').skip(1).step_by(2);
        for command in commands.filter(|it| it.starts_with("aws ")) {
            self.disturb_next();
            if let Err(error) = self.lab.run_aws(account, command) {
                self.log(&format!("{command}: {error}"));
                break;
            }
        }
    }

    /// No deployer makes the next request.
    fn disturb_next(&mut self) {
        let next = self.lab.simulator.journal_length();
        self.history.disturb(next..=next);
    }

    async fn finish(mut self, start: Instant) -> Run {
        self.broke(self.history.started_once());
        let stats = self.lab.simulator.stats();
        self.run.counts.calls = stats.calls.values().sum();
        self.run.counts.faults.extend(stats.faults);
        self.run.counts.faults.remove("nothing_to_do");
        let virtual_time = self.lab.simulator.now().duration_since(self.epoch);
        self.run.counts.virtual_seconds = u64::try_from(virtual_time.as_secs()).unwrap_or(0);
        self.lab.simulator.stop().await;
        self.run.counts.real_seconds = start.elapsed().as_secs_f64();
        self.run
    }
}

/// The remedies in the order of the report, each once.
fn remedies(report: &DriftReport) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for difference in &report.differences {
        let remedy = difference.fix.to_string();
        if !all.contains(&remedy) {
            all.push(remedy);
        }
    }
    all
}

/// The account in a remedy's words.
fn account_of(remedy: &str) -> Option<&str> {
    let (_, rest) = remedy.split_once("in account ")?;
    rest.get(..12)
}

/// Whether a second process ended in exactly the same state as the first.
fn is_same(one: &ApplyReport, other: &ApplyReport) -> bool {
    let gist = |report: &ApplyReport| {
        report
            .parts
            .iter()
            .map(|part| {
                let locations: Vec<_> =
                    part.failures.iter().map(|it| it.location.clone()).collect();
                (part.name.clone(), part.location.clone(), locations)
            })
            .collect::<Vec<_>>()
    };
    one.outcome() == other.outcome() && gist(one) == gist(other)
}

/// Picks early and late times equally often, because most faults matter at the start of each step.
fn random_kill(rng: &mut Rng) -> Kill {
    let log = |rng: &mut Rng, most: u32| {
        let limit = 1_u64 << rng.u32(1..=most);
        rng.u64(1..=limit)
    };
    match rng.u8(..5) {
        0 | 1 => Kill::Answers(log(rng, 8)),
        2 | 3 => Kill::Steps(log(rng, 10)),
        _ => Kill::At(Duration::from_secs(log(rng, 12))),
    }
}
