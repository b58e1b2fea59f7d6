//! The table: questions, commands and answers.
//!
//! Commands use the variables and functions that the page `stacksets/PROBES.md` begins with: profiles
//! `management`, `hub`, `member` and `log-archive`, and a scratch queue.

use super::{Answer, Probe};

/// `QUESTION, WHY, COMMANDS, [SEEN => CHANGE]`
macro_rules! probe {
    ($name:ident $id:literal $automatic:literal: $question:literal, $why:literal, $commands:literal,
     $($seen:literal => $change:literal),+ $(,)?) => {
        pub(super) const $name: Probe = Probe {
            id: $id,
            question: $question,
            why: $why,
            is_automatic: $automatic,
            commands: $commands,
            answers: &[$(Answer { seen: $seen, change: $change }),+],
        };
    };
}

probe! { PUBLISH_ROLE "publish-with-role" true:
    "Can EventBridge publish with a role to a topic that has a customer managed key?",
    "Every alert takes this way unless `publish: policy` is set. The announcement of March 2025 and the \
     newest user guide say yes; older copies of the guide warn of keys.",
    "gizmos verify --org --probe --sample 1
# the dead letters of alerts and canaries, with AWS's error
aws sqs receive-message --profile hub --region $HOME_REGION --visibility-timeout 0 \\
  --queue-url https://sqs.$HOME_REGION.amazonaws.com/$HUB/gizmos-dead-letters \\
  --message-attribute-names All --max-number-of-messages 10",
    "canaries arrive" => "nothing",
    "EventBridge could not publish with the role" =>
        "set `publish: policy` in stacksets/organization.yaml and deploy; the other way to publish is \
         complete and needs no role",
}

probe! { TOPIC_SOURCE "source-at-topics" true:
    "Does a topic's policy see `aws:SourceArn` when EventBridge publishes without a role?",
    "With `publish: policy`, the topics' policies admit only rules of the hub's bus by this key.",
    "# with `publish: policy` deployed:
gizmos verify --org --probe --sample 1
# without: a scratch topic whose policy asks for the key, a rule without a role, and a scratch queue
scratch_queue hub
aws sns create-topic --profile hub --region $HOME_REGION --name scratch
aws sns set-topic-attributes --profile hub --region $HOME_REGION \\
  --topic-arn arn:aws:sns:$HOME_REGION:$HUB:scratch --attribute-name Policy --attribute-value \\
  '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"events.amazonaws.com\"},\"Action\":\"sns:Publish\",\"Resource\":\"arn:aws:sns:'$HOME_REGION:$HUB':scratch\",\"Condition\":{\"ArnLike\":{\"aws:SourceArn\":\"arn:aws:events:'$HOME_REGION:$HUB':rule/*\"}}}]}'
aws sns subscribe --profile hub --region $HOME_REGION --protocol sqs \\
  --topic-arn arn:aws:sns:$HOME_REGION:$HUB:scratch \\
  --notification-endpoint arn:aws:sqs:$HOME_REGION:$HUB:scratch
scratch_rule hub '{\"source\":[\"scratch\"]}' arn:aws:sns:$HOME_REGION:$HUB:scratch
scratch_event hub
read_scratch hub
aws sns delete-topic --profile hub --region $HOME_REGION --topic-arn arn:aws:sns:$HOME_REGION:$HUB:scratch
remove_scratch hub",
    "messages arrive" => "nothing",
    "the topic's policy refuses EventBridge" =>
        "stay with `publish: role` in stacksets/organization.yaml; if that fails, too, the statement \
         `RulesPublish` in stacksets/topics.json.j2 must do without `aws:SourceArn`, which admits rules of \
         every AWS account",
}

probe! { QUEUE "queue-with-sse-sqs-and-topics" true:
    "Does a queue with SSE-SQS accept messages from a topic?",
    "The canaries' queue is encrypted with SSE-SQS; if it refuses them, `verify` reports a broken chain.",
    "gizmos verify --org --probe --sample 1
aws cloudwatch get-metric-statistics --profile hub --region $HOME_REGION --namespace AWS/SNS \\
  --metric-name NumberOfNotificationsFailed --dimensions Name=TopicName,Value=gizmos-canary \\
  --statistics Sum --period 300 --start-time $(date -u -d '-1 hour' +%FT%TZ) --end-time $(date -u +%FT%TZ)",
    "canaries arrive" => "nothing",
    "the topic can't send to the queue" =>
        "give `CanaryQueue` in stacksets/topic.template.json.j2 the key of the topics (`KmsMasterKeyId`), \
         and the key's policy a statement for `sns.amazonaws.com`",
}

probe! { LINE_BREAKS "line-breaks-in-templates" true:
    "Does EventBridge keep the line breaks of an object template?",
    "Alerts have one line per field, so that e-mails are easy to read; an emulator delivers one line.",
    "gizmos verify --org --probe --sample 1",
    "line breaks stay" => "nothing",
    "line breaks are removed" =>
        "nothing breaks, but e-mails show alerts on one line: subscribe with a protocol whose client lays \
         out JSON, such as `https` or `sqs`",
}

probe! { RECORDED_NAMES "recorded-parameter-names" true:
    "Does CloudTrail record the names in a call of `ssm:DeleteParameters`?",
    "`verify --cloudtrail` recognizes its own call by them (`requestParameters.names`).",
    "aws ssm delete-parameters --profile member --region $MEMBER_REGION \\
  --names /gizmos/heartbeat-never-exists/probe
sleep 900
aws cloudtrail lookup-events --profile member --region $MEMBER_REGION --max-results 5 \\
  --lookup-attributes AttributeKey=EventName,AttributeValue=DeleteParameters \\
  --query 'Events[].CloudTrailEvent' --output text",
    "the names are recorded" => "nothing",
    "the names are not recorded" =>
        "the pattern of `CanaryKind::CloudTrail` in crates/compiler/src/canary.rs needs another call, whose \
         parameters are recorded; until then don't use `verify --cloudtrail`",
}

probe! { RECORDED_TIME "time-of-recorded-calls" true:
    "How long after a call does its event reach the default bus?",
    "`verify --cloudtrail` waits 15 minutes. AWS documents five minutes on average for log files, and \
     nothing for EventBridge.",
    "gizmos verify --org --probe --sample 20",
    "within 15 minutes" => "nothing",
    "later than 15 minutes" =>
        "raise `CLOUDTRAIL_PATIENCE` in crates/deployer/src/proof/mod.rs, and the retention of \
         `CanaryQueue` in stacksets/topic.template.json.j2 to more than twice as long",
}

probe! { TRAIL_KEY "trail-with-bucket-key" true:
    "Can CloudTrail write to a bucket with a Bucket Key under the key's policy, and does it need `kms:Decrypt`?",
    "AWS's pages disagree on who needs `kms:Decrypt`; the policy of the log key grants it to CloudTrail.",
    "aws cloudtrail get-trail-status --profile management --region $HOME_REGION --name gizmos \\
  --query '[IsLogging, LatestDeliveryTime, LatestDeliveryError]'
# whether it needs kms:Decrypt: remove it from the key's statement `TrailDescribesKey`, wait an hour, look
# again, and restore the policy that `gizmos drift --org` prints
aws kms get-key-policy --profile log-archive --region $HOME_REGION --policy-name default --output text \\
  --key-id $(aws kms describe-key --profile log-archive --region $HOME_REGION --key-id alias/gizmos-trail \\
  --query KeyMetadata.KeyId --output text)",
    "log files are delivered" =>
        "nothing; if they are without `kms:Decrypt`, too, the statement in stacksets/bucket.template.json.j2 \
         may do without it",
    "log files are refused" =>
        "remove `BucketKeyEnabled` from stacksets/bucket.template.json.j2; each object then costs a request \
         to KMS",
}

probe! { OPERATIONS "age-of-operations" true:
    "Does CloudFormation keep the operations of stack sets for longer than 90 days?",
    "Operations are numbered from the latest one on, and a run finds a killed run's operation by its number.",
    "aws cloudformation list-stack-set-operations --profile management --region $HOME_REGION \\
  --stack-set-name gizmos-bucket --query 'Summaries[-1]'",
    "they stay" => "nothing",
    "they disappear" =>
        "nothing: without any operation, numbers begin with the day's first \
         (crates/deployer/src/operation/number.rs); two runs on one day still see each other's",
}

probe! { SIGN_INS "regions-of-sign-ins" true:
    "In which Regions do sign-ins appear?",
    "Root users sign in in us-east-1. For federated users, roles and `SwitchRole`, no page says where, and \
     a rule about sign-ins alerts only in watched Regions.",
    "for region in $(aws account list-regions --profile management --region-opt-status-contains ENABLED \\
  ENABLED_BY_DEFAULT --query 'Regions[].RegionName' --output text); do
  aws cloudtrail lookup-events --profile management --region $region --max-results 50 \\
    --lookup-attributes AttributeKey=EventName,AttributeValue=ConsoleLogin \\
    --query \"Events[].['$region', Username]\" --output text
done",
    "all of them are in watched Regions" => "nothing",
    "some are in Regions that are not watched" =>
        "add these to `regions` in stacksets/organization.yaml, or set `regions: enabled`",
}

probe! { DEAD_LETTERS "queue-with-sse-sqs-and-eventbridge" false:
    "Does a queue with SSE-SQS accept dead letters from EventBridge?",
    "The spokes' dead-letter queues are encrypted with SSE-SQS. A page of EventBridge excludes queues \
     with a key that AWS owns as targets. If it means these, lost events leave no dead letter.",
    "# a rule of the member whose target refuses every event, with the spoke's dead-letter queue
queue=$(aws sqs list-queues --profile member --region $MEMBER_REGION \\
  --queue-name-prefix StackSet-gizmos-rules-spoke --query 'QueueUrls[0]' --output text)
aws events put-rule --profile member --region $MEMBER_REGION --name scratch \\
  --event-pattern '{\"source\":[\"scratch\"]}'
aws events put-targets --profile member --region $MEMBER_REGION --rule scratch --targets \\
  Id=1,Arn=arn:aws:sns:$MEMBER_REGION:$MEMBER:does-not-exist,DeadLetterConfig={Arn=arn:aws:sqs:$MEMBER_REGION:$MEMBER:${queue##*/}}
aws events put-events --profile member --region $MEMBER_REGION \\
  --entries '[{\"Source\":\"scratch\",\"DetailType\":\"scratch\",\"Detail\":\"{}\"}]'
sleep 60
aws sqs receive-message --profile member --region $MEMBER_REGION --queue-url $queue \\
  --message-attribute-names All --visibility-timeout 60
# remove the message with its receipt handle, then:
aws events remove-targets --profile member --region $MEMBER_REGION --rule scratch --ids 1
aws events delete-rule --profile member --region $MEMBER_REGION --name scratch",
    "the dead letter is in the queue" => "nothing",
    "it is not, and the rule's metric `InvocationsFailedToBeSentToDlq` is 1" =>
        "replace `SqsManagedSseEnabled` of `DeadLetters` in stacksets/responses.json.j2 by a customer \
         managed key, with the statement `EventBridgeEncrypts` of stacksets/topic.template.json.j2",
}

probe! { HUB_READ_ONLY "read-only-events-in-the-hub" false:
    "Does a rule on a custom bus need the state `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS` for read-only calls?",
    "The guide speaks of the default bus only. Rules about read-only calls have the state in the hub, too.",
    "scratch_queue hub
aws events create-event-bus --profile hub --region $HOME_REGION --name scratch
# forwards read-only calls of the hub account to the scratch bus; needs a role with events:PutEvents
aws events put-rule --profile hub --region $HOME_REGION --name scratch-forward \\
  --state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS \\
  --event-pattern '{\"source\":[\"aws.ec2\"],\"detail\":{\"eventName\":[\"DescribeVpcs\"]}}'
aws events put-targets --profile hub --region $HOME_REGION --rule scratch-forward \\
  --targets Id=1,Arn=arn:aws:events:$HOME_REGION:$HUB:event-bus/scratch,RoleArn=$ROLE
aws events put-rule --profile hub --region $HOME_REGION --event-bus-name scratch --name scratch \\
  --state ENABLED --event-pattern '{\"source\":[\"aws.ec2\"]}'
aws events put-targets --profile hub --region $HOME_REGION --event-bus-name scratch --rule scratch \\
  --targets Id=1,Arn=arn:aws:sqs:$HOME_REGION:$HUB:scratch
aws ec2 describe-vpcs --profile hub --region $HOME_REGION
sleep 900
read_scratch hub
aws events remove-targets --profile hub --region $HOME_REGION --event-bus-name scratch --rule scratch --ids 1
aws events delete-rule --profile hub --region $HOME_REGION --event-bus-name scratch --name scratch
aws events remove-targets --profile hub --region $HOME_REGION --rule scratch-forward --ids 1
aws events delete-rule --profile hub --region $HOME_REGION --name scratch-forward
aws events delete-event-bus --profile hub --region $HOME_REGION --name scratch
remove_scratch hub",
    "nothing arrives: the state is needed" => "nothing",
    "the event arrives: `ENABLED` is enough" =>
        "nothing breaks; `state` of the hub's rules in crates/compiler may be `ENABLED`",
}

probe! { READ_ONLY_NAMES "read-only-calls-of-other-names" false:
    "Do rules in state `ENABLED` get read-only calls whose names don't begin with Describe, Get or List?",
    "AWS's list of such calls (AssumeRole, Decrypt, LookupEvents and others) says so; rules about them are \
     `ENABLED`, and `match` and `backtest` count them as delivered.",
    "scratch_queue member
scratch_rule member '{\"source\":[\"aws.cloudtrail\"],\"detail\":{\"eventName\":[\"LookupEvents\"]}}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
aws cloudtrail lookup-events --profile member --region $MEMBER_REGION --max-results 1
sleep 900
read_scratch member
remove_scratch member",
    "the event arrives" => "nothing",
    "nothing arrives" =>
        "`Withheld` in crates/cloudtrail/src/delivery.rs must go by the flag alone; lints then ask for \
         `read_only: true` in rules about such calls",
}

probe! { SIGNIN_TOKEN "getsignintoken" false:
    "Is `GetSigninToken` delivered to rules in state `ENABLED`?",
    "Its record has `readOnly` false although its name begins with Get.",
    "scratch_queue member
scratch_rule member '{\"source\":[\"aws.signin\"],\"detail\":{\"eventName\":[\"GetSigninToken\"]}}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
# open the console with the access portal, which calls it, then:
sleep 900
read_scratch member
remove_scratch member",
    "the event arrives" => "nothing",
    "nothing arrives" =>
        "set `read_only: true` in rules about it, and add the name to the exceptions of \
         crates/cloudtrail/src/delivery.rs",
}

probe! { REPLAY "replay-name-after-a-hop" false:
    "Does an event that is replayed on a spoke's bus still have `replay-name` on the hub's bus?",
    "Forwarders leave replayed events out, so none should arrive. The answer says whether the hub's own \
     patterns would catch one that arrives all the same.",
    "aws events create-archive --profile member --region $MEMBER_REGION --archive-name scratch \\
  --event-source-arn arn:aws:events:$MEMBER_REGION:$MEMBER:event-bus/default \\
  --event-pattern '{\"source\":[\"gizmos.canary\"]}' --retention-days 1
gizmos verify --org --accounts $MEMBER --regions $MEMBER_REGION
sleep 900
scratch_queue hub
aws events put-rule --profile hub --region $HOME_REGION --event-bus-name gizmos --name scratch \\
  --event-pattern '{\"source\":[\"gizmos.canary\"]}'
aws events put-targets --profile hub --region $HOME_REGION --event-bus-name gizmos --rule scratch \\
  --targets Id=1,Arn=arn:aws:sqs:$HOME_REGION:$HUB:scratch
aws events start-replay --profile member --region $MEMBER_REGION --replay-name scratch \\
  --event-source-arn arn:aws:events:$MEMBER_REGION:$MEMBER:archive/scratch \\
  --event-start-time $(date -u -d '-1 hour' +%FT%TZ) --event-end-time $(date -u +%FT%TZ) \\
  --destination Arn=arn:aws:events:$MEMBER_REGION:$MEMBER:event-bus/default
sleep 120
read_scratch hub
aws events remove-targets --profile hub --region $HOME_REGION --event-bus-name gizmos --rule scratch --ids 1
aws events delete-rule --profile hub --region $HOME_REGION --event-bus-name gizmos --name scratch
aws events delete-archive --profile member --region $MEMBER_REGION --archive-name scratch
remove_scratch hub",
    "the event has `replay-name`" =>
        "nothing",
    "the event has none" =>
        "nothing; the clause in the hub's patterns (crates/compiler/src/deployed.rs) is of no use for \
         forwarded events",
}

probe! { NULLS "nulls-of-records" false:
    "Does an event have the nulls of CloudTrail's record, or are these fields absent?",
    "`exists: false` doesn't match null. No record of 28,024 has `errorCode: null`, but `responseElements` \
     and `requestParameters` are often null in log files.",
    "scratch_queue member
scratch_rule member '{\"source\":[\"aws.sts\",\"aws.ec2\",\"aws.iam\"],\"detail\":{\"$or\":[{\"requestParameters\":[null]},{\"responseElements\":[null]}]}}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
# use the account for an hour, then:
read_scratch member
remove_scratch member",
    "events have nulls" => "nothing",
    "no such event in an account that is used" =>
        "in rules that match null, match absence, too: `[null, {exists: false}]`",
}

probe! { RESOURCES "resources-of-recorded-calls" false:
    "Is the field `resources` of CloudTrail's events always empty?",
    "AWS's samples say so; a lint reports rules that match it.",
    "scratch_queue member
scratch_rule member '{\"detail-type\":[\"AWS API Call via CloudTrail\"],\"resources\":[{\"exists\":true}]}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
# use the account for an hour, then:
read_scratch member
remove_scratch member",
    "nothing arrives" => "nothing",
    "events with resources arrive" =>
        "the lint about `resources` in crates/rules/src/lint/checks/events.rs must except their services",
}

probe! { HEALTH "backup-events-of-health" false:
    "Is `detail.backupEvent` of AWS Health a boolean or a text?",
    "Health sends each event to a second Region as well; rules drop that copy in both notations.",
    "scratch_queue member
scratch_rule member '{\"source\":[\"aws.health\"]}' arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
# after the next event of AWS Health:
read_scratch member
remove_scratch member",
    "either" => "nothing: both are dropped",
}

probe! { FINDINGS "findings-of-members" false:
    "Do Macie and an organization's IAM Access Analyzer send members' findings to the administrator, too?",
    "For Security Hub, GuardDuty and Inspector AWS says so; `findings` in the organization file selects one \
     account for all of these services.",
    "# in the administrator account of the service, and in the member that has the finding
scratch_queue hub
scratch_rule hub '{\"source\":[\"aws.macie\",\"aws.access-analyzer\"]}' arn:aws:sqs:$HOME_REGION:$HUB:scratch
# make a finding in the member, such as a bucket that another account may read
read_scratch hub
remove_scratch hub",
    "the administrator has the event" => "nothing",
    "only the member has it" =>
        "take the service out of crates/compiler/src/findings.rs, because with `findings` its alerts would be lost",
}

probe! { TWO_TRAILS "events-of-two-trails" false:
    "Does an event come once if two trails record the call?",
    "Organizations that have a trail of their own would get every alert twice.",
    "aws cloudtrail describe-trails --profile member --region $MEMBER_REGION --include-shadow-trails
scratch_queue member
scratch_rule member '{\"detail\":{\"eventName\":[\"DeleteParameters\"]}}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
aws ssm delete-parameters --profile member --region $MEMBER_REGION --names /scratch/never-exists
sleep 900
read_scratch member
remove_scratch member",
    "one message" => "nothing",
    "as many messages as trails" =>
        "record with one trail only: `doctor` lists the others (`trail` in stacksets/organization.yaml)",
}

probe! { EXCLUDED "excluded-event-sources" false:
    "Are event sources that a trail excludes withheld from EventBridge, too?",
    "`verify` and `drift` report a trail that leaves out management events, such as those of KMS.",
    "# on a trail of the member, which excludes KMS:
aws cloudtrail put-event-selectors --profile member --region $MEMBER_REGION --trail-name $TRAIL \\
  --event-selectors '[{\"ReadWriteType\":\"All\",\"IncludeManagementEvents\":true,\"ExcludeManagementEventSources\":[\"kms.amazonaws.com\"]}]'
scratch_queue member
scratch_rule member '{\"source\":[\"aws.kms\"]}' arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
# in an account without another trail: create and schedule a key for deletion, wait 15 minutes
read_scratch member
remove_scratch member",
    "nothing arrives" => "nothing",
    "events arrive" =>
        "crates/deployer/src/health/trail.rs may report it as a hint instead of a broken link",
}

probe! { UNDELIVERED "events-without-log-files" false:
    "Do events still come if CloudTrail can't write log files?",
    "A delivery error is reported as a broken link, although alerts may still come.",
    "# in a test organization: deny cloudtrail.amazonaws.com in the policy of the log bucket, then
gizmos verify --org --cloudtrail --sample 1",
    "canaries arrive" =>
        "crates/deployer/src/health/trail.rs may say that alerts still come",
    "the CloudTrail canary is lost" => "nothing",
}

probe! { SHADOW_TRAIL "selectors-of-a-members-trail" false:
    "Can a member read the event selectors of the organization trail?",
    "If so, a sample of members could confirm what the management account reads.",
    "aws cloudtrail get-event-selectors --profile member --region $HOME_REGION \\
  --trail-name arn:aws:cloudtrail:$HOME_REGION:$MANAGEMENT:trail/gizmos",
    "refused" => "nothing",
    "answered" => "`verify` could read them with the access role, too (crates/deployer/src/health/trail.rs)",
}

probe! { REGION_DENY "region-of-forwarded-events" false:
    "Which `aws:RequestedRegion` has a forwarder that sends to a bus in another Region?",
    "A service control policy that denies Regions by this key may stop forwarding.",
    "# an organizational unit whose policy denies all but $MEMBER_REGION, then all but $HOME_REGION:
gizmos verify --org --accounts $MEMBER --regions $MEMBER_REGION",
    "the hub's Region: both must be allowed" =>
        "nothing; exempt roles with the path /gizmos/ from such policies",
    "the spoke's Region" => "nothing",
}

probe! { NESTED_OR "nested-or" false:
    "How deep may `$or` stand within `$or`?",
    "Patterns of forwarders nest it up to five levels. AWS's open-source engine sets no bound, and no page \
     of the service names one.",
    "gizmos compile --regions $HOME_REGION,$MEMBER_REGION --out compiled
event='{\"id\":\"1\",\"account\":\"'$MEMBER'\",\"region\":\"'$MEMBER_REGION'\",\"source\":\"aws.ec2\",\"time\":\"2026-11-30T00:00:00Z\",\"detail-type\":\"AWS API Call via CloudTrail\",\"resources\":[],\"detail\":{}}'
jq -r '.Resources[] | select(.Type == \"AWS::Events::Rule\") | .Properties.EventPattern | tojson' \\
  compiled/gizmos-rules-spoke*.template.json | while read -r pattern; do
  aws events test-event-pattern --profile member --region $MEMBER_REGION \\
    --event-pattern \"$pattern\" --event \"$event\"
done",
    "each answer has a `Result`" => "nothing",
    "`InvalidEventPatternException` about `$or`" =>
        "`grouped` in crates/eventbridge-pattern/src/union.rs must group to that depth at most; until then \
         deployment of spokes fails, and nothing that runs is changed",
}

probe! { STACK_SETS_CALLER "caller-of-stack-sets" false:
    "Which `userIdentity` do calls have that StackSets make in a member account?",
    "Self-protection rules leave out calls of roles with the prefix `stacksets-exec-` that CloudFormation \
     makes (`invokedBy`), so that a deployment alerts nobody.",
    "gizmos deploy --org
sleep 900
aws cloudtrail lookup-events --profile member --region $MEMBER_REGION --max-results 5 \\
  --lookup-attributes AttributeKey=EventName,AttributeValue=PutRule \\
  --query 'Events[].CloudTrailEvent' --output text | jq .userIdentity",
    "`sessionIssuer.userName` has the prefix, and `invokedBy` is cloudformation.amazonaws.com" => "nothing",
    "something else" =>
        "each deployment alerts: put what is seen into the exemption of the rules in rules/self-protection",
}

probe! { ALARM_SOURCE "source-of-alarms" false:
    "Does a topic's policy see `aws:SourceArn` and `aws:SourceAccount` when an alarm publishes?",
    "The topic `gizmos-dead-letter-alarms` admits one alarm by these keys.",
    "alarm=$(aws cloudwatch describe-alarms --profile hub --region $HOME_REGION \\
  --alarm-name-prefix StackSet-gizmos-topic --query 'MetricAlarms[0].AlarmName' --output text)
aws cloudwatch set-alarm-state --profile hub --region $HOME_REGION --alarm-name \"$alarm\" \\
  --state-value ALARM --state-reason 'a test'
aws cloudwatch describe-alarm-history --profile hub --region $HOME_REGION --alarm-name \"$alarm\" \\
  --history-item-type Action --max-records 1",
    "the action succeeded, and subscribers have a message" => "nothing",
    "the action failed" =>
        "the statement `AlarmPublishes` in stacksets/topics.json.j2 must do without the key that is missing",
}

probe! { RUNBOOK "calls-of-the-runbook" false:
    "Which Describe calls does `AWS-StartEC2Instance` make?",
    "The role of the stop-protection response may make both that could be meant.",
    "# stop an instance that the response protects, then:
aws cloudtrail lookup-events --profile member --region $MEMBER_REGION --max-results 50 \\
  --lookup-attributes AttributeKey=EventName,AttributeValue=DescribeInstanceStatus \\
  --query 'Events[].Username' --output text
aws cloudtrail lookup-events --profile member --region $MEMBER_REGION --max-results 50 \\
  --lookup-attributes AttributeKey=EventName,AttributeValue=DescribeInstances \\
  --query 'Events[].Username' --output text",
    "both" => "nothing",
    "one of them" => "remove the other from `start-tagged-instances` in stacksets/responses.json.j2",
}

probe! { AUTOMATION "permission-to-start-the-runbook" false:
    "On which resources is EventBridge authorized when it starts an automation?",
    "The role grants the document, the execution and the definition; AWS's reference requires the first two.",
    "# stop an instance that the response protects; after 15 minutes:
aws ssm describe-automation-executions --profile member --region $MEMBER_REGION \\
  --filters Key=DocumentNamePrefix,Values=AWS-StartEC2Instance
gizmos drift --org --accounts $MEMBER --only chain",
    "the automation ran" => "nothing",
    "a dead letter names another resource" =>
        "add it to `start-automation` in stacksets/responses.json.j2",
}

probe! { OPERATION_IDS "scope-of-operation-ids" false:
    "Is an operation's id unique in its stack set or in the account, and may it be used again?",
    "Ids contain the stack set's name and a number, so that either is right.",
    "for set in gizmos-bucket gizmos-topic; do
  aws cloudformation detect-stack-set-drift --profile management --region $HOME_REGION \\
    --stack-set-name $set --operation-id scratch-1
done",
    "either" => "nothing: no id is used twice in the account",
}

probe! { POLICIES "permissions-of-commands" false:
    "Do the policies of `gizmos permissions` suffice?",
    "They are made from the reference and from the schemas of resource types, and were only tried on a \
     simulator.",
    "gizmos permissions deploy --out policies
aws iam create-role --profile management --role-name gizmos-deploy --assume-role-policy-document \\
  '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::'$MANAGEMENT':root\"},\"Action\":\"sts:AssumeRole\"}]}'
for file in policies/gizmos-deploy.json policies/gizmos-deploy-[0-9].json; do
  [ -e $file ] && aws iam put-role-policy --profile management --role-name gizmos-deploy \\
    --policy-name $(basename $file .json) --policy-document file://$file
done
# with a profile of this role:
AWS_PROFILE=gizmos-deploy gizmos doctor --org && AWS_PROFILE=gizmos-deploy gizmos deploy --org",
    "every command succeeds" => "nothing",
    "a call is denied" =>
        "add the action or resource to its row in crates/deployer/src/permissions/table.rs",
}

probe! { EXCLUDED_ACCOUNTS "stacks-of-excluded-accounts" false:
    "Does an account that is excluded get its stacks when another account joins?",
    "With `exclude_accounts`, automatic deployment is off, so that nothing gets any.",
    "# in a stack set with automatic deployment and an account filter, after another account has joined:
aws cloudformation list-stack-instances --profile management --region $HOME_REGION \\
  --stack-set-name $SCRATCH_SET --stack-instance-account $MEMBER",
    "either" => "nothing: automatic deployment is off whenever an account is excluded",
}

probe! { NEW_ACCOUNTS "time-of-automatic-deployment" false:
    "How long after an account has joined does automatic deployment finish?",
    "`drift` reports missing stack instances of a new account as differences.",
    "aws organizations describe-account --profile management --account-id $MEMBER \\
  --query Account.JoinedTimestamp
aws cloudformation list-stack-instances --profile management --region $HOME_REGION \\
  --stack-set-name gizmos-rules-spoke --stack-instance-account $MEMBER
aws cloudformation describe-stacks --profile member --region $MEMBER_REGION \\
  --query \"Stacks[?starts_with(StackName, 'StackSet-gizmos')].[StackName, CreationTime]\"",
    "within an hour" => "nothing",
    "later" => "run `gizmos deploy --org` for new accounts instead of waiting",
}

probe! { DRIFT_EVENTS "drift-events-in-members" false:
    "Does CloudFormation send an event in the member account if a stack set's drift detection finds drift?",
    "The rules in stacksets/drift-rules alert on it when `drift_schedule` is set.",
    "scratch_queue member
scratch_rule member '{\"source\":[\"aws.cloudformation\"],\"detail-type\":[\"CloudFormation Drift Detection Status Change\"]}' \\
  arn:aws:sqs:$MEMBER_REGION:$MEMBER:scratch
aws cloudformation detect-stack-set-drift --profile management --region $HOME_REGION \\
  --stack-set-name gizmos-rules-spoke
read_scratch member
remove_scratch member",
    "an event per stack" => "nothing",
    "no event" =>
        "the rule about drifted stacks never fires: run `gizmos drift --org` from CI instead of \
         `drift_schedule`",
}

probe! { SCHEDULE_CALLER "caller-of-scheduled-calls" false:
    "Which `userIdentity` has a call that EventBridge Scheduler makes?",
    "`drift_schedule` starts drift detection with a role; a rule that exempts it goes by this identity.",
    "aws cloudtrail lookup-events --profile management --region $HOME_REGION --max-results 5 \\
  --lookup-attributes AttributeKey=EventName,AttributeValue=DetectStackSetDrift \\
  --query 'Events[].CloudTrailEvent' --output text",
    "the schedule's role (`AssumedRole`, with `sessionIssuer`)" => "nothing",
    "another identity" => "in rules that exempt the schedule, use the identity that is seen",
}

probe! { PARTITIONS "other-partitions" false:
    "In China, GovCloud and the European Sovereign Cloud: in which Region do IAM and sign-ins appear, may a bus be in another Region, and do StackSets have trusted access?",
    "Documents of these partitions are silent or contradict each other. The hub topology needs the last two.",
    "aws cloudtrail lookup-events --profile management --region $HOME_REGION \\
  --lookup-attributes AttributeKey=EventSource,AttributeValue=iam.amazonaws.com --max-results 1
aws organizations list-aws-service-access-for-organization --profile management
gizmos doctor --org && gizmos verify --org --sample 1",
    "IAM appears in a watched Region, and canaries arrive" => "nothing",
    "canaries of other Regions are lost" => "set `topology: local` in stacksets/organization.yaml",
    "trusted access is refused" => "Gizmos can't deploy there, because it deploys stack sets of an organization",
}

/// Every probe: first those that `verify --probe` asks.
pub const PROBES: &[Probe] = &[
    PUBLISH_ROLE,
    TOPIC_SOURCE,
    QUEUE,
    LINE_BREAKS,
    RECORDED_NAMES,
    RECORDED_TIME,
    TRAIL_KEY,
    OPERATIONS,
    SIGN_INS,
    DEAD_LETTERS,
    HUB_READ_ONLY,
    READ_ONLY_NAMES,
    SIGNIN_TOKEN,
    REPLAY,
    NULLS,
    RESOURCES,
    HEALTH,
    FINDINGS,
    TWO_TRAILS,
    EXCLUDED,
    UNDELIVERED,
    SHADOW_TRAIL,
    REGION_DENY,
    NESTED_OR,
    STACK_SETS_CALLER,
    ALARM_SOURCE,
    RUNBOOK,
    AUTOMATION,
    OPERATION_IDS,
    POLICIES,
    EXCLUDED_ACCOUNTS,
    NEW_ACCOUNTS,
    DRIFT_EVENTS,
    SCHEDULE_CALLER,
    PARTITIONS,
];
