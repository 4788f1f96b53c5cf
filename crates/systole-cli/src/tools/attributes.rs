//! Tools that are `crm_attribute` for one purpose: `crm_failcount`, `crm_master`, `crm_standby`, `attrd_updater`.

use super::{
    crm_attribute::{self, Command, Request, Section, promotion_resource},
    crm_resource,
};
use crate::{
    Cluster, Exit, Failed, Session,
    args::{self, Stray},
    edit,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::tree::Tree;
use systole_types::Score;
use systole_wire::api::{AttributeUpdate, FailedOperation};

/// Show or remove fail counts.
#[derive(Parser, Default)]
#[command(name = "crm_failcount", disable_version_flag = true)]
struct FailcountArgs {
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
pub fn failcount(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &FailcountArgs| &args.output, failcount_report)
}

fn failcount_report(session: &mut Session<'_>, args: &FailcountArgs) -> anyhow::Result<Report> {
    args.stray.tell(session);
    let resource = args.resource.as_deref().ok_or_else(|| Failed::usage("resource name required"))?;
    let interval = match (&args.operation, &args.interval) {
        (None, Some(_)) => return Err(Failed::usage("--interval goes with --operation: name the operation")),
        (_, text) => text.as_deref().map(systole_types::parse_duration).transpose(),
    };
    let interval = interval.map_err(|error| Failed::usage(format!("--interval: {error}")))?;
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
    let state = edit::section(&document, "status")
        .into_iter()
        .flat_map(|status| status.children())
        .find(|state| state.id() == Some(uuid.as_str()));
    let name = format!("fail-count-{resource}");
    let of_operation = args
        .operation
        .as_ref()
        .map(|operation| format!("{name}#{operation}_{}", interval.unwrap_or_default().as_millis()));
    let is_meant = |found: &str| match &of_operation {
        Some(wanted) => found == wanted,
        None => found.strip_prefix(&name).is_some_and(|rest| rest.starts_with('#')),
    };
    let sum = |is_meant: &dyn Fn(&str) -> bool| {
        let pairs = state.into_iter().flat_map(|state| state.descendants()).filter(|pair| pair.is("nvpair"));
        let meant = pairs.filter(|pair| pair.attr("name").is_some_and(is_meant));
        let counts = meant.filter_map(|pair| pair.attr("value")?.parse::<Score>().ok());
        counts.fold(Score::ZERO, |total, count| total + count)
    };
    let mut total = sum(&is_meant);
    let mut shown = of_operation.clone().unwrap_or_else(|| name.clone());
    if total == Score::ZERO {
        // As it was written before operations were counted apart.
        total = sum(&|found| found == name);
        if total != Score::ZERO {
            shown = name;
        }
    }
    let text =
        if args.quiet { format!("{total}\n") } else { format!("scope=status  name={shown} value={total}\n") };
    let tree = Tree::new("attribute").attr("name", shown).attr("value", total.to_string());
    Ok(Report::new(text, tree.attr("scope", "status")))
}

/// An operation whose failures are meant.
pub(super) fn failed_operation(name: &str, interval: Option<std::time::Duration>) -> FailedOperation {
    let interval_ms = interval.unwrap_or_default().as_millis();
    FailedOperation { name: name.to_owned(), interval_ms: u64::try_from(interval_ms).unwrap_or(u64::MAX) }
}

/// What is asked of one attribute, the same words for a promotion score and for standby.
#[derive(clap::Args, Default)]
struct OneAttribute {
    /// Print the value
    #[arg(short = 'G', long, alias = "get-value")]
    query: bool,
    /// Set the value
    #[arg(short = 'v', long, value_name = "VALUE", allow_hyphen_values = true, alias = "attr-value")]
    update: Option<String>,
    /// Remove the attribute
    #[arg(short = 'D', long, alias = "delete-attr")]
    delete: bool,
    /// The node; this one by default
    #[arg(short = 'N', long, value_name = "NODE", visible_alias = "uname", short_alias = 'U')]
    node: Option<String>,
    /// reboot or forever
    #[arg(short = 'l', long, value_name = "TIME")]
    lifetime: Option<String>,
    /// The attribute, by id
    #[arg(short = 'i', long, value_name = "ID", alias = "attr-id")]
    id: Option<String>,
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

impl OneAttribute {
    /// Of several commands the last counts.
    fn command<T: Parser>(&self, session: &Session<'_>, words: &[OsString]) -> Command {
        match (args::last_given::<T>(session, words, &["query", "update", "delete"]), &self.update) {
            (Some("delete"), _) => Command::Delete,
            (Some("update"), Some(value)) => Command::Update(value.clone()),
            _ => Command::Query,
        }
    }

    /// The request about the attribute `name` in a section.
    fn request(&self, name: &str, command: Command, section: Section) -> Request {
        Request {
            command,
            node: self.node.clone(),
            pair_id: self.id.clone(),
            quiet: self.quiet,
            ..Request::named(name, section)
        }
    }
}

/// Show, set or remove a resource's promotion score (deprecated: use crm_attribute --promotion).
#[derive(Parser, Default)]
#[command(name = "crm_master", disable_version_flag = true)]
struct MasterArgs {
    /// The resource; by default the one whose agent calls this
    #[arg(short = 'r', long, value_name = "ID")]
    resource: Option<String>,
    #[command(flatten)]
    attribute: OneAttribute,
}

/// Runs `crm_master`.
pub fn master(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    let exit = runner::run(
        session,
        words,
        |args: &MasterArgs| &args.attribute.output,
        |session, args| {
            args.attribute.stray.tell(session);
            let resource = args.resource.clone().unwrap_or_default();
            let resource = promotion_resource(session, resource)
                .map_err(|_| Failed::new(Exit::Error, "No resource specified"))?;
            let attribute = &args.attribute;
            let command = attribute.command::<MasterArgs>(session, words);
            let section = Section::named(attribute.lifetime.as_deref().unwrap_or("forever"));
            crm_attribute::perform(
                session,
                attribute.request(&format!("master-{resource}"), command, section),
            )
        },
    );
    exit.map(of_script)
}

/// Pacemaker's scripts have their own exit code for a command line that makes no sense.
fn of_script(exit: Exit) -> Exit {
    if exit == Exit::Usage { Exit::Error } else { exit }
}

/// Show, set or remove a node's standby mode: on or off.
#[derive(Parser, Default)]
#[command(name = "crm_standby", disable_version_flag = true)]
struct StandbyArgs {
    #[command(flatten)]
    attribute: OneAttribute,
}

/// Runs `crm_standby`.
pub fn standby(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    let exit = runner::run(
        session,
        words,
        |args: &StandbyArgs| &args.attribute.output,
        |session, args| {
            args.attribute.stray.tell(session);
            check_switch(args.attribute.update.as_deref())?;
            standby_report(session, &args.attribute, words)
        },
    );
    exit.map(of_script)
}

/// Where no lifetime is given, a query tells of what is permanent before what is not, and a removal is about both.
fn standby_report(
    session: &mut Session<'_>,
    args: &OneAttribute,
    words: &[OsString],
) -> anyhow::Result<Report> {
    let command = args.command::<StandbyArgs>(session, words);
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

/// Show, set or remove node attributes that are gone with the node's next reboot.
#[derive(Parser, Default)]
#[command(name = "attrd_updater", disable_version_flag = true)]
struct UpdaterArgs {
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
pub fn updater(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &UpdaterArgs| &args.output,
        |session, args| {
            let commands = ["query", "update", "update_both", "delete"];
            update_or_query(session, args, args::last_given::<UpdaterArgs>(session, words, &commands))
        },
    )
}

fn update_or_query(
    session: &mut Session<'_>,
    args: &UpdaterArgs,
    last: Option<&str>,
) -> anyhow::Result<Report> {
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
        Some("query") => return updater_query(session, args, name),
        _ if args.update_delay && delay.is_none() => {
            return Err(Failed::usage("--update-delay needs to know the delay: name it with --delay"));
        }
        _ if args.update_delay => None,
        _ if args.pattern.is_some() => {
            return Err(Failed::usage("--pattern goes with a change: try --update or --delete"));
        }
        _ => return updater_query(session, args, name),
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
fn check_terms(args: &UpdaterArgs, last: Option<&str>) -> anyhow::Result<()> {
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

fn updater_query(session: &mut Session<'_>, args: &UpdaterArgs, name: &str) -> anyhow::Result<Report> {
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
