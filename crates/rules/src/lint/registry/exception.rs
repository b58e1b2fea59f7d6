//! The field `exceptions`.

use super::lint::Example::{self, Fields, Words};
use super::lint::{Lint, error, warning};

const GOOD: Example = Fields(
    "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: 2027-06-30\n    when: {detail.userIdentity.userName: [archive-job]}\ntests:\n  - name: a trail is stopped\n    expect: match\n    fixture: stop-logging.json\n  - name: the archive job stops it\n    expect: no_match\n    fixture: stop-logging.json\n    override: {userIdentity: {userName: archive-job}}\n",
);

pub(super) const LINTS: &[Lint] = &[
    error(
        "exception::expired",
        "An exception has ended",
        "The next deployment reports the excepted case again. Remove the exception, or renew it with its owner.",
        Fields(
            "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: 2020-01-31\n    when: {detail.userIdentity.userName: [archive-job]}\n",
        ),
        GOOD,
    ),
    warning(
        "exception::expires-soon",
        "An exception ends within 14 days",
        "Remove it, or renew it with its owner, before `check` fails.",
        Fields(
            "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: 2026-12-01\n    when: {detail.userIdentity.userName: [archive-job]}\n",
        ),
        GOOD,
    ),
    error(
        "exception::date",
        "Not a date",
        "An exception ends on a day, written as 2027-01-31.",
        Fields(
            "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: next summer\n    when: {detail.userIdentity.userName: [archive-job]}\n",
        ),
        GOOD,
    ),
    error(
        "exception::not-expressible",
        "The pattern can't express this exception",
        "An exception becomes an `anything-but` on a field that the pattern leaves free. Terms of one field are joined by \"or\", so a field that the pattern constrains can't have one; change the pattern instead.",
        Fields(
            "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: 2027-06-30\n    when: {detail.eventName: [StopLogging]}\n",
        ),
        GOOD,
    ),
    error(
        "exception::duplicate-name",
        "Two exceptions with the same name",
        "The name says which exception silenced an event.",
        Fields(
            "exceptions:\n  - {name: job, reason: It stops old trails., owner: platform, expires: 2027-06-30, when: {detail.userIdentity.userName: [a]}}\n  - {name: job, reason: It stops old trails., owner: platform, expires: 2027-06-30, when: {detail.userIdentity.userName: [b]}}\n",
        ),
        GOOD,
    ),
    error(
        "exception::too-many",
        "More than 100 exceptions",
        "A rule with that many exceptions doesn't describe what it detects.",
        Words("101 exceptions"),
        GOOD,
    ),
    warning(
        "exception::untested",
        "No test shows the exception",
        "An exception with a mistake in its path or value silences nothing, or too much. A test whose event has the excepted value shows that it works.",
        Fields(
            "exceptions:\n  - name: archive-job\n    reason: The archive job stops the old trail after a move.\n    owner: platform\n    expires: 2027-06-30\n    when: {detail.userIdentity.userName: [archive-job]}\n",
        ),
        GOOD,
    ),
];
