//! What somebody wants of a resource, and whether it is so.

use systole_scheduler::{NodeIdx, RscIdx, Status, status::Kind, status::NodeKind};
use systole_types::Role;

/// What somebody wants of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goal {
    /// The resource, by any of its names.
    pub resource: String,
    /// A copy is to be here; anywhere, if `None`.
    pub node: Option<String>,
    /// In the promoted role.
    pub promoted: bool,
    /// So many copies.
    pub copies: u32,
}

impl Goal {
    /// Whether it is reached as things stand.
    pub fn is_reached(&self, status: &Status<'_>) -> bool {
        self.count(status) >= self.copies
    }

    /// How many copies there are of those wanted.
    pub fn count(&self, status: &Status<'_>) -> u32 {
        let node = match &self.node {
            None => None,
            Some(name) => match status.find_node(name) {
                None => return 0,
                node => node,
            },
        };
        let whole = status.find_resource(&self.resource);
        let parts: Vec<RscIdx> = match whole {
            Some(rsc) => vec![rsc],
            None => {
                let is_instance =
                    |id: &str| id.rsplit_once(':').is_some_and(|(base, _)| base == self.resource);
                let all = status.iter_resources();
                all.filter(|(_, rsc)| is_instance(rsc.id.as_str())).map(|(idx, _)| idx).collect()
            }
        };
        parts.into_iter().map(|rsc| copies(status, rsc, node, self.promoted)).sum()
    }
}

/// How many copies of a resource are active (or promoted): of a group 1 if all of it is, of a clone or bundle one per
/// instance. With a node: there.
pub fn copies(status: &Status<'_>, rsc: RscIdx, node: Option<NodeIdx>, promoted: bool) -> u32 {
    let resource = status.rsc(rsc);
    let count = |part: RscIdx| copies(status, part, node, promoted);
    match &resource.kind {
        Kind::Primitive(_) => {
            let is_in_role =
                if promoted { resource.role == Role::Promoted } else { resource.role >= Role::Started };
            let is_there = resource.running_on.iter().any(|at| is_on(status, *at, node));
            u32::from(is_in_role && is_there && !resource.failed)
        }
        Kind::Group(_) => {
            let n_members = resource.children.len();
            let n_active = resource.children.iter().filter(|member| count(**member) > 0).count();
            u32::from(n_members > 0 && n_active == n_members)
        }
        Kind::Clone(_) => resource.children.iter().map(|instance| count(*instance)).sum(),
        Kind::Bundle(bundle) => {
            let replicas = bundle.replicas.iter().filter(|replica| {
                let inside = replica.child.is_none_or(|child| count(child) > 0);
                inside
                    && copies(status, replica.container, node, false) > 0
                    && (!promoted || replica.child.is_some())
            });
            replicas.count() as u32
        }
    }
}

/// Whether being active `at` a node means being on `node`: what runs in a guest is where the guest is, too.
fn is_on(status: &Status<'_>, at: NodeIdx, node: Option<NodeIdx>) -> bool {
    // What a lost node may still run is no use to anybody.
    let is_up = |at: &NodeIdx| status.node(*at).online && !status.node(*at).unclean;
    match status.node(at).kind {
        NodeKind::Guest { container, .. } => {
            let mut hosts = status.rsc(container).running_on.iter();
            hosts.any(|host| is_up(host) && node.is_none_or(|node| *host == node || at == node))
        }
        _ => is_up(&at) && node.is_none_or(|node| at == node),
    }
}
