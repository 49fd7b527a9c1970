//! Whether a text is a Quartz cron expression: seconds, minutes, hours, day of month, month, day of week, and
//! optionally year.
//!
//! Upstream: Quartz' `CronExpression`, which ignores some garbage (`5x` is `5`). Here only what its documentation
//! allows is accepted.

/// A field and what it may hold.
struct Field {
    what: &'static str,
    least: u32,
    most: u32,
    /// Largest step; Quartz checks it where the step has no end (`5/10`), not in ranges.
    step: u32,
    names: &'static [&'static str],
}

const MONTHS: [&str; 12] = [
    "JANUARY",
    "FEBRUARY",
    "MARCH",
    "APRIL",
    "MAY",
    "JUNE",
    "JULY",
    "AUGUST",
    "SEPTEMBER",
    "OCTOBER",
    "NOVEMBER",
    "DECEMBER",
];
const DAYS: [&str; 7] = ["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"];

const fn numbers(what: &'static str, least: u32, most: u32, step: u32) -> Field {
    Field { what, least, most, step, names: &[] }
}

const SECONDS: Field = numbers("seconds", 0, 59, 59);
const MINUTES: Field = numbers("minutes", 0, 59, 59);
const HOURS: Field = numbers("hours", 0, 23, 23);
const DAY_OF_MONTH: Field = numbers("day of month", 1, 31, 31);
const MONTH: Field = Field { what: "month", least: 1, most: 12, step: 12, names: &MONTHS };
const DAY_OF_WEEK: Field = Field { what: "day of week", least: 1, most: 7, step: 7, names: &DAYS };
const YEAR: Field = numbers("year", 1970, 9999, 9999);

/// Checks an expression; the error says what is wrong with it.
pub(super) fn check(expression: &str) -> Result<(), String> {
    let expression = expression.to_ascii_uppercase();
    let fields: Vec<&str> = expression.split([' ', '\t']).filter(|field| !field.is_empty()).collect();
    let (seconds, minutes, hours, day_of_month, month, day_of_week, year) = match fields[..] {
        [s, m, h, dom, mon, dow] => (s, m, h, dom, mon, dow, "*"),
        [s, m, h, dom, mon, dow, year] => (s, m, h, dom, mon, dow, year),
        _ => return Err(format!("it has {} fields instead of six or seven", fields.len())),
    };
    SECONDS.check(seconds)?;
    MINUTES.check(minutes)?;
    HOURS.check(hours)?;
    MONTH.check(month)?;
    if year != "*" {
        check_years(year)?;
    }
    match (day_of_month, day_of_week) {
        ("?", "?") => Err("? cannot stand for both day of month and day of week".to_owned()),
        ("?", day_of_week) => check_day_of_week(day_of_week),
        (day_of_month, "?") => check_day_of_month(day_of_month),
        _ => Err("one of day of month and day of week must be ?".to_owned()),
    }
}

impl Field {
    fn check(&self, list: &str) -> Result<(), String> {
        list.split(',').try_for_each(|item| self.check_item(item))
    }

    /// `*`, `5`, `5-10`, each also with a step `/2`, and `/2` alone.
    fn check_item(&self, item: &str) -> Result<(), String> {
        let (values, step) = match item.split_once('/') {
            Some((values, step)) => (values, Some(step)),
            None => (item, None),
        };
        if let Some(step) = step {
            let most = if values.contains('-') { u32::MAX } else { self.step };
            number(step).filter(|step| *step <= most).ok_or_else(|| self.refused(item))?;
        }
        if values == "*" || values.is_empty() && step.is_some() {
            return Ok(());
        }
        // A range may run over its end: 22-2 is ten at night to two in the morning.
        let mut ends = values.splitn(2, '-');
        ends.try_for_each(|end| self.value(end).map(|_| ()).ok_or_else(|| self.refused(item)))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let position =
            |name: &str| self.names.iter().position(|full| *full == name || full.get(..3) == Some(name));
        let named = position(text).and_then(|index| u32::try_from(index + 1).ok());
        named.or_else(|| number(text)).filter(|value| (self.least..=self.most).contains(value))
    }

    fn refused(&self, item: &str) -> String {
        format!("'{item}' is no {}", self.what)
    }
}

/// Besides numbers: `L`, `L-3`, `LW`, `L-3W`, `15W`. What is counted from the last day cannot be in a list.
fn check_day_of_month(list: &str) -> Result<(), String> {
    if let Some(rest) = list.strip_prefix('L') {
        let rest = rest.strip_suffix('W').unwrap_or(rest);
        let offset = rest.strip_prefix('-').map(number);
        let valid = rest.is_empty() || offset.flatten().is_some_and(|days| days <= 30);
        return if valid { Ok(()) } else { Err(DAY_OF_MONTH.refused(list)) };
    }
    list.split(',').try_for_each(|item| match item.strip_suffix('W') {
        Some(day) => DAY_OF_MONTH.value(day).map(|_| ()).ok_or_else(|| DAY_OF_MONTH.refused(item)),
        None => DAY_OF_MONTH.check_item(item),
    })
}

/// Besides numbers and names: `L`, `6L`, `FRIL`, `6#3`, `FRI#3`. Last and nth days cannot be in a list.
fn check_day_of_week(list: &str) -> Result<(), String> {
    let refused = || DAY_OF_WEEK.refused(list);
    if let Some(day) = list.strip_suffix('L') {
        return if day.is_empty() || DAY_OF_WEEK.value(day).is_some() { Ok(()) } else { Err(refused()) };
    }
    if let Some((day, nth)) = list.split_once('#') {
        let nth = number(nth).filter(|nth| (1..=5).contains(nth));
        return DAY_OF_WEEK.value(day).and(nth).map(|_| ()).ok_or_else(refused);
    }
    DAY_OF_WEEK.check(list)
}

/// Years are the only field whose ranges cannot run over their end.
fn check_years(list: &str) -> Result<(), String> {
    YEAR.check(list)?;
    let backwards = list.split(',').find(|item| {
        let range = item.split('/').next().and_then(|range| range.split_once('-'));
        range.is_some_and(|(from, to)| YEAR.value(from) > YEAR.value(to))
    });
    backwards.map_or(Ok(()), |item| Err(YEAR.refused(item)))
}

fn number(text: &str) -> Option<u32> {
    // Parsing alone would accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::check;

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
        for (expression, reason) in [
            ("0 0 12 ? * ?", "? cannot stand for both day of month and day of week"),
            ("0 0 12 1 * 1", "one of day of month and day of week must be ?"),
        ] {
            assert_eq!(check(expression), Err(reason.to_owned()));
        }
    }
}
