//! Two revisions of the rules over the same logs.

use backtest::{Difference, Options, Watch};
use serde_json::json;

use crate::corpus::{Logs, record, rule};

#[test]
fn comparisons_count_added_and_removed_alerts() {
    let logs = Logs::new();
    let named = |id: &str, name: &str| record(id, &json!({"eventName": name}));
    logs.trail(
        "a.json.gz",
        &[
            named("1", "StopLogging"),
            named("2", "DeleteTrail"),
            named("3", "DeleteTrail"),
            named("4", "UpdateTrail"),
        ],
    );
    let other = |id: &str| rule(&[("id: trail-stopped", &format!("id: {id}"))]);
    let mut before = rule(&[("[StopLogging]", "[StopLogging, UpdateTrail]")]);
    before.extend(other("gone"));
    before.extend(other("same"));
    let mut after = rule(&[
        ("[StopLogging]", "[UpdateTrail, DeleteTrail]"),
        ("eventName: StopLogging", "eventName: DeleteTrail"),
    ]);
    after.extend(other("new"));
    // A changed title is not a changed alert.
    after.extend(rule(&[
        ("id: trail-stopped", "id: same"),
        ("title: A trail", "title: The trail"),
    ]));

    let (result, comparison) = backtest::compare(
        &before,
        &after,
        &logs.sources(),
        &Options::default(),
        &Watch::default(),
    )
    .unwrap();
    assert_eq!(result, logs.run(&after));
    let difference = |before, after, added, removed| Difference {
        before,
        after,
        added,
        removed,
    };
    assert_eq!(
        comparison.rules,
        [
            ("gone".to_owned(), difference(Some(1), None, 0, 1)),
            ("new".to_owned(), difference(None, Some(1), 1, 0)),
            (
                "trail-stopped".to_owned(),
                difference(Some(2), Some(3), 2, 1)
            ),
        ]
        .into()
    );
    assert_eq!((comparison.alerts_before, comparison.alerts_after), (4, 5));
    assert_eq!((comparison.added(), comparison.removed()), (3, 2));
}
