//! The rules folder as a whole.

use super::lint::Example::{self, Fields, Words};
use super::lint::{Lint, error, warning};

const RULE: Example = Words("a folder of `.yaml` files, at most 8 folders deep");

pub(super) const LINTS: &[Lint] = &[
    error(
        "library::missing",
        "There is no rules folder",
        "Deploying without rules would remove every deployed rule, so nothing is deployed.",
        Words("`--rules no/such/folder`"),
        RULE,
    ),
    error(
        "library::empty",
        "The rules folder contains no rules",
        "Deploying it would remove every deployed rule, so nothing is deployed.",
        Words("a folder with only a README"),
        RULE,
    ),
    error(
        "library::unreadable",
        "A file or folder can't be read",
        "The file could be a rule, and leaving it out would remove it from the fleet.",
        Words("a file that is not UTF-8, or a folder nine levels deep"),
        RULE,
    ),
    error(
        "library::symlink",
        "A link in the rules folder",
        "Rules come from pull requests; a link could make the build read any file on its machine.",
        Words("`rules/iam/example.yaml` that links to another file"),
        RULE,
    ),
    error(
        "library::extension",
        "A file that looks like a rule but isn't read",
        "Rule files end in `.yaml`. Gizmos doesn't read this file, so the rule would never fire.",
        Words("`rules/iam/example-rule.yml`"),
        RULE,
    ),
    error(
        "library::too-many",
        "Too many files, tests or diagnostics",
        "A library has at most 10,000 files with 8 MB, and 10,000 tests whose events take 96 MB of memory. After 1,000 diagnostics, no more files are checked.",
        Words("10,001 files"),
        RULE,
    ),
    warning(
        "library::shadowed",
        "A rule that another one covers",
        "Every event of the rule provably also matches another rule with the same topics and the same or a higher severity, so it alerts twice. A rule may differ from a wider one by its severity or its topics.",
        Fields(
            "id: any-trail-call\nevent_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [DeleteTrail, StopLogging]\n    errorCode: [{exists: false}]\n---\nid: example-rule\n",
        ),
        Fields(
            "id: any-trail-call\nseverity: low\nevent_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [DeleteTrail, StopLogging]\n    errorCode: [{exists: false}]\n---\nid: example-rule\n",
        ),
    ),
    warning(
        "library::omitted-parameters",
        "A request so large that no rule sees it",
        "CloudTrail records at most 100 KB of a request's parameters, and otherwise none of them: a rule that looks into them doesn't match, and whoever makes the call can choose its size. Some rule must alert on such records.",
        Fields(
            "event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    errorCode: [{exists: false}]\n    requestParameters: {name: [{exists: true}]}\n",
        ),
        RULE,
    ),
];
