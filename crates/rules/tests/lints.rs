//! Every lint fires on its bad example and not on its good one; every code is in the registry.
#![expect(clippy::expect_used, reason = "helpers of tests may fail the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rules::lint::{self, EXAMPLE_EVENT, Example, Lint};
use rules::{Library, Options};
use tempfile::TempDir;

/// Lints without a file as bad example. Other tests of this crate or of the compiler (`limit::…`,
/// `compile::…`, `forward::…`) trigger them, or nothing does, because they guard against bugs.
const FIRED_ELSEWHERE: &[&str] = &[
    "compile::no-effect",
    "compile::no-rules",
    "compile::no-topic",
    "compile::unknown-topic",
    "compile::deployers",
    "compile::findings",
    "compile::unprotected",
    "compile::unwatched-region",
    "exception::too-many",
    "forward::overlap",
    "forward::too-long",
    "library::empty",
    "library::extension",
    "library::missing",
    "library::symlink",
    "library::too-many",
    "library::unreadable",
    "limit::dynamic-reference",
    "limit::intrinsic-function",
    "limit::pattern",
    "limit::rules-per-bus",
    "limit::size",
    "limit::tag",
    "limit::template",
    "limit::wildcards-per-bus",
    "message::invalid",
    "message::too-large",
    "message::too-many-paths",
    "rule::duplicate-id",
    "rule::too-many-diagnostics",
    "test::event",
    "test::too-many",
    "test::undeliverable",
    "yaml::too-deep",
    "yaml::too-large",
];

/// Loads an example's files, each named after its id.
fn load(example: Example) -> Library {
    let folder = TempDir::new().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("fixtures/stop-logging.json", EXAMPLE_EVENT);
    for text in example.files() {
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("id: "))
            .unwrap_or("example-rule");
        write(&format!("{}.yaml", id.to_lowercase()), &text);
    }
    let options = Options {
        today: jiff::civil::date(2026, 11, 23),
    };
    let mut library = rules::load(folder.path(), &options);
    let outcomes = library.rules.iter().flat_map(rules::run_tests);
    let failures: Vec<_> = outcomes.filter_map(|outcome| outcome.diagnostic).collect();
    library.diagnostics.extend(failures);
    library
}

fn codes(library: &Library) -> Vec<&'static str> {
    library.diagnostics.iter().map(|it| it.code).collect()
}

#[test]
fn each_lint_fires_on_its_bad_example_and_is_silent_on_its_good_one() {
    let mut wrong = Vec::new();
    for lint in lint::registry() {
        let Lint { code, .. } = lint;
        if matches!(lint.bad, Example::Words(_)) {
            if !FIRED_ELSEWHERE.contains(code) {
                wrong.push(format!("{code}: nothing fires it"));
            }
        } else {
            let library = load(lint.bad);
            let fired: Vec<_> = library
                .diagnostics
                .iter()
                .filter(|it| it.code == *code)
                .collect();
            if fired.is_empty() {
                wrong.push(format!(
                    "{code}: silent on its bad example: {:?}",
                    codes(&library)
                ));
            }
            for diagnostic in fired {
                if diagnostic.severity != lint.severity {
                    wrong.push(format!("{code}: is a {}", diagnostic.severity));
                }
                if diagnostic.fix.is_some() && !lint.fix {
                    wrong.push(format!("{code}: has a fix"));
                }
            }
        }
        if matches!(lint.good, Example::Words(_)) {
            continue;
        }
        let found = codes(&load(lint.good));
        if found.contains(code) {
            wrong.push(format!("{code}: fires on its good example"));
        }
        // Users copy the good example, so it must not have other diagnostics either. Only its tests
        // may belong to another pattern, and a rule alone isn't a library.
        let is_expected = |it: &&&str| {
            it.starts_with("test::")
                || it.starts_with("message::unresolved")
                || **it == "library::omitted-parameters"
        };
        let other: Vec<_> = found.iter().filter(|it| !is_expected(it)).collect();
        if !other.is_empty() && !code.starts_with("allow::") {
            wrong.push(format!(
                "{code}: other diagnostics in its good example: {other:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_rule_has_no_diagnostics() {
    let library = load(Example::Fields(""));
    assert_eq!(codes(&library), Vec::<&str>::new());
    assert_eq!(library.rules.len(), 1);
}

#[test]
fn fixes_correct_only_their_diagnostic_in_one_round() {
    let mut mended = 0;
    for lint in lint::registry().iter().filter(|lint| lint.fix) {
        let Lint { code, .. } = lint;
        let library = load(lint.bad);
        let diagnostic = library
            .diagnostics
            .iter()
            .find(|it| it.code == *code && it.fix.is_some());
        let diagnostic = diagnostic.unwrap_or_else(|| panic!("{code}: no fix on its bad example"));
        let location = diagnostic.location.as_ref().expect("a place");
        let fixes: Vec<_> = diagnostic.fix.iter().cloned().collect();
        let (text, applied) = syntax::apply(&location.file.text, &fixes);
        assert_eq!(applied, 1, "{code}");
        let fixed = load(Example::File(Box::leak(text.into_boxed_str())));
        let again = fixed
            .diagnostics
            .iter()
            .filter(|it| it.code == *code)
            .count();
        let before = library
            .diagnostics
            .iter()
            .filter(|it| it.code == *code)
            .count();
        assert!(again < before, "{code}: still {again} of {before}");
        assert!(
            !codes(&fixed).iter().any(|it| it.starts_with("yaml::")),
            "{code}: {:?}",
            codes(&fixed)
        );
        mended += 1;
    }
    assert!(mended > 0);
}

#[test]
fn every_code_in_the_source_has_a_page_and_only_one() {
    let mut written = BTreeSet::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["syntax/src", "rules/src", "compiler/src"] {
        codes_in(&crates.join(folder), &mut written);
    }
    let registered: Vec<&str> = lint::registry().iter().map(|lint| lint.code).collect();
    let unique: BTreeSet<&str> = registered.iter().copied().collect();
    assert_eq!(unique.len(), registered.len(), "a duplicate code");
    let missing: Vec<_> = written
        .iter()
        .filter(|code| !unique.contains(code.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "no page in crates/rules/src/lint/registry: {missing:?}"
    );
    let unused: Vec<_> = unique
        .iter()
        .filter(|code| !written.contains(**code))
        .collect();
    assert!(unused.is_empty(), "nothing finds {unused:?}");
}

/// Collects string literals outside the registry that look like diagnostic codes.
fn codes_in(folder: &Path, codes: &mut BTreeSet<String>) {
    const FAMILIES: [&str; 12] = [
        "compile",
        "forward",
        "yaml",
        "library",
        "rule",
        "pattern",
        "message",
        "exception",
        "test",
        "respond",
        "limit",
        "allow",
    ];
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "registry") {
                codes_in(&path, codes);
            }
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for literal in text.split('"').skip(1) {
            if let Some((family, name)) = literal.split_once("::")
                && FAMILIES.contains(&family)
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
            {
                codes.insert(literal.to_owned());
            }
        }
    }
}

fn with_comment(fields: &'static str) -> Library {
    load(Example::Fields(fields))
}

#[test]
fn an_allowed_diagnostic_is_silent_and_counted() {
    let above = with_comment("# allow: rule::deprecated kept for the audit\nstatus: deprecated\n");
    assert_eq!(codes(&above), Vec::<&str>::new());
    assert_eq!(above.allowed, 1);
    let beside = with_comment("status: deprecated # allow: rule::deprecated kept for the audit\n");
    assert_eq!(codes(&beside), Vec::<&str>::new());
    // Other comments and empty lines may come in between, and the whole value is covered.
    let nested = with_comment(
        "# allow: rule::account-number an old test\n\n# The audit account.\nevent_pattern:\n  source: [aws.cloudtrail]\n  account:\n    - 111122223333\n",
    );
    assert!(
        !codes(&nested).contains(&"rule::account-number"),
        "{:?}",
        codes(&nested)
    );
    // Text that looks like a comment isn't one.
    let text =
        with_comment("status: deprecated\ndescription: \"# allow: rule::deprecated text\"\n");
    assert_eq!(codes(&text), ["rule::deprecated"]);
    // An allowance doesn't extend beyond its value.
    let below = with_comment(
        "# allow: rule::deprecated kept for the audit\nowner: cloud-security\nstatus: deprecated\n",
    );
    assert_eq!(codes(&below), ["rule::deprecated", "allow::unused"]);
}

#[test]
fn a_list_with_terms_of_several_types_is_allowed() {
    // "Anything but a number above five" as written by the importer: one term per type.
    let library = load(Example::Fields(
        "event_pattern:\n  source: [aws.cloudtrail]\n  detail-type: [AWS API Call via CloudTrail]\n  detail:\n    eventSource: [cloudtrail.amazonaws.com]\n    eventName: [StopLogging]\n    errorCode: [{exists: false}]\n    requestParameters: {size: [{numeric: [\"<=\", 5]}, {prefix: \"\"}, true, false, null, {exists: false}]}\ntests:\n  - name: a small one\n    expect: match\n    fixture: stop-logging.json\n    override: {requestParameters: {size: 3}}\n  - name: a large one\n    expect: no_match\n    fixture: stop-logging.json\n    override: {requestParameters: {size: 7}}\n",
    ));
    assert_eq!(codes(&library), ["message::unresolved"; 0]);
}
