//! Automatic deployment: stack sets follow accounts that join, leave or move.
//!
//! Minutes after the organization changed, a separate operation deletes the instances for the
//! previous unit and creates those for the new one. It ignores operation preferences and parameter
//! overrides.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::Stage;
use crate::Task;
use crate::services::organizations::MANAGEMENT;
use crate::set::operation::{Request, start};
use crate::set::{Amount, Location, Preferences, StackSet, Work};

/// Virtual seconds between the change and the operation, minimum and maximum.
const DELAY: (i64, i64) = (120, 240);
/// Virtual seconds between attempts while another operation runs.
const RETRY: i64 = 30;

/// A stack set's pending reaction to an account that joined, left or moved.
#[derive(Debug, Clone)]
pub struct Move {
    account: String,
    set: String,
    /// Whether to create instances rather than delete them.
    join: bool,
}

/// Schedules automatic deployment for an account that joined (no `from`), left (no `to`) or moved.
pub fn account_moved(stage: &mut Stage<'_>, account: &str, from: Option<&str>, to: Option<&str>) {
    if account == MANAGEMENT {
        return;
    }
    let below = |set: &StackSet, parent: Option<&str>| -> Vec<String> {
        let lineage = parent
            .map(|parent| stage.services.organization.lineage(parent))
            .unwrap_or_default();
        set.targets
            .keys()
            .filter(|unit| lineage.contains(unit))
            .cloned()
            .collect()
    };
    let mut moves = Vec::new();
    for set in stage
        .cloudformation
        .sets
        .all()
        .filter(|set| !set.deleted && set.auto.enabled)
    {
        let (before, now) = (below(set, from), below(set, to));
        let step = |join| Move {
            account: account.to_owned(),
            set: set.id.clone(),
            join,
        };
        // An account that remains a target through another unit is removed and deployed again, too.
        if before != now || from.is_none() || to.is_none() {
            if !before.is_empty() {
                moves.push(step(false));
            }
            if !now.is_empty() {
                moves.push(step(true));
            }
        }
    }
    for step in moves {
        // Creation is due after the deletion and waits for it.
        let seconds = stage.services.environment.between(DELAY.0, DELAY.1)
            + if step.join { DELAY.1 } else { 0 };
        stage.after(seconds, Task::Auto(step));
    }
}

/// Performs a stack set's pending reaction.
pub(crate) fn follow(stage: &mut Stage<'_>, step: &Move) {
    let Some(set) = stage.set(&step.set) else {
        return;
    };
    if set.deleted || !set.auto.enabled {
        return;
    }
    let waits = set.running().is_some() || dependency_is_busy(stage, set);
    if waits {
        stage.after(RETRY, Task::Auto(step.clone()));
        return;
    }
    let locations = if step.join {
        to_create(stage, set, &step.account)
    } else {
        to_delete(stage, set, &step.account)
    };
    if locations.is_empty() {
        return;
    }
    let mut regions: Vec<Arc<str>> = locations
        .keys()
        .map(|(_, region)| Arc::clone(region))
        .collect();
    regions.dedup();
    let work = if step.join {
        Work::Create {
            overrides: BTreeMap::new(),
        }
    } else {
        Work::Delete {
            retain: set.auto.retain,
        }
    };
    let preferences = Preferences {
        parallel: true,
        soft: true,
        tolerance: Amount::Percent(100),
        concurrency: Amount::Percent(100),
        raw: Value::Null,
        ..Preferences::default()
    };
    let id = format!("auto-deployment-{}", stage.services.environment.uuid()).into();
    let request = Request {
        id,
        work,
        preferences,
        targets: Value::Null,
        locations,
        regions,
        change: None,
    };
    if start(stage, &step.set, request).is_err() {
        stage.after(RETRY, Task::Auto(step.clone()));
    }
}

fn dependency_is_busy(stage: &Stage<'_>, set: &StackSet) -> bool {
    set.auto.depends_on.iter().any(|arn| {
        stage
            .cloudformation
            .sets
            .find(&set.region, arn)
            .is_some_and(|other| other.running().is_some())
    })
}

/// The account's missing instances.
fn to_create(stage: &Stage<'_>, set: &StackSet, account: &str) -> BTreeMap<Location, Arc<str>> {
    let mut locations = BTreeMap::new();
    let Some(parent) = stage
        .services
        .organization
        .account(account)
        .map(|account| account.parent.clone())
    else {
        return locations;
    };
    for unit in stage.services.organization.lineage(&parent) {
        for region in set.targets.get(&unit).into_iter().flatten() {
            let location = (Arc::from(account), Arc::from(region.as_str()));
            if !set.instances.contains_key(&location) {
                locations
                    .entry(location)
                    .or_insert_with(|| unit.as_str().into());
            }
        }
    }
    locations
}

/// The account's instances from units that it has left.
fn to_delete(stage: &Stage<'_>, set: &StackSet, account: &str) -> BTreeMap<Location, Arc<str>> {
    let lineage = stage
        .services
        .organization
        .account(account)
        .map(|account| stage.services.organization.lineage(&account.parent))
        .unwrap_or_default();
    set.instances
        .iter()
        .filter(|(location, instance)| {
            *location.0 == *account && !lineage.iter().any(|unit| **unit == *instance.unit)
        })
        .map(|(location, instance)| (location.clone(), Arc::clone(&instance.unit)))
        .collect()
}
