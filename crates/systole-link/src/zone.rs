//! The time zone of this process: what rules about days and hours mean.

use jiff::{Timestamp as Moment, tz::TimeZone};
use std::{fs, path::Path};
use systole_types::Timestamp;

/// Where zones are described (TZif, RFC 8536).
const ZONES: &str = "/usr/share/zoneinfo";
/// The host's own.
const OWN_ZONE: &str = "/etc/localtime";

/// How many seconds local time is ahead of UTC at `at`: by `tz` (the variable `TZ`: a name, a path or a POSIX rule), else
/// by the host's zone; 0 where neither can be read, as the C library has it.
pub fn utc_offset(tz: Option<&str>, at: Timestamp) -> i64 {
    let zone = match tz.map(|text| text.strip_prefix(':').unwrap_or(text)) {
        None => read(Path::new(OWN_ZONE)),
        Some("") => None,
        // Joined with a path that begins at the root, it is that path.
        Some(name) => read(&Path::new(ZONES).join(name)).or_else(|| TimeZone::posix(name).ok()),
    };
    let offset = zone.and_then(|zone| Some(zone.to_offset(Moment::from_second(at.0).ok()?).seconds()));
    offset.map_or(0, i64::from)
}

fn read(path: &Path) -> Option<TimeZone> {
    TimeZone::tzif("", &fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JANUARY: i64 = 1_705_320_000;
    const JULY: i64 = 1_721_044_800;
    /// Beyond what zone files list one by one.
    const JULY_2050: i64 = 2_541_067_200;

    #[test]
    fn a_zone_has_summer_and_winter_time() {
        if !Path::new(ZONES).join("Europe/Berlin").exists() {
            eprintln!("SKIPPED: no zone files here");
            return;
        }
        for (tz, at, hours) in [
            ("Europe/Berlin", JANUARY, 1),
            ("Europe/Berlin", JULY, 2),
            (":Europe/Berlin", JULY, 2),
            ("/usr/share/zoneinfo/Europe/Berlin", JULY, 2),
            ("Europe/Berlin", JULY_2050, 2),
            ("CET-1CEST,M3.5.0,M10.5.0/3", JULY, 2),
            ("EST5", JULY, -5),
            ("UTC", JULY, 0),
            ("", JULY, 0),
            ("No/Such", JULY, 0),
        ] {
            assert_eq!(utc_offset(Some(tz), Timestamp(at)), hours * 3600, "{tz} at {at}");
        }
    }
}
