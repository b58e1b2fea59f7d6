//! Compares policies with AWS's service authorization reference: actions, resource types and
//! condition keys.

mod pattern;
mod reference;
mod statement;
mod template;

pub use reference::Reference;
pub use statement::PolicyKind;
pub use template::{Policy, policies};
