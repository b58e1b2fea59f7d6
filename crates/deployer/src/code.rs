//! The five checks of a drift check, and the codes of what each can find.

use serde::Serialize;

/// One of the five checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftCheck {
    /// The plan is empty: template, parameters, tags and settings are the bundle's.
    Plan,
    /// Every expected account and Region has a current instance, and no other has one.
    Instances,
    /// No resource was changed or deleted outside of CloudFormation.
    Resources,
    /// No stack was changed or deleted directly instead of through its stack set. CloudFormation
    /// doesn't count that as drift.
    Stacks,
    /// Every link of the alert chain works.
    Chain,
}

impl DriftCheck {
    /// All of them, in the order in which they are reported.
    pub const ALL: [DriftCheck; 5] = [
        DriftCheck::Plan,
        DriftCheck::Instances,
        DriftCheck::Resources,
        DriftCheck::Stacks,
        DriftCheck::Chain,
    ];

    /// Its name, as users write it.
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

/// Generates the enum, its list and its tables from one list, so that none can lack a code.
macro_rules! codes {
    ($($variant:ident $id:literal $check:ident $text:literal;)*) => {
        /// A kind of difference. Codes are stable: programs and suppressions may rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DriftCode {
            $(#[doc = $text] $variant,)*
        }

        impl DriftCode {
            /// All of them, by check.
            pub const ALL: &[DriftCode] = &[$(DriftCode::$variant),*];

            /// Its name, `instance::missing`.
            pub fn id(self) -> &'static str {
                match self {
                    $(DriftCode::$variant => $id,)*
                }
            }

            /// What it says, as a sentence.
            pub fn describe(self) -> &'static str {
                match self {
                    $(DriftCode::$variant => $text,)*
                }
            }

            /// The check that finds it.
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
    PlanDiffers "plan::differs" Plan "A stack set or stack is not what the rules and the organization file compile to.";
    PlanNeverCreated "plan::never-created" Plan "A stack's first creation failed and was never repaired.";
    PlanUnwanted "plan::unwanted" Plan "A stack set or stack of Gizmos is not in the bundle.";
    PlanBlocked "plan::blocked" Plan "A stack set or stack can't be deployed.";
    PlanInstances "plan::instances" Plan "A deployment would create, update or remove stack instances.";
    InstanceMissing "instance::missing" Instances "An account and Region that should be watched has no stack instance.";
    InstanceUnexpected "instance::unexpected" Instances "A stack instance exists where none belongs.";
    InstanceNotCurrent "instance::not-current" Instances "A stack instance is not up to date with its stack set.";
    InstanceBlocked "instance::blocked" Instances "An account in use can't have the stack instance it should have.";
    ResourceModified "resource::modified" Resources "A resource was changed outside of CloudFormation.";
    ResourceDeleted "resource::deleted" Resources "A resource was deleted outside of CloudFormation.";
    StackGone "stack::gone" Stacks "The stack of a stack instance was deleted directly.";
    StackTemplate "stack::template" Stacks "A stack was updated directly, with another template than its stack set's.";
    StackParameters "stack::parameters" Stacks "A stack was updated directly, with other parameters than its stack set's.";
    TrailMissing "chain::trail-missing" Chain "The organization trail does not exist.";
    TrailStopped "chain::trail-stopped" Chain "The organization trail does not record.";
    TrailScope "chain::trail-scope" Chain "The trail does not record every account and Region.";
    TrailValidation "chain::trail-validation" Chain "The trail's log files can be forged.";
    TrailDelivery "chain::trail-delivery" Chain "The trail's log files do not reach the bucket.";
    TopicMissing "chain::topic-missing" Chain "An alert topic does not exist.";
    SubscriptionMissing "chain::subscription-missing" Chain "Somebody who should get alerts is not subscribed.";
    SubscriptionUnconfirmed "chain::subscription-unconfirmed" Chain "Somebody who should get alerts has not confirmed the subscription.";
    SubscriptionUnexpected "chain::subscription-unexpected" Chain "Somebody gets alerts who is not in the organization file.";
    DeadLetters "chain::dead-letters" Chain "Events or alerts could not be delivered.";
    QueueMissing "chain::queue-missing" Chain "A dead-letter queue does not exist.";
    BusMissing "chain::bus-missing" Chain "The hub's event bus does not exist.";
    BusPolicy "chain::bus-policy" Chain "The hub's event bus does not have the compiled policy.";
    RoleMissing "chain::role-missing" Chain "The role that forwards events to the hub does not exist.";
}

impl Serialize for DriftCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
