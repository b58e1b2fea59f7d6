//! The API actions of IAM.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the signature of all handlers"
)]

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{Iam, Role, create_role as create, malformed, no_such, path_of};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::arn::short;
use crate::policy::{self, Document, Kind};
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::marked_listing;
use crate::wire::time::iso;
use crate::{Services, json_text, would_allow};

actions! {
    /// All actions of IAM.
    pub(crate) ACTIONS of "iam" {
        Reads GetRole (|it: &GetRole, by| arn(by, &it.role_name)) iam(get_role);
        Reads ListRoles (anything) iam(list_roles);
        Reads GetAccountAuthorizationDetails (anything) iam(get_account_authorization_details);
        Reads SimulatePrincipalPolicy
            (|it: &SimulatePrincipalPolicy, _| it.policy_source_arn.clone())
            services(simulate_principal_policy);
        Reads ListRolePolicies (|it: &ListRolePolicies, by| arn(by, &it.role_name))
            iam(list_role_policies);
        Reads GetRolePolicy (|it: &GetRolePolicy, by| arn(by, &it.role_name)) iam(get_role_policy);
        Reads ListAttachedRolePolicies (|it: &ListAttachedRolePolicies, by| arn(by, &it.role_name))
            iam(list_attached_role_policies);
        Changes PutRolePolicy (|it: &PutRolePolicy, by| arn(by, &it.role_name))
            iam(put_role_policy);
        Changes DeleteRolePolicy (|it: &DeleteRolePolicy, by| arn(by, &it.role_name))
            iam(delete_role_policy);
        Changes CreateRole (|it: &CreateRole, by| arn(by, &it.role_name)) services(create_role);
        Changes UpdateAssumeRolePolicy (|it: &UpdateAssumeRolePolicy, by| arn(by, &it.role_name))
            iam(update_assume_role_policy);
        Changes AttachRolePolicy (|it: &AttachRolePolicy, by| arn(by, &it.role_name))
            iam(attach::<true>);
        Changes DetachRolePolicy (|it: &DetachRolePolicy, by| arn(by, &it.role_name))
            iam(attach::<false>);
        Changes PutRolePermissionsBoundary
            (|it: &PutRolePermissionsBoundary, by| arn(by, &it.role_name))
            iam(put_role_permissions_boundary);
        Changes DeleteRolePermissionsBoundary
            (|it: &DeleteRolePermissionsBoundary, by| arn(by, &it.role_name))
            iam(delete_role_permissions_boundary);
        Changes DeleteRole (|it: &DeleteRole, by| arn(by, &it.role_name)) iam(delete_role);
    }
}

requests! {
    struct GetRole, DeleteRole, DeleteRolePermissionsBoundary { role_name: String }
    struct PutRolePermissionsBoundary { role_name: String, permissions_boundary: String }
    struct ListRoles {
        path_prefix: Option<String>, marker: Option<String>, max_items: Option<usize>,
    }
    struct GetAccountAuthorizationDetails {
        #[serde(default)] filter: Vec<String>, marker: Option<String>, max_items: Option<usize>,
    }
    #[expect(dead_code, reason = "the response is always one page")]
    struct SimulatePrincipalPolicy {
        policy_source_arn: String, max_items: Option<usize>,
        #[serde(default)] action_names: Vec<String>, #[serde(default)] resource_arns: Vec<String>,
        #[serde(default)] context_entries: Vec<ContextEntry>,
    }
    struct ListRolePolicies, ListAttachedRolePolicies {
        role_name: String, marker: Option<String>, max_items: Option<usize>,
    }
    struct GetRolePolicy, DeleteRolePolicy { role_name: String, policy_name: String }
    struct PutRolePolicy { role_name: String, policy_name: String, policy_document: String }
    struct CreateRole {
        role_name: String, assume_role_policy_document: String, path: Option<String>,
        description: Option<String>,
    }
    struct UpdateAssumeRolePolicy { role_name: String, policy_document: String }
    struct AttachRolePolicy, DetachRolePolicy { role_name: String, policy_arn: String }
}

/// A condition key of the simulated requests.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextEntry {
    #[serde(rename = "ContextKeyName")]
    name: String,
    /// Values are compared as text, whatever their type.
    #[serde(rename = "ContextKeyType")]
    _kind: String,
    #[serde(rename = "ContextKeyValues", default)]
    values: Vec<String>,
}

/// A role's ARN, for authorization.
fn arn(caller: &Caller, role: &str) -> String {
    format!("arn:aws:iam::{}:role/{role}", caller.account)
}

fn get_role(request: GetRole, iam: &mut Iam, context: &mut Context<'_>) -> Answer {
    let role = iam.named(&context.caller.account, &request.role_name)?;
    Ok(json!({"Role": describe(role)}))
}

fn list_roles(request: ListRoles, iam: &mut Iam, context: &mut Context<'_>) -> Answer {
    let prefix = request.path_prefix.as_deref().unwrap_or("/");
    let roles = iam
        .roles
        .values()
        .filter(|role| role.account == context.caller.account)
        .filter(|role| path_of(&role.properties).is_ok_and(|path| path.starts_with(prefix)))
        .map(describe)
        .collect();
    listing("Roles", roles, request.marker.as_deref(), request.max_items)
}

/// The simulator has roles only; without a filter, AWS lists users, groups and policies, too.
fn get_account_authorization_details(
    request: GetAccountAuthorizationDetails,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let kinds = [
        "User",
        "Role",
        "Group",
        "LocalManagedPolicy",
        "AWSManagedPolicy",
    ];
    let unknown = request
        .filter
        .iter()
        .find(|it| !kinds.contains(&it.as_str()));
    if let Some(unknown) = unknown {
        return Err(ApiError::validation(format!(
            "{unknown} is not an entity type; it must be one of {}",
            kinds.join(", ")
        )));
    }
    let wanted = request.filter.is_empty() || request.filter.iter().any(|it| it == "Role");
    let roles = iam
        .roles
        .values()
        .filter(|role| wanted && role.account == context.caller.account)
        .map(detail)
        .collect();
    let marker = request.marker.as_deref();
    listing("RoleDetailList", roles, marker, request.max_items)
}

/// A role with its policies.
fn detail(role: &Role) -> Value {
    let inline: Vec<Value> = role
        .inline
        .iter()
        .map(|(name, policy)| {
            json!({
                "PolicyName": name,
                "PolicyDocument": percent_encode(&json_text(&policy.written)),
            })
        })
        .collect();
    let attached: Vec<Value> = role
        .attached()
        .into_iter()
        .map(|arn| json!({"PolicyName": short(arn), "PolicyArn": arn}))
        .collect();
    let mut answer = describe(role);
    if let Some(fields) = answer.as_object_mut() {
        fields.shift_remove("MaxSessionDuration");
        fields.shift_remove("Description");
        fields.insert("RolePolicyList".to_owned(), inline.into());
        fields.insert("AttachedManagedPolicies".to_owned(), attached.into());
        if let Some(boundary) = &role.boundary {
            let boundary = json!({
                "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
                "PermissionsBoundaryArn": boundary,
            });
            fields.insert("PermissionsBoundary".to_owned(), boundary);
        }
    }
    answer
}

/// Simulates the policies of a role. Any other principal is the account's administrator.
fn simulate_principal_policy(
    mut request: SimulatePrincipalPolicy,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let source = request.policy_source_arn;
    if source.ends_with(":root") {
        return Err(ApiError::new(
            "InvalidInput",
            "Invalid Entity Arn: the root user's permissions can't be simulated.",
        ));
    }
    let who = Caller {
        role: source.contains(":role/").then(|| source.clone()),
        arn: source,
        ..caller.clone()
    };
    if request.resource_arns.is_empty() {
        request.resource_arns.push("*".to_owned());
    }
    let mut context = policy::Context::new();
    for entry in &request.context_entries {
        for value in &entry.values {
            context = context.with(&entry.name, value.as_str());
        }
    }
    let mut results = Vec::new();
    for action in &request.action_names {
        for resource in &request.resource_arns {
            let allowed = who.role.as_ref().is_none_or(|role| {
                would_allow(services, &who, role, action, resource, context.clone())
            });
            results.push(json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": if allowed { "allowed" } else { "implicitDeny" },
            }));
        }
    }
    Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
}

fn list_role_policies(
    request: ListRolePolicies,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let role = iam.named(&context.caller.account, &request.role_name)?;
    let names = role.inline.keys().map(|name| json!(name)).collect();
    let marker = request.marker.as_deref();
    listing("PolicyNames", names, marker, request.max_items)
}

fn list_attached_role_policies(
    request: ListAttachedRolePolicies,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let role = iam.named(&context.caller.account, &request.role_name)?;
    let attached = role.attached().into_iter();
    let attached = attached
        .map(|arn| json!({"PolicyName": short(arn), "PolicyArn": arn}))
        .collect();
    let marker = request.marker.as_deref();
    listing("AttachedPolicies", attached, marker, request.max_items)
}

fn get_role_policy(request: GetRolePolicy, iam: &mut Iam, context: &mut Context<'_>) -> Answer {
    let role = iam.named(&context.caller.account, &request.role_name)?;
    let name = &request.policy_name;
    let policy = role
        .inline
        .get(name)
        .ok_or_else(|| no_such("role policy", name))?;
    Ok(json!({
        "RoleName": role.name, "PolicyName": name,
        "PolicyDocument": percent_encode(&json_text(&policy.written)),
    }))
}

fn delete_role_policy(
    request: DeleteRolePolicy,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let (account, role) = (&context.caller.account, &request.role_name);
    iam.named(account, role)?;
    if iam.delete_inline(account, role, &request.policy_name) {
        Ok(json!({}))
    } else {
        Err(no_such("role policy", &request.policy_name))
    }
}

fn put_role_policy(request: PutRolePolicy, iam: &mut Iam, context: &mut Context<'_>) -> Answer {
    iam.put_inline(
        &context.caller.account,
        &request.role_name,
        &request.policy_name,
        parse_json(&request.policy_document)?,
    )?;
    Ok(json!({}))
}

fn create_role(request: CreateRole, services: &mut Services, caller: &Caller) -> Answer {
    let name = request.role_name;
    let trust = parse_json(&request.assume_role_policy_document)?;
    let mut properties = Map::new();
    properties.insert("RoleName".to_owned(), json!(name));
    properties.insert("AssumeRolePolicyDocument".to_owned(), trust);
    for (key, value) in [("Path", request.path), ("Description", request.description)] {
        if let Some(value) = value {
            properties.insert(key.to_owned(), json!(value));
        }
    }
    let arn = create(services, &caller.account, &name, properties)?;
    let role = services.iam.roles.get(&arn).map(describe);
    Ok(json!({"Role": role}))
}

fn update_assume_role_policy(
    request: UpdateAssumeRolePolicy,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let written = parse_json(&request.policy_document)?;
    let trust = Document::parse(&written, Kind::Trust).map_err(|error| malformed(&error))?;
    let role = iam.named_mut(&context.caller.account, &request.role_name)?;
    role.trust = trust;
    role.properties
        .insert("AssumeRolePolicyDocument".to_owned(), written);
    Ok(json!({}))
}

/// `AttachRolePolicy` if `ON`, otherwise `DetachRolePolicy`.
fn attach<const ON: bool>(
    request: AttachRolePolicy,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    if !iam.policies.contains_key(&request.policy_arn) {
        return Err(no_such("policy", &request.policy_arn));
    }
    let role = iam.named_mut(&context.caller.account, &request.role_name)?;
    role.attach(&request.policy_arn, ON);
    Ok(json!({}))
}

fn put_role_permissions_boundary(
    request: PutRolePermissionsBoundary,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let boundary = request.permissions_boundary;
    if !iam.policies.contains_key(&boundary) {
        return Err(no_such("policy", &boundary));
    }
    let role = iam.named_mut(&context.caller.account, &request.role_name)?;
    role.boundary = Some(boundary);
    Ok(json!({}))
}

fn delete_role_permissions_boundary(
    request: DeleteRolePermissionsBoundary,
    iam: &mut Iam,
    context: &mut Context<'_>,
) -> Answer {
    let role = iam.named_mut(&context.caller.account, &request.role_name)?;
    match role.boundary.take() {
        Some(_) => Ok(json!({})),
        None => Err(no_such("permissions boundary of role", &role.name)),
    }
}

fn delete_role(request: DeleteRole, iam: &mut Iam, context: &mut Context<'_>) -> Answer {
    let role = iam.named(&context.caller.account, &request.role_name)?;
    if !role.inline.is_empty() || !role.attached().is_empty() {
        return Err(ApiError::new(
            "DeleteConflict",
            "Cannot delete entity, must delete policies first.",
        )
        .status(409));
    }
    let arn = role.arn.clone();
    iam.roles.remove(&arn);
    Ok(json!({}))
}

fn listing(name: &str, items: Vec<Value>, marker: Option<&str>, size: Option<usize>) -> Answer {
    marked_listing(name, items, ("IsTruncated", "Marker"), marker, size)
}

/// Parses a policy that a request sends as JSON text.
fn parse_json(text: &str) -> Answer {
    serde_json::from_str(text)
        .map_err(|error| ApiError::new("MalformedPolicyDocument", error.to_string()))
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

/// IAM returns policies percent-encoded (RFC 3986).
fn percent_encode(text: &str) -> String {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, UNRESERVED).to_string()
}
