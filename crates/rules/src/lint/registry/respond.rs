//! The field `respond`.

use super::lint::Example::{self, Fields};
use super::lint::{Lint, error};

const GOOD: Example = Fields(
    "respond:\n  start_instance:\n    instance: detail.requestParameters.name\n    tag: {key: auto-start, value: \"true\"}\n",
);

pub(super) const LINTS: &[Lint] = &[
    error(
        "respond::path",
        "Not the path of an instance id",
        "The path is written as in a message, without braces: names joined by dots.",
        Fields(
            "respond:\n  start_instance:\n    instance: $.detail.instance-id\n    tag: {key: auto-start, value: \"true\"}\n",
        ),
        GOOD,
    ),
    error(
        "respond::tag",
        "A tag that can't be used",
        "The tag decides which instances the automation's role may start. It is used in an IAM condition, so it can't have characters that IAM would expand.",
        Fields(
            "respond:\n  start_instance:\n    instance: detail.requestParameters.name\n    tag: {key: auto-start, value: \"*\"}\n",
        ),
        GOOD,
    ),
    error(
        "respond::unresolved",
        "No positive test's event has the instance id",
        "The response would start nothing. Correct the path, or add a test with an event that has it.",
        Fields(
            "respond:\n  start_instance:\n    instance: detail.instance-id\n    tag: {key: auto-start, value: \"true\"}\n",
        ),
        GOOD,
    ),
];
