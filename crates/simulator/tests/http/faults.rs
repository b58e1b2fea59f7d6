//! Faults as a client sees them.

use serde_json::json;
use simulator::{Bucket, Config, Faults, Rate, RequestFault};

use crate::{IDENTITY, Lab};

const KEY: &str = "111122223333";

fn create(name: &str) -> String {
    let template = "Resources%3A+%7BQ%3A+%7BType%3A+%27AWS%3A%3ASQS%3A%3AQueue%27%7D%7D";
    format!("Action=CreateStack&Version=2010-05-15&StackName={name}&TemplateBody={template}")
}

/// A simulator in which every `CreateStack` meets the fault.
async fn broken(fault: RequestFault) -> Lab {
    let faults = Faults {
        rates: vec![Rate {
            fault,
            share: 1.0,
            apis: vec!["cloudformation:CreateStack".to_owned()],
            most: None,
        }],
        time_out_milliseconds: 10,
        ..Faults::default()
    };
    Lab::with(Config {
        faults,
        ..Config::default()
    })
    .await
}

/// Whether the stack `a` was created.
fn exists(lab: &Lab) -> bool {
    let describe = "Action=DescribeStacks&Version=2010-05-15&StackName=a";
    lab.query(KEY, "cloudformation", describe).status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_no_effect_and_say_what_they_are() {
    for (fault, status, code) in [
        (RequestFault::Throttled, 400, "Throttling"),
        (RequestFault::InternalFailure, 500, "InternalFailure"),
        (RequestFault::ServiceUnavailable, 503, "ServiceUnavailable"),
        (RequestFault::StaleRequest, 409, "StaleRequestException"),
    ] {
        let lab = broken(fault).await;
        let answer = lab.query(KEY, "cloudformation", &create("a"));
        assert_eq!(answer.status, status);
        let code = format!("<Code>{code}</Code>");
        assert!(answer.body.contains(&code), "{}", answer.body);
        assert!(!exists(&lab), "{fault:?}");
        assert_eq!(lab.simulator.stats().faults[fault.name()], 1);
        assert!(lab.simulator.journal(0)[0].error.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_requests_are_not_performed_and_requests_with_lost_responses_are() {
    for (fault, effect) in [
        (RequestFault::ResetBefore, false),
        (RequestFault::TimeOutBefore, false),
        (RequestFault::ResetAfter, true),
        (RequestFault::TimeOutAfter, true),
    ] {
        let lab = broken(fault).await;
        assert!(
            lab.try_query(KEY, "cloudformation", &create("a")).is_err(),
            "{fault:?} was answered"
        );
        assert_eq!(exists(&lab), effect, "{fault:?}");
        let journal = lab.simulator.journal(0);
        assert_eq!(journal[0].fault, Some(fault.name()));
        assert_eq!(journal[0].error.is_none(), effect, "{fault:?}");
    }
    let lab = broken(RequestFault::InternalFailureAfter).await;
    let answer = lab.query(KEY, "cloudformation", &create("a"));
    assert_eq!(answer.status, 500);
    assert!(exists(&lab));
}

#[tokio::test(flavor = "multi_thread")]
async fn token_bucket_throttles_until_it_refills() {
    let faults = Faults {
        buckets: vec![Bucket {
            apis: vec!["sts:*".to_owned()],
            burst: 2,
            per_second: 0.5,
        }],
        ..Faults::default()
    };
    let lab = Lab::with(Config {
        faults,
        ..Config::default()
    })
    .await;
    let statuses = |key: &str, times: usize| -> Vec<u16> {
        (0..times)
            .map(|_| lab.query(key, "sts", IDENTITY).status)
            .collect()
    };
    assert_eq!(statuses(KEY, 3), [200, 200, 400]);
    // Each account has its own bucket.
    assert_eq!(statuses("222233334444", 1), [200]);
    lab.simulator.advance(std::time::Duration::from_secs(2));
    assert_eq!(statuses(KEY, 2), [200, 400]);
    assert_eq!(lab.simulator.stats().faults["throttled_by_bucket"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_take_virtual_time() {
    let faults = Faults {
        call_milliseconds: 250,
        ..Faults::default()
    };
    let lab = Lab::with(Config {
        faults,
        ..Config::default()
    })
    .await;
    let start = lab.simulator.stats().now;
    assert!(start.ends_with(":00Z"), "{start}");
    for _ in 0..4 {
        lab.query(KEY, "sts", IDENTITY);
    }
    let now = lab.simulator.stats().now;
    assert_eq!(now, start.replace(":00Z", ":01Z"));
}

/// The statuses of the same calls, sent forward or backward, by call.
async fn met(backwards: bool) -> Vec<(String, u16)> {
    let faults = Faults {
        rates: vec![Rate {
            fault: RequestFault::InternalFailure,
            share: 0.5,
            apis: Vec::new(),
            most: None,
        }],
        ..Faults::default()
    };
    let lab = Lab::with(Config {
        faults,
        seed: 3,
        ..Config::default()
    })
    .await;
    let mut names: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
    if backwards {
        names.reverse();
    }
    let mut met: Vec<(String, u16)> = names
        .iter()
        .flat_map(|name| [(name, 1), (name, 2)])
        .map(|(name, attempt)| {
            let form = format!("Action=DescribeStacks&Version=2010-05-15&StackName={name}");
            let answer = lab.query(KEY, "cloudformation", &form);
            (format!("{name} {attempt}"), answer.status)
        })
        .collect();
    met.sort();
    met
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_do_not_depend_on_call_order() {
    let forwards = met(false).await;
    assert_eq!(forwards, met(true).await);
    assert!(forwards.iter().any(|(_, status)| *status == 500));
    assert!(forwards.iter().any(|(_, status)| *status == 400));
}

#[tokio::test(flavor = "multi_thread")]
async fn pagination_tokens_expire() {
    let faults = Faults {
        token_lifetime_seconds: Some(60),
        ..Faults::default()
    };
    let lab = Lab::with(Config {
        workload_accounts: 50,
        faults,
        ..Config::default()
    })
    .await;
    let list = |input: &serde_json::Value| {
        let target = "AWSOrganizationsV20161128.ListAccounts";
        lab.json(KEY, "organizations", target, input).json()
    };
    let first = list(&json!({}));
    let next = json!({"NextToken": first["NextToken"]});
    lab.simulator.advance(std::time::Duration::from_secs(59));
    assert_eq!(list(&next)["Accounts"].as_array().unwrap().len(), 20);
    lab.simulator.advance(std::time::Duration::from_secs(2));
    assert_eq!(list(&next)["__type"], "InvalidInputException");
    assert_eq!(lab.simulator.stats().faults["token_expired"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_can_be_set_at_any_time_and_are_checked() {
    let lab = Lab::start().await;
    assert_eq!(lab.query(KEY, "sts", IDENTITY).status, 200);
    let rate = json!({"rates": [{"fault": "internal_failure", "share": 1.0, "apis": ["sts:*"]}]});
    let set = lab.post("/_simulator/faults", &[], &rate.to_string());
    assert_eq!(set.status, 200);
    assert_eq!(lab.query(KEY, "sts", IDENTITY).status, 500);
    assert_eq!(
        lab.get("/_simulator/stats")["faults"],
        json!({"internal_failure": 1})
    );
    lab.simulator.set_faults(Faults::default()).unwrap();
    assert_eq!(lab.query(KEY, "sts", IDENTITY).status, 200);
    for wrong in [
        r#"{"rates": [{"fault": "unheard_of", "share": 1.0}]}"#,
        r#"{"rate": []}"#,
        r#"{"schedule": [{"when": {"at_second": 1.0}, "event": {"do": "nothing_known"}}]}"#,
        r#"{"rates": [{"fault": "throttled", "share": 1.5}]}"#,
        r#"{"buckets": [{"burst": 0, "per_second": 1.0}]}"#,
    ] {
        let answer = lab.post("/_simulator/faults", &[], wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.body);
    }
}
