//! Telling processes apart although the kernel uses their numbers again.

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::{fmt, fs, os::fd::OwnedFd, str::FromStr};

/// A process group's leader: its number and when it started, in clock ticks since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessName {
    pub pid: u32,
    pub start_time: u64,
}

/// What `/proc/PID/stat` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub state: char,
    pub group: u32,
    pub start_time: u64,
}

impl ProcessName {
    /// The name of the process that has the number `pid` now.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|stat| Self { pid, start_time: stat.start_time })
    }

    /// Whether the number is another process's by now, which the kernel does not do while any member of the group lives
    /// that this one led.
    pub(crate) fn is_used_again(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start_time != self.start_time)
    }
}

impl fmt::Display for ProcessName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.pid, self.start_time)
    }
}

impl FromStr for ProcessName {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pid, start_time) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { pid: pid.parse()?, start_time: start_time.parse()? })
    }
}

pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name, second field, may hold anything, parentheses and spaces included. Source: proc(5).
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        group: fields.get(2)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

/// The process called `name`, if it is still there.
pub(crate) fn open(name: &ProcessName) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(name.pid).ok()?)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // Looked at after opening: a number used again in between would show.
    (ProcessName::of(name.pid).as_ref() == Some(name)).then_some(pidfd)
}

/// Every process of the group `group` that is not a zombie.
pub(crate) fn members(group: u32) -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|&pid| stat(pid).is_some_and(|stat| stat.group == group && !matches!(stat.state, 'Z' | 'X')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let line = "4711 (a) b) S 1 4700 4711 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 123456 1 1";
        assert_eq!(parse_stat(line), Some(Stat { state: 'S', group: 4700, start_time: 123_456 }));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn a_name_survives_the_round_trip() {
        let name = ProcessName::of(std::process::id()).expect("we run");
        assert_eq!(name.to_string().parse(), Ok(name));
    }
}
