//! Checks that tags name something that exists.
//!
//! `data/attack-techniques.txt` and `data/cis-aws-foundations.txt` come from <https://attack.mitre.org>
//! and <https://www.cisecurity.org/benchmark/amazon_web_services>; they include the versions.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use syntax::{Diagnostic, Node, SourceFile, SourceLocation, nearest};

use crate::attack::{TACTICS, TECHNIQUES};
use crate::read::reader::listed;

const CIS: &str = include_str!("../../../data/cis-aws-foundations.txt");

static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = TECHNIQUES.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split(' ').next()).collect()
});

/// Maximum number of diagnostics about the tags of one file.
const MAX_DIAGNOSTICS: usize = 20;

pub(super) fn check(file: &Arc<SourceFile>, root: &Node) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    let tags = root.get("tags").and_then(Node::as_sequence);
    for node in tags.unwrap_or_default() {
        let Some(tag) = node.as_str() else {
            continue;
        };
        let diagnostic = if let Some(id) = tag.strip_prefix("attack.") {
            attack(id)
        } else if let Some(id) = tag.strip_prefix("cis.") {
            cis(id)
        } else {
            None
        };
        diagnostics.extend(diagnostic.map(|it| it.at(SourceLocation::new(file, node.span))));
        if diagnostics.len() >= MAX_DIAGNOSTICS {
            break;
        }
    }
    diagnostics
}

fn attack(id: &str) -> Option<Diagnostic> {
    let is_number = |text: &str| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    // Sigma's tags also name groups and software.
    if id.strip_prefix(['g', 's']).is_some_and(is_number) || TACTICS.contains(&id) {
        return None;
    }
    let upper = id.to_ascii_uppercase();
    let known = |wanted: &str| KNOWN.contains(wanted);
    if known(&upper) && id.starts_with('t') {
        return None;
    }
    let diagnostic = Diagnostic::warning(
        "rule::attack-id",
        format!("ATT&CK has no technique or tactic `{id}`"),
    );
    let parent = upper.split('.').next().unwrap_or_default();
    Some(if known(&upper) {
        diagnostic.help(format!(
            "tags are lower case: `attack.{}`",
            id.to_ascii_lowercase()
        ))
    } else if let Some(near) = nearest(&id.replace('_', "-"), &TACTICS) {
        diagnostic.help(format!("did you mean `attack.{near}`?"))
    } else if upper.contains('.') && known(parent) {
        diagnostic.help(format!("`{parent}` exists, and has no such sub-technique"))
    } else {
        diagnostic
            .help("techniques are written `attack.t1078.004`; https://attack.mitre.org lists them")
    })
}

fn cis(id: &str) -> Option<Diagnostic> {
    let versions = || {
        CIS.lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once(": "))
    };
    let found = versions().find_map(|(version, sections)| {
        let section = id
            .strip_prefix('v')?
            .strip_prefix(version)?
            .strip_prefix('.')?;
        Some((version, section, sections))
    });
    match found {
        Some((_, section, sections)) if sections.split(' ').any(|it| it == section) => None,
        Some((version, section, _)) => Some(Diagnostic::warning(
            "rule::cis-id",
            format!(
                "version {version} of the CIS AWS Foundations Benchmark has no recommendation {section}"
            ),
        )),
        None => {
            let known: Vec<&str> = versions().map(|(version, _)| version).collect();
            Some(
                Diagnostic::warning(
                    "rule::cis-id",
                    format!("`cis.{id}` names no recommendation"),
                )
                .help(format!(
                    "it is written `cis.v3.0.0.4.2`, version first; known versions are {}",
                    listed(&known)
                )),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn techniques_tactics_and_recommendations() {
        for good in [
            "t1078.004",
            "t1562.008",
            "persistence",
            "defense-evasion",
            "g0016",
            "s0002",
        ] {
            assert_eq!(attack(good), None, "{good}");
        }
        for bad in [
            "t9999",
            "t1078.099",
            "T1078.004",
            "defense_evasion",
            "persistance",
            "1078",
        ] {
            assert!(attack(bad).is_some(), "{bad}");
        }
        for good in ["v3.0.0.4.2", "v1.4.0.4.15", "v4.0.1.4.16", "v6.0.0.5.16"] {
            assert_eq!(cis(good), None, "{good}");
        }
        for bad in ["v3.0.0.4.17", "v3.0.4.2", "v9.0.0.1.1", "4.2", "v3.0.0"] {
            assert!(cis(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_tables_are_complete() {
        assert!(TECHNIQUES.lines().count() > 600);
        let tactics = TECHNIQUES
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split(' ').nth(1));
        for tactic in tactics.flat_map(|it| it.split(',')) {
            assert!(TACTICS.contains(&tactic), "{tactic}");
        }
        assert!(CIS.lines().count() > 8);
    }
}
