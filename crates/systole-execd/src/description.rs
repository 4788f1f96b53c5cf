//! Agents that describe themselves: their metadata, kept for as long as the agent's file stays as it is.

use crate::Config;
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};
use systole_agents::{AgentCall, Host, Outcome};
use systole_link::Waker;
use systole_types::OcfRc;
use systole_wire::exec::AgentName;

/// How long an agent may take to describe itself: less than `systoled` waits for it.
const LIMIT: Duration = Duration::from_secs(4);
/// How many agents describe themselves at a time.
const MAX_AT_ONCE: usize = 8;

/// Descriptions of agents.
pub(crate) struct Descriptions {
    host: Host,
    /// Metadata with what the agent's file looked like. What failed is tried again.
    known: BTreeMap<AgentName, (Stamp, String)>,
    under_way: BTreeSet<AgentName>,
    waiting: VecDeque<AgentName>,
    /// Not passed on yet.
    answers: Vec<(AgentName, Option<String>)>,
    ended: (Sender<Answer>, Receiver<Answer>),
    waker: Waker,
}

type Answer = (AgentName, Stamp, Option<String>);

/// By what a file is known to be the same: inode, length, time of change in seconds and nanoseconds.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Descriptions {
    pub(crate) fn new(config: &Config, waker: Waker) -> Self {
        Self {
            host: Host { ocf_root: config.ocf_root.clone(), ..Host::default() },
            known: BTreeMap::new(),
            under_way: BTreeSet::new(),
            waiting: VecDeque::new(),
            answers: Vec::new(),
            ended: channel(),
            waker,
        }
    }

    /// Has the answer in [`Self::take`], soon.
    pub(crate) fn ask(&mut self, agent: AgentName) {
        match self.known.get(&agent) {
            Some((stamp, metadata)) if stamp.is_some() && *stamp == stamp_of(&path(&self.host, &agent)) => {
                self.answers.push((agent, Some(metadata.clone())));
                self.waker.wake();
            }
            _ if self.under_way.contains(&agent) || self.waiting.contains(&agent) => {}
            _ => {
                self.waiting.push_back(agent);
                self.begin();
            }
        }
    }

    /// The answers since the last call.
    pub(crate) fn take(&mut self) -> Vec<(AgentName, Option<String>)> {
        let ended: Vec<Answer> = self.ended.1.try_iter().collect();
        for (agent, stamp, metadata) in ended {
            self.under_way.remove(&agent);
            if let Some(metadata) = &metadata {
                self.known.insert(agent.clone(), (stamp, metadata.clone()));
            }
            self.answers.push((agent, metadata));
        }
        self.begin();
        std::mem::take(&mut self.answers)
    }

    /// Runs agents that wait, as many as may run.
    fn begin(&mut self) {
        while self.under_way.len() < MAX_AT_ONCE
            && let Some(agent) = self.waiting.pop_front()
        {
            self.under_way.insert(agent.clone());
            if let Err(error) = self.describe(agent.clone()) {
                systole_link::log_line(
                    "execd",
                    "error",
                    &format!("cannot run an agent for its metadata: {error}"),
                );
                let _ = self.ended.0.send((agent, None, None));
                self.waker.wake();
            }
        }
    }

    fn describe(&self, agent: AgentName) -> io::Result<()> {
        let (host, sender, waker) = (self.host.clone(), self.ended.0.clone(), self.waker.clone());
        let work = move || {
            let stamp = stamp_of(&path(&host, &agent));
            let outcome = run(&host, &agent);
            let is_good = outcome.rc == OcfRc::Ok && !outcome.stdout.trim().is_empty();
            let _ = sender.send((agent, stamp, is_good.then_some(outcome.stdout)));
            waker.wake();
        };
        thread::Builder::new().name("metadata".to_owned()).spawn(work).map(|_| ())
    }
}

fn run(host: &Host, agent: &AgentName) -> Outcome {
    let is_device = agent.class == "stonith";
    let call = AgentCall {
        class: agent.class.clone(),
        provider: agent.provider.clone(),
        agent: agent.agent.clone(),
        instance: "metadata".to_owned(),
        action: if is_device { "metadata" } else { "meta-data" }.to_owned(),
        parameters: BTreeMap::new(),
        timeout: LIMIT,
    };
    if is_device { host.run_fence_agent(&call, &mut |_| {}) } else { host.run(&call, &mut |_| {}) }
}

/// Where the agent's program is.
fn path(host: &Host, agent: &AgentName) -> PathBuf {
    match &agent.provider {
        Some(provider) => host.ocf_root.join("resource.d").join(provider).join(&agent.agent),
        None => host.fence_dir.join(&agent.agent),
    }
}

fn stamp_of(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}
