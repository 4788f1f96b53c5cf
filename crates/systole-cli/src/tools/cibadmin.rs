//! `cibadmin`: asks for and changes the CIB, or parts of it.

use crate::{
    Cluster, Exit, Failed, Session,
    cluster::parse,
    edit,
    report::{OutputArgs, Report},
    runner,
};
use anyhow::Context as _;
use clap::Parser;
use std::{ffi::OsString, path::PathBuf, time::Duration};
use systole_cib::{
    acl::{self, Acl},
    ops::{CibAction, CibCall, CibOptions, Scope},
    schema::Schema,
    upgrade,
    xml::{Document, Element},
    xpath::XPathError,
};
use systole_link::groups_of;
use systole_output::{
    access::{Look, rendered},
    tree::Tree,
};
use systole_types::FEATURE_SET;

/// Ask for and change the cluster's configuration and status.
#[derive(Parser, Default)]
#[command(name = "cibadmin", disable_version_flag = true, disable_help_flag = true)]
pub struct Args {
    /// Bring the configuration to the newest schema
    #[arg(short = 'u', long, help_heading = "Commands")]
    upgrade: bool,
    /// Print the CIB or a part of it
    #[arg(short = 'Q', long, help_heading = "Commands")]
    query: bool,
    /// Empty the configuration and the status (needs --force)
    #[arg(short = 'E', long, help_heading = "Commands")]
    erase: bool,
    /// Count the configuration's version up
    #[arg(short = 'B', long, help_heading = "Commands")]
    bump: bool,
    /// Add an element; it must not exist yet
    #[arg(short = 'C', long, help_heading = "Commands")]
    create: bool,
    /// Change attributes of existing elements
    #[arg(short = 'M', long, help_heading = "Commands")]
    modify: bool,
    /// Apply a patchset made by crm_diff
    #[arg(short = 'P', long, help_heading = "Commands")]
    patch: bool,
    /// Put an element in the place of the one with its id
    #[arg(short = 'R', long, help_heading = "Commands")]
    replace: bool,
    /// Remove the first element that fits
    #[arg(short = 'D', long, help_heading = "Commands")]
    delete: bool,
    /// Remove all elements that fit
    #[arg(short = 'd', long, help_heading = "Commands")]
    delete_all: bool,
    /// Print an empty CIB, in this schema
    #[arg(short = 'a', long, value_name = "SCHEMA", num_args = 0..=1, default_missing_value = "pacemaker-4.0", help_heading = "Commands")]
    empty: Option<String>,
    /// Print the digest of a CIB given as XML, as it is on disk
    #[arg(short = '5', long, help_heading = "Commands")]
    md5_sum: bool,
    /// Print the CIB with what --user may see and change of it
    #[arg(short = 'S', long, value_name = "LOOK", num_args = 0..=1, default_missing_value = "auto", value_parser = ["auto", "text", "color", "namespace"], help_heading = "Commands")]
    show_access: Option<String>,
    /// Print the digest of a CIB given as XML, as nodes compare it
    #[arg(short = '6', long, help_heading = "Commands")]
    md5_sum_versioned: bool,
    /// Only this section: configuration, nodes, resources, constraints, crm_config, status, tags...
    #[arg(short = 'o', long, value_name = "SECTION")]
    scope: Option<String>,
    /// Only what this XPath finds
    #[arg(short = 'A', long, value_name = "XPATH")]
    xpath: Option<String>,
    /// With --query and --xpath: print paths of elements instead of elements
    #[arg(short = 'e', long, alias = "get-node-path")]
    node_path: bool,
    /// With --query: leave children out
    #[arg(short = 'n', long)]
    no_children: bool,
    /// With --modify: create what is missing
    #[arg(short = 'c', long)]
    allow_create: bool,
    /// Accepted, without effect: value="value++" and value="value+=3" are always worked out
    #[arg(long)]
    score: bool,
    /// XML in a file
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<PathBuf>,
    /// XML on the command line
    #[arg(short = 'X', long, value_name = "XML", allow_hyphen_values = true)]
    xml_text: Option<String>,
    /// XML on standard input
    #[arg(short = 'p', long)]
    xml_pipe: bool,
    /// Also what is dangerous, and without quorum
    #[arg(short = 'f', long)]
    force: bool,
    /// Ask this node (has no effect: every node has the same CIB)
    #[arg(short = 'N', long, value_name = "NODE", hide = true)]
    node: Option<String>,
    /// Ask the local copy (always; taken for compatibility)
    #[arg(short = 'l', long)]
    local: bool,
    /// Wait for the change (always; taken for compatibility)
    #[arg(short = 's', long)]
    sync_call: bool,
    /// How long to wait for an answer, in seconds [default: 60]
    #[arg(short = 't', long, value_name = "SECONDS", allow_negative_numbers = true)]
    timeout: Option<i32>,
    /// Act as this user
    #[arg(short = 'U', long, value_name = "USER")]
    user: Option<String>,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print this help
    #[arg(short = '?', long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform_and_warn)
}

/// A scope that is none is told, and taken all the same.
fn perform_and_warn(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let result = perform(session, args);
    let wrong = args.scope.as_deref().filter(|scope| args.xpath.is_none() && !Scope::is_section(scope));
    let Some(scope) = wrong else { return result };
    let warning = format!("Invalid value '{scope}' for '--scope'. Operation will apply to the entire CIB");
    let (mut report, error) = match result {
        Ok(report) => (report, None),
        Err(error) => (Report::silent().ending(crate::exit::exit_of(&error)), Some(error)),
    };
    report.errors.insert(0, warning);
    report.errors.extend(error.map(|error| format!("cibadmin: {error:#}")));
    Ok(report)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    if let Some(schema) = &args.empty {
        let text = empty_cib(schema);
        return Ok(Report::new(text.clone(), Tree::with_cdata("output", text)));
    }
    if args.md5_sum || args.md5_sum_versioned {
        let text = input(session, args)?
            .ok_or_else(|| Failed::usage("--md5-sum needs XML: give --xml-text, --xml-file or --xml-pipe"))?;
        let document = parse(text.into_bytes(), "input")?;
        let digest = if args.md5_sum_versioned {
            systole_cib::digest::of_document(&document)
        } else {
            systole_cib::digest::on_disk(document.root())
        };
        return Ok(Report::new(format!("{digest}\n"), Tree::new("md5-sum").attr("digest", digest.as_str())));
    }
    if let Some(look) = &args.show_access {
        return show_access(session, args, look);
    }
    if let Some(user) = &args.user {
        session.env.insert(OsString::from("CIB_user"), OsString::from(user));
    }
    session.answer_limit = answer_limit(args);
    let action = action(args)?;
    if args.node_path && action == CibAction::Query {
        return match paths(&mut Cluster::open(session)?, args) {
            Err(error) if args.output.is_for_programs() => Err(for_programs(error)),
            result => result,
        };
    }
    let xml = input(session, args)?;
    let given = xml.clone();
    match nowhere(session, args, action, given.as_deref()) {
        Ok(None) => {}
        Ok(Some(report)) => return Ok(report),
        Err(error) if args.output.is_for_programs() => return Err(for_programs(error)),
        Err(error) => return Err(error),
    }
    let report = apply(
        session,
        Request {
            action,
            scope: args.scope.clone(),
            xpath: args.xpath.clone(),
            xml,
            allow_create: args.allow_create,
            no_children: args.no_children,
            // With and without --score, as Pacemaker's cibadmin.
            expand_scores: true,
            force: args.force,
        },
    );
    match report {
        Err(error) if action == CibAction::Create => exists_already(error, given.as_deref()),
        Err(error) if args.output.is_for_programs() => Err(for_programs(error)),
        report => report,
    }
}

/// What comes of a call about a section that is not there: nothing is deleted, and nothing can be put in. `None` if it is there,
/// or is made.
fn nowhere(
    session: &mut Session<'_>,
    args: &Args,
    action: CibAction,
    input: Option<&str>,
) -> anyhow::Result<Option<Report>> {
    let Some(scope) = args.scope.as_deref().filter(|_| args.xpath.is_none()) else { return Ok(None) };
    // That a section that every CIB has cannot be seen is a matter of permissions.
    let is_there = matches!(scope, "all" | "cib") || Scope::is_required_section(scope);
    if is_there || Scope::is_section(scope) && action == CibAction::Query {
        return Ok(None);
    }
    let is_there = edit::section(&Cluster::open(session)?.cib()?, scope).is_some();
    if is_there || Scope::is_section(scope) && action == CibAction::Modify {
        return Ok(None);
    }
    let report = match (action, input) {
        (CibAction::Query, _) => return Err(Failed::no_such(format!("there is no section {scope:?}"))),
        (CibAction::Delete, _) => Report::silent(),
        (CibAction::Create, Some(input)) => {
            let document = Document::parse(input)?;
            let root = document.root();
            // What would be put in is the section's content, if the section itself is given.
            let first = if root.is(scope) { root.children().next() } else { Some(root) };
            let Some(first) = first else { return Ok(Some(Report::silent())) };
            let mut report = not_created(first, "Invalid argument");
            report.errors.push("cibadmin: CIB API call failed: Invalid argument".to_owned());
            report.ending(Exit::Software)
        }
        (CibAction::Replace, Some(input)) if Document::parse(input)?.root().is(scope) => {
            return Err(Failed::no_such(format!("there is no section {scope:?}")));
        }
        (CibAction::Create | CibAction::Modify | CibAction::Replace, _) => {
            return Err(Failed::new(Exit::Software, "CIB API call failed: Invalid argument").into());
        }
        _ => return Ok(None),
    };
    Ok(Some(report))
}

/// What programs look for in place of our own words on why a call failed.
fn for_programs(error: anyhow::Error) -> anyhow::Error {
    let Some(failed) = error.downcast_ref::<Failed>() else { return error };
    let Some(words) = failed.exit.call_text() else { return error };
    Failed::new(failed.exit, format!("CIB API call failed: {words}")).into()
}

/// The CIB with what a user may see and change of it. The list does not have to be in force.
fn show_access(session: &mut Session<'_>, args: &Args, look: &str) -> anyhow::Result<Report> {
    let user = args.user.as_deref();
    let user = user.ok_or_else(|| Failed::usage("-U/--user is required with -S/--show-access"))?;
    let document = Cluster::open(session)?.cib()?;
    let refusal = |why: &str| Failed::new(Exit::Config, format!("Could not evaluate ACLs for {user}: {why}"));
    if acl::is_privileged(user) {
        return Err(refusal("Already in requested state").into());
    }
    let schema = document.root().attr("validate-with").and_then(Schema::named);
    if schema.is_some_and(|schema| schema < Schema::V2_0) {
        return Err(refusal("access control lists of schemas before pacemaker-2.0 cannot be shown").into());
    }
    let look = match look {
        "color" => Look::Color,
        "namespace" => Look::Namespace,
        "auto" if session.on_terminal => Look::Color,
        _ => Look::Text,
    };
    let marks = Acl::of(&document, user, &groups_of(user)).marks(&document);
    let text = rendered(&document, user, &marks, look);
    let tree = Tree::with_cdata("output", text.trim_end());
    Ok(Report::new(text, tree))
}

/// No time at all is no limit that was meant.
fn answer_limit(args: &Args) -> Option<Duration> {
    let seconds = args.timeout.and_then(|seconds| u64::try_from(seconds).ok());
    seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
}

/// What is asked for.
pub struct Request {
    /// What to do.
    pub action: CibAction,
    /// A section's name.
    pub scope: Option<String>,
    /// An XPath; counts rather than the section.
    pub xpath: Option<String>,
    /// The XML that goes with the action.
    pub xml: Option<String>,
    /// Modify may create.
    pub allow_create: bool,
    /// Query without children.
    pub no_children: bool,
    /// `x++` is worked out.
    pub expand_scores: bool,
    /// Also what is dangerous, and without quorum.
    pub force: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            action: CibAction::Query,
            scope: None,
            xpath: None,
            xml: None,
            allow_create: false,
            no_children: false,
            expand_scores: false,
            force: false,
        }
    }
}

/// Carries a request out.
///
/// # Errors
/// If it makes no sense, is dangerous, or the CIB cannot be changed; it is as it was then.
pub fn apply(session: &mut Session<'_>, request: Request) -> anyhow::Result<Report> {
    let is_dangerous = matches!(request.action, CibAction::Erase | CibAction::Upgrade | CibAction::DeleteAll);
    if is_dangerous && !request.force {
        return Err(Failed::new(
            Exit::Unsafe,
            "The supplied command is considered dangerous. To prevent accidental destruction of the cluster, \
             the --force flag is required in order to proceed.",
        )
        .into());
    }
    check_input(&request)?;
    let call = CibCall {
        action: request.action,
        scope: scope(&request),
        xml: request.xml,
        options: CibOptions {
            allow_create: request.allow_create,
            no_children: request.no_children,
            expand_scores: request.expand_scores,
        },
    };
    let mut cluster = Cluster::open(session)?;
    // What an upgrade cannot take along goes without a trace otherwise.
    let dropped = match request.action {
        CibAction::Upgrade => upgrade::as_far_as_possible(&cluster.cib()?).map(|upgraded| upgraded.notes),
        _ => Ok(Vec::new()),
    };
    let applied = cluster.apply(call, request.force)?;
    dropped.iter().flatten().for_each(|note| session.complain(note));
    Ok(match applied.output {
        Some(xml) => Report::new(xml.clone(), Tree::with_cdata("output", xml)),
        None => Report::silent(),
    })
}

/// What was to be created, for scripts that look for it, where it is there already.
fn exists_already(error: anyhow::Error, input: Option<&str>) -> anyhow::Result<Report> {
    let is_there = error.downcast_ref::<Failed>().is_some_and(|failed| failed.exit == Exit::Exists);
    let document = input.filter(|_| is_there).and_then(|text| Document::parse(text).ok());
    let Some(document) = document else { return Err(error) };
    let mut report = not_created(document.root(), "File exists").ending(Exit::Exists);
    report.errors.push(format!("cibadmin: {error}"));
    Ok(report)
}

fn not_created(element: Element<'_>, reason: &str) -> Report {
    let update = Tree::new("failed_update")
        .maybe("id", element.id())
        .attr("object-type", element.name())
        .attr("operation", "cib_create")
        .attr("reason", reason)
        .child(Tree::from_element(element));
    let xml = Tree::new("failed").child(update).to_xml();
    Report::new(xml.clone(), Tree::with_cdata("output", xml))
}

/// The command; of several the one that changes least, so that a slip does no harm.
fn action(args: &Args) -> anyhow::Result<CibAction> {
    let given: Vec<CibAction> = [
        (args.query, CibAction::Query),
        (args.create, CibAction::Create),
        (args.modify, CibAction::Modify),
        (args.replace, CibAction::Replace),
        (args.delete, CibAction::Delete),
        (args.delete_all, CibAction::DeleteAll),
        (args.patch, CibAction::Patch),
        (args.upgrade, CibAction::Upgrade),
        (args.bump, CibAction::Bump),
        (args.erase, CibAction::Erase),
    ]
    .into_iter()
    .filter_map(|(is_given, action)| is_given.then_some(action))
    .collect();
    match given.as_slice() {
        [action] => Ok(*action),
        [] => Err(Failed::usage("no command given: try --query, or --help")),
        _ => Err(Failed::usage("more than one command given")),
    }
}

fn scope(request: &Request) -> Scope {
    match (&request.xpath, &request.scope) {
        (Some(xpath), _) => Scope::XPath(xpath.clone()),
        (None, Some(section)) if !matches!(section.as_str(), "all" | "cib") => {
            Scope::Section(section.clone())
        }
        _ => Scope::All,
    }
}

/// The XML that goes with the command.
fn input(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Option<String>> {
    let (bytes, name) = if let Some(text) = &args.xml_text {
        (text.clone().into_bytes(), "command line".to_owned())
    } else if let Some(path) = args.xml_file.as_ref().filter(|path| path.as_os_str() != "-") {
        let read = std::fs::read(path)
            .map_err(|error| Failed::new(Exit::Data, format!("cannot read {}: {error}", path.display())))?;
        (read, path.to_string_lossy().into_owned())
    } else if args.xml_pipe || args.xml_file.is_some() {
        (session.read_input().context("cannot read standard input")?, "standard input".to_owned())
    } else {
        return Ok(None);
    };
    // Told here, where the source is known, with the line that is wrong.
    let document = parse(bytes, &name)?;
    Ok(Some(document.to_text()))
}

fn check_input(request: &Request) -> anyhow::Result<()> {
    let needs_xml = match request.action {
        CibAction::Create | CibAction::Modify | CibAction::Replace | CibAction::Patch => true,
        CibAction::Delete | CibAction::DeleteAll => request.xpath.is_none(),
        _ => false,
    };
    if needs_xml && request.xml.is_none() {
        return Err(Failed::usage(
            "this command needs XML: give --xml-text, --xml-file or --xml-pipe (a removal may give --xpath instead)",
        ));
    }
    Ok(())
}

/// Paths of what the XPath finds.
fn paths(cluster: &mut Cluster, args: &Args) -> anyhow::Result<Report> {
    let xpath = args.xpath.as_deref().ok_or_else(|| Failed::usage("--node-path needs --xpath"))?;
    let document = cluster.cib()?;
    let found = systole_cib::xpath::find(&document, xpath).map_err(|error| {
        let exit = if matches!(error, XPathError::NotElements(_)) { Exit::NoSuch } else { Exit::Data };
        Failed::new(exit, format!("XPath {xpath}: {error}"))
    })?;
    if found.is_empty() {
        return Err(Failed::no_such(format!("nothing found by {xpath}")));
    }
    let mut report = Report::silent();
    let mut list = Tree::new("xpath-query");
    for element in found {
        let path = systole_cib::xpath::path_of(element);
        report.text.push_str(&path);
        report.text.push('\n');
        list.push(Tree::new("xpath-query-path").attr("id", path));
    }
    report.trees.push(Tree::with_cdata("output", format!("{}\n", list.to_xml().trim_end())));
    Ok(report)
}

/// A CIB of an empty cluster, in a schema.
pub fn empty_cib(schema: &str) -> String {
    format!(
        "<cib crm_feature_set=\"{FEATURE_SET}\" validate-with=\"{schema}\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\">\n  \
         <configuration>\n    <crm_config/>\n    <nodes/>\n    <resources/>\n    <constraints/>\n  </configuration>\n  \
         <status/>\n</cib>\n"
    )
}
