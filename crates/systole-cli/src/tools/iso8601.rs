//! `iso8601`: reads dates, durations and periods as the cluster reads them.

use crate::{
    Exit, Failed, Session,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::tree::Tree;
use systole_scheduler::rules::{Civil, DateForm, Period, Span, parse_civil};

/// Read ISO 8601 dates, durations and periods as the cluster's rules do.
#[derive(Parser, Default)]
#[command(name = "iso8601", disable_version_flag = true)]
struct Args {
    /// Print the present time
    #[arg(short = 'n', long)]
    now: bool,
    /// Read this moment, and print it
    #[arg(short = 'd', long, value_name = "DATE", allow_hyphen_values = true)]
    date: Option<String>,
    /// Read this period ("2005-040/2005-043", "2005-040/P1M")
    #[arg(short = 'p', long, value_name = "PERIOD", allow_hyphen_values = true)]
    period: Option<String>,
    /// Read this duration ("P1M"); with a moment, tell when it ends
    #[arg(short = 'D', long, value_name = "DURATION", allow_hyphen_values = true)]
    duration: Option<String>,
    /// Exit with 1 unless this is what the moment, or the end of the duration, comes to
    #[arg(short = 'E', long, value_name = "TEXT", allow_hyphen_values = true)]
    expected: Option<String>,
    /// Print moments as seconds since the year 1
    #[arg(short = 's', long)]
    seconds: bool,
    /// Print moments as seconds since 1970
    #[arg(short = 'S', long)]
    epoch: bool,
    /// Print moments on the clock they were given by, not in UTC
    #[arg(short = 'L', long)]
    local: bool,
    /// Print dates as year and day of the year
    #[arg(short = 'O', long)]
    ordinal: bool,
    /// Print dates as year, week and day of the week
    #[arg(short = 'W', long)]
    week: bool,
    /// More
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Not looked at, as Pacemaker does not.
    #[arg(hide = true)]
    rest: Vec<OsString>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, |session, args| Ok(read(session, args)))
}

/// What was understood before the first mistake is told too.
fn read(session: &Session<'_>, args: &Args) -> Report {
    let mut report = Report::silent();
    match tell(session, args, &mut report) {
        Ok(exit) => report.ending(exit),
        Err(failed) => {
            report.errors.push(format!("{}: {failed}", session.tool));
            report.ending(failed.exit)
        }
    }
}

fn tell(session: &Session<'_>, args: &Args, report: &mut Report) -> Result<Exit, Failed> {
    let invalid =
        |what: &str, text: &str| Failed::new(Exit::InvalidParam, format!("Invalid {what} specified: {text}"));
    let mut add = |title: &str, text: &str, tree: Tree| {
        report.text.push_str(&format!("{title}: {text}\n"));
        report.trees.push(tree);
    };
    let moment = moment(session, args).map_err(|text| invalid("date/time", text))?;
    if let Some((title, at)) = moment {
        let text = args.text(at);
        add(title, &text, Tree::with_text("date", text.as_str()));
    }
    let span = match &args.duration {
        None => None,
        Some(text) => {
            let span = Span::parse(text).ok_or_else(|| invalid("duration", text))?;
            let text = span.to_string();
            add("Duration", &text, Tree::with_text("duration", text.as_str()));
            Some(span)
        }
    };
    let mut has_period = false;
    if let Some(text) = &args.period {
        let period =
            Period::parse(text, session.now, session.utc_offset).ok_or_else(|| invalid("interval", text))?;
        let (start, end) = (args.text(period.start), args.text(period.end));
        let tree = Tree::new("period")
            .child(Tree::with_text("start", start.as_str()))
            .child(Tree::with_text("end", end.as_str()));
        add("Period", &format!("{start} to {end}"), tree);
        has_period = true;
    }
    let Some((_, mut result)) = moment else { return Ok(Exit::Ok) };
    if let Some(span) = span {
        result = result.add_span(span);
        let text = Args { local: true, ..args.form() }.text(result);
        report.text.push_str(&format!("Duration ends at: {text}\n"));
        let tree = Tree::with_text("duration_ends", text.as_str());
        // Pacemaker puts it into the period, if one was asked for too.
        match report.trees.pop_if(|_| has_period) {
            Some(period) => report.trees.push(period.child(tree)),
            None => report.trees.push(tree),
        }
    }
    let text = args.text(result);
    let is_expected = args.expected.as_ref().is_none_or(|expected| expected.eq_ignore_ascii_case(&text));
    Ok(if is_expected { Exit::Ok } else { Exit::Error })
}

/// The moment asked for, if any, and what to call it; or the text that is none.
fn moment<'a>(session: &Session<'_>, args: &'a Args) -> Result<Option<(&'static str, Civil)>, &'a str> {
    let now = || Civil::at(session.now, session.utc_offset);
    match &args.date {
        Some(text) if text.eq_ignore_ascii_case("now") => Ok(Some(("Current date/time", now()))),
        Some(text) => match parse_civil(text, session.now, session.utc_offset) {
            Some(at) => Ok(Some(("Date", at))),
            None => Err(text),
        },
        None => Ok(args.now.then(|| ("Current date/time", now()))),
    }
}

impl Args {
    /// The form of moments alone.
    fn form(&self) -> Self {
        Self {
            seconds: self.seconds,
            epoch: self.epoch,
            local: self.local,
            ordinal: self.ordinal,
            week: self.week,
            ..Self::default()
        }
    }

    /// A moment in the form asked for.
    fn text(&self, at: Civil) -> String {
        if self.seconds {
            return at.seconds().to_string();
        }
        if self.epoch {
            return at.timestamp().0.to_string();
        }
        let form = match (self.week, self.ordinal) {
            (true, _) => DateForm::Week,
            (false, true) => DateForm::Ordinal,
            (false, false) => DateForm::Calendar,
        };
        let at = if self.local { at } else { at.in_utc() };
        at.text_as(form)
    }
}
