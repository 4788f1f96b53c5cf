//! Moments as the CIB writes them.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_survive_the_round_trip() {
        for text in ["2026-11-22 15:35:24Z", "2000-02-29 00:00:00Z", "1970-01-01 00:00:09Z"] {
            assert_eq!(utc_text(parse_iso(text).expect(text)), text);
        }
    }
}
