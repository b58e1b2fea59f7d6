//! Logs and rules for tests.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use backtest::{Backtest, LocalLogs, Options, Source, Watch};
use flate2::Compression;
use flate2::write::GzEncoder;
use rules::Rule;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A rule that alerts when a trail is stopped.
pub(crate) const RULE: &str = r"version: 1
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
  agent: {{ detail.userAgent }}
tests:
  - name: stopped
    expect: match
    event: {source: aws.cloudtrail, detail-type: x, account: '111122223333', region: eu-central-1, time: '2026-11-23T10:00:00Z', id: a, detail: {eventName: StopLogging, userAgent: x}}
  - name: started
    expect: no_match
    event: {source: aws.cloudtrail, detail-type: x, account: '111122223333', region: eu-central-1, time: '2026-11-23T10:00:00Z', id: a, detail: {eventName: StartLogging}}
";

/// [`RULE`] with text replacements.
pub(crate) fn rule(changes: &[(&str, &str)]) -> Vec<Rule> {
    let folder = TempDir::new().unwrap();
    let mut text = RULE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    let id = text.lines().nth(1).unwrap().trim_start_matches("id: ");
    fs::write(folder.path().join(format!("{id}.yaml")), &text).unwrap();
    let options = rules::Options {
        today: jiff::civil::date(2026, 11, 23),
    };
    let library = rules::load(folder.path(), &options);
    assert_eq!(library.rules.len(), 1, "{:?}", library.diagnostics);
    library.rules
}

/// A record, with changes; `null` removes a field.
pub(crate) fn record(id: &str, changes: &Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.08", "eventID": id, "eventName": "StopLogging", "readOnly": false,
        "eventSource": "cloudtrail.amazonaws.com", "eventType": "AwsApiCall",
        "eventTime": "2026-11-23T10:00:00Z", "awsRegion": "eu-central-1",
        "recipientAccountId": "012345678901", "managementEvent": true, "eventCategory": "Management",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::012345678901:user/alice"},
        "userAgent": "aws-cli \"quoted\"",
    });
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            record.as_object_mut().unwrap().remove(name);
        } else {
            record[name] = value.clone();
        }
    }
    record
}

/// A temporary folder of logs.
pub(crate) struct Logs(pub(crate) TempDir);

impl Logs {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    /// Writes a file as a trail does.
    pub(crate) fn trail(&self, path: &str, records: &[Value]) -> &Self {
        let content = pack(&json!({ "Records": records }).to_string());
        self.write(path, content)
    }

    pub(crate) fn sources(&self) -> Vec<Box<dyn Source>> {
        sources(&[self.0.path().to_path_buf()])
    }

    pub(crate) fn run(&self, rules: &[Rule]) -> Backtest {
        self.run_with(rules, &Options::default())
    }

    pub(crate) fn run_with(&self, rules: &[Rule], options: &Options) -> Backtest {
        backtest::run(rules, &self.sources(), options, &Watch::default()).unwrap()
    }
}

pub(crate) fn sources(paths: &[PathBuf]) -> Vec<Box<dyn Source>> {
    LocalLogs::all(paths)
        .into_iter()
        .map(|logs| Box::new(logs) as Box<dyn Source>)
        .collect()
}

pub(crate) fn pack(text: &str) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// The names of the skipped files with the reasons.
pub(crate) fn skipped(result: &Backtest) -> Vec<String> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    result
        .skipped
        .iter()
        .map(|it| format!("{}: {}", name(&it.path), it.reason))
        .collect()
}
