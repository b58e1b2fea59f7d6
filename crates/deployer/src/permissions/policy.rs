//! IAM policy documents from the table.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Command, Grant, Holder, Setting, grants};

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
