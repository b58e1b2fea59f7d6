//! Stacks with their deployment, resources and history.

pub(crate) mod api;
pub(crate) mod change_set;
pub(crate) mod converge;
pub(crate) mod drift;
pub(crate) mod execute;
pub(crate) mod fold;
pub(crate) mod look;
pub(crate) mod permission;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Stage;
use crate::resources::ResourceLocation;
use crate::stack::drift::ResourceDrift;
use crate::template::{Policy, Template};
use crate::wire::api::{ApiError, Caller};
use crate::wire::time::iso;

/// What a stack is made from: template, parameters and tags.
#[derive(Debug, Clone)]
pub struct Deployment {
    pub(crate) template: Arc<Template>,
    /// Values by name.
    pub parameters: BTreeMap<String, String>,
    /// By key.
    pub tags: BTreeMap<String, String>,
    pub(crate) capabilities: Vec<String>,
}

impl Deployment {
    /// The template as sent.
    pub fn template(&self) -> &str {
        &self.template.body
    }

    /// The parameters in the API's format; `NoEcho` values are masked.
    pub(crate) fn shown_parameters(&self) -> Vec<Value> {
        self.parameters
            .iter()
            .map(|(key, value)| {
                let declared = self.template.parameters.get(key);
                let secret = declared.is_some_and(|parameter| parameter.no_echo);
                json!({"ParameterKey": key, "ParameterValue": if secret { "****" } else { value }})
            })
            .collect()
    }
}

/// `OnFailure`: what to do if the stack's creation fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum OnFailure {
    Rollback,
    Delete,
    DoNothing,
}

/// A started operation that has yet to be performed.
#[derive(Debug, Clone)]
pub(crate) enum Pending {
    Create(OnFailure),
    Update(Arc<Deployment>),
    /// Like an update, and restores resources that drifted.
    Revert(Arc<Deployment>),
    /// With the logical ids to retain.
    Delete(BTreeSet<String>),
}

/// A resource of a stack.
#[derive(Debug, Clone)]
pub struct Resource {
    pub(crate) kind: String,
    /// The value of `Ref`.
    pub physical_id: String,
    /// Resolved, as last deployed.
    pub(crate) properties: Value,
    pub(crate) attributes: BTreeMap<String, Value>,
    pub(crate) deletion_policy: Policy,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) drift: Option<ResourceDrift>,
    /// The number of the stack update that created it; 0 is the stack's creation.
    pub(crate) generation: u32,
}

/// A stack event.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) at: Timestamp,
    pub(crate) logical_id: Arc<str>,
    pub(crate) physical_id: Arc<str>,
    pub(crate) kind: String,
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
}

/// An output of a stack.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) description: Option<String>,
    pub(crate) export: Option<String>,
}

/// A stack.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The ARN.
    pub id: Arc<str>,
    /// Unique in its account and Region.
    pub name: Arc<str>,
    /// Twelve digits.
    pub account: Arc<str>,
    /// For example `eu-central-1`.
    pub region: Arc<str>,
    /// `CREATE_COMPLETE`, …
    pub status: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) created: Timestamp,
    pub(crate) updated: Option<Timestamp>,
    pub(crate) deleted: Option<Timestamp>,
    /// The current deployment; during an update, still the previous one.
    pub deployment: Arc<Deployment>,
    /// By logical id; empty if the stack is folded.
    pub resources: BTreeMap<String, Resource>,
    pub(crate) outputs: Vec<Output>,
    pub(crate) imports: BTreeSet<String>,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    pub(crate) termination_protection: bool,
    pub(crate) pending: Option<Pending>,
    /// `NOT_CHECKED`, `IN_SYNC` or `DRIFTED`.
    pub(crate) drift: &'static str,
    pub(crate) drift_checked: Option<Timestamp>,
    /// The number of updates started.
    pub(crate) updates: u32,
    /// The end of the last operation.
    pub(crate) settled: Timestamp,
    /// Set while the stack is folded.
    pub(crate) folded: Option<Arc<fold::Folded>>,
    /// The folded state before a read request unfolded it.
    pub(crate) unfolded: Option<Arc<fold::Folded>>,
    /// Whether a request could have changed the resources.
    pub(crate) looked_into: bool,
    /// Whoever started the pending operation, whose permissions it needs; `None` for StackSets.
    pub(crate) caller: Option<Arc<Caller>>,
}

impl Stack {
    /// Whether its resources are stored only as a recipe, and recreated on demand.
    pub fn is_folded(&self) -> bool {
        self.folded.is_some()
    }

    /// Whether an operation is in progress.
    pub(crate) fn in_progress(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS") && self.status != "REVIEW_IN_PROGRESS"
    }

    /// Whether `UpdateStack` is possible.
    pub(crate) fn updatable(&self) -> bool {
        matches!(
            self.status,
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE"
        )
    }

    /// Whether drift detection is possible.
    pub(crate) fn checkable(&self) -> bool {
        self.updatable() || self.status == "UPDATE_ROLLBACK_FAILED"
    }

    /// The location of a resource in this stack.
    pub(crate) fn location(&self, logical_id: &str) -> ResourceLocation {
        ResourceLocation {
            account: self.account.as_ref().to_owned(),
            region: self.region.as_ref().to_owned(),
            stack_name: self.name.as_ref().to_owned(),
            stack_id: self.id.as_ref().to_owned(),
            logical_id: logical_id.to_owned(),
            generation: 0,
        }
    }

    /// Sets a new status and adds its event.
    pub(crate) fn enter(&mut self, now: Timestamp, status: &'static str, reason: Option<String>) {
        self.status = status;
        self.reason.clone_from(&reason);
        let event = Event {
            at: now,
            logical_id: Arc::clone(&self.name),
            physical_id: Arc::clone(&self.id),
            kind: "AWS::CloudFormation::Stack".to_owned(),
            status,
            reason,
        };
        self.events.push(event);
    }

    /// The first failed resource of the last operation, in StackSets' wording.
    pub(crate) fn failure(&self) -> Option<String> {
        let start = self
            .events
            .iter()
            .rposition(|event| {
                *event.physical_id == *self.id
                    && matches!(
                        event.status,
                        "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS"
                    )
            })
            .unwrap_or_default();
        let event = self
            .events
            .iter()
            .skip(start)
            .find(|event| event.status.ends_with("_FAILED"))?;
        Some(format!(
            "ResourceLogicalId:{}, ResourceType:{}, ResourceStatusReason:{}",
            event.logical_id,
            event.kind,
            event.reason.as_deref().unwrap_or("none"),
        ))
    }

    /// The format of `DescribeStacks`.
    pub(crate) fn describe(&self) -> Value {
        let outputs: Vec<Value> = self
            .outputs
            .iter()
            .map(|output| {
                json!({
                    "OutputKey": output.key,
                    "OutputValue": output.value,
                    "Description": output.description,
                    "ExportName": output.export,
                })
            })
            .collect();
        json!({
            "StackId": &*self.id,
            "StackName": &*self.name,
            "Description": self.deployment.template.description(),
            "Parameters": self.deployment.shown_parameters(),
            "CreationTime": iso(self.created),
            "LastUpdatedTime": self.updated.map(iso),
            "DeletionTime": self.deleted.map(iso),
            "StackStatus": self.status,
            "StackStatusReason": self.reason,
            "DisableRollback": false,
            "NotificationARNs": [],
            "Capabilities": self.deployment.capabilities,
            "Outputs": outputs,
            "Tags": tags(&self.deployment.tags),
            "EnableTerminationProtection": self.termination_protection,
            "DriftInformation": self.drift_information(),
        })
    }

    /// The format of `ListStacks`.
    pub(crate) fn summary(&self) -> Value {
        json!({
            "StackId": &*self.id,
            "StackName": &*self.name,
            "TemplateDescription": self.deployment.template.description(),
            "CreationTime": iso(self.created),
            "LastUpdatedTime": self.updated.map(iso),
            "DeletionTime": self.deleted.map(iso),
            "StackStatus": self.status,
            "StackStatusReason": self.reason,
            "DriftInformation": self.drift_information(),
        })
    }

    fn drift_information(&self) -> Value {
        json!({
            "StackDriftStatus": self.drift,
            "LastCheckTimestamp": self.drift_checked.map(iso),
        })
    }
}

/// Tags in the API's format.
pub(crate) fn tags(tags: &BTreeMap<String, String>) -> Vec<Value> {
    tags.iter()
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect()
}

/// Account, Region, name.
type Name = (Arc<str>, Arc<str>, Arc<str>);

/// All stacks by id, and the existing ones by name.
#[derive(Clone, Debug, Default)]
pub struct Stacks {
    by_id: BTreeMap<Arc<str>, Stack>,
    living: BTreeMap<Name, Arc<str>>,
}

impl Stacks {
    pub(crate) fn insert(&mut self, stack: Stack) {
        let key = (
            stack.account.clone(),
            stack.region.clone(),
            stack.name.clone(),
        );
        self.living.insert(key, stack.id.clone());
        self.by_id.insert(stack.id.clone(), stack);
    }

    /// Finds a stack by id, deleted ones included.
    pub fn get(&self, id: &str) -> Option<&Stack> {
        self.by_id.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &str) -> Option<&mut Stack> {
        self.by_id.get_mut(id)
    }

    /// The existing stacks of all accounts and Regions.
    pub fn living(&self) -> impl Iterator<Item = &Stack> {
        self.living.values().filter_map(|id| self.by_id.get(id))
    }

    /// The existing stacks of an account, in one Region or all.
    pub(crate) fn living_in(
        &self,
        account: &str,
        region: Option<&str>,
    ) -> impl Iterator<Item = &Stack> {
        let start: Name = (account.into(), region.unwrap_or_default().into(), "".into());
        let (account, region) = (account.to_owned(), region.map(str::to_owned));
        self.living
            .range(start..)
            .take_while(move |((in_account, in_region, _), _)| {
                **in_account == *account
                    && region.as_ref().is_none_or(|region| **in_region == **region)
            })
            .filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Frees the name of a deleted stack, which stays available by id.
    pub(crate) fn release_name(&mut self, id: &str) {
        if let Some(stack) = self.by_id.get(id) {
            let key = (
                stack.account.clone(),
                stack.region.clone(),
                stack.name.clone(),
            );
            if self.living.get(&key).is_some_and(|living| **living == *id) {
                self.living.remove(&key);
            }
        }
    }

    /// Finds an existing stack by name, or any by id, in one account and Region.
    pub(crate) fn find(&self, account: &str, region: &str, name: &str) -> Option<&Stack> {
        let id = if name.starts_with("arn:") {
            name
        } else {
            let key = (account.into(), region.into(), name.into());
            self.living.get(&key)?
        };
        self.by_id
            .get(id)
            .filter(|stack| *stack.account == *account && *stack.region == *region)
    }

    /// The stacks of one account and Region, newest first, deleted ones included.
    pub(crate) fn of(&self, account: &str, region: &str) -> Vec<&Stack> {
        // Ids start with `arn:aws:cloudformation:REGION:ACCOUNT:`, which keeps this a range.
        let prefix = format!("arn:aws:cloudformation:{region}:{account}:stack/");
        let mut stacks: Vec<&Stack> = self
            .by_id
            .range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded))
            .take_while(|(id, _)| id.starts_with(&prefix))
            .map(|(_, stack)| stack)
            .collect();
        stacks.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        stacks
    }
}

impl Stage<'_> {
    pub(crate) fn stack(&self, id: &str) -> Option<&Stack> {
        self.cloudformation.stacks.get(id)
    }

    pub(crate) fn stack_mut(&mut self, id: &str) -> Option<&mut Stack> {
        self.cloudformation.stacks.get_mut(id)
    }

    /// Sets a stack's new status and adds its event.
    pub(crate) fn enter(&mut self, id: &str, status: &'static str, reason: Option<String>) {
        let now = self.now();
        if let Some(stack) = self.stack_mut(id) {
            stack.enter(now, status, reason);
        }
    }

    /// Completes the deletion of a stack.
    pub(crate) fn end_deletion(&mut self, id: &str) {
        let now = self.now();
        if let Some(stack) = self.stack_mut(id) {
            stack.deleted = Some(now);
            self.cloudformation.stacks.release_name(id);
        }
    }
}

/// Adds a new stack and schedules its creation.
pub(crate) fn begin_create(
    stage: &mut Stage<'_>,
    account: &Arc<str>,
    region: &Arc<str>,
    name: &str,
    deployment: Arc<Deployment>,
    on_failure: OnFailure,
) -> Arc<str> {
    let id = enter_review(stage, account, region, name, deployment);
    let now = stage.now();
    if let Some(stack) = stage.stack_mut(&id) {
        stack.events.clear();
        stack.pending = Some(Pending::Create(on_failure));
        stack.enter(now, "CREATE_IN_PROGRESS", Some("User Initiated".to_owned()));
    }
    id
}

/// Adds a stack in `REVIEW_IN_PROGRESS`, without resources, for its first change set.
pub(crate) fn enter_review(
    stage: &mut Stage<'_>,
    account: &Arc<str>,
    region: &Arc<str>,
    name: &str,
    deployment: Arc<Deployment>,
) -> Arc<str> {
    let now = stage.now();
    let id: Arc<str> = format!(
        "arn:aws:cloudformation:{region}:{account}:stack/{name}/{}",
        stage.services.environment.uuid()
    )
    .into();
    let mut stack = Stack {
        id: Arc::clone(&id),
        name: name.into(),
        account: Arc::clone(account),
        region: Arc::clone(region),
        status: "REVIEW_IN_PROGRESS",
        reason: None,
        created: now,
        updated: None,
        deleted: None,
        deployment,
        resources: BTreeMap::new(),
        outputs: Vec::new(),
        imports: BTreeSet::new(),
        events: Vec::new(),
        termination_protection: false,
        pending: None,
        drift: "NOT_CHECKED",
        drift_checked: None,
        updates: 0,
        settled: now,
        folded: None,
        unfolded: None,
        looked_into: false,
        caller: None,
    };
    stack.enter(now, "REVIEW_IN_PROGRESS", Some("User Initiated".to_owned()));
    stage.cloudformation.stacks.insert(stack);
    id
}

/// Starts an update; refuses one without changes.
pub(crate) fn begin_update(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: Arc<Deployment>,
) -> Result<(), ApiError> {
    if let Some(stack) = stage.stack(id)
        && stack.updatable()
        && same(&stack.deployment, &deployment)
    {
        return Err(ApiError::validation("No updates are to be performed."));
    }
    begin_any_update(stage, id, deployment)
}

/// [`begin_update`] that needs no difference between the deployments.
pub(crate) fn begin_any_update(
    stage: &mut Stage<'_>,
    id: &str,
    deployment: Arc<Deployment>,
) -> Result<(), ApiError> {
    let now = stage.now();
    let Some(stack) = stage.stack_mut(id) else {
        return Err(ApiError::validation(format!("Stack [{id}] does not exist")));
    };
    if !stack.updatable() {
        return Err(ApiError::validation(format!(
            "Stack:{id} is in {} state and can not be updated.",
            stack.status
        )));
    }
    let old_template = Arc::clone(&stack.deployment.template);
    let changed: Vec<&str> = deployment
        .template
        .resources
        .iter()
        .filter(|(name, new)| {
            let there = stack.folded.is_some() || stack.resources.contains_key(*name);
            let old = old_template.resources.get(*name).filter(|_| there);
            old.is_some_and(|old| old.kind != new.kind)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !changed.is_empty() {
        return Err(ApiError::validation(format!(
            "Update of resource type is not permitted. The new template modifies resource type of the following resources: [{}]",
            changed.join(", ")
        )));
    }
    stack.pending = Some(Pending::Update(deployment));
    stack.updated = Some(now);
    stack.updates += 1;
    stack.enter(now, "UPDATE_IN_PROGRESS", Some("User Initiated".to_owned()));
    Ok(())
}

/// Whether two deployments are equal in everything CloudFormation compares.
pub(crate) fn same(old: &Arc<Deployment>, new: &Arc<Deployment>) -> bool {
    if Arc::ptr_eq(old, new) {
        return true;
    }
    old.parameters == new.parameters
        && old.tags == new.tags
        && ["Resources", "Outputs", "Conditions", "Mappings"]
            .iter()
            .all(|name| section(old, name) == section(new, name))
}

/// A top-level section of the template; `None` if it is missing or empty.
fn section<'a>(deployment: &'a Deployment, name: &str) -> Option<&'a Value> {
    let section = deployment.template.document.get(name)?;
    (!section.is_null()).then_some(section)
}

/// Has the pending operation run with the permissions of the caller.
pub(crate) fn run_by(stage: &mut Stage<'_>, id: &str, caller: &Caller) {
    if let Some(stack) = stage.stack_mut(id) {
        stack.caller = Some(Arc::new(caller.clone()));
    }
}

/// Starts the deletion of a stack.
pub(crate) fn begin_delete(stage: &mut Stage<'_>, id: &str, keep: BTreeSet<String>) {
    let now = stage.now();
    if let Some(stack) = stage.stack_mut(id) {
        stack.pending = Some(Pending::Delete(keep));
        stack.enter(now, "DELETE_IN_PROGRESS", Some("User Initiated".to_owned()));
    }
}
