//! Counters of a run. Every worker has its own tally; they are merged at the end.

use std::collections::{BTreeMap, BTreeSet};

use eventbridge_pattern::transformer::{InputTransformer, Reserved};
use jiff::civil::Date;
use rules::Rule;
use serde::Deserialize;
use serde_json::Value;

use crate::counts::Counts;
use crate::layout::day_of;
use crate::result::{
    Backtest, BudgetUse, MAX_SKIPPED, NotDelivered, Principal, RuleAlerts, SAMPLES, Sample,
    Skipped, TOP_PRINCIPALS,
};

/// Longest sample, in bytes.
const MAX_SAMPLE: usize = 8 << 10;

/// The counters of one worker.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) files: u64,
    pub(crate) records: u64,
    pub(crate) out_of_scope: u64,
    pub(crate) duplicates: u64,
    pub(crate) not_delivered: NotDelivered,
    unwatched_regions: Counts<100>,
    pub(crate) delivered: u64,
    pub(crate) skipped_files: u64,
    skipped: BTreeSet<Skipped>,
    pub(crate) not_records: BTreeMap<String, u64>,
    times: Times,
    pub(crate) rules: Vec<RuleTally>,
}

/// One worker's counters for one rule.
#[derive(Debug, Default)]
pub(crate) struct RuleTally {
    pub(crate) alerts: u64,
    /// Alerts for records on which the rule's other revision doesn't alert.
    pub(crate) alone: u64,
    /// Matching records of unwatched Regions.
    pub(crate) missed: u64,
    /// Alerts for records on which the engine gave up.
    pub(crate) undecided: u64,
    copies: u64,
    times: Times,
    days: BTreeMap<Date, u64>,
    undated: u64,
    places: Counts<10_000>,
    principals: Counts<1000>,
    samples: BTreeSet<Sample>,
}

/// The first and last time; RFC 3339 in UTC sorts as text.
#[derive(Debug, Default)]
struct Times {
    first: Option<String>,
    last: Option<String>,
}

/// Time, account and Region of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventHead<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) time: &'a str,
}

impl Times {
    fn extend(&mut self, time: &str) {
        if self.first.as_deref().is_none_or(|first| time < first) {
            self.first = Some(time.to_owned());
        }
        if self.last.as_deref().is_none_or(|last| time > last) {
            self.last = Some(time.to_owned());
        }
    }

    fn merge(&mut self, other: &Self) {
        for time in [&other.first, &other.last].into_iter().flatten() {
            self.extend(time);
        }
    }

    /// Number of days from first to last, inclusive.
    fn days(&self) -> u64 {
        let day = |time: &Option<String>| day_of(time.as_deref()?);
        match (day(&self.first), day(&self.last)) {
            (Some(first), Some(last)) => {
                u64::try_from((last - first).get_days()).unwrap_or_default() + 1
            }
            _ => 0,
        }
    }
}

impl Tally {
    pub(crate) fn new(rules: usize) -> Self {
        Self {
            rules: (0..rules).map(|_| RuleTally::default()).collect(),
            ..Self::default()
        }
    }

    /// Notes the time of a record in scope.
    pub(crate) fn happened(&mut self, time: &str) {
        self.times.extend(time);
    }

    /// Counts a record of a Region that isn't watched.
    pub(crate) fn unwatched(&mut self, region: &str) {
        self.not_delivered.unwatched += 1;
        self.unwatched_regions.add(region, 1);
    }

    pub(crate) fn skip(&mut self, skipped: Skipped) {
        self.skipped_files += 1;
        self.keep(skipped);
    }

    fn keep(&mut self, skipped: Skipped) {
        self.skipped.insert(skipped);
        if self.skipped.len() > MAX_SKIPPED {
            self.skipped.pop_last();
        }
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.files += other.files;
        self.records += other.records;
        self.out_of_scope += other.out_of_scope;
        self.duplicates += other.duplicates;
        let (all, more) = (&mut self.not_delivered, other.not_delivered);
        all.read_only += more.read_only;
        all.data_events += more.data_events;
        all.network_activity += more.network_activity;
        all.insights += more.insights;
        all.too_large += more.too_large;
        all.unwatched += more.unwatched;
        all.unknown += more.unknown;
        self.unwatched_regions.merge(other.unwatched_regions);
        self.delivered += other.delivered;
        self.skipped_files += other.skipped_files;
        for skipped in other.skipped {
            self.keep(skipped);
        }
        for (name, count) in other.not_records {
            *self.not_records.entry(name).or_default() += count;
        }
        self.times.merge(&other.times);
        for (rule, more) in self.rules.iter_mut().zip(other.rules) {
            rule.merge(more);
        }
    }

    /// The result for `rules`, which are the first rules of the tally.
    pub(crate) fn result(self, rules: &[&Rule]) -> Backtest {
        Backtest {
            files: self.files,
            bytes: 0,
            bytes_unpacked: 0,
            records: self.records,
            out_of_scope: self.out_of_scope,
            duplicates: self.duplicates,
            not_delivered: self.not_delivered,
            unwatched_regions: self.unwatched_regions.named(),
            delivered: self.delivered,
            days: self.times.days(),
            first: self.times.first,
            last: self.times.last,
            skipped_files: self.skipped_files,
            skipped: self.skipped.into_iter().collect(),
            not_records: self.not_records,
            rules: rules
                .iter()
                .zip(self.rules)
                .map(|(rule, tally)| (rule.id.clone(), tally.result(rule)))
                .collect(),
        }
    }
}

impl RuleTally {
    /// Counts an alert. `is_copy` means that another alert of the rule reported the same call.
    pub(crate) fn alert(
        &mut self,
        rule: &Alerting<'_>,
        event_head: &EventHead<'_>,
        event: &[u8],
        principal: &str,
        is_copy: bool,
    ) {
        self.alerts += 1;
        self.copies += u64::from(is_copy);
        self.times.extend(event_head.time);
        match day_of(event_head.time) {
            Some(day) => *self.days.entry(day).or_default() += 1,
            None => self.undated += 1,
        }
        let place = format!("{}/{}", event_head.account, event_head.region);
        self.places.add(&place, 1);
        self.principals.add(principal, 1);
        self.sample(rule, event_head, event, place);
    }

    /// Keeps the alert if it is among the earliest, independent of the order of files.
    fn sample(
        &mut self,
        rule: &Alerting<'_>,
        event_head: &EventHead<'_>,
        event: &[u8],
        place: String,
    ) {
        let is_earlier = |last: &Sample| {
            (event_head.time, event_head.id) < (last.time.as_str(), last.event_id.as_str())
        };
        if self.samples.len() < SAMPLES || self.samples.last().is_some_and(is_earlier) {
            self.samples.insert(Sample {
                time: event_head.time.to_owned(),
                event_id: event_head.id.to_owned(),
                place,
                message: rule.message(event),
            });
            if self.samples.len() > SAMPLES {
                self.samples.pop_last();
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.alerts += other.alerts;
        self.alone += other.alone;
        self.missed += other.missed;
        self.undecided += other.undecided;
        self.copies += other.copies;
        self.times.merge(&other.times);
        for (day, count) in other.days {
            *self.days.entry(day).or_default() += count;
        }
        self.undated += other.undated;
        self.places.merge(other.places);
        self.principals.merge(other.principals);
        self.samples.extend(other.samples);
        while self.samples.len() > SAMPLES {
            self.samples.pop_last();
        }
    }

    fn result(self, rule: &Rule) -> RuleAlerts {
        let mut days: BTreeMap<String, u64> = self
            .days
            .iter()
            .map(|(day, alerts)| (day.to_string(), *alerts))
            .collect();
        if self.undated > 0 {
            days.insert("unknown".to_owned(), self.undated);
        }
        let places = self.places.named();
        let mut principals = self.principals.ranked();
        let others = principals.split_off(TOP_PRINCIPALS.min(principals.len()));
        RuleAlerts {
            severity: rule.severity.to_string(),
            alerts: self.alerts,
            undecided: self.undecided,
            copies: self.copies,
            missed: self.missed,
            first: self.times.first,
            last: self.times.last,
            places,
            principals: principals
                .into_iter()
                .map(|(principal, alerts)| Principal { principal, alerts })
                .collect(),
            other_principals: self.principals.others
                + others.iter().map(|(_, alerts)| alerts).sum::<u64>(),
            samples: self.samples.into_iter().collect(),
            budget: rule.budget.map(|budget| {
                let most = budget.max_alerts_per_day;
                BudgetUse {
                    max_alerts_per_day: most,
                    days_over: days.values().filter(|alerts| **alerts > most).count() as u64,
                }
            }),
            days,
            is_about_cloudtrail: rule
                .pattern
                .exact_values("detail-type")
                .is_none_or(|types| {
                    types
                        .iter()
                        .any(|it| cloudtrail::envelope::is_from_cloudtrail(it))
                }),
        }
    }
}

/// A rule with its compiled message.
#[derive(Debug)]
pub(crate) struct Alerting<'a> {
    pub(crate) rule: &'a Rule,
    transformer: Option<InputTransformer>,
}

impl<'a> Alerting<'a> {
    pub(crate) fn new(rule: &'a Rule) -> Self {
        let message = rule.message.as_ref();
        Self {
            rule,
            transformer: message.and_then(|message| message.transformer().ok()),
        }
    }

    fn message(&self, event: &[u8]) -> Option<String> {
        let transformer = self.transformer.as_ref()?;
        let reserved = Reserved {
            rule_name: self.rule.id.clone(),
            ..Reserved::default()
        };
        let mut text = match transformer.render(std::str::from_utf8(event).ok()?, &reserved) {
            Ok(text) => text,
            Err(error) => format!("not delivered: {error}"),
        };
        if text.len() > MAX_SAMPLE {
            text.truncate(text.floor_char_boundary(MAX_SAMPLE));
            text.push('…');
        }
        Some(text)
    }
}

#[derive(Deserialize)]
struct Caller {
    #[serde(rename = "userIdentity")]
    identity: Option<Value>,
}

/// The caller: the role behind a session, else the identity's ARN, else whatever identifies it.
pub(crate) fn principal(record: &[u8]) -> String {
    let identity = serde_json::from_slice::<Caller>(record)
        .ok()
        .and_then(|caller| caller.identity)
        .unwrap_or_default();
    [
        "/sessionContext/sessionIssuer/arn",
        "/arn",
        "/userName",
        "/invokedBy",
        "/principalId",
        "/type",
    ]
    .into_iter()
    .find_map(|pointer| identity.pointer(pointer)?.as_str())
    .unwrap_or("unknown")
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::principal;

    #[test]
    fn a_session_counts_for_its_role() {
        let of = |identity: &str| principal(format!("{{\"userIdentity\":{identity}}}").as_bytes());
        assert_eq!(
            of(
                r#"{"arn":"arn:aws:sts::1:assumed-role/r/s","sessionContext":{"sessionIssuer":{"arn":"arn:aws:iam::1:role/r"}}}"#
            ),
            "arn:aws:iam::1:role/r"
        );
        assert_eq!(
            of(r#"{"arn":"arn:aws:iam::1:user/u","sessionContext":{"sessionIssuer":{}}}"#),
            "arn:aws:iam::1:user/u"
        );
        assert_eq!(
            of(r#"{"type":"AWSService","invokedBy":"x.amazonaws.com"}"#),
            "x.amazonaws.com"
        );
        assert_eq!(of("null"), "unknown");
        assert_eq!(principal(b"{}"), "unknown");
    }
}
