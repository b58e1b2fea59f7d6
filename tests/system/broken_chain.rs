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
