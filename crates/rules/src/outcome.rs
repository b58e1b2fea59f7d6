//! Rule tests.
use serde::Serialize;
use syntax::Finding;

use crate::model::Rule;

/// What came of one rule test.
#[derive(Clone, Debug, Serialize)]
pub struct TestOutcome {
    /// The rule's id.
    pub rule: String,
    /// The test's name.
    pub test: String,
    /// Whether everything was as expected.
    pub passed: bool,
    /// Whether the rule matched.
    pub matched: bool,
    /// The message as delivered, if the rule matched and has one.
    pub message: Option<String>,
    /// What went wrong.
    pub finding: Option<Finding>,
}

/// Runs all tests of a rule.
pub fn run_tests(rule: &Rule) -> Vec<TestOutcome> {
    let _ = rule;
    Vec::new()
}
