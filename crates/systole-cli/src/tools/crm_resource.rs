//! `crm_resource`: everything about one resource.

mod agents;
mod cleanup;
pub mod command;
mod constraints;
mod digests;
mod execute;
mod find;
mod moves;
mod settings;
mod show;
mod why;

pub use cleanup::forget_failures;
pub use command::Command;

use crate::{
    Cluster, Exit, Failed, Session, args, rehearse,
    report::{OutputArgs, Report},
    resource_ops, runner, view,
};
use clap::Parser;
use command::COMMANDS;
use find::Found;
use moves::Moves;
use settings::Settings;
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
    /// Have the agent check its parameters (more thoroughly, with a level)
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "0", help_heading = "Agents")]
    validate: Option<String>,
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
    #[arg(long, help_heading = "Agents")]
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
    /// Take the resource to have failed on the node, so that the cluster recovers it
    #[arg(short = 'F', long, help_heading = "Changes")]
    fail: bool,
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
    #[arg(
        short = 'N',
        long,
        value_name = "NAME",
        visible_alias = "host",
        alias = "host-uname",
        short_alias = 'H'
    )]
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

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            let names = COMMANDS.map(|(name, _)| name);
            let last = args::last_given::<Args>(session, words, &names);
            let command = COMMANDS.iter().find(|(name, _)| Some(*name) == last);
            let command = command.map_or(Command::List, |(_, command)| *command);
            check_words(args, command)?;
            perform(session, args, command).map_err(|error| named(&error))
        },
    )
}

/// What a person is told of an error: with the exit code's own words, but for command lines that make no sense.
fn complaint(error: &anyhow::Error) -> String {
    let exit = crate::exit::exit_of(error);
    let message = format!("{error:#}");
    match (exit, message == exit.text()) {
        (Exit::Usage, _) => message,
        (exit, true) => format!("crm_resource: Error performing operation: {}", exit.text()),
        (exit, false) => format!("crm_resource: {message}\nError performing operation: {}", exit.text()),
    }
}

fn named(error: &anyhow::Error) -> anyhow::Error {
    let message = complaint(error);
    let message = message.strip_prefix("crm_resource: ").unwrap_or(&message);
    Failed::new(crate::exit::exit_of(error), message).into()
}

/// Options that go with some commands only.
fn check_words(args: &Args, command: Command) -> anyhow::Result<()> {
    if args.expired && command != Command::Clear {
        return Err(Failed::usage("--expired requires --clear or -U"));
    }
    let runs_agent = matches!(command, Command::Digests | Command::Agent(_));
    if !args.changed.is_empty() && !runs_agent {
        let n = args.changed.len();
        let words = args.changed.iter().enumerate();
        let words: String = words.map(|(i, word)| format!("\n[{} of {n}] {word}", i + 1)).collect();
        return Err(Failed::usage(format!("non-option ARGV-elements:{words}")));
    }
    if !args.names_agent() {
        return match args.option.is_empty() {
            true => Ok(()),
            false => Err(Failed::usage("--option must be used with --validate and without -r")),
        };
    }
    let is_ocf = args.class.as_deref() == Some("ocf");
    let wrong = match (&args.resource, command) {
        (Some(_), _) => Some("--class, --agent, and --provider cannot be used with -r/--resource"),
        (None, Command::Agent(_)) => None,
        _ => Some("--class, --agent, and --provider can only be used with --validate and --force-*"),
    };
    let wrong = wrong.or(match (is_ocf, &args.class, &args.provider, &args.agent) {
        (true, _, Some(_), Some(_)) => None,
        (true, ..) => Some("--provider and --agent are required with --class=ocf"),
        (false, _, Some(_), _) => Some("--provider is supported only with --class=ocf"),
        (false, _, None, None) => Some("--agent is required with --class"),
        (false, None, None, Some(_)) => Some("--class is required with --agent"),
        (false, Some(_), None, Some(_)) => None,
    });
    wrong.map_or(Ok(()), |wrong| Err(Failed::usage(wrong)))
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

impl Args {
    /// Whether an agent is named rather than a resource.
    const fn names_agent(&self) -> bool {
        self.class.is_some() || self.provider.is_some() || self.agent.is_some()
    }
}

/// Carries out the command.
///
/// # Errors
/// If there is no such resource or node, or the change cannot be made.
pub fn perform(session: &mut Session<'_>, args: &Args, command: Command) -> anyhow::Result<Report> {
    if let (Command::Agent(action), true) = (command, args.names_agent()) {
        return execute::of_agent(session, args, action);
    }
    if command.needs_resource() && args.resource.is_none() && !args.expired {
        return Err(Failed::usage("Must supply a resource ID with -r/--resource"));
    }
    if command.needs_node() && args.node.is_none() {
        return Err(Failed::usage("Must supply a node name with -N/--node"));
    }
    let is_about_cib = !matches!(command, Command::ListOptions | Command::Agents);
    let mut cluster = if is_about_cib { Some(Cluster::open(session)?) } else { None };
    let is_about_state = is_about_cib && !matches!(command, Command::Wait | Command::Delete);
    if let Some(node) = args.node.as_ref().filter(|_| !is_about_state) {
        // Pacemaker's tool looks for a node where it has not looked at the cluster.
        return Err(find::no_node(node));
    }
    match (command, &mut cluster) {
        (Command::ListOptions, _) => args
            .list_options
            .map(|kind| list_options(kind, args.all))
            .ok_or_else(|| Failed::usage("no kind of options given")),
        (Command::Wait, Some(cluster)) => {
            resource_ops::wait(cluster, duration(args.timeout.as_deref())?)?;
            Ok(Report::silent())
        }
        (Command::Delete, Some(cluster)) => delete(cluster, args),
        (_, Some(cluster)) => with_state(session, cluster, args, command),
        (_, None) => agents::about(session, args),
    }
}

/// Commands that look at the cluster's state.
fn with_state(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    args: &Args,
    command: Command,
) -> anyhow::Result<Report> {
    let view = view::look(session, cluster)?;
    let found = Found::of(&view, args, command, session.local_time())?;
    let id = args.resource.as_deref().unwrap_or("");
    match command {
        Command::ListRaw => Ok(show::list_raw(&view)),
        Command::ListOperations => Ok(show::operations(&found, args, false, session.utc_offset)),
        Command::ListAllOperations => Ok(show::operations(&found, args, true, session.utc_offset)),
        Command::Why => {
            let mut report = why::why(&found);
            if args.verbose > 0 {
                let moment = rehearse::moment(session, cluster.is_live());
                report.text.push_str(&why::scheduler_reasons(&found, moment));
            }
            Ok(report)
        }
        Command::Clear => moves::clear(session, cluster, &found, args),
        Command::Cleanup | Command::Refresh | Command::Fail => {
            cleanup::perform(session, cluster, &found, args, command)
        }
        Command::Digests => digests::show(&found, args),
        Command::Agent(action) => execute::of_resource(session, &found, args, id, action),
        Command::QueryXml => show::query(&found, show::Templates::Expanded),
        Command::QueryXmlRaw => show::query(&found, show::Templates::Named),
        Command::Locate => show::locate(&found, args, id),
        Command::Constraints => {
            Ok(constraints::show(&view, session.local_time(), id, args.recursive || args.stack, args.force))
        }
        Command::Stack => Ok(constraints::show(&view, session.local_time(), id, true, args.force)),
        Command::GetParameter | Command::GetProperty => settings::get(&found, args),
        Command::SetParameter | Command::SetProperty => Settings::new(cluster, &found, args, id).set(),
        Command::DeleteParameter => Settings::new(cluster, &found, args, id).delete(),
        Command::Move => Moves::new(session, cluster, &found, args, id)?.move_away(session),
        Command::Ban => Moves::new(session, cluster, &found, args, id)?.ban(session),
        Command::Restart => {
            resource_ops::restart(cluster, &view, id, duration(args.timeout.as_deref())?)?;
            Ok(Report::silent())
        }
        Command::List | Command::ListOptions | Command::Agents | Command::Wait | Command::Delete => {
            Ok(show::list(&view))
        }
    }
}

fn duration(text: Option<&str>) -> anyhow::Result<Option<Duration>> {
    text.map(|text| systole_types::parse_duration(text).map_err(|error| Failed::usage(error.to_string())))
        .transpose()
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
