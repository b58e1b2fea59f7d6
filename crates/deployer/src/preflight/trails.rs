//! The organization's trails: whether an existing one feeds the rules, and whether an own one would be
//! the second.

use std::collections::BTreeSet;

use compiler::organization::{ExistingTrail, Trail};
use compiler::{Bundle, Part};
use remedy::Remedy;

use super::{CheckState, Preflight};
use crate::fleet::{Observed, ObservedStack, Scope, may_change, tagged_part};
use crate::health::{Inspection, PERMIT, trail};
use crate::plan::{Problem, ProblemKind};
use crate::ports::{Account, Cloud, Location, Stack, TrailStatus, TrailSummary};

const EXISTING: &str = "existing trail";
const ITSELF: &str = "the existing trail in the organization file is the one that Gizmos deployed, and \
                      without an own trail it would be deleted";
const KEEP: &str = "write `name` in place of `existing` in the organization file, or the ARN of another \
                    trail";

/// Checks the trail that the organization file describes.
pub(super) async fn check(cloud: &impl Cloud, bundle: &Bundle, found: &mut Preflight) {
    match &bundle.organization.trail {
        Trail::Own(own) => check_own(cloud, bundle, &own.name, found).await,
        Trail::Existing(existing) => check_existing(cloud, bundle, existing, found).await,
    }
}

/// Asks a sample of members about an existing trail, unless what was found already explains them.
pub(super) async fn members(
    cloud: &impl Cloud,
    bundle: &Bundle,
    accounts: &[Account],
    found: &mut Preflight,
) {
    let organization = &bundle.organization;
    let mut checks = found.checks.iter();
    let is_good = checks.any(|it| it.what == EXISTING && it.state == CheckState::Passed);
    if let (Trail::Existing(_), true) = (&organization.trail, is_good) {
        let mut sample = trail::sample(organization, accounts);
        // It has been asked already.
        sample.remove(&organization.accounts.hub);
        let inspection = trail::members(cloud, organization, &sample, &Scope::default()).await;
        let state = severity(own_stack(cloud, bundle).await.as_ref());
        tell(inspection, state, found);
    }
}

/// Why an own trail can't be removed yet for an existing one: what is broken about that. Nothing is
/// read unless the own one is still there.
pub async fn existing_trail(
    cloud: &impl Cloud,
    bundle: &Bundle,
    observed: &Observed,
) -> Vec<Problem> {
    let organization = &bundle.organization;
    let is_own = |found: &ObservedStack| tagged_part(&found.stack.tags) == Some(Part::Trail);
    let Trail::Existing(_) = organization.trail else {
        return Vec::new();
    };
    let Some(own) = observed.owned_stacks(bundle).find(|it| is_own(it)) else {
        return Vec::new();
    };
    if is_itself(bundle, &own.stack) {
        return vec![Problem {
            kind: ProblemKind::TrailBroken,
            message: ITSELF.to_owned(),
            fix: KEEP.into(),
        }];
    }
    let sample = trail::sample(organization, &observed.membership.accounts);
    let (inspection, _) = trail::existing(cloud, bundle, &sample, &Scope::default()).await;
    let broken = inspection.into_broken().into_iter();
    broken
        .map(|it| Problem {
            kind: ProblemKind::TrailBroken,
            message: format!(
                "{} in {} can't take the place of Gizmos' own trail yet: {}",
                it.link, it.location, it.message
            ),
            fix: it.fix,
        })
        .collect()
}

/// The stack of the trail that Gizmos deployed, if it is still there.
async fn own_stack(cloud: &impl Cloud, bundle: &Bundle) -> Option<Stack> {
    let organization = &bundle.organization;
    let home = Location::new(&organization.accounts.management, &organization.home_region);
    let name = format!("gizmos-{}", Part::Trail.name());
    let stack = cloud.describe_stack(&home, &name).await.ok().flatten();
    stack.filter(|stack| may_change(organization, &name, &stack.tags))
}

/// Whether the existing trail is the one of this stack.
fn is_itself(bundle: &Bundle, own: &Stack) -> bool {
    let organization = &bundle.organization;
    let name = own.parameters.get("TrailName").map(String::as_str);
    name == Some(organization.trail_name())
        && organization.trail_region() == organization.home_region
}

/// How bad a fault of an existing trail is. Rules that nothing feeds can be deployed, but an own trail
/// must not be removed for one that doesn't work.
fn severity(own: Option<&Stack>) -> CheckState {
    match own {
        Some(_) => CheckState::Failed,
        None => CheckState::Warning,
    }
}

async fn check_existing(
    cloud: &impl Cloud,
    bundle: &Bundle,
    existing: &ExistingTrail,
    found: &mut Preflight,
) {
    let own = own_stack(cloud, bundle).await;
    if own.as_ref().is_some_and(|own| is_itself(bundle, own)) {
        found.fail(EXISTING, ITSELF.to_owned(), KEEP);
        return;
    }
    let hub = BTreeSet::from([bundle.organization.accounts.hub.clone()]);
    let (inspection, status) = trail::existing(cloud, bundle, &hub, &Scope::default()).await;
    if inspection.faults.is_empty() && inspection.unreadable.is_empty() {
        found.pass(EXISTING, existing.arn.clone());
    }
    let state = severity(own.as_ref());
    tell(inspection, state, found);
    if let Some(status) = status {
        bucket(existing, &status, found);
    }
}

/// Reports faults as this state. What can't be read may be healthy, but an own trail isn't removed on
/// that chance.
fn tell(inspection: Inspection, state: CheckState, found: &mut Preflight) {
    let unreadable = match state {
        CheckState::Failed => CheckState::Failed,
        _ => CheckState::Unknown,
    };
    for fault in inspection.faults {
        let link = fault.link;
        let message = format!("{} in {}: {}", link.link, link.location, link.message);
        found.add(EXISTING, state, message, Some(link.fix));
    }
    for link in inspection.unreadable {
        let message = format!("{} in {}: {}", link.link, link.location, link.reason);
        found.add(EXISTING, unreadable, message, Some(PERMIT.into()));
    }
    for link in inspection.warnings {
        let message = format!("{} in {}: {}", link.link, link.location, link.message);
        found.warn(EXISTING, message, link.fix);
    }
}

/// Warns if rules protect no bucket or another one than the trail's.
fn bucket(existing: &ExistingTrail, status: &TrailStatus, found: &mut Preflight) {
    let Some(actual) = &status.bucket else {
        return;
    };
    let line = lines(&existing.arn, Some(actual));
    match &existing.bucket {
        Some(named) if named == actual => {}
        Some(named) => found.warn(
            "log bucket",
            format!("the existing trail's log bucket is {actual}, and rules protect {named}"),
            format!("write `{line}` in the organization file"),
        ),
        None => found.warn(
            "log bucket",
            format!("no rule protects {actual}, the existing trail's log bucket"),
            format!("write `{line}` in the organization file"),
        ),
    }
}

/// The section `trail` of an organization file for a trail that is there.
fn lines(arn: &str, bucket: Option<&str>) -> String {
    let bucket = bucket.map_or_else(String::new, |bucket| format!(", bucket: {bucket}"));
    format!("trail: {{existing: \"{arn}\"{bucket}}}")
}

/// Proposes to use a trail in place of an own one.
fn proposal(trail: &TrailSummary) -> Remedy {
    format!(
        "to use it in place of an own one, let `trail` in the organization file be `{}`",
        lines(&trail.arn, trail.bucket.as_deref())
    )
    .into()
}

async fn check_own(cloud: &impl Cloud, bundle: &Bundle, name: &str, found: &mut Preflight) {
    const WHAT: &str = "organization trails";
    let organization = &bundle.organization;
    if !bundle.stack_sets.iter().any(|set| set.part == Part::Trail) {
        return;
    }
    let home = Location::new(&organization.accounts.management, &organization.home_region);
    let trails = match cloud.trails(&home).await {
        Ok(trails) => trails,
        Err(error) => {
            found.unknown(WHAT, &error);
            return;
        }
    };
    let ours = |trail: &TrailSummary| trail.name == name && trail.home_region == home.region;
    let feeds_all = |trail: &TrailSummary| trail.organization && trail.multi_region;
    if let Some(foreign) = trails.iter().find(|trail| ours(trail))
        && own_stack(cloud, bundle).await.is_none()
    {
        let mut fix = Remedy::from("choose another `trail.name` in the organization file");
        if feeds_all(foreign) {
            fix = fix.words("; ").and(proposal(foreign));
        }
        found.fail(
            WHAT,
            format!("a trail named {name} exists that Gizmos did not create"),
            fix,
        );
        return;
    }
    let others = || trails.iter().filter(|it| it.organization && !ours(it));
    let names: Vec<&str> = others().map(|trail| trail.name.as_str()).collect();
    if names.is_empty() {
        found.pass(WHAT, "no other".to_owned());
        return;
    }
    let costs = "see https://aws.amazon.com/cloudtrail/pricing/ and keep one of the two";
    let fix = match others().find(|trail| feeds_all(trail)) {
        Some(other) => proposal(other).words(format!("; {costs}")),
        None => costs.into(),
    };
    found.warn(
        WHAT,
        format!(
            "the organization has another trail ({}), and AWS charges for a second copy of management \
             events",
            names.join(", ")
        ),
        fix,
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::UnreadableLink;

    #[test]
    fn an_own_trail_is_not_removed_for_one_that_cannot_be_read() {
        for (state, expected) in [
            (CheckState::Warning, CheckState::Unknown),
            (CheckState::Failed, CheckState::Failed),
        ] {
            let inspection = Inspection {
                unreadable: vec![UnreadableLink {
                    link: "trail audit".to_owned(),
                    location: Location::new("111122223333", "us-east-1"),
                    reason: "it can't be read: access denied".to_owned(),
                }],
                ..Inspection::default()
            };
            let mut found = Preflight { checks: Vec::new() };
            tell(inspection, state, &mut found);
            let states: Vec<CheckState> = found.checks.iter().map(|check| check.state).collect();
            assert_eq!(states, [expected]);
        }
    }
}
