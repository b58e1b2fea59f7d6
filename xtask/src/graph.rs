//! Checks the dependencies between crates (ARCHITECTURE.md, "The crates").

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

/// Allowed direct dependencies of each member. A crate that is missing here may have none.
///
/// The simulator's crates depend on `eventbridge-pattern` and each other only. If they shared code
/// with the compiler or the deployer, they would share their mistakes and confirm them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("syntax", &[]),
    ("remedy", &[]),
    ("eventbridge-pattern", &[]),
    ("cloudtrail", &["eventbridge-pattern"]),
    ("rules", &["cloudtrail", "eventbridge-pattern", "syntax"]),
    (
        "sigma",
        &["cloudtrail", "eventbridge-pattern", "rules", "syntax"],
    ),
    (
        "compiler",
        &["eventbridge-pattern", "remedy", "rules", "syntax"],
    ),
    (
        "deployer",
        &[
            "cloudtrail",
            "compiler",
            "eventbridge-pattern",
            "remedy",
            "rules",
        ],
    ),
    ("aws", &["backtest", "deployer"]),
    ("backtest", &["cloudtrail", "eventbridge-pattern", "rules"]),
    ("bench", &["eventbridge-pattern"]),
    (
        "campaign",
        &[
            "aws",
            "compiler",
            "deployer",
            "eventbridge-pattern",
            "rules",
            "simulator",
            "syntax",
        ],
    ),
    ("simulator-client", &[]),
    ("simulator-policy", &[]),
    ("simulator-wire", &[]),
    (
        "simulator-services",
        &["eventbridge-pattern", "simulator-policy", "simulator-wire"],
    ),
    (
        "simulator-cloudformation",
        &["simulator-services", "simulator-wire"],
    ),
    (
        "simulator",
        &[
            "simulator-cloudformation",
            "simulator-policy",
            "simulator-services",
            "simulator-wire",
        ],
    ),
    (
        "report",
        &[
            "backtest",
            "compiler",
            "deployer",
            "eventbridge-pattern",
            "remedy",
            "rules",
            "syntax",
        ],
    ),
    (
        "cli",
        &[
            "aws",
            "backtest",
            "cloudtrail",
            "compiler",
            "deployer",
            "eventbridge-pattern",
            "remedy",
            "report",
            "rules",
            "sigma",
            "simulator",
            "simulator-client",
            "syntax",
        ],
    ),
    ("xtask", &[]),
];

/// The package of the whole-system tests, which may depend on everything.
const TESTS: &str = "tests";

/// Reports every dependency that isn't allowed.
pub(crate) fn check() -> Result<()> {
    let metadata = shell::output(shell::cargo().args([
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ]))?;
    let metadata: Value =
        serde_json::from_str(&metadata).context("cargo metadata printed no JSON")?;
    let packages = array(&metadata, "packages");
    let members: Vec<&str> = packages.iter().filter_map(|it| text(it, "name")).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let Some(name) = text(package, "name").filter(|name| *name != TESTS) else {
            continue;
        };
        let allowed = ALLOWED
            .iter()
            .find(|(member, _)| *member == name)
            .map_or(&[][..], |(_, allowed)| *allowed);
        for dependency in array(package, "dependencies") {
            // A crate's tests may use more: `aws` is tested against the simulator.
            let development = text(dependency, "kind") == Some("dev");
            let Some(other) = text(dependency, "name").filter(|it| members.contains(it)) else {
                continue;
            };
            if !development && !allowed.contains(&other) {
                wrong.push(format!("`{name}` must not depend on `{other}`"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}; see ARCHITECTURE.md", wrong.join("; "));
    }
    Ok(())
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}
