//! Finds rules that another rule covers.

use eventbridge_pattern::{RuleSet, Scratch};
use syntax::Diagnostic;

use crate::model::Rule;

/// Most candidates to compare a rule with: each proof takes some time.
const MOST: usize = 16;

/// Warns about each rule whose events all alert as another rule too, with at least the same
/// severity and to the same topics. A rule with another severity or other topics than a wider one
/// is fine.
///
/// Proving all pairs of thousands of rules would take too long. A rule's own positive tests cheaply
/// show which other rules could cover it.
pub(crate) fn check(rules: &[Rule]) -> Vec<Diagnostic> {
    let set = rules
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (number, rule)| {
            set.add(number, &rule.pattern)
        })
        .build();
    let mut scratch = Scratch::default();
    let mut diagnostics = Vec::new();
    for (number, rule) in rules.iter().enumerate() {
        let mut candidates: Option<Vec<usize>> = None;
        for test in rule.tests.iter().filter(|test| test.matches) {
            let event = test.event.to_string();
            let Ok(matches) = set.matches(event.as_bytes(), &mut scratch) else {
                continue;
            };
            let matched: Vec<usize> = matches.possible().collect();
            match &mut candidates {
                Some(candidates) => candidates.retain(|it| matched.contains(it)),
                None => candidates = Some(matched),
            }
        }
        let mut candidates: Vec<(usize, &Rule)> = candidates
            .unwrap_or_default()
            .into_iter()
            .filter(|other| *other != number)
            .filter_map(|other| Some((other, rules.get(other)?)))
            .collect();
        // Short patterns are likely the widest.
        candidates.sort_by_key(|(other, rule)| (rule.pattern.text().len(), *other));
        let cover = candidates.into_iter().take(MOST).find(|(other, wider)| {
            says_as_much(rule, wider)
                    && rule.pattern.implies(&wider.pattern).is_yes()
                    // Of two equal rules, the first is kept.
                    && (*other < number
                        || !(says_as_much(wider, rule)
                            && wider.pattern.implies(&rule.pattern).is_yes()))
        });
        if let Some((_, wider)) = cover {
            diagnostics.push(
                Diagnostic::warning(
                    "library::shadowed",
                    format!(
                        "every event of `{}` also alerts as `{}`, with at least the same severity and to the same topics",
                        rule.id, wider.id
                    ),
                )
                .at(rule.location.clone())
                .note(format!("`{}` is {}", wider.id, wider.location))
                .help("remove one of the two, narrow the other, or give them different severities or topics"),
            );
        }
    }
    diagnostics
}

/// Whether `wider` alerts the same topics with at least the same severity.
fn says_as_much(rule: &Rule, wider: &Rule) -> bool {
    rule.enabled
        && wider.enabled
        && rule.message.is_some() == wider.message.is_some()
        && rule.respond == wider.respond
        && rule.severity <= wider.severity
        && rule.notify == wider.notify
        && (!rule.read_only || wider.read_only)
}
