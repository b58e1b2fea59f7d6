//! The command `generate`: writes the pages generated from code and rules.

use std::path::PathBuf;

use anyhow::Result;
use serde_json::Value;

use crate::arguments::GenerateMode;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;
use crate::project::Files;

/// A page and its path.
struct Page {
    path: PathBuf,
    text: String,
}

/// All generated pages.
fn pages(files: Files<'_>) -> Vec<Page> {
    let folder = &files.rules();
    // Rules with errors are skipped; `check` reports them.
    let library = files.library();
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
            path: files.stacksets().join("organization.schema.json"),
            text: schema(&compiler::organization::schema()),
        },
        Page {
            path: files.stacksets().join("DRIFT.md"),
            text: report::drift::page(),
        },
        Page {
            path: files.stacksets().join("PROBES.md"),
            text: report::probe::page(),
        },
    ]
}

/// JSON as it is committed: indented, with a final newline.
fn schema(schema: &Value) -> String {
    format!("{schema:#}\n")
}

pub(crate) fn run(invocation: &Invocation<'_>, mode: GenerateMode) -> Result<Exit> {
    let environment = invocation.environment;
    let mut exit = Exit::Done;
    for page in pages(invocation.files()) {
        let shown = environment.shown(&page.path);
        let shown = shown.display();
        let current =
            syntax::files::read(&page.path, page.text.len()).is_ok_and(|text| text == page.text);
        match mode {
            _ if current => environment.print(&format!("{shown} is up to date"))?,
            GenerateMode::Write => {
                files::write(environment, &page.path, &page.text)?;
                environment.print(&format!("{shown} written"))?;
            }
            GenerateMode::Check => {
                environment.print(&format!(
                    "{shown} is out of date; {} writes it",
                    crate::spelling::command("generate")
                ))?;
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}
