//! Where the CIB comes from, and where what is made of it goes.

use super::Args;
use crate::{Cluster, Exit, Failed, Session};
use anyhow::Context as _;
use std::{
    fmt, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};
use systole_cib::{
    schema::Schema,
    upgrade::{self, UpgradeError},
    xml::Document,
};
use systole_graph::TransitionGraph;

/// The CIB, and the file where `--in-place` keeps the result.
///
/// Of a live CIB that is the shadow copy, if there is one. A file that stands in for the cluster (`CIB_file`) stays as it
/// is, as in the reference release.
pub fn read(session: &mut Session<'_>, args: &Args) -> anyhow::Result<(Document, Option<PathBuf>)> {
    if args.live_check {
        let mut cluster = Cluster::open(session)?;
        let shadow = cluster.file().filter(|_| session.var("CIB_file").is_none());
        let shadow = shadow.map(Path::to_owned);
        return Ok((cluster.cib()?, shadow));
    }
    let (text, name) = match args.file() {
        Some(file) => {
            let name = file.display().to_string();
            let text = fs::read_to_string(file)
                .map_err(|error| Failed::new(Exit::Data, format!("cannot read {name}: {error}")))?;
            (text, name)
        }
        None => {
            let text = String::from_utf8(session.read_input()?).context("standard input is not text")?;
            (text, "-".to_owned())
        }
    };
    let document =
        Document::parse(text).map_err(|error| Failed::new(Exit::Data, format!("{name}: {error}")))?;
    if document.root().name() != "cib" {
        let message = format!("{name}: not a CIB: the outermost element is <{}>", document.root().name());
        return Err(Failed::new(Exit::Config, message).into());
    }
    Ok((document.from_file(&name), args.file().cloned()))
}

/// What is simulated is the CIB as the newest schema has it. One that is not valid is refused.
pub fn bring_up(session: &mut Session<'_>, document: &mut Document) -> anyhow::Result<()> {
    match upgrade::for_reading(document) {
        Ok(Some(upgraded)) => {
            upgraded.notes.iter().for_each(|note| session.complain(note));
            *document = upgraded.document;
        }
        // It is in the words of the newest schema already.
        Ok(None) if document.root().attr("validate-with").and_then(Schema::named).is_some() => {
            let root = document.root_key();
            document.set_attr(root, "validate-with", Schema::NEWEST.name());
        }
        Ok(None) => {}
        Err(UpgradeError::NoSchema) if document.root().attr("validate-with").is_none() => {}
        Err(error) => {
            let message = format!("{error} (crm_verify -V tells what is wrong)");
            return Err(Failed::new(Exit::Config, message).into());
        }
    }
    Ok(())
}

/// Writes a file, with the exit code the reference release has for what goes wrong.
pub fn write(file: &Path, text: &str) -> Result<(), Failed> {
    fs::write(file, text).map_err(|error| cannot_write(file, &error))
}

/// Writes a transition graph to a file, without having its text in memory as a whole.
pub fn write_graph(file: &Path, graph: &TransitionGraph) -> Result<(), Failed> {
    let open = fs::File::create(file).map_err(|error| cannot_write(file, &error))?;
    let mut sink = Sink { file: open, outcome: Ok(()) };
    let _ = systole_graph::write_graph_to(graph, &mut sink);
    sink.outcome.map_err(|error| cannot_write(file, &error))
}

/// An open file that is written to until something goes wrong.
struct Sink {
    file: fs::File,
    outcome: io::Result<()>,
}

impl fmt::Write for Sink {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.outcome = self.file.write_all(piece.as_bytes());
        self.outcome.as_ref().map_err(|_| fmt::Error).copied()
    }
}

fn cannot_write(file: &Path, error: &io::Error) -> Failed {
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::NoSuch,
        io::ErrorKind::PermissionDenied => Exit::InsufficientPrivilege,
        _ => Exit::Io,
    };
    Failed::new(exit, format!("cannot write {}: {error}", file.display()))
}
