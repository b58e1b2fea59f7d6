//! Makes the fleet equal the bundle, and says where it doesn't.
//!
//! The crate knows no SDK: it talks to the traits in [`ports`]. What is deployed is read back from
//! CloudFormation each time; there is no state file.
//!
//! - [`observe()`] reads the fleet, [`observe_settled()`] once its lists can be relied on;
//! - [`plan()`] is a pure function from bundle and observed fleet to a [`Plan`];
//! - [`preflight()`](preflight::preflight) says whether a deployment can begin at all;
//! - [`apply()`] carries a plan out, in dependency order and in waves;
//! - [`drift()`] is the same plan, read-only, plus CloudFormation's drift detection and the
//!   [`health()`] of the alert chain;
//! - [`verify`] sends the rules' test events through the deployed chain;
//! - [`destroy()`] removes what was deployed.
//!
//! Inside, `rollout` (where instances belong, in which calls and waves) and `operation` (starting
//! operations and waiting for them) lie below `plan`, `apply` and `drift`; `fleet` and `health` read,
//! and decide nothing.
//!
//! An implementation of the ports is all that it needs:
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
pub mod plan;
pub mod ports;
pub mod preflight;
mod progress;
mod rollout;
pub mod verify;

pub use apply::{ApplyOutcome, ApplyReport, apply, destroy};
pub use drift::{DriftOptions, DriftOutcome, DriftReport, drift};
pub use error::DeployError;
pub use fingerprint::hex;
pub use fleet::{
    Membership, Observed, ObservedStack, ObservedStackSet, Scope, observe, observe_settled,
};
pub use health::{BrokenLink, health};
pub use plan::{Plan, plan};
pub use progress::{Progress, ProgressEvent, Silent};
