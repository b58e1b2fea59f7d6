//! AWS Organizations: the tree of organizational units and accounts, trusted access and delegated
//! administrators.

mod actions;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub(crate) use actions::{ACTIONS, permit};

use crate::Services;
use crate::environment::{AccountMove, DEFAULT_REGIONS};
use crate::wire::api::ApiError;

/// The same in every simulation.
pub const ORGANIZATION_ID: &str = "o-exampleorg1";
/// The same in every simulation.
pub const ROOT_ID: &str = "r-exmp";
/// Id of the management account.
pub const MANAGEMENT: &str = "111122223333";
/// Id of the log archive account.
pub const LOG_ARCHIVE: &str = "222233334444";
/// Id of the security account.
pub const SECURITY: &str = "333344445555";

/// The service principal for StackSets' trusted access.
pub const STACKSETS_PRINCIPAL: &str = "member.org.stacksets.cloudformation.amazonaws.com";

/// The organization: units, accounts, trusted access and delegated administrators.
#[derive(Debug, Clone, Default)]
pub struct Organization {
    accounts: BTreeMap<String, Account>,
    units: BTreeMap<String, Unit>,
    /// Service principals with trusted access, and when it was granted.
    trusted: BTreeMap<String, Timestamp>,
    /// Delegated administrators by service principal, and when each was registered.
    delegated: BTreeMap<String, BTreeMap<String, Timestamp>>,
    /// Finished `CreateAccount` requests by id.
    requests: BTreeMap<String, Request>,
}

/// An account of the organization.
#[derive(Debug, Clone)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    /// AWS doesn't require account names to be unique.
    pub name: String,
    /// The root's or an organizational unit's id.
    pub parent: String,
    /// `ACTIVE`, `PENDING_CLOSURE`, ...
    pub state: String,
    pub(crate) joined: Timestamp,
}

/// An organizational unit.
#[derive(Debug, Clone)]
pub struct Unit {
    /// `ou-…`.
    pub id: String,
    /// Unique within the parent.
    pub name: String,
    /// The root's or an organizational unit's id.
    pub parent: String,
}

/// A finished `CreateAccount` request.
#[derive(Debug, Clone)]
struct Request {
    id: String,
    name: String,
    account: String,
    at: Timestamp,
}

impl Organization {
    /// The initial organization; five of nine workload accounts are in production.
    pub(crate) fn seeded(workloads: usize, now: Timestamp) -> Organization {
        let mut organization = Organization {
            accounts: BTreeMap::new(),
            units: BTreeMap::new(),
            trusted: [STACKSETS_PRINCIPAL, "cloudtrail.amazonaws.com"]
                .map(|principal| (principal.to_owned(), now))
                .into(),
            delegated: BTreeMap::new(),
            requests: BTreeMap::new(),
        };
        for name in ["security", "production", "development"] {
            let id = format!("ou-exmp-{name}");
            let unit = Unit {
                id: id.clone(),
                name: name.to_owned(),
                parent: ROOT_ID.to_owned(),
            };
            organization.units.insert(id, unit);
        }
        organization.add(MANAGEMENT, "management", ROOT_ID, now);
        organization.add(LOG_ARCHIVE, "log-archive", "ou-exmp-security", now);
        organization.add(SECURITY, "security", "ou-exmp-security", now);
        let production = workloads - workloads * 4 / 9;
        for number in 1..=workloads {
            // The first account id has a leading zero, to catch clients that parse ids as numbers.
            let id = if number == 1 {
                "012345678901".to_owned()
            } else {
                format!("1{number:011}")
            };
            let parent = if number <= production {
                "ou-exmp-production"
            } else {
                "ou-exmp-development"
            };
            organization.add(&id, &format!("workload-{number}"), parent, now);
        }
        organization
    }

    fn add(&mut self, id: &str, name: &str, parent: &str, now: Timestamp) {
        let account = Account {
            id: id.to_owned(),
            name: name.to_owned(),
            parent: parent.to_owned(),
            state: "ACTIVE".to_owned(),
            joined: now,
        };
        self.accounts.insert(id.to_owned(), account);
    }

    /// All accounts, ordered by id.
    pub fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// All organizational units, ordered by id.
    pub fn units(&self) -> impl Iterator<Item = &Unit> {
        self.units.values()
    }

    /// Finds an account, the management account included.
    pub fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// Whether the id is the root's or a unit's.
    pub fn is_parent(&self, id: &str) -> bool {
        id == ROOT_ID || self.units.contains_key(id)
    }

    /// The account's entity path as in `aws:PrincipalOrgPaths`: `o-…/r-…/ou-…/`.
    pub(crate) fn org_path(&self, account: &str) -> Option<String> {
        let account = self.accounts.get(account)?;
        Some(format!(
            "{ORGANIZATION_ID}/{}/",
            self.lineage(&account.parent).join("/")
        ))
    }

    /// Ids from the root down to and including `parent`.
    pub fn lineage(&self, parent: &str) -> Vec<String> {
        let mut up = vec![parent.to_owned()];
        let mut at = parent;
        while let Some(unit) = self.units.get(at) {
            up.push(unit.parent.clone());
            at = &unit.parent;
        }
        up.reverse();
        up
    }

    /// Ids of all accounts in a unit or the root, nested units included.
    pub fn accounts_below(&self, unit: &str) -> Vec<String> {
        // Many accounts share a parent, so each parent is checked once.
        let mut below: BTreeMap<&str, bool> = BTreeMap::new();
        self.accounts
            .values()
            .filter(|account| {
                *below
                    .entry(account.parent.as_str())
                    .or_insert_with(|| self.lineage(&account.parent).iter().any(|id| id == unit))
            })
            .map(|account| account.id.clone())
            .collect()
    }

    /// Whether the service principal has trusted access.
    pub fn trusts(&self, principal: &str) -> bool {
        self.trusted.contains_key(principal)
    }

    /// Grants trusted access.
    pub fn trust(&mut self, principal: &str, now: Timestamp) {
        self.trusted.entry(principal.to_owned()).or_insert(now);
    }

    /// Withdraws trusted access.
    pub fn distrust(&mut self, principal: &str) {
        self.trusted.remove(principal);
    }

    /// Whether the account is a delegated administrator of the service.
    pub fn is_delegated(&self, account: &str, principal: &str) -> bool {
        self.delegated
            .get(principal)
            .is_some_and(|accounts| accounts.contains_key(account))
    }
}

/// Adds an account to a unit. Stack sets with automatic deployment follow later.
pub fn create_account(
    services: &mut Services,
    name: &str,
    parent: &str,
    id: Option<String>,
) -> Result<String, ApiError> {
    if !services.organization.is_parent(parent) {
        return Err(ApiError::validation(format!(
            "there is no organizational unit {parent}"
        )));
    }
    let id = match id {
        Some(id) if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) => id,
        Some(id) => {
            return Err(ApiError::validation(format!(
                "an account id has 12 digits, not {id}"
            )));
        }
        None => free_id(&services.organization),
    };
    if services.organization.account(&id).is_some() {
        return Err(ApiError::validation(format!(
            "the account {id} exists already"
        )));
    }
    let now = services.environment.now;
    services.organization.add(&id, name, parent, now);
    // A new account has only the Regions that need no opt-in.
    let environment = &mut services.environment;
    for region in &environment.regions {
        if !DEFAULT_REGIONS.contains(&region.as_str()) {
            let pair = (id.clone(), region.clone());
            environment.off_in.insert(pair);
        }
    }
    services.environment.moves.push(AccountMove {
        account: id.clone(),
        from: None,
        to: Some(parent.to_owned()),
    });
    Ok(id)
}

fn no_parent() -> ApiError {
    ApiError::new(
        "ParentNotFoundException",
        "You specified parent that doesn't exist.",
    )
}

/// Adds an organizational unit and returns its id.
pub fn create_unit(
    services: &mut Services,
    name: &str,
    parent: &str,
    id: Option<String>,
) -> Result<String, ApiError> {
    if !services.organization.is_parent(parent) {
        return Err(no_parent());
    }
    let taken = |unit: &Unit| unit.parent == parent && unit.name == name;
    if services.organization.units().any(taken) {
        return Err(ApiError::new(
            "DuplicateOrganizationalUnitException",
            "An OU with the same name already exists.",
        ));
    }
    let id =
        id.unwrap_or_else(|| format!("ou-exmp-{}", services.environment.token(8).to_lowercase()));
    if services.organization.is_parent(&id) {
        return Err(ApiError::validation(format!("{id} exists already")));
    }
    let unit = Unit {
        id: id.clone(),
        name: name.to_owned(),
        parent: parent.to_owned(),
    };
    services.organization.units.insert(id.clone(), unit);
    Ok(id)
}

/// The possible states of an account.
const STATES: &[&str] = &["ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED"];

/// Sets an account's state. A suspended account stays in the tree and keeps its stack instances.
pub fn set_state(services: &mut Services, account: &str, state: &str) -> Result<(), String> {
    if account == MANAGEMENT {
        return Err("the management account can't be suspended or closed".to_owned());
    }
    if !STATES.contains(&state) {
        return Err(format!("{state} is none of {}", STATES.join(", ")));
    }
    match services.organization.accounts.get_mut(account) {
        Some(account) => {
            state.clone_into(&mut account.state);
            Ok(())
        }
        None => Err(format!("account {account} does not exist")),
    }
}

/// Moves an account to another unit or the root. Stack sets with automatic deployment follow later.
pub fn move_account(services: &mut Services, id: &str, to: &str) -> Result<(), String> {
    if !services.organization.is_parent(to) {
        return Err(format!("there is no organizational unit {to}"));
    }
    let Some(account) = services.organization.accounts.get_mut(id) else {
        return Err(format!("account {id} does not exist"));
    };
    let from = std::mem::replace(&mut account.parent, to.to_owned());
    if from == to {
        return Err(format!("{id} is in {to} already"));
    }
    services.environment.moves.push(AccountMove {
        account: id.to_owned(),
        from: Some(from),
        to: Some(to.to_owned()),
    });
    Ok(())
}

/// The lowest free id in the workload range. `100000000001` stays unused: the seeded organization
/// gives that account an id with a leading zero.
fn free_id(organization: &Organization) -> String {
    (2..=organization.accounts.len() + 2)
        .map(|number| format!("1{number:011}"))
        .find(|id| organization.account(id).is_none())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
