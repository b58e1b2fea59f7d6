//! The command `fmt`.

use std::fs;

use crate::project;

const RULE: &str = "rules/cloudtrail/cloudtrail-tampering.yaml";

#[test]
fn every_rule_is_formatted() {
    project().run(&["fmt", "--check"]).expect(0);
}

#[test]
fn formatting_fixes_the_layout_and_keeps_comments() {
    let project = project();
    let before = fs::read_to_string(project.path(RULE)).expect("a rule");
    let (head, tests) = before.split_once("tests:\n").expect("tests");
    // Change order, quotes and indentation, but no values.
    let mess = format!("tests:\n{tests}\n\n\n{head}")
        .replace("severity: critical", "severity:   'critical'")
        .replace("  detail-type: [", "  detail-type:  [  ");
    project.write(RULE, &mess);
    project
        .run(&["fmt", "--check"])
        .expect(1)
        .says(&format!("{RULE}: not formatted"));
    assert_eq!(fs::read_to_string(project.path(RULE)).ok(), Some(mess));
    let run = project.run(&["fmt", RULE, "--format", "json"]).expect(0);
    assert_eq!(run.json()["changed"][0], RULE);
    assert_eq!(fs::read_to_string(project.path(RULE)).ok(), Some(before));
    project.run(&["fmt"]).expect(0).says("0 changed");
}

#[test]
fn invalid_yaml_is_left_unchanged() {
    let project = project();
    let broken = "version: 1\nid: [cloudtrail-tampering\n";
    project.write(RULE, broken);
    project
        .run(&["fmt"])
        .expect(64)
        .says("error[yaml::syntax]")
        .says(&format!("{RULE}:"));
    assert_eq!(
        fs::read_to_string(project.path(RULE)).ok().as_deref(),
        Some(broken)
    );
    project.run(&["fmt", "rules/none.yaml"]).expect(1);
}
