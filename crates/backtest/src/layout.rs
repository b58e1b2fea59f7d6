//! What a log file's path reveals before it is opened.
//!
//! A trail writes `[prefix/]AWSLogs/[o-id/]<account>/CloudTrail/<region>/YYYY/MM/DD/`
//! (<https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html>).

use std::collections::BTreeSet;

use jiff::Span;
use jiff::civil::Date;

/// Folders of a trail without records of API calls, at any depth.
const NOT_RECORDS: [&str; 2] = ["CloudTrail-Digest", "CloudTrail-Insight"];

/// File extensions of logs.
const ENDINGS: [&str; 5] = [".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson"];

/// The selected part of the logs. Empty sets and missing dates select everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The first day (UTC) of events.
    pub from: Option<Date>,
    /// The last day (UTC) of events.
    pub to: Option<Date>,
    /// Account ids; only events of these accounts.
    pub accounts: BTreeSet<String>,
    /// Region codes; only events in these Regions.
    pub regions: BTreeSet<String>,
}

/// The classification of a folder by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folder<'a> {
    /// It may contain logs in scope, at any depth.
    Open,
    /// Its account, Region or day is out of scope.
    Outside,
    /// It contains digests, Insights or another service's logs. The value is the folder that says
    /// so.
    NotRecords(&'a str),
}

impl Scope {
    /// Whether the scope selects everything.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the scope restricts days.
    pub fn has_days(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    /// Classifies a folder; the separator of `path` is `/`.
    ///
    /// ```
    /// use backtest::{Folder, Scope};
    ///
    /// let scope = Scope { regions: ["us-east-1".to_owned()].into(), ..Scope::default() };
    /// let trail = "logs/AWSLogs/o-exampleorg1/012345678901";
    /// assert_eq!(scope.folder(&format!("{trail}/CloudTrail/us-east-1/2026")), Folder::Open);
    /// assert_eq!(scope.folder(&format!("{trail}/CloudTrail/us-west-2")), Folder::Outside);
    /// assert_eq!(scope.folder(&format!("{trail}/Config")), Folder::NotRecords("Config"));
    /// ```
    pub fn folder<'a>(&self, path: &'a str) -> Folder<'a> {
        if let Some(name) = path.split('/').find(|name| NOT_RECORDS.contains(name)) {
            return Folder::NotRecords(name);
        }
        let Some((_, below)) = path.rsplit_once("AWSLogs/") else {
            return Folder::Open;
        };
        let mut steps = below.split('/').filter(|step| !step.is_empty()).peekable();
        steps.next_if(|step| step.starts_with("o-"));
        let Some(account) = steps.next_if(|step| digits(step, 12).is_some()) else {
            return Folder::Open;
        };
        if !self.has_account(account) {
            return Folder::Outside;
        }
        match steps.next() {
            None => return Folder::Open,
            Some(kind) if !kind.starts_with("CloudTrail") => return Folder::NotRecords(kind),
            Some(_) => {}
        }
        if steps.next().is_some_and(|region| !self.has_region(region)) {
            return Folder::Outside;
        }
        let year = steps.next().and_then(|step| digits(step, 4));
        let month = steps.next().and_then(|step| digits(step, 2));
        let day = steps.next().and_then(|step| digits(step, 2));
        match year.and_then(|year| days(year, month, day)) {
            Some((first, last)) if !self.may_hold(first, last) => Folder::Outside,
            _ => Folder::Open,
        }
    }

    /// Whether files written on these days may contain events in scope. Events are written on their
    /// own day or, shortly after midnight, on the next one.
    fn may_hold(&self, first: Date, last: Date) -> bool {
        let too_early = self.from.is_some_and(|from| last < from);
        let too_late = self
            .to
            .is_some_and(|to| first > to.saturating_add(Span::new().days(1)));
        !too_early && !too_late
    }

    /// Whether events of this account are in scope.
    pub fn has_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || self.accounts.contains(account)
    }

    /// Whether events in this Region are in scope.
    pub fn has_region(&self, region: &str) -> bool {
        self.regions.is_empty() || self.regions.contains(region)
    }

    /// Whether events at this time, RFC 3339 in UTC, are in scope.
    pub fn has_time(&self, time: &str) -> bool {
        if !self.has_days() {
            return true;
        }
        day_of(time).is_some_and(|day| {
            self.from.is_none_or(|from| day >= from) && self.to.is_none_or(|to| day <= to)
        })
    }
}

/// The day of an RFC 3339 time in UTC.
pub(crate) fn day_of(time: &str) -> Option<Date> {
    time.get(..10)?.parse().ok()
}

/// Whether a file name is that of a log file with records.
pub fn is_log(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// The kind of file, if a file name is that of digests or Insights, which may be next to the
/// records in a flattened folder.
pub fn is_not_records(name: &str) -> Option<&'static str> {
    NOT_RECORDS
        .into_iter()
        .find(|kind| name.contains(&format!("_{kind}_")))
}

fn digits(text: &str, count: usize) -> Option<i16> {
    let good = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| text.parse().unwrap_or(i16::MAX))
}

/// The first and last day of a year, a month or a day.
fn days(year: i16, month: Option<i16>, day: Option<i16>) -> Option<(Date, Date)> {
    let small = |number: i16| i8::try_from(number).ok();
    let month = month.and_then(small);
    let day = day.and_then(small).filter(|_| month.is_some());
    let first = Date::new(year, month.unwrap_or(1), day.unwrap_or(1)).ok()?;
    let last = match (month, day) {
        (_, Some(_)) => first,
        (Some(_), None) => first.last_of_month(),
        (None, None) => first.last_of_year(),
    };
    Some((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRAIL: &str = "s3://bucket/some/prefix/AWSLogs/o-exampleorg1/012345678901/CloudTrail";

    fn scope(from: &str, to: &str) -> Scope {
        Scope {
            from: from.parse().ok(),
            to: to.parse().ok(),
            ..Scope::default()
        }
    }

    #[test]
    fn days_prune_years_months_and_days_and_leave_the_day_after_for_late_files() {
        let scope = scope("2026-02-10", "2026-02-28");
        let open =
            |path: &str| scope.folder(&format!("{TRAIL}/eu-central-1/{path}")) == Folder::Open;
        assert!(open("2026") && open("2026/02") && open("2026/02/10") && open("2026/02/28"));
        assert!(open("2026/03") && open("2026/03/01"));
        assert!(!open("2025") && !open("2027") && !open("2026/01") && !open("2026/04"));
        assert!(!open("2026/02/09") && !open("2026/03/02"));
        assert!(scope.has_time("2026-02-28T23:59:59Z") && !scope.has_time("2026-03-01T00:00:00Z"));
        assert!(!scope.has_time("yesterday"));
    }

    #[test]
    fn accounts_and_regions_prune_in_trails_with_and_without_an_organization() {
        let scope = Scope {
            accounts: ["012345678901".to_owned()].into(),
            regions: ["us-east-1".to_owned()].into(),
            ..Scope::default()
        };
        assert_eq!(
            scope.folder("AWSLogs/012345678901/CloudTrail/us-east-1"),
            Folder::Open
        );
        assert_eq!(scope.folder("AWSLogs/111122223333"), Folder::Outside);
        assert_eq!(
            scope.folder("AWSLogs/o-exampleorg1/111122223333/CloudTrail"),
            Folder::Outside
        );
        assert_eq!(
            scope.folder(&format!("{TRAIL}/us-east-1/2026/11/23")),
            Folder::Open
        );
        assert_eq!(
            scope.folder(&format!("{TRAIL}/us-west-2/2026/11/23")),
            Folder::Outside
        );
        assert_eq!(scope.folder("AWSLogs/o-exampleorg1"), Folder::Open);
        assert_eq!(scope.folder("somewhere/else"), Folder::Open);
    }

    #[test]
    fn digests_insights_and_other_services_hold_no_records() {
        let scope = Scope::default();
        for kind in ["CloudTrail-Digest", "CloudTrail-Insight", "Config"] {
            let path = format!("AWSLogs/012345678901/{kind}/us-east-1/2026");
            assert_eq!(scope.folder(&path), Folder::NotRecords(kind));
        }
        assert_eq!(
            scope.folder("logs/CloudTrail-Digest"),
            Folder::NotRecords("CloudTrail-Digest")
        );
        assert_eq!(
            is_not_records("012345678901_CloudTrail-Digest_us-east-1_x.json.gz"),
            Some("CloudTrail-Digest")
        );
        assert!(is_log(
            "012345678901_CloudTrail_us-east-1_20261123T0000Z_x.json.gz"
        ));
    }
}
