//! `crm_shadow`: copies of the CIB to try changes on. Tools work on the copy that `CIB_shadow` names.

mod copies;

use crate::{
    Exit, Failed, Session, args,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use copies::{Copy, Source};
use std::{ffi::OsString, process::Command};
use systole_output::tree::Tree;

/// Perform configuration changes in a sandbox.
#[derive(Parser)]
#[command(name = "crm_shadow", disable_version_flag = true)]
struct Args {
    /// Show the name of the active shadow copy
    #[arg(short = 'w', long, help_heading = "Queries")]
    which: bool,
    /// Show the active shadow copy
    #[arg(short = 'p', long, help_heading = "Queries")]
    display: bool,
    /// Show what is different in the active shadow copy
    #[arg(short = 'd', long, help_heading = "Queries")]
    diff: bool,
    /// Show where the active shadow copy is
    #[arg(short = 'F', long, help_heading = "Queries")]
    file: bool,
    /// Make a copy of the cluster's configuration
    #[arg(short = 'c', long, value_name = "NAME", help_heading = "Commands")]
    create: Option<String>,
    /// Make a copy with an empty configuration
    #[arg(short = 'e', long, value_name = "NAME", help_heading = "Commands")]
    create_empty: Option<String>,
    /// Put the copy's configuration into the cluster (needs --force)
    #[arg(short = 'C', long, value_name = "NAME", help_heading = "Commands")]
    commit: Option<String>,
    /// Delete a copy (needs --force)
    #[arg(short = 'D', long, value_name = "NAME", help_heading = "Commands")]
    delete: Option<String>,
    /// Edit the active copy with $EDITOR
    #[arg(short = 'E', long, help_heading = "Commands")]
    edit: bool,
    /// Make a copy anew from the cluster's configuration (needs --force)
    #[arg(short = 'r', long, value_name = "NAME", help_heading = "Commands")]
    reset: Option<String>,
    /// Go on with this copy
    #[arg(short = 's', long, value_name = "NAME", help_heading = "Commands")]
    switch: Option<String>,
    /// Do it though something is overwritten or lost
    #[arg(short = 'f', long)]
    force: bool,
    /// Say what to enter, instead of starting a shell
    #[arg(short = 'b', long)]
    batch: bool,
    /// With --commit: the status too
    #[arg(short = 'a', long)]
    all: bool,
    /// With --create-empty: the schema
    #[arg(short = 'v', long, value_name = "SCHEMA")]
    validate_with: Option<String>,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Form of the output.
    #[command(flatten)]
    output: OutputArgs,
}

const COMMANDS: [&str; 11] = [
    "which",
    "display",
    "diff",
    "file",
    "create",
    "create_empty",
    "commit",
    "delete",
    "edit",
    "reset",
    "switch",
];

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| perform(session, args, args::last_given::<Args>(session, words, &COMMANDS)),
    )
}

fn perform(session: &mut Session<'_>, args: &Args, command: Option<&str>) -> anyhow::Result<Report> {
    let named = |name: &Option<String>| name.clone().unwrap_or_default();
    match command {
        Some("create") => {
            Copy::named(session, &named(&args.create)).make(session, &Source::Cluster, args.force)?;
            go_on(session, args, &named(&args.create), CREATED)
        }
        Some("create_empty") => {
            let source = Source::empty(args.validate_with.as_deref())?;
            Copy::named(session, &named(&args.create_empty)).make(session, &source, args.force)?;
            let mut report = go_on(session, args, &named(&args.create_empty), CREATED)?;
            report.text.insert_str(0, &source.announcement());
            Ok(report)
        }
        Some("reset") => {
            forced(session, args, "reset", &args.reset)?;
            Copy::named(session, &named(&args.reset)).make(session, &Source::Cluster, true)?;
            go_on(session, args, &named(&args.reset), CREATED)
        }
        Some("switch") => {
            let copy = Copy::named(session, &named(&args.switch)).existing()?;
            go_on(session, args, &copy.name, "To switch to the named shadow instance")
        }
        Some("commit") => {
            forced(session, args, "commit", &args.commit)?;
            Copy::named(session, &named(&args.commit)).commit(session, args.all)
        }
        Some("delete") => {
            forced(session, args, "delete", &args.delete)?;
            Copy::named(session, &named(&args.delete)).delete()?;
            let mut report = Report::silent();
            if session.var("CIB_shadow") == args.delete {
                let advice = "Remember to unset the CIB_shadow variable by entering the following into your shell:\n\
                              \tunset CIB_shadow";
                report = instruction(advice);
            }
            Ok(report)
        }
        Some(query) => {
            let copy = Copy::active(session)?;
            match query {
                "which" => Ok(Report::new(format!("{}\n", copy.name), copy.tree())),
                "file" => {
                    let file = copy.path.display().to_string();
                    Ok(Report::new(format!("{file}\n"), copy.tree().attr("file", file)))
                }
                "display" => {
                    let text = copy.text()?;
                    let tree = copy.tree().child(Tree::with_cdata("content", text.clone()));
                    Ok(Report::new(text, tree))
                }
                "edit" => edit(session, &copy),
                _ => copy.difference(session),
            }
        }
        None => Err(Failed::usage("Must specify a query or command option")),
    }
}

const CREATED: &str = "A new shadow instance was created. To begin using it";

/// Refuses what overwrites or removes something, unless it is forced.
fn forced(session: &Session<'_>, args: &Args, command: &str, name: &Option<String>) -> anyhow::Result<()> {
    if args.force {
        return Ok(());
    }
    let (does, what) = match command {
        "reset" => ("overwrites the active shadow configuration", "the shadow file"),
        "commit" => ("overwrites the active cluster configuration", "the cluster"),
        _ => ("removes the specified shadow file", "the shadow file"),
    };
    let mut message = format!("The {command} command {does}.\n");
    let (name, active) = (name.as_deref().unwrap_or_default(), session.var("CIB_shadow"));
    match active {
        _ if command == "reset" => {}
        Some(active) if active != name => message.push_str(&format!(
            "Additionally, the supplied shadow instance ({name}) is not the same as the active one ({active}).\n"
        )),
        _ => {}
    }
    message.push_str(&format!(
        "To prevent accidental destruction of {what}, the --force flag is required in order to proceed."
    ));
    Err(Failed::usage(message))
}

/// Starts a shell that works on the copy, or says how to get one.
fn go_on(session: &mut Session<'_>, args: &Args, name: &str, what: &str) -> anyhow::Result<Report> {
    let shell = session.var("SHELL").filter(|_| !args.batch && session.on_terminal);
    let Some(shell) = shell else {
        return Ok(instruction(&format!(
            "{what}, enter the following into your shell:\n\texport CIB_shadow={name}"
        )));
    };
    session.print("Type Ctrl+D to exit the crm_shadow shell\n")?;
    session.out.flush()?;
    let prompt = format!("shadow[{name}] # ");
    let status = Command::new(&shell).env("CIB_shadow", name).env("PS1", prompt).status();
    let status = status.map_err(|error| Failed::new(Exit::Os, format!("cannot start {shell}: {error}")))?;
    Ok(if status.success() { Report::silent() } else { Report::silent().ending(Exit::Error) })
}

fn instruction(text: &str) -> Report {
    Report::new(format!("{text}\n"), Tree::with_text("instruction", text))
}

fn edit(session: &Session<'_>, copy: &Copy) -> anyhow::Result<Report> {
    let editor = session.var("EDITOR");
    let editor = editor.ok_or_else(|| Failed::usage("set EDITOR to the editor you want to use"))?;
    let status = Command::new(&editor).arg(&copy.path).status();
    let status = status.map_err(|error| Failed::new(Exit::Os, format!("cannot start {editor}: {error}")))?;
    Ok(if status.success() { Report::silent() } else { Report::silent().ending(Exit::Error) })
}
