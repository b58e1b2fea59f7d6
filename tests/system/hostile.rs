//! Rules written with malicious intent: each results in a limited number of diagnostics.
//!
//! Nothing here measures time. What bounds time and memory are limits that the diagnostics name:
//! bytes, values and depth of a file, terms and combinations of a pattern, tests, fixtures and
//! files. To measure, `cargo test -p tests --test system write_the_hostile_rules -- --ignored`
//! writes every case to `target/hostile/`, for `gizmos check --rules target/hostile/<case>`.
#![expect(
    clippy::unwrap_used,
    clippy::semicolon_if_nothing_returned,
    clippy::format_collect,
    reason = "a table of short programs that lay out files"
)]

use std::fs;
use std::path::Path;

use tests::{EXAMPLE_EVENT, EXAMPLE_RULE};

use crate::project;

/// Maximum diagnostics for one hostile file.
const MOST_DIAGNOSTICS: usize = 110;
/// Maximum bytes of output, including excerpts.
const MOST_OUTPUT: usize = 512 * 1024;

/// A case: its name, the codes of which at least one must be reported, and a function that writes
/// its files to a rules folder, which already has `fixtures/event.json`.
type Case = (&'static str, &'static [&'static str], fn(&Path));

fn write(rules: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = rules.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn rule(rules: &Path, text: impl AsRef<[u8]>) {
    write(rules, "example-rule.yaml", text);
}

/// Writes the rule with one piece of text replaced.
fn changed(rules: &Path, from: &str, to: &str) {
    assert!(EXAMPLE_RULE.contains(from), "{from}");
    rule(rules, EXAMPLE_RULE.replacen(from, to, 1));
}

const NAME: &str = "[StopLogging]";

const CASES: &[Case] = &[
    // Files that grow, nest or never end.
    ("yaml-bomb", &["yaml::alias"], |rules| {
        let mut lines = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]".to_owned()];
        lines.extend((1..60).map(|n| {
            format!(
                "a{n}: &a{n} [{0}]",
                vec![format!("*a{}", n - 1); 9].join(", ")
            )
        }));
        rule(rules, lines.join("\n"));
    }),
    ("merge-key", &["yaml::merge-key"], |rules| {
        changed(rules, "source:", "<<: {a: [b]}\n  source:")
    }),
    ("deep-lists", &["yaml::syntax", "yaml::too-deep"], |rules| {
        rule(rules, "[".repeat(500_000))
    }),
    (
        "deep-mappings",
        &["yaml::syntax", "yaml::too-deep"],
        |rules| rule(rules, "{a: ".repeat(200_000)),
    ),
    (
        "deep-blocks",
        &["yaml::syntax", "yaml::too-deep"],
        |rules| rule(rules, "- ".repeat(300_000)),
    ),
    (
        "deep-pattern",
        &["yaml::too-deep", "pattern::invalid"],
        |rules| {
            changed(
                rules,
                NAME,
                &format!("{}[x]{}", "{a: ".repeat(90), "}".repeat(90)),
            );
        },
    ),
    ("two-megabytes", &["yaml::too-large"], |rules| {
        rule(rules, "x".repeat(2 << 20))
    }),
    ("many-values", &["yaml::too-large"], |rules| {
        rule(rules, format!("a: [{}]", "1,".repeat(300_000)))
    }),
    ("many-keys", &["rule::unknown-field"], |rules| {
        let keys: String = (0..40_000).map(|n| format!("k{n}: x\n")).collect();
        rule(rules, format!("{EXAMPLE_RULE}{keys}"));
    }),
    ("one-key-again", &["yaml::duplicate-key"], |rules| {
        rule(rules, "a: 1\n".repeat(90_000))
    }),
    ("many-documents", &["yaml::documents"], |rules| {
        rule(rules, "---\na: 1\n".repeat(90_000))
    }),
    ("tags", &["yaml::tag"], |rules| {
        rule(rules, format!("a: [{}]", "!x y,".repeat(90_000)))
    }),
    ("no-text", &["library::unreadable"], |rules| {
        rule(rules, [0xff_u8, 0xfe, 0, 1, 2].repeat(1000))
    }),
    ("nul-bytes", &["yaml::syntax", "rule::character"], |rules| {
        rule(rules, "\0".repeat(100_000))
    }),
    // Values of a megabyte.
    ("long-title", &["rule::too-long"], |rules| {
        changed(rules, "A trail was stopped", &"x".repeat(1_000_000))
    }),
    (
        "long-key",
        &["yaml::syntax", "rule::unknown-field"],
        |rules| rule(rules, format!("{EXAMPLE_RULE}{}: x\n", "k".repeat(100_000))),
    ),
    ("long-message", &["message::too-large"], |rules| {
        changed(
            rules,
            "who: {{",
            &format!("who: {} {{{{", "x".repeat(900_000)),
        )
    }),
    ("long-runbook", &["message::too-large"], |rules| {
        changed(rules, "Ask whoever stopped it", &"x ".repeat(400_000))
    }),
    ("long-value", &["pattern::invalid"], |rules| {
        changed(rules, NAME, &format!("[\"{}\"]", "x".repeat(900_000)))
    }),
    ("long-tag", &["rule::attack-id"], |rules| {
        rule(
            rules,
            format!("{EXAMPLE_RULE}tags: [attack.{}]\n", "t".repeat(900_000)),
        )
    }),
    (
        "many-placeholders",
        &[
            "message::too-large",
            "message::too-many-paths",
            "message::unresolved",
        ],
        |rules| {
            let all: String = (0..2_000)
                .map(|n| format!("{{{{ detail.f{n} }}}} "))
                .collect();
            changed(rules, "{{ detail.userIdentity.arn }}", &all);
        },
    ),
    (
        "braces",
        &["message::placeholder", "message::too-large"],
        |rules| {
            changed(
                rules,
                "{{ detail.userIdentity.arn }}",
                &"{{".repeat(400_000),
            );
        },
    ),
    // Deceptive characters.
    ("control-character", &["rule::character"], |rules| {
        changed(
            rules,
            "Someone stopped",
            "\"Someone\\u0007stopped\"\nowner: \"a\\u001bb\" #",
        )
    }),
    ("bidirectional", &["rule::character"], |rules| {
        changed(rules, "Someone stopped", "Someone \u{202e}stopped")
    }),
    ("bidirectional-message", &["rule::character"], |rules| {
        changed(rules, "who: ", "who\u{2066}: ")
    }),
    ("zero-width", &["rule::character"], |rules| {
        changed(rules, "aws.cloudtrail", "aws.cloud\u{200b}trail")
    }),
    ("many-controls", &["rule::character"], |rules| {
        changed(rules, "Someone", &"\u{202e}\u{200b}".repeat(100_000))
    }),
    // Paths out of the folder.
    ("fixture-above", &["test::fixture"], |rules| {
        changed(rules, "event.json", "../../../../etc/passwd")
    }),
    ("fixture-absolute", &["test::fixture"], |rules| {
        changed(rules, "event.json", "/etc/hostname.json")
    }),
    ("fixture-elsewhere", &["test::fixture"], |rules| {
        changed(rules, "event.json", "..\\\\..\\\\secrets.json")
    }),
    ("fixture-folder", &["test::fixture"], |rules| {
        fs::create_dir_all(rules.join("fixtures/folder.json")).unwrap();
        changed(rules, "event.json", "folder.json");
    }),
    #[cfg(unix)]
    ("fixture-link", &["test::fixture"], |rules| {
        std::os::unix::fs::symlink("/etc/hostname", rules.join("fixtures/link.json")).unwrap();
        changed(rules, "event.json", "link.json");
    }),
    #[cfg(unix)]
    ("fixture-device", &["test::fixture"], |rules| {
        std::os::unix::fs::symlink("/dev/zero", rules.join("fixtures/zero.json")).unwrap();
        changed(rules, "event.json", "zero.json");
    }),
    #[cfg(unix)]
    ("rule-pipe", &["library::unreadable"], |rules| {
        let pipe = rules.join("example-rule.yaml");
        let made = std::process::Command::new("mkfifo").arg(pipe).status();
        assert!(made.unwrap().success());
    }),
    #[cfg(unix)]
    ("rule-link", &["library::symlink"], |rules| {
        std::os::unix::fs::symlink("/dev/zero", rules.join("example-rule.yaml")).unwrap();
    }),
    #[cfg(unix)]
    ("folder-link", &["library::symlink"], |rules| {
        std::os::unix::fs::symlink("/", rules.join("everything")).unwrap();
        rule(rules, EXAMPLE_RULE);
    }),
    ("deep-folders", &["library::unreadable"], |rules| {
        write(rules, "a/b/c/d/e/f/g/h/i/j/example-rule.yaml", EXAMPLE_RULE)
    }),
    ("id-of-a-path", &["rule::id"], |rules| {
        changed(rules, "id: example-rule", "id: ../../etc/passwd")
    }),
    // Text that CloudFormation, templates or shells would interpret.
    (
        "dynamic-reference-title",
        &["rule::dynamic-reference"],
        |rules| changed(rules, "A trail was", "A {{resolve:ssm:/x}} trail was"),
    ),
    (
        "dynamic-reference-message",
        &["rule::dynamic-reference"],
        |rules| changed(rules, "who: ", "who: {{ Resolve:secretsmanager:x }} "),
    ),
    (
        "dynamic-reference-pattern",
        &["rule::dynamic-reference"],
        |rules| changed(rules, NAME, "[\"{{resolve:ssm:x}}\"]"),
    ),
    ("substitution", &["rule::substitution"], |rules| {
        changed(rules, "Ask whoever", "Ask ${AWS::AccountId}, whoever")
    }),
    ("substitution-key", &["rule::substitution"], |rules| {
        changed(
            rules,
            "eventName:",
            "\"${AWS::Region}\": [x]\n    eventName:",
        )
    }),
    ("function-ref", &["limit::intrinsic-function"], |rules| {
        changed(
            rules,
            "eventName: [StopLogging]",
            "requestParameters: {Ref: [x]}",
        )
    }),
    ("function-sub", &["limit::intrinsic-function"], |rules| {
        changed(
            rules,
            "eventName: [StopLogging]",
            "requestParameters: {\"Fn::Sub\": [x]}",
        )
    }),
    ("template-expression", &["rule::placeholder"], |rules| {
        changed(rules, "A trail was", "A {{ 7 * 7 }} trail was")
    }),
    ("template-placeholder", &["message::placeholder"], |rules| {
        changed(
            rules,
            "detail.userIdentity.arn",
            "detail.userIdentity['arn']",
        )
    }),
    ("angle-brackets", &["message::angle-bracket"], |rules| {
        changed(rules, "who: ", "who: <aws.events.event> ")
    }),
    ("whole-event", &["message::placeholder"], |rules| {
        changed(rules, "detail.userIdentity.arn", "detail")
    }),
    ("policy-variable", &["respond::tag"], |rules| {
        rule(
            rules,
            format!(
                "{EXAMPLE_RULE}respond: {{start_instance: {{instance: detail.eventID, tag: {{key: a, value: \"*\"}}}}}}\n"
            ),
        );
    }),
    // Patterns that explode.
    ("combinations", &["pattern::invalid"], |rules| {
        let ors: String = (0..11)
            .map(|n| format!("    f{n}: {{$or: [{{a: [1]}}, {{b: [1]}}]}}\n"))
            .collect();
        changed(rules, "    eventName: [StopLogging]\n", &ors);
    }),
    ("wildcards", &["pattern::invalid"], |rules| {
        // After `exists: false`, EventBridge ignores a wildcard's complexity.
        let wildcard = format!("[{{wildcard: \"{}\"}}]", "*a".repeat(900));
        changed(
            rules,
            "[StopLogging]\n    errorCode: [{exists: false}]",
            &wildcard,
        );
    }),
    ("wildcards-behind-an-absence", &["test::match"], |rules| {
        let wildcard = format!("[{{wildcard: \"{}\"}}]", "*a".repeat(900));
        changed(rules, NAME, &wildcard);
    }),
    ("many-wildcards", &["pattern::invalid"], |rules| {
        changed(
            rules,
            NAME,
            &format!("[{{wildcard: \"{}\"}}]", "*a".repeat(200_000)),
        )
    }),
    ("many-names", &["pattern::invalid"], |rules| {
        let names: Vec<String> = (0..90_000).map(|n| format!("N{n}")).collect();
        changed(rules, NAME, &format!("[{}]", names.join(", ")));
    }),
    ("unknown-names", &["pattern::unknown-event-name"], |rules| {
        let names: Vec<String> = (0..130).map(|n| format!("Stp{n}")).collect();
        changed(rules, NAME, &format!("[{}]", names.join(", ")));
    }),
    ("sources", &["pattern::unknown-event-source"], |rules| {
        let names: Vec<String> = (0..40)
            .map(|n| format!("cloudtrial{n}.amazonaws.com"))
            .collect();
        changed(
            rules,
            "[cloudtrail.amazonaws.com]",
            &format!("[{}]", names.join(", ")),
        );
    }),
    (
        "alternatives",
        &["pattern::redundant-branch", "pattern::invalid"],
        |rules| {
            // Nearly as many combinations as EventBridge accepts, all alike.
            let ors: String = (0..9)
                .map(|n| {
                    format!(
                        "    f{n}: {{$or: [{{a: [{{prefix: x}}]}}, {{a: [{{prefix: xy}}]}}]}}\n"
                    )
                })
                .collect();
            changed(rules, "    eventName: [StopLogging]\n", &ors);
        },
    ),
    // Excessive quantities.
    ("thousands-of-tests", &["test::too-many"], |rules| {
        let tests = "  - {name: x, expect: match, fixture: event.json}\n".repeat(9_000);
        changed(rules, "tests:\n", &format!("tests:\n{tests}"));
    }),
    ("large-fixture", &["test::fixture"], |rules| {
        write(
            rules,
            "fixtures/large.json",
            format!("{{\"eventName\": \"{}\"}}", "x".repeat(4 << 20)),
        );
        changed(rules, "event.json", "large.json");
    }),
    ("deep-fixture", &["test::fixture"], |rules| {
        write(
            rules,
            "fixtures/deep.json",
            format!("{}1{}", "{\"a\":".repeat(30_000), "}".repeat(30_000)),
        );
        changed(rules, "event.json", "deep.json");
    }),
    ("heavy-tests", &["test::too-many"], |rules| {
        let heavy =
            EXAMPLE_EVENT.replacen('{', &format!("{{\"x\": \"{}\",", "y".repeat(200_000)), 1);
        write(rules, "fixtures/heavy.json", heavy);
        let tests: String = (0..190)
            .map(|n| format!("  - {{name: t{n}, expect: match, fixture: heavy.json}}\n"))
            .collect();
        changed(rules, "tests:\n", &format!("tests:\n{tests}"));
    }),
    (
        "thousands-of-exceptions",
        &["exception::too-many"],
        |rules| {
            rule(
                rules,
                format!(
                    "{EXAMPLE_RULE}exceptions:\n{}",
                    "  - {name: x}\n".repeat(20_000)
                ),
            );
        },
    ),
    ("thousands-of-allowances", &["allow::unknown"], |rules| {
        rule(
            rules,
            format!("{}{EXAMPLE_RULE}", "# allow: x::y because\n".repeat(40_000)),
        );
    }),
    ("thousands-of-tags", &["rule::attack-id"], |rules| {
        rule(
            rules,
            format!(
                "{EXAMPLE_RULE}tags: [{}]\n",
                "attack.t9999, ".repeat(60_000)
            ),
        );
    }),
    ("thousands-of-files", &["library::too-many"], |rules| {
        for number in 0..10_001 {
            write(
                rules,
                &format!("{}/r{number}.yaml", number / 1000),
                "a: 1\n",
            );
        }
    }),
    ("the-same-rule-again", &["rule::duplicate-id"], |rules| {
        for number in 0..50 {
            write(rules, &format!("{number}/example-rule.yaml"), EXAMPLE_RULE);
        }
    }),
];

fn lay_out(rules: &Path, case: &Case) {
    write(rules, "fixtures/event.json", EXAMPLE_EVENT);
    (case.2)(rules);
}

#[test]
fn every_hostile_rule_ends_in_a_diagnostic() {
    let project = project();
    let mut wrong = Vec::new();
    for case in CASES {
        let (name, codes, _) = case;
        let folder = format!("hostile/{name}");
        lay_out(&project.path(&folder), case);
        let run = project.run(&[
            "check",
            "--deny-warnings",
            "--rules",
            &folder,
            "--format",
            "json",
        ]);
        let found = serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap_or_default();
        let diagnostics = found["diagnostics"].as_array().cloned().unwrap_or_default();
        let seen: Vec<&str> = diagnostics
            .iter()
            .filter_map(|it| it["code"].as_str())
            .collect();
        if run.code != 64 || !codes.iter().any(|code| seen.contains(code)) {
            let few: Vec<_> = seen.iter().take(5).collect();
            wrong.push(format!(
                "{name}: exit code {}, {few:?}, not one of {codes:?}",
                run.code
            ));
        }
        if diagnostics.len() > MOST_DIAGNOSTICS || run.stdout.len() > MOST_OUTPUT {
            wrong.push(format!(
                "{name}: {} diagnostics, {} bytes",
                diagnostics.len(),
                run.stdout.len()
            ));
        }
        fs::remove_dir_all(project.path(&folder)).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_rule_is_valid_before_it_is_made_hostile() {
    let project = project();
    let rules = project.path("hostile/none");
    write(&rules, "fixtures/event.json", EXAMPLE_EVENT);
    rule(&rules, EXAMPLE_RULE);
    project
        .run(&["check", "--deny-warnings", "--rules", "hostile/none"])
        .expect(0);
}

/// Files in the libraries of many hostile files.
const MANY: usize = 600;

/// Makes the case's rule file six hundred files.
fn lay_out_many(rules: &Path, case: &Case) -> bool {
    lay_out(rules, case);
    let one = rules.join("example-rule.yaml");
    if !one.symlink_metadata().is_ok_and(|it| it.is_file()) {
        return false;
    }
    fs::create_dir_all(rules.join("many")).unwrap();
    for number in 1..MANY {
        fs::hard_link(&one, rules.join(format!("many/r{number}.yaml"))).unwrap();
    }
    true
}

#[test]
fn a_library_of_many_hostile_files_is_checked_up_to_a_limit() {
    let project = project();
    // Each reaches another limit: bytes, memory of tests, diagnostics of files, diagnostics of tests.
    for (name, most) in [
        ("long-value", 1_200),
        ("heavy-tests", 1_200),
        ("unknown-names", 1_200),
        ("wildcards-behind-an-absence", 1_200),
    ] {
        let case = CASES.iter().find(|case| case.0 == name).unwrap();
        let folder = format!("hostile/{name}");
        assert!(lay_out_many(&project.path(&folder), case));
        let arguments = ["check", "--rules", &folder, "--format", "json"];
        let run = project.run(&arguments);
        assert_eq!(run.code, 64, "{name}");
        let found: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let diagnostics = found["diagnostics"].as_array().unwrap();
        assert!(diagnostics.len() <= most, "{name}: {}", diagnostics.len());
        let said = diagnostics
            .iter()
            .any(|it| it["code"] == "library::too-many");
        let codes: std::collections::BTreeSet<_> =
            diagnostics.iter().map(|it| it["code"].as_str()).collect();
        assert!(said, "{name}: {codes:?}");
        fs::remove_dir_all(project.path(&folder)).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn nothing_is_read_or_written_through_links_out_of_the_project() {
    use std::os::unix::fs::symlink;
    let project = project();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, "mine").unwrap();
    // A page that `generate` writes is a link.
    fs::remove_file(project.path("rules/CATALOGUE.md")).unwrap_or_default();
    symlink(&target, project.path("rules/CATALOGUE.md")).unwrap();
    let run = project.run(&["generate"]);
    assert!(
        run.stderr.contains("nothing is written through links"),
        "{}",
        run.stderr
    );
    assert_ne!(run.code, 0);
    // The folder of `import` is a link.
    symlink(outside.path(), project.path("imported")).unwrap();
    let sigma = project.path("rule.yml");
    fs::write(
        &sigma,
        "title: A trail was stopped\nlogsource: {product: aws, service: cloudtrail}\n\
         detection:\n  selection: {eventSource: cloudtrail.amazonaws.com, eventName: StopLogging}\n  \
         condition: selection\nlevel: high\n",
    )
    .unwrap();
    let run = project.run(&["import", "sigma", "rule.yml", "--out", "imported"]);
    assert!(
        run.stderr.contains("a link leads it out of"),
        "{} {}",
        run.stdout,
        run.stderr
    );
    // The organization file is a link.
    let organization = project.path("stacksets/organization.yaml");
    fs::rename(&organization, outside.path().join("organization.yaml")).unwrap();
    symlink(outside.path().join("organization.yaml"), &organization).unwrap();
    let run = project.run(&["check"]);
    assert_eq!(run.code, 64);
    assert!(
        run.stderr.contains("organization.yaml` is not read"),
        "{}",
        run.stderr
    );
    assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
}

/// For measuring time and memory by hand.
#[test]
#[ignore = "writes files for measurements"]
fn write_the_hostile_rules() {
    let folder = tests::repository().join("target/hostile");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    for case in CASES {
        lay_out(&folder.join(case.0), case);
        let many = folder.join(format!("many-{}", case.0));
        if !lay_out_many(&many, case) {
            fs::remove_dir_all(many).unwrap();
        }
    }
}
