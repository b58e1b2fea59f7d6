//! What is found when the rules are compiled: quotas of AWS, topics, forwarders.

use super::lint::Example::{self, Words};
use super::lint::{Lint, error, warning};

const RULE: Example = Words("a rule within the quotas");

pub(super) const LINTS: &[Lint] = &[
    error(
        "limit::size",
        "Larger than EventBridge takes",
        "An event pattern has at most 2,048 characters, exceptions included, a compiled message 8,192 and 100 paths, and a rule goes to at most 5 topics.",
        Words("a pattern of 150 event names"),
        RULE,
    ),
    error(
        "limit::pattern",
        "The pattern is not JSON",
        "CloudFormation takes event patterns as JSON.",
        Words(
            "no rule file causes this; it guards against a bug in the compiler",
        ),
        RULE,
    ),
    error(
        "limit::rules-per-bus",
        "Too many rules on one bus",
        "An event bus takes 300 rules, in a few Regions 100. The diagnostic points at the first rule beyond it.",
        Words("a library of 301 rules"),
        RULE,
    ),
    error(
        "limit::wildcards-per-bus",
        "Too many rules with `wildcard` on one bus",
        "An event bus takes 30 rules with the `wildcard` operator, and AWS doesn't raise this quota. Where `prefix`, `suffix` or `equals-ignore-case` say the same, they cost nothing; see `pattern::needless-wildcard`.",
        Words("31 rules with `wildcard`"),
        RULE,
    ),
    error(
        "limit::tag",
        "A tag that can't be written",
        "The tag of a response goes into an IAM condition, where `${…}` and `*` would be expanded.",
        Words("a tag's key `${aws:PrincipalTag/team}`"),
        RULE,
    ),
    error(
        "limit::template",
        "The compiled template is not deployable",
        "CloudFormation takes templates of a limited size and number of resources.",
        Words("a library whose template has more than 500 resources"),
        RULE,
    ),
    error(
        "limit::dynamic-reference",
        "`{{resolve:` in a compiled text",
        "CloudFormation would replace it with a secret or parameter of the deploying account.",
        Words("a title with `{{resolve:ssm:name}}`"),
        RULE,
    ),
    error(
        "limit::intrinsic-function",
        "An object that CloudFormation takes for a function",
        "An object of a single key `Ref`, `Condition` or `Fn::…` is a function in a template, also in the middle of an event pattern.",
        Words("`detail: {Ref: [x]}` in a pattern"),
        RULE,
    ),
    error(
        "compile::no-rules",
        "There is no rule to deploy",
        "Deploying nothing would remove every deployed rule; `destroy` does that on purpose.",
        Words("a library without a valid rule"),
        RULE,
    ),
    error(
        "compile::no-effect",
        "A rule that neither notifies nor responds",
        "It would have no effect.",
        Words("no rule file causes this; it guards against a bug in the compiler"),
        RULE,
    ),
    error(
        "compile::unknown-topic",
        "A topic that the organization file doesn't have",
        "`notify` names topics of the organization file; this one would get no alert.",
        Words("`notify: [pagers]` without a topic `pagers`"),
        RULE,
    ),
    error(
        "compile::no-topic",
        "No topic receives the rule's alerts",
        "Without `notify` the severity chooses the topic; no topic of the organization file takes this severity.",
        Words("a rule of severity `low`, and no topic with `severities: [low]`"),
        RULE,
    ),
    error(
        "forward::too-long",
        "A pattern that no forwarder can carry",
        "Spokes forward the union of all patterns, each forwarder within EventBridge's quota of 2,048 characters.",
        Words("a pattern of 2,048 characters"),
        RULE,
    ),
    warning(
        "forward::overlap",
        "Events that two forwarders would send",
        "Patterns overlap and don't fit one forwarder together, so some alerts come twice. Pin `detail-type` and `detail.eventName`, or join the rules.",
        Words("twenty rules that pin nothing but `source`"),
        RULE,
    )
    .never_allowed(),
    warning(
        "compile::unprotected",
        "A self-protection rule with another name in its pattern",
        "The rule watches something that Gizmos deploys, and the organization file gives it another name than the rule's pattern has. Put the organization file's name into the pattern.",
        Words("a trail that the organization file calls `audit`, and a rule for `gizmos`"),
        RULE,
    )
    .never_allowed(),
];
