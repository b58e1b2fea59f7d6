//! What services share: time, ids, Regions, and queues of work for the services' owner.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Services, Task};
use crate::wire::api::{ApiError, Caller};
pub(crate) use crate::wire::hex;

/// The Regions that need no opt-in.
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

/// What AWS's documents leave open: the answer that they don't suggest. Without it, the simulator
/// behaves as they do suggest, so both answers can be simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surprise {
    /// EventBridge can't publish with a role to a topic that has a customer managed key.
    RolesFailWithKeys,
    /// Topic policies see no `aws:SourceArn` when EventBridge publishes without a role.
    TopicsSeeNoSource,
    /// A queue with SSE-SQS accepts no messages from topics.
    QueuesRefuseTopics,
    /// EventBridge removes line breaks from the result of an object template.
    TemplatesLoseLineBreaks,
    /// CloudTrail leaves the names out of the record of `ssm:DeleteParameters`.
    ParameterNamesAreHidden,
    /// CloudTrail sends records to EventBridge twenty minutes after the call.
    RecordsAreLate,
    /// CloudTrail can't write log files to a bucket with a Bucket Key.
    LogFilesAreRefused,
    /// CloudFormation no longer lists operations of stack sets that are older than 90 days.
    OperationsAreForgotten,
}

/// State shared by all services, and the queues that the services' owner drains.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// The virtual time.
    pub now: Timestamp,
    /// The Regions that exist; the first is the home Region.
    pub regions: Vec<String>,
    /// Whether simulated recipients confirm their subscriptions.
    pub confirm_subscriptions: bool,
    /// How AWS behaves otherwise than its documents suggest.
    pub surprises: BTreeSet<Surprise>,
    /// Regions in which no trail records anything, although nobody stopped it.
    pub trails_off: BTreeSet<String>,
    /// Regions disabled in every account.
    pub off: BTreeSet<String>,
    /// Account and Region: Regions disabled in one account.
    pub off_in: BTreeSet<(String, String)>,
    /// What the policies of roles allowed.
    pub authorized: Authorized,
    /// Scheduled work, with its delay in virtual seconds.
    pub later: Vec<(i64, Task)>,
    /// Changes of membership that stack sets have yet to follow.
    pub moves: Vec<AccountMove>,
    seed: u64,
    ids: u64,
}

/// The actions for which the policies of roles were asked and which they allowed, by the role's name,
/// since the access role has the same one in every account. Shared by clones, because a check of
/// permissions changes nothing else.
#[derive(Debug, Clone, Default)]
pub struct Authorized(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

impl Authorized {
    pub(crate) fn add(&self, role: &str, action: &str) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let role = role.rsplit('/').next().unwrap_or(role);
        if !all.get(role).is_some_and(|known| known.contains(action)) {
            let known = all.entry(role.to_owned()).or_default();
            known.insert(action.to_owned());
        }
    }

    /// Names of roles with actions.
    pub fn all(&self) -> BTreeMap<String, BTreeSet<String>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}

/// An account that joined, left, or moved between two organizational units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountMove {
    /// Twelve digits.
    pub account: String,
    /// The unit it left; `None` if it is new.
    pub from: Option<String>,
    /// The unit it joined; `None` if it left the organization.
    pub to: Option<String>,
}

impl Environment {
    /// The environment of a new simulation. Equal seeds give equal ids.
    pub fn new(seed: u64, regions: Vec<String>, now: Timestamp) -> Environment {
        Environment {
            now,
            regions,
            seed,
            ..Environment::default()
        }
    }

    /// Whether AWS behaves in this way, which its documents don't suggest.
    pub fn surprises(&self, with: Surprise) -> bool {
        self.surprises.contains(&with)
    }

    /// Schedules a task for [`super::due`], `seconds` from now on the virtual clock.
    pub fn schedule(&mut self, seconds: i64, task: Task) {
        self.later.push((seconds, task));
    }

    /// Whether a Region exists and is enabled in the account.
    pub fn region_is_on(&self, region: &str, account: &str) -> bool {
        self.regions.iter().any(|known| known == region)
            && !self.off.contains(region)
            && !self
                .off_in
                .contains(&(account.to_owned(), region.to_owned()))
    }

    /// The next bytes of the seeded sequence from which all ids are generated.
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

    /// A number from the seeded sequence, both bounds inclusive.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let first = self.random().first().copied().unwrap_or_default();
        least + i64::from(first) % (most - least + 1).max(1)
    }

    /// An id of up to 32 characters `A-Z0-9` that depends only on the seed and the text.
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

/// What a request can observe or change in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Reads anything except EventBridge rules.
    PastRules,
    /// Reads the rules of buses, but not their targets.
    RuleList,
    /// Reads anything.
    Anywhere,
    /// May change something.
    ToChange,
}

/// Services whose responses don't depend on EventBridge rules.
const WITHOUT_RULES: &[&str] = &["iam", "sqs"];

impl Look {
    /// Classifies a call of a service.
    pub fn of(service: &str, action: &str, mutating: bool) -> Look {
        if mutating {
            Look::ToChange
        } else if (service, action) == ("events", "ListRules") {
            Look::RuleList
        } else if WITHOUT_RULES.contains(&service) {
            Look::PastRules
        } else {
            Look::Anywhere
        }
    }
}

/// The owner of the services, for the few actions that reach beyond them. CloudFormation keeps the
/// resources of unobserved stacks folded, and unfolds an account's stacks before they can be
/// observed.
pub trait Owner: Debug {
    /// Unfolds what the request can observe in an account.
    fn look(&mut self, services: &mut Services, account: &str, look: Look);

    /// [`look`](Owner::look) for every account that a value names in an ARN or a queue URL.
    fn look_at_named(&mut self, services: &mut Services, value: &Value, look: Look);

    /// Marks an account as recently observed without unfolding anything.
    fn remember_look(&mut self, services: &mut Services, account: &str);

    /// Makes an API call to any service.
    fn call(
        &mut self,
        services: &mut Services,
        caller: &Caller,
        call: (&str, &str),
        input: &Value,
    ) -> Result<Value, ApiError>;
}

/// The services with their owner, for events that cross accounts. Everything else needs only
/// [`Services`].
#[derive(Debug)]
pub struct Cloud<'a> {
    /// State of all services.
    pub services: &'a mut Services,
    /// For what reaches beyond the services.
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
