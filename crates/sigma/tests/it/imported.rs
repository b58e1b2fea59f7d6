//! Snapshots of the import of every rule in `tests/data`.

use std::fmt::Write;

use crate::support::{all_imported, files, import, name};

/// One line per rule, exact, with losses or refused, followed by its reasons.
#[test]
fn every_rule_is_imported_or_refused_with_its_reasons() {
    let (mut exact, mut lossy, mut refused) = (0, 0, 0);
    let mut table = String::new();
    for file in files() {
        let name = name(&file);
        match import(&file) {
            Ok((_, imported)) => {
                let count = match imported.rules.len() {
                    1 => String::new(),
                    count => format!(" in {count} rules"),
                };
                if imported.is_exact() {
                    exact += 1;
                    writeln!(table, "{name}: exact{count}").unwrap();
                } else {
                    lossy += 1;
                    writeln!(table, "{name}: with loss{count}").unwrap();
                }
                for loss in &imported.losses {
                    writeln!(table, "    {loss}").unwrap();
                }
            }
            Err(diagnostics) => {
                refused += 1;
                writeln!(table, "{name}: refused").unwrap();
                for diagnostic in diagnostics {
                    writeln!(table, "    {diagnostic}").unwrap();
                    for note in &diagnostic.notes {
                        writeln!(table, "      note: {note}").unwrap();
                    }
                    if let Some(help) = &diagnostic.help {
                        writeln!(table, "      help: {help}").unwrap();
                    }
                }
            }
        }
    }
    writeln!(table, "{exact} exact, {lossy} with loss, {refused} refused").unwrap();
    insta::assert_snapshot!(table);
}

/// Imported rules need no manual correction.
#[test]
fn imported_rules_pass_check() {
    let mut found = String::new();
    for (_, _, imported) in all_imported() {
        for diagnostic in &imported.diagnostics {
            writeln!(found, "{diagnostic}").unwrap();
        }
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn the_files_are_as_a_person_would_write_them() {
    let mut text = String::new();
    for (name, _, imported) in all_imported() {
        if ["metadata", "mixed_selection", "not_parentheses"].contains(&name.as_str()) {
            for rule in &imported.rules {
                writeln!(text, "==== {}.yaml\n{}", rule.id, rule.text).unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}
