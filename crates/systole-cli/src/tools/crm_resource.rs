//! `crm_resource`: everything about one resource.

mod agents;
mod constraints;
mod digests;
mod execute;
mod moves;
mod settings;
mod show;
mod why;

use crate::{
    Cluster, Exit, Failed, Session, args, edit,
    report::{OutputArgs, Report},
    resource_ops, runner, view,
};
use clap::Parser;
use std::{ffi::OsString, time::Duration};
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_output::{options, tree::Tree};

/// Show and change resources.
#[derive(Parser, Default)]
#[command(name = "crm_resource", disable_version_flag = true)]
pub struct Args {
    /// List all resources with their state
    #[arg(short = 'L', long, help_heading = "Queries")]
    list: bool,
    /// List names of all instances
    #[arg(short = 'l', long, help_heading = "Queries")]
    list_raw: bool,
    /// List operations that are recorded of active resources
    #[arg(short = 'O', long, help_heading = "Queries")]
    list_operations: bool,
    /// List all recorded operations
    #[arg(short = 'o', long, help_heading = "Queries")]
    list_all_operations: bool,
    /// Show the resource's state and configuration
    #[arg(short = 'q', long, help_heading = "Queries")]
    query_xml: bool,
    /// Show the resource's configuration
    #[arg(short = 'w', long, help_heading = "Queries")]
    query_xml_raw: bool,
    /// Show where the resource runs
    #[arg(short = 'W', long, help_heading = "Queries")]
    locate: bool,
    /// Tell what may keep resources (or one, or those of a node) from running; `systole explain` knows more
    #[arg(short = 'Y', long, help_heading = "Queries")]
    why: bool,
    /// Show constraints of the resource
    #[arg(short = 'a', long, help_heading = "Queries")]
    constraints: bool,
    /// Show constraints of the resource, and of what it depends on
    #[arg(short = 'A', long, help_heading = "Queries")]
    stack: bool,
    /// Print the value of a parameter
    #[arg(short = 'g', long, value_name = "NAME", help_heading = "Queries")]
    get_parameter: Option<String>,
    /// Print an attribute of the resource's element: class, type...
    #[arg(short = 'G', long, value_name = "NAME", help_heading = "Queries")]
    get_property: Option<String>,
    /// Show the digests of the resource's parameters on a node, with those given as NAME=VALUE changed
    #[arg(long, help_heading = "Queries")]
    digests: bool,
    /// Have the agent check its parameters
    #[arg(long, help_heading = "Agents")]
    validate: bool,
    /// Have the agent start the resource here, whatever the cluster thinks of it
    #[arg(long, help_heading = "Agents")]
    force_start: bool,
    /// Have the agent stop the resource here
    #[arg(long, help_heading = "Agents")]
    force_stop: bool,
    /// Have the agent promote the resource here
    #[arg(long, help_heading = "Agents")]
    force_promote: bool,
    /// Have the agent demote the resource here
    #[arg(long, help_heading = "Agents")]
    force_demote: bool,
    /// Have the agent say whether the resource runs here (more thoroughly, with a level)
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, default_missing_value = "0", help_heading = "Agents")]
    force_check: Option<String>,
    /// With --validate: the agent's standard
    #[arg(long, value_name = "STANDARD")]
    class: Option<String>,
    /// With --validate: the agent's provider
    #[arg(long, value_name = "PROVIDER")]
    provider: Option<String>,
    /// With --validate: the agent
    #[arg(long, value_name = "TYPE")]
    agent: Option<String>,
    /// With --validate: a parameter
    #[arg(long, value_name = "NAME=VALUE")]
    option: Vec<String>,
    /// List options of a kind
    #[arg(long, value_name = "KIND", help_heading = "Agents")]
    list_options: Option<OptionKind>,
    /// With --list-options: also those for experts
    #[arg(long, requires = "list_options", help_heading = "Agents")]
    all: bool,
    /// List kinds of agents
    #[arg(long, help_heading = "Agents")]
    list_standards: bool,
    /// List OCF providers
    #[arg(long, help_heading = "Agents")]
    list_ocf_providers: bool,
    /// List OCF providers of an agent
    #[arg(long, value_name = "TYPE", help_heading = "Agents")]
    list_ocf_alternatives: Option<String>,
    /// List agents of a standard: ocf, ocf:heartbeat, lsb
    #[arg(long, value_name = "STANDARD[:PROVIDER]", help_heading = "Agents")]
    list_agents: Option<String>,
    /// Print an agent's description of itself
    #[arg(long, value_name = "STANDARD[:PROVIDER]:TYPE", help_heading = "Agents")]
    show_metadata: Option<String>,
    /// Set a parameter (to --parameter-value)
    #[arg(short = 'p', long, value_name = "NAME", help_heading = "Changes")]
    set_parameter: Option<String>,
    /// Remove a parameter
    #[arg(short = 'd', long, value_name = "NAME", help_heading = "Changes")]
    delete_parameter: Option<String>,
    /// Set an attribute of the resource's element (to --parameter-value)
    #[arg(short = 'S', long, value_name = "NAME", help_heading = "Changes")]
    set_property: Option<String>,
    /// Make the resource run elsewhere (on --node, if given)
    #[arg(short = 'M', long, help_heading = "Changes")]
    r#move: bool,
    /// Keep the resource off a node
    #[arg(short = 'B', long, help_heading = "Changes")]
    ban: bool,
    /// Take back --move and --ban
    #[arg(short = 'U', long, alias = "un-move", help_heading = "Changes")]
    clear: bool,
    /// With --clear: only what has expired
    #[arg(short = 'e', long, help_heading = "Changes")]
    expired: bool,
    /// Forget failures
    #[arg(short = 'C', long, help_heading = "Changes")]
    cleanup: bool,
    /// Forget all history, so that the state is probed afresh
    #[arg(short = 'R', long, help_heading = "Changes")]
    refresh: bool,
    /// Stop and start the resource
    #[arg(long, help_heading = "Changes")]
    restart: bool,
    /// Wait until the cluster has come to rest
    #[arg(long, help_heading = "Changes")]
    wait: bool,
    /// Remove the resource (needs --resource-type)
    #[arg(short = 'D', long, help_heading = "Changes")]
    delete: bool,
    /// The resource
    #[arg(short = 'r', long, value_name = "ID")]
    resource: Option<String>,
    /// The node
    #[arg(short = 'N', long, value_name = "NAME", visible_alias = "host", alias = "host-uname")]
    node: Option<String>,
    /// Kind of element: primitive, group, clone, bundle
    #[arg(short = 't', long, value_name = "ELEMENT")]
    resource_type: Option<String>,
    /// Value of a parameter
    #[arg(short = 'v', long, value_name = "VALUE", allow_hyphen_values = true)]
    parameter_value: Option<String>,
    /// Parameters are meta attributes
    #[arg(short = 'm', long)]
    meta: bool,
    /// Parameters are capacities
    #[arg(short = 'z', long)]
    utilization: bool,
    /// Parameters are attributes of the resource's element
    #[arg(long)]
    element: bool,
    /// Also for what depends on the resource
    #[arg(long)]
    recursive: bool,
    /// The set of parameters, by id
    #[arg(short = 's', long, value_name = "ID")]
    set_name: Option<String>,
    /// The parameter, by id
    #[arg(short = 'i', long, value_name = "ID")]
    nvpair: Option<String>,
    /// How long --move and --ban count, as ISO 8601: PT1H
    #[arg(short = 'u', long, value_name = "TIME")]
    lifetime: Option<String>,
    /// --move, --ban and --clear are about the promoted role
    #[arg(long, visible_alias = "master")]
    promoted: bool,
    /// With --cleanup: failures of this operation only
    #[arg(short = 'n', long, value_name = "NAME")]
    operation: Option<String>,
    /// With --operation: repeated at this interval
    #[arg(short = 'I', long, value_name = "TIME")]
    interval: Option<String>,
    /// How long to wait
    #[arg(short = 'T', long, value_name = "TIME")]
    timeout: Option<String>,
    /// All the same
    #[arg(short = 'f', long)]
    force: bool,
    /// Only what was asked for
    #[arg(short = 'Q', long)]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Parameters that are other than configured
    #[arg(value_name = "NAME=VALUE")]
    changed: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

impl Args {
    /// Arguments for a command about a resource and a node.
    pub fn about(resource: Option<String>, node: Option<String>, output: OutputArgs) -> Self {
        Self { resource, node, output, ..Self::default() }
    }

    /// With the terms of a constraint.
    pub fn constrain(&mut self, lifetime: Option<String>, promoted: bool, force: bool) {
        self.lifetime = lifetime;
        self.promoted = promoted;
        self.force = force;
    }
}

/// The commands, by the names of their options.
const COMMANDS: [&str; 30] = [
    "list",
    "list_raw",
    "list_operations",
    "list_all_operations",
    "query_xml",
    "query_xml_raw",
    "locate",
    "why",
    "constraints",
    "stack",
    "get_parameter",
    "get_property",
    "set_parameter",
    "delete_parameter",
    "set_property",
    "move",
    "ban",
    "clear",
    "cleanup",
    "refresh",
    "restart",
    "wait",
    "delete",
    "digests",
    "validate",
    "force_start",
    "force_stop",
    "force_promote",
    "force_demote",
    "force_check",
];

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            let command = args::last_given::<Args>(session, words, &COMMANDS).unwrap_or("list");
            check_agent_words(args, command)?;
            perform(session, args, command)
        },
    )
}

/// Parameters and agents can be given only where an agent is run, or would be.
fn check_agent_words(args: &Args, command: &str) -> anyhow::Result<()> {
    let runs_agent = matches!(command, "digests" | "validate") || command.starts_with("force_");
    if let Some(first) = args.changed.first().filter(|_| !runs_agent) {
        return Err(Failed::usage(format!("unexpected argument '{first}'")));
    }
    let names_agent = args.class.is_some() || args.provider.is_some() || args.agent.is_some();
    if names_agent && args.resource.is_some() {
        return Err(Failed::usage("--class, --agent, and --provider cannot be used with -r/--resource"));
    }
    if (names_agent || !args.option.is_empty()) && command != "validate" {
        return Err(Failed::usage("--class, --agent, --provider and --option go with --validate"));
    }
    Ok(())
}

/// Kinds of options.
#[derive(Clone, Copy, clap::ValueEnum)]
enum OptionKind {
    /// Meta attributes of primitives
    Primitive,
    /// Parameters of every fence device
    Fencing,
}

fn list_options(kind: OptionKind, all: bool) -> Report {
    let listing = match kind {
        OptionKind::Primitive => &options::PRIMITIVE,
        OptionKind::Fencing => &options::FENCING,
    };
    Report::new(options::text(listing, all), options::tree(listing))
}

/// Carries out the command (the name of its option, `_` for `-`).
///
/// # Errors
/// If there is no such resource or node, or the change cannot be made.
pub fn perform(session: &mut Session<'_>, args: &Args, command: &str) -> anyhow::Result<Report> {
    if let Some(kind) = args.list_options {
        return Ok(list_options(kind, args.all));
    }
    if let Some(answer) = agents::about(session, args) {
        return answer;
    }
    let timeout = duration(args.timeout.as_deref())?;
    if command == "validate" && (args.class.is_some() || args.agent.is_some()) {
        return execute::validate_agent(session, args, timeout);
    }
    let mut cluster = Cluster::open(session)?;
    match command {
        "wait" => {
            resource_ops::wait(&mut cluster, timeout)?;
            return Ok(Report::silent());
        }
        "cleanup" | "refresh" => return cleanup(session, &mut cluster, args, command == "cleanup"),
        "delete" => return delete(&mut cluster, args),
        _ => {}
    }
    let view = view::look(session, &mut cluster)?;
    match command {
        "list" => Ok(show::list(&view)),
        "list_raw" => Ok(show::list_raw(&view)),
        "list_operations" | "list_all_operations" => {
            show::operations(&view, args, command == "list_all_operations")
        }
        "why" => why::why(&view, args, session.local_time()),
        "clear" => moves::clear(session, &mut cluster, &view, args),
        _ => {
            let id = args
                .resource
                .as_deref()
                .ok_or_else(|| Failed::usage("Must supply a resource ID with -r/--resource"))?;
            edit::resource(&view.document, id).or_else(|error| {
                // Parts of bundles and instances are known to the state only.
                resource_ops::find_views(&view.overview, id).map(|_| view.document.root()).map_err(|_| error)
            })?;
            of_resource(session, &mut cluster, &view, args, id, command)
        }
    }
}

fn of_resource(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    view: &view::View,
    args: &Args,
    id: &str,
    command: &str,
) -> anyhow::Result<Report> {
    match command {
        "digests" => digests::show(view, args, id, session.local_time()),
        "validate" | "force_start" | "force_stop" | "force_promote" | "force_demote" | "force_check" => {
            execute::of_resource(session, view, args, id, command)
        }
        "query_xml" => show::query(view, id, false),
        "query_xml_raw" => show::query(view, id, true),
        "locate" => show::locate(view, id, args.quiet),
        "constraints" => Ok(constraints::show(view, id, false, args.force)),
        "stack" => Ok(constraints::show(view, id, true, args.force)),
        "get_parameter" | "get_property" => settings::get(view, args, id),
        "set_parameter" | "set_property" => settings::set(cluster, view, args, id),
        "delete_parameter" => settings::delete(cluster, view, args, id),
        "move" => moves::move_away(session, cluster, view, args, id),
        "ban" => moves::ban(session, cluster, view, args, id),
        "restart" => {
            resource_ops::restart(cluster, view, id, duration(args.timeout.as_deref())?)?;
            Ok(Report::silent())
        }
        other => Err(Failed::usage(format!("--{other} cannot be used here"))),
    }
}

fn duration(text: Option<&str>) -> anyhow::Result<Option<Duration>> {
    text.map(|text| systole_types::parse_duration(text).map_err(|error| Failed::usage(error.to_string())))
        .transpose()
}

fn cleanup(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    args: &Args,
    only_failed: bool,
) -> anyhow::Result<Report> {
    let interval = duration(args.interval.as_deref())?;
    let operation = match (&args.operation, interval) {
        (None, Some(_)) => return Err(Failed::usage("--interval goes with --operation: name the operation")),
        (None, None) => None,
        (Some(_), _) if !only_failed => {
            return Err(Failed::usage(
                "--refresh forgets all history: leave --operation out, or use --cleanup",
            ));
        }
        (Some(name), interval) => Some(super::attributes::failed_operation(name, interval)),
    };
    let view = view::look(session, cluster)?;
    if let Some(id) = &args.resource {
        resource_ops::find_views(&view.overview, id)?;
    }
    if let Some(node) = &args.node {
        resource_ops::check_node(&view.overview, node)?;
    }
    cluster.cleanup(args.resource.as_deref(), args.node.as_deref(), only_failed, operation)?;
    let what = args.resource.as_deref().unwrap_or("all resources");
    let place = args.node.as_deref().unwrap_or("all nodes");
    Ok(Report { text: format!("Cleaned up {what} on {place}\n"), ..Report::default() })
}

fn delete(cluster: &mut Cluster, args: &Args) -> anyhow::Result<Report> {
    let Some(id) = &args.resource else {
        return Err(Failed::usage("Must supply a resource ID with -r/--resource"));
    };
    let Some(kind) = &args.resource_type else {
        return Err(Failed::usage("You need to specify a resource type with -t"));
    };
    cluster.apply(
        CibCall {
            action: CibAction::Delete,
            scope: Scope::Section("resources".to_owned()),
            xml: Some(Tree::new(kind).attr("id", id.as_str()).to_xml()),
            options: CibOptions::default(),
        },
        args.force,
    )?;
    Ok(Report::silent())
}
