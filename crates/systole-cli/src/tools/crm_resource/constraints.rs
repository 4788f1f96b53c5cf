//! Location and colocation constraints of a resource, and of what it depends on.

use crate::{report::Report, resource_ops::enclosing_clone, view::View};
use systole_cib::model::{Colocation, ColocationMembers, Constraint, Location, LocationTarget, Preference};
use systole_output::{
    outline::{Outline, Style},
    tree::Tree,
};

/// Lists constraints of `id`; with `recursive`, also those of what it is colocated with.
pub(super) fn show(view: &View, id: &str, recursive: bool, force: bool) -> Report {
    // What is inside of a clone or group is placed with the whole.
    let whole = crate::edit::find_resource(&view.document, id).and_then(|element| {
        let group = element.parent().filter(|parent| parent.is("group"));
        enclosing_clone(element).or(group).and_then(|whole| whole.id().map(str::to_owned))
    });
    let top = if force { id.to_owned() } else { whole.unwrap_or_else(|| id.to_owned()) };
    let mut lister = Lister { view, recursive, chain: Vec::new(), text: Outline::new(), trees: Vec::new() };
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
            let Preference::Node { node, score } = &location.preference else { continue };
            lines.push(format!("Node {node} (score={score}, id={}, rsc={id})", location.id));
            self.trees.push(
                Tree::new("rsc_location")
                    .attr("node", node.as_str())
                    .attr("rsc", id)
                    .attr("id", location.id.as_str())
                    .attr("score", score.to_string()),
            );
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
        let mut found: Vec<(&Colocation, &str, &str)> = view
            .cib
            .constraints
            .iter()
            .filter_map(|constraint| match constraint {
                Constraint::Colocation(colocation) => match &colocation.members {
                    ColocationMembers::Pair { dependent, primary, .. } => {
                        Some((colocation, dependent.as_str(), primary.as_str()))
                    }
                    ColocationMembers::Sets(_) => None,
                },
                _ => None,
            })
            .filter(|(_, dependent, primary)| if of_dependents { *primary == id } else { *dependent == id })
            .collect();
        found.sort_by(|(a, ..), (b, ..)| a.id.cmp(&b.id));
        let mut has_title = false;
        for (colocation, dependent, primary) in found {
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
                    format!("{other} (score={score}, id={})", colocation.id)
                },
            );
            self.trees.push(
                Tree::new("rsc_colocation")
                    .attr("id", colocation.id.as_str())
                    .attr("rsc", dependent)
                    .attr("with-rsc", primary)
                    .attr("score", score)
                    .attr("node-attribute", colocation.node_attribute.as_deref().unwrap_or("#uname")),
            );
            if is_loop {
                continue;
            }
            let direction = if of_dependents { Direction::ToDependents } else { Direction::ToPrimaries };
            self.resource(other, depth + 2, false, direction);
        }
    }
}
