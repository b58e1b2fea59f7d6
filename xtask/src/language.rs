//! Keeps the turns of phrase that STYLE.md bans out of every text file of the project.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The page that lists the banned phrases, between [`OPEN`] and [`CLOSE`].
const PAGE: &str = "STYLE.md";
const OPEN: &str = "```banned\n";
const CLOSE: &str = "```";

/// Files written by people; the rest is data or generated from these.
const ENDINGS: [&str; 7] = ["rs", "md", "toml", "yaml", "yml", "j2", "py"];

/// Words of others: recorded events, AWS's own answers, generated lists.
const QUOTATIONS: [&str; 4] = ["/data/", "rules/fixtures/", "LICENSE", "/vendor/"];

/// Reports every banned phrase with file, line and column.
pub(crate) fn check() -> Result<()> {
    let page = read(PAGE)?;
    let phrases = banned(&page)?;
    let files = shell::output(shell::program("git").args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut found = Vec::new();
    let mut count = 0;
    for file in files.lines().filter(|file| is_checked(file)) {
        // A tracked file that the working tree no longer has is not text of the project.
        let Ok(text) = std::fs::read_to_string(shell::root().join(file)) else {
            continue;
        };
        count += 1;
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for phrase in &phrases {
                if let Some(column) = position(&line, phrase) {
                    found.push(format!("{file}:{}:{}: `{phrase}`", number + 1, column + 1));
                }
            }
        }
    }
    if !found.is_empty() {
        bail!(
            "{} uses of phrases that {PAGE} bans; it shows what to write instead:\n{}",
            found.len(),
            found.join("\n")
        );
    }
    println!(
        "language: {count} files, {} banned phrases, 0 found",
        phrases.len()
    );
    Ok(())
}

fn read(file: &str) -> Result<String> {
    let path = shell::root().join(file);
    std::fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))
}

/// The phrases of the page's fenced list, in lower case.
fn banned(page: &str) -> Result<Vec<String>> {
    let list = page
        .split_once(OPEN)
        .and_then(|(_, rest)| rest.split_once(CLOSE))
        .map(|(list, _)| list)
        .with_context(|| format!("{PAGE} has no list that begins with {OPEN:?}"))?;
    let phrases: Vec<String> = list
        .lines()
        .map(|line| line.trim().to_lowercase())
        .filter(|line| !line.is_empty())
        .collect();
    if phrases.is_empty() {
        bail!("the list of banned phrases in {PAGE} is empty");
    }
    Ok(phrases)
}

fn is_checked(file: &str) -> bool {
    file != PAGE
        && !QUOTATIONS.iter().any(|part| file.contains(part))
        && Path::new(file)
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
}

/// Where `phrase` begins in `line` as whole words; a byte offset.
fn position(line: &str, phrase: &str) -> Option<usize> {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(phrase).map(|(at, _)| at).find(|&at| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line
            .get(at + phrase.len()..)
            .and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_found_as_whole_words_only() {
        assert_eq!(position("this is a trail of tears", "of tears"), Some(16));
        assert_eq!(position("proofs of tearsheets", "of tears"), None);
        assert_eq!(position("of_tears_all", "of_tears"), None);
    }

    #[test]
    fn a_page_without_a_list_is_an_error() {
        assert!(banned("# Style").is_err());
        assert_eq!(
            banned("```banned\nOf Tears\n\n```").ok(),
            Some(vec!["of tears".to_owned()])
        );
    }
}
