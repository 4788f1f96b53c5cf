//! `systole VERB ...`.

use crate::{Exit, Failed, Session, args, tools};
use clap::{Parser, Subcommand};
use std::ffi::OsString;

/// Keep services running on a group of hosts.
///
/// Tools talk to the cluster through /run/systole/api.sock (SYSTOLE_SOCKET names another socket), or work on a file
/// if CIB_file is set.
#[derive(Parser)]
#[command(name = "systole", version)]
struct Args {
    /// Print the names this binary answers to, one a line: links by these names are tools
    #[arg(long)]
    list_tools: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// A whole cluster on this one host, to try things out
    #[command(disable_help_flag = true)]
    Lab {
        /// See `systole lab help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
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
    // `lab` has a main of its own, with its own streams and exit codes.
    if args.first().is_some_and(|verb| verb == "lab") {
        return match systole_lab::main(&args[1..]) {
            0 => Ok(Exit::Ok),
            code => Ok(Exit::ALL.iter().copied().find(|exit| exit.code() == code).unwrap_or(Exit::Error)),
        };
    }
    let args: Args = match args::parse(session, args)? {
        args::Parsed::Go(args) => args,
        args::Parsed::Over(exit) => return Ok(exit),
    };
    if args.list_tools {
        session.print("systole\n")?;
        for tool in tools::TOOLS {
            session.print(&format!("{}\n", tool.name))?;
        }
        return Ok(Exit::Ok);
    }
    match args.verb {
        Some(Verb::Lab { .. }) => unreachable!("handled above"),
        None => Err(Failed::usage("no verb given: try `systole --help`")),
    }
}
