//! Compares the tree with `serde_yaml`'s, for scalars and whole documents.

use std::sync::Arc;

use proptest::prelude::*;
use serde_yaml::Value as Oracle;
use syntax::{Node, SourceFile, Value};

fn same(node: &Node, oracle: &Oracle) -> bool {
    match (&node.value, oracle) {
        (Value::Null, Oracle::Null) => true,
        (Value::Bool(ours), Oracle::Bool(theirs)) => ours == theirs,
        (Value::String(ours), Oracle::String(theirs)) => ours == theirs,
        (Value::Number(ours), Oracle::Number(theirs)) => match node.to_json() {
            serde_json::Value::Number(number) => {
                number.as_u64() == theirs.as_u64()
                    && number.as_i64() == theirs.as_i64()
                    && number.as_f64() == theirs.as_f64()
            }
            _ => theirs.is_infinite() || theirs.is_nan() || ours.len() > 18,
        },
        (Value::Sequence(ours), Oracle::Sequence(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Mapping(ours), Oracle::Mapping(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(entry, (key, value))| {
                    key.as_str().is_none_or(|key| key == entry.key) && same(&entry.value, value)
                })
        }
        _ => false,
    }
}

/// Compares how both parsers read a text. A text that only one of them accepts is not a difference.
fn compare(text: &str) -> Result<(), TestCaseError> {
    let file = Arc::new(SourceFile::new("a.yaml", text));
    let (node, diagnostics) = syntax::parse(&file);
    if let (Some(node), true, Ok(oracle)) = (
        node,
        diagnostics.is_empty(),
        serde_yaml::from_str::<Oracle>(text),
    ) {
        prop_assert!(
            same(&node, &oracle),
            "{text:?}\nours {node:?}\ntheirs {oracle:?}"
        );
    }
    Ok(())
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?[0-9]{1,14}",
        "[-+]?[0-9]{0,4}\\.?[0-9]{0,4}([eE][-+]?[0-9]{1,2})?",
        "[-+]?0[xob][0-9a-fA-F]{1,6}",
        "[-+]?\\.?(inf|Inf|INF|nan|NaN|NAN)",
        "(true|True|TRUE|tRue|false|yes|no|No|NO|on|off|y|n|null|Null|~|NULL)",
        "[a-zA-Z0-9_.+=/-]{1,12}",
    ]
}

fn document() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        (-1e6..1e6f64).prop_map(Into::into),
        "[ -~äß\\n\\t]{0,20}".prop_map(Into::into),
        scalar().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[a-z0-9_.-]{1,8}", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn plain_scalars_resolve_as_in_serde_yaml(text in scalar()) {
        compare(&format!("k: {text}\n"))?;
        compare(&format!("- {text}\n- '{text}'\n- \"{text}\"\n"))?;
    }

    #[test]
    fn documents_written_by_serde_yaml_read_back(value in document()) {
        let text = serde_yaml::to_string(&value).unwrap();
        let file = Arc::new(SourceFile::new("a.yaml", text.clone()));
        let (node, diagnostics) = syntax::parse(&file);
        if let Some(node) = node {
            prop_assert!(diagnostics.is_empty(), "{text}\n{diagnostics:?}");
            let oracle: Oracle = serde_yaml::from_str(&text).unwrap();
            prop_assert!(same(&node, &oracle), "{text}\n{node:?}");
        } else {
            prop_assert!(value.is_null(), "{text}\n{diagnostics:?}");
        }
    }

    #[test]
    fn json_is_yaml_and_comes_back_as_it_was(value in document()) {
        let file = Arc::new(SourceFile::new("a.yaml", value.to_string()));
        let (node, _) = syntax::parse(&file);
        prop_assert_eq!(node.map(|node| node.to_json()).unwrap_or_default(), value);
    }

    #[test]
    fn nothing_panics(text in "[ -~\\n\\täß{}\\[\\]:&*!|>'\"%@`-]{0,80}") {
        let file = Arc::new(SourceFile::new("a.yaml", text.clone()));
        let (node, diagnostics) = syntax::parse(&file);
        prop_assert!(node.is_some() || !diagnostics.is_empty(), "{text:?}");
        for diagnostic in diagnostics {
            let location = diagnostic.location.unwrap();
            prop_assert!(text.get(location.span.start..location.span.end).is_some(), "{text:?} {location:?}");
        }
        compare(&text)?;
    }
}
