//! Location and colocation constraints of a resource, and of what it depends on.

use crate::{report::Report, resource_ops::enclosing_clone, view::View};
use systole_cib::model::{Colocation, ColocationMembers, Constraint, Location, LocationTarget};
use systole_output::{
    outline::{Outline, Style},
    tree::Tree,
};
use systole_scheduler::{Status, overview::wishes};
use systole_types::{LocalTime, Role};

/// Lists constraints of `id`; with `recursive`, also those of what it is colocated with.
pub(super) fn show(view: &View, now: LocalTime, id: &str, recursive: bool, force: bool) -> Report {
    // What is inside of a clone or group is placed with the whole.
    let whole = crate::edit::find_resource(&view.document, id).and_then(|element| {
        let group = element.parent().filter(|parent| parent.is("group"));
        enclosing_clone(element).or(group).and_then(|whole| whole.id().map(str::to_owned))
    });
    let top = if force { id.to_owned() } else { whole.unwrap_or_else(|| id.to_owned()) };
    let status = &Status::unpack(&view.cib, now);
    let mut lister =
        Lister { view, status, recursive, chain: Vec::new(), text: Outline::new(), trees: Vec::new() };
    lister.resource(&top, 0, true, Direction::Both);
    Report {
        text: lister.text.render_without_first_bullets(Style { depth: 0, bullet: "* " }),
        trees: vec![Tree::new("constraints").children(lister.trees)],
        ..Report::default()
    }
}

/// Which way colocations are followed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Both,
    ToDependents,
    ToPrimaries,
}

struct Lister<'v> {
    view: &'v View,
    status: &'v Status<'v>,
    recursive: bool,
    /// Resources from the first down to the one at hand.
    chain: Vec<String>,
    text: Outline,
    trees: Vec<Tree>,
}

impl Lister<'_> {
    fn resource(&mut self, id: &str, depth: usize, is_top: bool, direction: Direction) {
        self.chain.push(id.to_owned());
        self.locations(id, depth);
        let goes_on = is_top || self.recursive;
        if goes_on && direction != Direction::ToPrimaries {
            self.colocations(id, depth, true);
        }
        if goes_on && direction != Direction::ToDependents {
            self.colocations(id, depth, false);
        }
        self.chain.pop();
    }

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

    /// Colocations in which `id` is the primary (`of_dependents`), or the dependent.
    fn colocations(&mut self, id: &str, depth: usize, of_dependents: bool) {
        let view = self.view;
        let mut found: Vec<(&Colocation, &str, &str, [Option<Role>; 2])> = view
            .cib
            .constraints
            .iter()
            .filter_map(|constraint| match constraint {
                Constraint::Colocation(colocation) => match &colocation.members {
                    ColocationMembers::Pair { dependent, primary, dependent_role, primary_role } => Some((
                        colocation,
                        dependent.as_str(),
                        primary.as_str(),
                        [*dependent_role, *primary_role],
                    )),
                    ColocationMembers::Sets(_) => None,
                },
                _ => None,
            })
            .filter(
                |(_, dependent, primary, _)| if of_dependents { *primary == id } else { *dependent == id },
            )
            .collect();
        found.sort_by(|(a, ..), (b, ..)| a.id.cmp(&b.id));
        let mut has_title = false;
        for (colocation, dependent, primary, roles) in found {
            let other = if of_dependents { dependent } else { primary };
            if !has_title {
                has_title = true;
                let title = if of_dependents {
                    format!("Resources colocated with {id}:")
                } else {
                    format!("Resources {id} is colocated with:")
                };
                self.text.push(depth, title);
            }
            let score = colocation.score.map_or("INFINITY".to_owned(), |score| score.to_string());
            let is_loop = self.chain.iter().any(|above| above == other);
            self.text.push(
                depth + 1,
                if is_loop {
                    format!("{other} (id={} - loop)", colocation.id)
                } else {
                    let needs = if of_dependents { "needs" } else { "with" };
                    let role = roles[1].filter(|role| *role > Role::Started);
                    let role = role.map_or(String::new(), |role| format!("{needs} role={role}, "));
                    format!("{other} (score={score}, {role}id={})", colocation.id)
                },
            );
            self.trees.push(
                Tree::new("rsc_colocation")
                    .attr("id", colocation.id.as_str())
                    .attr("rsc", dependent)
                    .attr("with-rsc", primary)
                    .attr("score", score)
                    .attr("node-attribute", colocation.node_attribute.as_deref().unwrap_or("#uname"))
                    .maybe("rsc-role", told(roles[0]))
                    .maybe("with-rsc-role", told(roles[1])),
            );
            if is_loop {
                continue;
            }
            let direction = if of_dependents { Direction::ToDependents } else { Direction::ToPrimaries };
            self.resource(other, depth + 2, false, direction);
        }
    }
}

/// A role that narrows a colocation: every resource that is active is started.
fn told(role: Option<Role>) -> Option<String> {
    role.filter(|role| !matches!(role, Role::Started | Role::Unknown)).map(|role| role.to_string())
}
