//! Imports a Sigma rule as rule files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eventbridge_pattern::{Event, Pattern};
use jiff::civil::Date;
use serde_json::Value;
use syntax::{Diagnostic, SourceFile};

use crate::alternatives::{self, Alternative};
use crate::evaluate::Record;
use crate::event_pattern::{self, Part};
use crate::loss::{Effect, Loss};
use crate::lower::{Case, Context};
use crate::rule::Rule;
use crate::witness::{self, Changed};
use crate::write;

/// The inputs of an import besides the rule.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether the patterns ignore case.
    pub case: Case,
    /// SPDX identifier for rules that name no license, if known.
    pub license: Option<String>,
    /// The date against which the result is checked.
    pub today: Date,
}

/// An imported Sigma rule.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Several rules if a single one would exceed a limit of EventBridge.
    pub rules: Vec<RuleFile>,
    /// Where the rules differ from the original. If empty, they match the same events.
    pub losses: Vec<Loss>,
    /// What `check` reports for the rules. Errors must be corrected by hand.
    pub diagnostics: Vec<Diagnostic>,
}

/// A rule file that is not on disk yet.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// The rule's id and the file's name without `.yaml`.
    pub id: String,
    /// Complete text of the file.
    pub text: String,
    /// The event pattern in `text`.
    pub pattern: Pattern,
}

impl Imported {
    /// Whether the rules match exactly what the original does.
    pub fn is_exact(&self) -> bool {
        self.losses.is_empty()
    }

    /// Whether any of the rules matches an event. An undecided match counts, because it would
    /// alert.
    pub fn matches(&self, event: &Event) -> bool {
        self.rules
            .iter()
            .any(|rule| rule.pattern.matches(event).unwrap_or(true))
    }

    /// The unexplained difference for an event on which the original returns `wanted` and the rules
    /// `matched`. `None` if they agree or a stated loss explains it.
    pub fn disagreement(&self, wanted: bool, matched: bool) -> Option<Effect> {
        let effect = match (wanted, matched) {
            (false, true) => Effect::Wider,
            (true, false) => Effect::Narrower,
            _ => return None,
        };
        let stated = self.losses.iter().any(|loss| loss.effect == effect);
        (!stated).then_some(effect)
    }
}

/// Imports a Sigma rule as rule files of Gizmos.
///
/// Fails if no event pattern can express it. Codes: `sigma::not-expressible`, `sigma::never`,
/// `sigma::always`.
pub fn import(rule: &Rule, options: &Options) -> Result<Imported, Vec<Diagnostic>> {
    let refuse = |code, message: String, help: &str| {
        vec![
            Diagnostic::error(code, message)
                .at(rule.location())
                .help(help),
        ]
    };
    let mut context = Context {
        case: options.case,
        ..Context::default()
    };
    let alternatives = alternatives::of(&rule.expression, &mut context).map_err(|hard| {
        refuse(
            "sigma::not-expressible",
            format!(
                "the rule can't be expressed as an event pattern: {}",
                hard.0
            ),
            "simplify its selections, or split it into several rules",
        )
    })?;
    if alternatives.is_empty() {
        return Err(refuse(
            "sigma::never",
            "no event can match the rule: its selections contradict each other".to_owned(),
            "correct the condition",
        ));
    }
    if let Some(open) = alternatives
        .iter()
        .find(|it| it.fields.is_empty() || (it.dropped && !it.names_calls()))
    {
        return Err(vec![too_open(rule, open, context)]);
    }
    alternatives::note_shared_lists(&alternatives, &mut context);
    let parts = event_pattern::parts(alternatives, &mut context.losses).map_err(|message| {
        refuse(
            "sigma::not-expressible",
            message,
            "shorten its lists of values, or split it into several rules",
        )
    })?;
    let losses = context.losses.into_vec();
    let mut imported = Imported {
        rules: Vec::new(),
        losses,
        diagnostics: Vec::new(),
    };
    let count = parts.len();
    for (index, part) in parts.iter().enumerate() {
        let tests = tests(rule, part, &imported.losses);
        if tests.is_none() {
            imported.diagnostics.push(
                Diagnostic::warning(
                    "sigma::no-test",
                    "no sample event that matches the rule could be generated",
                )
                .at(rule.location())
                .help("write a test from a real event"),
            );
        }
        let number = (count > 1).then_some(index + 1);
        let (id, text) = write::rule_file(
            rule,
            options,
            part,
            &imported.losses,
            tests.as_ref(),
            number,
        );
        imported
            .diagnostics
            .extend(check(&id, &text, options.today));
        imported.rules.push(RuleFile {
            id,
            text,
            pattern: part.pattern.clone(),
        });
    }
    Ok(imported)
}

/// The diagnostic for a rule with an alternative that would match nearly every event.
fn too_open(rule: &Rule, alternative: &Alternative, context: Context) -> Diagnostic {
    if !alternative.dropped {
        return Diagnostic::error("sigma::always", "the rule would match every event")
            .at(rule.location());
    }
    let diagnostic = Diagnostic::error(
        "sigma::not-expressible",
        "part of the rule can't be expressed as an event pattern, and the rest would match far too many events",
    )
    .at(rule.location())
    .help("restrict the rule to calls by `eventName`; what can't be expressed is then left out");
    context
        .losses
        .into_vec()
        .into_iter()
        .filter(|loss| loss.text.contains("left out"))
        .fold(diagnostic, |diagnostic, loss| diagnostic.note(loss.text))
}

/// What `check` reports for a rule file.
fn check(id: &str, text: &str, today: Date) -> Vec<Diagnostic> {
    let file = Arc::new(SourceFile::new(PathBuf::from(format!("{id}.yaml")), text));
    let library = rules::check_file(&file, Path::new("fixtures"), &rules::Options { today });
    let outcomes = library.rules.iter().flat_map(rules::run_tests);
    let failed = outcomes.filter_map(|outcome| outcome.diagnostic);
    library.diagnostics.iter().cloned().chain(failed).collect()
}

/// The generated tests of an imported rule.
#[derive(Clone, Debug)]
pub(crate) struct Tests {
    /// A record that matches.
    pub(crate) positive: Value,
    /// Near misses, which must not match.
    pub(crate) negative: Vec<Changed>,
}

/// Most near misses in an imported file.
const MAX_NEGATIVE: usize = 3;

/// Generates events on which pattern and original agree.
fn tests(rule: &Rule, part: &Part, losses: &[Loss]) -> Option<Tests> {
    let agrees = |record: &Value, wanted: bool| {
        judged(part, record) == Some(wanted)
            && (!losses.is_empty() || rule.matches(&Record::new(record)) == wanted)
    };
    let choices = part
        .alternatives
        .iter()
        .take(20)
        .flat_map(|alternative| (0..witness::CHOICES).map(move |choice| (alternative, choice)));
    let (alternative, positive) = choices
        .map(|(alternative, choice)| (alternative, witness::record(alternative, choice)))
        .find(|(_, record)| {
            agrees(record, true)
                // Prefer an event that the original matches too: it shows best what the rule is
                // for.
                && (rule.matches(&Record::new(record)) || !losses.is_empty())
        })?;
    let mut negative: Vec<Changed> = Vec::new();
    for changed in witness::changes(&positive, alternative) {
        if negative.len() < MAX_NEGATIVE
            && !negative.iter().any(|known| known.field == changed.field)
            && agrees(&changed.record, false)
        {
            negative.push(changed);
        }
    }
    (!negative.is_empty()).then_some(Tests { positive, negative })
}

/// Whether the pattern matches a record; `None` if the record doesn't become an event.
fn judged(part: &Part, record: &Value) -> Option<bool> {
    let event = cloudtrail::envelope::wrap(record).ok()?;
    let event = Event::parse(&event.to_string()).ok()?;
    part.pattern.matches(&event).ok()
}
