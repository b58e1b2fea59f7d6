//! What the documents show is what the program does.

use std::fs;

use crate::project;

/// Lines whose numbers depend on how many rules there are, so that adding one doesn't mean to edit
/// the README, or on how calls happened to overlap.
const COUNTS: [&str; 3] = ["Deployed: ", "The simulator counted ", "Verified: "];

/// The line, or what it says besides numbers if those vary.
fn said(line: &str) -> String {
    let counts = COUNTS.iter().any(|start| line.starts_with(start));
    line.chars()
        .filter(|c| !(counts && c.is_ascii_digit()))
        .collect()
}

#[test]
fn the_readme_shows_what_the_first_command_prints() {
    let readme = fs::read_to_string(tests::repository().join("README.md")).expect("a README");
    let (_, block) = readme.split_once("```text\n").expect("a block of output");
    let (block, _) = block.split_once("\n```").expect("its end");
    let printed = project()
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
