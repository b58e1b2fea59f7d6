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
//! - [`destroy()`] takes away what is ours.
//!
//! Whoever implements the ports gets all of it:
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
//! // What a cloud refuses is one of a closed set of errors, so that it can be acted upon.
//! let error = CloudError::NotFound { message: "StackSet gizmos-topic".to_owned() };
//! assert!(error.is_not_found());
//! ```

pub mod apply;
pub mod drift;
mod error;
#[cfg(test)]
mod fake;
mod observe;
mod operations;
pub mod plan;
pub mod ports;
pub mod preflight;
mod progress;
pub mod verify;

pub use apply::{ApplyOutcome, ApplyReport, apply, destroy};
pub use drift::{BrokenLink, DriftOptions, DriftOutcome, DriftReport, drift, health};
pub use error::DeployError;
pub use observe::{Observed, ObservedStack, ObservedStackSet, World, observe, observe_settled};
pub use plan::{Plan, plan};
pub use progress::{Progress, ProgressEvent, Silent};
