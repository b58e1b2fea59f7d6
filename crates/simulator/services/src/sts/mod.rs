//! AWS Security Token Service: caller identity and temporary credentials for roles.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::Services;
use crate::action::{Answer, Context, actions, requests};
use crate::arn::short;
use crate::environment::{Cloud, Look};
use crate::iam::{self, ACCESS_ROLE, role_account};
use crate::organizations::MANAGEMENT;
use crate::policy::{Document, Kind};
use crate::wire::api::{ApiError, Caller};

/// Credentials never expire: clients compare this time with the real clock, not the virtual one.
const EXPIRATION: &str = "2099-12-31T23:59:59.000Z";

/// Most characters of a session policy.
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
const LONGEST_POLICY: usize = 2_048;

/// Issued temporary credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions {
    /// By access key id.
    by_key: BTreeMap<String, Caller>,
    /// Session policies by their text, because most sessions have the same.
    policies: BTreeMap<Arc<str>, Document>,
}

impl Sessions {
    /// The session policy of a caller.
    pub(crate) fn policy(&self, caller: &Caller) -> Option<&Document> {
        self.policies.get(caller.session_policy.as_ref()?)
    }
}

/// The temporary credentials that were issued: access key id, role and session policy.
pub fn issued(services: &Services) -> Vec<Value> {
    let sessions = services.sessions.by_key.iter();
    sessions
        .map(|(key, caller)| {
            json!({
                "access_key_id": key,
                "account": caller.account,
                "role": caller.role,
                "session_policy": caller.session_policy.as_deref(),
            })
        })
        .collect()
}

/// The caller that an access key id belongs to.
pub fn caller(services: &Services, access_key: &str, region: &str) -> Result<Caller, ApiError> {
    if let Some(session) = services.sessions.by_key.get(access_key) {
        return Ok(Caller {
            region: region.to_owned(),
            ..session.clone()
        });
    }
    let invalid = || {
        ApiError::new(
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
        .status(403)
    };
    let account = if access_key.len() == 12 && access_key.bytes().all(|byte| byte.is_ascii_digit())
    {
        access_key
    } else if access_key.starts_with("ASIA") {
        return Err(invalid());
    } else {
        MANAGEMENT
    };
    if services.organization.account(account).is_none() {
        return Err(invalid());
    }
    Ok(Caller {
        account: account.to_owned(),
        region: region.to_owned(),
        arn: format!("arn:aws:iam::{account}:root"),
        role: None,
        session_policy: None,
    })
}

actions! {
    /// All actions of STS. Any caller may get its identity; a role's trust policy decides who may
    /// assume it. Neither action is journaled.
    pub(crate) ACTIONS of "sts" {
        Reads GetCallerIdentity (itself) context(get_caller_identity);
        Reads AssumeRole (itself) cloud(assume_role);
    }
}

requests! {
    struct GetCallerIdentity {}
    #[expect(dead_code, reason = "keys never expire")]
    struct AssumeRole {
        role_arn: String, role_session_name: String, duration_seconds: Option<u32>,
        policy: Option<String>,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of all handlers")]
fn get_caller_identity(_: GetCallerIdentity, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let user = match &caller.role {
        Some(role) => format!("{}:{}", role_id(role), short(&caller.arn)),
        None => caller.account.clone(),
    };
    Ok(json!({"Arn": caller.arn, "UserId": user, "Account": caller.account}))
}

fn assume_role(request: AssumeRole, cloud: &mut Cloud<'_>, caller: &Caller) -> Answer {
    let (role, session) = (request.role_arn, request.role_session_name);
    check_session_name(&session)?;
    let account = role_account(&role)
        .ok_or_else(|| ApiError::validation(format!("{role} is invalid")))?
        .to_owned();
    let name = short(&role);
    if name == ACCESS_ROLE {
        iam::access_role(cloud, &account);
        cloud.remember_look(&account);
    } else {
        cloud.look(&account, Look::Anywhere);
    }
    iam::may_assume(cloud, caller, &role)?;
    let session_policy = request.policy.map(|text| session_policy(cloud, text));
    let access_key = format!("ASIA{}", cloud.environment.token(16));
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let answer = json!({
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": cloud.environment.token(32),
            "SessionToken": cloud.environment.token(32),
            "Expiration": EXPIRATION,
        },
        "AssumedRoleUser": {"AssumedRoleId": format!("{}:{session}", role_id(&role)), "Arn": arn},
    });
    let assumed = Caller {
        account,
        region: String::new(),
        arn,
        role: Some(role),
        session_policy: session_policy.transpose()?,
    };
    cloud.sessions.by_key.insert(access_key, assumed);
    Ok(answer)
}

/// Parses a session policy and keeps it.
fn session_policy(services: &mut Services, text: String) -> Result<Arc<str>, ApiError> {
    if !(1..=LONGEST_POLICY).contains(&text.chars().count()) {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have \
             length less than or equal to {LONGEST_POLICY}"
        )));
    }
    let malformed = |why: String| ApiError::new("MalformedPolicyDocument", why);
    let written: Value =
        serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
    let document =
        Document::parse(&written, Kind::Identity).map_err(|error| malformed(error.to_string()))?;
    let text = Arc::from(text);
    services
        .sessions
        .policies
        .insert(Arc::clone(&text), document);
    Ok(text)
}

fn check_session_name(session: &str) -> Result<(), ApiError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c);
    if (2..=64).contains(&session.len()) && session.chars().all(good) {
        return Ok(());
    }
    Err(ApiError::validation(format!(
        "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: \
         Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )))
}

/// A stable role id in IAM's format.
fn role_id(role: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(role.as_bytes());
    let hex = crate::environment::hex(&digest);
    format!("AROA{}", hex.get(..17).unwrap_or_default().to_uppercase())
}
