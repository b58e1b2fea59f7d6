//! Times the matcher and the parsers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use eventbridge_pattern::{Pattern, RuleSet, Scratch};

use crate::arguments::Arguments;
use crate::generate;
use crate::input;
use crate::memory;
use crate::result::{Build, Outcome, Speed};

/// Events per batch: few enough to stay in the processor's cache.
const BATCH: usize = 100;

/// Builds the matcher first, while memory use is low, then times all contenders.
pub(crate) fn run(arguments: &Arguments) -> Result<Outcome> {
    let lines = match &arguments.patterns {
        Some(path) => input::lines(path)?,
        None => generate::patterns(arguments.seed, arguments.generate_patterns, arguments.broad),
    };
    let (set, build) = build(&lines)?;
    let events = match &arguments.events {
        Some(path) => input::lines(path)?,
        None => generate::events(arguments.seed, arguments.count),
    };
    let bytes: usize = events.iter().map(Vec::len).sum();
    let mut contest = Contest::new(&set, &events);
    let mut rounds = Vec::new();
    for number in 0..arguments.rounds {
        rounds.push(contest.round(number as usize)?);
    }
    let speed = |contender: usize| {
        let times = contest.best.iter().filter_map(|best| best.get(contender));
        Speed::of(events.len(), bytes, times.sum())
    };
    Ok(Outcome::new(
        events.len(),
        bytes,
        contest.matches,
        build,
        [speed(0), speed(1), speed(2), speed(3)],
        [median(&rounds, 1), median(&rounds, 2), median(&rounds, 3)],
    ))
}

/// The median over all rounds of a contender's time divided by the matcher's.
fn median(rounds: &[[Duration; CONTENDERS]], contender: usize) -> f64 {
    let seconds = |round: &[Duration; CONTENDERS], contender: usize| {
        round.get(contender).map_or(0.0, Duration::as_secs_f64)
    };
    let mut ratios: Vec<f64> = rounds
        .iter()
        .map(|round| seconds(round, contender) / seconds(round, 0))
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or_default()
}

fn build(lines: &[Vec<u8>]) -> Result<(RuleSet, Build)> {
    let before = memory::resident();
    let start = Instant::now();
    let patterns: Vec<Pattern> = lines
        .iter()
        .zip(1..)
        .map(|(line, number)| {
            input::pattern(line).with_context(|| format!("pattern in line {number}"))
        })
        .collect::<Result<_>>()?;
    let parsed = Instant::now();
    let set = patterns
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (id, pattern)| {
            set.add(id, pattern)
        })
        .build();
    let built = Instant::now();
    let memory = before
        .zip(memory::resident())
        .map(|((before, _), (_, peak))| peak.saturating_sub(before));
    let build = Build::of(lines.len(), parsed - start, built - parsed, memory);
    Ok((set, build))
}

/// The contenders: the matcher, then simd-json, sonic-rs and `serde_json`.
const CONTENDERS: usize = 4;

struct Contest<'a> {
    set: &'a RuleSet,
    events: &'a [Vec<u8>],
    scratch: Scratch,
    simd: simd_json::Buffers,
    copies: Vec<Vec<u8>>,
    /// The fastest time per batch and contender.
    best: Vec<[Duration; CONTENDERS]>,
    /// Matches in one round.
    matches: usize,
}

impl<'a> Contest<'a> {
    fn new(set: &'a RuleSet, events: &'a [Vec<u8>]) -> Self {
        Contest {
            set,
            events,
            scratch: Scratch::default(),
            simd: simd_json::Buffers::default(),
            copies: vec![Vec::new(); BATCH],
            best: vec![[Duration::MAX; CONTENDERS]; events.len().div_ceil(BATCH)],
            matches: 0,
        }
    }

    /// Runs one round. Returns the total time per contender.
    fn round(&mut self, round: usize) -> Result<[Duration; CONTENDERS]> {
        self.matches = 0;
        let mut all = [Duration::ZERO; CONTENDERS];
        for (number, batch) in self.events.chunks(BATCH).enumerate() {
            for turn in 0..CONTENDERS {
                // The order rotates, because each contender leaves the caches in a different state.
                let contender = (turn + number + round) % CONTENDERS;
                for (copy, event) in self.copies.iter_mut().zip(batch) {
                    copy.clear();
                    copy.extend_from_slice(event);
                }
                let start = Instant::now();
                self.contend(contender, batch.len())?;
                let time = start.elapsed();
                let best = self.best.get_mut(number);
                if let Some(best) = best.and_then(|best| best.get_mut(contender)) {
                    *best = time.min(*best);
                }
                if let Some(all) = all.get_mut(contender) {
                    *all += time;
                }
            }
        }
        Ok(all)
    }

    fn contend(&mut self, contender: usize, count: usize) -> Result<()> {
        for event in self.copies.iter_mut().take(count) {
            match contender {
                0 => self.matches += self.set.matches(event, &mut self.scratch)?.decided()?.len(),
                1 => {
                    let value = simd_json::to_borrowed_value_with_buffers(event, &mut self.simd)?;
                    black_box(&value);
                }
                2 => {
                    let value: sonic_rs::Value = sonic_rs::from_slice(event)?;
                    black_box(&value);
                }
                _ => {
                    let value: serde_json::Value = serde_json::from_slice(event)?;
                    black_box(&value);
                }
            }
        }
        Ok(())
    }
}
