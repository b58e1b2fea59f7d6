//! Ordinary CloudFormation stacks.

use aws_sdk_cloudformation::types as sdk;
use deployer::ports::{
    ChangeSet, ChangeSetKind, ChangeSetRequest, ChangeSetStatus, CloudError, DriftDetection,
    DriftStatus, FailureEvent, Location, ResourceDrift, Stack, Stacks,
};

use crate::connect::Aws;
use crate::error::cloud_error;
use crate::stack_sets::{
    REPORTED, capabilities, differences, drift_status, from_capabilities, from_parameters,
    from_tags, parameters, send, some, tags,
};

impl Stacks for Aws {
    async fn stack_quota(&self, location: &Location) -> Result<Option<usize>, CloudError> {
        let client = self.cloudformation_briefly_at(location).await?;
        let limits = self
            .list_optional("cloudformation:DescribeAccountLimits", |token| async {
                let page = client
                    .describe_account_limits()
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| cloud_error("cloudformation:DescribeAccountLimits", &e))?;
                let limits = page.account_limits.unwrap_or_default();
                Ok((limits, page.next_token))
            })
            .await;
        let limits = match limits {
            Err(CloudError::Unsupported { .. }) => return Ok(None),
            limits => limits?,
        };
        let stacks = limits.iter().find(|it| it.name() == Some("StackLimit"));
        Ok(stacks
            .and_then(sdk::AccountLimit::value)
            .and_then(|value| usize::try_from(value).ok()))
    }

    async fn list_stacks(&self, location: &Location) -> Result<Vec<Stack>, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let mut found = self
            .list("cloudformation:DescribeStacks", |token| async {
                let page = client
                    .describe_stacks()
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| cloud_error("cloudformation:DescribeStacks", &e))?;
                let stacks = page.stacks.unwrap_or_default();
                Ok((stacks.into_iter().map(stack).collect(), page.next_token))
            })
            .await?;
        found.retain(|stack: &Stack| stack.status != "DELETE_COMPLETE");
        Ok(found)
    }

    async fn describe_stack(
        &self,
        location: &Location,
        name: &str,
    ) -> Result<Option<Stack>, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client.describe_stacks().stack_name(name);
        match send!(self, "cloudformation:DescribeStacks", request) {
            Ok(answer) => Ok(answer
                .stacks
                .unwrap_or_default()
                .into_iter()
                .next()
                .map(stack)
                .filter(|stack| stack.status != "DELETE_COMPLETE")),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn stack_template(&self, location: &Location, name: &str) -> Result<String, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client
            .get_template()
            .stack_name(name)
            .template_stage(sdk::TemplateStage::Original);
        send!(self, "cloudformation:GetTemplate", request)
            .map(|answer| answer.template_body.unwrap_or_default())
    }

    async fn create_change_set(
        &self,
        location: &Location,
        request: &ChangeSetRequest,
    ) -> Result<(), CloudError> {
        let client = self.cloudformation_at(location).await?;
        let template = self
            .prepare_template(&self.at(location).await?, &request.template)
            .await?;
        let call = client
            .create_change_set()
            .stack_name(&request.stack)
            .change_set_name(&request.name)
            .change_set_type(match request.kind {
                ChangeSetKind::Create => sdk::ChangeSetType::Create,
                ChangeSetKind::Update => sdk::ChangeSetType::Update,
            })
            .description(&request.description)
            .set_template_body(template.body)
            .set_template_url(template.url)
            .set_parameters(some(parameters(&request.parameters)))
            .set_tags(some(tags(&request.tags)))
            .set_capabilities(some(capabilities(&request.capabilities)))
            .client_token(&request.name);
        send!(self, "cloudformation:CreateChangeSet", call).map(|_| ())
    }

    async fn describe_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> Result<Option<ChangeSet>, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client
            .describe_change_set()
            .stack_name(stack)
            .change_set_name(name);
        match send!(self, "cloudformation:DescribeChangeSet", request) {
            Ok(answer) => Ok(Some(change_set(
                answer.status.as_ref(),
                answer.status_reason,
            ))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn execute_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> Result<(), CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client
            .execute_change_set()
            .stack_name(stack)
            .change_set_name(name)
            .client_request_token(name);
        send!(self, "cloudformation:ExecuteChangeSet", request).map(|_| ())
    }

    async fn delete_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> Result<(), CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client
            .delete_change_set()
            .stack_name(stack)
            .change_set_name(name);
        send!(self, "cloudformation:DeleteChangeSet", request).map(|_| ())
    }

    async fn delete_stack(&self, location: &Location, stack: &str) -> Result<(), CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client.delete_stack().stack_name(stack);
        send!(self, "cloudformation:DeleteStack", request).map(|_| ())
    }

    async fn failure_events(
        &self,
        location: &Location,
        stack: &str,
    ) -> Result<Vec<FailureEvent>, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let mut failures = Vec::new();
        let mut token: Option<String> = None;
        'pages: loop {
            let request = client
                .describe_stack_events()
                .stack_name(stack)
                .set_next_token(token.clone());
            let page = send!(self, "cloudformation:DescribeStackEvents", request)?;
            for event in page.stack_events.unwrap_or_default() {
                let status = event
                    .resource_status
                    .as_ref()
                    .map(|status| status.as_str().to_owned())
                    .unwrap_or_default();
                let kind = event.resource_type.unwrap_or_default();
                let begins = kind == "AWS::CloudFormation::Stack"
                    && matches!(
                        status.as_str(),
                        "CREATE_IN_PROGRESS" | "UPDATE_IN_PROGRESS" | "DELETE_IN_PROGRESS"
                    );
                if status.ends_with("_FAILED") {
                    failures.push(FailureEvent {
                        logical_id: event.logical_resource_id.unwrap_or_default(),
                        resource_type: kind,
                        status,
                        reason: event.resource_status_reason.unwrap_or_default(),
                    });
                }
                if begins {
                    break 'pages;
                }
            }
            match page.next_token {
                Some(next) if token.as_ref() != Some(&next) => token = Some(next),
                _ => break,
            }
        }
        // Events come newest first, and the first failure causes the others.
        failures.reverse();
        Ok(failures)
    }

    async fn detect_stack_drift(
        &self,
        location: &Location,
        stack: &str,
    ) -> Result<String, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client.detect_stack_drift().stack_name(stack);
        send!(self, "cloudformation:DetectStackDrift", request)
            .map(|answer| answer.stack_drift_detection_id.unwrap_or_default())
    }

    async fn describe_drift_detection(
        &self,
        location: &Location,
        detection: &str,
    ) -> Result<DriftDetection, CloudError> {
        let client = self.cloudformation_at(location).await?;
        let request = client
            .describe_stack_drift_detection_status()
            .stack_drift_detection_id(detection);
        let answer = send!(
            self,
            "cloudformation:DescribeStackDriftDetectionStatus",
            request
        )?;
        Ok(match answer.detection_status {
            Some(sdk::StackDriftDetectionStatus::DetectionComplete) => DriftDetection::Complete {
                drift: match answer.stack_drift_status {
                    Some(sdk::StackDriftStatus::InSync) => DriftStatus::InSync,
                    Some(sdk::StackDriftStatus::Drifted) => DriftStatus::Drifted,
                    Some(sdk::StackDriftStatus::NotChecked) => DriftStatus::NotChecked,
                    _ => DriftStatus::Unknown,
                },
            },
            Some(sdk::StackDriftDetectionStatus::DetectionFailed) => DriftDetection::Failed {
                reason: answer
                    .detection_status_reason
                    .unwrap_or_else(|| "no reason given".to_owned()),
            },
            _ => DriftDetection::InProgress,
        })
    }

    async fn list_resource_drifts(
        &self,
        location: &Location,
        stack: &str,
    ) -> Result<Vec<ResourceDrift>, CloudError> {
        let client = self.cloudformation_at(location).await?;
        self.list(
            "cloudformation:DescribeStackResourceDrifts",
            |token| async {
                let page = client
                    .describe_stack_resource_drifts()
                    .stack_name(stack)
                    .set_stack_resource_drift_status_filters(Some(REPORTED.into()))
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| cloud_error("cloudformation:DescribeStackResourceDrifts", &e))?;
                let drifts = page.stack_resource_drifts.unwrap_or_default().into_iter();
                let drifts = drifts.map(|drift| ResourceDrift {
                    logical_id: drift.logical_resource_id.unwrap_or_default(),
                    physical_id: drift.physical_resource_id,
                    resource_type: drift.resource_type.unwrap_or_default(),
                    status: drift_status(drift.stack_resource_drift_status.as_ref()),
                    reason: drift.drift_status_reason,
                    differences: differences(drift.property_differences),
                    expected: json(drift.expected_properties),
                    actual: json(drift.actual_properties),
                });
                Ok((drifts.collect(), page.next_token))
            },
        )
        .await
    }
}

fn stack(found: sdk::Stack) -> Stack {
    Stack {
        name: found.stack_name.unwrap_or_default(),
        id: found.stack_id.unwrap_or_default(),
        status: found
            .stack_status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        reason: found
            .stack_status_reason
            .filter(|reason| !reason.is_empty()),
        description: found.description.unwrap_or_default(),
        parameters: from_parameters(found.parameters),
        tags: from_tags(found.tags),
        capabilities: from_capabilities(found.capabilities),
        outputs: found
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect(),
    }
}

fn change_set(status: Option<&sdk::ChangeSetStatus>, reason: Option<String>) -> ChangeSet {
    // Only the wording distinguishes an empty change set from a failed one.
    let empty = reason.as_deref().is_some_and(|reason| {
        reason.contains("didn't contain changes") || reason.contains("No updates are to be")
    });
    let status = match status {
        Some(sdk::ChangeSetStatus::CreateComplete) => ChangeSetStatus::Ready,
        Some(sdk::ChangeSetStatus::Failed) if empty => ChangeSetStatus::Empty,
        Some(sdk::ChangeSetStatus::CreatePending | sdk::ChangeSetStatus::CreateInProgress) => {
            ChangeSetStatus::Pending
        }
        _ => ChangeSetStatus::Failed,
    };
    ChangeSet { status, reason }
}

fn json(text: Option<String>) -> Option<serde_json::Value> {
    text.and_then(|text| serde_json::from_str(&text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_change_set_is_not_a_failure() {
        let empty = change_set(
            Some(&sdk::ChangeSetStatus::Failed),
            Some("The submitted information didn't contain changes. Submit different information to create a change set.".into()),
        );
        assert_eq!(empty.status, ChangeSetStatus::Empty);
        let failed = change_set(
            Some(&sdk::ChangeSetStatus::Failed),
            Some("Template error".into()),
        );
        assert_eq!(failed.status, ChangeSetStatus::Failed);
    }
}
