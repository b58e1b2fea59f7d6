//! Invalid files: a run reports all errors with their positions at once, and deploys nothing.

use serde_json::Value;

use tests::{EXAMPLE_EVENT, EXAMPLE_RULE, Project};

/// The project, with the fixture of the example rule.
fn project() -> Project {
    let project = crate::project();
    project.write("rules/fixtures/event.json", EXAMPLE_EVENT);
    project
}

/// Writes the example rule under another id, with one thing broken.
fn broken(project: &Project, id: &str, from: &str, to: &str) {
    let rule = EXAMPLE_RULE.replace("id: example-rule", &format!("id: {id}"));
    assert!(rule.contains(from), "{from:?} is not in the rule");
    project.write(
        &format!("rules/broken/{id}.yaml"),
        &rule.replacen(from, to, 1),
    );
}

#[test]
fn the_example_rule_is_valid_before_it_is_broken() {
    let project = project();
    project.watch_enabled_regions();
    project.write("rules/broken/example-rule.yaml", EXAMPLE_RULE);
    // The rule only gets a warning, because the library already has one like it.
    project
        .run(&["check"])
        .expect(0)
        .says(" 0 failed; 1 warning");
}

#[test]
fn all_problems_of_all_files_are_reported_in_one_run_and_nothing_is_deployed() {
    let project = project();
    broken(&project, "unknown-field", "severity: high", "severty: high");
    broken(
        &project,
        "bad-operator",
        "eventName: [StopLogging]",
        "eventName: [{begins-with: Stop}]",
    );
    broken(
        &project,
        "placeholder-without-event",
        "detail.userIdentity.arn",
        "detail.userIdentity.arm",
    );
    broken(&project, "no-source", "  source: [aws.cloudtrail]\n", "");
    broken(
        &project,
        "dynamic-reference",
        "who: {{ detail.userIdentity.arn }}",
        "who: {{resolve:ssm:password}} {{ detail.userIdentity.arn }}",
    );
    broken(
        &project,
        "invalid-yaml",
        "status: stable",
        "status: [stable",
    );
    project.write("rules/one/example-rule.yaml", EXAMPLE_RULE);
    project.write("rules/two/example-rule.yaml", EXAMPLE_RULE);
    project.remove("stacksets/organization.yaml");

    let run = project
        .run(&["deploy", "--org", "--simulator"])
        .expect(64)
        .says("Nothing was deployed");
    for (file, line, text) in [
        ("rules/broken/unknown-field.yaml", 6, "no field `severty`"),
        (
            "rules/broken/bad-operator.yaml",
            15,
            "Unrecognized match type begins-with",
        ),
        (
            "rules/broken/placeholder-without-event.yaml",
            18,
            "detail.userIdentity.arm",
        ),
        ("rules/broken/no-source.yaml", 11, "source"),
        ("rules/broken/dynamic-reference.yaml", 18, "{{resolve:"),
        ("rules/broken/invalid-yaml.yaml", 6, "invalid YAML"),
        ("rules/two/example-rule.yaml", 2, "example-rule"),
    ] {
        let place = format!("{file}:{line}:");
        assert!(
            run.stderr.contains(&place),
            "{place} is missing in\n{}",
            run.stderr
        );
        assert!(
            run.stderr.contains(text),
            "{text} is missing in\n{}",
            run.stderr
        );
    }
    let run = run.says("stacksets/organization.yaml");
    // Nothing was started, so there is no progress of any operation.
    assert!(!run.all().contains("instances"), "{}", run.all());
}

#[test]
fn diagnostics_have_codes_places_and_help_as_json() {
    let project = project();
    broken(&project, "unknown-field", "severity: high", "severty: high");
    let run = project.run(&["check", "--format", "json"]).expect(64);
    let json = run.json();
    let diagnostic = json["diagnostics"]
        .as_array()
        .and_then(|diagnostics| {
            diagnostics.iter().find(|it| {
                it["message"]
                    .as_str()
                    .is_some_and(|it| it.contains("severty"))
            })
        })
        .unwrap_or(&Value::Null);
    assert_eq!(diagnostic["file"], "rules/broken/unknown-field.yaml");
    assert_eq!(
        (&diagnostic["line"], &diagnostic["column"]),
        (&6.into(), &1.into())
    );
    assert!(diagnostic["code"].is_string(), "{json}");
    assert!(
        diagnostic["help"]
            .as_str()
            .is_some_and(|it| it.contains("severity")),
        "{diagnostic}"
    );
}

#[test]
fn an_empty_rules_folder_is_an_error() {
    let project = project();
    std::fs::remove_dir_all(project.path("rules")).unwrap();
    std::fs::create_dir(project.path("rules")).unwrap();
    project
        .run(&["deploy", "--org", "--simulator"])
        .expect(64)
        .says("rules")
        .says("Nothing was deployed");
}

#[test]
fn wrong_arguments_are_64_and_not_the_code_of_a_plan_with_changes() {
    let project = project();
    project.run(&["plan"]).expect(64).says("--org");
    project.run(&["plan", "--org", "--nonsense"]).expect(64);
    project
        .run(&["deploy", "--help"])
        .expect(0)
        .says("Examples:");
}
