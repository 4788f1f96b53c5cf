//! `systole cib`.

use crate::{
    Cluster, Failed, Session, cluster::parse, rehearse, report::Report, tools::cibadmin, verify::Findings,
};
use anyhow::Context as _;
use clap::Subcommand;
use std::path::PathBuf;
use systole_cib::ops::CibAction;

/// Query, change and check the configuration as XML.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// Print the CIB or a part of it
    Query {
        #[command(flatten)]
        part: Part,
        /// Leave children out
        #[arg(long)]
        no_children: bool,
    },
    /// Put an element (or the whole CIB) in the place of the one with its id
    Replace(Change),
    /// Add an element; it must not exist yet
    Create(Change),
    /// Change attributes of existing elements
    Modify {
        #[command(flatten)]
        change: Change,
        /// Create what is missing
        #[arg(long)]
        allow_create: bool,
    },
    /// Remove elements, by XML or XPath
    Delete {
        #[command(flatten)]
        change: Change,
        /// All that fit, not only the first
        #[arg(long)]
        all: bool,
    },
    /// Apply a patchset
    Patch(Change),
    /// Empty the configuration and the status (needs --force)
    Erase {
        /// Yes, really
        #[arg(long)]
        force: bool,
    },
    /// Bring the configuration to the newest schema
    Upgrade,
    /// Count the configuration's version up
    Bump,
    /// Check the cluster's configuration, or a file
    Verify {
        /// The file; `-` is standard input; the cluster's own configuration if left out
        file: Option<PathBuf>,
    },
}

#[derive(clap::Args)]
pub(super) struct Part {
    /// Only this section
    #[arg(short = 'o', long, value_name = "SECTION")]
    scope: Option<String>,
    /// Only what this XPath finds
    #[arg(short = 'A', long, value_name = "XPATH")]
    xpath: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Change {
    /// A file with the XML; `-` is standard input
    file: Option<PathBuf>,
    /// The XML itself
    #[arg(short = 'X', long, value_name = "XML", conflicts_with = "file")]
    xml: Option<String>,
    #[command(flatten)]
    part: Part,
    /// Also without quorum, and what is dangerous
    #[arg(long)]
    force: bool,
}

/// Carries the verb out.
pub(super) fn perform(session: &mut Session<'_>, verb: Verb) -> anyhow::Result<Report> {
    match verb {
        Verb::Query { part, no_children } => {
            let request = cibadmin::Request { no_children, ..request(CibAction::Query, part, None, false) };
            cibadmin::apply(session, request)
        }
        Verb::Replace(change) => make(session, CibAction::Replace, change, false),
        Verb::Create(change) => make(session, CibAction::Create, change, false),
        Verb::Modify { change, allow_create } => make(session, CibAction::Modify, change, allow_create),
        Verb::Delete { change, all } => {
            let action = if all { CibAction::DeleteAll } else { CibAction::Delete };
            make(session, action, Change { force: change.force || all, ..change }, false)
        }
        Verb::Patch(change) => make(session, CibAction::Patch, change, false),
        Verb::Erase { force } => {
            cibadmin::apply(session, request(CibAction::Erase, Part::all(), None, force))
        }
        Verb::Upgrade => cibadmin::apply(session, request(CibAction::Upgrade, Part::all(), None, true)),
        Verb::Bump => cibadmin::apply(session, request(CibAction::Bump, Part::all(), None, false)),
        Verb::Verify { file } => verify(session, file),
    }
}

impl Part {
    const fn all() -> Self {
        Self { scope: None, xpath: None }
    }
}

fn request(action: CibAction, part: Part, xml: Option<String>, force: bool) -> cibadmin::Request {
    cibadmin::Request {
        action,
        scope: part.scope,
        xpath: part.xpath,
        xml,
        force,
        ..cibadmin::Request::default()
    }
}

fn make(
    session: &mut Session<'_>,
    action: CibAction,
    change: Change,
    allow_create: bool,
) -> anyhow::Result<Report> {
    let is_removal = matches!(action, CibAction::Delete | CibAction::DeleteAll);
    let xml = match (change.xml, change.file) {
        (Some(xml), _) => Some(parse(xml.into_bytes(), "command line")?.to_text()),
        (None, Some(file)) => Some(read_xml(session, &file)?.0.to_text()),
        (None, None) if change.part.xpath.is_some() && is_removal => None,
        (None, None) => {
            let or_xpath = if is_removal { ", or --xpath" } else { "" };
            return Err(Failed::usage(format!(
                "this needs XML: name a FILE, or give it with --xml{or_xpath}"
            )));
        }
    };
    let request = cibadmin::Request { allow_create, ..request(action, change.part, xml, change.force) };
    cibadmin::apply(session, request)
}

fn read_xml(
    session: &mut Session<'_>,
    file: &PathBuf,
) -> anyhow::Result<(systole_cib::xml::Document, String)> {
    let (bytes, name) = if file.as_os_str() == "-" {
        (session.read_input().context("cannot read standard input")?, "standard input".to_owned())
    } else {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        (bytes, file.to_string_lossy().into_owned())
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((parse(bytes, &name)?, text))
}

fn verify(session: &mut Session<'_>, file: Option<PathBuf>) -> anyhow::Result<Report> {
    let (document, source, name) = match file {
        Some(file) => {
            let (document, source) = read_xml(session, &file)?;
            (document, source, file.to_string_lossy().into_owned())
        }
        None => {
            // Read again from its text, so that lines and columns are those of what is printed by `query`.
            let source = Cluster::open(session)?.cib_text()?;
            (parse(source.clone().into_bytes(), "cib")?, source, "cib".to_owned())
        }
    };
    Ok(Findings::of(&document, rehearse::moment(session, false)).report(&name, &source))
}
