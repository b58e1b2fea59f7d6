use proptest::prelude::*;

use super::*;
use crate::write::write_entry;

const ORDER: &[&str] = &["version", "id", "text", "list"];

fn order(path: &[&str]) -> Vec<&'static str> {
    if path.is_empty() {
        ORDER.to_vec()
    } else {
        Vec::new()
    }
}

fn source(text: &str) -> Arc<SourceFile> {
    Arc::new(SourceFile::new("a.yaml", text))
}

#[track_caller]
fn formatted(text: &str) -> String {
    let once = format(&source(text), &order)
        .unwrap_or_else(|diagnostics| panic!("{diagnostics:?}\n{text}"));
    let twice = format(&source(&once), &order)
        .unwrap_or_else(|diagnostics| panic!("{diagnostics:?}\n{once}"));
    assert_eq!(once, twice, "not stable, from\n{text}");
    once
}

#[test]
fn a_blocks_last_line_of_spaces_is_text_and_no_empty_line() {
    for sign in ['>', '|'] {
        let text = format!("text: {sign}\n  words\n    deeper\n        \n");
        assert_eq!(
            formatted(&format!("{text}other: 1\n")),
            format!("{text}other: 1\n")
        );
        // Spaces up to the block's column are an empty line.
        let apart = format!("text: {sign}\n  words\n\nother: 1\n");
        assert_eq!(
            formatted(&format!("text: {sign}\n  words\n  \nother: 1\n")),
            apart
        );
    }
}

#[test]
fn keys_indentation_quotes_and_the_last_newline() {
    assert_eq!(
        formatted(
            "list:\n- 'a b'\n-   {x:  1,y: 'No'}\nother:\n      deep:   \"it's\"\nid: \"say \\\"x\\\"\"\nversion: 1"
        ),
        "version: 1\nid: 'say \"x\"'\nlist:\n  - a b\n  - {x: 1, y: \"No\"}\nother:\n  deep: \"it's\"\n"
    );
    assert_eq!(
        formatted("a:\nb: ~\nc: True\nd: 0x1F\n"),
        "a: null\nb: null\nc: true\nd: 0x1F\n"
    );
    assert_eq!(
        formatted("- - a\n  - b\n-\n  c: d\n  e: [ ]\n"),
        "- - a\n  - b\n- c: d\n  e: []\n"
    );
}

#[test]
fn comments_stay_with_their_value() {
    let text = "\
# yaml-language-server: $schema=x
# The file.

# The list.
list: # behind the key
  # first
  - a # behind a
  # the pair
  - k: v

    # before l
    l: w # behind w
  # at the end of the list
# The id.
id: x # why

version: 1
# At the end.
";
    assert_eq!(
        formatted(text),
        "\
# yaml-language-server: $schema=x
# The file.

version: 1
# The id.
id: x # why
# The list.
list: # behind the key
  # first
  - a # behind a
  # the pair
  - k: v

    # before l
    l: w # behind w
  # at the end of the list
# At the end.
"
    );
    // A comment turns a flow collection into a block, and none gets lost.
    assert_eq!(
        formatted("list: [a, # one\n  b, {c: d}] # three\n"),
        "# three\nlist:\n  - a # one\n  - b\n  - {c: d}\n"
    );
    assert_eq!(
        formatted("- # in\n  a: 1\n- [ # x\n  ]\n"),
        "# in\n- a: 1\n# x\n- []\n"
    );
    assert_eq!(
        formatted("text: > # c\n    one\n    two\n"),
        "text: > # c\n  one\n  two\n"
    );
}

#[test]
fn block_scalars_keep_their_text() {
    let text =
        "text: |-\n     one\n       two\n\n     three\nlist: >+\n   a\n   b\n\n\nid: |\n  x\n";
    assert_eq!(
        formatted(text),
        "id: |\n  x\ntext: |-\n  one\n    two\n\n  three\nlist: >+\n  a\n  b\n\n\n"
    );
    let wide = format!(
        "text: >\n  {}\n  end\n\n  {}\n   kept\n",
        "word ".repeat(30).trim(),
        "next"
    );
    let out = formatted(&wide);
    assert!(
        out.lines().all(|line| line.chars().count() <= PROSE),
        "{out}"
    );
    assert!(out.ends_with("word word end\n\n  next\n   kept\n"), "{out}");
}

#[test]
fn wide_lines_are_broken() {
    let items = vec!["something"; 15].join(", ");
    let out = formatted(&format!(
        "list: [{items}] # why\nid: {{a: [{items}], b: c}}\n"
    ));
    assert!(out.starts_with("id:\n  a:\n    - something\n"), "{out}");
    assert!(
        out.contains("  b: c\n# why\nlist:\n  - something\n"),
        "{out}"
    );
    let out = formatted(&format!("list:\n  - {} end\n", "word ".repeat(40).trim()));
    assert!(out.lines().count() > 2, "{out}");
    assert!(
        out.lines().all(|line| line.chars().count() <= PROSE),
        "{out}"
    );
}

#[test]
fn invalid_yaml_is_not_formatted() {
    for text in ["a: [", "a: 1\na: 2\n", "a: &x 1\n", ""] {
        let refused = format(&source(text), &order);
        assert!(
            matches!(refused, Err(Unformatted::Diagnostics(diagnostics)) if !diagnostics.is_empty()),
            "{text}"
        );
    }
}

/// Arbitrary values in arbitrary YAML styles.
fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "[ -~\\n\u{e9}]{0,14}".prop_map(Into::into),
        "[a-z#:,'\"-]{1,8}( [a-z#:,'\"-]{1,8}){0,30}".prop_map(Into::into),
        "([a-z]{1,6} ?){1,5}\\n( ?[a-z #:]{0,9}\\n){0,4}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map("(version|id|text|list|[ -~]{1,5})", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Inserts comments and empty lines, at line ends and on their own lines.
fn commented(text: &str, at: &[(u8, u8)]) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let (kind, indent) = at.get(index % at.len().max(1)).copied().unwrap_or_default();
        let pad = " ".repeat(usize::from(indent));
        match kind {
            0 => out.push_str(&format!("{line} # c{index}\n")),
            1 => out.push_str(&format!("{pad}# l{index}\n{line}\n")),
            2 => out.push_str(&format!("\n{pad}# m{index}\n\n{line}\n")),
            3 => out.push_str(&format!("\n\n{line}\n")),
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    out
}

/// Comment texts in source order.
fn texts(text: &str) -> Vec<String> {
    comments(&source(text))
        .into_iter()
        .map(|it| it.text)
        .collect()
}

proptest! {


    #[test]
    fn nothing_is_changed_or_lost(value in value(), at in prop::collection::vec((0..9_u8, 0..7_u8), 1..9)) {
        let mut text = String::new();
        write_entry(&mut text, 0, "id", &value);
        write_entry(&mut text, 0, "zebra", &value);
        let text = commented(&text, &at);
        let file = source(&text);
        // An inserted comment may be inside text, or may break the file.
        let (Some(node), diagnostics) = parse(&file) else { return Ok(()); };
        if !diagnostics.is_empty() { return Ok(()); }
        let once = format(&file, &|_| Vec::new());
        let Ok(once) = once else { panic!("{once:?}\n{text}"); };
        prop_assert_eq!(parse(&source(&once)).0.map(|it| it.to_json_text()), Some(node.to_json_text()), "{}\n---\n{}", text, once);
        prop_assert_eq!(texts(&once), texts(&text), "{}\n---\n{}", text, once);
        prop_assert_eq!(format(&source(&once), &|_| Vec::new()), Ok(once.clone()), "{}\n---\n{}", text, once);
        // Sorting keys loses nothing either, and is stable.
        formatted(&text);
    }

    #[test]
    fn any_text_is_formatted_or_refused(text in "[a-c:{}\\[\\],#'\"|>\\- \\n]{0,60}") {
        let file = source(&text);
        if let Ok(once) = format(&file, &order) {
            prop_assert_eq!(format(&source(&once), &order), Ok(once.clone()), "{:?}\n---\n{}", text, once);
        } else if parse(&file).1.is_empty() && parse(&file).0.is_some() {
            prop_assert!(false, "not formatted: {:?}", text);
        }
    }
}
