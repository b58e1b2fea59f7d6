//! Schedule expressions: `rate(…)`, `cron(…)` and `at(…)`, in UTC.
//!
//! `L`, `W` and `#` in cron expressions aren't supported and are refused.

use std::collections::BTreeSet;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Days searched for the next match of a cron expression: every date occurs within eight years.
const HORIZON: usize = 8 * 366;

/// A parsed expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// An interval, counted from the schedule's creation.
    Rate(SignedDuration),
    Cron(Cron),
    /// A single time.
    At(Timestamp),
}

/// The allowed values of each field of a cron expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    minutes: BTreeSet<i16>,
    hours: BTreeSet<i16>,
    /// `None` is `?`.
    days: Option<BTreeSet<i16>>,
    months: BTreeSet<i16>,
    /// 1 is Sunday; `None` is `?`.
    weekdays: Option<BTreeSet<i16>>,
    years: BTreeSet<i16>,
}

impl Expression {
    /// Parses an expression; `None` if it is invalid.
    pub(crate) fn parse(text: &str) -> Option<Expression> {
        let (kind, rest) = text.split_once('(')?;
        let inner = rest.strip_suffix(')')?;
        match kind {
            "rate" => rate(inner),
            "cron" => cron(inner).map(Expression::Cron),
            "at" => {
                let at: DateTime = inner.parse().ok()?;
                Some(Expression::At(TimeZone::UTC.to_timestamp(at).ok()?))
            }
            _ => None,
        }
    }

    /// The first due time after `now` of a schedule created at `made`.
    pub(crate) fn next(&self, made: Timestamp, now: Timestamp) -> Option<Timestamp> {
        match self {
            Expression::At(at) => (*at > now).then_some(*at),
            Expression::Rate(every) => {
                let passed = now.duration_since(made).as_secs().max(0);
                let times = passed / every.as_secs().max(1) + 1;
                let seconds = every.as_secs().checked_mul(times)?;
                made.checked_add(SignedDuration::from_secs(seconds)).ok()
            }
            Expression::Cron(cron) => cron.next(now),
        }
    }
}

fn rate(inner: &str) -> Option<Expression> {
    let (number, unit) = inner.split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let unit = match unit {
        "minute" | "minutes" => 60,
        "hour" | "hours" => 3_600,
        "day" | "days" => 86_400,
        _ => return None,
    };
    let seconds = number.checked_mul(unit)?;
    Some(Expression::Rate(SignedDuration::from_secs(seconds)))
}

fn cron(inner: &str) -> Option<Cron> {
    let fields: Vec<&str> = inner.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
        return None;
    };
    // AWS requires `?` in exactly one of the two fields.
    if (*days == "?") == (*weekdays == "?") {
        return None;
    }
    let open = |field: &str, least, most, names: &[&str]| match field {
        "?" => Some(None),
        field => values(field, least, most, names).map(Some),
    };
    Some(Cron {
        minutes: values(minutes, 0, 59, &[])?,
        hours: values(hours, 0, 23, &[])?,
        days: open(days, 1, 31, &[])?,
        months: values(months, 1, 12, &MONTHS)?,
        weekdays: open(weekdays, 1, 7, &DAYS)?,
        years: values(years, 1970, 2199, &[])?,
    })
}

/// The values of a field: lists of values, ranges and steps.
fn values(field: &str, least: i16, most: i16, names: &[&str]) -> Option<BTreeSet<i16>> {
    let one = |text: &str| -> Option<i16> {
        let named = names.iter().position(|name| *name == text);
        let value = match named {
            Some(position) => i16::try_from(position).ok()? + 1,
            None => text.parse().ok()?,
        };
        (least..=most).contains(&value).then_some(value)
    };
    let mut found = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<usize>().ok().filter(|it| *it > 0)?),
            None => (part, 1),
        };
        let (from, to) = match (range, range.split_once('-')) {
            ("*", _) => (least, most),
            (_, Some((from, to))) => (one(from)?, one(to)?),
            // `5/10` starts at 5 and ends at the field's maximum.
            (single, None) if part.contains('/') => (one(single)?, most),
            (single, None) => (one(single)?, one(single)?),
        };
        if from > to {
            return None;
        }
        found.extend((from..=to).step_by(step));
    }
    Some(found)
}

impl Cron {
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let now = TimeZone::UTC.to_datetime(now);
        let mut day = now.date();
        for _ in 0..HORIZON {
            if self.allows(day) {
                for hour in &self.hours {
                    for minute in &self.minutes {
                        let (hour, minute) =
                            (i8::try_from(*hour).ok()?, i8::try_from(*minute).ok()?);
                        let at = day.at(hour, minute, 0, 0);
                        if at > now {
                            return TimeZone::UTC.to_timestamp(at).ok();
                        }
                    }
                }
            }
            day = day.checked_add(1.day()).ok()?;
        }
        None
    }

    fn allows(&self, day: jiff::civil::Date) -> bool {
        let holds = |allowed: &Option<BTreeSet<i16>>, value: i8| {
            allowed
                .as_ref()
                .is_none_or(|allowed| allowed.contains(&i16::from(value)))
        };
        self.years.contains(&day.year())
            && self.months.contains(&i16::from(day.month()))
            && holds(&self.days, day.day())
            && holds(&self.weekdays, day.weekday().to_sunday_one_offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(expression: &str, now: &str) -> Option<String> {
        let now: Timestamp = now.parse().unwrap();
        let expression = Expression::parse(expression).unwrap();
        expression.next(now, now).map(|at| at.to_string())
    }

    #[test]
    fn expressions_give_the_next_time() {
        for (expression, now, then) in [
            (
                "cron(0 6 * * ? *)",
                "2026-11-23T12:00:00Z",
                "2026-11-24T06:00:00Z",
            ),
            (
                "cron(0 6 * * ? *)",
                "2026-11-23T05:59:59Z",
                "2026-11-23T06:00:00Z",
            ),
            (
                "cron(0 6 * * ? *)",
                "2026-11-23T06:00:00Z",
                "2026-11-24T06:00:00Z",
            ),
            (
                "cron(15,45 8-17/4 ? * MON-FRI *)",
                "2026-11-21T00:00:00Z",
                "2026-11-23T08:15:00Z",
            ),
            (
                "cron(0/20 * 29 FEB ? *)",
                "2026-11-23T12:00:00Z",
                "2028-02-29T00:00:00Z",
            ),
            (
                "rate(1 day)",
                "2026-11-23T12:00:00Z",
                "2026-11-24T12:00:00Z",
            ),
            (
                "rate(5 minutes)",
                "2026-11-23T12:00:00Z",
                "2026-11-23T12:05:00Z",
            ),
            (
                "at(2026-12-01T00:00:00)",
                "2026-11-23T12:00:00Z",
                "2026-12-01T00:00:00Z",
            ),
        ] {
            assert_eq!(next(expression, now).as_deref(), Some(then), "{expression}");
        }
        assert_eq!(
            next("at(2026-01-01T00:00:00)", "2026-11-23T12:00:00Z"),
            None
        );
        assert_eq!(next("cron(0 0 30 2 ? *)", "2026-11-23T12:00:00Z"), None);
    }

    #[test]
    fn invalid_expressions_are_refused() {
        for wrong in [
            "daily",
            "rate(0 days)",
            "rate(1 fortnight)",
            "cron(0 6 * * *)",
            "cron(0 6 * * * *)",
            "cron(0 6 ? * ? *)",
            "cron(60 6 * * ? *)",
            "cron(0 6 L * ? *)",
            "cron(0 6 5-1 * ? *)",
            "at(tomorrow)",
        ] {
            assert_eq!(Expression::parse(wrong), None, "{wrong}");
        }
    }
}
