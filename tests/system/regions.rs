//! Regions: where sign-ins appear, and what happens to events where nothing forwards them.

use serde_json::{Value, json};
use simulator::Config;
use tests::{Project, Run, Served};

use crate::{committed_project, project};

const RULE: &str = "console-sign-in-without-mfa";

fn sign_in(region: &str) -> Value {
    json!({
        "eventVersion": "1.08", "eventID": "11111111-2222-4333-8444-555555555555",
        "eventType": "AwsConsoleSignIn", "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin", "eventTime": "2026-11-23T10:00:00Z", "awsRegion": region,
        "recipientAccountId": "012345678901", "readOnly": false, "managementEvent": true,
        "eventCategory": "Management", "sourceIPAddress": "203.0.113.77", "userAgent": "Mozilla/5.0",
        "userIdentity": {
            "type": "IAMUser", "accountId": "012345678901", "userName": "alice",
            "arn": "arn:aws:iam::012345678901:user/alice",
        },
        "responseElements": {"ConsoleLogin": "Success"},
        "additionalEventData": {"MobileVersion": "No", "MFAUsed": "No"},
    })
}

fn send(project: &Project, served: &Served, record: &Value) -> Run {
    project.write("event.json", &record.to_string());
    let endpoint = served.endpoint();
    let arguments = ["simulator", "send", "--endpoint", endpoint, "event.json"];
    project.run(&arguments).expect(0)
}

fn alerts(served: &Served) -> Vec<Value> {
    let inbox = served.get("inbox");
    let bodies = inbox.as_array().expect("a list").iter();
    bodies
        .filter_map(|it| serde_json::from_str(it["body"].as_str()?).ok())
        .collect()
}

fn with_regions(regions: &[&str]) -> Served {
    Served::start_with(Config {
        regions: regions.iter().map(|&region| region.to_owned()).collect(),
        ..Config::default()
    })
}

/// The default organization file says `regions: enabled`.
#[test]
fn a_sign_in_without_mfa_in_us_east_2_alerts_with_the_default_organization_file() {
    let served = with_regions(&["eu-central-1", "us-east-1", "us-east-2"]);
    let project = committed_project();
    project
        .deploy(&served)
        .expect(0)
        .says("Watching the enabled Regions of the management account: eu-central-1, us-east-1, us-east-2.");
    served.post("inbox/clear", &json!({}));
    send(&project, &served, &sign_in("us-east-2"));
    let alerts = alerts(&served);
    let alert = alerts.iter().find(|alert| alert["rule"] == RULE);
    let alert = alert.unwrap_or_else(|| panic!("no alert: {alerts:#?}"));
    assert_eq!(alert["region"], "us-east-2");
    // The record's id can be looked up; the envelope's can't.
    assert_eq!(alert["event_id"], "11111111-2222-4333-8444-555555555555");
    let check = project.run(&["check"]).expect(0);
    assert!(!check.all().contains("unwatched"), "{}", check.all());
    project.run(&["match", "event.json"]).expect(0).says(RULE);
}

#[test]
fn an_unwatched_region_is_named_by_check_match_and_backtest() {
    let project = project();
    project
        .run(&["check"])
        .expect(0)
        .says("compile::unwatched-region")
        .says("us-east-2, eu-north-1 and ap-southeast-2")
        .says(RULE);
    project.write(
        "logs/event.json",
        &json!({"Records": [sign_in("us-east-2")]}).to_string(),
    );
    let missed =
        format!("would fire if that Region were watched: console-sign-in-succeeded, {RULE}");
    project
        .run(&["match", "logs/event.json"])
        .expect(0)
        .says("no rule fires")
        .says("not delivered: no forwarder in us-east-2")
        .says(&missed);
    project
        .run(&["match", "--all-regions", "logs/event.json"])
        .expect(0)
        .says(&format!("fires: {RULE}"));
    project
        .run(&["match", "--why", RULE, "logs/event.json"])
        .expect(0)
        .says(&format!("{RULE} does not fire"))
        .says("no forwarder in us-east-2")
        .says("the pattern itself matches");
    let backtest = project.run(&["backtest", "logs"]).expect(0);
    backtest
        .says("no forwarder in: us-east-2 (1)")
        .says(&format!("{RULE} (1)"))
        .says("0 alerts");
    let all = ["backtest", "logs", "--all-regions", "--format", "json"];
    let result = project.run(&all).expect(0).json();
    assert_eq!(result["rules"][RULE]["alerts"], 1);
}

#[test]
fn simulator_send_leaves_an_event_of_an_unwatched_region_where_it_is() {
    let served = Served::start();
    let project = project();
    project.deploy(&served).expect(0);
    served.post("inbox/clear", &json!({}));
    send(&project, &served, &sign_in("us-east-2"))
        .says("012345678901 us-east-2")
        .says("the bus has no rules")
        .says("0 alerts arrived");
    assert_eq!(alerts(&served).len(), 0);

    // Root users sign in in us-east-1, whichever endpoint they use.
    let mut root = sign_in("us-east-2");
    root["userIdentity"]["type"] = json!("Root");
    send(&project, &served, &root).says("root users sign in there");
    let alerts = alerts(&served);
    assert!(
        alerts.iter().any(|alert| alert["region"] == "us-east-1"),
        "{alerts:#?}"
    );
}

#[test]
fn doctor_warns_of_enabled_regions_in_which_sign_ins_appear() {
    let served = with_regions(&["eu-central-1", "us-east-1", "us-west-2", "us-east-2"]);
    project()
        .run(&["doctor", "--org", &served.argument()])
        .expect(0)
        .says("console sign-ins also appear in us-east-2");
    let all = committed_project();
    let run = all.run(&["doctor", "--org", &served.argument()]).expect(0);
    assert!(!run.all().contains("sign-ins"), "{}", run.all());
    assert!(run.all().contains("all 4 enabled"), "{}", run.all());
}

#[test]
fn a_saved_plan_pins_the_enabled_regions() {
    let served = with_regions(&["eu-central-1", "us-east-1", "us-east-2"]);
    let project = project();
    project.watch_enabled_regions();
    let target = served.argument();
    let plan = ["plan", "--org", &target, "--out", "plan.json"];
    project
        .run(&plan)
        .expect(0)
        .says("eu-central-1, us-east-1, us-east-2");
    let saved = std::fs::read_to_string(project.path("plan.json")).expect("a plan");
    let mut saved: Value = serde_json::from_str(&saved).expect("JSON");
    let regions = json!(["eu-central-1", "us-east-1", "us-east-2"]);
    assert_eq!(saved["plan"]["pinned_regions"], regions);
    // With other Regions pinned, the plan is another one.
    saved["plan"]["pinned_regions"] = json!(["eu-central-1", "us-east-1"]);
    project.write("other.json", &saved.to_string());
    let deploy =
        |plan: &str| project.run(&["deploy", "--org", "--no-verify", &target, "--plan", plan]);
    deploy("other.json").expect(6).says("nothing was changed");
    deploy("plan.json").expect(0);
    project
        .run(&["plan", "--org", "--detailed-exitcode", &target])
        .expect(0);
}

#[test]
fn compile_needs_the_regions_that_only_the_management_account_knows() {
    let project = committed_project();
    project.run(&["compile"]).expect(64).says("--regions");
    project
        .run(&[
            "compile",
            "--regions",
            "eu-central-1,us-east-1",
            "--out",
            "compiled",
        ])
        .expect(0);
    let manifest =
        std::fs::read_to_string(project.path("compiled/manifest.json")).expect("a manifest");
    assert!(
        manifest.contains("us-east-1") && !manifest.contains("us-west-2"),
        "{manifest}"
    );
    project
        .run(&["compile", "--regions", "us-east-1"])
        .expect(64)
        .says("the home Region `eu-central-1` is not enabled");
    crate::project()
        .run(&["compile", "--regions", "us-east-1"])
        .expect(64)
        .says("lists its Regions");
}

#[test]
fn nothing_is_deployed_while_the_enabled_regions_are_unknown() {
    let served = Served::start();
    served.delegate_stack_sets("333344445555");
    // Without the access role, a delegated administrator can't ask the management account.
    let project = project();
    project.watch_enabled_regions();
    let run = project.run(&[
        "deploy",
        "--org",
        "--no-verify",
        &served.argument_as("333344445555"),
    ]);
    run.expect(6)
        .says("`regions: enabled` can't be resolved")
        .says("Nothing was deployed.");
}
