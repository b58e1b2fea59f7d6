//! The registry of all diagnostic codes.

mod exception;
mod library;
mod limit;
mod lint;
mod message;
mod pattern;
mod respond;
mod rule;
mod test;
mod yaml;

use std::sync::LazyLock;

pub use lint::{EXAMPLE_EVENT, EXAMPLE_RULE, Example, Lint};

static REGISTRY: LazyLock<Vec<Lint>> = LazyLock::new(|| {
    [
        pattern::LINTS,
        rule::LINTS,
        message::LINTS,
        test::LINTS,
        exception::LINTS,
        respond::LINTS,
        library::LINTS,
        limit::LINTS,
        yaml::LINTS,
    ]
    .concat()
});

/// All lints, in the order of `LINTS.md`.
pub fn registry() -> &'static [Lint] {
    &REGISTRY
}

/// The lint with this code.
pub fn find(code: &str) -> Option<&'static Lint> {
    registry().iter().find(|lint| lint.code == code)
}
