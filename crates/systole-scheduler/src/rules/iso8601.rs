//! Dates and times as Pacemaker reads them: ISO 8601, somewhat relaxed.
//!
//! Dates: `YYYY-MM-DD`, `YYYYMMDD`, `YYYY-DDD` (day of the year), `YYYY-Www-D` (week and weekday), `epoch`; a time may
//! follow after `T` or a space: `hh`, `hh:mm`, `hh:mm:ss`, `hhmmss`, then `Z` or `+hh:mm`. A time alone (`T12:00` or
//! `12:00`) is of today. A date without time is midnight UTC; a time without zone is local.
//! Source: Pacemaker Explained, "Date/Time Expressions".

use super::calendar::{Civil, days_in_month, days_in_year, ordinal, weekday_of_new_year, weeks_in_year};
use systole_types::{LocalTime, Timestamp};

/// Reads a moment; `now` and `utc_offset` (seconds east of UTC) say which day it is, and what "local" means.
pub fn parse_date_time(text: &str, now: Timestamp, utc_offset: i64) -> Option<Timestamp> {
    parse_civil(text, now, utc_offset).map(Civil::timestamp)
}

/// As [`parse_date_time`]; local time is that of the text.
pub fn parse_local_time(text: &str, now: LocalTime) -> Option<LocalTime> {
    let read = parse_civil(text, now.at, now.utc_offset)?;
    Some(LocalTime { at: read.timestamp(), utc_offset: read.offset })
}

/// As [`parse_date_time`], on the clock the text itself is in.
pub fn parse_civil(text: &str, now: Timestamp, utc_offset: i64) -> Option<Civil> {
    if let Some(time) = text.strip_prefix('T') {
        return add_time(Civil::at(now, utc_offset), time, utc_offset);
    }
    if text.as_bytes().get(2) == Some(&b':') {
        return add_time(Civil::at(now, utc_offset), text, utc_offset);
    }
    if is_epoch(text) {
        return Some(Civil { year: 1970, yday: 1, second: 0, offset: 0 });
    }
    let (year, yday) = read_date(text)?;
    let date = Civil { year, yday, second: 0, offset: 0 };
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-' || c == 'W');
    match rest.strip_prefix([' ', 'T']) {
        Some(time) => add_time(date, time, utc_offset),
        None => Some(date),
    }
}

fn is_epoch(text: &str) -> bool {
    let (word, rest) = text.split_at_checked(5).unwrap_or((text, ""));
    word.eq_ignore_ascii_case("epoch")
        && rest.chars().next().is_none_or(|c| c == '/' || c.is_ascii_whitespace())
}

/// Year and day of the year.
fn read_date(text: &str) -> Option<(i64, i64)> {
    let mut scan = Scan(text);
    let year = scan.number(10)?;
    if scan.literal('-') {
        if scan.literal('W') {
            let week = scan.number(10)?;
            let day = scan.literal('-').then(|| scan.number(10))??;
            return week_date(year, week, day);
        }
        let second = scan.number(10)?;
        return match scan.literal('-').then(|| scan.number(10)).flatten() {
            Some(day) => calendar_date(year, second, day),
            None => ((1..=i64::from(i32::MAX)).contains(&year) && (1..=days_in_year(year)).contains(&second))
                .then_some((year, second)),
        };
    }
    let mut scan = Scan(text);
    let (year, month, day) = (scan.number(4)?, scan.number(2)?, scan.number(2)?);
    calendar_date(year, month, day)
}

fn calendar_date(year: i64, month: i64, day: i64) -> Option<(i64, i64)> {
    let is_valid = (1..=i64::from(i32::MAX)).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    is_valid.then(|| (year, ordinal(year, month, day)))
}

fn week_date(year: i64, week: i64, day: i64) -> Option<(i64, i64)> {
    if !(1..=i64::from(i32::MAX)).contains(&year)
        || !(1..=weeks_in_year(year)).contains(&week)
        || !(1..=7).contains(&day)
    {
        return None;
    }
    let new_year = weekday_of_new_year(year);
    let first_monday = if new_year <= 4 { 2 - new_year } else { 9 - new_year };
    let date =
        Civil { year, yday: 1, second: 0, offset: 0 }.add_days(first_monday - 1 + (week - 1) * 7 + day - 1);
    Some((date.year, date.yday))
}

fn add_time(mut date: Civil, text: &str, utc_offset: i64) -> Option<Civil> {
    let second = read_hms(text)?;
    let zone = text.find('Z').or_else(|| text.find([' ', '+', '-'])).map(|at| text[at..].trim_start());
    date.offset = match zone {
        None => utc_offset,
        Some(zone) => read_zone(zone)?,
    };
    date.second = 0;
    // 24:00:00 is the beginning of the next day.
    if second == 86_400 {
        return Some(date.add_days(1));
    }
    date.second = second;
    Some(date)
}

fn read_zone(zone: &str) -> Option<i64> {
    match zone.as_bytes().first() {
        Some(b'+') => read_hms(&zone[1..]),
        Some(b'-') => read_hms(&zone[1..]).map(|offset| -offset),
        Some(b'0'..=b'9') => read_hms(zone),
        _ => Some(0),
    }
}

/// `hh`, `hh:mm`, `hh:mm:ss`, `hhmm`, `hhmmss`: the second of the day. What follows is not looked at.
fn read_hms(text: &str) -> Option<i64> {
    let mut scan = Scan(text);
    let mut hour = scan.number(10)?;
    let minute = scan.literal(':').then(|| scan.number(10)).flatten();
    let (minute, second) = match minute {
        Some(minute) => (minute, scan.literal(':').then(|| scan.number(10)).flatten()),
        None => {
            let mut scan = Scan(text);
            hour = scan.number(2)?;
            let minute = scan.number(2);
            (minute.unwrap_or(0), minute.and_then(|_| scan.number(2)))
        }
    };
    let second = second.unwrap_or(0);
    let is_valid = (hour < 24 || (hour == 24 && minute == 0 && second == 0)) && minute < 60 && second < 60;
    is_valid.then_some(hour * 3600 + minute * 60 + second)
}

/// Reads numbers off the front of a text.
struct Scan<'a>(&'a str);

impl Scan<'_> {
    /// A number of at most `width` digits, white space before it skipped.
    fn number(&mut self, width: usize) -> Option<i64> {
        let text = self.0.trim_start();
        let n_digits = text.bytes().take(width).take_while(u8::is_ascii_digit).count();
        let (digits, rest) = text.split_at(n_digits);
        let number = digits.parse().ok()?;
        self.0 = rest;
        Some(number)
    }

    fn literal(&mut self, c: char) -> bool {
        match self.0.strip_prefix(c) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-03-04T05:06:07Z, on a clock one hour east of UTC.
    fn parse(text: &str) -> Option<i64> {
        parse_date_time(text, Timestamp(1_772_600_767), 3600).map(|at| at.0)
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for (text, expected) in [
            ("epoch", 0),
            ("Epoch/", 0),
            ("1970-01-01", 0),
            ("1970-01-02T00:00:00Z", 86_400),
            ("19700102T000000Z", 86_400),
            ("1970-002", 86_400),
            ("1970-W01-5 00:00:00Z", 86_400),
            ("2009-W01-1", 1_230_508_800),
            ("2009-W53-7", 1_262_476_800),
            ("2008-02-29 12:30:15Z", 1_204_288_215),
            ("2008-02-29T12:30:15+02:00", 1_204_281_015),
            ("2008-02-29T12:30:15 -0130", 1_204_293_615),
            ("2008-02-29T12:30Z", 1_204_288_200),
            ("2008-02-29T12Z", 1_204_286_400),
            // A time without zone is local, here one hour east; a date alone is UTC.
            ("1970-01-01T01:00", 0),
            ("1970-01-01T24:00:00Z", 86_400),
            // A time alone is of today.
            ("T05:06:07Z", 1_772_600_767),
            ("06:06:07", 1_772_600_767),
        ] {
            assert_eq!(parse(text), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "yesterday",
            "2008",
            "2008-13-01",
            "2008-00-01",
            "2007-02-29",
            "2007-366",
            "2008-000",
            "2008-W53-1",
            "2009-W54-1",
            "2009-W01-8",
            "2008-02-29T25:00",
            "2008-02-29T12:60",
            "2008-02-29T24:00:01",
            "2008-02-29T",
            "0000-01-01",
            "99999999999999999999-01-01",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}") {
            parse(&text);
        }

        #[test]
        fn a_printed_date_is_read_back(at in 0_i64..253_402_300_800) {
            let civil = Civil::at(Timestamp(at), 0);
            let ((month, day), (year, week, weekday)) = (civil.month_and_day(), civil.week());
            let time = format!("{:02}:{:02}:{:02}", civil.second / 3600, civil.second / 60 % 60, civil.second % 60);
            for text in [
                format!("{:04}-{month:02}-{day:02}T{time}Z", civil.year),
                format!("{:04}-{:03} {time}Z", civil.year, civil.yday),
                format!("{year:04}-W{week:02}-{weekday}T{time}Z"),
            ] {
                prop_assert_eq!(parse(&text), Some(at), "{}", text);
            }
        }
    }
}
