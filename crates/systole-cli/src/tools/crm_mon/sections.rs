//! Which parts of the state are asked for.

use super::{Args, Names};
use crate::{Failed, view::View};
use std::collections::BTreeSet;
use systole_output::status::Section;

/// A part, or a word for several, that was asked for or is not wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// By `--include`.
    pub is_included: bool,
    /// As it was given.
    pub name: String,
}

impl Wish {
    /// That `name` is wanted.
    pub fn included(name: &str) -> Self {
        Self { is_included: true, name: name.to_owned() }
    }
}

/// The parts that the options ask for.
pub(super) fn chosen(args: &Args) -> anyhow::Result<BTreeSet<Section>> {
    let default = || if args.output.is_for_programs() { for_programs() } else { for_people() };
    let mut sections = default();
    for (is_wanted, section) in [
        (args.show_node_attributes, Section::Attributes),
        (args.failcounts, Section::FailCounts),
        (args.operations || args.timing_details, Section::Operations),
        (args.tickets, Section::Tickets),
        (args.neg_locations.is_some(), Section::Bans),
    ] {
        if is_wanted {
            sections.insert(section);
        }
    }
    if args.quiet {
        sections.remove(&Section::Times);
    }
    // As with Pacemaker's tool: fencing is told to the program, not shown.
    if args.watch_fencing {
        sections.remove(&Section::Fencing);
    }
    if args.hide_headers {
        sections.retain(|section| !Section::SUMMARY.contains(section));
    }
    for Wish { is_included, name } in &args.sections {
        match (is_included, name.as_str()) {
            (true, "none") | (false, "all") => sections.clear(),
            (true, "all") | (false, "none") => sections = all(args),
            (true, "default" | "defaults") => sections.extend(default()),
            (true, name) => sections.extend(named(name)?),
            (false, name) => {
                let excluded = named(name)?;
                sections.retain(|section| !excluded.contains(section));
            }
        }
    }
    Ok(sections)
}

fn for_people() -> BTreeSet<Section> {
    BTreeSet::from([
        Section::Stack,
        Section::Dc,
        Section::Times,
        Section::Counts,
        Section::MaintenanceMode,
        Section::Nodes,
        Section::Resources,
        Section::Failures,
        Section::Fencing,
    ])
}

fn for_programs() -> BTreeSet<Section> {
    Section::ALL.iter().copied().collect()
}

/// Every part; of cluster options people have to ask by name.
fn all(args: &Args) -> BTreeSet<Section> {
    let mut all = for_programs();
    if !args.output.is_for_programs() {
        all.remove(&Section::Options);
    }
    all
}

fn named(name: &str) -> anyhow::Result<BTreeSet<Section>> {
    let one = match name {
        "summary" => return Ok(Section::SUMMARY.iter().copied().collect()),
        "attributes" => Section::Attributes,
        "bans" => Section::Bans,
        "counts" => Section::Counts,
        "dc" => Section::Dc,
        "failcounts" => Section::FailCounts,
        "failures" => Section::Failures,
        "fencing" | "fencing-failed" | "fencing-pending" | "fencing-succeeded" => Section::Fencing,
        "maint-mode" => Section::MaintenanceMode,
        "nodes" => Section::Nodes,
        "operations" => Section::Operations,
        "options" => Section::Options,
        "resources" => Section::Resources,
        "stack" => Section::Stack,
        "tickets" => Section::Tickets,
        "times" => Section::Times,
        other => {
            return Err(match other.strip_prefix("bans:") {
                Some(_) => return Ok(BTreeSet::from([Section::Bans])),
                None => Failed::usage(format!(
                    "{other:?} is no section: choose from all, attributes, bans, counts, dc, default, failcounts, \
                     failures, fencing, maint-mode, nodes, none, operations, options, resources, stack, summary, \
                     tickets, times"
                )),
            });
        }
    };
    Ok(BTreeSet::from([one]))
}

/// Nodes of that name, or of the tag; `None` for `*`: all.
pub(super) fn nodes_named(view: &View, name: &str) -> Option<Names> {
    if name == "*" {
        return None;
    }
    let mut names = members_of_tag(view, name);
    names.insert(name.to_owned());
    let is_node = |name: &String| {
        view.overview.nodes.iter().any(|node| node.name.as_str() == name || node.uuid.as_str() == name)
    };
    names.retain(is_node);
    // A tag may name nodes by their ids.
    let named = |node: &&systole_scheduler::overview::NodeView| {
        names.contains(node.name.as_str()) || names.contains(node.uuid.as_str())
    };
    Some(view.overview.nodes.iter().filter(named).map(|node| node.name.to_string()).collect())
}

/// Resources of that name, or of the tag.
pub(super) fn resources_named(view: &View, name: &str) -> Names {
    let mut names = members_of_tag(view, name);
    names.insert(name.to_owned());
    names
}

fn members_of_tag(view: &View, name: &str) -> Names {
    let tags = view.cib.tags.iter().filter(|tag| tag.id.as_str() == name);
    tags.flat_map(|tag| &tag.members).map(ToString::to_string).collect()
}
