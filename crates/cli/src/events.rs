//! Events as people have them at hand: in files, or on standard input.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Reads the events of a file, `-` for standard input: CloudTrail records, which are wrapped as
/// `EventBridge` wraps them, or whole events.
pub(crate) fn read(file: &Path) -> Result<Vec<Value>> {
    let shown = file.display();
    raw(file)?
        .iter()
        .enumerate()
        .map(|(index, record)| {
            cloudtrail::envelope::of(record)
                .with_context(|| format!("entry {} of {shown} is no event", index + 1))
        })
        .collect()
}

/// As [`read`], each as it stands in the file.
pub(crate) fn raw(file: &Path) -> Result<Vec<Value>> {
    let shown = file.display();
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("could not read {shown}"))?;
    }
    records(&text).with_context(|| format!("could not read {shown}"))
}

/// The records of a document: a list, a log file's `Records`, or one.
pub(crate) fn unpacked(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        Value::Object(mut object) if object.get("Records").is_some_and(Value::is_array) => {
            match object.remove("Records") {
                Some(Value::Array(items)) => items,
                _ => Vec::new(),
            }
        }
        other => vec![other],
    }
}

/// One document, a log file's `Records`, or JSON lines.
fn records(text: &str) -> Result<Vec<Value>> {
    let values: Vec<Value> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let records: Vec<Value> = values.into_iter().flat_map(unpacked).collect();
    if records.is_empty() {
        bail!("it holds no event");
    }
    Ok(records)
}
