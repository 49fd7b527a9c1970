//! Times in which the autoscaler does not act.
//!
//! Upstream: `CalendarUtils` of the autoscaler, with Quartz' `DailyCalendar` and `CronExpression`.

use crate::schedule::Cron;

/// Checks one entry: a daily range, a cron expression, or one of each joined by `&&`. The error says what is wrong.
pub(super) fn check(entry: &str) -> Result<(), String> {
    let parts: Vec<&str> = entry.split("&&").map(str::trim).collect();
    if parts.len() > 2 {
        return Err("at most two expressions can be joined by &&".to_owned());
    }
    let mut daily = 0;
    for part in &parts {
        if is_daily(part) {
            daily += 1;
        } else if let Err(reason) = part.parse::<Cron>() {
            return Err(format!("'{part}' is neither a daily range nor a Quartz cron expression ({reason})"));
        }
    }
    if parts.len() == 2 && daily != 1 {
        return Err("&& joins one daily range with one cron expression, not two of a kind".to_owned());
    }
    Ok(())
}

/// `from-to` within one day, each `H:mm`, `H:mm:ss` or `H:mm:ss:SSS`.
fn is_daily(text: &str) -> bool {
    let mut ends = text.split('-').map(time_of_day);
    match (ends.next(), ends.next(), ends.next()) {
        (Some(Some(from)), Some(Some(to)), None) => from < to,
        _ => false,
    }
}

/// Hours, minutes, seconds, milliseconds.
fn time_of_day(text: &str) -> Option<[u16; 4]> {
    let mut time = [0; 4];
    let fields: Vec<&str> = text.split(':').collect();
    if !(2..=4).contains(&fields.len()) {
        return None;
    }
    for ((field, most), slot) in fields.iter().zip([23, 59, 59, 999]).zip(&mut time) {
        let digits = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
        *slot = field.parse().ok().filter(|value| digits && *value <= most)?;
    }
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted() {
        for entry in [
            "9:00-17:30",
            "09:00:00-17:30:15:500",
            "0:00-23:59:59:999",
            "* * 9-11 ? * MON-FRI",
            "9:00-17:30 && * * * ? * 2-6",
            " * * * ? * 2-6 && 9:00-17:30 ",
        ] {
            assert_eq!(check(entry), Ok(()), "{entry}");
        }
    }

    #[test]
    fn refused() {
        for (entry, reason) in [
            ("", "neither"),
            ("&&", "neither"),
            ("9:00-", "neither"),
            ("17:30-9:00", "neither"),
            ("9:00-9:00", "neither"),
            ("9-17", "neither"),
            ("24:00-25:00", "neither"),
            ("9:60-10:00", "neither"),
            ("9:00 - 10:00", "neither"),
            ("9:00:00:1000-10:00", "neither"),
            ("+9:00-10:00", "neither"),
            ("9:00-10:00-11:00", "neither"),
            ("* * * * *", "neither"),
            ("9:00-10:00 && ", "neither"),
            ("9:00-10:00 && 11:00-12:00", "two of a kind"),
            ("* * * ? * 2 && * * * ? * 3", "two of a kind"),
            ("9:00-10:00 && * * * ? * 2 && 11:00-12:00", "at most two"),
        ] {
            assert!(check(entry).is_err_and(|error| error.contains(reason)), "{entry}: {:?}", check(entry));
        }
    }
}
