//! `attrd_updater`: node attributes that are gone with the node's next reboot.

use super::crm_attribute;
use crate::{
    Cluster, Exit, Failed, Session, args,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::tree::Tree;
use systole_wire::api::AttributeUpdate;

/// Show, set or remove node attributes that are gone with the node's next reboot.
#[derive(Parser, Default)]
#[command(name = "attrd_updater", disable_version_flag = true)]
struct Args {
    /// The attribute
    #[arg(short = 'n', long, value_name = "NAME")]
    name: Option<String>,
    /// Every attribute whose name fits this regular expression
    #[arg(short = 'P', long, value_name = "PATTERN", conflicts_with = "name")]
    pattern: Option<String>,
    /// Set the value
    #[arg(short = 'U', long, value_name = "VALUE", allow_hyphen_values = true, short_alias = 'v')]
    update: Option<String>,
    /// Set the value, and with --delay how long changes are held back
    #[arg(short = 'B', long, value_name = "VALUE", allow_hyphen_values = true)]
    update_both: Option<String>,
    /// Set how long changes are held back: goes with --delay
    #[arg(short = 'Y', long)]
    update_delay: bool,
    /// Print the value
    #[arg(short = 'Q', long)]
    query: bool,
    /// Remove the attribute
    #[arg(short = 'D', long)]
    delete: bool,
    /// Write changes that are held back
    #[arg(short = 'R', long)]
    refresh: bool,
    /// How long changes are held back after the last one. With --update, for a new attribute only
    #[arg(short = 'd', long, value_name = "TIME")]
    delay: Option<String>,
    /// The node; this one by default
    #[arg(short = 'N', long, value_name = "NODE")]
    node: Option<String>,
    /// With --query: values of all nodes
    #[arg(short = 'A', long)]
    all: bool,
    /// Set of attributes, by id, that a new attribute goes to
    #[arg(short = 's', long, value_name = "ID")]
    set: Option<String>,
    /// Section: only status, where these attributes are anyway
    #[arg(short = 'S', long, value_name = "SECTION")]
    section: Option<String>,
    /// Has no effect: these attributes last until the node leaves
    #[arg(short = 'l', long, value_name = "TIME", hide = true)]
    lifetime: Option<String>,
    /// A capacity of the node (not possible here)
    #[arg(short = 'z', long, hide = true)]
    utilization: bool,
    /// Keep a new attribute out of the CIB
    #[arg(short = 'p', long)]
    private: bool,
    /// Wait until the change is known: no, local (also what is done else) or cluster
    #[arg(short = 'W', long, value_name = "WHERE")]
    wait: Option<String>,
    /// Print nothing but what was asked for
    #[arg(short = 'q', long)]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Words that parameters of old agents may carry along
    #[arg(hide = true)]
    ignored: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `attrd_updater`.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            let commands = ["query", "update", "update_both", "delete"];
            perform(session, args, args::last_given::<Args>(session, words, &commands))
        },
    )
}

fn perform(session: &mut Session<'_>, args: &Args, last: Option<&str>) -> anyhow::Result<Report> {
    if args.refresh {
        Cluster::open(session)?.write_attributes()?;
        return Ok(Report::silent());
    }
    let name = args.name.as_deref().or(args.pattern.as_deref());
    let name = name.ok_or_else(|| Failed::usage("name the attribute with -n/--name or -P/--pattern"))?;
    check_terms(args, last)?;
    let delay = args.delay.as_deref().map(systole_types::parse_duration).transpose();
    let delay = delay.map_err(|error| Failed::usage(format!("--delay: {error}")))?;
    let value = match last {
        Some("update") => args.update.clone(),
        Some("update_both") => args.update_both.clone(),
        Some("delete") => None,
        Some("query") => return query(session, args, name),
        _ if args.update_delay && delay.is_none() => {
            return Err(Failed::usage("--update-delay needs to know the delay: name it with --delay"));
        }
        _ if args.update_delay => None,
        _ if args.pattern.is_some() => {
            return Err(Failed::usage("--pattern goes with a change: try --update or --delete"));
        }
        _ => return query(session, args, name),
    };
    let mut cluster = Cluster::open(session)?;
    let node = crm_attribute::target_node(session, &mut cluster, args.node.as_deref())?;
    let value = match value {
        // A daemon adds up by itself.
        Some(value) if !cluster.is_live() && (value.contains("++") || value.contains("+=")) => {
            let values = cluster.transient_values(name)?;
            let old = values.into_iter().find(|(at, _)| *at == node).map(|(_, value)| value);
            Some(crm_attribute::scored(&value, &old.unwrap_or_default()))
        }
        value => value,
    };
    cluster.update_attribute(AttributeUpdate {
        node,
        name: name.to_owned(),
        pattern: args.pattern.is_some(),
        value,
        keep_value: last.is_none(),
        delay_ms: delay.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)),
        delay_if_new: last == Some("update"),
        private: args.private,
        set: args.set.clone(),
        everywhere: args.wait.as_deref() == Some("cluster"),
    })?;
    Ok(Report::silent())
}

/// Refuses what would be promised and not kept.
fn check_terms(args: &Args, last: Option<&str>) -> anyhow::Result<()> {
    if args.section.as_deref().is_some_and(|section| section != "status") {
        let message = "--section: only status can be written here: crm_attribute writes the others";
        return Err(Failed::new(Exit::Unimplemented, message).into());
    }
    if args.utilization {
        let message = "--utilization: capacities that end with the node are not kept here: crm_attribute --utilization writes lasting ones";
        return Err(Failed::new(Exit::Unimplemented, message).into());
    }
    if args.pattern.is_some() && last == Some("query") {
        return Err(Failed::usage("--pattern goes with a change: query one attribute with --name"));
    }
    if args.all && last != Some("query") {
        return Err(Failed::usage("--all goes with --query: name one node with --node to change its value"));
    }
    match args.wait.as_deref() {
        None | Some("no" | "local" | "cluster") => Ok(()),
        Some(other) => Err(Failed::usage(format!("--wait cannot be {other:?}: use no, local or cluster"))),
    }
}

fn query(session: &mut Session<'_>, args: &Args, name: &str) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let only = match (&args.node, args.all) {
        (Some(node), _) => Some(node.clone()),
        (None, true) => None,
        (None, false) => Some(crm_attribute::target_node(session, &mut cluster, None)?),
    };
    let mut report = Report::silent();
    for (node, value) in cluster.transient_values(name)? {
        if only.as_deref().is_some_and(|only| only != node) {
            continue;
        }
        report.text.push_str(&format!("name=\"{name}\" host=\"{node}\" value=\"{value}\"\n"));
        report.trees.push(Tree::new("attribute").attr("name", name).attr("value", value).attr("host", node));
    }
    if report.trees.is_empty() {
        return Err(Failed::no_such(format!("Could not query value of {name}: attribute does not exist")));
    }
    Ok(report)
}
