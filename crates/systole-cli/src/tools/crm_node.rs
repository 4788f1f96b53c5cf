//! `crm_node`: what a node knows of itself and its cluster.

use crate::{
    Cluster, Exit, Failed, Session, edit,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::Document,
};
use systole_output::tree::Tree;

/// Show the local node's name and number, and the nodes of the cluster.
#[derive(Parser, Default)]
#[command(name = "crm_node", disable_version_flag = true)]
struct Args {
    /// Print this node's name
    #[arg(short = 'n', long)]
    name: bool,
    /// Print the name of the node with this number
    #[arg(short = 'N', long, value_name = "ID")]
    name_for_id: Option<String>,
    /// Print this node's number
    #[arg(short = 'i', long)]
    cluster_id: bool,
    /// Print known nodes: number, name and state
    #[arg(short = 'l', long)]
    list: bool,
    /// Print names of this partition's members
    #[arg(short = 'p', long)]
    partition: bool,
    /// Print 1 if the partition has quorum, else 0
    #[arg(short = 'q', long)]
    quorum: bool,
    /// Remove what is known of a node that is gone for good
    #[arg(short = 'R', long, value_name = "NAME")]
    remove: Option<String>,
    /// All the same
    #[arg(short = 'f', long)]
    force: bool,
    /// Only a Corosync cluster (there is no other kind; taken for compatibility)
    #[arg(short = 'C', long, hide = true)]
    corosync: bool,
    /// Less
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    if args.name {
        // In an agent the environment says it; no daemon has to be asked.
        if let Some(name) = session.var("OCF_RESKEY_CRM_meta_on_node") {
            return Ok(Report::new(format!("{name}\n"), Tree::new("node-info").attr("uname", name)));
        }
    }
    let has_command = args.name
        || args.cluster_id
        || args.quorum
        || args.list
        || args.partition
        || args.name_for_id.is_some()
        || args.remove.is_some();
    if !has_command {
        return Err(Failed::usage("no command given: try --name or --list, or --help"));
    }
    if args.remove.is_some() && !args.force {
        let message = "The supplied command is considered dangerous. To prevent accidental destruction of the \
                       cluster, the --force flag is required in order to proceed.";
        return Err(Failed::new(Exit::Usage, message).into());
    }
    let mut cluster = Cluster::open(session)?;
    if let Some(name) = &args.remove {
        return remove(&mut cluster, name);
    }
    let report = cluster.node()?;
    if args.name {
        return Ok(Report::new(
            format!("{}\n", report.node),
            Tree::new("node-info").attr("uname", report.node),
        ));
    }
    if args.cluster_id {
        if report.node_id == 0 {
            // Agents make keys of it, by which devices tell nodes apart.
            let message = format!("{} is a remote node: only cluster nodes have a number", report.node);
            return Err(Failed::no_such(message));
        }
        let tree = Tree::new("node-info").attr("nodeid", report.node_id);
        return Ok(Report::new(format!("{}\n", report.node_id), tree));
    }
    if args.quorum {
        let tree = Tree::new("cluster-info").attr("quorum", report.has_quorum);
        return Ok(Report::new(format!("{}\n", u8::from(report.has_quorum)), tree));
    }
    let document = cluster.cib()?;
    if let Some(id) = &args.name_for_id {
        let name = known(&document)
            .into_iter()
            .find(|(known, _)| known == id)
            .ok_or_else(|| Failed::no_such(format!("there is no node with id {id}")))?
            .1;
        return Ok(Report::new(format!("{name}\n"), Tree::new("node-info").attr("uname", name)));
    }
    if args.list {
        return Ok(list(&document, &report.members, args.partition));
    }
    let trees = report.members.iter().map(|name| Tree::new("node").attr("name", name.as_str()));
    Ok(Report::new(format!("{}\n", report.members.join(" ")), Tree::new("nodes").children(trees)))
}

/// Ids and names of configured nodes.
fn known(document: &Document) -> Vec<(String, String)> {
    edit::section(document, "nodes")
        .into_iter()
        .flat_map(|nodes| nodes.children())
        .filter(|node| node.is("node"))
        .filter_map(|node| Some((node.id()?.to_owned(), node.attr("uname")?.to_owned())))
        .collect()
}

fn list(document: &Document, members: &[String], partition_only: bool) -> Report {
    let mut report = Report::silent();
    let mut tree = Tree::new("nodes");
    for (id, name) in known(document) {
        let state = if members.contains(&name) { "member" } else { "lost" };
        if partition_only && state != "member" {
            continue;
        }
        report.text.push_str(&format!("{id} {name} {state}\n"));
        tree.push(Tree::new("node").attr("id", id).attr("name", name).attr("state", state));
    }
    report.trees.push(tree);
    report
}

fn remove(cluster: &mut Cluster, name: &str) -> anyhow::Result<Report> {
    if cluster.is_live() && cluster.node()?.members.iter().any(|member| member == name) {
        return Err(
            Failed::new(Exit::Unsafe, format!("{name} is a member of the cluster: stop it first")).into()
        );
    }
    if cluster.forget_node(name)? {
        return Ok(Report::silent());
    }
    let document = cluster.cib()?;
    if !known(&document).iter().any(|(_, known)| known == name) {
        return Err(Failed::no_such(format!("there is no node {name}")));
    }
    let name = edit::xpath_text(name);
    for xpath in [
        format!("/cib/configuration/nodes/node[@uname={name}]"),
        format!("/cib/status/node_state[@uname={name}]"),
    ] {
        let call = CibCall {
            action: CibAction::DeleteAll,
            scope: Scope::XPath(xpath),
            xml: None,
            options: CibOptions::default(),
        };
        cluster.apply(call, true)?;
    }
    Ok(Report::silent())
}
