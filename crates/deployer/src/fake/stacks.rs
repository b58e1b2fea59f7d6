//! The fake's ordinary stacks, which are changed through change sets.

use super::*;

impl Stacks for Fake {
    async fn stack_quota(&self, _: &Location) -> Result<Option<usize>, CloudError> {
        Ok(self.state().stack_quota)
    }

    async fn list_stacks(&self, location: &Location) -> Result<Vec<Stack>, CloudError> {
        let state = self.state();
        let here = state.stacks.iter().filter(|((at, _), _)| at == location);
        Ok(here.map(|(_, (stack, _))| stack.clone()).collect())
    }

    async fn describe_stack(
        &self,
        location: &Location,
        stack: &str,
    ) -> Result<Option<Stack>, CloudError> {
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            return self.stack_of_instance(location, set);
        }
        let key = (location.clone(), stack.to_owned());
        Ok(self
            .state()
            .stacks
            .get(&key)
            .map(|(stack, _)| stack.clone()))
    }

    async fn stack_template(&self, location: &Location, stack: &str) -> Result<String, CloudError> {
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            let state = self.state();
            let key = (set.to_owned(), location.clone());
            return Ok(match state.direct.get(&key) {
                Some(Some((template, _))) => template.clone(),
                _ => state.sets[set].details.template.clone(),
            });
        }
        let key = (location.clone(), stack.to_owned());
        let state = self.state();
        state
            .stacks
            .get(&key)
            .map(|(_, t)| t.clone())
            .ok_or_else(|| missing(stack))
    }

    async fn create_change_set(
        &self,
        location: &Location,
        request: &ChangeSetRequest,
    ) -> Result<(), CloudError> {
        let key = (
            location.clone(),
            request.stack.clone(),
            request.name.clone(),
        );
        let mut state = self.state();
        state
            .calls
            .push(format!("change {} in {}", request.stack, location.region));
        if state.change_sets.contains_key(&key) {
            return Err(CloudError::AlreadyExists {
                message: request.name.clone(),
            });
        }
        state.change_sets.insert(key, request.clone());
        Ok(())
    }

    async fn describe_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> Result<Option<ChangeSet>, CloudError> {
        let key = (location.clone(), stack.to_owned(), name.to_owned());
        let found = self.state().change_sets.contains_key(&key);
        Ok(found.then_some(ChangeSet {
            status: ChangeSetStatus::Ready,
            reason: None,
        }))
    }

    async fn execute_change_set(
        &self,
        location: &Location,
        stack: &str,
        name: &str,
    ) -> Result<(), CloudError> {
        let mut state = self.state();
        let key = (location.clone(), stack.to_owned(), name.to_owned());
        let request = state
            .change_sets
            .remove(&key)
            .ok_or_else(|| missing(name))?;
        let verb = match request.kind {
            ChangeSetKind::Create => "CREATE",
            ChangeSetKind::Update => "UPDATE",
        };
        let made = Stack {
            name: stack.into(),
            id: format!("arn:stack/{stack}"),
            status: format!("{verb}_IN_PROGRESS"),
            reason: None,
            description: request.description,
            parameters: request.parameters,
            tags: request.tags,
            capabilities: request.capabilities,
            outputs: outputs(&request.template),
        };
        state
            .stacks
            .insert((location.clone(), stack.into()), (made, request.template));
        Ok(())
    }

    async fn delete_change_set(&self, _: &Location, _: &str, _: &str) -> Result<(), CloudError> {
        Ok(())
    }

    async fn delete_stack(&self, location: &Location, stack: &str) -> Result<(), CloudError> {
        let mut state = self.state();
        state
            .calls
            .push(format!("delete stack {stack} in {}", location.region));
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            state
                .direct
                .insert((set.to_owned(), location.clone()), None);
            return Ok(());
        }
        if let Some((found, _)) = state.stacks.get_mut(&(location.clone(), stack.to_owned())) {
            found.status = "DELETE_IN_PROGRESS".into();
        }
        Ok(())
    }

    async fn failure_events(&self, _: &Location, _: &str) -> Result<Vec<FailureEvent>, CloudError> {
        Ok(vec![FailureEvent {
            logical_id: "Rule".into(),
            resource_type: "AWS::Events::Rule".into(),
            status: "CREATE_FAILED".into(),
            reason: "quota of rules exceeded".into(),
        }])
    }

    async fn detect_stack_drift(&self, _: &Location, stack: &str) -> Result<String, CloudError> {
        Ok(stack.into())
    }

    async fn describe_drift_detection(
        &self,
        location: &Location,
        detection: &str,
    ) -> Result<DriftDetection, CloudError> {
        let key = (detection.to_owned(), location.clone());
        let drift = if self.state().drifts.contains_key(&key) {
            DriftStatus::Drifted
        } else {
            DriftStatus::InSync
        };
        Ok(DriftDetection::Complete { drift })
    }

    async fn list_resource_drifts(
        &self,
        location: &Location,
        stack: &str,
    ) -> Result<Vec<ResourceDrift>, CloudError> {
        let key = (stack.to_owned(), location.clone());
        Ok(self.state().drifts.get(&key).cloned().unwrap_or_default())
    }
}
