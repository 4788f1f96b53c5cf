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
use systole_scheduler::rules::{Input, Phase, parse_civil, phase_of};
use systole_types::Timestamp;

/// The last year that can be asked about.
const LAST_YEAR: i64 = 9999;

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
        return Err(Failed::usage("No mode operation given"));
    }
    if args.rule.is_empty() {
        return Err(Failed::usage("--check requires use of --rule="));
    }
    let now = match &args.date {
        None => session.now,
        Some(text) => parse_civil(text, session.now, session.utc_offset)
            .filter(|date| date.year <= LAST_YEAR)
            .ok_or_else(|| Failed::new(Exit::Data, format!("Invalid date specified: '{text}'")))?
            .timestamp(),
    };
    let document = match args.xml_text.as_deref() {
        None => Cluster::open(session)?.cib()?,
        Some("-") => {
            let text = String::from_utf8(session.read_input()?).context("standard input is not text")?;
            let parsed = Document::parse(text);
            parsed.map_err(|error| {
                Failed::new(Exit::Data, format!("Couldn't parse input from STDIN: {error}"))
            })?
        }
        Some(text) => Document::parse(text)
            .map_err(|_| Failed::new(Exit::Data, format!("Couldn't parse input string: {text}")))?,
    };
    let mut report = Report::silent();
    for id in &args.rule {
        let exit = check(&document, id, now, session.utc_offset, &mut report);
        report
            .trees
            .push(Tree::new("rule-check").attr("rule-id", id.as_str()).attr("rc", u32::from(exit.code())));
        // A rule that does not fit, or is in effect for a while, is what is remembered.
        if exit != Exit::Ok || report.exit.is_none() || !is_date_spec(&document, id) {
            report.exit = Some(exit);
        }
    }
    Ok(report)
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
    let date = match the_date(element) {
        Ok(date) => date,
        Err(reason) => return unclear(reason, Exit::Unimplemented),
    };
    let input = Input { utc_offset, ..Input::at(now) };
    let phase = systole_cib::rule(element).and_then(|rule| phase_of(&rule, &input));
    let (words, exit) = match phase {
        None => return unclear("Error parsing rule", Exit::Config),
        Some(Phase::InEffect) if is_spec(date) => ("satisfies conditions", Exit::Ok),
        Some(Phase::InEffect) => ("is still in effect", Exit::Ok),
        Some(Phase::Expired) => ("is expired", Exit::Expired),
        Some(Phase::NotYet) => ("has not yet taken effect", Exit::NotYet),
    };
    report.text.push_str(&format!("Rule {id} {words}\n"));
    exit
}

/// The one date that a rule is about; or why nothing can be told of the rule.
fn the_date(rule: Element<'_>) -> Result<Element<'_>, &'static str> {
    let mut dates = rule.descendants().filter(|element| element.is("date_expression"));
    let Some(date) = dates.next() else { return Err("Rule does not have a date expression") };
    if dates.next().is_some() {
        return Err("Rule has more than one date expression");
    }
    let has_years = || date.children().any(|spec| spec.is("date_spec") && spec.attr("years").is_some());
    match date.attr("operation") {
        None => Err(RECURRING),
        Some("date_spec") if !has_years() => Err(RECURRING),
        Some(_) => Ok(date),
    }
}

const RECURRING: &str = "Rule must either not use date_spec, or use date_spec with years=";

fn is_spec(date: Element<'_>) -> bool {
    date.attr("operation").is_some_and(|operation| operation.eq_ignore_ascii_case("date_spec"))
}

fn is_date_spec(document: &Document, id: &str) -> bool {
    find(document, id).and_then(|rule| the_date(rule).ok()).is_some_and(is_spec)
}

/// The rule with this id: in the configuration of a CIB, or anywhere in other XML.
fn find<'d>(document: &'d Document, id: &str) -> Option<Element<'d>> {
    let within = edit::section(document, "configuration").unwrap_or_else(|| document.root());
    let mut rules = within.descendants().filter(|element| element.is("rule"));
    rules.find(|rule| rule.id() == Some(id))
}
