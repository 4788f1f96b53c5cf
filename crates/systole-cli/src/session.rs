//! What a tool gets from its surroundings: its name, environment, standard streams and the time.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::{self, Read, Write},
    rc::Rc,
    time::{Duration, SystemTime},
};
use systole_cib::xml::Document;
use systole_types::{LocalTime, Timestamp};

/// A CIB on which commands are tried.
pub type Rehearsal = Rc<RefCell<Document>>;

/// The surroundings of one run of a tool. Tests make their own.
pub struct Session<'a> {
    /// The name the tool was called by, without its directory.
    pub tool: String,
    /// The command line as people would type it, for reports that repeat it.
    pub command_line: String,
    /// Environment variables.
    pub env: BTreeMap<OsString, OsString>,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Standard error.
    pub err: &'a mut dyn Write,
    /// Standard output is a terminal.
    pub on_terminal: bool,
    /// When the tool was started.
    pub now: Timestamp,
    /// The caller's clock is that many seconds ahead of UTC.
    pub utc_offset: i64,
    /// Commands work on this copy of a CIB, and nobody else sees what they do: see [`crate::rehearse`].
    pub rehearsal: Option<Rehearsal>,
    /// How long a cluster may take to answer, if that was said (`--timeout`).
    pub answer_limit: Option<Duration>,
}

impl Session<'_> {
    /// When the tool was started, as rules look at it.
    pub fn local_time(&self) -> LocalTime {
        LocalTime { at: self.now, utc_offset: self.utc_offset }
    }

    /// An environment variable, unless missing or empty.
    pub fn var(&self, name: &str) -> Option<String> {
        let value = self.env.get(OsStr::new(name))?;
        (!value.is_empty()).then(|| value.to_string_lossy().into_owned())
    }

    /// Writes `text` to standard output as it is.
    ///
    /// # Errors
    /// If nobody reads it any more, or the disk is full.
    pub fn print(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())
    }

    /// Writes `text` and the end of the line to standard error. Nothing is done if that cannot be written.
    pub fn complain(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// All of standard input.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_input(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.input.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The time by the system's clock.
pub fn system_time() -> Timestamp {
    let seconds = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => since.as_secs() as i64,
        Err(before) => -(before.duration().as_secs() as i64),
    };
    Timestamp(seconds)
}
