//! Compiles rules and the organization file to a [`Bundle`]: every stack set's CloudFormation
//! template with its parameters, tags and targets.
//!
//! The crate is deterministic: after it has read the organization file and the template sources,
//! equal input gives equal bytes, without clock, environment or network. What AWS would reject
//! later (quotas, sizes, references) is rejected here, with the file and line of the rule or
//! organization field that caused it.
//!
//! The steps, one module each:
//!
//! 1. [`organization`] reads `stacksets/organization.yaml`;
//! 2. [`Templates`] reads `stacksets/*.template.json.j2`;
//! 3. [`compile`] renders and checks the templates and collects them in a [`Bundle`];
//! 4. [`Bundle::write`] writes the bundle and its manifest to a directory.
//!
//! Errors in the user's files are returned as diagnostics, all at once:
//!
//! ```
//! use std::path::Path;
//!
//! use compiler::{Templates, compile, organization};
//!
//! let stacksets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets");
//! let (organization, diagnostics) = organization::load(&stacksets.join("organization.yaml"));
//! assert_eq!(diagnostics, []);
//! let templates = Templates::load(&stacksets).unwrap();
//!
//! let (bundle, diagnostics) = compile(&[], &organization.unwrap(), &templates);
//! assert_eq!(bundle, None);
//! assert_eq!(diagnostics[0].code, "compile::no-rules");
//! ```

mod bundle;
pub mod canary;
mod carrier;
mod compile;
mod deployed;
mod emit;
mod findings;
mod forward;
mod json;
mod limits;
mod logical;
mod manifest;
pub mod organization;
mod ownership;
mod placement;
mod structure;
mod templates;
mod unwatched;
mod view;

pub use bundle::{AccountFilter, Bundle, Members, Needs, Part, StackSet, Targets};
pub use carrier::Carrier;
pub use compile::{compile, compile_onto};
pub use deployed::as_deployed;
pub use forward::{ANY, OTHER};
pub use limits::{RULES_WITH_WILDCARD, Size, rules_with_wildcard, sizes};
pub use ownership::{
    FORMAT, FORMAT_TAG, INSTALLATION_TAG, ORGANIZATION_TAG, OWNERSHIP_TAG, PART_TAG, stack_set_tags,
};
pub use placement::{Item, Placement, carried, forwarders, split_part, stack_set_part};
pub use templates::Templates;
