use serde_json::json;

use super::*;

fn role() -> Principal {
    Principal::Role("arn:aws:iam::012345678901:role/gizmos/forwarder".to_owned())
}

fn resource_policy(statement: &serde_json::Value) -> Document {
    Document::parse(
        &json!({"Version": "2012-10-17", "Statement": [statement]}),
        Kind::Resource,
    )
    .unwrap()
}

const BUS: &str = "arn:aws:events:eu-central-1:333344445555:event-bus/gizmos";

fn put_events(organization: &str) -> Request {
    Request::new(
        role(),
        "events:PutEvents",
        BUS,
        Context::new().with("aws:PrincipalOrgID", organization),
    )
}

fn bus_policy() -> Document {
    resource_policy(&json!({
        "Sid": "OrganizationForwarders", "Effect": "Allow", "Principal": "*",
        "Action": "events:PutEvents", "Resource": BUS,
        "Condition": {
            "StringEquals": {"aws:PrincipalOrgID": "o-exampleorg1"},
            "ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:role/gizmos/*"},
        },
    }))
}

#[test]
fn an_allow_names_its_statement() {
    assert_eq!(
        bus_policy().decide(&put_events("o-exampleorg1")),
        Decision::Allow {
            by: "statement OrganizationForwarders".to_owned(),
            delegated: false
        }
    );
}

#[test]
fn a_refusal_names_the_unmet_condition() {
    let Decision::Silent { because } = bus_policy().decide(&put_events("o-anotherorg1")) else {
        panic!("the condition must fail");
    };
    assert_eq!(
        because,
        "statement OrganizationForwarders: aws:PrincipalOrgID is o-anotherorg1, the condition \
         StringEquals wants o-exampleorg1"
    );
}

#[test]
fn an_explicit_deny_overrides_an_allow() {
    let document = Document::parse(
        &json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "events:*", "Resource": "*"},
            {"Sid": "No", "Effect": "Deny", "Principal": {"AWS": "012345678901"},
             "Action": "events:Put*", "Resource": "*"},
        ]}),
        Kind::Resource,
    )
    .unwrap();
    assert_eq!(
        document.decide(&put_events("o-exampleorg1")),
        Decision::Deny {
            by: "statement No".to_owned()
        }
    );
}

#[test]
fn deny_of_insecure_transport_does_not_apply_to_tls() {
    let deny = |value: serde_json::Value| {
        resource_policy(&json!({
            "Effect": "Deny", "Principal": "*", "Action": "events:*", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": value}},
        }))
        .decide(&put_events("o-exampleorg1"))
    };
    assert!(matches!(deny(json!(false)), Decision::Silent { .. }));
    assert!(matches!(deny(json!("false")), Decision::Silent { .. }));
    assert!(matches!(deny(json!(true)), Decision::Deny { .. }));
}

#[test]
fn naming_an_account_only_delegates_to_its_own_policies() {
    let document = resource_policy(&json!({
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::012345678901:root"},
        "Action": "*", "Resource": "*",
    }));
    let request = put_events("o-exampleorg1");
    let named = Named {
        name: "bus policy".to_owned(),
        document: &document,
    };
    let identity = Verdict::deny("the role has no policy");
    assert!(!combine(&request, "012345678901", &identity, Some(&named)).allowed);
    assert!(!combine(&request, "333344445555", &identity, Some(&named)).allowed);
    let identity = Verdict::allow("ok");
    assert!(combine(&request, "333344445555", &identity, Some(&named)).allowed);
}

#[test]
fn absent_keys_meet_only_negated_and_if_exists_operators() {
    let with = |operator: &str| {
        let document = resource_policy(&json!({
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {operator: {"aws:SourceAccount": "333344445555"}},
        }));
        matches!(
            document.decide(&put_events("o-exampleorg1")),
            Decision::Allow { .. }
        )
    };
    assert!(!with("StringEquals"));
    assert!(with("StringEqualsIfExists"));
    assert!(with("StringNotEquals"));
    assert!(!with("StringLike"));
    assert!(with("ForAllValues:StringEquals"));
    assert!(!with("ForAnyValue:StringEquals"));
}

#[test]
fn null_operator_tests_whether_a_key_is_absent() {
    let with = |value: &str| {
        let document = resource_policy(&json!({
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
            "Condition": {"Null": {"aws:PrincipalOrgID": value}},
        }));
        matches!(
            document.decide(&put_events("o-exampleorg1")),
            Decision::Allow { .. }
        )
    };
    assert!(with("false"));
    assert!(!with("true"));
}

#[test]
fn policy_variables_are_filled_in() {
    let document = Document::parse(
        &json!({"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": "events:PutEvents",
            "Resource": "arn:aws:events:*:${aws:PrincipalAccount}:event-bus/gizmos",
        }}),
        Kind::Identity,
    )
    .unwrap();
    assert!(matches!(
        document.decide(&put_events("o-exampleorg1")),
        Decision::Silent { .. }
    ));
    let mut own = put_events("o-exampleorg1");
    own.resource = "arn:aws:events:eu-central-1:012345678901:event-bus/gizmos".to_owned();
    assert!(matches!(document.decide(&own), Decision::Allow { .. }));
}

#[test]
fn addresses_match_their_block() {
    let document = resource_policy(&json!({
        "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
        "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}},
    }));
    let from = |address: &str| {
        let mut request = put_events("o-exampleorg1");
        request.context = request.context.with("aws:SourceIp", address);
        matches!(document.decide(&request), Decision::Allow { .. })
    };
    assert!(from("192.0.2.77"));
    assert!(!from("198.51.100.1"));
}

#[test]
fn malformed_policies_are_refused() {
    let refused = |statement: serde_json::Value, kind| {
        Document::parse(
            &json!({"Version": "2012-10-17", "Statement": [statement]}),
            kind,
        )
        .unwrap_err()
        .0
    };
    let base = |extra: serde_json::Value| {
        let mut statement = json!({
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish", "Resource": "*",
        });
        for (key, value) in extra.as_object().unwrap() {
            statement[key] = value.clone();
        }
        statement
    };
    assert!(refused(base(json!({"Effects": "Allow"})), Kind::Resource).contains("Effects"));
    assert!(refused(base(json!({"Action": "Publish"})), Kind::Resource).contains("vendor"));
    assert!(
        refused(
            base(json!({"Condition": {"StringEqual": {"aws:SourceArn": "x"}}})),
            Kind::Resource
        )
        .contains("StringEqual")
    );
    assert!(
        refused(
            base(json!({"Principal": {"AWS": "arn:aws:iam::*:root"}})),
            Kind::Resource
        )
        .contains("Invalid principal")
    );
    assert!(
        refused(
            base(json!({"Principal": {"Service": "events"}})),
            Kind::Resource
        )
        .contains("Invalid principal")
    );
    assert!(refused(base(json!({})), Kind::Identity).contains("principal"));
    assert!(refused(base(json!({})), Kind::Trust).contains("Resource"));
    assert!(refused(base(json!({"Resource": "gizmos"})), Kind::Resource).contains("ARN format"));
    assert!(
        refused(
            base(json!({"Condition": {"Bool": {"aws:SecureTransport": "no"}}})),
            Kind::Resource
        )
        .contains("does not fit")
    );
}

#[test]
fn a_resource_policy_names_only_its_own_service() {
    let policy = |action: &str| {
        resource_policy(&json!({
            "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*",
        }))
        .within("sns")
    };
    assert!(policy("SNS:Publish").is_ok());
    assert!(policy("*").is_ok());
    assert!(
        policy("sqs:SendMessage")
            .unwrap_err()
            .0
            .contains("out of service scope")
    );
}
