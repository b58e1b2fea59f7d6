//! Why an event does or doesn't match, field by field.

use crate::error::TooMuchWork;
use crate::event::Event;
use crate::matching::{self, Search};
use crate::pattern::{Alternative, Field, Pattern};
use crate::scan::write_string;
use crate::term::{Literal, Scalar};

/// Most values that a field shows.
const MAX_VALUES: usize = 10;
/// Most characters of a value that are shown.
const MAX_CHARACTERS: usize = 200;

/// A pattern's verdict on one event, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    /// Whether the event matches; the same as [`Pattern::matches`].
    pub matches: bool,
    /// The alternatives that `$or` multiplies to, in the pattern's order; without `$or`, one. The
    /// event matches if one of them does.
    pub alternatives: Vec<ExplainedAlternative>,
}

/// A conjunction of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExplainedAlternative {
    /// Whether the event satisfies it.
    pub matches: bool,
    /// Every field is satisfied, but not by the same elements of the event's arrays.
    pub is_split_over_elements: bool,
    /// The fields in the order of their paths.
    pub fields: Vec<ExplainedField>,
}

impl ExplainedAlternative {
    /// The fields that fail, taken alone.
    pub fn failures(&self) -> impl Iterator<Item = &ExplainedField> {
        self.fields.iter().filter(|field| !field.is_satisfied)
    }
}

/// What a pattern wants at a path, and what the event has there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExplainedField {
    /// The dotted path.
    pub path: String,
    /// Whether the field, taken alone, is satisfied.
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
    /// As [`Pattern::matches`].
    pub fn explain(&self, event: &Event) -> Result<Explanation, TooMuchWork> {
        let mut search = Search::default();
        let mut alternatives = Vec::with_capacity(self.alternatives.len());
        for alternative in self.alternatives.iter() {
            // The matcher's own verdict, so that the two can't differ.
            let matches = matching::matches(alternative, event, &mut search)?;
            let fields: Vec<ExplainedField> = alternative
                .fields
                .iter()
                .map(|field| explain_field(field, alternative, event))
                .collect();
            alternatives.push(ExplainedAlternative {
                matches,
                is_split_over_elements: !matches && fields.iter().all(|it| it.is_satisfied),
                fields,
            });
        }
        Ok(Explanation {
            matches: alternatives.iter().any(|it| it.matches),
            alternatives,
        })
    }
}

fn explain_field(field: &Field, alternative: &Alternative, event: &Event) -> ExplainedField {
    let list = &field.list;
    let mut found = Vec::new();
    let mut values = 0;
    let mut accepted = false;
    for value in matching::visible(field, alternative, event).map(|(_, value)| value) {
        values += 1;
        if found.len() < MAX_VALUES {
            found.push(shown(value));
        }
        accepted |= list.allows_presence && list.accepts(value);
    }
    ExplainedField {
        path: field.path.to_string(),
        is_satisfied: accepted || (list.allows_absence && values == 0),
        wanted: list.sources.clone(),
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
            let mut json = String::new();
            write_string(&mut json, &shown);
            escaped(&json)
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
