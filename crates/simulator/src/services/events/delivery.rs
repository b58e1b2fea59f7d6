//! The way of an event: bus, rules, targets, and the dead-letter queue where it can go no further.

use std::collections::BTreeMap;

use eventbridge_pattern::Event;
use eventbridge_pattern::transformer::{Reserved, select};
use serde_json::{Value, json};

use super::dead_letters::{self, Failed};
use super::targets::{Destination, destination, transformer};
use super::{Bus, Rule};
use crate::clock::iso;
use crate::policy::{Context, Named, Principal, Request, combine};
use crate::services::arn::short;
use crate::services::sns::{self, Publisher, Refusal};
use crate::services::{Hop, Outcome, Trace, iam, kms, sqs, ssm};
use crate::world::World;

/// The service's principal.
const SERVICE: &str = "events.amazonaws.com";

/// How an event came to a bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From a service or `PutEvents`, in the bus's own account and Region.
    Here,
    /// From a rule on a bus of another account or Region: it may not go on to a third.
    Forwarded,
}

/// One rule on its way through its targets.
struct Firing<'a> {
    bus: &'a Bus,
    rule: &'a Rule,
    event: &'a str,
    origin: Origin,
}

/// What a target is asked with: the rule's own identity, or a role.
struct Attempt<'a> {
    firing: &'a Firing<'a>,
    arn: &'a str,
    role: Option<&'a str>,
    body: String,
}

/// An event arrives at a bus: every rule that matches sends it to its targets.
pub(crate) fn arrive(
    world: &mut World,
    bus: (&str, &str, &str),
    event: &Value,
    origin: Origin,
    trace: &mut Trace,
) {
    let (account, region, name) = bus;
    crate::cloudformation::warm(world, account);
    let mut hop = |link: String, outcome: Outcome, detail: String| {
        trace
            .hops
            .push(Hop::new((account, region), link, outcome, detail));
    };
    let bus = match world.services.events.bus_mut(account, region, name) {
        Ok(bus) => bus.clone(),
        Err(error) => return hop(format!("bus {name}"), Outcome::Failed, error.message),
    };
    let text = event.to_string();
    let parsed = match Event::parse(&text) {
        Ok(parsed) => parsed,
        Err(error) => return hop(format!("bus {name}"), Outcome::Failed, error.to_string()),
    };
    let read_only = is_read_only_management_event(event);
    let mut matched = Vec::new();
    let mut near = 0;
    for rule in bus.rules.values() {
        if !rule
            .pattern
            .as_ref()
            // In doubt, an event is delivered.
            .is_some_and(|pattern| pattern.matches(&parsed).unwrap_or(true))
        {
            continue;
        }
        near += 1;
        let link = format!("rule {} on bus {name}", rule.name);
        match rule.state() {
            "DISABLED" => hop(link, Outcome::Dropped, "the rule matches, but is disabled".to_owned()),
            "ENABLED" if read_only => hop(
                link,
                Outcome::Dropped,
                "the rule matches, but read-only management events reach only rules in state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS".to_owned(),
            ),
            _ => {
                let targets = rule.targets().len();
                if targets == 0 {
                    hop(link, Outcome::Dropped, "the rule matches, but has no targets".to_owned());
                } else {
                    hop(link, Outcome::Ok, "the event matches the rule's pattern".to_owned());
                    matched.push(rule);
                }
            }
        }
    }
    if near == 0 {
        let detail = match bus.rules.len() {
            0 => "the bus has no rules".to_owned(),
            1 => "the only rule does not match the event".to_owned(),
            count => format!("none of the {count} rules matches the event"),
        };
        hop(format!("rules on bus {name}"), Outcome::Dropped, detail);
    }
    for rule in matched {
        let firing = Firing {
            bus: &bus,
            rule,
            event: &text,
            origin,
        };
        for target in rule.targets() {
            fire(world, &firing, target, trace);
        }
    }
}

fn is_read_only_management_event(event: &Value) -> bool {
    let detail = |name: &str| event.pointer(&format!("/detail/{name}"));
    let true_ = |value: Option<&Value>| {
        value.is_some_and(|value| *value == json!(true) || *value == json!("true"))
    };
    let data = detail("eventCategory")
        .and_then(Value::as_str)
        .is_some_and(|category| category != "Management");
    event
        .get("detail-type")
        .and_then(Value::as_str)
        .is_some_and(|kind| kind.ends_with("via CloudTrail"))
        && true_(detail("readOnly"))
        && !data
        && detail("managementEvent").is_none_or(|value| true_(Some(value)))
}

impl Firing<'_> {
    fn hop(&self, link: impl Into<String>, outcome: Outcome, detail: impl Into<String>) -> Hop {
        Hop::new((&self.bus.account, &self.bus.region), link, outcome, detail)
    }

    fn context(&self) -> Context {
        Context::new()
            .with("aws:SourceArn", self.rule.arn.as_str())
            .with("aws:SourceAccount", self.bus.account.as_str())
    }

    fn here(&self, account: &str, region: &str) -> bool {
        self.bus.account == account && self.bus.region == region
    }
}

fn fire(world: &mut World, firing: &Firing<'_>, target: &Value, trace: &mut Trace) {
    let text = |name: &str| target.get(name).and_then(Value::as_str);
    let id = text("Id").unwrap_or_default();
    let arn = text("Arn").unwrap_or_default();
    let link = format!("target {id} ({arn}) of rule {}", firing.rule.name);
    crate::cloudformation::named(world, target, crate::cloudformation::Look::ToChange);
    let (refusal, body) = match body(world, firing, target) {
        Ok(body) => {
            let attempt = Attempt {
                firing,
                arn,
                role: text("RoleArn"),
                body,
            };
            let outcome = match destination(arn) {
                Some(Destination::Bus { account, region }) => {
                    to_bus(world, &attempt, (account, region), trace)
                }
                Some(Destination::Topic { account, .. }) => {
                    to_topic(world, &attempt, account, trace)
                }
                Some(Destination::Queue { account, .. }) => {
                    to_queue(world, &attempt, account, trace)
                }
                Some(Destination::Automation { document, .. }) => {
                    to_automation(world, &attempt, document, trace)
                }
                None => Err(Refusal::missing(
                    format!("{arn} is not a target the simulator can deliver to"),
                    &link,
                )),
            };
            match outcome {
                Ok(()) => return,
                Err(refusal) => (refusal, attempt.body),
            }
        }
        Err(undeliverable) => {
            let refusal = Refusal {
                code: undeliverable.code,
                reason: undeliverable.message,
                link: "input transformer".to_owned(),
                outcome: Outcome::Failed,
            };
            (refusal, undeliverable.attempted)
        }
    };
    trace.hops.push(firing.hop(
        refusal.link.clone(),
        refusal.outcome,
        refusal.reason.clone(),
    ));
    let failed = Failed {
        rule: &firing.rule.arn,
        place: (&firing.bus.account, &firing.bus.region),
        target,
    };
    dead_letters::of_target(world, &failed, &refusal, body, trace);
}

struct Undelivered {
    code: String,
    message: String,
    attempted: String,
}

/// What the target receives.
fn body(world: &World, firing: &Firing<'_>, target: &Value) -> Result<String, Undelivered> {
    if let Some(input) = target.get("Input").and_then(Value::as_str) {
        return Ok(input.to_owned());
    }
    let invalid = |message: String| Undelivered {
        code: "INVALID_JSON".to_owned(),
        message,
        attempted: firing.event.to_owned(),
    };
    match target.get("InputPath").and_then(Value::as_str) {
        None => {}
        Some("") => return Ok("{}".to_owned()),
        Some(path) => {
            return select(path, firing.event).map_err(|error| invalid(error.to_string()));
        }
    }
    match transformer(target) {
        Ok(None) => Ok(firing.event.to_owned()),
        Ok(Some(transformer)) => {
            let reserved = Reserved {
                rule_arn: firing.rule.arn.clone(),
                rule_name: firing.rule.name.clone(),
                ingestion_time: iso(world.clock.now()),
            };
            transformer
                .render(firing.event, &reserved)
                .map_err(|undeliverable| Undelivered {
                    message: format!(
                        "{} The transformed text was: {}",
                        undeliverable.message, undeliverable.attempted
                    ),
                    code: undeliverable.code,
                    attempted: undeliverable.attempted,
                })
        }
        Err(error) => Err(invalid(error.message)),
    }
}

/// Takes on a target's role, or says why that does not work.
fn assume(world: &World, attempt: &Attempt<'_>, role: &str) -> Result<Principal, Refusal> {
    iam::service_may_assume(world, role, SERVICE, attempt.firing.context())
        .map(|()| Principal::Role(role.to_owned()))
        .map_err(|reason| Refusal::denied(reason, &format!("role {}", short(role))))
}

/// A question a role asks, with what is known of its organization.
fn asked_by(
    world: &World,
    principal: Principal,
    action: &str,
    resource: &str,
    context: Context,
) -> Request {
    let context = match principal.account() {
        Some(account) => iam::organization_context(world, account, context),
        None => context,
    };
    Request::new(principal, action, resource, context)
}

/// Takes on a target's role, whose own policies must allow `action` on the target.
fn act_as(
    world: &World,
    attempt: &Attempt<'_>,
    role: &str,
    action: &str,
) -> Result<(Principal, Hop), Refusal> {
    let firing = attempt.firing;
    let link = format!("role {}", short(role));
    let principal = assume(world, attempt, role)?;
    let request = asked_by(
        world,
        principal.clone(),
        action,
        attempt.arn,
        firing.context(),
    );
    let verdict = iam::identity(world, role, &request);
    if verdict.allowed {
        Ok((principal, firing.hop(link, Outcome::Ok, verdict.reason)))
    } else {
        Err(Refusal::denied(verdict.reason, &link))
    }
}

fn to_bus(
    world: &mut World,
    attempt: &Attempt<'_>,
    place: (&str, &str),
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let (account, region) = place;
    let name = short(attempt.arn).to_owned();
    let link = format!("target {name} (bus {})", attempt.arn);
    let here = firing.here(account, region);
    if !here && firing.origin == Origin::Forwarded {
        return Err(Refusal::new(
            "THIRD_ACCOUNT_HOP_DETECTED",
            "the event already came from another account or Region; EventBridge does not pass it on to a third",
            &link,
            Outcome::Dropped,
        ));
    }
    let principal = match attempt.role {
        Some(role) => {
            let (principal, hop) = act_as(world, attempt, role, "events:PutEvents")?;
            trace.hops.push(hop);
            principal
        }
        None => Principal::Account(firing.bus.account.clone()),
    };
    let exists = name == "default" && world.organization.account(account).is_some()
        || world.services.events.buses.contains_key(attempt.arn);
    if !exists {
        return Err(Refusal::missing(
            format!("the bus {} does not exist", attempt.arn),
            &link,
        ));
    }
    if account != firing.bus.account {
        bus_policy_allows(world, attempt, &principal, place, trace)?;
    }
    if let Err(refusal) = bus_key_allows(world, attempt, place) {
        return dead_letters::of_bus(world, attempt.arn, refusal, &attempt.body, trace);
    }
    trace.hops.push(firing.hop(
        link,
        Outcome::Ok,
        format!("sent to the bus {name} of account {account} in {region}"),
    ));
    let mut event: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    if !event.is_object() {
        // A target of a bus in the same place may have changed what it sends; a bus only takes events.
        event = json!({"detail": event});
    }
    let origin = if here {
        firing.origin
    } else {
        Origin::Forwarded
    };
    arrive(world, (account, region, &name), &event, origin, trace);
    Ok(())
}

fn bus_policy_allows(
    world: &World,
    attempt: &Attempt<'_>,
    principal: &Principal,
    place: (&str, &str),
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let link = format!("bus policy of {}", short(attempt.arn));
    let mut context = firing.context();
    for (key, field) in [
        ("events:source", "source"),
        ("events:detail-type", "detail-type"),
    ] {
        let value = serde_json::from_str::<Value>(&attempt.body)
            .ok()
            .and_then(|event| Some(event.get(field)?.as_str()?.to_owned()));
        if let Some(value) = value {
            context = context.with(key, value);
        }
    }
    // Without a role only the account is known, and not its organization: permission through the
    // organization needs a role.
    let request = match principal {
        Principal::Role(_) => asked_by(
            world,
            principal.clone(),
            "events:PutEvents",
            attempt.arn,
            context,
        ),
        _ => Request::new(principal.clone(), "events:PutEvents", attempt.arn, context),
    };
    let identity = match attempt.role {
        Some(role) => iam::identity(world, role, &request),
        None => crate::policy::Verdict::allow("the rule's own account sends"),
    };
    let policy = world
        .services
        .events
        .buses
        .get(attempt.arn)
        .and_then(|bus| bus.policy.as_ref());
    let named = policy.map(|document| Named {
        name: link.clone(),
        document,
    });
    let verdict = combine(&request, place.0, &identity, named.as_ref());
    if !verdict.allowed {
        return Err(Refusal::denied(verdict.reason, &link));
    }
    trace
        .hops
        .push(Hop::new(place, link, Outcome::Ok, verdict.reason));
    Ok(())
}

/// An encrypted bus needs a key that lets EventBridge in.
fn bus_key_allows(
    world: &World,
    attempt: &Attempt<'_>,
    place: (&str, &str),
) -> Result<(), Refusal> {
    let key = world
        .services
        .events
        .buses
        .get(attempt.arn)
        .and_then(|bus| bus.properties.get("KmsKeyIdentifier"))
        .filter(|key| *key != "");
    let context = Context::new()
        .with("aws:SourceAccount", place.0)
        .with("aws:SourceArn", attempt.arn)
        .with(
            "kms:EncryptionContext:aws:events:event-bus:arn",
            attempt.arn,
        );
    let principal = Principal::Service(SERVICE.to_owned());
    match kms::may_encrypt(world, key, place, &principal, &context) {
        Some(verdict) if !verdict.allowed => Err(Refusal::denied(verdict.reason, "key policy")),
        _ => Ok(()),
    }
}

fn to_topic(
    world: &mut World,
    attempt: &Attempt<'_>,
    account: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let publisher = match attempt.role {
        Some(role) => {
            let principal = assume(world, attempt, role)?;
            let context = iam::organization_context(world, &firing.bus.account, firing.context());
            Publisher { principal, context }
        }
        // EventBridge publishes as itself, and gives neither the topic's policy nor its key's the
        // keys aws:SourceArn and aws:SourceAccount.
        None => Publisher {
            principal: Principal::Service(SERVICE.to_owned()),
            context: Context::new(),
        },
    };
    if account != firing.bus.account && attempt.role.is_none() {
        return Err(Refusal::denied(
            "a topic of another account needs a RoleArn",
            &format!("topic {}", short(attempt.arn)),
        ));
    }
    sns::publish(world, attempt.arn, &publisher, &attempt.body, trace).map(|_| ())
}

fn to_queue(
    world: &mut World,
    attempt: &Attempt<'_>,
    account: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let name = short(attempt.arn);
    let link = format!("queue {name}");
    if !world.services.sqs.queues.contains_key(attempt.arn) {
        return Err(Refusal::missing(
            format!("the queue {} does not exist", attempt.arn),
            &link,
        ));
    }
    let reason = match attempt.role {
        Some(role) => {
            let principal = assume(world, attempt, role)?;
            let request = asked_by(
                world,
                principal,
                "sqs:SendMessage",
                attempt.arn,
                firing.context(),
            );
            let identity = iam::identity(world, role, &request);
            let policy = world
                .services
                .sqs
                .queues
                .get(attempt.arn)
                .and_then(|queue| queue.policy.as_ref());
            let named = policy.map(|(_, document)| Named {
                name: format!("queue policy of {name}"),
                document,
            });
            combine(&request, account, &identity, named.as_ref())
        }
        None => sqs::service_may_send(world, attempt.arn, SERVICE, firing.context()),
    };
    if !reason.allowed {
        return Err(Refusal::denied(
            reason.reason,
            &format!("queue policy of {name}"),
        ));
    }
    sqs::send(world, attempt.arn, attempt.body.clone(), BTreeMap::new());
    trace
        .hops
        .push(firing.hop(link, Outcome::Ok, "sent to the queue"));
    Ok(())
}

fn to_automation(
    world: &mut World,
    attempt: &Attempt<'_>,
    document: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let link = format!("automation {document}");
    let Some(role) = attempt.role else {
        return Err(Refusal::denied("the target has no RoleArn", &link));
    };
    let (principal, hop) = act_as(world, attempt, role, "ssm:StartAutomationExecution")?;
    trace.hops.push(hop);
    let place = (firing.bus.account.as_str(), firing.bus.region.as_str());
    let parameters: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    match ssm::start(world, place, document, &parameters, &principal) {
        Ok(execution) => {
            trace.hops.push(firing.hop(
                link,
                Outcome::Ok,
                format!("started the automation execution {execution}"),
            ));
            ssm::run(world, &execution, trace);
            Ok(())
        }
        Err(error) => {
            let outcome = if error.code.starts_with("AccessDenied") {
                Outcome::Denied
            } else {
                Outcome::Failed
            };
            let code = if outcome == Outcome::Denied {
                "NO_PERMISSIONS"
            } else {
                "SDK_CLIENT_ERROR"
            };
            Err(Refusal::new(code, error.message, &link, outcome))
        }
    }
}
