//! Compares the caller with the roles that self-protection rules let pass.

use compiler::organization::Organization;

use super::Preflight;
use crate::ports::Identity;

const WHAT: &str = "deployers";

/// Warns unless the organization file names the caller's role as one that deploys.
pub(super) fn check(organization: &Organization, caller: &Identity, found: &mut Preflight) {
    let holder = caller.policy_holder();
    // A session's ARN lacks the role's path.
    let named = organization.deployers.iter().find(|role| {
        let path_free = role
            .split_once(":role/")
            .zip(role.rsplit('/').next())
            .map(|((head, _), name)| format!("{head}:role/{name}"));
        path_free.is_some_and(|role| role == holder)
    });
    if let Some(role) = named {
        found.pass(WHAT, role.clone());
        return;
    }
    let Some((_, name)) = holder.split_once(":role/") else {
        found.warn(
            WHAT,
            format!(
                "{} is no role, so each of its deployments alerts",
                caller.arn
            ),
            "deploy with a role, and name it in the organization file as `deployers`",
        );
        return;
    };
    found.warn(
        WHAT,
        format!(
            "the organization file doesn't name {holder} among `deployers`, so each of its \
             deployments alerts"
        ),
        format!(
            "if this role is to deploy, add to the organization file what `aws iam get-role \
             --role-name {name} --query Role.Arn` prints (a role of IAM Identity Center has a \
             path): `deployers: [{holder}]`"
        ),
    );
}
