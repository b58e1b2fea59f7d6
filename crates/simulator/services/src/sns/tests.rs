use serde_json::{Map, Value, json};

use super::{Publisher, confirm, create_topic, publish, subscribe};
use crate::events::tests::hostile;
use crate::policy::{Context, Principal};
use crate::{Services, Trace};

const HUB: &str = "333344445555";

fn properties(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

/// A topic with one confirmed subscription: services, topic ARN, subscription ARN.
fn subscribed(scope: &str, filter: &Value) -> (Services, String, String) {
    let mut services = Services::default();
    let topic = create_topic(&mut services.sns, HUB, "eu-central-1", "alerts", Map::new());
    let topic = topic.unwrap();
    let subscription = properties(json!({
        "Protocol": "email", "Endpoint": "security@example.com",
        "FilterPolicy": filter, "FilterPolicyScope": scope,
    }));
    let subscription = subscribe(&mut services, HUB, &topic, subscription).unwrap();
    confirm(&mut services.sns, &subscription);
    (services, topic, subscription)
}

fn deliveries(services: &mut Services, topic: &str, message: &str) -> usize {
    let publisher = Publisher::new(Principal::Account(HUB.to_owned()), Context::new());
    let mut trace = Trace::default();
    publish(services, topic, &publisher, message, &mut trace).unwrap();
    trace.deliveries.len()
}

#[test]
fn a_filter_policy_decides_which_messages_a_subscription_gets() {
    for (scope, message, expected) in [
        ("MessageBody", r#"{"source":"a"}"#, 1),
        ("MessageBody", r#"{"source":"b"}"#, 0),
        ("MessageBody", "not an event", 0),
        ("MessageAttributes", r#"{"source":"a"}"#, 0),
    ] {
        let (mut services, topic, _) = subscribed(scope, &json!({"source": ["a"]}));
        let delivered = deliveries(&mut services, &topic, message);
        assert_eq!(delivered, expected, "{scope} {message}");
    }
}

#[test]
fn message_is_delivered_if_the_filter_exceeds_the_matchers_limit() {
    let (event, fields) = hostile();
    let (mut services, topic, _) = subscribed("MessageBody", &json!({"a": fields}));
    assert_eq!(deliveries(&mut services, &topic, &event), 1);
}

#[test]
fn changed_filter_policy_applies_immediately_and_an_invalid_one_changes_nothing() {
    let (mut services, topic, arn) = subscribed("MessageBody", &json!({"source": ["a"]}));
    let change = |services: &mut Services, filter: Value| {
        let subscription = services.sns.subscriptions.get_mut(&arn).unwrap();
        let changed = json!({"FilterPolicy": filter, "FilterPolicyScope": "MessageBody"});
        subscription.set_properties(properties(changed))
    };
    change(&mut services, json!({"source": ["b"]})).unwrap();
    assert_eq!(deliveries(&mut services, &topic, r#"{"source":"b"}"#), 1);
    let error = change(&mut services, json!({"source": "b"})).unwrap_err();
    assert!(error.message.contains("FilterPolicy"), "{}", error.message);
    assert_eq!(deliveries(&mut services, &topic, r#"{"source":"b"}"#), 1);
}
