//! Decides for one record whether EventBridge delivers it, and to which rules.

use std::ops::ControlFlow;

use cloudtrail::envelope;
use cloudtrail::{Head, Withheld};
use eventbridge_pattern::{RuleSet, Scratch};
use rules::Rule;
use serde_json::Value;

use crate::run::Options;
use crate::seen::Seen;
use crate::tally::{Alerting, EventHead, Tally, principal};

/// The rules and other data shared by all workers.
#[derive(Debug)]
pub(crate) struct SharedRules<'a> {
    options: &'a Options,
    rules: Vec<Alerting<'a>>,
    /// The index of the same rule in the other revision, if two are compared.
    partners: Vec<Option<usize>>,
    compares: bool,
    all: RuleSet,
    /// The rules that receive read-only management calls; most libraries have none.
    asking: Option<RuleSet>,
    records: Seen,
    calls: Seen,
}

impl<'a> SharedRules<'a> {
    /// `before` has the rules of another revision, if two are compared; they are numbered after
    /// `rules`.
    pub(crate) fn new(
        rules: &[&'a Rule],
        before: Option<&[&'a Rule]>,
        options: &'a Options,
    ) -> Self {
        let others = before.unwrap_or_default();
        let number = |list: &[&Rule], id: &str| list.iter().position(|rule| rule.id == id);
        let partners = rules
            .iter()
            .map(|rule| Some(number(others, &rule.id)? + rules.len()))
            .chain(others.iter().map(|rule| number(rules, &rule.id)))
            .collect();
        let both: Vec<&Rule> = rules.iter().chain(others).copied().collect();
        let set = |wanted: &dyn Fn(&Rule) -> bool| {
            both.iter()
                .enumerate()
                .filter(|(_, rule)| wanted(rule))
                .fold(RuleSet::builder(), |set, (id, rule)| {
                    set.add(id, &rule.pattern)
                })
                .build()
        };
        Self {
            options,
            all: set(&|_| true),
            asking: both
                .iter()
                .any(|rule| rule.read_only)
                .then(|| set(&|rule| rule.read_only)),
            rules: both.into_iter().map(Alerting::new).collect(),
            partners,
            compares: before.is_some(),
            records: Seen::large(),
            calls: Seen::small(),
        }
    }

    pub(crate) fn rules(&self) -> usize {
        self.rules.len()
    }
}

/// The rules that EventBridge would evaluate against a record.
struct Admitted<'a> {
    set: &'a RuleSet,
    /// Whether something is deployed in the record's Region.
    is_watched: bool,
}

/// The state of one worker: a tally, and buffers that are reused for every record.
#[derive(Debug)]
pub(crate) struct Evaluator<'a> {
    shared: &'a SharedRules<'a>,
    pub(crate) tally: Tally,
    /// Records of the current file that are CloudTrail records or EventBridge events.
    pub(crate) known: u64,
    event: Vec<u8>,
    scratch: Scratch,
}

impl<'a> Evaluator<'a> {
    pub(crate) fn new(shared: &'a SharedRules<'a>) -> Self {
        Self {
            shared,
            tally: Tally::new(shared.rules()),
            known: 0,
            event: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Evaluates a record, or a whole event if the logs contain events.
    pub(crate) fn record(&mut self, head: &Head<'_>, text: &[u8]) -> ControlFlow<()> {
        self.tally.records += 1;
        if head.is_event {
            self.whole_event(text);
            return ControlFlow::Continue(());
        }
        let Ok(envelope) = head.envelope() else {
            self.tally.not_delivered.unknown += 1;
            return ControlFlow::Continue(());
        };
        let event_head = EventHead {
            id: envelope.id,
            account: envelope.account,
            region: envelope.region,
            time: envelope.time,
        };
        if let Some(admitted) = self.admitted(head, &event_head, text.len()) {
            self.event.clear();
            envelope.write(text, &mut self.event);
            self.matched(&admitted, head, &event_head, text);
        }
        ControlFlow::Continue(())
    }

    /// An archive stores whole events. They are rare, so speed doesn't matter.
    fn whole_event(&mut self, text: &[u8]) {
        let event = serde_json::from_slice::<Value>(text)
            .ok()
            .and_then(|event| envelope::of(&event).ok());
        let Some(event) = event else {
            self.tally.not_delivered.unknown += 1;
            return;
        };
        let field = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
        let detail = event
            .get("detail")
            .map(Value::to_string)
            .unwrap_or_default();
        // Events from other services have none of these flags and ids.
        let mut head = Head::default();
        if envelope::is_from_cloudtrail(field("detail-type")) {
            head = serde_json::from_str(&detail).unwrap_or_default();
        } else {
            head.event_id = Some(field("id").into());
        }
        let event_head = EventHead {
            // EventBridge's own id appears in no log.
            id: head.event_id.as_deref().unwrap_or(field("id")),
            account: field("account"),
            region: field("region"),
            time: field("time"),
        };
        if let Some(admitted) = self.admitted(&head, &event_head, detail.len()) {
            self.event.clear();
            self.event.extend_from_slice(event.to_string().as_bytes());
            self.matched(&admitted, &head, &event_head, detail.as_bytes());
        }
    }

    /// The rules to which EventBridge would deliver the record, if its Region is watched; `None` if to
    /// none in any Region.
    fn admitted(
        &mut self,
        head: &Head<'_>,
        event_head: &EventHead<'_>,
        size: usize,
    ) -> Option<Admitted<'a>> {
        self.known += 1;
        let shared = self.shared;
        let scope = &shared.options.scope;
        if !(scope.has_time(event_head.time)
            && scope.has_account(event_head.account)
            && scope.has_region(event_head.region))
        {
            self.tally.out_of_scope += 1;
            return None;
        }
        if head.event_time.is_some() {
            self.tally.happened(event_head.time);
        }
        if let Some(id) = &head.event_id
            && !shared.records.insert(&[id.as_bytes()])
        {
            self.tally.duplicates += 1;
            return None;
        }
        let asks = shared.asking.is_some();
        let Some(withheld) = Withheld::of(head, size, shared.options.data_events, asks) else {
            let set = match &shared.asking {
                Some(asking) if head.is_read_only_management() => asking,
                _ => &shared.all,
            };
            let watched = &shared.options.watched;
            let is_watched = watched
                .as_ref()
                .is_none_or(|regions| regions.contains(event_head.region));
            if !is_watched {
                self.tally.unwatched(event_head.region);
            }
            return Some(Admitted { set, is_watched });
        };
        let not_delivered = &mut self.tally.not_delivered;
        let reason = match withheld {
            Withheld::TooLarge => &mut not_delivered.too_large,
            Withheld::Insight => &mut not_delivered.insights,
            Withheld::Data => &mut not_delivered.data_events,
            Withheld::Network => &mut not_delivered.network_activity,
            Withheld::ReadOnly => &mut not_delivered.read_only,
        };
        *reason += 1;
        None
    }

    /// Matches the event against the rules and counts the alerts.
    fn matched(
        &mut self,
        admitted: &Admitted<'_>,
        head: &Head<'_>,
        event_head: &EventHead<'_>,
        record: &[u8],
    ) {
        let Ok(matches) = admitted.set.matches(&self.event, &mut self.scratch) else {
            // Nested deeper than EventBridge accepts, or not UTF-8. One of an unwatched Region is
            // counted already.
            self.tally.not_delivered.unknown += u64::from(admitted.is_watched);
            return;
        };
        if !admitted.is_watched {
            for id in matches.possible() {
                if let Some(tally) = self.tally.rules.get_mut(id) {
                    tally.missed += 1;
                }
            }
            return;
        }
        self.tally.delivered += 1;
        if matches.possible().next().is_none() {
            return;
        }
        let principal = principal(record);
        // An undecided match counts as an alert.
        for id in matches.possible() {
            let (Some(rule), Some(tally)) =
                (self.shared.rules.get(id), self.tally.rules.get_mut(id))
            else {
                continue;
            };
            let is_copy = head.shared_event_id.as_ref().is_some_and(|shared| {
                !self
                    .shared
                    .calls
                    .insert(&[&id.to_le_bytes(), shared.as_bytes()])
            });
            tally.alert(rule, event_head, &self.event, &principal, is_copy);
            tally.undecided += u64::from(matches.undecided().contains(&id));
            if self.shared.compares {
                let partner = self.shared.partners.get(id).copied().flatten();
                let both =
                    partner.is_some_and(|partner| matches.possible().any(|id| id == partner));
                tally.alone += u64::from(!both);
            }
        }
    }
}
