//! The actions that create, update and delete stack instances.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::api::{begin, living, operable, operation_id};
use crate::Stage;
use crate::action::{Answer, actions};
use crate::request::{self, ParameterGiven, request};
use crate::set::operation::Request;
use crate::set::target::{self, Purpose, Targets};
use crate::set::{Location, StackSet, Work};
use crate::template::parameter::Given;
use crate::wire::api::{ApiError, Caller};

actions! {
    Changes CreateStackInstances folded(create);
    Changes UpdateStackInstances folded(update);
    Changes DeleteStackInstances folded(delete);
}

request! { CreateStackInstances of stack set {
    deployment_targets: Option<Value>,
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    parameter_overrides: Vec<ParameterGiven>,
    operation_preferences: Option<Value>,
    operation_id: Option<String>,
} }

request! { UpdateStackInstances of stack set {
    deployment_targets: Option<Value>,
    #[serde(default)]
    regions: Vec<String>,
    parameter_overrides: Option<Vec<ParameterGiven>>,
    operation_preferences: Option<Value>,
    operation_id: Option<String>,
} }

request! { DeleteStackInstances of stack set {
    deployment_targets: Option<Value>,
    #[serde(default)]
    regions: Vec<String>,
    operation_preferences: Option<Value>,
    retain_stacks: bool,
    operation_id: Option<String>,
} }

fn create(request: &CreateStackInstances, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let set_id = set.id.clone();
    let overrides = overrides(set, &request.parameter_overrides)?;
    let raw = request.deployment_targets.as_ref();
    let targets = target::read(stage, raw, &request.regions, Purpose::Create)?
        .ok_or_else(|| crate::wire::missing("deploymentTargets"))?;
    let units = targets.units.clone();
    let locations = targets.all(stage);
    let how = How {
        preferences: request.operation_preferences.as_ref(),
        id: request.operation_id.as_deref(),
        work: Work::Create { overrides },
    };
    let answer = run(stage, &set_id, how, targets, locations)?;
    if let Some(set) = stage.set_mut(&set_id) {
        for unit in units {
            let targeted = set.targets.entry(unit.as_ref().to_owned()).or_default();
            targeted.extend(request.regions.iter().cloned());
        }
    }
    Ok(answer)
}

/// Reads `ParameterOverrides`, which may name only the template's parameters.
fn overrides(
    set: &StackSet,
    given: &[ParameterGiven],
) -> Result<BTreeMap<String, Given>, ApiError> {
    let given = request::parameters(given)?;
    let known = &set.deployment.template.parameters;
    match given.keys().find(|key| !known.contains_key(*key)) {
        None => Ok(given),
        Some(key) => Err(ApiError::validation(format!(
            "Parameters: [{key}] do not exist in the template"
        ))),
    }
}

fn update(request: &UpdateStackInstances, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let set_id = set.id.clone();
    let raw = request.deployment_targets.as_ref();
    let targets = target::read(stage, raw, &request.regions, Purpose::Update)?
        .ok_or_else(|| crate::wire::missing("regions"))?;
    let mut locations = targets.existing(stage, set)?;
    locations.retain(|location, _| operable(set, location));
    let given = request.parameter_overrides.as_deref();
    let overrides = given.map(|given| overrides(set, given)).transpose()?;
    let how = How {
        preferences: request.operation_preferences.as_ref(),
        id: request.operation_id.as_deref(),
        work: Work::Update { overrides },
    };
    run(stage, &set_id, how, targets, locations)
}

fn delete(request: &DeleteStackInstances, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let set_id = set.id.clone();
    let raw = request.deployment_targets.as_ref();
    let targets = target::read(stage, raw, &request.regions, Purpose::Delete)?
        .ok_or_else(|| crate::wire::missing("deploymentTargets"))?;
    let mut locations = targets.all(stage);
    locations.retain(|location, _| set.instances.contains_key(location));
    locations.extend(targets.existing(stage, set).unwrap_or_default());
    let (whole, units) = (targets.whole_units(), targets.units.clone());
    let how = How {
        preferences: request.operation_preferences.as_ref(),
        id: request.operation_id.as_deref(),
        work: Work::Delete {
            retain: request.retain_stacks,
        },
    };
    let answer = run(stage, &set_id, how, targets, locations)?;
    if let (true, Some(set)) = (whole, stage.set_mut(&set_id)) {
        for unit in units {
            if let Some(left) = set.targets.get_mut(&*unit) {
                left.retain(|region| !request.regions.contains(region));
            }
        }
        set.targets.retain(|_, regions| !regions.is_empty());
    }
    Ok(answer)
}

/// The operation settings of a request.
struct How<'a> {
    preferences: Option<&'a Value>,
    id: Option<&'a str>,
    work: Work,
}

/// Starts an operation on the targeted locations.
fn run(
    stage: &mut Stage<'_>,
    set_id: &str,
    how: How<'_>,
    targets: Targets,
    locations: BTreeMap<Location, Arc<str>>,
) -> Result<Value, ApiError> {
    let request = Request {
        preferences: target::preferences(stage, how.preferences)?,
        id: operation_id(stage, how.id),
        work: how.work,
        targets: targets.raw,
        locations,
        regions: targets.regions,
        change: None,
    };
    begin(stage, set_id, request)
}
