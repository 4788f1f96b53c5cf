//! `crm_verify`: checks a configuration.

use crate::{
    Cluster, Exit, Failed, Session,
    cluster::parse,
    report::{OutputArgs, Report},
    runner,
    verify::Findings,
};
use anyhow::Context as _;
use clap::Parser;
use std::{ffi::OsString, path::PathBuf};

/// Check a configuration for mistakes.
#[derive(Parser)]
#[command(name = "crm_verify", disable_version_flag = true)]
struct Args {
    /// The running cluster's configuration
    #[arg(short = 'L', long)]
    live_check: bool,
    /// A file
    #[arg(short = 'x', long, value_name = "FILE")]
    xml_file: Option<PathBuf>,
    /// Standard input
    #[arg(short = 'p', long)]
    xml_pipe: bool,
    /// XML on the command line
    #[arg(short = 'X', long, value_name = "XML")]
    xml_text: Option<String>,
    /// Keep a copy of what was checked
    #[arg(short = 'S', long, value_name = "FILE")]
    save_xml: Option<PathBuf>,
    /// Say only how it ended
    #[arg(short = 'q', long)]
    quiet: bool,
    /// Say what is wrong
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, check)
}

fn check(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let (bytes, name) = if args.live_check {
        (Cluster::open(session)?.cib_text()?.into_bytes(), "cib".to_owned())
    } else if let Some(file) = args.xml_file.as_ref().filter(|file| file.as_os_str() != "-") {
        let bytes =
            std::fs::read(file).with_context(|| format!("Couldn't parse input file: {}", file.display()))?;
        (bytes, file.to_string_lossy().into_owned())
    } else if args.xml_pipe || args.xml_file.is_some() {
        (session.read_input().context("cannot read standard input")?, "standard input".to_owned())
    } else if let Some(text) = &args.xml_text {
        (text.clone().into_bytes(), "command line".to_owned())
    } else {
        return Err(Failed::usage("No configuration source specified. Use --help for usage information."));
    };
    let source = String::from_utf8_lossy(&bytes).into_owned();
    let document = parse(bytes, &name)?;
    if let Some(path) = &args.save_xml {
        crate::cluster::write_atomically(path, document.to_text().as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let findings = Findings::of(&document);
    // Everything goes to standard error, where clients look for it; deprecated names are no reason to fail.
    if !args.output.is_for_programs() && !args.quiet {
        if args.verbose > 0 {
            for line in findings.text(&source).lines() {
                session.complain(line);
            }
        }
        if findings.has_errors() {
            let hint = if args.verbose > 0 { "" } else { " (-V may provide more detail)" };
            session.complain(&format!("Configuration invalid: {}{hint}", findings.summary()));
        }
    }
    let report = Report { trees: vec![findings.tree()], ..Report::default() };
    Ok(if findings.has_errors() { report.ending(Exit::Config) } else { report })
}
