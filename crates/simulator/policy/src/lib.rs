//! IAM policy evaluation: identity policies, trust policies and resource policies.
//!
//! A [`Document`] is parsed once, as strictly as AWS does when it stores a policy; [`Document::decide`]
//! then says what it makes of a [`Request`] and which statement decided, so that a broken chain can
//! name the policy at fault. How several policies combine differs by service and lives with them;
//! [`combine`] is the usual rule.
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

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An AWS service: `events.amazonaws.com`.
    Service(String),
    /// A role, by the role's own ARN.
    Role(String),
    /// An account itself: its root user, or a caller of whom only the account is known.
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

/// The condition keys of a request. Keys are compared without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// The keys every request has that the simulator makes: TLS was used.
    pub fn new() -> Context {
        Context::default().with("aws:SecureTransport", "true")
    }

    /// Adds one key.
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

/// One question to a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// `service:Action`.
    pub action: String,
    /// The ARN of what is asked for.
    pub resource: String,
    /// The condition keys.
    pub context: Context,
}

impl Request {
    /// A question with the keys that follow from the principal filled in, apart from those that
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

/// What one policy makes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it.
    Allow {
        /// The statement, as `statement Sid`.
        by: String,
        /// The statement names the principal's account, not the principal: within that account the
        /// principal's own policies must allow it too.
        delegated: bool,
    },
    /// A statement denies it, which no other policy can undo.
    Deny {
        /// The statement.
        by: String,
    },
    /// No statement speaks to it.
    Silent {
        /// Why the statement that came nearest does not apply.
        because: String,
    },
}

/// The answer of all policies that have a say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the request may go ahead.
    pub allowed: bool,
    /// One sentence that names the policy and the statement.
    pub reason: String,
}

impl Verdict {
    /// Yes, and why.
    pub fn allow(reason: impl Into<String>) -> Verdict {
        Verdict {
            allowed: true,
            reason: reason.into(),
        }
    }

    /// No, and why not.
    pub fn deny(reason: impl Into<String>) -> Verdict {
        Verdict {
            allowed: false,
            reason: reason.into(),
        }
    }
}

/// One policy with the name a person knows it by.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    /// `bus policy of gizmos`, `policy put-events-to-hub of role …`
    pub name: String,
    /// The policy.
    pub document: &'a Document,
}

/// Any of several policies, one allow being enough: the rule within one account, and for the
/// several policies of one identity.
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

/// Identity and resource policy together: within one account either may allow, across accounts
/// both must. A resource policy that only names the account hands the decision to the identity's
/// policies.
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
