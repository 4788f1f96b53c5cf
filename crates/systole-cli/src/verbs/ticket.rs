//! `systole ticket`.

use crate::{Cluster, Session, report::Report};
use clap::Subcommand;
use systole_output::tree::Tree;

/// Tickets of a multi-site cluster.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// Give a ticket to this site: make sure no other has it
    Grant(Ticket),
    /// Take a ticket from this site
    Revoke(Ticket),
    /// Stop what depends on a ticket, and keep the ticket
    Standby(Ticket),
    /// Let a ticket count again
    Activate(Ticket),
}

#[derive(clap::Args)]
pub(super) struct Ticket {
    /// The ticket
    ticket: String,
}

/// Carries the verb out.
pub(super) fn perform(session: &mut Session<'_>, verb: Verb) -> anyhow::Result<Report> {
    let (ticket, name, value) = match verb {
        Verb::Grant(Ticket { ticket }) => (ticket, "granted", true),
        Verb::Revoke(Ticket { ticket }) => (ticket, "granted", false),
        Verb::Standby(Ticket { ticket }) => (ticket, "standby", true),
        Verb::Activate(Ticket { ticket }) => (ticket, "standby", false),
    };
    set(session, &ticket, name, value)
}

fn set(session: &mut Session<'_>, ticket: &str, name: &str, value: bool) -> anyhow::Result<Report> {
    let now = session.now;
    let mut state = Tree::new("ticket_state").attr("id", ticket).attr(name, value);
    if (name, value) == ("granted", true) {
        state = state.attr("last-granted", now.0.to_string());
    }
    let mut cluster = Cluster::open(session)?;
    cluster.merge("status", Tree::new("tickets").child(state).to_xml())?;
    let change = Tree::new("change").attr("ticket", ticket).attr("name", name).attr("value", value);
    Ok(Report::new(format!("{ticket}: {name}={value}\n"), change))
}
