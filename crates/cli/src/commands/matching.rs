//! The command `match`: shows which rules fire on events, and why one doesn't.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cloudtrail::Withheld;
use eventbridge_pattern::{Event, RuleSet, Scratch};
use report::matching::{Fired, Matched, Why};
use rules::Rule;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::events;
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::project;

pub(crate) fn run(
    invocation: &Invocation<'_>,
    why: Option<&str>,
    files: &[PathBuf],
) -> Result<Exit> {
    let environment = invocation.environment;
    let library = invocation.files().deployed_library();
    let why = match why {
        None => None,
        Some(id) => match project::rule(&library, id) {
            Ok(rule) => Some(rule),
            Err(unknown) => {
                environment.note(unknown);
                return Ok(Exit::Configuration);
            }
        },
    };
    let broken = library
        .diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.is_error())
        .count();
    if broken > 0 {
        environment.note(format_args!(
            "warning: the rules have {}; rules with errors are skipped, and {} shows them",
            report::plural(broken, "error"),
            crate::spelling::command("check")
        ));
    }
    let set = library
        .rules
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (number, rule)| {
            set.add(number, &rule.pattern)
        })
        .build();
    let mut results = Vec::new();
    for file in files {
        for event in events::read(environment, file)? {
            let judged = judge(&library.rules, &set, why, &event);
            results.push(judged.with_context(|| format!("an event of {}", file.display()))?);
        }
    }
    if invocation.format == Format::Json {
        environment.print_json(&json!({ "events": results }))?;
    } else {
        environment.print(&report::matching::text(&results))?;
    }
    Ok(Exit::Done)
}

fn judge(rules: &[Rule], set: &RuleSet, why: Option<&Rule>, event: &Value) -> Result<Matched> {
    let text = event.to_string();
    let withheld = [
        Withheld::of_event(event, false),
        Withheld::of_event(event, true),
    ];
    let withheld_from = |rule: &Rule| {
        let [others, asking] = withheld;
        if rule.read_only { asking } else { others }
    };
    let mut scratch = Scratch::default();
    let matches = set.matches(text.as_bytes(), &mut scratch)?;
    let fires = matches
        .possible()
        .filter_map(|number| Some((number, rules.get(number)?)))
        .filter(|(_, rule)| withheld_from(rule).is_none())
        .map(|(number, rule)| Fired {
            is_undecided: matches.undecided().contains(&number),
            rule: rule.id.clone(),
            severity: rule.severity.as_str(),
            is_deployed: rule.is_deployed(),
        });
    let mut result = Matched {
        fires: fires.collect(),
        ..Matched::of(event)
    };
    result.fires.sort_by(|a, b| a.rule.cmp(&b.rule));
    if let Some(rule) = why {
        let event = Event::parse(&text)?;
        let explanation = rule.pattern.explain(&event)?;
        let excepted = !explanation.matches && rule.written_pattern.matches(&event)?;
        let exceptions = rule.exceptions.iter().filter(|exception| {
            excepted
                && explanation.alternatives.iter().any(|alternative| {
                    alternative
                        .failures()
                        .any(|field| exception.when.contains_key(&field.path))
                })
        });
        let withheld = withheld_from(rule);
        result.why = Some(Why {
            rule: rule.id.clone(),
            fires: withheld.is_none() && explanation.matches,
            is_deployed: rule.is_deployed(),
            withheld: withheld.map(|reason| reason.to_string()),
            exceptions: exceptions.map(|it| it.name.clone()).collect(),
            explanation,
        });
    } else {
        result.withheld = withheld
            .into_iter()
            .next()
            .flatten()
            .map(|reason| reason.to_string());
    }
    Ok(result)
}
