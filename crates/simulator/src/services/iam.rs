//! AWS IAM: roles, their policies, and who may assume them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::arn::{Arn, short};
use super::json_text;
use crate::input::Input;
use crate::policy::{
    Context, Decision, Document, Kind, Named, PolicyError, Principal, Request, Verdict, any,
};
use crate::services::Services;
use crate::services::organizations::{MANAGEMENT, ORGANIZATION_ID, Organization};
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::page;
use crate::wire::time::iso;

/// All roles and customer managed policies, and the few AWS managed policies the simulator has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Iam {
    /// By role ARN.
    pub(crate) roles: BTreeMap<String, Role>,
    /// By policy ARN.
    pub(crate) policies: BTreeMap<String, ManagedPolicy>,
    /// The accounts whose first role was made, and whether it could have been changed since.
    begun: BTreeMap<String, bool>,
}

/// One role.
#[derive(Clone, Debug)]
pub(crate) struct Role {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) name: String,
    /// Template shape of `AWS::IAM::Role`; `Policies` and `ManagedPolicyArns` are live.
    pub(crate) properties: Map<String, Value>,
    pub(crate) trust: Document,
    /// Inline policies by name.
    pub(crate) inline: BTreeMap<String, Inline>,
    pub(crate) created: jiff::Timestamp,
}

/// One inline policy.
#[derive(Clone, Debug)]
pub(crate) struct Inline {
    pub(crate) written: Value,
    pub(crate) document: Document,
}

/// One managed policy.
#[derive(Clone, Debug)]
pub(crate) struct ManagedPolicy {
    pub(crate) arn: String,
    pub(crate) name: String,
    /// Template shape of `AWS::IAM::ManagedPolicy`.
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

    /// Attaches a managed policy, or detaches it.
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

/// Reads a policy that an API call sends as text.
fn parse_json(text: &str) -> Result<Value, ApiError> {
    serde_json::from_str(text)
        .map_err(|error| ApiError::new("MalformedPolicyDocument", error.to_string()))
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

/// The role through which the management account reaches a member account.
pub(crate) const ACCESS_ROLE: &str = "OrganizationAccountAccessRole";

/// Makes an account's [`ACCESS_ROLE`], which it has from its beginning, if it has not been made yet:
/// ten thousand of them take room, and few are ever used.
pub(crate) fn access_role(services: &mut Services, account: &str) {
    if services.organization.account(account).is_none() || services.iam.begun.contains_key(account)
    {
        return;
    }
    services.iam.begun.insert(account.to_owned(), false);
    let policy = |statement: Value| json!({"Version": "2012-10-17", "Statement": [statement]});
    let administrator = "arn:aws:iam::aws:policy/AdministratorAccess";
    let everything = policy(json!({"Effect": "Allow", "Action": "*", "Resource": "*"}));
    if let Ok(document) = Document::parse(&everything, Kind::Identity) {
        services
            .iam
            .policies
            .entry(administrator.to_owned())
            .or_insert_with(|| ManagedPolicy {
                arn: administrator.to_owned(),
                name: "AdministratorAccess".to_owned(),
                properties: Map::new(),
                document,
            });
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

/// Somebody may change an account's [`ACCESS_ROLE`].
pub(crate) fn keep_access_role(services: &mut Services, account: &str) {
    if let Some(kept) = services.iam.begun.get_mut(account) {
        *kept = true;
    }
}

/// Takes an account's [`ACCESS_ROLE`] out of memory if nobody could have changed it.
pub(crate) fn forget_access_role(services: &mut Services, account: &str) {
    let iam = &mut services.iam;
    if account != MANAGEMENT && iam.begun.get(account) == Some(&false) {
        iam.begun.remove(account);
        iam.roles
            .remove(&format!("arn:aws:iam::{account}:role/{ACCESS_ROLE}"));
    }
}

/// Creates a role from template-shaped properties and gives its ARN.
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
    // Role names are unique per account whatever their path.
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
    let mut inline = BTreeMap::new();
    for policy in properties
        .get("Policies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = policy
            .get("PolicyName")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let written = policy.get("PolicyDocument").cloned().unwrap_or_default();
        let document =
            Document::parse(&written, Kind::Identity).map_err(|error| malformed(&error))?;
        if inline
            .insert(name.to_owned(), Inline { written, document })
            .is_some()
        {
            return Err(ApiError::validation(format!(
                "Two policies are named {name}."
            )));
        }
    }
    for arn in properties
        .get("ManagedPolicyArns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        if !services.iam.policies.contains_key(arn) {
            return Err(ApiError::new(
                "NoSuchEntity",
                format!("Policy {arn} does not exist or is not attachable."),
            )
            .status(404));
        }
    }
    Ok((trust, inline))
}

impl Iam {
    /// The role of this name, whatever its path.
    pub(crate) fn role_by_name(&self, account: &str, name: &str) -> Option<&Role> {
        let prefix = format!("arn:aws:iam::{account}:role/");
        self.roles
            .range(prefix.clone()..)
            .take_while(|(arn, _)| arn.starts_with(&prefix))
            .map(|(_, role)| role)
            .find(|role| role.name == name)
    }

    /// The role of this name, to change it.
    pub(crate) fn role_by_name_mut(&mut self, account: &str, name: &str) -> Option<&mut Role> {
        let arn = self.role_by_name(account, name)?.arn.clone();
        self.roles.get_mut(&arn)
    }

    /// Puts an inline policy on a role.
    pub(crate) fn put_inline(
        &mut self,
        account: &str,
        role: &str,
        name: &str,
        written: Value,
    ) -> Result<(), ApiError> {
        let document =
            Document::parse(&written, Kind::Identity).map_err(|error| malformed(&error))?;
        let role = self
            .role_by_name_mut(account, role)
            .ok_or_else(|| no_such("role", role))?;
        role.inline
            .insert(name.to_owned(), Inline { written, document });
        role.write_back();
        Ok(())
    }

    /// Takes an inline policy off a role; whether it was there.
    pub(crate) fn delete_inline(&mut self, account: &str, role: &str, name: &str) -> bool {
        self.role_by_name_mut(account, role).is_some_and(|role| {
            let was = role.inline.remove(name).is_some();
            role.write_back();
            was
        })
    }
}

impl Role {
    /// Makes the `Policies` property show the live inline policies.
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

/// Adds the keys that say which organization a principal of this account belongs to.
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

/// What a role's own policies say.
pub(crate) fn identity(services: &Services, role_arn: &str, request: &Request) -> Verdict {
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
    any(
        request,
        &policies,
        &format!("the role {} has no policies", role.name),
    )
}

/// Whether an AWS service may take on a role. `Err` says why not.
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

/// The principal behind a caller.
pub(crate) fn principal(caller: &Caller) -> Principal {
    match &caller.role {
        Some(role) => Principal::Role(role.clone()),
        None => Principal::Account(caller.account.clone()),
    }
}

/// Whether a caller may assume a role; the error is the one STS answers.
pub(crate) fn may_assume(
    services: &Services,
    caller: &Caller,
    role_arn: &str,
) -> Result<(), ApiError> {
    let denied = || ApiError::denied(caller, "sts:AssumeRole", role_arn);
    let role = services.iam.roles.get(role_arn).ok_or_else(denied)?;
    let request = Request::new(
        principal(caller),
        "sts:AssumeRole",
        role_arn,
        organization_context(&services.organization, &caller.account, Context::new()),
    );
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

/// Answers one IAM action.
/// What the policies of a role allow it. Anybody else is the account's administrator.
fn simulate(services: &Services, caller: &Caller, input: Input<'_>) -> Result<Value, ApiError> {
    let source = input.required("PolicySourceArn")?;
    if source.ends_with(":root") {
        return Err(ApiError::new(
            "InvalidInput",
            "Invalid Entity Arn: the root user's permissions can't be simulated.",
        ));
    }
    let who = Caller {
        arn: source.to_owned(),
        role: source.contains(":role/").then(|| source.to_owned()),
        ..caller.clone()
    };
    let actions: Vec<&str> = input.texts("ActionNames")?;
    let mut resources: Vec<&str> = input.texts("ResourceArns")?;
    if resources.is_empty() {
        resources.push("*");
    }
    let mut results = Vec::new();
    for action in &actions {
        for resource in &resources {
            let allowed = super::authorize(services, &who, action, resource).is_ok();
            results.push(json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": if allowed { "allowed" } else { "implicitDeny" },
            }));
        }
    }
    Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
}

pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    let account = caller.account.as_str();
    let input = Input::new(
        input,
        &[
            "PolicySourceArn",
            "ActionNames",
            "ResourceArns",
            "RoleName",
            "PolicyName",
            "PolicyDocument",
            "PolicyArn",
            "PathPrefix",
            "Path",
            "AssumeRolePolicyDocument",
            "Description",
            "MaxItems",
            "Marker",
        ],
    )?;
    let named = |name| -> Result<&Role, ApiError> {
        services
            .iam
            .role_by_name(account, name)
            .ok_or_else(|| no_such("role", name))
    };
    match action {
        "GetRole" => Ok(json!({"Role": describe(named(input.required("RoleName")?)?)})),
        "ListRoles" => {
            let prefix = input.text("PathPrefix").unwrap_or("/");
            let roles = services
                .iam
                .roles
                .values()
                .filter(|role| {
                    role.account == account
                        && path_of(&role.properties).is_ok_and(|path| path.starts_with(prefix))
                })
                .map(describe)
                .collect();
            listing("Roles", roles, input)
        }
        "SimulatePrincipalPolicy" => simulate(services, caller, input),
        "ListRolePolicies" => {
            let role = named(input.required("RoleName")?)?;
            listing(
                "PolicyNames",
                role.inline.keys().map(|name| json!(name)).collect(),
                input,
            )
        }
        "GetRolePolicy" => {
            let role = named(input.required("RoleName")?)?;
            let name = input.required("PolicyName")?;
            let policy = role
                .inline
                .get(name)
                .ok_or_else(|| no_such("role policy", name))?;
            Ok(json!({
                "RoleName": role.name, "PolicyName": name,
                "PolicyDocument": percent_encode(&json_text(&policy.written)),
            }))
        }
        "ListAttachedRolePolicies" => {
            let role = named(input.required("RoleName")?)?;
            let attached = role
                .attached()
                .into_iter()
                .map(|arn| json!({"PolicyName": short(arn), "PolicyArn": arn}))
                .collect();
            listing("AttachedPolicies", attached, input)
        }
        "PutRolePolicy" => {
            let (role, name) = (input.required("RoleName")?, input.required("PolicyName")?);
            let written = parse_json(input.required("PolicyDocument")?)?;
            services.iam.put_inline(account, role, name, written)?;
            Ok(json!({}))
        }
        "DeleteRolePolicy" => {
            let (role, name) = (input.required("RoleName")?, input.required("PolicyName")?);
            named(role)?;
            if services.iam.delete_inline(account, role, name) {
                Ok(json!({}))
            } else {
                Err(no_such("role policy", name))
            }
        }
        "CreateRole" => {
            let name = input.required("RoleName")?;
            let trust = parse_json(input.required("AssumeRolePolicyDocument")?)?;
            let mut properties = Map::new();
            properties.insert("RoleName".to_owned(), json!(name));
            properties.insert("AssumeRolePolicyDocument".to_owned(), trust);
            for key in ["Path", "Description"] {
                if let Some(value) = input.text(key) {
                    properties.insert(key.to_owned(), json!(value));
                }
            }
            let arn = create_role(services, account, name, properties)?;
            let role = services.iam.roles.get(&arn).map(describe);
            Ok(json!({"Role": role}))
        }
        "UpdateAssumeRolePolicy" => {
            let written = parse_json(input.required("PolicyDocument")?)?;
            let trust =
                Document::parse(&written, Kind::Trust).map_err(|error| malformed(&error))?;
            let name = input.required("RoleName")?;
            let role = services
                .iam
                .role_by_name_mut(account, name)
                .ok_or_else(|| no_such("role", name))?;
            role.trust = trust;
            role.properties
                .insert("AssumeRolePolicyDocument".to_owned(), written);
            Ok(json!({}))
        }
        "AttachRolePolicy" | "DetachRolePolicy" => {
            let (name, arn) = (input.required("RoleName")?, input.required("PolicyArn")?);
            if !services.iam.policies.contains_key(arn) {
                return Err(no_such("policy", arn));
            }
            let role = services
                .iam
                .role_by_name_mut(account, name)
                .ok_or_else(|| no_such("role", name))?;
            role.attach(arn, action == "AttachRolePolicy");
            Ok(json!({}))
        }
        "DeleteRole" => {
            let role = named(input.required("RoleName")?)?;
            if !role.inline.is_empty() || !role.attached().is_empty() {
                return Err(ApiError::new(
                    "DeleteConflict",
                    "Cannot delete entity, must delete policies first.",
                )
                .status(409));
            }
            let arn = role.arn.clone();
            services.iam.roles.remove(&arn);
            Ok(json!({}))
        }
        _ => Err(ApiError::unknown_action("iam", action)),
    }
}

fn listing(name: &str, items: Vec<Value>, input: Input<'_>) -> Result<Value, ApiError> {
    let limit = input.page_size("MaxItems", 100)?;
    let (items, next) = page(items, input.text("Marker"), limit)?;
    let mut answer = json!({name: items, "IsTruncated": next.is_some()});
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert("Marker".to_owned(), Value::String(next));
    }
    Ok(answer)
}

fn describe(role: &Role) -> Value {
    let mut answer = json!({
        "Path": path_of(&role.properties).unwrap_or("/"),
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso(role.created),
        "AssumeRolePolicyDocument": percent_encode(&json_text(
            role.properties.get("AssumeRolePolicyDocument").unwrap_or(&Value::Null),
        )),
        "MaxSessionDuration": role.properties.get("MaxSessionDuration").cloned().unwrap_or_else(|| json!(3600)),
    });
    if let (Some(description), Some(answer)) =
        (role.properties.get("Description"), answer.as_object_mut())
    {
        answer.insert("Description".to_owned(), description.clone());
    }
    answer
}

/// IAM hands out policies percent-encoded (RFC 3986).
fn percent_encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The account of a role, if the text is the ARN of one.
pub(crate) fn role_account(arn: &str) -> Option<&str> {
    Arn::parse(arn)
        .filter(|arn| arn.service == "iam" && arn.resource.starts_with("role/"))
        .map(|arn| arn.account)
}
