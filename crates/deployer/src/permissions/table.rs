//! The table: see the [module](super) for how a call gets into it.

use super::Command::{Deploy, Drift, Plan, Verify};
use super::Holder::{AccessRole, Caller, Management};
use super::On::{
    AccessRoles, Alarms, Anything, ArtifactBucket, ArtifactObjects, CanaryParameters, ChangeSets,
    DefaultBuses, ExistingTrail, HubAlarms, HubBus, HubKeys, HubTopics, InstanceStacks,
    ManagementAccessRole, MemberCanaryParameters, MemberDefaultBuses, MemberQueues, MemberRules,
    MemberTopics, OwnRole, Queues, ResourceTypes, Roles, RolesForEvents, RolesForScheduler, Rules,
    Schedules, StackSetTargets, StackSets, Stacks, Topics, Trail, TrailRole,
};
use super::Row;

/// `HOLDER: "ACTION" [of ["WHO CALLS IT"]] on [RESOURCES] for [COMMANDS];`
macro_rules! rows {
    ($(
        $holder:ident: $action:literal $(of [$($of:literal)+])? on [$($on:ident)+]
        for [$($command:ident)*];
    )+) => {
        &[$(
            Row {
                holder: $holder,
                action: $action,
                of: &[$($($of),+)?],
                on: &[$($on),+],
                commands: &[$($command),*],
            }
        ),+]
    };
}

/// Every action of every command.
pub const ROWS: &[Row] = rows! {
    // The organization.
    Caller: "sts:GetCallerIdentity" on [Anything] for []; // allowed to everybody
    Caller: "organizations:DescribeOrganization" on [Anything] for [Plan Drift Deploy Verify];
    Caller: "organizations:ListAccounts" on [Anything] for [Plan Drift Deploy Verify];
    // For endpoints whose `ListAccounts` leaves out the paths.
    Caller: "organizations:ListRoots" on [Anything] for [Plan Drift Deploy Verify];
    Caller: "organizations:ListAccountsForParent" on [Anything] for [Plan Drift Deploy Verify];
    Caller: "organizations:ListOrganizationalUnitsForParent" on [Anything] for [Plan Drift Deploy Verify];
    Caller: "organizations:ListDelegatedAdministrators" on [Anything] for [Plan Drift Deploy];
    Caller: "organizations:ListAWSServiceAccessForOrganization" on [Anything] for [Plan Deploy];
    Caller: "iam:SimulatePrincipalPolicy" on [OwnRole] for [Plan Deploy];
    Caller: "sts:AssumeRole" on [AccessRoles] for [Plan Drift Deploy Verify];
    Caller: "sts:AssumeRole" on [ManagementAccessRole] for [Plan Drift Deploy Verify];
    Management: "account:ListRegions" on [Anything] for [Plan Drift Deploy Verify];

    // Stack sets.
    Caller: "cloudformation:DescribeOrganizationsAccess" on [Anything] for [Plan Drift Deploy];
    Caller: "cloudformation:ListStackSets" on [Anything] for [Plan Drift Deploy];
    Caller: "cloudformation:DescribeStackSet" on [StackSets] for [Plan Drift Deploy];
    Caller: "cloudformation:DescribeStackSetOperation" on [StackSets] for [Plan Drift Deploy];
    Caller: "cloudformation:ListStackInstances" on [StackSets] for [Plan Drift Deploy];
    Caller: "cloudformation:ListStackSetOperations" on [StackSets] for [Plan Drift Deploy Verify];
    Caller: "cloudformation:ListStackSetOperationResults" on [StackSets] for [Drift Deploy];
    Caller: "cloudformation:DetectStackSetDrift" on [StackSets] for [Drift Deploy];
    Caller: "cloudformation:ListStackInstanceResourceDrifts" on [StackSets] for [Drift Deploy];
    Caller: "cloudformation:CreateStackSet" on [Anything] for [Deploy];
    Caller: "cloudformation:UpdateStackSet" on [StackSets StackSetTargets ResourceTypes] for [Deploy];
    Caller: "cloudformation:CreateStackInstances" on [StackSets StackSetTargets ResourceTypes] for [Deploy];
    Caller: "cloudformation:UpdateStackInstances" on [StackSets StackSetTargets ResourceTypes] for [Deploy];
    Caller: "cloudformation:DeleteStackInstances" on [StackSets StackSetTargets ResourceTypes] for [Deploy];
    Caller: "cloudformation:DeleteStackSet" on [StackSets] for [Deploy];
    Caller: "cloudformation:StopStackSetOperation" on [StackSets] for [Deploy];
    Caller: "cloudformation:TagResource" of ["cloudformation:CreateStackSet"] on [StackSets] for [Deploy];
    Caller: "cloudformation:UntagResource" of ["cloudformation:UpdateStackSet"] on [StackSets] for [Deploy];

    // The management account's stacks.
    Management: "cloudformation:DescribeAccountLimits" on [Anything] for [Plan Deploy];
    // Without a stack's name, which takes `*` and `ListStacks` as well.
    Management: "cloudformation:DescribeStacks" on [Anything] for [Plan Drift Deploy];
    Management: "cloudformation:ListStacks" of ["cloudformation:DescribeStacks"] on [Anything] for [Plan Drift Deploy];
    Management: "cloudformation:GetTemplate" on [Stacks] for [Plan Drift Deploy];
    Management: "cloudformation:DetectStackDrift" on [Stacks] for [Drift Deploy];
    Management: "cloudformation:DescribeStackDriftDetectionStatus" on [Anything] for [Drift Deploy];
    Management: "cloudformation:DescribeStackResourceDrifts" on [Stacks] for [Drift Deploy];
    Management: "cloudformation:CreateChangeSet" on [Stacks] for [Deploy];
    Management: "cloudformation:DescribeChangeSet" on [Stacks] for [Deploy];
    Management: "cloudformation:ExecuteChangeSet" on [Stacks] for [Deploy];
    Management: "cloudformation:DeleteChangeSet" on [Stacks] for [Deploy];
    Management: "cloudformation:DeleteStack" on [Stacks] for [Deploy];
    Management: "cloudformation:DescribeStackEvents" on [Stacks] for [Deploy];
    Management: "cloudformation:TagResource" of ["cloudformation:CreateChangeSet"] on [Stacks ChangeSets] for [Deploy];
    Management: "cloudformation:UntagResource" of ["cloudformation:CreateChangeSet"] on [Stacks ChangeSets] for [Deploy];

    // The alert chain, as far as it is in the management account.
    Management: "cloudtrail:DescribeTrails" on [Anything] for [Plan Deploy];
    Management: "cloudtrail:GetTrail" on [Trail] for [Drift Deploy Verify];
    Management: "cloudtrail:GetTrailStatus" on [Trail] for [Drift Deploy Verify];
    Management: "cloudtrail:GetEventSelectors" on [Trail] for [Drift Deploy Verify];
    // An existing trail is looked at before a deployment, too, and in a few members.
    Management: "cloudtrail:GetTrail" on [ExistingTrail] for [Plan Drift Deploy Verify];
    Management: "cloudtrail:GetTrailStatus" on [ExistingTrail] for [Plan Drift Deploy Verify];
    Management: "cloudtrail:GetEventSelectors" on [ExistingTrail] for [Plan Drift Deploy Verify];
    AccessRole: "cloudtrail:GetTrailStatus" on [ExistingTrail] for [Plan Drift Deploy Verify];
    Management: "events:ListRules" on [Anything] for [Drift Deploy Verify];
    Management: "events:ListTargetsByRule" on [Rules] for [Drift Deploy Verify];
    Management: "iam:GetAccountAuthorizationDetails" on [Anything] for [Drift Deploy Verify];
    Management: "sns:ListSubscriptionsByTopic" on [Topics] for [Drift Deploy Verify];
    Management: "sqs:GetQueueAttributes" on [Queues] for [Drift Deploy];
    Management: "sqs:GetQueueUrl" on [Queues] for [Drift Deploy Verify];

    // Canaries, and the rules that carry them.
    Management: "events:ListRuleNamesByTarget" on [Anything] for [Deploy Verify];
    Management: "events:PutEvents" on [DefaultBuses] for [Deploy Verify];
    Management: "ssm:DeleteParameters" on [CanaryParameters] for [Deploy Verify];
    Management: "sqs:ReceiveMessage" on [Queues] for [Deploy Verify];
    Management: "sqs:DeleteMessage" on [Queues] for [Deploy Verify];
    // Why a canary was lost, if no dead letter says so.
    Management: "cloudwatch:GetMetricData" on [Anything] for [Deploy Verify];
    AccessRole: "cloudwatch:GetMetricData" on [Anything] for [Deploy Verify];
    // What `--probe` asks: how CloudTrail recorded calls, and how old operations are.
    Management: "cloudtrail:LookupEvents" on [Anything] for [Deploy Verify];
    AccessRole: "cloudtrail:LookupEvents" on [Anything] for [Deploy Verify];
    AccessRole: "events:ListRuleNamesByTarget" on [Anything] for [Deploy Verify];
    AccessRole: "events:PutEvents" on [MemberDefaultBuses] for [Deploy Verify];
    AccessRole: "ssm:DeleteParameters" on [MemberCanaryParameters] for [Deploy Verify];
    AccessRole: "sqs:ReceiveMessage" on [MemberQueues] for [Deploy Verify];
    AccessRole: "sqs:DeleteMessage" on [MemberQueues] for [Deploy Verify];

    // Templates that are too large for a request.
    Caller: "s3:PutObject" on [ArtifactObjects] for [Deploy];
    Caller: "s3:GetObject" of ["cloudformation:UpdateStackSet"] on [ArtifactObjects] for [Deploy];
    Caller: "s3:GetObjectVersion" of ["cloudformation:UpdateStackSet"] on [ArtifactObjects] for [Deploy];
    // A delegated administrator passes those of the management account's stacks as its access role there.
    Management: "s3:PutObject" on [ArtifactObjects] for [Deploy];
    Management: "s3:GetObject" of ["cloudformation:CreateChangeSet"] on [ArtifactObjects] for [Deploy];
    Management: "s3:GetObjectVersion" of ["cloudformation:CreateChangeSet"] on [ArtifactObjects] for [Deploy];
    Management: "s3:ListBucketVersions" on [ArtifactBucket] for [Deploy];
    Management: "s3:DeleteObjectVersion" on [ArtifactObjects] for [Deploy];
    // Versions from before versioning was turned on.
    Management: "s3:DeleteObject" of ["s3:DeleteObjectVersion"] on [ArtifactObjects] for [Deploy];

    // By the access role, in the other accounts.
    // Without trusted access for Account Management, if a watched Region needs an opt-in.
    AccessRole: "account:ListRegions" on [Anything] for [Plan Drift Deploy];
    AccessRole: "cloudformation:DescribeStacks" on [InstanceStacks] for [Drift];
    AccessRole: "cloudformation:GetTemplate" on [InstanceStacks] for [Drift Deploy];
    AccessRole: "cloudformation:DescribeStackEvents" on [InstanceStacks] for [Deploy];
    AccessRole: "cloudwatch:DescribeAlarms" on [HubAlarms] for [Drift Deploy Verify];
    AccessRole: "kms:DescribeKey" on [HubKeys] for [Drift Deploy Verify];
    AccessRole: "kms:GetKeyPolicy" on [HubKeys] for [Drift Deploy Verify];
    AccessRole: "sns:GetDataProtectionPolicy" on [HubTopics] for [Drift Deploy Verify];
    AccessRole: "sns:GetSubscriptionAttributes" on [Anything] for [Drift Deploy Verify];
    AccessRole: "sns:GetTopicAttributes" on [HubTopics] for [Drift Deploy Verify];
    AccessRole: "events:DescribeEventBus" on [HubBus] for [Drift Deploy Verify];
    AccessRole: "events:ListRules" on [Anything] for [Drift Deploy Verify];
    AccessRole: "events:ListTargetsByRule" on [MemberRules] for [Drift Deploy Verify];
    AccessRole: "iam:GetAccountAuthorizationDetails" on [Anything] for [Drift Deploy Verify];
    AccessRole: "sns:ListSubscriptionsByTopic" on [MemberTopics] for [Drift Deploy Verify];
    AccessRole: "sqs:GetQueueAttributes" on [MemberQueues] for [Drift Deploy Verify];
    AccessRole: "sqs:GetQueueUrl" on [MemberQueues] for [Drift Deploy Verify];
    // `doctor` compares the number of all stacks with the quota.
    AccessRole: "cloudformation:DescribeAccountLimits" on [Anything] for [Plan Deploy];
    AccessRole: "cloudformation:DescribeStacks" on [Anything] for [Plan Deploy];
    AccessRole: "cloudformation:ListStacks" of ["cloudformation:DescribeStacks"] on [Anything] for [Plan Deploy];

    // CloudFormation's resource handlers.
    Management: "cloudtrail:AddTags" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:CreateTrail" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:DeleteTrail" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:PutEventSelectors" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:RemoveTags" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:StartLogging" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:StopLogging" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:UpdateTrail" of ["AWS::CloudTrail::Trail"] on [Trail] for [Deploy];
    Management: "cloudtrail:GetEventConfiguration" of ["AWS::CloudTrail::Trail"] on [Trail] for [Drift Deploy];
    Management: "cloudtrail:GetInsightSelectors" of ["AWS::CloudTrail::Trail"] on [Trail] for [Drift Deploy];
    Management: "cloudtrail:ListTags" of ["AWS::CloudTrail::Trail"] on [Trail] for [Drift Deploy];
    Management: "organizations:DescribeOrganization" of ["AWS::CloudTrail::Trail"] on [Anything] for [Deploy];
    Management: "organizations:ListAWSServiceAccessForOrganization" of ["AWS::CloudTrail::Trail"] on [Anything] for [Deploy];
    Management: "iam:CreateServiceLinkedRole" of ["AWS::CloudTrail::Trail"] on [TrailRole] for [Deploy];

    Management: "events:DeleteRule" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:PutRule" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:PutTargets" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:RemoveTargets" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:TagResource" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:UntagResource" of ["AWS::Events::Rule"] on [Rules] for [Deploy];
    Management: "events:DescribeRule" of ["AWS::Events::Rule"] on [Rules] for [Drift Deploy];
    Management: "events:ListTagsForResource" of ["AWS::Events::Rule"] on [Rules] for [Drift Deploy];
    Management: "iam:PassRole" of ["AWS::Events::Rule"] on [RolesForEvents] for [Deploy];

    Management: "sqs:CreateQueue" of ["AWS::SQS::Queue"] on [Queues] for [Deploy];
    Management: "sqs:DeleteQueue" of ["AWS::SQS::Queue"] on [Queues] for [Deploy];
    Management: "sqs:SetQueueAttributes" of ["AWS::SQS::Queue" "AWS::SQS::QueueInlinePolicy"] on [Queues] for [Deploy];
    Management: "sqs:TagQueue" of ["AWS::SQS::Queue"] on [Queues] for [Deploy];
    Management: "sqs:UntagQueue" of ["AWS::SQS::Queue"] on [Queues] for [Deploy];
    Management: "sqs:ListQueueTags" of ["AWS::SQS::Queue"] on [Queues] for [Drift Deploy];

    Management: "iam:CreateRole" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:DeleteRole" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:DeleteRolePolicy" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:PutRolePolicy" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:TagRole" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:UntagRole" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:UpdateAssumeRolePolicy" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:UpdateRole" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:UpdateRoleDescription" of ["AWS::IAM::Role"] on [Roles] for [Deploy];
    Management: "iam:GetRole" of ["AWS::IAM::Role"] on [Roles] for [Drift Deploy];
    Management: "iam:GetRolePolicy" of ["AWS::IAM::Role"] on [Roles] for [Drift Deploy];
    Management: "iam:ListAttachedRolePolicies" of ["AWS::IAM::Role"] on [Roles] for [Drift Deploy];
    Management: "iam:ListRolePolicies" of ["AWS::IAM::Role"] on [Roles] for [Drift Deploy];

    Management: "scheduler:CreateSchedule" of ["AWS::Scheduler::Schedule"] on [Schedules] for [Deploy];
    Management: "scheduler:DeleteSchedule" of ["AWS::Scheduler::Schedule"] on [Schedules] for [Deploy];
    Management: "scheduler:UpdateSchedule" of ["AWS::Scheduler::Schedule"] on [Schedules] for [Deploy];
    Management: "scheduler:GetSchedule" of ["AWS::Scheduler::Schedule"] on [Schedules] for [Drift Deploy];
    Management: "iam:PassRole" of ["AWS::Scheduler::Schedule"] on [RolesForScheduler] for [Deploy];

    Management: "s3:CreateBucket" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:DeleteBucket" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutBucketOwnershipControls" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutBucketPublicAccessBlock" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutBucketTagging" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutBucketVersioning" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutEncryptionConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutLifecycleConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Deploy];
    Management: "s3:GetAccelerateConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetAnalyticsConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketCORS" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketLogging" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketNotification" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketObjectLockConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketOwnershipControls" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketPublicAccessBlock" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketTagging" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketVersioning" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetBucketWebsite" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetEncryptionConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetIntelligentTieringConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetInventoryConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetLifecycleConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetMetricsConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:GetReplicationConfiguration" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:ListBucket" of ["AWS::S3::Bucket"] on [ArtifactBucket] for [Drift Deploy];
    Management: "s3:DeleteBucketPolicy" of ["AWS::S3::BucketPolicy"] on [ArtifactBucket] for [Deploy];
    Management: "s3:PutBucketPolicy" of ["AWS::S3::BucketPolicy"] on [ArtifactBucket] for [Deploy];
    Management: "s3:GetBucketPolicy" of ["AWS::S3::BucketPolicy"] on [ArtifactBucket] for [Drift Deploy];

    Management: "sns:CreateTopic" of ["AWS::SNS::Topic"] on [Topics] for [Deploy];
    Management: "sns:DeleteTopic" of ["AWS::SNS::Topic"] on [Topics] for [Deploy];
    Management: "sns:SetTopicAttributes" of ["AWS::SNS::Topic" "AWS::SNS::TopicInlinePolicy"] on [Topics] for [Deploy];
    Management: "sns:TagResource" of ["AWS::SNS::Topic"] on [Topics] for [Deploy];
    Management: "sns:UntagResource" of ["AWS::SNS::Topic"] on [Topics] for [Deploy];
    Management: "sns:GetDataProtectionPolicy" of ["AWS::SNS::Topic"] on [Topics] for [Drift Deploy];
    Management: "sns:GetTopicAttributes" of ["AWS::SNS::Topic" "AWS::SNS::TopicInlinePolicy"] on [Topics] for [Drift Deploy];
    Management: "sns:ListTagsForResource" of ["AWS::SNS::Topic"] on [Topics] for [Drift Deploy];
    Management: "sns:Subscribe" of ["AWS::SNS::Subscription"] on [Topics] for [Deploy];
    // The service authorization reference has no resource type for these three.
    Management: "sns:SetSubscriptionAttributes" of ["AWS::SNS::Subscription"] on [Anything] for [Deploy];
    Management: "sns:Unsubscribe" of ["AWS::SNS::Subscription"] on [Anything] for [Deploy];
    Management: "sns:GetSubscriptionAttributes" of ["AWS::SNS::Subscription"] on [Anything] for [Drift Deploy];

    Management: "cloudwatch:DeleteAlarms" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Deploy];
    Management: "cloudwatch:PutMetricAlarm" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Deploy];
    Management: "cloudwatch:TagResource" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Deploy];
    Management: "cloudwatch:UntagResource" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Deploy];
    Management: "cloudwatch:DescribeAlarms" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Drift Deploy];
    Management: "cloudwatch:ListTagsForResource" of ["AWS::CloudWatch::Alarm"] on [Alarms] for [Drift Deploy];
};
