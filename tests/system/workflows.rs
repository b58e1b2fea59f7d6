//! Runs the scripts in `.github/workflows` unchanged, against a served organization and a stand-in
//! for GitHub's command line.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tests::{HOME, HUB, Project, Run, Served, repository};

use crate::project;

const CHECK: &str = "Check for drift";
const OPEN: &str = "Open or update the issue";
const CLOSE: &str = "Close the issue";

/// A checkout with a served organization and a repository on GitHub.
struct Checkout {
    organization: Served,
    project: Project,
    github: PathBuf,
}

/// The result of a job.
struct Job {
    /// Names of the steps with a script that ran.
    steps: Vec<String>,
    /// The result of the last one.
    last: Run,
    /// The job's summary.
    summary: String,
}

impl Checkout {
    fn new() -> Self {
        let organization = Served::start();
        let project = project();
        let github = project.path("github");
        fs::create_dir(&github).expect("a folder");
        let gh = include_str!("gh");
        project.write_program("gh", gh);
        Self {
            organization,
            project,
            github,
        }
    }

    /// Runs the scripts of a job, one after the other, until one fails.
    fn run(&self, workflow: &str, job: &str) -> Job {
        // Act as the management account; waiting advances the clock.
        let mut simulator = self.organization.argument();
        if workflow == "deploy.yml" {
            // On the simulator, a deployment is verified with hostile events, some of which become
            // dead letters on purpose.
            simulator.push_str(" --no-verify");
        }
        self.run_with(workflow, job, &[("SIMULATOR", &simulator)])
    }

    /// Runs a job with credentials of an account outside the organization.
    fn run_as_stranger(&self, workflow: &str, job: &str) -> Job {
        self.run_with(
            workflow,
            job,
            &self.organization.environment("999999999999", HOME),
        )
    }

    fn run_with(&self, workflow: &str, job: &str, more: &[(&str, &str)]) -> Job {
        let file = repository().join(".github/workflows").join(workflow);
        let text = fs::read_to_string(&file).expect("the workflow");
        let document: Value = serde_yaml::from_str(&text).expect("YAML");
        let job = &document["jobs"][job];
        assert!(job.is_object(), "{workflow} has no such job");
        let mut outputs: BTreeMap<String, String> = BTreeMap::new();
        let mut done = Job {
            steps: Vec::new(),
            last: Run {
                code: -1,
                stdout: String::new(),
                stderr: "no step was run".to_owned(),
            },
            summary: String::new(),
        };
        for step in job["steps"].as_array().expect("steps") {
            let Some(script) = step["run"].as_str() else {
                continue;
            };
            if let Some(condition) = step["if"].as_str()
                && !holds(condition, &outputs)
            {
                continue;
            }
            let name = step["name"].as_str().expect("a name").to_owned();
            let output = self.project.path("github-output");
            let summary = self.project.path("github-summary");
            fs::write(&output, "").expect("written");
            fs::write(&summary, "").expect("written");
            let mut environment: Vec<(String, String)> = Vec::new();
            for variables in [&job["env"], &step["env"]] {
                for (name, value) in variables.as_object().into_iter().flatten() {
                    environment.push((name.clone(), filled(value.as_str().expect("a text"))));
                }
            }
            for (name, value) in more {
                environment.push(((*name).to_owned(), (*value).to_owned()));
            }
            let set = [
                ("GITHUB_OUTPUT", &output),
                ("GITHUB_STEP_SUMMARY", &summary),
                ("FAKE_GITHUB", &self.github),
            ];
            for (name, path) in set {
                environment.push((name.to_owned(), path.to_string_lossy().into_owned()));
            }
            done.last = self.project.script(script, &environment);
            done.steps.push(name);
            done.summary
                .push_str(&fs::read_to_string(&summary).expect("a summary"));
            let id = step["id"].as_str().unwrap_or_default();
            for line in fs::read_to_string(&output).expect("an output").lines() {
                let (name, value) = line.split_once('=').expect("NAME=VALUE");
                outputs.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
            }
            if done.last.code != 0 {
                break;
            }
        }
        done
    }

    fn github(&self, file: &str) -> Option<String> {
        let text = fs::read_to_string(self.github.join(file)).ok()?;
        Some(text.trim_end().to_owned())
    }

    fn set_rule(&self, id: &str, action: &str) {
        let bus = json!({ "EventBusName": "gizmos", "NamePrefix": id });
        let rules = self
            .organization
            .call(HUB, HOME, "AWSEvents.ListRules", &bus);
        let input = json!({ "EventBusName": "gizmos", "Name": rules["Rules"][0]["Name"] });
        self.organization
            .call(HUB, HOME, &format!("AWSEvents.{action}"), &input);
    }
}

/// Whether a step's condition holds. Supports only the form that the workflows use.
fn holds(condition: &str, outputs: &BTreeMap<String, String>) -> bool {
    let (left, right) = condition.split_once(" == ").expect("a comparison");
    let value = outputs.get(left).unwrap_or_else(|| panic!("no {left}"));
    value == right.trim_matches('\'')
}

/// A text with its expressions evaluated.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${{") {
        let (expression, after) = after.split_once("}}").expect("an end");
        filled.push_str(before);
        filled.push_str(match expression.trim() {
            "github.token" => "a-token",
            "github.repository" => "example/detections",
            "github.server_url" => "https://github.com",
            "github.run_id" => "42",
            "github.event.pull_request.number" => "7",
            other => panic!("what is {other}?"),
        });
        rest = after;
    }
    filled + rest
}

#[test]
fn the_drift_workflow_keeps_one_issue_as_long_as_there_is_drift() {
    let here = Checkout::new();
    let deployed = here.run("deploy.yml", "deploy");
    assert_eq!(deployed.last.code, 0, "{}", deployed.last.all());
    assert!(deployed.summary.contains("Deployed: "));
    let check = || here.run("drift.yml", "drift");

    // Without drift, no issue is opened, and there is none to close.
    let job = check();
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    assert_eq!(job.steps, [CHECK, CLOSE], "{}", job.summary);
    assert!(job.summary.contains("No drift"));
    assert_eq!(here.github("issue-1.state"), None);

    // Drift opens an issue; more drift updates it.
    here.set_rule("iam-mfa-device-removed", "DisableRule");
    let job = check();
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    assert_eq!(job.steps, [CHECK, OPEN]);
    let body = here.github("issue-1.md").expect("an issue");
    assert!(body.contains("iam-mfa-device-removed"), "{body}");
    assert!(body.contains("https://github.com/example/detections/actions/runs/42"));
    here.set_rule("iam-access-key-created", "DisableRule");
    assert_eq!(check().last.code, 0);
    let body = here.github("issue-1.md").expect("an issue");
    assert!(body.contains("iam-mfa-device-removed") && body.contains("iam-access-key-created"));
    assert_eq!(here.github("issue-2.state"), None);

    // A check that proves nothing fails the run and leaves the issue open.
    let job = here.run_as_stranger("drift.yml", "drift");
    assert_eq!(job.steps, [CHECK]);
    assert_ne!(job.last.code, 0);
    assert_eq!(here.github("issue-1.state").as_deref(), Some("open"));

    // Without drift the issue is closed; the next drift opens a new one.
    here.set_rule("iam-mfa-device-removed", "EnableRule");
    here.set_rule("iam-access-key-created", "EnableRule");
    assert_eq!(check().steps, [CHECK, CLOSE]);
    assert_eq!(here.github("issue-1.state").as_deref(), Some("closed"));
    let comment = here.github("issue-1.comment").expect("a comment");
    assert!(comment.starts_with("No drift in https://"), "{comment}");
    here.set_rule("iam-mfa-device-removed", "DisableRule");
    assert_eq!(check().last.code, 0);
    assert_eq!(here.github("issue-2.state").as_deref(), Some("open"));
}

#[test]
fn the_pull_request_workflow_comments_what_would_change() {
    let here = Checkout::new();
    let job = here.run("pull-request.yml", "plan");
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    assert_eq!(job.steps, ["Plan", "Comment"]);
    let comment = here.github("pull-request-7.md").expect("a comment");
    assert!(comment.contains("gizmos-rules-spoke"), "{comment}");
    assert!(job.summary.contains("gizmos-rules-spoke"));

    // A plan that fails adds no comment.
    let job = here.run_as_stranger("pull-request.yml", "plan");
    assert_eq!(job.steps, ["Plan"]);
    assert_ne!(job.last.code, 0);
}

/// These jobs run all checks, including this test, so they can't run here. They run the same
/// commands as the project's own CI.
#[test]
fn every_check_is_in_one_of_two_commands_and_each_has_a_workflow() {
    for (workflow, command) in [
        ("pull-request.yml", "cargo xtask ci"),
        ("second-opinions.yml", "cargo xtask ci --second-opinions"),
    ] {
        let file = repository().join(".github/workflows").join(workflow);
        let text = fs::read_to_string(file).expect("the workflow");
        let document: Value = serde_yaml::from_str(&text).expect("YAML");
        let steps = document["jobs"]["check"]["steps"].as_array();
        let scripts: Vec<&str> = steps
            .into_iter()
            .flatten()
            .filter_map(|step| step["run"].as_str())
            .collect();
        assert_eq!(scripts, [command]);
    }
    let own = fs::read_to_string(repository().join(".ci/run")).expect("a script");
    assert!(own.ends_with("exec cargo xtask ci\n"), "{own}");
}
