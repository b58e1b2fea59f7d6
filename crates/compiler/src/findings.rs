//! Takes findings from one place. Services report a finding in the account that it is about and once
//! more to their delegated administrator, and Security Hub once more in its aggregation Region, so
//! that a rule without an account alerts up to four times.

use rules::Rule;
use syntax::Diagnostic;

use crate::organization::{Findings, Organization};

/// Sources of findings that a delegated administrator receives for every member.
/// <https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-integration-types.html>
/// <https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html>
const SOURCES: [&str; 5] = [
    "aws.access-analyzer",
    "aws.guardduty",
    "aws.inspector2",
    "aws.macie",
    SECURITY_HUB,
];
/// Its aggregation Region receives the findings of all linked Regions.
const SECURITY_HUB: &str = "aws.securityhub";
/// Most rules that the warning names.
const NAMED: usize = 5;

/// The place from which a rule's findings are taken: account and, for Security Hub, Region. `None`
/// if the rule isn't about findings or says itself where they come from.
pub(crate) fn findings_place<'o>(
    rule: &Rule,
    organization: &'o Organization,
) -> Option<(&'o str, Option<&'o str>)> {
    let findings = organization.findings.as_ref()?;
    let sources = sources(rule)?;
    Some(place(&sources, findings))
}

fn place<'o>(sources: &[String], findings: &'o Findings) -> (&'o str, Option<&'o str>) {
    let aggregated = sources.iter().all(|source| source == SECURITY_HUB);
    (
        findings.account.as_str(),
        aggregated.then_some(findings.region.as_str()),
    )
}

/// The sources of a rule that is about findings only and pins no account.
fn sources(rule: &Rule) -> Option<Vec<String>> {
    let sources = rule.pattern.exact_values("source")?;
    let all = sources.iter().all(|it| SOURCES.contains(&it.as_str()));
    let is_pinned = rule.pattern.exact_values("account").is_some();
    // Records of calls to these services aren't findings.
    let types = rule.pattern.exact_values("detail-type");
    let calls = types.is_some_and(|types| types.iter().any(|it| it.ends_with(" via CloudTrail")));
    (all && !is_pinned && !calls && !sources.is_empty()).then_some(sources)
}

/// Warns if findings come from everywhere.
pub(crate) fn check(
    rules: &[&Rule],
    organization: &Organization,
    diagnostics: &mut Vec<Diagnostic>,
) {
    if organization.findings.is_some() {
        return;
    }
    let about: Vec<&Rule> = rules
        .iter()
        .copied()
        .filter(|rule| sources(rule).is_some())
        .collect();
    let Some(first) = about.first() else {
        return;
    };
    let ids: Vec<String> = about.iter().map(|rule| format!("`{}`", rule.id)).collect();
    let more = match ids.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    diagnostics.push(
        Diagnostic::warning(
            "compile::findings",
            format!(
                "findings arrive in the account they are about and again at the service's \
                 administrator, so each may alert twice or more: {}{more}",
                shown.join(", ")
            ),
        )
        .at(first.location.clone())
        .help(
            "name the administrator's account and Security Hub's aggregation Region in the \
             organization file: `findings: {account: \"333344445555\", region: eu-central-1}`",
        ),
    );
}
