//! `<resources>`.

use super::{AttributeSet, Operation};
use std::{
    net::Ipv4Addr,
    sync::{Arc, OnceLock},
};
use systole_types::{ElementId, ResourceId};

/// A configured resource of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// `<primitive>`.
    Primitive(Primitive),
    /// `<group>`.
    Group(Group),
    /// `<clone>`, or the older `<master>`.
    Clone(CloneResource),
    /// `<bundle>`.
    Bundle(Box<Bundle>),
}

impl Resource {
    /// `id`.
    pub fn id(&self) -> &ResourceId {
        match self {
            Self::Primitive(primitive) => &primitive.id,
            Self::Group(group) => &group.id,
            Self::Clone(clone) => &clone.id,
            Self::Bundle(bundle) => &bundle.id,
        }
    }
}

/// Which agent manages a primitive: `class[:provider]:type`.
#[derive(Clone, Debug, Eq, PartialOrd, Ord)]
pub struct Agent {
    /// `class`: `ocf`, `systemd`, `lsb`, `service`, `stonith`; the newer spelling `fencing` never occurs in a CIB.
    pub class: Arc<str>,
    /// `provider`, for `ocf`.
    pub provider: Option<Arc<str>>,
    /// `type`.
    pub kind: Arc<str>,
}

impl PartialEq for Agent {
    /// What was read together shares its texts: then no letter has to be looked at.
    fn eq(&self, other: &Self) -> bool {
        let is_same = |a: &Arc<str>, b: &Arc<str>| Arc::ptr_eq(a, b) || a == b;
        let is_same_provider = match (&self.provider, &other.provider) {
            (Some(a), Some(b)) => is_same(a, b),
            (None, None) => true,
            _ => false,
        };
        is_same(&self.kind, &other.kind) && is_same_provider && is_same(&self.class, &other.class)
    }
}

/// A `<primitive>`, with what its template adds merged in (before the primitive's own sets, which thereby count first).
#[derive(Clone, Debug, PartialEq)]
pub struct Primitive {
    /// `id`.
    pub id: ResourceId,
    /// `description`.
    pub description: Option<Arc<str>>,
    /// `template`, if it was made from one.
    pub template: Option<ElementId>,
    /// The agent.
    pub agent: Agent,
    /// `<meta_attributes>`.
    pub meta: Vec<AttributeSet>,
    /// `<instance_attributes>`.
    pub parameters: Vec<AttributeSet>,
    /// `<utilization>`.
    pub utilization: Vec<AttributeSet>,
    /// `<op>`s in document order, the primitive's own first.
    pub operations: Vec<Operation>,
}

/// A `<group>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// `id`.
    pub id: ResourceId,
    /// `description`.
    pub description: Option<Arc<str>>,
    /// `<meta_attributes>`.
    pub meta: Vec<AttributeSet>,
    /// `<instance_attributes>`, handed down to members.
    pub parameters: Vec<AttributeSet>,
    /// Members in order.
    pub members: Vec<Primitive>,
}

/// A `<clone>`.
#[derive(Clone, Debug, PartialEq)]
pub struct CloneResource {
    /// `id`.
    pub id: ResourceId,
    /// `description`.
    pub description: Option<Arc<str>>,
    /// Written as `<master>`: promotable whatever its meta attributes say.
    pub is_legacy_master: bool,
    /// `<meta_attributes>`.
    pub meta: Vec<AttributeSet>,
    /// `<instance_attributes>`, handed down to the instances.
    pub parameters: Vec<AttributeSet>,
    /// What is cloned.
    pub child: CloneChild,
}

/// What a clone has instances of.
#[derive(Clone, Debug, PartialEq)]
pub enum CloneChild {
    /// A primitive.
    Primitive(Primitive),
    /// A group.
    Group(Group),
}

/// A `<bundle>`. See Pacemaker Explained, "Bundles".
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    /// `id`: the prefix of everything the bundle expands to.
    pub id: ResourceId,
    /// `description`.
    pub description: Option<Arc<str>>,
    /// `<meta_attributes>`.
    pub meta: Vec<AttributeSet>,
    /// `<instance_attributes>`: allowed, without effect.
    pub parameters: Vec<AttributeSet>,
    /// `<podman>`, `<docker>`.
    pub container: Container,
    /// `<network>`.
    pub network: Option<BundleNetwork>,
    /// `<storage>`.
    pub storage: Vec<StorageMapping>,
    /// The resource inside, if any: with one, every replica is a guest node.
    pub primitive: Option<Primitive>,
    /// What its replicas consist of.
    pub expansion: Expansion,
}

/// The primitives that a bundle's replicas consist of, kept with the bundle once they have been made: they are made of nothing
/// else, and every plan needs them. They are no content: copies do not have them, and all are equal. As [`Verified`] this
/// rests on nobody editing a configuration inside a [`Cib`](super::Cib) that has been planned from.
///
/// [`Verified`]: super::Verified
#[derive(Debug, Default)]
pub struct Expansion(OnceLock<Vec<ReplicaParts>>);

/// The primitives that nobody wrote down of which a bundle's replica consists.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaParts {
    /// The address as text, where the range goes so far.
    pub address: Option<Arc<str>>,
    /// The container.
    pub container: Primitive,
    /// The resource of the address, if replicas have addresses.
    pub ip: Option<Primitive>,
    /// The connection to the guest node inside, if there is a resource inside.
    pub connection: Option<Primitive>,
}

impl Expansion {
    /// The parts of the first replicas, made by `make` if nobody has asked before.
    pub fn get_or_make(&self, make: impl FnOnce() -> Vec<ReplicaParts>) -> &[ReplicaParts] {
        self.0.get_or_init(make)
    }
}

impl Clone for Expansion {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Expansion {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// Which container runtime runs a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContainerRuntime {
    /// `<podman>`.
    Podman,
    /// `<docker>`.
    Docker,
}

impl ContainerRuntime {
    /// The element's and the agent's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Podman => "podman",
            Self::Docker => "docker",
        }
    }
}

/// The container of a bundle. Numbers are `None` where not given or unreadable.
#[derive(Clone, Debug, PartialEq)]
pub struct Container {
    /// Element name.
    pub runtime: ContainerRuntime,
    /// `image`.
    pub image: Arc<str>,
    /// `replicas`.
    pub replicas: Option<u32>,
    /// `replicas-per-host`.
    pub replicas_per_host: Option<u32>,
    /// `promoted-max`, or the older `masters`.
    pub promoted_max: Option<u32>,
    /// `network`.
    pub network: Option<Arc<str>>,
    /// `run-command`.
    pub run_command: Option<Arc<str>>,
    /// `options`; an empty text is not the same as none.
    pub options: Option<Arc<str>>,
}

/// `<network>` of a bundle.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct BundleNetwork {
    /// `ip-range-start`: the first replica's address.
    pub ip_range_start: Option<Ipv4Addr>,
    /// `host-netmask`.
    pub host_netmask: Option<Arc<str>>,
    /// `host-interface`.
    pub host_interface: Option<Arc<str>>,
    /// `control-port`.
    pub control_port: Option<Arc<str>>,
    /// `add-host`; true if not given.
    pub add_host: bool,
    /// `<port-mapping>`s in order.
    pub ports: Vec<PortMapping>,
}

/// `<port-mapping>`.
#[derive(Clone, Debug, PartialEq)]
pub struct PortMapping {
    /// `id`.
    pub id: ElementId,
    /// `port`, or `range`.
    pub port: Arc<str>,
    /// `internal-port`; same as `port` if not given.
    pub internal_port: Arc<str>,
    /// Given as `range`.
    pub is_range: bool,
}

/// `<storage-mapping>`.
#[derive(Clone, Debug, PartialEq)]
pub struct StorageMapping {
    /// `id`.
    pub id: ElementId,
    /// `source-dir` or `source-dir-root`.
    pub source: StorageSource,
    /// `target-dir`.
    pub target_dir: Arc<str>,
    /// `options`.
    pub options: Option<Arc<str>>,
}

/// Where a storage mapping comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum StorageSource {
    /// `source-dir`: this very path.
    Dir(Arc<str>),
    /// `source-dir-root`: a directory per replica below this path.
    Root(Arc<str>),
}
