//! `cargo xtask event-names`: generates the table of AWS services and operations used by the rule
//! checks, from the service models of the pinned botocore.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{shell, third_parties};

const SCRIPT: &str = include_str!("event_names.py");
/// Fewer services than this mean a broken installation.
const FEWEST: usize = 300;

pub(crate) fn write() -> Result<()> {
    third_parties::AWS_CLIENTS.install()?;
    let python = third_parties::AWS_CLIENTS.programs().join("python");
    let table = shell::output(shell::program(python).args(["-c", SCRIPT]))?;
    let services = table.lines().count();
    if services < FEWEST {
        bail!("botocore's models name {services} services only; its installation is incomplete");
    }
    let path = shell::root().join("crates/rules/data/event-names.txt");
    fs::write(&path, table).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}: {} services", path.display(), services - 1);
    Ok(())
}
