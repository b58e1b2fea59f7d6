//! Deliberately broken chains: verification fails and names the link.

use crate::project;

/// Breaks a template of the copy and deploys it.
#[track_caller]
fn deploy_broken(template: &str, from: &str, to: &str, link: &[&str]) {
    let project = project();
    project.replace(&format!("stacksets/{template}"), from, to);
    let mut run = project.run(&["deploy", "--org", "--simulator"]);
    assert_ne!(run.code, 0, "{}", run.all());
    for text in link {
        run = run.says(text);
    }
}

#[test]
fn verification_names_a_typo_in_the_bus_policy() {
    deploy_broken(
        "topic.template.json.j2",
        "aws:PrincipalOrgID",
        "aws:PrincipleOrgID",
        &["broken link: ", "bus policy", "gizmos"],
    );
}

#[test]
fn verification_names_a_wrong_topic_arn() {
    deploy_broken(
        "rules-hub.template.json.j2",
        r#""Arn": {"Ref": {{ topic.parameter }}}"#,
        r#""Arn": "arn:aws:sns:eu-central-1:333344445555:gizmos-alert""#,
        &["broken link: ", "gizmos-alert"],
    );
}

#[test]
fn verification_names_a_forwarder_role_that_does_not_exist() {
    deploy_broken(
        "rules-spoke.template.json.j2",
        r#""RoleArn": {"Fn::GetAtt": ["ForwarderRole", "Arn"]}"#,
        r#""RoleArn": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/gizmos/missing"}"#,
        &["broken link: ", "role/gizmos/missing"],
    );
}

#[test]
fn verification_names_a_forwarder_role_that_the_bus_denies() {
    deploy_broken(
        "rules-spoke.template.json.j2",
        r#""Path": "/gizmos/""#,
        r#""Path": "/other/""#,
        &["broken link: ", "bus policy"],
    );
}

/// AWS authorizes the start of an automation on document and execution; the automation definition,
/// which is the target's ARN, isn't enough.
#[test]
fn verification_names_a_start_role_without_permission_for_the_document() {
    deploy_broken(
        "responses.json.j2",
        "::document/AWS-StartEC2Instance",
        "::document/AWS-StopEC2Instance",
        &[
            "broken link: role ",
            "ssm:StartAutomationExecution on arn:aws:ssm:eu-central-1::document/AWS-StartEC2Instance",
        ],
    );
}

/// The log bucket has a Bucket Key.
#[test]
fn deployment_names_a_log_key_that_cloudtrail_may_not_decrypt_with() {
    deploy_broken(
        "bucket.template.json.j2",
        r#"["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"]"#,
        r#"["kms:DescribeKey", "kms:GenerateDataKey*"]"#,
        &[
            "InsufficientEncryptionPolicyException",
            "does not allow cloudtrail.amazonaws.com kms:Decrypt",
        ],
    );
}
