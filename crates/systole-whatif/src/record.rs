//! Writing the status section as a cluster would.

use std::collections::{BTreeMap, BTreeSet};
use systole_cib::xml::{Document, Element, Key};
use systole_graph::ResourceRef;
use systole_types::{FEATURE_SET, OcfRc, Timestamp};

/// Of whom a transition key says it comes.
const NOBODY: &str = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

/// The status section of a document, with what has been looked up in it.
pub struct Recorder<'d> {
    /// The CIB.
    pub document: &'d mut Document,
    pub(crate) now: Timestamp,
    nodes: BTreeMap<String, Key>,
    pub(crate) histories: BTreeMap<(Key, String), (Key, i64)>,
    /// Node states with several elements of one name and id beside each other.
    with_twins: BTreeMap<Key, bool>,
    /// Histories made because nobody could say which of several is meant.
    makeshift: Vec<Key>,
}

/// An operation that was, or is said to have been, carried out.
pub struct Operation<'o> {
    /// Resource, as histories know it.
    pub resource: &'o str,
    /// `start`, `monitor`...
    pub task: &'o str,
    /// Milliseconds; 0 unless recurring.
    pub interval_ms: u64,
    /// The result.
    pub rc: OcfRc,
    /// The result that counts as success.
    pub target_rc: OcfRc,
    /// Why it failed, if it did.
    pub exit_reason: &'o str,
    /// When notifying: `post` and `start`, say.
    pub notification: Option<(&'o str, &'o str)>,
    /// When migrating: from and to.
    pub migration: Option<(&'o str, &'o str)>,
    /// Digest of the parameters.
    pub digest: Option<String>,
}

/// What the cluster layer says of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// It is a member.
    Up,
    /// It left for good.
    Down,
    /// It is gone, though nobody asked it to leave.
    Lost,
    /// It was made to.
    Fenced,
}

impl<'d> Recorder<'d> {
    /// Records into `document`; `now` is when things happen.
    pub fn new(document: &'d mut Document, now: Timestamp) -> Self {
        Self {
            document,
            now,
            nodes: BTreeMap::new(),
            histories: BTreeMap::new(),
            with_twins: BTreeMap::new(),
            makeshift: Vec::new(),
        }
    }

    /// `<status>`.
    pub fn status(&mut self) -> Key {
        let root = self.document.root_key();
        self.child_or_new(root, "status")
    }

    fn child_or_new(&mut self, parent: Key, name: &str) -> Key {
        match self.document.element(parent).child(name).map(Element::key) {
            Some(known) => known,
            None => self.document.append(parent, name),
        }
    }

    /// The `<node_state>` of a node, made if there is none.
    pub fn node_state(&mut self, name: &str, uuid: Option<&str>) -> Key {
        if let Some(&known) = self.nodes.get(name) {
            return known;
        }
        let status = self.status();
        let find = |attribute: &str, value: &str| {
            let states = self.document.element(status).children();
            let mut states = states.filter(|state| state.is("node_state"));
            states.find(|state| state.attr(attribute) == Some(value)).map(Element::key)
        };
        let by_name = find("uname", name);
        let configured = self.configured_uuid(name);
        let uuid = uuid.map(str::to_owned).or(configured);
        let by_uuid = || uuid.as_deref().and_then(|uuid| find("id", uuid));
        let known = by_name.or_else(by_uuid);
        let state = known.unwrap_or_else(|| self.document.append(status, "node_state"));
        if self.document.element(state).id().is_none() {
            self.document.set_attr(state, "id", uuid.as_deref().unwrap_or(name));
        }
        if self.document.set_attr(state, "uname", name) {
            self.count_status_change();
        }
        self.nodes.insert(name.to_owned(), state);
        state
    }

    /// Whether there is a `<node_state>` of that name.
    pub fn has_node_state(&self, name: &str) -> bool {
        let status = self.document.root().child("status").into_iter();
        status
            .flat_map(Element::children)
            .any(|state| state.is("node_state") && state.attr("uname") == Some(name))
    }

    /// The id of a node in the configuration.
    pub fn configured_uuid(&self, name: &str) -> Option<String> {
        let nodes = self.document.root().child("configuration")?.child("nodes")?;
        let mut nodes = nodes.children();
        let node = nodes.find(|node| node.attr("uname") == Some(name))?;
        node.id().map(str::to_owned)
    }

    /// Adds a node to the configuration, with its name as its id, unless it is there.
    pub fn configure_node(&mut self, name: &str) {
        if self.configured_uuid(name).is_some() {
            return;
        }
        let root = self.document.root_key();
        let configuration = self.child_or_new(root, "configuration");
        let nodes = self.child_or_new(configuration, "nodes");
        let node = self.document.append(nodes, "node");
        self.document.set_attr(node, "id", name);
        self.document.set_attr(node, "uname", name);
        self.count_configuration_change();
    }

    /// Counts a change of the status section.
    pub fn count_status_change(&mut self) {
        self.count("num_updates");
    }

    /// Counts a change of the configuration.
    pub fn count_configuration_change(&mut self) {
        self.count("epoch");
        let root = self.document.root_key();
        self.document.set_attr(root, "num_updates", "0");
    }

    fn count(&mut self, counter: &str) {
        let root = self.document.root_key();
        let before: u64 =
            self.document.root().attr(counter).and_then(|count| count.parse().ok()).unwrap_or(0);
        self.document.set_attr(root, counter, &before.saturating_add(1).to_string());
    }

    /// Says what has become of a node.
    pub fn set_node_state(&mut self, state: Key, membership: Membership) {
        let (in_ccm, crmd, join) = match membership {
            Membership::Up => ("true", "online", "member"),
            Membership::Down | Membership::Fenced => ("false", "offline", "down"),
            Membership::Lost => ("false", "online", "member"),
        };
        // As the incumbent's simulator writes it.
        let origin = match membership {
            Membership::Fenced => "simulate_fencing_action",
            _ => "crm_simulate",
        };
        let attributes = [
            ("in_ccm", in_ccm),
            ("crmd", crmd),
            ("join", join),
            ("expected", join),
            ("crm-debug-origin", origin),
        ];
        let mut is_change = false;
        for (attribute, value) in attributes {
            is_change |= self.document.set_attr(state, attribute, value);
        }
        if is_change {
            self.count_status_change();
        }
    }

    /// Forgets what was done on a node, and its transient attributes.
    pub fn forget_node(&mut self, state: Key) {
        let parts: Vec<Key> = self
            .document
            .element(state)
            .children()
            .filter(|child| child.is("lrm") || child.is("transient_attributes"))
            .map(Element::key)
            .collect();
        for part in parts {
            self.document.remove(part);
            self.count_status_change();
        }
        self.histories.retain(|(node, _), _| *node != state);
    }

    /// The `<lrm_resource>` of a resource on a node, found by either name or made.
    pub fn history(&mut self, state: Key, resource: &str, known_as: &str, agent: &ResourceRef) -> Key {
        for name in [resource, known_as] {
            if let Some((key, _)) = self.histories.get(&(state, name.to_owned())) {
                return *key;
            }
        }
        let id = self.document.element(state).id().unwrap_or_default().to_owned();
        let lrm = self.child_or_new(state, "lrm");
        if self.document.element(lrm).id().is_none() {
            self.document.set_attr(lrm, "id", &id);
        }
        let resources = self.child_or_new(lrm, "lrm_resources");
        let find = |name: &str| {
            let mut known =
                self.document.element(resources).children().filter(|known| known.id() == Some(name));
            // Of several, nobody could say which one is meant: a new one is made then.
            let first = known.next().filter(|_| known.next().is_none());
            first.map(|known| (name.to_owned(), known.key()))
        };
        let (name, key) = find(resource).or_else(|| find(known_as)).unwrap_or_else(|| {
            let key = self.document.append(resources, "lrm_resource");
            self.document.set_attr(key, "id", known_as);
            self.document.set_attr(key, "class", &agent.class);
            if let Some(provider) = &agent.provider {
                self.document.set_attr(key, "provider", provider);
            }
            self.document.set_attr(key, "type", &agent.kind);
            self.makeshift.push(key);
            (known_as.to_owned(), key)
        });
        let calls = self.document.element(key).children().filter_map(|op| op.attr("call-id")?.parse().ok());
        let last: i64 = calls.max().unwrap_or(0).max(0);
        self.histories.insert((state, name), (key, last));
        key
    }

    fn next_call(&mut self, history: Key) -> i64 {
        for (key, last) in self.histories.values_mut() {
            if *key == history {
                *last += 1;
                return *last;
            }
        }
        1
    }

    /// Records an operation as the executor's answer would be.
    pub fn record(&mut self, state: Key, history: Key, operation: &Operation<'_>) {
        let node = self.document.element(state).attr("uname").unwrap_or_default().to_owned();
        let name = self.document.element(history).id().unwrap_or_default().to_owned();
        let call = match self.histories.get_mut(&(state, name)) {
            Some((_, last)) => {
                *last += 1;
                *last
            }
            None => self.next_call(history),
        };
        let (resource, interval) = (operation.resource, operation.interval_ms);
        let task = match operation.task {
            "reload" | "reload-agent" => "start",
            task => task,
        };
        let key = format!("{resource}_{task}_{interval}");
        let has_failed = operation.rc != operation.target_rc;
        let last = format!("{resource}_last_0");
        let ids = match (task, operation.notification) {
            ("notify", Some((kind, about))) => vec![format!("{resource}_{kind}_notify_{about}_0")],
            ("migrate_to" | "migrate_from", _) => vec![key.clone()],
            _ if has_failed && interval == 0 => vec![format!("{resource}_last_failure_0"), last],
            _ if has_failed => vec![format!("{resource}_last_failure_0")],
            _ if interval > 0 => vec![key.clone()],
            _ => vec![last],
        };
        let rc = if task == "notify" { OcfRc::Ok } else { operation.rc };
        // Where no graph asked for it, an operation is known by the number of its call.
        let transition = format!("{call}:-1:{}:{NOBODY}", operation.target_rc.code());
        for id in ids {
            let entry = self.entry(history, &id);
            let mut set = |name: &str, value: &str| {
                self.document.set_attr(entry, name, value);
            };
            set("id", &id);
            set("operation_key", &key);
            set("operation", task);
            set("crm-debug-origin", "crm_simulate");
            set("crm_feature_set", FEATURE_SET);
            set("transition-key", &transition);
            set("transition-magic", &format!("0:{};{transition}", rc.code()));
            // Why a migration failed is not written down.
            let is_told = has_failed && !matches!(task, "migrate_to" | "migrate_from");
            set("exit-reason", if is_told { operation.exit_reason } else { "" });
            set("on_node", &node);
            set("call-id", &call.to_string());
            set("rc-code", &rc.code().to_string());
            set("op-status", "0");
            set("interval", &interval.to_string());
            set("last-rc-change", &self.now.0.to_string());
            set("exec-time", "0");
            set("queue-time", "0");
            if let Some((source, target)) = operation.migration {
                set("migrate_source", source);
                set("migrate_target", target);
            }
            if let Some(digest) = &operation.digest {
                set("op-digest", digest);
            }
        }
        self.merge_twins(state);
        self.count_status_change();
    }

    /// What a node's state says is merged into the CIB as a whole: of elements with one name and id, the first becomes what
    /// the last one says.
    fn merge_twins(&mut self, state: Key) {
        let makeshift = std::mem::take(&mut self.makeshift);
        let document = &*self.document;
        if !*self.with_twins.entry(state).or_insert_with(|| has_twins(document.element(state))) {
            return;
        }
        let said = self.document.clone();
        let is_twin = |key: &Key| {
            let made = said.element(*key);
            let siblings = made.parent().into_iter().flat_map(Element::children);
            siblings.filter(|sibling| sibling.is("lrm_resource") && sibling.id() == made.id()).count() > 1
        };
        for key in makeshift.into_iter().filter(is_twin) {
            self.document.remove(key);
            self.histories.retain(|_, (known, _)| *known != key);
        }
        systole_cib::ops::merge(self.document, state, said.element(state));
    }

    fn entry(&mut self, history: Key, id: &str) -> Key {
        let known = self.document.element(history).children().find(|entry| entry.id() == Some(id));
        match known.map(Element::key) {
            Some(known) => known,
            None => self.document.append(history, "lrm_rsc_op"),
        }
    }

    /// Sets a transient attribute. One that is there under another id stays, and the new one comes after it.
    pub fn add_transient(&mut self, state: Key, name: &str, value: &str) {
        let node = self.document.element(state).id().unwrap_or_default().to_owned();
        let attributes = self.child_or_new(state, "transient_attributes");
        let set = self.child_or_new(attributes, "instance_attributes");
        for element in [attributes, set] {
            if self.document.element(element).id().is_none() {
                self.document.set_attr(element, "id", &node);
            }
        }
        let set_id = self.document.element(set).id().unwrap_or_default();
        let id = as_id(&format!("{set_id}-{name}"));
        let known = self.document.element(set).children().find(|pair| pair.id() == Some(&id));
        let pair = match known.map(Element::key) {
            Some(known) => known,
            None => self.document.append(set, "nvpair"),
        };
        self.document.set_attr(pair, "id", &id);
        self.document.set_attr(pair, "name", name);
        self.document.set_attr(pair, "value", value);
    }

    /// A transient attribute's value.
    pub fn transient(&self, state: Key, name: &str) -> Option<&str> {
        let attributes = self.document.element(state).child("transient_attributes")?;
        let mut pairs = attributes.children().flat_map(Element::children);
        pairs.find(|pair| pair.attr("name") == Some(name))?.attr("value")
    }

    /// Counts a failure, as the controller would. What counts as none is left out.
    pub fn add_failure(
        &mut self,
        state: Key,
        operation: &Operation<'_>,
        is_final: bool,
    ) -> Vec<(String, String)> {
        let is_stopped_probe = operation.rc == OcfRc::NotRunning && operation.interval_ms == 0;
        if operation.rc == OcfRc::Ok || is_stopped_probe {
            return Vec::new();
        }
        let suffix = format!("{}#{}_{}", operation.resource, operation.task, operation.interval_ms);
        let count = format!("fail-count-{suffix}");
        let before: i64 = self.transient(state, &count).and_then(|value| value.parse().ok()).unwrap_or(0);
        let value = if is_final { "INFINITY".to_owned() } else { (before + 1).to_string() };
        let attributes = vec![(count, value), (format!("last-failure-{suffix}"), self.now.0.to_string())];
        for (name, value) in &attributes {
            self.add_transient(state, name, value);
        }
        attributes
    }
}

/// Whether elements of one name and id stand beside each other, anywhere below.
fn has_twins(element: Element<'_>) -> bool {
    let mut seen = BTreeSet::new();
    element.children().any(|child| {
        let is_twin = child.id().is_some_and(|id| !seen.insert((child.name(), id)));
        is_twin || has_twins(child)
    })
}

/// The text as an id by the rules of XML, as the reference release's simulator makes it: a dot for each character that may not be
/// there, an underscore at the beginning. (Our daemons take [`sanitized`](systole_cib::history::sanitized).)
fn as_id(text: &str) -> String {
    let is_start = |c: char| c.is_ascii_alphabetic() || matches!(c, ':' | '_') || !c.is_ascii();
    let is_name = |c: char| is_start(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
    let as_part = |(at, c): (usize, char)| match at {
        0 if !is_start(c) => '_',
        _ if !is_name(c) => '.',
        _ => c,
    };
    text.chars().enumerate().map(as_part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_what_xml_allows() {
        for (text, id) in [
            ("status-1-fail-count-ip#monitor_0", "status-1-fail-count-ip.monitor_0"),
            ("1-fail-count-ip#monitor_0", "_-fail-count-ip.monitor_0"),
            ("a-fail-count-ip:1#stop_0", "a-fail-count-ip:1.stop_0"),
            ("-b c", "_b.c"),
        ] {
            assert_eq!(as_id(text), id);
        }
    }

    #[test]
    fn a_failure_is_counted_where_earlier_ones_were() {
        let text = r#"<cib><status><node_state id="1" uname="a"><transient_attributes id="t"><instance_attributes id="1">
            <nvpair id="_-fail-count-ip.monitor_0" name="fail-count-ip#monitor_0" value="4"/>
            </instance_attributes></transient_attributes></node_state></status></cib>"#;
        let mut document = Document::parse(text).expect("well formed");
        let mut recorder = Recorder::new(&mut document, Timestamp(0));
        let state = recorder.node_state("a", None);
        recorder.add_transient(state, "fail-count-ip#monitor_0", "5");
        assert_eq!(recorder.transient(state, "fail-count-ip#monitor_0"), Some("5"));
        assert!(document.to_text().contains("<transient_attributes id=\"t\">"));
    }
}
