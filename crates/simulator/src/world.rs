//! Everything that exists: the organization, the services' state, the clock, the call counters.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::Config;
use crate::clock::{Clock, Due};
use crate::cloudformation::{CloudFormation, Later, Quotas, Stage};
use crate::services::Services;
use crate::services::environment::{Cloud, Environment, Look, Owner};
use crate::wire::api::{ApiError, Caller};

/// The whole simulated world. Every request has it to itself.
#[derive(Debug)]
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

/// How often each action was called since the last reset.
#[derive(Debug, Default)]
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

    /// Does what CloudFormation and the services have left to the owner of the clock.
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

    /// The services, and what owns them.
    fn split(&mut self) -> (&mut Services, ServicesOwner<'_>) {
        let owner = ServicesOwner {
            cloudformation: &mut self.cloudformation,
            faults: &mut self.faults,
            quotas: self.config.quotas,
        };
        (&mut self.services, owner)
    }

    /// CloudFormation at work.
    pub(crate) fn stage(&mut self) -> Stage<'_> {
        let (services, owner) = self.split();
        owner.into_stage(services)
    }

    /// Lends the services to something that may reach beyond them.
    pub(crate) fn with_services<T>(&mut self, borrow: impl FnOnce(&mut Cloud<'_>) -> T) -> T {
        let (services, mut owner) = self.split();
        borrow(&mut Cloud {
            services,
            owner: &mut owner,
        })
    }

    /// Carries out an API call, without the wire.
    pub(crate) fn call(
        &mut self,
        caller: &Caller,
        service: &str,
        action: &str,
        input: &Value,
    ) -> Result<Value, ApiError> {
        let (services, mut owner) = self.split();
        let answer =
            crate::protocol::carry_out(services, &mut owner, caller, service, action, input);
        self.settle();
        answer
    }

    /// Lets a clock that runs by itself catch up, and does what became due.
    pub(crate) fn tick(&mut self) {
        let target = self.clock.target();
        self.run_until(target);
    }

    /// Moves the clock forward, doing what becomes due on the way.
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

    /// Switches a Region on or off, in one account or in all.
    pub(crate) fn set_region(
        &mut self,
        region: &str,
        account: Option<&str>,
        on: bool,
    ) -> Result<(), String> {
        if !self.config.regions.iter().any(|known| known == region) {
            return Err(format!("there is no Region {region}"));
        }
        match (account, on) {
            (Some(account), _) if self.services.organization.account(account).is_none() => {
                return Err(format!("there is no account {account}"));
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

    /// The id of the next request; not from the seeded sequence, so that reading changes nothing.
    pub(crate) fn request_id(&mut self) -> String {
        self.requests += 1;
        format!("00000000-0000-4000-a000-{:012x}", self.requests)
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.requests
    }
}

/// The world without its services, which own nothing beyond themselves.
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

    /// CloudFormation at work on the services.
    pub(crate) fn stage<'b>(&'b mut self, services: &'b mut Services) -> Stage<'b> {
        let owner = ServicesOwner {
            cloudformation: &mut *self.cloudformation,
            faults: &mut *self.faults,
            quotas: self.quotas,
        };
        owner.into_stage(services)
    }

    /// Has CloudFormation follow the accounts that came, went or moved.
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
        crate::protocol::carry_out(services, self, caller, service, action, input)
    }
}
