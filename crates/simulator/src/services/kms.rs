//! AWS KMS: customer managed keys, their policies and aliases.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::arn::Arn;
use super::{iam, json_text};
use crate::input::Input;
use crate::policy::{Context, Decision, Document, Kind, Named, Principal, Request, Verdict};
use crate::services::Services;
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::page;
use crate::wire::time::epoch;

/// All keys and aliases.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kms {
    /// By key ARN.
    pub(crate) keys: BTreeMap<String, Key>,
    /// Key id by account, Region and `alias/name`.
    pub(crate) aliases: BTreeMap<(String, String, String), String>,
}

/// One key.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) arn: String,
    pub(crate) id: String,
    pub(crate) account: String,
    pub(crate) region: String,
    /// Template shape of `AWS::KMS::Key`.
    pub(crate) properties: Map<String, Value>,
    pub(crate) policy: Document,
    pub(crate) created: jiff::Timestamp,
    /// Set once the key waits for its deletion, during which nobody can use it.
    pub(crate) pending_deletion: bool,
}

impl Key {
    fn enabled(&self) -> bool {
        self.properties.get("Enabled") != Some(&Value::Bool(false))
    }
}

impl Kms {
    /// Finds a key by id, key ARN, alias name or alias ARN, as seen from an account and Region.
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

/// The ARN of a key.
pub(crate) fn key_arn(account: &str, region: &str, id: &str) -> String {
    format!("arn:aws:kms:{region}:{account}:key/{id}")
}

/// Creates a key from template-shaped properties.
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

/// Parses a key policy. One that locks its own account out is refused, as KMS does.
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

/// Whether a principal may use a key for every one of `actions`. `reference` is what the encrypted
/// resource names, as seen from its own account and Region.
pub(crate) fn may_use(
    services: &Services,
    reference: &str,
    place: (&str, &str),
    principal: &Principal,
    actions: &[&str],
    context: &Context,
) -> Verdict {
    if reference.contains("alias/aws/") {
        return Verdict::deny(format!(
            "{reference} is a key managed by AWS, whose policy {principal} cannot be added to; use a customer managed key"
        ));
    }
    let Some(key) = services.kms.find(reference, place.0, place.1) else {
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
    let mut allowed = Verdict::allow("no use of the key was asked for");
    for action in actions {
        let request = Request::new(principal.clone(), action, &key.arn, context.clone());
        allowed = decide(services, &request, key, &named);
        if !allowed.allowed {
            return allowed;
        }
    }
    allowed
}

/// Whether a principal may put something into a topic, a queue or a bus that is encrypted with
/// `key`, as its properties name it; `None` if it is not encrypted.
pub(crate) fn may_encrypt(
    services: &Services,
    key: Option<&Value>,
    place: (&str, &str),
    principal: &Principal,
    context: &Context,
) -> Option<Verdict> {
    let key = key.and_then(Value::as_str)?;
    let actions = ["kms:GenerateDataKey", "kms:Decrypt"];
    Some(may_use(services, key, place, principal, &actions, context))
}

/// Unlike other resources, a key can only be used by those its own policy allows; a policy that
/// names the account hands the question to the account's IAM policies.
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

/// The alias if the key has one, otherwise its id.
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

/// Answers one KMS action.
pub(crate) fn call(
    services: &mut Services,
    caller: &Caller,
    action: &str,
    input: &Value,
) -> Result<Value, ApiError> {
    match action {
        "DescribeKey" => {
            let input = Input::new(input, &["KeyId"])?;
            let key = key(services, caller, input)?;
            Ok(json!({"KeyMetadata": {
                "AWSAccountId": key.account,
                "Arn": key.arn,
                "KeyId": key.id,
                "CreationDate": epoch(key.created),
                "Description": key.properties.get("Description").cloned().unwrap_or_else(|| json!("")),
                "Enabled": key.enabled() && !key.pending_deletion,
                "KeyManager": "CUSTOMER",
                "KeyState": if key.pending_deletion { "PendingDeletion" } else if key.enabled() { "Enabled" } else { "Disabled" },
                "KeyUsage": "ENCRYPT_DECRYPT",
                "KeySpec": "SYMMETRIC_DEFAULT",
                "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
                "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
                "MultiRegion": false,
                "Origin": "AWS_KMS",
            }}))
        }
        "GetKeyPolicy" => {
            let input = Input::new(input, &["KeyId", "PolicyName"])?;
            let key = key(services, caller, input)?;
            let policy = key.properties.get("KeyPolicy").cloned().unwrap_or_default();
            Ok(json!({"Policy": json_text(&policy), "PolicyName": "default"}))
        }
        "GetKeyRotationStatus" => {
            let input = Input::new(input, &["KeyId"])?;
            let key = key(services, caller, input)?;
            let on = key.properties.get("EnableKeyRotation") == Some(&Value::Bool(true));
            Ok(json!({"KeyRotationEnabled": on, "KeyId": key.id}))
        }
        "ListKeys" => {
            let input = Input::new(input, &["Limit", "Marker"])?;
            let keys = services
                .kms
                .keys
                .values()
                .filter(|key| key.account == caller.account && key.region == caller.region)
                .map(|key| json!({"KeyId": key.id, "KeyArn": key.arn}))
                .collect();
            listing("Keys", keys, input)
        }
        "ListAliases" => {
            let input = Input::new(input, &["KeyId", "Limit", "Marker"])?;
            let wanted = match input.text("KeyId") {
                Some(_) => Some(key(services, caller, input)?.id.clone()),
                None => None,
            };
            let aliases = services
                .kms
                .aliases
                .iter()
                .filter(|((account, region, _), id)| {
                    *account == caller.account
                        && *region == caller.region
                        && wanted.as_ref().is_none_or(|wanted| wanted == *id)
                })
                .map(|((account, region, name), id)| {
                    json!({
                        "AliasName": name,
                        "AliasArn": format!("arn:aws:kms:{region}:{account}:{name}"),
                        "TargetKeyId": id,
                    })
                })
                .collect();
            listing("Aliases", aliases, input)
        }
        "PutKeyPolicy" => {
            let input = Input::new(input, &["KeyId", "PolicyName", "Policy"])?;
            let text = input.required("Policy")?;
            let policy = parse_policy(&Value::String(text.to_owned()), &caller.account)?;
            let key = key_mut(services, caller, input)?;
            key.properties.insert(
                "KeyPolicy".to_owned(),
                serde_json::from_str(text).unwrap_or_default(),
            );
            key.policy = policy;
            Ok(json!({}))
        }
        "EnableKey" | "DisableKey" => {
            let input = Input::new(input, &["KeyId"])?;
            let key = key_mut(services, caller, input)?;
            key.properties
                .insert("Enabled".to_owned(), Value::Bool(action == "EnableKey"));
            Ok(json!({}))
        }
        "EnableKeyRotation" | "DisableKeyRotation" => {
            let input = Input::new(input, &["KeyId"])?;
            let key = key_mut(services, caller, input)?;
            key.properties.insert(
                "EnableKeyRotation".to_owned(),
                Value::Bool(action == "EnableKeyRotation"),
            );
            Ok(json!({}))
        }
        "ScheduleKeyDeletion" => {
            let input = Input::new(input, &["KeyId", "PendingWindowInDays"])?;
            let key = key_mut(services, caller, input)?;
            key.pending_deletion = true;
            Ok(json!({"KeyId": key.arn, "KeyState": "PendingDeletion"}))
        }
        "ListResourceTags" => {
            let input = Input::new(input, &["KeyId", "Limit", "Marker"])?;
            let key = key(services, caller, input)?;
            let tags: Vec<Value> = super::tags(&key.properties)
                .as_array()
                .into_iter()
                .flatten()
                .map(|tag| json!({"TagKey": tag.get("Key"), "TagValue": tag.get("Value")}))
                .collect();
            Ok(json!({"Tags": tags, "Truncated": false}))
        }
        _ => Err(ApiError::unknown_action("kms", action)),
    }
}

fn listing(name: &str, items: Vec<Value>, input: Input<'_>) -> Result<Value, ApiError> {
    let limit = input.page_size("Limit", 100)?;
    let (items, next) = page(items, input.text("Marker"), limit)?;
    let mut answer = json!({name: items, "Truncated": next.is_some()});
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert("NextMarker".to_owned(), Value::String(next));
    }
    Ok(answer)
}

fn not_found(reference: &str) -> ApiError {
    ApiError::new(
        "NotFoundException",
        format!("Key '{reference}' does not exist"),
    )
}

fn key<'w>(services: &'w Services, caller: &Caller, input: Input<'_>) -> Result<&'w Key, ApiError> {
    let reference = input.required("KeyId")?;
    let key = services
        .kms
        .find(reference, &caller.account, &caller.region)
        .filter(|key| key.region == caller.region)
        .ok_or_else(|| not_found(reference))?;
    if key.account != caller.account {
        let principal = iam::principal(caller);
        let request = Request::new(
            principal,
            "kms:DescribeKey",
            &key.arn,
            iam::organization_context(&services.organization, &caller.account, Context::new()),
        );
        let named = Named {
            name: "key policy".to_owned(),
            document: &key.policy,
        };
        let verdict = decide(services, &request, key, &named);
        if !verdict.allowed {
            return Err(ApiError::denied(caller, "kms:DescribeKey", &key.arn));
        }
    }
    Ok(key)
}

fn key_mut<'w>(
    services: &'w mut Services,
    caller: &Caller,
    input: Input<'_>,
) -> Result<&'w mut Key, ApiError> {
    let reference = input.required("KeyId")?;
    let arn = services
        .kms
        .find(reference, &caller.account, &caller.region)
        .filter(|key| key.account == caller.account && key.region == caller.region)
        .map(|key| key.arn.clone())
        .ok_or_else(|| not_found(reference))?;
    services
        .kms
        .keys
        .get_mut(&arn)
        .ok_or_else(|| not_found(reference))
}
