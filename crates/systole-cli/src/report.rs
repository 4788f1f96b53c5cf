//! Where reports go, and in which form.

use crate::{
    Exit, Failed, Session,
    cluster::{check_writable, write_atomically},
};
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};
use systole_output::tree::{Envelope, Tree};

/// The options that choose the form of output.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Form of the output
    #[arg(long, value_name = "FORM", value_parser = ["text", "console", "html", "xml", "json", "log", "none"], help_heading = "Output", global = true)]
    pub output_as: Option<String>,
    /// Write the output to a file instead (`-`: standard output)
    #[arg(long, value_name = "DEST", help_heading = "Output", global = true)]
    pub output_to: Option<PathBuf>,
    /// Same as --output-as=json
    #[arg(long, help_heading = "Output", global = true)]
    pub json: bool,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For people.
    Text,
    /// For programs that know Pacemaker's.
    Xml,
    /// For browsers.
    Html,
    /// For other programs.
    Json,
    /// Nothing but the exit code.
    None,
}

impl OutputArgs {
    /// The form asked for.
    pub fn form(&self) -> Form {
        match self.output_as.as_deref() {
            _ if self.json => Form::Json,
            Some("xml") => Form::Xml,
            Some("html") => Form::Html,
            Some("json") => Form::Json,
            Some("none") => Form::None,
            _ => Form::Text,
        }
    }

    /// The file, pipe or device the output goes to, unless it is standard output.
    pub fn destination(&self) -> Option<&Path> {
        self.output_to.as_deref().filter(|path| path.as_os_str() != "-")
    }

    /// Whether programs read the output.
    pub fn is_for_programs(&self) -> bool {
        matches!(self.form(), Form::Xml | Form::Json)
    }
}

/// What a tool has to say: text for people, trees for programs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// For people, with all ends of lines.
    pub text: String,
    /// For programs.
    pub trees: Vec<Tree>,
    /// What went wrong, if anything.
    pub errors: Vec<String>,
    /// How the tool ends.
    pub exit: Option<Exit>,
    /// For browsers, of tools that have that.
    pub html: Option<String>,
    /// XML in the root element it had before there was an envelope.
    pub is_legacy: bool,
}

impl Report {
    /// A report of a text and its tree.
    pub fn new(text: impl Into<String>, tree: Tree) -> Self {
        Self { text: text.into(), trees: vec![tree], ..Self::default() }
    }

    /// Nothing to say.
    pub fn silent() -> Self {
        Self::default()
    }

    /// The same, ending with `exit`.
    #[must_use]
    pub fn ending(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }
}

/// Writes a report in the form asked for.
///
/// # Errors
/// If it cannot be written.
pub fn emit(session: &mut Session<'_>, output: &OutputArgs, report: Report) -> anyhow::Result<Exit> {
    let exit = report.exit.unwrap_or(Exit::Ok);
    let envelope = || Envelope {
        request: session.command_line.clone(),
        content: report.trees.clone(),
        code: exit.code(),
        message: exit.text().to_owned(),
        errors: report.errors.clone(),
    };
    let text = match output.form() {
        Form::Text => {
            for error in &report.errors {
                session.complain(error);
            }
            report.text
        }
        Form::Html => report.html.ok_or_else(|| Failed::usage("this tool writes no HTML"))?,
        Form::Xml if report.is_legacy => envelope().to_legacy_xml(crate::args::PACEMAKER_VERSION),
        Form::Xml => envelope().to_xml(),
        Form::Json => envelope().to_json(),
        Form::None => String::new(),
    };
    match output.destination() {
        Some(path) => write_output(path, text.as_bytes())
            .map_err(|error| cannot_write(Exit::CannotCreate, path, &error))?,
        None => session.print(&text)?,
    }
    Ok(exit)
}

/// Whether the output can be written; told before anything is done.
///
/// # Errors
/// If not: then Pacemaker's tools do nothing, and end with 1.
pub fn check_destination(output: &OutputArgs) -> anyhow::Result<()> {
    let Some(path) = output.destination() else { return Ok(()) };
    let result = if is_stream(path) { open_stream(path).map(drop) } else { check_writable(path) };
    Ok(result.map_err(|error| cannot_write(Exit::Error, path, &error))?)
}

fn cannot_write(exit: Exit, path: &Path, error: &anyhow::Error) -> Failed {
    Failed::new(exit, format!("cannot write the output to {}: {error}", path.display()))
}

/// Devices and pipes (`/dev/null`, `/dev/stderr`) are written to as they are; a file is replaced in one step.
fn write_output(path: &Path, text: &[u8]) -> anyhow::Result<()> {
    if is_stream(path) { Ok(open_stream(path)?.write_all(text)?) } else { write_atomically(path, text) }
}

fn is_stream(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| !meta.is_file() && !meta.is_dir())
}

fn open_stream(path: &Path) -> anyhow::Result<fs::File> {
    Ok(fs::OpenOptions::new().append(true).open(path)?)
}

/// Reports an error in the form asked for, and tells the exit code.
///
/// # Errors
/// If it cannot be written; or the error itself, where people read the output: the caller of all tools prints it.
pub fn emit_error(
    session: &mut Session<'_>,
    output: &OutputArgs,
    error: anyhow::Error,
) -> anyhow::Result<Exit> {
    if !output.is_for_programs() {
        return Err(error);
    }
    let exit = crate::exit::exit_of(&error);
    let report = Report {
        errors: vec![format!("{}: {error:#}", session.tool)],
        exit: Some(exit),
        ..Report::default()
    };
    emit(session, output, report)
}
