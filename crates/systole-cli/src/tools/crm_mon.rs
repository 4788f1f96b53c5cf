//! `crm_mon`: the cluster's state.

mod background;
mod fencing;
mod notify;
pub mod sections;
mod watch;

use crate::{
    Exit, Failed, Session,
    args::{self, Parsed, Stray},
    report::{self, Form, OutputArgs},
};
use clap::Parser;
use std::{collections::BTreeSet, ffi::OsString, path::PathBuf, time::Duration};
use watch::Watch;

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
    pub fence_history: Option<String>,
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
    /// With --output-as=html: begin with the header of a CGI program
    #[arg(long)]
    pub html_cgi: bool,
    /// With --output-as=html: the page's title
    #[arg(long, value_name = "TITLE")]
    pub html_title: Option<String>,
    /// With --output-as=html: the address of a style sheet
    #[arg(long, value_name = "ADDRESS")]
    pub html_stylesheet: Option<String>,
    /// Look again at least that often
    #[arg(short = 'i', long, value_name = "TIME", default_value = "5s")]
    pub interval: String,
    /// Go on in the background, and keep the file of --output-to up to date
    #[arg(short = 'd', long)]
    pub daemonize: bool,
    /// With --daemonize: write the background process's number into a file
    #[arg(short = 'p', long, value_name = "FILE", hide = true)]
    pub pid_file: Option<PathBuf>,
    /// Run a program for each operation's result, with CRM_notify_* in its environment
    #[arg(short = 'E', long, value_name = "FILE")]
    pub external_agent: Option<PathBuf>,
    /// With --external-agent: its CRM_notify_recipient
    #[arg(short = 'e', long, value_name = "RCPT")]
    pub external_recipient: Option<String>,
    /// With --external-agent: tell it of lost nodes that are known to be off, too
    #[arg(short = 'W', long)]
    pub watch_fencing: bool,
    /// A CIB in a file, instead of the cluster
    #[arg(short = 'x', long, value_name = "FILE", hide = true)]
    pub xml_file: Option<PathBuf>,
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
    /// Whether --interval was given.
    #[arg(skip)]
    pub is_told_how_often: bool,
    /// What --include and --exclude say, in the order in which they were given.
    #[arg(skip)]
    pub sections: Vec<sections::Wish>,
    /// Words that belong to no option.
    #[command(flatten)]
    pub stray: Stray,
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
    args.stray.tell(session);
    if !args.daemonize {
        report::check_destination(&args.output)?;
    }
    check_fence_history(args.fence_history.as_deref())?;
    args.tells_missing_dc = true;
    args.settle_mode(args::last_given::<Args>(session, words, &MODES));
    if let Some(file) = &args.xml_file {
        session.env.insert("CIB_file".into(), file.clone().into());
    }
    args.sections = args::in_order::<Args>(session, words, &["include", "exclude"])
        .into_iter()
        .map(|(option, name)| sections::Wish { is_included: option == "include", name })
        .collect();
    // Which bans are shown is said by any of the two options.
    let mut included = args.sections.iter().rev().filter(|wish| wish.is_included);
    let prefix = included.find_map(|wish| wish.name.strip_prefix("bans:").map(str::to_owned));
    args.neg_locations = prefix.or(args.neg_locations);
    show(session, args)
}

/// The words with values of options that may have one joined to them: `-m 3` as `-m=3`; and the `-h FILE` of releases before 3.0, by which
/// agents still have a page written, in today's words.
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
        let last = joined.last().and_then(|last| last.to_str()).unwrap_or_default().to_owned();
        let is_value = !text.starts_with('-');
        match joined.last_mut() {
            Some(before)
                if is_value && ["-m", "--fence-history", "-L", "--neg-locations"].contains(&&*last) =>
            {
                before.push("=");
                before.push(word);
            }
            Some(before) if is_value && last == "-h" => {
                *before = OsString::from("--output-as=html");
                let mut destination = OsString::from("--output-to=");
                destination.push(word);
                joined.push(destination);
            }
            _ => joined.push(word.clone()),
        }
    }
    joined
}

/// What is no number counts as 0, as with Pacemaker's tool.
fn check_fence_history(level: Option<&str>) -> anyhow::Result<()> {
    match level.and_then(|level| level.parse::<i64>().ok()).unwrap_or(0) {
        0..=3 => Ok(()),
        _ => Err(Failed::usage("Fence history must be 0-3")),
    }
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
    let watch = Watch::new(args, sections, interval);
    match args.mode(session) {
        Mode::Background if !background::is_there(session) => background::start(session, args),
        Mode::Background | Mode::File if watches_cluster(session) => watch.keep_file(session),
        Mode::Screen if watches_cluster(session) => watch.keep_screen(session),
        _ => watch.once(session),
    }
}

/// Whether there is something that changes by itself.
fn watches_cluster(session: &Session<'_>) -> bool {
    ["CIB_file", "CIB_shadow"].iter().all(|name| session.var(name).is_none()) && session.rehearsal.is_none()
}

/// How long the state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Once.
    Once,
    /// On the terminal, as it changes.
    Screen,
    /// In a file, as it changes.
    File,
    /// The same by a process in the background.
    Background,
}

/// Options that say how long the state is shown: the last one counts.
const MODES: [&str; 5] = ["one_shot", "as_xml", "xml_file", "daemonize", "interval"];

impl Args {
    /// Obeys the last of [`MODES`]; an interval says how often a daemon looks, too.
    fn settle_mode(&mut self, last: Option<&str>) {
        match last {
            Some("interval") => {
                self.is_told_how_often = true;
                self.one_shot = false;
            }
            Some("daemonize") => self.one_shot = false,
            Some(_) => {
                self.one_shot = true;
                self.daemonize = false;
            }
            None => {}
        }
    }

    /// Whether the output goes to a file.
    fn has_file(&self) -> bool {
        self.output.destination().is_some()
    }

    fn mode(&self, session: &Session<'_>) -> Mode {
        if self.daemonize {
            Mode::Background
        } else if self.one_shot {
            Mode::Once
        } else if self.has_file() {
            if self.is_told_how_often { Mode::File } else { Mode::Once }
        } else if self.output.form() == Form::Text && session.on_terminal {
            Mode::Screen
        } else {
            Mode::Once
        }
    }
}

/// A set of names.
type Names = BTreeSet<String>;
