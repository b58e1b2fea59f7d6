//! AWS Security Token Service: caller identity and temporary credentials for roles.

use std::collections::BTreeMap;

use serde_json::json;

use crate::Services;
use crate::action::{Answer, Context, actions, requests};
use crate::arn::short;
use crate::environment::{Cloud, Look};
use crate::iam::{self, ACCESS_ROLE, role_account};
use crate::organizations::MANAGEMENT;
use crate::wire::api::{ApiError, Caller};

/// Credentials never expire: clients compare this time with the real clock, not the virtual one.
const EXPIRATION: &str = "2099-12-31T23:59:59.000Z";

/// Issued temporary credentials.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sessions {
    /// By access key id.
    by_key: BTreeMap<String, Caller>,
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
    };
    cloud.sessions.by_key.insert(access_key, assumed);
    Ok(answer)
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
