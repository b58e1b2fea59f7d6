//! The command `backtest`: counts the alerts that the rules would have raised.

mod meter;
mod revision;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use aws::LogBucket;
use backtest::{Backtest, Comparison, LocalLogs, Options, Scope, Source, Watch};
use rules::Rule;
use serde::Serialize;
use syntax::Diagnostic;

use crate::arguments::{BacktestArguments, Format};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::project::Project;

use revision::Range;

pub(crate) async fn run(
    invocation: &Invocation<'_>,
    arguments: &BacktestArguments,
) -> Result<Exit> {
    let environment = invocation.environment;
    if arguments
        .from
        .zip(arguments.to)
        .is_some_and(|(from, to)| from > to)
    {
        environment.note("error: --from is later than --to");
        return Ok(Exit::Configuration);
    }
    let range = match arguments.compare.as_deref().map(Range::parse).transpose() {
        Ok(range) => range,
        Err(error) => {
            environment.note(format_args!("error: {error}"));
            return Ok(Exit::Configuration);
        }
    };
    let (before, after) = match range {
        Some(range) => range.rules(invocation.files())?,
        None => (None, None),
    };
    let organization = invocation.files().organization_alone();
    let watched = organization.filter(|_| !arguments.all_regions);
    let watched = watched.and_then(|it| Some(it.watched_regions()?.iter().cloned().collect()));
    let rules = if let Some(after) = after {
        after.rules
    } else {
        let project = Project::load(invocation.files());
        if project.diagnostics.iter().any(Diagnostic::is_error) {
            invocation.print_diagnostics(&project)?;
            return Ok(Exit::Configuration);
        }
        project.rule_library.rules
    };
    let sources = sources(environment, &arguments.paths).await?;
    let watch = Arc::new(Watch::default());
    // However this future ends, Ctrl-C included, the blocking job ends too.
    let _stop = StopAtEnd(Arc::clone(&watch));
    let meter = meter::Meter::start(environment, &watch);
    let job = Job {
        rules: deployed(rules),
        before: before.as_ref().map(|before| deployed(before.rules.clone())),
        sources,
        options: Options {
            scope: arguments.scope(),
            watched,
            data_events: arguments.data_events,
        },
    };
    let finished = tokio::task::spawn_blocking(move || job.run(&watch)).await;
    meter.stop();
    let (result, comparison) = finished.context("the backtest failed")??;
    let compared = comparison.zip(before.map(|before| before.name));
    print(invocation, &result, compared.as_ref())?;
    let failed = result.is_over_budget() || (arguments.strict && result.skipped_files > 0);
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

/// The rules that a deployment includes.
fn deployed(mut rules: Vec<Rule>) -> Vec<Rule> {
    rules.retain(Rule::is_deployed);
    rules
}

/// The backtest itself, for a thread that may block.
struct Job {
    rules: Vec<Rule>,
    before: Option<Vec<Rule>>,
    sources: Vec<Box<dyn Source>>,
    options: Options,
}

impl Job {
    fn run(&self, watch: &Watch) -> Result<(Backtest, Option<Comparison>)> {
        let Self {
            rules,
            before,
            sources,
            options,
        } = self;
        Ok(match before {
            None => (backtest::run(rules, sources, options, watch)?, None),
            Some(before) => {
                let (result, comparison) =
                    backtest::compare(before, rules, sources, options, watch)?;
                (result, Some(comparison))
            }
        })
    }
}

struct StopAtEnd(Arc<Watch>);

impl Drop for StopAtEnd {
    fn drop(&mut self) {
        self.0.stop();
    }
}

async fn sources(environment: &Environment, paths: &[String]) -> Result<Vec<Box<dyn Source>>> {
    let (remote, local): (Vec<&String>, Vec<&String>) =
        paths.iter().partition(|path| path.starts_with("s3://"));
    let local: Vec<PathBuf> = local
        .into_iter()
        .map(|path| environment.resolve(Path::new(path)))
        .collect();
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for logs in LocalLogs::all(&local) {
        sources.push(Box::new(logs));
    }
    for address in remote {
        match LogBucket::connect(address).await {
            Some(bucket) => sources.push(Box::new(bucket)),
            None => {
                bail!("`{address}` doesn't name a bucket; write s3://bucket or s3://bucket/prefix")
            }
        }
    }
    Ok(sources)
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    result: &'a Backtest,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Compared<'a>>,
}

#[derive(Serialize)]
struct Compared<'a> {
    /// Name of the revision to compare with.
    with: &'a str,
    added: u64,
    removed: u64,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

fn print(
    invocation: &Invocation<'_>,
    result: &Backtest,
    compared: Option<&(Comparison, String)>,
) -> Result<()> {
    let environment = invocation.environment;
    match invocation.format {
        Format::Json => environment.print_json(&Document {
            result,
            comparison: compared.map(|(comparison, with)| Compared {
                with,
                added: comparison.added(),
                removed: comparison.removed(),
                comparison,
            }),
        }),
        Format::Text | Format::Sarif | Format::Github | Format::Junit => {
            let mut text = report::backtest::terminal(result);
            if let Some((comparison, with)) = compared {
                text.push('\n');
                text.push_str(&report::backtest::comparison_terminal(comparison, with));
            }
            environment.print(&text)
        }
        Format::Markdown => {
            let mut text = String::new();
            if let Some((comparison, with)) = compared {
                text.push_str(&report::backtest::comparison_markdown(comparison, with));
            }
            text.push_str(&report::backtest::markdown(result));
            environment.print_document(&text)
        }
    }
}

impl BacktestArguments {
    fn scope(&self) -> Scope {
        Scope {
            from: self.from,
            to: self.to,
            accounts: self.accounts.iter().cloned().collect(),
            regions: self.regions.iter().cloned().collect(),
        }
    }
}
