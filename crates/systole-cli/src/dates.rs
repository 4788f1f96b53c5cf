//! Moments as the CIB writes them, and the caller's time zone.

use std::{fs, path::Path};
use systole_scheduler::rules::parse_date_time;
use systole_types::Timestamp;

/// Reads an ISO 8601 moment that says everything itself.
pub fn parse_iso(text: &str) -> Option<Timestamp> {
    parse_date_time(text, Timestamp(0), 0)
}

/// `2026-11-22 15:35:24Z`.
pub fn utc_text(at: Timestamp) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    // `Sun Nov 22 14:42:14 2026`
    let text = systole_output::words::date_text(at, 0);
    let month = MONTHS.iter().position(|month| text[4..7] == **month).unwrap_or(0) + 1;
    let day = text[8..10].trim();
    format!("{}-{month:02}-{day:0>2} {}Z", &text[20..], &text[11..19])
}

/// How many seconds the caller's clock is ahead of UTC at `at`: by `TZ`, else by `/etc/localtime`; 0 where neither
/// can be read.
pub fn utc_offset(tz: Option<&str>, at: Timestamp) -> i64 {
    let path = match tz {
        None => Path::new("/etc/localtime").to_owned(),
        Some(zone) => {
            let zone = zone.strip_prefix(':').unwrap_or(zone);
            if zone.is_empty() || zone == "UTC" || zone.split('/').any(|part| part == "..") {
                return 0;
            }
            Path::new("/usr/share/zoneinfo").join(zone)
        }
    };
    fs::read(path).ok().and_then(|bytes| offset_in(&bytes, at)).unwrap_or(0)
}

/// Looks `at` up in a zone file (TZif, RFC 8536): the first block will do until 2038, the second goes on.
fn offset_in(bytes: &[u8], at: Timestamp) -> Option<i64> {
    let first = Block::at(bytes, 0, 4)?;
    if bytes.get(4)? >= &b'2'
        && let Some(offset) = Block::at(bytes, first.end, 8).and_then(|block| block.offset(bytes, at))
    {
        return Some(offset);
    }
    first.offset(bytes, at)
}

/// A block of a zone file.
struct Block {
    times: usize,
    width: usize,
    n_times: usize,
    n_types: usize,
    end: usize,
}

impl Block {
    fn at(bytes: &[u8], start: usize, width: usize) -> Option<Self> {
        if bytes.get(start..start + 4)? != b"TZif" {
            return None;
        }
        let count = |index: usize| -> Option<usize> {
            let at = start + 20 + index * 4;
            Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize)
        };
        let (n_utc, n_std, n_leap, n_times, n_types, n_chars) =
            (count(0)?, count(1)?, count(2)?, count(3)?, count(4)?, count(5)?);
        let times = start + 44;
        let end =
            times + n_times * (width + 1) + n_types * 6 + n_chars + n_leap * (width + 4) + n_std + n_utc;
        (end <= bytes.len()).then_some(Self { times, width, n_times, n_types, end })
    }

    fn offset(&self, bytes: &[u8], at: Timestamp) -> Option<i64> {
        let time = |index: usize| -> Option<i64> {
            let start = self.times + index * self.width;
            let field = bytes.get(start..start + self.width)?;
            Some(match self.width {
                8 => i64::from_be_bytes(field.try_into().ok()?),
                _ => i64::from(i32::from_be_bytes(field.try_into().ok()?)),
            })
        };
        let kinds = self.times + self.n_times * self.width;
        let mut kind = 0;
        for index in 0..self.n_times {
            if time(index)? > at.0 {
                break;
            }
            kind = *bytes.get(kinds + index)? as usize;
        }
        if kind >= self.n_types {
            return None;
        }
        let start = kinds + self.n_times + kind * 6;
        Some(i64::from(i32::from_be_bytes(bytes.get(start..start + 4)?.try_into().ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_the_round_trip() {
        for text in ["2026-11-22 15:35:24Z", "2000-02-29 00:00:00Z", "1970-01-01 00:00:09Z"] {
            assert_eq!(utc_text(parse_iso(text).expect(text)), text);
        }
    }

    #[test]
    fn a_zone_file_gives_summer_and_winter_time() {
        if !Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
            eprintln!("SKIPPED: no zone files here");
            return;
        }
        for (text, hours) in [("2024-01-15 12:00:00Z", 1), ("2024-07-15 12:00:00Z", 2)] {
            assert_eq!(utc_offset(Some("Europe/Berlin"), parse_iso(text).expect(text)), hours * 3600);
        }
        assert_eq!(utc_offset(Some("UTC"), Timestamp(0)), 0);
    }
}
