//! Reads events from files or standard input.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cloudtrail::documents;
use serde_json::Value;

use crate::environment::Environment;

/// Largest file of events, in bytes. Their tree takes many times as much memory.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Reads the events of a file, or of standard input for `-`. Whole events are returned as they are,
/// and CloudTrail records in the envelope that `EventBridge` uses.
pub(crate) fn read(environment: &Environment, file: &Path) -> Result<Vec<Value>> {
    let read = read_with_assumptions(environment, file)?.into_iter();
    Ok(read.map(|read| read.event).collect())
}

/// An event, and how it was made from a bare record.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) event: Value,
    /// What was assumed about the record, one clause each; empty for a whole event.
    pub(crate) assumed: Vec<String>,
}

/// Like [`read`], with the assumptions under which records were wrapped.
pub(crate) fn read_with_assumptions(environment: &Environment, file: &Path) -> Result<Vec<Read>> {
    let shown = file.display();
    raw(environment, file)?
        .iter()
        .enumerate()
        .map(|(index, record)| {
            let event = cloudtrail::envelope::of(record)
                .with_context(|| format!("entry {} of {shown} is not an event", index + 1))?;
            let assumed = if event == *record {
                Vec::new()
            } else {
                cloudtrail::envelope::assumptions(record)
            };
            Ok(Read { event, assumed })
        })
        .collect()
}

/// Like [`read`], but without envelopes.
pub(crate) fn raw(environment: &Environment, file: &Path) -> Result<Vec<Value>> {
    let shown = file.display();
    let text = if file == Path::new("-") {
        environment.read_input(MAX_BYTES + 1)
    } else {
        // A pipe is fine here: the user named it.
        let mut text = String::new();
        let open = std::fs::File::open(environment.resolve(file));
        open.and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text))
            .map(|_| text)
    };
    text.map_err(anyhow::Error::from)
        .and_then(|text| {
            if text.len() as u64 > MAX_BYTES {
                bail!("it has more than {MAX_BYTES} bytes; `backtest` reads files of any size");
            }
            let records = documents::records(&text)?;
            if records.is_empty() {
                bail!("it contains no event");
            }
            Ok(records)
        })
        .with_context(|| format!("could not read {shown}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_read_from_every_shape_of_document() {
        let (one, two) = (json!({"a": 1}), json!({"a": 2}));
        for (text, wanted) in [
            (one.to_string(), vec![&one]),
            (json!([one, two]).to_string(), vec![&one, &two]),
            (json!({"Records": [one, two]}).to_string(), vec![&one, &two]),
            (format!("{one}\n{two}\n"), vec![&one, &two]),
            (
                json!({"Records": 1}).to_string(),
                vec![&json!({"Records": 1})],
            ),
        ] {
            let (environment, _) = Environment::captured("/");
            let environment = environment.with_input(&text);
            let found = raw(&environment, Path::new("-")).unwrap();
            assert_eq!(found.iter().collect::<Vec<_>>(), wanted, "{text}");
        }
        for nothing in ["", "[]", "{\"Records\": []}", "{"] {
            let (environment, _) = Environment::captured("/");
            let environment = environment.with_input(nothing);
            assert!(raw(&environment, Path::new("-")).is_err(), "{nothing}");
        }
    }

    #[test]
    fn an_invalid_event_is_reported_by_its_number() {
        let (environment, _) = Environment::captured("/");
        let environment = environment.with_input("[{\"a\": 1}]");
        let error = read(&environment, Path::new("-")).unwrap_err();
        assert_eq!(error.to_string(), "entry 1 of - is not an event");
    }
}
