//! The way of an event: bus, rules, targets, and the dead-letter queue where it can go no further.

use std::borrow::Cow;
use std::collections::BTreeMap;

use eventbridge_pattern::transformer::{Reserved, select};
use serde_json::{Value, json};

use super::dead_letters::{self, Failed};
use super::rules::{Input, Ready, ReadyRule, Target};
use super::targets::{Destination, destination};
use crate::policy::{Context, Named, Principal, Request, combine};
use crate::services::Services;
use crate::services::arn::short;
use crate::services::environment::{Cloud, Look};
use crate::services::sns::{self, Publisher, Refusal};
use crate::services::{Hop, Outcome, Trace, iam, kms, sqs, ssm};
use crate::wire::time::iso;

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

/// A bus's account and Region, and its name.
type Address<'a> = (&'a str, &'a str, &'a str);

/// An event on its way, read and written.
#[derive(Clone, Copy)]
struct Message<'a> {
    event: &'a Value,
    text: &'a str,
}

/// One rule on its way through its targets.
struct Firing<'a> {
    account: &'a str,
    region: &'a str,
    rule: &'a ReadyRule,
    message: Message<'a>,
    origin: Origin,
}

/// What a target is asked with: the rule's own identity, or a role.
struct Attempt<'a> {
    firing: &'a Firing<'a>,
    arn: &'a str,
    role: Option<&'a str>,
    body: Cow<'a, str>,
}

/// An event arrives at a bus: every rule that matches sends it to its targets.
pub(crate) fn arrive(
    cloud: &mut Cloud<'_>,
    bus: Address<'_>,
    event: &Value,
    origin: Origin,
    trace: &mut Trace,
) {
    let text = event.to_string();
    let text = &text;
    pass(cloud, bus, Message { event, text }, origin, trace);
}

fn pass(
    cloud: &mut Cloud<'_>,
    address: Address<'_>,
    message: Message<'_>,
    origin: Origin,
    trace: &mut Trace,
) {
    let (account, region, name) = address;
    cloud.look(account, Look::ToChange);
    let mut failed = |detail: String| {
        let link = format!("bus {name}");
        let hop = Hop::new((account, region), link, Outcome::Failed, detail);
        trace.hops.push(hop);
    };
    let (bus, ready) = match cloud.events.bus_mut(account, region, name) {
        Ok(bus) => ((bus.account.clone(), bus.region.clone()), bus.rules.ready()),
        Err(error) => return failed(error.message),
    };
    let matching = match ready.matching(message.text) {
        Ok(matching) => matching,
        Err(error) => return failed(error.to_string()),
    };
    let firing_rules = selected(&ready, &matching, address, message.event, trace);
    for rule in firing_rules {
        let firing = Firing {
            account: &bus.0,
            region: &bus.1,
            rule,
            message,
            origin,
        };
        for target in &rule.targets {
            fire(cloud, &firing, target, trace);
        }
    }
}

/// The matching rules that send the event on; the trace says why the others don't.
fn selected<'a>(
    ready: &Ready,
    matching: &[&'a ReadyRule],
    address: Address<'_>,
    event: &Value,
    trace: &mut Trace,
) -> Vec<&'a ReadyRule> {
    let (account, region, name) = address;
    let mut hop = |link: String, outcome, detail: &str| {
        trace
            .hops
            .push(Hop::new((account, region), link, outcome, detail));
    };
    if matching.is_empty() {
        let detail = match ready.count() {
            0 => "the bus has no rules",
            1 => "the only rule does not match the event",
            count => &format!("none of the {count} rules matches the event"),
        };
        hop(format!("rules on bus {name}"), Outcome::Dropped, detail);
        return Vec::new();
    }
    let read_only = is_read_only_management_event(event);
    let mut selected = Vec::new();
    for rule in matching {
        let refused = match rule.state.as_str() {
            "DISABLED" => Some("the rule matches, but is disabled"),
            "ENABLED" if read_only => Some(
                "the rule matches, but read-only management events reach only rules in state ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS",
            ),
            _ if rule.targets.is_empty() => Some("the rule matches, but has no targets"),
            _ => None,
        };
        let link = format!("rule {} on bus {name}", rule.name);
        if let Some(why) = refused {
            hop(link, Outcome::Dropped, why);
        } else {
            hop(link, Outcome::Ok, "the event matches the rule's pattern");
            selected.push(*rule);
        }
    }
    selected
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
        Hop::new((self.account, self.region), link, outcome, detail)
    }

    fn context(&self) -> Context {
        Context::new()
            .with("aws:SourceArn", self.rule.arn.as_str())
            .with("aws:SourceAccount", self.account)
    }

    fn here(&self, account: &str, region: &str) -> bool {
        self.account == account && self.region == region
    }
}

impl<'a> Attempt<'a> {
    /// The event itself, if the target sends it as it is.
    fn unchanged(&self) -> Option<Message<'a>> {
        matches!(self.body, Cow::Borrowed(_)).then_some(self.firing.message)
    }
}

fn fire(cloud: &mut Cloud<'_>, firing: &Firing<'_>, target: &Target, trace: &mut Trace) {
    cloud.look_at_named(&target.written, Look::ToChange);
    let (refusal, body) = match body(cloud, firing, target) {
        Ok(body) => {
            let attempt = Attempt {
                firing,
                arn: &target.arn,
                role: target.role.as_deref(),
                body,
            };
            match deliver(cloud, &attempt, &target.id, trace) {
                Ok(()) => return,
                Err(refusal) => (refusal, attempt.body.into_owned()),
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
        place: (firing.account, firing.region),
        target,
    };
    dead_letters::of_target(cloud, &failed, &refusal, body, trace);
}

/// Hands what a target receives to the service that its ARN names.
fn deliver(
    cloud: &mut Cloud<'_>,
    attempt: &Attempt<'_>,
    id: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let arn = attempt.arn;
    match destination(arn) {
        Some(Destination::Bus { account, region }) => {
            to_bus(cloud, attempt, (account, region), trace)
        }
        Some(Destination::Topic { account, .. }) => to_topic(cloud, attempt, account, trace),
        Some(Destination::Queue { account, .. }) => to_queue(cloud, attempt, account, trace),
        Some(Destination::Automation { document, .. }) => {
            to_automation(cloud, attempt, document, trace)
        }
        None => Err(Refusal::missing(
            format!("{arn} is not a target the simulator can deliver to"),
            &format!("target {id} ({arn}) of rule {}", attempt.firing.rule.name),
        )),
    }
}

struct Undelivered {
    code: String,
    message: String,
    attempted: String,
}

/// What the target receives; borrowed if it is the event itself.
fn body<'a>(
    services: &Services,
    firing: &Firing<'a>,
    target: &'a Target,
) -> Result<Cow<'a, str>, Undelivered> {
    let event = firing.message.text;
    let invalid = |message: String| Undelivered {
        code: "INVALID_JSON".to_owned(),
        message,
        attempted: event.to_owned(),
    };
    match &target.input {
        Input::Event => Ok(Cow::Borrowed(event)),
        Input::Constant(text) => Ok(Cow::Owned(text.clone())),
        Input::Path(path) => select(path, event)
            .map(Cow::Owned)
            .map_err(|error| invalid(error.to_string())),
        Input::Transformer(transformer) => {
            let reserved = Reserved {
                rule_arn: firing.rule.arn.clone(),
                rule_name: firing.rule.name.clone(),
                ingestion_time: iso(services.environment.now),
            };
            transformer
                .render(event, &reserved)
                .map(Cow::Owned)
                .map_err(|undeliverable| Undelivered {
                    message: format!(
                        "{} The transformed text was: {}",
                        undeliverable.message, undeliverable.attempted
                    ),
                    code: undeliverable.code,
                    attempted: undeliverable.attempted,
                })
        }
        Input::Invalid(why) => Err(invalid(why.clone())),
    }
}

/// Takes on a target's role, or says why that does not work.
fn assume(services: &Services, attempt: &Attempt<'_>, role: &str) -> Result<Principal, Refusal> {
    iam::service_may_assume(services, role, SERVICE, attempt.firing.context())
        .map(|()| Principal::Role(role.to_owned()))
        .map_err(|reason| Refusal::denied(reason, &format!("role {}", short(role))))
}

/// A question a role asks, with what is known of its organization.
fn asked_by(
    services: &Services,
    principal: Principal,
    action: &str,
    resource: &str,
    context: Context,
) -> Request {
    let context = match principal.account() {
        Some(account) => iam::organization_context(&services.organization, account, context),
        None => context,
    };
    Request::new(principal, action, resource, context)
}

/// Takes on a target's role, whose own policies must allow `action` on the target.
fn act_as(
    services: &Services,
    attempt: &Attempt<'_>,
    role: &str,
    action: &str,
) -> Result<(Principal, Hop), Refusal> {
    let firing = attempt.firing;
    let link = format!("role {}", short(role));
    let principal = assume(services, attempt, role)?;
    let request = asked_by(
        services,
        principal.clone(),
        action,
        attempt.arn,
        firing.context(),
    );
    let verdict = iam::identity(services, role, &request);
    if verdict.allowed {
        Ok((principal, firing.hop(link, Outcome::Ok, verdict.reason)))
    } else {
        Err(Refusal::denied(verdict.reason, &link))
    }
}

fn to_bus(
    cloud: &mut Cloud<'_>,
    attempt: &Attempt<'_>,
    place: (&str, &str),
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let (account, region) = place;
    let name = short(attempt.arn);
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
            let (principal, hop) = act_as(cloud, attempt, role, "events:PutEvents")?;
            trace.hops.push(hop);
            principal
        }
        None => Principal::Account(firing.account.to_owned()),
    };
    let exists = name == "default" && cloud.organization.account(account).is_some()
        || cloud.events.buses.contains_key(attempt.arn);
    if !exists {
        return Err(Refusal::missing(
            format!("the bus {} does not exist", attempt.arn),
            &link,
        ));
    }
    if account != firing.account {
        bus_policy_allows(cloud, attempt, &principal, place, trace)?;
    }
    if let Err(refusal) = bus_key_allows(cloud, attempt, place) {
        return dead_letters::of_bus(cloud, attempt.arn, refusal, &attempt.body, trace);
    }
    trace.hops.push(firing.hop(
        link,
        Outcome::Ok,
        format!("sent to the bus {name} of account {account} in {region}"),
    ));
    let origin = if here {
        firing.origin
    } else {
        Origin::Forwarded
    };
    let address = (account, region, name);
    if let Some(message) = attempt.unchanged() {
        pass(cloud, address, message, origin, trace);
        return Ok(());
    }
    let mut event: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    if !event.is_object() {
        // A target may have changed what it sends to a bus of its own account; a bus only takes events.
        event = json!({"detail": event});
    }
    arrive(cloud, address, &event, origin, trace);
    Ok(())
}

fn bus_policy_allows(
    services: &Services,
    attempt: &Attempt<'_>,
    principal: &Principal,
    place: (&str, &str),
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let link = format!("bus policy of {}", short(attempt.arn));
    let parsed;
    let event = if let Some(message) = attempt.unchanged() {
        message.event
    } else {
        parsed = serde_json::from_str(&attempt.body).unwrap_or_default();
        &parsed
    };
    let mut context = firing.context();
    for (key, field) in [
        ("events:source", "source"),
        ("events:detail-type", "detail-type"),
    ] {
        if let Some(value) = event.get(field).and_then(Value::as_str) {
            context = context.with(key, value);
        }
    }
    // Without a role only the account is known, and not its organization: permission through the
    // organization needs a role.
    let request = match principal {
        Principal::Role(_) => asked_by(
            services,
            principal.clone(),
            "events:PutEvents",
            attempt.arn,
            context,
        ),
        _ => Request::new(principal.clone(), "events:PutEvents", attempt.arn, context),
    };
    let identity = match attempt.role {
        Some(role) => iam::identity(services, role, &request),
        None => crate::policy::Verdict::allow("the rule's own account sends"),
    };
    let policy = services
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
    services: &Services,
    attempt: &Attempt<'_>,
    place: (&str, &str),
) -> Result<(), Refusal> {
    let key = services
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
    match kms::may_encrypt(services, key, place, &principal, &context) {
        Some(verdict) if !verdict.allowed => Err(Refusal::denied(verdict.reason, "key policy")),
        _ => Ok(()),
    }
}

fn to_topic(
    services: &mut Services,
    attempt: &Attempt<'_>,
    account: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let publisher = match attempt.role {
        Some(role) => {
            let principal = assume(services, attempt, role)?;
            let context =
                iam::organization_context(&services.organization, firing.account, firing.context());
            Publisher { principal, context }
        }
        // EventBridge publishes as itself, and gives neither the topic's policy nor its key's the
        // keys aws:SourceArn and aws:SourceAccount.
        None => Publisher {
            principal: Principal::Service(SERVICE.to_owned()),
            context: Context::new(),
        },
    };
    if account != firing.account && attempt.role.is_none() {
        return Err(Refusal::denied(
            "a topic of another account needs a RoleArn",
            &format!("topic {}", short(attempt.arn)),
        ));
    }
    sns::publish(services, attempt.arn, &publisher, &attempt.body, trace).map(|_| ())
}

fn to_queue(
    services: &mut Services,
    attempt: &Attempt<'_>,
    account: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let name = short(attempt.arn);
    let link = format!("queue {name}");
    if !services.sqs.queues.contains_key(attempt.arn) {
        return Err(Refusal::missing(
            format!("the queue {} does not exist", attempt.arn),
            &link,
        ));
    }
    let reason = match attempt.role {
        Some(role) => {
            let principal = assume(services, attempt, role)?;
            let request = asked_by(
                services,
                principal,
                "sqs:SendMessage",
                attempt.arn,
                firing.context(),
            );
            let identity = iam::identity(services, role, &request);
            let policy = services
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
        None => sqs::service_may_send(services, attempt.arn, SERVICE, firing.context()),
    };
    if !reason.allowed {
        return Err(Refusal::denied(
            reason.reason,
            &format!("queue policy of {name}"),
        ));
    }
    sqs::send(
        services,
        attempt.arn,
        attempt.body.clone().into_owned(),
        BTreeMap::new(),
    );
    trace
        .hops
        .push(firing.hop(link, Outcome::Ok, "sent to the queue"));
    Ok(())
}

fn to_automation(
    services: &mut Services,
    attempt: &Attempt<'_>,
    document: &str,
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let link = format!("automation {document}");
    let Some(role) = attempt.role else {
        return Err(Refusal::denied("the target has no RoleArn", &link));
    };
    let (principal, hop) = act_as(services, attempt, role, "ssm:StartAutomationExecution")?;
    trace.hops.push(hop);
    let place = (firing.account, firing.region);
    let parameters: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    match ssm::start(services, place, document, &parameters, &principal) {
        Ok(execution) => {
            trace.hops.push(firing.hop(
                link,
                Outcome::Ok,
                format!("started the automation execution {execution}"),
            ));
            ssm::run(services, &execution, trace);
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
