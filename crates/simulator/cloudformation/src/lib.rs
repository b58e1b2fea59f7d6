//! AWS CloudFormation in a simulated organization: stacks, change sets, stack sets, drift.
//!
//! Operations are asynchronous: a request performs AWS's synchronous checks and enters an
//! `…_IN_PROGRESS` state. The work is queued in [`CloudFormation::later`]; the owner of the virtual
//! clock passes it to [`due`] some seconds later.
//!
//! # Example
//!
//! ```
//! use serde_json::json;
//! use simulator_cloudformation::{CloudFormation, InstanceEffect, InstanceFaults, Later, Stage};
//! use simulator_cloudformation::{Lag, Quotas, call, due};
//! use simulator_services::Services;
//! use simulator_services::environment::Environment;
//! use simulator_wire::api::Caller;
//!
//! #[derive(Debug)]
//! struct NoFaults;
//!
//! impl InstanceFaults for NoFaults {
//!     fn instance_fault(&mut self, _: &str, _: (&str, &str), _: &str) -> Option<InstanceEffect> {
//!         None
//!     }
//! }
//!
//! let environment = Environment::new(1, vec!["eu-central-1".to_owned()], Default::default());
//! let mut stage = Stage {
//!     cloudformation: &mut CloudFormation::default(),
//!     services: &mut Services::new(environment, 9),
//!     quotas: Quotas::default(),
//!     lag: Lag::default(),
//!     faults: &mut NoFaults,
//! };
//! let caller = Caller {
//!     account: "111122223333".to_owned(),
//!     region: "eu-central-1".to_owned(),
//!     arn: "arn:aws:iam::111122223333:root".to_owned(),
//!     role: None,
//!     session_policy: None,
//! };
//! let template = "Resources: {Topic: {Type: AWS::SNS::Topic}}";
//! let input = json!({"StackName": "alerts", "TemplateBody": template});
//! call(&mut stage, &caller, "CreateStack", &input).unwrap();
//!
//! for (_, later) in std::mem::take(&mut stage.cloudformation.later) {
//!     if let Later::CloudFormation(task) = later {
//!         due(&mut stage, task);
//!     }
//! }
//! let stack = stage.cloudformation.stacks.living().next().unwrap();
//! assert_eq!((&*stack.name, stack.status), ("alerts", "CREATE_COMPLETE"));
//! ```

mod action;
mod outside_changes;
mod request;
pub mod set;
mod settings;
pub mod stack;
mod template;
mod template_url;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use simulator_services::{self as services, Services, resources};
use simulator_wire as wire;

pub use action::{call, is_mutating};
pub use outside_changes::{
    LiveResource, edit_resource, live_resources, stick_running, stop_running,
};
pub use set::auto::account_moved;
pub use settings::{InstanceEffect, InstanceFaults, Lag, Quotas, StackOf};
pub use stack::drift::{DriftReading, Unreadable};
pub use stack::fold::unfold;

/// All stacks and stack sets, of all accounts and Regions.
#[derive(Clone, Debug, Default)]
pub struct CloudFormation {
    /// All stacks, deleted ones included.
    pub stacks: stack::Stacks,
    /// By ARN.
    change_sets: BTreeMap<String, stack::change_set::ChangeSet>,
    /// By detection id.
    detections: BTreeMap<String, Detection>,
    /// All stack sets, deleted ones included.
    pub sets: set::StackSets,
    /// Injected failures of pending operations: reason by stack id.
    planned_failures: BTreeMap<Arc<str>, String>,
    /// Accounts whose stacks a read request unfolded, most recent last.
    looked_at: VecDeque<Arc<str>>,
    /// Resources of folded stacks that exist temporarily for a read request, by stack id.
    shown: BTreeMap<Arc<str>, BTreeMap<String, stack::Resource>>,
    /// Rules of folded stacks that exist temporarily, without targets, for a list of rules.
    listed: BTreeMap<Arc<str>, BTreeMap<String, stack::Resource>>,
    /// What drift detection can read.
    pub drift_reading: DriftReading,
    /// Operations known to succeed.
    proofs: Vec<stack::fold::Proof>,
    /// Scheduled work with its delay in virtual seconds, for the owner of the clock.
    pub later: Vec<(i64, Later)>,
}

/// A drift detection of one stack.
#[derive(Clone, Debug)]
struct Detection {
    stack: Arc<str>,
    at: Timestamp,
    /// Drift status and number of drifted resources; `None` while it runs.
    result: Option<(&'static str, usize)>,
    /// Why it will fail: a resource that the caller can't read.
    failure: Option<String>,
}

/// Delayed work of CloudFormation.
#[derive(Debug, Clone)]
pub enum Task {
    /// Perform a stack's pending operation.
    Stack(Arc<str>),
    /// Finish creating a change set.
    ChangeSet(String),
    /// Finish a drift detection.
    Detection(String),
    /// Finish a stack set operation's work in one account and Region.
    Instance(set::operation::Job),
    /// Continue a stack set operation.
    Operation {
        /// The stack set's id.
        set: Arc<str>,
        /// The operation's id.
        operation: Arc<str>,
    },
    /// Automatic deployment after an account joined, left or moved.
    Auto(set::auto::Move),
}

/// Delayed work of CloudFormation or a service.
#[derive(Clone, Debug)]
pub enum Later {
    /// For [`due`].
    CloudFormation(Task),
    /// For [`services::due`].
    Services(services::Task),
}

impl CloudFormation {
    /// The number of operations known to succeed, which need not be performed again elsewhere.
    pub fn proofs(&self) -> usize {
        self.proofs.len()
    }

    /// The exports of an account and Region by name: value and exporting stack.
    fn exports(&self, account: &str, region: &str) -> BTreeMap<String, (String, String)> {
        self.stacks
            .of(account, region)
            .into_iter()
            .filter(|stack| stack.deleted.is_none())
            .flat_map(|stack| {
                stack.outputs.iter().filter_map(|output| {
                    Some((
                        output.export.clone()?,
                        (output.value.clone(), stack.id.as_ref().to_owned()),
                    ))
                })
            })
            .collect()
    }
}

/// CloudFormation with everything it works on.
#[derive(Debug)]
pub struct Stage<'a> {
    /// CloudFormation's state.
    pub cloudformation: &'a mut CloudFormation,
    /// The services that hold the resources.
    pub services: &'a mut Services,
    /// The quotas in force.
    pub quotas: Quotas,
    /// The lag of listings.
    pub lag: Lag,
    /// Injected failures.
    pub faults: &'a mut dyn InstanceFaults,
}

impl Stage<'_> {
    /// Virtual time.
    fn now(&self) -> Timestamp {
        self.services.environment.now
    }

    /// Schedules a task after 10 to 20 virtual seconds, drawn from the seeded sequence.
    fn later(&mut self, task: Task) {
        let seconds = self.services.environment.between(10, 20);
        self.after(seconds, task);
    }

    fn after(&mut self, seconds: i64, task: Task) {
        let outlet = &mut self.cloudformation.later;
        // Tasks due at the same time run in scheduling order, so earlier ones go first.
        let earlier = std::mem::take(&mut self.services.environment.later).into_iter();
        outlet.extend(earlier.map(|(seconds, task)| (seconds, Later::Services(task))));
        outlet.push((seconds, Later::CloudFormation(task)));
    }
}

/// Performs a task that is due now.
pub fn due(stage: &mut Stage<'_>, task: Task) {
    match task {
        Task::Stack(id) => stack::execute::finish(stage, &id),
        Task::ChangeSet(id) => stack::change_set::finish(stage, &id),
        Task::Detection(id) => {
            if let Some(stack) = stage
                .cloudformation
                .detections
                .get(&id)
                .map(|it| it.stack.clone())
            {
                let result = stack::drift::detect(stage, &stack);
                stack::drift::announce(stage, &stack, &id, result);
                if let Some(detection) = stage.cloudformation.detections.get_mut(&id) {
                    detection.result = Some(result);
                }
            }
        }
        Task::Instance(job) => set::operation::finish(stage, &job),
        Task::Operation { set, operation } => set::operation::proceed(stage, &set, &operation),
        Task::Auto(moved) => set::auto::follow(stage, &moved),
    }
}
