use compiler::{FORMAT, FORMAT_TAG, INSTALLATION_TAG, ORGANIZATION_TAG, PART_TAG};

use super::*;
use crate::fake::{self, Fake, HOME, HUB, MANAGEMENT, bundle, rules_template};
use crate::progress::Silent;
use crate::{apply, observe};

/// A change made to a stack set of the bundle.
type Edit = fn(&mut StackSet);

/// A fleet on which the bundle is deployed.
async fn deployed() -> (Fake, Observed) {
    let cloud = Fake::new();
    let bundle = bundle();
    let before = observe(&cloud, &bundle).await.unwrap();
    let report = apply(&cloud, &bundle, &plan(&bundle, &before), &Silent)
        .await
        .unwrap();
    assert_eq!(report.outcome(), crate::ApplyOutcome::Done);
    let observed = observe(&cloud, &bundle).await.unwrap();
    (cloud, observed)
}

fn of<'a>(plan: &'a Plan, name: &str) -> &'a StackSetPlan {
    plan.stack_sets.iter().find(|set| set.name == name).unwrap()
}

#[tokio::test(start_paused = true)]
async fn on_an_empty_organization_everything_is_created() {
    let observed = observe(&Fake::new(), &bundle()).await.unwrap();
    let plan = plan(&bundle(), &observed);
    let summary = plan.summary();
    assert_eq!(plan.problems, []);
    assert_eq!((summary.create, summary.update, summary.delete), (7, 0, 0));
    // Six member accounts times two Regions, plus three single instances.
    assert_eq!(summary.instances_add, 15);
    assert_eq!((plan.accounts, plan.regions), (7, 2));
    let rules: Vec<String> = plan.rules().into_iter().map(|rule| rule.rule).collect();
    assert_eq!(rules, ["ec2-stopped", "root-user-activity"]);
    assert!(
        of(&plan, "gizmos-rules-spoke")
            .add
            .iter()
            .all(|location| location.account != MANAGEMENT)
    );
}

#[tokio::test(start_paused = true)]
async fn a_deployed_fleet_has_an_empty_plan_whatever_the_order_of_keys() {
    let (_, mut observed) = deployed().await;
    assert!(plan(&bundle(), &observed).is_empty());
    let hub = observed.stack_sets.get_mut("gizmos-rules-hub").unwrap();
    let value: serde_json::Value = serde_json::from_str(&hub.details.template).unwrap();
    let mut resources: Vec<_> = value["Resources"].as_object().unwrap().iter().collect();
    resources.reverse();
    let turned: serde_json::Map<String, serde_json::Value> = resources
        .into_iter()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect();
    hub.details.template =
        serde_json::to_string_pretty(&serde_json::json!({"Resources": turned})).unwrap();
    assert!(plan(&bundle(), &observed).is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_edited_rule_is_named_and_changes_only_its_stack_set() {
    let (_, observed) = deployed().await;
    let mut bundle = bundle();
    bundle.stack_sets[3].template = rules_template(&[
        ("root-user-activity", "aws.console"),
        ("key-created", "aws.iam"),
    ])
    .to_string();
    let plan = plan(&bundle, &observed);
    let changed: Vec<&str> = plan
        .stack_sets
        .iter()
        .filter(|set| !set.is_unchanged())
        .map(|set| set.name.as_str())
        .collect();
    assert_eq!(changed, ["gizmos-rules-hub"]);
    let hub = of(&plan, "gizmos-rules-hub");
    assert_eq!(
        hub.change,
        Change::Update {
            reasons: vec![Reason::Template]
        }
    );
    assert_eq!(hub.update, [Location::new(HUB, HOME)]);
    let rules: Vec<(String, &str)> = plan
        .rules()
        .into_iter()
        .map(|r| (r.rule, r.change.word()))
        .collect();
    assert_eq!(
        rules,
        [
            ("ec2-stopped".to_owned(), "removed"),
            ("key-created".to_owned(), "added"),
            ("root-user-activity".to_owned(), "changed"),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_permission_to_publish_is_a_reason_of_its_own() {
    let (_, mut observed) = deployed().await;
    let topic = observed.stack_sets.get_mut("gizmos-topic").unwrap();
    topic.details.template = serde_json::json!({"Resources": {"Policy": {
        "Type": "AWS::SNS::TopicInlinePolicy",
        "Properties": {"PolicyDocument": {"Statement": [{
            "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
        }]}},
    }}})
    .to_string();
    assert_eq!(
        of(&plan(&bundle(), &observed), "gizmos-topic").change,
        Change::Update {
            reasons: vec![Reason::Template, Reason::WithdrawsPublishing]
        }
    );
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_difference_has_its_reason() {
    let (_, observed) = deployed().await;
    let cases: [(Edit, Vec<Reason>, usize); 5] = [
        (
            |set| {
                set.parameters.insert("Bus".into(), "gizmos".into());
            },
            vec![Reason::Parameters(vec!["Bus".into()])],
            12,
        ),
        (
            |set| {
                set.tags.insert("team".into(), "security".into());
            },
            vec![Reason::Tags(vec!["team".into()])],
            12,
        ),
        (
            |set| set.description = "other".into(),
            vec![Reason::Description],
            12,
        ),
        (
            |set| set.auto_deployment = false,
            vec![Reason::AutoDeployment],
            0,
        ),
        (|set| set.template = "{}".into(), vec![Reason::Template], 12),
    ];
    for (edit, reasons, updates) in cases {
        let mut bundle = bundle();
        edit(&mut bundle.stack_sets[4]);
        let plan = plan(&bundle, &observed);
        let spoke = of(&plan, "gizmos-rules-spoke");
        assert_eq!(spoke.change, Change::Update { reasons });
        assert_eq!(spoke.update.len(), updates);
    }
}

#[tokio::test(start_paused = true)]
async fn a_parameter_left_to_its_default_is_no_difference() {
    let (_, mut observed) = deployed().await;
    let mut bundle = bundle();
    let template = r#"{"Parameters": {"Days": {"Type": "Number", "Default": 3}}, "Resources": {}}"#;
    bundle.stack_sets[0].template = template.into();
    let bucket = observed.stack_sets.get_mut("gizmos-bucket").unwrap();
    bucket.details.template = template.into();
    bucket.details.parameters.insert("Days".into(), "3".into());
    assert!(plan(&bundle, &observed).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_follows_new_suspended_and_departed_accounts() {
    let (_, mut observed) = deployed().await;
    // One account is suspended, one leaves the organization, one is new.
    observed
        .membership
        .accounts
        .retain(|account| account.id != "100000000002");
    for account in &mut observed.membership.accounts {
        if account.id == "012345678901" {
            account.state = AccountState::Suspended;
        }
    }
    observed.membership.accounts.push(Account {
        id: "100000000010".into(),
        name: "new".into(),
        state: AccountState::Active,
        path: vec!["r-exmp".into(), "ou-exmp-production".into()],
    });
    let plan = plan(&bundle(), &observed);
    let spoke = of(&plan, "gizmos-rules-spoke");
    assert_eq!(
        spoke.add,
        [
            Location::new("100000000010", HOME),
            Location::new("100000000010", "us-east-1")
        ]
    );
    assert_eq!(spoke.remove.len(), 2);
    assert!(
        spoke
            .remove
            .iter()
            .all(|location| location.account == "100000000002")
    );
    assert_eq!(spoke.blocked.len(), 2);
    assert_eq!(spoke.blocked[0].reason, "the account is suspended");
    assert_eq!(spoke.unchanged, 8);
}

#[tokio::test(start_paused = true)]
async fn instances_out_of_date_are_updated_and_inoperable_ones_repaired() {
    let (_, mut observed) = deployed().await;
    let spoke = observed.stack_sets.get_mut("gizmos-rules-spoke").unwrap();
    spoke.instances[0].status = InstanceStatus::Outdated;
    spoke.instances[1].status = InstanceStatus::Inoperable;
    let plan = plan(&bundle(), &observed);
    let spoke = of(&plan, "gizmos-rules-spoke");
    assert_eq!(spoke.change, Change::Unchanged);
    assert_eq!(
        (spoke.update.len(), spoke.repair.len(), spoke.unchanged),
        (1, 1, 10)
    );
    assert!(spoke.repair[0].reason.starts_with("INOPERABLE"));
    assert!(!plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn stack_sets_without_the_tag_are_blocked_and_never_deleted() {
    let (_, mut observed) = deployed().await;
    let mut set = observed.stack_sets["gizmos-bucket"].clone();
    observed
        .stack_sets
        .get_mut("gizmos-bucket")
        .unwrap()
        .details
        .tags
        .clear();
    set.details.tags.clear();
    set.details.name = "gizmos-foreign".into();
    observed
        .stack_sets
        .insert("gizmos-foreign".into(), set.clone());
    set.details.tags = bundle().stack_sets[0].tags.clone();
    set.details.name = "gizmos-old".into();
    observed.stack_sets.insert("gizmos-old".into(), set);
    let plan = plan(&bundle(), &observed);
    assert!(matches!(
        of(&plan, "gizmos-bucket").change,
        Change::Blocked { .. }
    ));
    assert_eq!(of(&plan, "gizmos-old").change, Change::Delete);
    assert!(
        !plan
            .stack_sets
            .iter()
            .any(|set| set.name == "gizmos-foreign")
    );
}

/// The fleet as a version before the tags of organization and installation deployed it.
fn by_an_earlier_version(observed: &mut Observed) {
    let sets = observed
        .stack_sets
        .values_mut()
        .map(|it| &mut it.details.tags);
    let stacks = observed.stacks.iter_mut().map(|it| &mut it.stack.tags);
    for tags in sets.chain(stacks) {
        for key in [ORGANIZATION_TAG, INSTALLATION_TAG, FORMAT_TAG] {
            tags.remove(key);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn only_this_installations_stack_sets_are_removed() {
    let (_, mut observed) = deployed().await;
    let ours = observed.stack_sets["gizmos-rules-spoke"].clone();
    let mut plant = |name: &str, change: fn(&mut BTreeMap<String, String>)| {
        let mut set = ours.clone();
        set.details.name = name.into();
        change(&mut set.details.tags);
        observed.stack_sets.insert(name.into(), set);
    };
    plant("gizmos-rules-spoke-2", |_| {});
    plant("gizmos-another-organization", |tags| {
        tags.insert(ORGANIZATION_TAG.into(), "o-anotherorg".into());
    });
    plant("gizmos-another-installation", |tags| {
        tags.insert(INSTALLATION_TAG.into(), "trial".into());
    });
    plant("gizmos-one-tag", |tags| {
        tags.retain(|key, _| key == "managed-by");
    });
    plant("gizmos-no-name-of-ours", |tags| {
        tags.retain(|key, _| key == "managed-by" || key == PART_TAG);
    });
    plant("gizmos-no-tags", BTreeMap::clear);
    let plan = plan(&bundle(), &observed);
    let removed: Vec<&str> = plan
        .stack_sets
        .iter()
        .filter(|set| set.change == Change::Delete)
        .map(|set| set.name.as_str())
        .collect();
    assert_eq!(removed, ["gizmos-rules-spoke-2"]);
    let notes = plan.notes.join("\n");
    for (name, distinction) in [
        (
            "gizmos-another-organization",
            "the tag gizmos:organization=o-anotherorg instead of o-exampleorg1",
        ),
        (
            "gizmos-another-installation",
            "the tag gizmos:installation=trial instead of gizmos",
        ),
        ("gizmos-one-tag", "no tag gizmos:organization=o-exampleorg1"),
        (
            "gizmos-no-name-of-ours",
            "no tag gizmos:organization=o-exampleorg1",
        ),
    ] {
        let note = format!(
            "stack set {name} is left alone, because it isn't this installation's: it has \
             {distinction}"
        );
        assert!(notes.contains(&note), "{notes}");
    }
    assert!(!notes.contains("gizmos-no-tags"), "{notes}");
}

#[tokio::test(start_paused = true)]
async fn an_earlier_versions_fleet_is_adopted_by_steps_that_say_so() {
    let (_, mut observed) = deployed().await;
    by_an_earlier_version(&mut observed);
    let mut old = observed.stack_sets["gizmos-rules-hub"].clone();
    old.details.name = "gizmos-rules-hub-2".into();
    observed.stack_sets.insert("gizmos-rules-hub-2".into(), old);
    let plan = plan(&bundle(), &observed);
    assert_eq!(plan.problems, []);
    let adoption = Change::Update {
        reasons: vec![Reason::Adoption(vec![
            FORMAT_TAG.into(),
            INSTALLATION_TAG.into(),
            ORGANIZATION_TAG.into(),
        ])],
    };
    for set in &bundle().stack_sets {
        if set.targets.members.is_some() {
            assert_eq!(of(&plan, &set.name).change, adoption, "{}", set.name);
        }
    }
    assert_eq!(plan.stacks.len(), 3);
    assert!(plan.stacks.iter().all(|stack| stack.change == adoption));
    assert_eq!(of(&plan, "gizmos-rules-hub-2").change, Change::Delete);
    let Change::Update { reasons } = adoption else {
        unreachable!();
    };
    assert_eq!(
        reasons[0].describe(),
        "adopted from an earlier version by its tags gizmos:format, gizmos:installation, \
         gizmos:organization"
    );
}

#[tokio::test(start_paused = true)]
async fn an_earlier_versions_fleet_with_another_hub_is_not_adopted() {
    let (_, mut observed) = deployed().await;
    by_an_earlier_version(&mut observed);
    let topic = observed.stack_sets.get_mut("gizmos-topic").unwrap();
    topic.instances[0].account = fake::ARCHIVE.into();
    let plan = plan(&bundle(), &observed);
    let deployed: Vec<&Change> = plan.stack_sets.iter().map(|set| &set.change).collect();
    assert_eq!(deployed.len(), 4);
    for change in deployed {
        let Change::Blocked { reason } = change else {
            panic!("{change:?}");
        };
        assert!(
            reason.ends_with("bucket, trail and hub aren't where the organization file says"),
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_fleet_of_a_newer_format_is_refused() {
    let (_, mut observed) = deployed().await;
    for format in [(FORMAT + 1).to_string(), "2.1".to_owned()] {
        let set = observed.stack_sets.get_mut("gizmos-rules-hub").unwrap();
        set.details.tags.insert(FORMAT_TAG.into(), format);
        let plan = plan(&bundle(), &observed);
        let kinds: Vec<ProblemKind> = plan.problems.iter().map(|it| it.kind).collect();
        assert_eq!(kinds, [ProblemKind::NewerFormat]);
    }
}

#[tokio::test(start_paused = true)]
async fn stacks_that_failed_before_are_recovered() {
    let (_, observed) = deployed().await;
    for (status, expected) in [
        (
            "ROLLBACK_COMPLETE",
            Change::Replace {
                status: "ROLLBACK_COMPLETE".into(),
            },
        ),
        ("REVIEW_IN_PROGRESS", Change::Create),
        ("UPDATE_ROLLBACK_COMPLETE", Change::Unchanged),
    ] {
        let mut observed = observed.clone();
        for stack in &mut observed.stacks {
            if stack.stack.name == "gizmos-trail" {
                stack.stack.status = status.into();
            }
        }
        let plan = plan(&bundle(), &observed);
        let trail = plan
            .stacks
            .iter()
            .find(|s| s.name == "gizmos-trail")
            .unwrap();
        assert_eq!(trail.change, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn the_wrong_organization_is_not_even_compared() {
    let (cloud, _) = deployed().await;
    cloud.state().organization = "o-anotherorg".into();
    let observed = observe(&cloud, &bundle()).await.unwrap();
    let plan = plan(&bundle(), &observed);
    assert_eq!(plan.problems[0].kind, ProblemKind::WrongOrganization);
    assert!(plan.stack_sets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn preflight_names_what_is_missing() {
    let cloud = Fake::new();
    cloud.state().trusted = false;
    cloud
        .state()
        .accounts
        .retain(|account| account.id != fake::ARCHIVE);
    let mut bundle = bundle();
    bundle.organization.targets.organizational_units = vec!["ou-exmp-nowhere".into()];
    let observed = observe(&cloud, &bundle).await.unwrap();
    let kinds: Vec<ProblemKind> = plan(&bundle, &observed)
        .problems
        .into_iter()
        .map(|p| p.kind)
        .collect();
    assert_eq!(
        kinds,
        [
            ProblemKind::TrustedAccessOff,
            ProblemKind::AccountMissing,
            ProblemKind::EmptyTarget
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_disabled_region_is_blocked_in_every_account() {
    let (_, mut observed) = deployed().await;
    observed.membership.enabled_regions = Some([HOME.to_owned()].into());
    let plan = plan(&bundle(), &observed);
    let spoke = of(&plan, "gizmos-rules-spoke");
    assert_eq!((spoke.blocked.len(), spoke.unchanged), (6, 6));
    assert!(spoke.blocked[0].reason.contains("us-east-1 is not enabled"));
    assert!(spoke.remove.is_empty());
    let stack = plan
        .stacks
        .iter()
        .find(|stack| stack.location.region == "us-east-1");
    assert!(matches!(stack.unwrap().change, Change::Blocked { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_stack_in_progress_does_not_count_as_unchanged() {
    let (_, mut observed) = deployed().await;
    observed.stacks[0].stack.status = "CREATE_IN_PROGRESS".into();
    let plan = plan(&bundle(), &observed);
    assert!(!plan.is_empty());
    let busy: Vec<&StackPlan> = plan
        .stacks
        .iter()
        .filter(|stack| stack.change != Change::Unchanged)
        .collect();
    assert_eq!(busy.len(), 1);
    assert_eq!(
        busy[0].change,
        Change::Update {
            reasons: vec![Reason::InProgress("CREATE_IN_PROGRESS".into())]
        }
    );
}

#[tokio::test(start_paused = true)]
async fn the_basis_of_a_plan_changes_with_the_fleet_and_with_the_bundle() {
    let (_, mut observed) = deployed().await;
    let before = plan(&bundle(), &observed).basis;
    assert_eq!(plan(&bundle(), &observed).basis, before);
    let mut other = bundle();
    other.stack_sets[0].template = "{}".into();
    let changed = plan(&other, &observed).basis;
    assert_ne!(changed.bundle, before.bundle);
    assert_eq!(changed.fleet, before.fleet);
    let spoke = observed.stack_sets.get_mut("gizmos-rules-spoke").unwrap();
    spoke.instances[0].status = InstanceStatus::Outdated;
    assert_ne!(plan(&bundle(), &observed).basis.fleet, before.fleet);
}
