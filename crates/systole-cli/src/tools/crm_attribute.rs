//! `crm_attribute`: node attributes, cluster options and their like.

mod place;
mod work;

pub use place::{Section, node_id, target_node};
pub use work::{perform, scored};

use crate::{
    Exit, Failed, Session, args,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::options;

/// Ask for and change node attributes and cluster options.
#[derive(Parser, Default, Clone)]
#[command(name = "crm_attribute", disable_version_flag = true)]
pub struct Args {
    /// Print the value (what is done if nothing else is asked for)
    #[arg(short = 'G', long, visible_alias = "get-value", help_heading = "Commands")]
    query: bool,
    /// Set the value
    #[arg(
        short = 'v',
        long,
        value_name = "VALUE",
        alias = "attr-value",
        allow_hyphen_values = true,
        help_heading = "Commands"
    )]
    update: Option<String>,
    /// Remove the attribute
    #[arg(short = 'D', long, alias = "delete-attr", help_heading = "Commands")]
    delete: bool,
    /// List cluster options (the only kind there is: cluster)
    #[arg(
        short = 'L',
        long,
        value_name = "KIND",
        num_args = 0..=1,
        default_missing_value = "cluster",
        conflicts_with_all = ["query", "update", "delete"],
        help_heading = "Commands"
    )]
    list_options: Option<String>,
    /// With --list-options: also those for experts
    #[arg(short = 'a', long, requires = "list_options")]
    all: bool,
    /// Name
    #[arg(short = 'n', long, value_name = "NAME", alias = "attr-name")]
    name: Option<String>,
    /// All attributes whose name matches
    #[arg(short = 'P', long, value_name = "REGEX")]
    pattern: Option<String>,
    /// The promotion score of a resource (by default the one whose agent calls this)
    #[arg(short = 'p', long, value_name = "RSC", num_args = 0..=1, default_missing_value = "")]
    promotion: Option<String>,
    /// The node: name (this node by default)
    #[arg(
        short = 'N',
        long,
        value_name = "NODE",
        visible_alias = "uname",
        alias = "node-uname",
        short_alias = 'U'
    )]
    node: Option<String>,
    /// Where: crm_config, nodes, status, rsc_defaults, op_defaults
    #[arg(short = 't', long = "type", value_name = "SECTION", alias = "scope")]
    kind: Option<String>,
    /// For how long: reboot (status) or forever (nodes)
    #[arg(short = 'l', long, value_name = "TIME")]
    lifetime: Option<String>,
    /// A capacity of the node
    #[arg(short = 'z', long)]
    utilization: bool,
    /// The set of attributes, by id
    #[arg(short = 's', long, value_name = "ID")]
    set_name: Option<String>,
    /// The attribute, by id
    #[arg(short = 'i', long, value_name = "ID", alias = "id")]
    attr_id: Option<String>,
    /// Value if there is none
    #[arg(short = 'd', long, value_name = "VALUE", allow_hyphen_values = true)]
    default: Option<String>,
    /// Work out value++ and value+=3 (always)
    #[arg(long)]
    score: bool,
    /// Wait until the change is known: no, local or cluster (a change is known everywhere before this tool ends)
    #[arg(short = 'W', long, value_name = "WHERE", value_parser = ["no", "local", "cluster"])]
    wait: Option<String>,
    /// Print the value alone
    #[arg(short = 'q', long, short_alias = 'Q')]
    quiet: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Words that say nothing
    #[arg(hide = true)]
    ignored: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Print the value.
    Query,
    /// Set the value.
    Update(String),
    /// Remove the attribute.
    Delete,
}

/// A request: what, of which attribute, where.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be done.
    pub command: Command,
    /// Name; a query without one is about all attributes.
    pub name: Option<String>,
    /// Names that match.
    pub pattern: Option<String>,
    /// Where.
    pub section: Section,
    /// The node's name, where attributes belong to nodes.
    pub node: Option<String>,
    /// Capacities instead of attributes.
    pub utilization: bool,
    /// The set's id, if given.
    pub set_id: Option<String>,
    /// The pair's id, if given.
    pub pair_id: Option<String>,
    /// Value if there is none.
    pub default: Option<String>,
    /// Print the value alone.
    pub quiet: bool,
}

impl Request {
    /// A query of the node attribute `name` in a section.
    pub fn named(name: &str, section: Section) -> Self {
        Self {
            command: Command::Query,
            name: Some(name.to_owned()),
            pattern: None,
            section,
            node: None,
            utilization: false,
            set_id: None,
            pair_id: None,
            default: None,
            quiet: false,
        }
    }
}

fn list_options(kind: &str, all: bool) -> anyhow::Result<Report> {
    if kind != "cluster" {
        let message = format!("Invalid --list-options value '{kind}'. Allowed values: cluster");
        return Err(Failed::usage(message));
    }
    Ok(Report::new(options::text(&options::CLUSTER, all), options::tree(&options::CLUSTER)))
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &Args| &args.output,
        |session, args| {
            if let Some(kind) = &args.list_options {
                return list_options(kind, args.all);
            }
            let request = request(session, words, args.clone())?;
            perform(session, request)
        },
    )
}

/// Of options that say the same thing in several ways, the last counts.
fn request(session: &Session<'_>, words: &[OsString], args: Args) -> anyhow::Result<Request> {
    let last = |names: &[&'static str]| args::last_given::<Args>(session, words, names);
    let is_promotion = last(&["name", "promotion"]) == Some("promotion");
    let name = match args.promotion {
        Some(resource) if is_promotion => Some(format!("master-{}", promotion_resource(session, resource)?)),
        _ => args.name,
    };
    let command = match (last(&["query", "update", "delete"]), args.update) {
        (Some("delete"), _) => Command::Delete,
        (Some("update"), Some(value)) => Command::Update(value),
        _ => Command::Query,
    };
    let section = match last(&["kind", "lifetime", "utilization"]) {
        Some("kind") => args.kind.as_deref().map(Section::named),
        Some("lifetime") => args.lifetime.as_deref().map(Section::named),
        Some("utilization") => Some(Section::Nodes),
        _ => None,
    };
    let section = match section {
        Some(section) => section,
        None if is_promotion => Section::Status,
        None if args.node.is_some() => Section::Nodes,
        None => Section::Options,
    };
    Ok(Request {
        command,
        name,
        pattern: args.pattern,
        section,
        node: args.node,
        utilization: args.utilization,
        set_id: args.set_name,
        pair_id: args.attr_id,
        default: args.default,
        quiet: args.quiet,
    })
}

/// The resource whose promotion score is meant: named, or by the environment of its agent.
pub fn promotion_resource(session: &Session<'_>, named: String) -> anyhow::Result<String> {
    let resource = if named.is_empty() { session.var("OCF_RESOURCE_INSTANCE") } else { Some(named) };
    resource.ok_or_else(|| {
        Failed::usage(
            "-p/--promotion must be called from an OCF resource agent or with a resource ID specified",
        )
    })
}
