//! AWS Security Token Service: who am I, and temporary keys for a role.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{ApiError, Caller};
use crate::input::Input;
use crate::organizations::MANAGEMENT;
use crate::services::arn::short;
use crate::services::iam::{ACCESS_ROLE, role_account};
use crate::world::World;

/// Keys never expire here: clients compare the time with their own clock, which is not the
/// virtual one.
const EXPIRATION: &str = "2099-12-31T23:59:59.000Z";

/// The keys handed out so far.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// By access key id.
    by_key: BTreeMap<String, Caller>,
}

/// The caller behind an access key id.
pub(crate) fn caller(world: &World, access_key: &str, region: &str) -> Result<Caller, ApiError> {
    if let Some(session) = world.sessions.by_key.get(access_key) {
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
    if world.organization.account(account).is_none() {
        return Err(invalid());
    }
    Ok(Caller {
        account: account.to_owned(),
        region: region.to_owned(),
        arn: format!("arn:aws:iam::{account}:root"),
        role: None,
    })
}

/// Answers one STS action.
pub(crate) fn call(
    world: &mut World,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "GetCallerIdentity" => {
            Input::new(input, &[])?;
            let user = match &caller.role {
                Some(role) => format!(
                    "{}:{}",
                    role_id(role),
                    caller.arn.rsplit('/').next().unwrap_or_default()
                ),
                None => caller.account.clone(),
            };
            Ok(json!({"Arn": caller.arn, "UserId": user, "Account": caller.account}))
        }
        "AssumeRole" => assume_role(world, caller, input),
        _ => Err(ApiError::unknown_action("sts", action)),
    }
}

fn assume_role(world: &mut World, caller: &Caller, input: &Value) -> Result<Value, ApiError> {
    let input = Input::new(input, &["RoleArn", "RoleSessionName", "DurationSeconds"])?;
    let role = input.required("RoleArn")?;
    let session = input.required("RoleSessionName")?;
    let fits = (2..=64).contains(&session.len())
        && session
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+=,.@-_".contains(c));
    if !fits {
        return Err(ApiError::validation(format!(
            "1 validation error detected: Value '{session}' at 'roleSessionName' failed to satisfy constraint: \
             Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    let account = role_account(role)
        .ok_or_else(|| ApiError::validation(format!("{role} is invalid")))?
        .to_owned();
    let name = short(role);
    if name == ACCESS_ROLE {
        crate::services::iam::access_role(world, &account);
        crate::cloudformation::remember_glance(world, &account);
    } else {
        crate::cloudformation::glance(world, &account);
    }
    crate::services::iam::may_assume(world, caller, role)?;
    let access_key = format!("ASIA{}", world.token(16));
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let assumed = Caller {
        account,
        region: String::new(),
        arn: arn.clone(),
        role: Some(role.to_owned()),
    };
    world.sessions.by_key.insert(access_key.clone(), assumed);
    Ok(json!({
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": world.token(32),
            "SessionToken": world.token(32),
            "Expiration": EXPIRATION,
        },
        "AssumedRoleUser": {"AssumedRoleId": format!("{}:{session}", role_id(role)), "Arn": arn},
    }))
}

/// A stable id in IAM's form for a role.
fn role_id(role: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(role.as_bytes());
    let hex = crate::world::hex(&digest);
    format!("AROA{}", hex.get(..17).unwrap_or_default().to_uppercase())
}
