use super::*;
use crate::fake::{Fake, HOME, HUB, bundle};
use crate::ports::{Account, TrailSummary};

async fn failed(cloud: &Fake) -> Vec<(String, String)> {
    let found = preflight(cloud, &bundle()).await;
    let failed: Vec<(String, String)> = found
        .checks
        .iter()
        .filter(|check| check.state == CheckState::Failed)
        .map(|check| (check.what.clone(), check.fix.as_ref().unwrap().to_string()))
        .collect();
    assert_eq!(found.passed(), failed.is_empty());
    assert_eq!(cloud.take_calls(), [""; 0]);
    failed
}

#[tokio::test(start_paused = true)]
async fn an_organization_that_is_ready_passes() {
    assert_eq!(failed(&Fake::new()).await, []);
}

#[tokio::test(start_paused = true)]
async fn each_failure_comes_with_its_fix() {
    let cloud = Fake::new();
    {
        let mut state = cloud.state();
        state.trusted = false;
        state.services.clear();
        state.denied.insert("cloudformation:CreateStackSet".into());
        state.enabled_regions = Some(vec!["us-east-1".into()]);
        state.trails.push(TrailSummary {
            name: "gizmos".into(),
            arn: format!("arn:aws:cloudtrail:{HOME}:111122223333:trail/gizmos"),
            bucket: None,
            multi_region: true,
            organization: false,
            home_region: HOME.into(),
        });
    }
    let failed = failed(&cloud).await;
    let whats: Vec<&str> = failed.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(
        whats,
        [
            "trusted access of StackSets",
            "trusted access of CloudTrail",
            "permissions",
            "Regions",
            "organization trails",
        ]
    );
    for (fix, word) in failed.iter().map(|(_, fix)| fix).zip([
        "activate-organizations-access",
        "enable-aws-service-access",
        "cloudformation:CreateStackSet",
        "enable-region",
        "trail.name",
    ]) {
        assert!(fix.contains(word), "{fix}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_member_account_must_be_a_delegated_administrator() {
    let cloud = Fake::new();
    cloud.state().caller = HUB.into();
    let missing = failed(&cloud).await;
    assert_eq!(missing[0].0, "role in the organization");
    assert!(
        missing[0]
            .1
            .contains("register-delegated-administrator --account-id 333344445555")
    );
    cloud.state().administrators.push(HUB.into());
    assert_eq!(failed(&cloud).await, []);
}

#[tokio::test(start_paused = true)]
async fn deployers_of_the_organization_file_have_the_callers_role_or_doctor_proposes_it() {
    let cloud = Fake::new();
    let find = async |deployers: &[&str]| {
        let mut bundle = bundle();
        bundle.organization.deployers = deployers.iter().map(ToString::to_string).collect();
        let found = thorough(&cloud, &bundle).await;
        let check = found.checks.into_iter().find(|it| it.what == "deployers");
        let check = check.unwrap();
        (
            check.state,
            check.fix.map_or_else(String::new, |fix| fix.to_string()),
        )
    };
    let (state, fix) = find(&[]).await;
    assert_eq!(state, CheckState::Warning);
    assert!(
        fix.contains("`deployers: [arn:aws:iam::111122223333:role/gizmos-deploy]`"),
        "{fix}"
    );
    for other in [
        "arn:aws:iam::111122223333:role/another",
        "arn:aws:iam::222233334444:role/gizmos-deploy",
    ] {
        assert_eq!(find(&[other]).await.0, CheckState::Warning, "{other}");
    }
    // The caller's session doesn't tell the path.
    for own in [
        "arn:aws:iam::111122223333:role/gizmos-deploy",
        "arn:aws:iam::111122223333:role/teams/platform/gizmos-deploy",
    ] {
        assert_eq!(find(&[own]).await.0, CheckState::Passed, "{own}");
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_of_another_organization_end_the_preflight() {
    let cloud = Fake::new();
    cloud.state().organization = "o-anotherorg".into();
    let failed = failed(&cloud).await;
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].0, "organization");
}

#[tokio::test(start_paused = true)]
async fn exceeded_quotas_come_with_the_command_that_raises_them() {
    const STACKS: &str = "stacks of an account and Region";
    const INSTANCES: &str = "instances of a stack set";
    let cloud = Fake::new();
    let find = async |what: &str, state: CheckState| {
        let found = thorough(&cloud, &bundle()).await;
        let check = found.checks.into_iter().find(|it| it.what == what).unwrap();
        assert_eq!(check.state, state, "{}", check.message);
        (
            check.message,
            check.fix.map_or_else(String::new, |fix| fix.to_string()),
        )
    };
    find(STACKS, CheckState::Unknown).await;
    find(INSTANCES, CheckState::Passed).await;
    cloud.state().stack_quota = Some(2_000);
    find(STACKS, CheckState::Passed).await;
    cloud.state().stack_quota = Some(1);
    let (message, fix) = find(STACKS, CheckState::Failed).await;
    assert!(
        message.contains("would have 2 stacks, the quota is 1"),
        "{message}"
    );
    assert!(
        fix.contains("--quota-code L-0485CB21 --desired-value 2"),
        "{fix}"
    );
    {
        let mut state = cloud.state();
        let one = state.accounts.last().unwrap().clone();
        let more = (0..50_001).map(|number| Account {
            id: format!("2{number:011}"),
            ..one.clone()
        });
        state.accounts.extend(more);
    }
    let (message, fix) = find(INSTANCES, CheckState::Warning).await;
    assert!(message.contains("the quota is 100000"), "{message}");
    assert!(fix.contains("Stack instances per stack set"), "{fix}");
    assert_eq!(cloud.take_calls(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn enabled_regions_that_nobody_can_list_are_a_failure() {
    let cloud = Fake::new();
    cloud.state().enabled_regions = None;
    let mut bundle = bundle();
    bundle.organization.region_source = RegionSource::Unresolved;
    let found = preflight(&cloud, &bundle).await;
    let check = found.checks.iter().find(|check| check.what == "Regions");
    let check = check.unwrap();
    assert_eq!(check.state, CheckState::Failed);
    let fix = check.fix.as_ref().unwrap().to_string();
    assert!(fix.contains("account:ListRegions"), "{fix}");
}

#[tokio::test(start_paused = true)]
async fn enabled_regions_in_which_sign_ins_appear_are_a_warning_while_unwatched() {
    let cloud = Fake::new();
    let regions = [HOME, "us-east-1", "us-east-2", "eu-north-1", "eu-west-1"];
    cloud.state().enabled_regions = Some(regions.map(str::to_owned).to_vec());
    let found = preflight(&cloud, &bundle()).await;
    let warnings: Vec<&str> = found
        .checks
        .iter()
        .filter(|check| check.state == CheckState::Warning)
        .map(|check| check.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        ["console sign-ins also appear in us-east-2, eu-north-1, where nothing forwards them"]
    );
}
