//! What happens around remote daemons: sessions come and go, containers end, agents act over there.

use super::Cluster;
use crate::{
    NodeIdx, SECOND,
    agents::Act,
    far::{self, FarIdx, Session, Site},
};
use systole_cluster::{Event, RemoteCommand, RemoteEvent, SessionId};
use systole_wire::{
    api::{AttributeUpdate, Call},
    exec::ToExecutor,
};

impl Cluster {
    /// The remote daemon in the container that a resource is on a host.
    pub(super) fn guest_of(&self, resource: &str, host: NodeIdx) -> Option<FarIdx> {
        let (bundle, number) = resource.split_once("-podman-")?;
        self.far_named(&format!("{bundle}-{number}"), host)
    }

    /// The remote daemon with this name: of guests, the one whose container is on that host.
    fn far_named(&self, name: &str, host: NodeIdx) -> Option<FarIdx> {
        self.fars.iter().position(|far| far.name == name && far.host().is_none_or(|at| at == host))
    }

    /// A container has ended, if the resource is one.
    pub(super) fn container_ends(&mut self, resource: &str, host: NodeIdx) {
        if let Some(far) = self.guest_of(resource, host) {
            self.far_ends(far, Site::NoContainer(host), false);
        }
    }

    /// Everything at a remote daemon ends, itself included.
    pub fn far_ends(&mut self, far: FarIdx, site: Site, is_silent: bool) {
        self.fars[far].end(site);
        self.end_sessions_with(far, "the remote host is gone", is_silent);
    }

    /// A remote daemon is killed and comes back; what runs around it goes on.
    pub fn restart_far_daemon(&mut self, far: FarIdx, away: u64) {
        let there = &mut self.fars[far];
        let name = there.name.clone();
        there.end_daemon();
        there.was_disturbed = true;
        there.starts_at = Some(self.now + away);
        self.tell(&name, &format!("=== remote daemon killed, back in {} ms", away / 1000));
        self.end_sessions_with(far, "connection reset", false);
    }

    /// Breaks the sessions with a remote daemon, which can be connected to again at once.
    pub fn break_sessions(&mut self, far: FarIdx) {
        let name = self.fars[far].name.clone();
        self.fars[far].was_disturbed = true;
        self.tell(&name, "=== sessions break");
        self.end_sessions_with(far, "connection reset", false);
    }

    /// Switches a remote machine on or off.
    pub fn power_far(&mut self, far: FarIdx, is_on: bool) {
        let name = self.fars[far].name.clone();
        self.tell(&name, if is_on { "=== powered on" } else { "=== powered off" });
        if is_on {
            let starts_at = self.now + self.random.between(100_000, SECOND);
            self.fars[far].begin(Site::Machine(true), starts_at);
        } else {
            self.fars[far].was_disturbed = true;
            self.far_ends(far, Site::Machine(false), true);
        }
    }

    fn end_sessions_with(&mut self, far: FarIdx, reason: &str, is_silent: bool) {
        let now = self.now;
        let there = &mut self.fars[far];
        for session in self.sessions.iter_mut().filter(|session| session.far == far && !session.is_over) {
            there.forget(session.id);
            session.end(reason, is_silent, now);
        }
    }

    /// A node's daemon is gone, and its sessions with it.
    pub(super) fn drop_sessions_of(&mut self, node: NodeIdx) {
        for session in self.sessions.iter().filter(|session| session.node == node) {
            self.fars[session.far].forget(session.id);
        }
        self.sessions.retain(|session| session.node != node);
    }

    /// Sessions that go through a cut break.
    pub(super) fn cut_sessions(&mut self) {
        let now = self.now;
        for idx in 0..self.sessions.len() {
            let (node, far) = (self.sessions[idx].node, self.sessions[idx].far);
            if self.reaches(node, far) || self.sessions[idx].is_over {
                continue;
            }
            self.fars[far].was_disturbed = true;
            self.fars[far].forget(self.sessions[idx].id);
            self.sessions[idx].end("nothing was heard for too long", true, now);
        }
    }

    /// Whether packets get from a node to a remote daemon's host. Remote machines are beside the first node.
    fn reaches(&self, node: NodeIdx, far: FarIdx) -> bool {
        match self.fars[far].site {
            Site::NoContainer(_) => false,
            Site::Container(host) => self.network.share_zone(node, host),
            Site::Machine(is_on) => is_on && self.network.share_zone(node, 0),
        }
    }

    pub(super) fn remote_command(&mut self, node: NodeIdx, id: SessionId, command: RemoteCommand) {
        let now = self.now;
        let is_it = |session: &Session| session.node == node && session.id == id;
        match command {
            RemoteCommand::Open(endpoint) => {
                let connects_at = now + self.random.between(1_000, 60_000);
                let host = self.hosts.iter().position(|host| host.name == endpoint.address).unwrap_or(node);
                match self.far_named(&endpoint.node, host) {
                    Some(far) => self.sessions.push(Session::open(id, node, far, connects_at)),
                    None => self.checker.fail(format!("nobody has a node {}", endpoint.node)),
                }
            }
            RemoteCommand::Tell(message) => {
                if let ToExecutor::Run(operation) = &message {
                    self.checker.asked(now, operation);
                }
                let at = now + self.random.between(50, 3_000);
                if let Some(session) =
                    self.sessions.iter_mut().find(|session| is_it(session) && !session.is_over)
                {
                    session.tell_far(message, at);
                }
            }
            RemoteCommand::Close => {
                if let Some(session) = self.sessions.iter().find(|session| is_it(session)) {
                    self.fars[session.far].forget(id);
                }
                self.sessions.retain(|session| !is_it(session));
            }
        }
    }

    pub(super) fn sessions_deliver(&mut self) {
        let now = self.now;
        for idx in 0..self.sessions.len() {
            if self.sessions[idx].connects_at.take_if(|at| *at <= now).is_some() {
                self.connect_session(idx);
            }
            let (far, id) = (self.sessions[idx].far, self.sessions[idx].id);
            while let Some(message) = self.sessions[idx].due_far(now) {
                self.far_hears(far, id, message);
            }
        }
        // Telling a node may open and close sessions.
        while let Some((node, id, event)) = self.next_for_node() {
            self.note_break(node, id, &event);
            self.tell_node(node, Event::Remote { session: id, event });
        }
        self.sessions.retain(|session| !session.is_over || !session.to_node.is_empty());
    }

    /// A node hears that a session which was up is over.
    fn note_break(&mut self, node: NodeIdx, id: SessionId, event: &RemoteEvent) {
        let session = self.sessions.iter().find(|session| session.node == node && session.id == id);
        if let Some(session) = session.filter(|session| session.is_up)
            && matches!(event, RemoteEvent::Lost { .. })
        {
            let there = &mut self.fars[session.far];
            there.broken_in = Some(there.incarnation);
        }
    }

    fn next_for_node(&mut self) -> Option<(NodeIdx, SessionId, RemoteEvent)> {
        let now = self.now;
        self.sessions.iter_mut().find_map(|session| {
            let event = session.due_node(now)?;
            Some((session.node, session.id, event))
        })
    }

    fn connect_session(&mut self, idx: usize) {
        let (node, far, now) = (self.sessions[idx].node, self.sessions[idx].far, self.now);
        let (reaches, there) = (self.reaches(node, far), &self.fars[far]);
        if !reaches || !there.is_up {
            let is_silent = !reaches && there.exists();
            return self.sessions[idx].end("connection refused", is_silent, now);
        }
        let name = there.name.clone();
        if there.is_guest() && there.broken_in == Some(there.incarnation) {
            self.checker.fail(format!("{name} was lost, and its container was not recovered"));
        }
        self.tell(&name, &format!("is connected to by {}", self.hosts[node].name));
        self.sessions[idx].is_up = true;
        self.sessions[idx].tell_node(far::welcome(), now);
    }

    fn far_hears(&mut self, far: FarIdx, session: SessionId, message: ToExecutor) {
        if !self.fars[far].is_up {
            return;
        }
        if let ToExecutor::Run(operation) = &message
            && operation.operation != "monitor"
        {
            let name = self.fars[far].name.clone();
            self.tell(&name, &format!("runs {} ({})", operation.key, operation.transition_key));
        }
        self.fars[far].obey(session, message, self.now);
        self.fars[far].pump(self.now, &mut self.n_processes, &mut self.random);
    }

    pub(super) fn far_acts(&mut self, far: FarIdx) {
        let now = self.now;
        if self.fars[far].starts_at.take_if(|at| *at <= now).is_some() && self.fars[far].exists() {
            self.fars[far].is_up = true;
            let name = self.fars[far].name.clone();
            self.tell(&name, "remote daemon is up");
        }
        self.fars[far].pump(now, &mut self.n_processes, &mut self.random);
        while let Some(id) = self.fars[far].agents.due(now) {
            let Some(process) = self.fars[far].agents.processes.get(&id).cloned() else { return };
            if process.acts_at.is_some() {
                let act = self.fars[far].agents.act(id);
                self.far_acted(far, act, &process.operation.transition_key);
                continue;
            }
            if let Site::Container(host) = self.fars[far].site
                && self.fars[far].agents.active.contains(&process.operation.resource)
            {
                let name = self.fars[far].name.clone();
                self.claim_promotion(host, &name, &process.operation.resource);
            }
            let at = self.clock().wall.0;
            let told = self.fars[far].finished(id, at, now);
            let delay = self.random.between(50, 3_000);
            if let Some((id, message)) = told
                && let Some(session) =
                    self.sessions.iter_mut().find(|session| session.id == id && !session.is_over)
            {
                session.tell_node(RemoteEvent::Says(message), now + delay);
            }
            self.fars[far].pump(now, &mut self.n_processes, &mut self.random);
        }
    }

    fn far_acted(&mut self, far: FarIdx, act: Act, transition_key: &str) {
        let name = self.fars[far].name.clone();
        match act {
            Act::Nothing | Act::Stopped(_) => {}
            Act::Started(resource) => {
                self.tell(&name, &format!("*** {resource} runs"));
                self.checker.started_far(&resource, &self.fars[far], &self.hosts);
            }
            Act::Promoted(resource) => {
                self.tell(&name, &format!("*** {resource} is promoted"));
                let decided = self.checker.decided(transition_key);
                self.checker.promoted_far(
                    (self.now, decided),
                    &resource,
                    far,
                    &self.fars,
                    &self.hosts,
                    &self.network,
                );
            }
        }
    }

    /// An agent asks for a promotion score on `node`, unless it has one. `host` is where its tool finds a daemon.
    pub(super) fn claim_promotion(&mut self, host: NodeIdx, node: &str, resource: &str) {
        if !self.promotable.contains(&resource) {
            return;
        }
        let Some(daemon) = &self.hosts[host].node else { return };
        let name = format!("master-{resource}");
        let states = daemon.cib().root().child("status");
        let state = states
            .into_iter()
            .flat_map(|status| status.children())
            .find(|state| state.attr("uname") == Some(node));
        let Some(state) = state else { return };
        let has_score = state.descendants().any(|pair| pair.attr("name") == Some(&name));
        let call = Call::Attribute(AttributeUpdate {
            node: node.to_owned(),
            name,
            value: Some("5".to_owned()),
            ..AttributeUpdate::default()
        });
        if !has_score && !self.asked.values().any(|(_, asked, _)| *asked == call) {
            self.ask(host, call);
        }
    }
}
