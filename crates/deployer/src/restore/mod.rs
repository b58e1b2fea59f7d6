//! Commands of the AWS CLI that restore what the fleet should have, complete and ready to paste.

use compiler::StackSet;
use compiler::organization::Organization;
use remedy::{Command, Remedy};
use serde_json::Value;

use crate::fleet::Observed;
use crate::fleet::template::{parameter_values, same_template};
use crate::ports::Location;

/// Name of the change sets that revert drift.
const CHANGE_SET: &str = "gizmos-revert-drift";

/// A stack that a user can address with the AWS CLI.
#[derive(Clone, Debug)]
pub(crate) struct StackAddress<'a> {
    pub(crate) location: &'a Location,
    /// Name or ARN.
    stack: &'a str,
    /// Names of its parameters.
    parameters: Vec<&'a str>,
}

impl<'a> StackAddress<'a> {
    pub(crate) fn new(
        location: &'a Location,
        stack: &'a str,
        parameters: impl Iterator<Item = &'a str>,
    ) -> StackAddress<'a> {
        StackAddress {
            location,
            stack,
            parameters: parameters.collect(),
        }
    }

    /// Restores every resource of the stack that was changed or deleted. A deployment doesn't,
    /// because CloudFormation compares templates only.
    ///
    /// AWS: <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/drift-aware-change-sets.html>
    pub(crate) fn revert_drift(&self) -> Remedy {
        let Location { account, region } = self.location;
        let stack = self.stack;
        let previous = self.parameters.iter();
        let previous: Vec<String> = previous
            .map(|name| format!("ParameterKey={name},UsePreviousValue=true"))
            .collect();
        let parameters = if previous.is_empty() {
            String::new()
        } else {
            format!(" --parameters {}", previous.join(" "))
        };
        let which =
            format!("--stack-name {stack} --change-set-name {CHANGE_SET} --region {region}");
        Remedy::from(format!(
            "find out who did it and why; then restore the stack in account {account}: `aws \
             cloudformation delete-change-set {which}` (of an earlier attempt), `aws \
             cloudformation create-change-set {which} --use-previous-template{parameters} \
             --capabilities CAPABILITY_NAMED_IAM --deployment-mode REVERT_DRIFT`, `aws \
             cloudformation wait change-set-create-complete {which}`, `aws cloudformation \
             execute-change-set {which}`"
        ))
    }
}

/// Restores what a stack set or stack of the bundle should have in a location. Without the observed
/// fleet, recommends the drift check, which has it.
pub(crate) fn restore(observed: Option<&Observed>, set: &StackSet, location: &Location) -> Remedy {
    let Some(observed) = observed else {
        return Remedy::Run(Command::Drift {
            json: false,
            deep: false,
        });
    };
    let parameters = parameter_values(&set.template, &set.parameters);
    let names = parameters.keys().map(String::as_str);
    if let Some(found) = observed.stack(location, &set.name)
        && let Some(template) = &found.template
        && same_template(template, &set.template)
    {
        return StackAddress::new(location, &set.name, names).revert_drift();
    }
    let deployed = observed.stack_sets.get(&set.name);
    let deployed = deployed.filter(|found| same_template(&found.details.template, &set.template));
    let mut instances = deployed.into_iter().flat_map(|found| &found.instances);
    let stack = instances
        .find(|instance| instance.location() == *location)
        .and_then(|instance| instance.stack_id.as_deref());
    match stack {
        Some(stack) => StackAddress::new(location, stack, names).revert_drift(),
        // A deployment creates or updates it.
        None => Remedy::DEPLOY,
    }
}

/// A stack instance that a user can address with the AWS CLI.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InstanceAddress<'a> {
    pub(crate) stack_set: &'a str,
    pub(crate) location: &'a Location,
    /// An organizational unit that the account is under, or the root.
    pub(crate) unit: &'a str,
    /// Options that address the administrator of the stack set.
    pub(crate) administration: &'a str,
}

/// The value of [`InstanceAddress::administration`].
pub(crate) fn administration(organization: &Organization, caller: &str) -> String {
    let region = format!("--region {}", organization.home_region);
    if caller == organization.accounts.management {
        region
    } else {
        format!("{region} --call-as DELEGATED_ADMIN")
    }
}

impl InstanceAddress<'_> {
    fn targets(&self) -> String {
        let Location { account, region } = self.location;
        let InstanceAddress {
            stack_set,
            unit,
            administration,
            ..
        } = self;
        format!(
            "--stack-set-name {stack_set} --deployment-targets \
             OrganizationalUnitIds={unit},Accounts={account},AccountFilterType=INTERSECTION \
             --regions {region} {administration}"
        )
    }

    /// Has the stack set update the instance, which restores its template and parameters.
    pub(crate) fn update(&self) -> Remedy {
        Remedy::from(format!(
            "find out who did it and why; then have the stack set update the instance: `aws \
             cloudformation update-stack-instances {}`",
            self.targets()
        ))
    }

    /// Removes an instance whose stack is gone, and creates it again.
    pub(crate) fn recreate(&self) -> Remedy {
        Remedy::from(format!(
            "find out who did it and why; then remove the instance: `aws cloudformation \
             delete-stack-instances {} --retain-stacks`, and when that has ended, run ",
            self.targets()
        ))
        .command(Command::Deploy {
            allow_delete: false,
        })
    }
}

/// A command of the AWS CLI for an account.
pub(crate) fn in_account(account: &str, command: &str) -> Remedy {
    Remedy::from(format!("in account {account}, run `aws {command}`"))
}

/// JSON as one word of a shell.
pub(crate) fn quoted(document: &Value) -> String {
    format!("'{}'", document.to_string().replace('\'', "'\\''"))
}
