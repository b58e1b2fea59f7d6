//! Reasons that make any deployment impossible or unsafe.

use compiler::Bundle;
use compiler::organization::Organization;
use remedy::Remedy;

use super::model::{Problem, ProblemKind};
use crate::fleet::Observed;
use crate::ports::{AccountState, OrganizationDetails, TrustedAccess};

fn problem(kind: ProblemKind, message: String, fix: impl Into<Remedy>) -> Problem {
    Problem {
        kind,
        message,
        fix: fix.into(),
    }
}

/// Reports credentials of another organization.
pub(crate) fn wrong_organization(
    expected: &Organization,
    found: &OrganizationDetails,
) -> Option<Problem> {
    (found.id != expected.id).then(|| {
        problem(
            ProblemKind::WrongOrganization,
            format!(
                "the credentials belong to organization {}, but the organization file describes {}",
                found.id, expected.id
            ),
            "use credentials of the right organization, or correct `organization` in the \
             organization file",
        )
    })
}

/// Reports a management account that differs from the organization file.
pub(crate) fn wrong_management_account(
    expected: &Organization,
    found: &OrganizationDetails,
) -> Option<Problem> {
    (found.management_account != expected.accounts.management).then(|| {
        problem(
            ProblemKind::WrongManagementAccount,
            format!(
                "the organization's management account is {}, but the organization file says {}",
                found.management_account, expected.accounts.management
            ),
            "correct `accounts.management` in the organization file",
        )
    })
}

/// Fix for disabled trusted access.
pub(crate) const ACTIVATE_TRUSTED_ACCESS: &str = "activate it once with the management account's \
     credentials: `aws cloudformation activate-organizations-access`";

pub(super) fn problems(bundle: &Bundle, observed: &Observed) -> Vec<Problem> {
    let organization = &bundle.organization;
    if let Some(problem) = wrong_organization(organization, &observed.organization) {
        return vec![problem];
    }
    let mut problems = Vec::new();
    problems.extend(wrong_management_account(
        organization,
        &observed.organization,
    ));
    let uses_stack_sets = bundle
        .stack_sets
        .iter()
        .any(|set| set.targets.members.is_some());
    if uses_stack_sets && observed.trusted_access == TrustedAccess::Disabled {
        problems.push(problem(
            ProblemKind::TrustedAccessOff,
            "StackSets has no trusted access to the organization".to_owned(),
            ACTIVATE_TRUSTED_ACCESS,
        ));
    }
    let parts = [
        ("accounts.log_archive", &organization.accounts.log_archive),
        ("accounts.hub", &organization.accounts.hub),
    ];
    for (field, id) in parts {
        let wrong = match observed.membership.account(id) {
            None => "is not in the organization".to_owned(),
            Some(account) if account.state != AccountState::Active => {
                format!("is {}", account.state.describe())
            }
            Some(_) => continue,
        };
        problems.push(problem(
            ProblemKind::AccountMissing,
            format!("account {id} {wrong}"),
            format!("correct `{field}` in the organization file"),
        ));
    }
    for unit in &organization.targets.organizational_units {
        let mut accounts = observed.membership.accounts.iter();
        if !accounts.any(|account| account.is_under(unit)) {
            problems.push(problem(
                ProblemKind::EmptyTarget,
                format!("there is no account under {unit}"),
                "correct `targets.organizational_units` in the organization file",
            ));
        }
    }
    problems
}
