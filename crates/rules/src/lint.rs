//! The checks of rule files, and what is known about each.
//!
//! Every [`Diagnostic`](syntax::Diagnostic) about a rule has a code, and every code an entry in the
//! [`registry`]: what it means, an example on either side, whether it can be mended by machine and
//! whether it may be allowed in place. `rules/LINTS.md` is made of it by [`page`].

pub(crate) mod allow;
pub(crate) mod checks;
mod clause;
mod fields;
pub(crate) mod names;
mod page;
mod registry;
pub(crate) mod shadow;

pub use page::page;
pub use registry::{EXAMPLE_EVENT, EXAMPLE_RULE, find, registry};

use syntax::Severity;

/// One check and its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Stable: `pattern::value-type`. The part before `::` says what part of a rule it is about.
    pub code: &'static str,
    /// The heading: what is wrong, in a few words.
    pub name: &'static str,
    /// Errors stop a deployment.
    pub severity: Severity,
    /// Why it matters and what to do, in one paragraph.
    pub about: &'static str,
    /// Where it fires.
    pub bad: Example,
    /// Where it is silent.
    pub good: Example,
    /// Whether `check --fix` can mend it, in the usual case.
    pub fix: bool,
    /// Whether a comment `# allow: code reason` silences it. What EventBridge or CloudFormation
    /// would refuse, and what protects the deployment from a rule file, can't be allowed.
    pub allow: bool,
}

/// An example of a rule file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Example {
    /// Fields at the top of the file, in place of those of [`EXAMPLE_RULE`]; a line `---` begins
    /// another rule of the same folder.
    Fields(&'static str),
    /// [`EXAMPLE_RULE`] without a field.
    Without(&'static str),
    /// A whole file.
    File(&'static str),
    /// Nothing that a page could show: a file that is too large, a link, a folder.
    Words(&'static str),
}

impl Example {
    /// The text of the example's rule files, one after another; none for [`Example::Words`].
    pub fn files(self) -> Vec<String> {
        match self {
            Self::Fields(fields) => fields
                .split("---\n")
                .map(|fields| with_fields(EXAMPLE_RULE, fields))
                .collect(),
            Self::Without(field) => vec![
                blocks(EXAMPLE_RULE)
                    .into_iter()
                    .filter(|(name, _)| *name != field)
                    .map(|(_, text)| text)
                    .collect(),
            ],
            Self::File(text) => vec![text.to_owned()],
            Self::Words(_) => Vec::new(),
        }
    }
}

/// A rule file's text with some of its top fields replaced, and new ones added at the end.
fn with_fields(rule: &str, fields: &str) -> String {
    let mut blocks = blocks(rule);
    for (name, text) in self::blocks(fields) {
        match blocks.iter_mut().find(|(known, _)| *known == name) {
            Some(block) => block.1 = text,
            None => blocks.push((name, text)),
        }
    }
    blocks.into_iter().map(|(_, text)| text).collect()
}

/// The top fields of a file with their lines; a comment before a field belongs to it.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let mut before = String::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with('#') || (blocks.is_empty() && line == "\n") {
            before.push_str(line);
        } else if let (Some(block), true) = (blocks.last_mut(), line.starts_with([' ', '\n'])) {
            block.1.push_str(&before);
            block.1.push_str(line);
            before.clear();
        } else {
            let name = line.split(':').next().unwrap_or_default();
            blocks.push((name, format!("{before}{line}")));
            before.clear();
        }
    }
    blocks
}
