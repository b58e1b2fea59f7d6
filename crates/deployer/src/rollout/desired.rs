//! Where the instances of a stack set belong.

use std::collections::BTreeSet;

use compiler::organization::Organization;
use compiler::{AccountFilter, Members};

use serde::Serialize;

use crate::fleet::Membership;
use crate::ports::{Account, AccountState, Location};

/// A location where nothing can be deployed or removed now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockedLocation {
    /// Account and Region.
    pub location: Location,
    /// The account's name, if known.
    pub account_name: Option<String>,
    /// A clause without a full stop, such as `the account is suspended`.
    pub reason: String,
}

/// Where the instances of a stack set belong.
#[derive(Debug, Default)]
pub(crate) struct Desired {
    /// Locations that must have an instance.
    pub(crate) locations: BTreeSet<Location>,
    /// Locations that should have an instance but can't be deployed to now.
    pub(crate) blocked: Vec<BlockedLocation>,
}

/// The accounts selected by `members`, whatever their state. The management account is left out,
/// because service-managed stack sets skip it.
pub(crate) fn selected<'a>(
    members: &'a Members,
    organization: &'a Organization,
    accounts: &'a [Account],
) -> impl Iterator<Item = &'a Account> {
    accounts.iter().filter(move |account| {
        account.id != organization.accounts.management
            && members
                .organizational_units
                .iter()
                .any(|unit| account.is_under(unit))
            && match &members.accounts {
                AccountFilter::All => true,
                AccountFilter::Only(only) => only.contains(&account.id),
                AccountFilter::Except(except) => !except.contains(&account.id),
            }
    })
}

/// Why nothing can be deployed to a disabled Region. It must be enabled in the administrator
/// account as well as in the target account.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-opt-in-regions.html>
pub(crate) fn region_is_off(region: &str) -> String {
    format!(
        "the Region {region} is not enabled in the management account; `aws account enable-region \
         --region-name {region}` enables it"
    )
}

/// Why nothing can be deployed to a Region that a member account hasn't enabled. Nothing can happen
/// there, either.
pub(crate) fn region_is_not_enabled(region: &str) -> String {
    format!(
        "the Region {region} is not enabled in the account; `aws account enable-region \
         --region-name {region}` there enables it"
    )
}

/// Determines where the instances of a stack set with these members belong.
pub(crate) fn desired(
    members: &Members,
    organization: &Organization,
    membership: &Membership,
) -> Desired {
    let mut desired = Desired::default();
    let mut found = BTreeSet::new();
    for account in selected(members, organization, &membership.accounts) {
        found.insert(account.id.as_str());
        for region in &members.regions {
            let location = Location::new(&account.id, region);
            let reason = if account.state != AccountState::Active {
                format!("the account is {}", account.state.describe())
            } else if membership.is_off(region) {
                region_is_off(region)
            } else if membership.is_not_enabled(&location) {
                region_is_not_enabled(region)
            } else {
                desired.locations.insert(location);
                continue;
            };
            desired.blocked.push(BlockedLocation {
                location,
                account_name: Some(account.name.clone()),
                reason,
            });
        }
    }
    if let AccountFilter::Only(only) = &members.accounts {
        for id in only.iter().filter(|id| !found.contains(id.as_str())) {
            let known = membership.account(id);
            let reason = match known {
                None => "the account is not in the organization",
                Some(_) if *id == organization.accounts.management => {
                    "stack sets skip the management account"
                }
                Some(_) => "the account is not in the target organizational units",
            };
            desired
                .blocked
                .extend(members.regions.iter().map(|region| BlockedLocation {
                    location: Location::new(id, region),
                    account_name: known.map(|account| account.name.clone()),
                    reason: reason.to_owned(),
                }));
        }
    }
    desired
}
