//! IAM policy documents from the table.

use std::collections::{BTreeMap, BTreeSet};

use compiler::Bundle;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Command, Grant, Holder, On, Setting, grants, grants_of};

/// Maximum size of a managed policy, without white space.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const MOST_CHARACTERS: usize = 6_144;

/// A policy document and whom to give it to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Policy {
    /// A name for it, such as `gizmos-deploy`.
    pub name: String,
    /// The principal that needs it, in words: `the role that runs the command, in 111122223333`.
    pub holder: String,
    /// The document.
    pub document: Value,
}

/// The policies that a command needs: of the caller, of a delegated administrator's access role in
/// the management account, and of the access role in all other accounts. A document that would be
/// too large for a managed policy is split.
pub fn policies(setting: Setting<'_>, command: Command) -> Vec<Policy> {
    let organization = &setting.bundle.organization;
    let management = &organization.accounts.management;
    let access = &organization.access_role;
    let name = command.name();
    let holders = [
        (
            Holder::Caller,
            format!("gizmos-{name}"),
            format!(
                "the role that runs `{name}`, in account {}",
                setting.account
            ),
        ),
        (
            Holder::Management,
            format!("gizmos-{name}-management"),
            format!("the role {access} in the management account {management}"),
        ),
        (
            Holder::AccessRole,
            format!("gizmos-{name}-access"),
            format!("the role {access} in every other member account"),
        ),
    ];
    let mut policies = Vec::new();
    for (holder, name, words) in holders {
        let documents = documents(setting, &grants(setting, command, holder));
        let several = documents.len() > 1;
        policies.extend(documents.into_iter().enumerate().map(|(at, document)| {
            let name = if several {
                format!("{name}-{}", at + 1)
            } else {
                name.clone()
            };
            Policy {
                name,
                holder: words.clone(),
                document,
            }
        }));
    }
    policies
}

/// The most that a session of the access role may do while a command runs, whatever the role itself
/// may: a session policy, which must not exceed 2,048 characters. None for a command that repairs and
/// deploys. `holder` tells the management account's role from those of the other accounts.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub fn session_policy(bundle: &Bundle, command: Command, holder: Holder) -> Option<String> {
    if command == Command::Deploy {
        return None;
    }
    let setting = Setting {
        bundle,
        account: &bundle.organization.accounts.management,
    };
    let statements: Vec<Value> = grants_of(setting, command, &[holder])
        .iter()
        .map(|grant| {
            let mut statement = statement(setting, grant);
            if let Some(parts) = statement.as_object_mut() {
                parts.remove("Sid");
                parts.insert("Action".to_owned(), json!(shortened(grant)));
            }
            statement
        })
        .collect();
    Some(document(&statements).to_string())
}

/// The actions of a grant, as few as a session policy has room for: reads of one service become a
/// pattern if the resources are named. The role's own policies still decide within it.
fn shortened(grant: &Grant) -> BTreeSet<String> {
    let all = || grant.actions.iter().map(|action| (*action).to_owned());
    if grant.on.contains(&On::Anything) {
        return all().collect();
    }
    let pattern = |action: &str| {
        let (service, name) = action.split_once(':')?;
        let verb = ["Describe", "Get", "List"]
            .into_iter()
            .find(|verb| name.starts_with(verb))?;
        Some(format!("{service}:{verb}*"))
    };
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for pattern in all().filter_map(|action| pattern(&action)) {
        *count.entry(pattern).or_default() += 1;
    }
    all()
        .map(|action| match pattern(&action) {
            Some(pattern) if count.get(&pattern).is_some_and(|it| *it > 1) => pattern,
            _ => action,
        })
        .collect()
}

/// As few documents as the limit allows, with the statements in order.
fn documents(setting: Setting<'_>, grants: &[Grant]) -> Vec<Value> {
    let mut documents = Vec::new();
    let mut statements: Vec<Value> = Vec::new();
    for grant in grants {
        statements.push(statement(setting, grant));
        if document(&statements).to_string().len() > MOST_CHARACTERS
            && let Some(last) = statements.pop()
        {
            if !statements.is_empty() {
                documents.push(document(&statements));
            }
            statements = vec![last];
        }
    }
    if !statements.is_empty() {
        documents.push(document(&statements));
    }
    documents
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The statement that allows a grant.
pub(crate) fn statement(setting: Setting<'_>, grant: &Grant) -> Value {
    let words: Vec<&str> = grant.on.iter().map(|on| on.word()).collect();
    let resources: Vec<String> = grant
        .on
        .iter()
        .flat_map(|on| on.patterns(setting))
        .collect();
    let mut statement = Map::new();
    statement.insert("Sid".to_owned(), words.concat().into());
    statement.insert("Effect".to_owned(), "Allow".into());
    statement.insert("Action".to_owned(), json!(grant.actions));
    statement.insert("Resource".to_owned(), one_or_more(resources));
    if let Some(condition) = grant.on.iter().find_map(|on| on.condition()) {
        let equal = json!({ condition.key: condition.value });
        statement.insert("Condition".to_owned(), json!({"StringEquals": equal}));
    }
    Value::Object(statement)
}

fn one_or_more(mut values: Vec<String>) -> Value {
    match (values.len(), values.pop()) {
        (1, Some(one)) => one.into(),
        (_, Some(last)) => {
            values.push(last);
            json!(values)
        }
        (_, None) => json!([]),
    }
}
