//! `crm_diff`: what has to be done to make one CIB into another.

use crate::{
    Exit, Failed, Session,
    cluster::parse,
    report::{OutputArgs, Report},
    runner,
};
use anyhow::Context as _;
use clap::Parser;
use std::{ffi::OsString, path::Path};
use systole_cib::{
    patch::{self, PatchError, Versions},
    xml::Document,
};
use systole_output::tree::Tree;

/// Compare two CIBs, or apply a patchset to one. Exits with 1 if they differ.
#[derive(Parser, Default)]
#[command(name = "crm_diff", disable_version_flag = true)]
struct Args {
    /// The CIB compared from, in a file
    #[arg(short = 'o', long, value_name = "FILE")]
    original: Option<String>,
    /// The CIB compared from, as XML
    #[arg(short = 'O', long, value_name = "XML")]
    original_string: Option<String>,
    /// The CIB compared to, in a file (`-`: standard input)
    #[arg(short = 'n', long, value_name = "FILE")]
    new: Option<String>,
    /// The CIB compared to, as XML
    #[arg(short = 'N', long, value_name = "XML")]
    new_string: Option<String>,
    /// Apply this patchset to the original, and print the result
    #[arg(short = 'p', long, value_name = "FILE")]
    patch: Option<String>,
    /// Compare as a CIB: the patchset has a digest of what it leads to, and fits the version it was made from only
    #[arg(short = 'c', long)]
    cib: bool,
    /// Both are on standard input
    #[arg(short = 's', long, hide = true)]
    stdin: bool,
    /// The patchset fits any version
    #[arg(short = 'u', long)]
    no_version: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, compare)
}

fn compare(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    if args.cib && args.no_version {
        return Err(Failed::usage("-u/--no-version incompatible with -c/--cib"));
    }
    let original = Source::of(args.original.as_deref(), args.original_string.as_deref(), args.stdin)
        .ok_or_else(|| Failed::usage("Either --original or --original-string must be specified"));
    let file = args.patch.as_deref().or(args.new.as_deref());
    let new = Source::of(file, args.new_string.as_deref(), args.stdin);
    let new = new.ok_or_else(|| Failed::usage("Either --new, --new-string, or --patch must be specified"));
    let (original, new) = (original?, new?);
    let old = original.read(session, "original")?;
    let new = new.read(session, if args.patch.is_some() { "patch" } else { "new" })?;
    match args.patch {
        Some(_) => patched(args, old, new),
        None => Ok(difference(args, &old, &new)),
    }
}

fn patched(args: &Args, mut document: Document, mut patch: Document) -> anyhow::Result<Report> {
    let version = patch.root().child("version").map(|version| version.key());
    if let Some(version) = version.filter(|_| !args.cib) {
        patch.remove(version);
    }
    patch::apply(&mut document, patch.root()).map_err(|error| {
        let exit = if matches!(error, PatchError::NotAPatch(_)) { Exit::Data } else { Exit::Old };
        Failed::new(exit, format!("Could not apply patch: {error}"))
    })?;
    let text = document.to_text();
    let mut report = Report::new(text.clone(), Tree::with_cdata("updated", text));
    if args.no_version {
        report.errors.push("Warning: -u/--no-version ignored with -p/--patch".to_owned());
    }
    Ok(report)
}

fn difference(args: &Args, old: &Document, new: &Document) -> Report {
    let versions = if args.no_version { Versions::Ignored } else { Versions::Checked };
    let Some(mut patch) = patch::diff(old, new, versions) else { return Report::silent() };
    if !args.cib {
        let root = patch.root_key();
        patch.remove_attr(root, "digest");
    }
    let text = patch.to_text();
    Report::new(text.clone(), Tree::with_cdata("patchset", text)).ending(Exit::Error)
}

/// Where a document comes from.
enum Source<'a> {
    Text(&'a str),
    Input,
    File(&'a str),
}

impl<'a> Source<'a> {
    fn of(file: Option<&'a str>, text: Option<&'a str>, from_input: bool) -> Option<Self> {
        match (file, text) {
            (_, Some(text)) => Some(Self::Text(text)),
            (Some("-"), None) => Some(Self::Input),
            (_, None) if from_input => Some(Self::Input),
            (Some(file), None) => Some(Self::File(file)),
            (None, None) => None,
        }
    }

    fn read(&self, session: &mut Session<'_>, what: &str) -> anyhow::Result<Document> {
        let unreadable = || Failed::new(Exit::Data, format!("Failed to parse {what} XML"));
        let (bytes, name) = match self {
            Self::Text(text) => (text.as_bytes().to_vec(), "command line"),
            Self::Input => (session.read_input().context("cannot read standard input")?, "standard input"),
            Self::File(file) => (std::fs::read(Path::new(file)).map_err(|_| unreadable())?, *file),
        };
        parse(bytes, name).with_context(unreadable)
    }
}
