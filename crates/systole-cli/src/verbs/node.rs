//! `systole node`.

use crate::{
    Cluster, Exit, Failed, Session, edit, exit, names,
    report::Report,
    resource_ops,
    tools::crm_attribute::{self, Command, Request, Section},
    view,
};
use clap::Subcommand;
use systole_cib::xml::Document;
use systole_output::{outline::Style, status::ListOptions, status::node_list, tree::Tree};

/// Standby, maintenance and attributes of nodes.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// List nodes with their state
    List,
    /// Move resources away from a node, and keep them away
    Standby(Nodes),
    /// Let a node run resources again
    Unstandby(Nodes),
    /// Leave all that is on a node as it is
    Maintenance(Nodes),
    /// Let the cluster act on a node again
    Unmaintenance(Nodes),
    /// Print, set or remove what a node has of something (cpu, memory) for `placement-strategy`
    Capacity {
        /// The node
        node: String,
        /// NAME prints, NAME=VALUE sets, NAME= removes
        #[arg(required = true)]
        pairs: Vec<String>,
    },
    /// Print, set or remove attributes of a node
    Attribute {
        /// The node
        node: String,
        /// NAME prints, NAME=VALUE sets, NAME= removes; all are printed if nothing is given
        pairs: Vec<String>,
        /// Until the node's next reboot
        #[arg(long)]
        transient: bool,
    },
}

#[derive(clap::Args)]
pub(super) struct Nodes {
    /// The nodes; this one if left out
    nodes: Vec<String>,
    /// Wait until the cluster has come to rest
    #[arg(long)]
    wait: bool,
}

/// Carries the verb out.
pub(super) fn perform(session: &mut Session<'_>, verb: Verb) -> anyhow::Result<Report> {
    match verb {
        Verb::List => list(session),
        Verb::Standby(nodes) => switch(session, nodes, "standby", Some("on")),
        Verb::Unstandby(nodes) => switch(session, nodes, "standby", None),
        Verb::Maintenance(nodes) => switch(session, nodes, "maintenance", Some("true")),
        Verb::Unmaintenance(nodes) => switch(session, nodes, "maintenance", None),
        Verb::Capacity { node, pairs } => set_pairs(session, &node, &pairs, Section::Nodes, true),
        Verb::Attribute { node, pairs, transient } => {
            let section = if transient { Section::Status } else { Section::Nodes };
            match pairs.is_empty() {
                true => all_attributes(session, &node),
                false => set_pairs(session, &node, &pairs, section, false),
            }
        }
    }
}

fn list(session: &mut Session<'_>) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let view = view::look(session, &mut cluster)?;
    let options = ListOptions { detail: true, ..ListOptions::default() };
    let text = node_list(&view.overview, &options).render(Style { depth: 0, bullet: "" });
    let trees = view.overview.nodes.iter().map(|node| {
        Tree::new("node")
            .attr("name", node.name.as_str())
            .attr("id", node.uuid.as_str())
            .attr("online", node.online)
            .attr("standby", node.standby)
            .attr("maintenance", node.maintenance)
            .attr("unclean", node.unclean)
            .attr("is_dc", node.is_dc)
    });
    Ok(Report::new(text, Tree::new("nodes").children(trees)))
}

fn switch(
    session: &mut Session<'_>,
    nodes: Nodes,
    name: &'static str,
    value: Option<&'static str>,
) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    if nodes.wait {
        resource_ops::check_can_wait(&cluster)?;
    }
    let document = cluster.cib()?;
    let names = if nodes.nodes.is_empty() { vec![cluster.local_node(session)?] } else { nodes.nodes };
    // All names are looked up before anything is changed.
    for node in &names {
        node_id(&document, node)?;
    }
    let mut report = Report::silent();
    for node in names {
        for section in
            if value.is_some() { vec![Section::Nodes] } else { vec![Section::Nodes, Section::Status] }
        {
            let command = value.map_or(Command::Delete, |value| Command::Update(value.to_owned()));
            crm_attribute::perform(session, request(&node, name, section, command))?;
        }
        let what = value.map_or(format!("{name} removed"), |value| format!("{name}={value}"));
        report.text.push_str(&format!("{node}: {what}\n"));
        report.trees.push(Tree::new("change").attr("node", node).attr("name", name).maybe("value", value));
    }
    if nodes.wait {
        resource_ops::wait(&mut Cluster::open(session)?, None)?;
    }
    Ok(report)
}

/// The id of the node meant by `name`.
fn node_id(document: &Document, name: &str) -> anyhow::Result<String> {
    let known = || edit::section(document, "nodes").into_iter().flat_map(|nodes| nodes.children());
    crm_attribute::node_id(document, name)
        .map(|(id, ..)| id)
        .map_err(|_| names::unknown("node", name, known().filter_map(|node| node.attr("uname"))))
}

fn request(node: &str, name: &str, section: Section, command: Command) -> Request {
    Request { command, node: Some(node.to_owned()), ..Request::named(name, section) }
}

fn set_pairs(
    session: &mut Session<'_>,
    node: &str,
    pairs: &[String],
    section: Section,
    utilization: bool,
) -> anyhow::Result<Report> {
    // All are read before anything is changed.
    if let Some(pair) = pairs.iter().find(|pair| pair.is_empty() || pair.starts_with('=')) {
        return Err(Failed::usage(format!("{pair:?} names no attribute")));
    }
    let document = Cluster::open(session)?.cib()?;
    node_id(&document, node)?;
    let mut report = Report::silent();
    for pair in pairs {
        let (name, command) = match pair.split_once('=') {
            None => (pair.as_str(), Command::Query),
            Some((name, "")) => (name, Command::Delete),
            Some((name, value)) => (name, Command::Update(value.to_owned())),
        };
        let is_query = matches!(command, Command::Query);
        let request = Request { utilization, ..request(node, name, section.clone(), command) };
        let one = crm_attribute::perform(session, request).map_err(|error| {
            let is_missing = is_query && exit::exit_of(&error) == Exit::NoSuch;
            if is_missing { Failed::no_such(format!("node {node} has no attribute {name}")) } else { error }
        })?;
        report.text.push_str(&one.text);
        report.trees.extend(one.trees);
    }
    Ok(report)
}

fn all_attributes(session: &mut Session<'_>, node: &str) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let uuid = node_id(&document, node)?;
    let mut report = Report::silent();
    for (section, kind) in [("nodes", "permanent"), ("status", "transient")] {
        let of_node = edit::section(&document, section)
            .into_iter()
            .flat_map(|section| section.children())
            .filter(|element| element.id() == Some(&uuid));
        for pair in of_node.flat_map(|element| element.descendants()).filter(|element| element.is("nvpair")) {
            let is_attribute = pair.parent().is_some_and(|set| set.is("instance_attributes"));
            let in_history =
                pair.parent().and_then(|set| set.parent()).is_some_and(|parent| parent.is("lrm_rsc_op"));
            if !is_attribute || in_history {
                continue;
            }
            let (name, value) = (pair.attr("name").unwrap_or(""), pair.attr("value").unwrap_or(""));
            report.text.push_str(&format!("{name}={value} ({kind})\n"));
            report
                .trees
                .push(Tree::new("attribute").attr("name", name).attr("value", value).attr("scope", section));
        }
    }
    Ok(report)
}
