//! Returning a failed wave to the template it had before.

use super::operation::{Chain, Task};
use super::report::PartReport;
use super::stack_set::{Step, request};
use super::{Run, Stop, targeting, waves};
use crate::observe::ObservedStackSet;
use crate::plan::is_owned;
use crate::ports::{Cloud, Location, StackSetUpdate};

/// Name of the wave in which it happens.
const WAVE: &str = "return";

/// Gives the stack set its previous definition, and brings all instances that this run has updated
/// back to it. Other instances have it still, and those that it has created stay as they are. Says
/// in words what came of it.
pub(super) async fn give_back<C: Cloud>(
    run: &Run<'_, C>,
    step: &Step<'_>,
    previous: &ObservedStackSet,
    touched: &[Location],
    chain: &mut Chain,
    report: &mut PartReport,
) -> Result<String, Stop> {
    let details = &previous.details;
    if !is_owned(&details.tags) {
        return Ok("there is no previous template to return to".to_owned());
    }
    let mut failed = 0;
    let mut done = 0;
    let groups = targeting::group(touched, step.units, &step.pool, step.regions);
    for (index, group) in groups.into_iter().enumerate() {
        let total = group.locations.len();
        let task = if index == 0 {
            Task::Update(Box::new(StackSetUpdate {
                name: details.name.clone(),
                description: details.description.clone(),
                template: Some(details.template.clone()),
                parameters: details.parameters.clone(),
                tags: details.tags.clone(),
                capabilities: details.capabilities.clone(),
                auto_deployment: None,
                targets: Some(group.targets),
                regions: group.regions,
                preferences: waves::main(),
                operation_id: String::new(),
            }))
        } else {
            Task::Refresh(request(
                step.set,
                group.targets,
                group.regions,
                waves::main(),
            ))
        };
        match chain.perform(run, task, Some(WAVE), total).await {
            Ok(finished) => {
                failed += finished.report.failed;
                done += finished.report.succeeded;
                report.operations.push(finished.report);
                report.failures.extend(finished.failures);
            }
            Err(Stop::Failed(reason)) => {
                return Ok(format!(
                    "returning it to the previous template failed: {reason}"
                ));
            }
            Err(Stop::Replan | Stop::Lagging) => {
                return Ok(
                    "somebody else changed the stack set before it could be returned to \
                           the previous template"
                        .to_owned(),
                );
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(if failed == 0 {
        format!("its {done} instances were returned to the previous template")
    } else {
        format!("{done} of its instances were returned to the previous template, {failed} not")
    })
}
