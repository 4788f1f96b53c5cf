//! `systole`, and every tool that is a link to it.

use std::{
    ffi::OsString,
    io::{self, IsTerminal, Write},
    path::Path,
    process::ExitCode,
};
use systole_cli::{Session, session::system_time};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let called_as = args.next().unwrap_or_else(|| OsString::from("systole"));
    let args: Vec<OsString> = args.collect();
    let tool = Path::new(&called_as).file_name().unwrap_or(&called_as).to_string_lossy().into_owned();
    // `systole lab` has a main of its own: it has threads, which must not find the streams locked.
    if tool == "systole" && args.first().is_some_and(|verb| verb == "lab") {
        return ExitCode::from(systole_lab::main(&args[1..]));
    }
    let stdout = io::stdout();
    let on_terminal = stdout.is_terminal();
    let mut out = io::BufWriter::new(stdout.lock());
    let now = system_time();
    let exit = systole_cli::run(
        &mut Session {
            tool,
            command_line: String::new(),
            env: std::env::vars_os().collect(),
            input: &mut io::stdin().lock(),
            out: &mut out,
            err: &mut io::stderr().lock(),
            on_terminal,
            now,
            utc_offset: systole_link::utc_offset(std::env::var("TZ").ok().as_deref(), now),
            rehearsal: None,
            answer_limit: None,
        },
        &args,
    );
    // A reader that went away early (`| head`) is no error of ours.
    let _ = out.flush();
    ExitCode::from(exit.code())
}
