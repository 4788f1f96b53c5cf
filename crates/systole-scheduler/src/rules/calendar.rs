//! The Gregorian calendar, as far as rules need it: years from 1 on, ordinal days, ISO weeks.

use systole_types::Timestamp;

const SECONDS_PER_DAY: i64 = 86_400;
/// Days from 0001-01-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_162;

/// A moment as a clock on a wall shows it, with the clock's distance from UTC.
///
/// Sums keep a day beyond the end of its year (day 366 of a common year) until something is added to it, as the
/// reference implementation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// 1 and up.
    pub year: i64,
    /// Day of the year, 1 and up.
    pub yday: i64,
    /// Second of the day.
    pub second: i64,
    /// Seconds east of UTC.
    pub offset: i64,
}

impl Civil {
    /// What a clock `offset` seconds east of UTC shows at `at`.
    pub fn at(at: Timestamp, offset: i64) -> Self {
        let local = at.0.saturating_add(offset);
        let day = local.div_euclid(SECONDS_PER_DAY) + EPOCH_DAY;
        let mut year = (day * 400).div_euclid(146_097) + 1;
        while days_before_year(year) > day {
            year -= 1;
        }
        while days_before_year(year + 1) <= day {
            year += 1;
        }
        Self {
            year,
            yday: day - days_before_year(year) + 1,
            second: local.rem_euclid(SECONDS_PER_DAY),
            offset,
        }
    }

    /// The moment.
    pub fn timestamp(self) -> Timestamp {
        let day = days_before_year(self.year) + self.yday - 1 - EPOCH_DAY;
        Timestamp(day.saturating_mul(SECONDS_PER_DAY).saturating_add(self.second - self.offset))
    }

    /// Month (1 to 12) and day of the month.
    pub fn month_and_day(self) -> (i64, i64) {
        let (mut month, mut day) = (1, self.yday);
        while month < 12 && day > days_in_month(self.year, month) {
            day -= days_in_month(self.year, month);
            month += 1;
        }
        (month, day)
    }

    /// ISO week: its year, its number, and the day in it (1 is Monday).
    pub fn week(self) -> (i64, i64, i64) {
        let weekday = (weekday_of_new_year(self.year) + self.yday - 2).rem_euclid(7) + 1;
        // The week belongs to the year that its Thursday is in.
        let thursday = self.yday + 4 - weekday;
        if thursday < 1 {
            (self.year - 1, (thursday + days_in_year(self.year - 1) - 1) / 7 + 1, weekday)
        } else if thursday > days_in_year(self.year) {
            (self.year + 1, 1, weekday)
        } else {
            (self.year, (thursday - 1) / 7 + 1, weekday)
        }
    }

    /// `n` years later, the day of the *year* staying (so that 1 March of a leap year becomes 2 March): a quirk of
    /// the reference implementation.
    pub fn add_years(mut self, n: i64) -> Self {
        self.year = self.year.saturating_add(n).max(1);
        self
    }

    /// `n` months later; a day that the month does not have becomes its last.
    pub fn add_months(mut self, n: i64) -> Self {
        let (month, day) = self.month_and_day();
        let months = self.year * 12 + month - 1 + n;
        let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
        self.year = year.max(1);
        self.yday = ordinal(self.year, month, day.min(days_in_month(self.year, month)));
        self
    }

    /// `n` days later.
    pub fn add_days(self, n: i64) -> Self {
        let seconds = n.saturating_mul(SECONDS_PER_DAY);
        let midnight = Self { second: 0, ..self };
        let date = Self::at(Timestamp(midnight.timestamp().0.saturating_add(seconds)), self.offset);
        Self { second: self.second, ..date }
    }

    /// `n` seconds later. Where that is midnight after the beginning of a day, it stays 24:00:00 of this day, as in the
    /// reference implementation.
    pub fn add_seconds(self, n: i64) -> Self {
        if self.second + n % SECONDS_PER_DAY == SECONDS_PER_DAY {
            return Self { second: SECONDS_PER_DAY, ..self.add_days(n / SECONDS_PER_DAY) };
        }
        Self::at(Timestamp(self.timestamp().0.saturating_add(n)), self.offset)
    }

    /// The same moment on a clock in UTC.
    pub fn in_utc(self) -> Self {
        Self { offset: 0, ..self }.add_seconds(-self.offset)
    }

    /// Whether the clock can show this: a year from 1 to 9999, a day that the year has.
    pub fn is_exact(self) -> bool {
        (1..=9999).contains(&self.year)
            && (1..=days_in_year(self.year)).contains(&self.yday)
            && (0..SECONDS_PER_DAY).contains(&self.second)
    }

    /// Seconds since the beginning of the year 1.
    pub fn seconds(self) -> i64 {
        self.timestamp().0.saturating_add(EPOCH_DAY * SECONDS_PER_DAY)
    }

    /// `2005-02-09 10:00:00Z`.
    pub fn text(self) -> String {
        self.text_as(DateForm::Calendar)
    }

    /// The same with the date in that form: `2005-040 10:00:00 +01:00`.
    pub fn text_as(self, form: DateForm) -> String {
        let date = match form {
            DateForm::Calendar => {
                let (month, day) = self.month_and_day();
                format!("{:04}-{month:02}-{day:02}", self.year)
            }
            DateForm::Ordinal => format!("{}-{:03}", self.year, self.yday),
            DateForm::Week => {
                let (year, week, weekday) = self.week();
                format!("{year}-W{week:02}-{weekday}")
            }
        };
        let clock = |seconds: i64| (seconds / 3600, seconds / 60 % 60);
        let (hour, minute) = clock(self.second);
        let zone = match self.offset {
            0 => "Z".to_owned(),
            offset => {
                let (hours, minutes) = clock(offset.abs());
                format!(" {}{hours:02}:{minutes:02}", if offset < 0 { '-' } else { '+' })
            }
        };
        format!("{date} {hour:02}:{minute:02}:{:02}{zone}", self.second % 60)
    }
}

/// How a date is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DateForm {
    /// Year, month, day.
    #[default]
    Calendar,
    /// Year and day of the year.
    Ordinal,
    /// Year, ISO week, day of the week.
    Week,
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a year.
pub(crate) fn days_in_year(year: i64) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

/// Days of a month (1 to 12).
pub(crate) fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the year of a date.
pub(crate) fn ordinal(year: i64, month: i64, day: i64) -> i64 {
    (1..month).map(|month| days_in_month(year, month)).sum::<i64>() + day
}

/// Weekday of 1 January, 1 being Monday.
pub(crate) fn weekday_of_new_year(year: i64) -> i64 {
    days_before_year(year).rem_euclid(7) + 1
}

/// Number of ISO weeks of a year.
pub(crate) fn weeks_in_year(year: i64) -> i64 {
    if weekday_of_new_year(year) == 4 || weekday_of_new_year(year + 1) == 5 { 53 } else { 52 }
}

/// Days from 0001-01-01 to the first day of `year`.
fn days_before_year(year: i64) -> i64 {
    let y = year - 1;
    y * 365 + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_days_are_where_the_calendar_has_them() {
        // (seconds since the epoch, year, day of year, month, day, week year, week, weekday)
        for (at, year, yday, month, day, week_year, week, weekday) in [
            (0, 1970, 1, 1, 1, 1970, 1, 4),
            (951_782_400, 2000, 60, 2, 29, 2000, 9, 2),
            (1_230_508_800, 2008, 364, 12, 29, 2009, 1, 1),
            (1_262_476_800, 2010, 3, 1, 3, 2009, 53, 7),
            (1_222_473_600, 2008, 271, 9, 27, 2008, 39, 6),
            (-62_135_596_800, 1, 1, 1, 1, 1, 1, 1),
        ] {
            let civil = Civil::at(Timestamp(at), 0);
            assert_eq!((civil.year, civil.yday), (year, yday), "{at}");
            assert_eq!(
                (civil.month_and_day(), civil.week()),
                ((month, day), (week_year, week, weekday)),
                "{at}"
            );
        }
    }

    #[test]
    fn sums_follow_the_calendar() {
        let date = |year, month, day| Civil { year, yday: ordinal(year, month, day), second: 0, offset: 0 };
        assert_eq!(date(2024, 1, 31).add_months(1), date(2024, 2, 29));
        assert_eq!(date(2024, 3, 31).add_months(-13), date(2023, 2, 28));
        assert_eq!(date(2023, 12, 31).add_days(1), date(2024, 1, 1));
        assert_eq!(date(2023, 1, 1).add_years(2), date(2025, 1, 1));
        assert_eq!(date(2023, 12, 31).add_seconds(86_400), date(2024, 1, 1));
        let noon = Civil { second: 43_200, ..date(2023, 12, 31) };
        assert_eq!(noon.add_seconds(43_200).text(), "2023-12-31 24:00:00Z");
        assert_eq!(date(2024, 3, 1).add_years(1), date(2025, 3, 2), "the day of the year stays");
    }

    #[test]
    fn moments_are_written_in_every_form() {
        let at = Civil { year: 2009, yday: 4, second: 36_000, offset: 5400 };
        for (form, text) in [
            (DateForm::Calendar, "2009-01-04 10:00:00 +01:30"),
            (DateForm::Ordinal, "2009-004 10:00:00 +01:30"),
            (DateForm::Week, "2009-W01-7 10:00:00 +01:30"),
        ] {
            assert_eq!(at.text_as(form), text);
        }
        assert_eq!(at.in_utc().text(), "2009-01-04 08:30:00Z");
        assert_eq!(Civil { year: 1, yday: 1, second: 9, offset: 0 }.seconds(), 9);
    }

    proptest! {
        #[test]
        fn every_moment_survives_the_wall_clock(at in -62_135_596_800_i64..253_402_300_800, offset in -86_400_i64..86_400) {
            let civil = Civil::at(Timestamp(at), offset);
            prop_assert_eq!(civil.timestamp(), Timestamp(at));
            prop_assert!((1..=days_in_year(civil.year)).contains(&civil.yday));
            let (_, week, weekday) = civil.week();
            prop_assert!((1..=53).contains(&week) && (1..=7).contains(&weekday));
        }
    }
}
