//! When snapshots are taken regularly: every so often, or at the times of a Quartz cron expression.
//!
//! Upstream: `SnapshotUtils.shouldTriggerAutomaticSnapshot`, with Log4j's copy of Quartz' `CronExpression`.

pub mod cron;

use std::str::FromStr;
use std::time::Duration;

use flink_conf::duration;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use thiserror::Error;

pub use cron::{Cron, CronError};

/// The value of `kubernetes.operator.periodic.savepoint.interval` or `kubernetes.operator.periodic.checkpoint.interval`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Never: no text, or a duration of zero.
    Off,
    /// So long after the last one.
    Every(Duration),
    /// At the times of a cron expression.
    Cron(Cron),
}

/// A text that is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("'{text}' is neither {} nor a Quartz cron expression ({reason})", duration::ACCEPTED)]
pub struct ScheduleError {
    /// The text as it was written.
    pub text: String,
    /// Why it is no cron expression.
    pub reason: CronError,
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// Reads a Flink duration, in which a number alone is milliseconds, or a cron expression.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        if text.trim().is_empty() {
            return Ok(Self::Off);
        }
        match duration::parse(text) {
            Some(Duration::ZERO) => Ok(Self::Off),
            Some(interval) => Ok(Self::Every(interval)),
            None => {
                text.parse().map(Self::Cron).map_err(|reason| ScheduleError { text: text.to_owned(), reason })
            }
        }
    }
}

impl Schedule {
    /// When the next snapshot is due after the `last` one; `None`: never. Times that were missed are one: what is due
    /// is in the past then. `zone` is the operator's; only cron expressions depend on it.
    #[must_use]
    pub fn due(&self, last: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Off => None,
            Self::Every(interval) => last.checked_add(*interval).ok(),
            Self::Cron(cron) => cron.next_after(last, zone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(text: &str) -> Schedule {
        text.parse().unwrap()
    }

    #[test]
    fn durations_are_flink_s() {
        for (text, millis) in [("10 min", 600_000), ("1500", 1_500), (" 1d ", 86_400_000), ("1 ms", 1)] {
            assert_eq!(schedule(text), Schedule::Every(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "  ", "0", "0 ms", "0s"] {
            assert_eq!(schedule(text), Schedule::Off, "'{text}'");
        }
    }

    #[test]
    fn an_interval_begins_at_the_last_one() {
        let last: Timestamp = "2026-11-21T10:17:23.5Z".parse().unwrap();
        let due = |text: &str| schedule(text).due(last, &TimeZone::UTC).map(|due| due.to_string());
        assert_eq!(due("10 min").as_deref(), Some("2026-11-21T10:27:23.5Z"));
        assert_eq!(due("0"), None);
        assert_eq!(due("100000000 d"), None, "after the end of all calendars");
        assert_eq!(schedule("1").due(Timestamp::MAX, &TimeZone::UTC), None);
    }

    #[test]
    fn a_cron_expression_is_read_in_the_operator_s_zone() {
        let last: Timestamp = "2026-11-21T10:17:23.5Z".parse().unwrap();
        let due = |zone: &TimeZone| schedule("0 0 12 * * ?").due(last, zone).map(|due| due.to_string());
        assert_eq!(due(&TimeZone::UTC).as_deref(), Some("2026-11-21T12:00:00Z"));
        assert_eq!(due(&TimeZone::posix("CET-1").unwrap()).as_deref(), Some("2026-11-21T11:00:00Z"));
    }

    #[test]
    fn what_is_neither_is_refused_with_what_is_allowed() {
        let error = "0 0 25 * * ?".parse::<Schedule>().unwrap_err();
        assert_eq!(error.text, "0 0 25 * * ?");
        let message = error.to_string();
        let parts = [
            "'0 0 25 * * ?' is neither a duration: a whole number and one of d, h",
            "nor a Quartz cron expression ('25' is no hour: it is 0 to 23, a range (9-17)",
        ];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        for text in ["PT1H", "1.5 h", "-1", "never", "0 */5 * * *", "@daily"] {
            assert!(text.parse::<Schedule>().is_err(), "{text}");
        }
    }
}
