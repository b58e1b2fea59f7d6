//! The five drift checks and the codes of the differences they report.

use serde::Serialize;

/// A drift check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftCheck {
    /// The plan is empty: templates, parameters, tags and settings match the bundle.
    Plan,
    /// Every expected location has a current instance, and no other location has one.
    Instances,
    /// No resource was changed or deleted outside of CloudFormation.
    Resources,
    /// No stack was changed or deleted directly instead of through its stack set. CloudFormation
    /// doesn't report that as drift.
    Stacks,
    /// Every link of the alert chain works.
    Chain,
}

impl DriftCheck {
    /// All checks, in report order.
    pub const ALL: [DriftCheck; 5] = [
        DriftCheck::Plan,
        DriftCheck::Instances,
        DriftCheck::Resources,
        DriftCheck::Stacks,
        DriftCheck::Chain,
    ];

    /// The name in the command line and in reports, such as `instances`.
    pub fn name(self) -> &'static str {
        match self {
            DriftCheck::Plan => "plan",
            DriftCheck::Instances => "instances",
            DriftCheck::Resources => "resources",
            DriftCheck::Stacks => "stacks",
            DriftCheck::Chain => "chain",
        }
    }
}

/// Generates the enum and its tables from one list, so that every code has all its data.
macro_rules! codes {
    ($($variant:ident $id:literal $check:ident $text:literal;)*) => {
        /// The code of a difference. Codes are stable, because programs and suppressions refer to
        /// them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DriftCode {
            $(#[doc = $text] $variant,)*
        }

        impl DriftCode {
            /// All codes, grouped by check.
            pub const ALL: &[DriftCode] = &[$(DriftCode::$variant),*];

            /// The stable id, such as `instance::missing`.
            pub fn id(self) -> &'static str {
                match self {
                    $(DriftCode::$variant => $id,)*
                }
            }

            /// A sentence that describes the difference.
            pub fn describe(self) -> &'static str {
                match self {
                    $(DriftCode::$variant => $text,)*
                }
            }

            /// The check that reports it.
            pub fn check(self) -> DriftCheck {
                match self {
                    $(DriftCode::$variant => DriftCheck::$check,)*
                }
            }
        }
    };
}

codes! {
    PlanMissing "plan::missing" Plan "A stack set or stack of the bundle does not exist.";
    PlanDiffers "plan::differs" Plan "A stack set or stack differs from what the rules and the organization file compile to.";
    PlanNeverCreated "plan::never-created" Plan "A stack's first creation failed and was never repaired.";
    PlanUnwanted "plan::unwanted" Plan "A stack set or stack of this installation is not in the bundle.";
    PlanBlocked "plan::blocked" Plan "A stack set or stack can't be deployed.";
    PlanInstances "plan::instances" Plan "A deployment would create, update or remove stack instances.";
    InstanceMissing "instance::missing" Instances "A watched account and Region has no stack instance.";
    InstanceUnexpected "instance::unexpected" Instances "A stack instance exists in an account or Region that is not watched.";
    InstanceNotCurrent "instance::not-current" Instances "A stack instance is not up to date with its stack set.";
    InstanceBlocked "instance::blocked" Instances "A watched account can't be deployed to.";
    ResourceModified "resource::modified" Resources "A resource was changed outside of CloudFormation.";
    ResourceDeleted "resource::deleted" Resources "A resource was deleted outside of CloudFormation.";
    StackGone "stack::gone" Stacks "The stack of a stack instance was deleted directly.";
    StackTemplate "stack::template" Stacks "A stack was updated directly and its template differs from its stack set's.";
    StackParameters "stack::parameters" Stacks "A stack was updated directly and its parameters differ from its stack set's.";
    TrailMissing "chain::trail-missing" Chain "The organization trail does not exist.";
    TrailStopped "chain::trail-stopped" Chain "The organization trail is not logging.";
    TrailScope "chain::trail-scope" Chain "The trail does not record every account and Region.";
    TrailValidation "chain::trail-validation" Chain "Log file validation of the trail is off.";
    TrailEvents "chain::trail-events" Chain "The trail does not record all management events.";
    TrailKey "chain::trail-key" Chain "The trail does not encrypt its log files with the bucket's key.";
    TrailDelivery "chain::trail-delivery" Chain "The trail's log files do not reach the bucket.";
    TopicMissing "chain::topic-missing" Chain "An alert topic does not exist.";
    SubscriptionMissing "chain::subscription-missing" Chain "A subscriber in the organization file is not subscribed to the topic.";
    SubscriptionUnconfirmed "chain::subscription-unconfirmed" Chain "A subscriber in the organization file has not confirmed the subscription.";
    SubscriptionUnexpected "chain::subscription-unexpected" Chain "A topic has a subscriber that is not in the organization file.";
    SubscriptionFilter "chain::subscription-filter" Chain "A subscription has a filter policy, which withholds alerts.";
    SubscriptionSettings "chain::subscription-settings" Chain "A subscription has other settings than the template sets.";
    TopicPolicy "chain::topic-policy" Chain "A topic does not have the compiled policy.";
    TopicSettings "chain::topic-settings" Chain "A topic has another key or delivery policy than the template sets.";
    DataProtection "chain::data-protection" Chain "A topic has a data protection policy, which can refuse or withhold alerts.";
    KeyMissing "chain::key-missing" Chain "A key of the hub does not exist.";
    KeyState "chain::key-state" Chain "A key of the hub can't be used.";
    KeyPolicy "chain::key-policy" Chain "A key of the hub does not have the compiled policy.";
    AlarmMissing "chain::alarm-missing" Chain "The alarm on dead letters does not exist.";
    AlarmChanged "chain::alarm-changed" Chain "The alarm on dead letters has other settings than the template sets, or its actions are disabled.";
    DeadLetters "chain::dead-letters" Chain "Events or alerts could not be delivered.";
    QueueMissing "chain::queue-missing" Chain "A dead-letter queue does not exist.";
    QueuePolicy "chain::queue-policy" Chain "A dead-letter queue does not have the compiled policy.";
    QueueSettings "chain::queue-settings" Chain "A dead-letter queue has other settings than the template sets.";
    BusMissing "chain::bus-missing" Chain "The hub's event bus does not exist.";
    BusPolicy "chain::bus-policy" Chain "The hub's event bus does not have the compiled policy.";
    BusSettings "chain::bus-settings" Chain "The hub's event bus has another key or dead-letter queue than the template sets.";
    RuleUnexpected "chain::rule-unexpected" Chain "The hub's event bus has a rule that no template sets.";
    RuleMissing "chain::rule-missing" Chain "A rule that the template sets does not exist.";
    RuleDisabled "chain::rule-disabled" Chain "A rule is disabled.";
    RuleChanged "chain::rule-changed" Chain "A rule has another state, event pattern or target than the template sets.";
    RoleMissing "chain::role-missing" Chain "The role that forwards events to the hub does not exist.";
    RolePolicies "chain::role-policies" Chain "A role has other policies, another trust policy or permissions boundary than the template sets.";
}

impl Serialize for DriftCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
