//! The field `event_pattern`.

use super::{Lint, error, warning};
use crate::lint::Example::{self, Fields};

const GOOD: Example = Fields("");

pub(super) const LINTS: &[Lint] = &[
    error(
        "pattern::invalid",
        "EventBridge would refuse the pattern",
        "The message is what EventBridge would answer, and the place is where.",
        Fields("event_pattern:\n  source: [{prefx: aws.}]\n"),
        GOOD,
    ),
    error(
        "pattern::source",
        "The pattern doesn't pin `source`",
        "Whoever may call `PutEvents` in an account can invent events of any source but `aws.*`. A pattern that leaves the source open can be fed with them, so `source` is pinned in every branch of a `$or`: by exact names or `{prefix: aws.}`.",
        Fields(
            "event_pattern:\n  detail-type: [AWS API Call via CloudTrail]\n  detail: {eventName: [StopLogging]}\n",
        ),
        GOOD,
    ),
    warning(
        "pattern::forgeable-source",
        "Events of this source can be forged",
        "Whoever may call `PutEvents` chooses the content of events of every source but `aws.*`.",
        Fields("event_pattern:\n  source: [com.example.orders]\n"),
        GOOD,
    ),
];
