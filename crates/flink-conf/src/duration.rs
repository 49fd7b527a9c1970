//! Flink's text form of durations (`TimeUtils` in flink-core).

use std::time::Duration;

/// What [`parse`] accepts, for error texts.
pub const ACCEPTED: &str = "a duration: a whole number and one of d, h, min, s, ms, µs, ns (or day, hour, minute, sec, \
     second, milli, millisecond, micro, microsecond, nano, nanosecond and their plurals); a number alone is milliseconds";

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// Labels of a unit, its length in nanoseconds, and the label used for printing.
const UNITS: [(&[&str], u128, &str); 7] = [
    (&["d", "day", "days"], 86_400 * NANOS_PER_SECOND, "d"),
    (&["h", "hour", "hours"], 3_600 * NANOS_PER_SECOND, "h"),
    (&["min", "m", "minute", "minutes"], 60 * NANOS_PER_SECOND, "min"),
    (&["s", "sec", "secs", "second", "seconds"], NANOS_PER_SECOND, "s"),
    (&["ms", "milli", "millis", "millisecond", "milliseconds"], 1_000_000, "ms"),
    (&["µs", "micro", "micros", "microsecond", "microseconds"], 1_000, "µs"),
    (&["ns", "nano", "nanos", "nanosecond", "nanoseconds"], 1, "ns"),
];

/// Parses a duration as Flink does: digits, optional blanks, a unit in any case. Without a unit the
/// number is in milliseconds. ISO-8601 (`PT1M`), fractions and signs are not accepted by any Flink
/// version.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse::<u128>().ok()?;
    let unit = unit.trim().to_lowercase();
    let nanos = if unit.is_empty() {
        1_000_000
    } else {
        UNITS.iter().find(|(labels, _, _)| labels.contains(&unit.as_str()))?.1
    };
    let total = number.checked_mul(nanos)?;
    let seconds = u64::try_from(total / NANOS_PER_SECOND).ok()?;
    // Java's Duration holds signed 64-bit seconds.
    i64::try_from(seconds).ok()?;
    Some(Duration::new(seconds, u32::try_from(total % NANOS_PER_SECOND).ok()?))
}

/// Prints a duration as Flink does: a whole number of the largest unit that divides it (`5 min`,
/// `90 s`); zero is `0 ms`.
#[must_use]
pub fn format(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0 ms".to_owned();
    }
    for (_, length, label) in UNITS {
        if nanos.is_multiple_of(length) {
            return format!("{} {label}", nanos / length);
        }
    }
    format!("{nanos} ns")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_flink_reads() {
        for (text, millis) in [
            ("15 s", 15_000),
            ("5min", 300_000),
            ("5 MINUTE", 300_000),
            ("1d", 86_400_000),
            ("1500", 1_500),
            (" 2 Hours ", 7_200_000),
            ("3 millis", 3),
            ("7000 µs", 7),
            ("7000000ns", 7),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["PT1M", "", " ", "s", "-1 s", "1.5 s", "1 fortnight", "1 us", "99999999999999999999 d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn prints_the_largest_exact_unit() {
        for (millis, text) in
            [(300_000, "5 min"), (90_000, "90 s"), (0, "0 ms"), (1, "1 ms"), (172_800_000, "2 d")]
        {
            assert_eq!(format(Duration::from_millis(millis)), text);
        }
        assert_eq!(format(Duration::from_nanos(1_500)), "1500 ns");
        assert_eq!(format(Duration::from_micros(1_500)), "1500 µs");
    }
}
