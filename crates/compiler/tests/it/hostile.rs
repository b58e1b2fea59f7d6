//! A value never adds, removes or renames a key of a template, whatever it contains.

use compiler::organization::{Organization, OwnTrail, Protocol, Subscription, Trail};
use compiler::{Bundle, compile};
use proptest::prelude::*;
use rules::{Message, Response, Rule};
use serde_json::{Value, json};

use crate::support::{api_rule, example, library, local, rule, start_instance, templates};

/// Keys and list lengths of a template, without its texts. Subtrees with user-defined keys count as
/// one leaf: the pattern, the placeholders, and the condition with the tag's key.
fn shape(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}/{key}");
                let tag = key == "StringEquals"
                    && value.as_object().is_some_and(|map| {
                        map.keys().any(|key| key.starts_with("aws:ResourceTag/"))
                    });
                if ["EventPattern", "InputPathsMap"].contains(&key.as_str()) || tag {
                    out.push(path);
                } else {
                    shape(value, &path, out);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                shape(item, &format!("{path}/{index}"), out);
            }
        }
        _ => out.push(path.to_owned()),
    }
}

fn shapes(bundle: &Bundle) -> Vec<String> {
    let mut out = Vec::new();
    for set in &bundle.stack_sets {
        shape(
            &serde_json::from_str(&set.template).unwrap(),
            &set.name,
            &mut out,
        );
    }
    out
}

/// Texts that would break a template if they weren't serialized as JSON.
fn hostile() -> impl Strategy<Value = String> {
    let nasty = [
        "\"",
        "\\",
        "\n",
        "\",\"Evil\":{\"Type\":\"AWS::IAM::User\"},\"",
        "}}",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "{# x #}",
        "${AWS::AccountId}",
        "<a>",
        "'",
        "\u{2028}",
        "\u{0}",
        "!Sub",
        "</script>",
        "ü",
        "]]",
        ",",
    ];
    let piece = prop_oneof![
        proptest::sample::select(nasty.to_vec()).prop_map(str::to_owned),
        proptest::string::string_regex("[ -~]{0,8}").unwrap(),
    ];
    proptest::collection::vec(piece, 0..6)
        .prop_map(|pieces| pieces.concat())
        .prop_filter("refused, see the test below", |text| {
            !text.contains("{{resolve:")
        })
}

fn rules_with(text: &str) -> Vec<Rule> {
    let pattern = json!({"source": ["aws.iam"], "detail": {"eventName": [text]}}).to_string();
    let alert = Rule {
        title: text.to_owned(),
        message: Some(Message {
            input_paths: [("field".to_owned(), "$.detail.eventName".to_owned())].into(),
            input_template: json!({"alert": text}).to_string(),
        }),
        ..rule("alert", &pattern)
    };
    vec![alert, start_instance("respond", "auto-start", "true")]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn texts_of_rules_stay_texts(text in hostile()) {
        for organization in [example(), local()] {
            let (plain, _) = compile(&rules_with("plain"), &organization, &templates());
            let (bundle, diagnostics) = compile(&rules_with(&text), &organization, &templates());
            prop_assert!(bundle.is_some(), "{:?}", diagnostics);
            let bundle = bundle.unwrap();
            prop_assert_eq!(masked(&shapes(&bundle)), masked(&shapes(&plain.unwrap())));
            let found = bundle.stack_sets.iter().any(|set| {
                let template: Value = serde_json::from_str(&set.template).unwrap();
                template["Resources"]["RuleAlert"]["Properties"]["Description"] == json!(text)
            });
            prop_assert!(found, "the title arrives unchanged");
        }
    }

    #[test]
    fn texts_of_the_organization_stay_texts(text in hostile()) {
        // `organization::load` rejects such values; the templates must be safe regardless.
        let with = |text: &str| {
            let mut organization = example();
            organization.trail = Trail::Own(OwnTrail {
                name: text.to_owned(),
                ..OwnTrail::default()
            });
            organization.accounts.hub = text.to_owned();
            organization.topics[0].subscriptions =
                vec![Subscription { protocol: Protocol::Sqs, endpoint: text.to_owned() }];
            organization
        };
        let shape_of = |organization: &Organization| {
            let (bundle, diagnostics) = compile(&library(), organization, &templates());
            bundle.map(|bundle| masked(&shapes(&bundle))).ok_or(diagnostics)
        };
        let plain = shape_of(&with("plain"));
        prop_assert!(plain.is_ok(), "{:?}", plain);
        prop_assert_eq!(shape_of(&with(&text)), plain);
    }
}

/// Masks logical ids that depend on content.
fn masked(shapes: &[String]) -> Vec<String> {
    let mask = |path: &String| {
        let steps = path.split('/').map(|step| {
            let content = [
                "Forward",
                "AlertsTopicSubscription",
                "DeadLetterAlarmsTopicSubscription",
            ]
            .into_iter()
            .find(|prefix| {
                step.strip_prefix(prefix)
                    .is_some_and(|hash| hash.len() == 8 && hash != "erRole")
            });
            content.unwrap_or(step)
        });
        steps.collect::<Vec<_>>().join("/")
    };
    shapes.iter().map(mask).collect()
}

#[test]
fn dynamic_references_are_rejected_everywhere() {
    let reference = "{{resolve:ssm:secret}}";
    let title = Rule {
        title: reference.to_owned(),
        ..api_rule("a", "iam", "CreateUser")
    };
    let pattern = rule(
        "a",
        &json!({"source": ["aws.iam"], "detail": {"eventName": [reference]}}).to_string(),
    );
    let key = rule(
        "a",
        &json!({"source": ["aws.iam"], "detail": {reference: ["x"]}}).to_string(),
    );
    let mut message = api_rule("a", "iam", "CreateUser");
    message.message.as_mut().unwrap().input_template = json!({"alert": reference}).to_string();
    for rule in [title, pattern, key, message] {
        let diagnostics = crate::support::errors(&[rule], &example());
        assert_eq!(diagnostics[0].code, "limit::dynamic-reference");
        assert!(diagnostics[0].location.is_some());
    }
}

#[test]
fn functions_of_cloudformation_are_refused_in_patterns() {
    for key in ["Ref", "Fn::ImportValue", "Condition"] {
        let rule = rule(
            "a",
            &json!({"source": ["aws.iam"], "detail": {key: ["x"]}}).to_string(),
        );
        let diagnostics = crate::support::errors(&[rule], &example());
        assert_eq!(
            diagnostics[0].code, "limit::intrinsic-function",
            "{diagnostics:?}"
        );
    }
}

#[test]
fn tags_have_no_policy_variables() {
    for (key, value) in [
        ("${aws:PrincipalTag/x}", "true"),
        ("auto-start", "${aws:username}"),
        ("a\"b", "x"),
        ("", "x"),
    ] {
        let mut rule = start_instance("a", "auto-start", "true");
        rule.respond = Some(Response::StartInstance {
            instance: "$.detail.instance-id".to_owned(),
            tag_key: key.to_owned(),
            tag_value: value.to_owned(),
        });
        let diagnostics = crate::support::errors(&[rule], &example());
        assert_eq!(diagnostics[0].code, "limit::tag");
    }
}

#[test]
fn the_order_of_fields_in_a_pattern_survives() {
    // A field after `$or` replaces one inside it, so sorting would change the pattern's meaning.
    let text =
        r#"{"source":["aws.iam"],"detail":{"z":["1"],"$or":[{"b":["1"]},{"a":["1"]}],"a":["2"]}}"#;
    let (bundle, _) = compile(&[rule("a", text)], &example(), &templates());
    let hub = &bundle.unwrap().stack_sets[3];
    let template: Value = serde_json::from_str(&hub.template).unwrap();
    assert_eq!(
        template["Resources"]["RuleA"]["Properties"]["EventPattern"].to_string(),
        text.strip_suffix('}').unwrap().to_owned() + r#","replay-name":[{"exists":false}]}"#
    );
}
