//! Changes of a ticket's state at this site.

use super::{NONE, states_in};
use crate::{Cluster, Exit, Failed, edit, report::Report};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    parse_bool,
};
use systole_output::tree::Tree;
use systole_types::Timestamp;

/// An attribute with its new value; `None`: it is deleted.
pub type Change = (String, Option<String>);

/// Why a change wants `--force`.
enum Danger {
    /// Nobody here can know whether another site has the ticket.
    Granting,
    /// What depends on the ticket may be stopped, demoted or fenced.
    Losing,
}

impl Danger {
    fn refusal(&self, ticket: &str) -> String {
        match self {
            Self::Granting => format!(
                "No command can tell whether '{ticket}' is granted to another site at the same time.\n\
                 If you know that it is not, and want it granted here now, say so with --force."
            ),
            Self::Losing => format!(
                "Without '{ticket}' the loss-policy of every constraint that names it takes effect. They are listed by\n\
                 crm_ticket --ticket {ticket} --constraints\n\
                 What depends on the ticket can be stopped gracefully before, by\n\
                 crm_ticket --ticket {ticket} --standby\n\
                 If you want '{ticket}' revoked from this site now, say so with --force."
            ),
        }
    }
}

fn is_true(value: &str) -> bool {
    parse_bool(value) == Some(true)
}

fn danger_of(changes: &[Change]) -> Option<Danger> {
    let (_, value) = changes.iter().rev().find(|(name, _)| name == "granted")?;
    Some(if value.as_deref().is_some_and(is_true) { Danger::Granting } else { Danger::Losing })
}

/// Makes all changes at once.
pub fn make(
    cluster: &mut Cluster,
    now: Timestamp,
    ticket: &str,
    changes: &[Change],
    force: bool,
) -> anyhow::Result<Report> {
    if let (false, Some(danger)) = (force, danger_of(changes)) {
        let errors = vec![
            danger.refusal(ticket),
            "crm_ticket: Ticket modification not allowed without --force".to_owned(),
        ];
        return Ok(Report { errors, ..Report::default() }.ending(Exit::Unsafe));
    }
    let document = cluster.cib()?;
    let state = states_in(&document, Some(ticket)).next();
    if state.is_none() && changes.iter().all(|(_, value)| value.is_none()) {
        return Err(Failed::no_such(format!("Could not modify ticket: {NONE}")));
    }
    let old: Vec<(String, String)> = state
        .map(|state| state.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
        .unwrap_or_else(|| vec![("id".to_owned(), ticket.to_owned())]);
    let mut new = old.clone();
    for (name, value) in changes {
        set(&mut new, name, value.as_deref());
    }
    let is_granted =
        |state: &[(String, String)]| state.iter().any(|(name, value)| name == "granted" && is_true(value));
    if is_granted(&new) && !is_granted(&old) {
        set(&mut new, "last-granted", Some(&now.0.to_string()));
    }
    if new == old {
        return Ok(Report::silent());
    }
    let tree = new.into_iter().fold(Tree::new("ticket_state"), |tree, (name, value)| tree.attr(&name, value));
    if state.is_none() {
        cluster.merge("status", Tree::new("tickets").child(tree).to_xml())?;
    } else {
        let call = CibCall {
            action: CibAction::Replace,
            scope: Scope::XPath(path(ticket)),
            xml: Some(tree.to_xml()),
            options: CibOptions::default(),
        };
        cluster.apply(call, false)?;
    }
    Ok(Report::silent())
}

fn set(attributes: &mut Vec<(String, String)>, name: &str, value: Option<&str>) {
    match (attributes.iter_mut().find(|(known, _)| known == name), value) {
        (Some((_, old)), Some(value)) => value.clone_into(old),
        (None, Some(value)) => attributes.push((name.to_owned(), value.to_owned())),
        (_, None) => attributes.retain(|(known, _)| known != name),
    }
}

/// Forgets a ticket at this site.
pub fn forget(cluster: &mut Cluster, ticket: &str, force: bool) -> anyhow::Result<Report> {
    let document = cluster.cib()?;
    let Some(state) = states_in(&document, Some(ticket)).next() else {
        // Whoever insists wants the ticket gone, and so it is.
        return if force {
            Ok(Report::silent())
        } else {
            Err(Failed::no_such(format!("No such ticket '{ticket}'")))
        };
    };
    if !force && state.attr("granted").is_some_and(is_true) {
        let errors = vec![Danger::Losing.refusal(ticket)];
        return Ok(Report { errors, ..Report::default() }.ending(Exit::InsufficientPrivilege));
    }
    cluster.delete_xpath(&path(ticket))?;
    Ok(Report { text: format!("Cleaned up {ticket}\n"), ..Report::default() })
}

fn path(ticket: &str) -> String {
    format!("/cib/status/tickets/ticket_state[@id={}]", edit::xpath_text(ticket))
}
