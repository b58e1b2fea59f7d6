//! The field `tests`.

use super::lint::Example::{self, Fields, Words};
use super::lint::{Lint, error, warning};

const GOOD: Example = Fields("");

pub(super) const LINTS: &[Lint] = &[
    error(
        "test::no-positive",
        "No test that must match",
        "Without one, nothing shows that the rule can fire.",
        Fields(
            "tests:\n  - name: the call was refused\n    expect: no_match\n    fixture: stop-logging.json\n    override: {errorCode: AccessDenied}\n",
        ),
        GOOD,
    ),
    error(
        "test::no-negative",
        "No test that must not match",
        "The best one is a near miss: an event that differs from a match in one field.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n",
        ),
        GOOD,
    ),
    error(
        "test::match",
        "A test fails",
        "The rule matches an event that it should not, or the reverse. The notes name the fields that don't match.",
        Fields(
            "tests:\n  - name: logging is started\n    expect: match\n    fixture: stop-logging.json\n    override: {eventName: StartLogging}\n",
        ),
        GOOD,
    ),
    error(
        "test::message",
        "The alert is not the expected one",
        "The notes show the difference. Only a test with `expect: match`, of a rule with a `message`, has one.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n    message: A trail was stopped.\n",
        ),
        GOOD,
    ),
    error(
        "test::undeliverable",
        "EventBridge would drop the alert",
        "The rendered alert isn't what EventBridge delivers; it would end up in the dead-letter queue.",
        Words("no rule file causes this; it guards against a bug in the compiler"),
        GOOD,
    ),
    error(
        "test::event",
        "Not an event",
        "A test has one of `event`, `fixture` and `like`: a CloudTrail record, or a whole EventBridge event of at most 256 KB.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    event: {name: StopLogging}\n",
        ),
        GOOD,
    ),
    error(
        "test::fixture",
        "The fixture can't be read",
        "A fixture is a JSON file in the rules folder's `fixtures/`. Nothing outside of it is read.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: ../../secrets.json\n",
        ),
        GOOD,
    ),
    error(
        "test::like",
        "No earlier test with that name",
        "`like` names an earlier test of the same rule and starts from its event, changes included.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n  - name: the call was refused\n    expect: no_match\n    like: a trail was stopped\n    override: {errorCode: AccessDenied}\n",
        ),
        GOOD,
    ),
    error(
        "test::each",
        "Not one path and its values",
        "`each` makes one test for each value that it puts at its path.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n    each: {eventName: StopLogging}\n  - name: the call was refused\n    expect: no_match\n    fixture: stop-logging.json\n    override: {errorCode: AccessDenied}\n",
        ),
        GOOD,
    ),
    error(
        "test::duplicate-name",
        "Two tests with the same name",
        "The name says what is special about the event.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n  - name: a trail is stopped\n    expect: no_match\n    fixture: stop-logging.json\n    override: {errorCode: AccessDenied}\n",
        ),
        GOOD,
    ),
    error(
        "test::too-many",
        "Too many tests",
        "A rule has at most 200 tests, whose events have at most 4 MiB together.",
        Words("201 tests"),
        GOOD,
    ),
    warning(
        "test::refused-call",
        "Nothing says whether refused calls alert",
        "CloudTrail also records refused calls. State the intent: a clause `errorCode: [{exists: false}]`, or a test with an `errorCode` and either expectation.",
        Fields(
            "event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\ntests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n  - name: logging is started\n    expect: no_match\n    fixture: stop-logging.json\n    override: {eventName: StartLogging}\n",
        ),
        GOOD,
    ),
    warning(
        "test::no-near-miss",
        "No test that nearly matches",
        "If each event that must not match fails several clauses, none of them shows that any single clause is needed.",
        Fields(
            "tests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n  - name: something else\n    expect: no_match\n    fixture: stop-logging.json\n    override: {eventName: StartLogging, errorCode: AccessDenied}\n",
        ),
        GOOD,
    ),
];
