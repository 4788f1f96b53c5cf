//! What a process does, by the kernel's word.

use std::fs;

/// What the first thread of a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// At this moment.
    pub doing: Doing,
    /// How much time of processors it has used, in the kernel's ticks.
    pub cpu_ticks: u64,
}

/// See [`Work::doing`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Runs, or would if it had a processor.
    Running,
    /// Waits for a disk, or for memory that is on one.
    Blocked,
    /// Waits for something else.
    Sleeping,
    /// Was stopped, by a signal or a debugger.
    Stopped,
}

impl Work {
    /// Of the process with this number; `None` if that cannot be seen from here.
    pub fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/task/{pid}/stat")).ok()?)
    }

    /// Reads a line as `proc(5)` describes it. The name, in parentheses, may hold anything.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let mut fields = rest.split_whitespace();
        let doing = match fields.next()? {
            "R" => Doing::Running,
            "D" => Doing::Blocked,
            "T" | "t" => Doing::Stopped,
            _ => Doing::Sleeping,
        };
        let mut ticks = fields.skip(10).map(|field| field.parse::<u64>().ok());
        Some(Self { doing, cpu_ticks: ticks.next()?? + ticks.next()?? })
    }

    /// Whether it gets on, or would if it were let: by what it does, or has done since it was `before`.
    pub fn is_on(self, before: Option<Self>) -> bool {
        matches!(self.doing, Doing::Running | Doing::Blocked)
            || before.is_some_and(|before| self.cpu_ticks > before.cpu_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read_whatever_the_name() {
        let rest = "1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0 100";
        for (state, doing) in
            [("R", Doing::Running), ("D", Doing::Blocked), ("S", Doing::Sleeping), ("T", Doing::Stopped)]
        {
            for name in ["systoled", "a) R (b", ""] {
                let line = format!("77 ({name}) {state} {rest}");
                assert_eq!(Work::parse(&line), Some(Work { doing, cpu_ticks: 42 }), "{line}");
            }
        }
        assert_eq!(Work::parse("77 (x) R 1 2"), None);
        assert_eq!(Work::parse(""), None);
    }

    #[test]
    fn processes_that_work_and_that_wait_are_told_apart() {
        let spawn = |command: &str| {
            std::process::Command::new("sh").args(["-c", command]).spawn().expect("there is a shell")
        };
        let is_on = |pid| {
            let before = Work::of(pid);
            std::thread::sleep(std::time::Duration::from_millis(100));
            Work::of(pid).map(|work| work.is_on(before))
        };
        let (mut busy, mut waiting) = (spawn("while :; do :; done"), spawn("sleep 60; :"));
        std::thread::sleep(std::time::Duration::from_millis(300));
        let found = (is_on(busy.id()), is_on(waiting.id()));
        for child in [&mut busy, &mut waiting] {
            child.kill().and_then(|()| child.wait()).expect("it is ours");
        }
        assert_eq!(found, (Some(true), Some(false)));
        assert_eq!(Work::of(u32::MAX), None);
    }
}
