//! The calls in the sources of this crate are those in the table of permissions.
#![expect(
    clippy::expect_used,
    reason = "a test's own setup may fail the test at once"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use deployer::permissions::ROWS;

/// A backtest reads logs with credentials and commands of its own: `LogBucket` says what it needs.
const NOT_DEPLOYING: &[&str] = &["logs.rs"];

/// Operations whose permission has another name.
const RENAMED: &[(&str, &str)] = &[
    ("DeleteMessageBatch", "DeleteMessage"),
    ("ListObjectVersions", "ListBucketVersions"),
    ("DeleteObjects", "DeleteObjectVersion"),
];

/// The sources by file name, without comments and unit tests.
fn sources() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("a file").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path).expect("a text");
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        if !NOT_DEPLOYING.contains(&name.as_str()) {
            sources.insert(name, lines.collect::<Vec<&str>>().join("\n"));
        }
    }
    assert!(sources.len() > 5, "{:?}", sources.keys());
    sources
}

/// Every text between quotes that looks like an IAM action.
fn actions(source: &str) -> BTreeSet<&str> {
    source
        .split('"')
        .filter(|text| {
            text.split_once(':').is_some_and(|(service, name)| {
                let lower = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
                !service.is_empty()
                    && service.chars().all(lower)
                    && name.starts_with(|it: char| it.is_ascii_uppercase())
                    && name.chars().all(|it| it.is_ascii_alphanumeric())
            })
        })
        .collect()
}

/// The SDK operations that a source calls: the first method of each request builder, which is
/// called on a client.
fn operations(source: &str) -> BTreeSet<String> {
    let dense: String = source.chars().filter(|it| !it.is_whitespace()).collect();
    let mut found = BTreeSet::new();
    for client in [
        "client",
        "stack_sets()",
        "organizations()",
        "base())",
        "base)",
        "&config)",
    ] {
        let calls = format!("{client}.");
        for rest in dense.split(&calls).skip(1) {
            let Some((method, _)) = rest.split_once("()") else {
                continue;
            };
            if !method.is_empty()
                && method
                    .chars()
                    .all(|it| it.is_ascii_lowercase() || it == '_')
            {
                found.insert(pascal(method));
            }
        }
    }
    found
}

/// `list_aws_service_access` becomes `ListAwsServiceAccess`.
fn pascal(method: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        let first = letters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    };
    method.split('_').map(word).collect()
}

#[test]
fn permissions_table_has_every_action_that_the_adapter_names_and_no_other() {
    let sources = sources();
    let named: BTreeSet<&str> = sources
        .values()
        .flat_map(|source| actions(source))
        .collect();
    let listed: BTreeSet<&str> = ROWS
        .iter()
        .filter(|row| row.is_of_adapter())
        .map(|row| row.action)
        .collect();
    let forgotten: Vec<_> = named.difference(&listed).collect();
    assert!(
        forgotten.is_empty(),
        "{forgotten:?}: add a row each to crates/deployer/src/permissions/table.rs"
    );
    let left_over: Vec<_> = listed.difference(&named).collect();
    assert!(
        left_over.is_empty(),
        "{left_over:?}: no call of the adapter needs this row of the table any more"
    );
}

#[test]
fn permissions_table_has_every_operation_that_the_adapter_calls() {
    let mut count = 0;
    for (file, source) in sources() {
        let names: BTreeSet<String> = actions(&source)
            .iter()
            .filter_map(|action| action.split_once(':'))
            .map(|(_, name)| name.to_lowercase())
            .collect();
        for operation in operations(&source) {
            let renamed = RENAMED.iter().find(|(name, _)| *name == operation);
            let name = renamed.map_or(operation.as_str(), |(_, permission)| permission);
            assert!(
                names.contains(&name.to_lowercase()),
                "{file} calls {operation} without naming its action"
            );
            count += 1;
        }
    }
    assert!(count > 40, "only {count} operations were found");
}
