//! `crm_error`: what an exit code means.

use crate::{Exit, Failed, Session, args};
use clap::Parser;
use std::ffi::OsString;

/// Explain exit codes of the cluster's tools.
#[derive(Parser)]
#[command(name = "crm_error", disable_version_flag = true)]
struct Args {
    /// Treat codes as exit codes (the only kind there is here; taken for compatibility)
    #[arg(short = 'X', long)]
    exit: bool,
    /// Show the code's symbolic name too
    #[arg(short = 'n', long)]
    name: bool,
    /// Show all known codes
    #[arg(short = 'l', long)]
    list: bool,
    /// Codes to explain
    #[arg(allow_hyphen_values = true)]
    codes: Vec<String>,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Exit> {
    let args: Args = match args::parse_tool(session, args)? {
        args::Parsed::Go(args) => args,
        args::Parsed::Over(exit) => return Ok(exit),
    };
    if args.list {
        for exit in Exit::ALL {
            session.print(&format!("{:5}: {}{}\n", exit.code(), label(args.name, *exit), exit.text()))?;
        }
        return Ok(Exit::Ok);
    }
    if args.codes.is_empty() {
        return Err(Failed::usage("give one or more codes, or --list"));
    }
    for code in &args.codes {
        let number: i64 = code.parse().map_err(|_| Failed::usage(format!("{code:?} is not a number")))?;
        let exit = Exit::ALL.iter().find(|exit| i64::from(exit.code()) == number);
        let text = exit.map_or("Unknown exit status", |exit| exit.text());
        session.print(&format!("{}{text}\n", exit.map_or(String::new(), |exit| label(args.name, *exit))))?;
    }
    Ok(Exit::Ok)
}

fn label(wanted: bool, exit: Exit) -> String {
    if wanted { format!("{exit:?} - ") } else { String::new() }
}
