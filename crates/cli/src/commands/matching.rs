//! The command `match`: shows which rules fire on events, and why one doesn't.

use std::path::PathBuf;

use anyhow::{Context, Result};
use cloudtrail::Withheld;
use compiler::organization::Organization;
use eventbridge_pattern::{Event, RuleSet, Scratch};
use report::matching::{Fired, Matched, Why};
use rules::Rule;
use serde_json::{Value, json};

use crate::arguments::Format;
use crate::events::{self, Read};
use crate::exit::Exit;
use crate::invocation::Invocation;
use crate::project;

pub(crate) fn run(
    invocation: &Invocation<'_>,
    why: Option<&str>,
    all_regions: bool,
    files: &[PathBuf],
) -> Result<Exit> {
    let environment = invocation.environment;
    let (library, organization) = invocation.files().deployed_library();
    let watched = organization.as_ref().filter(|_| !all_regions);
    let watched = watched.and_then(Organization::watched_regions);
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
    let judge = Judge {
        rules: &library.rules,
        set: &set,
        why,
        watched,
    };
    for file in files {
        for Read { event, assumed } in events::read_with_assumptions(environment, file)? {
            let judged = judge.judge(&event);
            let judged = judged.with_context(|| format!("an event of {}", file.display()))?;
            results.push(Matched { assumed, ..judged });
        }
    }
    if invocation.format == Format::Json {
        environment.print_json(&json!({ "events": results }))?;
    } else {
        environment.print(&report::matching::text(&results))?;
    }
    Ok(Exit::Done)
}

/// What events are compared with.
struct Judge<'a> {
    rules: &'a [Rule],
    set: &'a RuleSet,
    /// The rule whose verdict is explained.
    why: Option<&'a Rule>,
    /// The watched Regions; `None` if every Region counts as watched.
    watched: Option<&'a [String]>,
}

impl Judge<'_> {
    fn judge(&self, event: &Value) -> Result<Matched> {
        let text = event.to_string();
        let unwatched = self.unwatched(event);
        let withheld = [
            Withheld::of_event(event, false),
            Withheld::of_event(event, true),
        ];
        let withheld_from = |rule: &Rule| {
            let [others, asking] = withheld;
            if rule.read_only { asking } else { others }
        };
        let mut scratch = Scratch::default();
        let matches = self.set.matches(text.as_bytes(), &mut scratch)?;
        let matching = matches
            .possible()
            .filter_map(|number| Some((number, self.rules.get(number)?)))
            .filter(|(_, rule)| withheld_from(rule).is_none())
            .map(|(number, rule)| Fired {
                is_undecided: matches.undecided().contains(&number),
                rule: rule.id.clone(),
                severity: rule.severity.as_str(),
                is_deployed: rule.is_deployed(),
            });
        let mut matching: Vec<Fired> = matching.collect();
        matching.sort_by(|a, b| a.rule.cmp(&b.rule));
        let (fires, missed) = if unwatched.is_some() {
            (Vec::new(), matching)
        } else {
            (matching, Vec::new())
        };
        let mut result = Matched {
            fires,
            missed,
            ..Matched::of(event)
        };
        if let Some(rule) = self.why {
            let withheld = withheld_from(rule).map(|reason| reason.to_string());
            result.why = Some(why(rule, &text, unwatched.or(withheld))?);
        } else {
            let [others, _] = withheld;
            result.withheld = unwatched.or_else(|| others.map(|reason| reason.to_string()));
        }
        Ok(result)
    }

    /// Why no rule sees the event: nothing is deployed in its Region.
    fn unwatched(&self, event: &Value) -> Option<String> {
        let region = event.get("region").and_then(Value::as_str)?;
        let watched = self.watched?;
        (!watched.iter().any(|it| it == region)).then(|| {
            format!(
                "no forwarder in {region}, which isn't one of the organization file's `regions`"
            )
        })
    }
}

/// The verdict of one rule on an event, which is not delivered for the reason `withheld`.
fn why(rule: &Rule, event: &str, withheld: Option<String>) -> Result<Why> {
    let event = Event::parse(event)?;
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
    Ok(Why {
        rule: rule.id.clone(),
        fires: withheld.is_none() && explanation.matches,
        is_deployed: rule.is_deployed(),
        withheld,
        exceptions: exceptions.map(|it| it.name.clone()).collect(),
        explanation,
    })
}
