//! Checks with knowledge of AWS.
//!
//! Each check reports what a rule's author can hardly have meant. None may fire on a correct rule:
//! when in doubt, a check is silent.

mod cases;
mod events;
mod shape;
mod tags;
mod values;

use std::sync::Arc;

use cloudtrail::envelope::{API_CALL, DETAIL_TYPES_OF_CLOUDTRAIL};
use eventbridge_pattern::Pattern;
use syntax::{Node, SourceFile, SourceLocation, Span};

use super::clause::{Clause, Matcher, clauses};
use super::names;
use crate::model::{Exception, RuleTest};
use crate::read::reader::Reader;
use crate::read::rule::Fields;

/// The parts of a rule that the checks use.
#[derive(Debug)]
struct Subject<'a> {
    file: &'a Arc<SourceFile>,
    root: &'a Node,
    /// The pattern without exceptions.
    written: &'a Pattern,
    /// The pattern with exceptions compiled in.
    pattern: &'a Pattern,
    exceptions: &'a [(Exception, Span)],
    tests: &'a [RuleTest],
    read_only: bool,
}

/// Runs the checks. Tags are checked even if the pattern couldn't be read.
pub(super) fn check(reader: &mut Reader, root: &Node, fields: &Fields) {
    let file = Arc::clone(&reader.file);
    reader.diagnostics.extend(tags::check(&file, root));
    let (Some(node), Some(written), Some(pattern)) = (
        root.get("event_pattern"),
        &fields.written_pattern,
        &fields.pattern,
    ) else {
        return;
    };
    let scope = Scope {
        subject: &Subject {
            file: &file,
            root,
            written,
            pattern,
            exceptions: &fields.exceptions,
            tests: &fields.tests.list,
            read_only: fields.read_only,
        },
        clauses: &clauses(node),
    };
    for check in [events::check, shape::check, values::check, cases::check] {
        check(&scope, &mut reader.diagnostics);
    }
}

/// A rule with its flattened pattern.
struct Scope<'a> {
    subject: &'a Subject<'a>,
    clauses: &'a [Clause<'a>],
}

impl<'a> Scope<'a> {
    fn location(&self, span: Span) -> SourceLocation {
        SourceLocation::new(self.subject.file, span)
    }

    /// The clauses at a path.
    fn at(&self, path: &'a str) -> impl Iterator<Item = &'a Clause<'a>> {
        self.clauses.iter().filter(move |it| it.path == path)
    }

    /// Whether all matching events come from CloudTrail, judged by the detail type. A pattern
    /// without a detail type counts if it has `detail.eventSource`.
    fn is_cloudtrail(&self) -> bool {
        self.detail_types_are(&DETAIL_TYPES_OF_CLOUDTRAIL)
    }

    /// Whether all matching events are API calls.
    fn is_api_call(&self) -> bool {
        self.detail_types_are(&[API_CALL])
    }

    fn detail_types_are(&self, wanted: &[&str]) -> bool {
        let mut some = false;
        for clause in self.at("detail-type") {
            some = true;
            let all = clause
                .terms
                .iter()
                .all(|term| matches!(term.matcher, Matcher::Text(text) if wanted.contains(&text)));
            if !all {
                return false;
            }
        }
        some || self.at("detail.eventSource").next().is_some()
    }

    /// The services whose events can satisfy a clause, if known: from `eventSource` if the pattern
    /// has it, else from `source`.
    fn services(&self, clause: &Clause<'_>) -> Option<Vec<&'a str>> {
        let of = |path: &'a str, service: fn(&str) -> Option<&str>| {
            let mut found = Vec::new();
            for other in self.at(path).filter(|other| other.meets(clause)) {
                for term in &other.terms {
                    match term.matcher {
                        Matcher::Text(text) => found.push(service(text)?),
                        _ => return None,
                    }
                }
            }
            (!found.is_empty()).then_some(found)
        };
        of("detail.eventSource", |text| Some(names::service_of(text)))
            .or_else(|| of("source", |text| text.strip_prefix("aws.")))
            .filter(|found| found.iter().all(|service| names::is_service(service)))
    }
}

/// Writes text as a YAML scalar that reads back as the same text, even inside brackets.
fn scalar(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '_' | '/'))
        && !text.ends_with(' ')
        && !["yes", "no", "on", "off", "true", "false", "null", "y", "n"]
            .contains(&text.to_ascii_lowercase().as_str());
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stay_texts() {
        assert_eq!(scalar("StopLogging"), "StopLogging");
        assert_eq!(
            scalar("AWS API Call via CloudTrail"),
            "AWS API Call via CloudTrail"
        );
        for text in [
            "No", "true", "5", "a: b", "a]", "*", "", "a \"b\"", "-x", "a,b",
        ] {
            let written = scalar(text);
            assert!(written.starts_with('"'), "{written}");
            let file = Arc::new(SourceFile::new("a.yaml", format!("[{written}]\n")));
            let (node, diagnostics) = syntax::parse(&file);
            assert!(diagnostics.is_empty());
            assert_eq!(node.unwrap().as_sequence().unwrap()[0].as_str(), Some(text));
        }
    }
}
