//! What the documents show is what the program does.

use std::fs;

use crate::project;

/// A line whose numbers depend on how calls happened to overlap.
const VARIES: &str = "The simulator counted ";

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
        let left_out = line == "…" || line.starts_with(VARIES);
        assert!(
            left_out || printed.lines().any(|it| it == line),
            "the README shows a line that isn't printed:\n{line}\n\nprinted:\n{printed}"
        );
    }
}
