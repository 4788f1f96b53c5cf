//! Bundles: what one expands to.
//!
//! Names and parameters of the implicit resources are part of digests in everybody's status sections. A byte more or less
//! in a container's `run_opts` restarts it: the text is put together exactly as Pacemaker does.
//! Source: Pacemaker Explained, "Bundles"; behaviour of Pacemaker 2.1.5 and 3.0.2.

use super::{
    BundleData, Kind, Meta, NodeIdx, NodeKind, Replica, Resource, RscIdx,
    clone::{may_be_promoted, may_be_unique},
    connection::Connection,
    implicit::{implicit_op, implicit_primitive, implicit_set},
    text::is_true,
    unpack::Unpack,
};
use std::{borrow::Cow, fmt::Write as _, net::Ipv4Addr, sync::Arc};
use systole_cib::model::{self, ContainerRuntime, PortMapping, Primitive, ReplicaParts, StorageSource};
use systole_types::{ResourceId, Score};

/// Where the remote daemon listens unless `control-port` says otherwise.
const DEFAULT_REMOTE_PORT: &str = "3121";
/// What a container with a resource inside runs unless `run-command` says otherwise.
const REMOTE_DAEMON: &str = "/usr/sbin/pacemaker-remoted";
/// The key that connections to containers are secured with, inside and outside.
const AUTH_KEY: &str = "/etc/pacemaker/authkey";
/// Below it, a directory per replica that is `/var/log` inside.
const LOG_ROOT: &str = "/var/log/pacemaker/bundles";

impl<'a> Unpack<'a> {
    /// Expands a bundle; `None` if it cannot be run as configured.
    pub(super) fn bundle(&mut self, bundle: &'a model::Bundle) -> Option<RscIdx> {
        let mut layout = Layout::of(bundle)?;
        let raw = self.merge_meta(&bundle.meta, None, None);
        // The clone inside takes over what the bundle's own meta attributes say.
        let says_promotable = is_true(raw.get("promotable").map(|value| &**value));
        let is_promotable = bundle.container.promoted_max.unwrap_or(0) > 0 || says_promotable;
        if is_promotable && !bundle.primitive.as_ref().is_none_or(|inner| may_be_promoted(&inner.agent)) {
            return None;
        }
        // A replica has a container, an address, a connection and what runs inside.
        layout.replicas = layout.asked.min(self.room_for(4));
        self.say_if_cut_short(&bundle.id, bundle.container.replicas.unwrap_or(0), layout.replicas);
        let meta = Meta::read(raw, self.context(false, false));
        let data = BundleData {
            definition: bundle,
            promoted_max: bundle.container.promoted_max.unwrap_or(0),
            per_host: layout.per_host,
            max: layout.replicas,
            replicas: Vec::new(),
            inner: None,
        };
        let mut rsc = Resource::new(bundle.id.clone(), Kind::Bundle(data), meta, self.options.maintenance);
        rsc.is_unique = bundle.container.replicas_per_host.unwrap_or(1).max(1) > 1;
        rsc.next_role = self.target_role(&rsc).unwrap_or_default();
        let idx = self.add(rsc);
        let inner = bundle.primitive.as_ref().map(|primitive| self.inner_clone(idx, &layout, primitive));
        let children = inner.map(|inner| self.rsc(inner).children.clone()).unwrap_or_default();
        let n_replicas = match inner {
            Some(_) => u32::try_from(children.len()).unwrap_or(layout.replicas),
            None => layout.replicas,
        };
        let replicas: Vec<Replica> = (0..n_replicas)
            .zip(layout.parts(n_replicas))
            .map(|(number, parts)| {
                let child = children.get(number as usize).copied();
                self.replica(idx, &layout, number, parts, child)
            })
            .collect();
        if let Some(inner) = inner {
            // The clone comes after the containers, whatever the order in which they were made.
            let children = &mut self.resources[idx.i()].children;
            children.retain(|&child| child != inner);
            children.push(inner);
        }
        if let Kind::Bundle(data) = &mut self.resources[idx.i()].kind {
            (data.replicas, data.inner) = (replicas, inner);
        }
        Some(idx)
    }

    /// The clone of the resource inside.
    fn inner_clone(&mut self, parent: RscIdx, layout: &Layout<'a>, primitive: &'a Primitive) -> RscIdx {
        let bundle = layout.bundle;
        let promoted_max = bundle.container.promoted_max.unwrap_or(0);
        // Pacemaker keeps the name of former days for what can be promoted, lest everything restart in an upgrade.
        let suffix = if promoted_max > 0 { "master" } else { "clone" };
        let mut raw = self.merge_meta(&[], None, Some(parent));
        let mut set = |name: &str, value: String| raw.insert(name.into(), value.into());
        set("ordered", "true".into());
        set("clone-max", layout.replicas.to_string());
        set("clone-node-max", layout.per_host.to_string());
        set("globally-unique", (layout.per_host > 1).to_string());
        if promoted_max > 0 {
            set("promotable", "true".into());
            set("promoted-max", promoted_max.to_string());
        }
        let id = ResourceId::new(format!("{}-{suffix}", bundle.id));
        let can_be_unique = may_be_unique(&primitive.agent);
        let clone = self.clone_node(id, raw, None, Some(parent), can_be_unique);
        let inherited = vec![bundle.parameters.as_slice()];
        let first = self.primitive(Arc::new(Cow::Borrowed(primitive)), Some(clone), Some(0), inherited);
        self.insert_raw_meta(first, "clone-max", &layout.replicas.to_string());
        // A clone that is anonymous only because its content cannot tell instances apart has no more of them than nodes.
        let max = self.rsc(clone).clone_data().map_or(0, |data| data.max).min(layout.replicas);
        while self.rsc(clone).children.len() < max as usize {
            self.add_instance(clone);
        }
        for child in self.rsc(clone).children.clone() {
            self.resources[child.i()].exclusive_discovery = true;
            if self.rsc(child).meta.notify {
                self.resources[clone.i()].meta.notify = true;
            }
            if let Some(target) = self.rsc(child).meta.raw.get("container-attribute-target").cloned() {
                for around in [parent, clone] {
                    self.insert_raw_meta(around, "container-attribute-target", &target);
                    self.resources[around.i()].meta.attributes_on_host = &*target == "host";
                }
            }
        }
        clone
    }

    fn replica(
        &mut self,
        parent: RscIdx,
        layout: &Layout<'a>,
        number: u32,
        parts: Cow<'a, ReplicaParts>,
        child: Option<RscIdx>,
    ) -> Replica {
        let address = parts.address.clone();
        let (container, ip, connection) = apart(parts);
        let inherited = vec![layout.bundle.parameters.as_slice()];
        let container = self.primitive(Arc::new(container), Some(parent), None, inherited.clone());
        let ip = ip.map(|ip| self.primitive(Arc::new(ip), Some(parent), None, inherited));
        let (remote, node) = match (child, connection) {
            (Some(child), Some(connection)) => {
                self.move_utilization(child, container);
                let place = (number, child, container);
                let (remote, node) = self.connection(parent, layout, connection, address.as_ref(), place);
                (Some(remote), Some(node))
            }
            _ => (None, None),
        };
        if let (Some(child), Some(address)) = (child, &address) {
            self.insert_raw_meta(child, "external-ip", address);
        }
        Replica { offset: number, address, ip, container, remote, child, node }
    }

    /// What the resource inside uses up, it uses up where its container is.
    fn move_utilization(&mut self, child: RscIdx, container: RscIdx) {
        let taken = match &mut self.resources[child.i()].kind {
            Kind::Primitive(data) => std::mem::take(&mut data.utilization),
            _ => return,
        };
        if let Kind::Primitive(data) = &mut self.resources[container.i()].kind {
            data.utilization = taken;
        }
    }

    /// The connection to the guest node in a replica, and that node.
    fn connection(
        &mut self,
        parent: RscIdx,
        layout: &Layout<'a>,
        mut definition: Cow<'a, Primitive>,
        address: Option<&Arc<str>>,
        (number, child, container): (u32, RscIdx, RscIdx),
    ) -> (RscIdx, NodeIdx) {
        let mut name = definition.id.to_string();
        if self.find_resource(&name).is_some() {
            name = format!("pcmk-internal-{}-remote-{number}", self.rsc(child).id);
            definition = Cow::Owned(layout.connection(&name, &layout.names(number).container, address));
        }
        let node = self.ensure_remote_node(&name);
        self.nodes[node.i()].base_score = Score::MINUS_INFINITY;
        let inherited = vec![layout.bundle.parameters.as_slice()];
        let remote = self.primitive(Arc::new(definition), Some(parent), None, inherited);
        self.resources[remote.i()].remote_node = Some(node);
        let there = &mut self.nodes[node.i()];
        there.kind = NodeKind::Guest { connection: remote, container, is_bundle: true };
        there.is_configured = true;
        there.attributes.insert("#kind".into(), "container".into());
        (remote, node)
    }
}

/// More replicas than this no bundle gets: each is a node, and what runs in one may be on any of them.
const MAX_REPLICAS: u32 = 128;

/// What stands where a replica's address would, were there one: beyond the end of the range. Pacemaker prints a missing string,
/// and in names what may not be there as dots.
const NO_ADDRESS: &str = "(null)";
const NO_ADDRESS_IN_ID: &str = ".null.";

/// The container, the address and the connection of a replica: borrowed where it is.
fn apart(parts: Cow<'_, ReplicaParts>) -> (Part<'_>, Option<Part<'_>>, Option<Part<'_>>) {
    match parts {
        Cow::Borrowed(ReplicaParts { container, ip, connection, .. }) => {
            (Cow::Borrowed(container), ip.as_ref().map(Cow::Borrowed), connection.as_ref().map(Cow::Borrowed))
        }
        Cow::Owned(ReplicaParts { container, ip, connection, .. }) => {
            (Cow::Owned(container), ip.map(Cow::Owned), connection.map(Cow::Owned))
        }
    }
}

type Part<'a> = Cow<'a, Primitive>;

/// What the replicas of a bundle have in common.
struct Layout<'a> {
    bundle: &'a model::Bundle,
    /// How many replicas are asked for.
    asked: u32,
    /// How many there are.
    replicas: u32,
    per_host: u32,
    control_port: &'a str,
}

/// What a replica and its parts are called.
struct Names {
    replica: String,
    container: String,
    /// The sets of parameters of the container and of the address.
    parameters: String,
}

/// Something of the host that containers see.
struct Mount<'b> {
    source: &'b str,
    /// Each replica has a directory in it, by its name.
    is_root: bool,
    target: &'b str,
    options: Option<&'b str>,
}

impl<'a> Layout<'a> {
    /// `None` if there is a resource inside that nobody could reach.
    fn of(bundle: &'a model::Bundle) -> Option<Self> {
        let container = &bundle.container;
        let network = bundle.network.as_ref();
        let promoted_max = container.promoted_max.unwrap_or(0);
        let asked = container.replicas.unwrap_or(promoted_max).clamp(1, MAX_REPLICAS);
        let mut per_host = container.replicas_per_host.unwrap_or(1).max(1);
        let has_addresses = network.is_some_and(|network| network.ip_range_start.is_some());
        let control_port = network.and_then(|network| network.control_port.as_deref());
        if bundle.primitive.is_some() && !has_addresses {
            control_port?;
            per_host = 1;
        }
        let control_port = control_port.unwrap_or(DEFAULT_REMOTE_PORT);
        Some(Self { bundle, asked, replicas: asked, per_host, control_port })
    }

    /// What each of the first `n` replicas consists of.
    fn parts(&self, n: u32) -> Vec<Cow<'a, ReplicaParts>> {
        let made = self.bundle.expansion.get_or_make(|| self.make_parts(n));
        // How many there are may depend on the nodes and on what the status section knows, and all are told of all.
        match made.len() == n as usize {
            true => made.iter().map(Cow::Borrowed).collect(),
            false => self.make_parts(n).into_iter().map(Cow::Owned).collect(),
        }
    }

    fn make_parts(&self, n: u32) -> Vec<ReplicaParts> {
        let range_start = self.bundle.network.as_ref().and_then(|network| network.ip_range_start);
        let addresses = addresses(range_start, n);
        let (mounts, host_entries) = (self.mounts(), self.host_entries(&addresses));
        let make = |(number, address): (u32, &Option<Arc<str>>)| {
            let names = self.names(number);
            ReplicaParts {
                container: self.container(&names, address.as_ref(), &mounts, &host_entries),
                ip: self.has_addresses().then(|| self.address(&names, address.as_ref())),
                connection: self
                    .has_child()
                    .then(|| self.connection(&names.replica, &names.container, address.as_ref())),
                address: address.clone(),
            }
        };
        (0..n).zip(&addresses).map(make).collect()
    }

    fn has_child(&self) -> bool {
        self.bundle.primitive.is_some()
    }

    /// What the container's host table gets.
    fn host_entries(&self, addresses: &[Option<Arc<str>>]) -> String {
        let mut host_entries = String::new();
        for (number, address) in addresses.iter().enumerate().take_while(|_| self.has_addresses()) {
            let address = address.as_deref().unwrap_or(NO_ADDRESS);
            let _ = if self.bundle.network.as_ref().is_some_and(|network| network.add_host) {
                write!(host_entries, " --add-host={}-{number}:{address}", self.bundle.id)
            } else {
                write!(host_entries, " --hosts-entry={address}={}-{number}", self.bundle.id)
            };
        }
        host_entries
    }

    fn names(&self, number: u32) -> Names {
        let (bundle, number) = (self.bundle.id.as_str(), &*number.to_string());
        Names {
            replica: [bundle, "-", number].concat(),
            container: [bundle, "-", self.bundle.container.runtime.as_str(), "-", number].concat(),
            parameters: [bundle, "-attributes-", number].concat(),
        }
    }

    /// The connection to what is inside of a replica.
    fn connection(&self, name: &str, container: &str, address: Option<&Arc<str>>) -> Primitive {
        let connection = Connection {
            name,
            container: Some(container),
            allow_migrate: None,
            is_managed: None,
            start_timeout: None,
            address: Some(address.cloned().unwrap_or_else(|| "#uname".into())),
            port: Some(self.control_port.into()),
        };
        connection.definition()
    }

    /// The container of a replica.
    fn container(
        &self,
        names: &Names,
        address: Option<&Arc<str>>,
        mounts: &[Mount<'_>],
        host_entries: &str,
    ) -> Primitive {
        let container = &self.bundle.container;
        let run_command = match (&container.run_command, self.has_child()) {
            (Some(command), _) => Some(command.clone()),
            (None, true) => Some(REMOTE_DAEMON.into()),
            (None, false) => None,
        };
        let parameters = [
            ("image", Some(container.image.clone())),
            ("allow_pull", Some("true".into())),
            ("force_kill", Some("false".into())),
            ("reuse", Some("false".into())),
            ("run_opts", Some(self.run_options(&names.replica, address, mounts, host_entries).into())),
            ("mount_points", Some(mount_points(mounts, &names.replica).into())),
            ("run_cmd", run_command),
            ("monitor_cmd", Some("/bin/true".into())),
        ];
        let set = implicit_set(&names.parameters, parameters);
        let monitor = implicit_op(&names.container, "monitor", "60s", None);
        let agent = ("heartbeat", container.runtime.as_str());
        implicit_primitive(&names.container, agent, Vec::new(), vec![set], vec![monitor])
    }

    /// Options that the container is created with.
    fn run_options(
        &self,
        replica: &str,
        address: Option<&Arc<str>>,
        mounts: &[Mount<'_>],
        host_entries: &str,
    ) -> String {
        let container = &self.bundle.container;
        let mut text = String::with_capacity(256 + host_entries.len());
        if container.runtime == ContainerRuntime::Docker {
            text.push_str(" --restart=no");
        }
        if self.has_addresses() {
            text.extend([" -h ", replica]);
        }
        text.push_str(" -e PCMK_stderr=1");
        if let Some(network) = &container.network {
            text.extend([" --net=", network]);
        }
        text.extend([" -e PCMK_remote_port=", self.control_port]);
        for mount in mounts {
            text.extend([" -v ", mount.source]);
            if mount.is_root {
                text.extend(["/", replica]);
            }
            text.extend([":", mount.target]);
            if let Some(options) = mount.options {
                text.extend([":", options]);
            }
        }
        self.write_ports(&mut text, address);
        if let Some(options) = &container.options {
            text.extend([" ", options]);
        }
        // The list begins with a space of its own, and the space before it is there even if the list is empty.
        text.extend([" ", host_entries]);
        text
    }

    fn has_addresses(&self) -> bool {
        self.bundle.network.as_ref().is_some_and(|network| network.ip_range_start.is_some())
    }

    /// What containers see of their host, what the remote daemon needs last.
    fn mounts(&self) -> Vec<Mount<'_>> {
        let configured = self.bundle.storage.iter().map(|mapping| {
            let (source, is_root) = match &mapping.source {
                StorageSource::Dir(path) => (path, false),
                StorageSource::Root(root) => (root, true),
            };
            Mount { source, is_root, target: &mapping.target_dir, options: mapping.options.as_deref() }
        });
        let mut mounts: Vec<Mount<'_>> = configured.collect();
        if self.has_child() {
            let needs_log = mounts.iter().all(|mount| mount.target != "/var/log");
            mounts.push(Mount { source: AUTH_KEY, is_root: false, target: AUTH_KEY, options: None });
            if needs_log {
                mounts.push(Mount { source: LOG_ROOT, is_root: true, target: "/var/log", options: None });
            }
        }
        mounts
    }

    fn write_ports(&self, text: &mut String, address: Option<&Arc<str>>) {
        let configured: &[PortMapping] = self.bundle.network.as_ref().map_or(&[], |network| &network.ports);
        let mappings = configured.iter().map(|mapping| (&*mapping.port, &*mapping.internal_port));
        let control = self.has_child().then_some((self.control_port, self.control_port));
        let is_host_network = self.bundle.container.network.as_deref() == Some("host");
        for (outside, inside) in mappings.chain(control) {
            match address {
                Some(address) => text.extend([" -p ", address, ":", outside, ":", inside]),
                None if !is_host_network => text.extend([" -p ", outside, ":", inside]),
                None => {}
            }
        }
    }

    /// The address resource of a replica.
    fn address(&self, names: &Names, address: Option<&Arc<str>>) -> Primitive {
        let network = self.bundle.network.as_ref();
        let in_id = address.map_or(NO_ADDRESS_IN_ID, |address| &**address);
        let id = [self.bundle.id.as_str(), "-ip-", in_id].concat();
        let netmask = network.and_then(|network| network.host_netmask.clone());
        let parameters = [
            ("ip", address.cloned()),
            ("nic", network.and_then(|network| network.host_interface.clone())),
            ("cidr_netmask", Some(netmask.unwrap_or_else(|| "32".into()))),
        ];
        let set = implicit_set(&names.parameters, parameters);
        let monitor = implicit_op(&id, "monitor", "60s", None);
        implicit_primitive(&id, ("heartbeat", "IPaddr2"), Vec::new(), vec![set], vec![monitor])
    }
}

/// Directories that the agent has to create: those per replica.
fn mount_points(mounts: &[Mount<'_>], replica: &str) -> String {
    let roots = mounts.iter().filter(|mount| mount.is_root);
    let points: Vec<String> = roots.map(|root| [root.source, "/", replica].concat()).collect();
    points.join(",")
}

/// Addresses for `n` replicas: consecutive, after .254 comes .1 of the next third part, none after third part 253. After the
/// one without begins the range again.
fn addresses(start: Option<Ipv4Addr>, n: u32) -> Vec<Option<Arc<str>>> {
    let mut next = start;
    let mut addresses = Vec::new();
    for _ in 0..n {
        addresses.push(next.map(|address| address.to_string().into()));
        next = match next.map(|address| address.octets()) {
            None => start,
            Some([_, _, 254..=255, _]) => None,
            Some([a, b, c, 254..=255]) => Some(Ipv4Addr::new(a, b, c + 1, 1)),
            Some([a, b, c, d]) => Some(Ipv4Addr::new(a, b, c, d + 1)),
        };
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_wrap_at_254_and_end_with_the_third_part() {
        let texts = |start: [u8; 4], n| -> Vec<String> {
            let addresses = addresses(Some(start.into()), n);
            addresses.into_iter().map(|address| address.map_or("-".into(), |text| text.to_string())).collect()
        };
        assert_eq!(texts([10, 0, 0, 253], 3), ["10.0.0.253", "10.0.0.254", "10.0.1.1"]);
        assert_eq!(texts([10, 0, 254, 7], 4), ["10.0.254.7", "-", "10.0.254.7", "-"]);
    }
}
