//! Finds the fewest calls that reach exactly a given set of locations.

use std::collections::{BTreeMap, BTreeSet};

use crate::ports::{AccountSelection, DeploymentTargets, Location};

/// Locations that one call reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// Organizational units and account filter of the call.
    pub(crate) targets: DeploymentTargets,
    /// The same Regions apply to every account.
    pub(crate) regions: Vec<String>,
    /// Every account in every Region.
    pub(crate) locations: Vec<Location>,
}

/// Groups locations into full grids of accounts and Regions, because CloudFormation rejects a call
/// that names a location without an instance.
///
/// `pool` holds all accounts below `units` that a call without a filter would reach. If the
/// locations cover all or most of it, the call filters the units instead of listing accounts.
pub(crate) fn group(
    locations: &[Location],
    units: &[String],
    pool: &BTreeSet<&str>,
    region_order: &[String],
) -> Vec<Group> {
    // Finding the minimum is hard; the better of these two is minimal in all but contrived cases.
    let by_account = grids(
        locations
            .iter()
            .map(|it| (it.account.as_str(), it.region.as_str())),
    );
    let by_region = grids(
        locations
            .iter()
            .map(|it| (it.region.as_str(), it.account.as_str())),
    );
    let grids: Vec<(BTreeSet<&str>, BTreeSet<&str>)> = if by_region.len() < by_account.len() {
        by_region
            .into_iter()
            .map(|(accounts, regions)| (regions, accounts))
            .collect()
    } else {
        by_account.into_iter().collect()
    };
    let rank = |region: &str| {
        region_order
            .iter()
            .position(|known| known == region)
            .unwrap_or(region_order.len())
    };
    grids
        .into_iter()
        .map(|(regions, accounts)| {
            let mut regions: Vec<String> = regions.into_iter().map(str::to_owned).collect();
            regions.sort_by_key(|region| rank(region));
            let locations = accounts
                .iter()
                .flat_map(|account| regions.iter().map(|region| Location::new(*account, region)))
                .collect();
            Group {
                targets: DeploymentTargets {
                    organizational_units: units.to_vec(),
                    accounts: selection(&accounts, pool),
                },
                regions,
                locations,
            }
        })
        .collect()
}

/// Merges rows that have the same columns.
fn grids<'p>(
    cells: impl Iterator<Item = (&'p str, &'p str)>,
) -> BTreeMap<BTreeSet<&'p str>, BTreeSet<&'p str>> {
    let mut columns_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (row, column) in cells {
        columns_of.entry(row).or_default().insert(column);
    }
    let mut rows_of: BTreeMap<BTreeSet<&str>, BTreeSet<&str>> = BTreeMap::new();
    for (row, columns) in columns_of {
        rows_of.entry(columns).or_default().insert(row);
    }
    rows_of
}

fn selection(accounts: &BTreeSet<&str>, pool: &BTreeSet<&str>) -> AccountSelection {
    let owned = |ids: Vec<&&str>| ids.into_iter().map(|id| (*id).to_owned()).collect();
    let others: Vec<&&str> = pool.difference(accounts).collect();
    if !accounts.is_subset(pool) {
        // Some accounts are not below the units, so all must be listed.
        return AccountSelection::Intersection(owned(accounts.iter().collect()));
    }
    if others.is_empty() {
        AccountSelection::All
    } else if others.len() < accounts.len() {
        AccountSelection::Difference(owned(others))
    } else {
        AccountSelection::Intersection(owned(accounts.iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(locations: &[(&str, &str)], pool: &[&str]) -> Vec<Group> {
        let locations: Vec<Location> = locations
            .iter()
            .map(|(a, r)| Location::new(*a, *r))
            .collect();
        group(
            &locations,
            &["ou-exmp-production".into()],
            &pool.iter().copied().collect(),
            &["eu-central-1".into(), "af-south-1".into()],
        )
    }

    #[test]
    fn a_full_grid_is_one_call_without_a_list_of_accounts() {
        let groups = run(
            &[
                ("1", "af-south-1"),
                ("1", "eu-central-1"),
                ("2", "eu-central-1"),
                ("2", "af-south-1"),
            ],
            &["1", "2"],
        );
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].targets.accounts, AccountSelection::All);
        assert_eq!(groups[0].regions, ["eu-central-1", "af-south-1"]);
        assert_eq!(groups[0].locations.len(), 4);
    }

    #[test]
    fn a_ragged_grid_is_one_call_per_set_of_regions() {
        let groups = run(
            &[
                ("1", "eu-central-1"),
                ("2", "eu-central-1"),
                ("2", "af-south-1"),
                ("3", "eu-central-1"),
            ],
            &["1", "2", "3"],
        );
        assert_eq!(groups.len(), 2);
        let of = |regions: usize| groups.iter().find(|g| g.regions.len() == regions).unwrap();
        assert_eq!(
            of(1).targets.accounts,
            AccountSelection::Difference(vec!["2".into()])
        );
        assert_eq!(
            of(2).targets.accounts,
            AccountSelection::Intersection(vec!["2".into()])
        );
    }

    #[test]
    fn where_regions_have_more_in_common_than_accounts_it_is_one_call_per_set_of_accounts() {
        let groups = run(
            &[
                ("1", "eu-central-1"),
                ("2", "af-south-1"),
                ("3", "eu-central-1"),
                ("3", "af-south-1"),
            ],
            &["1", "2", "3"],
        );
        assert_eq!(groups.len(), 2);
        for group in groups {
            assert_eq!(group.regions.len(), 1);
            assert_eq!(group.locations.len(), 2);
        }
    }

    #[test]
    fn an_account_that_is_not_below_the_units_is_always_named() {
        let groups = run(&[("1", "eu-central-1"), ("9", "eu-central-1")], &["1"]);
        assert_eq!(
            groups[0].targets.accounts,
            AccountSelection::Intersection(vec!["1".into(), "9".into()])
        );
    }
}
