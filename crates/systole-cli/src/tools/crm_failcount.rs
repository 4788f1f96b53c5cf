//! `crm_failcount`: how often a resource has failed on a node.

use super::{crm_attribute, crm_resource};
use crate::{
    Cluster, Exit, Failed, Session,
    args::Stray,
    edit,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::{ffi::OsString, time::Duration};
use systole_cib::xml::Document;
use systole_output::tree::Tree;
use systole_types::Score;
use systole_wire::api::FailedOperation;

/// Show or remove fail counts.
#[derive(Parser, Default)]
#[command(name = "crm_failcount", disable_version_flag = true)]
struct Args {
    /// Print the fail count
    #[arg(short = 'G', long, alias = "get-value")]
    query: bool,
    /// Forget failures
    #[arg(short = 'D', long, alias = "delete-attr")]
    delete: bool,
    /// Forget failures, as agents of former days do by setting 0
    #[arg(short = 'v', long, value_name = "VALUE", hide = true)]
    attr_value: Option<String>,
    /// Have no effect
    #[arg(short = 'i', long, value_name = "ID", hide = true)]
    attr_id: Option<String>,
    #[arg(short = 'l', long, value_name = "TIME", hide = true)]
    lifetime: Option<String>,
    /// The resource
    #[arg(short = 'r', long, value_name = "ID", alias = "resource-id")]
    resource: Option<String>,
    /// Of this operation only
    #[arg(short = 'n', long, value_name = "NAME")]
    operation: Option<String>,
    /// With --operation: repeated at this interval
    #[arg(short = 'I', long, value_name = "TIME")]
    interval: Option<String>,
    /// The node; this one by default
    #[arg(short = 'N', long, value_name = "NODE", visible_alias = "uname", short_alias = 'U')]
    node: Option<String>,
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

/// Runs `crm_failcount`.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    args.stray.tell(session);
    let resource = args.resource.as_deref().ok_or_else(|| Failed::usage("resource name required"))?;
    let interval = interval(args)?;
    for (word, _) in
        [("-i", args.attr_id.is_some()), ("-l", args.lifetime.is_some())].iter().filter(|(_, given)| *given)
    {
        session.complain(&format!("warning: ignoring deprecated option '{word}'"));
    }
    let is_zero = args.attr_value.as_deref() == Some("0");
    if args.attr_value.is_some() && !is_zero {
        return Err(Failed::usage("a fail count cannot be set, only forgotten: with --delete"));
    }
    let deletes = args.delete || is_zero;
    if !args.query && !deletes {
        return Err(Failed::usage("must specify a command"));
    }
    let mut cluster = Cluster::open(session)?;
    let node = match &args.node {
        Some(node) => node.clone(),
        None if !cluster.is_live() => return Err(Failed::usage("node name required")),
        None => cluster.local_node(session)?,
    };
    if deletes {
        let operation = args.operation.as_deref().map(|name| failed_operation(name, interval));
        return crm_resource::forget_failures(session, resource, &node, operation);
    }
    let document = cluster.cib()?;
    let (uuid, ..) = crm_attribute::node_id(&document, &node)?;
    let (name, total) = count(&document, &uuid, resource, args.operation.as_deref(), interval);
    let text =
        if args.quiet { format!("{total}\n") } else { format!("scope=status  name={name} value={total}\n") };
    let tree = Tree::new("attribute").attr("name", name).attr("value", total.to_string());
    Ok(Report::new(text, tree.attr("scope", "status")))
}

fn interval(args: &Args) -> anyhow::Result<Option<Duration>> {
    let Some(text) = &args.interval else { return Ok(None) };
    if args.operation.is_none() {
        return Err(Failed::usage("--interval goes with --operation: name the operation"));
    }
    let interval = systole_types::parse_duration(text);
    interval.map(Some).map_err(|error| Failed::usage(format!("--interval: {error}")))
}

/// How often a resource has failed on the node of that id (of one operation, if asked for), with the name of what counts it.
fn count(
    document: &Document,
    node: &str,
    resource: &str,
    operation: Option<&str>,
    interval: Option<Duration>,
) -> (String, Score) {
    let state = edit::section(document, "status")
        .into_iter()
        .flat_map(|status| status.children())
        .find(|state| state.id() == Some(node));
    let sum = |is_meant: &dyn Fn(&str) -> bool| {
        let pairs = state.into_iter().flat_map(|state| state.descendants()).filter(|pair| pair.is("nvpair"));
        let meant = pairs.filter(|pair| pair.attr("name").is_some_and(is_meant));
        let counts = meant.filter_map(|pair| pair.attr("value")?.parse::<Score>().ok());
        counts.fold(Score::ZERO, |total, count| total + count)
    };
    // As it was written before operations were counted apart.
    let former = format!("fail-count-{resource}");
    let of_operation = operation
        .map(|operation| format!("{former}#{operation}_{}", interval.unwrap_or_default().as_millis()));
    let total = match &of_operation {
        Some(wanted) => sum(&|found| found == wanted),
        None => sum(&|found| found.strip_prefix(&former).is_some_and(|rest| rest.starts_with('#'))),
    };
    if total != Score::ZERO {
        return (of_operation.unwrap_or(former), total);
    }
    match sum(&|found| found == former) {
        Score::ZERO => (of_operation.unwrap_or(former), Score::ZERO),
        total => (former, total),
    }
}

/// An operation whose failures are meant.
pub(super) fn failed_operation(name: &str, interval: Option<Duration>) -> FailedOperation {
    let interval_ms = interval.unwrap_or_default().as_millis();
    FailedOperation { name: name.to_owned(), interval_ms: u64::try_from(interval_ms).unwrap_or(u64::MAX) }
}
