//! The actions on stack sets that do something; [`listing`] has those that tell something.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cloudformation::Stage;
use crate::cloudformation::request::{self, deployment, fields};
use crate::cloudformation::set::operation::{Request, exceeded, start, stop};
use crate::cloudformation::set::target::{self, Purpose, Targets};
use crate::cloudformation::set::{AutoDeployment, Change, Spot, StackSet, Work, announce, listing};
use crate::cloudformation::stack::api::check_name;
use crate::input::Input;
use crate::services::organizations::{MANAGEMENT, STACKSETS_PRINCIPAL};
use crate::wire::api::{ApiError, Caller};

/// Answers the actions on stack sets; `None` if the action is none of them.
pub(crate) fn call(
    stage: &mut Stage<'_>,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Option<Result<Value, ApiError>> {
    Some(match action {
        "CreateStackSet" => create(stage, caller, input),
        "UpdateStackSet" => update(stage, caller, input),
        "DeleteStackSet" => delete(stage, caller, input),
        "DescribeStackSet" => listing::describe(stage, caller, input),
        "ListStackSets" => listing::list(stage, caller, input),
        "CreateStackInstances" => create_instances(stage, caller, input),
        "UpdateStackInstances" => update_instances(stage, caller, input),
        "DeleteStackInstances" => delete_instances(stage, caller, input),
        "ListStackInstances" => listing::list_instances(stage, caller, input),
        "DescribeStackInstance" => listing::describe_instance(stage, caller, input),
        "DescribeStackSetOperation" => listing::describe_operation(stage, caller, input),
        "ListStackSetOperations" => listing::list_operations(stage, caller, input),
        "ListStackSetOperationResults" => listing::list_results(stage, caller, input),
        "StopStackSetOperation" => stop_operation(stage, caller, input),
        "DetectStackSetDrift" => detect_drift(stage, caller, input),
        "ListStackInstanceResourceDrifts" => listing::list_drifts(stage, caller, input),
        "ListStackSetAutoDeploymentTargets" => listing::list_targets(stage, caller, input),
        "ActivateOrganizationsAccess" => access(stage, caller, input, Some(true)),
        "DeactivateOrganizationsAccess" => access(stage, caller, input, Some(false)),
        "DescribeOrganizationsAccess" => access(stage, caller, input, None),
        _ => return None,
    })
}

/// Checks `CallAs`: whether the caller administers the organization's stack sets.
pub(crate) fn administers(
    stage: &Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
) -> Result<bool, ApiError> {
    if input.choice("CallAs", &["SELF", "DELEGATED_ADMIN"])? == "SELF" {
        return Ok(caller.account == MANAGEMENT);
    }
    if stage
        .services
        .organization
        .is_delegated(&caller.account, STACKSETS_PRINCIPAL)
    {
        return Ok(true);
    }
    Err(ApiError::validation(
        "Account used is not a delegated administrator",
    ))
}

/// The stack set of that name, id or ARN, if the caller may see it.
pub(crate) fn find<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
    name: &str,
) -> Result<&'a StackSet, ApiError> {
    let found = if administers(stage, caller, input)? {
        stage.cloudformation.sets.find(&caller.region, name)
    } else {
        // The caller's own, self-managed stack sets: there are none.
        None
    };
    found.ok_or_else(|| not_found(name))
}

fn not_found(name: &str) -> ApiError {
    ApiError::new(
        "StackSetNotFoundException",
        format!("StackSet {name} not found"),
    )
    .status(404)
}

/// The stack set a request names, be it deleted.
pub(crate) fn ever_named<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
) -> Result<&'a StackSet, ApiError> {
    find(stage, caller, input, input.required("StackSetName")?)
}

/// The living stack set a request names.
pub(crate) fn named<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    input: Input<'_>,
) -> Result<&'a StackSet, ApiError> {
    let set = ever_named(stage, caller, input)?;
    if set.deleted {
        return Err(not_found(input.required("StackSetName")?));
    }
    Ok(set)
}

fn auto_deployment(input: Input<'_>) -> Result<Option<AutoDeployment>, ApiError> {
    let known = ["Enabled", "RetainStacksOnAccountRemoval", "DependsOn"];
    let Some(given) = input.structure("AutoDeployment", &known)? else {
        return Ok(None);
    };
    let enabled = given.boolean("Enabled")?.unwrap_or_default();
    let retain = given.boolean("RetainStacksOnAccountRemoval")?;
    if enabled && retain.is_none() {
        return Err(ApiError::validation(
            "RetainStacksOnAccountRemoval must be specified when AutoDeployment is enabled",
        ));
    }
    if !enabled && retain.is_some() {
        return Err(ApiError::validation(
            "RetainStacksOnAccountRemoval must not be specified when AutoDeployment is disabled",
        ));
    }
    let depends_on = given.texts("DependsOn")?;
    Ok(Some(AutoDeployment {
        enabled,
        retain: retain.unwrap_or_default(),
        depends_on,
    }))
}

fn managed_execution(input: Input<'_>) -> Result<Option<bool>, ApiError> {
    let Some(given) = input.structure("ManagedExecution", &["Active"])? else {
        return Ok(None);
    };
    Ok(Some(given.boolean("Active")?.unwrap_or_default()))
}

fn create(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&[
        "StackSetName",
        "Description",
        "PermissionModel",
        "AutoDeployment",
        "CallAs",
        "ClientRequestToken",
        "ManagedExecution",
    ]);
    let input = Input::new(input, &known)?;
    let name = input.required("StackSetName")?;
    check_name(name, "stackSetName")?;
    let admin = administers(stage, caller, input)?;
    if input.text("PermissionModel") != Some("SERVICE_MANAGED") {
        return Err(ApiError::validation(
            "The simulator supports only stack sets with PermissionModel SERVICE_MANAGED.",
        ));
    }
    if !admin {
        return Err(ApiError::validation(
            "Only the organization's management account or a delegated administrator can create a StackSet with SERVICE_MANAGED permission model",
        ));
    }
    if !stage.services.organization.trusts(STACKSETS_PRINCIPAL) {
        return Err(ApiError::validation(
            "You must enable organizations access to operate a service managed stack set",
        ));
    }
    let token = input.text("ClientRequestToken");
    if let Some(existing) = stage.cloudformation.sets.find(&caller.region, name) {
        if token.is_some() && existing.token.as_deref() == token {
            return Ok(json!({"StackSetId": existing.id}));
        }
        return Err(ApiError::new(
            "NameAlreadyExistsException",
            format!("StackSet {name} already exists"),
        )
        .status(409));
    }
    let limit = stage.quotas.stack_sets;
    let living = stage.cloudformation.sets.all().filter(|set| !set.deleted);
    if living.count() >= limit {
        return Err(exceeded("stack sets", limit));
    }
    let auto = auto_deployment(input)?.ok_or_else(|| {
        ApiError::validation(
            "AutoDeployment must be specified for SERVICE_MANAGED permission model",
        )
    })?;
    let deployment = deployment(stage, caller, input, None)?;
    let id = format!("{name}:{}", stage.services.environment.uuid());
    let set = StackSet {
        id: id.clone(),
        name: name.to_owned(),
        region: caller.region.clone(),
        description: input.text("Description").map(str::to_owned),
        deployment,
        auto,
        managed: managed_execution(input)?.unwrap_or_default(),
        deleted: false,
        token: token.map(str::to_owned),
        targets: BTreeMap::new(),
        instances: BTreeMap::new(),
        operations: indexmap::IndexMap::new(),
        drift: None,
        removed: Vec::new(),
    };
    stage.cloudformation.sets.insert(set);
    announce::stack_set(stage, &id);
    Ok(json!({"StackSetId": id}))
}

fn operation_id(stage: &mut Stage<'_>, input: Input<'_>) -> Arc<str> {
    match input.text("OperationId") {
        Some(id) => id.into(),
        None => stage.services.environment.uuid().into(),
    }
}

fn update(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let known = fields(&[
        "StackSetName",
        "Description",
        "OperationPreferences",
        "DeploymentTargets",
        "Regions",
        "PermissionModel",
        "AutoDeployment",
        "OperationId",
        "CallAs",
        "ManagedExecution",
    ]);
    let input = Input::new(input, &known)?;
    let set = named(stage, caller, input)?;
    let (set_id, previous) = (set.id.clone(), set.deployment.clone());
    let (managed_now, running) = (set.managed, set.running().is_some());
    if input
        .text("PermissionModel")
        .is_some_and(|model| model != "SERVICE_MANAGED")
    {
        return Err(ApiError::validation("PermissionModel cannot be changed"));
    }
    let targets = target::read(stage, input, Purpose::Update)?;
    let auto = auto_deployment(input)?;
    if auto.is_some() && targets.is_some() {
        return Err(ApiError::validation(
            "AutoDeployment cannot be specified together with DeploymentTargets or Regions",
        ));
    }
    let managed = managed_execution(input)?;
    if managed.is_some_and(|managed| managed != managed_now) && running {
        return Err(ApiError::new(
            "InvalidOperationException",
            "ManagedExecution cannot be changed while operations are running",
        ));
    }
    let outdates = ["TemplateBody", "TemplateURL", "Parameters"]
        .iter()
        .any(|name| input.has(name));
    let change = Change {
        deployment: deployment(stage, caller, input, Some(&previous))?,
        description: input.text("Description").map(str::to_owned),
        auto,
        managed,
        outdates,
    };
    let preferences = target::preferences(stage, input)?;
    let set = named(stage, caller, input)?;
    let (spots, regions, raw) = if let Some(targets) = targets {
        let mut spots = targets.existing(stage, set)?;
        spots.retain(|spot, _| operable(set, spot));
        (spots, targets.regions, targets.raw)
    } else {
        let mut spots = everywhere(set);
        spots.retain(|spot, _| operable(set, spot));
        let regions = regions_of(&spots);
        (spots, regions, Value::Null)
    };
    let request = Request {
        id: operation_id(stage, input),
        work: Work::Update { overrides: None },
        preferences,
        targets: raw,
        spots,
        regions,
        change: Some(change),
    };
    begin(stage, &set_id, request)
}

/// All instances of a stack set, with the units they were targeted through.
fn everywhere(set: &StackSet) -> BTreeMap<Spot, Arc<str>> {
    set.instances
        .iter()
        .map(|(spot, instance)| (spot.clone(), Arc::clone(&instance.unit)))
        .collect()
}

fn regions_of(spots: &BTreeMap<Spot, Arc<str>>) -> Vec<Arc<str>> {
    let regions: BTreeSet<&Arc<str>> = spots.keys().map(|(_, region)| region).collect();
    regions.into_iter().cloned().collect()
}

fn begin(stage: &mut Stage<'_>, set_id: &str, request: Request) -> Result<Value, ApiError> {
    let id = start(stage, set_id, request)?;
    Ok(json!({"OperationId": &*id}))
}

/// Whether updates still reach the instance.
fn operable(set: &StackSet, spot: &Spot) -> bool {
    set.instances
        .get(spot)
        .is_some_and(|instance| instance.status != "INOPERABLE")
}

fn delete(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "CallAs"])?;
    // Deleting what does not exist is no error.
    let Ok(set) = named(stage, caller, input) else {
        administers(stage, caller, input)?;
        return Ok(Value::Null);
    };
    if let Some(operation) = set.running() {
        return Err(ApiError::new(
            "OperationInProgressException",
            format!(
                "Another Operation on StackSet {} is in progress: {}",
                set.arn(),
                operation.id
            ),
        )
        .status(409));
    }
    if !set.instances.is_empty() {
        return Err(
            ApiError::new("StackSetNotEmptyException", "StackSet is not empty").status(409),
        );
    }
    let id = set.id.clone();
    if let Some(set) = stage.cloudformation.sets.get_mut(&id) {
        set.deleted = true;
    }
    announce::stack_set(stage, &id);
    Ok(Value::Null)
}

/// What `CreateStackInstances` and `UpdateStackInstances` read.
const INSTANCE_FIELDS: &[&str] = &[
    "StackSetName",
    "DeploymentTargets",
    "Regions",
    "ParameterOverrides",
    "OperationPreferences",
    "OperationId",
    "CallAs",
];

fn create_instances(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, INSTANCE_FIELDS)?;
    let set_id = named(stage, caller, input)?.id.clone();
    let overrides = overrides(stage, &set_id, input)?;
    let Some(targets) = target::read(stage, input, Purpose::Create)? else {
        return Err(crate::wire::missing("deploymentTargets"));
    };
    let (units, regions) = (targets.units.clone(), targets.regions.clone());
    let spots = targets.all(stage);
    let work = Work::Create { overrides };
    let answer = run(stage, input, &set_id, work, targets, spots)?;
    if let Some(set) = stage.cloudformation.sets.get_mut(&set_id) {
        for unit in units {
            let targeted = set.targets.entry(unit.as_ref().to_owned()).or_default();
            targeted.extend(regions.iter().map(|region| region.as_ref().to_owned()));
        }
    }
    Ok(answer)
}

/// `ParameterOverrides`, which must name the template's parameters.
fn overrides(
    stage: &Stage<'_>,
    set_id: &str,
    input: Input<'_>,
) -> Result<BTreeMap<String, crate::cloudformation::template::parameter::Given>, ApiError> {
    let given = request::parameters(input, "ParameterOverrides")?;
    let template = stage
        .cloudformation
        .sets
        .get(set_id)
        .map(|set| &set.deployment.template);
    let unknown = given
        .keys()
        .find(|key| template.is_none_or(|template| !template.parameters.contains_key(*key)));
    match unknown {
        None => Ok(given),
        Some(key) => Err(ApiError::validation(format!(
            "Parameters: [{key}] do not exist in the template"
        ))),
    }
}

fn update_instances(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, INSTANCE_FIELDS)?;
    let set = named(stage, caller, input)?;
    let set_id = set.id.clone();
    let Some(targets) = target::read(stage, input, Purpose::Update)? else {
        return Err(crate::wire::missing("regions"));
    };
    let mut spots = targets.existing(stage, set)?;
    spots.retain(|spot, _| operable(set, spot));
    let overrides = if input.has("ParameterOverrides") {
        Some(overrides(stage, &set_id, input)?)
    } else {
        None
    };
    let work = Work::Update { overrides };
    run(stage, input, &set_id, work, targets, spots)
}

fn delete_instances(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let known = [
        "StackSetName",
        "DeploymentTargets",
        "Regions",
        "OperationPreferences",
        "RetainStacks",
        "OperationId",
        "CallAs",
    ];
    let input = Input::new(input, &known)?;
    let set = named(stage, caller, input)?;
    let set_id = set.id.clone();
    let retain = input
        .boolean("RetainStacks")?
        .ok_or_else(|| crate::wire::missing("retainStacks"))?;
    let Some(targets) = target::read(stage, input, Purpose::Delete)? else {
        return Err(crate::wire::missing("deploymentTargets"));
    };
    let mut spots = targets.all(stage);
    spots.retain(|spot, _| set.instances.contains_key(spot));
    spots.extend(targets.existing(stage, set).unwrap_or_default());
    let (whole, units, regions) = (
        targets.whole_units(),
        targets.units.clone(),
        targets.regions.clone(),
    );
    let work = Work::Delete { retain };
    let answer = run(stage, input, &set_id, work, targets, spots)?;
    if let (true, Some(set)) = (whole, stage.cloudformation.sets.get_mut(&set_id)) {
        for unit in units {
            if let Some(left) = set.targets.get_mut(&*unit) {
                left.retain(|region| !regions.iter().any(|gone| **gone == **region));
            }
        }
        set.targets.retain(|_, regions| !regions.is_empty());
    }
    Ok(answer)
}

/// Starts an operation at the spots of a request's targets.
fn run(
    stage: &mut Stage<'_>,
    input: Input<'_>,
    set_id: &str,
    work: Work,
    targets: Targets,
    spots: BTreeMap<Spot, Arc<str>>,
) -> Result<Value, ApiError> {
    let request = Request {
        preferences: target::preferences(stage, input)?,
        id: operation_id(stage, input),
        work,
        targets: targets.raw,
        spots,
        regions: targets.regions,
        change: None,
    };
    begin(stage, set_id, request)
}

fn stop_operation(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: &Value,
) -> Result<Value, ApiError> {
    let input = Input::new(input, &["StackSetName", "OperationId", "CallAs"])?;
    let id = named(stage, caller, input)?.id.clone();
    stop(stage, &id, input.required("OperationId")?)?;
    Ok(Value::Null)
}

fn detect_drift(stage: &mut Stage<'_>, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(
        input,
        &[
            "StackSetName",
            "OperationPreferences",
            "OperationId",
            "CallAs",
        ],
    )?;
    let preferences = target::preferences(stage, input)?;
    let set = named(stage, caller, input)?;
    let set_id = set.id.clone();
    let spots = everywhere(set);
    let request = Request {
        id: operation_id(stage, input),
        work: Work::DetectDrift,
        preferences,
        targets: Value::Null,
        regions: regions_of(&spots),
        spots,
        change: None,
    };
    begin(stage, &set_id, request)
}

/// Trusted access: switches it, or tells how it stands.
fn access(
    stage: &mut Stage<'_>,
    caller: &Caller,
    input: &Value,
    switch: Option<bool>,
) -> Result<Value, ApiError> {
    let known: &[&str] = if switch.is_none() { &["CallAs"] } else { &[] };
    let input = Input::new(input, known)?;
    if let Some(enable) = switch {
        if caller.account != MANAGEMENT {
            return Err(ApiError::new(
                "InvalidOperationException",
                "Organizations access can only be changed by the management account",
            ));
        }
        let now = stage.now();
        if enable {
            stage.services.organization.trust(STACKSETS_PRINCIPAL, now);
        } else {
            stage.services.organization.distrust(STACKSETS_PRINCIPAL);
        }
        return Ok(Value::Null);
    }
    administers(stage, caller, input)?;
    let enabled = stage.services.organization.trusts(STACKSETS_PRINCIPAL);
    Ok(json!({"Status": if enabled { "ENABLED" } else { "DISABLED" }}))
}
