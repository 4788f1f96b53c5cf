//! What administrators do to resources, as changes of the CIB. Shared by `crm_resource` and `systole resource`.

use crate::{
    Cluster, Exit, Failed,
    edit::{self, Owner, Pair, PairSpec, Set},
    view::View,
};
use std::time::Duration;
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::{Document, Element},
};
use systole_output::tree::Tree;
use systole_scheduler::{
    overview::{Overview, ResourceView, ResourceViewKind},
    rules,
};
use systole_types::LocalTime;

/// Kinds of sets a resource has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PairKind {
    /// `<meta_attributes>`.
    Meta,
    /// `<instance_attributes>`.
    Parameter,
    /// `<utilization>`.
    Utilization,
}

impl PairKind {
    /// The sets' element.
    pub const fn element(self) -> &'static str {
        match self {
            Self::Meta => "meta_attributes",
            Self::Parameter => "instance_attributes",
            Self::Utilization => "utilization",
        }
    }
}

/// One pair of a resource: which, and how it is to be found.
#[derive(Clone, Debug)]
pub struct PairOf<'r> {
    /// Which kind of set.
    pub kind: PairKind,
    /// Only this set.
    pub set_id: Option<&'r str>,
    /// Only this pair.
    pub pair_id: Option<&'r str>,
    /// Its name.
    pub name: &'r str,
}

impl PairOf<'_> {
    /// A meta attribute.
    pub const fn meta(name: &str) -> PairOf<'_> {
        PairOf { kind: PairKind::Meta, set_id: None, pair_id: None, name }
    }

    fn spec(&self) -> PairSpec {
        PairSpec {
            sets: self.kind.element().to_owned(),
            set_id: self.set_id.map(str::to_owned),
            pair_id: self.pair_id.map(str::to_owned),
            name: Some(self.name.to_owned()),
        }
    }

    /// Those of `resource` that fit.
    pub fn find(&self, resource: Element<'_>) -> Vec<Pair> {
        edit::find_pairs(resource.document(), &Owner::of(resource, "resources"), &self.spec())
    }

    /// Sets it.
    ///
    /// # Errors
    /// If several fit, or the change cannot be made.
    pub fn set(&self, cluster: &mut Cluster, resource: Element<'_>, value: &str) -> anyhow::Result<Set> {
        let default_set = format!("{}-{}", resource.id().unwrap_or(""), self.kind.element());
        let owner = Owner::of(resource, "resources");
        edit::set_pair(cluster, resource.document(), &owner, &self.spec(), &default_set, value)
    }

    /// Removes those that fit, and returns them.
    ///
    /// # Errors
    /// If the change cannot be made.
    pub fn delete(&self, cluster: &mut Cluster, resource: Element<'_>) -> anyhow::Result<Vec<Pair>> {
        let found = self.find(resource);
        let owner = Owner::of(resource, "resources");
        for pair in &found {
            edit::delete_pair(cluster, &owner, pair)?;
        }
        Ok(found)
    }
}

/// The clone (or bundle) around a resource.
pub fn enclosing_clone(resource: Element<'_>) -> Option<Element<'_>> {
    let parent = resource.parent()?;
    match parent.name() {
        "clone" | "master" | "bundle" => Some(parent),
        "group" => enclosing_clone(parent),
        _ => None,
    }
}

/// The element whose `target-role` starts and stops the resource: for what is inside of a clone or bundle, that.
pub fn whole(resource: Element<'_>) -> Element<'_> {
    enclosing_clone(resource).unwrap_or(resource)
}

/// Where a location constraint counts, and for how long.
#[derive(Clone, Debug)]
pub struct Place<'r> {
    /// The resource.
    pub resource: &'r str,
    /// The node.
    pub node: &'r str,
    /// Only in the promoted role.
    pub promoted_only: bool,
    /// Until then, as ISO 8601.
    pub until: Option<String>,
}

impl Place<'_> {
    /// The id of the constraint that bans.
    pub fn ban_id(&self) -> String {
        ban_id(self.resource, self.node)
    }

    /// Keeps the resource off the node.
    ///
    /// # Errors
    /// If the change cannot be made.
    pub fn ban(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        let id = self.ban_id();
        self.constrain(cluster, &id, "-INFINITY")
    }

    /// Makes the resource prefer the node over all others.
    ///
    /// # Errors
    /// If the change cannot be made.
    pub fn prefer(&self, cluster: &mut Cluster) -> anyhow::Result<()> {
        self.constrain(cluster, &prefer_id(self.resource), "INFINITY")
    }

    fn constrain(&self, cluster: &mut Cluster, id: &str, score: &str) -> anyhow::Result<()> {
        let constraint = |role: &str| {
            let made = Tree::new("rsc_location").attr("id", id).attr("rsc", self.resource).attr("role", role);
            match &self.until {
                None => made.attr("node", self.node).attr("score", score).to_xml(),
                Some(until) => made.child(self.rule(id, score, until)).to_xml(),
            }
        };
        if !self.promoted_only {
            cluster.merge("constraints", constraint("Started"))?;
            return Ok(());
        }
        // Older schemas know the role by its older name only.
        let made = cluster.merge("constraints", constraint("Promoted"));
        made.or_else(|error| cluster.merge("constraints", constraint("Master")).map_err(|_| error))?;
        Ok(())
    }

    /// The node, up to a moment.
    fn rule(&self, id: &str, score: &str, until: &str) -> Tree {
        // The ids Pacemaker's own tool gives, so that either can take back what the other made.
        let part = |name: &str| match id.strip_prefix("cli-prefer-") {
            Some(resource) => format!("cli-prefer-{name}-{resource}"),
            None => format!("{id}-{}", name.trim_end_matches("-end")),
        };
        Tree::new("rule")
            .attr("id", part("rule"))
            .attr("score", score)
            .attr("boolean-op", "and")
            .child(
                Tree::new("expression")
                    .attr("id", part("expr"))
                    .attr("attribute", "#uname")
                    .attr("operation", "eq")
                    .attr("value", self.node)
                    .attr("type", "string"),
            )
            .child(
                Tree::new("date_expression")
                    .attr("id", part("lifetime-end"))
                    .attr("operation", "lt")
                    .attr("end", until),
            )
    }
}

fn ban_id(resource: &str, node: &str) -> String {
    edit::clean_id(&format!("cli-ban-{resource}-on-{node}"))
}

fn prefer_id(resource: &str) -> String {
    edit::clean_id(&format!("cli-prefer-{resource}"))
}

fn location<'d>(document: &'d Document, id: &str) -> Option<Element<'d>> {
    edit::section(document, "constraints")?.children_named("rsc_location").find(|it| it.id() == Some(id))
}

/// The id of the constraint that keeps the resource off the node, if [`Place::ban`] made one.
pub fn banned(document: &Document, resource: &str, node: &str) -> Option<String> {
    let id = ban_id(resource, node);
    location(document, &id).map(|_| id)
}

/// The id of the constraint that makes the resource prefer the node (any, if `None`), if [`Place::prefer`] made one.
pub fn preferred(document: &Document, resource: &str, node: Option<&str>) -> Option<String> {
    let id = prefer_id(resource);
    let constraint = location(document, &id)?;
    node.is_none_or(|wanted| constraint_node(constraint) == Some(wanted)).then_some(id)
}

/// The node a constraint made here is about.
fn constraint_node(constraint: Element<'_>) -> Option<&str> {
    if let Some(node) = constraint.attr("node") {
        return Some(node);
    }
    constraint
        .descendants()
        .find(|element| element.is("expression"))
        .and_then(|element| element.attr("value"))
}

/// Constraints that [`Place`] made for a time that is over.
pub struct Expired<'r> {
    /// Of this resource; of all if `None`.
    pub resource: Option<&'r str>,
    /// About this node; about any if `None`.
    pub node: Option<&'r str>,
    /// Only those about the promoted role.
    pub promoted_only: bool,
    /// When it is.
    pub now: LocalTime,
}

impl Expired<'_> {
    /// Their ids.
    pub fn find(&self, document: &Document) -> Vec<String> {
        let constraints = edit::section(document, "constraints").into_iter().flat_map(|all| all.children());
        let found = constraints.filter(|it| it.is("rsc_location") && self.is_meant(*it));
        found.filter_map(|it| it.id().map(str::to_owned)).collect()
    }

    fn is_meant(&self, constraint: Element<'_>) -> bool {
        let (Some(id), rsc) = (constraint.id(), constraint.attr("rsc")) else { return false };
        let lifetime = match (id.strip_prefix("cli-ban-"), id.strip_prefix("cli-prefer-")) {
            (Some(_), _) => format!("{id}-lifetime"),
            (_, Some(_)) => format!("cli-prefer-lifetime-end-{}", rsc.unwrap_or("")),
            (None, None) => return false,
        };
        let has_role = matches!(constraint.attr("role"), Some("Promoted" | "Master"));
        let is_end = |it: &Element<'_>| it.is("date_expression") && it.id() == Some(&lifetime);
        let end = constraint.descendants().find(is_end).and_then(|it| it.attr("end"));
        let end = end.and_then(|end| rules::parse_local_time(end, self.now));
        self.resource.is_none_or(|wanted| rsc == Some(wanted))
            && self.node.is_none_or(|wanted| constraint_node(constraint) == Some(wanted))
            && (!self.promoted_only || has_role)
            && end.is_some_and(|end| end.at < self.now.at)
    }
}

/// Removes constraints by id, all at once; those that are not there are passed over.
///
/// # Errors
/// If the change cannot be made.
pub fn delete_constraints(cluster: &mut Cluster, ids: &[String]) -> anyhow::Result<()> {
    let doomed = ids.iter().map(|id| Tree::new("rsc_location").attr("id", id.as_str()));
    let call = CibCall {
        action: CibAction::Delete,
        scope: Scope::Section("constraints".to_owned()),
        xml: Some(Tree::new("constraints").children(doomed).to_xml()),
        options: CibOptions::default(),
    };
    if !ids.is_empty() {
        cluster.apply(call, false)?;
    }
    Ok(())
}

/// A resource of the present state, by any of its names: `web`, `web:1`, `web-clone`.
///
/// # Errors
/// If there is none.
pub fn find_views<'o>(overview: &'o Overview, name: &str) -> anyhow::Result<Vec<&'o ResourceView>> {
    let mut found = Vec::new();
    for root in &overview.resources {
        collect(root, name, &mut found);
    }
    if found.is_empty() {
        return Err(Failed::no_such(format!("Resource '{name}' not found")));
    }
    Ok(found)
}

fn collect<'o>(view: &'o ResourceView, name: &str, found: &mut Vec<&'o ResourceView>) {
    if view.id.as_str() == name || view.full_id.as_str() == name {
        found.push(view);
        return;
    }
    let is_instance_name = view.full_id.as_str().rsplit_once(':').is_some_and(|(base, _)| base == name);
    if is_instance_name {
        found.push(view);
        return;
    }
    match &view.kind {
        ResourceViewKind::Primitive(_) => {}
        ResourceViewKind::Group { members } => members.iter().for_each(|part| collect(part, name, found)),
        ResourceViewKind::Clone { instances, .. } => {
            instances.iter().for_each(|part| collect(part, name, found))
        }
        ResourceViewKind::Bundle { replicas, .. } => {
            for replica in replicas {
                let parts = replica
                    .ip
                    .iter()
                    .chain(&replica.child)
                    .chain([&replica.container])
                    .chain(&replica.remote);
                parts.for_each(|part| collect(part, name, found));
            }
        }
    }
}

/// Makes sure there is such a node.
///
/// # Errors
/// If there is none.
pub fn check_node(overview: &Overview, name: &str) -> anyhow::Result<()> {
    if overview.nodes.iter().any(|node| node.name.as_str() == name) {
        return Ok(());
    }
    Err(Failed::no_such(format!("Node '{name}' not found")))
}

/// How long `--wait` waits if nobody says how long.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(60 * 60);

/// Makes sure that waiting makes sense: to be asked before anything is changed.
///
/// # Errors
/// If there is no running cluster (exit code 102).
pub fn check_can_wait(cluster: &Cluster) -> anyhow::Result<()> {
    if cluster.is_live() {
        return Ok(());
    }
    let message = "nothing happens in a file: waiting needs a running cluster";
    Err(Failed::new(Exit::Disconnected, message).into())
}

/// Waits until the cluster has come to rest.
///
/// # Errors
/// If that takes longer than `limit` (exit code 124).
pub fn wait(cluster: &mut Cluster, limit: Option<Duration>) -> anyhow::Result<()> {
    check_can_wait(cluster)?;
    cluster.wait_idle(limit.unwrap_or(DEFAULT_WAIT))
}

/// Stops the resource, waits, and starts it again as it was meant to be.
///
/// # Errors
/// If the resource does not stop or start in time: `target-role` is put back to what it was all the same.
pub fn restart(cluster: &mut Cluster, view: &View, id: &str, limit: Option<Duration>) -> anyhow::Result<()> {
    let found = find_views(&view.overview, id)?;
    let refusal = if found.iter().all(|found| !found.flags.partially_active) {
        Some((Exit::NoSuch, format!("{id} is not running anywhere, so it cannot be restarted")))
    } else if found.iter().all(|found| !found.flags.managed) {
        Some((Exit::Unsatisfied, format!("{id} is unmanaged, so it cannot be restarted")))
    } else if !cluster.is_live() {
        Some((Exit::Disconnected, "nothing runs in a file: restarting needs a running cluster".to_owned()))
    } else {
        None
    };
    if let Some((exit, message)) = refusal {
        return Err(Failed::new(exit, message).into());
    }
    let element = whole(edit::resource(&view.document, id)?);
    let role = PairOf::meta("target-role");
    let before = role.find(element).into_iter().next();
    role.set(cluster, element, "Stopped")?;
    let stopped = cluster.wait_idle(limit.unwrap_or(DEFAULT_WAIT));
    let document = cluster.cib()?;
    let element = whole(edit::resource(&document, id)?);
    match before {
        Some(pair) => {
            role.set(cluster, element, &pair.value)?;
        }
        None => {
            role.delete(cluster, element)?;
        }
    }
    stopped?;
    cluster.wait_idle(limit.unwrap_or(DEFAULT_WAIT))
}
