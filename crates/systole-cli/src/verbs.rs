//! `systole VERB ...`.

mod cib;
mod constraint;
mod explain;
mod node;
mod option;
mod plan;
mod resource;
mod status;
mod ticket;
mod whatif;

use crate::{
    Exit, Failed, Session, args,
    report::{OutputArgs, Report},
    runner, tools,
};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Keep services running on a group of hosts.
///
/// Verbs talk to the cluster this node is part of (SYSTOLE_SOCKET names another socket than /run/systole/api.sock), or
/// work on a CIB in a file if CIB_file is set.
#[derive(Parser)]
#[command(name = "systole", version, subcommand_required = false)]
struct Args {
    /// Print the names this binary answers to, one a line: links by these names are tools
    #[arg(long)]
    list_tools: bool,
    /// Do not do it: show what it would do
    #[arg(long, global = true)]
    plan: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// The state of nodes and resources
    Status(status::Args),
    /// Show, start, stop, move and clean up resources
    #[command(alias = "rsc")]
    Resource(resource::Args),
    /// Standby, maintenance and attributes of nodes
    Node(Of<node::Verb>),
    /// Cluster options
    #[command(alias = "property")]
    Option(Of<option::Verb>),
    /// List and remove constraints
    Constraint(Of<constraint::Verb>),
    /// Grant and revoke tickets
    Ticket(Of<ticket::Verb>),
    /// Query, change and check the configuration as XML
    Cib(Of<cib::Verb>),
    /// Why a resource is where it is, and why not elsewhere
    Explain(explain::Args),
    /// What a change would do, before it is made
    Plan(plan::Args),
    /// What the loss of nodes would do
    Whatif(whatif::Args),
    /// A whole cluster on this one host, to try things out
    #[command(disable_help_flag = true)]
    Lab {
        /// See `systole lab help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// A verb that has verbs of its own, which all report alike.
#[derive(clap::Args)]
struct Of<V: Subcommand> {
    #[command(subcommand)]
    verb: V,
    #[command(flatten)]
    output: OutputArgs,
}

fn carry_out<V: Subcommand>(
    session: &mut Session<'_>,
    args: Of<V>,
    perform: impl FnOnce(&mut Session<'_>, V) -> anyhow::Result<Report>,
) -> anyhow::Result<Exit> {
    let result = perform(session, args.verb);
    runner::finish(session, &args.output, result)
}

/// Runs `systole` with `args`.
///
/// # Errors
/// If the verb fails.
pub fn run(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Exit> {
    if let Some(tool) = args.first().and_then(|name| tools::find(name.to_str()?)) {
        session.tool = tool.name.to_owned();
        session.command_line = args::command_line(tool.name, &args[1..]);
        return (tool.run)(session, &args[1..]);
    }
    let words = args;
    let args: Args = match args::parse(session, args)? {
        args::Parsed::Go(args) => args,
        args::Parsed::Over(exit) => return Ok(exit),
    };
    if args.plan && session.rehearsal.is_none() {
        return plan::of_command(session, words);
    }
    if args.list_tools {
        session.print("systole\n")?;
        for tool in tools::TOOLS {
            session.print(&format!("{}\n", tool.name))?;
        }
        return Ok(Exit::Ok);
    }
    match args.verb {
        Some(Verb::Status(args)) => status::run(session, args),
        Some(Verb::Resource(args)) => resource::run(session, args),
        Some(Verb::Node(args)) => carry_out(session, args, node::perform),
        Some(Verb::Option(args)) => carry_out(session, args, option::perform),
        Some(Verb::Constraint(args)) => carry_out(session, args, constraint::perform),
        Some(Verb::Ticket(args)) => carry_out(session, args, ticket::perform),
        Some(Verb::Cib(args)) => carry_out(session, args, cib::perform),
        Some(Verb::Explain(args)) => explain::run(session, args),
        Some(Verb::Plan(args)) => plan::run(session, args),
        Some(Verb::Whatif(args)) => whatif::run(session, args),
        Some(Verb::Lab { args }) => lab(&args),
        None => Err(Failed::usage("no verb given: try `systole --help`")),
    }
}

/// The lab has a main of its own, with its own streams and exit codes.
fn lab(args: &[OsString]) -> anyhow::Result<Exit> {
    let code = systole_lab::main(args);
    Ok(Exit::ALL.iter().copied().find(|exit| exit.code() == code).unwrap_or(Exit::Error))
}
