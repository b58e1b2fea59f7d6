//! The actions that change stack sets. [`instances`](super::instances) has those that change
//! instances, [`listing`](super::listing) the read-only ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::Stage;
use crate::action::{Answer, actions};
use crate::request::{CallAs, deployment, request};
use crate::services::organizations::{MANAGEMENT, STACKSETS_PRINCIPAL};
use crate::set::operation::{Request, exceeded, start, stop};
use crate::set::target::{self, Purpose};
use crate::set::{self, Change, Location, StackSet, Work, announce};
use crate::stack::api::check_name;
use crate::wire::api::{ApiError, Caller};

actions! {
    Changes CreateStackSet folded(create);
    Changes UpdateStackSet folded(update);
    Changes DeleteStackSet folded(delete);
    Changes StopStackSetOperation folded(stop_operation);
    Reads DetectStackSetDrift folded(detect_drift);
    Changes ActivateOrganizationsAccess folded(activate_access);
    Changes DeactivateOrganizationsAccess folded(deactivate_access);
    Reads DescribeOrganizationsAccess folded(describe_access);
}

request! { CreateStackSet of stack set with template {
    description: Option<String>,
    permission_model: Option<String>,
    auto_deployment: Option<AutoDeployment>,
    client_request_token: Option<String>,
    managed_execution: Option<ManagedExecution>,
} }

request! { UpdateStackSet of stack set with template {
    description: Option<String>,
    operation_preferences: Option<Value>,
    deployment_targets: Option<Value>,
    #[serde(default)]
    regions: Vec<String>,
    permission_model: Option<String>,
    auto_deployment: Option<AutoDeployment>,
    operation_id: Option<String>,
    managed_execution: Option<ManagedExecution>,
} }

request! { AutoDeployment {
    #[serde(default)]
    enabled: bool,
    retain_stacks_on_account_removal: Option<bool>,
    #[serde(default)]
    depends_on: Vec<String>,
} }

request! { ManagedExecution {
    #[serde(default)]
    active: bool,
} }

request! { DeleteStackSet of stack set {} }

request! { StopStackSetOperation of stack set {
    operation_id: String,
} }

request! { DetectStackSetDrift of stack set {
    operation_preferences: Option<Value>,
    operation_id: Option<String>,
} }

request! { ActivateOrganizationsAccess {} }

request! { DeactivateOrganizationsAccess {} }

request! { DescribeOrganizationsAccess {
    #[serde(default)]
    call_as: CallAs,
} }

/// Whether the caller may administer the organization's stack sets with this `CallAs`.
pub(crate) fn administers(
    stage: &Stage<'_>,
    caller: &Caller,
    call_as: CallAs,
) -> Result<bool, ApiError> {
    let organization = &stage.services.organization;
    match call_as {
        CallAs::Itself => Ok(caller.account == MANAGEMENT),
        _ if organization.is_delegated(&caller.account, STACKSETS_PRINCIPAL) => Ok(true),
        CallAs::DelegatedAdmin => Err(ApiError::validation(
            "Account used is not a delegated administrator",
        )),
    }
}

/// Finds a stack set by name, id or ARN, deleted ones included, if the caller may see it.
pub(crate) fn find<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    call_as: CallAs,
    name: &str,
) -> Result<&'a StackSet, ApiError> {
    let found = if administers(stage, caller, call_as)? {
        stage.cloudformation.sets.find(&caller.region, name)
    } else {
        // Self-managed stack sets aren't simulated.
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

/// Finds an existing stack set by name, id or ARN.
pub(crate) fn living<'a>(
    stage: &'a Stage<'_>,
    caller: &Caller,
    call_as: CallAs,
    name: &str,
) -> Result<&'a StackSet, ApiError> {
    let set = find(stage, caller, call_as, name)?;
    if set.deleted {
        return Err(not_found(name));
    }
    Ok(set)
}

impl AutoDeployment {
    fn check(&self) -> Result<set::AutoDeployment, ApiError> {
        match (self.enabled, self.retain_stacks_on_account_removal) {
            (true, None) => Err(ApiError::validation(
                "RetainStacksOnAccountRemoval must be specified when AutoDeployment is enabled",
            )),
            (false, Some(_)) => Err(ApiError::validation(
                "RetainStacksOnAccountRemoval must not be specified when AutoDeployment is disabled",
            )),
            (enabled, retain) => Ok(set::AutoDeployment {
                enabled,
                retain: retain.unwrap_or_default(),
                depends_on: self.depends_on.clone(),
            }),
        }
    }
}

fn create(request: &CreateStackSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let name = &request.stack_set_name;
    check_name(name, "stackSetName")?;
    may_create(request, stage, caller)?;
    let token = &request.client_request_token;
    if let Some(existing) = stage.cloudformation.sets.find(&caller.region, name) {
        if token.is_some() && existing.token == *token {
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
    let auto = request.auto_deployment.as_ref().ok_or_else(|| {
        ApiError::validation(
            "AutoDeployment must be specified for SERVICE_MANAGED permission model",
        )
    })?;
    let auto = auto.check()?;
    let deployment = deployment(stage, caller, request.source(), None)?;
    let id = format!("{name}:{}", stage.services.environment.uuid());
    let managed = request.managed_execution.as_ref();
    let set = StackSet {
        id: id.clone(),
        name: name.clone(),
        region: caller.region.clone(),
        description: request.description.clone(),
        deployment,
        auto,
        managed: managed.is_some_and(|managed| managed.active),
        deleted: false,
        token: token.clone(),
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

fn may_create(
    request: &CreateStackSet,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Result<(), ApiError> {
    let administers = administers(stage, caller, request.call_as)?;
    let why = if request.permission_model.as_deref() != Some("SERVICE_MANAGED") {
        "The simulator supports only stack sets with PermissionModel SERVICE_MANAGED."
    } else if !administers {
        "Only the organization's management account or a delegated administrator can create a StackSet with SERVICE_MANAGED permission model"
    } else if !stage.services.organization.trusts(STACKSETS_PRINCIPAL) {
        "You must enable organizations access to operate a service managed stack set"
    } else {
        return Ok(());
    };
    Err(ApiError::validation(why))
}

fn update(request: &UpdateStackSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let name = &request.stack_set_name;
    let set = living(stage, caller, request.call_as, name)?;
    let (set_id, previous) = (set.id.clone(), set.deployment.clone());
    let (managed_now, running) = (set.managed, set.running().is_some());
    let model = request.permission_model.as_deref();
    if model.is_some_and(|model| model != "SERVICE_MANAGED") {
        return Err(ApiError::validation("PermissionModel cannot be changed"));
    }
    let raw = request.deployment_targets.as_ref();
    let targets = target::read(stage, raw, &request.regions, Purpose::Update)?;
    let auto = request.auto_deployment.as_ref();
    let auto = auto.map(AutoDeployment::check).transpose()?;
    if auto.is_some() && targets.is_some() {
        return Err(ApiError::validation(
            "AutoDeployment cannot be specified together with DeploymentTargets or Regions",
        ));
    }
    let managed = request.managed_execution.as_ref().map(|it| it.active);
    if managed.is_some_and(|managed| managed != managed_now) && running {
        return Err(ApiError::new(
            "InvalidOperationException",
            "ManagedExecution cannot be changed while operations are running",
        ));
    }
    let change = Change {
        deployment: deployment(stage, caller, request.source(), Some(&previous))?,
        description: request.description.clone(),
        auto,
        managed,
        outdates: request.template_body.is_some()
            || request.template_url.is_some()
            || request.parameters.is_some(),
    };
    let preferences = target::preferences(stage, request.operation_preferences.as_ref())?;
    let set = living(stage, caller, request.call_as, name)?;
    let (mut locations, targeted) = match targets {
        Some(targets) => (
            targets.existing(stage, set)?,
            Some((targets.regions, targets.raw)),
        ),
        None => (everywhere(set), None),
    };
    locations.retain(|location, _| operable(set, location));
    let (regions, targets) = targeted.unwrap_or_else(|| (regions_of(&locations), Value::Null));
    let request = Request {
        id: operation_id(stage, request.operation_id.as_deref()),
        work: Work::Update { overrides: None },
        preferences,
        targets,
        locations,
        regions,
        change: Some(change),
    };
    begin(stage, &set_id, request)
}

/// The operation id in the request, or a new one.
pub(super) fn operation_id(stage: &mut Stage<'_>, given: Option<&str>) -> Arc<str> {
    match given {
        Some(id) => id.into(),
        None => stage.services.environment.uuid().into(),
    }
}

/// All instances of a stack set, with the units through which they were targeted.
fn everywhere(set: &StackSet) -> BTreeMap<Location, Arc<str>> {
    set.instances
        .iter()
        .map(|(location, instance)| (location.clone(), Arc::clone(&instance.unit)))
        .collect()
}

fn regions_of(locations: &BTreeMap<Location, Arc<str>>) -> Vec<Arc<str>> {
    let regions: BTreeSet<&Arc<str>> = locations.keys().map(|(_, region)| region).collect();
    regions.into_iter().cloned().collect()
}

pub(super) fn begin(
    stage: &mut Stage<'_>,
    set_id: &str,
    request: Request,
) -> Result<Value, ApiError> {
    let id = start(stage, set_id, request)?;
    Ok(json!({"OperationId": &*id}))
}

/// Whether operations still update the instance: `INOPERABLE` ones are skipped.
pub(super) fn operable(set: &StackSet, location: &Location) -> bool {
    set.instances
        .get(location)
        .is_some_and(|instance| instance.status != "INOPERABLE")
}

fn delete(request: &DeleteStackSet, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    // As on AWS, deleting a missing stack set is not an error.
    let Ok(set) = living(stage, caller, request.call_as, &request.stack_set_name) else {
        administers(stage, caller, request.call_as)?;
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
    if let Some(set) = stage.set_mut(&id) {
        set.deleted = true;
    }
    announce::stack_set(stage, &id);
    Ok(Value::Null)
}

fn stop_operation(
    request: &StopStackSetOperation,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Answer {
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let id = set.id.clone();
    stop(stage, &id, &request.operation_id)?;
    Ok(Value::Null)
}

fn detect_drift(request: &DetectStackSetDrift, stage: &mut Stage<'_>, caller: &Caller) -> Answer {
    let preferences = target::preferences(stage, request.operation_preferences.as_ref())?;
    let set = living(stage, caller, request.call_as, &request.stack_set_name)?;
    let set_id = set.id.clone();
    let locations = everywhere(set);
    let request = Request {
        id: operation_id(stage, request.operation_id.as_deref()),
        work: Work::DetectDrift,
        preferences,
        targets: Value::Null,
        regions: regions_of(&locations),
        locations,
        change: None,
    };
    begin(stage, &set_id, request)
}

fn may_change_access(caller: &Caller) -> Result<(), ApiError> {
    if caller.account == MANAGEMENT {
        return Ok(());
    }
    Err(ApiError::new(
        "InvalidOperationException",
        "Organizations access can only be changed by the management account",
    ))
}

fn activate_access(
    _: &ActivateOrganizationsAccess,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Answer {
    may_change_access(caller)?;
    let now = stage.now();
    stage.services.organization.trust(STACKSETS_PRINCIPAL, now);
    Ok(Value::Null)
}

fn deactivate_access(
    _: &DeactivateOrganizationsAccess,
    stage: &mut Stage<'_>,
    caller: &Caller,
) -> Answer {
    may_change_access(caller)?;
    stage.services.organization.distrust(STACKSETS_PRINCIPAL);
    Ok(Value::Null)
}

fn describe_access(
    request: &DescribeOrganizationsAccess,
    stage: &Stage<'_>,
    caller: &Caller,
) -> Answer {
    administers(stage, caller, request.call_as)?;
    let enabled = stage.services.organization.trusts(STACKSETS_PRINCIPAL);
    Ok(json!({"Status": if enabled { "ENABLED" } else { "DISABLED" }}))
}
