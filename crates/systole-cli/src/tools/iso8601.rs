//! `iso8601`: reads dates as the cluster reads them.

use crate::{
    Exit, Failed, Session, dates,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::tree::Tree;
use systole_scheduler::rules::parse_date_time;
use systole_types::Timestamp;

/// Days from 0001-01-01, when the count of `--seconds` begins, to 1970-01-01.
const DAYS_TO_1970: i64 = 719_162;

/// Read ISO 8601 dates and times as the cluster's rules do.
#[derive(Parser, Default)]
#[command(name = "iso8601", disable_version_flag = true)]
struct Args {
    /// Print the present time
    #[arg(short = 'n', long)]
    now: bool,
    /// Read this moment, and print it in UTC
    #[arg(short = 'd', long, value_name = "DATE")]
    date: Option<String>,
    /// Print seconds since the year 1
    #[arg(short = 's', long)]
    seconds: bool,
    /// Print seconds since 1970
    #[arg(short = 'S', long)]
    epoch: bool,
    /// Exit with 1 unless this is printed
    #[arg(short = 'E', long, value_name = "TEXT")]
    expected: Option<String>,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, read)
}

fn read(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let (title, at) = match &args.date {
        Some(text) => {
            let at = parse_date_time(text, session.now, session.utc_offset).ok_or_else(|| {
                Failed::new(Exit::InvalidParam, format!("Invalid date/time specified: {text}"))
            })?;
            ("Date", at)
        }
        None if args.now => ("Current date/time", session.now),
        None => return Err(Failed::usage("give --date or --now")),
    };
    let text = if args.epoch {
        at.0.to_string()
    } else if args.seconds {
        seconds_since_year_one(at).to_string()
    } else {
        dates::utc_text(at)
    };
    let report = Report::new(format!("{title}: {text}\n"), Tree::with_text("date", text.as_str()));
    let is_expected = args.expected.as_ref().is_none_or(|expected| *expected == text);
    Ok(if is_expected { report } else { report.ending(Exit::Error) })
}

fn seconds_since_year_one(at: Timestamp) -> i64 {
    DAYS_TO_1970 * 86_400 + at.0
}
