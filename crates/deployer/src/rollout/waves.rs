//! Splits a rollout into waves.

use std::collections::BTreeMap;

use compiler::organization;

use crate::ports::{Account, ConcurrencyMode, Location, Preferences, RegionConcurrency, Tolerance};

/// Name of the last wave, for accounts in none of the organization file's waves.
const REST: &str = "rest";

/// Canary waves of at most this many accounts process one account at a time.
const ONE_BY_ONE: usize = 5;

/// The instances of a stack set that are deployed together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wave {
    /// `None` if there is only one wave.
    pub(crate) name: Option<String>,
    /// Instances to update.
    pub(crate) update: Vec<Location>,
    /// Instances to create.
    pub(crate) add: Vec<Location>,
    /// Pause before the next wave.
    pub(crate) soak_minutes: u32,
    /// Concurrency and failure tolerance of its operations.
    pub(crate) preferences: Preferences,
}

/// Splits the locations of a stack set into waves. A location belongs to the first wave that names
/// its account or one of its units. Empty waves are omitted.
pub(crate) fn split(
    waves: &[organization::Wave],
    accounts: &[Account],
    update: &[Location],
    add: &[Location],
    template_changes: bool,
) -> Vec<Wave> {
    let mut parts: Vec<Wave> = waves
        .iter()
        .map(|wave| (wave.name.as_str(), wave.soak_minutes))
        .chain([(REST, 0)])
        .map(|(name, soak_minutes)| Wave {
            name: Some(name.to_owned()),
            update: Vec::new(),
            add: Vec::new(),
            soak_minutes,
            preferences: main(),
        })
        .collect();
    // Keyed by account, because accounts have several locations.
    let waves_of: BTreeMap<&str, usize> = accounts
        .iter()
        .filter_map(|account| {
            let wave = waves.iter().position(|wave| {
                wave.accounts.contains(&account.id)
                    || wave
                        .organizational_units
                        .iter()
                        .any(|unit| account.is_under(unit))
            })?;
            Some((account.id.as_str(), wave))
        })
        .collect();
    let wave_of = |location: &Location| {
        waves_of
            .get(location.account.as_str())
            .copied()
            .unwrap_or(waves.len())
    };
    for location in update {
        if let Some(part) = parts.get_mut(wave_of(location)) {
            part.update.push(location.clone());
        }
    }
    for location in add {
        if let Some(part) = parts.get_mut(wave_of(location)) {
            part.add.push(location.clone());
        }
    }
    if template_changes {
        create_after_first_update(&mut parts);
    }
    parts.retain(|part| !part.update.is_empty() || !part.add.is_empty());
    if parts.len() == 1 {
        for part in &mut parts {
            part.name = None;
        }
    } else if let Some(first) = parts.first_mut() {
        let locations = first.update.iter().chain(&first.add);
        let mut ids: Vec<&str> = locations
            .map(|location| location.account.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        first.preferences = canary(ids.len());
    }
    parts
}

/// Instances can only be created once the stack set has its new template, which comes with the
/// first update. Creations in earlier waves therefore move to the first wave that updates.
fn create_after_first_update(parts: &mut [Wave]) {
    let Some(first) = parts.iter().position(|part| !part.update.is_empty()) else {
        return;
    };
    let (before, rest) = parts.split_at_mut(first);
    if let Some(part) = rest.first_mut() {
        for earlier in before {
            part.add.append(&mut earlier.add);
        }
        part.add.sort();
    }
}

/// A quarter of the accounts at a time, all Regions in parallel; the operation stops if more than a
/// twentieth fail. Soft mode keeps the concurrency, whereas the default mode with a tolerance of
/// zero processes one account at a time.
pub(crate) const fn main() -> Preferences {
    Preferences {
        region_concurrency: RegionConcurrency::Parallel,
        failure_tolerance: Tolerance::Percentage(5),
        max_concurrent: Tolerance::Percentage(25),
        mode: ConcurrencyMode::SoftFailureTolerance,
    }
}

/// Tolerates no failure and processes Regions sequentially.
const fn canary(accounts: usize) -> Preferences {
    Preferences {
        region_concurrency: RegionConcurrency::Sequential,
        failure_tolerance: Tolerance::Count(0),
        max_concurrent: if accounts <= ONE_BY_ONE {
            Tolerance::Count(1)
        } else {
            Tolerance::Percentage(25)
        },
        mode: ConcurrencyMode::SoftFailureTolerance,
    }
}

/// For removals: tolerates no failure.
pub(crate) const fn removal() -> Preferences {
    Preferences {
        region_concurrency: RegionConcurrency::Parallel,
        failure_tolerance: Tolerance::Count(0),
        max_concurrent: Tolerance::Percentage(25),
        mode: ConcurrencyMode::SoftFailureTolerance,
    }
}

/// For drift detection: everything at once, and failures don't stop it.
pub(crate) const fn detection() -> Preferences {
    Preferences {
        region_concurrency: RegionConcurrency::Parallel,
        failure_tolerance: Tolerance::Percentage(100),
        max_concurrent: Tolerance::Percentage(100),
        mode: ConcurrencyMode::SoftFailureTolerance,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::AccountState;

    fn account(id: &str, unit: &str) -> Account {
        Account {
            id: id.into(),
            name: id.into(),
            state: AccountState::Active,
            path: vec!["r-exmp".into(), unit.into()],
        }
    }

    fn locations(ids: &[&str]) -> Vec<Location> {
        ids.iter()
            .map(|id| Location::new(*id, "eu-central-1"))
            .collect()
    }

    fn canary_wave() -> organization::Wave {
        organization::Wave {
            name: "canary".into(),
            organizational_units: vec!["ou-exmp-development".into()],
            accounts: vec!["012345678901".into()],
            soak_minutes: 10,
        }
    }

    fn fleet() -> Vec<Account> {
        vec![
            account("012345678901", "ou-exmp-production"),
            account("100000000002", "ou-exmp-production"),
            account("100000000006", "ou-exmp-development"),
        ]
    }

    #[test]
    fn the_canary_takes_its_units_and_accounts_and_the_rest_follows() {
        let all = locations(&["012345678901", "100000000002", "100000000006"]);
        let parts = split(&[canary_wave()], &fleet(), &all, &[], true);
        assert_eq!(parts.len(), 2);
        assert_eq!(parts[0].name.as_deref(), Some("canary"));
        assert_eq!(
            parts[0].update,
            locations(&["012345678901", "100000000006"])
        );
        assert_eq!(parts[0].soak_minutes, 10);
        assert_eq!(parts[0].preferences.failure_tolerance, Tolerance::Count(0));
        assert_eq!(parts[1].name.as_deref(), Some(REST));
        assert_eq!(parts[1].update, locations(&["100000000002"]));
        assert_eq!(parts[1].preferences, main());
    }

    #[test]
    fn a_single_wave_needs_no_name_and_no_caution() {
        let parts = split(
            &[canary_wave()],
            &fleet(),
            &locations(&["100000000002"]),
            &[],
            true,
        );
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].name, None);
        assert_eq!(parts[0].preferences, main());
    }

    #[test]
    fn nothing_is_created_before_the_new_template_is_there() {
        let parts = split(
            &[canary_wave()],
            &fleet(),
            &locations(&["100000000002"]),
            &locations(&["100000000006"]),
            true,
        );
        assert_eq!(parts.len(), 1);
        assert_eq!(parts[0].update, locations(&["100000000002"]));
        assert_eq!(parts[0].add, locations(&["100000000006"]));
    }
}
