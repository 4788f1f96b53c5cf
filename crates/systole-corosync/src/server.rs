//! Between a node's daemon and Corosync: the loop.

use crate::{
    Agreement, Told,
    corosync::{Corosync, Heard, Sent},
};
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_hub::{LIMITS, Patience, Pulse, cluster_user, trusted_users};
use systole_link::{Connection, Listener, Poll, Ready, Signals};
use systole_wire::{
    PROTOCOL,
    hub::{FromHub, ToHub},
};

/// Between attempts to reach a Corosync that does not run.
const RECONNECT: Duration = Duration::from_millis(200);

/// Between attempts to send what Corosync cannot take at the moment.
const RESEND: Duration = Duration::from_millis(2);

/// How many frames are sent before Corosync is heard again.
const SEND_AT_ONCE: usize = 32;

/// Serves the daemon that connects at `socket`, until `stop` wakes up.
///
/// While Corosync does not run there is no socket.
///
/// # Errors
/// If the socket cannot be had.
pub fn run(socket: &Path, stop: &Signals) -> Result<()> {
    let mut complained = false;
    loop {
        match Server::start(socket) {
            Ok(mut server) => {
                complained = false;
                match server.serve(stop) {
                    Ok(()) => return Ok(()),
                    Err(error) => log("warning", &format!("lost Corosync: {error:#}")),
                }
            }
            Err(error) if error.is::<CannotListen>() => return Err(error),
            Err(error) if !std::mem::replace(&mut complained, true) => {
                log("warning", &format!("cannot reach Corosync, trying again and again: {error:#}"));
            }
            Err(_) => {}
        }
        let mut poll = Poll::new();
        let stop_idx = poll.add(stop);
        if poll.wait(Some(RECONNECT))?.has(stop_idx) {
            return Ok(());
        }
    }
}

/// The socket cannot be had: no use in trying again.
#[derive(Debug)]
struct CannotListen(PathBuf);

impl std::fmt::Display for CannotListen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot listen at {}", self.0.display())
    }
}

/// In the order in which it is let go: taking leave of a Corosync that died takes seconds, and the daemon must not wait.
struct Server {
    daemon: Option<Daemon>,
    listener: Listener,
    /// Who may be the node's daemon. The socket's mode alone would not tell once it was connected to.
    users: BTreeSet<u32>,
    corosync: Corosync,
    agreement: Agreement,
    /// Whether Corosync turned down the last message.
    is_held_up: bool,
}

struct Daemon {
    connection: Connection,
    pulse: Pulse,
    joined: bool,
}

impl Server {
    fn start(socket: &Path) -> Result<Self> {
        let (corosync, ring, has_quorum) = Corosync::connect()?;
        let listener = Listener::bind(socket, 0o600).with_context(|| CannotListen(socket.to_owned()))?;
        if let Some(user) = cluster_user() {
            // Not ours to give away if we are not root; then the daemon is the same user.
            let _ = rustix::fs::chown(socket, Some(rustix::fs::Uid::from_raw(user)), None);
        }
        let agreement = Agreement::new(corosync.own(), ring, has_quorum);
        corosync.join()?;
        log("info", &format!("in Corosync's group as node {}", corosync.own().node));
        Ok(Self { corosync, agreement, listener, users: trusted_users(), daemon: None, is_held_up: false })
    }

    /// Serves until `stop` wakes up.
    fn serve(&mut self, stop: &Signals) -> Result<()> {
        loop {
            let mut poll = Poll::new();
            let (stop_idx, listener_idx) = (poll.add(stop), poll.add(&self.listener));
            let corosync = self.corosync.fds().map(|fd| poll.add(fd));
            let daemon = self.daemon.as_ref().map(|daemon| poll.add_connection(&daemon.connection));
            let ready: Ready = poll.wait(self.timeout())?;
            if ready.has(stop_idx) {
                return Ok(());
            }
            if corosync.iter().any(|idx| ready.has(*idx)) {
                self.hear()?;
            }
            if daemon.is_some_and(|idx| ready.has(idx)) {
                self.serve_daemon();
            }
            if ready.has(listener_idx) {
                self.accept();
            }
            self.feel_pulse();
            self.send()?;
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let resend = match self.agreement.next_frame() {
            Some(_) if self.is_held_up => Some(RESEND),
            Some(_) => Some(Duration::ZERO),
            None => None,
        };
        let daemon = self.daemon.as_ref().filter(|daemon| daemon.joined);
        let pulse = daemon.map(|daemon| daemon.pulse.next_in(Instant::now()));
        resend.into_iter().chain(pulse).min()
    }

    fn hear(&mut self) -> Result<()> {
        let was_in_group = self.agreement.is_in_group();
        for heard in self.corosync.hear()? {
            match heard {
                Heard::Ring(ring) => self.agreement.ring_changed(ring),
                Heard::Processes(processes) => self.agreement.processes_changed(processes),
                Heard::Quorum(ring, has_quorum) => self.agreement.quorum_changed(ring, has_quorum),
                Heard::Message(from, bytes) => {
                    for told in self.agreement.received(from, &bytes) {
                        self.tell(told);
                    }
                }
            }
        }
        if was_in_group && !self.agreement.is_in_group() {
            bail!("this process was put out of the group");
        }
        Ok(())
    }

    fn tell(&mut self, told: Told) {
        match told {
            Told::View(view) => self.say(&FromHub::View(view)),
            Told::Deliver { from, payload } => self.say(&FromHub::Deliver { from, payload }),
        }
    }

    fn say(&mut self, message: &FromHub) {
        let Some(daemon) = &mut self.daemon else { return };
        if let Err(error) = daemon.connection.send(message) {
            self.lose_daemon(&error.to_string());
        }
    }

    /// Sends what is due, as far as Corosync takes it now.
    fn send(&mut self) -> Result<()> {
        self.is_held_up = false;
        for _ in 0..SEND_AT_ONCE {
            let Some(frame) = self.agreement.next_frame() else { break };
            match self.corosync.send(&frame)? {
                Sent::Yes => self.agreement.sent(),
                Sent::NotNow => {
                    self.is_held_up = true;
                    break;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self) {
        for connection in
            self.listener.accept_from(&self.users, LIMITS, &mut |message| log("warning", &message))
        {
            if self.daemon.is_some() {
                self.lose_daemon("another has connected");
            }
            self.daemon = Some(Daemon {
                connection,
                pulse: Pulse::new(Patience::USUAL, Instant::now()),
                joined: false,
            });
        }
    }

    fn serve_daemon(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let mut lines = Vec::new();
        let mut fate = daemon.connection.flush().and_then(|()| daemon.connection.receive(&mut lines));
        if !lines.is_empty() {
            daemon.pulse.heard(Instant::now());
        }
        for line in lines {
            match systole_wire::decode(&line) {
                Ok(message) => self.daemon_said(message),
                Err(error) => {
                    fate = Err(error.into());
                    break;
                }
            }
        }
        if self.agreement.n_unsent() > LIMITS.unsent {
            self.lose_daemon("it casts more than Corosync takes");
        } else if let Err(error) = fate {
            self.lose_daemon(&error.to_string());
        }
    }

    fn daemon_said(&mut self, message: ToHub) {
        match message {
            ToHub::Join { protocol, node } => {
                if protocol.major != PROTOCOL.major {
                    return self.refuse(format!(
                        "the cluster layer speaks protocol {}, the node {}",
                        PROTOCOL.major, protocol.major
                    ));
                }
                if let Some(name) = self.corosync.node_name().filter(|name| *name != node) {
                    return self
                        .refuse(format!("corosync.conf calls this node {name}, but the daemon says {node}"));
                }
                if let Some(daemon) = &mut self.daemon {
                    daemon.joined = true;
                    self.agreement.daemon_came(node);
                }
            }
            ToHub::Cast { payload } if self.daemon.as_ref().is_some_and(|daemon| daemon.joined) => {
                self.agreement.cast(payload);
            }
            ToHub::Cast { .. } => self.refuse("join first".to_owned()),
            ToHub::Control(_) => self.refuse("this is Corosync, not the local hub".to_owned()),
            ToHub::Pong => {}
        }
    }

    fn refuse(&mut self, message: String) {
        self.say(&FromHub::Refused { message: message.clone() });
        self.lose_daemon(&message);
    }

    fn feel_pulse(&mut self) {
        let Some(daemon) = self.daemon.as_mut().filter(|daemon| daemon.joined) else { return };
        match daemon.pulse.feel(Instant::now(), || daemon.connection.peer_work()) {
            systole_hub::Beat::Fine => {}
            systole_hub::Beat::Ask => self.say(&FromHub::Ping),
            systole_hub::Beat::Silent => self.lose_daemon("it does not answer"),
        }
    }

    fn lose_daemon(&mut self, why: &str) {
        if let Some(daemon) = self.daemon.take()
            && daemon.joined
        {
            log("warning", &format!("the node's daemon is gone: {why}"));
            self.agreement.daemon_went();
        }
    }
}

fn log(level: &str, message: &str) {
    systole_link::log_line("systole-corosync", level, message);
}
