//! CloudFormation StackSets.

use std::collections::BTreeMap;

use aws_sdk_cloudformation::types as sdk;
use deployer::ports::{
    AccountSelection, Action, AutoDeployment, CloudError, ConcurrencyMode, DeploymentTargets,
    DriftCounts, DriftStatus, Instance, InstanceRequest, InstanceStatus, Location, NewStackSet,
    Operation, OperationResult, OperationStatus, OperationSummary, Preferences, PropertyDifference,
    RegionConcurrency, ResourceDrift, ResourceDriftStatus, ResultStatus, StackSetDetails,
    StackSetSummary, StackSetUpdate, StackSets, Tolerance,
};

use crate::artifacts::PreparedTemplate;
use crate::connect::Aws;
use crate::error::cloud_error;

/// Maximum items per page of StackSets' lists.
const PAGE: i32 = 100;

/// Sends a request through [`Aws::call`] and maps its errors.
macro_rules! send {
    ($aws:expr, $action:literal, $request:expr) => {{
        let request = $request;
        $aws.call($action, || {
            let request = request.clone();
            async move { request.send().await.map_err(|e| cloud_error($action, &e)) }
        })
        .await
    }};
}
pub(crate) use send;

impl StackSets for Aws {
    async fn list_stack_sets(&self) -> Result<Vec<StackSetSummary>, CloudError> {
        self.list("cloudformation:ListStackSets", |token| async {
            let page = self
                .stack_sets()
                .list_stack_sets()
                .status(sdk::StackSetStatus::Active)
                .max_results(PAGE)
                .set_next_token(token)
                .call_as(self.call_as())
                .send()
                .await
                .map_err(|e| cloud_error("cloudformation:ListStackSets", &e))?;
            let sets = page.summaries.unwrap_or_default().into_iter();
            // Some endpoints ignore the status filter.
            let sets = sets.filter(|set| set.status != Some(sdk::StackSetStatus::Deleted));
            let sets = sets.map(|set| StackSetSummary {
                name: set.stack_set_name.unwrap_or_default(),
                id: set.stack_set_id.unwrap_or_default(),
            });
            Ok((sets.collect(), page.next_token))
        })
        .await
    }

    async fn describe_stack_set(&self, name: &str) -> Result<Option<StackSetDetails>, CloudError> {
        let request = self
            .stack_sets()
            .describe_stack_set()
            .stack_set_name(name)
            .call_as(self.call_as());
        let set = match send!(self, "cloudformation:DescribeStackSet", request) {
            Ok(answer) => answer.stack_set,
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(set
            .filter(|set| set.status != Some(sdk::StackSetStatus::Deleted))
            .map(details))
    }

    async fn create_stack_set(&self, new: &NewStackSet) -> Result<(), CloudError> {
        let template = self.prepare_template(self.base(), &new.template).await?;
        let request = self
            .stack_sets()
            .create_stack_set()
            .stack_set_name(&new.name)
            .description(&new.description)
            .set_template_body(template.body)
            .set_template_url(template.url)
            .set_parameters(some(parameters(&new.parameters)))
            .set_tags(some(tags(&new.tags)))
            .set_capabilities(some(capabilities(&new.capabilities)))
            .permission_model(sdk::PermissionModels::ServiceManaged)
            .auto_deployment(auto_deployment(&new.auto_deployment))
            .managed_execution(sdk::ManagedExecution::builder().active(true).build())
            .client_request_token(&new.token)
            .call_as(self.call_as());
        send!(self, "cloudformation:CreateStackSet", request).map(|_| ())
    }

    async fn update_stack_set(&self, update: &StackSetUpdate) -> Result<String, CloudError> {
        let template = match &update.template {
            Some(template) => self.prepare_template(self.base(), template).await?,
            None => PreparedTemplate::default(),
        };
        let request = self
            .stack_sets()
            .update_stack_set()
            .stack_set_name(&update.name)
            .description(&update.description)
            .set_template_body(template.body)
            .set_template_url(template.url)
            .set_use_previous_template(update.template.is_none().then_some(true))
            .set_parameters(some(parameters(&update.parameters)))
            .set_tags(some(tags(&update.tags)))
            .set_capabilities(some(capabilities(&update.capabilities)))
            .permission_model(sdk::PermissionModels::ServiceManaged)
            .set_auto_deployment(update.auto_deployment.as_ref().map(auto_deployment))
            .managed_execution(sdk::ManagedExecution::builder().active(true).build())
            .set_deployment_targets(update.targets.as_ref().map(targets))
            .set_regions((!update.regions.is_empty()).then(|| update.regions.clone()))
            .operation_preferences(preferences(&update.preferences, &update.regions))
            .operation_id(&update.operation_id)
            .call_as(self.call_as());
        send!(self, "cloudformation:UpdateStackSet", request)
            .map(|answer| id_or(answer.operation_id, &update.operation_id))
    }

    async fn delete_stack_set(&self, name: &str) -> Result<(), CloudError> {
        let request = self
            .stack_sets()
            .delete_stack_set()
            .stack_set_name(name)
            .call_as(self.call_as());
        send!(self, "cloudformation:DeleteStackSet", request).map(|_| ())
    }

    async fn create_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        let call = self
            .stack_sets()
            .create_stack_instances()
            .stack_set_name(&request.stack_set)
            .deployment_targets(targets(&request.targets))
            .set_regions(Some(request.regions.clone()))
            .operation_preferences(preferences(&request.preferences, &request.regions))
            .operation_id(&request.operation_id)
            .call_as(self.call_as());
        send!(self, "cloudformation:CreateStackInstances", call)
            .map(|answer| id_or(answer.operation_id, &request.operation_id))
    }

    async fn update_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        let call = self
            .stack_sets()
            .update_stack_instances()
            .stack_set_name(&request.stack_set)
            .deployment_targets(targets(&request.targets))
            .set_regions(Some(request.regions.clone()))
            .operation_preferences(preferences(&request.preferences, &request.regions))
            .operation_id(&request.operation_id)
            .call_as(self.call_as());
        send!(self, "cloudformation:UpdateStackInstances", call)
            .map(|answer| id_or(answer.operation_id, &request.operation_id))
    }

    async fn delete_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        let call = self
            .stack_sets()
            .delete_stack_instances()
            .stack_set_name(&request.stack_set)
            .deployment_targets(targets(&request.targets))
            .set_regions(Some(request.regions.clone()))
            .operation_preferences(preferences(&request.preferences, &request.regions))
            .retain_stacks(request.retain_stacks)
            .operation_id(&request.operation_id)
            .call_as(self.call_as());
        send!(self, "cloudformation:DeleteStackInstances", call)
            .map(|answer| id_or(answer.operation_id, &request.operation_id))
    }

    async fn list_instances(&self, stack_set: &str) -> Result<Vec<Instance>, CloudError> {
        self.list("cloudformation:ListStackInstances", |token| async {
            let page = self
                .stack_sets()
                .list_stack_instances()
                .stack_set_name(stack_set)
                .max_results(PAGE)
                .set_next_token(token)
                .call_as(self.call_as())
                .send()
                .await
                .map_err(|e| cloud_error("cloudformation:ListStackInstances", &e))?;
            let instances = page.summaries.unwrap_or_default();
            Ok((
                instances.into_iter().map(instance).collect(),
                page.next_token,
            ))
        })
        .await
    }

    async fn describe_operation(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> Result<Option<Operation>, CloudError> {
        let request = self
            .stack_sets()
            .describe_stack_set_operation()
            .stack_set_name(stack_set)
            .operation_id(operation)
            .call_as(self.call_as());
        match send!(self, "cloudformation:DescribeStackSetOperation", request) {
            Ok(answer) => Ok(answer.stack_set_operation.map(|found| Operation {
                id: found.operation_id.unwrap_or_else(|| operation.to_owned()),
                action: found.action.as_ref().and_then(action),
                status: status(found.status.as_ref()),
                ended: found.end_timestamp.and_then(|at| at.try_into().ok()),
                reason: found.status_reason,
                failed_instances: found
                    .status_details
                    .and_then(|details| details.failed_stack_instances_count)
                    .map(count),
                drift: found
                    .stack_set_drift_detection_details
                    .map(|drift| DriftCounts {
                        total: drift.total_stack_instances_count.map_or(0, count),
                        drifted: drift.drifted_stack_instances_count.map_or(0, count),
                        in_sync: drift.in_sync_stack_instances_count.map_or(0, count),
                        failed: drift.failed_stack_instances_count.map_or(0, count),
                        checked: drift.last_drift_check_timestamp.map(|at| at.to_string()),
                    }),
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn list_operations(&self, stack_set: &str) -> Result<Vec<OperationSummary>, CloudError> {
        // One page suffices: pending operations are among the latest hundred, unless a hundred are
        // queued.
        let request = self
            .stack_sets()
            .list_stack_set_operations()
            .stack_set_name(stack_set)
            .max_results(PAGE)
            .call_as(self.call_as());
        let page = send!(self, "cloudformation:ListStackSetOperations", request)?;
        Ok(page
            .summaries
            .unwrap_or_default()
            .into_iter()
            .map(|found| OperationSummary {
                id: found.operation_id.unwrap_or_default(),
                action: found.action.as_ref().and_then(action),
                status: status(found.status.as_ref()),
                ended: found.end_timestamp.and_then(|at| at.try_into().ok()),
            })
            .collect())
    }

    async fn list_operation_results(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> Result<Vec<OperationResult>, CloudError> {
        self.list(
            "cloudformation:ListStackSetOperationResults",
            |token| async {
                let page = self
                    .stack_sets()
                    .list_stack_set_operation_results()
                    .stack_set_name(stack_set)
                    .operation_id(operation)
                    .max_results(PAGE)
                    .set_next_token(token)
                    .call_as(self.call_as())
                    .send()
                    .await
                    .map_err(|e| cloud_error("cloudformation:ListStackSetOperationResults", &e))?;
                let results = page.summaries.unwrap_or_default();
                Ok((results.into_iter().map(result).collect(), page.next_token))
            },
        )
        .await
    }

    async fn stop_operation(&self, stack_set: &str, operation: &str) -> Result<(), CloudError> {
        let request = self
            .stack_sets()
            .stop_stack_set_operation()
            .stack_set_name(stack_set)
            .operation_id(operation)
            .call_as(self.call_as());
        send!(self, "cloudformation:StopStackSetOperation", request).map(|_| ())
    }

    async fn detect_stack_set_drift(
        &self,
        stack_set: &str,
        how: Preferences,
        operation_id: &str,
    ) -> Result<String, CloudError> {
        let request = self
            .stack_sets()
            .detect_stack_set_drift()
            .stack_set_name(stack_set)
            .operation_preferences(preferences(&how, &[]))
            .operation_id(operation_id)
            .call_as(self.call_as());
        send!(self, "cloudformation:DetectStackSetDrift", request)
            .map(|answer| id_or(answer.operation_id, operation_id))
    }

    async fn list_instances_by_drift(
        &self,
        stack_set: &str,
        status: DriftStatus,
    ) -> Result<Vec<Location>, CloudError> {
        let filter = sdk::StackInstanceFilter::builder()
            .name(sdk::StackInstanceFilterName::DriftStatus)
            .values(status.name())
            .build();
        self.list("cloudformation:ListStackInstances", |token| {
            let request = self
                .stack_sets()
                .list_stack_instances()
                .stack_set_name(stack_set)
                .filters(filter.clone())
                .max_results(PAGE)
                .set_next_token(token)
                .call_as(self.call_as());
            async move {
                let page = request
                    .send()
                    .await
                    .map_err(|e| cloud_error("cloudformation:ListStackInstances", &e))?;
                let found = page.summaries.unwrap_or_default().into_iter();
                let locations = found.map(|it| {
                    Location::new(
                        it.account.unwrap_or_default(),
                        it.region.unwrap_or_default(),
                    )
                });
                Ok((locations.collect(), page.next_token))
            }
        })
        .await
    }

    async fn list_instance_resource_drifts(
        &self,
        stack_set: &str,
        operation: &str,
        account: &str,
        region: &str,
    ) -> Result<Vec<ResourceDrift>, CloudError> {
        self.list(
            "cloudformation:ListStackInstanceResourceDrifts",
            |token| async {
                let page = self
                    .stack_sets()
                    .list_stack_instance_resource_drifts()
                    .stack_set_name(stack_set)
                    .operation_id(operation)
                    .stack_instance_account(account)
                    .stack_instance_region(region)
                    .set_stack_instance_resource_drift_statuses(Some(REPORTED.into()))
                    .set_next_token(token)
                    .call_as(self.call_as())
                    .send()
                    .await
                    .map_err(|e| {
                        cloud_error("cloudformation:ListStackInstanceResourceDrifts", &e)
                    })?;
                let drifts = page.summaries.unwrap_or_default().into_iter();
                let drifts = drifts.map(|drift| ResourceDrift {
                    logical_id: drift.logical_resource_id.unwrap_or_default(),
                    physical_id: drift.physical_resource_id,
                    resource_type: drift.resource_type.unwrap_or_default(),
                    status: drift_status(drift.stack_resource_drift_status.as_ref()),
                    reason: None,
                    differences: differences(drift.property_differences),
                    expected: None,
                    actual: None,
                });
                Ok((drifts.collect(), page.next_token))
            },
        )
        .await
    }
}

fn id_or(returned: Option<String>, requested: &str) -> String {
    returned.unwrap_or_else(|| requested.to_owned())
}

fn result(found: sdk::StackSetOperationResultSummary) -> OperationResult {
    OperationResult {
        account: found.account.unwrap_or_default(),
        region: found.region.unwrap_or_default(),
        status: match found.status {
            Some(sdk::StackSetOperationResultStatus::Pending) | None => ResultStatus::Pending,
            Some(sdk::StackSetOperationResultStatus::Running) => ResultStatus::Running,
            Some(sdk::StackSetOperationResultStatus::Succeeded) => ResultStatus::Succeeded,
            Some(sdk::StackSetOperationResultStatus::Failed) => ResultStatus::Failed,
            Some(sdk::StackSetOperationResultStatus::Cancelled) => ResultStatus::Cancelled,
            Some(other) => ResultStatus::Other(other.as_str().to_owned()),
        },
        reason: found.status_reason,
    }
}

fn details(set: sdk::StackSet) -> StackSetDetails {
    StackSetDetails {
        name: set.stack_set_name.unwrap_or_default(),
        id: set.stack_set_id.unwrap_or_default(),
        arn: set.stack_set_arn.unwrap_or_default(),
        description: set.description.unwrap_or_default(),
        template: set.template_body.unwrap_or_default(),
        parameters: from_parameters(set.parameters),
        tags: from_tags(set.tags),
        capabilities: from_capabilities(set.capabilities),
        auto_deployment: set.auto_deployment.and_then(|auto| {
            auto.enabled.map(|enabled| AutoDeployment {
                enabled,
                retain_stacks: auto.retain_stacks_on_account_removal.unwrap_or(false),
            })
        }),
        managed_execution: set.managed_execution.and_then(|managed| managed.active),
        organizational_units: set.organizational_unit_ids.unwrap_or_default(),
    }
}

fn instance(found: sdk::StackInstanceSummary) -> Instance {
    Instance {
        account: found.account.unwrap_or_default(),
        region: found.region.unwrap_or_default(),
        organizational_unit: found.organizational_unit_id.filter(|unit| !unit.is_empty()),
        stack_id: found.stack_id.filter(|id| !id.is_empty()),
        status: match found.status {
            Some(sdk::StackInstanceStatus::Current) => InstanceStatus::Current,
            Some(sdk::StackInstanceStatus::Outdated) => InstanceStatus::Outdated,
            Some(sdk::StackInstanceStatus::Inoperable) => InstanceStatus::Inoperable,
            Some(other) => InstanceStatus::Other(other.as_str().to_owned()),
            None => InstanceStatus::Other("unknown".to_owned()),
        },
        detailed_status: found
            .stack_instance_status
            .and_then(|status| status.detailed_status)
            .map(|status| status.as_str().to_owned()),
        reason: found.status_reason.filter(|reason| !reason.is_empty()),
        drift_status: found.drift_status.map(|status| status.as_str().to_owned()),
        last_operation: found.last_operation_id.filter(|id| !id.is_empty()),
    }
}

fn status(status: Option<&sdk::StackSetOperationStatus>) -> OperationStatus {
    match status {
        Some(sdk::StackSetOperationStatus::Queued) => OperationStatus::Queued,
        Some(sdk::StackSetOperationStatus::Running) => OperationStatus::Running,
        Some(sdk::StackSetOperationStatus::Stopping) => OperationStatus::Stopping,
        Some(sdk::StackSetOperationStatus::Stopped) => OperationStatus::Stopped,
        Some(sdk::StackSetOperationStatus::Succeeded) => OperationStatus::Succeeded,
        Some(sdk::StackSetOperationStatus::Failed) => OperationStatus::Failed,
        Some(other) => OperationStatus::Other(other.as_str().to_owned()),
        None => OperationStatus::Other("unknown".to_owned()),
    }
}

fn action(action: &sdk::StackSetOperationAction) -> Option<Action> {
    match action {
        sdk::StackSetOperationAction::Create => Some(Action::Create),
        sdk::StackSetOperationAction::Update => Some(Action::Update),
        sdk::StackSetOperationAction::Delete => Some(Action::Delete),
        sdk::StackSetOperationAction::DetectDrift => Some(Action::DetectDrift),
        _ => None,
    }
}

fn auto_deployment(auto: &AutoDeployment) -> sdk::AutoDeployment {
    sdk::AutoDeployment::builder()
        .enabled(auto.enabled)
        // The API rejects the second setting without the first.
        .set_retain_stacks_on_account_removal(auto.enabled.then_some(auto.retain_stacks))
        .build()
}

fn targets(targets: &DeploymentTargets) -> sdk::DeploymentTargets {
    let (filter, accounts) = match &targets.accounts {
        AccountSelection::All => (sdk::AccountFilterType::None, None),
        AccountSelection::Intersection(accounts) => {
            (sdk::AccountFilterType::Intersection, Some(accounts.clone()))
        }
        AccountSelection::Difference(accounts) => {
            (sdk::AccountFilterType::Difference, Some(accounts.clone()))
        }
    };
    sdk::DeploymentTargets::builder()
        .set_organizational_unit_ids(Some(targets.organizational_units.clone()))
        .account_filter_type(filter)
        .set_accounts(accounts)
        .build()
}

fn preferences(how: &Preferences, regions: &[String]) -> sdk::StackSetOperationPreferences {
    let sequential = how.region_concurrency == RegionConcurrency::Sequential;
    let builder = sdk::StackSetOperationPreferences::builder()
        .region_concurrency_type(if sequential {
            sdk::RegionConcurrencyType::Sequential
        } else {
            sdk::RegionConcurrencyType::Parallel
        })
        .set_region_order((sequential && !regions.is_empty()).then(|| regions.to_vec()))
        .concurrency_mode(match how.mode {
            ConcurrencyMode::StrictFailureTolerance => sdk::ConcurrencyMode::StrictFailureTolerance,
            ConcurrencyMode::SoftFailureTolerance => sdk::ConcurrencyMode::SoftFailureTolerance,
        });
    let builder = match how.failure_tolerance {
        Tolerance::Count(n) => builder.failure_tolerance_count(number(n)),
        Tolerance::Percentage(n) => builder.failure_tolerance_percentage(number(n)),
    };
    match how.max_concurrent {
        Tolerance::Count(n) => builder.max_concurrent_count(number(n)),
        Tolerance::Percentage(n) => builder.max_concurrent_percentage(number(n)),
    }
    .build()
}

fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

fn count(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// Omits an empty list, which would otherwise be sent as an empty parameter.
pub(crate) fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

pub(crate) fn parameters(values: &BTreeMap<String, String>) -> Vec<sdk::Parameter> {
    values
        .iter()
        .map(|(name, value)| {
            sdk::Parameter::builder()
                .parameter_key(name)
                .parameter_value(value)
                .build()
        })
        .collect()
}

/// Some endpoints also list pseudo parameters, such as `AWS::Region`, which nobody set.
pub(crate) fn from_parameters(values: Option<Vec<sdk::Parameter>>) -> BTreeMap<String, String> {
    values
        .unwrap_or_default()
        .into_iter()
        .filter_map(|p| Some((p.parameter_key?, p.parameter_value.unwrap_or_default())))
        .filter(|(name, _)| !name.starts_with("AWS::"))
        .collect()
}

pub(crate) fn tags(values: &BTreeMap<String, String>) -> Vec<sdk::Tag> {
    values
        .iter()
        .map(|(key, value)| sdk::Tag::builder().key(key).value(value).build())
        .collect()
}

pub(crate) fn from_tags(values: Option<Vec<sdk::Tag>>) -> BTreeMap<String, String> {
    values
        .unwrap_or_default()
        .into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}

pub(crate) fn capabilities(names: &[String]) -> Vec<sdk::Capability> {
    names
        .iter()
        .map(|name| sdk::Capability::from(name.as_str()))
        .collect()
}

pub(crate) fn from_capabilities(found: Option<Vec<sdk::Capability>>) -> Vec<String> {
    found
        .unwrap_or_default()
        .iter()
        .map(|capability| capability.as_str().to_owned())
        .collect()
}

/// What a drift report is about: everything but resources in sync.
pub(crate) const REPORTED: [sdk::StackResourceDriftStatus; 4] = [
    sdk::StackResourceDriftStatus::Modified,
    sdk::StackResourceDriftStatus::Deleted,
    sdk::StackResourceDriftStatus::NotChecked,
    sdk::StackResourceDriftStatus::UnknownValue,
];

pub(crate) fn drift_status(status: Option<&sdk::StackResourceDriftStatus>) -> ResourceDriftStatus {
    match status {
        Some(sdk::StackResourceDriftStatus::InSync) => ResourceDriftStatus::InSync,
        Some(sdk::StackResourceDriftStatus::Modified) => ResourceDriftStatus::Modified,
        Some(sdk::StackResourceDriftStatus::Deleted) => ResourceDriftStatus::Deleted,
        // The SDK's name for `UNKNOWN`.
        Some(sdk::StackResourceDriftStatus::UnknownValue) => ResourceDriftStatus::Unknown,
        _ => ResourceDriftStatus::NotChecked,
    }
}

pub(crate) fn differences(found: Option<Vec<sdk::PropertyDifference>>) -> Vec<PropertyDifference> {
    found
        .unwrap_or_default()
        .into_iter()
        .map(|difference| PropertyDifference {
            path: difference.property_path.unwrap_or_default(),
            expected: difference.expected_value.unwrap_or_default(),
            actual: difference.actual_value.unwrap_or_default(),
            kind: difference
                .difference_type
                .map(|kind| kind.as_str().to_owned())
                .unwrap_or_default(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_order_is_sent_only_for_sequential_regions() {
        let mut how = Preferences {
            region_concurrency: RegionConcurrency::Parallel,
            failure_tolerance: Tolerance::Percentage(5),
            max_concurrent: Tolerance::Percentage(25),
            mode: ConcurrencyMode::SoftFailureTolerance,
        };
        let regions = ["eu-central-1".to_owned()];
        assert_eq!(preferences(&how, &regions).region_order, None);
        how.region_concurrency = RegionConcurrency::Sequential;
        assert_eq!(
            preferences(&how, &regions).region_order,
            Some(regions.to_vec())
        );
        assert_eq!(preferences(&how, &[]).region_order, None);
    }

    #[test]
    fn pseudo_parameters_in_an_answer_are_ignored() {
        let given = BTreeMap::from([
            ("AWS::Region".to_owned(), "eu-central-1".to_owned()),
            ("BusName".to_owned(), "gizmos".to_owned()),
        ]);
        let kept = from_parameters(Some(parameters(&given)));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["BusName"]);
    }

    #[test]
    fn an_instance_of_an_unknown_status_is_never_current() {
        let found = sdk::StackInstanceSummary::builder()
            .account("012345678901")
            .region("eu-central-1")
            .status("NEWER_THAN_THIS".into())
            .build();
        let found = instance(found);
        assert_eq!(found.account, "012345678901");
        assert_eq!(
            found.status,
            InstanceStatus::Other("NEWER_THAN_THIS".into())
        );
        assert_eq!(found.stack_id, None);
    }

    #[test]
    fn an_operation_of_an_unknown_status_is_still_pending() {
        assert!(status(Some(&"NEWER_THAN_THIS".into())).is_pending());
        assert!(!status(Some(&sdk::StackSetOperationStatus::Succeeded)).is_pending());
    }
}
