//! Quotas of AWS that a rule crosses; found when the rules are compiled.

use super::{Lint, error};
use crate::lint::Example::{self, Words};

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
        "The pattern is no JSON",
        "CloudFormation takes event patterns as JSON.",
        Words(
            "nothing that can be written in a rule file leads here; it guards against a mistake of the compiler",
        ),
        RULE,
    ),
    error(
        "limit::rules-per-bus",
        "Too many rules on one bus",
        "An event bus takes 300 rules, in a few Regions 100. The finding points at the first rule beyond it.",
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
        "CloudFormation would put a secret or parameter of the deploying account in its place.",
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
];
