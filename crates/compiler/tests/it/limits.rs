//! Quotas: diagnostics name the file and line of the offending rule.

use compiler::organization::{Artifacts, Organization};
use compiler::{Bundle, Part};
use rules::{Message, Rule};
use serde_json::{Value, json};
use syntax::Diagnostic;

use crate::support::{api_rule, bundle, errors, example, local, only, rule};

fn many(count: usize) -> Vec<Rule> {
    (0..count)
        .map(|n| api_rule(&format!("rule-{n:03}"), "s3", &format!("Do{n}")))
        .collect()
}

fn location(diagnostic: &Diagnostic) -> String {
    let location = diagnostic.location.as_ref().unwrap();
    format!(
        "{}:{}",
        location.file.path.display(),
        location.line_column().0
    )
}

fn hub_sets(bundle: &Bundle) -> Vec<&str> {
    let hub = bundle
        .stack_sets
        .iter()
        .filter(|set| set.part == Part::RulesHub);
    hub.map(|set| set.name.as_str()).collect()
}

#[test]
fn the_rule_after_the_quota_of_a_bus_is_named() {
    // The canaries have two of the 300 rules on the hub's bus.
    assert_eq!(hub_sets(&bundle(&many(298), &example())).len(), 5);
    let diagnostics = errors(&many(299), &example());
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert_eq!(diagnostics[0].code, "limit::rules-per-bus");
    assert_eq!(location(&diagnostics[0]), "rules/rule-298.yaml:1");
}

#[test]
fn some_regions_take_fewer_rules() {
    let mut organization = example();
    organization.home_region = "eu-south-1".to_owned();
    organization.regions.push("eu-south-1".to_owned());
    assert_eq!(
        location(&errors(&many(99), &organization)[0]),
        "rules/rule-098.yaml:1"
    );
    let mut organization = local();
    organization.regions.push("af-south-1".to_owned());
    assert_eq!(
        location(&errors(&many(101), &organization)[0]),
        "rules/rule-100.yaml:1"
    );
}

#[test]
fn wildcards_have_a_quota_of_their_own() {
    let rules: Vec<Rule> = (0..31)
        .map(|n| {
            let pattern = json!({"source": ["aws.s3"], "detail": {"eventName": [format!("Do{n}")], "x": [{"wildcard": "a*b"}]}});
            rule(&format!("rule-{n:02}"), &pattern.to_string())
        })
        .collect();
    bundle(&rules[..30], &example());
    let diagnostics = errors(&rules, &example());
    assert_eq!(diagnostics[0].code, "limit::wildcards-per-bus");
    assert_eq!(location(&diagnostics[0]), "rules/rule-30.yaml:1");
}

#[test]
fn with_an_artifact_bucket_a_large_library_stays_in_one_template() {
    let organization = Organization {
        artifacts: Some(Artifacts {
            bucket: "example-templates".into(),
            administrators: Vec::new(),
        }),
        ..example()
    };
    let large = bundle(&many(298), &organization);
    let hub = only(&large, Part::RulesHub);
    assert!(hub.template.len() > 51_200 && hub.template.len() <= 1_000_000);
    assert_eq!(hub.rules.len(), 298);
    // The bucket must exist before anything is read from it.
    assert!(hub.depends_on.contains(&"gizmos-artifacts".to_owned()));
    // Stacks in other Regions can't read from it.
    for set in &large.stack_sets {
        let everywhere = set.targets.management_regions.len() > 1;
        assert!(!everywhere || set.template.len() <= 51_200, "{}", set.name);
    }
    let small = bundle(&many(3), &organization);
    let hub = only(&small, Part::RulesHub);
    assert_eq!(hub.depends_on, ["gizmos-topic"]);
    let bucket = only(&small, Part::Artifacts);
    assert_eq!(bucket.targets.members, None);
    assert_eq!(bucket.targets.management_regions, ["eu-central-1"]);
}

#[test]
fn with_an_artifact_bucket_local_detections_are_split_up_unless_all_is_in_one_region() {
    let artifacts = Some(Artifacts {
        bucket: "example-templates".into(),
        administrators: Vec::new(),
    });
    let everywhere = Organization {
        artifacts,
        ..local()
    };
    let detections = |organization: &Organization| {
        let bundle = bundle(&many(120), organization);
        let sets = bundle.stack_sets.iter();
        sets.filter(|set| set.part == Part::RulesLocal).count()
    };
    assert!(detections(&everywhere) > 1);
    let one_region = Organization {
        regions: vec![everywhere.home_region.clone()],
        ..everywhere
    };
    assert_eq!(detections(&one_region), 1);
}

#[test]
fn a_library_that_outgrows_a_template_gets_a_second_one() {
    let bundle = bundle(&many(80), &example());
    assert_eq!(
        hub_sets(&bundle),
        ["gizmos-rules-hub", "gizmos-rules-hub-2"]
    );
    let sets: Vec<_> = bundle
        .stack_sets
        .iter()
        .filter(|set| set.part == Part::RulesHub)
        .collect();
    let carried: usize = sets.iter().map(|set| set.rules.len()).sum();
    assert_eq!(carried, 80);
    for set in &bundle.stack_sets {
        assert!(set.template.len() <= 51_200, "{}", set.name);
    }
    // The same rule has a different name in each shard, since it briefly exists in both.
    let template: Value = serde_json::from_str(&sets[1].template).unwrap();
    let names: Vec<&str> = template["Resources"]
        .as_object()
        .unwrap()
        .values()
        .map(|resource| resource["Properties"]["Name"].as_str().unwrap())
        .collect();
    assert!(names.iter().all(|name| name.ends_with(".2")), "{names:?}");
    let spoke = only(&bundle, Part::RulesSpoke);
    assert_eq!(
        spoke.depends_on,
        ["gizmos-topic", "gizmos-rules-hub", "gizmos-rules-hub-2"]
    );
}

#[test]
fn a_template_is_minified_before_it_is_split() {
    let bundle = bundle(&many(40), &example());
    let hub = only(&bundle, Part::RulesHub);
    assert!(!hub.template.contains('\n'));
    assert!(only(&bundle, Part::Topic).template.contains('\n'));
}

#[test]
fn sizes_are_checked_per_rule() {
    let long = "x".repeat(9000);
    let mut wordy = api_rule("wordy", "s3", "PutBucketAcl");
    wordy.message = Some(Message {
        input_paths: [("a".to_owned(), format!("$.{}", "a".repeat(300)))].into(),
        input_template: json!({"alert": long}).to_string(),
    });
    let titled = Rule {
        title: "t".repeat(513),
        ..api_rule("titled", "s3", "PutBucketAcl")
    };
    let diagnostics = errors(&[wordy, titled], &example());
    let messages: Vec<&str> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.message.as_str())
        .collect();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(
        messages[0].contains("`titled`: the title has 513 characters, the quota is 512"),
        "{messages:?}"
    );
    assert!(
        messages[1].contains("`wordy`: the compiled message has"),
        "{messages:?}"
    );
    assert!(messages[2].contains("the quota is 256"), "{messages:?}");
}

#[test]
fn too_many_topics_for_one_rule_are_refused() {
    let mut organization = example();
    let topic = organization.topics[0].clone();
    for n in 0..6 {
        organization.topics.push(compiler::organization::Topic {
            name: format!("team-{n}"),
            ..topic.clone()
        });
    }
    let diagnostics = errors(&[api_rule("a", "s3", "PutBucketAcl")], &organization);
    assert!(
        diagnostics[0]
            .message
            .contains("the number of topics has 7 targets, the quota is 5"),
        "{diagnostics:?}"
    );
}
