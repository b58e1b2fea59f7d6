//! Results on standard output, and in the user's files.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

/// Writes a result's text.
///
/// Not `println!`, which panics when the reader has gone, as in `… | head`.
pub(crate) fn text(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.is_empty() && !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// Writes a result as one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    text(&serde_json::to_string_pretty(value)?)
}

/// Replaces a file of the user's.
pub(crate) fn replace(path: &Path, text: &str) -> Result<()> {
    // Beside the file first: an interrupted write must not leave half a rule.
    let beside = path.with_extension("yaml.new");
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("could not write {}", path.display()))
}

/// Whether people look at standard error, so that colours and moving progress make sense.
pub(crate) fn people_watch() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether an error says that the reader of our output has gone.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
    })
}
