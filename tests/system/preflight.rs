//! Whether a deployment can begin, as a caller with limited permissions and near the quotas.

use serde_json::json;
use simulator::{Config, Quotas};
use tests::{HOME, MANAGEMENT, Served};

use crate::project;

/// What a careful administrator lets a pipeline do: reading, and changing what is called gizmos.
const READ: &str = r#"{"Effect": "Allow", "Resource": "*", "Action": [
    "cloudformation:Describe*", "cloudformation:List*", "cloudformation:Get*",
    "cloudformation:CreateStackSet", "organizations:Describe*", "organizations:List*",
    "account:ListRegions", "iam:SimulatePrincipalPolicy", "sts:*", "cloudtrail:*"]}"#;
const STACKS: &str = r#"{"Effect": "Allow", "Resource": "arn:aws:cloudformation:*:111122223333:stack/gizmos-*/*",
    "Action": "cloudformation:*"}"#;
const STACK_SETS: &str = r#"{"Effect": "Allow", "Action": "cloudformation:*",
    "Resource": "arn:aws:cloudformation:eu-central-1:111122223333:stackset/gizmos-*:*"}"#;
const TEMPLATES: &str = r#"{"Effect": "Allow", "Action": "s3:*",
    "Resource": ["arn:aws:s3:::gizmos-artifacts-*", "arn:aws:s3:::gizmos-artifacts-*/*"]}"#;

fn query(organization: &Served, service: &str, form: &[(&str, &str)]) -> String {
    organization.query(MANAGEMENT, HOME, service, form)
}

/// Gives the pipeline's role these statements.
fn allow(organization: &Served, statements: &[&str]) {
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{}]}}"#,
        statements.join(", ")
    );
    let put = [
        ("Action", "PutRolePolicy"),
        ("RoleName", "Pipeline"),
        ("PolicyName", "deploy"),
        ("PolicyDocument", policy.as_str()),
    ];
    query(organization, "iam", &put);
}

/// The access key of a new role in the management account.
fn pipeline(organization: &Served) -> String {
    let trust = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "sts:AssumeRole"}]}"#;
    let create = [
        ("Action", "CreateRole"),
        ("RoleName", "Pipeline"),
        ("AssumeRolePolicyDocument", trust),
    ];
    query(organization, "iam", &create);
    let assume = [
        ("Action", "AssumeRole"),
        ("RoleArn", "arn:aws:iam::111122223333:role/Pipeline"),
        ("RoleSessionName", "run"),
    ];
    let answer = query(organization, "sts", &assume);
    let (_, rest) = answer.split_once("<AccessKeyId>").expect("a key");
    rest.split('<').next().unwrap_or_default().to_owned()
}

#[test]
fn a_policy_for_what_is_called_gizmos_is_enough() {
    let organization = Served::start();
    let key = pipeline(&organization);
    let target = organization.argument_as(&key);
    let project = project();
    let doctor = || project.run(&["doctor", "--org", &target]);
    allow(&organization, &[READ, STACKS, STACK_SETS]);
    doctor().says("ok       permissions: all 11 actions allowed");

    project.replace(
        "stacksets/organization.yaml",
        "# artifacts: {}",
        "artifacts: {}",
    );
    organization.post("calls/reset", &json!({}));
    doctor()
        .expect(6)
        .says("FAILED   permissions")
        .says("s3:PutObject")
        .says(
            r#""Resource":"arn:aws:s3:::gizmos-artifacts-111122223333-eu-central-1/templates/*""#,
        );
    allow(&organization, &[READ, STACKS, STACK_SETS, TEMPLATES]);
    doctor().says("ok       permissions: all 24 actions allowed");
    assert_eq!(
        organization.get("calls")["by_action"].get("s3:PutObject"),
        None
    );

    allow(&organization, &[READ, STACKS, TEMPLATES]);
    doctor()
        .expect(6)
        .says("cloudformation:UpdateStackSet")
        .says(
            r#""Resource":"arn:aws:cloudformation:eu-central-1:111122223333:stackset/gizmos-*:*""#,
        );
}

#[test]
fn a_quota_that_would_be_crossed_is_named_and_nothing_is_touched() {
    let organization = Served::start_with(Config {
        quotas: Quotas {
            stacks_per_region: 1,
            ..Quotas::default()
        },
        ..Config::default()
    });
    project()
        .run(&["doctor", "--org", &organization.argument()])
        .expect(6)
        .says("FAILED   stacks of an account and Region: 333344445555 eu-central-1 would have")
        .says("--quota-code L-0485CB21")
        .says("The simulator counted 0 mutating");
}
