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
    /// Compare as a CIB (always)
    #[arg(short = 'c', long)]
    cib: bool,
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
    let old = document(session, args.original.as_deref(), args.original_string.as_deref(), "--original")?;
    if args.patch.is_some() {
        let patch = document(session, args.patch.as_deref(), None, "--patch")?;
        let mut new = old;
        patch::apply(&mut new, patch.root()).map_err(|error| {
            let exit = if matches!(error, PatchError::NotAPatch(_)) { Exit::Data } else { Exit::Old };
            Failed::new(exit, format!("the patchset cannot be applied: {error}"))
        })?;
        let text = new.to_text();
        return Ok(Report::new(text.clone(), Tree::with_cdata("updated", text)));
    }
    let new = document(session, args.new.as_deref(), args.new_string.as_deref(), "--new")?;
    let versions = if args.no_version { Versions::Ignored } else { Versions::Checked };
    Ok(match patch::diff(&old, &new, versions) {
        None => Report::silent(),
        Some(patch) => {
            let text = patch.to_text();
            Report::new(text.clone(), Tree::with_cdata("xml-patchset", text)).ending(Exit::Error)
        }
    })
}

fn document(
    session: &mut Session<'_>,
    file: Option<&str>,
    text: Option<&str>,
    option: &str,
) -> anyhow::Result<Document> {
    match (file, text) {
        (_, Some(text)) => parse(text.as_bytes().to_vec(), "command line"),
        (Some("-"), None) => {
            parse(session.read_input().context("cannot read standard input")?, "standard input")
        }
        (Some(file), None) => {
            let bytes = std::fs::read(Path::new(file)).with_context(|| format!("cannot read {file}"))?;
            parse(bytes, file)
        }
        (None, None) => Err(Failed::usage(format!("give {option}"))),
    }
}
