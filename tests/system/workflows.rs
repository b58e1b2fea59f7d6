//! Runs the scripts in `.github/workflows` unchanged, against a served organization and a stand-in
//! for GitHub's command line.

use std::cell::RefCell;
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
    /// What other jobs gave to the next one, such as `needs.drift.outputs.code`.
    needs: RefCell<BTreeMap<String, String>>,
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
        // The artifact that another job built; it isn't executable after its download.
        let program = env!("CARGO_BIN_EXE_gizmos-under-test");
        let program = format!("#!/bin/sh\nexec \"{program}\" \"$@\" ${{SIMULATOR:-}}\n");
        project.write("program/gizmos", &program);
        Self {
            organization,
            project,
            github,
            needs: RefCell::default(),
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
        let mut outputs = self.needs.borrow().clone();
        let mut done = Job {
            steps: Vec::new(),
            last: Run {
                code: -1,
                stdout: String::new(),
                stderr: "no step was run".to_owned(),
            },
            summary: String::new(),
        };
        let mut proposal = None;
        for step in job["steps"].as_array().expect("steps") {
            if let Some(folder) = step["with"]["path"].as_str()
                && step["uses"]
                    .as_str()
                    .is_some_and(|it| it.starts_with("actions/checkout@"))
            {
                proposal = Some(folder);
                self.move_data("", folder);
            }
            let Some(script) = step["run"].as_str() else {
                continue;
            };
            if let Some(condition) = step["if"].as_str()
                && !holds(condition, &outputs)
            {
                continue;
            }
            done.steps
                .push(step["name"].as_str().expect("a name").to_owned());
            let (run, summary, set) = self.step(script, &[&job["env"], &step["env"]], more);
            done.last = run;
            done.summary.push_str(&summary);
            let id = step["id"].as_str().unwrap_or_default();
            for (name, value) in set {
                outputs.insert(format!("steps.{id}.outputs.{name}"), value);
            }
            if done.last.code != 0 {
                break;
            }
        }
        if let Some(folder) = proposal {
            self.move_data(folder, "");
        }
        let own = job["outputs"].as_object().into_iter().flatten();
        for (name, value) in own {
            let value = value
                .as_str()
                .expect("a text")
                .trim_matches(['$', '{', '}', ' ']);
            let needed = format!("needs.drift.outputs.{name}");
            let value = outputs.get(value).cloned().unwrap_or_default();
            self.needs.borrow_mut().insert(needed, value);
        }
        done
    }

    /// Runs one script; returns its result, summary and outputs.
    fn step(
        &self,
        script: &str,
        settings: &[&Value],
        more: &[(&str, &str)],
    ) -> (Run, String, Vec<(String, String)>) {
        let output = self.project.path("github-output");
        let summary = self.project.path("github-summary");
        fs::write(&output, "").expect("written");
        fs::write(&summary, "").expect("written");
        let mut environment: Vec<(String, String)> = Vec::new();
        for variables in settings {
            for (name, value) in variables.as_object().into_iter().flatten() {
                let value = self.filled(value.as_str().expect("a text"));
                environment.push((name.clone(), value));
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
        let run = self.project.script(script, &environment);
        let text = fs::read_to_string(&output).expect("an output");
        let outputs = text.lines().map(|line| {
            let (name, value) = line.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        });
        let summary = fs::read_to_string(&summary).expect("a summary");
        (run, summary, outputs.collect())
    }

    /// Moves rules and stack sets from one folder of the workspace to another.
    fn move_data(&self, from: &str, to: &str) {
        for data in ["rules", "stacksets"] {
            let target = self.project.path(to).join(data);
            fs::create_dir_all(target.parent().expect("a folder")).expect("created");
            fs::rename(self.project.path(from).join(data), target).expect("moved");
        }
    }

    /// A text with its expressions evaluated.
    fn filled(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").expect("an end");
            filled.push_str(before);
            let workspace = self.project.path("");
            filled.push_str(match expression.trim() {
                "github.token" => "a-token",
                "github.repository" => "example/detections",
                "github.server_url" => "https://github.com",
                "github.run_id" => "42",
                "github.event.pull_request.number" => "7",
                "github.workspace" => workspace.to_str().expect("a path").trim_end_matches('/'),
                other => panic!("what is {other}?"),
            });
            rest = after;
        }
        filled + rest
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

#[test]
fn the_drift_workflow_keeps_one_issue_as_long_as_there_is_drift() {
    let here = Checkout::new();
    let deployed = here.run("deploy.yml", "deploy");
    assert_eq!(deployed.last.code, 0, "{}", deployed.last.all());
    assert!(deployed.summary.contains("Deployed: "));
    let check = || here.run("drift.yml", "drift");
    // The second job runs if the first one succeeded.
    let issue = || here.run("drift.yml", "issue");

    // Without drift, no issue is opened, and there is none to close.
    let job = check();
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    assert_eq!(job.steps, [CHECK], "{}", job.summary);
    assert_eq!(issue().steps, [CLOSE]);
    assert!(job.summary.contains("No drift"));
    assert_eq!(here.github("issue-1.state"), None);

    // Drift opens an issue; more drift updates it.
    here.set_rule("iam-mfa-device-removed", "DisableRule");
    let job = check();
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    let opened = issue();
    assert_eq!(opened.last.code, 0, "{}", opened.last.all());
    assert_eq!(opened.steps, [OPEN]);
    let body = here.github("issue-1.md").expect("an issue");
    assert!(body.contains("iam-mfa-device-removed"), "{body}");
    assert!(body.contains("https://github.com/example/detections/actions/runs/42"));
    here.set_rule("iam-access-key-created", "DisableRule");
    assert_eq!(check().last.code, 0);
    assert_eq!(issue().last.code, 0);
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
    assert_eq!(check().steps, [CHECK]);
    assert_eq!(issue().steps, [CLOSE]);
    assert_eq!(here.github("issue-1.state").as_deref(), Some("closed"));
    let comment = here.github("issue-1.comment").expect("a comment");
    assert!(comment.starts_with("No drift in https://"), "{comment}");
    here.set_rule("iam-mfa-device-removed", "DisableRule");
    assert_eq!(check().last.code, 0);
    assert_eq!(issue().last.code, 0);
    assert_eq!(here.github("issue-2.state").as_deref(), Some("open"));
}

#[test]
fn the_plan_workflow_comments_what_a_pull_request_would_change() {
    let here = Checkout::new();
    let job = here.run("plan.yml", "plan");
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    assert_eq!(job.steps, ["Plan"]);
    assert!(job.summary.contains("gizmos-rules-spoke"));
    here.project
        .write("github/pull-request-7.files", "rules/iam/a.yaml\n");
    let job = here.run("plan.yml", "comment");
    assert_eq!(job.last.code, 0, "{}", job.last.all());
    let comment = here.github("pull-request-7.md").expect("a comment");
    assert!(comment.contains("gizmos-rules-spoke"), "{comment}");
    assert!(!comment.contains("changes the program"), "{comment}");

    // Whoever changes the program learns that the plan isn't made by it.
    for file in ["crates/cli/src/main.rs", "Cargo.lock", "xtask/src/ci.rs"] {
        here.project.write(
            "github/pull-request-7.files",
            &format!("README.md\n{file}\n"),
        );
        here.project.remove("comment.md");
        assert_eq!(here.run("plan.yml", "comment").last.code, 0);
        let comment = here.github("pull-request-7.md").expect("a comment");
        let start =
            "**This pull request changes the program. The plan was made by the program of main.**";
        assert!(comment.starts_with(start), "{file}: {comment}");
        assert!(comment.contains("gizmos-rules-spoke"), "{comment}");
    }

    // A plan that fails ends the run before the comment.
    let job = here.run_as_stranger("plan.yml", "plan");
    assert_eq!(job.steps, ["Plan"]);
    assert_ne!(job.last.code, 0);
}

/// The rules of a pull request are data of a stranger: a link leads nowhere, and a file's name gives
/// GitHub no command.
#[test]
fn the_plan_workflow_reads_a_pull_request_as_data() {
    let here = Checkout::new();
    here.project.write("secret.yaml", "a: secret\n");
    let link = here.project.path("rules/link.yaml");
    std::os::unix::fs::symlink("../../secret.yaml", &link).expect("a link");
    let job = here.run("plan.yml", "plan");
    assert_ne!(job.last.code, 0);
    assert!(
        job.last.stderr.contains("library::symlink"),
        "{}",
        job.last.all()
    );
    assert!(!job.last.all().contains("a: secret"), "{}", job.last.all());

    fs::remove_file(&link).expect("removed");
    here.project
        .write("rules/a\n::stop-commands::x.yaml", "\u{1b}[2J: [");
    let job = here.run("plan.yml", "plan");
    assert_ne!(job.last.code, 0);
    let all = job.last.all() + &job.summary;
    assert!(all.contains(r"a\n::stop-commands::x.yaml"), "{all}");
    let is_command = |line: &str| line.trim_start().starts_with("::");
    assert!(
        !all.lines().any(is_command) && !all.contains('\u{1b}'),
        "{all:?}"
    );
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
