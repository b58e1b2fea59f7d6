//! The documents show what the program prints.

use std::fs;

use crate::project;

/// Lines that contain these have numbers that depend on the number of rules or on timing. They are
/// compared without numbers, so that adding a rule doesn't require editing the documents.
const COUNTS: [&str; 5] = [
    "Deployed: ",
    "The simulator counted ",
    "Verified: ",
    " rules, ",
    " files, ",
];

/// The line, without numbers if those vary.
fn said(line: &str) -> String {
    let counts = COUNTS.iter().any(|part| line.contains(part));
    line.chars()
        .filter(|c| !(counts && c.is_ascii_digit()))
        .collect()
}

#[test]
fn the_readme_shows_what_the_first_command_prints() {
    let readme = fs::read_to_string(tests::repository().join("README.md")).expect("a README");
    let (_, block) = readme.split_once("```text\n").expect("a block of output");
    let (block, _) = block.split_once("\n```").expect("its end");
    let printed = crate::committed_project()
        .run(&["deploy", "--org", "--simulator"])
        .expect(0)
        .stdout;
    for line in block.lines() {
        assert!(
            line == "…" || printed.lines().any(|it| said(it) == said(line)),
            "the README shows a line that isn't printed:\n{line}\n\nprinted:\n{printed}"
        );
    }
}

/// Fenced blocks: their language and their lines, without the fence's indentation.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open: Option<usize> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        match (open, line.trim_start().strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(indent);
                blocks.push((language.to_owned(), String::new()));
            }
            (Some(_), Some(_)) => open = None,
            (Some(indent), None) => {
                let (_, block) = blocks.last_mut().expect("a block");
                block.push_str(line.get(indent..).unwrap_or_default());
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A rule file's text with some fields replaced, as an author would edit it.
fn with_fields(rule: &str, fields: &str) -> String {
    let top = |text: &str| -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = Vec::new();
        for line in text.split_inclusive('\n') {
            match found.last_mut() {
                Some((_, block)) if line.starts_with(' ') => block.push_str(line),
                _ => {
                    let name = line.split(':').next().unwrap_or_default();
                    found.push((name.to_owned(), line.to_owned()));
                }
            }
        }
        found
    };
    let new = top(fields);
    top(rule)
        .into_iter()
        .map(|(name, block)| {
            let other = new.iter().find(|(known, _)| *known == name);
            other.map_or(block, |(_, block)| block.clone())
        })
        .collect()
}

#[test]
fn a_rule_is_written_by_the_steps_of_its_readme_alone() {
    let readme = fs::read_to_string(tests::repository().join("rules/README.md")).expect("a README");
    let (_, section) = readme
        .split_once("\n## Adding a rule\n")
        .expect("the steps");
    let (section, _) = section.split_once("\n## ").expect("their end");
    let project = project();
    project.watch_enabled_regions();
    project.run(&["generate"]).expect(0);
    let mut rule = String::new();
    let mut commands = 0;
    for (language, block) in blocks(section) {
        match language.as_str() {
            "json" => project.write("event.json", &block),
            "yaml" => {
                let text = fs::read_to_string(project.path(&rule)).expect("the rule");
                let text = with_fields(&text, &block);
                assert!(
                    !text.contains("TODO"),
                    "the README leaves something:\n{text}"
                );
                project.write(&rule, &text);
            }
            "console" => {
                for step in block.split("$ ").filter(|step| !step.is_empty()) {
                    let (command, shown) = step.split_once('\n').expect("a line");
                    let run = project.script(command, &[]).expect(0);
                    for line in shown.lines() {
                        assert!(
                            line == "…" || run.all().lines().any(|it| said(it) == said(line)),
                            "`{command}` doesn't print what the README shows:\n{line}\n\nprinted:\n{}",
                            run.all()
                        );
                    }
                    let written = run.stdout.split_once(".yaml: the rule, ");
                    if let Some((path, _)) = written {
                        rule = format!("{path}.yaml");
                    }
                    commands += 1;
                }
            }
            other => panic!("a block in {other:?} among the steps"),
        }
    }
    assert!(commands >= 6, "{commands} commands");
    // The checks of a pull request must pass too.
    project.run(&["check", "--deny-warnings"]).expect(0);
    project.run(&["fmt", "--check"]).expect(0);
    project.run(&["generate", "--mode", "check"]).expect(0);
    let alerts = fs::read_to_string(project.path("rules/ALERTS.md")).expect("a page");
    assert!(alerts.contains("\n## ec2-key-pair-created\n"));
}
