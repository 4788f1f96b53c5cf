//! A simulated remote host or container: a remote daemon with its executor, and agents beside them.
//!
//! The daemon is the real [`RemoteServer`]; what it says and hears goes through a [`crate::session::Session`] as text.

use crate::{
    Micros,
    cluster::Blow,
    station::{Place, Station},
};
use std::collections::{BTreeMap, VecDeque};
use systole_cluster::remote::server::{RemoteClient, RemoteServer};
use systole_wire::exec::FromExecutor;

/// A remote daemon, by its place in the list.
pub type FarIdx = usize;

/// Where a remote daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// In a container that does not run here.
    NoContainer(Place),
    /// In a container that runs here.
    Container(Place),
    /// On a machine of its own, with power or without.
    Machine(bool),
}

/// A remote daemon and what is around it.
pub struct Far {
    /// The remote or guest node's name.
    pub name: String,
    /// Where it is.
    pub site: Site,
    /// The daemon, while its program runs.
    pub server: Option<RemoteServer>,
    /// The executor in the same program, and what it has begun.
    pub station: Station,
    /// What the executor has to say to the daemon.
    pub from_executor: VecDeque<FromExecutor>,
    /// When the daemon starts, if that is arranged.
    pub starts_at: Option<Micros>,
    /// Clients that are gone, and when the daemon hears of that.
    pub leaving: Vec<(Micros, RemoteClient)>,
    /// Counts containers, or boots.
    pub incarnation: u32,
    /// When the present one began.
    pub began_at: Micros,
    /// The incarnation in which a session broke that nobody closed.
    pub broken_in: Option<u32>,
    /// Until then it takes connections and does not answer.
    pub stalls_until: Micros,
    /// Whether it says each result twice.
    pub repeats_results: bool,
    /// Whether its sessions break as soon as it is told to promote, demote or notify.
    pub breaks_at_word: bool,
    /// What happens to who holds the connection when this is told to demote or stop something.
    pub at_word: Option<Blow>,
    /// Whether results of different resources overtake each other, and when the last one of each arrives.
    pub shuffles_results: bool,
    /// See `shuffles_results`.
    pub last_result_at: BTreeMap<String, Micros>,
    /// Whether it says results again later.
    pub repeats_late: bool,
}

impl Far {
    /// In a container that does not run yet, or on a machine without power.
    pub fn new(name: &str, site: Site) -> Self {
        Self {
            name: name.to_owned(),
            site,
            server: None,
            station: Station::default(),
            from_executor: VecDeque::new(),
            starts_at: None,
            leaving: Vec::new(),
            incarnation: 0,
            began_at: 0,
            broken_in: None,
            stalls_until: 0,
            repeats_results: false,
            breaks_at_word: false,
            at_word: None,
            shuffles_results: false,
            last_result_at: BTreeMap::new(),
            repeats_late: false,
        }
    }

    /// Whether the daemon runs.
    pub fn is_up(&self) -> bool {
        self.server.is_some()
    }

    /// Whether it is in a container.
    pub fn is_guest(&self) -> bool {
        !matches!(self.site, Site::Machine(_))
    }

    /// Where its container is, if it is in one.
    pub fn host(&self) -> Option<Place> {
        match self.site {
            Site::NoContainer(host) | Site::Container(host) => Some(host),
            Site::Machine(_) => None,
        }
    }

    /// Whether something can run here.
    pub fn exists(&self) -> bool {
        matches!(self.site, Site::Container(_) | Site::Machine(true))
    }

    /// The name of its present boot.
    pub fn boot_id(&self) -> String {
        format!("{}-{}", self.name, self.incarnation)
    }

    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        let awake = self.server.as_ref().filter(|_| self.station.hangs_until.is_none());
        let deadline = awake.and_then(RemoteServer::next_deadline);
        let deadline = deadline.map(|at| at.0.as_micros() as Micros);
        let leaving = self.leaving.iter().map(|(at, _)| *at).min();
        [self.starts_at, leaving, deadline, self.station.next()].into_iter().flatten().min()
    }

    /// It begins: a container was started, or a machine got power.
    pub fn begin(&mut self, site: Site, starts_at: Micros) {
        self.site = site;
        self.incarnation += 1;
        self.began_at = starts_at;
        self.starts_at = Some(starts_at);
    }

    /// Everything here ends.
    pub fn end(&mut self, site: Site) {
        self.end_daemon();
        self.station.end();
        (self.site, self.starts_at) = (site, None);
    }

    /// The daemon ends; what it has begun goes on.
    pub fn end_daemon(&mut self) {
        self.server = None;
        self.station.kill_executor();
        self.from_executor.clear();
        self.leaving.clear();
    }
}
