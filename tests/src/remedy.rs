//! Follows a printed remedy: runs its commands as a user would paste them. Those of the AWS CLI are
//! performed on the simulator.

use simulator::AwsCommand;

use crate::{HOME, MANAGEMENT, Project, Run, Served};

/// How long an asynchronous operation takes, in virtual seconds.
const A_WHILE: u64 = 1800;

impl Run {
    /// The remedies with commands that the run printed, without repetitions.
    pub fn remedies(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for line in self.all().lines() {
            let line = line.trim_start();
            let remedy = line.strip_prefix("help: ").or(line.strip_prefix("fix: "));
            if let Some(remedy) = remedy
                && ["`aws ", "`gizmos "].iter().any(|it| remedy.contains(it))
                && !found.iter().any(|known| known == remedy)
            {
                found.push(remedy.to_owned());
            }
        }
        found
    }
}

impl Served {
    /// Runs every command between backticks of a remedy. Commands of this program get the
    /// simulator's address; commands of the AWS CLI run in the account that the remedy names.
    #[track_caller]
    pub fn follow(&self, project: &Project, remedy: &str) {
        let account = account_of(remedy);
        let commands: Vec<&str> = remedy.split('`').skip(1).step_by(2).collect();
        assert!(!commands.is_empty(), "no command to run: {remedy}");
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            match words.as_slice() {
                ["aws", ..] => self.run_aws(&account, command),
                ["gizmos", arguments @ ..] => {
                    let target = self.argument();
                    let mut arguments = arguments.to_vec();
                    if arguments.first() == Some(&"deploy") {
                        arguments.push("--no-verify");
                    }
                    arguments.push(&target);
                    project.run(&arguments).expect(0);
                }
                _ => panic!("not a command that anybody can run: {command}"),
            }
        }
    }

    #[track_caller]
    fn run_aws(&self, account: &str, command: &str) {
        let command = AwsCommand::read(command).unwrap_or_else(|error| panic!("{error}"));
        if let Some(action) = &command.action {
            let target =
                if command.service == "cloudformation" && action.ends_with("StackInstances") {
                    MANAGEMENT
                } else {
                    account
                };
            if action == "DeleteStackInstances" {
                // The CLI requires one of the two flags.
                let input = &command.input;
                assert!(input.get("RetainStacks").is_some(), "{input}");
            }
            let region = command.region.as_deref().unwrap_or(HOME);
            self.act(target, region, &command.service, action, &command.input);
        }
        self.advance(A_WHILE);
    }
}

/// The account in the remedy's words.
fn account_of(remedy: &str) -> String {
    let account = remedy.split_once("in account ").map(|(_, rest)| rest);
    let digits = account.and_then(|rest| rest.get(..12));
    digits.unwrap_or(MANAGEMENT).to_owned()
}
