//! Runs all records through all rules on all cores.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::panic;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use cloudtrail::records::Records;
use rules::Rule;

use crate::judge::{Evaluator, SharedRules};
use crate::layout::Scope;
use crate::result::{Backtest, Comparison, Difference, Skipped};
use crate::source::{Found, ListError, LogFile, Source};
use crate::tally::Tally;
use crate::watch::Watch;

/// Capacity of the queue of listed files. Listing runs ahead so that progress is known, but not
/// without bound.
const AHEAD: usize = 100_000;

/// Which records are evaluated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Selects days, accounts and Regions.
    pub scope: Scope,
    /// The watched Regions: nothing forwards events of others. `None` if all are watched.
    pub watched: Option<BTreeSet<String>>,
    /// Whether data and network activity events reach EventBridge. They do if some trail selects
    /// them; the organization's trail selects only management events.
    pub data_events: bool,
}

/// Why a backtest has no result.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The logs can't be listed.
    #[error(transparent)]
    List(#[from] ListError),
    /// [`Watch::stop`] was called.
    #[error("the backtest was stopped")]
    Stopped,
}

/// Runs all rules over all log files of the sources.
pub fn run(
    rules: &[Rule],
    sources: &[Box<dyn Source>],
    options: &Options,
    watch: &Watch,
) -> Result<Backtest, BacktestError> {
    let rules: Vec<&Rule> = rules.iter().collect();
    let shared = SharedRules::new(&rules, None, options);
    let tally = tally(&shared, sources, options, watch)?;
    Ok(finish(tally, &rules, watch))
}

/// Runs two revisions of the rules over the same logs in a single pass. Returns the result of
/// `rules` and its differences from `before`.
pub fn compare(
    before: &[Rule],
    rules: &[Rule],
    sources: &[Box<dyn Source>],
    options: &Options,
    watch: &Watch,
) -> Result<(Backtest, Comparison), BacktestError> {
    let rules: Vec<&Rule> = rules.iter().collect();
    let before: Vec<&Rule> = before.iter().collect();
    let shared = SharedRules::new(&rules, Some(&before), options);
    let tally = tally(&shared, sources, options, watch)?;
    let comparison = differences(&rules, &before, &tally);
    Ok((finish(tally, &rules, watch), comparison))
}

fn differences(rules: &[&Rule], before: &[&Rule], tally: &Tally) -> Comparison {
    let mut comparison = Comparison::default();
    let (now, then) = tally.rules.split_at(rules.len().min(tally.rules.len()));
    let changed = |rule: &Rule| {
        let same = |other: &&&Rule| {
            other.id == rule.id
                && other.read_only == rule.read_only
                && other.pattern.text() == rule.pattern.text()
        };
        !(before.iter().any(|it| same(&it)) && rules.iter().any(|it| same(&it)))
    };
    for (rule, tally) in rules.iter().zip(now) {
        comparison.alerts_after += tally.alerts;
        if changed(rule) {
            let entry = comparison.rules.entry(rule.id.clone()).or_default();
            entry.after = Some(tally.alerts);
            entry.added = tally.alone;
        }
    }
    for (rule, tally) in before.iter().zip(then) {
        comparison.alerts_before += tally.alerts;
        if changed(rule) {
            let entry: &mut Difference = comparison.rules.entry(rule.id.clone()).or_default();
            entry.before = Some(tally.alerts);
            entry.removed = tally.alone;
        }
    }
    comparison
}

fn finish(tally: Tally, rules: &[&Rule], watch: &Watch) -> Backtest {
    let glance = watch.glance();
    Backtest {
        bytes: glance.bytes_read,
        bytes_unpacked: glance.bytes_unpacked,
        ..tally.result(rules)
    }
}

/// A file and the index of its source.
type Job = (usize, LogFile);

fn tally(
    shared: &SharedRules<'_>,
    sources: &[Box<dyn Source>],
    options: &Options,
    watch: &Watch,
) -> Result<Tally, BacktestError> {
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let workers = sources
        .iter()
        .filter_map(|source| source.parallel())
        .fold(cores, usize::max);
    let (send, receive) = mpsc::sync_channel(AHEAD);
    let receive = Arc::new(Mutex::new(receive));
    thread::scope(|threads| {
        let lister = threads.spawn(move || list(sources, &options.scope, &send, watch));
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let jobs = Arc::clone(&receive);
                threads.spawn(move || work(shared, sources, &jobs, watch))
            })
            .collect();
        // Now only the workers hold receivers: when all have ended, the listing ends too.
        drop(receive);
        let mut all = Tally::new(shared.rules());
        for worker in workers {
            match worker.join() {
                Ok(tally) => all.merge(tally),
                Err(reason) => panic::resume_unwind(reason),
            }
        }
        let listed = lister
            .join()
            .unwrap_or_else(|reason| panic::resume_unwind(reason))?;
        all.merge(listed);
        if watch.is_stopped() {
            return Err(BacktestError::Stopped);
        }
        Ok(all)
    })
}

/// Lists all files. Files that aren't read are counted here.
fn list(
    sources: &[Box<dyn Source>],
    scope: &Scope,
    queue: &SyncSender<Job>,
    watch: &Watch,
) -> Result<Tally, ListError> {
    let mut tally = Tally::default();
    for (number, source) in sources.iter().enumerate() {
        let listed = source.list(scope, &mut |found| {
            match found {
                Found::File(file) => {
                    Watch::add(&watch.files_found, 1);
                    Watch::add(&watch.bytes_found, file.size);
                    if watch.is_stopped() || queue.send((number, file)).is_err() {
                        return ControlFlow::Break(());
                    }
                }
                Found::NotRecords(name) => *tally.not_records.entry(name).or_default() += 1,
                Found::Skipped { path, reason } => tally.skip(Skipped {
                    path,
                    reason,
                    records: 0,
                }),
            }
            ControlFlow::Continue(())
        });
        if let Err(error) = listed {
            watch.stop();
            return Err(error);
        }
    }
    watch.is_listed.store(true, Ordering::Relaxed);
    Ok(tally)
}

fn work(
    shared: &SharedRules<'_>,
    sources: &[Box<dyn Source>],
    jobs: &Mutex<Receiver<Job>>,
    watch: &Watch,
) -> Tally {
    let mut judge = Evaluator::new(shared);
    let mut records = Records::default();
    while !watch.is_stopped() {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((number, file)) = job else { break };
        if let Some(source) = sources.get(number) {
            read(source.as_ref(), file, &mut judge, &mut records, watch);
        }
        Watch::add(&watch.files_done, 1);
    }
    judge.tally
}

fn read(
    source: &dyn Source,
    file: LogFile,
    judge: &mut Evaluator<'_>,
    records: &mut Records,
    watch: &Watch,
) {
    let before = judge.tally.records;
    judge.known = 0;
    let result = source.open(&file).map_err(Into::into).and_then(|input| {
        let input = Counted { input, watch };
        let unpacked = |bytes: usize| Watch::add(&watch.bytes_unpacked, bytes as u64);
        records.each(input, unpacked, |head, text| {
            if watch.is_stopped() {
                return ControlFlow::Break(());
            }
            judge.record(head, text)
        })
    });
    let count = judge.tally.records - before;
    Watch::add(&watch.records, count);
    let (reason, records) = match result {
        Ok(()) if judge.known == 0 && count > 0 => ("contains no CloudTrail record".to_owned(), 0),
        Ok(()) => {
            judge.tally.files += 1;
            return;
        }
        Err(error) => (error.to_string(), count),
    };
    judge.tally.skip(Skipped {
        path: file.path,
        reason,
        records,
    });
}

/// Counts the bytes read.
struct Counted<'a> {
    input: Box<dyn Read + Send>,
    watch: &'a Watch,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(buffer)?;
        Watch::add(&self.watch.bytes_read, length as u64);
        Ok(length)
    }
}
