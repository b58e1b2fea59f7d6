//! The result of a preflight as text.

use deployer::preflight::{Check, CheckState, Preflight};
use syntax::untrusted::markdown as markdown_text;

use crate::{plural, push_line};

/// Every check, for a terminal.
pub fn terminal(found: &Preflight) -> String {
    let mut text = String::new();
    for check in &found.checks {
        lines(&mut text, check);
    }
    push_line(&mut text, &summary(found));
    text
}

/// Warnings only, with which a deployment can still start.
pub fn warnings(found: &Preflight) -> String {
    let mut text = String::new();
    for check in &found.checks {
        if check.state == CheckState::Warning {
            lines(&mut text, check);
        }
    }
    text
}

/// Every check, for a pull request comment.
pub fn markdown(found: &Preflight) -> String {
    let mut text = "| | check | found | fix |\n|---|---|---|---|\n".to_owned();
    for check in &found.checks {
        let fix = check.fix.as_ref().map(ToString::to_string);
        let fix = fix.unwrap_or_default();
        push_line(
            &mut text,
            &format!(
                "| {} | {} | {} | {} |",
                word(check.state),
                markdown_text(&check.what),
                markdown_text(&check.message),
                markdown_text(&fix)
            ),
        );
    }
    text.push('\n');
    push_line(&mut text, &summary(found));
    text
}

fn summary(found: &Preflight) -> String {
    let failed = found
        .checks
        .iter()
        .filter(|check| check.state == CheckState::Failed)
        .count();
    if failed == 0 {
        "Ready: a deployment can start.".to_owned()
    } else {
        format!(
            "Blocked: {}; nothing was changed.",
            plural(failed, "problem")
        )
    }
}

fn lines(text: &mut String, check: &Check) {
    push_line(
        text,
        &format!(
            "  {:<8} {}: {}",
            word(check.state),
            check.what,
            check.message
        ),
    );
    if let Some(fix) = &check.fix {
        push_line(text, &format!("           fix: {fix}"));
    }
}

fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Passed => "ok",
        CheckState::Warning => "warning",
        CheckState::Unknown => "unknown",
        CheckState::Failed => "FAILED",
    }
}
