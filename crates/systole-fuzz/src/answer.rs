//! What a simulator says of a CIB: ours, run in this process, or another program.

use anyhow::{Context as _, Result};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::empty,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use systole_cli::{Session, session::system_time};
use systole_graph::{TransitionGraph, read_graph};

/// What a simulator says of a CIB.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The graph, or why there is none.
    pub graph: Result<TransitionGraph, String>,
    /// How the simulator failed, if it did. It may have written a graph before: one that cannot be carried out.
    pub failure: Option<String>,
    /// Standard output by sections: title and lines.
    pub sections: Vec<(String, Vec<String>)>,
    /// Standard error, line by line.
    pub complaints: Vec<String>,
}

impl Answer {
    fn new(graph_file: &Path, out: &str, err: &str, failure: Option<String>) -> Self {
        let read = || {
            let text = fs::read_to_string(graph_file).map_err(|_| "no graph".to_owned())?;
            read_graph(&text).map_err(|error| format!("graph: {error}"))
        };
        let graph = read().map_err(|error| failure.clone().unwrap_or(error));
        // After an assertion of its own that failed, an incumbent prints what else it noticed, which it keeps to itself otherwise.
        let has_failed = err.contains("fatal assertion");
        let is_aside = |line: &str| is_noise(line) || (has_failed && line.starts_with('('));
        let complaints = err.lines().filter(|line| !is_aside(line)).map(str::to_owned).collect();
        Self { graph, failure, sections: sections(out), complaints }
    }

    /// The lines of a section, if there is one of that title.
    pub fn section(&self, title: &str) -> &[String] {
        self.sections.iter().find(|(known, _)| known == title).map_or(&[], |(_, lines)| lines)
    }
}

fn sections(out: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = vec![(String::new(), Vec::new())];
    for line in out.lines() {
        let is_title = !line.starts_with(' ') && line.ends_with(':');
        match found.last_mut() {
            Some((_, lines)) if !is_title => {
                // Where the lines are broken is nobody's business, nor how far they are set in.
                let words: Vec<&str> = line.split_whitespace().collect();
                if !words.is_empty() {
                    lines.push(words.join(" "));
                }
            }
            _ => found.push((line.trim_end_matches(':').to_owned(), Vec::new())),
        }
    }
    found
}

/// What is wrong by an older schema is told in the words of the library that found it, and so is what is lost on the way to
/// the newest; failed assertions are told too.
fn is_noise(line: &str) -> bool {
    let of_upgrade =
        ["DEBUG: ", "INFO: ", "WARNING: Dropping ", "dropping "].iter().any(|start| line.starts_with(start));
    of_upgrade || line.contains("validity error") || line.contains("fatal assertion")
}

/// How a run ended, with the place in the source where it gave up, if it did.
fn failure(status: &str, err: &str) -> String {
    let last = err.lines().last().unwrap_or_default();
    let reason = last.split_once("error: ").map_or(last, |(_, reason)| reason);
    format!("{status}: {reason}")
}

/// An incumbent's `crm_simulate` of the reference release or later: `SYSTOLE_ORACLE`, else Debian's if that is new enough.
/// Says so if there is none.
pub fn reference_oracle() -> Option<PathBuf> {
    let oracle =
        std::env::var_os("SYSTOLE_ORACLE").map_or_else(|| "/usr/sbin/crm_simulate".into(), PathBuf::from);
    let version = Command::new(&oracle).arg("--version").output();
    let text = version.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    let major = text.strip_prefix("Pacemaker ").and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= 3) {
        return Some(oracle);
    }
    eprintln!("SKIPPED: {} is no Pacemaker 3.0 or later (set SYSTOLE_ORACLE)", oracle.display());
    None
}

/// A folder for one worker's files.
pub struct Workplace {
    folder: PathBuf,
}

impl Workplace {
    /// Makes a folder.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("systole-fuzz-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self { folder })
    }

    /// Writes the CIB that is to be answered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put(&self, cib: &str) -> Result<()> {
        fs::write(self.input(), cib).context("cannot write the CIB")
    }

    fn input(&self) -> PathBuf {
        self.folder.join("cib.xml")
    }

    fn arguments(&self, graph: &Path) -> Vec<OsString> {
        let input = self.input();
        ["-x".as_ref(), input.as_os_str(), "-S".as_ref(), "-s".as_ref(), "-G".as_ref(), graph.as_os_str()]
            .map(OsString::from)
            .into()
    }

    /// Our answer.
    pub fn ours(&self) -> Answer {
        let graph = self.folder.join("ours.xml");
        let _ = fs::remove_file(&graph);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut session = Session {
            tool: "crm_simulate".into(),
            command_line: String::new(),
            env: BTreeMap::new(),
            input: &mut empty(),
            out: &mut out,
            err: &mut err,
            on_terminal: false,
            now: system_time(),
            utc_offset: 0,
            rehearsal: None,
            answer_limit: None,
        };
        let arguments = self.arguments(&graph);
        let exit = catch_unwind(AssertUnwindSafe(|| systole_cli::run(&mut session, &arguments)));
        let failure = match exit {
            Ok(systole_cli::Exit::Ok) => None,
            Ok(other) => Some(format!("ended with {other:?}")),
            Err(_) => Some("panicked".to_owned()),
        };
        Answer::new(&graph, &String::from_utf8_lossy(&out), &String::from_utf8_lossy(&err), failure)
    }

    /// Another program's answer.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn theirs(&self, oracle: &Path) -> Result<Answer> {
        let graph = self.folder.join("theirs.xml");
        let _ = fs::remove_file(&graph);
        // Not every incumbent comes to an end on every CIB: 2.1.5 was still busy with one after minutes.
        let run = Command::new("timeout")
            .arg("20")
            .arg(oracle)
            .args(self.arguments(&graph))
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("CIB_shadow_dir", &self.folder)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {}", oracle.display()))?;
        let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        let failure = (!run.status.success()).then(|| failure(&run.status.to_string(), &err));
        Ok(Answer::new(&graph, &out, &err, failure))
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // A leftover in the temporary folder is only untidy.
        let _ = fs::remove_dir_all(&self.folder);
    }
}
