//! AWS IAM: roles, their policies, and role assumption.

mod actions;
pub(crate) mod resources;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(crate) use actions::ACTIONS;

use super::arn::Arn;
use crate::Services;
use crate::organizations::{MANAGEMENT, ORGANIZATION_ID, Organization};
use crate::policy::{
    Context, Decision, Document, Kind, Named, PolicyError, Principal, Request, Verdict, any,
};
use crate::resources::texts;
use crate::wire::api::{ApiError, Caller};

/// Roles, customer managed policies, and the few AWS managed policies that are simulated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Iam {
    /// By ARN.
    pub(crate) roles: BTreeMap<String, Role>,
    /// By ARN.
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    /// The accounts whose [`ACCESS_ROLE`] is in memory, and whether it may have been changed since.
    access_roles: BTreeMap<String, bool>,
}

#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) name: String,
    /// As in `AWS::IAM::Role`; `Policies` and `ManagedPolicyArns` are live.
    pub(crate) properties: Map<String, Value>,
    pub(crate) trust: Document,
    /// By name.
    pub(crate) inline: BTreeMap<String, Inline>,
    /// ARN of the managed policy that is the permissions boundary. CloudFormation leaves one alone
    /// that no template sets.
    pub(crate) boundary: Option<String>,
    pub(crate) created: jiff::Timestamp,
}

#[derive(Clone, Debug)]
pub(crate) struct Inline {
    pub(crate) written: Value,
    pub(crate) document: Document,
}

#[derive(Clone, Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// As in `AWS::IAM::ManagedPolicy`.
    pub(crate) properties: Map<String, Value>,
    pub(crate) document: Document,
}

impl Role {
    /// ARNs of the attached managed policies.
    pub(crate) fn attached(&self) -> Vec<&str> {
        self.properties
            .get("ManagedPolicyArns")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    /// Attaches a managed policy if `on`, otherwise detaches it.
    pub(crate) fn attach(&mut self, arn: &str, on: bool) {
        let mut attached = self.attached();
        attached.retain(|other| *other != arn);
        if on {
            attached.push(arn);
        }
        let attached = json!(attached);
        self.properties
            .insert("ManagedPolicyArns".to_owned(), attached);
    }
}

fn malformed(error: &PolicyError) -> ApiError {
    ApiError::new("MalformedPolicyDocument", error.to_string())
}

fn no_such(what: &str, name: &str) -> ApiError {
    ApiError::new(
        "NoSuchEntity",
        format!("The {what} with name {name} cannot be found."),
    )
    .status(404)
}

/// The role through which the management account accesses a member account.
pub const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

/// Creates an account's [`ACCESS_ROLE`] on first use: few of ten thousand are ever needed, and all
/// would take memory.
pub fn access_role(services: &mut Services, account: &str) {
    if services.organization.account(account).is_none()
        || services.iam.access_roles.contains_key(account)
    {
        return;
    }
    services.iam.access_roles.insert(account.to_owned(), false);
    let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    for (name, effect) in [("AdministratorAccess", "Allow"), ("AWSDenyAll", "Deny")] {
        let everything = policy(json!({"Effect": effect, "Action": "*", "Resource": "*"}));
        let arn = format!("arn:aws:iam::aws:policy/{name}");
        if let Ok(document) = Document::parse(&everything, Kind::Identity) {
            let managed = ManagedPolicy {
                arn: arn.clone(),
                name: name.to_owned(),
                properties: Map::new(),
                document,
            };
            services.iam.policies.entry(arn).or_insert(managed);
        }
    }
    if account == MANAGEMENT {
        return;
    }
    let properties = json!({
        "RoleName": ACCESS_ROLE,
        "AssumeRolePolicyDocument": policy(json!({
            "Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{MANAGEMENT}:root")},
        })),
        "ManagedPolicyArns": [administrator],
    });
    if let Value::Object(properties) = properties {
        let made = create_role(services, account, ACCESS_ROLE, properties);
        debug_assert!(made.is_ok(), "the role every member account has: {made:?}");
    }
}

/// Keeps an account's [`ACCESS_ROLE`] in memory from now on, because it may be changed.
pub fn keep_access_role(services: &mut Services, account: &str) {
    if let Some(kept) = services.iam.access_roles.get_mut(account) {
        *kept = true;
    }
}

/// Removes an account's [`ACCESS_ROLE`] from memory if it can't have been changed.
pub fn forget_access_role(services: &mut Services, account: &str) {
    let iam = &mut services.iam;
    if account != MANAGEMENT && iam.access_roles.get(account) == Some(&false) {
        iam.access_roles.remove(account);
        iam.roles
            .remove(&format!("arn:aws:iam::{account}:role/{ACCESS_ROLE}"));
    }
}

/// Creates a role from template properties and returns its ARN.
pub(crate) fn create_role(
    services: &mut Services,
    account: &str,
    name: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    let path = path_of(&properties)?;
    if name == ACCESS_ROLE {
        access_role(services, account);
    }
    // Role names are unique per account, regardless of path.
    if services.iam.role_by_name(account, name).is_some() {
        return Err(ApiError::new(
            "EntityAlreadyExists",
            format!("Role with name {name} already exists."),
        )
        .status(409));
    }
    let arn = format!("arn:aws:iam::{account}:role{path}{name}");
    let (trust, inline) = parse_role(services, &properties)?;
    let id = format!("AROA{}", services.environment.token_of(&arn, 17));
    let role = Role {
        arn: arn.clone(),
        id,
        account: account.to_owned(),
        name: name.to_owned(),
        properties,
        trust,
        inline,
        boundary: None,
        created: services.environment.now,
    };
    services.iam.roles.insert(arn.clone(), role);
    Ok(arn)
}

fn path_of(properties: &Map<String, Value>) -> Result<&str, ApiError> {
    let path = properties
        .get("Path")
        .and_then(Value::as_str)
        .unwrap_or("/");
    let good = path == "/"
        || path.starts_with('/')
            && path.ends_with('/')
            && path.len() <= 512
            && path.chars().all(|c| c.is_ascii_graphic());
    if good {
        Ok(path)
    } else {
        Err(ApiError::validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ))
    }
}

type Parsed = (Document, BTreeMap<String, Inline>);

/// Parses a role's trust and inline policies and checks that its managed policies exist.
pub(crate) fn parse_role(
    services: &Services,
    properties: &Map<String, Value>,
) -> Result<Parsed, ApiError> {
    let trust = properties
        .get("AssumeRolePolicyDocument")
        .ok_or_else(|| ApiError::validation("AssumeRolePolicyDocument is required."))?;
    let trust = Document::parse(trust, Kind::Trust).map_err(|error| malformed(&error))?;
    let inline = parse_inline(properties)?;
    let unknown = texts(properties, "ManagedPolicyArns")
        .into_iter()
        .find(|arn| !services.iam.policies.contains_key(arn));
    match unknown {
        None => Ok((trust, inline)),
        Some(arn) => Err(ApiError::new(
            "NoSuchEntity",
            format!("Policy {arn} does not exist or is not attachable."),
        )
        .status(404)),
    }
}

fn parse_inline(properties: &Map<String, Value>) -> Result<BTreeMap<String, Inline>, ApiError> {
    let mut inline = BTreeMap::new();
    let policies = properties.get("Policies").and_then(Value::as_array);
    for policy in policies.into_iter().flatten() {
        let name = policy
            .get("PolicyName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let written = policy.get("PolicyDocument").cloned().unwrap_or_default();
        let policy = Inline::parse(written)?;
        if inline.insert(name.to_owned(), policy).is_some() {
            return Err(ApiError::validation(format!(
                "Two policies are named {name}."
            )));
        }
    }
    Ok(inline)
}

impl Inline {
    fn parse(written: Value) -> Result<Inline, ApiError> {
        let document =
            Document::parse(&written, Kind::Identity).map_err(|error| malformed(&error))?;
        Ok(Inline { written, document })
    }
}

impl Iam {
    /// Finds a role by name, regardless of path.
    pub(crate) fn role_by_name(&self, account: &str, name: &str) -> Option<&Role> {
        let prefix = format!("arn:aws:iam::{account}:role/");
        self.roles
            .range(prefix.clone()..)
            .take_while(|(arn, _)| arn.starts_with(&prefix))
            .map(|(_, role)| role)
            .find(|role| role.name == name)
    }

    /// [`role_by_name`](Iam::role_by_name) or IAM's error.
    fn named(&self, account: &str, name: &str) -> Result<&Role, ApiError> {
        self.role_by_name(account, name)
            .ok_or_else(|| no_such("role", name))
    }

    /// [`role_by_name_mut`](Iam::role_by_name_mut) or IAM's error.
    fn named_mut(&mut self, account: &str, name: &str) -> Result<&mut Role, ApiError> {
        self.role_by_name_mut(account, name)
            .ok_or_else(|| no_such("role", name))
    }

    /// Mutable [`role_by_name`](Iam::role_by_name).
    pub(crate) fn role_by_name_mut(&mut self, account: &str, name: &str) -> Option<&mut Role> {
        let arn = self.role_by_name(account, name)?.arn.clone();
        self.roles.get_mut(&arn)
    }

    /// Adds or replaces an inline policy of a role.
    pub(crate) fn put_inline(
        &mut self,
        account: &str,
        role: &str,
        name: &str,
        written: Value,
    ) -> Result<(), ApiError> {
        let policy = Inline::parse(written)?;
        let role = self.named_mut(account, role)?;
        role.inline.insert(name.to_owned(), policy);
        role.write_back();
        Ok(())
    }

    /// Removes an inline policy from a role. Returns whether it existed.
    pub(crate) fn delete_inline(&mut self, account: &str, role: &str, name: &str) -> bool {
        self.role_by_name_mut(account, role).is_some_and(|role| {
            let was = role.inline.remove(name).is_some();
            role.write_back();
            was
        })
    }
}

impl Role {
    /// Updates the `Policies` property from the live inline policies.
    fn write_back(&mut self) {
        let policies: Vec<Value> = self
            .inline
            .iter()
            .map(|(name, policy)| json!({"PolicyName": name, "PolicyDocument": policy.written}))
            .collect();
        if policies.is_empty() {
            self.properties.remove("Policies");
        } else {
            self.properties
                .insert("Policies".to_owned(), Value::Array(policies));
        }
    }
}

/// Adds the condition keys for the organization of a principal in this account.
pub(crate) fn organization_context(
    organization: &Organization,
    account: &str,
    context: Context,
) -> Context {
    match organization.org_path(account) {
        Some(path) => context
            .with("aws:PrincipalOrgID", ORGANIZATION_ID)
            .with("aws:PrincipalOrgPaths", path),
        None => context,
    }
}

/// Evaluates a role's own policies, and records what they allow.
pub(crate) fn identity(services: &Services, role_arn: &str, request: &Request) -> Verdict {
    let verdict = evaluate(services, role_arn, request);
    if verdict.allowed {
        let authorized = &services.environment.authorized;
        authorized.add(role_arn, &request.action);
    }
    verdict
}

/// Evaluates a role's own policies for an action that isn't performed.
pub(crate) fn evaluate(services: &Services, role_arn: &str, request: &Request) -> Verdict {
    let Some(role) = services.iam.roles.get(role_arn) else {
        return Verdict::deny(format!("the role {role_arn} does not exist"));
    };
    let mut policies: Vec<Named<'_>> = role
        .inline
        .iter()
        .map(|(name, policy)| Named {
            name: format!("policy {name} of role {}", role.name),
            document: &policy.document,
        })
        .collect();
    for arn in role.attached() {
        if let Some(policy) = services.iam.policies.get(arn) {
            policies.push(Named {
                name: format!("managed policy {} of role {}", policy.name, role.name),
                document: &policy.document,
            });
        }
    }
    let nobody = format!("the role {} has no policies", role.name);
    let verdict = any(request, &policies, &nobody);
    match &role.boundary {
        Some(boundary) if verdict.allowed => within(services, role, boundary, request, verdict),
        _ => verdict,
    }
}

/// Evaluates a role's permissions boundary, which grants nothing but must allow the request, too.
fn within(
    services: &Services,
    role: &Role,
    boundary: &str,
    request: &Request,
    allowed: Verdict,
) -> Verdict {
    let name = format!("permissions boundary {boundary} of role {}", role.name);
    let Some(policy) = services.iam.policies.get(boundary) else {
        return Verdict::deny(format!("the {name} does not exist"));
    };
    let document = &policy.document;
    let boundary = any(request, &[Named { name, document }], "");
    if boundary.allowed { allowed } else { boundary }
}

/// Checks that an AWS service may assume a role; `Err` is the reason if not.
pub(crate) fn service_may_assume(
    services: &Services,
    role_arn: &str,
    service: &str,
    context: Context,
) -> Result<(), String> {
    let Some(role) = services.iam.roles.get(role_arn) else {
        return Err(format!("the role {role_arn} does not exist"));
    };
    let request = Request::new(
        Principal::Service(service.to_owned()),
        "sts:AssumeRole",
        role_arn,
        context,
    );
    match role.trust.decide(&request) {
        Decision::Allow { .. } => Ok(()),
        Decision::Deny { by } => Err(format!(
            "{by} of the trust policy of role {} denies {service}",
            role.name
        )),
        Decision::Silent { because } => Err(format!(
            "the trust policy of role {} does not let {service} assume it: {because}",
            role.name
        )),
    }
}

/// The policy principal of a caller.
pub(crate) fn principal(caller: &Caller) -> Principal {
    match &caller.role {
        Some(role) => Principal::Role(role.clone()),
        None => Principal::Account(caller.account.clone()),
    }
}

/// Checks that the caller's session policy, if it has one, allows a request. It limits the role's own
/// policies and the resource policies that name the role.
pub(crate) fn within_session(
    services: &Services,
    caller: &Caller,
    request: &Request,
) -> Result<(), ApiError> {
    let Some(policy) = services.sessions.policy(caller) else {
        return Ok(());
    };
    let (action, resource) = (&request.action, &request.resource);
    let mut denied = ApiError::denied(caller, action, resource);
    match policy.decide(request) {
        Decision::Allow { .. } => return Ok(()),
        Decision::Deny { .. } => denied
            .message
            .push_str(" with an explicit deny in a session policy"),
        Decision::Silent { .. } => {
            let why = format!(" because no session policy allows the {action} action");
            denied.message.push_str(&why);
        }
    }
    Err(denied)
}

/// Checks that a caller may assume a role; the error is that of STS.
pub fn may_assume(services: &Services, caller: &Caller, role_arn: &str) -> Result<(), ApiError> {
    let denied = || ApiError::denied(caller, "sts:AssumeRole", role_arn);
    let role = services.iam.roles.get(role_arn).ok_or_else(denied)?;
    let request = Request::new(
        principal(caller),
        "sts:AssumeRole",
        role_arn,
        organization_context(&services.organization, &caller.account, Context::new()),
    );
    within_session(services, caller, &request)?;
    let Decision::Allow { delegated, .. } = role.trust.decide(&request) else {
        return Err(denied());
    };
    match &caller.role {
        Some(own) if delegated || caller.account != role.account => {
            if identity(services, own, &request).allowed {
                Ok(())
            } else {
                Err(denied())
            }
        }
        _ => Ok(()),
    }
}

/// The account in a role's ARN; `None` if `arn` isn't one.
pub(crate) fn role_account(arn: &str) -> Option<&str> {
    Arn::parse(arn)
        .filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"))
        .map(|arn| arn.account)
}

#[cfg(test)]
mod tests;
