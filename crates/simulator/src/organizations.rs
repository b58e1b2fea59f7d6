//! AWS Organizations.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// The organization's id, root and service principals.
pub(crate) const ORGANIZATION_ID: &str = "o-exampleorg1";
pub(crate) const ROOT_ID: &str = "r-exmp";
pub(crate) const MANAGEMENT: &str = "111122223333";
pub(crate) const LOG_ARCHIVE: &str = "222233334444";
pub(crate) const SECURITY: &str = "333344445555";

/// The tree of organizational units and accounts.
#[derive(Debug)]
pub(crate) struct Organization {
    accounts: BTreeMap<String, Account>,
    units: BTreeMap<String, Unit>,
}

/// One account.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The root's or an organizational unit's id.
    pub(crate) parent: String,
    /// `ACTIVE`, `SUSPENDED`, ...
    pub(crate) state: String,
    pub(crate) joined: Timestamp,
}

/// One organizational unit.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) parent: String,
}

impl Organization {
    /// The organization every simulator starts with.
    pub(crate) fn seeded(workloads: usize, now: Timestamp) -> Organization {
        let mut organization = Organization {
            accounts: BTreeMap::new(),
            units: BTreeMap::new(),
        };
        for name in ["security", "production", "development"] {
            let id = format!("ou-exmp-{name}");
            organization.units.insert(
                id.clone(),
                Unit {
                    id,
                    name: name.to_owned(),
                    parent: ROOT_ID.to_owned(),
                },
            );
        }
        let mut add = |id: String, name: String, parent: &str| {
            let account = Account {
                id: id.clone(),
                name,
                parent: parent.to_owned(),
                state: "ACTIVE".to_owned(),
                joined: now,
            };
            organization.accounts.insert(id, account);
        };
        add(MANAGEMENT.to_owned(), "management".to_owned(), ROOT_ID);
        add(
            LOG_ARCHIVE.to_owned(),
            "log-archive".to_owned(),
            "ou-exmp-security",
        );
        add(
            SECURITY.to_owned(),
            "security".to_owned(),
            "ou-exmp-security",
        );
        let production = workloads - workloads * 4 / 9;
        for number in 1..=workloads {
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
            add(id, format!("workload-{number}"), parent);
        }
        organization
    }

    /// All account ids, in order.
    pub(crate) fn account_ids(&self) -> Vec<String> {
        self.accounts.keys().cloned().collect()
    }

    /// The account, if it is a member or the management account.
    pub(crate) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The account's entity path for `aws:PrincipalOrgPaths`: `o-…/r-…/ou-…/`.
    pub(crate) fn org_path(&self, account: &str) -> Option<String> {
        let account = self.accounts.get(account)?;
        Some(format!("{}/", self.ancestors(&account.parent).join("/")))
    }

    /// Organization id, root, then units down to and including `parent`.
    fn ancestors(&self, parent: &str) -> Vec<String> {
        let mut up = vec![parent.to_owned()];
        let mut at = parent;
        while let Some(unit) = self.units.get(at) {
            up.push(unit.parent.clone());
            at = &unit.parent;
        }
        up.push(ORGANIZATION_ID.to_owned());
        up.reverse();
        up
    }
}
