//! `crm_mon`: the cluster's state.

pub mod sections;

use crate::{
    Cluster, Exit, Failed, Session,
    args::{self, Parsed},
    report::{self, Form, OutputArgs, Report},
    view::{self, View},
};
use clap::Parser;
use std::{collections::BTreeSet, ffi::OsString, time::Duration};
use systole_output::{
    status::{ListOptions, Page, Section, TextOptions, status_html, status_text, status_tree},
    tree::Tree,
};
use systole_scheduler::Overview;

/// Show the state of the cluster.
#[derive(Parser, Default)]
#[command(name = "crm_mon", disable_version_flag = true)]
pub struct Args {
    /// Show the state once and exit
    #[arg(short = '1', long)]
    pub one_shot: bool,
    /// Inactive resources too
    #[arg(short = 'r', long)]
    pub inactive: bool,
    /// Leave out inactive resources (undoes --inactive)
    #[arg(long)]
    pub hide_inactive: bool,
    /// Resources below the nodes they are on
    #[arg(short = 'n', long)]
    pub group_by_node: bool,
    /// Node attributes
    #[arg(short = 'A', long)]
    pub show_node_attributes: bool,
    /// Fail counts
    #[arg(short = 'f', long)]
    pub failcounts: bool,
    /// Operation history
    #[arg(short = 'o', long)]
    pub operations: bool,
    /// Operation history with times
    #[arg(short = 't', long)]
    pub timing_details: bool,
    /// Tickets
    #[arg(short = 'c', long)]
    pub tickets: bool,
    /// Location constraints that ban (only ids that begin with PREFIX, if given)
    #[arg(short = 'L', long, value_name = "PREFIX", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub neg_locations: Option<String>,
    /// Fencing history (there is none yet; taken for compatibility)
    #[arg(short = 'm', long, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "2")]
    pub fence_history: Option<u8>,
    /// Details: ids of nodes, every instance, every part of a bundle
    #[arg(short = 'R', long)]
    pub show_detail: bool,
    /// Descriptions of resources
    #[arg(long)]
    pub show_description: bool,
    /// Counts only
    #[arg(short = 'b', long)]
    pub brief: bool,
    /// No heading
    #[arg(short = 'D', long)]
    pub hide_headers: bool,
    /// Operations under way (always shown; taken for compatibility)
    #[arg(short = 'j', long)]
    pub pending: bool,
    /// Sections to show besides: all, none, default, summary, nodes, resources, attributes, operations, failcounts,
    /// failures, tickets, bans, options, counts, dc, stack, times, maint-mode
    #[arg(short = 'I', long, value_name = "SECTION", value_delimiter = ',')]
    pub include: Vec<String>,
    /// Sections not to show
    #[arg(short = 'U', long, value_name = "SECTION", value_delimiter = ',')]
    pub exclude: Vec<String>,
    /// Only this node, or nodes of this tag
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
    /// Only this resource, or resources of this tag
    #[arg(long, value_name = "RSC")]
    pub resource: Option<String>,
    /// The state as one line of old XML (deprecated: use --output-as=xml)
    #[arg(short = 'X', long)]
    pub as_xml: bool,
    /// With --output-as=html: the page's title
    #[arg(long, value_name = "TITLE")]
    pub html_title: Option<String>,
    /// With --output-as=html: the address of a style sheet
    #[arg(long, value_name = "ADDRESS")]
    pub html_stylesheet: Option<String>,
    /// Look again at least that often
    #[arg(short = 'i', long, value_name = "TIME", default_value = "5s")]
    pub interval: String,
    /// Do not take the terminal over (nothing here does; taken for compatibility)
    #[arg(short = 'N', long)]
    pub disable_ncurses: bool,
    /// Less
    #[arg(short = 'Q', long)]
    pub quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Say first what is dangerous or broken
    #[arg(skip)]
    pub warnings: bool,
    /// Tell that there is no DC whatever is to be shown, as Pacemaker's tool does.
    #[arg(skip)]
    pub tells_missing_dc: bool,
    /// What --include and --exclude say, in the order in which they were given.
    #[arg(skip)]
    pub sections: Vec<sections::Wish>,
    /// Form of the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs the tool.
///
/// # Errors
/// If the cluster cannot be looked at.
pub fn run(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Exit> {
    let words = &joined(args)[..];
    let mut args: Args = match args::parse_tool(session, words)? {
        Parsed::Go(args) => args,
        Parsed::Over(exit) => return Ok(exit),
    };
    args.tells_missing_dc = true;
    args.sections = args::in_order::<Args>(session, words, &["include", "exclude"])
        .into_iter()
        .map(|(option, name)| sections::Wish { is_included: option == "include", name })
        .collect();
    show(session, args)
}

/// The words with values of options that may have one joined to them: `-m 3` as `-m=3`.
fn joined(words: &[OsString]) -> Vec<OsString> {
    let mut joined: Vec<OsString> = Vec::new();
    for word in words {
        let text = word.to_string_lossy();
        let attached = ["-m", "-L"].iter().find_map(|option| {
            let value =
                text.strip_prefix(option).filter(|value| !value.is_empty() && !value.starts_with('='))?;
            Some(format!("{option}={value}"))
        });
        if let Some(attached) = attached {
            joined.push(OsString::from(attached));
            continue;
        }
        let takes_it = joined.last().is_some_and(|last| {
            ["-m", "--fence-history", "-L", "--neg-locations"].iter().any(|option| last == option)
        });
        match joined.last_mut() {
            Some(last) if takes_it && !word.to_string_lossy().starts_with('-') => {
                last.push("=");
                last.push(word);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined
}

/// Shows the state, once or (of a running cluster, on a terminal) again and again.
///
/// # Errors
/// If the cluster cannot be looked at.
pub fn show(session: &mut Session<'_>, mut args: Args) -> anyhow::Result<Exit> {
    if args.as_xml {
        args.output.output_as = Some("xml".to_owned());
    }
    let result = follow(session, &args);
    match result {
        Ok(exit) => Ok(exit),
        Err(error) => report::emit_error(session, &args.output, error),
    }
}

fn follow(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    let sections = sections::chosen(args)?;
    let interval = systole_types::parse_duration(&args.interval)
        .map_err(|error| Failed::usage(format!("--interval: {error}")))?
        .max(Duration::from_millis(100));
    let mut cluster = Cluster::open(session)?;
    let again = !args.one_shot
        && args.output.form() == Form::Text
        && args.output.output_to.is_none()
        && session.on_terminal
        && cluster.is_live();
    if again {
        cluster.subscribe()?;
    }
    loop {
        let view = view::look(session, &mut cluster)?;
        let mut sections = sections.clone();
        if args.tells_missing_dc && view.overview.summary.dc.is_none() {
            sections.insert(Section::Dc);
        }
        let options = TextOptions {
            list: list_options(args, &view),
            sections,
            timing: args.timing_details,
            failure_detail: args.show_detail,
            ban_prefix: args.neg_locations.clone().unwrap_or_default(),
            now: session.now,
            utc_offset: session.utc_offset,
        };
        let overview = &view.overview;
        let mut report = Report {
            text: status_text(overview, &options),
            trees: if args.output.is_for_programs() { status_tree(overview, &options) } else { Vec::new() },
            html: (args.output.form() == Form::Html)
                .then(|| status_html(overview, &options, &page(args, interval))),
            is_legacy: args.as_xml,
            ..Report::default()
        };
        if args.warnings {
            warn(&mut report, &warnings(&mut cluster, overview)?);
        }
        if !again {
            return report::emit(session, &args.output, report);
        }
        session.print(&format!("\x1b[H\x1b[2J{}", report.text))?;
        session.out.flush()?;
        cluster.next_change(interval)?;
        session.now = crate::session::system_time();
    }
}

fn page(args: &Args, interval: Duration) -> Page {
    let refresh = Some(interval.as_secs()).filter(|_| !args.one_shot);
    Page { title: args.html_title.clone(), stylesheet: args.html_stylesheet.clone(), refresh }
}

/// What an administrator should know before anything else.
fn warnings(cluster: &mut Cluster, overview: &Overview) -> anyhow::Result<Vec<String>> {
    let mut warnings = Vec::new();
    if !overview.summary.fencing_enabled {
        warnings.push(
            "data is at risk: fencing is disabled, so after a failure two nodes may write to the same data \
             (fencing-enabled=false)"
                .to_owned(),
        );
    }
    if !cluster.is_live() {
        return Ok(warnings);
    }
    let node = cluster.node()?;
    if !node.has_quorum {
        warnings.push(format!("the partition of {} has no quorum: {}", node.node, node.members.join(" ")));
    }
    if node.dc.is_none() {
        warnings.push("no DC has been elected yet: nothing is scheduled".to_owned());
    }
    if !node.executor {
        warnings.push(format!(
            "systole-execd does not answer on {}: nothing is started or stopped there",
            node.node
        ));
    }
    if let Some(error) = &node.disk_error {
        warnings.push(format!("{} cannot keep its CIB on disk: {error}", node.node));
    }
    Ok(warnings)
}

/// Puts warnings first.
fn warn(report: &mut Report, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    let lines: String = warnings.iter().map(|warning| format!("WARNING: {warning}\n")).collect();
    report.text = format!("{lines}\n{}", report.text);
    let tree =
        Tree::new("warnings").children(warnings.iter().map(|text| Tree::with_text("warning", text.as_str())));
    report.trees.insert(0, tree);
}

fn list_options(args: &Args, view: &View) -> ListOptions {
    ListOptions {
        inactive: (args.inactive || args.output.is_for_programs()) && !args.hide_inactive,
        detail: args.show_detail,
        describe: args.show_description,
        brief: args.brief,
        group_by_node: args.group_by_node,
        hide_nodes: false,
        nodes: args.node.as_deref().and_then(|name| sections::nodes_named(view, name)),
        resources: args.resource.as_deref().map(|name| sections::resources_named(view, name)),
    }
}

/// A set of names.
type Names = BTreeSet<String>;
