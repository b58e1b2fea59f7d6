//! The result as JSON and as text.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// The result of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    events: usize,
    /// Total bytes of all events.
    bytes: usize,
    patterns: usize,
    /// Total matches of all events.
    matches: usize,
    build: Build,
    matcher: Speed,
    parsers: Parsers,
    /// From the fastest times.
    ratios: Ratios,
    /// The median of the ratios of all rounds.
    median_ratios: Ratios,
}

/// The cost of building the matcher.
#[derive(Debug, Serialize)]
pub(crate) struct Build {
    #[serde(skip)]
    patterns: usize,
    /// Time to parse and check the patterns.
    parse_ms: f64,
    /// Time to build the matcher from them.
    matcher_ms: f64,
    /// Peak growth of resident memory, patterns included; `null` if unknown.
    peak_mb: Option<f64>,
}

/// The speed of one contender.
#[derive(Debug, Serialize)]
pub(crate) struct Speed {
    events_per_second: f64,
    mb_per_second: f64,
    microseconds_per_event: f64,
}

/// Speed of parsing alone: simd-json into a borrowed DOM, the others into a `Value`.
#[derive(Debug, Serialize)]
pub(crate) struct Parsers {
    simd_json: Speed,
    sonic_rs: Speed,
    serde_json: Speed,
}

/// The matcher's speed relative to each parser: above 1, matching is faster than parsing alone.
#[derive(Debug, Serialize)]
pub(crate) struct Ratios {
    simd_json: f64,
    sonic_rs: f64,
    serde_json: f64,
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of events and bytes are far below 2^52"
)]
fn float(count: usize) -> f64 {
    count as f64
}

impl Build {
    pub(crate) fn of(
        patterns: usize,
        parse: Duration,
        matcher: Duration,
        peak: Option<u64>,
    ) -> Build {
        let mb = |bytes| float(usize::try_from(bytes).unwrap_or(usize::MAX)) / 1e6;
        Build {
            patterns,
            parse_ms: parse.as_secs_f64() * 1e3,
            matcher_ms: matcher.as_secs_f64() * 1e3,
            peak_mb: peak.map(mb),
        }
    }
}

impl Speed {
    pub(crate) fn of(events: usize, bytes: usize, time: Duration) -> Speed {
        let seconds = time.as_secs_f64();
        Speed {
            events_per_second: float(events) / seconds,
            mb_per_second: float(bytes) / 1e6 / seconds,
            microseconds_per_event: seconds * 1e6 / float(events),
        }
    }
}

impl Outcome {
    pub(crate) fn new(
        events: usize,
        bytes: usize,
        matches: usize,
        build: Build,
        [matcher, simd_json, sonic_rs, serde_json]: [Speed; 4],
        [simd_json_median, sonic_rs_median, serde_json_median]: [f64; 3],
    ) -> Outcome {
        let ratio = |other: &Speed| matcher.mb_per_second / other.mb_per_second;
        Outcome {
            events,
            bytes,
            patterns: build.patterns,
            matches,
            ratios: Ratios {
                simd_json: ratio(&simd_json),
                sonic_rs: ratio(&sonic_rs),
                serde_json: ratio(&serde_json),
            },
            median_ratios: Ratios {
                simd_json: simd_json_median,
                sonic_rs: sonic_rs_median,
                serde_json: serde_json_median,
            },
            build,
            matcher,
            parsers: Parsers {
                simd_json,
                sonic_rs,
                serde_json,
            },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} events, {:.1} MB; {} patterns; {} matches",
            self.events,
            float(self.bytes) / 1e6,
            self.patterns,
            self.matches
        )?;
        let memory = match self.build.peak_mb {
            Some(peak) => format!("{peak:.1} MB at the peak"),
            None => "memory unknown".to_owned(),
        };
        writeln!(
            f,
            "build: {:.1} ms to read the patterns, {:.1} ms for the matcher; {memory}",
            self.build.parse_ms, self.build.matcher_ms
        )?;
        writeln!(
            f,
            "\n{:<22}{:>12}{:>10}{:>12}{:>18}{:>18}",
            "", "events/s", "MB/s", "µs/event", "matcher is × it", "median of rounds"
        )?;
        let rows = [
            ("matcher", &self.matcher, None),
            (
                "simd-json, DOM",
                &self.parsers.simd_json,
                Some((self.ratios.simd_json, self.median_ratios.simd_json)),
            ),
            (
                "sonic-rs, Value",
                &self.parsers.sonic_rs,
                Some((self.ratios.sonic_rs, self.median_ratios.sonic_rs)),
            ),
            (
                "serde_json, Value",
                &self.parsers.serde_json,
                Some((self.ratios.serde_json, self.median_ratios.serde_json)),
            ),
        ];
        for (name, speed, ratio) in rows {
            let ratio = ratio
                .map(|(best, median)| format!("{best:>18.2}{median:>18.2}"))
                .unwrap_or_default();
            writeln!(
                f,
                "{name:<22}{:>12.0}{:>10.0}{:>12.3}{ratio}",
                speed.events_per_second, speed.mb_per_second, speed.microseconds_per_event
            )?;
        }
        Ok(())
    }
}
