//! The unmodified AWS CLI reads and changes what the SDK deployed.

use serde_json::{Value, json};
use tests::{HOME, HUB, MANAGEMENT, Served};

use crate::{aws, aws_run, project};

#[test]
#[ignore = "needs the AWS CLI; `cargo xtask ci --second-opinions` runs it"]
fn the_aws_cli_reads_the_deployment_and_its_changes_are_drift() {
    let organization = Served::start();
    let project = project();
    let target = organization.argument();
    project.deploy(&organization).expect(0);
    let management = organization.environment(MANAGEMENT, HOME);
    let hub = organization.environment(HUB, HOME);

    let identity = aws(&management, &["sts", "get-caller-identity"]);
    assert_eq!(identity["Account"], MANAGEMENT);
    let accounts = aws(&management, &["organizations", "list-accounts"]);
    assert_eq!(accounts["Accounts"].as_array().map(Vec::len), Some(12));

    let sets = aws(
        &management,
        &["cloudformation", "list-stack-sets", "--status", "ACTIVE"],
    );
    let names: Vec<&str> = sets["Summaries"]
        .as_array()
        .expect("stack sets")
        .iter()
        .filter_map(|it| it["StackSetName"].as_str())
        .collect();
    for name in [
        "gizmos-bucket",
        "gizmos-topic",
        "gizmos-rules-hub",
        "gizmos-rules-spoke",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let spoke = [
        "cloudformation",
        "list-stack-instances",
        "--stack-set-name",
        "gizmos-rules-spoke",
    ];
    let instances = aws(&management, &spoke);
    assert_eq!(instances["Summaries"].as_array().map(Vec::len), Some(33));
    let described = aws(
        &management,
        &[
            "cloudformation",
            "describe-stack-set",
            "--stack-set-name",
            "gizmos-rules-hub",
        ],
    );
    assert_eq!(described["StackSet"]["Status"], "ACTIVE");
    let stacks = aws(&hub, &["cloudformation", "describe-stacks"]);
    assert!(
        stacks["Stacks"]
            .as_array()
            .expect("stacks")
            .iter()
            .all(|it| it["StackStatus"] == "CREATE_COMPLETE"),
        "{stacks:#}"
    );

    // An event of a custom source is accepted and matches no rule; one of an AWS source is
    // rejected.
    let entry = |source: &str| {
        json!([{ "Source": source, "DetailType": "example", "Detail": "{}" }]).to_string()
    };
    let put = aws(
        &hub,
        &["events", "put-events", "--entries", &entry("com.example")],
    );
    assert_eq!(put["FailedEntryCount"], 0);
    let forged = aws(
        &hub,
        &["events", "put-events", "--entries", &entry("aws.signin")],
    );
    assert_eq!(forged["FailedEntryCount"], 1, "{forged:#}");

    // A rule changed by hand is reported as drift, with the rule's id.
    let name = hub_rule(&hub, "CreateAccessKey");
    aws_run(
        &hub,
        &[
            "events",
            "disable-rule",
            "--event-bus-name",
            "gizmos",
            "--name",
            &name,
        ],
    )
    .expect(0);
    project
        .run(&["drift", "--org", &target])
        .expect(5)
        .says("iam-access-key-created");

    // The simulator answers unknown actions with an error instead of silence.
    let unknown = aws_run(&hub, &["events", "list-archives"]);
    assert_ne!(unknown.code, 0, "{}", unknown.all());
}

/// The name of the hub's rule whose pattern contains `text`.
fn hub_rule(hub: &[(&str, &str)], text: &str) -> String {
    let list = ["events", "list-rules", "--event-bus-name", "gizmos"];
    let rules = aws(hub, &list);
    let has_text = |rule: &&Value| {
        rule["EventPattern"]
            .as_str()
            .is_some_and(|pattern| pattern.contains(text))
    };
    let rule = rules["Rules"]
        .as_array()
        .expect("rules")
        .iter()
        .find(has_text);
    let name = rule.expect("the rule")["Name"].as_str();
    name.expect("a name").to_owned()
}

#[test]
#[ignore = "needs the AWS CLI; `cargo xtask ci --second-opinions` runs it"]
fn the_aws_cli_finds_the_template_in_its_bucket_and_can_empty_it() {
    const BUCKET: &str = "gizmos-artifacts-111122223333-eu-central-1";
    let organization = Served::start();
    let project = project();
    project.replace(
        "stacksets/organization.yaml",
        "# artifacts: {}",
        "artifacts: {}",
    );
    project.add_large_rules();
    project.deploy(&organization).expect(0);
    let management = organization.environment(MANAGEMENT, HOME);
    let s3 = |arguments: &[&str]| {
        let all = [&["s3api"], arguments, &["--bucket", BUCKET]].concat();
        aws(&management, &all)
    };
    let versions = s3(&["list-object-versions", "--prefix", "templates/"]);
    let versions = versions["Versions"].as_array().expect("versions");
    assert_eq!(versions.len(), 1, "{versions:#?}");
    let text = |name: &str| versions[0][name].as_str().expect("a text").to_owned();
    let (key, version) = (text("Key"), text("VersionId"));
    // Deployers can read the bucket and its objects, and use the template by hand.
    let url = format!("https://{BUCKET}.s3.{HOME}.amazonaws.com/{key}?versionId={version}");
    let validate = [
        "cloudformation",
        "validate-template",
        "--template-url",
        &url,
    ];
    aws(&management, &validate);
    let hub = organization.environment(HUB, HOME);
    let refused = aws_run(&hub, &validate);
    assert!(
        refused.stderr.contains("S3 error: Access Denied"),
        "{}",
        refused.stderr
    );

    s3(&["delete-object", "--key", &key]);
    let hidden = s3(&["list-object-versions"]);
    assert_eq!(hidden["DeleteMarkers"].as_array().map(Vec::len), Some(1));
    let marker = hidden["DeleteMarkers"][0]["VersionId"].as_str();
    let all = json!({ "Objects": [
        { "Key": key, "VersionId": version },
        { "Key": key, "VersionId": marker },
    ]});
    s3(&["delete-objects", "--delete", &all.to_string()]);
    let left = s3(&["list-object-versions"]);
    assert!(
        left["Versions"].is_null() && left["DeleteMarkers"].is_null(),
        "{left}"
    );
}
