//! Checks that a rule's response starts the EC2 instances it should, and no others.

use std::collections::BTreeMap;
use std::time::Duration;

use rules::{Response, Rule, RuleTest};
use serde_json::Value;

use super::chain::{Chain, ChainError, TestInstance};
use super::expect::at_location;
use super::report::{Case, CaseKind};
use super::send::broken_link;
use crate::ports::Location;

/// Time a response gets to finish.
const RESPONSE_TIME: Duration = Duration::from_mins(5);

/// A stopped EC2 instance, with or without the tag that the response looks for.
pub(super) struct Machine<'a> {
    pub(super) response: &'a Response,
    pub(super) tagged: bool,
}

impl Machine<'_> {
    fn word(&self) -> &'static str {
        if self.tagged { "tagged" } else { "untagged" }
    }

    fn stopped(&self, location: &Location, id: &str) -> TestInstance {
        let Response::StartInstance {
            tag_key, tag_value, ..
        } = self.response;
        let tag = (tag_key.clone(), tag_value.clone());
        let tags: BTreeMap<String, String> = self.tagged.then_some(tag).into_iter().collect();
        TestInstance {
            account: location.account.clone(),
            region: location.region.clone(),
            instance_id: id.to_owned(),
            state: "stopped".to_owned(),
            tags,
        }
    }
}

/// Stops an EC2 instance and checks whether the response starts it again.
pub(super) async fn respond(
    chain: &impl Chain,
    rule: &Rule,
    test: &RuleTest,
    machine: &Machine<'_>,
    location: &Location,
) -> Result<Case, ChainError> {
    let mut case = Case {
        event_id: None,
        rule: rule.id.clone(),
        test: format!("{} ({})", test.name, machine.word()),
        kind: CaseKind::Response,
        location: location.clone(),
        failures: Vec::new(),
        alerts: Vec::new(),
        hops: Vec::new(),
        broken_link: None,
    };
    let Response::StartInstance { instance, .. } = machine.response;
    let pointer = instance.trim_start_matches('$').replace('.', "/");
    let Some(id) = test.event.pointer(&pointer).and_then(Value::as_str) else {
        case.failures.push(format!(
            "the test event has no {instance}, so no instance can be started"
        ));
        return Ok(case);
    };
    chain.put_instance(&machine.stopped(location, id)).await?;
    let trace = chain
        .send(location, &at_location(&test.event, location))
        .await?;
    case.event_id = Some(trace.event_id);
    chain.pause(RESPONSE_TIME).await?;
    let instances = chain.instances(location).await?;
    let found = instances.into_iter().find(|found| found.instance_id == id);
    let state = found.map_or_else(|| "gone".to_owned(), |found| found.state);
    let expected = if machine.tagged { "running" } else { "stopped" };
    if state != expected {
        case.failures.push(format!(
            "the {} instance {id} is {state}, expected {expected}",
            machine.word()
        ));
        if machine.tagged {
            case.broken_link = broken_link(&trace.hops);
        }
        case.hops = trace.hops;
    }
    Ok(case)
}
