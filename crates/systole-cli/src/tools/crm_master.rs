//! `crm_master`: the promotion score of a resource.

use super::{
    crm_attribute::{self, Section, promotion_resource},
    one_attribute::{self, OneAttribute},
};
use crate::{Exit, Failed, Session};
use clap::Parser;
use std::ffi::OsString;

/// Show, set or remove a resource's promotion score (deprecated: use crm_attribute --promotion).
#[derive(Parser, Default)]
#[command(name = "crm_master", disable_version_flag = true)]
struct Args {
    /// The resource; by default the one whose agent calls this
    #[arg(short = 'r', long, value_name = "ID")]
    resource: Option<String>,
    #[command(flatten)]
    attribute: OneAttribute,
}

/// Runs `crm_master`.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    one_attribute::run(
        session,
        words,
        |args: &Args| &args.attribute,
        |session, Args { resource, attribute }| {
            let resource = promotion_resource(session, resource.clone().unwrap_or_default())
                .map_err(|_| Failed::new(Exit::Error, "No resource specified"))?;
            let command = attribute.command::<Args>(session, words);
            let section = Section::named(attribute.lifetime.as_deref().unwrap_or("forever"));
            let request = attribute.request(&format!("master-{resource}"), command, section);
            crm_attribute::perform(session, request)
        },
    )
}
