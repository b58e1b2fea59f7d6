//! AWS Organizations and STS.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;

use aws_config::SdkConfig;
use aws_sdk_account::types::RegionOptStatus;
use aws_sdk_cloudformation::config::retry::RetryConfig;
use aws_sdk_cloudformation::types::{CallAs, OrganizationStatus};
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use aws_sdk_organizations::types as sdk;
use deployer::ports::{
    Account, AccountState, CloudError, Identity, Location, OrganizationDetails, Organizations,
    Permission, TrustedAccess,
};

use crate::connect::Aws;
use crate::error::cloud_error;

/// Maximum accounts per page of `ListAccounts`.
const ACCOUNTS_PAGE: i32 = 20;

/// Maximum Regions per page of `ListRegions`.
const REGIONS_PAGE: i32 = 50;

impl Aws {
    /// The path of every account, found by walking down from the roots. Only for endpoints whose
    /// `ListAccounts` doesn't return paths, because it takes two calls per organizational unit.
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

    /// The management account's Regions with one of these states.
    async fn management_regions(
        &self,
        wanted: &[RegionOptStatus],
    ) -> Result<Option<Vec<String>>, CloudError> {
        let config = if self.call_as() == CallAs::SelfValue {
            self.base().clone()
        } else {
            // Only the management account may list its own Regions.
            let organization = self.describe_organization().await?;
            let home = self.home_region();
            let management = Location::new(organization.management_account, home);
            match self.at(&management).await {
                Ok(config) => config,
                Err(error) if error.is_denied() => return Ok(None),
                Err(error) => return Err(error),
            }
        };
        self.regions(&config, None, wanted).await.map(Some)
    }

    /// An account's Regions with one of these states: the caller's own, or a member's.
    async fn regions(
        &self,
        config: &SdkConfig,
        account: Option<&str>,
        wanted: &[RegionOptStatus],
    ) -> Result<Vec<String>, CloudError> {
        let client = aws_sdk_account::Client::new(&Aws::briefly(config));
        self.list_optional("account:ListRegions", |token| async {
            let page = client
                .list_regions()
                .set_account_id(account.map(str::to_owned))
                .set_region_opt_status_contains(Some(wanted.to_vec()))
                .max_results(REGIONS_PAGE)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| cloud_error("account:ListRegions", &e))?;
            let regions = page.regions.unwrap_or_default().into_iter();
            let names = regions.filter_map(|region| region.region_name);
            Ok((names.collect(), page.next_token))
        })
        .await
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
                message: "the account belongs to no organization".to_owned(),
            })?;
        Ok(OrganizationDetails {
            id: organization.id.unwrap_or_default(),
            management_account: organization.master_account_id.unwrap_or_default(),
            all_features: organization
                .feature_set
                .map(|features| features == sdk::OrganizationFeatureSet::All),
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
        let wanted = [RegionOptStatus::Enabled, RegionOptStatus::EnabledByDefault];
        self.management_regions(&wanted).await
    }

    async fn opt_in_regions(&self) -> Result<Option<Vec<String>>, CloudError> {
        self.management_regions(&[RegionOptStatus::Enabled]).await
    }

    async fn member_regions(&self, account: &str) -> Result<Option<Vec<String>>, CloudError> {
        let wanted = [RegionOptStatus::Enabled, RegionOptStatus::EnabledByDefault];
        if !self.asks_members().load(Ordering::Relaxed) {
            match self.regions(self.base(), Some(account), &wanted).await {
                Ok(regions) => return Ok(Some(regions)),
                // Account Management may have no trusted access. That is so for every account.
                Err(error) if error.is_denied() => {
                    self.asks_members().store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        let location = Location::new(account, self.home_region());
        let answer = match self.at(&location).await {
            Ok(config) => self.regions(&config, None, &wanted).await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(regions) => Ok(Some(regions)),
            Err(error) if error.is_denied() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn delegated_administrators(&self, principal: &str) -> Result<Vec<String>, CloudError> {
        let client = aws_sdk_organizations::Client::new(&Aws::briefly(self.base()));
        self.list_optional("organizations:ListDelegatedAdministrators", |token| async {
            let page = client
                .list_delegated_administrators()
                .service_principal(principal)
                .set_next_token(token)
                .send()
                .await
                .map_err(|e| cloud_error("organizations:ListDelegatedAdministrators", &e))?;
            let accounts = page
                .delegated_administrators
                .unwrap_or_default()
                .into_iter();
            Ok((accounts.filter_map(|it| it.id).collect(), page.next_token))
        })
        .await
    }

    async fn trusted_services(&self) -> Result<Vec<String>, CloudError> {
        let client = aws_sdk_organizations::Client::new(&Aws::briefly(self.base()));
        self.list_optional(
            "organizations:ListAWSServiceAccessForOrganization",
            |token| async {
                let page = client
                    .list_aws_service_access_for_organization()
                    .set_next_token(token)
                    .send()
                    .await
                    .map_err(|e| {
                        cloud_error("organizations:ListAWSServiceAccessForOrganization", &e)
                    })?;
                let services = page
                    .enabled_service_principals
                    .unwrap_or_default()
                    .into_iter();
                let names = services.filter_map(|service| service.service_principal);
                Ok((names.collect(), page.next_token))
            },
        )
        .await
    }

    async fn simulate_permissions(
        &self,
        holder: &str,
        actions: &[&str],
        resources: &[String],
        condition: Option<(&str, &str)>,
    ) -> Result<Vec<(String, Permission)>, CloudError> {
        let client = aws_sdk_iam::Client::new(&Aws::briefly(self.base()));
        let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
        let context = condition.map(|(key, value)| {
            let entry = ContextEntry::builder()
                .context_key_name(key)
                .context_key_values(value)
                .context_key_type(ContextKeyTypeEnum::String);
            vec![entry.build()]
        });
        self.list_optional("iam:SimulatePrincipalPolicy", |marker| {
            let request = client
                .simulate_principal_policy()
                .policy_source_arn(holder)
                .set_action_names(Some(actions.clone()))
                .set_resource_arns(Some(resources.to_vec()))
                .set_context_entries(context.clone())
                .set_marker(marker);
            async move {
                let page = request
                    .send()
                    .await
                    .map_err(|e| cloud_error("iam:SimulatePrincipalPolicy", &e))?;
                let results = page.evaluation_results.unwrap_or_default().into_iter();
                let found = results.map(|result| {
                    let allowed = |decision: &PolicyEvaluationDecisionType| {
                        *decision == PolicyEvaluationDecisionType::Allowed
                    };
                    let single = result.resource_specific_results.iter().flatten();
                    let mut single = single.map(|result| &result.eval_resource_decision);
                    let allowed = allowed(&result.eval_decision) && single.all(allowed);
                    let permission = if allowed {
                        Permission::Allowed
                    } else {
                        Permission::Denied
                    };
                    (result.eval_action_name, permission)
                });
                Ok((found.collect(), page.marker))
            }
        })
        .await
    }

    async fn trusted_access(&self) -> Result<TrustedAccess, CloudError> {
        // Emulators respond with a server error, which retries would not change.
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

/// `State` replaced `Status`, which is all that older endpoints send.
fn state(account: &sdk::Account) -> AccountState {
    match &account.state {
        Some(sdk::AccountState::Active) => AccountState::Active,
        Some(sdk::AccountState::Suspended) => AccountState::Suspended,
        Some(sdk::AccountState::PendingActivation) => AccountState::PendingActivation,
        Some(sdk::AccountState::PendingClosure) => AccountState::PendingClosure,
        Some(sdk::AccountState::Closed) => AccountState::Closed,
        Some(other) => AccountState::Other(other.as_str().to_owned()),
        // Endpoints without `State` send `Status` only.
        None => match account.status.as_ref().map(sdk::AccountStatus::as_str) {
            Some("ACTIVE") => AccountState::Active,
            Some("SUSPENDED") => AccountState::Suspended,
            Some("PENDING_CLOSURE") => AccountState::PendingClosure,
            other => AccountState::Other(other.unwrap_or("unknown").to_owned()),
        },
    }
}

/// The organizational units in `o-…/r-…/ou-…/…/<account>/`, from the root down.
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
