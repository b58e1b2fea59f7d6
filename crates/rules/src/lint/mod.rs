//! Linting: what the fields of a rule say, judged.
//!
//! Every [`Diagnostic`] about a rule has a code, and every code an entry in the [`registry`]: what it
//! means, an example on either side, whether it has a fix and whether it may be allowed in place.
//! [`page`] makes `rules/LINTS.md` from it.

mod allow;
mod checks;
mod clause;
mod fields;
pub(crate) mod names;
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

/// Most diagnostics of one file; after fixing these, the author sees the others.
const MAX_DIAGNOSTICS: usize = 100;

/// A file that has been read and checked.
#[derive(Debug)]
pub(crate) struct Linted {
    /// The rule, if all of its parts could be read.
    pub(crate) rule: Option<Rule>,
    /// Whether the rule belongs into the library: it has no errors and isn't deprecated.
    pub(crate) sound: bool,
    /// The id, if it is a valid one.
    pub(crate) id: Option<(String, SourceLocation)>,
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What comments in the file allow; some of it concerns diagnostics that are yet to come.
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

/// A file with thousands of problems has one: it is not a rule.
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
