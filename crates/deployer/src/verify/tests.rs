use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbridge_pattern::Pattern;
use rules::{Message, Origin, Response, Severity, Status};
use serde_json::json;
use syntax::{SourceFile, Span};

use super::*;
use crate::fake::{Fake, HOME, HUB, MANAGEMENT, bundle};
use crate::progress::Silent;

fn rule(id: &str, pattern: &str) -> Rule {
    let file = Arc::new(SourceFile {
        path: PathBuf::from(format!("rules/{id}.yaml")),
        text: String::new(),
    });
    let location = syntax::SourceLocation {
        file: Arc::clone(&file),
        span: Span { start: 0, end: 0 },
    };
    let event = |user: &str| {
        json!({"version": "0", "source": "aws.signin", "detail-type": "AWS Console Sign In via CloudTrail",
            "region": "us-east-1", "account": "999999999999", "id": "x", "time": "2020-01-01T00:00:00Z",
            "resources": [], "detail": {"userIdentity": {"type": user}, "userAgent": "Mozilla"}})
    };
    Rule {
        id: id.into(),
        title: id.into(),
        description: String::new(),
        status: Status::Stable,
        enabled: true,
        severity: Severity::High,
        severity_reason: None,
        owner: None,
        references: Vec::new(),
        false_positives: Vec::new(),
        runbook: None,
        tags: Vec::new(),
        pattern: Pattern::parse(pattern).unwrap(),
        written_pattern: Pattern::parse(pattern).unwrap(),
        read_only: false,
        message: Some(Message {
            input_paths: BTreeMap::from([
                ("account".to_owned(), "$.account".to_owned()),
                ("time".to_owned(), "$.time".to_owned()),
                ("agent".to_owned(), "$.detail.userAgent".to_owned()),
            ]),
            input_template:
                r#"{"alert": "root in", "account": <account>, "at": <time>, "with": <agent>}"#
                    .into(),
        }),
        notify: Vec::new(),
        respond: None,
        budget: None,
        exceptions: Vec::new(),
        imported_from: None,
        tests: vec![
            RuleTest {
                name: "root".into(),
                event: event("Root"),
                origin: Origin::Recorded,
                matches: true,
                message: None,
                location: location.clone(),
            },
            RuleTest {
                name: "somebody".into(),
                event: event("IAMUser"),
                origin: Origin::Recorded,
                matches: false,
                message: None,
                location: location.clone(),
            },
        ],
        file,
        location,
    }
}

const ROOT: &str = r#"{"source": ["aws.signin"], "detail": {"userIdentity": {"type": ["Root"]}}}"#;

/// A chain that works, or breaks as the test demands.
#[derive(Default)]
struct FakeChain {
    rules: Vec<Rule>,
    /// Changes every alert on its way.
    spoil: Option<fn(String) -> Option<String>>,
    machines: Mutex<BTreeMap<String, TestInstance>>,
    responds_to: Option<(String, String)>,
    /// Ids of events whose dead letters were discarded.
    discarded: Mutex<Vec<String>>,
}

impl Chain for FakeChain {
    async fn send(&self, location: &Location, event: &Value) -> Result<Trace, ChainError> {
        let mut event = event.clone();
        event["id"] = "11111111-2222-4333-8444-555555555555".into();
        event["time"] = "2026-11-23T12:00:00Z".into();
        let text = event.to_string();
        let flat = Event::parse(&text).unwrap();
        let mut trace = Trace {
            event_id: "11111111-2222-4333-8444-555555555555".into(),
            event: None,
            hops: vec![Hop {
                account: location.account.clone(),
                region: location.region.clone(),
                link: "trail".into(),
                outcome: HopOutcome::Ok,
                detail: None,
            }],
            deliveries: Vec::new(),
        };
        for rule in self
            .rules
            .iter()
            .filter(|rule| rule.pattern.matches(&flat).unwrap())
        {
            let Some(message) = &rule.message else {
                continue;
            };
            let body = message
                .transformer()
                .unwrap()
                .render(
                    &text,
                    &eventbridge_pattern::transformer::Reserved::default(),
                )
                .unwrap();
            let body = match self.spoil {
                Some(spoil) => spoil(body),
                None => Some(body),
            };
            let mut hop = Hop {
                account: HUB.into(),
                region: HOME.into(),
                link: "bus policy of gizmos".into(),
                outcome: HopOutcome::Denied,
                detail: Some("no statement allows it".into()),
            };
            if let Some(body) = body {
                hop.outcome = HopOutcome::Ok;
                trace.deliveries.push(Delivery {
                    topic_arn: format!("arn:aws:sns:{HOME}:{HUB}:gizmos-alerts"),
                    protocol: "email".into(),
                    endpoint: "security@example.com".into(),
                    body,
                });
            }
            trace.hops.push(hop);
        }
        if let Some((key, value)) = &self.responds_to {
            for machine in self.machines.lock().unwrap().values_mut() {
                if machine.account == location.account && machine.tags.get(key) == Some(value) {
                    machine.state = "running".into();
                }
            }
        }
        Ok(trace)
    }

    async fn put_instance(&self, instance: &TestInstance) -> Result<(), ChainError> {
        let id = instance.instance_id.clone();
        self.machines.lock().unwrap().insert(id, instance.clone());
        Ok(())
    }

    async fn instances(&self, _: &Location) -> Result<Vec<TestInstance>, ChainError> {
        Ok(self.machines.lock().unwrap().values().cloned().collect())
    }

    async fn discard_dead_letters(&self, events: &[String]) -> Result<(), ChainError> {
        self.discarded.lock().unwrap().extend_from_slice(events);
        Ok(())
    }

    async fn pause(&self, _: Duration) -> Result<(), ChainError> {
        Ok(())
    }
}

async fn run(chain: &FakeChain, rules: &[Rule]) -> VerifyReport {
    verify(chain, &bundle(), rules, "012345678901", &Silent)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_working_chain_passes_with_alerts_of_every_rule_that_matches() {
    // The second rule also matches the first one's events.
    let rules = vec![
        rule("root-user-activity", ROOT),
        rule(
            "console-sign-in",
            r#"{"source": ["aws.signin"], "detail": {"userIdentity": {"type": ["Root", {"prefix": "Ro"}]}}}"#,
        ),
    ];
    let chain = FakeChain {
        rules: rules.clone(),
        ..FakeChain::default()
    };
    let report = run(&chain, &rules).await;
    let failed: Vec<&Case> = report.failed().collect();
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(report.outcome(), VerifyOutcome::Passed);
    assert!(
        report
            .cases
            .iter()
            .any(|case| case.kind == CaseKind::Negative && case.alerts.is_empty())
    );
    assert_eq!(
        report.locations,
        [Location::new("012345678901", "us-east-1")]
    );
    let positive = report
        .cases
        .iter()
        .find(|case| case.kind == CaseKind::Positive)
        .unwrap();
    assert!(positive.alerts[0].body.contains("012345678901"));
    assert!(positive.alerts[0].body.contains("2026-11-23T12:00:00Z"));
    assert_eq!(chain.discarded.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn dead_letters_of_what_failed_are_kept_as_evidence() {
    let rules = vec![rule("root-user-activity", ROOT)];
    let chain = FakeChain {
        rules: rules.clone(),
        spoil: Some(|_| None),
        ..FakeChain::default()
    };
    let report = run(&chain, &rules).await;
    assert!(report.failed().next().is_some());
    // The negative test passed, but its event shares the id of a failed case.
    assert!(chain.discarded.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_broken_chain_names_the_link() {
    let rules = vec![rule("root-user-activity", ROOT)];
    let chain = FakeChain {
        rules: rules.clone(),
        spoil: Some(|_| None),
        ..FakeChain::default()
    };
    let report = run(&chain, &rules).await;
    assert_eq!(report.outcome(), VerifyOutcome::Failed);
    let case = report.failed().next().unwrap();
    assert_eq!(
        case.broken_link.as_ref().unwrap().link,
        "bus policy of gizmos"
    );
    assert_eq!(
        case.failures,
        [
            "no alert of root-user-activity arrived at security@example.com (email, topic \
             gizmos-alerts)"
        ]
    );
}

#[tokio::test]
async fn a_wrong_text_is_shown_beside_the_right_one() {
    let rules = vec![rule("root-user-activity", ROOT)];
    let chain = FakeChain {
        rules: rules.clone(),
        spoil: Some(|body| Some(body.replace("root in", "who knows"))),
        ..FakeChain::default()
    };
    let report = run(&chain, &rules).await;
    let failure = &report.failed().next().unwrap().failures[0];
    assert!(
        failure.contains("root in") && failure.contains("who knows"),
        "{failure}"
    );
}

#[tokio::test]
async fn an_unexpected_alert_is_a_failure() {
    let quiet = rule("root-user-activity", ROOT);
    let chain = FakeChain {
        rules: vec![rule("left-over", r#"{"source": ["aws.signin"]}"#)],
        ..FakeChain::default()
    };
    let report = run(&chain, &[quiet]).await;
    let negative = report
        .cases
        .iter()
        .find(|case| case.kind == CaseKind::Negative)
        .unwrap();
    assert!(negative.failures[0].starts_with("an unexpected alert arrived"));
}

#[tokio::test]
async fn a_response_must_start_only_the_tagged_instance() {
    let mut protect = rule("ec2-stop-protection", r#"{"source": ["aws.ec2"]}"#);
    protect.message = None;
    protect.respond = Some(Response::StartInstance {
        instance: "$.detail.instance-id".into(),
        tag_key: "auto-start".into(),
        tag_value: "true".into(),
    });
    protect.tests.truncate(1);
    protect.tests[0].event = json!({"source": "aws.ec2", "region": HOME, "account": "1",
        "detail": {"instance-id": "i-0123456789abcdef0", "state": "stopped"}});
    let rules = [protect];
    let chain = FakeChain {
        responds_to: Some(("auto-start".into(), "true".into())),
        ..FakeChain::default()
    };
    let report = run(&chain, &rules).await;
    assert_eq!(report.outcome(), VerifyOutcome::Passed, "{report:#?}");
    let dead = run(&FakeChain::default(), &rules).await;
    let failures: Vec<&str> = dead
        .failed()
        .flat_map(|c| &c.failures)
        .map(String::as_str)
        .collect();
    assert_eq!(
        failures,
        ["the tagged instance i-0123456789abcdef0 is stopped, expected running"]
    );
}

#[tokio::test]
async fn events_are_sent_from_a_workload_account() {
    use crate::ports::Organizations;
    let accounts = Fake::new().list_accounts().await.unwrap();
    let sender = sender(&bundle(), &accounts).unwrap();
    assert!(![MANAGEMENT, HUB, crate::fake::ARCHIVE].contains(&sender.as_str()));
}
