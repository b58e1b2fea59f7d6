//! An in-memory cloud for tests. Operations are asynchronous, and only `pause` advances the clock.

mod bundle;
mod events;
mod stack_sets;
mod stacks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use serde_json::Value;

pub(crate) use bundle::{bundle, rules_template};

use crate::ports::*;

pub(crate) const MANAGEMENT: &str = "111122223333";
pub(crate) const ARCHIVE: &str = "222233334444";
pub(crate) const HUB: &str = "333344445555";
pub(crate) const HOME: &str = "eu-central-1";
/// Duration of every operation.
const OPERATION: Duration = Duration::from_mins(1);

#[derive(Debug, Clone)]
pub(crate) struct FakeOperation {
    pub(crate) id: String,
    pub(crate) action: Action,
    pub(crate) status: OperationStatus,
    ends: Duration,
    locations: Vec<Location>,
    results: Vec<OperationResult>,
    /// The instances when the operation started.
    before: BTreeMap<Location, Instance>,
}

impl FakeOperation {
    fn ended(&self) -> Option<SystemTime> {
        (!self.status.is_pending()).then(|| SystemTime::UNIX_EPOCH + self.ends)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct FakeSet {
    pub(crate) details: StackSetDetails,
    pub(crate) instances: BTreeMap<Location, Instance>,
    pub(crate) operations: Vec<FakeOperation>,
}

/// Template and parameters after a direct update that bypassed the stack set.
pub(crate) type DirectUpdate = (String, BTreeMap<String, String>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    pub(crate) organization: String,
    pub(crate) trusted: bool,
    pub(crate) enabled_regions: Option<Vec<String>>,
    /// Regions that each account must enable.
    pub(crate) opt_in_regions: Vec<String>,
    /// Enabled Regions by member account; an account that isn't listed doesn't answer.
    pub(crate) member_regions: BTreeMap<String, Vec<String>>,
    pub(crate) caller: String,
    pub(crate) administrators: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) denied: BTreeSet<String>,
    pub(crate) trails: Vec<TrailSummary>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) sets: BTreeMap<String, FakeSet>,
    pub(crate) stacks: BTreeMap<(Location, String), (Stack, String)>,
    change_sets: BTreeMap<(Location, String, String), ChangeSetRequest>,
    /// Locations where operations on the named stack set or stack fail.
    pub(crate) failing: BTreeSet<(String, Location)>,
    /// Mutating calls in order, such as `create gizmos-bucket`.
    pub(crate) calls: Vec<String>,
    /// How many of the next attempts to start an operation are refused because another one runs.
    pub(crate) busy: u32,
    /// Loses the response to the next operation start after it took effect.
    pub(crate) lose_answer: bool,
    /// Operation ids that are taken although no such operation can be described.
    pub(crate) taken_ids: BTreeSet<String>,
    /// Operations get ids of the fake's own, whatever the request says.
    pub(crate) ids_of_its_own: bool,
    /// Operations on existing instances are stopped by hand before they change anything.
    pub(crate) stopping: bool,
    /// How long after an operation's end the lists still show the state before its start.
    pub(crate) lag: Duration,
    pub(crate) subscriptions: BTreeMap<String, Vec<Subscription>>,
    pub(crate) trail: Option<TrailStatus>,
    /// Where it doesn't log.
    pub(crate) trail_off: BTreeSet<Location>,
    pub(crate) queue: Option<u64>,
    pub(crate) policy: Option<Value>,
    pub(crate) drifts: BTreeMap<(String, Location), Vec<ResourceDrift>>,
    /// Direct changes to stacks of stack instances; `None` means deleted.
    pub(crate) direct: BTreeMap<(String, Location), Option<DirectUpdate>>,
    /// Messages in the spokes' dead-letter queues.
    pub(crate) spoke_queues: BTreeMap<Location, u64>,
    /// Accounts whose forwarder roles were deleted.
    pub(crate) gone_roles: BTreeSet<String>,
    /// Disabled rules by location and name.
    pub(crate) disabled_rules: BTreeSet<(Location, String)>,
    /// Targets of rules by name.
    pub(crate) targets: BTreeMap<String, Vec<Value>>,
    /// Quota of stacks in each location.
    pub(crate) stack_quota: Option<usize>,
    /// Objects in the artifact bucket that Gizmos didn't upload.
    pub(crate) strange_objects: usize,
    /// Accounts without the access role.
    pub(crate) closed: BTreeSet<String>,
    /// Rules on default buses and, for the hub, on its own bus.
    pub(crate) rules: BTreeMap<Location, Vec<EventRule>>,
    /// Events from here arrive as if they came from another account.
    pub(crate) misplaced: BTreeSet<Location>,
    /// Messages in the canaries' queue.
    pub(crate) messages: Vec<QueueMessage>,
}

#[derive(Debug)]
pub(crate) struct Fake(Mutex<State>);

impl Fake {
    /// An organization with a security account, a log archive and four workload accounts.
    pub(crate) fn new() -> Fake {
        let account = |id: &str, unit: &str| Account {
            id: id.into(),
            name: format!("account {id}"),
            state: AccountState::Active,
            path: if unit.is_empty() {
                vec!["r-exmp".into()]
            } else {
                vec!["r-exmp".into(), format!("ou-exmp-{unit}")]
            },
        };
        Fake(Mutex::new(State {
            organization: "o-exampleorg1".into(),
            trusted: true,
            caller: MANAGEMENT.into(),
            services: vec!["cloudtrail.amazonaws.com".into()],
            accounts: vec![
                account(MANAGEMENT, ""),
                account(ARCHIVE, "security"),
                account(HUB, "security"),
                account("012345678901", "production"),
                account("100000000002", "production"),
                account("100000000006", "development"),
                account("100000000007", "development"),
            ],
            ..State::default()
        }))
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The mutating calls since the previous `take_calls`.
    pub(crate) fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    fn start(
        &self,
        name: &str,
        id: &str,
        action: Action,
        locations: impl FnOnce(&State, &FakeSet) -> Vec<Location>,
        apply: impl FnOnce(&mut FakeSet),
    ) -> Result<String, CloudError> {
        let mut state = self.state();
        state.settle();
        if state.busy > 0 {
            state.busy -= 1;
            return Err(CloudError::OperationInProgress {
                message: "busy".into(),
            });
        }
        let now = state.now;
        let set = state.sets.get(name).ok_or_else(|| missing(name))?;
        if state.taken_ids.contains(id) || set.operations.iter().any(|o| o.id == id) {
            return Err(CloudError::OperationIdAlreadyExists { message: id.into() });
        }
        if set.operations.iter().any(|o| o.status.is_pending()) {
            return Err(CloudError::OperationInProgress {
                message: "busy".into(),
            });
        }
        let locations = locations(&state, set);
        let word = format!("{action:?}").to_lowercase();
        let accounts: BTreeSet<&str> = locations.iter().map(|p| p.account.as_str()).collect();
        let call = format!(
            "{word} {} of {name} in {} accounts",
            locations.len(),
            accounts.len()
        );
        let own = format!("own-{}", set.operations.len());
        let lost = std::mem::take(&mut state.lose_answer);
        let id = if state.ids_of_its_own { &own } else { id };
        state.calls.push(call);
        let set = state.sets.get_mut(name).unwrap();
        let before = set.instances.clone();
        apply(set);
        set.operations.push(FakeOperation {
            before,
            id: id.into(),
            action,
            status: OperationStatus::Running,
            ends: now + OPERATION,
            locations,
            results: Vec::new(),
        });
        if lost {
            return Err(CloudError::Unavailable { message: id.into() });
        }
        Ok(id.into())
    }
}

impl Fake {
    fn stack_of_instance(
        &self,
        location: &Location,
        set: &str,
    ) -> Result<Option<Stack>, CloudError> {
        let state = self.state();
        if state.closed.contains(&location.account) {
            return Err(CloudError::AccessDenied {
                action: "sts:AssumeRole".into(),
                message: "no such role".into(),
            });
        }
        let details = &state.sets[set].details;
        let direct = state.direct.get(&(set.to_owned(), location.clone()));
        let parameters = match direct {
            Some(None) => return Ok(None),
            Some(Some((_, parameters))) => parameters.clone(),
            None => details.parameters.clone(),
        };
        Ok(Some(Stack {
            name: format!("StackSet-{set}"),
            id: format!("arn:stack/{set}"),
            status: "CREATE_COMPLETE".into(),
            reason: None,
            description: details.description.clone(),
            parameters,
            tags: details.tags.clone(),
            capabilities: details.capabilities.clone(),
            outputs: outputs(&details.template),
        }))
    }
}

/// Values for a template's outputs.
fn outputs(template: &str) -> BTreeMap<String, String> {
    let template: Value = serde_json::from_str(template).unwrap();
    let declared = template.get("Outputs").and_then(Value::as_object);
    let names = declared.into_iter().flatten().map(|(name, _)| name.clone());
    names
        .map(|name| {
            let value = match name.as_str() {
                "DeadLettersUrl" => "https://sqs/spoke-dead-letters",
                _ => "forwarder",
            };
            (name, value.to_owned())
        })
        .collect()
}

fn missing(name: &str) -> CloudError {
    CloudError::NotFound {
        message: name.into(),
    }
}

impl State {
    fn selected(&self, targets: &DeploymentTargets, regions: &[String]) -> Vec<Location> {
        self.accounts
            .iter()
            .filter(|a| a.id != MANAGEMENT)
            .filter(|a| targets.organizational_units.iter().any(|u| a.is_under(u)))
            .filter(|a| match &targets.accounts {
                AccountSelection::All => true,
                AccountSelection::Intersection(only) => only.contains(&a.id),
                AccountSelection::Difference(not) => !not.contains(&a.id),
            })
            .flat_map(|a| regions.iter().map(|r| Location::new(&a.id, r)))
            .collect()
    }

    /// The rules of the location's stacks, as compiled, with their buses.
    fn rules_at(&self, location: &Location) -> Vec<(String, EventRule)> {
        let of_sets = self
            .sets
            .values()
            .filter(|set| set.instances.contains_key(location))
            .map(|set| {
                let name = format!("StackSet-{}", set.details.name);
                (name, set.details.template.as_str())
            });
        let of_stacks = self
            .stacks
            .iter()
            .filter(|((at, _), _)| at == location)
            .map(|((_, name), (_, template))| (name.clone(), template.as_str()));
        let mut found = Vec::new();
        for (stack, template) in of_sets.chain(of_stacks) {
            let template: Value = serde_json::from_str(template).unwrap();
            let resources = template.get("Resources").and_then(Value::as_object);
            for (id, resource) in resources.into_iter().flatten() {
                if resource["Type"] != "AWS::Events::Rule" {
                    continue;
                }
                let property = |name: &str| resource.get("Properties")?.get(name);
                let bus = property("EventBusName").and_then(Value::as_str);
                let rule = EventRule {
                    name: format!("{stack}-{id}-ABCDEFGHIJKL"),
                    state: "ENABLED".into(),
                    pattern: property("EventPattern").cloned().map(Arc::new),
                };
                found.push((bus.unwrap_or("default").to_owned(), rule));
            }
        }
        found
    }

    /// Whether the lists don't show an operation or its effects yet.
    fn is_unseen(&self, operation: &FakeOperation) -> bool {
        !self.lag.is_zero() && operation.ends + self.lag > self.now
    }

    /// Makes an instance inoperable but keeps its stack.
    pub(crate) fn break_instance(&mut self, name: &str, location: &Location) {
        let set = self.sets.get_mut(name).unwrap();
        set.instances.get_mut(location).unwrap().status = InstanceStatus::Inoperable;
    }

    /// Applies everything that is due at the present time.
    fn settle(&mut self) {
        let now = self.now;
        for (name, set) in &mut self.sets {
            for operation in &mut set.operations {
                if !operation.status.is_pending() || operation.ends > now {
                    continue;
                }
                if self.stopping && operation.action == Action::Update {
                    operation.status = OperationStatus::Stopped;
                    continue;
                }
                let mut failed = false;
                for location in &operation.locations {
                    let fails = operation.action != Action::DetectDrift
                        && self.failing.contains(&(name.clone(), location.clone()));
                    failed |= fails;
                    operation.results.push(OperationResult {
                        account: location.account.clone(),
                        region: location.region.clone(),
                        status: if fails {
                            ResultStatus::Failed
                        } else {
                            ResultStatus::Succeeded
                        },
                        reason: fails.then(|| "ResourceLogicalId:Rule failed".to_owned()),
                    });
                    match operation.action {
                        Action::Delete if !fails => {
                            set.instances.remove(location);
                        }
                        Action::DetectDrift => {
                            if let Some(instance) = set.instances.get_mut(location) {
                                let drifted =
                                    self.drifts.contains_key(&(name.clone(), location.clone()));
                                instance.drift_status =
                                    Some(if drifted { "DRIFTED" } else { "IN_SYNC" }.into());
                            }
                        }
                        _ => {
                            if operation.action == Action::Create {
                                self.direct.remove(&(name.clone(), location.clone()));
                            }
                            set.instances.insert(
                                location.clone(),
                                Instance {
                                    account: location.account.clone(),
                                    region: location.region.clone(),
                                    organizational_unit: None,
                                    stack_id: Some(format!("arn:stack/{name}")),
                                    status: if fails {
                                        InstanceStatus::Outdated
                                    } else {
                                        InstanceStatus::Current
                                    },
                                    detailed_status: None,
                                    reason: None,
                                    drift_status: None,
                                    last_operation: Some(operation.id.clone()),
                                },
                            );
                        }
                    }
                }
                operation.status = if failed {
                    OperationStatus::Failed
                } else {
                    OperationStatus::Succeeded
                };
            }
        }
        for ((location, name), (stack, _)) in &mut self.stacks {
            if !stack.is_in_progress() {
                continue;
            }
            let fails = self.failing.contains(&(name.clone(), location.clone()));
            let verb = stack.status.trim_end_matches("_IN_PROGRESS").to_owned();
            stack.status = match (verb.as_str(), fails) {
                ("CREATE", true) => "ROLLBACK_COMPLETE".into(),
                (verb, true) => format!("{verb}_ROLLBACK_COMPLETE"),
                (verb, false) => format!("{verb}_COMPLETE"),
            };
        }
        self.stacks
            .retain(|_, (stack, _)| stack.status != "DELETE_COMPLETE");
    }
}

impl Pause for Fake {
    async fn pause(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
        let mut state = self.state();
        state.now += duration;
        state.settle();
    }

    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.state().now
    }
}

impl Buckets for Fake {
    async fn empty_bucket(
        &self,
        _: &Location,
        bucket: &str,
        prefix: &str,
    ) -> Result<Emptied, CloudError> {
        let mut state = self.state();
        state.calls.push(format!("empty {prefix} of {bucket}"));
        Ok(Emptied {
            deleted: 1,
            left: state.strange_objects,
        })
    }
}

impl Organizations for Fake {
    async fn caller_identity(&self) -> Result<Identity, CloudError> {
        Ok(Identity {
            account: self.state().caller.clone(),
            arn: "arn:aws:sts::111122223333:assumed-role/gizmos-deploy/run".into(),
        })
    }

    async fn describe_organization(&self) -> Result<OrganizationDetails, CloudError> {
        Ok(OrganizationDetails {
            id: self.state().organization.clone(),
            management_account: MANAGEMENT.into(),
            all_features: Some(true),
        })
    }

    async fn list_accounts(&self) -> Result<Vec<Account>, CloudError> {
        Ok(self.state().accounts.clone())
    }

    async fn delegated_administrators(&self, _: &str) -> Result<Vec<String>, CloudError> {
        Ok(self.state().administrators.clone())
    }

    async fn trusted_services(&self) -> Result<Vec<String>, CloudError> {
        Ok(self.state().services.clone())
    }

    async fn simulate_permissions(
        &self,
        _: &str,
        actions: &[&str],
        _: &[String],
        _: Option<(&str, &str)>,
    ) -> Result<Vec<(String, Permission)>, CloudError> {
        let state = self.state();
        let of = |action: &str| {
            if state.denied.contains(action) {
                Permission::Denied
            } else {
                Permission::Allowed
            }
        };
        Ok(actions
            .iter()
            .map(|&action| (action.to_owned(), of(action)))
            .collect())
    }

    async fn enabled_regions(&self) -> Result<Option<Vec<String>>, CloudError> {
        Ok(self.state().enabled_regions.clone())
    }

    async fn opt_in_regions(&self) -> Result<Option<Vec<String>>, CloudError> {
        Ok(Some(self.state().opt_in_regions.clone()))
    }

    async fn member_regions(&self, account: &str) -> Result<Option<Vec<String>>, CloudError> {
        Ok(self.state().member_regions.get(account).cloned())
    }

    async fn trusted_access(&self) -> Result<TrustedAccess, CloudError> {
        Ok(if self.state().trusted {
            TrustedAccess::Enabled
        } else {
            TrustedAccess::Disabled
        })
    }
}

impl Health for Fake {
    async fn topic_settings(
        &self,
        _: &Location,
        topic: &str,
    ) -> Result<Option<TopicSettings>, CloudError> {
        let is_known = self.state().subscriptions.contains_key(topic);
        Ok(is_known.then_some(TopicSettings {
            policy: Value::Null,
            key: None,
            delivery_policy: None,
        }))
    }

    async fn data_protection(&self, _: &Location, _: &str) -> Result<Option<Value>, CloudError> {
        Ok(None)
    }

    async fn key_state(&self, _: &Location, _: &str) -> Result<Option<KeyState>, CloudError> {
        Ok(None)
    }

    async fn alarm(&self, _: &Location, _: &str) -> Result<Option<Value>, CloudError> {
        Ok(None)
    }

    async fn key_policy(&self, _: &Location, _: &str) -> Result<Option<Value>, CloudError> {
        Ok(None)
    }

    async fn subscription_settings(
        &self,
        _: &Location,
        subscription: &str,
    ) -> Result<SubscriptionSettings, CloudError> {
        Ok(SubscriptionSettings {
            filter_policy: None,
            raw: subscription.contains(":gizmos-canary"),
            dead_letters: None,
            delivery_policy: None,
        })
    }

    async fn subscriptions(
        &self,
        _: &Location,
        topic: &str,
    ) -> Result<Option<Vec<Subscription>>, CloudError> {
        Ok(self.state().subscriptions.get(topic).cloned())
    }

    async fn trail_status(&self, _: &Location, _: &str) -> Result<Option<TrailStatus>, CloudError> {
        Ok(self.state().trail.clone())
    }

    async fn trail_logs(&self, location: &Location, _: &str) -> Result<Option<bool>, CloudError> {
        let state = self.state();
        let trail = state.trail.as_ref();
        Ok(trail.map(|trail| trail.logging && !state.trail_off.contains(location)))
    }

    async fn trails(&self, _: &Location) -> Result<Vec<TrailSummary>, CloudError> {
        Ok(self.state().trails.clone())
    }

    async fn queue(
        &self,
        location: &Location,
        queue: &str,
    ) -> Result<Option<QueueState>, CloudError> {
        let state = self.state();
        let messages = if queue.starts_with("http") {
            Some(state.spoke_queues.get(location).copied().unwrap_or(0))
        } else {
            state.queue
        };
        Ok(messages.map(|messages| QueueState {
            messages,
            ..QueueState::default()
        }))
    }

    async fn event_rules(
        &self,
        location: &Location,
        bus: &str,
        prefix: &str,
    ) -> Result<Option<Vec<EventRule>>, CloudError> {
        let state = self.state();
        if let Some(rules) = state.rules.get(location) {
            return Ok(Some(rules.clone()));
        }
        let rules = state.rules_at(location).into_iter();
        let mut rules: Vec<EventRule> = rules
            .filter(|(on, rule)| on == bus && rule.name.starts_with(prefix))
            .map(|(_, rule)| rule)
            .collect();
        for rule in &mut rules {
            if state
                .disabled_rules
                .contains(&(location.clone(), rule.name.clone()))
            {
                rule.state = "DISABLED".into();
            }
        }
        Ok(Some(rules))
    }

    async fn rule_targets(
        &self,
        _: &Location,
        _: &str,
        rule: &str,
    ) -> Result<Option<Vec<Value>>, CloudError> {
        Ok(self.state().targets.get(rule).cloned())
    }

    async fn bus(&self, _: &Location, _: &str) -> Result<Option<BusSettings>, CloudError> {
        let policy = self.state().policy.clone();
        Ok(policy.map(|policy| BusSettings {
            policy,
            dead_letters: None,
            key: None,
        }))
    }

    async fn roles(&self, location: &Location, _: &str) -> Result<Vec<RoleDetails>, CloudError> {
        let state = self.state();
        let gone = state.gone_roles.contains(&location.account);
        Ok(if gone {
            Vec::new()
        } else {
            vec![RoleDetails {
                name: "forwarder".into(),
                path: "/gizmos/".into(),
                inline: BTreeMap::new(),
                attached: Vec::new(),
                trust: Value::Null,
                boundary: None,
            }]
        })
    }
}
