//! Source files, diagnostics that point into them, and a YAML tree in which every value has its
//! location.
//!
//! Users of Gizmos write YAML. When something is wrong they need the file, line and column of the
//! exact value, and all problems at once rather than one per run. So this crate never fails:
//! [`parse`] returns what it could read together with a list of [`Diagnostic`]s.
//!
//! # Layout
//!
//! - [`SourceFile`], [`Span`], [`SourceLocation`]: where something was written;
//! - [`Diagnostic`], [`Severity`]: something wrong in a user's file, as a value;
//! - [`Node`], [`Value`], [`Entry`]: the tree;
//! - [`parse`]: text to tree, with limits on size, depth and number of values;
//! - [`comments`]: comments with their positions;
//! - [`Fix`], [`Edit`]: the correction for a diagnostic, as text edits;
//! - [`write_entry`]: value to text; [`format()`]: text to formatted text;
//! - [`files`]: files of strangers, read and written with limits;
//! - [`untrusted`]: text of strangers, made safe to show;
//! - [`nearest`]: what a misspelled word probably means;
//! - [`Shape`]: the fields of a format, and its JSON Schema.
//!
//! # Invariants
//!
//! - Scalars resolve as in YAML 1.2's core schema: `No` is a string and so is `012345678901`
//!   (an account id with a leading zero). Quoted text is always a string.
//! - Anchors, aliases, tags and merge keys are rejected, so a document is never larger than its
//!   text: no expansion can be abused.
//! - The crate doesn't depend on rules, patterns or AWS.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! let file = Arc::new(syntax::SourceFile::new("rules/example.yaml", "account: 012345678901\nmfa: No\n"));
//! let (node, diagnostics) = syntax::parse(&file);
//! assert!(diagnostics.is_empty());
//! let node = node.ok_or("no document")?;
//! let mfa = node.get("mfa").ok_or("no mfa")?;
//! assert_eq!(mfa.as_str(), Some("No"));
//! let location = syntax::SourceLocation::new(&file, mfa.span);
//! assert_eq!(location.to_string(), "rules/example.yaml:2:6");
//! # Ok::<(), &'static str>(())
//! ```

mod comment;
mod diagnostic;
pub mod files;
mod fix;
mod format;
mod parse;
mod scalar;
mod shape;
mod source;
mod suggest;
mod tree;
pub mod untrusted;
mod write;

pub use comment::{Comment, comments};
pub use diagnostic::{Diagnostic, Severity};
pub use fix::{Edit, Fix, apply};
pub use format::{Unformatted, format};
pub use parse::{MAX_BYTES, MAX_DEPTH, MAX_VALUES, parse};
pub use shape::{Field, FieldType, Shape};
pub use source::{SourceFile, SourceLocation, Span};
pub use suggest::nearest;
pub use tree::{Entry, Node, Value};
pub use write::write_entry;
