//! Where log files come from. A trait, so that this crate doesn't depend on an SDK.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::layout::Scope;

/// A log file that a source has listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Path or `s3://bucket/key`, as shown to the user.
    pub path: PathBuf,
    /// Stored size, in bytes.
    pub size: u64,
}

/// An entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A log file with records, by its name.
    File(LogFile),
    /// A folder or file without records; the value is its kind, such as `CloudTrail-Digest`.
    NotRecords(String),
    /// An entry that isn't named like a log, or that can't be listed.
    Skipped {
        /// As shown to the user.
        path: PathBuf,
        /// The predicate of a sentence about the entry: `is not a file`.
        reason: String,
    },
}

/// Listing failed, so a backtest would be incomplete.
#[derive(Debug, thiserror::Error)]
#[error("could not list {place}")]
pub struct ListError {
    /// The folder or bucket that was listed.
    pub place: String,
    /// The error of the file system or SDK.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A place with log files: a folder or a bucket.
pub trait Source: Send + Sync {
    /// Lists the entries that may be in scope, one by one, so that a listing of many million files
    /// is never held in memory. Stops when `each` breaks.
    fn list(
        &self,
        scope: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), ListError>;

    /// Opens a listed file. Reading blocks the calling thread.
    fn open(&self, file: &LogFile) -> io::Result<Box<dyn Read + Send>>;

    /// Number of files to read at once; `None` for the number of cores. A network has a high
    /// latency but serves many requests at once.
    fn parallel(&self) -> Option<usize> {
        None
    }
}
