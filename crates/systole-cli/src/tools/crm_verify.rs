//! `crm_verify`: checks a configuration.

use crate::{
    Cluster, Exit, Failed, Session,
    cluster::parse,
    rehearse,
    report::{Form, OutputArgs, Report},
    runner,
    verify::Findings,
};
use anyhow::Context as _;
use clap::Parser;
use std::{ffi::OsString, path::PathBuf};
use systole_cib::Severity;

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
    let (bytes, name) = source(session, args)?;
    let source = String::from_utf8_lossy(&bytes).into_owned();
    let document = match parse(bytes, &name) {
        Ok(document) => document,
        Err(error) => {
            session.complain(&format!("{error:#}"));
            return Err(unreadable());
        }
    };
    if let Some(path) = &args.save_xml {
        crate::cluster::write_atomically(path, document.to_text().as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let findings = Findings::of(&document, rehearse::moment(session, args.live_check));
    let verdict = match (findings.has_errors(), findings.is_more_than(Severity::Advice)) {
        (true, _) => Some("invalid"),
        (false, true) => Some("may need attention"),
        (false, false) => None,
    };
    let is_for_crmsh = is_asked_by_crmsh(args);
    let verdict = verdict.filter(|_| !is_for_crmsh || findings.is_more_than(Severity::Deprecated));
    let is_for_programs = args.output.is_for_programs();
    let mut errors = Vec::new();
    if is_for_programs {
        // What is recorded of the state is no matter of the configuration.
        let lines =
            findings.diagnostics.iter().filter(|diagnostic| !diagnostic.element.name.starts_with("lrm"));
        errors.extend(lines.map(|diagnostic| format!("{}: {}", diagnostic.severity, diagnostic.message)));
    } else if is_for_crmsh {
        errors.extend(findings.diagnostics.iter().map(ToString::to_string));
    } else if args.verbose > u8::from(args.quiet) {
        errors.extend(findings.text(&source).lines().map(str::to_owned));
    }
    if let Some(verdict) = verdict.filter(|_| !args.quiet) {
        let has_said = is_for_programs || args.verbose > 0;
        let hint = if has_said { "" } else { " (-V may provide more detail)" };
        errors.push(format!("Configuration {verdict}{hint}"));
    }
    let trees = if args.output.form() == Form::Json { vec![findings.tree()] } else { Vec::new() };
    let report = Report { errors, trees, ..Report::default() };
    Ok(if verdict.is_some() { report.ending(Exit::Config) } else { report })
}

/// crmsh 4 asks in these words before it commits, and gives up at any exit code but 0 and 1, though it writes names itself that
/// are deprecated by now. Every line but the first it shows as an error.
fn is_asked_by_crmsh(args: &Args) -> bool {
    args.xml_pipe && args.verbose == 2 && args.output.form() == Form::Text
}

/// The configuration to check, and its name: of several the first.
fn source(session: &mut Session<'_>, args: &Args) -> anyhow::Result<(Vec<u8>, String)> {
    let file = args.xml_file.as_ref().filter(|file| file.as_os_str() != "-");
    if let Some(file) = file {
        return match std::fs::read(file) {
            Ok(bytes) => Ok((bytes, file.to_string_lossy().into_owned())),
            Err(error) => {
                session.complain(&format!("{}: {error}", file.display()));
                Err(unreadable())
            }
        };
    }
    if args.xml_file.is_some() || (args.xml_pipe && args.xml_text.is_none()) {
        return Ok((
            session.read_input().context("cannot read standard input")?,
            "standard input".to_owned(),
        ));
    }
    if let Some(text) = &args.xml_text {
        return Ok((text.clone().into_bytes(), "command line".to_owned()));
    }
    if args.live_check {
        let text = Cluster::open(session).and_then(|mut cluster| cluster.cib_text());
        return match text {
            Ok(text) => Ok((text.into_bytes(), "cib".to_owned())),
            Err(error) if matches!(crate::exit::exit_of(&error), Exit::Data | Exit::Config) => {
                session.complain(&format!("{error:#}"));
                Err(unreadable())
            }
            Err(error) => Err(error),
        };
    }
    Err(Failed::new(Exit::Error, "No input specified").into())
}

fn unreadable() -> anyhow::Error {
    Failed::new(Exit::Config, "Verification failed: Unable to parse CIB XML").into()
}
