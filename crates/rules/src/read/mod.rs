//! Reads rule files into fields.
//!
//! Reading checks that every field is present, has the right type and can be parsed. Whether its
//! content makes sense is checked by [`lint`](crate::lint), which starts after a file has been
//! read.

mod detection;
mod exceptions;
pub(crate) mod fixtures;
pub(crate) mod folder;
mod message;
pub(crate) mod path;
pub(crate) mod reader;
pub(crate) mod rule;
mod rule_tests;
pub(crate) mod shape;

use std::sync::Arc;

use syntax::{Diagnostic, Node, SourceFile};

use self::fixtures::Fixtures;
use self::reader::Reader;
use self::rule::Fields;

/// A rule file with its fields.
#[derive(Debug)]
pub(crate) struct RuleFile {
    pub(crate) file: Arc<SourceFile>,
    /// `None` if the file isn't YAML.
    pub(crate) root: Option<Node>,
    pub(crate) fields: Fields,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// Reads a rule file.
pub(crate) fn file(file: &Arc<SourceFile>, fixtures: &mut Fixtures) -> RuleFile {
    let (root, diagnostics) = syntax::parse(file);
    let mut reader = Reader {
        file: Arc::clone(file),
        diagnostics,
    };
    let fields = root
        .as_ref()
        .map(|root| Fields::read(&mut reader, root, fixtures))
        .unwrap_or_default();
    RuleFile {
        file: reader.file,
        root,
        fields,
        diagnostics: reader.diagnostics,
    }
}
