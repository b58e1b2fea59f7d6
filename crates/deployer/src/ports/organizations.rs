//! The organization: the caller's identity, accounts and permissions.
//!
//! AWS: <https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html>

use std::future::Future;

use serde::Serialize;

use super::CloudError;

/// The identity behind the credentials, from `sts:GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// ARN of the user or the assumed role.
    pub arn: String,
}

impl Identity {
    /// Whether this is the root user of the account, whose permissions no policy limits.
    pub fn is_root(&self) -> bool {
        self.arn.ends_with(":root")
    }

    /// The ARN of the user or role that has the policies: for an assumed-role session the role
    /// behind it. The session's ARN lacks the role's path; if the role has one, IAM reports that
    /// it can't find it.
    pub fn policy_holder(&self) -> String {
        let Some((head, rest)) = self.arn.split_once(":assumed-role/") else {
            return self.arn.clone();
        };
        let head = head.replacen(":sts:", ":iam:", 1);
        let role = rest.split('/').next().unwrap_or(rest);
        format!("{head}:role/{role}")
    }
}

/// The organization that the caller's account belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrganizationDetails {
    /// `o-…`
    pub id: String,
    /// The management account's twelve digits.
    pub management_account: String,
    /// Whether all features are enabled, and not just consolidated billing; `None` if not reported.
    pub all_features: Option<bool>,
}

/// Whether IAM allows an action, by policy simulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// On every simulated resource.
    Allowed,
    /// On at least one simulated resource.
    Denied,
}

/// State of an account, from `Account.State`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Created but not usable yet.
    PendingActivation,
    /// In use.
    Active,
    /// Suspended by AWS.
    Suspended,
    /// Being closed.
    PendingClosure,
    /// Closed.
    Closed,
    /// A state this version doesn't know, verbatim.
    Other(String),
}

impl AccountState {
    /// Words that complete the sentence "the account is …".
    pub fn describe(&self) -> String {
        match self {
            AccountState::PendingActivation => "not activated yet".to_owned(),
            AccountState::Active => "active".to_owned(),
            AccountState::Suspended => "suspended".to_owned(),
            AccountState::PendingClosure => "being closed".to_owned(),
            AccountState::Closed => "closed".to_owned(),
            AccountState::Other(state) => format!("in the unknown state {state}"),
        }
    }
}

/// An account of the organization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// Twelve digits, leading zeros kept.
    pub id: String,
    /// Chosen by the organization; not unique.
    pub name: String,
    /// Only active accounts can be deployed to.
    pub state: AccountState,
    /// Ids from the root down, without the account: `["r-exmp", "ou-exmp-production"]`.
    pub path: Vec<String>,
}

impl Account {
    /// Whether the account is below `unit`, a root or organizational unit.
    pub fn is_under(&self, unit: &str) -> bool {
        self.path.iter().any(|step| step == unit)
    }
}

/// Whether StackSets has trusted access to the organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustedAccess {
    /// Service-managed stack sets work.
    Enabled,
    /// Must be activated before anything can be deployed.
    Disabled,
    /// The endpoint doesn't say.
    Unknown,
}

/// Reads the organization.
pub trait Organizations {
    /// The identity behind the credentials.
    fn caller_identity(&self) -> impl Future<Output = Result<Identity, CloudError>> + Send;

    /// The organization of the caller's account.
    fn describe_organization(
        &self,
    ) -> impl Future<Output = Result<OrganizationDetails, CloudError>> + Send;

    /// Every account with its state and path, the management account included.
    fn list_accounts(&self) -> impl Future<Output = Result<Vec<Account>, CloudError>> + Send;

    /// Regions enabled in the management account; `None` if the caller can't list them.
    ///
    /// AWS: <https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>
    fn enabled_regions(
        &self,
    ) -> impl Future<Output = Result<Option<Vec<String>>, CloudError>> + Send;

    /// Regions enabled in the management account that must be enabled in each account; `None` if the
    /// caller can't list them.
    fn opt_in_regions(
        &self,
    ) -> impl Future<Output = Result<Option<Vec<String>>, CloudError>> + Send;

    /// Regions enabled in a member account; `None` if the caller can't list them.
    fn member_regions(
        &self,
        account: &str,
    ) -> impl Future<Output = Result<Option<Vec<String>>, CloudError>> + Send;

    /// Ids of the accounts that are delegated administrators of a service, given by its principal.
    fn delegated_administrators(
        &self,
        principal: &str,
    ) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// Principals of the services with trusted access to the organization.
    fn trusted_services(&self) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// Simulates the policies of the user or role with this ARN. Returns at least one result per
    /// action: denied if the action is denied on any of the resources, which are ARNs or `*`.
    /// `condition` is a condition key with the value that the calls will have.
    ///
    /// AWS: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
    fn simulate_permissions(
        &self,
        caller: &str,
        actions: &[&str],
        resources: &[String],
        condition: Option<(&str, &str)>,
    ) -> impl Future<Output = Result<Vec<(String, Permission)>, CloudError>> + Send;

    /// Whether StackSets has trusted access.
    fn trusted_access(&self) -> impl Future<Output = Result<TrustedAccess, CloudError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn permissions_are_those_of_the_role_behind_a_session() {
        let identity = |arn: &str| Identity {
            account: "111122223333".to_owned(),
            arn: arn.to_owned(),
        };
        assert_eq!(
            identity("arn:aws:sts::111122223333:assumed-role/Deployer/session").policy_holder(),
            "arn:aws:iam::111122223333:role/Deployer"
        );
        let user = identity("arn:aws:iam::111122223333:user/alice");
        assert_eq!(user.policy_holder(), user.arn);
        assert!(!user.is_root());
        assert!(identity("arn:aws:iam::111122223333:root").is_root());
    }
}
