//! Keys and their aliases.

use serde_json::json;

use crate::resources::tests::refusal;

#[test]
fn an_alias_requires_a_key_of_its_own_account() {
    let alias =
        json!({"AliasName": "alias/gizmos", "TargetKeyId": "00000000-0000-4000-a000-000000000000"});
    assert!(refusal("AWS::KMS::Alias", &alias).contains("does not exist"));
    let alias = json!({"AliasName": "gizmos", "TargetKeyId": "x"});
    assert!(refusal("AWS::KMS::Alias", &alias).contains("not a valid alias name"));
}

#[test]
fn a_key_policy_that_locks_out_its_account_is_refused() {
    let key = json!({"KeyPolicy": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
        "Action": "kms:Decrypt", "Resource": "*",
    }]}});
    assert!(refusal("AWS::KMS::Key", &key).contains("will not allow you to update the key policy"));
}
