//! Deploys bundles to an organization and detects drift from them.
//!
//! The crate depends on no SDK: it uses the traits in [`ports`]. It keeps no state file; the
//! deployed state is read back from CloudFormation each time.
//!
//! - [`observe()`] reads the fleet; [`observe_settled()`] first waits until its lists are reliable;
//! - [`Observed::placement`] says which stack sets carry which rules, so that a bundle compiled with
//!   it leaves them there;
//! - [`plan()`] is a pure function from bundle and observed fleet to a [`Plan`];
//! - [`preflight()`](preflight::preflight) checks whether a deployment can start;
//! - [`permissions`] has the IAM permissions of every command, and the policies made from them;
//! - [`apply()`] carries out a plan, in dependency order and in waves;
//! - [`drift()`] compares without changing anything: the plan, CloudFormation's drift detection, and
//!   the [`health()`] of the alert chain;
//! - [`proof`] sends canaries through the deployed chain, on any endpoint;
//! - [`probe`] asks what AWS's documents don't settle;
//! - [`verify`] sends the rules' test events through the deployed chain;
//! - [`destroy()`] removes what was deployed.
//!
//! Internally, `rollout` (where instances belong, and in which calls and waves) and `operation`
//! (starting operations and waiting for them) support `plan`, `apply` and `drift`; `fleet` and
//! `health` only read.
//!
//! A caller supplies an implementation of the ports:
//!
//! ```
//! use deployer::ports::{Cloud, CloudError};
//! use deployer::{ApplyOutcome, DeployError, Silent};
//!
//! async fn deploy(cloud: &impl Cloud, bundle: &compiler::Bundle) -> Result<bool, DeployError> {
//!     let observed = deployer::observe_settled(cloud, bundle).await?;
//!     let plan = deployer::plan(bundle, &observed);
//!     let report = deployer::apply(cloud, bundle, &plan, &Silent).await?;
//!     Ok(matches!(report.outcome(), ApplyOutcome::Done | ApplyOutcome::NothingToDo))
//! }
//!
//! // Errors are a closed set, so that code can act on them.
//! let error = CloudError::NotFound { message: "StackSet gizmos-topic".to_owned() };
//! assert!(error.is_not_found());
//! ```

pub mod apply;
mod code;
pub mod drift;
mod error;
#[cfg(test)]
mod fake;
mod fingerprint;
mod fleet;
mod health;
mod operation;
pub mod permissions;
pub mod plan;
pub mod ports;
pub mod preflight;
pub mod probe;
mod progress;
pub mod proof;
mod restore;
mod rollout;
pub mod verify;

pub use apply::{ApplyOutcome, ApplyReport, apply, destroy};
pub use drift::{DriftOptions, DriftOutcome, DriftReport, drift, drift_of, observe_for_drift};
pub use error::DeployError;
pub use fingerprint::hex;
pub use fleet::{
    Membership, Observed, ObservedStack, ObservedStackSet, Scope, observe, observe_settled,
};
pub use health::{BrokenLink, health};
pub use plan::{Plan, plan};
pub use progress::{Progress, ProgressEvent, Silent};
