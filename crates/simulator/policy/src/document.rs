//! Parses policy documents as strictly as AWS does when a policy is stored.

use serde_json::{Map, Value};

use super::condition::{Condition, substitute};
use super::{Context, Decision, Principal, Request, glob};

/// Why a policy document is rejected. The text follows `MalformedPolicyDocument: `.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PolicyError(pub String);

/// The kind of a policy, which decides its required and forbidden elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Attached to a role: has `Resource`, no `Principal`.
    Identity,
    /// A role's trust policy: has `Principal`, no `Resource`.
    Trust,
    /// Attached to a bus, topic, queue, key or bucket: has both.
    Resource,
}

/// A parsed policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    name: String,
    allow: bool,
    principals: Option<(bool, Vec<Match>)>,
    actions: (bool, Vec<String>),
    resources: Option<(bool, Vec<String>)>,
    conditions: Vec<Condition>,
    variables: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Match {
    Anyone,
    Service(String),
    Account(String),
    Arn(String),
    Federated(String),
}

impl Document {
    /// Parses a policy given as an object or as JSON text.
    pub fn parse(value: &Value, kind: Kind) -> Result<Document, PolicyError> {
        let document = Document::read(value, kind)?;
        match kind {
            Kind::Trust => document.within("sts"),
            Kind::Identity | Kind::Resource => Ok(document),
        }
    }

    fn read(value: &Value, kind: Kind) -> Result<Document, PolicyError> {
        let parsed;
        let object = match value {
            Value::Object(object) => object,
            Value::String(text) => {
                parsed = serde_json::from_str::<Value>(text).map_err(|error| {
                    PolicyError(format!("This policy contains invalid Json: {error}"))
                })?;
                parsed
                    .as_object()
                    .ok_or_else(|| PolicyError("The policy must be a JSON object.".to_owned()))?
            }
            _ => return Err(PolicyError("The policy must be a JSON object.".to_owned())),
        };
        let mut variables = false;
        for (key, value) in object {
            match (key.as_str(), value.as_str()) {
                ("Version", Some("2012-10-17")) => variables = true,
                ("Version", Some("2008-10-17")) | ("Id", Some(_)) | ("Statement", _) => {}
                ("Version", _) => {
                    return Err(PolicyError(format!(
                        "The policy version {value} must be 2012-10-17 or 2008-10-17."
                    )));
                }
                _ => return Err(PolicyError(format!("Unknown field {key} in the policy."))),
            }
        }
        let statements: Vec<&Value> = match object.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => {
                return Err(PolicyError("Missing required field Statement".to_owned()));
            }
        };
        if statements.is_empty() {
            return Err(PolicyError("The policy has no statements.".to_owned()));
        }
        let statements = statements
            .iter()
            .enumerate()
            .map(|(index, statement)| Statement::parse(statement, index, kind, variables))
            .collect::<Result<Vec<_>, _>>()?;
        for (index, statement) in statements.iter().enumerate() {
            if statements
                .iter()
                .take(index)
                .any(|other| other.name == statement.name)
            {
                return Err(PolicyError(format!(
                    "Statement IDs (SID) in a single policy must be unique: {}",
                    statement.name
                )));
            }
        }
        Ok(Document { statements })
    }

    /// Checks that a resource policy names only its own service's actions, as services do when they
    /// store one.
    pub fn within(self, service: &str) -> Result<Document, PolicyError> {
        let foreign = self
            .statements
            .iter()
            .flat_map(|statement| &statement.actions.1)
            .find(|action| {
                *action != "*"
                    && action
                        .split_once(':')
                        .is_none_or(|(prefix, _)| !prefix.eq_ignore_ascii_case(service))
            });
        match foreign {
            Some(action) => Err(PolicyError(format!(
                "Policy statement action out of service scope: {action}"
            ))),
            None => Ok(self),
        }
    }

    /// Evaluates this policy for a request. A deny overrides an allow.
    pub fn decide(&self, request: &Request) -> Decision {
        let mut allow = None;
        let mut nearest = (0, "it has no statement for this principal".to_owned());
        for statement in &self.statements {
            match statement.applies(request) {
                Ok(delegated) if statement.allow => match allow {
                    None | Some((_, true)) => allow = Some((statement.name.clone(), delegated)),
                    Some(_) => {}
                },
                Ok(_) => {
                    return Decision::Deny {
                        by: statement.name.clone(),
                    };
                }
                Err((near, why)) => {
                    if statement.allow && near > nearest.0 {
                        nearest = (near, format!("{}: {why}", statement.name));
                    }
                }
            }
        }
        match allow {
            Some((by, delegated)) => Decision::Allow { by, delegated },
            None => Decision::Silent { because: nearest.1 },
        }
    }
}

fn check_actions(actions: &[String], statement: &str) -> Result<(), PolicyError> {
    let plain = |text: &str, extra: &[char]| {
        let mut characters = text.chars();
        !text.is_empty() && characters.all(|c| c.is_ascii_alphanumeric() || extra.contains(&c))
    };
    let good = |action: &&String| {
        let parts = action.split_once(':');
        *action == "*"
            || parts.is_some_and(|(of, name)| plain(of, &['-']) && plain(name, &['*', '?']))
    };
    match actions.iter().find(|action| !good(action)) {
        Some(action) => Err(PolicyError(format!(
            "{statement}: Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {action}"
        ))),
        None => Ok(()),
    }
}

/// Whether a statement has what its kind of policy needs, and nothing else.
fn check_presence(kind: Kind, principals: bool, resources: bool) -> Result<(), &'static str> {
    match kind {
        Kind::Identity if principals => Err("Policy document should not specify a principal."),
        Kind::Identity | Kind::Resource if !resources => {
            Err("Policy statement must contain resources.")
        }
        Kind::Trust if resources => Err("Has prohibited field Resource"),
        Kind::Trust | Kind::Resource if !principals => Err("Missing required field Principal"),
        _ => Ok(()),
    }
}

impl Statement {
    fn parse(
        value: &Value,
        index: usize,
        kind: Kind,
        variables: bool,
    ) -> Result<Statement, PolicyError> {
        let object = value
            .as_object()
            .ok_or_else(|| PolicyError("A statement must be an object.".to_owned()))?;
        if let Some(unknown) = object.keys().find(|key| {
            ![
                "Sid",
                "Effect",
                "Principal",
                "NotPrincipal",
                "Action",
                "NotAction",
                "Resource",
                "NotResource",
                "Condition",
            ]
            .contains(&key.as_str())
        }) {
            return Err(PolicyError(format!(
                "Unknown field {unknown} in a statement."
            )));
        }
        let name = match object.get("Sid") {
            None => format!("statement {}", index + 1),
            Some(Value::String(sid)) => format!("statement {sid}"),
            Some(_) => return Err(PolicyError("Sid must be a string.".to_owned())),
        };
        let allow = match object.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => {
                return Err(PolicyError(format!(
                    "{name}: Effect must be Allow or Deny."
                )));
            }
        };
        let actions = either(object, "Action", "NotAction")?.ok_or_else(|| {
            PolicyError(format!("{name}: Policy statement must contain actions."))
        })?;
        check_actions(&actions.1, &name)?;
        let resources = either(object, "Resource", "NotResource")?;
        let principals = principals(object, &name)?;
        check_presence(kind, principals.is_some(), resources.is_some())
            .map_err(|why| PolicyError(format!("{name}: {why}")))?;
        for resource in resources.iter().flat_map(|(_, list)| list) {
            if resource != "*" && resource.splitn(6, ':').count() != 6 {
                return Err(PolicyError(format!(
                    "{name}: Resource {resource} must be in ARN format or \"*\"."
                )));
            }
        }
        Ok(Statement {
            conditions: conditions(object.get("Condition"), &name)?,
            name,
            allow,
            principals,
            actions,
            resources,
            variables,
        })
    }

    /// `Ok(delegated)` if every element matches; otherwise how many matched and why the next one
    /// didn't, to report the closest statement.
    fn applies(&self, request: &Request) -> Result<bool, (u8, String)> {
        let delegated = self
            .principal_fits(&request.principal)
            .ok_or_else(|| (1, format!("it does not name {}", request.principal)))?;
        let (negated, actions) = &self.actions;
        let hit = actions.iter().any(|action| {
            glob::matches(
                &action.to_ascii_lowercase(),
                &request.action.to_ascii_lowercase(),
            )
        });
        if hit == *negated {
            return Err((2, format!("its actions are {}", actions.join(", "))));
        }
        if let Some((negated, resources)) = &self.resources {
            let hit = resources.iter().any(|resource| {
                self.fill(resource, &request.context)
                    .is_some_and(|resource| glob::matches(&resource, &request.resource))
            });
            if hit == *negated {
                return Err((
                    3,
                    format!(
                        "its resources are {}, not {}",
                        resources.join(", "),
                        request.resource
                    ),
                ));
            }
        }
        for condition in &self.conditions {
            if let Some(why) = condition.unmet(&request.context) {
                return Err((4, why));
            }
        }
        Ok(delegated)
    }

    fn fill(&self, text: &str, context: &Context) -> Option<String> {
        if self.variables {
            substitute(text, context)
        } else {
            Some(text.to_owned())
        }
    }

    fn principal_fits(&self, principal: &Principal) -> Option<bool> {
        let Some((negated, wanted)) = &self.principals else {
            return Some(false);
        };
        let mut best: Option<bool> = None;
        for candidate in wanted {
            let delegated = match (candidate, principal) {
                (Match::Anyone, _) => Some(false),
                (Match::Service(name), Principal::Service(asking)) if name == asking => Some(false),
                (Match::Arn(arn), Principal::Role(role)) if arn == role => Some(false),
                (Match::Account(account), Principal::Account(asking)) if account == asking => {
                    Some(false)
                }
                (Match::Account(account), Principal::Role(_))
                    if principal.account() == Some(account) =>
                {
                    Some(true)
                }
                _ => None,
            };
            best = match (best, delegated) {
                (Some(a), Some(b)) => Some(a && b),
                (a, b) => a.or(b),
            };
        }
        if *negated {
            best.is_none().then_some(false)
        } else {
            best
        }
    }
}

fn strings(value: &Value, what: &str) -> Result<Vec<String>, PolicyError> {
    match value {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(list) if !list.is_empty() => list
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| PolicyError(format!("{what} must hold strings.")))
            })
            .collect(),
        _ => Err(PolicyError(format!(
            "{what} must be a string or a list of strings."
        ))),
    }
}

type Choice = Option<(bool, Vec<String>)>;

fn either(object: &Map<String, Value>, plain: &str, negated: &str) -> Result<Choice, PolicyError> {
    match (object.get(plain), object.get(negated)) {
        (Some(_), Some(_)) => Err(PolicyError(format!(
            "A statement has either {plain} or {negated}."
        ))),
        (Some(value), None) => Ok(Some((false, strings(value, plain)?))),
        (None, Some(value)) => Ok(Some((true, strings(value, negated)?))),
        (None, None) => Ok(None),
    }
}

fn principals(
    object: &Map<String, Value>,
    name: &str,
) -> Result<Option<(bool, Vec<Match>)>, PolicyError> {
    let (negated, value) = match (object.get("Principal"), object.get("NotPrincipal")) {
        (None, None) => return Ok(None),
        (Some(value), None) => (false, value),
        (None, Some(value)) => (true, value),
        (Some(_), Some(_)) => {
            return Err(PolicyError(format!(
                "{name}: a statement has either Principal or NotPrincipal."
            )));
        }
    };
    let invalid = |found: &str| PolicyError(format!("Invalid principal in policy: {found}"));
    let mut matches = Vec::new();
    match value {
        Value::String(text) if text == "*" => matches.push(Match::Anyone),
        Value::Object(kinds) if !kinds.is_empty() => {
            for (kind, value) in kinds {
                for one in strings(value, kind)? {
                    matches.push(match kind.as_str() {
                        "AWS" => aws_principal(&one).ok_or_else(|| invalid(&one))?,
                        "Service" if one.ends_with(".amazonaws.com") && !one.contains('*') => {
                            Match::Service(one)
                        }
                        "Federated" => Match::Federated(one),
                        _ => return Err(invalid(&format!("\"{kind}\":\"{one}\""))),
                    });
                }
            }
        }
        other => return Err(invalid(&other.to_string())),
    }
    Ok(Some((negated, matches)))
}

fn aws_principal(text: &str) -> Option<Match> {
    if text == "*" {
        return Some(Match::Anyone);
    }
    if is_account(text) {
        return Some(Match::Account(text.to_owned()));
    }
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", _, "iam" | "sts", "", account, resource] = parts.as_slice() else {
        return None;
    };
    if !is_account(account) || text.contains(['*', '?']) {
        return None;
    }
    Some(if *resource == "root" {
        Match::Account((*account).to_owned())
    } else {
        Match::Arn(text.to_owned())
    })
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn conditions(value: Option<&Value>, name: &str) -> Result<Vec<Condition>, PolicyError> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let malformed = || PolicyError(format!("{name}: Condition must be a block of operators."));
    let mut conditions = Vec::new();
    for (operator, keys) in value.as_object().ok_or_else(malformed)? {
        for (key, values) in keys.as_object().ok_or_else(malformed)? {
            let list = match values {
                Value::Array(list) => list.iter().collect(),
                one => vec![one],
            };
            let list = list
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text.clone()),
                    Value::Bool(flag) => Ok(flag.to_string()),
                    Value::Number(number) => Ok(number.to_string()),
                    _ => Err(malformed()),
                })
                .collect::<Result<Vec<_>, _>>()?;
            conditions.push(Condition::new(operator, key, list)?);
        }
    }
    Ok(conditions)
}
