//! `crmadmin`: who schedules, and what state controllers are in.

use crate::{
    Cluster, Exit, Failed, Session,
    args::Stray,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::{ffi::OsString, time::Duration};
use systole_cib::xml::{Document, Element};
use systole_output::{tree::Tree, words::date_text};
use systole_wire::api::NodeReport;

/// Ask the cluster's controllers for their state.
#[derive(Parser, Default)]
#[command(name = "crmadmin", disable_version_flag = true)]
struct Args {
    /// Print the DC's name
    #[arg(short = 'D', long)]
    dc_lookup: bool,
    /// Print the state of a node's controller
    #[arg(short = 'S', long, value_name = "NODE")]
    status: Option<String>,
    /// Print whether the cluster's daemon runs here
    #[arg(short = 'P', long)]
    pacemakerd: bool,
    /// With --pacemakerd: a name to ask by (has no effect)
    #[arg(short = 'i', long, value_name = "NAME", hide = true)]
    ipc_name: Option<String>,
    /// List nodes that are configured: all, or only cluster, guest, remote ones (several with commas)
    #[arg(short = 'N', long, value_name = "KIND", num_args = 0..=1, default_missing_value = "all", value_delimiter = ',')]
    nodes: Option<Vec<String>>,
    /// With --nodes: print lines for the shell, NAME=ID
    #[arg(short = 'B', long)]
    bash_export: bool,
    /// State of the whole cluster (there is none)
    #[arg(short = 'H', long, hide = true)]
    health: bool,
    /// How long to wait for an answer (0: as long as it takes) [default: 60s]
    #[arg(short = 't', long, value_name = "TIME")]
    timeout: Option<String>,
    /// Print the value alone
    #[arg(short = 'q', long)]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    stray: Stray,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn answer_limit(args: &Args) -> anyhow::Result<Option<Duration>> {
    let limit = args.timeout.as_deref().map(systole_types::parse_duration).transpose();
    let limit = limit.map_err(|error| Failed::usage(format!("--timeout: {error}")))?;
    Ok(limit.map(|limit| if limit.is_zero() { Duration::MAX } else { limit }))
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    args.stray.tell(session);
    if args.health {
        return Err(Failed::usage("Cluster-wide health option not supported"));
    }
    if !args.dc_lookup && !args.pacemakerd && args.status.is_none() && args.nodes.is_none() {
        return Err(Failed::usage("no command given: try --dc-lookup, or --help"));
    }
    session.answer_limit = answer_limit(args)?;
    let mut cluster = Cluster::open(session)?;
    if let Some(kinds) = &args.nodes {
        return Ok(node_list(&cluster.cib()?, kinds, args));
    }
    let local = cluster.node()?;
    match &args.status {
        _ if args.pacemakerd => Ok(daemons_state(&date_text(session.now, session.utc_offset), args.quiet)),
        Some(node) => controllers_state(&local, node, args.quiet),
        None => dc_found(local, args.quiet),
    }
}

/// A kind of node, and where the configuration has the nodes of that kind.
struct Kind {
    name: &'static str,
    element: &'static str,
    /// Whether such an element is about a node of this kind.
    is_meant: fn(Element<'_>) -> bool,
    /// The attribute with the id.
    id: &'static str,
}

/// Cluster nodes, guest nodes by the meta attribute that makes them, remote nodes by their connections. That a `<node>` says what
/// it is does not make it one.
const KINDS: [Kind; 3] = [
    Kind {
        name: "cluster",
        element: "node",
        is_meant: |node| {
            node.parent().is_some_and(|parent| parent.is("nodes"))
                && matches!(node.attr("type"), None | Some("member"))
        },
        id: "id",
    },
    Kind {
        name: "guest",
        element: "nvpair",
        is_meant: |nvpair| {
            let is_within = |name: &str| ancestors(nvpair).any(|element| element.is(name));
            nvpair.attr("name") == Some("remote-node")
                && is_within("meta_attributes")
                && is_within("primitive")
        },
        id: "value",
    },
    Kind {
        name: "remote",
        element: "primitive",
        is_meant: |primitive| {
            primitive.attr("type") == Some("remote") && primitive.attr("provider") == Some("pacemaker")
        },
        id: "id",
    },
];

fn ancestors(element: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    std::iter::successors(element.parent(), |element| element.parent())
}

/// The nodes of these kinds in the configuration.
fn node_list(document: &Document, kinds: &[String], args: &Args) -> Report {
    let mut report = Report::silent();
    let mut tree = Tree::new("nodes");
    let is_all = kinds.iter().any(|kind| kind == "all") || *kinds == [""];
    let wanted = |kind: &&Kind| is_all || kinds.iter().any(|wanted| wanted == kind.name);
    for kind in KINDS.iter().filter(wanted) {
        let configuration = document.root().child("configuration");
        let elements = configuration.into_iter().flat_map(|configuration| configuration.descendants());
        for element in elements.filter(|element| element.is(kind.element) && (kind.is_meant)(*element)) {
            let id = element.attr(kind.id).unwrap_or("");
            let name = element.attr("uname").unwrap_or(id);
            report.text.push_str(&match (args.bash_export, args.quiet) {
                (_, true) => format!("{name}\n"),
                (true, false) => format!("export {name}={id}\n"),
                (false, false) => format!("{} node: {name} ({id})\n", kind.name),
            });
            tree.push(Tree::new("node").attr("type", kind.name).attr("name", name).attr("id", id));
        }
    }
    if report.text.is_empty() {
        report.text.push_str("No nodes configured\n");
    }
    report.trees.push(tree);
    report
}

/// That the daemons run: one of them has answered.
fn daemons_state(at: &str, quiet: bool) -> Report {
    let tree = Tree::new("pacemakerd").attr("sys_from", "pacemakerd").attr("state", "running");
    let text = match quiet {
        true => "running\n".to_owned(),
        false => format!("Status of pacemakerd: 'Pacemaker is running' (last updated {at})\n"),
    };
    Report::new(text, tree.attr("last_updated", at))
}

/// The state of the controller on `node`, in the incumbent's words. The one that knows whether there is something to do is the DC.
fn controllers_state(local: &NodeReport, node: &String, quiet: bool) -> anyhow::Result<Report> {
    if !local.members.contains(node) {
        return Err(Failed::no_such(format!("no controller answers on {node}")));
    }
    let (is_dc, is_known_busy) = (local.dc.as_ref() == Some(node), local.idle == Some(false));
    let state = match (is_dc, is_known_busy) {
        (true, true) => "S_TRANSITION_ENGINE",
        (true, false) => "S_IDLE",
        (false, _) => "S_NOT_DC",
    };
    let text =
        if quiet { format!("{state}\n") } else { format!("Controller on {node} in state {state}: ok\n") };
    let tree = Tree::new("crmd").attr("node_name", node.as_str()).attr("state", state).attr("result", "ok");
    Ok(Report::new(text, tree))
}

fn dc_found(local: NodeReport, quiet: bool) -> anyhow::Result<Report> {
    let dc = local.dc.ok_or_else(|| Failed::new(Exit::Disconnected, "no DC has been elected yet"))?;
    let text = if quiet { format!("{dc}\n") } else { format!("Designated Controller is: {dc}\n") };
    Ok(Report::new(text, Tree::new("dc").attr("node_name", dc)))
}
