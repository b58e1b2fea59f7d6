//! IAM policy evaluation: identity policies, trust policies and resource policies.
//!
//! A [`Document`] is parsed once, as strictly as AWS does when it stores a policy.
//! [`Document::decide`] evaluates a [`Request`] and names the deciding statement, so that a broken
//! chain can name the policy at fault. How several policies combine differs by service and is
//! implemented there; [`combine`] is the usual rule.
//!
//! ```
//! use serde_json::json;
//! use simulator_policy::{Context, Decision, Document, Kind, Principal, Request};
//!
//! let policy = json!({"Version": "2012-10-17", "Statement": [{
//!     "Effect": "Allow",
//!     "Principal": {"Service": "events.amazonaws.com"},
//!     "Action": "sns:Publish",
//!     "Resource": "*",
//! }]});
//! let document = Document::parse(&policy, Kind::Resource)?;
//! let events = Principal::Service("events.amazonaws.com".to_owned());
//! let topic = "arn:aws:sns:eu-central-1:111122223333:alerts";
//! let request = Request::new(events, "sns:Publish", topic, Context::new());
//! assert!(matches!(document.decide(&request), Decision::Allow { .. }));
//! # Ok::<(), simulator_policy::PolicyError>(())
//! ```

mod condition;
mod document;
mod glob;

use std::collections::BTreeMap;

pub use document::{Document, Kind, PolicyError};
pub use glob::matches as glob;

/// The principal of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An AWS service: `events.amazonaws.com`.
    Service(String),
    /// A role, by the role's own ARN.
    Role(String),
    /// An account: its root user, or a caller known only by account.
    Account(String),
}

impl Principal {
    /// The account the principal belongs to; services have none.
    pub fn account(&self) -> Option<&str> {
        match self {
            Principal::Service(_) => None,
            Principal::Role(arn) => arn.split(':').nth(4),
            Principal::Account(account) => Some(account),
        }
    }
}

impl std::fmt::Display for Principal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Principal::Service(name) => formatter.write_str(name),
            Principal::Role(arn) => formatter.write_str(arn),
            Principal::Account(account) => write!(formatter, "account {account}"),
        }
    }
}

/// The condition keys of a request. Keys are case-insensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// The keys of every simulated request: `aws:SecureTransport` is true.
    pub fn new() -> Context {
        Context::default().with("aws:SecureTransport", "true")
    }

    /// Adds a value; a key can have several.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Context {
        self.0
            .entry(key.to_ascii_lowercase())
            .or_default()
            .push(value.into());
        self
    }

    fn get(&self, key: &str) -> Option<&[String]> {
        self.0.get(&key.to_ascii_lowercase()).map(Vec::as_slice)
    }
}

/// A request to evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The principal of a request.
    pub principal: Principal,
    /// `service:Action`.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The condition keys.
    pub context: Context,
}

impl Request {
    /// Builds a request and adds the condition keys derived from the principal, except those that
    /// need the organization.
    pub fn new(principal: Principal, action: &str, resource: &str, context: Context) -> Request {
        let mut context = context;
        match &principal {
            Principal::Service(name) => {
                context = context
                    .with("aws:PrincipalIsAWSService", "true")
                    .with("aws:PrincipalServiceName", name.as_str());
            }
            Principal::Role(arn) => {
                context = context
                    .with("aws:PrincipalArn", arn.as_str())
                    .with("aws:PrincipalType", "AssumedRole")
                    .with("aws:PrincipalIsAWSService", "false");
            }
            Principal::Account(account) => {
                context = context
                    .with("aws:PrincipalArn", format!("arn:aws:iam::{account}:root"))
                    .with("aws:PrincipalType", "Account")
                    .with("aws:PrincipalIsAWSService", "false");
            }
        }
        if let Some(account) = principal.account() {
            context = context.with("aws:PrincipalAccount", account.to_owned());
        }
        Request {
            principal,
            action: action.to_owned(),
            resource: resource.to_owned(),
            context,
        }
    }
}

/// The decision of one policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows the request.
    Allow {
        /// The statement, as `statement Sid`.
        by: String,
        /// The statement names the principal's account rather than the principal, so the
        /// principal's own policies must allow the request too.
        delegated: bool,
    },
    /// A statement denies the request, overriding all other policies.
    Deny {
        /// The statement, as `statement Sid`.
        by: String,
    },
    /// No statement applies.
    Silent {
        /// Why the closest statement doesn't apply.
        because: String,
    },
}

/// The combined decision of all applicable policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The decision.
    pub allowed: bool,
    /// One sentence that names the policy and the statement.
    pub reason: String,
}

impl Verdict {
    /// Allows with a reason.
    pub fn allow(reason: impl Into<String>) -> Verdict {
        Verdict {
            allowed: true,
            reason: reason.into(),
        }
    }

    /// Denies with a reason.
    pub fn deny(reason: impl Into<String>) -> Verdict {
        Verdict {
            allowed: false,
            reason: reason.into(),
        }
    }
}

/// A policy with its display name.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    /// `bus policy of gizmos`, `policy put-events-to-hub of role …`
    pub name: String,
    /// The parsed policy.
    pub document: &'a Document,
}

/// Combines policies of which one allow is enough: within one account, or the policies of one
/// identity. `nobody` is the reason if no policy exists.
pub fn any(request: &Request, policies: &[Named<'_>], nobody: &str) -> Verdict {
    let mut allowed = None;
    let mut because = Vec::new();
    for policy in policies {
        match policy.document.decide(request) {
            Decision::Deny { by } => {
                return Verdict::deny(format!(
                    "{by} of the {} denies {} {}",
                    policy.name, request.principal, request.action
                ));
            }
            Decision::Allow { by, .. } => {
                if allowed.is_none() {
                    allowed = Some(format!("{by} of the {} allows it", policy.name));
                }
            }
            Decision::Silent { because: why } => {
                because.push(format!("the {}: {why}", policy.name));
            }
        }
    }
    match allowed {
        Some(reason) => Verdict::allow(reason),
        None if because.is_empty() => Verdict::deny(nobody.to_owned()),
        None => Verdict::deny(format!(
            "nothing allows {} {} on {} ({})",
            request.principal,
            request.action,
            request.resource,
            because.join("; ")
        )),
    }
}

/// Combines identity and resource policies: within one account either may allow, across accounts
/// both must. A resource policy that names only the account delegates to the identity's policies.
pub fn combine(
    request: &Request,
    owner: &str,
    identity: &Verdict,
    resource: Option<&Named<'_>>,
) -> Verdict {
    let same_account = request.principal.account() == Some(owner);
    let Some(policy) = resource else {
        return if same_account {
            identity.clone()
        } else {
            Verdict::deny(format!(
                "{} has no policy that lets account {} in",
                request.resource,
                request.principal.account().unwrap_or("of a service")
            ))
        };
    };
    match policy.document.decide(request) {
        Decision::Deny { by } => Verdict::deny(format!(
            "{by} of the {} denies {} {}",
            policy.name, request.principal, request.action
        )),
        Decision::Allow { by, delegated } => {
            let reason = format!("{by} of the {} allows it", policy.name);
            if same_account && !delegated || identity.allowed {
                Verdict::allow(reason)
            } else {
                identity.clone()
            }
        }
        Decision::Silent { because } => {
            if same_account {
                identity.clone()
            } else {
                Verdict::deny(format!(
                    "the {} does not allow {} {}: {because}",
                    policy.name, request.principal, request.action
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests;
