//! The organization: the caller, and all accounts.
//!
//! AWS: <https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html>

use std::future::Future;

use serde::Serialize;

use super::CloudError;

/// Whose credentials are in use, by `sts:GetCallerIdentity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// ARN of the user or the assumed role.
    pub arn: String,
}

/// The organization that the caller's account belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrganizationDetails {
    /// `o-…`
    pub id: String,
    /// The management account's twelve digits.
    pub management_account: String,
    /// Whether it has more than consolidated billing, if known.
    pub all_features: Option<bool>,
}

/// Whether IAM would let a caller do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// It would.
    Allowed,
    /// It would not.
    Denied,
}

/// State of an account, by `Account.State`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// Created, not usable yet.
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
    /// The state in words that finish the sentence "the account is …".
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
    /// Its friendly name.
    pub name: String,
    /// Its state.
    pub state: AccountState,
    /// From the root down: `["r-exmp", "ou-exmp-production"]`. Without the account itself.
    pub path: Vec<String>,
}

impl Account {
    /// Whether the account sits somewhere below `unit`, a root or organizational unit.
    pub fn is_under(&self, unit: &str) -> bool {
        self.path.iter().any(|step| step == unit)
    }
}

/// Whether StackSets may act in the organization's accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustedAccess {
    /// It may.
    Enabled,
    /// It must be activated first.
    Disabled,
    /// The endpoint doesn't say.
    Unknown,
}

/// Reading the organization.
pub trait Organizations {
    /// Whose credentials are in use.
    fn caller_identity(&self) -> impl Future<Output = Result<Identity, CloudError>> + Send;

    /// The organization the caller is in.
    fn describe_organization(
        &self,
    ) -> impl Future<Output = Result<OrganizationDetails, CloudError>> + Send;

    /// Every account with its state and path, the management account included.
    fn list_accounts(&self) -> impl Future<Output = Result<Vec<Account>, CloudError>> + Send;

    /// The Regions that are enabled in the management account; `None` if the caller can't list them.
    ///
    /// AWS: <https://docs.aws.amazon.com/accounts/latest/reference/API_ListRegions.html>
    fn enabled_regions(
        &self,
    ) -> impl Future<Output = Result<Option<Vec<String>>, CloudError>> + Send;

    /// Accounts that administer a service, named by its principal, for the organization.
    fn delegated_administrators(
        &self,
        principal: &str,
    ) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// Principals of the services that have trusted access to the organization.
    fn trusted_services(&self) -> impl Future<Output = Result<Vec<String>, CloudError>> + Send;

    /// What IAM's policy simulation says of the caller with this ARN, by action: denied if it is
    /// on any of the resources, which are ARNs or `*`.
    ///
    /// AWS: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>
    fn simulate_permissions(
        &self,
        caller: &str,
        actions: &[&str],
        resources: &[String],
    ) -> impl Future<Output = Result<Vec<(String, Permission)>, CloudError>> + Send;

    /// Whether trusted access is on for StackSets.
    fn trusted_access(&self) -> impl Future<Output = Result<TrustedAccess, CloudError>> + Send;
}
