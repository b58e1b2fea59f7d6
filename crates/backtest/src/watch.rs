//! Looking at a run from another thread, and stopping it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The progress of a run, shared between the run and its display.
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

/// The progress of a run at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// Files found so far.
    pub files_found: u64,
    /// Their size as stored, in bytes.
    pub bytes_found: u64,
    /// Files read, or left out.
    pub files_done: u64,
    /// Bytes read, as stored.
    pub bytes_read: u64,
    /// Bytes unpacked.
    pub bytes_unpacked: u64,
    /// Records in them.
    pub records: u64,
    /// Whether all files have been found: before, what is left can't be known.
    pub is_listed: bool,
}

impl Watch {
    /// Looks at the run.
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

    /// Has the run end soon, with [`BacktestError::Stopped`](crate::BacktestError::Stopped).
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
