//! `crm_rule`: whether rules about dates are in effect.

use crate::{
    Cluster, Exit, Failed, Session, edit,
    report::{OutputArgs, Report},
    runner,
};
use anyhow::Context as _;
use clap::Parser;
use std::ffi::OsString;
use systole_cib::xml::{Document, Element};
use systole_output::tree::Tree;
use systole_scheduler::rules::{Input, Phase, Unclear, parse_date_time, phase_of};
use systole_types::Timestamp;

/// Evaluate rules from the configuration.
#[derive(Parser)]
#[command(name = "crm_rule", disable_version_flag = true)]
struct Args {
    /// Check whether a rule is in effect
    #[arg(short = 'c', long)]
    check: bool,
    /// The rule to check, by id (may be given several times; the last one decides the exit code)
    #[arg(short = 'r', long, value_name = "ID")]
    rule: Vec<String>,
    /// Whether it is in effect then, rather than now
    #[arg(short = 'd', long, value_name = "DATE")]
    date: Option<String>,
    /// Take this XML as the CIB ("-": standard input)
    #[arg(short = 'X', long, value_name = "XML")]
    xml_text: Option<String>,
    /// Say more
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Form of the output.
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, perform)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    if !args.check {
        return Err(Failed::usage("No mode operation given: --check is the only one"));
    }
    if args.rule.is_empty() {
        return Err(Failed::usage("--check requires use of --rule="));
    }
    let now = match &args.date {
        None => session.now,
        Some(text) => parse_date_time(text, session.now, session.utc_offset)
            .ok_or_else(|| Failed::new(Exit::Data, format!("Invalid date specified: '{text}'")))?,
    };
    let document = match args.xml_text.as_deref() {
        None => Cluster::open(session)?.cib()?,
        Some("-") => {
            let text = String::from_utf8(session.read_input()?).context("standard input is not text")?;
            parse(text, "standard input")?
        }
        Some(text) => parse(text.to_owned(), "command line")?,
    };
    let mut report = Report::silent();
    for id in &args.rule {
        let exit = check(&document, id, now, session.utc_offset, &mut report);
        report
            .trees
            .push(Tree::new("rule-check").attr("rule-id", id.as_str()).attr("rc", u32::from(exit.code())));
        report.exit = Some(exit);
    }
    Ok(report)
}

fn parse(text: String, name: &str) -> anyhow::Result<Document> {
    let document = Document::parse(text);
    Ok(document
        .map_err(|error| Failed::new(Exit::Data, format!("Couldn't parse input string: {name}:{error}")))?)
}

/// Checks one rule, and says what came of it.
fn check(document: &Document, id: &str, now: Timestamp, utc_offset: i64, report: &mut Report) -> Exit {
    let mut unclear = |reason: &str, exit| {
        report.errors.push(format!("Could not determine whether rule {id} is in effect: {reason}"));
        exit
    };
    let Some(element) = find(document, id) else {
        return unclear("Rule not found", Exit::NoSuch);
    };
    let input = Input { utc_offset, ..Input::at(now) };
    let rule = systole_cib::rule(element);
    let phase = rule.as_ref().ok_or(Unclear::Unreadable).and_then(|rule| phase_of(rule, &input));
    let (words, exit) = match phase {
        Err(reason) => return unclear(reason_text(reason), Exit::Unimplemented),
        Ok((Phase::InEffect, true)) => ("satisfies conditions", Exit::Ok),
        Ok((Phase::InEffect, false)) => ("is still in effect", Exit::Ok),
        Ok((Phase::Expired, _)) => ("is expired", Exit::Expired),
        Ok((Phase::NotYet, _)) => ("has not yet taken effect", Exit::NotYet),
    };
    report.text.push_str(&format!("Rule {id} {words}\n"));
    exit
}

const fn reason_text(reason: Unclear) -> &'static str {
    match reason {
        Unclear::NoDate => "Rule does not have a date expression",
        Unclear::SeveralDates => "Rule has more than one date expression",
        Unclear::Recurring => "Rule must either not use date_spec, or use date_spec with years=",
        Unclear::Unreadable => "Rule has a date that cannot be read",
    }
}

/// The rule with this id: in the configuration of a CIB, or anywhere in other XML.
fn find<'d>(document: &'d Document, id: &str) -> Option<Element<'d>> {
    let within = edit::section(document, "configuration").unwrap_or_else(|| document.root());
    let mut rules = within.descendants().filter(|element| element.is("rule"));
    rules.find(|rule| rule.id() == Some(id))
}
