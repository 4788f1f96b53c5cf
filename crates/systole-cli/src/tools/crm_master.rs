//! `crm_master`: the promotion score of a resource.

use super::{
    crm_attribute::{self, Section, promotion_resource},
    one_attribute::{OneAttribute, of_script},
};
use crate::{Exit, Failed, Session, runner};
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
    let exit = runner::run(
        session,
        words,
        |args: &Args| &args.attribute.output,
        |session, args| {
            args.attribute.stray.tell(session);
            let resource = args.resource.clone().unwrap_or_default();
            let resource = promotion_resource(session, resource)
                .map_err(|_| Failed::new(Exit::Error, "No resource specified"))?;
            let attribute = &args.attribute;
            let command = attribute.command::<Args>(session, words);
            let section = Section::named(attribute.lifetime.as_deref().unwrap_or("forever"));
            crm_attribute::perform(
                session,
                attribute.request(&format!("master-{resource}"), command, section),
            )
        },
    );
    exit.map(of_script)
}
