//! What CloudFormation's resource handlers may do: they call the services with the permissions of
//! whoever runs the stack. Only stacks of a stack set run with a role of AWS's own.
//!
//! The rows follow the `handlers` section of each type's schema in the CloudFormation registry,
//! and the resources that the service authorization reference names for each action. A type that
//! only stack sets deploy has no rows.

use serde_json::Value;

use super::{ResourceError, ResourceLocation, generated};
use crate::arn::short;
use crate::policy::Context;
use crate::wire::api::Caller;
use crate::{Services, authorize_in};

/// A resource handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// Creates a resource.
    Create,
    /// Reads one, for drift detection.
    Read,
    /// Changes one in place.
    Update,
    /// Deletes one.
    Delete,
}

/// The resource of a handler's call.
#[derive(Clone, Copy)]
enum On {
    /// The resource itself.
    Itself,
    /// The action has no resource type.
    Anything,
    /// Every role that the properties name, passed to this service.
    Roles(&'static str),
    /// The role that the service creates for itself.
    ServiceLinkedRole(&'static str),
}

/// Whether the handler makes the call.
#[derive(Clone, Copy)]
enum When {
    Always,
    /// When it creates the resource with tags of its stack.
    Tagged,
    /// If the template sets the property; an update, if it changes it.
    Sets(&'static str),
}

use On::{Anything, Itself, Roles, ServiceLinkedRole};
use When::{Always, Sets, Tagged};

/// An action that some of a type's handlers call.
struct Row(&'static str, &'static [Handler], On, When);

/// Makes a resource's ARN.
type Arn = fn(&Resource<'_>, &Services) -> String;

/// A resource type: how its ARN is made, and its rows.
struct Type {
    arn: Arn,
    rows: &'static [Row],
}

/// A resource as one of its handlers sees it.
#[derive(Clone, Copy, Debug)]
pub struct Resource<'a> {
    /// Where the stack is.
    pub location: &'a ResourceLocation,
    /// `AWS::SQS::Queue`
    pub kind: &'a str,
    /// Empty before it is created.
    pub physical_id: &'a str,
    /// As in the template, resolved.
    pub properties: &'a Value,
    /// Before an update.
    pub previous: Option<&'a Value>,
    /// Whether the stack has tags, which its resources receive.
    pub tagged: bool,
}

/// Rows of a type: action, handlers, resource, and when the handlers call it.
macro_rules! rows {
    ($($action:literal ($($handler:ident)+) $on:expr, $when:expr;)+) => {
        &[$(Row($action, &[$(Handler::$handler),+], $on, $when)),+]
    };
}

const TRAIL: &[Row] = rows! {
    "cloudtrail:CreateTrail" (Create) Itself, Always;
    "cloudtrail:StartLogging" (Create Update) Itself, Sets("IsLogging");
    "cloudtrail:AddTags" (Create) Itself, Tagged;
    "cloudtrail:PutEventSelectors" (Create Update) Itself, Sets("EventSelectors");
    "cloudtrail:PutEventSelectors" (Create Update) Itself, Sets("AdvancedEventSelectors");
    "cloudtrail:UpdateTrail" (Update) Itself, Always;
    "cloudtrail:DeleteTrail" (Delete) Itself, Always;
    "cloudtrail:GetTrail" (Create Read Update) Itself, Always;
    "cloudtrail:GetTrailStatus" (Create Read Update) Itself, Always;
    "cloudtrail:GetEventSelectors" (Read) Itself, Always;
    "cloudtrail:GetInsightSelectors" (Read) Itself, Always;
    "cloudtrail:GetEventConfiguration" (Read) Itself, Always;
    "cloudtrail:ListTags" (Read) Itself, Always;
    "organizations:DescribeOrganization" (Create Update) Anything, Sets("IsOrganizationTrail");
    "organizations:ListAWSServiceAccessForOrganization" (Create Update) Anything, Sets("IsOrganizationTrail");
    "iam:CreateServiceLinkedRole" (Create Update) ServiceLinkedRole("cloudtrail.amazonaws.com"), Sets("IsOrganizationTrail");
};

const RULE: &[Row] = rows! {
    "events:DescribeRule" (Create Read Update Delete) Itself, Always;
    "events:PutRule" (Create Update) Itself, Always;
    "events:PutTargets" (Create Update) Itself, Sets("Targets");
    "events:TagResource" (Create) Itself, Tagged;
    "events:ListTargetsByRule" (Read Update Delete) Itself, Always;
    "events:ListTagsForResource" (Read) Itself, Always;
    "events:RemoveTargets" (Delete) Itself, Sets("Targets");
    "events:DeleteRule" (Delete) Itself, Always;
    "iam:PassRole" (Create Update) Roles("events.amazonaws.com"), Sets("Targets");
};

const QUEUE: &[Row] = rows! {
    "sqs:CreateQueue" (Create) Itself, Always;
    "sqs:TagQueue" (Create) Itself, Tagged;
    "sqs:SetQueueAttributes" (Update) Itself, Always;
    "sqs:GetQueueUrl" (Create) Itself, Always;
    "sqs:GetQueueAttributes" (Create Read Update Delete) Itself, Always;
    "sqs:ListQueueTags" (Create Read Update) Itself, Always;
    "sqs:DeleteQueue" (Delete) Itself, Always;
};

const QUEUE_POLICY: &[Row] = rows! {
    "sqs:SetQueueAttributes" (Create Update Delete) Itself, Always;
    "sqs:GetQueueAttributes" (Create Read Update Delete) Itself, Always;
    "sqs:GetQueueUrl" (Create Read) Itself, Always;
};

const ROLE: &[Row] = rows! {
    "iam:CreateRole" (Create) Itself, Always;
    "iam:TagRole" (Create) Itself, Tagged;
    "iam:PutRolePolicy" (Create Update) Itself, Sets("Policies");
    "iam:AttachRolePolicy" (Create Update) Itself, Sets("ManagedPolicyArns");
    "iam:UpdateAssumeRolePolicy" (Update) Itself, Sets("AssumeRolePolicyDocument");
    "iam:UpdateRoleDescription" (Update) Itself, Sets("Description");
    "iam:UpdateRole" (Update) Itself, Sets("MaxSessionDuration");
    "iam:GetRole" (Create Read Update Delete) Itself, Always;
    "iam:GetRolePolicy" (Create Read) Itself, Sets("Policies");
    "iam:ListRolePolicies" (Read Delete) Itself, Always;
    "iam:ListAttachedRolePolicies" (Read Delete) Itself, Always;
    "iam:DeleteRolePolicy" (Delete) Itself, Sets("Policies");
    "iam:DeleteRole" (Delete) Itself, Always;
};

const SCHEDULE: &[Row] = rows! {
    "scheduler:CreateSchedule" (Create) Itself, Always;
    "scheduler:UpdateSchedule" (Update) Itself, Always;
    "scheduler:DeleteSchedule" (Delete) Itself, Always;
    "scheduler:GetSchedule" (Create Read Update Delete) Itself, Always;
    "iam:PassRole" (Create Update) Roles("scheduler.amazonaws.com"), Sets("Target");
};

const BUCKET: &[Row] = rows! {
    "s3:CreateBucket" (Create) Itself, Always;
    "s3:PutBucketTagging" (Create) Itself, Tagged;
    "s3:PutEncryptionConfiguration" (Create Update) Itself, Sets("BucketEncryption");
    "s3:PutBucketOwnershipControls" (Create Update) Itself, Sets("OwnershipControls");
    "s3:PutBucketPublicAccessBlock" (Create Update) Itself, Sets("PublicAccessBlockConfiguration");
    "s3:PutBucketVersioning" (Create Update) Itself, Sets("VersioningConfiguration");
    "s3:PutLifecycleConfiguration" (Create Update) Itself, Sets("LifecycleConfiguration");
    "s3:DeleteBucket" (Delete) Itself, Always;
    "s3:ListBucket" (Read) Itself, Always;
    "s3:GetAccelerateConfiguration" (Read) Itself, Always;
    "s3:GetAnalyticsConfiguration" (Read) Itself, Always;
    "s3:GetBucketCORS" (Read) Itself, Always;
    "s3:GetBucketLogging" (Read) Itself, Always;
    "s3:GetBucketNotification" (Read) Itself, Always;
    "s3:GetBucketObjectLockConfiguration" (Read) Itself, Always;
    "s3:GetBucketOwnershipControls" (Read) Itself, Always;
    "s3:GetBucketPublicAccessBlock" (Read) Itself, Always;
    "s3:GetBucketTagging" (Read) Itself, Always;
    "s3:GetBucketVersioning" (Read) Itself, Always;
    "s3:GetBucketWebsite" (Read) Itself, Always;
    "s3:GetEncryptionConfiguration" (Read) Itself, Always;
    "s3:GetIntelligentTieringConfiguration" (Read) Itself, Always;
    "s3:GetInventoryConfiguration" (Read) Itself, Always;
    "s3:GetLifecycleConfiguration" (Read) Itself, Always;
    "s3:GetMetricsConfiguration" (Read) Itself, Always;
    "s3:GetReplicationConfiguration" (Read) Itself, Always;
};

const BUCKET_POLICY: &[Row] = rows! {
    "s3:PutBucketPolicy" (Create Update) Itself, Always;
    "s3:GetBucketPolicy" (Create Read Update Delete) Itself, Always;
    "s3:DeleteBucketPolicy" (Delete) Itself, Always;
};

const TOPIC: &[Row] = rows! {
    "sns:CreateTopic" (Create) Itself, Always;
    "sns:TagResource" (Create) Itself, Tagged;
    "sns:SetTopicAttributes" (Update) Itself, Always;
    "sns:DeleteTopic" (Delete) Itself, Always;
    "sns:GetTopicAttributes" (Create Read Update Delete) Itself, Always;
    "sns:GetDataProtectionPolicy" (Read) Itself, Always;
    "sns:ListSubscriptionsByTopic" (Read) Itself, Always;
    "sns:ListTagsForResource" (Read) Itself, Always;
};

const TOPIC_POLICY: &[Row] = rows! {
    "sns:SetTopicAttributes" (Create Update Delete) Itself, Always;
    "sns:GetTopicAttributes" (Create Read Update Delete) Itself, Always;
};

const SUBSCRIPTION: &[Row] = rows! {
    "sns:Subscribe" (Create) Itself, Always;
    "sns:SetSubscriptionAttributes" (Update) Itself, Always;
    "sns:Unsubscribe" (Delete) Itself, Always;
    "sns:GetSubscriptionAttributes" (Create Read Update Delete) Itself, Always;
};

const ALARM: &[Row] = rows! {
    "cloudwatch:PutMetricAlarm" (Create Update) Itself, Always;
    "cloudwatch:TagResource" (Create) Itself, Tagged;
    "cloudwatch:DeleteAlarms" (Delete) Itself, Always;
    "cloudwatch:DescribeAlarms" (Create Read Update Delete) Itself, Always;
    "cloudwatch:ListTagsForResource" (Read) Itself, Always;
};

fn type_named(name: &str) -> Option<Type> {
    let (arn, rows): (Arn, _) = match name {
        "AWS::CloudTrail::Trail" => (
            |it, by| it.arn(by, "cloudtrail:trail/", "TrailName", 128),
            TRAIL,
        ),
        "AWS::Events::Rule" => (|it, by| it.arn(by, "events:rule/", "Name", 64), RULE),
        "AWS::SQS::Queue" => (|it, by| it.arn(by, "sqs:", "QueueName", 80), QUEUE),
        "AWS::SQS::QueueInlinePolicy" => (|it, by| it.arn(by, "sqs:", "Queue", 80), QUEUE_POLICY),
        "AWS::IAM::Role" => (|it, by| it.role_arn(by), ROLE),
        "AWS::Scheduler::Schedule" => (
            |it, by| it.arn(by, "scheduler:schedule/default/", "Name", 64),
            SCHEDULE,
        ),
        "AWS::S3::Bucket" => (|it, by| it.bucket_arn(by, "BucketName"), BUCKET),
        "AWS::S3::BucketPolicy" => (|it, by| it.bucket_arn(by, "Bucket"), BUCKET_POLICY),
        "AWS::SNS::Topic" => (|it, by| it.arn(by, "sns:", "TopicName", 256), TOPIC),
        "AWS::SNS::TopicInlinePolicy" => {
            (|it, by| it.arn(by, "sns:", "TopicArn", 256), TOPIC_POLICY)
        }
        "AWS::SNS::Subscription" => (|it, by| it.arn(by, "sns:", "TopicArn", 256), SUBSCRIPTION),
        "AWS::CloudWatch::Alarm" => (
            |it, by| it.arn(by, "cloudwatch:alarm:", "AlarmName", 255),
            ALARM,
        ),
        _ => return None,
    };
    Some(Type { arn, rows })
}

impl Resource<'_> {
    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).and_then(Value::as_str)
    }

    /// The resource's name: as the template sets it, as CloudFormation will choose it, or as it
    /// has been since.
    fn name(&self, services: &Services, property: &str, limit: usize) -> String {
        match self.property(property) {
            Some(name) => short(name).to_owned(),
            None if self.physical_id.is_empty() => generated(services, self.location, limit),
            None => short(self.physical_id).to_owned(),
        }
    }

    /// `form` is the service and what its ARNs have before the name: `events:rule/`.
    fn arn(&self, services: &Services, form: &str, property: &str, limit: usize) -> String {
        let ResourceLocation {
            account, region, ..
        } = self.location;
        let (service, before) = form.split_once(':').unwrap_or((form, ""));
        let name = self.name(services, property, limit);
        // A rule on a bus of its own has the bus's name in its ARN.
        let bus = match self.property("EventBusName") {
            Some(bus) if short(bus) != "default" => format!("{}/", short(bus)),
            _ => String::new(),
        };
        let name = name.rsplit('|').next().unwrap_or(&name);
        format!("arn:aws:{service}:{region}:{account}:{before}{bus}{name}")
    }

    fn role_arn(&self, services: &Services) -> String {
        let path = self.property("Path").unwrap_or("/");
        let name = self.name(services, "RoleName", 64);
        format!("arn:aws:iam::{}:role{path}{name}", self.location.account)
    }

    fn bucket_arn(&self, services: &Services, property: &str) -> String {
        let name = self.name(services, property, 63).to_ascii_lowercase();
        format!("arn:aws:s3:::{name}")
    }

    fn makes(&self, handler: Handler, when: When) -> bool {
        match when {
            Always => true,
            Tagged => self.tagged,
            Sets(property) => {
                let set = self.properties.get(property);
                let before = self.previous.and_then(|previous| previous.get(property));
                set.is_some() && (handler != Handler::Update || set != before)
            }
        }
    }
}

/// Checks that the caller may do what the handler does with its permissions. The error names the
/// first action that is missing.
pub fn permit(
    services: &Services,
    caller: &Caller,
    handler: Handler,
    resource: &Resource<'_>,
) -> Result<(), ResourceError> {
    let Some(kind) = type_named(resource.kind) else {
        return Ok(());
    };
    let rows = kind.rows.iter().filter(|row| row.1.contains(&handler));
    for Row(action, _, on, _) in rows.filter(|row| resource.makes(handler, row.3)) {
        let account = &resource.location.account;
        let (resources, context) = match on {
            Itself => (vec![(kind.arn)(resource, services)], Context::new()),
            Anything => (vec!["*".to_owned()], Context::new()),
            Roles(service) => {
                let mut roles = Vec::new();
                named_roles(resource.properties, &mut roles);
                (roles, Context::new().with("iam:PassedToService", *service))
            }
            ServiceLinkedRole(service) => (
                vec![format!(
                    "arn:aws:iam::{account}:role/aws-service-role/{service}/*"
                )],
                Context::new().with("iam:AWSServiceName", *service),
            ),
        };
        for arn in resources {
            authorize_in(services, caller, action, &arn, context.clone())
                .map_err(|error| ResourceError::Denied(error.message))?;
        }
    }
    Ok(())
}

/// The values of all properties called `RoleArn`.
fn named_roles(properties: &Value, found: &mut Vec<String>) {
    match properties {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(arn) if name == "RoleArn" => found.push(arn.clone()),
                    _ => named_roles(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named_roles(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_handler_passes_every_role_that_the_properties_name() {
        let mut roles = Vec::new();
        let targets = json!({"Targets": [{"Arn": "a", "RoleArn": "r"}], "RoleArn": "s"});
        named_roles(&targets, &mut roles);
        roles.sort();
        assert_eq!(roles, ["r", "s"]);
    }

    #[test]
    fn every_resource_type_with_permissions_is_simulated() {
        use crate::resources::type_named as simulated;
        for name in [
            "AWS::CloudTrail::Trail",
            "AWS::Events::Rule",
            "AWS::SQS::Queue",
            "AWS::SQS::QueueInlinePolicy",
            "AWS::IAM::Role",
            "AWS::Scheduler::Schedule",
            "AWS::S3::Bucket",
            "AWS::S3::BucketPolicy",
            "AWS::SNS::Topic",
            "AWS::SNS::TopicInlinePolicy",
            "AWS::SNS::Subscription",
            "AWS::CloudWatch::Alarm",
        ] {
            assert!(
                type_named(name).is_some() && simulated(name).is_ok(),
                "{name}"
            );
        }
    }
}
