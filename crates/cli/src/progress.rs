//! Live progress on standard error: bars on a terminal, otherwise plain lines.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deployer::ports::Action;
use deployer::{Progress, ProgressEvent};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use syntax::untrusted;

use crate::environment::{Environment, Stream};

/// Shows the progress of a command.
#[derive(Debug)]
pub(crate) struct Display {
    errors: Stream,
    bars: Option<MultiProgress>,
    /// Operations that are running.
    running: Mutex<BTreeMap<Operation, Running>>,
}

/// A stack set and an operation id, which is unique only within the stack set.
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

    /// Operations that are running.
    pub(crate) fn running(&self) -> Vec<Operation> {
        self.operations().keys().cloned().collect()
    }

    fn operations(&self) -> MutexGuard<'_, BTreeMap<Operation, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: &str) {
        match &self.bars {
            // A failure to draw progress must not fail a deployment.
            Some(bars) => drop(bars.println(untrusted::line(line))),
            None => self.errors.note(line),
        }
    }

    fn bar(&self, title: &str, total: usize) -> Option<ProgressBar> {
        let bars = self.bars.as_ref()?;
        let bar = bars.add(ProgressBar::new(total as u64));
        if let Ok(style) = ProgressStyle::with_template(
            "  {msg} [{bar:30}] {pos}/{len} instances, {per_sec}, {eta} left",
        ) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(untrusted::line(title));
        bar.enable_steady_tick(Duration::from_millis(200));
        Some(bar)
    }
}

impl Running {
    /// Rate and remaining time, estimated from the progress so far.
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
    /// Shows a new operation: a line, and on a terminal a bar.
    fn start(&self, operation: Operation, title: &str, total: usize) {
        self.line(&format!("  {title}, {total} instances"));
        let running = Running {
            began: Instant::now(),
            bar: self.bar(title, total),
        };
        self.operations().insert(operation, running);
    }

    /// Updates the progress of an operation.
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

    /// Removes an operation from display.
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
                self.start((stack_set.clone(), operation.clone()), &title, *total);
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

/// The line for an event that needs no bar.
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
            let whose = if *ours { "Gizmos' own" } else { "another" };
            format!("  {stack_set}: waiting for {whose} operation {operation}")
        }
        ProgressEvent::Soaking {
            stack_set,
            wave,
            minutes,
        } => {
            format!("  {stack_set}: wave {wave} is deployed; the next wave starts in {minutes} min")
        }
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
