//! The command `import`: converts rules of other formats into rule files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use cloudtrail::documents::unpacked;
use eventbridge_pattern::Event;
use report::plural;
use serde::Serialize;
use serde_json::Value;
use sigma::{Imported, Loss, Options, Record, Rule};
use syntax::{Diagnostic, SourceFile};

use crate::arguments::{Format, SigmaImportArguments};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;

/// Maximum depth of folders to search.
const MAX_DEPTH: usize = 8;

/// The result for one Sigma file.
#[derive(Debug, Serialize)]
struct Outcome {
    file: PathBuf,
    kind: Kind,
    /// The rule files; empty if it was refused.
    rules: Vec<PathBuf>,
    losses: Vec<Loss>,
    /// Why it was refused, or the diagnostics of its rules.
    diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Exact,
    WithLoss,
    Refused,
}

/// How well imported rules and Sigma rules agree on real records.
#[derive(Debug, Default, Serialize)]
struct Verified {
    records: usize,
    /// Records that aren't CloudTrail events.
    skipped: usize,
    rules: usize,
    /// Verdicts in which a Sigma rule matched, and in which its import matched.
    sigma: usize,
    imported: usize,
    /// Verdicts whose difference a stated loss explains.
    stated: usize,
    /// Rule and number of verdicts that differ without a stated loss.
    unstated: Vec<(String, usize)>,
}

pub(crate) fn sigma(invocation: &Invocation<'_>, arguments: &SigmaImportArguments) -> Result<Exit> {
    let environment = invocation.environment;
    let out = arguments.out.clone().unwrap_or_else(|| {
        let rules = environment.shown(&invocation.files().rules());
        rules.join("sigma")
    });
    let options = Options {
        case: arguments.case.into(),
        license: arguments.license.clone(),
        today: environment.today(),
    };
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut outcomes = Vec::new();
    let mut imported = Vec::new();
    for path in sigma_files(environment, &arguments.files)? {
        let outcome = match one(environment, &path, &options)? {
            Ok((rule, result)) => {
                let outcome = written(environment, &path, &result, &out, arguments, &mut taken)?;
                if outcome.kind != Kind::Refused {
                    imported.push((path.display().to_string(), rule, result));
                }
                outcome
            }
            Err(diagnostics) => refused(&path, diagnostics),
        };
        outcomes.push(outcome);
    }
    let verified = match &arguments.verify {
        Some(path) => Some(verify(environment, &imported, path)?),
        None => None,
    };
    print(invocation, &outcomes, verified.as_ref(), arguments.dry_run)?;
    let refused = outcomes
        .iter()
        .filter(|it| it.kind == Kind::Refused)
        .count();
    let unsound = outcomes
        .iter()
        .any(|it| it.kind != Kind::Refused && it.diagnostics.iter().any(Diagnostic::is_error));
    Ok(
        if verified.is_some_and(|it| !it.unstated.is_empty()) || unsound {
            Exit::Failed
        } else if refused == outcomes.len() {
            Exit::Configuration
        } else if refused > 0 {
            Exit::Partial
        } else {
            Exit::Done
        },
    )
}

fn refused(path: &Path, diagnostics: Vec<Diagnostic>) -> Outcome {
    Outcome {
        file: path.to_owned(),
        kind: Kind::Refused,
        rules: Vec::new(),
        losses: Vec::new(),
        diagnostics,
    }
}

/// Reads and imports one file.
fn one(
    environment: &Environment,
    path: &Path,
    options: &Options,
) -> Result<Result<(Rule, Imported), Vec<Diagnostic>>> {
    let bytes = files::read_yaml(environment, path)?;
    let file = Arc::new(SourceFile::new(path, String::from_utf8_lossy(&bytes)));
    Ok(sigma::read(&file).and_then(|rule| {
        let imported = sigma::import(&rule, options)?;
        Ok((rule, imported))
    }))
}

/// Writes the rule files of an import, unless that would overwrite files.
fn written(
    environment: &Environment,
    path: &Path,
    imported: &Imported,
    out: &Path,
    arguments: &SigmaImportArguments,
    taken: &mut BTreeSet<String>,
) -> Result<Outcome> {
    let paths: Vec<PathBuf> = imported
        .rules
        .iter()
        .map(|rule| out.join(format!("{}.yaml", rule.id)))
        .collect();
    for (rule, target) in imported.rules.iter().zip(&paths) {
        let twice = !taken.insert(rule.id.clone());
        if twice || (!arguments.overwrite && environment.resolve(target).exists()) {
            let diagnostic = Diagnostic::error(
                "import::exists",
                format!("the rule file {} already exists", target.display()),
            )
            .help(if twice {
                "two files of this import have the same name; rename one of them"
            } else {
                "remove it, or import with --overwrite"
            });
            return Ok(refused(path, vec![diagnostic]));
        }
    }
    if !arguments.dry_run {
        for (rule, target) in imported.rules.iter().zip(&paths) {
            files::write(environment, target, &rule.text)?;
        }
    }
    Ok(Outcome {
        file: path.to_owned(),
        kind: if imported.is_exact() {
            Kind::Exact
        } else {
            Kind::WithLoss
        },
        rules: paths,
        losses: imported.losses.clone(),
        diagnostics: imported.diagnostics.clone(),
    })
}

/// The given files, and the files with Sigma's extensions in the given folders.
fn sigma_files(environment: &Environment, paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if environment.resolve(path).is_dir() {
            walk(environment, path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "the given paths contain no .yml or .yaml file"
    );
    Ok(found)
}

fn walk(
    environment: &Environment,
    folder: &Path,
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> Result<()> {
    let shown = || format!("could not read {}", folder.display());
    let mut entries = std::fs::read_dir(environment.resolve(folder))
        .with_context(shown)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(shown)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = folder.join(entry.file_name());
        let kind = entry.file_type().with_context(shown)?;
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(environment, &path, depth + 1, found)?;
        } else if kind.is_file()
            && path
                .extension()
                .is_some_and(|extension| extension == "yml" || extension == "yaml")
        {
            found.push(path);
        }
    }
    Ok(())
}

/// Compares each import with its Sigma rule over the records of a file.
fn verify(
    environment: &Environment,
    imported: &[(String, Rule, Imported)],
    path: &Path,
) -> Result<Verified> {
    let reader = files::open_unpacked(environment, path)?;
    let mut verified = Verified {
        rules: imported.len(),
        ..Verified::default()
    };
    let mut unstated = vec![0; imported.len()];
    let values = serde_json::Deserializer::from_reader(reader).into_iter::<Value>();
    for value in values {
        let value = value.with_context(|| format!("could not read {}", path.display()))?;
        for record in unpacked(value) {
            let Some(event) = event(&record) else {
                verified.skipped += 1;
                continue;
            };
            verified.records += 1;
            let taken_apart = Record::new(&record);
            for ((_, rule, imported), unstated) in imported.iter().zip(&mut unstated) {
                let wanted = rule.matches(&taken_apart);
                let matched = imported.matches(&event);
                verified.sigma += usize::from(wanted);
                verified.imported += usize::from(matched);
                if imported.disagreement(wanted, matched).is_some() {
                    *unstated += 1;
                } else {
                    verified.stated += usize::from(wanted != matched);
                }
            }
        }
    }
    verified.unstated = imported
        .iter()
        .zip(unstated)
        .filter(|(_, count)| *count > 0)
        .map(|((name, ..), count)| (name.clone(), count))
        .collect();
    Ok(verified)
}

/// The event that EventBridge creates from a record.
fn event(record: &Value) -> Option<Event> {
    let event = cloudtrail::envelope::wrap(record).ok()?;
    Event::parse(&event.to_string()).ok()
}

fn print(
    invocation: &Invocation<'_>,
    outcomes: &[Outcome],
    verified: Option<&Verified>,
    dry_run: bool,
) -> Result<()> {
    let count = |kind| outcomes.iter().filter(|it| it.kind == kind).count();
    let (exact, with_loss, refused) = (
        count(Kind::Exact),
        count(Kind::WithLoss),
        count(Kind::Refused),
    );
    let rules: usize = outcomes.iter().map(|it| it.rules.len()).sum();
    let environment = invocation.environment;
    if invocation.format == Format::Json {
        return environment.print_json(&serde_json::json!({
            "exact": exact, "with_loss": with_loss, "refused": refused, "rules": rules,
            "files": outcomes, "verified": verified,
        }));
    }
    for outcome in outcomes {
        let word = match outcome.kind {
            Kind::Exact => "exact",
            Kind::WithLoss => "with loss",
            Kind::Refused => "refused",
        };
        let mut text = format!("{word:<10} {}\n", outcome.file.display());
        for path in &outcome.rules {
            text.push_str(&format!("           -> {}\n", path.display()));
        }
        for loss in &outcome.losses {
            text.push_str(&format!("           {loss}\n"));
        }
        environment.print(&text)?;
        if !outcome.diagnostics.is_empty() {
            environment.note_diagnostics(&outcome.diagnostics);
        }
    }
    let done = if dry_run {
        "would be written"
    } else {
        "written"
    };
    environment.print(&format!(
        "{}: {exact} exact, {with_loss} with loss, {refused} refused; {} {done}",
        plural(outcomes.len(), "Sigma file"),
        plural(rules, "rule"),
    ))?;
    if let Some(verified) = verified {
        environment.print(&verified_text(verified))?;
    }
    Ok(())
}

fn verified_text(verified: &Verified) -> String {
    let mut text = format!(
        "verified: {} records x {} Sigma rules ({} records are not events): Sigma matches {} times, the imported rules {}; \
         {} verdicts differ as a loss says, {} otherwise\n",
        verified.records,
        verified.rules,
        verified.skipped,
        verified.sigma,
        verified.imported,
        verified.stated,
        verified
            .unstated
            .iter()
            .map(|(_, count)| count)
            .sum::<usize>(),
    );
    for (name, count) in &verified.unstated {
        text.push_str(&format!("  {name}: {count} differ\n"));
    }
    text
}
