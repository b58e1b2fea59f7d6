//! Linting: checks what the fields of a rule say.
//!
//! Every [`Diagnostic`] about a rule has a code, and every code has an entry in the [`registry`]:
//! its meaning, a bad and a good example, whether it has a fix and whether a comment can allow it.
//! [`page`] renders the registry as `rules/LINTS.md`.

pub(crate) mod allow;
mod checks;
mod clause;
mod fields;
pub(crate) mod names;
pub(crate) mod omitted;
mod page;
mod policy;
mod registry;
pub(crate) mod shadow;
mod text;

pub use page::page;
pub use registry::{EXAMPLE_EVENT, EXAMPLE_RULE, Example, Lint, find, registry};

use jiff::civil::Date;
use syntax::{Diagnostic, SourceLocation, Span};

use self::allow::Allowances;
use crate::model::{Rule, Status};
use crate::read::RuleFile;
use crate::read::reader::Reader;

/// Most diagnostics per file; the others appear once these are fixed.
const MAX_DIAGNOSTICS: usize = 100;

/// The result of checking one file.
#[derive(Debug)]
pub(crate) struct Linted {
    /// Present if all parts of the rule could be read.
    pub(crate) rule: Option<Rule>,
    /// Whether the rule belongs in the library: it has no errors and isn't deprecated.
    pub(crate) sound: bool,
    /// Present if the id is valid.
    pub(crate) id: Option<(String, SourceLocation)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// Allowances in the file. They also apply to diagnostics of later checks.
    pub(crate) allowances: Allowances,
}

/// Checks a rule file that has been read.
pub(crate) fn check(read: RuleFile, today: Date) -> Linted {
    let RuleFile {
        file,
        root,
        fields,
        diagnostics,
    } = read;
    let mut reader = Reader { file, diagnostics };
    let mut allowances = Allowances::default();
    if let Some(root) = &root {
        text::check(&mut reader, root);
        if root.as_mapping().is_some() {
            policy::check(&mut reader, root, &fields, today);
            checks::check(&mut reader, root, &fields);
        }
        allowances = Allowances::read(&reader.file, root, &mut reader.diagnostics);
        allowances.filter(&mut reader.diagnostics);
        limit(&mut reader);
    }
    let is_deprecated = fields.status == Some(Status::Deprecated);
    let has_errors = reader.diagnostics.iter().any(Diagnostic::is_error);
    Linted {
        sound: !is_deprecated && !has_errors,
        id: fields.id.clone(),
        rule: fields.into_rule(&reader.file),
        diagnostics: reader.diagnostics,
        allowances,
    }
}

/// Truncates the diagnostics: a file with thousands of them isn't a rule.
fn limit(reader: &mut Reader) {
    let more = reader.diagnostics.len().saturating_sub(MAX_DIAGNOSTICS);
    if more > 0 {
        reader.diagnostics.truncate(MAX_DIAGNOSTICS);
        reader.error(
            "rule::too-many-diagnostics",
            format!("and {more} more diagnostics in this file"),
            Span::default(),
        );
    }
}
