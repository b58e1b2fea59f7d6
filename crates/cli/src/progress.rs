//! Live progress on standard error: a bar on a terminal, plain lines elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deployer::ports::Action;
use deployer::{Progress, ProgressEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::environment::{Environment, Stream};

/// Shows what a command is doing.
#[derive(Debug)]
pub(crate) struct Display {
    errors: Stream,
    bars: Option<MultiProgress>,
    /// The operations that run.
    running: Mutex<BTreeMap<Operation, Running>>,
}

/// A stack set and an operation of it, whose id is unique among those of the stack set only.
pub(crate) type Operation = (String, String);

/// The latest state of a running operation.
#[derive(Debug)]
struct Running {
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Display {
    pub(crate) fn new(environment: &Environment) -> Self {
        let errors = environment.errors().clone();
        Self {
            bars: errors.is_terminal().then(MultiProgress::new),
            errors,
            running: Mutex::default(),
        }
    }

    /// The operations that run.
    pub(crate) fn running(&self) -> Vec<Operation> {
        self.operations().keys().cloned().collect()
    }

    fn operations(&self) -> MutexGuard<'_, BTreeMap<Operation, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: &str) {
        match &self.bars {
            // Failing to draw progress is no reason to fail a deployment.
            Some(bars) => drop(bars.println(line)),
            None => self.errors.note(line),
        }
    }

    fn bar(&self, title: String, total: usize) -> Option<ProgressBar> {
        let bars = self.bars.as_ref()?;
        let bar = bars.add(ProgressBar::new(total as u64));
        if let Ok(style) = ProgressStyle::with_template(
            "  {msg} [{bar:30}] {pos}/{len} instances, {per_sec}, {eta} left",
        ) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(title);
        bar.enable_steady_tick(Duration::from_millis(200));
        Some(bar)
    }
}

impl Running {
    /// Rate and time left, from what is done so far.
    fn pace(&self, done: usize, total: usize) -> String {
        let minutes = self.began.elapsed().as_secs_f64() / 60.0;
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

impl Display {
    /// An operation begins to be shown: a line, and on a terminal a bar.
    fn start(&self, operation: Operation, title: String, total: usize) {
        self.line(&format!("  {title}, {total} instances"));
        let running = Running {
            began: Instant::now(),
            bar: self.bar(title, total),
        };
        self.operations().insert(operation, running);
    }

    /// An operation has worked on so many of its instances.
    fn advance(&self, operation: &Operation, done: usize, failed: usize, total: usize) {
        let operations = self.operations();
        let Some(running) = operations.get(operation) else {
            return;
        };
        if let Some(bar) = &running.bar {
            bar.set_position((done + failed) as u64);
        } else {
            let (stack_set, pace) = (&operation.0, running.pace(done + failed, total));
            self.line(&format!(
                "  {stack_set}: {done}/{total} done, {failed} failed{pace}"
            ));
        }
    }

    /// An operation is no longer shown.
    fn finish(&self, operation: &Operation) {
        let finished = self.operations().remove(operation);
        if let Some(bar) = finished.and_then(|running| running.bar) {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Display {
    fn report(&self, event: &ProgressEvent) {
        match event {
            ProgressEvent::OperationStarted {
                stack_set,
                operation,
                action,
                wave,
                total,
            } => {
                let wave = wave.as_ref().map(|wave| format!(", wave {wave}"));
                let wave = wave.unwrap_or_default();
                let title = format!("{stack_set}: {}{wave}", word(*action));
                self.start((stack_set.clone(), operation.clone()), title, *total);
            }
            ProgressEvent::Instances {
                stack_set,
                operation,
                done,
                failed,
                total,
            } => self.advance(
                &(stack_set.clone(), operation.clone()),
                *done,
                *failed,
                *total,
            ),
            ProgressEvent::OperationFinished {
                stack_set,
                operation,
                status,
                done,
                failed,
            } => {
                self.finish(&(stack_set.clone(), operation.clone()));
                let status = format!("{status:?}").to_lowercase();
                self.line(&format!(
                    "  {stack_set}: {status}, {done} done, {failed} failed"
                ));
            }
            other => self.line(&text(other)),
        }
    }
}

/// An event that is one line on its own.
fn text(event: &ProgressEvent) -> String {
    match event {
        ProgressEvent::StackSetCreated { stack_set } => {
            format!("  {stack_set}: stack set created")
        }
        ProgressEvent::StackSetDeleted { stack_set } => {
            format!("  {stack_set}: stack set deleted")
        }
        ProgressEvent::Waiting {
            stack_set,
            operation,
            ours,
        } => {
            let whose = if *ours { "our own" } else { "another" };
            format!("  {stack_set}: waiting for {whose} operation {operation}")
        }
        ProgressEvent::Soaking {
            stack_set,
            wave,
            minutes,
        } => format!("  {stack_set}: wave {wave} is deployed; the next one waits {minutes} min"),
        ProgressEvent::StackStarted {
            stack,
            location,
            action,
        } => format!("  {stack} in {location}: {}", word(*action)),
        ProgressEvent::StackFinished {
            stack,
            location,
            status,
            succeeded,
        } => {
            let word = if *succeeded { "" } else { " FAILED" };
            format!("  {stack} in {location}:{word} {status}")
        }
        ProgressEvent::Checking { what } => format!("  checking {what}"),
        ProgressEvent::OperationStarted { .. }
        | ProgressEvent::Instances { .. }
        | ProgressEvent::OperationFinished { .. } => String::new(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_lines_where_there_is_no_terminal_and_known_while_they_run() {
        let (environment, captured) = Environment::captured("/");
        let display = Display::new(&environment);
        let (stack_set, operation) = ("gizmos-topic".to_owned(), "gizmos-topic-1".to_owned());
        display.report(&ProgressEvent::OperationStarted {
            stack_set: stack_set.clone(),
            operation: operation.clone(),
            action: Action::Create,
            wave: Some("canary".to_owned()),
            total: 2,
        });
        assert_eq!(display.running(), [(stack_set.clone(), operation.clone())]);
        display.report(&ProgressEvent::Instances {
            stack_set: stack_set.clone(),
            operation: operation.clone(),
            done: 1,
            failed: 1,
            total: 2,
        });
        display.finish(&(stack_set, operation));
        assert!(display.running().is_empty());
        assert_eq!(
            captured.errors(),
            "  gizmos-topic: creating, wave canary, 2 instances\n  gizmos-topic: 1/2 done, 1 failed\n"
        );
    }
}
