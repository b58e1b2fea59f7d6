//! Commands of the AWS CLI, read by its own rules: operation and options in kebab case, JSON or
//! shorthand for lists and structures.

use serde_json::{Map, Value, json};

/// Options without a value.
const FLAGS: [&str; 2] = ["use-previous-template", "retain-stacks"];

/// Options whose values are always a list.
const LISTS: [&str; 8] = [
    "alarm-names",
    "capabilities",
    "deployment-targets.Accounts",
    "deployment-targets.OrganizationalUnitIds",
    "ids",
    "message-attribute-names",
    "parameters",
    "regions",
];

/// What a command of the AWS CLI asks for, as [`Simulator::act`](crate::Simulator::act) takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct AwsCommand {
    /// By the name of its endpoint: `monitoring` for `cloudwatch`.
    pub service: String,
    /// Such as `DescribeStacks`; `None` for a waiter, which only takes time.
    pub action: Option<String>,
    /// The option `--region`.
    pub region: Option<String>,
    /// All other options.
    pub input: Value,
}

impl AwsCommand {
    /// Reads a command as a user would paste it, such as `aws events enable-rule --name example`. The
    /// error says why the CLI, or a shell, wouldn't take it.
    ///
    /// ```
    /// let command = simulator::AwsCommand::read("aws events enable-rule --name 'a b' --region us-east-1")?;
    /// assert_eq!(command.action.as_deref(), Some("EnableRule"));
    /// assert_eq!(command.input, serde_json::json!({"Name": "a b"}));
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(command: &str) -> Result<AwsCommand, String> {
        let words = words(command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ["aws", service, operation, options @ ..] = words.as_slice() else {
            return Err(format!("not a command of the AWS CLI: {command}"));
        };
        let service = match *service {
            "cloudwatch" => "monitoring",
            other => other,
        };
        let mut read = AwsCommand {
            service: service.to_owned(),
            action: (*operation != "wait").then(|| pascal(operation)),
            region: None,
            input: Value::Null,
        };
        if read.action.is_none() {
            return Ok(read);
        }
        let mut input = Map::new();
        let mut left = options.iter().peekable();
        while let Some(option) = left.next() {
            let name = option.strip_prefix("--");
            let name = name.ok_or_else(|| format!("not an option: {option}"))?;
            let mut values = Vec::new();
            while let Some(value) = left.next_if(|word| !word.starts_with("--")) {
                values.push(*value);
            }
            match (name, values.as_slice()) {
                ("region", [value]) => read.region = Some((*value).to_owned()),
                (flag, []) if FLAGS.contains(&flag) => {
                    input.insert(pascal(flag), json!(true));
                }
                (_, []) => return Err(format!("--{name} has no value")),
                (_, values) => {
                    input.insert(pascal(name), value(name, values)?);
                }
            }
        }
        read.input = Value::Object(input);
        Ok(read)
    }
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
        .map(|part| match part {
            "aws" => "AWS".to_owned(),
            part => {
                let mut letters = part.chars();
                let first = letters.next().map(|letter| letter.to_ascii_uppercase());
                first.into_iter().chain(letters).collect()
            }
        })
        .collect()
}

/// An option's value: JSON, shorthand, a list or a text.
fn value(option: &str, values: &[&str]) -> Result<Value, String> {
    let one = |text: &str| -> Result<Value, String> {
        if option == "attributes" {
            return serde_json::from_str(text).map_err(|error| format!("{text}: {error}"));
        }
        if option != "policy" && text.contains('=') && !text.starts_with('{') {
            return shorthand(option, text);
        }
        Ok(json!(text))
    };
    match values {
        [text] if !LISTS.contains(&option) => one(text),
        many => many.iter().map(|text| one(text)).collect(),
    }
}

/// `Key=value,Other=value`
fn shorthand(option: &str, text: &str) -> Result<Value, String> {
    let fields = text.split(',').map(|field| {
        let parts = field.split_once('=');
        let (name, value) = parts.ok_or_else(|| format!("not shorthand: {text}"))?;
        let value = match value {
            "true" => json!(true),
            "false" => json!(false),
            text if LISTS.contains(&format!("{option}.{name}").as_str()) => json!([text]),
            text => json!(text),
        };
        Ok((name.to_owned(), value))
    });
    fields
        .collect::<Result<Map<_, _>, String>>()
        .map(Value::Object)
}
