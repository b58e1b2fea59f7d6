//! The simulated world: services, CloudFormation, clock, faults, journal and call counts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::Config;
use crate::clock::{Clock, Due};
use crate::cloudformation::{CloudFormation, Later, Quotas, Stage};
use crate::services::Services;
use crate::services::environment::{Cloud, Environment, Look, Owner};
use crate::wire::api::{ApiError, Caller};

/// The simulated world. Each request has exclusive access.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) services: Services,
    pub(crate) cloudformation: CloudFormation,
    pub(crate) calls: Calls,
    pub(crate) faults: crate::faults::State,
    pub(crate) journal: crate::journal::Journal,
    requests: u64,
}

/// Call counts since the last reset.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    pub(crate) mutating: u64,
    pub(crate) reading: u64,
    /// Keyed `service:Action`.
    pub(crate) by_action: BTreeMap<String, u64>,
}

impl Calls {
    pub(crate) fn count(&mut self, service: &str, action: &str, mutating: bool) {
        if mutating {
            self.mutating += 1;
        } else {
            self.reading += 1;
        }
        *self
            .by_action
            .entry(format!("{service}:{action}"))
            .or_default() += 1;
    }
}

impl World {
    pub(crate) fn new(config: Config) -> World {
        let clock = Clock::new(config.speed);
        let mut environment = Environment::new(config.seed, config.regions.clone(), clock.now());
        environment.confirm_subscriptions = config.confirm_subscriptions;
        environment.off = config.disabled_regions.iter().cloned().collect();
        let services = Services::new(environment, config.workload_accounts);
        let mut world = World {
            config,
            clock,
            services,
            cloudformation: CloudFormation::default(),
            calls: Calls::default(),
            faults: crate::faults::State::default(),
            journal: crate::journal::Journal::default(),
            requests: 0,
        };
        let faults = world.config.faults.clone();
        crate::faults::start(&mut world, faults);
        world
    }

    /// Queues on the clock the work that CloudFormation and the services have scheduled.
    pub(crate) fn settle(&mut self) {
        let (services, mut owner) = self.split();
        owner.follow_moves(services);
        for (seconds, later) in std::mem::take(&mut self.cloudformation.later) {
            let due = match later {
                Later::CloudFormation(task) => Due::CloudFormation(task),
                Later::Services(task) => Due::Services(task),
            };
            self.clock.after(seconds, due);
        }
        for (seconds, task) in std::mem::take(&mut self.services.environment.later) {
            self.clock.after(seconds, Due::Services(task));
        }
    }

    /// Splits the services from their owner.
    fn split(&mut self) -> (&mut Services, ServicesOwner<'_>) {
        let owner = ServicesOwner {
            cloudformation: &mut self.cloudformation,
            faults: &mut self.faults,
            quotas: self.config.quotas,
        };
        (&mut self.services, owner)
    }

    /// The [`Stage`] for CloudFormation's functions.
    pub(crate) fn stage(&mut self) -> Stage<'_> {
        let (services, owner) = self.split();
        owner.into_stage(services)
    }

    /// Runs a function with the services and their owner.
    pub(crate) fn with_services<T>(&mut self, borrow: impl FnOnce(&mut Cloud<'_>) -> T) -> T {
        let (services, mut owner) = self.split();
        borrow(&mut Cloud {
            services,
            owner: &mut owner,
        })
    }

    /// Performs an API call without the wire protocol.
    pub(crate) fn call(
        &mut self,
        caller: &Caller,
        service: &str,
        action: &str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let (services, mut owner) = self.split();
        let answer =
            crate::dispatch::carry_out(services, &mut owner, caller, service, action, input);
        self.settle();
        answer
    }

    /// Catches up a self-running clock, performing the work that became due.
    pub(crate) fn tick(&mut self) {
        let target = self.clock.target();
        self.run_until(target);
    }

    /// Advances the clock, performing the work that becomes due.
    pub(crate) fn advance(&mut self, seconds: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the admin API limits the value"
        )]
        let step = SignedDuration::from_millis((seconds * 1000.0) as i64);
        let target = self
            .clock
            .now()
            .saturating_add(step)
            .unwrap_or(self.clock.now());
        self.run_until(target);
    }

    fn run_until(&mut self, target: Timestamp) {
        self.settle();
        while let Some(due) = self.clock.next(target) {
            self.services.environment.now = self.clock.now();
            match due {
                Due::CloudFormation(task) => crate::cloudformation::due(&mut self.stage(), task),
                Due::Services(task) => {
                    self.with_services(|cloud| crate::services::due(cloud, task));
                }
                Due::Fault(planned) => crate::faults::due(self, planned),
            }
            self.settle();
        }
        self.services.environment.now = self.clock.now();
    }

    /// Enables or disables a Region, in one account or all.
    pub(crate) fn set_region(
        &mut self,
        region: &str,
        account: Option<&str>,
        on: bool,
    ) -> Result<(), String> {
        if !self.config.regions.iter().any(|known| known == region) {
            return Err(format!("Region {region} does not exist"));
        }
        match (account, on) {
            (Some(account), _) if self.services.organization.account(account).is_none() => {
                return Err(format!("account {account} does not exist"));
            }
            (Some(account), true) => {
                self.services
                    .environment
                    .off_in
                    .remove(&(account.to_owned(), region.to_owned()));
            }
            (Some(account), false) => {
                self.services
                    .environment
                    .off_in
                    .insert((account.to_owned(), region.to_owned()));
            }
            (None, true) => {
                self.services.environment.off.remove(region);
                self.services
                    .environment
                    .off_in
                    .retain(|(_, off)| off != region);
            }
            (None, false) => {
                self.services.environment.off.insert(region.to_owned());
            }
        }
        Ok(())
    }

    /// The next request id. Not from the seeded sequence, so that read requests don't affect other
    /// ids.
    pub(crate) fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("00000000-0000-4000-a000-{:012x}", self.requests)
    }

    /// The number of requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// The world without its services: their [`Owner`].
#[derive(Debug)]
pub(crate) struct ServicesOwner<'a> {
    pub(crate) cloudformation: &'a mut CloudFormation,
    faults: &'a mut crate::faults::State,
    quotas: Quotas,
}

impl<'a> ServicesOwner<'a> {
    fn into_stage(self, services: &'a mut Services) -> Stage<'a> {
        Stage {
            cloudformation: self.cloudformation,
            services,
            quotas: self.quotas,
            lag: self.faults.faults.lag,
            faults: self.faults,
        }
    }

    /// The [`Stage`] for CloudFormation's functions.
    pub(crate) fn stage<'b>(&'b mut self, services: &'b mut Services) -> Stage<'b> {
        let owner = ServicesOwner {
            cloudformation: &mut *self.cloudformation,
            faults: &mut *self.faults,
            quotas: self.quotas,
        };
        owner.into_stage(services)
    }

    /// Has CloudFormation follow accounts that joined, left or moved.
    pub(crate) fn follow_moves(&mut self, services: &mut Services) {
        for moved in std::mem::take(&mut services.environment.moves) {
            let (from, to) = (moved.from.as_deref(), moved.to.as_deref());
            let stage = &mut self.stage(services);
            crate::cloudformation::account_moved(stage, &moved.account, from, to);
        }
    }
}

impl Owner for ServicesOwner<'_> {
    fn look(&mut self, services: &mut Services, account: &str, look: Look) {
        self.stage(services).look(account, look);
    }

    fn look_at_named(&mut self, services: &mut Services, value: &Value, look: Look) {
        self.stage(services).look_at_named(value, look);
    }

    fn remember_look(&mut self, _: &mut Services, account: &str) {
        self.cloudformation.remember_look(account);
    }

    fn call(
        &mut self,
        services: &mut Services,
        caller: &Caller,
        (service, action): (&str, &str),
        input: &Value,
    ) -> Result<Value, ApiError> {
        crate::dispatch::carry_out(services, self, caller, service, action, input)
    }
}
