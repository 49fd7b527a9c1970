//! One field of a cron expression: what it may hold, and the numbers that it stands for.

use super::CronError;

/// A field and what it may hold.
pub(super) struct Field {
    name: &'static str,
    least: i16,
    most: i16,
    names: &'static [&'static str],
    allowed: &'static str,
}

pub(super) const SECONDS: Field = Field {
    name: "second",
    least: 0,
    most: 59,
    names: &[],
    allowed: "0 to 59, a range (10-20), a step (0/15), a list of these, or *",
};

pub(super) const MINUTES: Field = Field { name: "minute", ..SECONDS };

pub(super) const HOURS: Field = Field {
    name: "hour",
    least: 0,
    most: 23,
    names: &[],
    allowed: "0 to 23, a range (9-17), a step (0/6), a list of these, or *",
};

pub(super) const DAY_OF_MONTH: Field = Field {
    name: "day of month",
    least: 1,
    most: 31,
    names: &[],
    allowed: "1 to 31, a range (1-7), a step (1/5), the working day next to one (15W), a list of these, L, L-3, LW, L-3W, \
         * or ?",
};

pub(super) const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &[
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
    ],
    allowed: "1 to 12 or JAN to DEC, a range (NOV-FEB), a step of numbers (1/3), a list of these, or *",
};

/// Sunday is 1.
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    least: 1,
    most: 7,
    names: &["SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"],
    allowed: "1 (Sunday) to 7 or SUN to SAT, a range (MON-FRI), a step of numbers (2/2), a list of these, L, 6L or FRIL, \
         6#3 or FRI#3, * or ?",
};

pub(super) const YEAR: Field = Field {
    name: "year",
    least: 1970,
    most: 9999,
    names: &[],
    allowed: "1970 to 9999, a range (2030-2035), a step (2030/2), a list of these, or *",
};

/// Every `step`th number from `from` on. If `to` is the smaller one, it goes on from the field's least to there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    from: i16,
    to: i16,
    step: i16,
}

impl Range {
    /// Whether it has this number; not for ranges that run over the field's end.
    pub(super) fn contains(self, number: i16) -> bool {
        (self.from..=self.to).contains(&number) && (number - self.from) % self.step == 0
    }
}

impl Field {
    /// The numbers of a list.
    pub(super) fn numbers(&self, list: &str) -> Result<Numbers, CronError> {
        Ok(self.ranges(list)?.into_iter().flat_map(|range| self.count(range)).collect())
    }

    /// The ranges of a list; single numbers are ranges, too.
    pub(super) fn ranges(&self, list: &str) -> Result<Vec<Range>, CronError> {
        list.split(',').map(|item| self.range(item).ok_or_else(|| self.refused(item))).collect()
    }

    /// The ranges of a list, none of which runs over the field's end.
    pub(super) fn ascending_ranges(&self, list: &str) -> Result<Vec<Range>, CronError> {
        let ranges = self.ranges(list)?;
        if ranges.iter().any(|range| range.from > range.to) { Err(self.refused(list)) } else { Ok(ranges) }
    }

    /// `*`, `5`, `5-10`, each also with a step `/2`, and `/2` alone. Names have no steps, and stand in ranges of their own.
    fn range(&self, item: &str) -> Option<Range> {
        let (values, step) = match item.split_once('/') {
            Some((values, step)) => (values, Some(number(step)?)),
            None => (item, None),
        };
        if values == "*" || values.is_empty() && step.is_some() {
            // Only here a step that is too large is an error.
            let step = step.unwrap_or(1);
            return (step <= self.most).then_some(Range {
                from: self.least,
                to: self.most,
                step: step.max(1),
            });
        }
        let named = values.starts_with(|first: char| first.is_ascii_alphabetic());
        let value = |text| if named { self.named(text) } else { self.number(text) };
        let (from, to) = match values.split_once('-') {
            Some((from, to)) => (value(from)?, Some(value(to)?)),
            None => (value(values)?, None),
        };
        match step {
            Some(_) if named => None,
            None => Some(Range { from, to: to.unwrap_or(from), step: 1 }),
            // Not a step at all.
            Some(0) => Some(Range { from, to: from, step: 1 }),
            Some(step) => Some(Range { from, to: to.unwrap_or(self.most), step }),
        }
    }

    /// A single number or name.
    pub(super) fn value(&self, text: &str) -> Option<i16> {
        self.number(text).or_else(|| self.named(text))
    }

    fn number(&self, text: &str) -> Option<i16> {
        number(text).filter(|value| (self.least..=self.most).contains(value))
    }

    fn named(&self, text: &str) -> Option<i16> {
        let position = self.names.iter().position(|name| *name == text || name.get(..3) == Some(text))?;
        i16::try_from(position).ok().map(|position| self.least + position)
    }

    fn count(&self, Range { from, to, step }: Range) -> impl Iterator<Item = i16> {
        let (most, length) = (self.most, self.most - self.least + 1);
        let to = if from > to { to + length } else { to };
        std::iter::successors(Some(from), move |number| number.checked_add(step))
            .take_while(move |number| *number <= to)
            .map(move |number| if number > most { number - length } else { number })
    }

    pub(super) fn refused(&self, item: &str) -> CronError {
        CronError::Value { item: item.to_owned(), field: self.name, allowed: self.allowed }
    }
}

/// Digits only, at most 32767.
pub(super) fn number(text: &str) -> Option<i16> {
    // Parsing alone would accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A set of numbers from 0 to 63.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn contains(self, number: i8) -> bool {
        self.at_least(number) == Some(number)
    }

    /// The first one that is not smaller than `least`, which is not negative.
    pub(super) fn at_least(self, least: i8) -> Option<i8> {
        let rest = self.0.checked_shr(u32::try_from(least).ok()?)?;
        if rest == 0 { None } else { i8::try_from(rest.trailing_zeros()).ok()?.checked_add(least) }
    }

    pub(super) fn first(self) -> Option<i8> {
        self.at_least(0)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = i8> {
        std::iter::successors(self.first(), move |number| self.at_least(number + 1))
    }
}

impl FromIterator<i16> for Numbers {
    fn from_iter<I: IntoIterator<Item = i16>>(numbers: I) -> Self {
        Self(numbers.into_iter().fold(0, |set, number| set | 1 << number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(field: &Field, list: &str) -> Vec<i8> {
        field.numbers(list).unwrap().iter().collect()
    }

    #[test]
    fn lists_stand_for_numbers() {
        assert_eq!(of(&SECONDS, "*").len(), 60);
        assert_eq!(of(&SECONDS, "/20"), [0, 20, 40]);
        assert_eq!(of(&SECONDS, "*/0").len(), 60);
        assert_eq!(of(&MINUTES, "7/13,59"), [7, 20, 33, 46, 59]);
        assert_eq!(of(&MINUTES, "5-20/5"), [5, 10, 15, 20]);
        assert_eq!(of(&MINUTES, "5/0,10-20/0"), [5, 10]);
        assert_eq!(of(&HOURS, "22-2"), [0, 1, 2, 22, 23]);
        assert_eq!(of(&HOURS, "0-23/30000"), [0]);
        assert_eq!(of(&HOURS, "0/24"), [0]);
        assert_eq!(of(&DAY_OF_MONTH, "25-5/3"), [3, 25, 28, 31]);
        assert_eq!(of(&MONTH, "NOV-FEB"), [1, 2, 11, 12]);
        assert_eq!(of(&DAY_OF_WEEK, "FRI-MON,WEDNESDAY"), [1, 2, 4, 6, 7]);
    }

    #[test]
    fn names_have_no_steps_and_no_numbers_beside_them() {
        for list in ["MON/2", "MON-FRI/2", "MON-6", "2-FRI", "MO", "MOND", ""] {
            assert!(DAY_OF_WEEK.numbers(list).is_err(), "{list}");
        }
    }

    #[test]
    fn years_do_not_wrap() {
        assert!(YEAR.ascending_ranges("2035-2030").is_err());
        let years = YEAR.ascending_ranges("2030-2035/2,2040").unwrap();
        let contained: Vec<i16> =
            (2000..2100).filter(|year| years.iter().any(|range| range.contains(*year))).collect();
        assert_eq!(contained, [2030, 2032, 2034, 2040]);
    }

    #[test]
    fn sets_end() {
        let set: Numbers = [0, 5, 63].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 5, 63]);
        assert_eq!((set.at_least(6), set.at_least(64), set.at_least(127)), (Some(63), None, None));
        assert_eq!(Numbers::default().first(), None);
    }
}
