//! `JUnit` XML, the format in which CI services read test results.
//!
//! There is no standard; this is the subset that all readers support. It is written by hand because
//! `quick-junit` would add a second version of the XML library, and chrono next to jiff.

use syntax::untrusted::lines;

/// A group of related checks.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Shown as the group's heading.
    pub name: String,
    /// One case per check.
    pub cases: Vec<Case>,
}

/// The result of one check.
#[derive(Clone, Debug)]
pub struct Case {
    /// What was checked.
    pub name: String,
    /// Groups cases across suites, such as by diagnostic code.
    pub class: String,
    /// Passed, failed or not checked.
    pub outcome: CaseOutcome,
}

/// The outcome of a check. A text may have several lines; the first is the summary.
#[derive(Clone, Debug)]
pub enum CaseOutcome {
    /// The check passed.
    Passed,
    /// The check failed.
    Failure(String),
    /// The check could not be run.
    Error(String),
}

/// The complete XML document.
pub fn document(name: &str, suites: &[Suite]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let all = || suites.iter().flat_map(|suite| &suite.cases);
    let name = escape(name);
    text.push_str(&format!("<testsuites name=\"{name}\" {}>\n", counts(all())));
    for suite in suites {
        let name = escape(&suite.name);
        let counts = counts(suite.cases.iter());
        text.push_str(&format!("  <testsuite name=\"{name}\" {counts}>\n"));
        for case in &suite.cases {
            let (name, class) = (escape(&case.name), escape(&case.class));
            text.push_str(&format!(
                "    <testcase name=\"{name}\" classname=\"{class}\""
            ));
            let (tag, said) = match &case.outcome {
                CaseOutcome::Passed => {
                    text.push_str("/>\n");
                    continue;
                }
                CaseOutcome::Failure(said) => ("failure", said),
                CaseOutcome::Error(said) => ("error", said),
            };
            let first = said.lines().next().unwrap_or_default();
            let (first, said) = (escape(first), escape(said));
            text.push_str(&format!(
                ">\n      <{tag} message=\"{first}\">{said}</{tag}>\n    </testcase>\n"
            ));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn counts<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for case in cases {
        tests += 1;
        match case.outcome {
            CaseOutcome::Passed => {}
            CaseOutcome::Failure(_) => failures += 1,
            CaseOutcome::Error(_) => errors += 1,
        }
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\"")
}

/// Escapes text for XML, which doesn't allow control characters even when escaped its own way.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in lines(text).chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => safe.push('\u{FFFD}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junit_has_passed_failed_and_impossible_checks() {
        let case = |name: &str, outcome| Case {
            name: name.to_owned(),
            class: "instance::missing".to_owned(),
            outcome,
        };
        let suites = [
            Suite {
                name: "instances".to_owned(),
                cases: vec![
                    case(
                        "a \"quoted\" <name>",
                        CaseOutcome::Failure("first & foremost\n\u{1b}[0m".into()),
                    ),
                    case("b", CaseOutcome::Error("access denied".into())),
                ],
            },
            Suite {
                name: "plan".to_owned(),
                cases: vec![case("no drift", CaseOutcome::Passed)],
            },
        ];
        let expected = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites name=\"gizmos drift\" tests=\"3\" failures=\"1\" errors=\"1\">",
            "  <testsuite name=\"instances\" tests=\"2\" failures=\"1\" errors=\"1\">",
            "    <testcase name=\"a &quot;quoted&quot; &lt;name&gt;\" classname=\"instance::missing\">",
            "      <failure message=\"first &amp; foremost\">first &amp; foremost",
            "\\u{1b}[0m</failure>",
            "    </testcase>",
            "    <testcase name=\"b\" classname=\"instance::missing\">",
            "      <error message=\"access denied\">access denied</error>",
            "    </testcase>",
            "  </testsuite>",
            "  <testsuite name=\"plan\" tests=\"1\" failures=\"0\" errors=\"0\">",
            "    <testcase name=\"no drift\" classname=\"instance::missing\"/>",
            "  </testsuite>",
            "</testsuites>",
        ];
        let document = document("gizmos drift", &suites);
        assert_eq!(document.lines().collect::<Vec<_>>(), expected);
    }
}
