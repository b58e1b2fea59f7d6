//! What services find around them: the time, ids, Regions, and where to leave what is not theirs
//! to do.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Services, Task};
use crate::wire::api::{ApiError, Caller};
pub(crate) use crate::wire::hex;

/// The Regions that every account has without asking for them.
pub const DEFAULT_REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// What every service may read, and the outlets that the owner of the services drains.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Virtual time.
    pub now: Timestamp,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
    /// Whether subscribers confirm their subscriptions by themselves.
    pub confirm_subscriptions: bool,
    /// Regions that are off in every account.
    pub off: BTreeSet<String>,
    /// Regions that are off in one account.
    pub off_in: BTreeSet<(String, String)>,
    /// Work for later, in seconds from now.
    pub later: Vec<(i64, Task)>,
    /// Accounts that came, went or moved.
    pub moves: Vec<AccountMove>,
    seed: u64,
    ids: u64,
}

/// An account came, went, or moved between two units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMove {
    /// The account's id.
    pub account: String,
    /// The unit that it left, unless it is new.
    pub from: Option<String>,
    /// The unit that it joined, unless it is gone.
    pub to: Option<String>,
}

impl Environment {
    /// The environment of a simulation that has yet to begin.
    pub fn new(seed: u64, regions: Vec<String>, now: Timestamp) -> Environment {
        Environment {
            now,
            regions,
            seed,
            ..Environment::default()
        }
    }

    /// Has [`super::due`] called with the task, `seconds` from now on the virtual clock.
    pub fn schedule(&mut self, seconds: i64, task: Task) {
        self.later.push((seconds, task));
    }

    /// Whether a Region exists and is on in the account.
    pub fn region_is_on(&self, region: &str, account: &str) -> bool {
        self.regions.iter().any(|known| known == region)
            && !self.off.contains(region)
            && !self
                .off_in
                .contains(&(account.to_owned(), region.to_owned()))
    }

    /// The next bytes of the seeded sequence every made-up id comes from.
    fn random(&mut self) -> [u8; 32] {
        self.ids += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(self.ids.to_be_bytes());
        hash.finalize().into()
    }

    /// A new id in UUID form.
    pub fn uuid(&mut self) -> String {
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
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let first = self.random().first().copied().unwrap_or_default();
        least + i64::from(first) % (most - least + 1).max(1)
    }

    /// An id of up to 32 characters `A-Z0-9` that depends on nothing but the seed and the text.
    pub fn token_of(&self, text: &str, length: usize) -> String {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_be_bytes());
        hash.update(text.as_bytes());
        letters(&hash.finalize().into(), length)
    }

    /// A new id of up to 32 characters `A-Z0-9`, as in generated physical names.
    pub fn token(&mut self, length: usize) -> String {
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

/// How somebody looks at an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// At whatever is there but the rules.
    PastRules,
    /// At anything.
    Anywhere,
    /// In order to change something.
    ToChange,
}

/// The services whose answers show nothing of a stack's rules.
const WITHOUT_RULES: &[&str] = &["iam", "sqs"];

impl Look {
    /// What a call of a service looks at.
    pub fn of(service: &str, mutating: bool) -> Look {
        if mutating {
            Look::ToChange
        } else if WITHOUT_RULES.contains(&service) {
            Look::PastRules
        } else {
            Look::Anywhere
        }
    }
}

/// Who owns the services, for the few actions that reach beyond them. CloudFormation keeps the
/// resources of stacks that nobody looks at folded; whoever looks at an account brings them back.
pub trait Owner: Debug {
    /// Brings back what an account keeps folded.
    fn look(&mut self, services: &mut Services, account: &str, look: Look);

    /// The same for every account that a value names in an ARN or a queue's URL.
    fn look_at_named(&mut self, services: &mut Services, value: &Value, look: Look);

    /// Counts an account among those that were looked at last, without bringing anything back.
    fn remember_look(&mut self, services: &mut Services, account: &str);

    /// Makes an API call, to whatever service.
    fn call(
        &mut self,
        services: &mut Services,
        caller: &Caller,
        call: (&str, &str),
        input: &Value,
    ) -> Result<Value, ApiError>;
}

/// All services together with their owner: what an event that crosses accounts needs. Everything
/// else gets by with [`Services`] or less.
#[derive(Debug)]
pub struct Cloud<'a> {
    /// The services.
    pub services: &'a mut Services,
    /// What owns them.
    pub owner: &'a mut dyn Owner,
}

impl Deref for Cloud<'_> {
    type Target = Services;

    fn deref(&self) -> &Services {
        self.services
    }
}

impl DerefMut for Cloud<'_> {
    fn deref_mut(&mut self) -> &mut Services {
        self.services
    }
}

impl Cloud<'_> {
    /// See [`Owner::look`].
    pub fn look(&mut self, account: &str, look: Look) {
        self.owner.look(self.services, account, look);
    }

    /// See [`Owner::look_at_named`].
    pub fn look_at_named(&mut self, value: &Value, look: Look) {
        self.owner.look_at_named(self.services, value, look);
    }

    /// See [`Owner::remember_look`].
    pub fn remember_look(&mut self, account: &str) {
        self.owner.remember_look(self.services, account);
    }

    /// See [`Owner::call`].
    pub fn call(
        &mut self,
        caller: &Caller,
        call: (&str, &str),
        input: &Value,
    ) -> Result<Value, ApiError> {
        self.owner.call(self.services, caller, call, input)
    }
}
