//! `crm_error`: what a code means: an exit code, or what a function of Pacemaker's libraries returned.

mod codes;

use crate::{
    Exit, Session,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use codes::{Code, EXITS, LEGACY, RETURNS, SYSTEM};
use std::{ffi::OsString, io};
use systole_output::tree::Tree;

/// Explain codes that tools and logs show.
#[derive(Parser)]
#[command(name = "crm_error", disable_version_flag = true)]
struct Args {
    /// The codes are exit codes
    #[arg(short = 'X', long, overrides_with = "rc")]
    exit: bool,
    /// The codes are return codes of functions (else: their older form)
    #[arg(short = 'r', long, overrides_with = "exit")]
    rc: bool,
    /// Show the code's symbolic name too
    #[arg(short = 'n', long)]
    name: bool,
    /// Show all known codes (also if none is given)
    #[arg(short = 'l', long)]
    list: bool,
    /// Show the number too
    #[arg(short = 'V', long, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Codes to explain (after `--`, if one is negative)
    codes: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the tool.
pub fn run(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(session, words, |args: &Args| &args.output, |_, args| Ok(explain(args)))
}

fn explain(args: &Args) -> Report {
    let kind = match (args.exit, args.rc) {
        (true, _) => Kind::Exit,
        (_, true) => Kind::Return,
        _ => Kind::Legacy,
    };
    let is_list = args.list || args.codes.is_empty();
    let numbers = match is_list {
        true => kind.all(),
        // What is no number is taken for the lowest there is.
        false => args.codes.iter().map(|code| code.parse().unwrap_or(i32::MIN)).collect(),
    };
    let with_number = is_list || args.verbose > 0;
    let mut report = Report::silent();
    for number in numbers {
        let (name, meaning) = kind.look_up(number);
        report.text.push_str(&match (with_number, args.name) {
            (true, true) => format!("{number:5}: {name:26}  {meaning}\n"),
            (true, false) => format!("{number:5}: {meaning}\n"),
            (false, true) => format!("{name} - {meaning}\n"),
            (false, false) => format!("{meaning}\n"),
        });
        report.trees.push(
            Tree::new("result-code")
                .attr("code", number)
                .maybe("name", args.name.then_some(name))
                .attr("description", meaning),
        );
    }
    report
}

/// What a code is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Exit,
    Return,
    Legacy,
}

impl Kind {
    /// Every code that has a name, in order.
    fn all(self) -> Vec<i32> {
        let numbers = |codes: &[Code]| codes.iter().map(|(number, ..)| *number).collect::<Vec<_>>();
        let system = std::iter::once(0).chain(SYSTEM.iter().map(|(number, _)| *number));
        match self {
            Self::Exit => numbers(EXITS),
            Self::Return => numbers(RETURNS).into_iter().chain(system).collect(),
            Self::Legacy => system.chain(numbers(LEGACY)).collect(),
        }
    }

    /// Name and meaning of a code.
    fn look_up(self, number: i32) -> (&'static str, String) {
        let in_table = |codes: &[Code], number| {
            let found = codes.iter().find(|(known, ..)| *known == number)?;
            Some((found.1, found.2.to_owned()))
        };
        match self {
            Self::Exit => in_table(EXITS, number)
                .unwrap_or_else(|| ("CRM_EX_UNKNOWN", "Unknown exit status".to_owned())),
            Self::Return if number < 0 => {
                in_table(RETURNS, number).unwrap_or_else(|| ("Unknown", "Error".to_owned()))
            }
            Self::Return => system(number),
            // It used to be of no account whether a code was negated.
            Self::Legacy => match number.checked_abs() {
                Some(number) => in_table(LEGACY, number).unwrap_or_else(|| system(number)),
                None => ("Unknown", "Error".to_owned()),
            },
        }
    }
}

/// An error of the operating system.
fn system(number: i32) -> (&'static str, String) {
    if number == 0 {
        return ("pcmk_rc_ok", "OK".to_owned());
    }
    let name = SYSTEM.iter().find(|(known, _)| *known == number).map_or("Unknown", |(_, name)| name);
    let text = io::Error::from_raw_os_error(number).to_string();
    let meaning = text.split(" (os error").next().unwrap_or_default();
    (name, meaning.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_their_kind_says() {
        for (kind, number, name, meaning) in [
            (Kind::Exit, 105, "CRM_EX_NOSUCH", "No such object"),
            (Kind::Exit, 99, "CRM_EX_UNKNOWN", "Unknown exit status"),
            (Kind::Return, -1005, "pcmk_rc_node_unknown", "Node not found"),
            (Kind::Return, -999, "Unknown", "Error"),
            (Kind::Return, 0, "pcmk_rc_ok", "OK"),
            (Kind::Legacy, -62, "ETIME", "Timer expired"),
            (
                Kind::Legacy,
                203,
                "pcmk_err_schema_validation",
                "Update does not conform to the configured schema",
            ),
        ] {
            assert_eq!(kind.look_up(number), (name, meaning.to_owned()), "{kind:?} {number}");
        }
    }

    #[test]
    fn exit_codes_of_our_tools_mean_what_the_table_says() {
        for exit in Exit::ALL {
            assert_eq!(Kind::Exit.look_up(exit.code().into()).1, exit.text());
        }
    }
}
