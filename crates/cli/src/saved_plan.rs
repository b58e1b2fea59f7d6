//! Saves plans to files, to be applied later.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use deployer::Plan;
use deployer::plan::Basis;
use serde::Deserialize;
use serde_json::json;

use crate::environment::Environment;

/// Version of the file format.
const VERSION: u32 = 1;

/// The part of a saved plan that is read. The rest is for people: a plan is determined by its
/// basis and the Regions it is for, so these suffice.
#[derive(Debug, Deserialize)]
struct Saved {
    version: u32,
    basis: Basis,
    #[serde(default)]
    plan: SavedRegions,
}

/// The Regions for which the plan was made, if the organization file doesn't list them.
#[derive(Debug, Default, Deserialize)]
struct SavedRegions {
    #[serde(default)]
    pinned_regions: Vec<String>,
}

/// Saves a plan to a file.
pub(crate) fn write(environment: &Environment, path: &Path, plan: &Plan) -> Result<()> {
    let text = serde_json::to_string_pretty(&json!({
        "version": VERSION,
        "basis": plan.basis,
        "plan": plan,
    }))?;
    fs::write(environment.resolve(path), text + "\n")
        .with_context(|| format!("could not save the plan to {}", path.display()))
}

/// Reads the basis of a saved plan.
pub(crate) fn basis(environment: &Environment, path: &Path) -> Result<Basis> {
    Ok(read(environment, path)?.basis)
}

/// The Regions to which a saved plan resolved `regions: enabled`; empty if they are listed.
pub(crate) fn pinned_regions(environment: &Environment, path: &Path) -> Result<Vec<String>> {
    Ok(read(environment, path)?.plan.pinned_regions)
}

fn read(environment: &Environment, path: &Path) -> Result<Saved> {
    let text = fs::read_to_string(environment.resolve(path))
        .with_context(|| format!("could not read the plan {}", path.display()))?;
    let saved: Saved = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not a plan; {} saves one",
            path.display(),
            crate::spelling::command("plan --org --out FILE")
        )
    })?;
    if saved.version != VERSION {
        bail!(
            "{} was saved by another version of this program; plan again",
            path.display()
        );
    }
    Ok(saved)
}

/// Why a saved plan can't be applied; `None` if it can.
pub(crate) fn outdated(saved: &Basis, now: &Basis) -> Option<&'static str> {
    match (saved.bundle == now.bundle, saved.fleet == now.fleet) {
        (true, true) => None,
        // The bundle also depends on which stack sets carry which rules.
        (false, false) => Some(
            "rules, organization file, accounts or stacks have changed since the plan was made",
        ),
        (false, true) => Some("rules or organization file have changed since the plan was made"),
        (true, false) => Some("accounts or stacks have changed since the plan was made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plan_of_this_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let (environment, _) = Environment::captured(folder.path());
        let read = |text: &str| {
            fs::write(folder.path().join("plan.json"), text).unwrap();
            basis(&environment, Path::new("plan.json"))
        };
        let text = |version: u32| {
            let basis = json!({"bundle": "b", "fleet": "f"});
            json!({"version": version, "basis": basis, "plan": {}}).to_string()
        };
        let found = read(&text(VERSION)).unwrap();
        assert!(
            pinned_regions(&environment, Path::new("plan.json"))
                .unwrap()
                .is_empty()
        );
        assert_eq!((found.bundle.as_str(), found.fleet.as_str()), ("b", "f"));
        let error = read(&text(VERSION + 1)).unwrap_err().to_string();
        assert!(error.contains("another version"), "{error}");
        let error = read("{}").unwrap_err().to_string();
        assert!(error.starts_with("plan.json is not a plan"), "{error}");
    }

    #[test]
    fn a_plan_is_outdated_once_its_basis_differs() {
        let basis = |bundle: &str, fleet: &str| Basis {
            bundle: bundle.to_owned(),
            fleet: fleet.to_owned(),
        };
        let now = basis("b", "f");
        assert_eq!(outdated(&basis("b", "f"), &now), None);
        assert!(outdated(&basis("x", "x"), &now).is_some_and(|it| it.starts_with("rules, ")));
        assert!(outdated(&basis("b", "x"), &now).is_some_and(|it| it.starts_with("accounts")));
    }
}
