//! The replicated state machine: the CIB and the ledger beside it.
//!
//! Every function here that changes something is called for a message in agreed order, with nothing but what the message
//! says, so that all replicas stay the same.

mod attributes;
mod cleanup;
mod failing;
mod failures;
mod membership;
mod notices;
mod remote;
mod size;
mod status;
mod write;

use crate::{
    Snapshot,
    message::{Attach, Copy, Hand, Hello, LEVEL_OF_MARKS, LEVEL_OF_WORK, Ledger, Perform, feature_set},
};
pub(crate) use attributes::Valued;
pub(crate) use cleanup::{Cleanup, History, failed_resource, failures_cleared, to_forget};
pub(crate) use failures::{fail_offset, failure_of};
pub(crate) use remote::{Place, has_succeeded};
use status::Status;
pub(crate) use status::is_id_of_mark;
use std::{collections::BTreeMap, fmt::Write as _};
use systole_cib::{
    history,
    xml::{Document, Element},
};
use systole_types::{CibVersion, OcfRc, OpStatus, OperationKey};
use systole_wire::exec::OperationResult;
pub(crate) use write::Written;

/// The CIB of a cluster that has none yet.
const BLANK: &str = r#"<cib crm_feature_set="3.20.5" validate-with="pacemaker-4.0" admin_epoch="0" epoch="0" num_updates="0">
  <configuration>
    <crm_config/>
    <nodes/>
    <resources/>
    <constraints/>
  </configuration>
  <status/>
</cib>"#;

/// The CIB with the ledger beside it.
#[derive(Clone)]
pub(crate) struct Replica {
    cib: Document,
    pub generation: u64,
    pub ledger: Ledger,
    /// The lowest minor part of the protocol among the members: what only later ones know of is neither said nor written down.
    pub level: u16,
}

impl Replica {
    /// Of a cluster that has no CIB yet.
    pub fn blank() -> Self {
        Self::read(BLANK, 0, Ledger::default()).expect("the blank CIB is well formed")
    }

    pub fn from_snapshot(snapshot: &Snapshot) -> Result<Self, String> {
        Self::read(&snapshot.xml, snapshot.generation, Ledger::default())
    }

    pub fn from_copy(copy: &Copy) -> Result<Self, String> {
        Self::read(&copy.xml, copy.generation, copy.ledger.clone())
    }

    fn read(xml: &str, generation: u64, ledger: Ledger) -> Result<Self, String> {
        let cib = Document::parse(xml).map_err(|error| error.to_string())?;
        if !cib.root().is("cib") {
            return Err(format!("the root element is <{}>, not <cib>", cib.root().name()));
        }
        Ok(Self { cib, generation, ledger, level: 0 })
    }

    /// For members of which the lowest level is `level`: who does not know the marks would never take them away.
    pub fn to_copy(&self, level: u16) -> Copy {
        let xml = if level < LEVEL_OF_MARKS {
            let mut cib = self.cib.clone();
            Status::of(&mut cib).remove_marks();
            cib.to_text()
        } else {
            self.cib.to_text()
        };
        Copy { xml, generation: self.generation, ledger: self.ledger.clone() }
    }

    pub fn cib(&self) -> &Document {
        &self.cib
    }

    pub fn version(&self) -> CibVersion {
        let part = |name: &str| self.cib.root().attr(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        CibVersion {
            admin_epoch: part("admin_epoch"),
            epoch: part("epoch"),
            num_updates: part("num_updates"),
        }
    }

    /// Tells replicas apart.
    pub fn fingerprint(&self) -> String {
        let ledger = serde_json::to_string(&self.ledger).expect("maps have text or number keys");
        fingerprint(&[&self.cib.to_text(), &ledger, &self.generation.to_string()])
    }

    /// Tells configurations apart.
    pub fn configuration_fingerprint(&self) -> String {
        let configuration = self.cib.root().child("configuration");
        fingerprint(&[&configuration.map(Element::to_text).unwrap_or_default()])
    }

    /// What has to be on disk.
    pub fn snapshot(&self) -> Snapshot {
        let mut cib = self.cib.clone();
        if let Some(status) = cib.root().child("status").map(Element::key) {
            cib.remove(status);
        }
        let root = cib.root_key();
        cib.append(root, "status");
        Snapshot { xml: cib.to_text(), version: self.version(), generation: self.generation }
    }

    /// The name of a member or former member.
    pub fn name_of(&self, node: u32) -> Option<&str> {
        self.ledger.nodes.get(&node).map(|entry| entry.name.as_str())
    }

    pub fn id_of(&self, name: &str) -> Option<u32> {
        self.ledger.nodes.iter().find(|(_, entry)| entry.name == name).map(|(id, _)| *id)
    }

    /// The `<node_state>` of a node.
    pub fn node_state(&self, name: &str) -> Option<Element<'_>> {
        let states = self.cib.root().child("status")?.children_named("node_state");
        states.into_iter().find(|state| state.attr("uname") == Some(name))
    }

    /// Cluster nodes by the configuration and the ledger: number and name.
    pub fn known_nodes(&self) -> BTreeMap<u32, String> {
        let nodes =
            self.cib.root().child("configuration").and_then(|configuration| configuration.child("nodes"));
        let entries = nodes.into_iter().flat_map(|nodes| nodes.children_named("node"));
        let numbered = entries
            .filter(|entry| entry.attr("type") != Some("remote"))
            .filter_map(|entry| Some((entry.id()?.parse().ok()?, entry.attr("uname")?.to_owned())));
        let known = self.ledger.nodes.iter().map(|(id, entry)| (*id, entry.name.clone()));
        numbered.chain(known).collect()
    }

    /// Whether the configuration has an entry for the cluster node numbered `id`.
    pub fn is_configured(&self, id: u32) -> bool {
        let id = id.to_string();
        let nodes =
            self.cib.root().child("configuration").and_then(|configuration| configuration.child("nodes"));
        nodes.is_some_and(|nodes| nodes.children_named("node").any(|entry| entry.id() == Some(&id)))
    }

    /// Recurring operations in a node's history: operation keys.
    pub fn recorded_monitors(&self, node: &str) -> Vec<String> {
        let entries = self.recurring_entries(node);
        entries.filter_map(|entry| entry.attr("operation_key").map(str::to_owned)).collect()
    }

    /// When a recurring operation last had another result, as the history of a node says, seconds since 1970.
    pub fn recurring_changed_at(&self, node: &str, operation_key: &str) -> Option<i64> {
        let entries = self.recurring_entries(node);
        let entries = entries.filter(|entry| entry.attr("operation_key") == Some(operation_key));
        entries.filter_map(|entry| entry.attr("last-rc-change")?.parse().ok()).max()
    }

    fn recurring_entries(&self, node: &str) -> impl Iterator<Item = Element<'_>> {
        let resources = self.node_state(node).and_then(|state| state.child("lrm")?.child("lrm_resources"));
        let entries = resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        let operations = entries.flat_map(|resource| resource.children_named("lrm_rsc_op"));
        operations.filter(|entry| entry.attr("interval").is_some_and(|interval| interval != "0"))
    }

    fn status(&mut self) -> Status<'_> {
        Status::of(&mut self.cib)
    }

    /// Counts a change: of the configuration, or of anything else.
    fn count(&mut self, what: Counted) {
        let version = match what {
            Counted::Configuration => self.version().after_configuration(),
            Counted::Status => self.version().after_status(),
        };
        self.set_version(version);
        self.ledger.changes += 1;
        self.cib.tidy();
    }

    fn set_version(&mut self, version: CibVersion) {
        let root = self.cib.root_key();
        for (name, part) in [
            ("admin_epoch", version.admin_epoch),
            ("epoch", version.epoch),
            ("num_updates", version.num_updates),
        ] {
            self.cib.set_attr(root, name, &part.to_string());
        }
    }

    /// All members of a view have the same replica now: takes in what they said of themselves.
    ///
    /// A node that was booted since the replica last saw it runs nothing any more, so all that was known of it goes.
    pub fn settle(&mut self, members: &BTreeMap<u32, Hello>, has_quorum: bool) {
        self.generation += u64::from(has_quorum);
        self.level = members.values().map(|hello| hello.protocol.minor).min().unwrap_or_default();
        self.ledger.nodes.values_mut().for_each(|entry| entry.attached = false);
        self.ledger.connections.values_mut().for_each(|entry| entry.attached = false);
        for (id, hello) in members {
            let entry = self.ledger.nodes.entry(*id).or_default();
            entry.name = hello.name.clone();
            let has_rebooted = entry.boot_id != hello.boot_id;
            if has_rebooted {
                entry.boot_id = hello.boot_id.clone();
                entry.recorded = 0;
            }
            // One that is still the same program has not left: it goes on leaving.
            if std::mem::take(&mut entry.leaving) && !hello.live {
                self.forget_member(*id, &hello.name);
            }
            if !hello.live {
                // Whoever was asked to leave has done so, one way or another, and is back.
                Status::of(&mut self.cib).remove_attributes(&hello.name, |name| name == "shutdown");
            }
            if has_rebooted {
                self.ledger.give_up(|perform| perform.node == *id);
                self.forget_member(*id, &hello.name);
            }
        }
        self.count(Counted::Status);
    }

    /// An executor of a member is there. Its history is kept as far as it is what the executor knows.
    pub fn attach(&mut self, from: u32, attach: &Attach) -> Attached {
        let Some(place) = self.place(from, &attach.by) else { return Attached::Current };
        if self.says_nothing_new(attach) {
            return Attached::Unchanged;
        }
        let Some(attached) = self.attach_executor(from, attach) else { return Attached::Current };
        if attached == Attached::Erased {
            // Some result went into a replica that lost against this one, or is forgotten: only probes can tell now.
            self.ledger.in_flight.retain(|_, perform| !perform.is_for(from, &attach.by));
            self.erase_history(&place.name);
        }
        for key in &attach.lost_operations {
            if let Some(perform) = self.ledger.in_flight.remove(key) {
                self.status().erase_resource(&place.name, &perform.operation.resource);
            }
        }
        for key in &attach.lost_monitors {
            if let Ok(parsed) = key.parse::<OperationKey>() {
                self.status().erase_operation(&place.name, parsed.resource.as_str(), key);
            }
        }
        for perform in &attach.in_flight {
            if !self.ledger.in_flight.contains_key(&perform.operation.transition_key) {
                self.begin(perform);
            }
        }
        self.count(Counted::Status);
        attached
    }

    /// What is in flight for a hand of a member: transition keys.
    pub fn asked_of(&self, node: u32, by: &Hand) -> Vec<String> {
        let of_it = self.ledger.in_flight.iter().filter(|(_, perform)| perform.is_for(node, by));
        of_it.map(|(key, _)| key.clone()).collect()
    }

    /// Whether this is about a session that is known to be up since its start, and all is as it is known.
    fn says_nothing_new(&self, attach: &Attach) -> bool {
        let Hand::Remote(name) = &attach.by else { return false };
        let is_known = self.ledger.connections.get(name).is_some_and(|entry| {
            entry.attached && entry.session == attach.session && attach.acknowledged <= entry.recorded
        });
        is_known
            && attach.lost_operations.is_empty()
            && attach.lost_monitors.is_empty()
            && attach.in_flight.is_empty()
    }

    /// Takes an executor for attached, and says whether its history can be kept; `None` if it is none of the member's.
    fn attach_executor(&mut self, from: u32, attach: &Attach) -> Option<Attached> {
        let is_unknown = matches!(&attach.by, Hand::Remote(name) if !self.has_history(name));
        let (recorded, is_out_of_date) = match &attach.by {
            Hand::Executor => {
                let entry = self.ledger.nodes.get_mut(&from)?;
                entry.attached = true;
                entry.worked |= self.level >= LEVEL_OF_WORK;
                (&mut entry.recorded, attach.forgetful)
            }
            Hand::Connections => return None,
            Hand::Remote(name) => {
                let entry = self.ledger.connections.get_mut(name)?;
                if entry.host != from || entry.lost {
                    return None;
                }
                entry.attached = true;
                // What an earlier session saw may have been recorded in a replica that lost.
                let is_other = std::mem::replace(&mut entry.session, attach.session) != attach.session;
                (&mut entry.recorded, is_other)
            }
        };
        if !is_out_of_date && attach.acknowledged <= *recorded {
            return Some(Attached::Current);
        }
        *recorded = attach.acknowledged;
        Some(if is_unknown { Attached::Fresh } else { Attached::Erased })
    }

    /// Whether anything is known to have been done on a node.
    pub fn has_history(&self, node: &str) -> bool {
        let resources = self.node_state(node).and_then(|state| state.child("lrm")?.child("lrm_resources"));
        resources.is_some_and(|resources| resources.children().next().is_some())
    }

    /// Forgets what was done on a node, but not which connections to remote nodes it holds: without them, what runs there
    /// would seem not to run.
    fn erase_history(&mut self, node: &str) {
        let held: Vec<String> = match self.id_of(node) {
            Some(id) => self.connections_of(id).map(|(name, _)| name.clone()).collect(),
            None => Vec::new(),
        };
        self.status().erase_history_except(node, &held);
    }

    /// A member's executor is gone.
    pub fn detach(&mut self, from: u32) {
        if let Some(entry) = self.ledger.nodes.get_mut(&from) {
            entry.attached = false;
        }
        self.count(Counted::Status);
    }

    /// The DC has an operation run.
    pub fn perform(&mut self, perform: &Perform) {
        self.ledger.owe(perform);
        self.begin(perform);
        self.count(Counted::Status);
    }

    /// Writes down that an operation is in flight, so that a new DC knows it. One that is cancelled is forgotten.
    fn begin(&mut self, perform: &Perform) {
        let Some(place) = self.place(perform.node, &perform.by) else { return };
        let operation = &perform.operation;
        if operation.operation == "cancel" {
            self.status().erase_operation(&place.name, &operation.resource, &operation.key);
            if let Some(entry) = self.ledger.connections.get_mut(&operation.resource) {
                entry.monitor.take_if(|monitor| monitor.key == operation.key);
            }
            return;
        }
        if operation.operation != "notify" && !self.is_stop_of_lost_guest(perform) {
            let feature_set = feature_set(self.level);
            self.status().record_pending(&place, operation, feature_set);
        }
        let in_flight = Perform::new(perform.node, perform.by.clone(), operation.clone());
        self.ledger.in_flight.insert(operation.transition_key.clone(), in_flight);
    }

    /// A member has taken operations back that nobody had begun: only a probe can tell what is true of their resources. Returns the
    /// transition keys of those that were in flight.
    pub fn withdraw(&mut self, from: u32, keys: &[String]) -> Vec<String> {
        let mut gone = Vec::new();
        for key in keys {
            let in_flight = self.ledger.in_flight.get(key).filter(|perform| perform.node == from);
            let Some(perform) = in_flight.cloned() else { continue };
            self.ledger.in_flight.remove(key);
            if let Some(place) = self.place(from, &perform.by) {
                self.status().erase_resource(&place.name, &perform.operation.resource);
            }
            gone.push(key.clone());
        }
        self.count(Counted::Status);
        gone
    }

    /// Results of an executor of a member. Returns those that were not recorded before.
    pub fn record(&mut self, from: u32, by: &Hand, results: &[OperationResult]) -> Vec<OperationResult> {
        let Some(recorded) = self.recorded_mut(from, by) else { return Vec::new() };
        let before = *recorded;
        let news: Vec<OperationResult> =
            results.iter().filter(|result| result.number > before).cloned().collect();
        *recorded = news.iter().map(|result| result.number).fold(before, u64::max);
        for result in &news {
            self.ledger.in_flight.remove(&result.operation.transition_key);
            self.ledger.follow(result);
            self.write_down(from, by, result);
            if let Some(place) = self.place(from, by) {
                self.follow_container(&place, result);
            }
        }
        self.count_failures(&news);
        self.count(Counted::Status);
        news
    }

    /// Up to which number the results of an executor are recorded.
    pub fn recorded(&self, from: u32, by: &Hand) -> u64 {
        match by {
            Hand::Executor => self.ledger.nodes.get(&from).map_or(0, |entry| entry.recorded),
            Hand::Connections => 0,
            Hand::Remote(name) => self.ledger.connections.get(name).map_or(0, |entry| entry.recorded),
        }
    }

    fn recorded_mut(&mut self, from: u32, by: &Hand) -> Option<&mut u64> {
        match by {
            Hand::Executor => self.ledger.nodes.get_mut(&from).map(|entry| &mut entry.recorded),
            Hand::Connections => None,
            Hand::Remote(name) if self.holds(from, name) => {
                self.ledger.connections.get_mut(name).map(|entry| &mut entry.recorded)
            }
            Hand::Remote(_) => None,
        }
    }

    fn write_down(&mut self, from: u32, by: &Hand, result: &OperationResult) {
        let Some(place) = self.place(from, by) else { return };
        let feature_set = feature_set(self.level);
        match OpStatus::from_code(result.status) {
            OpStatus::Cancelled => {}
            // Nobody knows what came of it: only a probe can tell. On a remote node, the next connection has to tell.
            OpStatus::NotConnected if !matches!(by, Hand::Remote(_)) => {
                self.status().erase_resource(&place.name, &result.operation.resource);
            }
            _ if result.operation.operation == "notify" => {}
            _ => self.status().record(&place, result, feature_set),
        }
    }

    /// Operations that were not answered in time count as timed out.
    pub fn overdue(&mut self, keys: &[String], at: i64) -> Vec<OperationResult> {
        let mut results = Vec::new();
        for perform in keys.iter().filter_map(|key| self.ledger.in_flight.remove(key)).collect::<Vec<_>>() {
            let (node, by) = (perform.node, perform.by);
            let result = OperationResult {
                number: 0,
                exec_ms: perform.operation.timeout_ms,
                operation: perform.operation,
                rc: OcfRc::Error.code(),
                status: OpStatus::TimedOut.code(),
                exit_reason: "the node did not answer in time".to_owned(),
                at,
                queue_ms: 0,
            };
            self.write_down(node, &by, &result);
            results.push(result);
        }
        self.count_failures(&results);
        self.remember_given_up(&results);
        self.count(Counted::Status);
        results
    }

    /// What was done to a resource on a node is forgotten, unless other instances go by the same name. Whether there was anything.
    pub fn forget(&mut self, node: &str, resource: &str) -> bool {
        let entry = self.status().find_resource(node, resource).map(|key| self.cib.element(key));
        if entry.is_none_or(|entry| history::is_of_instances(&self.cib, entry)) {
            return false;
        }
        self.status().erase_resource(node, resource);
        self.count(Counted::Status);
        true
    }
}

/// What a change is counted as.
enum Counted {
    Configuration,
    Status,
}

/// What became of a node's history when its executor came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attached {
    /// It is what it was known to be already: nothing follows from that.
    Unchanged,
    /// It is what the executor knows.
    Current,
    /// It was out of date and is gone: the node will be probed.
    Erased,
    /// There was none: a connection that the present plan has made, and goes on with.
    Fresh,
}

/// Whether a result is the one that was wanted. A degraded resource does what it should.
pub(crate) fn is_success(status: i32, rc: i32, target: i32) -> bool {
    let rc = match OcfRc::from_code(rc) {
        OcfRc::Degraded => OcfRc::Ok,
        OcfRc::DegradedPromoted => OcfRc::Promoted,
        other => other,
    };
    match OpStatus::from_code(status) {
        OpStatus::Done => rc.code() == target,
        OpStatus::Cancelled => true,
        _ => false,
    }
}

/// FNV-1a, 64 bits, of texts in a row. It guards against mistakes, not against malice.
fn fingerprint(texts: &[&str]) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in texts.iter().flat_map(|text| text.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let mut text = String::with_capacity(16);
    write!(text, "{hash:016x}").expect("text grows");
    text
}
