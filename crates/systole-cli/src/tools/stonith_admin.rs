//! `stonith_admin`: fence devices and agents.
//!
//! Fencing itself is not carried out here yet. What would need it is refused, so that nobody believes that a node is off.

use crate::{
    Cluster, Exit, Failed, Session,
    report::{OutputArgs, Report},
    runner, view,
};
use clap::{ArgGroup, Parser};
use std::{collections::BTreeMap, ffi::OsString, time::Duration};
use systole_agents::{AgentCall, Host, Outcome};
use systole_output::tree::Tree;
use systole_scheduler::Status;
use systole_types::OcfRc;

/// How long an agent may take where `--timeout` does not say.
const TIME_LIMIT: Duration = Duration::from_secs(120);

/// Look at fence devices and agents, and confirm that a node is off.
#[derive(Parser, Default)]
#[command(name = "stonith_admin", disable_version_flag = true, disable_help_flag = true)]
#[command(group = ArgGroup::new("command").required(true))]
struct Args {
    /// List fence devices that are configured and enabled
    #[arg(short = 'L', long, group = "command")]
    list_registered: bool,
    /// List fence agents that are installed
    #[arg(short = 'I', long, group = "command")]
    list_installed: bool,
    /// Print the description of the agent that --agent names
    #[arg(short = 'M', long, group = "command")]
    metadata: bool,
    /// Have the agent that --agent names check its parameters
    #[arg(short = 'K', long, group = "command")]
    validate: bool,
    /// Vouch that a node is off: what ran there is recovered
    #[arg(short = 'C', long, value_name = "NODE", group = "command")]
    confirm: Option<String>,
    /// Show when a node was fenced ('*': any)
    #[arg(short = 'H', long, value_name = "NODE", group = "command")]
    history: Option<String>,
    /// Show when a node was fenced last
    #[arg(short = 'h', long, value_name = "NODE", group = "command")]
    last: Option<String>,
    /// List devices that can fence a node (not possible here yet)
    #[arg(short = 'l', long, value_name = "NODE", group = "command")]
    list: Option<String>,
    /// List nodes that a device can fence (not possible here yet)
    #[arg(short = 's', long, value_name = "DEVICE", group = "command")]
    list_targets: Option<String>,
    /// Ask a device for its state (not possible here yet)
    #[arg(short = 'Q', long, value_name = "DEVICE", group = "command")]
    query: Option<String>,
    /// Power a node off (not possible here yet)
    #[arg(short = 'F', long, value_name = "NODE", group = "command")]
    fence: Option<String>,
    /// Let a node in again (not possible here yet)
    #[arg(short = 'U', long, value_name = "NODE", group = "command")]
    unfence: Option<String>,
    /// Reboot a node (not possible here yet)
    #[arg(short = 'B', long, value_name = "NODE", group = "command")]
    reboot: Option<String>,
    /// Register a fence device (not possible here: devices are configured in the CIB)
    #[arg(short = 'R', long, value_name = "DEVICE", group = "command")]
    register: Option<String>,
    /// Forget a fence device (not possible here)
    #[arg(short = 'D', long, value_name = "DEVICE", group = "command")]
    deregister: Option<String>,
    /// Register a fencing level (not possible here)
    #[arg(short = 'r', long, value_name = "TARGET", group = "command")]
    register_level: Option<String>,
    /// Forget a fencing level (not possible here)
    #[arg(short = 'd', long, value_name = "TARGET", group = "command")]
    deregister_level: Option<String>,
    #[command(flatten)]
    unused: Unused,
    /// The fence agent
    #[arg(short = 'a', long, value_name = "AGENT")]
    agent: Option<String>,
    /// With --validate: a parameter
    #[arg(short = 'o', long, value_name = "NAME=VALUE")]
    option: Vec<String>,
    /// How long an agent may take
    #[arg(short = 't', long, value_name = "TIME")]
    timeout: Option<String>,
    /// With --history: forget
    #[arg(short = 'c', long)]
    cleanup: bool,
    /// With --history: of all nodes
    #[arg(short = 'b', long)]
    broadcast: bool,
    /// Less
    #[arg(short = 'q', long)]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print this help
    #[arg(short = '?', long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What goes with commands that are not possible here yet.
#[derive(clap::Args, Default)]
struct Unused {
    #[arg(short = 'e', long, value_name = "NAME", hide = true)]
    env_option: Vec<String>,
    #[arg(short = 'T', long, value_name = "TAG", hide = true)]
    tag: Option<String>,
    #[arg(short = 'v', long, value_name = "DEVICE", hide = true)]
    device: Vec<String>,
    #[arg(short = 'i', long, value_name = "LEVEL", hide = true)]
    index: Option<String>,
    #[arg(short = 'y', long, value_name = "TIME", allow_negative_numbers = true, hide = true)]
    delay: Option<String>,
    #[arg(long, value_name = "TIME", hide = true)]
    tolerance: Option<String>,
    #[arg(short = 'n', long, hide = true)]
    as_node_id: bool,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    if args.list_installed {
        return Ok(list("installed fence devices", "device", &host(session).fence_agents()));
    }
    if args.metadata {
        return metadata(session, args);
    }
    if args.validate {
        return validate(session, args);
    }
    if let Some(node) = &args.confirm {
        Cluster::open(session)?.confirm_off(node)?;
        return Ok(Report::silent());
    }
    if args.list_registered {
        let mut cluster = Cluster::open(session)?;
        let view = view::look(session, &mut cluster)?;
        let devices = devices(&Status::unpack(&view.cib, session.local_time()));
        return Ok(list("Registered fence devices", "device", &devices));
    }
    if let Some(node) = args.history.as_ref().or(args.last.as_ref()) {
        return history(session, node);
    }
    if args.register.is_some() && args.agent.is_none() {
        return Err(Failed::usage("--register needs the device's agent: name it with -a/--agent"));
    }
    // Where no cluster runs, that is the first thing to know.
    Cluster::open(session)?.node()?;
    let message = "fencing is not carried out here yet: switch the node off yourself, and tell the cluster with --confirm";
    Err(Failed::new(Exit::Unimplemented, message).into())
}

fn host(session: &Session<'_>) -> Host {
    let mut host = Host::default();
    if let Some(folder) = session.var("SYSTOLE_FENCE_AGENTS") {
        host.fence_dir = folder.into();
    }
    host
}

fn list(title: &str, what: &str, names: &[String]) -> Report {
    let count = match names.len() {
        1 => "1 fence device found".to_owned(),
        n => format!("{n} fence devices found"),
    };
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    let tree = Tree::new("list")
        .attr("name", title)
        .attr("count", names.len().to_string())
        .children(names.iter().map(|name| Tree::with_text("item", name.as_str()).attr("name", what)));
    Report::new(format!("{lines}{count}\n"), tree)
}

/// Fence devices that are not to be stopped, wherever they are configured.
fn devices(status: &Status<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, resource) in status.iter_resources() {
        let is_device = resource.primitive().is_some_and(|primitive| primitive.is_fence_device);
        let role = resource.meta.raw.get("target-role");
        let is_disabled = role.is_some_and(|role| role.eq_ignore_ascii_case("stopped"));
        let id = resource.base_id();
        if is_device && !is_disabled && resource.removed.is_none() && !found.iter().any(|known| known == id) {
            found.push(id.to_owned());
        }
    }
    found
}

/// Nothing was ever fenced by this cluster. Of nodes that do not exist that is not said.
fn history(session: &mut Session<'_>, node: &str) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let view = view::look(session, &mut cluster)?;
    if node != "*" && !node.is_empty() && !view.overview.nodes.iter().any(|known| known.name == *node) {
        return Err(Failed::no_such(format!("Node '{node}' not found")));
    }
    let tree = Tree::new("fence_history").attr("status", "0");
    Ok(Report::new("no fencing is recorded: fencing is not carried out here yet\n", tree))
}

fn metadata(session: &Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let (name, outcome) = run_agent(session, args, "metadata")?;
    if outcome.rc != OcfRc::Ok || outcome.stdout.trim().is_empty() {
        let why =
            if outcome.exit_reason.is_empty() { outcome.status.to_string() } else { outcome.exit_reason };
        return Err(Failed::no_such(format!("no meta-data of {name}: {why}")));
    }
    let text = format!("{}\n", outcome.stdout.trim_end());
    let tree = Tree::new("metadata").child(Tree::with_cdata("output", outcome.stdout));
    Ok(Report::new(text, tree))
}

fn validate(session: &Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let (name, outcome) = run_agent(session, args, "validate-all")?;
    if outcome.rc == OcfRc::NotInstalled {
        return Err(Failed::new(Exit::NotInstalled, outcome.exit_reason).into());
    }
    let is_valid = outcome.rc == OcfRc::Ok;
    let verdict = if is_valid { "succeeded" } else { "failed" };
    let said = [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)];
    let said: Vec<(&str, &String)> = said.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    let output =
        said.iter().map(|(source, text)| Tree::with_text("output", text.as_str()).attr("source", *source));
    let command = Tree::new("command").attr("code", outcome.rc.code().to_string()).children(output);
    let tree = Tree::new("validate").attr("agent", name).attr("valid", is_valid).child(command);
    let lines: String = said.iter().map(|(_, text)| format!("{}\n", text.trim_end())).collect();
    let report = Report::new(format!("Validation of {name} {verdict}\n{lines}"), tree);
    Ok(if is_valid { report } else { report.ending(Exit::Error) })
}

fn run_agent<'a>(session: &Session<'_>, args: &'a Args, action: &str) -> anyhow::Result<(&'a str, Outcome)> {
    let Some(agent) = args.agent.as_deref() else {
        return Err(Failed::usage("Please specify an agent with -a/--agent"));
    };
    let timeout = args.timeout.as_deref().map(systole_types::parse_duration).transpose();
    let timeout = timeout.map_err(|error| Failed::usage(error.to_string()))?;
    let mut parameters = BTreeMap::new();
    for word in &args.option {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(Failed::usage(format!("{word} is not NAME=VALUE")));
        };
        parameters.insert(name.to_owned(), value.to_owned());
    }
    let call = AgentCall {
        class: "stonith".to_owned(),
        provider: None,
        agent: agent.to_owned(),
        instance: agent.to_owned(),
        action: action.to_owned(),
        parameters,
        timeout: timeout.unwrap_or(TIME_LIMIT),
    };
    Ok((agent, host(session).run_fence_agent(&call, &mut |_| {})))
}
