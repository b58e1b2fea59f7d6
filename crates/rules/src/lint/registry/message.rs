//! The field `message`.

use super::lint::Example::{self, Fields, Words};
use super::lint::{Lint, error};

const GOOD: Example = Fields("message: |\n  who: {{ detail.userIdentity.arn }}\n");

pub(super) const LINTS: &[Lint] = &[
    error(
        "message::unresolved",
        "A path that no positive test's event has",
        "The alert would show an empty value. Correct the path, or add a test with an event that has it.",
        Fields("message: |\n  who: {{ detail.userIdentity.name }}\n"),
        GOOD,
    ),
    error(
        "message::placeholder",
        "Not a placeholder",
        "Placeholders look like `{{ detail.userIdentity.arn }}`: a path from the top of the event, on one line.",
        Fields("message: |\n  who: {{ userIdentity.arn }}\n"),
        GOOD,
    ),
    error(
        "message::empty",
        "The message, or a line of it, is empty",
        "A label without a value would be an empty field of the alert.",
        Fields("message: |\n  who:\n  name: {{ detail.userIdentity.arn }}\n"),
        GOOD,
    ),
    error(
        "message::reserved-label",
        "A label that every alert has",
        "The frame of an alert has fields of its own: `severity`, `account`, `region`, `time` and others.",
        Fields("message: |\n  account: {{ detail.userIdentity.arn }}\n"),
        GOOD,
    ),
    error(
        "message::duplicate-label",
        "A label occurs twice",
        "Each label becomes a field of a JSON object, which has a single value.",
        Fields(
            "message: |\n  who: {{ detail.userIdentity.arn }}\n  who: {{ detail.sourceIPAddress }}\n",
        ),
        GOOD,
    ),
    error(
        "message::angle-bracket",
        "`<` or `>` in an alert's text",
        "An input template marks its placeholders with `<` and `>` and has no escape for them.",
        Fields("message: |\n  who: <{{ detail.userIdentity.arn }}>\n"),
        GOOD,
    ),
    error(
        "message::too-large",
        "The alert is too large",
        "EventBridge accepts input templates of at most 8,192 characters. Replace a long runbook with an https address.",
        Words("a message of 10,000 characters"),
        GOOD,
    ),
    error(
        "message::too-many-paths",
        "More than 100 paths",
        "EventBridge accepts at most 100 different paths in an input transformer.",
        Words("a message of 101 placeholders"),
        GOOD,
    ),
    error(
        "message::invalid",
        "EventBridge would refuse the message",
        "The compiled message breaks EventBridge's rules for input transformers.",
        Words("no rule file causes this; it guards against a bug in the compiler"),
        GOOD,
    ),
];
