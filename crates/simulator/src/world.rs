//! Everything that exists: the organization, the services' state, the clock, the call counters.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::Config;
use crate::clock::{Clock, Due};
use crate::cloudformation::CloudFormation;
use crate::organizations::Organization;
use crate::services::Services;
use crate::sts::Sessions;

/// The whole simulated world. Every request has it to itself.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) organization: Organization,
    pub(crate) services: Services,
    pub(crate) cloudformation: CloudFormation,
    pub(crate) sessions: Sessions,
    pub(crate) calls: Calls,
    pub(crate) faults: crate::faults::State,
    pub(crate) journal: crate::journal::Journal,
    /// Regions that are off in every account.
    off: BTreeSet<String>,
    /// Regions that are off in one account.
    off_in: BTreeSet<(String, String)>,
    ids: u64,
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
        let organization = Organization::seeded(config.workload_accounts, clock.now());
        let mut world = World {
            config,
            clock,
            organization,
            services: Services::default(),
            cloudformation: CloudFormation::default(),
            sessions: Sessions::default(),
            calls: Calls::default(),
            faults: crate::faults::State::default(),
            journal: crate::journal::Journal::default(),
            off: BTreeSet::new(),
            off_in: BTreeSet::new(),
            ids: 0,
            requests: 0,
        };
        world.off = world.config.disabled_regions.iter().cloned().collect();
        // With it come the policies that AWS manages.
        crate::services::iam::access_role(&mut world, crate::organizations::MANAGEMENT);
        let faults = world.config.faults.clone();
        crate::faults::start(&mut world, faults);
        world
    }

    /// Has [`crate::services::due`] called with the task, `seconds` from now on the virtual clock.
    pub(crate) fn schedule(&mut self, seconds: i64, task: crate::services::Task) {
        self.clock.after(seconds, Due::Services(task));
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
        while let Some(due) = self.clock.next(target) {
            match due {
                Due::CloudFormation(task) => crate::cloudformation::due(self, task),
                Due::Services(task) => crate::services::due(self, task),
                Due::Fault(planned) => crate::faults::due(self, planned),
            }
        }
    }

    /// Whether a Region exists and is on in the account.
    pub(crate) fn region_is_on(&self, region: &str, account: &str) -> bool {
        self.config.regions.iter().any(|known| known == region)
            && !self.off.contains(region)
            && !self
                .off_in
                .contains(&(account.to_owned(), region.to_owned()))
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
            (Some(account), _) if self.organization.account(account).is_none() => {
                return Err(format!("there is no account {account}"));
            }
            (Some(account), true) => {
                self.off_in.remove(&(account.to_owned(), region.to_owned()));
            }
            (Some(account), false) => {
                self.off_in.insert((account.to_owned(), region.to_owned()));
            }
            (None, true) => {
                self.off.remove(region);
                self.off_in.retain(|(_, off)| off != region);
            }
            (None, false) => {
                self.off.insert(region.to_owned());
            }
        }
        Ok(())
    }

    /// The next bytes of the seeded sequence every made-up id comes from.
    fn random(&mut self) -> [u8; 32] {
        self.ids += 1;
        let mut hash = Sha256::new();
        hash.update(self.config.seed.to_be_bytes());
        hash.update(self.ids.to_be_bytes());
        hash.finalize().into()
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

    /// A new id in UUID form.
    pub(crate) fn uuid(&mut self) -> String {
        let hex = hex(&self.random());
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        format!(
            "{}-{}-4{}-a{}-{}",
            part(0, 8),
            part(8, 12),
            part(13, 16),
            part(17, 20),
            part(20, 32)
        )
    }

    /// A number from the seeded sequence, both ends included.
    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        let first = self.random().first().copied().unwrap_or_default();
        least + i64::from(first) % (most - least + 1).max(1)
    }

    /// An id of up to 32 characters `A-Z0-9` that depends on nothing but the seed and the text.
    pub(crate) fn token_of(&self, text: &str, length: usize) -> String {
        let mut hash = Sha256::new();
        hash.update(self.config.seed.to_be_bytes());
        hash.update(text.as_bytes());
        letters(&hash.finalize().into(), length)
    }

    /// A new id of up to 32 characters `A-Z0-9`, as in generated physical names.
    pub(crate) fn token(&mut self, length: usize) -> String {
        letters(&self.random(), length)
    }
}

fn letters(bytes: &[u8; 32], length: usize) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    bytes
        .iter()
        .take(length)
        .filter_map(|byte| ALPHABET.get(usize::from(*byte) % ALPHABET.len()))
        .map(|byte| char::from(*byte))
        .collect()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}
