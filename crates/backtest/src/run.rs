//! All records through all rules.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pattern::RuleSet;
use rayon::prelude::*;
use rules::Rule;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{files, records};

/// EventBridge gets no event above this size, in bytes.
///
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html>
const MAX_EVENT: usize = 256 * 1024;

/// What the rules would have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Backtest {
    /// Log files that were read to their end.
    pub files: usize,
    /// Records in them, duplicates included.
    pub records: usize,
    /// Records that had been seen before, by their `eventID`.
    pub duplicates: usize,
    /// Records that EventBridge would not have delivered: over 256 KB, or no CloudTrail record.
    pub undelivered: usize,
    /// Files that could not be read to their end, each with the reason.
    pub skipped: Vec<Skipped>,
    /// Alerts by rule id, rules that never fired included.
    pub rules: BTreeMap<String, RuleAlerts>,
}

/// A file that was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// The alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuleAlerts {
    /// How many.
    pub alerts: usize,
    /// Time of the first, as in the record.
    pub first: Option<String>,
    /// Time of the last.
    pub last: Option<String>,
    /// How many by account and Region, as `account/region`.
    pub places: BTreeMap<String, usize>,
}

/// The backtest could not start.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// A path that was asked for can't be listed.
    #[error("could not read {path}")]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Runs all rules over all log files at or below `paths`, on all cores.
pub fn run(rules: &[Rule], paths: &[PathBuf]) -> Result<Backtest, BacktestError> {
    let mut logs = Vec::new();
    for path in paths {
        logs.extend(
            files::find(path).map_err(|source| BacktestError::Unreadable {
                path: path.clone(),
                source,
            })?,
        );
    }
    logs.sort();
    logs.dedup();

    let set = rules
        .iter()
        .enumerate()
        .fold(RuleSet::builder(), |set, (id, rule)| {
            set.add(id, &rule.pattern)
        })
        .build();
    let seen = Mutex::new(HashSet::new());
    let mut result = logs
        .par_iter()
        .map(|path| one_file(path, rules, &set, &seen))
        .reduce(Backtest::default, Backtest::merge);
    for rule in rules {
        result.rules.entry(rule.id.clone()).or_default();
    }
    result.skipped.sort();
    Ok(result)
}

type Seen = Mutex<HashSet<[u8; 16]>>;

fn one_file(path: &Path, rules: &[Rule], set: &RuleSet, seen: &Seen) -> Backtest {
    let mut result = Backtest::default();
    let read = records::each(path, |record| {
        result.records += 1;
        one_record(record, rules, set, seen, &mut result);
    });
    match read {
        Ok(()) => result.files = 1,
        Err(error) => result.skipped.push(Skipped {
            path: path.to_path_buf(),
            reason: error.to_string(),
        }),
    }
    result
}

fn one_record(record: &str, rules: &[Rule], set: &RuleSet, seen: &Seen, result: &mut Backtest) {
    let event = serde_json::from_str::<Value>(record)
        .ok()
        .and_then(|record| rules::envelope::of(&record).ok());
    let Some(event) = event.filter(|_| record.len() <= MAX_EVENT) else {
        result.undelivered += 1;
        return;
    };
    if let Some(id) = event.pointer("/detail/eventID").and_then(Value::as_str) {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.insert(digest(id)) {
            result.duplicates += 1;
            return;
        }
    }
    let Ok(matching) = set.matches(event.to_string().as_bytes()) else {
        result.undelivered += 1;
        return;
    };
    let read_only = event.pointer("/detail/readOnly") == Some(&Value::Bool(true))
        && event.pointer("/detail/managementEvent") != Some(&Value::Bool(false));
    for rule in matching.into_iter().filter_map(|id| rules.get(id)) {
        if !read_only || rule.read_only {
            let alerts = result.rules.entry(rule.id.clone()).or_default();
            alerts.add(&event);
        }
    }
}

/// Half a SHA-256: 16 bytes for each of many million records, and no collision to fear.
fn digest(id: &str) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(Sha256::digest(id.as_bytes())) {
        *to = from;
    }
    half
}

impl Backtest {
    fn merge(mut self, other: Self) -> Self {
        self.files += other.files;
        self.records += other.records;
        self.duplicates += other.duplicates;
        self.undelivered += other.undelivered;
        self.skipped.extend(other.skipped);
        for (rule, alerts) in other.rules {
            self.rules.entry(rule).or_default().merge(alerts);
        }
        self
    }
}

impl RuleAlerts {
    fn add(&mut self, event: &Value) {
        let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
        self.alerts += 1;
        let time = text("/time").unwrap_or_default().to_owned();
        self.extend_to(&time);
        let place = format!(
            "{}/{}",
            text("/account").unwrap_or("unknown"),
            text("/region").unwrap_or("unknown")
        );
        *self.places.entry(place).or_default() += 1;
    }

    fn merge(&mut self, other: Self) {
        self.alerts += other.alerts;
        for time in [other.first, other.last].into_iter().flatten() {
            self.extend_to(&time);
        }
        for (place, alerts) in other.places {
            *self.places.entry(place).or_default() += alerts;
        }
    }

    /// Widens first to last by a time; RFC 3339 in UTC sorts as text.
    fn extend_to(&mut self, time: &str) {
        if self.first.as_deref().is_none_or(|first| time < first) {
            self.first = Some(time.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| time > last) {
            self.last = Some(time.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: &str = r"version: 1
id: trail-stopped
title: A trail was stopped
description: Someone stopped a trail.
status: stable
severity: low
references: [https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_StopLogging.html]
false_positives: [A trail that is being replaced.]
event_pattern:
  source: [aws.cloudtrail]
  detail:
    eventName: [StopLogging]
message: |
  did: {{ detail.eventName }}
tests:
  - name: stopped
    expect: match
    event: {source: aws.cloudtrail, detail-type: x, account: '111122223333', region: eu-central-1, time: '2026-11-23T10:00:00Z', id: a, detail: {eventName: StopLogging}}
  - name: started
    expect: no_match
    event: {source: aws.cloudtrail, detail-type: x, account: '111122223333', region: eu-central-1, time: '2026-11-23T10:00:00Z', id: a, detail: {eventName: StartLogging}}
";

    fn record(id: &str, name: &str, read_only: bool) -> String {
        serde_json::json!({
            "eventVersion": "1.08", "eventID": id, "eventName": name, "readOnly": read_only,
            "eventSource": "cloudtrail.amazonaws.com", "eventType": "AwsApiCall",
            "eventTime": "2026-11-23T10:00:00Z", "awsRegion": "eu-central-1",
            "recipientAccountId": "012345678901", "managementEvent": true,
            "userIdentity": { "type": "IAMUser" },
        })
        .to_string()
    }

    #[test]
    fn counts_what_eventbridge_would_have_delivered_once() {
        let folder = tempfile::tempdir().unwrap();
        let rules_folder = folder.path().join("rules");
        std::fs::create_dir(&rules_folder).unwrap();
        std::fs::write(rules_folder.join("trail-stopped.yaml"), RULE).unwrap();
        let options = rules::Options {
            today: jiff::civil::date(2026, 11, 23),
        };
        let library = rules::load(&rules_folder, &options);
        assert_eq!(library.rules.len(), 1, "{:?}", library.findings);

        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let file = |records: &[String]| format!("{{\"Records\":[{}]}}", records.join(","));
        let stopped = record("1", "StopLogging", false);
        std::fs::write(
            logs.join("a.json"),
            file(&[stopped.clone(), record("2", "StartLogging", false)]),
        )
        .unwrap();
        // The same event in a second trail, and a read-only call.
        std::fs::write(
            logs.join("b.json"),
            file(&[stopped, record("3", "StopLogging", true)]),
        )
        .unwrap();
        std::fs::write(logs.join("c.json"), "not a log").unwrap();

        let result = run(&library.rules, &[logs]).unwrap();
        let alerts = &result.rules["trail-stopped"];
        assert_eq!(alerts.alerts, 1);
        assert_eq!(alerts.first.as_deref(), Some("2026-11-23T10:00:00Z"));
        assert_eq!(alerts.places["012345678901/eu-central-1"], 1);
        assert_eq!((result.files, result.records, result.duplicates), (2, 4, 1));
        assert!(result.skipped[0].path.ends_with("c.json"));
    }
}
