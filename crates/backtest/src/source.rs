//! Where log files come from: a port, so that this crate knows no SDK.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;

use crate::layout::Scope;

/// One log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path, or its `s3://bucket/key`; as shown to people.
    pub path: PathBuf,
    /// Its size as it is stored, in bytes.
    pub size: u64,
}

/// What a listing comes across.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A log file.
    File(LogFile),
    /// A folder, or a file, of something else than records: `CloudTrail-Digest`.
    NotRecords(String),
    /// Something that is no log by its name, or that can't be listed.
    Skipped {
        /// Its path.
        path: PathBuf,
        /// Why it is left out.
        reason: String,
    },
}

/// The logs can't be listed.
#[derive(Debug, thiserror::Error)]
#[error("could not list {place}")]
pub struct ListError {
    /// What was to be listed.
    pub place: String,
    /// Why not.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// A place with log files: a folder, a bucket.
pub trait Source: Send + Sync {
    /// Lists what is there and may be in the scope, one by one: a listing of many million files
    /// is never held in memory. Stops when `each` says so.
    fn list(
        &self,
        scope: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), ListError>;

    /// Opens a file that was listed. Reading blocks the calling thread.
    fn open(&self, file: &LogFile) -> io::Result<Box<dyn Read + Send>>;

    /// How many files to read at once, if that isn't the number of cores: a network is slow, but
    /// wide.
    fn parallel(&self) -> Option<usize> {
        None
    }
}
