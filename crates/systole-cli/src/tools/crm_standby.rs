//! `crm_standby`: whether a node is in standby mode.

use super::{
    crm_attribute::{self, Command, Request, Section},
    one_attribute::{self, OneAttribute},
};
use crate::{Exit, Failed, Session, report::Report};
use clap::Parser;
use std::ffi::OsString;

/// Show, set or remove a node's standby mode: on or off.
#[derive(Parser, Default)]
#[command(name = "crm_standby", disable_version_flag = true)]
struct Args {
    #[command(flatten)]
    attribute: OneAttribute,
}

/// Runs `crm_standby`.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    one_attribute::run(
        session,
        words,
        |args: &Args| &args.attribute,
        |session, Args { attribute }| {
            check_switch(attribute.update.as_deref())?;
            standby_report(session, attribute, words)
        },
    )
}

/// Where no lifetime is given, a query tells of what is permanent before what is not, and a removal is about both.
fn standby_report(
    session: &mut Session<'_>,
    args: &OneAttribute,
    words: &[OsString],
) -> anyhow::Result<Report> {
    let command = args.command::<Args>(session, words);
    let in_section = |section| args.request("standby", command.clone(), section);
    if let Some(lifetime) = &args.lifetime {
        return crm_attribute::perform(session, in_section(Section::named(lifetime)));
    }
    let permanent = crm_attribute::perform(session, in_section(Section::Nodes));
    let transient = in_section(Section::Status);
    match (&command, permanent) {
        (Command::Update(_), permanent) | (Command::Query, permanent @ Ok(_)) => permanent,
        (Command::Query, Err(_)) => {
            crm_attribute::perform(session, Request { default: Some("off".to_owned()), ..transient })
        }
        (Command::Delete, permanent) => {
            // Pacemaker's script takes a node that is not there to have no attributes.
            let mut report = Report::silent();
            for part in [permanent, crm_attribute::perform(session, transient)] {
                match part {
                    Ok(part) => report.text.push_str(&part.text),
                    Err(error) => report.errors.push(format!("{error:#}")),
                }
            }
            Ok(report)
        }
    }
}

/// Refuses what is neither on nor off: a node would stay in use while its administrator believes it does not.
fn check_switch(value: Option<&str>) -> anyhow::Result<()> {
    const SWITCHES: [&str; 10] = ["on", "off", "true", "false", "yes", "no", "y", "n", "1", "0"];
    match value {
        Some(value) if !SWITCHES.contains(&value.to_ascii_lowercase().as_str()) => {
            Err(Failed::usage(format!("standby cannot be {value:?}: use on or off")))
        }
        _ => Ok(()),
    }
}
