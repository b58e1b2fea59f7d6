//! Live progress on standard error: a bar on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use deployer::ports::Action;
use deployer::{Progress, ProgressEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output;

/// Shows what a command is doing.
#[derive(Debug)]
pub(crate) struct Display {
    bars: Option<MultiProgress>,
    operations: Mutex<BTreeMap<String, ProgressBar>>,
    /// Operations that run, with their stack sets.
    running: Mutex<BTreeMap<String, String>>,
    /// When each operation began, and the news last printed about it.
    started: Mutex<BTreeMap<String, Instant>>,
}

impl Display {
    pub(crate) fn new() -> Self {
        Self {
            bars: output::people_watch().then(MultiProgress::new),
            operations: Mutex::default(),
            running: Mutex::default(),
            started: Mutex::default(),
        }
    }

    /// Operations that run, each with its stack set.
    pub(crate) fn running(&self) -> BTreeMap<String, String> {
        lock(&self.running).clone()
    }

    fn line(&self, line: &str) {
        match &self.bars {
            // Failing to draw progress is no reason to fail a deployment.
            Some(bars) => drop(bars.println(line)),
            None => eprintln!("{line}"),
        }
    }

    fn start(&self, operation: &str, title: String, total: usize) {
        let Some(bars) = &self.bars else { return };
        let bar = bars.add(ProgressBar::new(total as u64));
        if let Ok(style) = ProgressStyle::with_template(
            "  {msg} [{bar:30}] {pos}/{len} instances, {per_sec}, {eta} left",
        ) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title);
        bar.enable_steady_tick(Duration::from_millis(200));
        self.operations().insert(operation.to_owned(), bar);
    }

    fn operations(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, ProgressBar>> {
        lock(&self.operations)
    }

    /// Rate and time left, from what is done so far.
    fn pace(&self, operation: &str, done: usize, total: usize) -> String {
        let Some(began) = lock(&self.started).get(operation).copied() else {
            return String::new();
        };
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let (done, total) = (done as f64, total as f64);
        if done < 1.0 || minutes < 0.1 {
            return String::new();
        }
        let rate = done / minutes;
        format!(
            ", {rate:.0} a minute, {:.0} min left",
            (total - done) / rate
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress for Display {
    fn report(&self, event: &ProgressEvent) {
        match event {
            ProgressEvent::StackSetCreated { stack_set } => {
                self.line(&format!("  {stack_set}: stack set created"));
            }
            ProgressEvent::StackSetDeleted { stack_set } => {
                self.line(&format!("  {stack_set}: stack set deleted"));
            }
            ProgressEvent::OperationStarted {
                stack_set,
                operation,
                action,
                wave,
                total,
            } => {
                let wave = wave
                    .as_ref()
                    .map(|wave| format!(", wave {wave}"))
                    .unwrap_or_default();
                let title = format!("{stack_set}: {}{wave}", word(*action));
                self.line(&format!("  {title}, {total} instances"));
                lock(&self.running).insert(operation.clone(), stack_set.clone());
                lock(&self.started).insert(operation.clone(), Instant::now());
                self.start(operation, title, *total);
            }
            ProgressEvent::Instances {
                stack_set,
                operation,
                done,
                failed,
                total,
            } => {
                if self.bars.is_none() {
                    let pace = self.pace(operation, done + failed, *total);
                    eprintln!("  {stack_set}: {done}/{total} done, {failed} failed{pace}");
                } else if let Some(bar) = self.operations().get(operation) {
                    bar.set_position((done + failed) as u64);
                }
            }
            ProgressEvent::OperationFinished {
                stack_set,
                operation,
                status,
                done,
                failed,
            } => {
                lock(&self.running).remove(operation);
                lock(&self.started).remove(operation);
                if let Some(bar) = self.operations().remove(operation) {
                    bar.finish_and_clear();
                }
                let status = format!("{status:?}").to_lowercase();
                self.line(&format!(
                    "  {stack_set}: {status}, {done} done, {failed} failed"
                ));
            }
            ProgressEvent::Waiting {
                stack_set,
                operation,
                ours,
            } => {
                let whose = if *ours { "our own" } else { "another" };
                self.line(&format!(
                    "  {stack_set}: waiting for {whose} operation {operation}"
                ));
            }
            ProgressEvent::Soaking {
                stack_set,
                wave,
                minutes,
            } => {
                self.line(&format!(
                    "  {stack_set}: wave {wave} is deployed; the next one waits {minutes} min"
                ));
            }
            ProgressEvent::StackStarted {
                stack,
                place,
                action,
            } => self.line(&format!("  {stack} in {place}: {}", word(*action))),
            ProgressEvent::StackFinished {
                stack,
                place,
                status,
                succeeded,
            } => {
                let word = if *succeeded { "" } else { " FAILED" };
                self.line(&format!("  {stack} in {place}:{word} {status}"));
            }
            ProgressEvent::Checking { what } => self.line(&format!("  checking {what}")),
        }
    }
}

fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "creating",
        Action::Update => "updating",
        Action::Delete => "deleting",
        Action::DetectDrift => "detecting drift",
    }
}
