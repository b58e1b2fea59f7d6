//! AWS KMS: customer managed keys, their policies and aliases.

mod actions;
pub(crate) mod resources;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub(crate) use actions::ACTIONS;

use super::arn::Arn;
use super::iam;
use crate::Services;
use crate::policy::{Context, Decision, Document, Kind, Named, Principal, Request, Verdict};
use crate::wire::api::ApiError;

#[derive(Clone, Debug, Default)]
pub(crate) struct Kms {
    /// By ARN.
    pub(crate) keys: BTreeMap<String, Key>,
    /// Key id by account, Region and `alias/name`.
    pub(crate) aliases: BTreeMap<(String, String, String), String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// As in `AWS::KMS::Key`.
    pub(crate) properties: Map<String, Value>,
    pub(crate) policy: Document,
    pub(crate) created: jiff::Timestamp,
    /// A key that is scheduled for deletion can't be used.
    pub(crate) pending_deletion: bool,
}

impl Key {
    fn enabled(&self) -> bool {
        self.properties.get("Enabled") != Some(&Value::Bool(false))
    }
}

impl Kms {
    /// Finds a key by id, key ARN, alias name or alias ARN, relative to an account and Region.
    pub(crate) fn find(&self, reference: &str, account: &str, region: &str) -> Option<&Key> {
        if let Some(key) = self.keys.get(reference) {
            return Some(key);
        }
        let (account, region, name) = match Arn::parse(reference) {
            Some(arn) if arn.service == "kms" => (arn.account, arn.region, arn.resource),
            Some(_) => return None,
            None => (account, region, reference),
        };
        let id = if name.starts_with("alias/") {
            self.aliases
                .get(&(account.to_owned(), region.to_owned(), name.to_owned()))?
        } else {
            name.strip_prefix("key/").unwrap_or(name)
        };
        self.keys.get(&key_arn(account, region, id))
    }
}

pub(crate) fn key_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

/// Creates a key from template properties.
pub(crate) fn create_key(
    services: &mut Services,
    account: &str,
    region: &str,
    properties: Map<String, Value>,
) -> Result<String, ApiError> {
    let default = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "Enable IAM User Permissions", "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{account}:root")},
        "Action": "kms:*", "Resource": "*",
    }]});
    let policy = parse_policy(properties.get("KeyPolicy").unwrap_or(&default), account)?;
    let id = services.environment.uuid();
    let arn = key_arn(account, region, &id);
    let mut properties = properties;
    properties.entry("KeyPolicy").or_insert(default);
    let key = Key {
        arn: arn.clone(),
        id,
        account: account.to_owned(),
        region: region.to_owned(),
        properties,
        policy,
        created: services.environment.now,
        pending_deletion: false,
    };
    services.kms.keys.insert(arn.clone(), key);
    Ok(arn)
}

/// Parses a key policy. Like KMS, refuses one that locks out its own account.
pub(crate) fn parse_policy(value: &Value, account: &str) -> Result<Document, ApiError> {
    let document = Document::parse(value, Kind::Resource)
        .and_then(|document| document.within("kms"))
        .map_err(|error| ApiError::new("MalformedPolicyDocumentException", error.to_string()))?;
    let request = Request::new(
        Principal::Account(account.to_owned()),
        "kms:PutKeyPolicy",
        "*",
        Context::new(),
    );
    match document.decide(&request) {
        Decision::Allow { .. } => Ok(document),
        Decision::Deny { .. } | Decision::Silent { .. } => Err(ApiError::new(
            "MalformedPolicyDocumentException",
            "The new key policy will not allow you to update the key policy in the future.",
        )),
    }
}

/// Whether a principal may perform all `actions` with a key. `reference` is the key as the
/// encrypted resource names it, relative to that resource's account and Region.
pub(crate) fn may_use(
    services: &Services,
    reference: &str,
    location: (&str, &str),
    principal: &Principal,
    actions: &[&str],
    context: &Context,
) -> Verdict {
    if reference.contains("alias/aws/") {
        return Verdict::deny(format!(
            "{reference} is a key managed by AWS, whose policy {principal} cannot be added to; use a customer managed key"
        ));
    }
    let Some(key) = services.kms.find(reference, location.0, location.1) else {
        return Verdict::deny(format!("the key {reference} does not exist"));
    };
    if key.pending_deletion {
        return Verdict::deny(format!("the key {} is pending deletion", key.arn));
    }
    if !key.enabled() {
        return Verdict::deny(format!("the key {} is disabled", key.arn));
    }
    let named = Named {
        name: format!("key policy of {}", display_name(services, key)),
        document: &key.policy,
    };
    let mut allowed = Verdict::allow("no key permission is required");
    for action in actions {
        let request = Request::new(principal.clone(), action, &key.arn, context.clone());
        allowed = decide(services, &request, key, &named);
        if !allowed.allowed {
            return allowed;
        }
    }
    allowed
}

/// Whether a principal may send to a topic, queue or bus encrypted with `key`, as its properties
/// name it; `None` if it isn't encrypted.
pub(crate) fn may_encrypt(
    services: &Services,
    key: Option<&Value>,
    location: (&str, &str),
    principal: &Principal,
    context: &Context,
) -> Option<Verdict> {
    let key = key.and_then(Value::as_str)?;
    let actions = ["kms:GenerateDataKey", "kms:Decrypt"];
    Some(may_use(
        services, key, location, principal, &actions, context,
    ))
}

/// Evaluates a key's policy. Unlike other resources, a key is usable only by principals that its
/// own policy allows; a policy that names the account delegates to the account's IAM policies.
fn decide(services: &Services, request: &Request, key: &Key, named: &Named<'_>) -> Verdict {
    match key.policy.decide(request) {
        Decision::Deny { by } => Verdict::deny(format!(
            "{by} of the {} denies {} {}",
            named.name, request.principal, request.action
        )),
        Decision::Silent { because } => Verdict::deny(format!(
            "the {} does not allow {} {}: {because}",
            named.name, request.principal, request.action
        )),
        Decision::Allow { by, delegated } => {
            let foreign = request
                .principal
                .account()
                .is_some_and(|account| account != key.account);
            match &request.principal {
                Principal::Role(role) if delegated || foreign => {
                    iam::identity(services, role, request)
                }
                _ => Verdict::allow(format!("{by} of the {} allows it", named.name)),
            }
        }
    }
}

/// The key's alias, otherwise its id.
fn display_name(services: &Services, key: &Key) -> String {
    services
        .kms
        .aliases
        .iter()
        .find(|((account, region, _), id)| {
            *account == key.account && *region == key.region && **id == key.id
        })
        .map_or_else(|| key.id.clone(), |((_, _, name), _)| name.clone())
}

#[cfg(test)]
mod tests;
