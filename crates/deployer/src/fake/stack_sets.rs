//! The fake's stack sets. Their operations take a minute.

use super::*;

impl StackSets for Fake {
    async fn list_stack_sets(&self) -> Result<Vec<StackSetSummary>, CloudError> {
        let names: Vec<String> = self.state().sets.keys().cloned().collect();
        Ok(names
            .into_iter()
            .map(|name| StackSetSummary {
                id: name.clone(),
                name,
            })
            .collect())
    }

    async fn describe_stack_set(&self, name: &str) -> Result<Option<StackSetDetails>, CloudError> {
        Ok(self.state().sets.get(name).map(|set| set.details.clone()))
    }

    async fn create_stack_set(&self, new: &NewStackSet) -> Result<(), CloudError> {
        let mut state = self.state();
        state.calls.push(format!("create {}", new.name));
        if state.sets.contains_key(&new.name) {
            return Err(CloudError::AlreadyExists {
                message: new.name.clone(),
            });
        }
        let set = FakeSet {
            details: StackSetDetails {
                name: new.name.clone(),
                id: new.name.clone(),
                arn: String::new(),
                description: new.description.clone(),
                template: new.template.clone(),
                parameters: new.parameters.clone(),
                tags: new.tags.clone(),
                capabilities: new.capabilities.clone(),
                auto_deployment: Some(new.auto_deployment.clone()),
                managed_execution: Some(true),
                organizational_units: Vec::new(),
            },
            instances: BTreeMap::new(),
            operations: Vec::new(),
        };
        state.sets.insert(new.name.clone(), set);
        Ok(())
    }

    async fn update_stack_set(&self, update: &StackSetUpdate) -> Result<String, CloudError> {
        self.start(
            &update.name,
            &update.operation_id,
            Action::Update,
            |state, set| match &update.targets {
                None => set.instances.keys().cloned().collect(),
                Some(targets) => state.selected(targets, &update.regions),
            },
            |set| {
                if let Some(template) = &update.template {
                    set.details.template.clone_from(template);
                }
                if update.template.is_some() || !update.parameters.is_empty() {
                    for instance in set.instances.values_mut() {
                        instance.status = InstanceStatus::Outdated;
                    }
                }
                set.details.parameters.clone_from(&update.parameters);
                set.details.tags.clone_from(&update.tags);
                set.details.description.clone_from(&update.description);
                if update.auto_deployment.is_some() {
                    set.details
                        .auto_deployment
                        .clone_from(&update.auto_deployment);
                }
            },
        )
    }

    async fn delete_stack_set(&self, name: &str) -> Result<(), CloudError> {
        let mut state = self.state();
        state.calls.push(format!("delete {name}"));
        if state
            .sets
            .get(name)
            .is_some_and(|set| !set.instances.is_empty())
        {
            return Err(CloudError::Invalid {
                message: "not empty".into(),
            });
        }
        state
            .sets
            .remove(name)
            .map(|_| ())
            .ok_or_else(|| missing(name))
    }

    async fn create_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        self.start(
            &request.stack_set,
            &request.operation_id,
            Action::Create,
            |state, _| state.selected(&request.targets, &request.regions),
            |set| {
                let units = &mut set.details.organizational_units;
                units.extend(request.targets.organizational_units.clone());
                units.sort();
                units.dedup();
            },
        )
    }

    async fn update_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        self.start(
            &request.stack_set,
            &request.operation_id,
            Action::Update,
            |state, _| state.selected(&request.targets, &request.regions),
            |_| {},
        )
    }

    async fn delete_instances(&self, request: &InstanceRequest) -> Result<String, CloudError> {
        self.start(
            &request.stack_set,
            &request.operation_id,
            Action::Delete,
            |state, set| {
                let targets = &request.targets;
                let mut locations = state.selected(targets, &request.regions);
                locations.retain(|location| set.instances.contains_key(location));
                if targets.accounts == AccountSelection::All {
                    // CloudFormation still records accounts under the unit they left.
                    let recorded = set.instances.iter().filter(|(location, instance)| {
                        let unit = instance.organizational_unit.as_ref();
                        unit.is_some_and(|unit| targets.organizational_units.contains(unit))
                            && request.regions.contains(&location.region)
                    });
                    locations.extend(recorded.map(|(location, _)| location.clone()));
                    locations.sort();
                    locations.dedup();
                }
                locations
            },
            |_| {},
        )
    }

    async fn list_instances(&self, stack_set: &str) -> Result<Vec<Instance>, CloudError> {
        let state = self.state();
        let set = state
            .sets
            .get(stack_set)
            .ok_or_else(|| missing(stack_set))?;
        let unseen = set.operations.iter().find(|o| state.is_unseen(o));
        let instances = unseen.map_or(&set.instances, |o| &o.before);
        Ok(instances.values().cloned().collect())
    }

    async fn describe_operation(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> Result<Option<Operation>, CloudError> {
        let state = self.state();
        let set = state
            .sets
            .get(stack_set)
            .ok_or_else(|| missing(stack_set))?;
        Ok(set
            .operations
            .iter()
            .find(|o| o.id == operation)
            .map(|o| Operation {
                id: o.id.clone(),
                action: Some(o.action),
                status: o.status.clone(),
                ended: o.ended(),
                reason: None,
                failed_instances: Some(
                    u32::try_from(
                        o.results
                            .iter()
                            .filter(|r| r.status == ResultStatus::Failed)
                            .count(),
                    )
                    .unwrap(),
                ),
                drift: (o.action == Action::DetectDrift).then(|| DriftCounts {
                    total: u32::try_from(o.locations.len()).unwrap(),
                    drifted: u32::try_from(
                        o.locations
                            .iter()
                            .filter(|p| {
                                let key = (stack_set.to_owned(), (*p).clone());
                                state.drifts.contains_key(&key)
                            })
                            .count(),
                    )
                    .unwrap(),
                    checked: Some("2026-11-23T06:00:00Z".into()),
                    ..DriftCounts::default()
                }),
            }))
    }

    async fn list_operations(&self, stack_set: &str) -> Result<Vec<OperationSummary>, CloudError> {
        let state = self.state();
        let set = state
            .sets
            .get(stack_set)
            .ok_or_else(|| missing(stack_set))?;
        let newest_first = set.operations.iter().rev();
        Ok(newest_first
            .filter(|o| !state.is_unseen(o))
            .map(|o| OperationSummary {
                id: o.id.clone(),
                action: Some(o.action),
                status: o.status.clone(),
                ended: o.ended(),
            })
            .collect())
    }

    async fn list_operation_results(
        &self,
        stack_set: &str,
        operation: &str,
    ) -> Result<Vec<OperationResult>, CloudError> {
        let state = self.state();
        let set = state
            .sets
            .get(stack_set)
            .ok_or_else(|| missing(stack_set))?;
        let found = set.operations.iter().find(|o| o.id == operation);
        Ok(found.map(|o| o.results.clone()).unwrap_or_default())
    }

    async fn stop_operation(&self, _: &str, _: &str) -> Result<(), CloudError> {
        Ok(())
    }

    async fn detect_stack_set_drift(
        &self,
        stack_set: &str,
        _: Preferences,
        operation_id: &str,
    ) -> Result<String, CloudError> {
        self.start(
            stack_set,
            operation_id,
            Action::DetectDrift,
            |_, set| set.instances.keys().cloned().collect(),
            |_| {},
        )
    }

    async fn list_instances_by_drift(
        &self,
        stack_set: &str,
        status: DriftStatus,
    ) -> Result<Vec<Location>, CloudError> {
        let instances = self.list_instances(stack_set).await?.into_iter();
        Ok(instances
            .filter(|it| it.drift_status.as_deref() == Some(status.name()))
            .map(|it| Location::new(it.account, it.region))
            .collect())
    }

    async fn list_instance_resource_drifts(
        &self,
        stack_set: &str,
        _: &str,
        account: &str,
        region: &str,
    ) -> Result<Vec<ResourceDrift>, CloudError> {
        let key = (stack_set.to_owned(), Location::new(account, region));
        Ok(self.state().drifts.get(&key).cloned().unwrap_or_default())
    }
}
