//! Progress of a backtest: a bar on a terminal, otherwise a line every ten seconds.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use backtest::{Glance, Watch};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::environment::Environment;

/// Interval between updates of the bar.
const TICK: Duration = Duration::from_millis(200);
/// Interval between lines without a terminal.
const LINE: Duration = Duration::from_secs(10);

/// Shows progress on its own thread until it is stopped or dropped.
#[derive(Debug)]
pub(super) struct Meter {
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Meter {
    pub(super) fn start(environment: &Environment, watch: &Arc<Watch>) -> Self {
        let errors = environment.errors().clone();
        let (end, ended) = mpsc::channel::<()>();
        let watch = Arc::clone(watch);
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            let bar = errors.is_terminal().then(bar);
            let tick = if bar.is_some() { TICK } else { LINE };
            while ended.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                let glance = watch.glance();
                let line = line(&glance, start.elapsed());
                match &bar {
                    Some(bar) => {
                        bar.set_length(glance.bytes_found.max(1));
                        bar.set_position(glance.bytes_read);
                        bar.set_message(line);
                    }
                    None => errors.note(format_args!("  {line}")),
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Self {
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Removes the bar.
    pub(super) fn stop(self) {
        drop(self);
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // A panic in the meter must not lose the result.
            drop(thread.join());
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template("  [{bar:30}] {msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Files, rate and remaining time.
fn line(glance: &Glance, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis())
        .unwrap_or(u64::MAX)
        .max(1);
    let rate = glance.bytes_unpacked / 1000 / millis;
    let found = if glance.is_listed { "" } else { "+" };
    let left = left(glance, elapsed)
        .map(|left| format!(", {} left", HumanDuration(left)))
        .unwrap_or_default();
    format!(
        "{}/{}{found} files, {} records, {rate} MB/s{left}",
        glance.files_done, glance.files_found, glance.records
    )
}

/// Remaining time at the rate so far; `None` if unknown.
fn left(glance: &Glance, elapsed: Duration) -> Option<Duration> {
    if !glance.is_listed || glance.bytes_read == 0 || elapsed < Duration::from_secs(1) {
        return None;
    }
    let bytes = glance.bytes_found.saturating_sub(glance.bytes_read);
    let seconds = u128::from(bytes) * elapsed.as_millis() / u128::from(glance.bytes_read) / 1000;
    Some(Duration::from_secs(
        u64::try_from(seconds).unwrap_or(u64::MAX),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_shows_time_left_once_all_files_are_known() {
        let mut glance = Glance {
            files_found: 100,
            bytes_found: 1000,
            files_done: 10,
            bytes_read: 100,
            bytes_unpacked: 500_000_000,
            records: 12,
            is_listed: false,
        };
        let elapsed = Duration::from_secs(2);
        assert_eq!(
            line(&glance, elapsed),
            "10/100+ files, 12 records, 250 MB/s"
        );
        glance.is_listed = true;
        assert_eq!(
            line(&glance, elapsed),
            "10/100 files, 12 records, 250 MB/s, 18 seconds left"
        );
    }
}
