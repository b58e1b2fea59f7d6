//! Counts by minute. As on AWS, a minute without any has no data.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Minutes that are kept; `CloudWatch` keeps those of 15 days.
const KEPT: i64 = 15 * 24 * 60;

/// Metrics by account and Region.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    counts: BTreeMap<(String, String), BTreeMap<Counted, BTreeMap<i64, u64>>>,
}

/// A metric with its dimensions, sorted by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counted {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Vec<(String, String)>,
}

impl Counted {
    /// A metric of a rule. Rules on the default bus have no dimension for it.
    pub(crate) fn of_rule(name: &str, bus: &str, rule: &str) -> Counted {
        let bus = (bus != "default").then_some(("EventBusName", bus));
        Counted::new(
            "AWS/Events",
            name,
            bus.into_iter().chain([("RuleName", rule)]),
        )
    }

    /// A metric of a topic.
    pub(crate) fn of_topic(name: &str, topic: &str) -> Counted {
        Counted::new("AWS/SNS", name, [("TopicName", topic)])
    }

    fn new<'a>(
        namespace: &str,
        name: &str,
        dimensions: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Counted {
        let dimensions = dimensions.into_iter();
        Counted {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: dimensions
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        }
    }
}

impl Metrics {
    /// Counts one.
    pub(crate) fn count(&mut self, location: (&str, &str), metric: Counted, now: Timestamp) {
        let (account, region) = location;
        let key = (account.to_owned(), region.to_owned());
        let minutes = self
            .counts
            .entry(key)
            .or_default()
            .entry(metric)
            .or_default();
        let minute = now.as_second() / 60;
        *minutes.entry(minute).or_default() += 1;
        *minutes = minutes.split_off(&(minute - KEPT));
    }

    /// The minutes, in epoch seconds, with what was counted in them, newest first.
    pub(crate) fn between(
        &self,
        location: (&str, &str),
        metric: &Counted,
        from: f64,
        to: f64,
    ) -> Vec<(i64, u64)> {
        let (account, region) = location;
        let minutes = self
            .counts
            .get(&(account.to_owned(), region.to_owned()))
            .and_then(|metrics| metrics.get(metric));
        minutes
            .into_iter()
            .flatten()
            .rev()
            .map(|(minute, count)| (minute * 60, *count))
            .filter(|(second, _)| {
                #[expect(clippy::cast_precision_loss, reason = "seconds are below 2^53")]
                let second = *second as f64;
                second + 60.0 > from && second < to
            })
            .collect()
    }
}
