//! The whole bundle: its parts, their targets, and the bytes of the templates.

use compiler::organization::{Artifacts, Organization, Protocol, Publish, Subscription};
use compiler::{AccountFilter, Part};
use rules::{Rule, Status};
use serde_json::Value;

use crate::support::{
    api_rule, bundle, errors, example, json, library, local, only, start_instance, templates,
};

fn names(bundle: &compiler::Bundle) -> Vec<&str> {
    bundle
        .stack_sets
        .iter()
        .map(|set| set.name.as_str())
        .collect()
}

#[test]
fn golden_hub() {
    let bundle = bundle(&library(), &example());
    for set in &bundle.stack_sets {
        insta::assert_snapshot!(format!("hub_{}", set.name), set.template);
    }
    insta::assert_snapshot!(
        "hub_manifest",
        serde_json::to_string_pretty(&bundle).unwrap()
    );
}

#[test]
fn golden_local() {
    let bundle = bundle(&library(), &local());
    for set in bundle
        .stack_sets
        .iter()
        .filter(|set| [Part::TopicLocal, Part::RulesLocal].contains(&set.part))
    {
        insta::assert_snapshot!(format!("local_{}", set.name), set.template);
    }
}

#[test]
fn the_hub_has_five_stack_sets_in_order() {
    let bundle = bundle(&library(), &example());
    assert_eq!(
        names(&bundle),
        [
            "gizmos-bucket",
            "gizmos-trail",
            "gizmos-topic",
            "gizmos-rules-hub",
            "gizmos-rules-spoke"
        ]
    );
    for (index, set) in bundle.stack_sets.iter().enumerate() {
        for needed in &set.depends_on {
            let position = bundle
                .stack_sets
                .iter()
                .position(|other| other.name == *needed);
            assert!(
                position.is_some_and(|position| position < index),
                "{} needs {needed}",
                set.name
            );
        }
        assert_eq!(set.tags["managed-by"], "gizmos");
        assert_eq!(set.tags["gizmos:part"], set.part.name());
    }
}

#[test]
fn every_part_goes_where_it_belongs() {
    let bundle = bundle(&library(), &example());
    let home = ["eu-central-1".to_owned()];
    for (part, account) in [
        (Part::Bucket, "222233334444"),
        (Part::Topic, "333344445555"),
        (Part::RulesHub, "333344445555"),
    ] {
        let targets = &only(&bundle, part).targets;
        let members = targets.members.as_ref().unwrap();
        assert_eq!(members.organizational_units, ["r-exmp"]);
        assert_eq!(
            members.accounts,
            AccountFilter::Only(vec![account.to_owned()])
        );
        assert_eq!(members.regions, home);
        assert!(targets.management_regions.is_empty());
    }
    let trail = only(&bundle, Part::Trail);
    assert_eq!(trail.targets.members, None);
    assert_eq!(trail.targets.management_regions, home);

    let spoke = only(&bundle, Part::RulesSpoke);
    let members = spoke.targets.members.as_ref().unwrap();
    assert_eq!(members.organizational_units.len(), 3);
    assert_eq!(members.accounts, AccountFilter::All);
    assert_eq!(members.regions, ["eu-central-1", "us-east-1", "us-west-2"]);
    assert_eq!(
        spoke.targets.management_regions, members.regions,
        "the management account too"
    );
    assert!(spoke.auto_deployment);
}

#[test]
fn excluded_accounts_are_left_out() {
    let mut organization = example();
    organization.targets.exclude_accounts = vec!["012345678901".to_owned()];
    let bundle = bundle(&library(), &organization);
    let members = only(&bundle, Part::RulesSpoke)
        .targets
        .members
        .as_ref()
        .unwrap();
    assert_eq!(
        members.accounts,
        AccountFilter::Except(vec!["012345678901".to_owned()])
    );
}

#[test]
fn the_local_topology_has_no_hub() {
    let bundle = bundle(&library(), &local());
    assert_eq!(
        names(&bundle),
        [
            "gizmos-bucket",
            "gizmos-trail",
            "gizmos-topic-local",
            "gizmos-rules-local"
        ]
    );
    for part in [Part::TopicLocal, Part::RulesLocal] {
        let set = only(&bundle, part);
        assert!(set.auto_deployment);
        assert_eq!(set.targets.management_regions.len(), 3);
        assert!(!set.template.contains("EventBus"), "{}", set.name);
    }
}

#[test]
fn the_order_of_rules_does_not_matter() {
    for organization in [example(), local()] {
        let mut rules = library();
        let first = bundle(&rules, &organization);
        rules.reverse();
        assert_eq!(bundle(&rules, &organization), first);
        rules.rotate_left(2);
        assert_eq!(bundle(&rules, &organization), first);
    }
}

#[test]
fn parameters_are_exactly_the_declared_ones() {
    let by_policy = Organization {
        publish: Publish::Policy,
        ..example()
    };
    for organization in [example(), local(), by_policy] {
        for set in bundle(&library(), &organization).stack_sets {
            let template = json(&set);
            let declared: Vec<String> = template
                .get("Parameters")
                .and_then(Value::as_object)
                .map(|parameters| parameters.keys().cloned().collect())
                .unwrap_or_default();
            let given: Vec<String> = set.parameters.keys().cloned().collect();
            let mut sorted = declared.clone();
            sorted.sort();
            assert_eq!(sorted, given, "{}", set.name);
        }
    }
}

#[test]
fn resources_of_rules_name_their_rule() {
    for organization in [example(), local()] {
        for set in bundle(&library(), &organization).stack_sets {
            let template = json(&set);
            for (id, resource) in template["Resources"].as_object().unwrap() {
                if let Some(rule) = resource.pointer("/Metadata/gizmos/rule") {
                    assert_eq!(set.rules[id], [rule.as_str().unwrap()]);
                }
            }
            for id in set.rules.keys() {
                assert!(
                    template["Resources"].get(id).is_some(),
                    "{id} in {}",
                    set.name
                );
            }
        }
    }
}

#[test]
fn alerts_go_to_the_topics_of_their_severity() {
    let bundle = bundle(&library(), &example());
    let template = json(only(&bundle, Part::RulesHub));
    let topics = |id: &str| -> Vec<String> {
        let targets = template["Resources"][id]["Properties"]["Targets"]
            .as_array()
            .unwrap();
        targets
            .iter()
            .map(|target| target["Id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(topics("RuleConsoleSignInWithoutMfa"), ["alerts"]);
    assert_eq!(topics("RuleAccessKeyCreated"), ["notices"]);
    assert_eq!(topics("RuleTrailStopped"), ["alerts", "notices"]);
}

/// Service principals that topic policies admit, each with its condition.
fn admitted(template: &Value) -> Vec<(&str, &Value)> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources
        .filter(|resource| resource["Type"] == "AWS::SNS::TopicInlinePolicy")
        .flat_map(|resource| {
            resource["Properties"]["PolicyDocument"]["Statement"]
                .as_array()
                .unwrap()
        })
        .filter(|statement| statement["Effect"] == "Allow")
        .map(|statement| {
            let service = &statement["Principal"]["Service"];
            (service.as_str().unwrap(), &statement["Condition"])
        })
        .collect()
}

/// The targets that are topics.
fn published(template: &Value) -> Vec<&Value> {
    let resources = template["Resources"].as_object().unwrap().values();
    resources
        .filter_map(|resource| resource["Properties"]["Targets"].as_array())
        .flatten()
        .filter(|target| target["Id"] == "alerts" || target["Id"] == "notices")
        .collect()
}

/// The topics of the organization file and, in the hub, the canaries'.
fn topic_count(part: Part) -> usize {
    2 + usize::from(part == Part::Topic)
}

#[test]
fn publishing_with_a_role_admits_only_the_alarm_on_dead_letters_to_topics() {
    for (organization, topics, rules) in [
        (example(), Part::Topic, Part::RulesHub),
        (local(), Part::TopicLocal, Part::RulesLocal),
    ] {
        let bundle = bundle(&library(), &organization);
        let template = json(only(&bundle, topics));
        let admitted = admitted(&template);
        // In the hub, the alarm has a topic of its own.
        let expected = if topics == Part::Topic { 1 } else { 2 };
        assert_eq!(admitted.len(), expected);
        for (service, condition) in admitted {
            assert_eq!(service, "cloudwatch.amazonaws.com");
            assert!(condition["StringEquals"]["aws:SourceAccount"].is_object());
            assert!(condition["ArnLike"]["aws:SourceArn"].is_object());
        }
        let template = json(only(&bundle, rules));
        let targets = published(&template);
        assert_eq!(targets.len(), 5);
        for target in targets {
            assert!(target["RoleArn"].is_object(), "{target}");
        }
    }
}

#[test]
fn publishing_by_policy_has_no_role_and_admits_only_rules_of_the_detections_bus() {
    for (organization, topics, rules, source) in [
        (example(), Part::Topic, Part::RulesHub, "rule/${BusName}/*"),
        (local(), Part::TopicLocal, Part::RulesLocal, "rule/*"),
    ] {
        let organization = Organization {
            publish: Publish::Policy,
            ..organization
        };
        let bundle = bundle(&library(), &organization);
        let template = json(only(&bundle, topics));
        let admitted = admitted(&template);
        let rules_of_bus: Vec<&Value> = admitted
            .iter()
            .filter(|(service, _)| *service == "events.amazonaws.com")
            .map(|(_, condition)| *condition)
            .collect();
        assert_eq!(
            rules_of_bus.len(),
            topic_count(topics),
            "one for each topic"
        );
        for condition in rules_of_bus {
            let arn = condition["ArnLike"]["aws:SourceArn"]["Fn::Sub"].as_str();
            assert!(arn.unwrap().ends_with(&format!(":{source}")), "{condition}");
        }
        let set = only(&bundle, rules);
        assert!(!set.template.contains("Publisher"), "{}", set.template);
        let template = json(set);
        for target in published(&template) {
            assert_eq!(target["RoleArn"], Value::Null, "{target}");
        }
    }
}

#[test]
fn every_policy_that_names_everyone_has_a_condition() {
    for organization in [example(), local()] {
        for set in bundle(&library(), &organization).stack_sets {
            each_statement(&json(&set), &mut |statement| {
                if statement["Principal"] == "*" {
                    assert!(
                        statement["Condition"].is_object(),
                        "{}: {statement}",
                        set.name
                    );
                }
                if statement["Effect"] == "Allow" && statement["Action"] == "sts:AssumeRole" {
                    let condition = &statement["Condition"];
                    assert!(
                        condition["StringEquals"]["aws:SourceAccount"].is_object(),
                        "{statement}"
                    );
                    assert!(
                        condition["ArnLike"]["aws:SourceArn"].is_object(),
                        "{statement}"
                    );
                }
            });
        }
    }
}

fn each_statement(value: &Value, visit: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(map) => {
            if let Some(statements) = map.get("Statement").and_then(Value::as_array) {
                statements.iter().for_each(&mut *visit);
            }
            map.values().for_each(|value| each_statement(value, visit));
        }
        Value::Array(items) => items.iter().for_each(|value| each_statement(value, visit)),
        _ => {}
    }
}

#[test]
fn spokes_have_no_physical_names() {
    let bundle = bundle(&library(), &example());
    let template = json(only(&bundle, Part::RulesSpoke));
    for (id, resource) in template["Resources"].as_object().unwrap() {
        for name in ["Name", "RoleName", "QueueName", "TopicName"] {
            assert!(
                resource["Properties"].get(name).is_none(),
                "{id} has a {name}"
            );
        }
    }
}

/// AWS demands permission for the document and the execution; see the test that compares all
/// policies with the service authorization reference.
#[test]
fn the_role_that_starts_an_automation_names_document_execution_and_definition() {
    let responding = bundle(
        &[start_instance("keep-running", "auto-start", "true")],
        &example(),
    );
    let role = &json(only(&responding, Part::RulesSpoke))["Resources"]["StartRoleKeepRunning"];
    let start = &role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0];
    assert_eq!(start["Action"], "ssm:StartAutomationExecution");
    let arns: Vec<&str> = start["Resource"]
        .as_array()
        .unwrap()
        .iter()
        .map(|arn| arn["Fn::Sub"].as_str().unwrap())
        .collect();
    assert_eq!(
        arns,
        [
            "arn:${AWS::Partition}:ssm:${AWS::Region}::document/AWS-StartEC2Instance",
            "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:automation-execution/*",
            "arn:${AWS::Partition}:ssm:${AWS::Region}::automation-definition/AWS-StartEC2Instance:*",
        ]
    );
}

#[test]
fn response_roles_exist_only_with_a_response() {
    let rules = [api_rule("trail-stopped", "cloudtrail", "StopLogging")];
    let without = bundle(&rules, &example());
    assert!(
        !only(&without, Part::RulesSpoke)
            .template
            .contains("AutomationRole")
    );
    let responding = bundle(
        &[start_instance("keep-running", "auto-start", "true")],
        &example(),
    );
    let spoke = only(&responding, Part::RulesSpoke);
    let role = &json(spoke)["Resources"]["AutomationRoleKeepRunning"];
    let condition =
        &role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"][0]["Condition"];
    assert_eq!(
        condition["StringEquals"]["aws:ResourceTag/auto-start"],
        "true"
    );
    assert!(
        responding
            .stack_sets
            .iter()
            .all(|set| set.part != Part::RulesHub)
    );
}

#[test]
fn dead_letters_of_endpoints_are_kept() {
    let mut organization = example();
    organization.topics[0].subscriptions.push(Subscription {
        protocol: Protocol::Https,
        endpoint: "https://alerts.example.com/gizmos".to_owned(),
    });
    let bundle = bundle(&library(), &organization);
    let template = only(&bundle, Part::Topic).template.clone();
    assert!(template.contains("RedrivePolicy"));
    assert!(template.contains("TopicsSend"));
    assert!(
        !only(&self::bundle(&library(), &example()), Part::Topic)
            .template
            .contains("TopicsSend")
    );
}

#[test]
fn deprecated_rules_are_left_out() {
    let mut rules = library();
    rules.push(Rule {
        status: Status::Deprecated,
        ..api_rule("old", "s3", "PutBucketAcl")
    });
    assert_eq!(bundle(&rules, &example()), bundle(&library(), &example()));
}

#[test]
fn a_rule_without_a_topic_is_rejected() {
    let unknown = Rule {
        notify: vec!["alrets".to_owned()],
        ..api_rule("a", "s3", "PutBucketAcl")
    };
    let diagnostics = errors(&[unknown], &example());
    assert_eq!(diagnostics[0].code, "compile::unknown-topic");
    assert_eq!(
        diagnostics[0].help.as_deref(),
        Some("did you mean `alerts`?")
    );
    assert_eq!(
        diagnostics[0].location.as_ref().unwrap().line_column(),
        (1, 5)
    );

    let silent = Rule {
        message: None,
        ..api_rule("a", "s3", "PutBucketAcl")
    };
    assert_eq!(errors(&[silent], &example())[0].code, "compile::no-effect");
    assert_eq!(errors(&[], &example())[0].code, "compile::no-rules");
}

#[test]
fn writing_replaces_files_of_an_earlier_run() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("stacksets");
    bundle(&library(), &local()).write(&directory).unwrap();
    std::fs::write(directory.join("notes.txt"), "mine").unwrap();
    std::fs::write(directory.join("other.template.json"), "mine").unwrap();
    assert!(directory.join("gizmos-rules-local.template.json").exists());

    let bundle = bundle(&library(), &example());
    let paths = bundle.write(&directory).unwrap();
    assert_eq!(paths.len(), bundle.stack_sets.len() + 1);
    assert!(!directory.join("gizmos-rules-local.template.json").exists());
    assert!(directory.join("notes.txt").exists());
    assert!(directory.join("other.template.json").exists());
    for set in &bundle.stack_sets {
        let path = directory.join(format!("{}.template.json", set.name));
        assert_eq!(std::fs::read_to_string(path).unwrap(), set.template);
    }
    let manifest: Value =
        serde_json::from_str(&std::fs::read_to_string(directory.join("manifest.json")).unwrap())
            .unwrap();
    assert_eq!(
        manifest["stack_sets"][0]["template"],
        "gizmos-bucket.template.json"
    );
    assert_eq!(
        manifest["stack_sets"][0]["template_sha256"]
            .as_str()
            .unwrap()
            .len(),
        64
    );
}

#[test]
fn template_errors_are_diagnostics_with_a_location() {
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(crate::support::stacksets()).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_file() {
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    let path = folder.path().join("trail.template.json.j2");
    let good = std::fs::read_to_string(&path).unwrap();
    let faults = [
        (
            good.replace("\"Trail\": {", "\"Trail\": { {{ color }}"),
            "template::render",
        ),
        (
            good.replace("\"IsLogging\": true,", "\"IsLogging\": true"),
            "template::json",
        ),
        (
            good.replace(
                "\"IsLogging\": true,",
                "\"IsLogging\": true, \"IsLogging\": true,",
            ),
            "template::json",
        ),
        (
            good.replace("{\"Ref\": \"TrailName\"}", "{\"Ref\": \"TrialName\"}"),
            "template::structure",
        ),
        (
            good.replace("AWS::CloudTrail::Trail", "AWS::Lambda::Function"),
            "template::structure",
        ),
    ];
    for (text, code) in faults {
        std::fs::write(&path, text).unwrap();
        let broken = compiler::Templates::load(folder.path()).unwrap();
        let (bundle, diagnostics) = compiler::compile(&library(), &example(), &broken);
        assert!(bundle.is_none());
        assert_eq!(diagnostics[0].code, code, "{diagnostics:?}");
        assert!(
            diagnostics[0]
                .location
                .as_ref()
                .unwrap()
                .file
                .path
                .ends_with("trail.template.json.j2")
        );
    }
    std::fs::write(&path, "{% if %}").unwrap();
    assert_eq!(
        compiler::Templates::load(folder.path()).unwrap_err()[0].code,
        "template::syntax"
    );
    std::fs::remove_file(&path).unwrap();
    assert_eq!(
        compiler::Templates::load(folder.path()).unwrap_err()[0].code,
        "template::missing"
    );
    drop(templates());
}

#[test]
fn a_drift_schedule_covers_every_stack_set_and_has_no_other_permission() {
    for mut organization in [example(), local()] {
        let without = bundle(&library(), &organization);
        assert!(
            without
                .stack_sets
                .iter()
                .all(|set| set.part != Part::DriftSchedule)
        );
        organization.drift_schedule = Some("cron(0 6 * * ? *)".into());
        let bundle = bundle(&library(), &organization);
        let set = bundle.stack_sets.last().unwrap();
        assert_eq!(set.name, "gizmos-drift-schedule");
        assert_eq!(set.targets.members, None);
        assert_eq!(set.targets.management_regions, ["eu-central-1"]);
        let template: Value = serde_json::from_str(&set.template).unwrap();
        let mut looked_at = Vec::new();
        for resource in template["Resources"].as_object().unwrap().values() {
            let properties = &resource["Properties"];
            if resource["Type"] != "AWS::Scheduler::Schedule" {
                let allowed = &properties["Policies"][0]["PolicyDocument"]["Statement"];
                assert_eq!(allowed.as_array().map(Vec::len), Some(1));
                assert_eq!(allowed[0]["Action"], "cloudformation:DetectStackSetDrift");
                continue;
            }
            assert_eq!(properties["ScheduleExpression"], "cron(0 6 * * ? *)");
            let input = properties["Target"]["Input"].as_str().unwrap();
            let input: Value = serde_json::from_str(input).unwrap();
            looked_at.push(input["StackSetName"].as_str().unwrap().to_owned());
        }
        let mut all: Vec<String> = bundle
            .stack_sets
            .iter()
            .filter(|set| set.targets.members.is_some())
            .map(|set| set.name.clone())
            .collect();
        all.sort();
        looked_at.sort();
        assert_eq!(looked_at, all);
    }
}

#[test]
fn the_artifact_bucket_is_open_only_to_deploying_accounts() {
    let mut organization = example();
    let artifacts = |administrators: &[&str]| Artifacts {
        bucket: "example-templates".into(),
        administrators: administrators.iter().map(|&it| it.into()).collect(),
    };
    organization.artifacts = Some(artifacts(&[]));
    let closed = bundle(&library(), &organization);
    insta::assert_snapshot!(
        "hub_gizmos-artifacts",
        only(&closed, Part::Artifacts).template
    );
    organization.artifacts = Some(artifacts(&["333344445555"]));
    let delegated = bundle(&library(), &organization);
    let template = json(only(&delegated, Part::Artifacts));
    let policy = &template["Resources"]["ArtifactBucketPolicy"]["Properties"]["PolicyDocument"];
    let allowed: Vec<&Value> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Effect"] == "Allow")
        .collect();
    assert_eq!(allowed.len(), 1);
    assert!(allowed[0]["Principal"].to_string().contains("333344445555"));
    assert!(allowed[0]["Resource"].to_string().contains("templates/"));
}
