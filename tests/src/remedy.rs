//! Follows a printed remedy: runs its commands as a user would paste them.
//!
//! Commands of the AWS CLI are read by the CLI's own rules (operation and options in kebab case,
//! shorthand for lists and structures) and performed on the simulator.

use serde_json::{Map, Value, json};

use crate::{HOME, MANAGEMENT, Project, Run, Served};

/// How long an asynchronous operation takes, in virtual seconds.
const A_WHILE: u64 = 1800;

/// Options without a value.
const FLAGS: [&str; 2] = ["use-previous-template", "retain-stacks"];

/// Options whose values are always a list.
const LISTS: [&str; 7] = [
    "alarm-names",
    "capabilities",
    "deployment-targets.Accounts",
    "deployment-targets.OrganizationalUnitIds",
    "ids",
    "message-attribute-names",
    "regions",
];

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
            let words = words(command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["aws", service, operation, options @ ..] => {
                    self.run_aws(&account, service, operation, options);
                }
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
    fn run_aws(&self, account: &str, service: &str, operation: &str, options: &[&str]) {
        if operation == "wait" {
            self.advance(A_WHILE);
            return;
        }
        let mut region = HOME.to_owned();
        let mut input = Map::new();
        let mut left = options.iter().peekable();
        while let Some(option) = left.next() {
            let name = option
                .strip_prefix("--")
                .unwrap_or_else(|| panic!("not an option: {option}"));
            let mut values = Vec::new();
            while let Some(value) = left.next_if(|word| !word.starts_with("--")) {
                values.push(*value);
            }
            match (name, values.as_slice()) {
                ("region", [value]) => (*value).clone_into(&mut region),
                (flag, []) if FLAGS.contains(&flag) => {
                    input.insert(pascal(flag), json!(true));
                }
                (_, []) => panic!("--{name} has no value"),
                (_, values) => {
                    input.insert(pascal(name), value(name, values));
                }
            }
        }
        let action = pascal(operation);
        let target = if service == "cloudformation" && action.ends_with("StackInstances") {
            MANAGEMENT
        } else {
            account
        };
        if action == "DeleteStackInstances" {
            // The CLI requires one of the two flags.
            assert!(input.contains_key("RetainStacks"), "{input:?}");
        }
        // By the name of its endpoint.
        let service = if service == "cloudwatch" {
            "monitoring"
        } else {
            service
        };
        self.act(target, &region, service, &action, &Value::Object(input));
        self.advance(A_WHILE);
    }
}

/// The account in the remedy's words.
fn account_of(remedy: &str) -> String {
    let account = remedy.split_once("in account ").map(|(_, rest)| rest);
    let digits = account.and_then(|rest| rest.get(..12));
    digits.unwrap_or(MANAGEMENT).to_owned()
}

/// Splits a command line like a shell; single quotes and, outside of them, backslashes only.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    // A word of nothing but quotes is an empty one.
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => word.get_or_insert_default().extend(letters.next()),
            ' ' if !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

/// `stack-set-name` becomes `StackSetName`.
fn pascal(kebab: &str) -> String {
    let parts = kebab.split('-');
    parts
        .map(|part| {
            if part == "aws" {
                return "AWS".to_owned();
            }
            let (first, rest) = part.split_at(1);
            first.to_uppercase() + rest
        })
        .collect()
}

/// An option's value: JSON, shorthand, a list or a text.
fn value(option: &str, values: &[&str]) -> Value {
    let one = |text: &str| -> Value {
        if option == "attributes" {
            return serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        if option != "policy" && text.contains('=') && !text.starts_with('{') {
            return shorthand(option, text);
        }
        json!(text)
    };
    match values {
        [text] if !LISTS.contains(&option) && option != "parameters" => one(text),
        many => many.iter().map(|text| one(text)).collect(),
    }
}

/// `Key=value,Other=value`
fn shorthand(option: &str, text: &str) -> Value {
    let fields = text.split(',').map(|field| {
        let (name, value) = field
            .split_once('=')
            .unwrap_or_else(|| panic!("not shorthand: {text}"));
        let value = match value {
            "true" => json!(true),
            "false" => json!(false),
            text if LISTS.contains(&format!("{option}.{name}").as_str()) => json!([text]),
            text => json!(text),
        };
        (name.to_owned(), value)
    });
    Value::Object(fields.collect())
}
