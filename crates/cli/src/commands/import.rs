//! `import`: rules of other formats become rule files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use eventbridge_pattern::Event;
use flate2::read::MultiGzDecoder;
use report::plural;
use serde::Serialize;
use serde_json::Value;
use sigma::{Imported, Loss, Options, Record, Rule};
use syntax::{Diagnostic, SourceFile};

use crate::arguments::{Format, ProjectArguments, SigmaImportArguments};
use crate::events::unpacked;
use crate::exit::Exit;
use crate::output;
use crate::project::rules_folder;

/// Folders below a given one that are searched.
const MAX_DEPTH: usize = 8;

/// What came of one Sigma file.
#[derive(Debug, Serialize)]
struct Outcome {
    file: PathBuf,
    kind: Kind,
    /// The rule files; empty if there is none.
    rules: Vec<PathBuf>,
    losses: Vec<Loss>,
    /// Why it was refused, or what `check` says about the result.
    diagnostics: Vec<Diagnostic>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Exact,
    WithLoss,
    Refused,
}

/// How imported rules and Sigma agree over real records.
#[derive(Debug, Default, Serialize)]
struct Verified {
    records: usize,
    /// Records that no CloudTrail event is made of.
    skipped: usize,
    rules: usize,
    /// Verdicts in which a Sigma rule matched, and in which its import did.
    sigma: usize,
    imported: usize,
    /// Verdicts that differ as a loss says.
    stated: usize,
    /// Rule and number of verdicts that differ as no loss says.
    unstated: Vec<(String, usize)>,
}

pub(crate) fn sigma(
    project: &ProjectArguments,
    format: Format,
    arguments: &SigmaImportArguments,
) -> Result<Exit> {
    let rules = rules_folder(project);
    let out = arguments.out.clone().unwrap_or_else(|| rules.join("sigma"));
    let options = Options {
        case: arguments.case.into(),
        license: arguments.license.clone(),
        today: jiff::ZonedDateTime::now().date(),
    };
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut outcomes = Vec::new();
    let mut imported = Vec::new();
    for path in sigma_files(&arguments.files)? {
        let outcome = match one(&path, &options)? {
            Ok((rule, result)) => {
                let outcome = written(&path, &result, &out, arguments, &mut taken)?;
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
        Some(path) => Some(
            verify(&imported, path)
                .with_context(|| format!("could not read {}", path.display()))?,
        ),
        None => None,
    };
    print(format, &outcomes, verified.as_ref(), arguments.dry_run)?;
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
fn one(path: &Path, options: &Options) -> Result<Result<(Rule, Imported), Vec<Diagnostic>>> {
    let shown = || format!("could not read {}", path.display());
    let mut bytes = Vec::new();
    // One byte more than the reader of YAML takes is enough for it to say so.
    File::open(path)
        .with_context(shown)?
        .take(syntax::MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(shown)?;
    let file = Arc::new(SourceFile::new(path, String::from_utf8_lossy(&bytes)));
    Ok(sigma::read(&file).and_then(|rule| {
        let imported = sigma::import(&rule, options)?;
        Ok((rule, imported))
    }))
}

/// Writes the rule files of an import, unless that would overwrite something.
fn written(
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
        if twice || (!arguments.overwrite && target.exists()) {
            let diagnostic = Diagnostic::error(
                "import::exists",
                format!("there is a rule file {} already", target.display()),
            )
            .help(if twice {
                "two files of this import have one name; rename one of them"
            } else {
                "remove it, or import with --overwrite"
            });
            return Ok(refused(path, vec![diagnostic]));
        }
    }
    if !arguments.dry_run {
        std::fs::create_dir_all(out)
            .with_context(|| format!("could not create {}", out.display()))?;
        for (rule, target) in imported.rules.iter().zip(&paths) {
            std::fs::write(target, &rule.text)
                .with_context(|| format!("could not write {}", target.display()))?;
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

/// The files given, and those with Sigma's extensions in the folders given.
fn sigma_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            walk(path, 0, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    anyhow::ensure!(
        !found.is_empty(),
        "there is no .yml or .yaml file in what was given"
    );
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    let shown = || format!("could not read {}", folder.display());
    let mut entries = std::fs::read_dir(folder)
        .with_context(shown)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(shown)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().with_context(shown)?;
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, found)?;
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

/// Holds every import against its Sigma rule, over the records of a file.
fn verify(imported: &[(String, Rule, Imported)], path: &Path) -> Result<Verified> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut verified = Verified {
        rules: imported.len(),
        ..Verified::default()
    };
    let mut unstated = vec![0; imported.len()];
    let values = serde_json::Deserializer::from_reader(BufReader::new(reader)).into_iter::<Value>();
    for value in values {
        for record in unpacked(value?) {
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

/// The event that EventBridge makes of a record.
fn event(record: &Value) -> Option<Event> {
    let event = cloudtrail::envelope::wrap(record).ok()?;
    Event::parse(&event.to_string()).ok()
}

fn print(
    format: Format,
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
    if format == Format::Json {
        return output::json(&serde_json::json!({
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
        output::text(&text)?;
        if !outcome.diagnostics.is_empty() {
            eprint!(
                "{}",
                report::diagnostics::terminal(&outcome.diagnostics, output::people_watch())
            );
        }
    }
    let done = if dry_run {
        "would be written"
    } else {
        "written"
    };
    output::text(&format!(
        "{}: {exact} exact, {with_loss} with loss, {refused} refused; {} {done}",
        plural(outcomes.len(), "Sigma file"),
        plural(rules, "rule"),
    ))?;
    if let Some(verified) = verified {
        output::text(&verified_text(verified))?;
    }
    Ok(())
}

fn verified_text(verified: &Verified) -> String {
    let mut text = format!(
        "verified: {} records x {} Sigma rules ({} records are no events): Sigma matches {} times, the imported rules {}; \
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
