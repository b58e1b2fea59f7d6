//! The command `fmt`: formats rule files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use report::plural;
use serde_json::json;
use syntax::{Diagnostic, SourceFile, Unformatted};

use crate::arguments::Format;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;
use crate::spelling;

/// The result of formatting.
#[derive(Default)]
struct Formatted {
    files: usize,
    changed: Vec<PathBuf>,
    /// Files whose meaning formatting would change.
    left: Vec<PathBuf>,
    diagnostics: Vec<Diagnostic>,
}

pub(crate) fn run(invocation: &Invocation<'_>, check: bool, files: &[PathBuf]) -> Result<Exit> {
    let environment = invocation.environment;
    if files == [PathBuf::from("-")] {
        return standard_input(environment);
    }
    let mut formatted = Formatted::default();
    let sources = if files.is_empty() {
        let (sources, diagnostics) = invocation.files().rule_sources();
        formatted.diagnostics = diagnostics;
        sources
    } else {
        let read = |file: &PathBuf| read(environment, file);
        files.iter().map(read).collect::<Result<_>>()?
    };
    for source in sources {
        formatted.file(environment, &source, check)?;
    }
    formatted.print(invocation, check)?;
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

/// Formats standard input to standard output, for editors.
fn standard_input(environment: &Environment) -> Result<Exit> {
    let text = environment.read_input(files::YAML_LIMIT)?;
    let source = Arc::new(SourceFile::new("standard-input.yaml", text));
    let mut formatted = Formatted::default();
    match rules::format(&source) {
        Ok(text) => {
            environment.print_document(&text)?;
            return Ok(Exit::Done);
        }
        Err(Unformatted::Diagnostics(diagnostics)) => formatted.diagnostics = diagnostics,
        Err(Unformatted::Unsafe) => formatted.left.push(source.path.clone()),
    }
    formatted.note_problems(environment);
    Ok(Exit::Configuration)
}

fn read(environment: &Environment, path: &Path) -> Result<Arc<SourceFile>> {
    let bytes = files::read_yaml(environment, path)?;
    let text =
        String::from_utf8(bytes).with_context(|| format!("could not read {}", path.display()))?;
    Ok(Arc::new(SourceFile::new(path, text)))
}

impl Formatted {
    fn file(
        &mut self,
        environment: &Environment,
        source: &Arc<SourceFile>,
        check: bool,
    ) -> Result<()> {
        self.files += 1;
        match rules::format(source) {
            Ok(text) if text == source.text => {}
            Ok(text) => {
                if !check {
                    files::replace(environment, &source.path, &text)?;
                }
                self.changed.push(environment.shown(&source.path));
            }
            Err(Unformatted::Diagnostics(mut diagnostics)) => {
                environment.relate(&mut diagnostics);
                self.diagnostics.extend(diagnostics);
            }
            Err(Unformatted::Unsafe) => self.left.push(environment.shown(&source.path)),
        }
        Ok(())
    }

    fn print(&self, invocation: &Invocation<'_>, check: bool) -> Result<()> {
        let environment = invocation.environment;
        if invocation.format == Format::Json {
            return environment.print_json(&json!({
                "files": self.files, "changed": self.changed, "left": self.left, "diagnostics": self.diagnostics,
            }));
        }
        self.note_problems(environment);
        let done = if check {
            format!("not formatted; {} formats it", spelling::command("fmt"))
        } else {
            "formatted".to_owned()
        };
        for path in &self.changed {
            environment.print(&format!("{}: {done}", path.display()))?;
        }
        environment.print(&format!(
            "{}, {} {}",
            plural(self.files, "file"),
            self.changed.len(),
            if check { "not formatted" } else { "changed" }
        ))
    }

    fn note_problems(&self, environment: &Environment) {
        environment.note_diagnostics(&self.diagnostics);
        for path in &self.left {
            environment.note(format_args!(
                "error: {} was left unchanged: formatting would change its meaning\n\
                 hint: this is a bug in `fmt`; simplify the file, and report it",
                path.display()
            ));
        }
    }
}
