//! Events as people have them at hand: in files, or on standard input.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Reads the events of a file, `-` for standard input: CloudTrail records, which are wrapped as
/// `EventBridge` wraps them, or whole events.
pub(crate) fn read(file: &Path) -> Result<Vec<Value>> {
    let shown = file.display();
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)?;
    } else {
        text = std::fs::read_to_string(file).with_context(|| format!("could not read {shown}"))?;
    }
    records(&text)
        .with_context(|| format!("could not read {shown}"))?
        .iter()
        .enumerate()
        .map(|(index, record)| {
            rules::envelope::of(record)
                .with_context(|| format!("entry {} of {shown} is no event", index + 1))
        })
        .collect()
}

/// One document, a log file's `Records`, or JSON lines.
fn records(text: &str) -> Result<Vec<Value>> {
    let values: Vec<Value> = serde_json::Deserializer::from_str(text)
        .into_iter()
        .collect::<Result<_, _>>()?;
    let mut records = Vec::new();
    for value in values {
        match value {
            Value::Array(items) => records.extend(items),
            Value::Object(mut object) if object.get("Records").is_some_and(Value::is_array) => {
                if let Some(Value::Array(items)) = object.remove("Records") {
                    records.extend(items);
                }
            }
            other => records.push(other),
        }
    }
    if records.is_empty() {
        bail!("it holds no event");
    }
    Ok(records)
}
