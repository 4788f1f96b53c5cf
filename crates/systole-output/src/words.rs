//! Words for codes, as Pacemaker 3.0 prints them.

use std::time::Duration;
use systole_types::{OcfRc, OpStatus, Timestamp};

/// An agent's exit code in words.
pub fn rc_text(rc: OcfRc) -> &'static str {
    match rc {
        OcfRc::Ok => "OK",
        OcfRc::Error => "Error occurred",
        OcfRc::InvalidParam => "Invalid parameter",
        OcfRc::Unimplemented => "Unimplemented",
        OcfRc::InsufficientPrivilege => "Insufficient privileges",
        OcfRc::NotInstalled => "Not installed",
        OcfRc::NotConfigured => "Not configured",
        OcfRc::NotRunning => "Not running",
        OcfRc::Promoted => "Promoted",
        OcfRc::FailedPromoted => "Failed in promoted role",
        OcfRc::Degraded => "Service is active but might fail soon",
        OcfRc::DegradedPromoted => "Service is promoted but might fail soon",
        OcfRc::Other(193) => "No exit status available",
        OcfRc::Other(129..=255) => "Interrupted by signal",
        OcfRc::Other(_) => "Unknown exit status",
    }
}

/// How an execution went, in words.
pub fn op_status_text(status: OpStatus) -> &'static str {
    match status {
        OpStatus::Pending => "Pending",
        OpStatus::Done => "Done",
        OpStatus::Cancelled => "Cancelled",
        OpStatus::TimedOut => "Timed out",
        OpStatus::NotSupported => "Not supported",
        OpStatus::Error => "Error",
        OpStatus::HardError => "Hard error",
        OpStatus::FatalError => "Fatal error",
        OpStatus::NotInstalled => "Not installed",
        OpStatus::NotConnected => "Internal communication failure",
        OpStatus::Invalid => "Cannot execute now",
        OpStatus::NoFenceDevice => "No fence device",
        OpStatus::NoSecrets => "CIB secrets unavailable",
        OpStatus::Other(_) => "UNKNOWN!",
    }
}

/// An interval for people: `10s`, `1m30s`, `500ms`.
pub fn interval_text(span: Duration) -> String {
    let millis = span.as_millis();
    let (days, rest) = (millis / 86_400_000, millis % 86_400_000);
    let (hours, rest) = (rest / 3_600_000, rest % 3_600_000);
    let (minutes, rest) = (rest / 60_000, rest % 60_000);
    let (seconds, millis) = (rest / 1000, rest % 1000);
    let mut text = String::new();
    for (number, unit) in [(days, "d"), (hours, "h"), (minutes, "m")] {
        if number > 0 {
            text.push_str(&format!("{number}{unit}"));
        }
    }
    match (seconds, millis) {
        (0, 0) if text.is_empty() => text.push_str("0s"),
        (0, 0) => {}
        (seconds, 0) => text.push_str(&format!("{seconds}s")),
        (0, millis) if text.is_empty() => text.push_str(&format!("{millis}ms")),
        (seconds, millis) => text.push_str(&format!("{seconds}.{millis:03}s")),
    }
    text
}

/// `Sun Nov 22 14:42:14 2026`, at `offset` seconds east of Greenwich.
pub fn date_text(at: Timestamp, offset: i64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let local = at.0.saturating_add(offset);
    let (day, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    format!(
        "{} {} {date:2} {:02}:{:02}:{:02} {year}",
        DAYS[day.rem_euclid(7) as usize],
        MONTHS[month - 1],
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// `2026-11-22 14:42:14Z`.
pub fn utc_text(at: Timestamp) -> String {
    iso_text(at, 0)
}

/// `2026-11-22 15:42:14 +01:00`, at `offset` seconds east of Greenwich.
pub fn iso_text(at: Timestamp, offset: i64) -> String {
    let at = Timestamp(at.0.saturating_add(offset));
    let (day, second) = (at.0.div_euclid(86_400), at.0.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let zone = match offset {
        0 => "Z".to_owned(),
        _ => {
            let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
            format!(" {sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}{zone}")
}

/// Year, month (from 1) and day of the month, `day` days after 1970-01-01.
fn civil(day: i64) -> (i64, usize, i64) {
    // Counted in eras of 400 years that begin on a 1st of March, so that the leap day comes last.
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month as usize, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_ctime_does() {
        for (seconds, text) in [
            (0, "Thu Jan  1 00:00:00 1970"),
            (951_827_696, "Tue Feb 29 12:34:56 2000"),
            (1_795_358_534, "Sun Nov 22 14:42:14 2026"),
            (-1, "Wed Dec 31 23:59:59 1969"),
        ] {
            assert_eq!(date_text(Timestamp(seconds), 0), text);
        }
        assert_eq!(date_text(Timestamp(0), 3600), "Thu Jan  1 01:00:00 1970");
        assert_eq!(iso_text(Timestamp(0), 0), "1970-01-01 00:00:00Z");
        assert_eq!(iso_text(Timestamp(0), -5400), "1969-12-31 22:30:00 -01:30");
        for (seconds, offset) in [(i64::MAX, 3600), (i64::MIN, -3600)] {
            assert_eq!(date_text(Timestamp(seconds), offset), date_text(Timestamp(seconds), 0));
        }
    }

    #[test]
    fn intervals_are_short() {
        for (millis, text) in [
            (0, "0s"),
            (10_000, "10s"),
            (90_000, "1m30s"),
            (500, "500ms"),
            (1500, "1.500s"),
            (3_600_000, "1h"),
        ] {
            assert_eq!(interval_text(Duration::from_millis(millis)), text);
        }
    }
}
