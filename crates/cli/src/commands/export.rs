//! The command `export`: converts rule files into other formats.

use anyhow::{Result, bail};
use report::plural;
use rules::Rule;
use sigma::Exported;
use syntax::Diagnostic;

use crate::arguments::{Format, SigmaExportArguments};
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;

pub(crate) fn sigma(invocation: &Invocation<'_>, arguments: &SigmaExportArguments) -> Result<Exit> {
    let environment = invocation.environment;
    let library = invocation.files().library();
    let (mut exported, mut diagnostics) = (Vec::new(), Vec::new());
    for rule in chosen(&library.rules, &arguments.ids)? {
        match sigma::export(rule) {
            Ok(result) => exported.push((rule, result)),
            Err(problems) => diagnostics.extend(problems),
        }
    }
    if let Some(out) = &arguments.out {
        for (rule, result) in &exported {
            let path = out.join(format!("{}.yml", rule.id.replace('-', "_")));
            files::write(environment, &path, &result.text)?;
        }
    }
    environment.relate(&mut diagnostics);
    print(invocation, &exported, &diagnostics, arguments.out.is_none())?;
    Ok(match (exported.is_empty(), diagnostics.is_empty()) {
        (_, true) => Exit::Done,
        (true, false) => Exit::Configuration,
        (false, false) => Exit::Partial,
    })
}

/// The rules with these ids, or all rules if there are none.
fn chosen<'a>(library: &'a [Rule], ids: &[String]) -> Result<Vec<&'a Rule>> {
    if ids.is_empty() {
        return Ok(library.iter().collect());
    }
    ids.iter()
        .map(|id| match library.iter().find(|rule| rule.id == *id) {
            Some(rule) => Ok(rule),
            None => {
                bail!("there is no valid rule `{id}`; `check` shows which rules have errors")
            }
        })
        .collect()
}

fn print(
    invocation: &Invocation<'_>,
    exported: &[(&Rule, Exported)],
    diagnostics: &[Diagnostic],
    with_text: bool,
) -> Result<()> {
    let environment = invocation.environment;
    if invocation.format == Format::Json {
        let rules: Vec<_> = exported
            .iter()
            .map(|(rule, result)| {
                serde_json::json!({ "rule": rule.id, "losses": result.losses, "text": result.text })
            })
            .collect();
        return environment
            .print_json(&serde_json::json!({ "rules": rules, "diagnostics": diagnostics }));
    }
    if with_text {
        let texts: Vec<&str> = exported.iter().map(|(_, it)| it.text.as_str()).collect();
        environment.print_document(&texts.join("---\n"))?;
    }
    for (rule, result) in exported {
        for loss in &result.losses {
            environment.note(format_args!("{}: {loss}", rule.id));
        }
    }
    environment.note_diagnostics(diagnostics);
    let exact = exported
        .iter()
        .filter(|(_, it)| it.losses.is_empty())
        .count();
    environment.note(format_args!(
        "{}: {exact} exact, {} with loss, {} refused",
        plural(exported.len() + diagnostics.len(), "rule"),
        exported.len() - exact,
        diagnostics.len()
    ));
    Ok(())
}
