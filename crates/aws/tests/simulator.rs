//! The ports over real HTTP: the AWS SDK against the simulated organization.
#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has to fail its test"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws::{Aws, Credentials, Options};
use compiler::organization::{
    Accounts, Forward, Organization, OwnTrail, Publish, RegionSource, TargetScope, Topology, Trail,
    Wave,
};
use compiler::{AccountFilter, Bundle, Members, Part, StackSet, Targets};
use deployer::drift::{DriftCheck, DriftOptions};
use deployer::plan::Change;
use deployer::ports::{
    ChangeSetKind, ChangeSetRequest, Location, Organizations, StackSets, Stacks, TrustedAccess,
};
use deployer::{ApplyOutcome, Silent};
use serde_json::json;
use simulator::{Config, Simulator};
use simulator_client::Client;

const MANAGEMENT: &str = "111122223333";
const HOME: &str = "eu-central-1";

async fn connect(simulator: &Simulator) -> Aws {
    let mut options = Options::new(HOME);
    options.endpoint_url = Some(simulator.endpoint());
    options.credentials = Some(Credentials {
        access_key_id: MANAGEMENT.into(),
        secret_access_key: "simulated".into(),
    });
    let client = Client::new(&simulator.endpoint());
    options.pause = Some(Arc::new(move |duration: Duration| {
        let client = client.clone();
        Box::pin(async move { client.advance(duration).await.unwrap() })
    }));
    Aws::connect(options).await
}

/// One stack set with a queue, everywhere; the management account included.
fn bundle(retention: u32) -> Bundle {
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {"Seconds": {"Type": "Number"}},
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {
            "MessageRetentionPeriod": {"Ref": "Seconds"}}}}
    });
    let regions = vec![HOME.to_owned(), "us-east-1".to_owned()];
    let mut bundle = Bundle {
        organization: Organization {
            id: "o-exampleorg1".into(),
            root: "r-exmp".into(),
            installation: "gizmos".into(),
            home_region: HOME.into(),
            regions: regions.clone(),
            region_source: RegionSource::Listed,
            accounts: Accounts {
                management: MANAGEMENT.into(),
                log_archive: "222233334444".into(),
                hub: "333344445555".into(),
            },
            targets: TargetScope {
                organizational_units: vec![
                    "ou-exmp-production".into(),
                    "ou-exmp-development".into(),
                ],
                exclude_accounts: Vec::new(),
            },
            topology: Topology::Hub,
            forward: Forward::Exact,
            publish: Publish::Role,
            findings: None,
            deployers: Vec::new(),
            access_role: "OrganizationAccountAccessRole".into(),
            trail: Trail::Own(OwnTrail::default()),
            topics: Vec::new(),
            waves: vec![Wave {
                name: "canary".into(),
                organizational_units: vec!["ou-exmp-development".into()],
                accounts: Vec::new(),
                soak_minutes: 1,
            }],
            artifacts: None,
            drift_schedule: None,
        },
        stack_sets: vec![StackSet {
            name: "gizmos-rules-spoke".into(),
            part: Part::RulesSpoke,
            description: "A queue for tests".into(),
            template: template.to_string(),
            parameters: BTreeMap::from([("Seconds".into(), retention.to_string())]),
            tags: BTreeMap::new(),
            capabilities: Vec::new(),
            targets: Targets {
                members: Some(Members {
                    organizational_units: vec![
                        "ou-exmp-production".into(),
                        "ou-exmp-development".into(),
                    ],
                    accounts: AccountFilter::All,
                    regions: regions.clone(),
                }),
                management_regions: regions,
            },
            depends_on: Vec::new(),
            auto_deployment: true,
            rules: BTreeMap::new(),
        }],
        needs: BTreeMap::new(),
    };
    for set in &mut bundle.stack_sets {
        set.tags = compiler::stack_set_tags(&bundle.organization, set.part);
    }
    bundle
}

async fn deploy(cloud: &Aws, bundle: &Bundle) -> deployer::ApplyReport {
    let observed = deployer::observe(cloud, bundle).await.unwrap();
    let plan = deployer::plan(bundle, &observed);
    assert_eq!(plan.problems, []);
    deployer::apply(cloud, bundle, &plan, &Silent)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_organization_is_read_with_its_units_and_leading_zeros() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let cloud = connect(&simulator).await;
    assert_eq!(cloud.caller_identity().await.unwrap().account, MANAGEMENT);
    let organization = cloud.describe_organization().await.unwrap();
    assert_eq!(organization.id, "o-exampleorg1");
    assert_eq!(organization.management_account, MANAGEMENT);
    assert_eq!(
        cloud.trusted_access().await.unwrap(),
        TrustedAccess::Enabled
    );
    let accounts = cloud.list_accounts().await.unwrap();
    assert_eq!(accounts.len(), 12);
    let first = accounts.iter().find(|a| a.id == "012345678901").unwrap();
    assert_eq!(first.path, ["r-exmp", "ou-exmp-production"]);
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_exist_is_none_and_not_an_error() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let cloud = connect(&simulator).await;
    assert_eq!(cloud.describe_stack_set("gizmos-none").await.unwrap(), None);
    for account in [MANAGEMENT, "333344445555"] {
        let location = Location::new(account, HOME);
        assert_eq!(cloud.describe_stack(&location, "none").await.unwrap(), None);
        assert_eq!(cloud.list_stacks(&location).await.unwrap(), []);
    }
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_deployed_changed_checked_and_removed() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let cloud = connect(&simulator).await;

    let report = deploy(&cloud, &bundle(3600)).await;
    assert_eq!(report.outcome(), ApplyOutcome::Done, "{report:#?}");
    assert_eq!(report.summary().instances_succeeded, 9 * 2 + 2);

    let client = Client::new(&simulator.endpoint());
    client.reset_calls().await.unwrap();
    let again = deploy(&cloud, &bundle(3600)).await;
    assert_eq!(again.outcome(), ApplyOutcome::NothingToDo, "{again:#?}");

    let changed = deploy(&cloud, &bundle(7200)).await;
    assert_eq!(changed.outcome(), ApplyOutcome::Done, "{changed:#?}");
    let observed = deployer::observe(&cloud, &bundle(7200)).await.unwrap();
    let plan = deployer::plan(&bundle(7200), &observed);
    assert!(plan.is_empty(), "{plan:#?}");

    // Health differences are due: the bundle has neither trail nor topic.
    let drift = deployer::drift(&cloud, &bundle(7200), &DriftOptions::default(), &Silent)
        .await
        .unwrap();
    let others: Vec<_> = drift
        .differences
        .iter()
        .filter(|found| found.check != DriftCheck::Chain)
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    let unproven: Vec<_> = drift
        .unchecked
        .iter()
        .filter(|it| it.check != DriftCheck::Chain)
        .collect();
    assert!(unproven.is_empty(), "{unproven:#?}");
    assert_eq!((drift.checked.instances, drift.checked.stacks), (18, 2));

    // A new account gets its instances by itself.
    let account = json!({"name": "new", "organizational_unit": "ou-exmp-production"});
    let (status, answer) = simulator.admin("POST", "accounts", &account);
    assert_eq!(status, 200, "{answer}");
    let observed = deployer::observe(&cloud, &bundle(7200)).await.unwrap();
    let missing = deployer::plan(&bundle(7200), &observed);
    assert_eq!(missing.stack_sets[0].add.len(), 2);
    assert_eq!(missing.stack_sets[0].change, Change::Unchanged);
    client.advance(Duration::from_hours(1)).await.unwrap();
    let observed = deployer::observe(&cloud, &bundle(7200)).await.unwrap();
    let plan = deployer::plan(&bundle(7200), &observed);
    assert!(plan.is_empty(), "{plan:#?}");

    let removed = deployer::destroy(&cloud, &bundle(7200), &Silent)
        .await
        .unwrap();
    assert_eq!(removed.outcome(), ApplyOutcome::Done, "{removed:#?}");
    assert_eq!(cloud.list_stack_sets().await.unwrap(), []);
    assert_eq!(
        cloud
            .list_stacks(&Location::new(MANAGEMENT, HOME))
            .await
            .unwrap(),
        []
    );
    simulator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_is_too_large_needs_a_bucket_and_says_so() {
    let simulator = Simulator::start(Config::default()).await.unwrap();
    let cloud = connect(&simulator).await;
    let request = ChangeSetRequest {
        stack: "gizmos-large".into(),
        name: "change".into(),
        kind: ChangeSetKind::Create,
        template: format!("{{\"Resources\": {{}}{}}}", " ".repeat(51_200)),
        parameters: BTreeMap::new(),
        tags: BTreeMap::new(),
        capabilities: Vec::new(),
        description: String::new(),
    };
    let home = Location::new(MANAGEMENT, HOME);
    let refused = cloud.create_change_set(&home, &request).await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("`artifacts` in the organization file")
    );
    assert_eq!(cloud.describe_stack(&home, "gizmos-large").await, Ok(None));
    simulator.stop().await;
}
