//! Why an event does or doesn't match, clause by clause.

use serde::Serialize;

use crate::error::EventError;
use crate::event::Event;
use crate::matching::{self, Search};
use crate::pattern::{Field, Pattern, SubRule};
use crate::term::{Literal, Scalar};

/// Most values that a clause shows.
const MAX_VALUES: usize = 10;
/// Most characters of a value that are shown.
const MAX_CHARACTERS: usize = 200;

/// A pattern's verdict on one event, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether the event matches; the same as [`Pattern::try_matches`].
    pub matches: bool,
    /// The alternatives that `$or` multiplies to, in the pattern's order; without `$or`, one. The
    /// event matches if one of them does.
    pub alternatives: Vec<Alternative>,
}

/// A conjunction of clauses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alternative {
    /// Whether the event satisfies it.
    pub matches: bool,
    /// Every clause is satisfied, but not by the same elements of the event's arrays.
    pub is_split_over_elements: bool,
    /// The clauses in the order of their paths.
    pub clauses: Vec<Clause>,
}

impl Alternative {
    /// The clauses that fail, taken alone.
    pub fn failures(&self) -> impl Iterator<Item = &Clause> {
        self.clauses.iter().filter(|clause| !clause.is_satisfied)
    }
}

/// What a pattern wants at a path, and what the event has there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Clause {
    /// The dotted path.
    pub path: String,
    /// Whether the clause, taken alone, is satisfied.
    pub is_satisfied: bool,
    /// The terms as JSON, as written; one of them has to fit.
    pub wanted: Vec<String>,
    /// The first 10 values at the path, as JSON in document order; a long one is cut, with `…`.
    pub found: Vec<String>,
    /// How many values there are at the path.
    pub values: usize,
    /// Whether the event has an object at the path. Terms never see one, not even `exists`.
    pub is_object: bool,
}

impl Pattern {
    /// Why an event does or doesn't match.
    ///
    /// ```
    /// use eventbridge_pattern::{Event, Pattern};
    ///
    /// let pattern = Pattern::parse(r#"{"source": ["aws.iam"], "detail": {"eventName": [{"prefix": "Create"}]}}"#)?;
    /// let event = Event::parse(r#"{"source": "aws.iam", "detail": {"eventName": "DeleteUser"}}"#)?;
    /// let explanation = pattern.explain(&event)?;
    /// assert!(!explanation.matches);
    /// let failure = explanation.alternatives[0].failures().next().unwrap();
    /// assert_eq!(failure.path, "detail.eventName");
    /// assert_eq!(failure.wanted, [r#"{"prefix":"Create"}"#]);
    /// assert_eq!(failure.found, [r#""DeleteUser""#]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Pattern::try_matches`].
    pub fn explain(&self, event: &Event) -> Result<Explanation, EventError> {
        let mut search = Search::default();
        let mut alternatives = Vec::with_capacity(self.sub_rules.len());
        for sub_rule in self.sub_rules.iter() {
            // The matcher's own verdict, so that the two can't differ.
            let matches = matching::matches(sub_rule, event, &mut search)?;
            let clauses: Vec<Clause> = sub_rule
                .fields
                .iter()
                .map(|field| clause(field, sub_rule, event))
                .collect();
            alternatives.push(Alternative {
                matches,
                is_split_over_elements: !matches && clauses.iter().all(|it| it.is_satisfied),
                clauses,
            });
        }
        Ok(Explanation {
            matches: alternatives.iter().any(|it| it.matches),
            alternatives,
        })
    }
}

fn clause(field: &Field, sub_rule: &SubRule, event: &Event) -> Clause {
    let leaf = &field.leaf;
    let mut found = Vec::new();
    let mut values = 0;
    let mut accepted = false;
    for value in matching::visible(field, sub_rule, event).map(|(_, value)| value) {
        values += 1;
        if found.len() < MAX_VALUES {
            found.push(shown(value));
        }
        accepted |= leaf.allows_presence && leaf.accepts(value);
    }
    Clause {
        path: field.path.to_string(),
        is_satisfied: accepted || (leaf.allows_absence && values == 0),
        wanted: leaf.sources.clone(),
        found,
        values,
        is_object: values == 0 && event.has_below(&field.path),
    }
}

/// A value as JSON.
fn shown(value: Scalar<'_>) -> String {
    match value {
        Scalar::Text(text) => {
            let text = String::from_utf8_lossy(text);
            let mut shown: String = text.chars().take(MAX_CHARACTERS).collect();
            if shown.len() < text.len() {
                shown.push('…');
            }
            escaped(&serde_json::Value::from(shown).to_string())
        }
        Scalar::Number(text) => String::from_utf8_lossy(text)
            .chars()
            .take(MAX_CHARACTERS)
            .collect(),
        Scalar::Literal(Literal::True) => "true".to_owned(),
        Scalar::Literal(Literal::False) => "false".to_owned(),
        Scalar::Literal(Literal::Null) => "null".to_owned(),
    }
}

/// JSON with all control characters escaped, not only those that JSON doesn't allow: a terminal
/// acts on others, too.
fn escaped(json: &str) -> String {
    json.chars().fold(String::new(), |mut text, c| {
        if c.is_control() {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            text.push(c);
        }
        text
    })
}
