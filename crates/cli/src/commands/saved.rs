//! A plan that is kept until it is carried out.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use deployer::Plan;
use deployer::plan::Basis;
use serde::Deserialize;
use serde_json::json;

/// The version of the file's layout.
const VERSION: u32 = 1;

/// What is read of a saved plan. The rest is for people: a plan follows from what it was made
/// from, so that is all that has to be compared.
#[derive(Debug, Deserialize)]
struct Saved {
    version: u32,
    basis: Basis,
}

/// Saves a plan.
pub(crate) fn write(path: &Path, plan: &Plan) -> Result<()> {
    let text = serde_json::to_string_pretty(&json!({
        "version": VERSION,
        "basis": plan.basis,
        "plan": plan,
    }))?;
    fs::write(path, text + "\n")
        .with_context(|| format!("could not save the plan to {}", path.display()))
}

/// Reads what a saved plan was made from.
pub(crate) fn basis(path: &Path) -> Result<Basis> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the plan {}", path.display()))?;
    let saved: Saved = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is no plan; {} saves one",
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
    Ok(saved.basis)
}

/// Why a saved plan can't be carried out any more; `None` if it can.
pub(crate) fn outdated(saved: &Basis, now: &Basis) -> Option<&'static str> {
    match (saved.bundle == now.bundle, saved.fleet == now.fleet) {
        (true, true) => None,
        (false, _) => Some("rules or organization file have changed since the plan was made"),
        (true, false) => Some("accounts or stacks have changed since the plan was made"),
    }
}
