//! The journal: every request that was meant to change something, and its outcome.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::faults::Asked;
use crate::wire::api::ApiError;

/// The oldest entries go beyond this; a deployment of ten thousand accounts makes some dozens.
const KEPT: usize = 100_000;

/// Parameters that only distinguish one attempt from the next or set its pace, not what it does.
const NOT_CONTENT: [&str; 4] = [
    "OperationId",
    "ClientRequestToken",
    "CallAs",
    "OperationPreferences",
];

/// A request that was meant to change something, as the simulator saw it. What the client knows of
/// its effect, and whether the answer ever reached it, is not recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Counts from 0, without gaps.
    pub number: u64,
    /// Virtual time.
    pub at: Timestamp,
    /// Whose credentials, twelve digits.
    pub account: String,
    /// The endpoint's Region.
    pub region: String,
    /// Such as `cloudformation`.
    pub service: String,
    /// Such as `CreateStackInstances`.
    pub action: String,
    /// The stack set or stack that the request names, if it names one.
    pub target: Option<String>,
    /// A hash of what was asked for, the same for the same request with another operation id.
    pub content: String,
    /// The operation that it started, if it started one.
    pub operation: Option<String>,
    /// The error code of the answer; `None` if it was done, even if a fault kept the client from
    /// learning so. `Lost` is a request that a fault lost before it did anything.
    pub error: Option<String>,
    /// The kind of fault that it met.
    pub fault: Option<&'static str>,
}

/// The latest requests, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    entries: VecDeque<Request>,
    written: u64,
}

impl Journal {
    pub(crate) fn write(
        &mut self,
        at: Timestamp,
        asked: &Asked<'_>,
        outcome: &Result<Value, ApiError>,
        fault: Option<&'static str>,
    ) {
        let Asked {
            caller,
            service,
            action,
            input,
        } = *asked;
        let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(Request {
            number: self.written,
            at,
            account: caller.account.clone(),
            region: caller.region.clone(),
            service: service.to_owned(),
            action: action.to_owned(),
            target: text(input, "StackSetName").or_else(|| text(input, "StackName")),
            content: content(action, input),
            operation: outcome
                .as_ref()
                .ok()
                .and_then(|answer| text(answer, "OperationId")),
            error: outcome.as_ref().err().map(|error| error.code.clone()),
            fault,
        });
        self.written += 1;
    }

    /// The entries from a number on.
    pub(crate) fn since(&self, number: u64) -> Vec<Request> {
        self.entries
            .iter()
            .filter(|entry| entry.number >= number)
            .cloned()
            .collect()
    }

    /// How many entries were ever written: the number of the next one.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }
}

fn content(action: &str, input: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(action.as_bytes());
    for (key, value) in input.as_object().into_iter().flatten() {
        if !NOT_CONTENT.contains(&key.as_str()) {
            hash.update(key.as_bytes());
            hash.update(value.to_string().as_bytes());
        }
    }
    crate::wire::hex(&hash.finalize())
}
