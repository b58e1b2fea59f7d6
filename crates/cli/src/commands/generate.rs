//! `generate`: pages that are made from the code and the rules, so that they can't be out of date.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::arguments::{GenerateMode, ProjectArguments};
use crate::exit::Exit;
use crate::output;
use crate::project::{library, rules_folder, stacksets_folder};

/// A page and where it belongs.
struct Page {
    path: PathBuf,
    text: String,
}

/// Every page.
fn pages(arguments: &ProjectArguments) -> Vec<Page> {
    let folder = &rules_folder(arguments);
    // Rules with errors are left out; `check` says so.
    let library = library(arguments);
    let page = |name: &str, text: String| Page {
        path: folder.join(name),
        text,
    };
    vec![
        page("LINTS.md", rules::lint::page()),
        page("CATALOGUE.md", rules::catalogue(&library.rules, folder)),
        page("ALERTS.md", rules::alerts(&library.rules, folder)),
        page(rules::SCHEMA_FILE, schema(&rules::schema())),
        Page {
            path: stacksets_folder(arguments).join("organization.schema.json"),
            text: schema(&compiler::organization::schema()),
        },
    ]
}

/// As JSON is committed.
fn schema(schema: &Value) -> String {
    format!("{schema:#}\n")
}

pub(crate) fn run(arguments: &ProjectArguments, mode: GenerateMode) -> Result<Exit> {
    let mut exit = Exit::Done;
    for page in pages(arguments) {
        let shown = page.path.display();
        let current = std::fs::read_to_string(&page.path).is_ok_and(|text| text == page.text);
        match mode {
            _ if current => output::text(&format!("{shown} is current"))?,
            GenerateMode::Write => {
                std::fs::write(&page.path, &page.text)
                    .with_context(|| format!("could not write {shown}"))?;
                output::text(&format!("{shown} written"))?;
            }
            GenerateMode::Check => {
                output::text(&format!(
                    "{shown} is out of date; {} writes it",
                    crate::spelling::command("generate")
                ))?;
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}
