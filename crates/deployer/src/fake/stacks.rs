//! Stacks, changed by change sets.

use super::*;

impl Stacks for Fake {
    async fn stack_quota(&self, _: &Place) -> Result<Option<usize>, CloudError> {
        Ok(self.state().stack_quota)
    }

    async fn list_stacks(&self, place: &Place) -> Result<Vec<Stack>, CloudError> {
        let state = self.state();
        let here = state.stacks.iter().filter(|((at, _), _)| at == place);
        Ok(here.map(|(_, (stack, _))| stack.clone()).collect())
    }

    async fn describe_stack(
        &self,
        place: &Place,
        stack: &str,
    ) -> Result<Option<Stack>, CloudError> {
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            return self.stack_of_instance(place, set);
        }
        let key = (place.clone(), stack.to_owned());
        Ok(self
            .state()
            .stacks
            .get(&key)
            .map(|(stack, _)| stack.clone()))
    }

    async fn stack_template(&self, place: &Place, stack: &str) -> Result<String, CloudError> {
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            let state = self.state();
            let key = (set.to_owned(), place.clone());
            return Ok(match state.direct.get(&key) {
                Some(Some((template, _))) => template.clone(),
                _ => state.sets[set].details.template.clone(),
            });
        }
        let key = (place.clone(), stack.to_owned());
        let state = self.state();
        state
            .stacks
            .get(&key)
            .map(|(_, t)| t.clone())
            .ok_or_else(|| missing(stack))
    }

    async fn create_change_set(
        &self,
        place: &Place,
        request: &ChangeSetRequest,
    ) -> Result<(), CloudError> {
        let key = (place.clone(), request.stack.clone(), request.name.clone());
        let mut state = self.state();
        state
            .calls
            .push(format!("change {} in {}", request.stack, place.region));
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
        place: &Place,
        stack: &str,
        name: &str,
    ) -> Result<Option<ChangeSet>, CloudError> {
        let key = (place.clone(), stack.to_owned(), name.to_owned());
        let found = self.state().change_sets.contains_key(&key);
        Ok(found.then_some(ChangeSet {
            status: ChangeSetStatus::Ready,
            reason: None,
        }))
    }

    async fn execute_change_set(
        &self,
        place: &Place,
        stack: &str,
        name: &str,
    ) -> Result<(), CloudError> {
        let mut state = self.state();
        let key = (place.clone(), stack.to_owned(), name.to_owned());
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
            .insert((place.clone(), stack.into()), (made, request.template));
        Ok(())
    }

    async fn delete_change_set(&self, _: &Place, _: &str, _: &str) -> Result<(), CloudError> {
        Ok(())
    }

    async fn delete_stack(&self, place: &Place, stack: &str) -> Result<(), CloudError> {
        let mut state = self.state();
        state
            .calls
            .push(format!("delete stack {stack} in {}", place.region));
        if let Some(set) = stack.strip_prefix("arn:stack/") {
            state.direct.insert((set.to_owned(), place.clone()), None);
            return Ok(());
        }
        if let Some((found, _)) = state.stacks.get_mut(&(place.clone(), stack.to_owned())) {
            found.status = "DELETE_IN_PROGRESS".into();
        }
        Ok(())
    }

    async fn failure_events(&self, _: &Place, _: &str) -> Result<Vec<FailureEvent>, CloudError> {
        Ok(vec![FailureEvent {
            logical_id: "Rule".into(),
            resource_type: "AWS::Events::Rule".into(),
            status: "CREATE_FAILED".into(),
            reason: "quota of rules exceeded".into(),
        }])
    }

    async fn detect_stack_drift(&self, _: &Place, stack: &str) -> Result<String, CloudError> {
        Ok(stack.into())
    }

    async fn describe_drift_detection(
        &self,
        place: &Place,
        detection: &str,
    ) -> Result<DriftDetection, CloudError> {
        let key = (detection.to_owned(), place.clone());
        Ok(DriftDetection::Complete {
            drifted: self.state().drifts.contains_key(&key),
        })
    }

    async fn list_resource_drifts(
        &self,
        place: &Place,
        stack: &str,
    ) -> Result<Vec<ResourceDrift>, CloudError> {
        let key = (stack.to_owned(), place.clone());
        Ok(self.state().drifts.get(&key).cloned().unwrap_or_default())
    }
}
