//! Reading command lines the way Pacemaker's tools do: GNU style, long options abbreviated where unique.

use crate::{
    Exit, Session,
    report::{self, OutputArgs, Report},
};
use clap::{
    Parser,
    error::{ContextKind, ErrorKind},
};
use std::ffi::OsString;
use systole_output::tree::Tree;

/// The release whose behaviour the tools follow, as `--version` says first.
pub const PACEMAKER_VERSION: &str = "3.0.2";

/// Arguments, or the exit code if the run is over (help was asked for, or the arguments make no sense).
pub enum Parsed<T> {
    /// Go on with these.
    Go(T),
    /// All has been said.
    Over(Exit),
}

/// Words that belong to no option, of tools that Pacemaker has pass over them.
#[derive(clap::Args, Debug, Default)]
pub struct Stray {
    #[arg(hide = true, id = "stray")]
    words: Vec<String>,
}

impl Stray {
    /// Says that they are passed over: somebody may have meant something by them.
    pub fn tell(&self, session: &mut Session<'_>) {
        for word in &self.words {
            session.complain(&format!("{word:?} belongs to no option, and is passed over"));
        }
    }
}

/// Reads the arguments of one of Pacemaker's tools. Answers `--version` and `--help-all` itself.
///
/// # Errors
/// If help cannot be written.
pub fn parse_tool<T: Parser>(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Parsed<T>> {
    if args.iter().any(|arg| arg == "--version" || arg == "-$") {
        return Ok(Parsed::Over(print_version(session, args)?));
    }
    let args: Vec<OsString> = args
        .iter()
        .map(|arg| {
            let asks_for_help = arg == "-?" || arg.to_string_lossy().starts_with("--help-");
            if asks_for_help { OsString::from("--help") } else { arg.clone() }
        })
        .collect();
    parse(session, &args)
}

fn print_version(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Exit> {
    let ours = format!("Systole {}", env!("CARGO_PKG_VERSION"));
    let tree = Tree::new("version")
        .attr("program", "Pacemaker")
        .attr("version", PACEMAKER_VERSION)
        .attr("author", "the Systole project")
        .attr("build", ours.as_str())
        .attr("features", "");
    let report = Report::new(format!("Pacemaker {PACEMAKER_VERSION}\nPart of {ours}\n"), tree);
    // The rest of the command line does not count, whatever it is.
    let has = |words: &[&str]| {
        args.windows(words.len()).any(|some| some.iter().zip(words).all(|(one, word)| one == word))
    };
    let output = OutputArgs {
        output_as: (has(&["--output-as=xml"]) || has(&["--output-as", "xml"])).then(|| "xml".to_owned()),
        json: has(&["--json"]) || has(&["--output-as=json"]),
        ..OutputArgs::default()
    };
    report::emit(session, &output, report)
}

/// Reads the arguments of `systole` or a tool.
///
/// # Errors
/// If help cannot be written.
pub fn parse<T: Parser>(session: &mut Session<'_>, args: &[OsString]) -> anyhow::Result<Parsed<T>> {
    let command = command::<T>().bin_name(session.tool.clone()).term_width(100);
    let argv = std::iter::once(OsString::from(&session.tool)).chain(args.iter().cloned());
    let matched = command.try_get_matches_from(argv).and_then(|matches| T::from_arg_matches(&matches));
    match matched {
        Ok(parsed) => Ok(Parsed::Go(parsed)),
        Err(mut error) if error.use_stderr() => {
            // Nothing that these tools take begins with a dash.
            error.remove(ContextKind::Suggested);
            session.complain(error.to_string().trim_end());
            Ok(Parsed::Over(exit_of_mistake(&error)))
        }
        Err(help) => {
            session.print(&help.to_string())?;
            Ok(Parsed::Over(Exit::Ok))
        }
    }
}

/// A form of output that there is not is no mistake in usage, by Pacemaker's tools.
fn exit_of_mistake(error: &clap::Error) -> Exit {
    let text = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
    let (option, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::InvalidValue if option.starts_with("--output-as") && !value.is_empty() => Exit::Error,
        _ => Exit::Usage,
    }
}

/// What an option that wants a value is followed by is its value, whatever it looks like. Of an option that is given twice, the
/// last counts.
fn command<T: Parser>() -> clap::Command {
    T::command().infer_long_args(true).args_override_self(true).mut_args(|arg| {
        let wants_value = !arg.is_positional()
            && arg.get_action().takes_values()
            && arg.get_num_args().is_none_or(|range| range.min_values() > 0);
        if wants_value { arg.allow_hyphen_values(true) } else { arg }
    })
}

/// Which of `names` stands last on the command line of a tool with arguments `T`, which has been read before: where several
/// commands are given, Pacemaker's tools obey the last.
pub fn last_given<'n, T: Parser>(
    session: &Session<'_>,
    words: &[OsString],
    names: &[&'n str],
) -> Option<&'n str> {
    let argv = std::iter::once(OsString::from(&session.tool)).chain(words.iter().cloned());
    let matches = command::<T>().get_matches_from(argv);
    names
        .iter()
        .filter(|name| matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine))
        .filter_map(|name| Some((matches.indices_of(name)?.max()?, *name)))
        .max()
        .map(|(_, name)| name)
}

/// Values of the options `names` with the option's name, in the order in which they were given, of a command line that has been
/// read before.
pub fn in_order<'n, T: Parser>(
    session: &Session<'_>,
    words: &[OsString],
    names: &[&'n str],
) -> Vec<(&'n str, String)> {
    let argv = std::iter::once(OsString::from(&session.tool)).chain(words.iter().cloned());
    let matches = command::<T>().get_matches_from(argv);
    let mut found: Vec<(usize, &str, String)> = Vec::new();
    for name in names {
        let indices = matches.indices_of(name).into_iter().flatten();
        let values = matches.get_many::<String>(name).into_iter().flatten();
        found.extend(indices.zip(values).map(|(index, value)| (index, *name, value.clone())));
    }
    found.sort_by_key(|(index, ..)| *index);
    found.into_iter().map(|(_, name, value)| (name, value)).collect()
}

/// The command line as Pacemaker's tools repeat it: words parted by blanks, those that need it quoted.
pub fn command_line(tool: &str, args: &[OsString]) -> String {
    let mut line = tool.to_owned();
    for arg in args {
        line.push(' ');
        let arg = arg.to_string_lossy();
        if arg.contains(char::is_whitespace) || arg.is_empty() {
            line.push_str(&format!("'{arg}'"));
        } else {
            line.push_str(&arg);
        }
    }
    line
}
