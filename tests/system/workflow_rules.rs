//! What every workflow must keep to, so that neither a pull request nor a third party gets at
//! credentials. Each rule is also tried on workflows that break it.

use std::fs;

use serde_json::{Map, Value, json};
use tests::repository;

/// All actions that a job with an identity token may use.
const WITH_TOKEN: [&str; 4] = [
    "actions/checkout",
    "actions/download-artifact",
    "actions/upload-artifact",
    "aws-actions/configure-aws-credentials",
];

/// First words of the lines of a script in a job with an identity token.
const COMMANDS: [&str; 9] = ["#", "[", "cat", "chmod", "code=0", "echo", "exit", "{", "}"];

/// The program that was built without credentials.
const PROGRAM: &str = "program/gizmos";

/// What a workflow does wrong.
fn faults(text: &str) -> Vec<String> {
    let document: Value = serde_yaml::from_str(text).expect("YAML");
    let mut faults = unpinned(text);
    if document["permissions"] != json!({}) {
        faults.push("the workflow has permissions that not every job needs".to_owned());
    }
    let jobs = document["jobs"].as_object().expect("jobs");
    for (name, job) in jobs {
        let found = faults_of(&document, job);
        faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
    }
    faults
}

/// Lines that name an action otherwise than by commit, with its version as a comment.
fn unpinned(text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for line in text.lines() {
        let Some((_, used)) = line.split_once("uses:") else {
            continue;
        };
        let used = used.trim();
        let is_pinned = used.split_once(" # v").is_some_and(|(action, version)| {
            names_commit(action) && version.split('.').count() == 3
        });
        if !is_pinned && !used.starts_with("./") {
            faults.push(format!("not pinned by commit, with `# v1.2.3`: {used}"));
        }
    }
    faults
}

/// Whether an action is named by a full commit id.
fn names_commit(action: &str) -> bool {
    let commit = action.rsplit_once('@').map_or("", |(_, commit)| commit);
    commit.len() == 40 && commit.chars().all(|it| matches!(it, '0'..='9' | 'a'..='f'))
}

fn faults_of(workflow: &Value, job: &Value) -> Vec<String> {
    let nothing = Map::new();
    let Some(permissions) = job["permissions"].as_object() else {
        return vec!["it has no permissions of its own".to_owned()];
    };
    let may_write = |scope: &str| permissions.get(scope).is_some_and(|it| it == "write");
    let has_token = may_write("id-token");
    let writes = permissions
        .iter()
        .any(|(scope, it)| scope != "id-token" && it == "write");
    let mut faults = Vec::new();
    let mut check = |is_right: bool, fault: &str| {
        if !is_right {
            faults.push(fault.to_owned());
        }
    };
    check(
        !(has_token && writes),
        "an identity token and rights in the repository",
    );
    check(
        permissions.values().all(|it| it == "read" || it == "write"),
        "permissions by another name than read or write",
    );
    let triggers = workflow["on"].as_object().unwrap_or(&nothing);
    let has_event = |event: &str| triggers.contains_key(event) || workflow["on"] == event;
    let is_privileged = has_token || writes || has_event("pull_request_target");
    check(
        !(is_privileged && has_event("pull_request")),
        "a pull request writes the file of this job, which has rights",
    );
    check(
        !has_token || job["environment"].is_string(),
        "an identity token without an environment, which limits it to main",
    );
    check(
        !is_privileged || workflow["cache-mode"] == "none",
        "a job with rights in a workflow with caches",
    );
    for step in job["steps"].as_array().into_iter().flatten() {
        let action = step["uses"].as_str().unwrap_or_default();
        // However the line is written.
        check(
            action.is_empty() || action.starts_with("./") || names_commit(action),
            "an action that is not pinned by commit",
        );
        let action = action.split('@').next().unwrap_or_default();
        let with = &step["with"];
        if action == "actions/checkout" {
            check(!writes, "a checkout in a job that may write");
            check(
                with["persist-credentials"] == false,
                "a checkout that leaves the token in the folder",
            );
            let is_data = with["path"] == "proposal"
                && with["sparse-checkout"] == "/rules/\n/stacksets/\n"
                && with["sparse-checkout-cone-mode"] == false;
            let is_other = !with["ref"].is_null() || !with["repository"].is_null();
            check(
                is_data || !(is_other && is_privileged),
                "another commit than main, and not as data in `proposal`",
            );
        }
        check(
            !has_token || action.is_empty() || WITH_TOKEN.contains(&action),
            "an action that needs no identity token",
        );
        check(
            !writes || matches!(action, "" | "actions/download-artifact"),
            "an action in a job that may write",
        );
        let script = step["run"].as_str().unwrap_or_default();
        check(!script.contains("${{"), "an expression in a script");
        let runs_code = script
            .split_whitespace()
            .any(|word| word == "cargo" || word.contains("proposal/"));
        check(
            !(is_privileged && runs_code),
            "code is built or a pull request's file is run, with rights",
        );
        let is_allowed = |line: &str| {
            let first = line.split_whitespace().next().unwrap_or("#");
            first == PROGRAM || COMMANDS.contains(&first)
        };
        check(
            !has_token || script.lines().all(is_allowed),
            "a command in a script beside the program",
        );
    }
    faults
}

fn workflows() -> Vec<(String, String)> {
    let folder = repository().join(".github/workflows");
    let entries = fs::read_dir(folder).expect("the workflows");
    entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            (
                name.into_owned(),
                fs::read_to_string(&path).expect("a text"),
            )
        })
        .collect()
}

#[test]
fn workflows_give_credentials_to_no_code_of_a_pull_request_or_a_third_party() {
    let workflows = workflows();
    assert!(workflows.len() > 5, "{}", workflows.len());
    for (name, text) in &workflows {
        assert_eq!(faults(text), Vec::<String>::new(), "{name}");
    }
    // The program is built without a token.
    let (_, program) = workflows
        .iter()
        .find(|(name, _)| name == "program.yml")
        .expect("program.yml");
    let program: Value = serde_yaml::from_str(program).expect("YAML");
    assert_eq!(
        program["jobs"]["build"]["permissions"],
        json!({"contents": "read"})
    );
    assert_eq!(program["cache-mode"], "none");
}

/// A workflow, text in it, what the text becomes, and the fault that this is.
const BROKEN: &[(&str, &str, &str, &str)] = &[
    (
        "plan.yml",
        "uses: actions/checkout@93cb6efe18208431cddfb8368fd83d5badbf9bfd # v5.0.1",
        "\"uses\" : actions/checkout@v5",
        "an action that is not pinned",
    ),
    (
        "plan.yml",
        "@93cb6efe18208431cddfb8368fd83d5badbf9bfd # v5.0.1",
        "@v5",
        "not pinned",
    ),
    ("plan.yml", " # v5.0.1", "", "not pinned"),
    (
        "plan.yml",
        "pull_request_target:",
        "pull_request:",
        "a pull request writes the file",
    ),
    (
        "plan.yml",
        "permissions: {}",
        "permissions: write-all",
        "not every job needs",
    ),
    (
        "plan.yml",
        "          persist-credentials: false\n",
        "",
        "leaves the token",
    ),
    (
        "plan.yml",
        "            /rules/\n",
        "            /\n",
        "not as data",
    ),
    ("plan.yml", "path: proposal", "path: .", "not as data"),
    (
        "plan.yml",
        "    environment: plan\n",
        "",
        "without an environment",
    ),
    (
        "plan.yml",
        "id-token: write",
        "id-token: write\n      pull-requests: write",
        "rights in the repository",
    ),
    (
        "plan.yml",
        "          chmod +x program/gizmos",
        "          cargo build",
        "code is built",
    ),
    (
        "plan.yml",
        "          chmod +x program/gizmos",
        "          proposal/setup",
        "file is run",
    ),
    (
        "plan.yml",
        "          chmod +x program/gizmos",
        "          ./setup",
        "beside the program",
    ),
    (
        "plan.yml",
        "\"$NUMBER\" --body",
        "${{ github.head_ref }} --body",
        "an expression in a script",
    ),
    (
        "plan.yml",
        "cache-mode: none",
        "cache-mode: read",
        "with caches",
    ),
    (
        "plan.yml",
        "    permissions:\n      pull-requests: write\n",
        "",
        "no permissions of its own",
    ),
    (
        "drift.yml",
        "aws-actions/configure-aws-credentials@",
        "Swatinem/rust-cache@",
        "needs no identity token",
    ),
    (
        "drift.yml",
        "      issues: write",
        "      issues: write\n      id-token: write",
        "rights in the repository",
    ),
    (
        "deploy.yml",
        "    permissions:\n      contents: read\n      id-token: write\n",
        "",
        "no permissions of its own",
    ),
];

#[test]
fn workflows_that_break_a_rule_are_refused() {
    let of = |name: &str| {
        let found = workflows().into_iter().find(|(it, _)| it == name);
        found.expect("a workflow").1
    };
    for &(name, from, to, fault) in BROKEN {
        let text = of(name);
        assert!(text.contains(from), "{name} doesn't contain {from:?}");
        let found = faults(&text.replacen(from, to, 1));
        assert!(
            found.iter().any(|it| it.contains(fault)),
            "{from:?} to {to:?}: {found:?}"
        );
    }
}
