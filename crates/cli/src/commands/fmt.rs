//! `fmt`: rule files in the one layout.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use report::plural;
use serde_json::json;
use syntax::{Diagnostic, SourceFile, Unformatted};

use crate::arguments::{Format, ProjectArguments};
use crate::exit::Exit;
use crate::output;
use crate::project::rule_sources;
use crate::spelling;

/// What became of the files.
#[derive(Default)]
struct Formatted {
    files: usize,
    changed: Vec<PathBuf>,
    /// Files of which no layout was found that says the same.
    left: Vec<PathBuf>,
    diagnostics: Vec<Diagnostic>,
}

pub(crate) fn run(
    arguments: &ProjectArguments,
    format: Format,
    check: bool,
    files: &[PathBuf],
) -> Result<Exit> {
    if files == [PathBuf::from("-")] {
        return standard_input();
    }
    let mut formatted = Formatted::default();
    let sources = if files.is_empty() {
        let (sources, diagnostics) = rule_sources(arguments);
        formatted.diagnostics = diagnostics;
        sources
    } else {
        files.iter().map(|file| read(file)).collect::<Result<_>>()?
    };
    for source in sources {
        formatted.file(&source, check)?;
    }
    formatted.print(format, check)?;
    Ok(
        if !formatted.diagnostics.is_empty() || !formatted.left.is_empty() {
            Exit::Configuration
        } else if check && !formatted.changed.is_empty() {
            Exit::Failed
        } else {
            Exit::Done
        },
    )
}

/// From standard input to standard output, for editors.
fn standard_input() -> Result<Exit> {
    let mut text = String::new();
    std::io::stdin()
        .take(syntax::MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)?;
    let source = Arc::new(SourceFile::new("standard-input.yaml", text));
    let mut formatted = Formatted::default();
    match rules::format(&source) {
        Ok(text) => {
            output::text(&text)?;
            return Ok(Exit::Done);
        }
        Err(Unformatted::Diagnostics(diagnostics)) => formatted.diagnostics = diagnostics,
        Err(Unformatted::Unsafe) => formatted.left.push(source.path.clone()),
    }
    formatted.complain();
    Ok(Exit::Configuration)
}

fn read(path: &Path) -> Result<Arc<SourceFile>> {
    let shown = || format!("could not read {}", path.display());
    let mut text = String::new();
    // One byte more than the reader of YAML takes is enough for it to say so.
    File::open(path)
        .with_context(shown)?
        .take(syntax::MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .with_context(shown)?;
    Ok(Arc::new(SourceFile::new(path, text)))
}

impl Formatted {
    fn file(&mut self, source: &Arc<SourceFile>, check: bool) -> Result<()> {
        self.files += 1;
        match rules::format(source) {
            Ok(text) if text == source.text => {}
            Ok(text) => {
                if !check {
                    output::replace(&source.path, &text)?;
                }
                self.changed.push(source.path.clone());
            }
            Err(Unformatted::Diagnostics(diagnostics)) => self.diagnostics.extend(diagnostics),
            Err(Unformatted::Unsafe) => self.left.push(source.path.clone()),
        }
        Ok(())
    }

    fn print(&self, format: Format, check: bool) -> Result<()> {
        if format == Format::Json {
            return output::json(&json!({
                "files": self.files, "changed": self.changed, "left": self.left, "diagnostics": self.diagnostics,
            }));
        }
        self.complain();
        let done = if check {
            format!("not formatted; {} does it", spelling::command("fmt"))
        } else {
            "formatted".to_owned()
        };
        for path in &self.changed {
            output::text(&format!("{}: {done}", path.display()))?;
        }
        output::text(&format!(
            "{}, {} {}",
            plural(self.files, "file"),
            self.changed.len(),
            if check { "not formatted" } else { "changed" }
        ))
    }

    fn complain(&self) {
        let text = report::diagnostics::terminal(&self.diagnostics, output::people_watch());
        eprint!("{text}");
        for path in &self.left {
            eprintln!(
                "error: {} is left as it is: formatting it would change what it says\n\
                 hint: this is a mistake in `fmt`; write the file more plainly, and report it",
                path.display()
            );
        }
    }
}
