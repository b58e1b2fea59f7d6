//! Carrying a plan out.

mod report;

pub use report::{
    ApplyOutcome, ApplyReport, ApplySummary, InstanceFailure, OperationReport, PartOutcome,
    PartReport,
};

use compiler::Bundle;

use crate::error::DeployError;
use crate::plan::Plan;
use crate::ports::Cloud;
use crate::progress::Progress;

/// Carries a plan out.
pub async fn apply(
    _cloud: &impl Cloud,
    _bundle: &Bundle,
    _plan: &Plan,
    _progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    Ok(ApplyReport::default())
}

/// Takes away everything that is ours.
pub async fn destroy(
    _cloud: &impl Cloud,
    _bundle: &Bundle,
    _progress: &dyn Progress,
) -> Result<ApplyReport, DeployError> {
    Ok(ApplyReport::default())
}
