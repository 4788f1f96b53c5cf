//! What `crm_master` and `crm_standby` have in common: the same words about one attribute of a node.

use super::crm_attribute::{Command, Request, Section};
use crate::{
    Exit, Session,
    args::{self, Stray},
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;

/// What is asked of one attribute, the same words for a promotion score and for standby.
#[derive(clap::Args, Default)]
pub(super) struct OneAttribute {
    /// Print the value
    #[arg(short = 'G', long, alias = "get-value")]
    query: bool,
    /// Set the value
    #[arg(short = 'v', long, value_name = "VALUE", allow_hyphen_values = true, alias = "attr-value")]
    pub update: Option<String>,
    /// Remove the attribute
    #[arg(short = 'D', long, alias = "delete-attr")]
    delete: bool,
    /// The node; this one by default
    #[arg(short = 'N', long, value_name = "NODE", visible_alias = "uname", short_alias = 'U')]
    node: Option<String>,
    /// reboot or forever
    #[arg(short = 'l', long, value_name = "TIME")]
    pub lifetime: Option<String>,
    /// The attribute, by id
    #[arg(short = 'i', long, value_name = "ID", alias = "attr-id")]
    id: Option<String>,
    /// Print the value alone
    #[arg(short = 'q', long, short_alias = 'Q')]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    stray: Stray,
    #[command(flatten)]
    output: OutputArgs,
}

impl OneAttribute {
    /// Of several commands the last counts.
    pub fn command<T: Parser>(&self, session: &Session<'_>, words: &[OsString]) -> Command {
        match (args::last_given::<T>(session, words, &["query", "update", "delete"]), &self.update) {
            (Some("delete"), _) => Command::Delete,
            (Some("update"), Some(value)) => Command::Update(value.clone()),
            _ => Command::Query,
        }
    }

    /// The request about the attribute `name` in a section.
    pub fn request(&self, name: &str, command: Command, section: Section) -> Request {
        Request {
            command,
            node: self.node.clone(),
            pair_id: self.id.clone(),
            quiet: self.quiet,
            ..Request::named(name, section)
        }
    }
}

/// Runs a tool that is about one attribute, among its arguments. Pacemaker's scripts have their own exit code for a command line that
/// makes no sense.
pub(super) fn run<A: Parser>(
    session: &mut Session<'_>,
    words: &[OsString],
    attribute: fn(&A) -> &OneAttribute,
    perform: impl FnOnce(&mut Session<'_>, &A) -> anyhow::Result<Report>,
) -> anyhow::Result<Exit> {
    let exit = runner::run(
        session,
        words,
        |args: &A| &attribute(args).output,
        |session, args| {
            attribute(args).stray.tell(session);
            perform(session, args)
        },
    )?;
    Ok(if exit == Exit::Usage { Exit::Error } else { exit })
}
