//! What the whole-system tests stand on: a copy of the project's files, the program, a simulator.
//!
//! The tests go through the public interface only: the program's arguments, output and exit code,
//! and the simulator's HTTP API. They never look inside a crate.
#![expect(
    clippy::missing_panics_doc,
    clippy::return_self_not_must_use,
    clippy::expect_used,
    clippy::panic,
    reason = "test support: a broken set-up should fail the test at once"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use simulator::{Config, Simulator};
use tempfile::TempDir;

/// The management account of the seeded organization.
pub const MANAGEMENT: &str = "111122223333";

/// The account of the seeded organization that the alerts go to.
pub const HUB: &str = "333344445555";

/// The home Region of the committed organization file.
pub const HOME: &str = "eu-central-1";

/// The role in every account that [`Served::let_in`] makes.
pub const ACCESS_ROLE: &str = "DetectionsAccess";

/// A rule without a mistake, to be broken; it goes by `fixtures/event.json`.
pub const EXAMPLE_RULE: &str = r"version: 1
id: example-rule
title: A trail was stopped
description: Someone stopped a trail.
status: stable
severity: high
references: [https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html]
false_positives: [A trail that is being replaced.]
runbook: Ask whoever stopped it, and start it again.
event_pattern:
  source: [aws.cloudtrail]
  detail-type: [AWS API Call via CloudTrail]
  detail:
    eventSource: [cloudtrail.amazonaws.com]
    eventName: [StopLogging]
    errorCode: [{exists: false}]
message: |
  who: {{ detail.userIdentity.arn }}
tests:
  - name: stopped
    expect: match
    fixture: event.json
  - name: refused
    expect: no_match
    fixture: event.json
    override: {errorCode: AccessDenied}
";

/// The fixture of [`EXAMPLE_RULE`].
pub const EXAMPLE_EVENT: &str = r#"{
  "eventVersion": "1.08", "eventTime": "2026-11-23T10:00:00Z", "eventSource": "cloudtrail.amazonaws.com",
  "eventName": "StopLogging", "eventType": "AwsApiCall", "awsRegion": "eu-central-1",
  "recipientAccountId": "111122223333", "eventID": "11111111-2222-4333-8444-555555555555",
  "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice"}
}"#;

/// A copy of the committed rules and stack sets in a folder of its own, to be edited and broken.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
    program: PathBuf,
}

/// What a run of the program gave.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// Results.
    pub stdout: String,
    /// Progress, diagnostics and errors.
    pub stderr: String,
}

impl Project {
    /// Copies the project; `program` is `env!("CARGO_BIN_EXE_gizmos-under-test")`.
    pub fn new(program: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for part in ["rules", "stacksets"] {
            copy(&repository().join(part), &folder.path().join(part));
        }
        Self {
            folder,
            program: PathBuf::from(program),
        }
    }

    /// The path of a file of this copy.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    /// Replaces text in a file; the text must be there.
    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains(from), "{file} does not contain {from:?}");
        fs::write(&path, text.replacen(from, to, 1)).expect("written");
    }

    /// Writes a file.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }

    /// Removes a file.
    pub fn remove(&self, file: &str) {
        fs::remove_file(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
    }

    /// Runs the program in this copy, without any of the caller's AWS settings.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, &[])
    }

    /// Runs the program with these environment variables.
    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).args(arguments);
        clean(&mut command);
        command.envs(environment.iter().copied());
        Run::of(&command.output().expect("the program starts"))
    }

    /// Deploys this copy as the management account, without sending events afterwards.
    pub fn deploy(&self, organization: &Served) -> Run {
        self.run(&["deploy", "--org", "--no-verify", &organization.argument()])
    }

    /// Starts the program with these environment variables, and doesn't wait for it.
    pub fn start_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Started {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).args(arguments);
        clean(&mut command);
        command.envs(environment.iter().copied());
        Started::of(command)
    }
}

/// A program that runs beside the test.
#[derive(Debug)]
pub struct Started {
    child: Child,
    /// What it has printed so far, standard error included.
    said: Arc<Mutex<String>>,
}

impl Started {
    fn of(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let said = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let heard = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut heard = heard.lock().expect("a lock");
                heard.push_str(&line);
                heard.push('\n');
            }
        });
        Self { child, said }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether this text has been printed on standard error.
    pub fn has_said(&self, text: &str) -> bool {
        self.said.lock().expect("a lock").contains(text)
    }

    /// Waits until it is printed or the program ends.
    pub fn wait_until_it_says(&mut self, text: &str) {
        while !self.has_said(text) && self.child.try_wait().expect("a status").is_none() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status();
        assert!(sent.is_ok_and(|sent| sent.success()), "no signal was sent");
    }

    /// Ends it at once, as a machine does that is switched off.
    pub fn kill(mut self) {
        self.child.kill().expect("it can be ended");
        self.child.wait().expect("it ends");
    }

    /// Waits for the program's end.
    pub fn finish(mut self) -> Run {
        let status = self.child.wait().expect("a status");
        // The reader is done a moment after the program.
        std::thread::sleep(Duration::from_millis(50));
        Run {
            code: status.code().unwrap_or(-1),
            stdout: String::new(),
            stderr: self.said.lock().expect("a lock").clone(),
        }
    }
}

impl Project {
    /// Puts a program in the way of [`Project::script`].
    pub fn write_program(&self, name: &str, text: &str) {
        let file = format!("bin/{name}");
        self.write(&file, text);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(self.path(&file), mode).expect("made executable");
    }

    /// Runs a script in this copy as a workflow's step is run; `cargo xtask` is the program under
    /// test, called with the argument in `SIMULATOR`, if there is one.
    pub fn script(&self, script: &str, environment: &[(String, String)]) -> Run {
        let program = self.program.display();
        let cargo = format!(
            "#!/bin/sh\n[ \"$1\" = xtask ] || exit 1\nshift\nGIZMOS_COMMAND='cargo xtask' exec \"{program}\" \"$@\" ${{SIMULATOR:-}}\n"
        );
        self.write_program("cargo", &cargo);
        let mut command = Command::new("bash");
        command.current_dir(self.folder.path()).args([
            "--noprofile",
            "--norc",
            "-e",
            "-o",
            "pipefail",
            "-c",
            script,
        ]);
        clean(&mut command);
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .envs(environment.iter().map(|(name, value)| (name, value)));
        Run::of(&command.output().expect("bash starts"))
    }
}

impl Run {
    /// The output of a finished program.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything it printed.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails the test with everything that was printed unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            code,
            "wrong exit code; it printed\n{}",
            self.all()
        );
        self
    }

    /// Fails the test unless this text was printed.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.all().contains(text),
            "{text:?} is missing in\n{}",
            self.all()
        );
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}):\n{}", self.all()))
    }
}

/// An organization served on a free port for as long as this lives. Its clock only moves when a
/// command waits.
#[derive(Debug)]
pub struct Served {
    endpoint: String,
    simulator: Option<Simulator>,
    runtime: tokio::runtime::Runtime,
}

impl Served {
    /// Serves the seeded organization.
    pub fn start() -> Self {
        Self::start_with(Config::default())
    }

    /// Serves an organization.
    pub fn start_with(config: Config) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let simulator = runtime
            .block_on(Simulator::start(config))
            .expect("the simulator starts");
        Self {
            endpoint: simulator.endpoint(),
            simulator: Some(simulator),
            runtime,
        }
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// `--simulator=http://127.0.0.1:PORT`
    pub fn argument(&self) -> String {
        format!("--simulator={}", self.endpoint)
    }

    /// Asks the simulator's own API.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        let mut answer = ureq::get(format!("{}/_simulator/{path}", self.endpoint))
            .call()
            .expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// Tells the simulator's own API.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let mut answer = ureq::post(format!("{}/_simulator/{path}", self.endpoint))
            .send_json(body)
            .expect("an answer");
        answer.body_mut().read_json().expect("JSON")
    }

    /// Returns once an action, `cloudformation:CreateStackInstances`, has been called.
    pub fn wait_for_call(&self, action: &str) {
        let called = || {
            let calls = self.get("calls");
            calls
                .get("by_action")
                .and_then(|all| all.get(action))
                .is_some()
        };
        while !called() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Lets virtual time pass.
    pub fn advance(&self, seconds: u64) {
        self.post("clock/advance", &json!({ "seconds": seconds }));
    }

    /// Calls an AWS API that speaks JSON as the administrator of an account, as any client would.
    #[track_caller]
    pub fn call(&self, account: &str, region: &str, target: &str, input: &Value) -> Value {
        let service = match target.split('.').next().unwrap_or(target) {
            "AWSEvents" => "events",
            name if name.contains("CloudTrail") => "cloudtrail",
            name if name.starts_with("AWSOrganizations") => "organizations",
            "AmazonSQS" => "sqs",
            other => panic!("no service for {other}"),
        };
        let mut answer = ureq::post(&self.endpoint)
            .header("Authorization", authorization(account, region, service))
            .header("X-Amz-Target", target)
            .content_type("application/x-amz-json-1.1")
            .send(input.to_string())
            .unwrap_or_else(|error| panic!("{target}: {error}"));
        let text = answer.body_mut().read_to_string().expect("a text");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// Makes an account a delegated administrator of StackSets.
    #[track_caller]
    pub fn delegate_stack_sets(&self, account: &str) {
        self.call(
            MANAGEMENT,
            "us-east-1",
            "AWSOrganizationsV20161128.RegisterDelegatedAdministrator",
            &json!({
                "AccountId": account,
                "ServicePrincipal": "member.org.stacksets.cloudformation.amazonaws.com",
            }),
        );
    }

    /// Makes a role in every account, [`ACCESS_ROLE`], that an account may assume.
    #[track_caller]
    pub fn let_in(&self, account: &str) {
        let role = json!({"Resources": {"Access": {"Type": "AWS::IAM::Role", "Properties": {
            "RoleName": ACCESS_ROLE,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
                "Action": "sts:AssumeRole"}]},
            "Policies": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "*", "Resource": "*"}]}}]}}}});
        let form = [
            ("Action", "CreateStack"),
            ("StackName", "access"),
            ("TemplateBody", &role.to_string()),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
        ];
        let state = self.get("state");
        let accounts = state.get("accounts").and_then(Value::as_array);
        for account in accounts.into_iter().flatten() {
            let id = account.get("id").and_then(Value::as_str).expect("an id");
            self.query(id, HOME, "cloudformation", &form);
        }
        // CloudFormation takes a moment.
        self.advance(120);
    }

    /// Calls an AWS API that takes a form and answers XML.
    #[track_caller]
    pub fn query(
        &self,
        account: &str,
        region: &str,
        service: &str,
        form: &[(&str, &str)],
    ) -> String {
        let mut answer = ureq::post(&self.endpoint)
            .header("Authorization", authorization(account, region, service))
            .send_form(form.iter().copied())
            .unwrap_or_else(|error| panic!("{form:?}: {error}"));
        answer.body_mut().read_to_string().expect("a text")
    }

    /// The environment of any AWS client that acts as this account's administrator.
    pub fn environment<'a>(&'a self, account: &'a str, region: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", account),
            ("AWS_SECRET_ACCESS_KEY", "simulator"),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
        ]
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(simulator) = self.simulator.take() {
            self.runtime.block_on(simulator.stop());
        }
    }
}

/// A header as a client signs it; the simulator reads who calls and checks no signature.
pub fn authorization(account: &str, region: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={account}/20261123/{region}/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

/// A program of the pinned Python environment, such as `aws`.
///
/// `cargo xtask ci` creates the environment and names its folder in `GIZMOS_PYTHON`.
pub fn python_program(name: &str) -> Command {
    let folder = std::env::var_os("GIZMOS_PYTHON").map_or_else(
        || repository().join("target").join("python").join("bin"),
        PathBuf::from,
    );
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is missing; `cargo xtask setup` installs it",
        program.display()
    );
    let mut command = Command::new(program);
    clean(&mut command);
    command
}

/// The repository's root.
pub fn repository() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// Takes the caller's AWS settings away, so that no test can reach a real account.
fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("AWS_") || name_text.starts_with("GIZMOS_ROOT") {
            command.env_remove(&name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_COLOR", "1");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}
