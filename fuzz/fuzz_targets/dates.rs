//! Dates, durations, scores and intervals.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_scheduler::rules::parse_date_time;
use systole_types::{Score, Timestamp, parse_duration};

fuzz_target!(|text: &str| {
    for (now, offset) in [(0, 0), (1_700_000_000, 3600), (-1, -43_200)] {
        let _ = parse_date_time(text, Timestamp(now), offset);
    }
    let _ = parse_duration(text);
    if let Ok(score) = text.parse::<Score>() {
        assert_eq!(score.to_string().parse::<Score>(), Ok(score));
    }
});
