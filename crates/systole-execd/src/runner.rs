//! Agents that run, each with a keeper.

use crate::{
    Config,
    keeper::{Report, Task, group, group_file},
    leftover,
    process::{ProcessName, open},
    watch::Found,
};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    fs,
    io::{self, Write},
    os::{fd::OwnedFd, unix::process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};
use systole_cluster::executor::{AgentExit, Event, KillSignal, RunId};
use systole_link::{Poll, Ready, Waker};
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::Operation;

/// Runs agents and tells what becomes of them.
pub(crate) struct Runner {
    ocf_root: PathBuf,
    keeper: Vec<OsString>,
    dir: PathBuf,
    /// Tells this executor's files from an earlier one's.
    prefix: String,
    runs: BTreeMap<RunId, Run>,
    leftovers: Vec<Leftover>,
    events: VecDeque<Event>,
    /// Processes of services that keepers found.
    found: Vec<Found>,
    /// Results that were handed over.
    read: Vec<PathBuf>,
    ended: (Sender<Event>, Receiver<Event>),
    waker: Waker,
}

/// A keeper's standard input, with what is to be written there.
type WaitingTask = Option<(ChildStdin, Vec<u8>)>;

/// A keeper at work.
struct Run {
    keeper: Child,
    pidfd: OwnedFd,
    /// What the keeper is to do, and where it waits to be told. Without it, it ends and has done nothing.
    task: WaitingTask,
    result: PathBuf,
    /// The agent was told to end, so nothing of its group may stay.
    killed: bool,
    what: String,
}

/// A keeper that an earlier executor started.
struct Leftover {
    /// As it was given in [`Event::Spawned`].
    process: String,
    pidfd: OwnedFd,
    result: PathBuf,
}

impl Runner {
    pub(crate) fn new(config: &Config, waker: Waker) -> io::Result<Self> {
        fs::create_dir_all(&config.run_dir)?;
        let own = ProcessName::of(std::process::id()).map(|name| name.to_string()).unwrap_or_default();
        Ok(Self {
            ocf_root: config.ocf_root.clone(),
            keeper: config.keeper.clone(),
            dir: config.run_dir.clone(),
            prefix: own.replace(':', "-"),
            runs: BTreeMap::new(),
            leftovers: Vec::new(),
            events: VecDeque::new(),
            found: Vec::new(),
            read: Vec::new(),
            ended: channel(),
            waker,
        })
    }

    /// Adds every keeper to what the loop waits for.
    pub(crate) fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> (Vec<(RunId, usize)>, Vec<usize>) {
        let runs = self.runs.iter().map(|(&run, at)| (run, poll.add(&at.pidfd))).collect();
        (runs, self.leftovers.iter().map(|leftover| poll.add(&leftover.pidfd)).collect())
    }

    /// Takes note of the keepers that have ended.
    pub(crate) fn serve(&mut self, ready: &Ready, runs: &[(RunId, usize)], leftovers: &[usize]) {
        for &(run, idx) in runs {
            if ready.has(idx) {
                self.finish(run);
            }
        }
        for (at, &idx) in leftovers.iter().enumerate().rev() {
            if ready.has(idx) {
                let leftover = self.leftovers.remove(at);
                self.finish_leftover(leftover.process, &leftover.result);
            }
        }
        self.events.extend(self.ended.1.try_iter());
    }

    /// What happened since the last call.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The processes of services found since the last call.
    pub(crate) fn take_found(&mut self) -> Vec<Found> {
        std::mem::take(&mut self.found)
    }

    /// Removes the files of results that were handed over. Called once the machine has kept what it needs of them.
    pub(crate) fn forget_read(&mut self) {
        self.read.drain(..).for_each(|result| forget(&result));
    }

    /// Starts a keeper and says [`Event::Spawned`]. It waits for [`Self::release`].
    pub(crate) fn execute(&mut self, run: RunId, operation: Operation) {
        let what = operation.key.clone();
        let result = self.dir.join(format!("{}-{}", self.prefix, run.0));
        match self.spawn(operation, &result) {
            Ok((keeper, pidfd, task)) => {
                let name = ProcessName::of(keeper.id());
                let process = name.map(|name| format!("{name} {}", result.display()));
                self.runs.insert(run, Run { keeper, pidfd, task, result, killed: false, what });
                match process {
                    Some(process) => self.events.push_back(Event::Spawned { run, process }),
                    None => self.release(run),
                }
            }
            Err(error) => {
                let exit_reason = format!("cannot start a keeper for the agent: {error}");
                let exit = AgentExit { rc: OcfRc::Error, status: OpStatus::Error, exit_reason };
                self.events.push_back(Event::Exited { run, exit });
            }
        }
    }

    /// A keeper is in a process group of its own, so that what ends the executor does not end it.
    fn spawn(&self, operation: Operation, result: &Path) -> io::Result<(Child, OwnedFd, WaitingTask)> {
        let task = Task { operation, ocf_root: self.ocf_root.clone(), result: result.to_owned() };
        let task = serde_json::to_vec(&task)?;
        let (program, arguments) = self.keeper.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut keeper = command.spawn()?;
        let pidfd = pidfd_open(Pid::from_child(&keeper), PidfdFlags::empty())?;
        let task = keeper.stdin.take().map(|stdin| (stdin, task));
        Ok((keeper, pidfd, task))
    }

    /// Lets a keeper begin. Called once the next executor will find it: an agent that runs and that nobody knows of
    /// would be taken for one that does not.
    pub(crate) fn release(&mut self, run: RunId) {
        let task = self.runs.get_mut(&run).and_then(|run| run.task.take());
        if let Some((mut stdin, task)) = task {
            // A keeper that does not read has ended already, and that is seen at once.
            let _ = stdin.write_all(&task);
        }
    }

    fn finish(&mut self, id: RunId) {
        let Some(mut run) = self.runs.remove(&id) else { return };
        let status = run.keeper.wait();
        if run.killed {
            signal_group(&run.result, Signal::KILL);
        }
        let exit = match Report::read(&run.result) {
            Some(report) => {
                complain(&run.what, &report);
                self.found.extend(report.found());
                report.exit()
            }
            None => {
                signal_group(&run.result, Signal::KILL);
                let end = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                let exit_reason = format!("the agent's keeper ended without a result: {end}");
                AgentExit { rc: OcfRc::Error, status: OpStatus::Error, exit_reason }
            }
        };
        self.read.push(run.result);
        self.events.push_back(Event::Exited { run: id, exit });
    }

    pub(crate) fn kill(&mut self, run: RunId, signal: KillSignal) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.killed = true;
            let signal = match signal {
                KillSignal::Term => Signal::TERM,
                KillSignal::Kill => Signal::KILL,
            };
            signal_group(&run.result, signal);
        }
    }

    /// Waits for the end of what an earlier executor left running.
    pub(crate) fn end_leftover(&mut self, process: String) {
        let Some((name, result)) = parse_process(&process) else {
            self.events.push_back(Event::LeftoverGone { process });
            return;
        };
        match open(&name) {
            Some(pidfd) => self.leftovers.push(Leftover { process, pidfd, result }),
            None => self.finish_leftover(process, &result),
        }
    }

    fn finish_leftover(&mut self, process: String, result: &Path) {
        if let Some(report) = Report::read(result) {
            self.read.push(result.to_owned());
            self.found.extend(report.found());
            self.events.push_back(Event::LeftoverEnded { process, exit: report.exit() });
            return;
        }
        let (sender, waker) = (self.ended.0.clone(), self.waker.clone());
        let (agent, result) = (group(result), result.to_owned());
        let work = move || {
            if let Some(agent) = agent {
                leftover::end(&agent);
            }
            forget(&result);
            let _ = sender.send(Event::LeftoverGone { process });
            waker.wake();
        };
        if let Err(error) = thread::Builder::new().name("leftover".to_owned()).spawn(work) {
            systole_link::log_line("execd", "error", &format!("cannot end a leftover process: {error}"));
        }
    }

    /// Removes what nobody will ask for: results of monitors that were running when an earlier executor was killed.
    pub(crate) fn sweep(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let of_leftover =
                self.leftovers.iter().any(|l| path == l.result || path == group_file(&l.result));
            if !of_leftover && !entry.file_name().to_string_lossy().starts_with(&self.prefix) {
                let _ = fs::remove_file(path);
            }
        }
    }
}

/// `PID:START_TIME RESULT`.
fn parse_process(process: &str) -> Option<(ProcessName, PathBuf)> {
    let (name, result) = process.split_once(' ')?;
    Some((name.parse().ok()?, result.into()))
}

fn signal_group(result: &Path, signal: Signal) {
    let leader = group(result).filter(|name| !name.is_used_again());
    let pid = leader.and_then(|name| i32::try_from(name.pid).ok()).and_then(Pid::from_raw);
    if let Some(pgid) = pid {
        // That it is gone already is what we want.
        let _ = kill_process_group(pgid, signal);
    }
}

fn forget(result: &Path) {
    let _ = fs::remove_file(result);
    let _ = fs::remove_file(group_file(result));
}

/// Logs what an agent that failed wrote to standard error.
fn complain(what: &str, report: &Report) {
    let expected = matches!(report.exit().rc, OcfRc::Ok | OcfRc::NotRunning | OcfRc::Promoted);
    if !expected {
        for line in report.complaint.lines().rev().take(8).collect::<Vec<_>>().into_iter().rev() {
            systole_link::log_line("execd", "notice", &format!("{what}: {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::members;
    use std::{
        collections::BTreeMap,
        time::{Duration, Instant},
    };

    fn operation() -> Operation {
        Operation {
            call: 1,
            key: "r_start_0".into(),
            resource: "r".into(),
            class: "ocf".into(),
            provider: Some("test".into()),
            agent: "agent".into(),
            operation: "start".into(),
            interval_ms: 0,
            timeout_ms: 20_000,
            start_delay_ms: 0,
            parameters: BTreeMap::new(),
            transition_key: "1:1:0:00000000-0000-0000-0000-000000000000".into(),
            expected_rc: None,
            digests: Default::default(),
        }
    }

    #[test]
    fn a_group_is_signalled_without_its_leader_but_not_once_its_number_is_used_again() {
        let result = std::env::temp_dir().join(format!("systole-runner-{}-signal", std::process::id()));
        let mut leader =
            Command::new("sh").args(["-c", "sleep 60 & exit 0"]).process_group(0).spawn().expect("sh");
        let name = ProcessName::of(leader.id()).expect("started");
        leader.wait().expect("leader");
        fs::write(group_file(&result), name.to_string()).expect("file");
        signal_group(&result, Signal::KILL);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !members(name.pid).is_empty() {
            assert!(Instant::now() < deadline, "what the leader left still runs");
            thread::sleep(Duration::from_millis(5));
        }

        let mut other = Command::new("sleep").arg("60").process_group(0).spawn().expect("sleep");
        fs::write(group_file(&result), format!("{}:1", other.id())).expect("file");
        signal_group(&result, Signal::KILL);
        thread::sleep(Duration::from_millis(20));
        assert!(other.try_wait().expect("wait").is_none(), "a stranger was killed");
        other.kill().expect("kill");
        other.wait().expect("wait");
        fs::remove_file(group_file(&result)).expect("file");
    }

    #[test]
    fn a_keeper_is_told_its_task_only_when_the_next_executor_would_find_it() {
        for is_released in [false, true] {
            let root =
                std::env::temp_dir().join(format!("systole-runner-{}-{is_released}", std::process::id()));
            let told = root.join("told");
            let script = format!("cat > {0}.new; mv {0}.new {0}", told.display());
            let config = Config {
                socket: root.join("exec.sock"),
                state_file: root.join("state"),
                boot_id_file: root.join("boot-id"),
                run_dir: root.clone(),
                ocf_root: root.clone(),
                keeper: ["sh", "-c", &script].map(OsString::from).into(),
                user: String::new(),
                verbose: false,
            };
            let (waker, _wakes) = systole_link::waker().expect("pipe");
            let mut runner = Runner::new(&config, waker).expect("directory");
            runner.execute(RunId(1), operation());
            assert!(matches!(runner.next_event(), Some(Event::Spawned { run: RunId(1), .. })));
            if is_released {
                runner.release(RunId(1));
            }
            // As when the executor is killed now.
            drop(runner);
            let deadline = Instant::now() + Duration::from_secs(20);
            while !told.exists() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
            let task = fs::read(&told).expect("the keeper ends");
            assert_eq!(!task.is_empty(), is_released);
            fs::remove_dir_all(root).expect("directory");
        }
    }
}
