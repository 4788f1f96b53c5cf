//! Both clocks, and this boot's name.

use std::{
    fmt, fs,
    io::{self, Write},
    path::Path,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use systole_types::{Monotonic, Now, Timestamp};

/// Where a loop reads its clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock {
    /// A clock whose monotonic side starts now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { mono: self.mono(), wall: Timestamp(i64::try_from(wall).unwrap_or(i64::MAX)) }
    }

    fn mono(&self) -> Monotonic {
        Monotonic(self.start.elapsed())
    }

    /// How long to sleep until `deadline`: forever if there is none.
    pub fn until(&self, deadline: Option<Monotonic>) -> Option<Duration> {
        deadline.map(|deadline| deadline - self.mono())
    }

    /// Whether `deadline` has come.
    pub fn is_due(&self, deadline: Option<Monotonic>) -> bool {
        deadline.is_some_and(|deadline| self.mono() >= deadline)
    }
}

/// This boot's name out of the file at `path`, which does not outlive the boot; made if it is not there.
///
/// The kernel's own boot id will not do: nodes of a lab boot on their own.
///
/// # Errors
/// If the file can be neither read nor made.
pub fn boot_id(path: &Path) -> io::Result<String> {
    for _ in 0..2 {
        match fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let temporary = path.with_extension(std::process::id().to_string());
        fs::write(&temporary, fs::read_to_string("/proc/sys/kernel/random/uuid")?)?;
        // Two daemons may get here at once; a link is made by one of them only.
        let made = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary)?;
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"))
}

/// Writes a line to standard error: `WHEN PROGRAM LEVEL: MESSAGE`, in UTC.
pub fn log_line(program: &str, level: impl fmt::Display, message: &str) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (hours, minutes, seconds) =
        (since.as_secs() / 3600 % 24, since.as_secs() / 60 % 60, since.as_secs() % 60);
    let line = format!(
        "{} {hours:02}:{minutes:02}:{seconds:02}.{:03} {program} {level}: {message}\n",
        date(since.as_secs() / 86_400),
        since.subsec_millis()
    );
    // One write, so that lines of several programs in one file stay whole; a log that cannot be written stops nothing.
    let _ = io::stderr().write_all(line.as_bytes());
}

/// `YYYY-MM-DD` of the day that is `days` after 1970-01-01.
fn date(days: u64) -> String {
    let leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let (mut year, mut left) = (1970, days);
    while left >= 365 + u64::from(leap(year)) {
        left -= 365 + u64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    format!("{year}-{:02}-{:02}", month + 1, left + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_dates() {
        for (days, text) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (20_779, "2026-11-22"),
            (20_818, "2026-12-31"),
        ] {
            assert_eq!(date(days), text);
        }
    }

    #[test]
    fn a_boot_has_one_name() {
        let path = std::env::temp_dir().join(format!("systole-boot-{}", std::process::id()));
        let first = boot_id(&path).expect("made");
        assert_eq!(boot_id(&path).expect("read"), first);
        fs::remove_file(&path).expect("remove");
        assert_ne!(boot_id(&path).expect("made anew"), first);
        fs::remove_file(&path).expect("remove");
    }
}
