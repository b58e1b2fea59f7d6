//! Every policy of every template against AWS's service authorization reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tests::policies::{PolicyKind, Reference, policies};
use tests::{EVERY_OPTION, compile_every_variant};

use crate::project;

#[test]
fn every_policy_of_every_template_agrees_with_the_service_authorization_reference() {
    let reference = Reference::load();
    let mut faults = Vec::new();
    let mut seen: BTreeMap<PolicyKind, usize> = BTreeMap::new();
    for set in compile_every_variant(&project()) {
        for policy in policies(&set.template, &set.parameters) {
            *seen.entry(policy.kind).or_default() += 1;
            for fault in reference.faults(&policy.document, policy.kind) {
                faults.push(format!("{}, {}: {fault}", set.name, policy.name));
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    for (kind, least) in [
        (PolicyKind::Identity, 15),
        (PolicyKind::Trust, 15),
        (PolicyKind::Resource, 25),
        (PolicyKind::Key, 6),
    ] {
        assert!(seen.get(&kind) >= Some(&least), "{kind:?}: {seen:?}");
    }
}

fn faults(kind: PolicyKind, statement: &Value) -> Vec<String> {
    let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
    Reference::load().faults(&policy, kind)
}

/// The role that could start nothing: its only resource was the one that AWS doesn't require.
#[test]
fn policy_reference_shows_that_starting_an_automation_needs_document_and_execution() {
    let definition = "arn:aws:ssm:eu-central-1::automation-definition/AWS-StartEC2Instance:*";
    let document = "arn:aws:ssm:eu-central-1::document/AWS-StartEC2Instance";
    let execution = "arn:aws:ssm:eu-central-1:333344445555:automation-execution/*";
    let on = |resources: Value| {
        faults(
            PolicyKind::Identity,
            &json!({"Effect": "Allow", "Action": "ssm:StartAutomationExecution", "Resource": resources}),
        )
    };
    assert_eq!(
        on(json!(definition)),
        [
            "`ssm:StartAutomationExecution` requires a resource of type ssm:automation-execution \
             (arn:${Partition}:ssm:${Region}:${Account}:automation-execution/${AutomationExecutionId})",
            "`ssm:StartAutomationExecution` requires a resource of type ssm:document \
             (arn:${Partition}:ssm:${Region}:${Account}:document/${DocumentName})",
        ]
    );
    assert_eq!(on(json!([document, execution])), [""; 0]);
    assert_eq!(on(json!([document, execution, definition])), [""; 0]);
}

#[test]
fn policy_reference_names_what_it_does_not_confirm() {
    let topic = "arn:aws:sns:eu-central-1:333344445555:gizmos-alerts";
    let bucket = "arn:aws:s3:::example-trail-logs";
    let allow = |action: &str, resource: &str| json!({"Effect": "Allow", "Action": action, "Resource": resource});
    let under = |statement: Value, key: &str| {
        let mut statement = statement;
        statement["Condition"] = json!({"StringEquals": {key: "x"}});
        statement
    };
    for (kind, statement, expected) in [
        (
            PolicyKind::Identity,
            allow("sns:PublishAlert", topic),
            "`sns:PublishAlert` is no action",
        ),
        (
            PolicyKind::Identity,
            allow(
                "sns:Publish",
                "arn:aws:sqs:eu-central-1:333344445555:gizmos-alerts",
            ),
            "fits no resource type of sns:Publish",
        ),
        (
            PolicyKind::Identity,
            allow("sns:Publish", "*"),
            "`sns:Publish` is allowed on `*`, but can be restricted to sns:topic",
        ),
        (
            PolicyKind::Identity,
            allow(
                "ec2:DescribeInstances",
                "arn:aws:ec2:eu-central-1:333344445555:instance/*",
            ),
            "`ec2:DescribeInstances` has no resource types",
        ),
        (
            PolicyKind::Identity,
            allow(
                "iam:PassRole",
                "arn:aws:iam:eu-central-1:333344445555:role/gizmos/*",
            ),
            "fits no resource type of iam:PassRole",
        ),
        (
            PolicyKind::Identity,
            under(allow("sns:Publish", topic), "aws:PrincipleOrgID"),
            "requests for `sns:Publish` have no key `aws:PrincipleOrgID`",
        ),
        (
            PolicyKind::Identity,
            under(allow("sns:Publish", topic), "aws:RequestTag/team"),
            "have no key `aws:RequestTag/team`",
        ),
        (
            PolicyKind::Resource,
            allow("s3:GetBucketAcl", &format!("{bucket}/AWSLogs/*")),
            "fits no resource type of s3:GetBucketAcl",
        ),
        (
            PolicyKind::Resource,
            allow("s3:PutObject", bucket),
            "fits no resource type of s3:PutObject",
        ),
        (
            PolicyKind::Key,
            allow("kms:Decrypt", "arn:aws:kms:eu-central-1:333344445555:key/x"),
            "the resource of a key policy is `*`",
        ),
        (
            PolicyKind::Trust,
            allow("sts:AssumeRole", "*"),
            "a trust policy has no `Resource`",
        ),
    ] {
        let found = faults(kind, &statement);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{statement}: {found:?}"
        );
    }
    for (kind, statement) in [
        (PolicyKind::Identity, allow("sns:Publish", topic)),
        (PolicyKind::Identity, allow("ec2:DescribeInstances", "*")),
        (
            PolicyKind::Identity,
            under(
                allow(
                    "ec2:StartInstances",
                    "arn:aws:ec2:eu-central-1:333344445555:instance/*",
                ),
                "aws:ResourceTag/auto-start",
            ),
        ),
        (
            PolicyKind::Identity,
            allow(
                "cloudformation:DetectStackSetDrift",
                "arn:aws:cloudformation:eu-central-1:111122223333:stackset/gizmos-*:*",
            ),
        ),
        (PolicyKind::Resource, allow("s3:GetBucketAcl", bucket)),
        (
            PolicyKind::Resource,
            allow("s3:PutObject", &format!("{bucket}/AWSLogs/111122223333/*")),
        ),
        (
            PolicyKind::Key,
            under(
                allow("kms:GenerateDataKey*", "*"),
                "kms:EncryptionContext:aws:s3:arn",
            ),
        ),
    ] {
        assert_eq!(faults(kind, &statement), [""; 0], "{statement}");
    }
}

/// Actions that callers may perform on `*` although AWS could restrict them: the organization's units
/// and accounts aren't known before they are listed, and a stack's description is asked for by name
/// or for all stacks.
const UNRESTRICTED: [&str; 4] = [
    "account:ListRegions",
    "cloudformation:DescribeStacks",
    "organizations:ListAccountsForParent",
    "organizations:ListOrganizationalUnitsForParent",
];

/// What `permissions` prints for callers and for the access role.
#[test]
fn every_policy_for_callers_agrees_with_the_service_authorization_reference() {
    let reference = Reference::load();
    let project = project();
    let file = "stacksets/organization.yaml";
    let text = std::fs::read_to_string(project.path(file)).expect("the organization file");
    project.write(file, &format!("{text}\n{EVERY_OPTION}"));
    let mut faults = Vec::new();
    for topology in ["hub", "local"] {
        for command in ["plan", "drift", "deploy", "verify"] {
            let printed = project
                .run(&[
                    "permissions",
                    command,
                    "--topology",
                    topology,
                    "--format",
                    "json",
                ])
                .expect(0)
                .json();
            let policies = printed["policies"].as_array().expect("policies");
            assert!(!policies.is_empty());
            for policy in policies {
                let found = reference.faults(&policy["document"], PolicyKind::Identity);
                let chosen = |fault: &String| {
                    let mut prefixes = UNRESTRICTED.iter();
                    prefixes.any(|it| fault.starts_with(&format!("`{it}` is allowed on `*`")))
                };
                for fault in found.iter().filter(|it| !chosen(it)) {
                    faults.push(format!("{command}, {}: {fault}", policy["name"]));
                }
            }
        }
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
