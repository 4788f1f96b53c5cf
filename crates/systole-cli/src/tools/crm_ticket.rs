//! `crm_ticket`: the tickets of a multi-site cluster.

mod change;

use crate::{
    Cluster, Exit, Failed, Session, args, edit,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};
use systole_cib::{
    read,
    xml::{Document, Element, Style},
};
use systole_output::{tree::Tree, words::date_text};
use systole_scheduler::{Overview, Status, overview::TicketView};
use systole_types::Timestamp;

/// Perform tasks related to cluster tickets.
#[derive(Parser)]
#[command(name = "crm_ticket", disable_version_flag = true)]
struct Args {
    /// Show tickets
    #[arg(short = 'l', long, help_heading = "Queries")]
    info: bool,
    /// Show tickets with all their attributes
    #[arg(short = 'L', long, help_heading = "Queries")]
    details: bool,
    /// Show the ids of tickets
    #[arg(short = 'w', long, help_heading = "Queries")]
    raw: bool,
    /// Show the state of tickets as XML
    #[arg(short = 'q', long, help_heading = "Queries")]
    query_xml: bool,
    /// Show the constraints that depend on tickets
    #[arg(short = 'c', long, help_heading = "Queries")]
    constraints: bool,
    /// Print an attribute of the ticket
    #[arg(short = 'G', long, value_name = "ATTRIBUTE", help_heading = "Queries")]
    get_attr: Option<String>,
    /// With --get-attr: print this if there is no such attribute
    #[arg(short = 'd', long, value_name = "VALUE", help_heading = "Queries")]
    default: Option<String>,
    /// Grant the ticket to this site (needs --force)
    #[arg(short = 'g', long, help_heading = "Commands")]
    grant: bool,
    /// Revoke the ticket from this site (needs --force)
    #[arg(short = 'r', long, help_heading = "Commands")]
    revoke: bool,
    /// Make the ticket standby: what depends on it stops, and nobody is fenced
    #[arg(short = 's', long, help_heading = "Commands")]
    standby: bool,
    /// Let the ticket count again
    #[arg(short = 'a', long, help_heading = "Commands")]
    activate: bool,
    /// Set an attribute of the ticket
    #[arg(short = 'S', long, value_name = "ATTRIBUTE", help_heading = "Commands")]
    set_attr: Vec<String>,
    /// With --set-attr: the value
    #[arg(short = 'v', long, value_name = "VALUE", help_heading = "Commands")]
    attr_value: Vec<String>,
    /// Delete an attribute of the ticket
    #[arg(short = 'D', long, value_name = "ATTRIBUTE", help_heading = "Commands")]
    delete_attr: Vec<String>,
    /// Forget the ticket at this site
    #[arg(short = 'C', long, help_heading = "Commands")]
    cleanup: bool,
    /// The ticket
    #[arg(short = 't', long, value_name = "ID")]
    ticket: Option<String>,
    /// Do it though it may start, stop or fence something
    #[arg(short = 'f', long)]
    force: bool,
    /// A CIB in a file, instead of the cluster
    #[arg(short = 'x', long, value_name = "FILE", hide = true)]
    xml_file: Option<PathBuf>,
    /// Set of attributes (has no effect: tickets have none)
    #[arg(short = 'n', long, value_name = "ID", hide = true)]
    set_name: Option<String>,
    /// Attribute (has no effect: a ticket's have no ids)
    #[arg(short = 'i', long, value_name = "ID", hide = true)]
    nvpair: Option<String>,
    /// Print the value alone (it always is)
    #[arg(short = 'Q', long, hide = true)]
    quiet: bool,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Form of the output.
    #[command(flatten)]
    output: OutputArgs,
}

/// Options that ask for something. The last one counts; beside them, changes are not made.
const QUERIES: [&str; 7] = ["info", "details", "raw", "query_xml", "constraints", "get_attr", "cleanup"];

/// The words for what is not there.
const NONE: &str = "No such device or address";

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            if let Some(file) = &args.xml_file {
                session.env.insert("CIB_file".into(), file.clone().into());
            }
            let query = args::last_given::<Args>(session, words, &QUERIES);
            let pairs = args::in_order::<Args>(session, words, &["set_attr", "attr_value"]);
            perform(session, args, query, &pairs)
        },
    )
}

fn perform(
    session: &mut Session<'_>,
    args: &Args,
    query: Option<&str>,
    pairs: &[(&str, String)],
) -> anyhow::Result<Report> {
    // Without a cluster it does not matter what is asked.
    let mut cluster = Cluster::open(session)?;
    let ticket = args.ticket.as_deref();
    let needs_ticket = |exit| Failed::new(exit, "Must supply ticket ID with -t");
    match query {
        Some("get_attr") => {
            get_attribute(&mut cluster, args, ticket.ok_or_else(|| needs_ticket(Exit::NoSuch))?)
        }
        Some("cleanup") => {
            change::forget(&mut cluster, ticket.ok_or_else(|| needs_ticket(Exit::Usage))?, args.force)
        }
        Some("query_xml") => states(&mut cluster, ticket),
        Some("constraints") => constraints(&mut cluster, ticket),
        Some(listing) => list(session, &mut cluster, ticket, listing),
        None => {
            let changes = args.changes(pairs)?;
            if changes.is_empty() {
                return Err(Failed::usage("Must supply a command"));
            }
            change::make(
                &mut cluster,
                session.now,
                ticket.ok_or_else(|| needs_ticket(Exit::Usage))?,
                &changes,
                args.force,
            )
        }
    }
}

impl Args {
    /// Attributes to set, or (without a value) to delete: where some are to be deleted, nothing is set, as with Pacemaker's tool. `pairs`
    /// are names and values as they were given.
    fn changes(&self, pairs: &[(&str, String)]) -> anyhow::Result<Vec<change::Change>> {
        let mut changes = set_in_order(pairs)?;
        if !self.delete_attr.is_empty() {
            return Ok(self.delete_attr.iter().map(|name| (name.clone(), None)).collect());
        }
        for (is_asked_for, name, value) in [
            (self.grant, "granted", "true"),
            (self.revoke, "granted", "false"),
            (self.standby, "standby", "true"),
            (self.activate, "standby", "false"),
        ] {
            if is_asked_for {
                changes.push((name.to_owned(), Some(value.to_owned())));
            }
        }
        Ok(changes)
    }
}

/// Each value goes with the name before it.
fn set_in_order(pairs: &[(&str, String)]) -> anyhow::Result<Vec<change::Change>> {
    let mut changes: Vec<change::Change> = Vec::new();
    let mut name: Option<&String> = None;
    for (option, text) in pairs {
        if *option == "set_attr" {
            name = Some(text);
            continue;
        }
        let without_name = || Failed::usage(format!("Must supply attribute name with -S for -v {text}"));
        changes.push((name.ok_or_else(without_name)?.clone(), Some(text.clone())));
    }
    match name.filter(|name| !changes.iter().any(|(known, _)| known == *name)) {
        Some(name) => Err(Failed::usage(format!("Must supply value with -v for -S {name}"))),
        None => Ok(changes),
    }
}

/// The `<ticket_state>` elements, of one ticket or all.
fn states_in<'d>(document: &'d Document, ticket: Option<&'d str>) -> impl Iterator<Item = Element<'d>> {
    let tickets = edit::section(document, "status").and_then(|status| status.child("tickets"));
    let states = tickets.into_iter().flat_map(|tickets| tickets.children_named("ticket_state"));
    states.filter(move |state| ticket.is_none_or(|ticket| state.id() == Some(ticket)))
}

/// Tickets that have a state or a constraint.
fn list(
    session: &Session<'_>,
    cluster: &mut Cluster,
    ticket: Option<&str>,
    listing: &str,
) -> anyhow::Result<Report> {
    let document = cluster.cib()?;
    let (cib, _) = read(&document);
    let overview = Overview::new(&Status::unpack(&cib, session.local_time()));
    let shown: Vec<&TicketView> =
        overview.tickets.iter().filter(|view| ticket.is_none_or(|ticket| ticket == &*view.id)).collect();
    if let (Some(ticket), true) = (ticket, shown.is_empty()) {
        return Err(Failed::no_such(format!("No such ticket '{ticket}'")));
    }
    let mut report = Report::silent();
    let mut tree = Tree::new("tickets");
    for view in shown {
        let state = states_in(&document, Some(&view.id)).next();
        report.text.push_str(&match listing {
            "raw" => format!("{}\n", view.id),
            "details" => detailed_line(view, state, session.utc_offset),
            _ => line(view, session.utc_offset),
        });
        tree.push(element(view, state, session.utc_offset));
    }
    if !report.text.is_empty() {
        report.trees.push(tree);
    }
    Ok(report)
}

const fn status_word(view: &TicketView) -> &'static str {
    if view.granted { "granted" } else { "revoked" }
}

fn line(view: &TicketView, utc_offset: i64) -> String {
    let standby = if view.standby { " [standby]" } else { "" };
    let at = view.last_granted.map(|at| format!(" last-granted=\"{}\"", date_text(at, utc_offset)));
    format!("{}\t{}{standby}{}\n", view.id, status_word(view), at.unwrap_or_default())
}

fn detailed_line(view: &TicketView, state: Option<Element<'_>>, utc_offset: i64) -> String {
    let attributes = state.into_iter().flat_map(Element::attrs).filter(|(name, _)| *name != "id");
    let rank = |name: &str| ["granted", "standby", "last-granted"].iter().position(|known| *known == name);
    let mut attributes: Vec<(&str, &str)> = attributes.collect();
    attributes.sort_by_key(|(name, _)| rank(name).unwrap_or(usize::MAX));
    let attributes: Vec<String> = attributes
        .into_iter()
        .map(|(name, value)| match (name, value.parse()) {
            ("last-granted", Ok(at)) => format!("{name}={}", date_text(Timestamp(at), utc_offset)),
            _ => format!("{name}={value}"),
        })
        .collect();
    if attributes.is_empty() {
        return line(view, utc_offset);
    }
    let standby = if view.standby { " [standby]" } else { "" };
    format!("{}\t{}{standby}\t({})\n", view.id, status_word(view), attributes.join(", "))
}

fn element(view: &TicketView, state: Option<Element<'_>>, utc_offset: i64) -> Tree {
    let tree = Tree::new("ticket")
        .attr("id", &*view.id)
        .attr("status", status_word(view))
        .attr("standby", view.standby)
        .maybe("last-granted", view.last_granted.map(|at| date_text(at, utc_offset)));
    let told = ["id", "standby", "last-granted"];
    let others = state.into_iter().flat_map(Element::attrs).filter(|(name, _)| !told.contains(name));
    others.fold(tree, |tree, (name, value)| tree.attr(name, value))
}

fn states(cluster: &mut Cluster, ticket: Option<&str>) -> anyhow::Result<Report> {
    let document = cluster.cib()?;
    let found: Vec<Element<'_>> = states_in(&document, ticket).collect();
    let xml = match (ticket, found.first()) {
        (_, None) => return Err(Failed::no_such(format!("Could not query ticket XML: {NONE}"))),
        (Some(_), Some(state)) => state.write(Style::Indented),
        (None, Some(state)) => {
            state.parent().map(|tickets| tickets.write(Style::Indented)).unwrap_or_default()
        }
    };
    let trees = found
        .iter()
        .map(|state| state.attrs().fold(Tree::new("ticket"), |tree, (name, value)| tree.attr(name, value)));
    Ok(Report::new(format!("State XML:\n\n{}\n", xml.trim_end()), Tree::new("tickets").children(trees)))
}

fn constraints(cluster: &mut Cluster, ticket: Option<&str>) -> anyhow::Result<Report> {
    let document = cluster.cib()?;
    let all = edit::section(&document, "constraints").into_iter().flat_map(Element::children);
    let found: Vec<Element<'_>> = all
        .filter(|constraint| constraint.is("rsc_ticket"))
        .filter(|constraint| ticket.is_none_or(|ticket| constraint.attr("ticket") == Some(ticket)))
        .collect();
    if found.is_empty() {
        return Err(Failed::no_such(format!("Could not show ticket constraints: {NONE}")));
    }
    let mut report = Report { text: "Constraints XML:\n\n".to_owned(), ..Report::default() };
    let names: BTreeSet<&str> = found.iter().filter_map(|constraint| constraint.attr("ticket")).collect();
    report.trees.push(Tree::new("tickets").children(names.into_iter().map(|name| {
        let own = found.iter().filter(|constraint| constraint.attr("ticket") == Some(name));
        let own = Tree::new("constraints").children(own.map(|constraint| Tree::from_element(*constraint)));
        Tree::new("ticket").attr("id", name).child(own)
    })));
    let resources = found.iter().filter_map(|constraint| constraint.attr("rsc"));
    report
        .trees
        .push(Tree::new("resources").children(resources.map(|id| Tree::new("resource").attr("id", id))));
    for constraint in found {
        report.text.push_str(&format!("{}\n", constraint.write(Style::Indented).trim_end()));
    }
    Ok(report)
}

fn get_attribute(cluster: &mut Cluster, args: &Args, ticket: &str) -> anyhow::Result<Report> {
    let name = args.get_attr.as_deref().unwrap_or_default();
    let document = cluster.cib()?;
    let value = states_in(&document, Some(ticket)).next().and_then(|state| state.attr(name));
    let Some(value) = value.or(args.default.as_deref()) else {
        return Ok(Report::silent().ending(Exit::NoSuch));
    };
    let attribute = Tree::new("attribute").attr("name", name).attr("value", value);
    let tree = Tree::new("tickets").child(Tree::new("ticket").attr("id", ticket).child(attribute));
    Ok(Report::new(format!("{value}\n"), tree))
}
