//! Requests and their actions; bucket policies.

use std::collections::BTreeMap;

use serde_json::json;

use super::action;
use crate::is_mutating;
use crate::resources::Resources;
use crate::resources::tests::{location, services};
use crate::wire::api::RawRequest;

fn request(method: &str, path: &str, query: &[(&str, &str)], body: &[u8]) -> RawRequest {
    RawRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        headers: BTreeMap::new(),
        body: body.to_vec(),
    }
}

#[test]
fn request_types_are_named_like_their_actions() {
    let name = |method: &str, path: &str, query: &[(&str, &str)]| {
        action(&request(method, path, query, b""))
    };
    assert_eq!(name("GET", "/", &[]), "ListBuckets");
    assert_eq!(name("HEAD", "/logs", &[]), "HeadBucket");
    assert_eq!(name("GET", "/logs", &[("policy", "")]), "GetBucketPolicy");
    assert_eq!(
        name("DELETE", "/logs/", &[("policy", "")]),
        "DeleteBucketPolicy"
    );
    assert_eq!(name("GET", "/logs", &[("list-type", "2")]), "ListObjectsV2");
    assert_eq!(name("PUT", "/logs/a/b", &[]), "PutObject");
}

#[test]
fn only_mutating_requests_are_journaled() {
    for reads in ["ListBuckets", "HeadObject", "GetBucketCors", "ListObjects"] {
        assert!(!is_mutating("s3", reads), "{reads}");
    }
    for changes in ["PutObject", "DeleteObjects", "PutBucketCors", "Unknown"] {
        assert!(is_mutating("s3", changes), "{changes}");
    }
}

#[test]
fn a_bucket_policy_names_only_its_own_bucket() {
    let mut services = services();
    Resources::create(
        &mut services,
        &location("S"),
        "AWS::S3::Bucket",
        &json!({"BucketName": "logs-1"}),
    )
    .unwrap();
    let policy = json!({"Bucket": "logs-1", "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::logs-2/*",
    }]}});
    let refused = Resources::create(
        &mut services,
        &location("P"),
        "AWS::S3::BucketPolicy",
        &policy,
    )
    .unwrap_err();
    assert!(refused.to_string().contains("invalid resource"));
}
