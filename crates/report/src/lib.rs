//! Renders results in several formats.
//!
//! Every Gizmos command ends in a value: diagnostics, a plan, or the report of a deployment, drift
//! run or verification. This crate renders such a value as text for a terminal, Markdown for a pull
//! request, JSON, SARIF or GitHub annotations. It prints nothing and decides nothing.
//!
//! Reports quote strangers: names of files and accounts, reasons of failures, values of events. Every
//! line goes through [`syntax::untrusted`], so a value stays on its line and does nothing there.
//!
//! # Example
//!
//! ```
//! use syntax::Diagnostic;
//!
//! let diagnostics = [Diagnostic::error("rules::empty", "the folder `rules` holds no rule")
//!     .help("add a rule file, see rules/README.md")];
//! let text = report::diagnostics::terminal(&diagnostics, false);
//! assert!(text.starts_with("error[rules::empty]: the folder `rules` holds no rule"));
//! assert!(text.ends_with("1 error\n"));
//! ```

pub mod apply;
pub mod backtest;
pub mod diagnostics;
pub mod drift;
pub mod explain;
pub mod github;
pub mod junit;
pub mod matching;
pub mod permissions;
pub mod plan;
pub mod preflight;
pub mod probe;
pub mod proof;
pub mod sarif;
pub mod verify;

use syntax::untrusted;

/// `1 rule`, `2 rules`; nouns that end in `s` get `es`.
pub fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        let ending = if noun.ends_with('s') { "es" } else { "s" };
        format!("{count} {noun}{ending}")
    }
}

/// Appends one line, whatever the values in it contain.
pub(crate) fn push_line(text: &mut String, line: &str) {
    text.push_str(&untrusted::line(line));
    text.push('\n');
}

/// Appends lines.
pub(crate) fn push_lines(text: &mut String, lines: &str) {
    for line in lines.lines() {
        push_line(text, line);
    }
}
