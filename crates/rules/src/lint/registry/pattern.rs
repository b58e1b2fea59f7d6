//! The field `event_pattern`.

use super::lint::Example::{self, Fields};
use super::lint::{Lint, error, warning};

const GOOD: Example = Fields("");

pub(super) const LINTS: &[Lint] = &[
    error(
        "pattern::invalid",
        "EventBridge would refuse the pattern",
        "The message is EventBridge's own.",
        Fields("event_pattern:\n  source: [{prefx: aws.}]\n"),
        GOOD,
    ),
    error(
        "pattern::source",
        "The pattern doesn't pin `source`",
        "Anyone who can call `PutEvents` in an account can send events with any source except `aws.*`. A pattern that leaves the source open matches such forged events, so every branch of a `$or` must pin `source`: by exact names or `{prefix: aws.}`.",
        Fields(
            "event_pattern:\n  detail-type: [AWS API Call via CloudTrail]\n  detail: {eventName: [StopLogging]}\n",
        ),
        GOOD,
    ),
    warning(
        "pattern::forgeable-source",
        "Events of this source can be forged",
        "Anyone who can call `PutEvents` chooses the content of events of every source except `aws.*`.",
        Fields("event_pattern:\n  source: [com.example.orders]\n"),
        GOOD,
    ),
    error(
        "pattern::detail-type",
        "A detail type that CloudTrail doesn't have",
        "CloudTrail's events have one of seven detail types. A pattern with another spelling never matches.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Calls via CloudTrail]\n  detail: {eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    )
    .may_be_allowed(),
    warning(
        "pattern::sign-in-spelling",
        "Console sign-ins in one of two spellings",
        "AWS's guide prints `AWS Console Signin via CloudTrail`, but real events have `AWS Console Sign In via CloudTrail`. List both.",
        Fields("event_pattern:\n  source: [aws.signin]\n  detail-type: [AWS Console Sign In via CloudTrail]\n  detail:\n    eventSource: [signin.amazonaws.com]\n    eventName: [ConsoleLogin]\n    responseElements: {ConsoleLogin: [Success]}\n"),
        Fields("event_pattern:\n  source: [aws.signin]\n  detail-type: [AWS Console Sign In via CloudTrail, AWS Console Signin via CloudTrail]\n  detail:\n    eventSource: [signin.amazonaws.com]\n    eventName: [ConsoleLogin]\n    responseElements: {ConsoleLogin: [Success]}\n"),
    )
    .with_fix(),
    error(
        "pattern::case",
        "Upper and lower case",
        "EventBridge is case-sensitive here. The name exists with other capital letters, so the pattern never matches.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [stopLogging]\n    errorCode: [{exists: false}]\n"),
        GOOD,
    )
    .with_fix()
    .may_be_allowed(),
    warning(
        "pattern::unknown-event-source",
        "No service is known to record such events",
        "`eventSource` is the service's name followed by `.amazonaws.com`, in lower case. The table of services comes from botocore's models; allow the diagnostic for a newer service.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail: {eventSource: [cloudtrial.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    ),
    warning(
        "pattern::unknown-event-name",
        "The service is not known to record such events",
        "The service has no API call of that name: some IAM actions are named differently from their API calls, and some names belong to another service. The rule would never fire. The table comes from botocore's models, with additions for events that are not API calls; allow the diagnostic for a newer call.",
        Fields("event_pattern:\n  source: [aws.route53]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [route53.amazonaws.com]\n    eventName: [TransferDomainToAnotherAwsAccount]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.route53domains]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [route53domains.amazonaws.com]\n    eventName: [TransferDomainToAnotherAwsAccount]\n    errorCode: [{exists: false}]\n"),
    ),
    error(
        "pattern::source-mismatch",
        "`source` and `eventSource` belong to different services",
        "An event's `source` is `aws.` and the service's name as in `eventSource`. With two different services, no event has both.",
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [sts.amazonaws.com]\n    eventName: [AssumeRoot]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.sts]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [sts.amazonaws.com]\n    eventName: [AssumeRoot]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "pattern::read-only-call",
        "A call that only reads",
        "EventBridge delivers management events that begin with `List`, `Get` or `Describe` and are marked `readOnly` only to rules whose state requests all of them. Without `read_only: true` this name never matches. `GetFederationToken` and `GetSessionToken` are always delivered, and so are calls that read but are named otherwise, such as `AssumeRole` and `Decrypt`.",
        Fields("event_pattern:\n  source: [aws.secretsmanager]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [secretsmanager.amazonaws.com]\n    eventName: [GetSecretValue]\n    errorCode: [{exists: false}]\n"),
        Fields("read_only: true\nevent_pattern:\n  source: [aws.secretsmanager]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [secretsmanager.amazonaws.com]\n    eventName: [GetSecretValue]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "pattern::data-event",
        "A data event that the trail doesn't select",
        "Calls on the content of a resource, such as reading an object or invoking a function, are data events. A trail records them only if its selectors include them, and only then do they reach EventBridge. The trail that Gizmos deploys records management events.",
        Fields("event_pattern:\n  source: [aws.s3]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [s3.amazonaws.com]\n    eventName: [DeleteObjects]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.s3]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [s3.amazonaws.com]\n    eventName: [DeleteBucket]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "pattern::versioned-name",
        "A call that is recorded with its API's version",
        "CloudTrail records older calls of AWS Lambda as `AddPermission20150331v2`. A prefix matches every version.",
        Fields("event_pattern:\n  source: [aws.lambda]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [lambda.amazonaws.com]\n    eventName: [AddPermission]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.lambda]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [lambda.amazonaws.com]\n    eventName: [{prefix: AddPermission}]\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix()
    .may_be_allowed(),
    error(
        "pattern::global-region",
        "Events that don't appear in this Region",
        "IAM, Organizations, CloudFront and Route 53 are recorded in us-east-1, wherever the call is made. Console sign-ins are recorded in several Regions, and a list always misses some.",
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central-1]\n  detail:\n    eventSource: [iam.amazonaws.com]\n    eventName: [CreateUser]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [iam.amazonaws.com]\n    eventName: [CreateUser]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "pattern::partner-source",
        "Events of a partner, which arrive on another bus",
        "Events of SaaS partners (`aws.partner/…`) arrive on a partner event bus that the account's owner creates. Gizmos watches default buses, where such a rule would never fire.",
        Fields("event_pattern:\n  source: [aws.partner/example.com/alerts]\n  detail-type: [Alert]\n  detail: {state: [open]}\n"),
        GOOD,
    )
    .may_be_allowed(),
    warning(
        "pattern::empty-resources",
        "The `resources` of CloudTrail's events are empty",
        "Events from CloudTrail have an empty list `resources` in the envelope, so a condition on it never matches. The record has a list of its own, `detail.resources`, for some calls; `detail.requestParameters` names the resource for most.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  resources: [{wildcard: \"arn:aws:cloudtrail:*:trail/audit\"}]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    ),
    warning(
        "pattern::unknown-region",
        "No such Region",
        "The rule would never fire.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central1]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central-1]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
    ),
    error(
        "pattern::or-shadow",
        "A clause that another one replaces",
        "If a field appears both inside and outside of a `$or`, or twice, the later clause replaces the earlier one; EventBridge doesn't combine them. What looks narrower is wider.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [{prefix: Stop}]\n    $or:\n      - eventName: [StopLogging]\n      - requestParameters: {name: [audit]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [{prefix: Stop}]\n        requestParameters: {name: [audit]}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "pattern::exists-on-object",
        "`exists` on an object",
        "`exists` looks for a value that is neither an object nor a list. On an object, `true` never matches, and `false` always matches, even if the object is present.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: [{exists: true}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {creationDate: [{exists: true}]}}}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "pattern::missing-key",
        "`anything-but` where the field may be absent",
        "`anything-but` needs a value: an event without the field doesn't match, and no alert is sent. A root user has no user name, a refused call often no parameters. Add `{exists: false}`, or allow the diagnostic if the field is always present.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {userName: [{anything-but: [archive-job]}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {userName: [{anything-but: [archive-job]}, {exists: false}]}\n    errorCode: [{exists: false}]\n"),
    ),
    warning(
        "pattern::exclusion-in-list",
        "`anything-but` in a list",
        "In a list, `anything-but` matches as soon as one item differs; it doesn't require that all items differ.",
        Fields("event_pattern:\n  source: [aws.ec2]\n  detail-type: [EC2 Instance State-change Notification]\n  resources: [{anything-but: [arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0]}, {exists: false}]\n  detail: {state: [stopped]}\n"),
        Fields("event_pattern:\n  source: [aws.ec2]\n  detail-type: [EC2 Instance State-change Notification]\n  resources: [{suffix: instance/i-0123456789abcdef0}]\n  detail: {state: [stopped]}\n"),
    ),
    error(
        "pattern::always-matches",
        "A list that every value satisfies",
        "Items of a list are joined by \"or\". Two exclusions each match what the other excludes, and the same happens with an exclusion next to the value it excludes.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    awsRegion: [{anything-but: [us-west-1]}, {anything-but: [us-west-2]}]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    awsRegion: [{anything-but: [us-west-1, us-west-2]}]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "pattern::dotted-key",
        "A key with dots",
        "EventBridge splits keys at dots, so `a.b` means `b` inside `a`, and a pattern can't name a key that contains a dot.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity.type: [IAMUser]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    ),
    warning(
        "pattern::unknown-field",
        "A field that CloudTrail's records don't have",
        "No record has this field, so the clause never matches, or always matches if it tests for absence. Parameters and results of a call are below `requestParameters` and `responseElements`.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {Type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix(),
    error(
        "pattern::value-type",
        "A value whose type differs from that in events",
        "To EventBridge, the text `\"false\"` is not the boolean. CloudTrail writes `mfaAuthenticated` and `MFAUsed` as text and `readOnly` as a boolean; for other fields, the rule's test events show the type.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {mfaAuthenticated: [false]}}}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {mfaAuthenticated: [\"false\"]}}}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix()
    .may_be_allowed(),
    warning(
        "pattern::unknown-value",
        "A value that the field never has",
        "`userIdentity.type`, `eventType` and a few other fields have one of a few values.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [User]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    ),
    error(
        "pattern::success-filter",
        "A successful call has no `errorCode`",
        "The key is absent: it is neither null nor empty nor `Success`. Only `{exists: false}` matches such a call.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    errorCode: [null]\n"),
        GOOD,
    )
    .with_fix()
    .may_be_allowed(),
    error(
        "pattern::account-id",
        "Not an account id",
        "Account ids are text of 12 digits.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  account: [\"11122223333\"]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    )
    .may_be_allowed(),
    warning(
        "pattern::needless-wildcard",
        "A wildcard that another operator can replace",
        "An event bus can have 30 rules with `wildcard`, and AWS doesn't raise that quota. A star at the end is a prefix, a star at the beginning a suffix.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {arn: [{wildcard: \"*/alice\"}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {arn: [{suffix: /alice}]}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix(),
    warning(
        "pattern::redundant-value",
        "A value that another one covers",
        "It can be removed without changing what the pattern matches; often the other one is wider than intended.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging, {prefix: Stop}]\n    errorCode: [{exists: false}]\n"),
        GOOD,
    ),
    error(
        "pattern::never-matches",
        "A clause that no event can satisfy",
        "On EventBridge, a number with more digits than a double can represent equals nothing, not even itself.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    requestParameters: {size: [0.12345678901234567891]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    requestParameters: {size: [0.125]}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "pattern::redundant-branch",
        "A branch of a `$or` that another one covers",
        "It can be removed without changing what the pattern matches; often the other one is wider than intended.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    errorCode: [{exists: false}]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [StopLogging]\n        requestParameters: {name: [audit]}\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    errorCode: [{exists: false}]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [UpdateTrail]\n        requestParameters: {name: [audit]}\n"),
    ),
];
