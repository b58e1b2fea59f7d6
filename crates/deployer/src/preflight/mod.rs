//! Checks whether a deployment can start, before anything is changed: the caller's identity and
//! permissions, and the organization's settings.

mod deployers;
mod permissions;
mod quotas;
mod trails;

use std::collections::BTreeSet;

use compiler::organization::{Organization, RegionSource};
use compiler::{Bundle, Part};
use remedy::Remedy;
use serde::Serialize;

pub use trails::existing_trail;

use crate::fingerprint::fingerprint;
use crate::fleet::Membership;
use crate::plan::{ACTIVATE_TRUSTED_ACCESS, Problem, wrong_management_account, wrong_organization};
use crate::ports::{Cloud, CloudError, Identity, Location, OrganizationDetails, TrustedAccess};

/// Service principal for delegated administrators of StackSets.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-orgs-delegated-admin.html>
const STACK_SETS_ADMINISTRATION: &str = "member.org.stacksets.cloudformation.amazonaws.com";
/// Service principal of CloudTrail organization trails.
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

/// The result of a preflight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Preflight {
    /// All checks in the order in which they ran.
    pub checks: Vec<Check>,
}

impl Preflight {
    /// Whether a deployment can start.
    pub fn passed(&self) -> bool {
        !self
            .checks
            .iter()
            .any(|check| check.state == CheckState::Failed)
    }

    fn add(&mut self, what: &str, state: CheckState, message: String, fix: Option<Remedy>) {
        self.checks.push(Check {
            what: what.to_owned(),
            state,
            message,
            fix,
        });
    }

    fn pass(&mut self, what: &str, message: String) {
        self.add(what, CheckState::Passed, message, None);
    }

    fn fail(&mut self, what: &str, message: String, fix: impl Into<Remedy>) {
        self.add(what, CheckState::Failed, message, Some(fix.into()));
    }

    fn warn(&mut self, what: &str, message: String, fix: impl Into<Remedy>) {
        self.add(what, CheckState::Warning, message, Some(fix.into()));
    }

    /// A check that can't be made doesn't block a deployment, which may still work.
    fn unknown(&mut self, what: &str, error: &CloudError) {
        let fix = match error {
            CloudError::AccessDenied { action, .. } => {
                Some(format!("allow the caller {action}").into())
            }
            _ => None,
        };
        self.add(what, CheckState::Unknown, error.to_string(), fix);
    }
}

/// The result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The subject of the check: `trusted access of CloudTrail`.
    pub what: String,
    /// Decides whether a deployment can start.
    pub state: CheckState,
    /// One sentence without a full stop.
    pub message: String,
    /// How to resolve a failure or warning.
    pub fix: Option<Remedy>,
}

/// The state of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckState {
    /// Everything is as required.
    Passed,
    /// A deployment can start, but the message needs attention.
    Warning,
    /// Could not be checked; a deployment can start.
    Unknown,
    /// A deployment can't start.
    Failed,
}

/// Checks the requirements of a deployment with few calls, so that every deployment can afford it.
/// Changes nothing.
pub async fn preflight(cloud: &impl Cloud, bundle: &Bundle) -> Preflight {
    let mut found = Preflight { checks: Vec::new() };
    look(cloud, bundle, &mut found).await;
    found
}

/// Runs [`preflight`] and also compares instances and stacks with their quotas, which takes a list
/// of all accounts and of several Regions' stacks, and the caller with the `deployers` of the
/// organization file. Changes nothing.
pub async fn thorough(cloud: &impl Cloud, bundle: &Bundle) -> Preflight {
    let mut found = Preflight { checks: Vec::new() };
    let Some(caller) = look(cloud, bundle, &mut found).await else {
        return found;
    };
    match Membership::read(cloud, &bundle.organization).await {
        Ok(membership) => {
            quotas::instances(bundle, &membership, &mut found);
            trails::members(cloud, bundle, &membership.accounts, &mut found).await;
        }
        Err(error) => found.unknown("instances of a stack set", &error.source),
    }
    quotas::stacks(cloud, bundle, &caller, &mut found).await;
    deployers::check(&bundle.organization, &caller, &mut found);
    found
}

/// The caller's identity, unless a failed check makes all others pointless.
async fn look(cloud: &impl Cloud, bundle: &Bundle, found: &mut Preflight) -> Option<Identity> {
    let (caller, organization) = identity(cloud, bundle, found).await?;
    role(cloud, &caller, &organization, found).await;
    trusted_access(cloud, bundle, found).await;
    permissions::check(cloud, bundle, &caller, found).await;
    regions(cloud, bundle, found).await;
    quotas::stack_sets(cloud, bundle, found).await;
    trails::check(cloud, bundle, found).await;
    accounts(cloud, bundle, &caller, found).await;
    Some(caller)
}

async fn identity(
    cloud: &impl Cloud,
    bundle: &Bundle,
    found: &mut Preflight,
) -> Option<(Identity, OrganizationDetails)> {
    let caller = match cloud.caller_identity().await {
        Ok(caller) => caller,
        Err(error) => {
            found.fail(
                "identity",
                error.to_string(),
                "give the command valid credentials: `aws sts get-caller-identity` must work",
            );
            return None;
        }
    };
    found.pass("identity", caller.arn.clone());
    let organization = match cloud.describe_organization().await {
        Ok(organization) => organization,
        Err(error) => {
            found.fail(
                "organization",
                error.to_string(),
                "allow the caller organizations:DescribeOrganization, and use an account of the \
                 organization",
            );
            return None;
        }
    };
    let expected = &bundle.organization;
    let wrong = wrong_organization(expected, &organization)
        .or_else(|| wrong_management_account(expected, &organization));
    if let Some(Problem { message, fix, .. }) = wrong {
        found.fail("organization", message, fix);
        return None;
    }
    if organization.all_features == Some(false) {
        found.fail(
            "organization",
            "the organization has consolidated billing only".to_owned(),
            "enable all features: `aws organizations enable-all-features`",
        );
        return None;
    }
    found.pass("organization", organization.id.clone());
    Some((caller, organization))
}

async fn role(
    cloud: &impl Cloud,
    caller: &Identity,
    organization: &OrganizationDetails,
    found: &mut Preflight,
) {
    const WHAT: &str = "role in the organization";
    if caller.account == organization.management_account {
        found.pass(WHAT, "the management account".to_owned());
        return;
    }
    let register = format!(
        "use the management account's credentials, or register this account once: `aws \
         organizations register-delegated-administrator --account-id {} --service-principal \
         {STACK_SETS_ADMINISTRATION}`",
        caller.account
    );
    match cloud
        .delegated_administrators(STACK_SETS_ADMINISTRATION)
        .await
    {
        Ok(accounts) if accounts.contains(&caller.account) => {
            found.pass(WHAT, "a delegated administrator of StackSets".to_owned());
        }
        Ok(_) => found.fail(
            WHAT,
            format!(
                "account {} is neither the management account nor a delegated administrator of \
                 StackSets",
                caller.account
            ),
            register,
        ),
        Err(CloudError::AccessDenied { action, .. }) => found.fail(
            WHAT,
            format!(
                "account {} may not list the delegated administrators",
                caller.account
            ),
            format!("allow the caller {action}; if the account isn't registered yet, {register}"),
        ),
        Err(error) => found.unknown(WHAT, &error),
    }
}

async fn trusted_access(cloud: &impl Cloud, bundle: &Bundle, found: &mut Preflight) {
    const STACK_SETS: &str = "trusted access of StackSets";
    const TRAIL: &str = "trusted access of CloudTrail";
    match cloud.trusted_access().await {
        Ok(TrustedAccess::Enabled) => found.pass(STACK_SETS, "enabled".to_owned()),
        Ok(TrustedAccess::Disabled) => found.fail(
            STACK_SETS,
            "disabled: no stack can be deployed to other accounts".to_owned(),
            ACTIVATE_TRUSTED_ACCESS,
        ),
        Ok(TrustedAccess::Unknown) => found.add(
            STACK_SETS,
            CheckState::Unknown,
            "the endpoint doesn't report it".to_owned(),
            None,
        ),
        Err(error) => found.unknown(STACK_SETS, &error),
    }
    if !bundle.stack_sets.iter().any(|set| set.part == Part::Trail) {
        return;
    }
    match cloud.trusted_services().await {
        Ok(services) if services.iter().any(|it| it == CLOUDTRAIL) => {
            found.pass(TRAIL, "enabled".to_owned());
        }
        Ok(_) => found.fail(
            TRAIL,
            "disabled: there can't be an organization trail".to_owned(),
            format!(
                "enable it once with the management account's credentials: `aws organizations \
                 enable-aws-service-access --service-principal {CLOUDTRAIL}`"
            ),
        ),
        Err(error) => found.unknown(TRAIL, &error),
    }
}

async fn regions(cloud: &impl Cloud, bundle: &Bundle, found: &mut Preflight) {
    const WHAT: &str = "Regions";
    let organization = &bundle.organization;
    let answer = cloud.enabled_regions().await;
    if organization.region_source == RegionSource::Unresolved {
        let why = match answer {
            Ok(Some(_)) => "the home Region is not enabled in the management account".to_owned(),
            Ok(None) => "only the management account can list them".to_owned(),
            Err(error) => error.to_string(),
        };
        found.fail(
            WHAT,
            format!("`regions: enabled` can't be resolved: {why}"),
            "allow the caller account:ListRegions in the management account, or list `regions` in \
             the organization file"
                .to_owned(),
        );
        return;
    }
    match answer {
        Ok(Some(enabled)) => {
            sign_in_regions(organization, &enabled, found);
            let off: BTreeSet<&String> = organization
                .regions
                .iter()
                .chain([&organization.home_region])
                .filter(|region| !enabled.contains(region))
                .collect();
            if off.is_empty() {
                found.pass(WHAT, format!("all {} enabled", organization.regions.len()));
            }
            for region in off {
                let message = format!("{region} is not enabled in the management account");
                let fix = format!(
                    "`aws account enable-region --region-name {region}` enables it, or remove it \
                     from the Regions in the organization file"
                );
                if *region == organization.home_region {
                    found.fail(WHAT, message, fix);
                } else {
                    found.warn(WHAT, message, fix);
                }
            }
        }
        Ok(None) => found.add(
            WHAT,
            CheckState::Unknown,
            "only the management account can list the enabled Regions".to_owned(),
            None,
        ),
        Err(error) => found.unknown(WHAT, &error),
    }
}

/// Warns of Regions in which sign-ins appear, whoever watches them.
fn sign_in_regions(organization: &Organization, enabled: &[String], found: &mut Preflight) {
    let unwatched: Vec<&str> = rules::SIGN_IN_REGIONS
        .into_iter()
        .filter(|region| enabled.iter().any(|it| it == region))
        .filter(|region| !organization.regions.iter().any(|it| it == region))
        .collect();
    if !unwatched.is_empty() {
        found.warn(
            "Regions of sign-ins",
            format!(
                "console sign-ins also appear in {}, where nothing forwards them",
                unwatched.join(", ")
            ),
            "add these Regions to `regions` in the organization file, or write `regions: enabled`"
                .to_owned(),
        );
    }
}

/// Checks access to the management, log archive and hub accounts.
async fn accounts(cloud: &impl Cloud, bundle: &Bundle, caller: &Identity, found: &mut Preflight) {
    let organization = &bundle.organization;
    let own_trail = bundle.stack_sets.iter().any(|set| set.part == Part::Bucket);
    let parts = [
        (
            "management account",
            &organization.accounts.management,
            true,
        ),
        // With an existing trail, nothing is deployed there that others don't get, too.
        (
            "log archive account",
            &organization.accounts.log_archive,
            own_trail,
        ),
        ("hub account", &organization.accounts.hub, true),
    ];
    for (what, account, needed) in parts {
        if !needed || *account == caller.account {
            continue;
        }
        let location = Location::new(account, &organization.home_region);
        let what = format!("access to the {what}");
        // A stack name that can't exist: "not found" proves access.
        let probe = format!("gizmos-probe-{}", fingerprint(account));
        match cloud.describe_stack(&location, &probe).await {
            Ok(_) => found.pass(&what, format!("{account}, by {}", organization.access_role)),
            Err(error) if error.is_denied() => found.warn(
                &what,
                format!(
                    "the role {} in {account} can't be assumed",
                    organization.access_role
                ),
                format!(
                    "create the role {} in account {account} and let {} assume it, or name \
                     another one as `access_role` in the organization file; without it the \
                     account's stacks and the health of the alert chain can't be seen",
                    organization.access_role, caller.arn
                ),
            ),
            Err(error) => found.unknown(&what, &error),
        }
    }
}

#[cfg(test)]
mod tests;
