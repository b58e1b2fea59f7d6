//! The commands `check` and `generate`: fixes, errors, and output for other programs.

use std::fs;

use crate::project;

const RULE: &str = "rules/cloudtrail/cloudtrail-tampering.yaml";

#[test]
fn a_generated_page_that_is_out_of_date_is_named_and_rewritten() {
    let project = project();
    project.run(&["generate"]).expect(0);
    project.run(&["generate", "--mode", "check"]).expect(0);
    project.replace("rules/LINTS.md", "# Lints", "# Lint");
    project
        .run(&["generate", "--mode", "check"])
        .expect(1)
        .says("rules/LINTS.md is out of date");
    project.run(&["generate"]).expect(0);
    project.run(&["generate", "--mode", "check"]).expect(0);
}

#[test]
fn a_fix_changes_nothing_else() {
    let project = project();
    let before = fs::read_to_string(project.path(RULE)).unwrap();
    project.replace(
        RULE,
        "  detail-type: [AWS API Call via CloudTrail]\n",
        "  account: [111122223333, 222233334444]  # the two that matter\n  detail-type: [AWS API Call via CloudTrail]\n",
    );
    project.run(&["check", "--fix"]).says("2 fixed");
    let after = fs::read_to_string(project.path(RULE)).unwrap();
    assert_eq!(
        after.replace(
            "  account: [\"111122223333\", \"222233334444\"]  # the two that matter\n",
            ""
        ),
        before
    );
    // A second run finds nothing to do and leaves no files behind.
    let run = project.run(&["check", "--fix"]);
    assert!(!run.all().contains("fixed"), "{}", run.all());
    assert_eq!(fs::read_to_string(project.path(RULE)).unwrap(), after);
    assert!(!project.path(RULE).with_extension("yaml.new").exists());
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let project = project();
    project.watch_enabled_regions();
    project.replace(RULE, "status: stable", "status: deprecated");
    project.run(&["check"]).expect(0).says("rule::deprecated");
    project.run(&["check", "--deny-warnings"]).expect(64);
    project.replace(
        RULE,
        "status: deprecated",
        "status: deprecated # allow: rule::deprecated kept for the audit",
    );
    project
        .run(&["check", "--deny-warnings"])
        .expect(0)
        .says("1 allowed");
}

#[test]
fn other_programs_get_counts_places_and_pages() {
    let project = project();
    let json = project.run(&["check", "--format", "json"]).expect(0).json();
    for count in ["rules", "lints"] {
        assert!(json[count].as_u64().is_some_and(|it| it > 0), "{json}");
    }
    assert_eq!(json["tests"]["failed"], 0);
    project.replace(RULE, "status: stable", "status: stabel");
    let sarif = project
        .run(&["check", "--format", "sarif"])
        .expect(64)
        .json();
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "rule::unknown-value");
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], RULE);
    assert!(location["region"]["startLine"].is_u64(), "{location}");
    let index = result["ruleIndex"]
        .as_u64()
        .and_then(|it| usize::try_from(it).ok());
    let page = &run["tool"]["driver"]["rules"][index.unwrap()];
    assert_eq!(page["id"], "rule::unknown-value");
    project
        .run(&["check", "--format", "github"])
        .expect(64)
        .says(&format!("::error file={RULE},line="));
    project
        .run(&["plan", "--org", "--format", "github"])
        .expect(64)
        .says("for `check`");
}
