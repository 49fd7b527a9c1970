//! The two day fields of a cron expression, one of which is `?`.

use jiff::civil::{Date, Weekday};

use super::CronError;
use super::field::{DAY_OF_MONTH, DAY_OF_WEEK, Numbers, number};

/// The days that a cron expression stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Days {
    /// `1,15`, and working days next to one: `15W`.
    OfMonth { days: Numbers, next_to: Numbers },
    /// `L`, `L-3`: so many days before the last one of the month; with `W` the working day next to it.
    BeforeLast { days: i8, working: bool },
    /// `MON-FRI`; Sunday is 1.
    OfWeek(Numbers),
    /// `6L`: the last one of the month.
    LastOfWeek(i8),
    /// `6#3`: the third one of the month.
    NthOfWeek { day: i8, nth: i8 },
}

impl Days {
    pub(super) fn parse(day_of_month: &str, day_of_week: &str) -> Result<Self, CronError> {
        match (day_of_month, day_of_week) {
            ("?", "?") => Err(CronError::NoDay),
            ("?", list) => Self::of_week(list),
            (list, "?") => Self::of_month(list),
            _ => Err(CronError::TwoDays),
        }
    }

    /// What is counted from the last day cannot be in a list.
    fn of_month(list: &str) -> Result<Self, CronError> {
        let refused = || DAY_OF_MONTH.refused(list);
        if let Some(rest) = list.strip_prefix('L') {
            let (rest, working) = match rest.strip_suffix('W') {
                Some(rest) => (rest, true),
                None => (rest, false),
            };
            let days = match rest.strip_prefix('-') {
                Some(days) => {
                    number(days).and_then(|days| i8::try_from(days).ok()).filter(|days| *days <= 30)
                }
                None => rest.is_empty().then_some(0),
            };
            return days.map(|days| Self::BeforeLast { days, working }).ok_or_else(refused);
        }
        let (next_to, days): (Vec<&str>, Vec<&str>) = list.split(',').partition(|item| item.ends_with('W'));
        let next_to = next_to.into_iter().map(|item| {
            item.strip_suffix('W')
                .and_then(|day| DAY_OF_MONTH.value(day))
                .ok_or_else(|| DAY_OF_MONTH.refused(item))
        });
        let next_to = next_to.collect::<Result<Numbers, CronError>>()?;
        let days =
            if days.is_empty() { Numbers::default() } else { DAY_OF_MONTH.numbers(&days.join(","))? };
        Ok(Self::OfMonth { days, next_to })
    }

    /// Last and nth days cannot be in a list. `L` alone is Saturday.
    fn of_week(list: &str) -> Result<Self, CronError> {
        let refused = || DAY_OF_WEEK.refused(list);
        let day = |text| DAY_OF_WEEK.value(text).and_then(|day| i8::try_from(day).ok()).ok_or_else(refused);
        if list == "L" {
            return DAY_OF_WEEK.numbers("SAT").map(Self::OfWeek);
        }
        if let Some(text) = list.strip_suffix('L') {
            return day(text).map(Self::LastOfWeek);
        }
        if let Some((text, nth)) = list.split_once('#') {
            let nth = number(nth).and_then(|nth| i8::try_from(nth).ok()).filter(|nth| (1..=5).contains(nth));
            return Ok(Self::NthOfWeek { day: day(text)?, nth: nth.ok_or_else(refused)? });
        }
        DAY_OF_WEEK.numbers(list).map(Self::OfWeek)
    }

    pub(super) fn contain(&self, date: Date) -> bool {
        let day_of_week = date.weekday().to_sunday_one_offset();
        match self {
            Self::OfMonth { days, next_to } => {
                days.contains(date.day())
                    || next_to.iter().any(|day| working_day(with_day(date, day)) == Some(date))
            }
            Self::BeforeLast { days, working } => {
                let meant = with_day(date, date.days_in_month() - days);
                (if *working { working_day(meant) } else { meant }) == Some(date)
            }
            Self::OfWeek(days) => days.contains(day_of_week),
            Self::LastOfWeek(day) => day_of_week == *day && date.day() + 7 > date.days_in_month(),
            Self::NthOfWeek { day, nth } => day_of_week == *day && (date.day() + 6) / 7 == *nth,
        }
    }
}

/// That day in the month of `date`, if it has one.
fn with_day(date: Date, day: i8) -> Option<Date> {
    date.with().day(day).build().ok()
}

/// The day from Monday to Friday that is next to `date` in the same month.
fn working_day(date: Option<Date>) -> Option<Date> {
    let date = date?;
    let day = match date.weekday() {
        Weekday::Saturday if date.day() == 1 => 3,
        Weekday::Saturday => date.day() - 1,
        Weekday::Sunday if date.day() == date.days_in_month() => date.day() - 2,
        Weekday::Sunday => date.day() + 1,
        _ => date.day(),
    };
    with_day(date, day)
}
