//! `rules/LINTS.md`.

use super::registry::{EXAMPLE_EVENT, EXAMPLE_RULE, Example, Lint, registry};

const HEAD: &str = "# Lints

<!-- Made by the `generate` command from the registry in crates/rules/src/lint; edit it there. -->

What `check` finds in rule files. An error stops a deployment; a warning doesn't, but CI
refuses both (`check --deny-warnings`). `check --fix` mends those that are marked with a fix, where
the change can't be wrong, and touches nothing else in the file.

A diagnostic that is meant to stay is allowed in place, with its reason:

```yaml
event_pattern:
  detail:
    # allow: pattern::missing-key every PutBucketAcl names its bucket
    requestParameters: {bucketName: [{anything-but: [public-assets]}]}
```

The comment goes at the end of the line that the diagnostic points at, or above it; it covers the
whole value that begins there. A comment without a reason, or one that silences nothing, is an error.
A diagnostic that is not marked as allowable can't be silenced.

Examples show only the fields in which they differ from this rule:

";

/// The text of `rules/LINTS.md`.
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    fence(&mut out, "yaml", EXAMPLE_RULE);
    out.push_str("\nIts fixture `stop-logging.json`:\n\n");
    fence(&mut out, "json", EXAMPLE_EVENT);
    out.push_str("\n| code | | fix | allowable | what |\n|---|---|---|---|---|\n");
    let mark = |yes: bool| if yes { "yes" } else { "" };
    for lint in registry() {
        let anchor: String = lint.code.chars().filter(|c| *c != ':').collect();
        out.push_str(&format!(
            "| [`{}`](#{anchor}) | {} | {} | {} | {} |\n",
            lint.code,
            lint.severity,
            mark(lint.fix),
            mark(lint.allow),
            lint.name
        ));
    }
    for lint in registry() {
        entry(&mut out, lint);
    }
    out
}

fn entry(out: &mut String, lint: &Lint) {
    out.push_str(&format!(
        "\n## {}\n\n**{}** ({}",
        lint.code, lint.name, lint.severity
    ));
    if lint.fix {
        out.push_str(", has a fix");
    }
    if lint.allow {
        out.push_str(", allowable");
    }
    out.push_str(")\n\n");
    for line in lint.about.split('\n').map(str::trim) {
        out.push_str(line);
        out.push('\n');
    }
    example(out, "Fires", lint.bad);
    example(out, "Silent", lint.good);
}

fn example(out: &mut String, label: &str, example: Example) {
    match example {
        Example::Words(words) => {
            out.push_str(&format!("\n{label}: {words}.\n"));
        }
        Example::Without(field) => {
            out.push_str(&format!("\n{label}: the rule without `{field}`.\n"));
        }
        Example::Fields(text) | Example::File(text) => {
            out.push_str(&format!("\n{label}:\n\n"));
            fence(out, "yaml", text);
        }
    }
}

fn fence(out: &mut String, language: &str, text: &str) {
    out.push_str(&format!("```{language}\n{}\n```\n", text.trim_end()));
}
