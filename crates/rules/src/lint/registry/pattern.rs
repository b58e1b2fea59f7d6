//! The field `event_pattern`.

use super::lint::Example::{self, Fields};
use super::lint::{Lint, error, warning};

const GOOD: Example = Fields("");

pub(super) const LINTS: &[Lint] = &[
    error(
        "eventbridge_pattern::invalid",
        "EventBridge would refuse the pattern",
        "The message is what EventBridge would answer, and the place is where.",
        Fields("event_pattern:\n  source: [{prefx: aws.}]\n"),
        GOOD,
    ),
    error(
        "eventbridge_pattern::source",
        "The pattern doesn't pin `source`",
        "Whoever may call `PutEvents` in an account can invent events of any source but `aws.*`. A pattern that leaves the source open can be fed with them, so `source` is pinned in every branch of a `$or`: by exact names or `{prefix: aws.}`.",
        Fields(
            "event_pattern:\n  detail-type: [AWS API Call via CloudTrail]\n  detail: {eventName: [StopLogging]}\n",
        ),
        GOOD,
    ),
    warning(
        "eventbridge_pattern::forgeable-source",
        "Events of this source can be forged",
        "Whoever may call `PutEvents` chooses the content of events of every source but `aws.*`.",
        Fields("event_pattern:\n  source: [com.example.orders]\n"),
        GOOD,
    ),
    error(
        "eventbridge_pattern::detail-type",
        "A detail type that CloudTrail doesn't have",
        "CloudTrail sends events with seven detail types. A pattern with another spelling never matches.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Calls via CloudTrail]\n  detail: {eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::sign-in-spelling",
        "Console sign-ins in one of two spellings",
        "AWS's guide prints `AWS Console Signin via CloudTrail`, real events have `AWS Console Sign In via CloudTrail`. List both.",
        Fields("event_pattern:\n  source: [aws.signin]\n  detail-type: [AWS Console Sign In via CloudTrail]\n  detail:\n    eventSource: [signin.amazonaws.com]\n    eventName: [ConsoleLogin]\n    responseElements: {ConsoleLogin: [Success]}\n"),
        Fields("event_pattern:\n  source: [aws.signin]\n  detail-type: [AWS Console Sign In via CloudTrail, AWS Console Signin via CloudTrail]\n  detail:\n    eventSource: [signin.amazonaws.com]\n    eventName: [ConsoleLogin]\n    responseElements: {ConsoleLogin: [Success]}\n"),
    )
    .with_fix(),
    error(
        "eventbridge_pattern::case",
        "Upper and lower case",
        "EventBridge compares case by case. The name exists, in another spelling, so the pattern never matches.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [stopLogging]\n    errorCode: [{exists: false}]\n"),
        GOOD,
    )
    .with_fix()
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::unknown-event-source",
        "No service is known to record such events",
        "`eventSource` is the service's name with `.amazonaws.com` behind it, in small letters. The table of services is made from botocore's models; a service that is newer can be allowed.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail: {eventSource: [cloudtrial.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    ),
    warning(
        "eventbridge_pattern::unknown-event-name",
        "The service is not known to record such events",
        "A name that no API of the service has, such as an IAM action that isn't named like its call, or a call of another service. The rule would never fire. The table is made from botocore's models, with additions for events that are no API calls; a call that is newer can be allowed.",
        Fields("event_pattern:\n  source: [aws.route53]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [route53.amazonaws.com]\n    eventName: [TransferDomainToAnotherAwsAccount]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.route53domains]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [route53domains.amazonaws.com]\n    eventName: [TransferDomainToAnotherAwsAccount]\n    errorCode: [{exists: false}]\n"),
    ),
    error(
        "eventbridge_pattern::source-mismatch",
        "`source` and `eventSource` belong to different services",
        "An event's `source` is `aws.` and the service's name as in `eventSource`. With two different services no event has both.",
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [sts.amazonaws.com]\n    eventName: [AssumeRoot]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.sts]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [sts.amazonaws.com]\n    eventName: [AssumeRoot]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "eventbridge_pattern::read-only-call",
        "A call that only reads",
        "EventBridge keeps management events that begin with `List`, `Get` or `Describe` from rules, unless their state asks for all of them. Without `read_only: true` this name never matches. `GetFederationToken` and `GetSessionToken` are delivered all the same.",
        Fields("event_pattern:\n  source: [aws.secretsmanager]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [secretsmanager.amazonaws.com]\n    eventName: [GetSecretValue]\n    errorCode: [{exists: false}]\n"),
        Fields("read_only: true\nevent_pattern:\n  source: [aws.secretsmanager]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [secretsmanager.amazonaws.com]\n    eventName: [GetSecretValue]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "eventbridge_pattern::data-event",
        "A data event, which the trail doesn't select",
        "Calls on the content of a resource, such as reading an object or invoking a function, are data events. A trail records them only if its selectors say so, and only then they reach EventBridge. The trail that Gizmos deploys records management events.",
        Fields("event_pattern:\n  source: [aws.s3]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [s3.amazonaws.com]\n    eventName: [DeleteObjects]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.s3]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [s3.amazonaws.com]\n    eventName: [DeleteBucket]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "eventbridge_pattern::versioned-name",
        "A call that is recorded with its API's version",
        "CloudTrail records older calls of AWS Lambda as `AddPermission20150331v2`. A prefix finds them whatever the version.",
        Fields("event_pattern:\n  source: [aws.lambda]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [lambda.amazonaws.com]\n    eventName: [AddPermission]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.lambda]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [lambda.amazonaws.com]\n    eventName: [{prefix: AddPermission}]\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix()
    .may_be_allowed(),
    error(
        "eventbridge_pattern::global-region",
        "Events that don't appear in this Region",
        "IAM, Organizations, CloudFront and Route 53 are recorded in us-east-1, wherever the call is made. Console sign-ins are recorded in several Regions, of which a list always misses some.",
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central-1]\n  detail:\n    eventSource: [iam.amazonaws.com]\n    eventName: [CreateUser]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.iam]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [iam.amazonaws.com]\n    eventName: [CreateUser]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::unknown-region",
        "No such Region",
        "The rule would never fire.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central1]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  region: [eu-central-1]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
    ),
    error(
        "eventbridge_pattern::or-shadow",
        "A clause that another one replaces",
        "If a field stands inside and outside of a `$or`, or twice, the later clause replaces the earlier one; they are not joined. What looks like a narrowing is a widening.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [{prefix: Stop}]\n    $or:\n      - eventName: [StopLogging]\n      - requestParameters: {name: [audit]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [{prefix: Stop}]\n        requestParameters: {name: [audit]}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    error(
        "eventbridge_pattern::exists-on-object",
        "`exists` on an object",
        "`exists` asks for a value that is no object and no list. On an object `true` never matches and `false` always does, also where the object is there.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: [{exists: true}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {creationDate: [{exists: true}]}}}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::missing-key",
        "`anything-but` where the field may be absent",
        "`anything-but` needs a value: an event without the field doesn't match, and no alert is sent. A root user has no user name, a refused call often no parameters. Add `{exists: false}`, or allow it where the field is always there.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {userName: [{anything-but: [archive-job]}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {userName: [{anything-but: [archive-job]}, {exists: false}]}\n    errorCode: [{exists: false}]\n"),
    ),
    warning(
        "eventbridge_pattern::exclusion-in-list",
        "`anything-but` in a list",
        "In a list `anything-but` matches as soon as one item is something else; it doesn't ask that all are.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  resources: [{anything-but: [arn:aws:cloudtrail:eu-central-1:111122223333:trail/test]}, {exists: false}]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  resources: [{suffix: trail/audit}]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
    ),
    error(
        "eventbridge_pattern::always-matches",
        "A list that every value satisfies",
        "Items of a list are joined by \"or\". Two exclusions let in what the other excludes, and so does an exclusion beside the very value it excludes.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    awsRegion: [{anything-but: [us-west-1]}, {anything-but: [us-west-2]}]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    awsRegion: [{anything-but: [us-west-1, us-west-2]}]\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::dotted-key",
        "A key with dots",
        "EventBridge takes keys apart at their dots, so `a.b` is the same as `b` inside of `a`, and a key of an event that really has a dot can't be told from it.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity.type: [IAMUser]\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    ),
    warning(
        "eventbridge_pattern::unknown-field",
        "A field that CloudTrail's records don't have",
        "The fields at the top of a record and those of `userIdentity` are known; the clause never matches, or always if it asks for absence. What a call is given and returns is below `requestParameters` and `responseElements`.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {Type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix(),
    error(
        "eventbridge_pattern::value-type",
        "A value of another type than events have",
        "EventBridge never takes the text `\"false\"` for the boolean. CloudTrail writes `mfaAuthenticated` and `MFAUsed` as texts, `readOnly` as a boolean; for other fields the rule's own test events tell.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {mfaAuthenticated: [false]}}}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {sessionContext: {attributes: {mfaAuthenticated: [\"false\"]}}}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix()
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::unknown-value",
        "A word that the field never is",
        "`userIdentity.type`, `eventType` and a few other fields take one of a few words.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [User]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {type: [IAMUser]}\n    errorCode: [{exists: false}]\n"),
    ),
    error(
        "eventbridge_pattern::success-filter",
        "A call that worked has no `errorCode`",
        "The key is absent: it is neither null nor empty nor `Success`. Only `{exists: false}` finds it.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    errorCode: [null]\n"),
        GOOD,
    )
    .with_fix()
    .may_be_allowed(),
    error(
        "eventbridge_pattern::account-id",
        "Not an account id",
        "Account ids are texts of 12 digits.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  account: [\"11122223333\"]\n  detail: {eventSource: [cloudtrail.amazonaws.com], eventName: [StopLogging], errorCode: [{exists: false}]}\n"),
        GOOD,
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::needless-wildcard",
        "A wildcard that another operator can replace",
        "An event bus takes 30 rules with `wildcard`, and AWS doesn't raise that quota. A star at the end is a prefix, one at the beginning a suffix.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {arn: [{wildcard: \"*/alice\"}]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    userIdentity: {arn: [{suffix: /alice}]}\n    errorCode: [{exists: false}]\n"),
    )
    .with_fix(),
    warning(
        "eventbridge_pattern::redundant-value",
        "A value that another one covers",
        "It can be removed without changing what the pattern matches; often the other one is wider than meant.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging, {prefix: Stop}]\n    errorCode: [{exists: false}]\n"),
        GOOD,
    ),
    error(
        "eventbridge_pattern::never-matches",
        "A clause that no event can satisfy",
        "Numbers of more digits than a double holds are equal to nothing on EventBridge, not even to themselves.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    requestParameters: {size: [0.12345678901234567891]}\n    errorCode: [{exists: false}]\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    requestParameters: {size: [0.125]}\n    errorCode: [{exists: false}]\n"),
    )
    .may_be_allowed(),
    warning(
        "eventbridge_pattern::redundant-branch",
        "A branch of a `$or` that another one covers",
        "It can be removed without changing what the pattern matches; often the other one is wider than meant.",
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    errorCode: [{exists: false}]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [StopLogging]\n        requestParameters: {name: [audit]}\n"),
        Fields("event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    errorCode: [{exists: false}]\n    $or:\n      - eventName: [StopLogging]\n      - eventName: [UpdateTrail]\n        requestParameters: {name: [audit]}\n"),
    ),
];
