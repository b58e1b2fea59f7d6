//! Observes a run from another thread, and stops it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Progress counters and stop flag, shared between a run and its display.
#[derive(Debug, Default)]
pub struct Watch {
    pub(crate) files_found: AtomicU64,
    pub(crate) bytes_found: AtomicU64,
    pub(crate) files_done: AtomicU64,
    pub(crate) bytes_read: AtomicU64,
    pub(crate) bytes_unpacked: AtomicU64,
    pub(crate) records: AtomicU64,
    pub(crate) is_listed: AtomicBool,
    stopped: AtomicBool,
}

/// A snapshot of a run's progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Files found so far.
    pub files_found: u64,
    /// Stored size of the files found so far, in bytes.
    pub bytes_found: u64,
    /// Files read or skipped.
    pub files_done: u64,
    /// Stored bytes read so far.
    pub bytes_read: u64,
    /// Unpacked bytes so far.
    pub bytes_unpacked: u64,
    /// Records read so far.
    pub records: u64,
    /// Whether all files have been found. Until then, the remaining work is unknown.
    pub is_listed: bool,
}

impl Watch {
    /// Takes a snapshot of the progress.
    pub fn glance(&self) -> Glance {
        let number = |it: &AtomicU64| it.load(Ordering::Relaxed);
        Glance {
            files_found: number(&self.files_found),
            bytes_found: number(&self.bytes_found),
            files_done: number(&self.files_done),
            bytes_read: number(&self.bytes_read),
            bytes_unpacked: number(&self.bytes_unpacked),
            records: number(&self.records),
            is_listed: self.is_listed.load(Ordering::Relaxed),
        }
    }

    /// Makes the run end soon with [`BacktestError::Stopped`](crate::BacktestError::Stopped).
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }
}
