//! Whether the parameters an operation was run with are still those of the configuration.
//!
//! An operation's digest is the MD5 of its sorted parameters written as one XML element, with a space before it and a line
//! feed after it. Pacemaker's controller and executor write the same, and resources are restarted where they differ.
//!
//! Source: Pacemaker Explained, "Reloading an Agent After a Definition Change".

use super::{Attributes, NodeIdx, RscIdx, Status, history::is_newer, operation};
use crate::rules::{self, Input, Merge};
use std::{borrow::Cow, fmt::Write as _, sync::Arc, time::Duration};
use systole_cib::model::{HistoryEntry, Primitive};
use systole_types::NodeId;

/// What a comparison of a history entry with today's configuration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestChange {
    /// Same parameters.
    None,
    /// Parameters changed of which the agent says they can be reloaded; a recurring operation has to be done anew.
    Reload,
    /// The resource has to be restarted (or the recurring operation done anew).
    Restart,
    /// The entry has no digest: nobody knows.
    Unknown,
}

/// Parameters of an operation, for digests.
struct Parameters {
    all: systole_graph::Attributes,
    /// The `<op>` has parameters of its own.
    has_own: bool,
    recurs: bool,
}

impl Parameters {
    /// Those that count, by name.
    fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>)> {
        let is_kept = |name: &str| !is_left_out(name) || (self.recurs && name == "CRM_meta_timeout");
        self.all.iter().filter(move |(name, _)| is_kept(name))
    }
}

/// A digest, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// The MD5, as histories keep it.
    pub hash: String,
    /// By name.
    pub parameters: Vec<(Arc<str>, Arc<str>)>,
}

impl Digest {
    fn of(parameters: &Attributes) -> Self {
        let pairs = parameters.iter().map(|(name, value)| (name.clone(), value.clone()));
        Self { hash: parameter_digest(parameters), parameters: pairs.collect() }
    }
}

/// What an operation's parameters would be known by if it ran now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// The last operation that the history knows; `start` without one.
    pub task: Arc<str>,
    /// Zero unless given.
    pub interval: Duration,
    /// Of all parameters.
    pub all: Digest,
    /// Less those that the agent calls private.
    pub nonprivate: Digest,
    /// Those that call for a restart, where the history says which do.
    pub nonreloadable: Option<Digest>,
}

impl Status<'_> {
    /// Digests of an operation on record of an instance on a node, were it done again now with some parameters changed.
    pub fn digests(&self, rsc: RscIdx, node: NodeIdx, changed: &[(Arc<str>, Arc<str>)]) -> Digests {
        let entry = self.telling_operation(rsc, node);
        let meta = |wanted: &str| changed.iter().find(|(name, _)| **name == *wanted).map(|(_, value)| value);
        let interval =
            meta("CRM_meta_interval").and_then(|text| text.parse().ok()).map(Duration::from_millis);
        let recorded = entry.map(|entry| Duration::from_millis(entry.op.interval_ms));
        let interval = interval.or(recorded).unwrap_or_default();
        let task: Arc<str> = entry.map_or_else(|| "start".into(), |entry| entry.op.task.clone());
        let with_changes = |mut parameters: Attributes| {
            let plain = changed.iter().filter(|(name, _)| !is_left_out(name));
            parameters.extend(plain.cloned());
            parameters
        };
        let found = self.digest_parameters(rsc, node, &task, interval, None);
        let mut all: Attributes = found.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(timeout) = meta("CRM_meta_timeout").filter(|_| found.recurs) {
            all.insert("CRM_meta_timeout".into(), timeout.clone());
        }
        let all = with_changes(all);
        let names = |digest: Option<&(Option<Arc<str>>, Arc<str>)>| {
            digest.and_then(|(names, _)| names.clone()).unwrap_or_default()
        };
        let is_among = |names: &str, name: &str| names.split(' ').any(|word| word == name);
        let version =
            entry.and_then(|entry| entry.by.feature_set.as_deref()).or(self.cib.feature_set.as_deref());
        let private = names(entry.and_then(|entry| entry.op.digest_secure.as_ref()));
        let mut nonprivate = with_changes(self.open_parameters(rsc, node, &task, interval, version));
        nonprivate.retain(|name, _| !is_among(&private, name));
        let restart = entry.and_then(|entry| entry.op.digest_restart.as_ref());
        let nonreloadable = restart.map(|_| {
            let mut counting = all.clone();
            counting.retain(|name, _| is_among(&names(restart), name));
            Digest::of(&counting)
        });
        Digests { task, interval, all: Digest::of(&all), nonprivate: Digest::of(&nonprivate), nonreloadable }
    }

    /// The operation that says most about how the resource came to run there, by the history that has its very name: one that
    /// brings it up, or else a recurring one, or any; rather one that did not fail, that has a digest for reloads, and the newest.
    /// Source: `crm_resource --digests` of Pacemaker 3.0.2.
    fn telling_operation(&self, rsc: RscIdx, node: NodeIdx) -> Option<&HistoryEntry> {
        let (resource, node) = (self.rsc(rsc), self.node(node));
        let states = self.cib.node_states.iter().filter(|state| state.uuid.as_ref() == Some(&node.uuid));
        let mut histories = states.flat_map(|state| state.history.iter().flatten());
        let history = histories.find(|history| history.resource == resource.id)?;
        history
            .operations
            .iter()
            .reduce(|best, entry| if is_more_telling(entry, best) { entry } else { best })
    }

    /// The entry of a history by which the digests are worked out that `entry` is compared with: the first that is compared of
    /// the same operation. A failure is when the history is unpacked, unless it has expired.
    pub fn first_compared<'h>(
        &self,
        rsc: RscIdx,
        history: &'h [HistoryEntry],
        since_start: &[&'h HistoryEntry],
        entry: &'h HistoryEntry,
    ) -> &'h HistoryEntry {
        let is_same = |other: &HistoryEntry| {
            other.op.task == entry.op.task && other.op.interval_ms == entry.op.interval_ms
        };
        let was_compared = |other: &HistoryEntry| {
            other.op.id.ends_with("_last_failure_0")
                && matches!(&*other.op.task, "start" | "monitor")
                && !self.is_expired_recurring(other)
                && !self.needs_host_name(rsc)
        };
        let failure = history.iter().find(|other| is_same(other) && was_compared(other));
        failure.or_else(|| since_start.iter().copied().find(|other| is_same(other))).unwrap_or(entry)
    }

    fn is_expired_recurring(&self, entry: &HistoryEntry) -> bool {
        self.expired_recurring.contains(&(std::ptr::from_ref(entry) as usize))
    }

    /// Whether the parameters that `entry` was run with are still those of the configuration. `host` is where the container
    /// of a bundle's connection will be; by default, where it is.
    ///
    /// Which parameters call for a restart (if any alone do) is what `first` says. So the failure of a recurring operation
    /// that has expired calls for it to be done anew only if no entry without such parameters comes first.
    pub fn digest_change(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        entry: &HistoryEntry,
        first: &HistoryEntry,
        host: Option<&NodeId>,
    ) -> DigestChange {
        let lasting = || self.lasting_definition(rsc);
        let Some(definition) = self.is_by_itself(entry, first).then(lasting).flatten() else {
            return self.compare_digests(rsc, node, entry, first, host);
        };
        if entry.verified.is_of(definition) {
            let again = || self.compare_digests(rsc, node, entry, first, host);
            debug_assert_eq!(again(), DigestChange::None, "{}", entry.op.id);
            return DigestChange::None;
        }
        let change = self.compare_digests(rsc, node, entry, first, host);
        if change == DigestChange::None {
            entry.verified.set_of(definition);
        }
        change
    }

    /// Whether an entry is known to be of today's parameters, whatever other of a history without digests of some parameters
    /// alone it is compared with.
    pub fn is_verified(&self, rsc: RscIdx, entry: &HistoryEntry) -> bool {
        !self.is_expired_recurring(entry)
            && self.lasting_definition(rsc).is_some_and(|definition| entry.verified.is_of(definition))
    }

    /// Whether what an entry is compared with depends on no other entry, and its age does not matter.
    fn is_by_itself(&self, entry: &HistoryEntry, first: &HistoryEntry) -> bool {
        let has_no_names = entry.op.digest_restart.is_none() && first.op.digest_restart.is_none();
        (has_no_names || std::ptr::eq(entry, first))
            && !self.is_expired_recurring(entry)
            && !self.is_expired_recurring(first)
    }

    /// The definition of a resource in the CIB, if the parameters of its operations depend on nothing but the configuration:
    /// neither on nodes nor on the moment.
    fn lasting_definition(&self, rsc: RscIdx) -> Option<&Primitive> {
        let primitive = self.rsc(rsc).primitive()?;
        let depends_on_more = primitive.has_rules
            || rules::are_in(&self.cib.operation_defaults)
            || (primitive.is_remote_connection && self.needs_host_name(rsc));
        match &*primitive.definition {
            Cow::Borrowed(definition) if !depends_on_more => Some(definition),
            _ => None,
        }
    }

    fn compare_digests(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        entry: &HistoryEntry,
        first: &HistoryEntry,
        host: Option<&NodeId>,
    ) -> DigestChange {
        let interval = Duration::from_millis(entry.op.interval_ms);
        let parameters = self.digest_parameters(rsc, node, &entry.op.task, interval, host);
        let is_expired = self.is_expired_recurring(entry);
        let names = match &first.op.digest_restart {
            Some((names, _)) => Some(names.as_deref()),
            None => self.is_expired_recurring(first).then_some(None),
        };
        if let Some(names) = names
            && (is_expired || entry.op.digest_restart.is_some())
        {
            let counts = |name: &str| names.is_none_or(|names| names.split(' ').any(|word| word == name));
            let differs =
                |digest: &str| !is_digest_of(digest, parameters.iter().filter(|(name, _)| counts(name)));
            if is_expired || entry.op.digest_restart.as_ref().is_some_and(|(_, digest)| differs(digest)) {
                return DigestChange::Restart;
            }
        }
        match &entry.op.digest_all {
            None => DigestChange::Unknown,
            Some(digest) if is_digest_of(digest, parameters.iter()) => DigestChange::None,
            Some(_) if interval.is_zero() && parameters.has_own => DigestChange::Restart,
            Some(_) => DigestChange::Reload,
        }
    }

    /// The digest of all parameters of an operation.
    pub fn operation_digest(&self, rsc: RscIdx, node: NodeIdx, task: &str, interval: Duration) -> String {
        parameter_digest(self.digest_parameters(rsc, node, task, interval, None).iter())
    }

    /// The digest of parameters less `passwd`, `password` and `user`: how unfencing by a device is remembered without
    /// giving secrets away.
    pub fn secure_digest(&self, rsc: RscIdx, node: NodeIdx, task: &str) -> String {
        let version = self.cib.feature_set.as_deref();
        let parameters = self.open_parameters(rsc, node, task, Duration::ZERO, version);
        parameter_digest(
            parameters.iter().filter(|(name, _)| !matches!(&***name, "passwd" | "password" | "user")),
        )
    }

    /// Whether only private parameters differ from those that `entry` was run with.
    pub fn is_only_private_change(&self, rsc: RscIdx, node: NodeIdx, entry: &HistoryEntry) -> bool {
        let Some((private, digest)) = &entry.op.digest_secure else { return false };
        let version = entry.by.feature_set.as_deref().or(self.cib.feature_set.as_deref());
        let interval = Duration::from_millis(entry.op.interval_ms);
        let mut parameters = self.open_parameters(rsc, node, &entry.op.task, interval, version);
        let is_private =
            |name: &str| private.as_ref().is_some_and(|names| names.split(' ').any(|word| word == name));
        parameters.retain(|name, _| !is_private(name));
        is_digest_of(digest, &parameters)
    }

    /// Parameters that a secure digest may be of. Before feature set 3.16.0 only the resource's own counted, and of fence
    /// devices only those that the agent itself understands.
    fn open_parameters(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        task: &str,
        interval: Duration,
        feature_set: Option<&str>,
    ) -> Attributes {
        if !feature_set.is_some_and(|version| is_before(version, &[3, 16, 0])) {
            let parameters = self.digest_parameters(rsc, node, task, interval, None);
            // Not the timeout of recurring operations, which does count otherwise.
            let kept = parameters.all.iter().filter(|(name, _)| !is_left_out(name));
            return kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        }
        let mut own = (*self.parameters(rsc, Some(node))).clone();
        let is_device = self.rsc(rsc).primitive().is_some_and(|primitive| primitive.is_fence_device);
        own.retain(|name, _| !(is_left_out(name) || is_device && is_for_fencer(name)));
        own
    }

    fn digest_parameters(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        task: &str,
        interval: Duration,
        host: Option<&NodeId>,
    ) -> Parameters {
        let mut all = systole_graph::Attributes::sharing(self.parameters(rsc, Some(node)));
        if self.needs_host_name(rsc) {
            let host = host.or_else(|| self.connection_host(rsc).map(|host| &self.node(host).name));
            all.extend(host.map(|host| ("addr".into(), host.into())));
        }
        let own = self.operation_parameters(rsc, node, task, interval);
        let has_own = !own.is_empty();
        for (name, value) in &own {
            all.insert_new(name, value);
        }
        let recurs = !interval.is_zero();
        if recurs {
            let timeout = operation::timeout(self, rsc, task, interval);
            all.insert("CRM_meta_timeout".into(), timeout.as_millis().to_string().into());
        }
        Parameters { all, has_own, recurs }
    }

    /// Parameters that an `<op>` has of its own, as they are on `node`.
    pub fn operation_parameters(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        task: &str,
        interval: Duration,
    ) -> Attributes {
        let mut own = Attributes::new();
        if let Some(op) = self.configured_operation(rsc, task, interval) {
            let input = Input { node: Some(&self.node(node).attributes), ..Input::at(self.local_time()) };
            rules::merge(&op.parameters, None, &input, Merge::KeepFirst, &mut own, &self.recheck);
        }
        own
    }

    /// Whether the resource is a connection whose address is the name of the host of its container (`#uname`).
    pub fn needs_host_name(&self, rsc: RscIdx) -> bool {
        // Looked up of every resource: rules about dates among its parameters count for `recheck-by`.
        let parameters = self.parameters(rsc, None);
        self.rsc(rsc).primitive().is_some_and(|primitive| primitive.is_remote_connection)
            && self.rsc(rsc).container.is_some()
            && parameters.get("addr").is_some_and(|addr| addr.eq_ignore_ascii_case("#uname"))
    }

    /// Where the container of a connection is.
    fn connection_host(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.rsc(rsc).container.and_then(|container| self.current_node(container))
    }
}

/// The digest of an operation as it was asked for (a graph's attributes), as the operation's history keeps it.
pub fn recorded_digest<'p>(
    attributes: impl IntoIterator<Item = (&'p str, &'p str)>,
    is_recurring: bool,
) -> String {
    let is_kept = |name: &str| !is_left_out(name) || (is_recurring && name == "CRM_meta_timeout");
    let kept: std::collections::BTreeMap<&str, &str> =
        attributes.into_iter().filter(|(name, _)| is_kept(name)).collect();
    parameter_digest(&kept)
}

/// Whether a version is lower than `than`.
fn is_before(version: &str, than: &[u32]) -> bool {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().unwrap_or(0)).collect();
    parts.as_slice() < than
}

/// Parameters of fence devices that are for the fencer and not for the agent.
fn is_for_fencer(name: &str) -> bool {
    name.starts_with("pcmk_") || matches!(name, "provides" | "stonith-timeout")
}

/// Names that say who ran the operation and how, not what it was run with.
fn is_left_out(name: &str) -> bool {
    name.starts_with("CRM_meta_")
        || matches!(
            name,
            "id" | "crm_feature_set" | "op-digest" | "on_node" | "on_node_uuid" | "pcmk_external_ip"
        )
}

/// The MD5 of parameters in the order of their names, as histories keep it.
fn parameter_digest<'p, N, V>(parameters: impl IntoIterator<Item = (&'p N, &'p V)>) -> String
where
    N: AsRef<str> + 'p,
    V: AsRef<str> + 'p,
{
    let digits = hexadecimal(&md5_of(parameters));
    digits.iter().copied().map(char::from).collect()
}

/// Whether a history's digest is that of the parameters.
fn is_digest_of<'p, N, V>(digest: &str, parameters: impl IntoIterator<Item = (&'p N, &'p V)>) -> bool
where
    N: AsRef<str> + 'p,
    V: AsRef<str> + 'p,
{
    digest.as_bytes() == hexadecimal(&md5_of(parameters))
}

fn md5_of<'p, N, V>(parameters: impl IntoIterator<Item = (&'p N, &'p V)>) -> [u8; 16]
where
    N: AsRef<str> + 'p,
    V: AsRef<str> + 'p,
{
    let mut text = String::with_capacity(256);
    text.push_str(" <parameters");
    for (name, value) in parameters {
        text.push(' ');
        text.push_str(name.as_ref());
        text.push_str("=\"");
        escape_into(&mut text, value.as_ref());
        text.push('"');
    }
    text.push_str("/>\n");
    md5::compute(text).0
}

fn hexadecimal(bytes: &[u8; 16]) -> [u8; 32] {
    let digit = |n: usize| {
        let byte = bytes[n / 2];
        b"0123456789abcdef"[usize::from(if n.is_multiple_of(2) { byte >> 4 } else { byte & 15 })]
    };
    std::array::from_fn(digit)
}

/// Writes an attribute's value as Pacemaker does for digests: control characters as `&#xHH;`.
fn escape_into(text: &mut String, value: &str) {
    let is_special = |b: u8| b.is_ascii_control() | matches!(b, b'<' | b'>' | b'&' | b'"');
    // All bytes are looked at, which goes faster than to stop at the first.
    if !value.bytes().fold(false, |found, b| found | is_special(b)) {
        text.push_str(value);
        return;
    }
    for c in value.chars() {
        match c {
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '&' => text.push_str("&amp;"),
            '"' => text.push_str("&quot;"),
            c if c.is_ascii_control() => {
                let _ = write!(text, "&#x{:02X};", u32::from(c));
            }
            c => text.push(c),
        }
    }
}

/// Whether an entry of a history is to be preferred to the best of those before it.
fn is_more_telling(entry: &HistoryEntry, best: &HistoryEntry) -> bool {
    const BRINGING_UP: [&str; 4] = ["monitor", "start", "promote", "migrate_from"];
    let brings_up = |entry: &HistoryEntry| {
        entry.op.interval_ms == 0 && BRINGING_UP.iter().any(|task| entry.op.task.eq_ignore_ascii_case(task))
    };
    let is_failure = |entry: &HistoryEntry| entry.op.id.ends_with("_last_failure_0");
    let is_worse_kind = match brings_up(best) {
        true => !brings_up(entry),
        false => best.op.interval_ms != 0 && !brings_up(entry) && entry.op.interval_ms == 0,
    };
    !(is_worse_kind
        || (is_failure(entry) && !is_failure(best))
        || (best.op.digest_restart.is_some() && entry.op.digest_restart.is_none())
        || is_newer(best, entry).is_gt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_pacemaker() {
        let digest = |pairs: &[(&str, &str)]| {
            let pairs: Vec<(Arc<str>, Arc<str>)> =
                pairs.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
            parameter_digest(pairs.iter().map(|(name, value)| (name, value)))
        };
        assert_eq!(digest(&[]), "f2317cad3d54cec5d7d7aa7d0bf35cf8");
    }
}
