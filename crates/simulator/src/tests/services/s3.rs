//! The REST API of S3.

use std::collections::BTreeMap;

use super::*;
use crate::services::s3;
use crate::wire::api::{RawRequest, RawResponse};

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

fn send(fleet: &mut Fleet, account: &str, request: &RawRequest) -> (u16, String) {
    let RawResponse { status, body, .. } = s3::rest(
        &mut fleet.world.services,
        &administrator(account, HOME),
        request,
    );
    (status, String::from_utf8(body).unwrap())
}

fn archive() -> Fleet {
    let mut fleet = Fleet::empty();
    fleet.archive();
    fleet
}

#[test]
fn objects_are_stored_and_listed() {
    let mut fleet = archive();
    let put = request("PUT", "/gizmos-logs/a/b c.json", &[], b"{}");
    assert_eq!(send(&mut fleet, ARCHIVE, &put).0, 200);
    let get = request("GET", "/gizmos-logs/a/b c.json", &[], b"");
    assert_eq!(send(&mut fleet, ARCHIVE, &get), (200, "{}".to_owned()));
    let list = request(
        "GET",
        "/gizmos-logs",
        &[("list-type", "2"), ("prefix", "a/")],
        b"",
    );
    assert!(
        send(&mut fleet, ARCHIVE, &list)
            .1
            .contains("<Key>a/b c.json</Key>")
    );
    let missing = request("GET", "/gizmos-logs/none", &[], b"");
    let (status, body) = send(&mut fleet, ARCHIVE, &missing);
    assert_eq!(status, 404);
    assert!(body.contains("<Code>NoSuchKey</Code>"));
}

#[test]
fn uploads_in_signed_chunks_are_decoded() {
    let mut fleet = archive();
    let mut put = request(
        "PUT",
        "/gizmos-logs/x",
        &[],
        b"3;chunk-signature=0\r\nabc\r\n2\r\nde\r\n0\r\nx-amz-checksum:0\r\n\r\n",
    );
    put.headers
        .insert("content-encoding".to_owned(), "aws-chunked".to_owned());
    send(&mut fleet, ARCHIVE, &put);
    let get = request("GET", "/gizmos-logs/x", &[], b"");
    assert_eq!(send(&mut fleet, ARCHIVE, &get).1, "abcde");
}

#[test]
fn another_account_needs_the_bucket_policy() {
    let mut fleet = archive();
    let get = request("GET", "/gizmos-logs", &[("policy", "")], b"");
    assert_eq!(send(&mut fleet, ARCHIVE, &get).0, 200);
    assert_eq!(send(&mut fleet, MEMBER, &get).0, 403);
    let missing = request("GET", "/gizmos-none", &[("policy", "")], b"");
    assert_eq!(send(&mut fleet, ARCHIVE, &missing).0, 404);
}

#[test]
fn deleting_the_public_access_block_by_hand_shows_in_the_live_properties() {
    let mut fleet = archive();
    let get = request("GET", "/gizmos-logs", &[("publicAccessBlock", "")], b"");
    let (status, body) = send(&mut fleet, ARCHIVE, &get);
    assert_eq!(status, 200);
    assert!(
        body.contains("<BlockPublicAcls>true</BlockPublicAcls>"),
        "{body}"
    );
    let delete = request("DELETE", "/gizmos-logs", &[("publicAccessBlock", "")], b"");
    assert_eq!(send(&mut fleet, ARCHIVE, &delete).0, 204);
    assert_eq!(send(&mut fleet, ARCHIVE, &get).0, 404);
    let live = Resources::read(
        &fleet.world.services,
        &location(ARCHIVE, HOME, "Bucket"),
        "AWS::S3::Bucket",
        BUCKET,
    );
    assert!(
        live.unwrap()
            .unwrap()
            .get("PublicAccessBlockConfiguration")
            .is_none()
    );
}

#[test]
fn unsupported_bucket_actions_are_not_implemented_errors() {
    let mut fleet = archive();
    let get = request("GET", "/gizmos-logs", &[("cors", "")], b"");
    let (status, body) = send(&mut fleet, ARCHIVE, &get);
    assert_eq!(status, 501);
    assert!(body.contains("s3:GetBucketCors"));
}
