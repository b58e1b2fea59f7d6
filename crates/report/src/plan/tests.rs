use std::collections::BTreeMap;

use compiler::Part;
use deployer::plan::{
    Basis, BlockedLocation, Change, Estimate, Plan, Problem, ProblemKind, Reason, Repair,
    RuleChange, RuleChangeKind, StackPlan, StackSetPlan,
};
use deployer::ports::Location;

use super::{markdown, terminal};

fn set(name: &str, part: Part, change: Change) -> StackSetPlan {
    StackSetPlan::new(name, Some(part), change)
}

fn stack(name: &str, part: Part, region: &str, change: Change) -> StackPlan {
    StackPlan {
        name: name.into(),
        part: Some(part),
        location: Location::new("111122223333", region),
        change,
        rules: Vec::new(),
    }
}

fn empty() -> Plan {
    Plan {
        organization: "o-exampleorg1".into(),
        problems: Vec::new(),
        stack_sets: Vec::new(),
        stacks: Vec::new(),
        moves: Vec::new(),
        accounts: 20,
        pinned_regions: Vec::new(),
        regions: 2,
        notes: Vec::new(),
        estimate: Estimate::default(),
        basis: Basis {
            bundle: "b".into(),
            fleet: "f".into(),
        },
    }
}

/// A plan with at least one of everything.
#[expect(clippy::too_many_lines, reason = "one plan with everything")]
fn full() -> Plan {
    let severity = RuleChange {
        rule: "root-user-activity".into(),
        change: RuleChangeKind::Changed,
        details: vec!["severity medium -> high".into()],
    };
    let added = RuleChange {
        rule: "access-key-created".into(),
        change: RuleChangeKind::Added,
        details: Vec::new(),
    };
    let removed = RuleChange {
        rule: "trail-stopped".into(),
        change: RuleChangeKind::Removed,
        details: Vec::new(),
    };
    // More locations than the report lists by name.
    let accounts = (1..=14).map(|number| format!("1000000000{number:02}"));
    let update: Vec<Location> = accounts
        .flat_map(|account| ["eu-central-1", "us-east-1"].map(|it| Location::new(&account, it)))
        .collect();
    let hub = StackSetPlan {
        update: vec![Location::new("333344445555", "eu-central-1")],
        rules: vec![added.clone(), severity.clone(), removed],
        ..set(
            "gizmos-rules-hub",
            Part::RulesHub,
            Change::Update {
                reasons: vec![
                    Reason::Template,
                    Reason::Parameters(vec!["AlertsTopicArn".into()]),
                ],
            },
        )
    };
    let spoke = StackSetPlan {
        add: vec![Location::new("012345678901", "us-east-1")],
        update,
        remove: vec![Location::new("200000000001", "eu-central-1")],
        repair: vec![Repair {
            location: Location::new("012345678901", "eu-central-1"),
            reason: "INOPERABLE: the deletion of its stack failed".into(),
            stack_id: None,
        }],
        unchanged: 3,
        unchanged_in: BTreeMap::from([("eu-central-1".into(), 2), ("us-east-1".into(), 1)]),
        blocked: vec![
            BlockedLocation {
                location: Location::new("300000000001", "eu-central-1"),
                account_name: Some("sandbox".into()),
                reason: "the account is suspended".into(),
            },
            BlockedLocation {
                location: Location::new("300000000001", "us-east-1"),
                account_name: Some("sandbox".into()),
                reason: "the account is suspended".into(),
            },
        ],
        rules: vec![severity, added],
        in_progress: vec!["gizmos-0123456789abcdef".into()],
        ..set(
            "gizmos-rules-spoke",
            Part::RulesSpoke,
            Change::Update {
                reasons: vec![Reason::Template, Reason::AutoDeployment],
            },
        )
    };
    Plan {
        stack_sets: vec![
            StackSetPlan {
                unchanged: 1,
                unchanged_in: BTreeMap::from([("eu-central-1".into(), 1)]),
                ..set("gizmos-bucket", Part::Bucket, Change::Unchanged)
            },
            StackSetPlan {
                add: vec![Location::new("333344445555", "eu-central-1")],
                ..set("gizmos-topic", Part::Topic, Change::Create)
            },
            hub,
            spoke,
            StackSetPlan {
                remove: vec![Location::new("333344445555", "eu-central-1")],
                ..set("gizmos-rules-hub-2", Part::RulesHub, Change::Delete)
            },
        ],
        stacks: vec![
            stack("gizmos-trail", Part::Trail, "eu-central-1", Change::Create),
            stack(
                "gizmos-rules-spoke",
                Part::RulesSpoke,
                "eu-central-1",
                Change::Replace {
                    status: "ROLLBACK_COMPLETE".into(),
                },
            ),
            stack(
                "gizmos-rules-spoke",
                Part::RulesSpoke,
                "us-east-1",
                Change::Blocked {
                    reason: "there is a stack gizmos-rules-spoke without our tag".into(),
                },
            ),
        ],
        estimate: Estimate {
            operations: 6,
            instances: 33,
            stacks: 2,
            minutes: 47,
            soak_minutes: 10,
        },
        ..empty()
    }
}

/// A plan that can't be carried out.
fn refused() -> Plan {
    Plan {
        problems: vec![Problem {
            kind: ProblemKind::TrustedAccessOff,
            message: "StackSets has no trusted access to the organization".into(),
            fix: "activate it once: `aws cloudformation activate-organizations-access`".into(),
        }],
        ..full()
    }
}

#[test]
fn renders_plans_for_a_terminal() {
    insta::assert_snapshot!("terminal", terminal(&full()));
    insta::assert_snapshot!("terminal_refused", terminal(&refused()));
    insta::assert_snapshot!("terminal_empty", terminal(&empty()));
}

#[test]
fn renders_plans_as_markdown() {
    insta::assert_snapshot!("markdown", markdown(&full()));
    insta::assert_snapshot!("markdown_refused", markdown(&refused()));
    insta::assert_snapshot!("markdown_empty", markdown(&empty()));
}

#[test]
fn renders_plans_as_json() {
    insta::assert_json_snapshot!("json", full());
}
