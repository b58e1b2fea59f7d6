use super::*;
use crate::fake::{HUB, MANAGEMENT, bundle};

fn statements(account: &str, command: Command) -> Vec<(String, Value)> {
    let bundle = bundle();
    let setting = Setting {
        bundle: &bundle,
        account,
    };
    policies(setting, command)
        .into_iter()
        .flat_map(|policy| {
            let statements = policy.document["Statement"].as_array().unwrap().clone();
            statements
                .into_iter()
                .map(move |statement| (policy.name.clone(), statement))
        })
        .collect()
}

fn resources_of(statements: &[(String, Value)], policy: &str, action: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    statements
        .iter()
        .filter(|(name, it)| {
            let actions = it["Action"].as_array().unwrap();
            name.starts_with(policy) && actions.iter().any(|it| it == action)
        })
        .flat_map(|(_, it)| match &it["Resource"] {
            Value::Array(all) => all.iter().map(text).collect(),
            one => vec![text(one)],
        })
        .collect()
}

#[test]
fn permissions_name_the_resources_that_aws_asks_for() {
    let statements = statements(MANAGEMENT, Command::Deploy);
    let of = |action: &str| resources_of(&statements, "gizmos-deploy", action);
    assert_eq!(of("cloudformation:CreateStackSet"), ["*"]);
    assert_eq!(
        of("cloudformation:CreateStackInstances"),
        [
            "arn:aws:cloudformation:eu-central-1:111122223333:stackset/gizmos-*:*",
            "arn:aws:cloudformation:*:111122223333:stackset-target/gizmos-*",
            "arn:aws:cloudformation:*:*:type/resource/AWS-*",
        ]
    );
    assert_eq!(
        of("cloudformation:DeleteStackSet"),
        ["arn:aws:cloudformation:eu-central-1:111122223333:stackset/gizmos-*:*"]
    );
    assert_eq!(
        of("sts:AssumeRole"),
        ["arn:aws:iam::*:role/OrganizationAccountAccessRole"]
    );
}

#[test]
fn permissions_of_plan_change_nothing() {
    for (_, statement) in statements(MANAGEMENT, Command::Plan) {
        for action in statement["Action"].as_array().unwrap() {
            let (_, name) = action.as_str().unwrap().split_once(':').unwrap();
            // A member that hasn't enabled a Region is asked with the access role, if nothing else can
            // say so.
            let reads = ["Describe", "Get", "List", "Simulate", "AssumeRole"];
            assert!(reads.iter().any(|verb| name.starts_with(verb)), "{name}");
        }
    }
}

#[test]
fn permissions_of_deploy_include_those_of_drift_and_those_of_plan() {
    let includes = |larger: Command, smaller: Command| {
        for row in ROWS.iter().filter(|row| row.holder != Holder::AccessRole) {
            let has = |command| row.commands.contains(&command);
            assert!(
                !has(smaller) || has(larger) || row.action.contains("Service"),
                "{row:?}"
            );
        }
    };
    includes(Command::Deploy, Command::Drift);
    includes(Command::Deploy, Command::Plan);
    includes(Command::Deploy, Command::Verify);
}

#[test]
fn permissions_of_a_delegated_administrator_are_split_by_account() {
    let statements = statements(HUB, Command::Deploy);
    let of = |policy: &str, action: &str| resources_of(&statements, policy, action);
    let create = "cloudformation:CreateChangeSet";
    assert!(of("gizmos-deploy-management", create).len() == 1);
    let sets = of("gizmos-deploy", "cloudformation:UpdateStackSet");
    assert!(sets[0].contains(":111122223333:stackset/"), "{sets:?}");
    let assumed = of("gizmos-deploy", "sts:AssumeRole");
    assert!(
        assumed
            .contains(&"arn:aws:iam::111122223333:role/OrganizationAccountAccessRole".to_owned()),
        "{assumed:?}"
    );
    let own = of("gizmos-deploy", "iam:SimulatePrincipalPolicy");
    assert_eq!(own, [format!("arn:aws:iam::{HUB}:role/gizmos-*")]);
}

#[test]
fn permissions_fit_into_managed_policies_and_statements_have_ids_of_their_own() {
    let bundle = bundle();
    for account in [MANAGEMENT, HUB] {
        for command in Command::ALL {
            let setting = Setting {
                bundle: &bundle,
                account,
            };
            for policy in policies(setting, command) {
                assert!(
                    policy.document.to_string().len() <= 6_144,
                    "{}",
                    policy.name
                );
                let statements = policy.document["Statement"].as_array().unwrap();
                let ids: BTreeSet<&str> = statements
                    .iter()
                    .filter_map(|it| it["Sid"].as_str())
                    .collect();
                assert_eq!(ids.len(), statements.len());
                let plain = |id: &&str| id.chars().all(|it| it.is_ascii_alphanumeric());
                assert!(ids.iter().all(plain), "{ids:?}");
            }
        }
    }
}

#[test]
fn permissions_name_each_action_once_per_holder_resource_and_caller() {
    let mut seen = BTreeSet::new();
    for row in ROWS {
        let key = format!("{:?} {} {:?} {:?}", row.holder, row.action, row.of, row.on);
        assert!(seen.insert(key), "{row:?}");
    }
}

#[test]
fn permissions_table_has_every_resource_type_of_the_management_account() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../stacksets");
    let handled: BTreeSet<&str> = ROWS.iter().flat_map(|row| row.of).copied().collect();
    // Sources of the templates that have stacks there, with what they include.
    for name in [
        "artifacts.template",
        "drift-schedule.template",
        "responses",
        "rules-local.template",
        "rules-spoke.template",
        "topic-local.template",
        "topics",
        "trail.template",
    ] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json.j2"))).unwrap();
        let after_type = text.split("\"Type\": \"AWS::").skip(1);
        for kind in after_type.filter_map(|rest| rest.split('"').next()) {
            let kind = format!("AWS::{kind}");
            assert!(
                handled.contains(kind.as_str()),
                "{name}: add rows for what the handlers of {kind} call"
            );
        }
    }
}

#[test]
fn session_policies_only_read_outside_of_canaries_and_fit_the_limit() {
    let mut bundle = bundle();
    let organization = &mut bundle.organization;
    // The longest names.
    organization.home_region = "ap-southeast-99".to_owned();
    organization.artifacts = Some(compiler::organization::Artifacts {
        bucket: "b".repeat(63),
        administrators: Vec::new(),
    });
    let mut longest = 0;
    for command in [Command::Plan, Command::Drift, Command::Verify] {
        for holder in [Holder::Management, Holder::AccessRole] {
            let policy = session_policy(&bundle, command, holder).unwrap();
            longest = longest.max(policy.len());
            assert!(
                policy.len() <= 2_048,
                "{command:?} {holder:?}: {}",
                policy.len()
            );
            let document: Value = serde_json::from_str(&policy).unwrap();
            let statements = document["Statement"].as_array().unwrap();
            assert!(!statements.is_empty());
            for action in statements
                .iter()
                .flat_map(|it| it["Action"].as_array().unwrap())
            {
                let action = action.as_str().unwrap();
                let (_, name) = action.split_once(':').unwrap();
                let reads = ["Describe", "Detect", "Get", "List", "Lookup", "Receive"];
                let is_canary = ["PutEvents", "DeleteParameters", "DeleteMessage"].contains(&name);
                let is_harmless = reads.iter().any(|verb| name.starts_with(verb))
                    || (command == Command::Verify && is_canary);
                assert!(is_harmless, "{command:?} {holder:?}: {action}");
            }
        }
    }
    assert!(longest > 1_000, "{longest}");
    for holder in [Holder::Management, Holder::AccessRole] {
        assert_eq!(session_policy(&bundle, Command::Deploy, holder), None);
    }
}
