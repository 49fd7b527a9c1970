//! Cron expressions against Quartz, and laws that hold for all of them.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ToSpan};
use lifecycle::schedule::Cron;
use proptest::collection::vec;
use proptest::prelude::*;

/// What Quartz and Log4j say; how it was made is said in its head.
const TABLE: &str = include_str!("cron/next_times.tsv");
/// Where we say something else, and why: rows of the table with our answer and the reason.
const DIFFERENCES: &str = include_str!("cron/differences.tsv");

/// Rules of the zones, so that no database of them is needed.
const ZONES: [(&str, &str); 8] = [
    ("UTC", "UTC0"),
    ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
    ("America/New_York", "EST5EDT,M3.2.0,M11.1.0"),
    ("America/Santiago", "<-04>4<-03>,M9.1.6/24,M4.1.6/24"),
    ("Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
    ("Asia/Kathmandu", "<+0545>-5:45"),
    ("Asia/Kolkata", "IST-5:30"),
    ("Pacific/Apia", "<+13>-13"),
];

fn zone(name: &str) -> TimeZone {
    let (_, rule) = ZONES.iter().find(|(known, _)| *known == name).unwrap();
    TimeZone::posix(rule).unwrap()
}

/// Expression, zone and start.
type Question<'a> = [&'a str; 3];

fn rows(table: &str) -> impl Iterator<Item = (Question<'_>, Vec<&str>)> {
    table.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        ([columns[0], columns[1], columns[2]], columns[3..].to_vec())
    })
}

/// Our answer, as the table has it: five times; `never` when there are no more; `refused`.
fn answer([expression, zone_name, start]: Question<'_>) -> String {
    let Ok(cron) = expression.parse::<Cron>() else { return "refused".to_owned() };
    let zone = zone(zone_name);
    let mut times = Vec::new();
    let mut last: Timestamp = start.parse().unwrap();
    for _ in 0..5 {
        match cron.next_after(last, &zone) {
            Some(next) => last = next,
            None => return [times, vec!["never".to_owned()]].concat().join(" "),
        }
        times.push(last.to_string());
    }
    times.join(" ")
}

#[test]
fn times_are_those_of_quartz() {
    let mut differences: BTreeMap<Question<'_>, &str> = rows(DIFFERENCES)
        .map(|(question, columns)| {
            let [ours, reason] = columns[..] else { unreachable!("{question:?}") };
            assert!(!reason.is_empty(), "{question:?}");
            (question, ours)
        })
        .collect();
    let mut wrong = Vec::new();
    for (question, upstream) in rows(TABLE) {
        let ours = answer(question);
        // Where the two differ, Log4j is what takes snapshots.
        let upstream = *upstream.last().unwrap();
        let expected = match differences.remove(&question) {
            Some(expected) if expected == upstream => {
                wrong.push(format!("{question:?}: no difference"));
                continue;
            }
            Some(expected) => expected,
            None => upstream,
        };
        if ours != expected {
            wrong.push(format!("{question:?}\n  ours      {ours}\n  expected  {expected}"));
        }
    }
    wrong.extend(differences.keys().map(|question| format!("{question:?} is not in the table")));
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

/// A part of a field: every `step`th number of a range, which may run over the field's end.
#[derive(Debug, Clone)]
struct Part {
    text: String,
    least: i16,
    length: i16,
    from: i16,
    to: i16,
    step: i16,
}

impl Part {
    fn contains(&self, number: i16) -> bool {
        let distance = (number - self.from).rem_euclid(self.length);
        distance <= (self.to - self.from).rem_euclid(self.length) && distance % self.step == 0
    }
}

fn part(least: i16, most: i16) -> impl Strategy<Value = Part> {
    (least..=most, least..=most, 1..=most, 0..6).prop_map(move |(from, to, step, form)| {
        let (text, from, to, step) = match form {
            0 => ("*".to_owned(), least, most, 1),
            1 => (format!("*/{step}"), least, most, step),
            2 => (format!("{from}"), from, from, 1),
            3 => (format!("{from}/{step}"), from, most, step),
            4 => (format!("{from}-{to}"), from, to, 1),
            _ => (format!("{from}-{to}/{step}"), from, to, step),
        };
        Part { text, least, length: most - least + 1, from, to, step }
    })
}

/// A list of parts.
#[derive(Debug, Clone)]
struct Field(Vec<Part>);

impl Field {
    fn text(&self) -> String {
        self.0.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(",")
    }

    fn contains(&self, number: impl Into<i16>) -> bool {
        let number = number.into();
        self.0.iter().any(|part| number >= part.least && part.contains(number))
    }
}

fn field(least: i16, most: i16) -> impl Strategy<Value = Field> {
    vec(part(least, most), 1..3).prop_map(Field)
}

#[derive(Debug, Clone)]
enum Days {
    OfMonth(Field),
    NextTo(i8),
    BeforeLast(i8),
    OfWeek(Field),
    LastOfWeek(i8),
    NthOfWeek(i8, i8),
}

fn days() -> impl Strategy<Value = Days> {
    prop_oneof![
        field(1, 31).prop_map(Days::OfMonth),
        (1..=31_i8).prop_map(Days::NextTo),
        (0..=30_i8).prop_map(Days::BeforeLast),
        field(1, 7).prop_map(Days::OfWeek),
        (1..=7_i8).prop_map(Days::LastOfWeek),
        (1..=7_i8, 1..=5_i8).prop_map(|(day, nth)| Days::NthOfWeek(day, nth)),
    ]
}

impl Days {
    fn texts(&self) -> (String, String) {
        let any = || "?".to_owned();
        match self {
            Self::OfMonth(days) => (days.text(), any()),
            Self::NextTo(day) => (format!("{day}W"), any()),
            Self::BeforeLast(days) => (format!("L-{days}"), any()),
            Self::OfWeek(days) => (any(), days.text()),
            Self::LastOfWeek(day) => (any(), format!("{day}L")),
            Self::NthOfWeek(day, nth) => (any(), format!("{day}#{nth}")),
        }
    }

    /// By going through the days of the month.
    fn contain(&self, date: Date) -> bool {
        let month = || date.first_of_month().series(1.day()).take_while(|day| day.month() == date.month());
        let of_week = |date: Date| date.weekday().to_sunday_one_offset();
        let mut same = month().filter(|day| of_week(*day) == of_week(date));
        match self {
            Self::OfMonth(days) => days.contains(date.day()),
            Self::NextTo(day) => {
                let working = month().filter(|day| (2..=6).contains(&of_week(*day)));
                let nearest = working.min_by_key(|working| (working.day() - day).abs());
                month().any(|exists| exists.day() == *day) && nearest == Some(date)
            }
            Self::BeforeLast(days) => {
                month().filter(|day| *day > date).count() == usize::try_from(*days).unwrap()
            }
            Self::OfWeek(days) => days.contains(of_week(date)),
            Self::LastOfWeek(day) => of_week(date) == *day && same.last() == Some(date),
            Self::NthOfWeek(day, nth) => {
                of_week(date) == *day
                    && same.position(|day| day == date) == Some(usize::try_from(*nth - 1).unwrap())
            }
        }
    }
}

#[derive(Debug, Clone)]
struct Model {
    seconds: Field,
    minutes: Field,
    hours: Field,
    days: Days,
    months: Field,
    /// First and last year, and the step from one to the next.
    years: Option<(i16, i16, i16)>,
}

fn model() -> impl Strategy<Value = Model> {
    let years = proptest::option::weighted(0.2, (2020..2030_i16, 0..20_i16, 1..4_i16));
    (field(0, 59), field(0, 59), field(0, 23), days(), field(1, 12), years).prop_map(
        |(seconds, minutes, hours, days, months, years)| {
            let years = years.map(|(from, length, step)| (from, from + length, step));
            Model { seconds, minutes, hours, days, months, years }
        },
    )
}

impl Model {
    fn text(&self) -> String {
        let (day_of_month, day_of_week) = self.days.texts();
        let [seconds, minutes, hours, months] =
            [&self.seconds, &self.minutes, &self.hours, &self.months].map(Field::text);
        let years = self.years.map(|(from, to, step)| format!(" {from}-{to}/{step}")).unwrap_or_default();
        format!("{seconds} {minutes} {hours} {day_of_month} {months} {day_of_week}{years}")
    }

    fn has_day(&self, date: Date) -> bool {
        let year = date.year();
        self.months.contains(date.month())
            && self
                .years
                .is_none_or(|(from, to, step)| (from..=to).contains(&year) && (year - from) % step == 0)
            && self.days.contain(date)
    }

    fn has(&self, shown: DateTime) -> bool {
        self.seconds.contains(shown.second())
            && self.minutes.contains(shown.minute())
            && self.hours.contains(shown.hour())
            && self.has_day(shown.date())
    }
}

/// Times around all changes of clocks in these zones, and others.
fn start() -> impl Strategy<Value = Timestamp> {
    let change = prop::sample::select(vec![
        "2027-03-28T01:00:00Z",
        "2027-10-31T01:00:00Z",
        "2027-03-14T07:00:00Z",
        "2027-11-07T06:00:00Z",
        "2026-10-03T15:30:00Z",
        "2027-04-03T15:00:00Z",
        "2026-09-06T04:00:00Z",
        "2027-04-04T03:00:00Z",
    ]);
    let near = (change, -7200..7200_i64).prop_map(|(change, seconds)| {
        change.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    });
    prop_oneof![
        near,
        (1_700_000_000..2_000_000_000_i64).prop_map(|second| Timestamp::from_second(second).unwrap())
    ]
}

/// Whether clocks show the same once more, later.
fn is_shown_again(time: Timestamp, zone: &TimeZone) -> bool {
    match zone.to_ambiguous_timestamp(zone.to_datetime(time)).offset() {
        AmbiguousOffset::Fold { before, .. } => zone.to_offset(time) == before,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => false,
    }
}

/// Whether clocks are changed on that day, so that it may have none of the times that an expression allows.
fn has_change(day: Date, zone: &TimeZone) -> bool {
    let [begin, end] = [day, day.tomorrow().unwrap()].map(|day| day.to_zoned(zone.clone()).unwrap());
    begin.duration_until(&end) != SignedDuration::from_hours(24)
}

proptest! {
    #[test]
    fn the_next_time_is_the_first_one_that_all_fields_allow(
        model in model(),
        zone_name in prop::sample::select(ZONES.map(|(name, _)| name).to_vec()),
        last in start(),
        millis in 0..1000_i64,
        between in 0.0..0.999,
    ) {
        let zone = zone(zone_name);
        let last = last + SignedDuration::from_millis(millis);
        let cron: Cron = model.text().parse().unwrap();
        let Some(next) = cron.next_after(last, &zone) else {
            let days = zone.to_datetime(last).date().series(1.day()).skip(1).take(36_525);
            let forgotten = days.filter(|day| model.has_day(*day)).find(|day| !has_change(*day, &zone));
            prop_assert_eq!(forgotten, None, "{}", model.text());
            return Ok(());
        };
        prop_assert!(next > last);
        prop_assert!(model.has(zone.to_datetime(next)), "{} at {next}", model.text());
        prop_assert_eq!(zone.to_datetime(next).subsec_nanosecond(), 0);
        prop_assert!(!is_shown_again(next, &zone));
        // Wherever the search begins, it ends there.
        let distance = next.duration_since(last);
        prop_assert_eq!(cron.next_after(last + distance.mul_f64(between), &zone), Some(next));
        prop_assert_eq!(cron.next_after(next - SignedDuration::from_nanos(1), &zone), Some(next));
        // Nothing that looks alike was passed over.
        for unit in [1, 60, 3600, 86_400] {
            for count in 1..=60 {
                let earlier = next - SignedDuration::from_secs(unit * count);
                if earlier > last && !is_shown_again(earlier, &zone) {
                    prop_assert!(!model.has(zone.to_datetime(earlier)), "{} has {earlier}", model.text());
                }
            }
        }
    }
}
