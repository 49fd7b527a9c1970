//! Quartz cron expressions: seconds, minutes, hours, day of month, month, day of week, and optionally year.
//!
//! Upstream: Quartz' `CronExpression`, which ignores some garbage (`5x` is `5`). Here only what its documentation
//! allows is accepted. What an expression means is compared with Quartz in `tests/cron.rs`.

mod days;
mod field;

use std::iter;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use thiserror::Error;

use days::Days;
use field::{HOURS, MINUTES, MONTH, Numbers, Range, SECONDS, YEAR};

/// A search ends after so many years, as in Quartz: no calendar has surprises beyond them.
const HORIZON: i16 = 100;

/// A Quartz cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    seconds: Numbers,
    minutes: Numbers,
    hours: Numbers,
    days: Days,
    months: Numbers,
    years: Vec<Range>,
}

/// What is wrong with a cron expression.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CronError {
    /// Too many fields, or too few.
    #[error(
        "it has {0} fields instead of six or seven: second, minute, hour, day of month, month, day of week, and the year \
         if wanted"
    )]
    Fields(usize),
    /// A field holds what it cannot hold.
    #[error("'{item}' is no {field}: it is {allowed}")]
    Value {
        /// What is wrong: the field, or its part between commas.
        item: String,
        /// Name of the field.
        field: &'static str,
        /// What the field may hold.
        allowed: &'static str,
    },
    /// Both day fields are `?`.
    #[error("? cannot stand for both day of month and day of week")]
    NoDay,
    /// Neither day field is `?`.
    #[error("one of day of month and day of week must be ?")]
    TwoDays,
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(expression: &str) -> Result<Self, CronError> {
        let expression = expression.to_ascii_uppercase();
        let fields: Vec<&str> = expression.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
        let (seconds, minutes, hours, day_of_month, month, day_of_week, year) = match fields[..] {
            [s, m, h, dom, mon, dow] => (s, m, h, dom, mon, dow, "*"),
            [s, m, h, dom, mon, dow, year] => (s, m, h, dom, mon, dow, year),
            _ => return Err(CronError::Fields(fields.len())),
        };
        Ok(Self {
            seconds: SECONDS.numbers(seconds)?,
            minutes: MINUTES.numbers(minutes)?,
            hours: HOURS.numbers(hours)?,
            months: MONTH.numbers(month)?,
            years: YEAR.ascending_ranges(year)?,
            days: Days::parse(day_of_month, day_of_week)?,
        })
    }
}

impl Cron {
    /// The first time after `last`, a whole second; `None` if there is none within a hundred years.
    ///
    /// When clocks are set forward, what would have been in between is left out. When they are set back, the hour
    /// that comes twice counts the second time.
    #[must_use]
    pub fn next_after(&self, last: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = first_second_after(last, zone)?;
        let horizon = start.year().saturating_add(HORIZON);
        start
            .date()
            .first_of_month()
            .series(1.month())
            .take_while(|month| month.year() <= horizon)
            .filter(|month| self.has_month(*month))
            .flat_map(|month| month.series(1.day()).take_while(move |day| day.month() == month.month()))
            .filter(|day| *day >= start.date() && self.days.contain(*day))
            .find_map(|day| {
                let from = if day == start.date() { start.time() } else { Time::midnight() };
                self.first_on(day, from, zone)
            })
    }

    fn has_month(&self, month: Date) -> bool {
        self.months.contains(month.month()) && self.years.iter().any(|years| years.contains(month.year()))
    }

    /// The first time on that day, from that time of day on, that clocks in the zone show.
    fn first_on(&self, day: Date, from: Time, zone: &TimeZone) -> Option<Timestamp> {
        let after = |time: &Time| self.time_of_day(time.checked_add(1.second()).ok()?);
        iter::successors(self.time_of_day(from), after).find_map(|time| moment(day.to_datetime(time), zone))
    }

    /// The first time of day that is not before `from`.
    fn time_of_day(&self, from: Time) -> Option<Time> {
        let time = |hour, minute, second| Time::new(hour, minute, second, 0).ok();
        if self.hours.contains(from.hour()) {
            if self.minutes.contains(from.minute())
                && let Some(second) = self.seconds.at_least(from.second())
            {
                return time(from.hour(), from.minute(), second);
            }
            if let Some(minute) = self.minutes.at_least(from.minute() + 1) {
                return time(from.hour(), minute, self.seconds.first()?);
            }
        }
        time(self.hours.at_least(from.hour() + 1)?, self.minutes.first()?, self.seconds.first()?)
    }
}

/// What clocks show at the first whole second after `last` that they do not show once more later.
fn first_second_after(last: Timestamp, zone: &TimeZone) -> Option<DateTime> {
    let next = last.checked_add(1.second()).ok()?;
    let shown = zone.to_datetime(next).with().subsec_nanosecond(0).build().ok()?;
    if moment(shown, zone).is_some_and(|again| again > next) {
        zone.following(next).next().map(|set_back| zone.to_datetime(set_back.timestamp()))
    } else {
        Some(shown)
    }
}

/// When clocks show this, the second time if they do twice; `None` if they never do.
fn moment(shown: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    match zone.to_ambiguous_timestamp(shown).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { after: offset, .. } => {
            offset.to_timestamp(shown).ok()
        }
        AmbiguousOffset::Gap { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str) -> Result<(), CronError> {
        expression.parse::<Cron>().map(|_| ())
    }

    #[test]
    fn accepted() {
        for expression in [
            "0 0 12 * * ?",
            "0 15 10 ? * *",
            "0 15 10 * * ? *",
            "0 15 10 * * ? 2030",
            "0 15 10 * * ? 2030-2030",
            "0 0/5 14,18 * * ?",
            "0 0-5 14 * * ?",
            "0 10,44 14 ? 3 WED",
            "0 15 10 ? * MON-FRI",
            "0 15 10 ? JAN,DEC SUN,SAT",
            "0 15 10 ? * monday-friday",
            "0 15 10 L * ?",
            "0 15 10 L-2 * ?",
            "0 15 10 LW * ?",
            "0 15 10 L-3W * ?",
            "0 15 10 15W * ?",
            "0 15 10 ? * 6L 2022-2025",
            "0 15 10 ? * FRIL",
            "0 15 10 ? * L",
            "0 15 10 ? * 6#3",
            "0 15 10 ? * FRI#3",
            "0 0 12 1/5 * ?",
            "0 11 11 11 11 ?",
            "*/10 * * * * ?",
            "/10 * * * * ?",
            "*/0 * * * * ?",
            "0 0 22-2 ? NOV-FEB FRI-MON",
            "0 0 0-23/90 * * ?",
            "\t0  0 12 \t* * ? ",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn refused() {
        for expression in [
            "",
            "0 0 12 * *",
            "0 0 12 * * ? * *",
            "* * * * * *",
            "0 0 12 ? * ?",
            "60 0 12 * * ?",
            "0 60 12 * * ?",
            "0 0 24 * * ?",
            "0 0 12 32 * ?",
            "0 0 12 0 * ?",
            "0 0 12 ? 13 1",
            "0 0 12 ? 0 1",
            "0 0 12 ? * 0",
            "0 0 12 ? * 8",
            "0 0 12 ? FOO *",
            "0 0 12 ? * MO",
            "? 0 12 * * ?",
            "0 0 12 L,3 * ?",
            "0 0 12 L-31 * ?",
            "0 0 12 32W * ?",
            "0 0 12 ? * 0L",
            "0 0 12 ? * 6L,2",
            "0 0 12 ? * 6#6",
            "0 0 12 ? * 6#3,2",
            "0 0 12 ? * 6#",
            "*/60 * * * * ?",
            "0 */24 25/1 * * ?",
            "0 0/ 12 * * ?",
            "0 5- 12 * * ?",
            "0 5x 12 * * ?",
            "0 1,,2 12 * * ?",
            "0 0 W * * ?",
            "0 0 12 * * ? 2030-2020",
            "0 0 12 * * ? x",
            "0 -5 12 * * ?",
            "0 +5 12 * * ?",
            "0 99999999999 12 * * ?",
        ] {
            assert!(check(expression).is_err(), "{expression}");
        }
    }

    #[test]
    fn the_day_is_given_in_one_way() {
        for (expression, error, reason) in [
            ("0 0 12 ? * ?", CronError::NoDay, "? cannot stand for both day of month and day of week"),
            ("0 0 12 1 * 1", CronError::TwoDays, "one of day of month and day of week must be ?"),
        ] {
            assert_eq!(error.to_string(), reason);
            assert_eq!(check(expression), Err(error));
        }
    }

    #[test]
    fn the_search_ends() {
        let last: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let next =
            |expression: &str, last| expression.parse::<Cron>().unwrap().next_after(last, &TimeZone::UTC);
        for never in
            ["0 0 0 30 2 ?", "0 0 0 29 2 ? 2027", "* * * * * ? 2025", "0 0 0 1 1 ? 2127", "0 0 0 L-30W 2 ?"]
        {
            assert_eq!(next(never, last), None, "{never}");
        }
        assert_eq!(
            next("0 0 0 1 1 ? 2126", last).map(|time| time.to_string()).as_deref(),
            Some("2126-01-01T00:00:00Z")
        );
        assert_eq!(next("* * * * * ?", Timestamp::MAX), None);
    }

    #[test]
    fn times_before_1970_have_whole_seconds_as_well() {
        let next = |last: &str| {
            let expression = "* * * * * ? *".parse::<Cron>().unwrap();
            expression.next_after(last.parse().unwrap(), &TimeZone::UTC)
        };
        assert_eq!(next("1969-12-31T23:59:59.5Z"), Some(Timestamp::UNIX_EPOCH));
        assert_eq!(next("1950-01-01T00:00:00.5Z"), Some(Timestamp::UNIX_EPOCH));
    }
}
