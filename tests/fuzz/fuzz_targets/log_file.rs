//! Any bytes as a log file, plain and gzipped. A backtest counts what trees of the same records give,
//! one rule at a time; `match` reads the same records.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, Read, Write};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::LazyLock;

use backtest::{Backtest, Found, ListError, LogFile, Scope, Source, Watch};
use cloudtrail::records::Records;
use cloudtrail::{Withheld, documents, envelope};
use eventbridge_pattern::Event;
use flate2::Compression;
use flate2::write::GzEncoder;
use fuzz::library;
use libfuzzer_sys::fuzz_target;
use rules::Rule;
use serde_json::Value;

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(library);

/// A log file in memory.
struct Log(Vec<u8>);

impl Source for Log {
    fn list(
        &self,
        _: &Scope,
        each: &mut dyn FnMut(Found) -> ControlFlow<()>,
    ) -> Result<(), ListError> {
        let file = LogFile {
            path: PathBuf::from("trail.json"),
            size: self.0.len() as u64,
        };
        let _more = each(Found::File(file));
        Ok(())
    }

    fn open(&self, _: &LogFile) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0.clone())))
    }

    fn parallel(&self) -> Option<usize> {
        Some(1)
    }
}

fn backtest(bytes: &[u8]) -> Backtest {
    let logs: [Box<dyn Source>; 1] = [Box::new(Log(bytes.to_vec()))];
    let options = backtest::Options::default();
    backtest::run(&RULES, &logs, &options, &Watch::default()).expect("a log in memory is listed")
}

/// What a record becomes: the event of its tree, and the text that the rules are matched with.
struct Delivery {
    tree: Value,
    /// `None` if it is no record and no event.
    event: Option<(Value, String)>,
}

/// The records of a file, and whether it was read to its end; `None` if there is no tree of one, which
/// happens with half a surrogate pair.
fn deliveries(bytes: &[u8]) -> Option<(Vec<Delivery>, bool)> {
    let mut all = Some(Vec::new());
    let read = Records::default().each(
        bytes,
        |_| {},
        |head, text| {
            let Ok(tree) = serde_json::from_slice::<Value>(text) else {
                all = None;
                return ControlFlow::Break(());
            };
            let event = envelope::of(&tree).ok();
            let text = event.as_ref().map(|event| {
                if head.is_event {
                    return event.to_string();
                }
                let envelope = head.envelope().expect("as of the tree");
                let mut written = Vec::new();
                envelope.write(text, &mut written);
                let again: Value = serde_json::from_slice(&written).expect("an event is JSON");
                assert_eq!(again, *event);
                String::from_utf8(written).expect("JSON is UTF-8")
            });
            let event = event.zip(text);
            all.iter_mut().for_each(|all| {
                all.push(Delivery {
                    tree: tree.clone(),
                    event: event.clone(),
                })
            });
            ControlFlow::Continue(())
        },
    );
    Some((all?, read.is_ok()))
}

/// The counts of a backtest, slowly.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    records: u64,
    duplicates: u64,
    delivered: u64,
    alerts: BTreeMap<String, u64>,
}

impl Counts {
    fn of(backtest: &Backtest) -> Counts {
        let alerts = backtest
            .rules
            .iter()
            .map(|(id, rule)| (id.clone(), rule.alerts));
        Counts {
            records: backtest.records,
            duplicates: backtest.duplicates,
            delivered: backtest.delivered,
            alerts: alerts.collect(),
        }
    }

    fn expected(deliveries: &[Delivery]) -> Counts {
        let mut counts = Counts {
            alerts: RULES.iter().map(|rule| (rule.id.clone(), 0)).collect(),
            ..Counts::default()
        };
        let asks = RULES.iter().any(|rule| rule.read_only);
        let mut seen = BTreeSet::new();
        for delivery in deliveries {
            counts.records += 1;
            let Some((event, text)) = &delivery.event else {
                continue;
            };
            if id(event).is_some_and(|id| !seen.insert(id.to_owned())) {
                counts.duplicates += 1;
                continue;
            }
            if Withheld::of_event(event, asks).is_some() {
                continue;
            }
            let Ok(parsed) = Event::parse(text) else {
                continue;
            };
            counts.delivered += 1;
            for rule in RULES.iter() {
                let reaches = Withheld::of_event(event, rule.read_only).is_none();
                let matches = reaches && rule.pattern.matches(&parsed).unwrap_or(true);
                if let Some(alerts) = counts.alerts.get_mut(&rule.id) {
                    *alerts += u64::from(matches);
                }
            }
        }
        counts
    }
}

/// The id by which a second copy is known: CloudTrail's, or the event's of another service.
fn id(event: &Value) -> Option<&str> {
    let kind = event["detail-type"].as_str().unwrap_or_default();
    let id = if envelope::is_from_cloudtrail(kind) {
        &event["detail"]["eventID"]
    } else {
        &event["id"]
    };
    id.as_str()
}

/// `match` reads whole texts, and lists within them.
fn check_documents(bytes: &[u8], deliveries: &[Delivery]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let has_lists = |it: &Delivery| it.tree.get("Records").is_some();
    if !deliveries.iter().any(has_lists) {
        let read = documents::records(text).expect("a backtest read it");
        assert!(
            read.iter().eq(deliveries.iter().map(|it| &it.tree)),
            "{read:?}"
        );
    }
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let pack = |part: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(part).expect("memory");
        encoder.finish().expect("memory")
    };
    [pack(first), pack(second)].concat()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((deliveries, is_whole)) = deliveries(bytes) else {
        backtest(bytes);
        return;
    };
    if let Ok(text) = std::str::from_utf8(bytes) {
        for record in documents::records(text).unwrap_or_default() {
            if let Ok(event) = envelope::of(&record) {
                envelope::assumptions(&record);
                Withheld::of_event(&event, false);
            }
        }
    }
    if deliveries.is_empty() {
        return;
    }
    let found = backtest(bytes);
    let counts = Counts::of(&found);
    assert_eq!(counts, Counts::expected(&deliveries));
    let is_known = deliveries.iter().any(|it| it.event.is_some());
    assert_eq!(
        found.skipped.is_empty(),
        is_whole && is_known,
        "{:?}",
        found.skipped
    );
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    assert_eq!(Counts::of(&backtest(&packed(bytes))), counts);
    if is_whole {
        check_documents(bytes, &deliveries);
    }
});
