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
use systole_scheduler::overview::{Overview, ResourceView, ResourceViewKind};
use systole_types::Timestamp;

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
        edit::clean_id(&format!("cli-ban-{}-on-{}", self.resource, self.node))
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
        let id = edit::clean_id(&format!("cli-prefer-{}", self.resource));
        // Another node may have been preferred until now, with a rule or without.
        delete_constraints(cluster, std::slice::from_ref(&id))?;
        self.constrain(cluster, &id, "INFINITY")
    }

    fn constrain(&self, cluster: &mut Cluster, id: &str, score: &str) -> anyhow::Result<()> {
        let role = if self.promoted_only { "Promoted" } else { "Started" };
        let constraint =
            Tree::new("rsc_location").attr("id", id).attr("rsc", self.resource).attr("role", role);
        let constraint = match &self.until {
            None => constraint.attr("node", self.node).attr("score", score),
            Some(until) => constraint.child(self.rule(id, score, until)),
        };
        cluster.merge("constraints", constraint.to_xml())?;
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

/// Ids of constraints that [`Place`] made: for the resource (all if `None`) and node (all if `None`).
pub fn made_constraints(document: &Document, resource: Option<&str>, node: Option<&str>) -> Vec<String> {
    let Some(constraints) = edit::section(document, "constraints") else { return Vec::new() };
    constraints
        .children()
        .filter(|constraint| constraint.is("rsc_location"))
        .filter(|constraint| {
            constraint.id().is_some_and(|id| id.starts_with("cli-ban-") || id.starts_with("cli-prefer-"))
        })
        .filter(|constraint| resource.is_none_or(|wanted| constraint.attr("rsc") == Some(wanted)))
        .filter(|constraint| node.is_none_or(|wanted| constraint_node(*constraint) == Some(wanted)))
        .filter_map(|constraint| constraint.id().map(str::to_owned))
        .collect()
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

/// Of those, the ones whose time is over.
pub fn expired_constraints(document: &Document, ids: &[String], now: Timestamp) -> Vec<String> {
    ids.iter()
        .filter(|id| {
            let Some(constraint) = document.find_id(id) else { return false };
            let end = constraint
                .descendants()
                .find(|element| element.is("date_expression"))
                .and_then(|d| d.attr("end"));
            end.and_then(crate::dates::parse_iso).is_some_and(|end| end <= now)
        })
        .cloned()
        .collect()
}

/// Removes constraints by id; those that are not there are passed over.
///
/// # Errors
/// If the change cannot be made.
pub fn delete_constraints(cluster: &mut Cluster, ids: &[String]) -> anyhow::Result<()> {
    for id in ids {
        cluster.apply(
            CibCall {
                action: CibAction::Delete,
                scope: Scope::Section("constraints".to_owned()),
                xml: Some(Tree::new("rsc_location").attr("id", id.as_str()).to_xml()),
                options: CibOptions::default(),
            },
            false,
        )?;
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
    if !cluster.is_live() {
        return Err(Failed::new(
            Exit::Disconnected,
            "nothing runs in a file: restarting needs a running cluster",
        )
        .into());
    }
    if find_views(&view.overview, id)?.iter().all(|found| !found.flags.partially_active) {
        return Err(
            Failed::new(Exit::NotRunning, format!("{id} is not running, so it cannot be restarted")).into()
        );
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
