//! AWS Organizations and STS.

use std::collections::{BTreeMap, VecDeque};

use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::types::OrganizationStatus;
use aws_sdk_organizations::types as sdk;
use deployer::ports::{
    Account, AccountState, CloudError, Identity, OrganizationDetails, Organizations, TrustedAccess,
};

use crate::connect::Aws;
use crate::error::cloud_error;

/// Most accounts that a page of `ListAccounts` holds.
const ACCOUNTS_PAGE: i32 = 20;

impl Aws {
    /// Where every account sits, found by walking down from the roots. Only for endpoints whose
    /// `ListAccounts` doesn't tell: it takes two calls per organizational unit.
    async fn walk(&self) -> Result<BTreeMap<String, Vec<String>>, CloudError> {
        let client = self.organizations();
        let mut paths = BTreeMap::new();
        let roots = self
            .list("organizations:ListRoots", |token| async {
                let page = client
                    .list_roots()
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| cloud_error("organizations:ListRoots", &e))?;
                let roots = page.roots.unwrap_or_default().into_iter();
                Ok((roots.filter_map(|root| root.id).collect(), page.next_token))
            })
            .await?;
        let mut units: VecDeque<Vec<String>> = roots.into_iter().map(|id| vec![id]).collect();
        while let Some(path) = units.pop_front() {
            let Some(unit) = path.last() else { continue };
            let accounts = self
                .list("organizations:ListAccountsForParent", |token| async {
                    let page = client
                        .list_accounts_for_parent()
                        .parent_id(unit)
                        .set_next_token(token)
                        .send()
                        .await
                        .map_err(|e| cloud_error("organizations:ListAccountsForParent", &e))?;
                    let accounts = page.accounts.unwrap_or_default().into_iter();
                    Ok((accounts.filter_map(|a| a.id).collect(), page.next_token))
                })
                .await?;
            for id in accounts {
                paths.insert(id, path.clone());
            }
            let children = self
                .list(
                    "organizations:ListOrganizationalUnitsForParent",
                    |token| async {
                        let page = client
                            .list_organizational_units_for_parent()
                            .parent_id(unit)
                            .set_next_token(token)
                            .send()
                            .await
                            .map_err(|e| {
                                cloud_error("organizations:ListOrganizationalUnitsForParent", &e)
                            })?;
                        let units = page.organizational_units.unwrap_or_default().into_iter();
                        Ok((units.filter_map(|unit| unit.id).collect(), page.next_token))
                    },
                )
                .await?;
            for id in children {
                let mut below = path.clone();
                below.push(id);
                units.push_back(below);
            }
        }
        Ok(paths)
    }
}

impl Organizations for Aws {
    async fn caller_identity(&self) -> Result<Identity, CloudError> {
        let client = aws_sdk_sts::Client::new(self.base());
        let answer = self
            .call("sts:GetCallerIdentity", || async {
                let answer = client.get_caller_identity().send().await;
                answer.map_err(|e| cloud_error("sts:GetCallerIdentity", &e))
            })
            .await?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    async fn describe_organization(&self) -> Result<OrganizationDetails, CloudError> {
        let organization = self
            .call("organizations:DescribeOrganization", || async {
                let answer = self.organizations().describe_organization().send().await;
                answer.map_err(|e| cloud_error("organizations:DescribeOrganization", &e))
            })
            .await?
            .organization
            .ok_or_else(|| CloudError::NotFound {
                message: "the account is in no organization".to_owned(),
            })?;
        Ok(OrganizationDetails {
            id: organization.id.unwrap_or_default(),
            management_account: organization.master_account_id.unwrap_or_default(),
        })
    }

    async fn list_accounts(&self) -> Result<Vec<Account>, CloudError> {
        let mut accounts: Vec<Account> = self
            .list("organizations:ListAccounts", |token| async {
                let page = self
                    .organizations()
                    .list_accounts()
                    .max_results(ACCOUNTS_PAGE)
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| cloud_error("organizations:ListAccounts", &e))?;
                let accounts = page.accounts.unwrap_or_default();
                Ok((accounts.into_iter().map(account).collect(), page.next_token))
            })
            .await?;
        if accounts.iter().any(|account| account.path.is_empty()) {
            let mut paths = self.walk().await?;
            for account in &mut accounts {
                if let Some(path) = paths.remove(&account.id) {
                    account.path = path;
                }
            }
        }
        Ok(accounts)
    }

    async fn enabled_regions(&self) -> Result<Option<Vec<String>>, CloudError> {
        Ok(None)
    }

    async fn trusted_access(&self) -> Result<TrustedAccess, CloudError> {
        // Emulators answer this with a server error: don't insist.
        let once = aws_sdk_cloudformation::config::Builder::new()
            .retry_config(RetryConfig::standard().with_max_attempts(2));
        let answer = self
            .stack_sets()
            .describe_organizations_access()
            .call_as(self.call_as())
            .customize()
            .config_override(once)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(match answer.status {
                Some(OrganizationStatus::Enabled) => TrustedAccess::Enabled,
                Some(_) => TrustedAccess::Disabled,
                None => TrustedAccess::Unknown,
            }),
            Err(error) => match cloud_error("cloudformation:DescribeOrganizationsAccess", &error) {
                CloudError::Unavailable { .. } | CloudError::Unsupported { .. } => {
                    Ok(TrustedAccess::Unknown)
                }
                error => Err(error),
            },
        }
    }
}

fn account(account: sdk::Account) -> Account {
    let state = state(&account);
    let path = account
        .paths
        .unwrap_or_default()
        .first()
        .map(|path| units(path))
        .unwrap_or_default();
    Account {
        id: account.id.unwrap_or_default(),
        name: account.name.unwrap_or_default(),
        state,
        path,
    }
}

/// `State` has replaced `Status`, which older endpoints still send alone.
fn state(account: &sdk::Account) -> AccountState {
    match &account.state {
        Some(sdk::AccountState::Active) => AccountState::Active,
        Some(sdk::AccountState::Suspended) => AccountState::Suspended,
        Some(sdk::AccountState::PendingActivation) => AccountState::PendingActivation,
        Some(sdk::AccountState::PendingClosure) => AccountState::PendingClosure,
        Some(sdk::AccountState::Closed) => AccountState::Closed,
        Some(other) => AccountState::Other(other.as_str().to_owned()),
        // Endpoints without `State` send only this.
        None => match account.status.as_ref().map(sdk::AccountStatus::as_str) {
            Some("ACTIVE") => AccountState::Active,
            Some("SUSPENDED") => AccountState::Suspended,
            Some("PENDING_CLOSURE") => AccountState::PendingClosure,
            other => AccountState::Other(other.unwrap_or("unknown").to_owned()),
        },
    }
}

/// The units of `o-…/r-…/ou-…/…/<account>/`, from the root down.
fn units(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|step| step.starts_with("r-") || step.starts_with("ou-"))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn the_path_of_an_account_names_its_units_from_the_root_down() {
        assert_eq!(
            units("o-exampleorg1/r-exmp/ou-exmp-production/012345678901/"),
            ["r-exmp", "ou-exmp-production"]
        );
        assert!(units("").is_empty());
    }
}
