//! Files made to stall or flood the importer end in a diagnostic, or in rules within the limits.

use std::fmt::Write;
use std::sync::Arc;

use syntax::SourceFile;

use crate::support::import;

fn rule(detection: &str) -> String {
    format!(
        "title: Hostile\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n{detection}\n"
    )
}

fn list(field: &str, count: usize, value: impl Fn(usize) -> String) -> String {
    let mut text = format!("    {field}:\n");
    for index in 0..count {
        writeln!(text, "      - '{}'", value(index)).unwrap();
    }
    text
}

/// Imports a file. It must finish, and a refusal must have a code.
fn ends(name: &str, text: String) {
    let file = Arc::new(SourceFile::new("hostile.yml", text));
    match import(&file) {
        Ok((_, imported)) => assert!(imported.rules.len() <= 10, "{name}"),
        Err(diagnostics) => assert!(
            !diagnostics.is_empty() && diagnostics.len() <= 100,
            "{name}: {diagnostics:?}"
        ),
    }
}

#[test]
fn hostile_files_end_in_diagnostics() {
    let stars = |index: usize| format!("{}x{index}", "*a?b".repeat(20));
    ends("not a rule", "- ".repeat(10_000));
    ends("deep", rule(&format!("  a: {}", "[".repeat(5_000))));
    ends(
        "long condition",
        rule(&format!(
            "  a: {{b: c}}\n  condition: {}",
            "a or ".repeat(5_000)
        )),
    );
    ends(
        "deep condition",
        rule(&format!(
            "  a: {{b: c}}\n  condition: {}a",
            "not ".repeat(1_000)
        )),
    );
    ends(
        "many words excluded from many words",
        rule(&format!(
            "  a:\n{}  b:\n{}  condition: a and not b",
            list("f|contains", 900, |index| format!("word{index}")),
            list("f|contains", 900, |index| format!("other{index}")),
        )),
    );
    ends(
        "many hard texts",
        rule(&format!(
            "  a:\n{}  b:\n{}  condition: a and b",
            list("f", 500, stars),
            list("f", 500, |index| format!("*{}", stars(index))),
        )),
    );
    let mut many = String::new();
    for index in 0..60 {
        writeln!(many, "  s{index}:\n    - f{index}: a\n    - g{index}: b").unwrap();
    }
    ends(
        "combinations",
        rule(&format!("{many}  condition: all of s*")),
    );
    ends(
        "its opposite",
        rule(&format!("{many}  condition: not 1 of s*")),
    );
    ends(
        "dashes",
        rule(&format!(
            "  a:\n    f|windash: '{}'\n  condition: a",
            "-a ".repeat(50)
        )),
    );
    ends(
        "a large expression",
        rule("  a:\n    eventName|re: '((((a{100}){100}){100}){100})'\n  condition: a"),
    );
    ends(
        "many expressions",
        rule(&format!(
            "  a:\n{}  condition: a",
            list("eventName|re", 200, |index| format!(
                "^(a|b|c)(d|e|f)?{index}[0-9]$"
            ))
        )),
    );
    ends(
        "a megabyte",
        rule(&format!(
            "  a:\n    f|contains: '{}'\n  condition: a",
            "x".repeat(900_000)
        )),
    );
    ends(
        "many values",
        rule(&format!(
            "  a:\n{}  condition: a",
            list("f", 5_000, |index| format!("v{index}"))
        )),
    );
    ends(
        "controls",
        rule("  a:\n    eventName: \"\\u202E\\u0007x ${y} {{resolve:ssm:z}}\"\n  condition: a"),
    );
}
