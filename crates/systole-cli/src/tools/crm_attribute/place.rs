//! Where attributes are: a section, and in some of them a node.

use super::Request;
use crate::{
    Cluster, Exit, Failed, Session,
    edit::{self, Owner},
};
use systole_cib::xml::Document;

/// A part of the CIB that has attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Section {
    /// Cluster options.
    Options,
    /// Defaults of resources.
    ResourceDefaults,
    /// Defaults of operations.
    OperationDefaults,
    /// Permanent attributes of a node.
    Nodes,
    /// Attributes of a node that are gone with its next reboot.
    Status,
    /// Attributes of tickets as they were kept long ago.
    Tickets,
    /// No such part.
    Unknown(String),
}

impl Section {
    /// By its element's name, or by how long attributes last.
    pub fn named(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "crm_config" => Self::Options,
            "rsc_defaults" => Self::ResourceDefaults,
            "op_defaults" => Self::OperationDefaults,
            "nodes" | "forever" => Self::Nodes,
            "status" | "reboot" => Self::Status,
            "tickets" => Self::Tickets,
            _ => Self::Unknown(name.to_owned()),
        }
    }

    /// Its element's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Options => "crm_config",
            Self::ResourceDefaults => "rsc_defaults",
            Self::OperationDefaults => "op_defaults",
            Self::Nodes => "nodes",
            Self::Status => "status",
            Self::Tickets => "tickets",
            Self::Unknown(name) => name,
        }
    }

    /// Whether a node has to be known. Defaults have none, but Pacemaker's tool asks for one all the same.
    const fn asks_for_node(&self) -> bool {
        !matches!(self, Self::Options | Self::Tickets)
    }
}

/// Where the attributes of a request are.
pub(super) struct Target {
    /// What has the sets that are looked through.
    pub owner: Owner,
    /// These sets' element.
    pub sets: &'static str,
    /// What has the set that a new attribute goes to, and that set's element.
    pub new_owner: Owner,
    pub new_sets: &'static str,
    /// Id of that set, if none was given.
    pub default_set: String,
    /// The node's name.
    pub node: Option<String>,
}

impl Target {
    pub fn of(
        session: &Session<'_>,
        cluster: &mut Cluster,
        document: &Document,
        request: &Request,
    ) -> anyhow::Result<Self> {
        let node = if request.section.asks_for_node() {
            let name = target_node(session, cluster, request.node.as_deref())?;
            Some(node_id(document, &name)?)
        } else {
            None
        };
        let name = node.as_ref().map(|(_, name, _)| name.clone());
        let target = match (&request.section, node) {
            (Section::Nodes, Some((uuid, name, is_remote))) => {
                permanent(&uuid, &name, is_remote, request.utilization)
            }
            (Section::Status, Some((uuid, ..))) => transient(&uuid, request.utilization),
            (Section::Options, _) => loose("crm_config", "cluster_property_set", "cib-bootstrap-options"),
            (Section::ResourceDefaults, _) => {
                loose("rsc_defaults", "meta_attributes", "rsc_defaults-options")
            }
            (Section::OperationDefaults, _) => loose("op_defaults", "meta_attributes", "op_defaults-options"),
            (Section::Tickets, _) => {
                let tickets = ("tickets".to_owned(), Vec::new());
                let found = step("status", vec![tickets.clone()]);
                let sets = kind_of_sets(request.utilization).0;
                let mut target = Self::in_one(found, sets, "status-tickets".to_owned());
                // They may have no element yet.
                target.new_owner = step("status", vec![("status".to_owned(), Vec::new()), tickets]);
                target
            }
            _ => {
                let message = "Error performing operation: No message of desired type";
                return Err(Failed::new(Exit::Protocol, message).into());
            }
        };
        Ok(Self { node: name, ..target })
    }

    /// New attributes go where those there are have been looked for.
    fn in_one(owner: Owner, sets: &'static str, default_set: String) -> Self {
        Self { new_owner: owner.clone(), new_sets: sets, owner, sets, default_set, node: None }
    }
}

fn step(section: &str, path: Vec<(String, Vec<(String, String)>)>) -> Owner {
    Owner { section: section.to_owned(), path }
}

fn loose(section: &str, sets: &'static str, default_set: &str) -> Target {
    Target::in_one(step(section, Vec::new()), sets, default_set.to_owned())
}

fn with_id(id: &str) -> Vec<(String, String)> {
    vec![("id".to_owned(), id.to_owned())]
}

fn permanent(uuid: &str, name: &str, is_remote: bool, utilization: bool) -> Target {
    let (sets, suffix) = kind_of_sets(utilization);
    let found = step("nodes", vec![("node".to_owned(), with_id(uuid))]);
    let mut target = Target::in_one(found, sets, format!("nodes-{uuid}{suffix}"));
    if is_remote {
        // It may have no entry yet.
        let attrs = [("type", "remote"), ("id", uuid), ("uname", name)];
        let attrs = attrs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let path = vec![("nodes".to_owned(), Vec::new()), ("node".to_owned(), attrs)];
        target.new_owner = step("nodes", path);
    }
    target
}

/// The sets of a node's state are looked through together: their own ids do not count.
fn transient(uuid: &str, utilization: bool) -> Target {
    let (new_sets, suffix) = kind_of_sets(utilization);
    let state = ("node_state".to_owned(), with_id(uuid));
    let attributes = ("transient_attributes".to_owned(), with_id(uuid));
    Target {
        owner: step("status", vec![state.clone()]),
        sets: "transient_attributes",
        new_owner: step("status", vec![state, attributes]),
        new_sets,
        default_set: format!("status-{uuid}{suffix}"),
        node: None,
    }
}

/// A node's sets, and what ids of new ones end with.
const fn kind_of_sets(utilization: bool) -> (&'static str, &'static str) {
    if utilization { ("utilization", "-utilization") } else { ("instance_attributes", "") }
}

/// The node whose attributes are meant: the one named, or else this one. For an agent in a container whose attributes are
/// to be the host's (`container-attribute-target=host`), that is the host.
///
/// # Errors
/// If nobody knows which node this is.
pub fn target_node(
    session: &Session<'_>,
    cluster: &mut Cluster,
    named: Option<&str>,
) -> anyhow::Result<String> {
    if let Some(name) = named.filter(|name| !matches!(*name, "auto" | "localhost")) {
        return Ok(name.to_owned());
    }
    let meta = |name: &str| session.var(&format!("OCF_RESKEY_CRM_meta_{name}")).filter(|it| !it.is_empty());
    match (meta("container_attribute_target").as_deref(), meta("physical_host")) {
        (Some("host"), Some(host)) => Ok(host),
        _ => cluster.local_node(session),
    }
}

/// Id and name of the node meant by `name` (capitals do not count), and whether it is a remote or guest node.
///
/// # Errors
/// If there is no such node.
pub fn node_id(document: &Document, name: &str) -> anyhow::Result<(String, String, bool)> {
    let of = |section, kind| {
        let elements = edit::section(document, section).into_iter().flat_map(|section| section.children());
        elements.filter(move |element| element.is(kind))
    };
    let nodes = of("nodes", "node").chain(of("status", "node_state"));
    for element in nodes {
        let (Some(id), Some(uname)) = (element.id(), element.attr("uname")) else { continue };
        if uname.eq_ignore_ascii_case(name) {
            let is_remote = element.attr("type") == Some("remote")
                || element.attr("remote_node") == Some("true")
                || is_remote_name(document, name);
            return Ok((id.to_owned(), uname.to_owned(), is_remote));
        }
    }
    if is_remote_name(document, name) {
        return Ok((name.to_owned(), name.to_owned(), true));
    }
    Err(Failed::no_such(format!("Could not map name={name} to a UUID")))
}

/// Whether a resource makes a remote or guest node of that name.
fn is_remote_name(document: &Document, name: &str) -> bool {
    let Some(resources) = edit::section(document, "resources") else { return false };
    resources.descendants().any(|element| match element.name() {
        "primitive" => {
            let is_connection =
                element.attr("type") == Some("remote") && element.attr("provider") == Some("pacemaker");
            is_connection && element.id() == Some(name)
        }
        "nvpair" => element.attr("name") == Some("remote-node") && element.attr("value") == Some(name),
        "bundle" => name
            .rsplit_once('-')
            .is_some_and(|(id, number)| element.id() == Some(id) && number.parse::<u32>().is_ok()),
        _ => false,
    })
}
