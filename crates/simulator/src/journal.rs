//! The journal of mutating requests and their outcomes.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::faults::Asked;
use crate::wire::api::ApiError;

/// Maximum entries; older ones are dropped. A deployment to ten thousand accounts makes a few
/// dozen.
const KEPT: usize = 100_000;

/// Parameters that only identify an attempt or set its pace, excluded from the content hash.
const NOT_CONTENT: [&str; 4] = [
    "OperationId",
    "ClientRequestToken",
    "CallAs",
    "OperationPreferences",
];

/// A mutating request as the simulator saw it. Whether the client received the response is not
/// recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Counts from 0, without gaps.
    pub number: u64,
    /// Virtual time.
    pub at: Timestamp,
    /// The caller's account, twelve digits.
    pub account: String,
    /// The endpoint's Region.
    pub region: String,
    /// For example `cloudformation`.
    pub service: String,
    /// For example `CreateStackInstances`.
    pub action: String,
    /// The stack set or stack in the request, if any.
    pub target: Option<String>,
    /// A hash of the request's content, without operation ids and tokens.
    pub content: String,
    /// The id of the operation that it started, if any.
    pub operation: Option<String>,
    /// The error code; `None` if the request was performed, even if a fault hid that from the
    /// client. `Lost` if a fault dropped the request before it was performed.
    pub error: Option<String>,
    /// The fault's name in statistics.
    pub fault: Option<&'static str>,
}

/// The most recent mutating requests, oldest first.
#[derive(Clone, Debug, Default)]
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

    /// The entries from a number onward.
    pub(crate) fn since(&self, number: u64) -> Vec<Request> {
        self.entries
            .iter()
            .filter(|entry| entry.number >= number)
            .cloned()
            .collect()
    }

    /// The number of entries ever written, which is the next entry's number.
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
