//! Delivers to targets: buses, topics, queues and automation runbooks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::delivery::{Attempt, Firing, Origin, arrive, match_rules};
use super::targets::{Destination, destination};
use super::{SERVICE, dead_letters};
use crate::arn::short;
use crate::environment::{Cloud, Surprise};
use crate::policy::{Context, Named, Principal, Request, Verdict, combine};
use crate::sns::{self, Publisher, Refusal};
use crate::{Hop, Outcome, Services, Trace, iam, kms, sqs, ssm};

/// Delivers to the service that the target's ARN names.
pub(super) fn deliver(
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

/// Assumes a target's role.
fn assume(services: &Services, attempt: &Attempt<'_>, role: &str) -> Result<Principal, Refusal> {
    iam::service_may_assume(services, role, SERVICE, attempt.firing.context())
        .map(|()| Principal::Role(role.to_owned()))
        .map_err(|reason| Refusal::denied(reason, &format!("role {}", short(role))))
}

/// A principal's request with the condition keys of its organization.
fn request_of(
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

/// Assumes a target's role, whose own policies must allow `action` on each of the resources.
fn act_as(
    services: &Services,
    attempt: &Attempt<'_>,
    role: &str,
    action: &str,
    resources: &[&str],
) -> Result<(Principal, Hop), Refusal> {
    let firing = attempt.firing;
    let link = format!("role {}", short(role));
    let principal = assume(services, attempt, role)?;
    let mut reason = String::new();
    for resource in resources {
        let request = request_of(
            services,
            principal.clone(),
            action,
            resource,
            firing.context(),
        );
        let verdict = iam::identity(services, role, &request);
        if !verdict.allowed {
            return Err(Refusal::denied(verdict.reason, &link));
        }
        reason = verdict.reason;
    }
    Ok((principal, firing.hop(link, Outcome::Ok, reason)))
}

fn to_bus(
    cloud: &mut Cloud<'_>,
    attempt: &Attempt<'_>,
    location: (&str, &str),
    trace: &mut Trace,
) -> Result<(), Refusal> {
    let firing = attempt.firing;
    let (account, region) = location;
    let name = short(attempt.arn);
    let link = format!("target {name} (bus {})", attempt.arn);
    let here = firing.is_in(account, region);
    if !here && firing.origin == Origin::Forwarded {
        return Err(Refusal::new(
            "THIRD_ACCOUNT_HOP_DETECTED",
            "the event already came from another account or Region; EventBridge does not forward it to a third",
            &link,
            Outcome::Dropped,
        ));
    }
    let principal = match attempt.role {
        Some(role) => {
            let (principal, hop) =
                act_as(cloud, attempt, role, "events:PutEvents", &[attempt.arn])?;
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
        bus_policy_allows(cloud, attempt, &principal, location, trace)?;
    }
    if let Err(refusal) = bus_key_allows(cloud, attempt, location) {
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
        match_rules(cloud, address, message, origin, trace);
        return Ok(());
    }
    let mut event: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    if !event.is_object() {
        // A transformer can send anything to a bus of its own account, but a bus accepts only
        // events.
        event = json!({"detail": event});
    }
    arrive(cloud, address, &event, origin, trace);
    Ok(())
}

fn bus_policy_allows(
    services: &Services,
    attempt: &Attempt<'_>,
    principal: &Principal,
    location: (&str, &str),
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
    // Without a role, AWS passes the account but not its organization: conditions on the
    // organization are met only with a role.
    let request = match principal {
        Principal::Role(_) => request_of(
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
        None => Verdict::allow("the rule's own account sends"),
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
    let verdict = combine(&request, location.0, &identity, named.as_ref());
    if !verdict.allowed {
        return Err(Refusal::denied(verdict.reason, &link));
    }
    trace
        .hops
        .push(Hop::new(location, link, Outcome::Ok, verdict.reason));
    Ok(())
}

/// Checks that EventBridge may use the key of an encrypted bus.
fn bus_key_allows(
    services: &Services,
    attempt: &Attempt<'_>,
    location: (&str, &str),
) -> Result<(), Refusal> {
    let key = services
        .events
        .buses
        .get(attempt.arn)
        .and_then(|bus| bus.properties.get("KmsKeyIdentifier"))
        .filter(|key| *key != "");
    let context = Context::new()
        .with("aws:SourceAccount", location.0)
        .with("aws:SourceArn", attempt.arn)
        .with(
            "kms:EncryptionContext:aws:events:event-bus:arn",
            attempt.arn,
        );
    let principal = Principal::Service(SERVICE.to_owned());
    match kms::may_encrypt(services, key, location, &principal, &context) {
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
            let topic = services.sns.topics.get(attempt.arn);
            let has_key = topic.is_some_and(|it| it.properties.contains_key("KmsMasterKeyId"));
            if has_key && services.environment.surprises(Surprise::RolesFailWithKeys) {
                return Err(Refusal::denied(
                    "EventBridge cannot use the KMS key of the topic with the target's role",
                    &format!("role {}", short(role)),
                ));
            }
            let context =
                iam::organization_context(&services.organization, firing.account, firing.context());
            Publisher::new(principal, context)
        }
        None => itself(services, firing),
    };
    if account != firing.account && attempt.role.is_none() {
        return Err(Refusal::denied(
            "a topic of another account needs a RoleArn",
            &format!("topic {}", short(attempt.arn)),
        ));
    }
    sns::publish(services, attempt.arn, &publisher, &attempt.body, trace).map(|_| ())
}

/// EventBridge as the publisher of a target without a role. Its key never gets the keys
/// `aws:SourceArn` and `aws:SourceAccount`, so the key's policy can't ask for them:
/// <https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html>. For the topic's policy,
/// documents disagree on `aws:SourceArn`: [`Surprise::TopicsSeeNoSource`] is the answer that
/// breaks a policy with that condition.
fn itself(services: &Services, firing: &Firing<'_>) -> Publisher {
    let context = if services.environment.surprises(Surprise::TopicsSeeNoSource) {
        Context::new()
    } else {
        Context::new().with("aws:SourceArn", firing.rule.arn.as_str())
    };
    Publisher {
        principal: Principal::Service(SERVICE.to_owned()),
        context,
        key_context: Context::new(),
    }
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
    let Some(queue) = services.sqs.queues.get(attempt.arn) else {
        return Err(Refusal::missing(
            format!("the queue {} does not exist", attempt.arn),
            &link,
        ));
    };
    let policy_link = format!("queue policy of {name}");
    let size = attempt.body.to_string().len();
    let verdict = match attempt.role {
        Some(role) => {
            let principal = assume(services, attempt, role)?;
            let request = request_of(
                services,
                principal,
                "sqs:SendMessage",
                attempt.arn,
                firing.context(),
            );
            let identity = iam::identity(services, role, &request);
            let named = queue.policy.as_ref().map(|(_, document)| Named {
                name: policy_link.clone(),
                document,
            });
            combine(&request, account, &identity, named.as_ref())
        }
        None => sqs::service_may_send(services, attempt.arn, SERVICE, size, firing.context()),
    };
    if !verdict.allowed {
        return Err(Refusal::denied(verdict.reason, &policy_link));
    }
    sqs::send(
        services,
        attempt.arn,
        attempt.body.to_string(),
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
    let location = (firing.account, firing.region);
    let execution = services.environment.uuid();
    let required = ssm::required_resources(location, document, &execution);
    let required: Vec<&str> = required.iter().map(String::as_str).collect();
    let (principal, hop) = act_as(services, attempt, role, ssm::START, &required)?;
    trace.hops.push(hop);
    let parameters: Value = serde_json::from_str(&attempt.body).unwrap_or_default();
    let started = ssm::start(
        services,
        location,
        document,
        &execution,
        &parameters,
        &principal,
    );
    match started {
        Ok(()) => {
            trace.hops.push(firing.hop(
                link,
                Outcome::Ok,
                format!("started the automation execution {execution}"),
            ));
            ssm::run(services, &execution, trace);
            Ok(())
        }
        Err(error) => {
            if error.code.starts_with("AccessDenied") {
                return Err(Refusal::denied(error.message, &link));
            }
            let (code, outcome) = ("SDK_CLIENT_ERROR", Outcome::Failed);
            Err(Refusal::new(code, error.message, &link, outcome))
        }
    }
}
