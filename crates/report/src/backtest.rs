//! What the rules would have done over past logs, as people read it.

use backtest::Backtest;

use crate::{plural, push_line};

/// The result for a terminal: the noisiest rule first, then every file that was left out.
pub fn terminal(result: &Backtest) -> String {
    let mut rules: Vec<_> = result.rules.iter().collect();
    rules.sort_by(|(a, x), (b, y)| y.alerts.cmp(&x.alerts).then(a.cmp(b)));
    let mut text = String::new();
    for (rule, alerts) in rules {
        let when = match (&alerts.first, &alerts.last) {
            (Some(first), Some(last)) if alerts.alerts > 0 => {
                format!(
                    "  {first} to {last}, {}",
                    plural(alerts.places.len(), "place")
                )
            }
            _ => "  never fired".to_owned(),
        };
        push_line(&mut text, &format!("{:>8}  {rule}{when}", alerts.alerts));
    }
    for skipped in &result.skipped {
        push_line(
            &mut text,
            &format!(
                "warning: {} {}; its rest is left out",
                skipped.path.display(),
                skipped.reason
            ),
        );
    }
    push_line(
        &mut text,
        &format!(
            "{} read, {} left out; {}, {} of them duplicates, {} not deliverable",
            plural(result.files, "file"),
            result.skipped.len(),
            plural(result.records, "record"),
            result.duplicates,
            result.undelivered
        ),
    );
    text
}
