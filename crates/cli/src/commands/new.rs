//! The command `new`: creates a rule file from a real event.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use report::plural;
use rules::{Draft, Rule};
use serde_json::{Value, json};
use syntax::{Diagnostic, untrusted};

use crate::arguments::{Format, NewArguments};
use crate::environment::Environment;
use crate::events;
use crate::exit::Exit;
use crate::files;
use crate::invocation::Invocation;

/// Maximum events of a file to list as choices.
const MAX_LISTED: usize = 20;

pub(crate) fn run(invocation: &Invocation<'_>, arguments: &NewArguments) -> Result<Exit> {
    let environment = invocation.environment;
    match start(invocation, arguments)? {
        Ok(started) => {
            if invocation.format == Format::Json {
                environment.print_json(&started.json())?;
            } else {
                environment.print(&started.text())?;
                let others: Vec<Diagnostic> = started.others().cloned().collect();
                environment.note_diagnostics(&others);
            }
            Ok(Exit::Done)
        }
        Err(refusal) => {
            environment.note(refusal);
            Ok(Exit::Configuration)
        }
    }
}

/// The files that were written, and their diagnostics.
struct Started {
    rule: PathBuf,
    fixture: PathBuf,
    draft: Draft,
    diagnostics: Vec<Diagnostic>,
}

fn start(invocation: &Invocation<'_>, arguments: &NewArguments) -> Result<Result<Started, String>> {
    let (environment, files) = (invocation.environment, invocation.files());
    let id = arguments.name.as_str();
    if !rules::is_id(id) {
        return Ok(Err(format!(
            "error: `{id}` is not an id\nhint: a rule's id has 3 to 48 of a-z, 0-9 and `-`; it becomes the EventBridge rule's name"
        )));
    }
    let file = &arguments.from_event;
    let record = match chosen(environment, file, arguments.record)? {
        Ok(record) => record,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let event = cloudtrail::envelope::of(&record)
        .with_context(|| format!("{} is not an event", file.display()))?;
    let folder = files.rules();
    let library = files.library();
    if let Some(taken) = library.rules.iter().find(|rule| rule.id == id) {
        return Ok(Err(format!(
            "error: rule `{id}` already exists, {}",
            environment.shown(&taken.file.path).display()
        )));
    }
    let theme = arguments
        .theme
        .clone()
        .unwrap_or_else(|| theme(&library.rules, &folder, &event));
    if !theme
        .split('/')
        .all(|part| !part.is_empty() && part.chars().all(is_folder_character))
        || theme == "fixtures"
    {
        return Ok(Err(format!(
            "error: `{theme}` can't be a rule's folder\nhint: a folder below {} of letters, digits, `-` and `_`, such as `iam`",
            environment.shown(&folder).display()
        )));
    }
    let rule = folder.join(&theme).join(format!("{id}.yaml"));
    let fixture = folder.join("fixtures").join(format!("{id}.json"));
    let schema = format!(
        "{}{}",
        "../".repeat(theme.split('/').count()),
        rules::SCHEMA_FILE
    );
    let draft = rules::draft(id, &record, &schema)
        .with_context(|| format!("{} is not an event", file.display()))?;
    for path in [&rule, &fixture] {
        if path.symlink_metadata().is_ok() {
            return Ok(Err(format!(
                "error: {} already exists and is not overwritten\nhint: choose another name, or remove it",
                environment.shown(path).display()
            )));
        }
    }
    write(environment, &fixture, &draft.fixture)?;
    write(environment, &rule, &draft.rule)?;
    let (rule, fixture) = (environment.shown(&rule), environment.shown(&fixture));
    let diagnostics = files
        .library()
        .diagnostics
        .into_iter()
        .filter(|diagnostic| {
            let location = diagnostic.location.as_ref();
            location.is_some_and(|location| location.file.path == rule)
        })
        .collect();
    Ok(Ok(Started {
        rule,
        fixture,
        draft,
        diagnostics,
    }))
}

/// The event of a file. If there are several, `number` selects one, starting at 1.
fn chosen(
    environment: &Environment,
    file: &Path,
    number: Option<usize>,
) -> Result<Result<Value, String>> {
    let mut records = events::raw(environment, file)?;
    let count = records.len();
    let shown = if file == Path::new("-") {
        "standard input".to_owned()
    } else {
        file.display().to_string()
    };
    let index = match number {
        Some(number) => number.checked_sub(1).filter(|index| *index < count),
        None if count == 1 => Some(0),
        None => {
            let mut refusal = format!(
                "error: {shown} contains {}\nhint: choose one with --record NUMBER:",
                plural(count, "event")
            );
            for (index, record) in records.iter().take(MAX_LISTED).enumerate() {
                let text = |field: &str| record.get(field).and_then(Value::as_str);
                let what = text("eventName").or_else(|| text("detail-type"));
                let source = text("eventSource").or_else(|| text("source"));
                refusal.push_str(&format!(
                    "\n  {:>3}  {} ({})",
                    index + 1,
                    untrusted::line(what.unwrap_or("no event")),
                    untrusted::line(source.unwrap_or("no source"))
                ));
            }
            if count > MAX_LISTED {
                refusal.push_str(&format!("\n       and {} more", count - MAX_LISTED));
            }
            return Ok(Err(refusal));
        }
    };
    Ok(match index {
        Some(index) => Ok(records.swap_remove(index)),
        None => Err(format!(
            "error: {shown} contains {}, numbered from 1",
            plural(count, "event")
        )),
    })
}

/// The folder with the most rules for the event's source, or else one named after the service.
fn theme(library: &[Rule], folder: &Path, event: &Value) -> String {
    let source = event
        .get("source")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for rule in library {
        let sources = rule.written_pattern.exact_values("source");
        let theme = rule.file.path.parent().and_then(|parent| {
            let theme = parent.strip_prefix(folder).ok()?.to_str()?;
            (!theme.is_empty()).then(|| theme.to_owned())
        });
        if let (Some(theme), Some([only])) = (theme, sources.as_deref())
            && only == source
        {
            *counts.entry(theme).or_default() += 1;
        }
    }
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    most.map_or_else(
        || {
            let service = source.strip_prefix("aws.").unwrap_or(source);
            service
                .chars()
                .map(|c| if is_folder_character(c) { c } else { '-' })
                .collect()
        },
        |(theme, _)| theme,
    )
}

fn is_folder_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}

/// Writes a file that must not exist yet.
fn write(environment: &Environment, path: &Path, text: &str) -> Result<()> {
    let shown = || format!("could not write {}", path.display());
    if let Some(folder) = path.parent() {
        let boundary = files::boundary(environment, path);
        let boundary = boundary.as_deref().unwrap_or(folder);
        syntax::files::stay_inside(boundary, folder).with_context(shown)?;
        std::fs::create_dir_all(folder).with_context(shown)?;
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(shown)
}

impl Started {
    fn unfinished(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_unfinished = |it: &&Diagnostic| it.code == "rule::unfinished";
        self.diagnostics.iter().filter(is_unfinished)
    }

    fn others(&self) -> impl Iterator<Item = &Diagnostic> {
        let is_other = |it: &&Diagnostic| it.code != "rule::unfinished";
        self.diagnostics.iter().filter(is_other)
    }

    fn json(&self) -> Value {
        json!({
            "rule": self.rule,
            "fixture": self.fixture,
            "replaced": self.draft.replaced,
            "withheld": self.draft.withheld,
            "diagnostics": self.diagnostics,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}: the rule, its message and two tests\n{}: the event, ",
            self.rule.display(),
            self.fixture.display()
        );
        let replaced: Vec<String> = self
            .draft
            .replaced
            .iter()
            .map(|it| plural(it.values, it.kind))
            .collect();
        text.push_str(&if replaced.is_empty() {
            "as it was".to_owned()
        } else {
            format!("with {} replaced", replaced.join(", "))
        });
        text.push_str(
            "\n  Names of users, roles and resources stand there as recorded: read it before you commit it.\n",
        );
        if let Some(reason) = &self.draft.withheld {
            text.push_str(&format!(
                "\nAs it stands, the rule will not fire: this is {reason}.\n"
            ));
        }
        text.push_str(&format!(
            "\nStill to be written, until then {} refuses the rule:\n",
            crate::spelling::command("check")
        ));
        for diagnostic in self.unfinished() {
            let message = diagnostic
                .message
                .rsplit("TODO: ")
                .next()
                .unwrap_or_default();
            if let Some(location) = &diagnostic.location {
                text.push_str(&format!("  {location}: {message}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(text: &str, number: Option<usize>) -> Result<Value, String> {
        let (environment, _) = Environment::captured("/");
        let environment = environment.with_input(text);
        chosen(&environment, Path::new("-"), number).unwrap()
    }

    #[test]
    fn the_event_is_the_only_one_or_that_of_the_number() {
        assert_eq!(choose("{\"a\": 1}", None), Ok(json!({"a": 1})));
        let two = r#"[{"eventName": "Stop\u001b", "eventSource": "x"}, {"a": 2}]"#;
        assert_eq!(choose(two, Some(2)), Ok(json!({"a": 2})));
        let refusal = choose(two, None).unwrap_err();
        assert!(
            refusal.starts_with("error: standard input contains 2 events"),
            "{refusal}"
        );
        assert!(refusal.contains("  1  Stop\\u{1b} (x)"), "{refusal}");
        for wrong in [0, 3] {
            assert!(
                choose(two, Some(wrong))
                    .unwrap_err()
                    .ends_with("numbered from 1")
            );
        }
    }

    #[test]
    fn a_source_without_rules_gives_its_folder_the_name_of_the_service() {
        let folder = |source: &str| theme(&[], Path::new("rules"), &json!({"source": source}));
        assert_eq!(folder("aws.iam"), "iam");
        assert_eq!(folder("../x.y"), "---x-y");
    }
}
