//! Corrupt, truncated and foreign files.

use serde_json::json;

use crate::corpus::{Logs, pack, record, rule, skipped};

#[test]
fn corrupt_truncated_and_foreign_files_are_named_and_the_others_count() {
    let records: Vec<_> = (0..200)
        .map(|n| record(&format!("a{n}"), &json!({})))
        .collect();
    let whole = json!({ "Records": records }).to_string();
    let mut truncated = pack(&whole);
    truncated.truncate(truncated.len() / 2);
    let mut corrupt = pack(&whole);
    let middle = corrupt.len() / 2;
    for byte in &mut corrupt[middle..middle + 40] {
        *byte ^= 0x55;
    }
    let logs = Logs::new();
    logs.trail("good.json.gz", &[record("1", &json!({}))])
        .write("lines.jsonl", format!("{}\n", record("2", &json!({}))))
        .write("truncated.json.gz", truncated)
        .write("corrupt.json.gz", corrupt)
        .write("cut.json", &whole.as_bytes()[..whole.len() - 100])
        .write("foreign.json", r#"{"Resources": {"Bucket": {}}}"#)
        .write("list.json", "[1, 2]")
        .write("empty.json.gz", "")
        .write("notes.txt", "hello")
        .write(
            "AWSLogs/012345678901/CloudTrail-Digest/us-east-1/2026/11/23/d.json.gz",
            "",
        )
        .write(
            "AWSLogs/012345678901/Config/us-east-1/2026/11/23/d.json.gz",
            "",
        );
    let result = logs.run(&rule(&[]));
    assert_eq!((result.files, result.skipped_files), (2, 7));
    let skipped = skipped(&result);
    for (name, reason) in [
        ("truncated.json.gz", "can't be read"),
        ("corrupt.json.gz", ""),
        ("cut.json", "is truncated: it ends in record 200"),
        ("foreign.json", "contains no CloudTrail record"),
        ("list.json", "is not a CloudTrail log"),
        ("empty.json.gz", "is empty"),
        ("notes.txt", "is not named like a log"),
    ] {
        let found = skipped.iter().find(|it| it.starts_with(name));
        assert!(
            found.is_some_and(|it| it.contains(reason)),
            "{name}: {skipped:?}"
        );
    }
    assert_eq!(
        result.not_records,
        [("CloudTrail-Digest".into(), 1), ("Config".into(), 1)].into()
    );
    // The 199 records before the error count, as do the two of the good files.
    let cut = result
        .skipped
        .iter()
        .find(|it| it.path.ends_with("cut.json"))
        .unwrap();
    assert_eq!(cut.records, 199);
    let foreign = result
        .skipped
        .iter()
        .find(|it| it.path.ends_with("foreign.json"));
    assert_eq!(foreign.unwrap().records, 0);
    assert_eq!(result.rules["trail-stopped"].alerts, 201);
}

#[test]
fn an_invalid_record_does_not_spoil_its_file() {
    let logs = Logs::new();
    logs.trail(
        "a.json.gz",
        &[json!({}), json!({"eventName": 7}), record("1", &json!({}))],
    );
    let result = logs.run(&rule(&[]));
    assert_eq!((result.files, result.skipped_files), (1, 0));
    assert_eq!((result.not_delivered.unknown, result.alerts()), (2, 1));
}
