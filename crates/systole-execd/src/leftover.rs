//! Ending what an executor that was killed left behind.

use crate::process::{ProcessName, members};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

/// How long to wait for killed processes before the group is looked at again.
const ROUND: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Kills the process group that `name` led and returns once there is none of it.
pub(crate) fn end(name: &ProcessName) {
    let Some(pgid) = i32::try_from(name.pid).ok().and_then(Pid::from_raw) else { return };
    loop {
        if name.is_used_again() {
            return;
        }
        let alive = members(name.pid);
        if alive.is_empty() {
            return;
        }
        let _ = kill_process_group(pgid, Signal::KILL);
        for pid in alive {
            let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
            if let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) {
                let _ = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&ROUND));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::process::CommandExt, process::Command};

    #[test]
    fn a_group_is_ended_even_after_its_leader() {
        let mut leader =
            Command::new("sh").args(["-c", "sleep 60 & exit 0"]).process_group(0).spawn().expect("sh");
        let name = ProcessName::of(leader.id()).expect("started");
        leader.wait().expect("leader");
        assert_eq!(members(name.pid).len(), 1);
        end(&name);
        assert!(members(name.pid).is_empty());
    }

    #[test]
    fn a_number_that_was_used_again_is_left_alone() {
        let mut other = Command::new("sleep").arg("60").process_group(0).spawn().expect("sleep");
        end(&ProcessName { pid: other.id(), start_time: 1 });
        assert!(other.try_wait().expect("wait").is_none(), "a stranger was killed");
        other.kill().expect("kill");
        other.wait().expect("wait");
    }
}
