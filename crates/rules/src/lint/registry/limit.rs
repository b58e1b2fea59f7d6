//! Diagnostics of the compiler: AWS quotas, topics, forwarders.

use super::lint::Example::{self, Words};
use super::lint::{Lint, error, warning};

const RULE: Example = Words("a rule within the quotas");

pub(super) const LINTS: &[Lint] = &[
    error(
        "limit::size",
        "Larger than EventBridge accepts",
        "An event pattern has at most 2,048 characters, exceptions included, a compiled message 8,192 and 100 paths, and a rule goes to at most 5 topics.",
        Words("a pattern of 150 event names"),
        RULE,
    ),
    error(
        "limit::pattern",
        "The pattern is not JSON",
        "CloudFormation accepts event patterns only as JSON.",
        Words(
            "no rule file causes this; it guards against a bug in the compiler",
        ),
        RULE,
    ),
    error(
        "limit::rules-per-bus",
        "Too many rules on one bus",
        "The quota of an event bus is 300 rules, in a few Regions 100. The diagnostic points at the first rule beyond it.",
        Words("a library of 301 rules"),
        RULE,
    ),
    error(
        "limit::wildcards-per-bus",
        "Too many rules with `wildcard` on one bus",
        "The quota of an event bus is 30 rules with the `wildcard` operator, and AWS doesn't raise it. Use `prefix`, `suffix` or `equals-ignore-case` where they are equivalent; see `pattern::needless-wildcard`.",
        Words("31 rules with `wildcard`"),
        RULE,
    ),
    error(
        "limit::tag",
        "A tag that can't be used in a condition",
        "A response's tag is used in an IAM condition, which would expand `${…}` and `*`.",
        Words("a tag's key `${aws:PrincipalTag/team}`"),
        RULE,
    ),
    error(
        "limit::template",
        "The compiled template is not deployable",
        "CloudFormation limits the size and the number of resources of a template.",
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
        "An object that CloudFormation treats as a function",
        "An object of a single key `Ref`, `Condition` or `Fn::…` is a function in a template, even inside an event pattern.",
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
        "A topic that isn't in the organization file",
        "`notify` lists topics of the organization file; nobody would receive this alert.",
        Words("`notify: [pagers]` without a topic `pagers`"),
        RULE,
    ),
    error(
        "compile::no-topic",
        "No topic receives the rule's alerts",
        "Without `notify`, the severity selects the topic; no topic in the organization file receives this severity.",
        Words("a rule with severity `low`, and no topic with `severities: [low]`"),
        RULE,
    ),
    error(
        "forward::too-long",
        "A pattern that no forwarder can carry",
        "Spokes forward the union of all patterns. Each forwarder has to fit EventBridge's quota of 2,048 characters.",
        Words("a pattern of 2,048 characters"),
        RULE,
    ),
    warning(
        "forward::overlap",
        "Events that two forwarders would send",
        "Patterns overlap and don't fit into one forwarder, so some alerts are sent twice. Pin `detail-type` and `detail.eventName`, or merge the rules.",
        Words("twenty rules that pin only `source`"),
        RULE,
    )
    .never_allowed(),
    warning(
        "compile::unprotected",
        "A trail or log bucket that no rule protects",
        "A self-protection rule says `gizmos:log-bucket`, but the organization file has an existing trail and doesn't name its bucket: add `bucket` to `trail`; `gizmos doctor --org` names it. Or a rule tagged `protects.trail` or `protects.log-bucket` has another name in its pattern than the organization file: write `gizmos:trail-name` or `gizmos:log-bucket` there.",
        Words("a self-protection rule with `gizmos:log-bucket`, and `trail: {existing: ARN}` without `bucket`"),
        RULE,
    )
    .never_allowed(),
    warning(
        "compile::unwatched-region",
        "A rule whose events appear in a Region that isn't watched",
        "Some events appear in certain Regions, wherever the caller is: those of IAM and other global services in us-east-1, console sign-ins of root users in us-east-1, and those of IAM users in us-east-1, us-east-2, eu-north-1 or ap-southeast-2. Without a forwarder there the rule can't raise an alert for them. Add the Regions to `regions` in the organization file, or write `regions: enabled`.",
        Words("`regions: [eu-central-1, us-east-1]`, and a rule about console sign-ins"),
        RULE,
    )
    .never_allowed(),
    warning(
        "compile::findings",
        "Findings that alert twice",
        "GuardDuty, Security Hub, Inspector, Macie and Access Analyzer report a finding in its own account and again in that of their delegated administrator; Security Hub also in its aggregation Region. `findings` in the organization file names the one account and Region from which they are taken.",
        Words("a rule about GuardDuty's findings, and an organization file without `findings`"),
        RULE,
    )
    .never_allowed(),
    warning(
        "compile::deployers",
        "Deployments that alert",
        "Self-protection rules leave out what the roles under `deployers` in the organization file change through CloudFormation, and nobody else by name. Without any, each deployment alerts. `gizmos doctor --org` proposes the role that you use.",
        Words("a self-protection rule with `gizmos:deployers`, and an organization file without `deployers`"),
        RULE,
    )
    .never_allowed(),
];
