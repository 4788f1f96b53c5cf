//! Signs of the death of what agents manage: a process that ends is noticed at once, not at the next round of its
//! resource's monitor.
//!
//! A sign only: it brings the monitor forward, and what the monitor says counts. Kept over a restart of the executor.

use crate::{
    keeper::replace_file,
    process::{ProcessName, open},
    service,
};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    os::fd::OwnedFd,
    path::PathBuf,
    time::{Duration, Instant},
};
use systole_link::{Poll, Ready};
use systole_wire::exec::Operation;

/// How long others have to take note of an end: a container's engine (Podman asked before that would say that the container
/// runs; should what notes it down be gone too, the sign counts then), and a process's parent (an agent that asks whether
/// the number is in use would be told so until the process is buried).
const OTHERS_NOTICE: Duration = Duration::from_millis(500);

/// How often to look whether a process has been buried.
const ROUND: Duration = Duration::from_millis(5);

/// What a keeper found after an action that went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub resource: String,
    pub processes: Vec<ProcessName>,
    pub is_container: bool,
}

/// Watches processes end.
pub(crate) struct ProcessWatch {
    file: PathBuf,
    watched: Vec<Watched>,
}

struct Watched {
    resource: String,
    process: ProcessName,
    is_container: bool,
    state: State,
}

enum State {
    Runs(OwnedFd),
    /// The sign counts from then on, or once there is nothing left to wait for.
    Ended(Instant),
}

impl Watched {
    fn new(resource: String, process: ProcessName, is_container: bool) -> Self {
        let state = open(&process).map_or_else(State::ended, State::Runs);
        Self { resource, process, is_container, state }
    }

    /// Whether the sign counts now.
    fn is_sign(&self, now: Instant) -> bool {
        match self.state {
            State::Runs(_) => false,
            State::Ended(due) => {
                let is_buried = || ProcessName::of(self.process.pid) != Some(self.process);
                due <= now || !self.is_container && is_buried()
            }
        }
    }
}

impl State {
    fn ended() -> Self {
        Self::Ended(Instant::now() + OTHERS_NOTICE)
    }
}

/// How it is kept in the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    resource: String,
    process: String,
    is_container: bool,
}

impl ProcessWatch {
    /// Goes on watching what the file at `file` names, if that is still the same. The file must not outlive the boot.
    pub(crate) fn resume(file: PathBuf) -> Self {
        let kept: Vec<Kept> =
            fs::read(&file).ok().and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        let watched = kept.into_iter().filter_map(|kept| {
            let process: ProcessName = kept.process.parse().ok()?;
            // What ended meanwhile is as good a sign as what ends now.
            Some(Watched::new(kept.resource, process, kept.is_container))
        });
        Self { watched: watched.collect(), file }
    }

    /// An operation is about to run: what it ends is not watched any more.
    pub(crate) fn learn(&mut self, operation: &Operation) {
        if service::ends(operation) {
            self.forget(&operation.resource);
        }
    }

    /// Watches what was found, in the place of what was watched for the same resource.
    pub(crate) fn watch(&mut self, found: Found) {
        let known = self.watched.iter().filter(|watched| watched.resource == found.resource);
        if known.map(|watched| watched.process).eq(found.processes.iter().copied()) {
            return;
        }
        self.watched.retain(|watched| watched.resource != found.resource);
        for process in found.processes {
            self.watched.push(Watched::new(found.resource.clone(), process, found.is_container));
        }
        self.keep();
    }

    /// Watches nothing of `resource` any more: it is known what became of it.
    pub(crate) fn forget(&mut self, resource: &str) {
        let n_before = self.watched.len();
        self.watched.retain(|watched| watched.resource != resource);
        if self.watched.len() < n_before {
            self.keep();
        }
    }

    /// Adds every process to what the loop waits for.
    pub(crate) fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Vec<(usize, usize)> {
        let running = self.watched.iter().enumerate().filter_map(|(at, watched)| match &watched.state {
            State::Runs(pidfd) => Some((at, poll.add(pidfd))),
            State::Ended(_) => None,
        });
        running.collect()
    }

    /// Takes note of what has ended, by what [`Self::add_to`] said.
    pub(crate) fn serve(&mut self, ready: &Ready, added: &[(usize, usize)]) {
        for &(at, idx) in added {
            if ready.has(idx)
                && let Some(watched) = self.watched.get_mut(at)
            {
                watched.state = State::ended();
            }
        }
    }

    /// The resources there is a sign of now, with the processes that have ended. Each sign is given once.
    pub(crate) fn signs(&mut self) -> Vec<(String, ProcessName)> {
        let now = Instant::now();
        let (signs, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.watched).into_iter().partition(|watched| watched.is_sign(now));
        self.watched = others;
        if !signs.is_empty() {
            self.keep();
        }
        signs.into_iter().map(|watched| (watched.resource, watched.process)).collect()
    }

    /// When to look at [`Self::signs`] again, if anything has ended.
    pub(crate) fn patience_left(&self) -> Option<Duration> {
        self.watched.iter().any(|watched| matches!(watched.state, State::Ended(_))).then_some(ROUND)
    }

    fn keep(&self) {
        let kept = self.watched.iter().map(|watched| Kept {
            resource: watched.resource.clone(),
            process: watched.process.to_string(),
            is_container: watched.is_container,
        });
        let kept: Vec<Kept> = kept.collect();
        let result = serde_json::to_vec(&kept).map_err(io::Error::other);
        if let Err(error) = result.and_then(|bytes| replace_file(&self.file, &bytes)) {
            let path = self.file.display();
            let message =
                format!("cannot write {path}, a restart would forget which processes are watched: {error}");
            systole_link::log_line("execd", "warning", &message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command};

    fn service() -> (Child, ProcessName) {
        let child = Command::new("sleep").arg("600").spawn().expect("sleep");
        let name = ProcessName::of(child.id()).expect("it runs");
        (child, name)
    }

    fn end(child: &mut Child) {
        child.kill().expect("kill");
        child.wait().expect("buried");
    }

    /// One round of the loop, after which `signs` may have something to say.
    fn round(watch: &mut ProcessWatch) -> Vec<(String, ProcessName)> {
        let mut poll = Poll::new();
        let added = watch.add_to(&mut poll);
        let ready = poll.wait(Some(Duration::ZERO)).expect("poll");
        watch.serve(&ready, &added);
        watch.signs()
    }

    #[test]
    fn a_process_that_has_ended_is_a_sign_once_and_a_containers_engine_is_given_time() {
        let file = std::env::temp_dir().join(format!("systole-watch-{}", std::process::id()));
        for is_container in [false, true] {
            let (mut child, process) = service();
            let mut watch = ProcessWatch::resume(file.clone());
            watch.watch(Found { resource: "r".into(), processes: vec![process], is_container });
            assert_eq!(round(&mut watch), []);
            // What is kept is watched by the next executor.
            let mut next = ProcessWatch::resume(file.clone());
            end(&mut child);
            for watch in [&mut watch, &mut next] {
                let at_once = round(watch);
                assert_eq!(at_once.is_empty(), is_container);
                assert_eq!(watch.patience_left().is_some(), is_container);
                std::thread::sleep(OTHERS_NOTICE);
                let later = watch.signs();
                assert_eq!([at_once, later].concat(), [("r".to_owned(), process)]);
            }
        }
        fs::remove_file(file).expect("kept");
    }

    #[test]
    fn what_is_stopped_is_not_watched() {
        let file = std::env::temp_dir().join(format!("systole-watch-stopped-{}", std::process::id()));
        let (mut child, process) = service();
        let mut watch = ProcessWatch::resume(file.clone());
        watch.watch(Found { resource: "r".into(), processes: vec![process], is_container: false });
        watch.forget("r");
        end(&mut child);
        assert_eq!(round(&mut watch), []);
        fs::remove_file(file).expect("kept");
    }
}
