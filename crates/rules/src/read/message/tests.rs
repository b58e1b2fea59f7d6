//! Tests of compiled messages, including hostile values.

use eventbridge_pattern::transformer::Reserved;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const FRAME: Frame<'static> = Frame {
    id: "some-rule",
    title: "Something \"odd\" happened",
    severity: Severity::High,
    runbook: Some("Look.\nAct \\ ask."),
    is_cloudtrail: false,
};

fn compiled(text: &str) -> Message {
    let compiled = compile(text, &FRAME);
    assert_eq!(compiled.problems, [], "{text}");
    compiled.message.unwrap()
}

fn codes(text: &str) -> Vec<&'static str> {
    compile(text, &FRAME)
        .problems
        .iter()
        .map(|problem| problem.code)
        .collect()
}

fn event(detail: &Value) -> Value {
    json!({
        "version": "0", "id": "e-1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.iam",
        "account": "012345678901", "time": "2026-11-23T03:04:05Z", "region": "eu-central-1", "resources": [],
        "detail": detail,
    })
}

fn render(message: &Message, detail: &Value) -> String {
    message
        .transformer()
        .unwrap()
        .render(&event(detail).to_string(), &Reserved::default())
        .unwrap()
}

#[test]
fn each_line_with_a_label_is_a_field() {
    let message = compiled(
        "who: {{ detail.userIdentity.arn }}\nwhere: in {{ account }}, {{ region }}\n\
         did: {{ detail.eventName }} at {{detail.eventSource}} today\nA line of \"text\".\n",
    );
    assert_eq!(
        message.input_template,
        r#"{
  "alert": "[HIGH] Something \"odd\" happened in account <account> (<region>)",
  "who": <userIdentity-arn>,
  "where": "in <account>, <region>",
  "did": [<eventName>, "at", <eventSource>, "today"],
  "message": "A line of \"text\".",
  "first_steps": [
    "Look.",
    "Act \\ ask."
  ],
  "rule": "some-rule",
  "severity": "high",
  "account": "<account>",
  "region": "<region>",
  "time": "<time>",
  "event_id": "<id>"
}"#
    );
    assert_eq!(
        message
            .input_paths
            .get("userIdentity-arn")
            .map(String::as_str),
        Some("$.detail.userIdentity.arn")
    );
    assert_eq!(message.input_paths.len(), 7);
    assert!(message.placeholders().contains(&"$.detail.eventName"));
}

#[test]
fn alerts_about_records_carry_the_records_event_id() {
    let frame = Frame {
        is_cloudtrail: true,
        ..FRAME
    };
    let message = compile("who: {{ detail.arn }}", &frame).message.unwrap();
    let text = render(&message, &json!({"arn": "x", "eventID": "of-the-record"}));
    let alert: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(alert["event_id"], "of-the-record");
    // A hostile or missing id doesn't break the alert.
    for detail in [
        json!({"arn": "x", "eventID": "\"}, {"}),
        json!({"arn": "x"}),
    ] {
        let alert: Result<Value, _> = serde_json::from_str(&render(&message, &detail));
        assert!(alert.is_ok(), "{detail}");
    }
}

#[test]
fn the_alert_is_readable_json() {
    let message = compiled("who: {{ detail.arn }}\nfrom: {{ detail.ip }}\n");
    let text = render(
        &message,
        &json!({"arn": "say \"hi\"\n\\", "ip": "192.0.2.1"}),
    );
    let alert: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        alert["alert"],
        "[HIGH] Something \"odd\" happened in account 012345678901 (eu-central-1)"
    );
    assert_eq!(alert["who"], "say \"hi\"\n\\");
    assert_eq!(alert["from"], "192.0.2.1");
    assert_eq!(alert["first_steps"], json!(["Look.", "Act \\ ask."]));
    assert_eq!(alert["rule"], "some-rule");
    assert_eq!(alert["severity"], "high");
    assert_eq!(alert["account"], "012345678901");
    assert_eq!(alert["region"], "eu-central-1");
    assert_eq!(alert["time"], "2026-11-23T03:04:05Z");
    assert_eq!(alert["event_id"], "e-1");
    assert!(text.contains("\n  \"from\": \"192.0.2.1\",\n"), "{text}");
}

#[test]
fn several_lines_without_labels_are_a_list() {
    let message =
        compiled("One.\nTwo {{ detail.a }}.\nwho: {{ detail.b }}\nThree https://example.com/x\n");
    assert!(
        message.input_template.contains("\"message\": [\n    \"One.\",\n    [\"Two\", <a>, \".\"],\n    \"Three https://example.com/x\"\n  ],\n  \"who\": <b>"),
        "{}",
        message.input_template
    );
}

#[test]
fn a_runbook_may_be_an_address_or_missing() {
    let frame = Frame {
        runbook: Some("https://example.com/runbooks/x"),
        ..FRAME
    };
    let template = compile("a: b", &frame).message.unwrap().input_template;
    assert!(template.contains("\"runbook\": \"https://example.com/runbooks/x\""));
    let frame = Frame {
        runbook: None,
        ..FRAME
    };
    let template = compile("a: b", &frame).message.unwrap().input_template;
    assert!(template.contains("\"runbook\": \"none written\""));
}

#[test]
fn similar_paths_get_distinct_names() {
    let message = compiled(
        "a: {{ detail.x.y }}\nb: {{ detail.x-y }}\nc: {{ detail.x/y }}\nd: {{ detail.x[0].y }}\ne: {{ detail.x[*].y }}\n",
    );
    let names: Vec<&str> = message.input_paths.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "account", "id", "region", "time", "x-0-y", "x-n-y", "x-y", "x-y-2", "x-y-3"
        ]
    );
    // A field in `detail` with the same name as an envelope field.
    let message = compiled("a: {{ detail.account }} {{ account }}\n");
    assert!(
        message
            .input_template
            .contains("\"a\": [<account-2>, <account>]"),
        "{}",
        message.input_template
    );
}

#[test]
fn invalid_messages_are_reported() {
    assert_eq!(codes("a: {{ detail.x"), ["message::placeholder"]);
    assert_eq!(codes("a: detail.x }}"), ["message::placeholder"]);
    assert_eq!(codes("a: {{ userIdentity.arn }}"), ["message::placeholder"]);
    assert_eq!(codes("a: {{ detail['x'] }}"), ["message::placeholder"]);
    assert_eq!(codes("a: {{ detail }}"), ["message::placeholder"]);
    assert_eq!(codes("a: x\nA: y"), ["message::duplicate-label"]);
    assert_eq!(codes("Severity: x"), ["message::reserved-label"]);
    assert_eq!(codes("who:"), ["message::empty"]);
    assert_eq!(codes(" \n"), ["message::empty"]);
    assert_eq!(codes(&"x".repeat(8200)), ["message::too-large"]);
    let many: Vec<String> = (0..97)
        .map(|n| format!("l{n}: {{{{ detail.x{n} }}}}"))
        .collect();
    let many = many.join("\n");
    assert_eq!(codes(&many), ["message::too-many-paths"]);
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,30}".prop_map(Value::from),
        "[\"\\\\\n\r\t<>{}$\u{0}-\u{1f}\u{2028}a]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\<>]{1,5}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever a caller puts into an event, the alert is delivered with its fixed parts and the
    /// exact value.
    #[test]
    fn no_value_can_silence_an_alert(a in json_value(), b in json_value(), c in json_value()) {
        let message = compiled(
            "who: {{ detail.a }}\nmixed: from {{ detail.b }} in {{ region }}\nalone {{ detail.c }}\ndeep: {{ detail.a.x }}\n",
        );
        let text = render(&message, &json!({"a": a, "b": b, "c": c}));
        let alert: Value = serde_json::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(&alert["who"], &a);
        prop_assert_eq!(&alert["mixed"], &json!(["from", b, "in", "eu-central-1"]));
        prop_assert_eq!(&alert["message"], &json!(["alone", c]));
        prop_assert_eq!(&alert["rule"], "some-rule");
        prop_assert_eq!(&alert["account"], "012345678901");
    }
}

/// Why alerts are JSON: with a text template, a caller's value decides whether the alert arrives.
/// The first two cases were recorded on AWS, as `t50` and `t82` in
/// `crates/eventbridge-pattern/tests/data/input-transformers.jsonl.gz`.
#[test]
fn a_text_template_would_let_a_caller_silence_the_alert() {
    let paths = BTreeMap::from([("agent".to_owned(), "$.detail.userAgent".to_owned())]);
    let text = "\"[HIGH] Something happened\"\n\"user agent: <agent>\"";
    let text = InputTransformer::new(&paths, text).unwrap();
    let object = compiled("user agent: {{ detail.userAgent }}\n");
    let deliver = |agent: Value| {
        let detail = json!({ "userAgent": agent });
        // The object template's alert always arrives.
        let sent: Value = serde_json::from_str(&render(&object, &detail)).unwrap();
        assert_eq!(sent["user agent"], agent);
        let event = event(&detail).to_string();
        text.render(&event, &Reserved::default()).is_ok()
    };
    assert!(deliver(json!("aws-cli/2.31.5")));
    for silencing in [
        json!("say \"hello\""),
        json!("line\nslash\\tab\tend"),
        json!("C:\\python\\xmr"),
        // EventBridge removes the quotes of lists and objects but keeps the backslashes before
        // them.
        json!(["\"x"]),
        json!({"a": "\\\"x"}),
    ] {
        assert!(!deliver(silencing.clone()), "{silencing}");
    }
}
