//! The API actions of KMS.

#![expect(
    clippy::needless_pass_by_value,
    reason = "the signature of all handlers"
)]

use serde_json::{Value, json};

use super::{Key, Kms, decide, parse_policy};
use crate::action::{Answer, Context, actions, anything, requests};
use crate::policy::{self, Named, Request};
use crate::wire::api::{ApiError, Caller};
use crate::wire::paging::marked_listing;
use crate::wire::time::epoch;
use crate::{Services, iam, json_text, tags};

actions! {
    /// All actions of KMS.
    pub(crate) ACTIONS of "kms" {
        Reads DescribeKey (|it: &DescribeKey, _| it.key_id.clone()) services(describe_key);
        Reads GetKeyPolicy (|it: &GetKeyPolicy, _| it.key_id.clone()) services(get_key_policy);
        Reads GetKeyRotationStatus (anything) services(get_key_rotation_status);
        Reads ListKeys (anything) kms(list_keys);
        Reads ListAliases (anything) services(list_aliases);
        Reads ListResourceTags (anything) services(list_resource_tags);
        Changes PutKeyPolicy (anything) kms(put_key_policy);
        Changes EnableKey (anything) kms(set_enabled::<true>);
        Changes DisableKey (anything) kms(set_enabled::<false>);
        Changes EnableKeyRotation (anything) kms(set_rotation::<true>);
        Changes DisableKeyRotation (anything) kms(set_rotation::<false>);
        Changes ScheduleKeyDeletion (anything) kms(schedule_key_deletion);
        Changes CancelKeyDeletion (anything) kms(cancel_key_deletion);
    }
}

requests! {
    struct DescribeKey, GetKeyRotationStatus, EnableKey, DisableKey, EnableKeyRotation,
        DisableKeyRotation, CancelKeyDeletion { key_id: String }
    #[expect(dead_code, reason = "a key has exactly one policy, `default`")]
    struct GetKeyPolicy { key_id: String, policy_name: Option<String> }
    struct ListKeys { limit: Option<usize>, marker: Option<String> }
    struct ListAliases { key_id: Option<String>, limit: Option<usize>, marker: Option<String> }
    #[expect(dead_code, reason = "a key's tags fit on one page")]
    struct ListResourceTags { key_id: String, limit: Option<usize>, marker: Option<String> }
    #[expect(dead_code, reason = "a key has exactly one policy, `default`")]
    struct PutKeyPolicy { key_id: String, policy: String, policy_name: Option<String> }
    #[expect(dead_code, reason = "a key waits until the simulation ends")]
    struct ScheduleKeyDeletion { key_id: String, pending_window_in_days: Option<u32> }
}

fn describe_key(request: DescribeKey, services: &mut Services, caller: &Caller) -> Answer {
    let key = visible(services, caller, &request.key_id)?;
    let state = match (key.pending_deletion, key.enabled()) {
        (true, _) => "PendingDeletion",
        (false, true) => "Enabled",
        (false, false) => "Disabled",
    };
    Ok(json!({"KeyMetadata": {
        "AWSAccountId": key.account,
        "Arn": key.arn,
        "KeyId": key.id,
        "CreationDate": epoch(key.created),
        "Description": key.properties.get("Description").cloned().unwrap_or_else(|| json!("")),
        "Enabled": state == "Enabled",
        "KeyManager": "CUSTOMER",
        "KeyState": state,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
        "Origin": "AWS_KMS",
    }}))
}

fn get_key_policy(request: GetKeyPolicy, services: &mut Services, caller: &Caller) -> Answer {
    let key = visible(services, caller, &request.key_id)?;
    let policy = key.properties.get("KeyPolicy").cloned().unwrap_or_default();
    Ok(json!({"Policy": json_text(&policy), "PolicyName": "default"}))
}

fn get_key_rotation_status(
    request: GetKeyRotationStatus,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let key = visible(services, caller, &request.key_id)?;
    let on = key.properties.get("EnableKeyRotation") == Some(&Value::Bool(true));
    Ok(json!({"KeyRotationEnabled": on, "KeyId": key.id}))
}

fn list_keys(request: ListKeys, kms: &mut Kms, context: &mut Context<'_>) -> Answer {
    let caller = context.caller;
    let keys = kms
        .keys
        .values()
        .filter(|key| key.account == caller.account && key.region == caller.region)
        .map(|key| json!({"KeyId": key.id, "KeyArn": key.arn}))
        .collect();
    listing("Keys", keys, request.marker.as_deref(), request.limit)
}

fn list_aliases(request: ListAliases, services: &mut Services, caller: &Caller) -> Answer {
    let wanted = match &request.key_id {
        Some(key) => Some(&visible(services, caller, key)?.id),
        None => None,
    };
    let aliases = services
        .kms
        .aliases
        .iter()
        .filter(|((account, region, _), id)| {
            *account == caller.account
                && *region == caller.region
                && wanted.is_none_or(|wanted| wanted == *id)
        })
        .map(|((account, region, name), id)| {
            json!({
                "AliasName": name,
                "AliasArn": format!("arn:aws:kms:{region}:{account}:{name}"),
                "TargetKeyId": id,
            })
        })
        .collect();
    listing("Aliases", aliases, request.marker.as_deref(), request.limit)
}

fn list_resource_tags(
    request: ListResourceTags,
    services: &mut Services,
    caller: &Caller,
) -> Answer {
    let key = visible(services, caller, &request.key_id)?;
    let tags: Vec<Value> = tags(&key.properties)
        .as_array()
        .into_iter()
        .flatten()
        .map(|tag| json!({"TagKey": tag.get("Key"), "TagValue": tag.get("Value")}))
        .collect();
    Ok(json!({"Tags": tags, "Truncated": false}))
}

fn put_key_policy(request: PutKeyPolicy, kms: &mut Kms, context: &mut Context<'_>) -> Answer {
    let written = serde_json::from_str(&request.policy).unwrap_or_default();
    let policy = parse_policy(&Value::String(request.policy), &context.caller.account)?;
    let key = own(kms, context.caller, &request.key_id)?;
    key.properties.insert("KeyPolicy".to_owned(), written);
    key.policy = policy;
    Ok(json!({}))
}

fn set_enabled<const ON: bool>(
    request: EnableKey,
    kms: &mut Kms,
    context: &mut Context<'_>,
) -> Answer {
    let key = own(kms, context.caller, &request.key_id)?;
    key.properties.insert("Enabled".to_owned(), json!(ON));
    Ok(json!({}))
}

fn set_rotation<const ON: bool>(
    request: EnableKeyRotation,
    kms: &mut Kms,
    context: &mut Context<'_>,
) -> Answer {
    let key = own(kms, context.caller, &request.key_id)?;
    key.properties
        .insert("EnableKeyRotation".to_owned(), json!(ON));
    Ok(json!({}))
}

fn schedule_key_deletion(
    request: ScheduleKeyDeletion,
    kms: &mut Kms,
    context: &mut Context<'_>,
) -> Answer {
    let key = own(kms, context.caller, &request.key_id)?;
    key.pending_deletion = true;
    Ok(json!({"KeyId": key.arn, "KeyState": "PendingDeletion"}))
}

/// The key can be used again once it is enabled, too.
fn cancel_key_deletion(
    request: CancelKeyDeletion,
    kms: &mut Kms,
    context: &mut Context<'_>,
) -> Answer {
    let key = own(kms, context.caller, &request.key_id)?;
    key.pending_deletion = false;
    key.properties.insert("Enabled".to_owned(), json!(false));
    Ok(json!({"KeyId": key.arn}))
}

fn listing(name: &str, items: Vec<Value>, marker: Option<&str>, size: Option<usize>) -> Answer {
    marked_listing(name, items, ("Truncated", "NextMarker"), marker, size)
}

fn not_found(reference: &str) -> ApiError {
    ApiError::new(
        "NotFoundException",
        format!("Key '{reference}' does not exist"),
    )
}

/// A key in the caller's Region: of its own account, or of another whose key policy allows the
/// action.
fn visible<'a>(
    services: &'a Services,
    caller: &Caller,
    reference: &str,
) -> Result<&'a Key, ApiError> {
    let key = services
        .kms
        .find(reference, &caller.account, &caller.region)
        .filter(|key| key.region == caller.region)
        .ok_or_else(|| not_found(reference))?;
    if key.account == caller.account {
        return Ok(key);
    }
    let action = "kms:DescribeKey";
    let context = policy::Context::new();
    let context = iam::organization_context(&services.organization, &caller.account, context);
    let request = Request::new(iam::principal(caller), action, &key.arn, context);
    let named = Named {
        name: "key policy".to_owned(),
        document: &key.policy,
    };
    if decide(services, &request, key, &named).allowed {
        Ok(key)
    } else {
        Err(ApiError::denied(caller, action, &key.arn))
    }
}

/// A key of the caller's own account and Region, for changes.
fn own<'a>(kms: &'a mut Kms, caller: &Caller, reference: &str) -> Result<&'a mut Key, ApiError> {
    let arn = kms
        .find(reference, &caller.account, &caller.region)
        .filter(|key| key.account == caller.account && key.region == caller.region)
        .map(|key| key.arn.clone());
    arn.and_then(|arn| kms.keys.get_mut(&arn))
        .ok_or_else(|| not_found(reference))
}
