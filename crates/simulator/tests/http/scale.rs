//! A very large fleet in one process.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::{Config, DEFAULT_REGIONS, Quotas};

use crate::Lab;

const KEY: &str = "111122223333";
const FAST: &str = "OperationPreferences.RegionConcurrencyType=PARALLEL\
    &OperationPreferences.MaxConcurrentPercentage=25\
    &OperationPreferences.FailureTolerancePercentage=5\
    &OperationPreferences.ConcurrencyMode=SOFT_FAILURE_TOLERANCE";

/// A template with as many rules as a real spoke.
fn spoke(description: &str) -> String {
    let mut resources = json!({
        "Role": {"Type": "AWS::IAM::Role", "Properties": {
            "Path": "/example/",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sts:AssumeRole",
                "Principal": {"Service": "events.amazonaws.com"},
                "Condition": {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
            }]},
        }},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"SqsManagedSseEnabled": true}},
        "Policy": {"Type": "AWS::SQS::QueueInlinePolicy", "Properties": {
            "Queue": {"Ref": "Queue"},
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{
                "Effect": "Allow", "Action": "sqs:SendMessage",
                "Principal": {"Service": "events.amazonaws.com"},
                "Resource": {"Fn::GetAtt": ["Queue", "Arn"]},
            }]},
        }},
    });
    for number in 0..20 {
        let rule = json!({"Type": "AWS::Events::Rule", "Properties": {
            "Description": description,
            "EventPattern": {
                "source": ["aws.iam"],
                "detail": {"eventName": ["CreateUser", "DeleteUser", format!("Other{number}")]},
            },
            "Targets": [{
                "Id": "queue",
                "Arn": {"Fn::GetAtt": ["Queue", "Arn"]},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": ["Queue", "Arn"]}},
            }],
        }});
        resources
            .as_object_mut()
            .unwrap()
            .insert(format!("Rule{number}"), rule);
    }
    json!({"Resources": resources}).to_string()
}

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

struct Fleet {
    lab: Lab,
    regions: Vec<String>,
}

impl Fleet {
    async fn start(accounts: usize, regions: usize) -> Fleet {
        let others = DEFAULT_REGIONS
            .into_iter()
            .filter(|it| *it != "eu-central-1");
        let regions: Vec<String> = std::iter::once("eu-central-1")
            .chain(others)
            .take(regions)
            .map(str::to_owned)
            .collect();
        let config = Config {
            workload_accounts: accounts,
            regions: regions.clone(),
            // All Regions together exceed AWS's default quota.
            quotas: Quotas {
                instances_per_stack_set: 1_000_000,
                ..Quotas::default()
            },
            ..Config::default()
        };
        let lab = Lab::with(config).await;
        Fleet { lab, regions }
    }

    fn call(&self, action: &str, form: &str) -> String {
        let form = format!("Action={action}&Version=2010-05-15&StackSetName=s&{form}");
        let answer = self.lab.query(KEY, "cloudformation", &form);
        assert_eq!(answer.status, 200, "{action}: {}", answer.body);
        answer.body
    }

    /// Starts an operation and advances the clock until it ends. Returns its virtual seconds.
    fn operate(&self, action: &str, form: &str) -> u64 {
        self.call(action, &format!("OperationId={action}&{FAST}&{form}"));
        for seconds in (30..).step_by(30) {
            self.lab.simulator.advance(Duration::from_secs(30));
            let answer = self.call(
                "DescribeStackSetOperation",
                &format!("OperationId={action}"),
            );
            if answer.contains("<Status>SUCCEEDED</Status>") {
                return seconds;
            }
            assert!(answer.contains("<Status>RUNNING</Status>"), "{answer}");
        }
        unreachable!("the range has no end");
    }

    fn deploy(&self) -> u64 {
        let template = encoded(&spoke("first"));
        self.call(
            "CreateStackSet",
            &format!("PermissionModel=SERVICE_MANAGED&AutoDeployment.Enabled=false&Capabilities.member.1=CAPABILITY_IAM&TemplateBody={template}"),
        );
        let regions: Vec<String> = (1..)
            .zip(&self.regions)
            .map(|(number, region)| format!("&Regions.member.{number}={region}"))
            .collect();
        self.operate(
            "CreateStackInstances",
            &format!(
                "DeploymentTargets.OrganizationalUnitIds.member.1=r-exmp{}",
                regions.concat()
            ),
        )
    }

    /// Number of pages and entries of `ListStackInstances`.
    fn list(&self) -> (usize, usize) {
        let (mut pages, mut entries) = (0, 0);
        let mut token = String::new();
        loop {
            let form = if token.is_empty() {
                String::new()
            } else {
                format!("NextToken={}", encoded(&token))
            };
            let body = self.call("ListStackInstances", &form);
            pages += 1;
            entries += body.matches("<Account>").count();
            match body.split_once("<NextToken>") {
                Some((_, rest)) => rest.split_once('<').unwrap().0.clone_into(&mut token),
                None => return (pages, entries),
            }
        }
    }
}

/// Peak memory of this process in MiB; `None` where the system doesn't report it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_of_a_large_fleet_are_complete() {
    let fleet = Fleet::start(300, 4).await;
    fleet.deploy();
    // The management account is not a target.
    assert_eq!(fleet.list(), (13, 302 * 4));
    let state: Value = fleet.lab.get("/_simulator/stats");
    assert_eq!(state["calls"]["cloudformation:ListStackInstances"], 13);
}

/// `cargo test -p simulator --test http -- --ignored --nocapture scale` prints time and memory;
/// `ACCOUNTS` and `REGIONS` set the size.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a while; prints what it measured"]
async fn scale() {
    let number = |name: &str, default: usize| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let (accounts, regions) = (number("ACCOUNTS", 10_000), number("REGIONS", 4));
    let begun = Instant::now();
    let step = |what: &str, virtual_seconds: u64| {
        println!(
            "{:>8.2} s real, {:>6} s virtual, {:>5} MiB peak: {what}",
            begun.elapsed().as_secs_f64(),
            virtual_seconds,
            peak().unwrap_or_default(),
        );
    };
    let fleet = Fleet::start(accounts, regions).await;
    step("started", 0);
    step("deployed", fleet.deploy());
    let (pages, entries) = fleet.list();
    step(&format!("listed {entries} instances on {pages} pages"), 0);
    assert_eq!(entries, (accounts + 2) * fleet.regions.len());
    let template = encoded(&spoke("second"));
    let update = format!("Capabilities.member.1=CAPABILITY_IAM&TemplateBody={template}");
    step("updated", fleet.operate("UpdateStackSet", &update));
    step("detected drift", fleet.operate("DetectStackSetDrift", ""));
    let queues = "Action=ListStackResources&Version=2010-05-15&StackName=none";
    for number in 2..accounts.min(2_000) {
        let account = format!("1{number:011}");
        fleet.lab.query(&account, "cloudformation", queues);
    }
    step("looked into up to 2,000 accounts", 0);
    let mut input = json!({});
    let mut pages = 0;
    loop {
        let target = "AWSOrganizationsV20161128.ListAccounts";
        let answer = fleet.lab.json(KEY, "organizations", target, &input).json();
        pages += 1;
        match answer.get("NextToken") {
            Some(token) => input = json!({"NextToken": token}),
            None => break,
        }
    }
    step(&format!("listed accounts on {pages} pages"), 0);
}
