//! Location and colocation constraints of a resource, and of what it depends on.

use crate::{report::Report, resource_ops::enclosing_clone, view::View};
use std::{cmp::Reverse, collections::BTreeSet};
use systole_cib::model::{Colocation, ColocationMembers, Constraint, Location, LocationTarget};
use systole_output::{
    outline::{Outline, Style},
    tree::Tree,
};
use systole_scheduler::{Status, overview::wishes, status::Kind};
use systole_types::{LocalTime, Role};

/// Lists constraints of `id`; with `recursive`, also those of what it is colocated with.
pub(super) fn show(view: &View, now: LocalTime, id: &str, recursive: bool, force: bool) -> Report {
    // What is inside of a clone or group is placed with the whole. What is inside of a bundle belongs to a clone that nobody configured,
    // so that no constraint is about that.
    let whole = crate::edit::find_resource(&view.document, id).and_then(|element| {
        let group = element.parent().filter(|parent| parent.is("group"));
        enclosing_clone(element).or(group)
    });
    let top = match whole.filter(|_| !force) {
        Some(bundle) if bundle.is("bundle") => "",
        Some(whole) => whole.id().unwrap_or(id),
        None => id,
    };
    let status = &Status::unpack(&view.cib, now);
    let mut lister =
        Lister { view, status, recursive, seen: BTreeSet::new(), text: Outline::new(), trees: Vec::new() };
    lister.locations(top, 0);
    for direction in [Direction::ToDependents, Direction::ToPrimaries] {
        lister.seen.clear();
        lister.colocations(top, 0, direction);
    }
    Report {
        text: lister.text.render_without_first_bullets(Style { depth: 0, bullet: "* " }),
        trees: vec![Tree::new("constraints").children(lister.trees)],
        ..Report::default()
    }
}

/// Which way colocations are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToDependents,
    ToPrimaries,
}

struct Lister<'v> {
    view: &'v View,
    status: &'v Status<'v>,
    recursive: bool,
    /// Resources whose colocations in the direction at hand are listed already: each is listed once.
    seen: BTreeSet<String>,
    text: Outline,
    trees: Vec<Tree>,
}

impl Lister<'_> {
    fn locations(&mut self, id: &str, depth: usize) {
        let found: Vec<&Location> = self
            .view
            .cib
            .constraints
            .iter()
            // The last first, as Pacemaker's tool lists them.
            .rev()
            .filter_map(|constraint| match constraint {
                Constraint::Location(location) => Some(location),
                _ => None,
            })
            .filter(
                |location| matches!(&location.resources, LocationTarget::Resource(rsc) if rsc.as_str() == id),
            )
            .collect();
        let mut lines = Vec::new();
        for location in found {
            for wish in wishes(self.status, location) {
                lines.push(format!("Node {} (score={}, id={}, rsc={id})", wish.node, wish.score, wish.id));
                self.trees.push(
                    Tree::new("rsc_location")
                        .attr("node", wish.node.as_str())
                        .attr("rsc", id)
                        .attr("id", wish.id.as_str())
                        .attr("score", wish.score.to_string()),
                );
            }
        }
        if !lines.is_empty() {
            self.text.push(depth, "Locations:");
            for line in lines {
                self.text.push(depth + 1, line);
            }
        }
    }

    /// Colocations by how soon the other resource is placed, as the scheduler goes through them; of the same resource the last first.
    fn in_order<'p>(&self, mut pairs: Vec<Pair<'p>>, of_dependents: bool) -> Vec<Pair<'p>> {
        pairs.reverse();
        pairs.sort_by_key(|pair| {
            let other = if of_dependents { pair.dependent } else { pair.primary };
            let found = self.status.find_resource(other).map(|rsc| self.status.rsc(rsc));
            let rank = found.map(|rsc| {
                let level = match rsc.kind {
                    Kind::Bundle(_) => 0,
                    Kind::Clone(_) => 1,
                    Kind::Group(_) => 2,
                    Kind::Primitive(_) => 3,
                };
                (Reverse(rsc.meta.priority), level, rsc.is_clone() && !rsc.is_promotable)
            });
            (rank, other)
        });
        pairs
    }

    /// Colocations in which `id` is the primary (on the way to dependents), or the dependent.
    fn colocations(&mut self, id: &str, depth: usize, direction: Direction) {
        self.seen.insert(id.to_owned());
        let of_dependents = direction == Direction::ToDependents;
        let found = self.in_order(pairs(self.view, self.status, id, of_dependents), of_dependents);
        if !found.is_empty() {
            let title = match direction {
                Direction::ToDependents => format!("Resources colocated with {id}:"),
                Direction::ToPrimaries => format!("Resources {id} is colocated with:"),
            };
            self.text.push(depth, title);
        }
        for pair in found {
            let other = if of_dependents { pair.dependent } else { pair.primary };
            let is_loop = self.seen.contains(other);
            self.text.push(depth + 1, pair.line(other, is_loop, of_dependents));
            self.trees.push(pair.tree());
            if is_loop {
                continue;
            }
            self.locations(other, depth + 2);
            if self.recursive {
                self.colocations(other, depth + 2, direction);
            }
        }
    }
}

/// A colocation of two resources.
struct Pair<'a> {
    colocation: &'a Colocation,
    dependent: &'a str,
    primary: &'a str,
    dependent_role: Option<Role>,
    primary_role: Option<Role>,
}

/// Colocations of two resources in which `id` is the primary (`of_dependents`), or the dependent. A template or tag stands for
/// each of its resources.
fn pairs<'a>(view: &'a View, status: &'a Status<'_>, id: &str, of_dependents: bool) -> Vec<Pair<'a>> {
    let meant = |name: &'a str| -> Vec<&'a str> {
        match status.constraint_targets(name).as_slice() {
            [] => vec![name],
            targets => targets.iter().map(|rsc| status.rsc(*rsc).id.as_str()).collect(),
        }
    };
    let mut found = Vec::new();
    for constraint in &view.cib.constraints {
        let Constraint::Colocation(colocation) = constraint else { continue };
        let ColocationMembers::Pair { dependent, primary, dependent_role, primary_role } =
            &colocation.members
        else {
            continue;
        };
        let (dependents, primaries) = (meant(dependent.as_str()), meant(primary.as_str()));
        for dependent in dependents {
            for primary in primaries.iter().copied() {
                if id == if of_dependents { primary } else { dependent } {
                    let (dependent_role, primary_role) = (*dependent_role, *primary_role);
                    found.push(Pair { colocation, dependent, primary, dependent_role, primary_role });
                }
            }
        }
    }
    found
}

impl Pair<'_> {
    fn score(&self) -> String {
        self.colocation.score.map_or("INFINITY".to_owned(), |score| score.to_string())
    }

    /// What is said of it in a list about the one, `other` being the other.
    fn line(&self, other: &str, is_loop: bool, of_dependents: bool) -> String {
        if is_loop {
            return format!("{other} (id={} - loop)", self.colocation.id);
        }
        let needs = if of_dependents { "needs" } else { "with" };
        let role = self.primary_role.filter(|role| *role > Role::Started);
        let role = role.map_or(String::new(), |role| format!("{needs} role={role}, "));
        format!("{other} (score={}, {role}id={})", self.score(), self.colocation.id)
    }

    fn tree(&self) -> Tree {
        Tree::new("rsc_colocation")
            .attr("id", self.colocation.id.as_str())
            .attr("rsc", self.dependent)
            .attr("with-rsc", self.primary)
            .attr("score", self.score())
            .attr("node-attribute", self.colocation.node_attribute.as_deref().unwrap_or("#uname"))
            .maybe("rsc-role", told(self.dependent_role))
            .maybe("with-rsc-role", told(self.primary_role))
    }
}

/// A role that narrows a colocation: every resource that is active is started.
fn told(role: Option<Role>) -> Option<String> {
    role.filter(|role| !matches!(role, Role::Started | Role::Unknown)).map(|role| role.to_string())
}
