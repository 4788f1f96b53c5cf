//! Running one command line with both kinds of tools.

use super::{normal::Normal, table::Deviation};
use anyhow::{Context, Result};
use regex_lite::Regex;
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A command that takes longer hangs.
const MOST_SECONDS: &str = "20";

/// How tools are told of a CIB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// `CIB_file` names a copy.
    File,
    /// `CIB_shadow` does.
    Shadow,
    /// On standard input.
    Input,
}

/// A CIB, and how tools are told of it.
#[derive(Clone, Copy)]
pub struct Cib<'a> {
    /// Its file, which is not written to.
    pub path: &'a Path,
    /// How.
    pub via: Via,
}

/// A temporary folder that is gone in the end.
pub struct Place(PathBuf);

impl Place {
    /// Makes it.
    ///
    /// # Errors
    /// If there is no room.
    pub fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("systole-compare-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// An empty folder in it.
    ///
    /// # Errors
    /// If there is no room.
    pub fn folder(&self, name: &str) -> Result<PathBuf> {
        let path = self.0.join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Both kinds of tools.
pub struct Pair<'a> {
    /// The incumbent's folder.
    pub oracle: PathBuf,
    /// Ours.
    pub ours: PathBuf,
    /// Where commands run.
    pub place: &'a Place,
}

/// What one side did, normalised.
#[derive(PartialEq)]
struct Outcome {
    code: i32,
    out: Vec<String>,
    cib: Vec<String>,
}

/// Warnings, errors and verdicts among the lines of an output.
fn complaints(output: &[u8]) -> impl Iterator<Item = String> {
    let words = ["warning: ", "error: ", "Configuration "];
    let lines = String::from_utf8_lossy(output).into_owned();
    let lines: Vec<_> = lines.lines().map(str::trim).map(str::to_owned).collect();
    lines.into_iter().filter(move |line| words.iter().any(|word| line.contains(word)))
}

/// A command line that the tools answer differently.
pub struct Difference {
    line: String,
    cib: String,
    codes: (i32, i32),
    /// Lines of one side only, marked `-` (the incumbent's) and `+` (ours).
    lines: Vec<String>,
    /// What the incumbent complained of.
    complaints: Vec<String>,
}

impl Pair<'_> {
    /// Runs `line` twice; how the outcomes differ, if they do. `words` are lines whose words are our own.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn compare(&self, line: &str, cib: Option<Cib<'_>>, words: &[Regex]) -> Result<Option<Difference>> {
        let oracle = self.start(line, "oracle", &self.oracle, cib)?;
        let ours = self.start(line, "ours", &self.ours, cib)?;
        let ((mut oracle, complaints), (mut ours, _)) = (oracle.finish()?, ours.finish()?);
        leave_out_words(&mut oracle.out, words);
        leave_out_words(&mut ours.out, words);
        if oracle == ours {
            return Ok(None);
        }
        let mut lines = only_in("", &oracle.out, &ours.out);
        lines.extend(only_in("cib ", &oracle.cib, &ours.cib));
        Ok(Some(Difference {
            line: line.to_owned(),
            cib: cib.and_then(|cib| cib.path.file_name()).unwrap_or_default().to_string_lossy().into_owned(),
            codes: (oracle.code, ours.code),
            lines,
            complaints,
        }))
    }

    fn start(&self, line: &str, side: &str, tools: &Path, cib: Option<Cib<'_>>) -> Result<Running> {
        let place = self.place.folder(side)?;
        let mut command = Command::new("timeout");
        command.args([MOST_SECONDS, "sh", "-c", line]).current_dir(&place).env_clear();
        command.env("PATH", format!("{}:/usr/bin:/bin", tools.display()));
        command.envs([("LC_ALL", "C"), ("TZ", "UTC"), ("PCMK_stderr", "1")]).env("HOME", &place);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut input = Vec::new();
        let mut copy = None;
        if let Some(cib) = cib {
            let file = match cib.via {
                Via::File => place.join("cib.xml"),
                Via::Shadow => place.join("shadow.tried"),
                Via::Input => place.join("unused"),
            };
            match cib.via {
                Via::File => command.env("CIB_file", &file),
                Via::Shadow => command.env("CIB_shadow", "tried").env("CIB_shadow_dir", &place),
                Via::Input => command.env("CIB_file", "-"),
            };
            let bytes = fs::read(cib.path).with_context(|| format!("{}", cib.path.display()))?;
            if cib.via == Via::Input {
                input = bytes;
            } else {
                fs::write(&file, bytes)?;
                copy = Some(file);
            }
        }
        let mut child = command.spawn().context("cannot start timeout(1)")?;
        let mut stdin = child.stdin.take().context("a pipe was asked for")?;
        // Who does not read its input does not matter here.
        let _ = stdin.write_all(&input);
        Ok(Running { child, copy, place })
    }
}

/// A command that was started.
struct Running {
    child: Child,
    copy: Option<PathBuf>,
    place: PathBuf,
}

impl Running {
    /// What it did, and what it complained of.
    fn finish(self) -> Result<(Outcome, Vec<String>)> {
        let output = self.child.wait_with_output()?;
        let normal = Normal::new();
        let cib = self.copy.and_then(|copy| fs::read(copy).ok()).unwrap_or_default();
        let lines = |bytes: &[u8]| normal.lines(&String::from_utf8_lossy(bytes), &self.place);
        let complaints = complaints(&output.stdout).chain(complaints(&output.stderr)).collect();
        let code = output.status.code().unwrap_or(-1);
        Ok((Outcome { code, out: lines(&output.stdout), cib: lines(&cib) }, complaints))
    }
}

/// Stands for lines that are not compared by their words.
const WORDS: &str = "(words)";

/// Puts a mark in the place of each run of lines whose words are our own.
fn leave_out_words(lines: &mut Vec<String>, words: &[Regex]) {
    for line in lines.iter_mut().filter(|line| words.iter().any(|words| words.is_match(line))) {
        *line = WORDS.to_owned();
    }
    lines.dedup_by(|one, other| one == WORDS && other == WORDS);
}

/// Lines that one side has and the other has not, in their order; a difference in order only is told as one.
fn only_in(what: &str, oracle: &[String], ours: &[String]) -> Vec<String> {
    let missing = |from: &[String], other: &[String], mark: char| {
        let mut rest = other.to_vec();
        let mut lines = Vec::new();
        for line in from {
            match rest.iter().position(|known| known == line) {
                Some(at) => {
                    rest.swap_remove(at);
                }
                None => lines.push(format!("{mark} {what}{line}")),
            }
        }
        lines
    };
    let mut lines = missing(oracle, ours, '-');
    lines.extend(missing(ours, oracle, '+'));
    if lines.is_empty() && oracle != ours {
        let at = oracle.iter().zip(ours).position(|(one, other)| one != other).unwrap_or(0);
        lines.push(format!("~ {what}the order of lines, from {}", oracle[at]));
    }
    lines
}

/// Exit codes of what was killed by SIGABRT or SIGSEGV, as a shell tells them.
const CRASHES: [i32; 2] = [134, 139];

/// Exit code of what `timeout` ended.
const HANGS: i32 = 124;

/// Exit code of a program of ours that panics.
const PANIC: i32 = 101;

impl Difference {
    /// Whether the CIBs differ.
    fn is_in_cib(&self) -> bool {
        let marks = ["- cib ", "+ cib ", "~ cib "];
        self.lines.iter().any(|line| marks.iter().any(|mark| line.starts_with(mark)))
    }

    /// Whether it is one that is known. That ours panics or crashes never is, and that the CIBs differ only where it is said.
    pub fn is(&self, known: &Deviation) -> bool {
        let (incumbent, ours) = self.codes;
        if ours == PANIC || CRASHES.contains(&ours) || (self.is_in_cib() && !known.in_cib) {
            return false;
        }
        let is_about = |words: &Regex| self.complaints.iter().all(|complaint| words.is_match(complaint));
        known.codes.is_match(&format!("{incumbent}/{ours}"))
            && known.line.is_match(&self.line)
            && known.about.as_ref().is_none_or(is_about)
    }

    /// Whether the CIBs differ in nothing but how often the status changed: a change that changes nothing is counted there, and here not.
    pub fn is_about_counting(&self) -> bool {
        let counted = Regex::new(r#"num_updates="\d+""#).expect("it is a regular expression");
        let without = |mark: &str| -> Vec<String> {
            let lines = self.lines.iter().filter_map(|line| line.strip_prefix(mark));
            lines.map(|line| counted.replace_all(line, "").into_owned()).collect()
        };
        let (incumbent, ours) = (without("- cib "), without("+ cib "));
        self.codes.0 == self.codes.1 && incumbent.len() + ours.len() == self.lines.len() && incumbent == ours
    }

    /// Whether the incumbent crashed, or hangs where ours ends.
    pub fn is_crash(&self) -> bool {
        let (incumbent, ours) = self.codes;
        CRASHES.contains(&incumbent) || (incumbent == HANGS && ours != HANGS)
    }

    /// What differences of the same cause probably have in common: exit codes, and the first line of each side without its numbers.
    pub fn kind(&self) -> String {
        let first = |mark: char| {
            let line = self.lines.iter().find(|line| line.starts_with(mark)).map_or("", String::as_str);
            line.chars().filter(|c| !c.is_ascii_digit()).take(40).collect::<String>()
        };
        format!("{:?}{}{}{}", self.codes, first('-'), first('+'), first('~'))
    }

    /// All of it for people, with `most` lines.
    pub fn text(&self, most: usize) -> String {
        let mut text = format!("{} [{}]", self.line, self.cib);
        let (oracle, ours) = self.codes;
        if oracle != ours {
            text.push_str(&format!("\n   exit code {oracle}, ours {ours}"));
        }
        for line in self.lines.iter().take(most) {
            text.push_str(&format!("\n   {}", line.chars().take(200).collect::<String>()));
        }
        if self.lines.len() > most {
            text.push_str(&format!("\n   ... {} lines in all", self.lines.len()));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::table;

    #[test]
    fn of_words_of_our_own_only_their_place_is_compared() {
        let words = table::read("words ^<error>\nwords ^</error>\n").expect("a table").words;
        let left = |lines: &[&str]| {
            let mut lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            leave_out_words(&mut lines, &words);
            lines
        };
        let ours = left(&["<errors>", "<error>one</error>", "</errors>"]);
        assert_eq!(ours, left(&["<errors>", "<error>two", "</error>", "<error>three</error>", "</errors>"]));
        assert_ne!(ours, left(&["<errors>", "</errors>"]));
        assert_ne!(ours, left(&["<errors>", "two", "</errors>"]));
    }

    #[test]
    fn what_is_known_is_neither_a_crash_of_ours_nor_another_cib() {
        let table = table::read("deviates .*/.* crm\ndeviates 7/7 cib crm\n").expect("a table");
        let [any, same_codes] = &table.deviations[..] else { panic!("{table:?}") };
        let difference = |codes, line: &str| Difference {
            line: "crm_mon".to_owned(),
            cib: String::new(),
            codes,
            lines: vec![line.to_owned()],
            complaints: Vec::new(),
        };
        assert!(difference((0, 1), "+ a line").is(any));
        for code in [101, 134, 139] {
            assert!(!difference((0, code), "+ a line").is(any), "{code}");
        }
        let in_cib = difference((7, 7), "+ cib <node/>");
        assert!(!in_cib.is(any) && in_cib.is(same_codes));
    }

    #[test]
    fn what_is_known_may_be_known_by_what_the_incumbent_complains_of() {
        let table =
            table::read("deviates 78/0 about \"deprecated|may need\" ^crm_verify\n").expect("a table");
        let is_known = |said: &str| {
            let complaints = complaints(said.as_bytes()).collect();
            let (line, cib) = ("crm_verify -V".to_owned(), String::new());
            Difference { line, cib, codes: (78, 0), lines: Vec::new(), complaints }.is(&table.deviations[0])
        };
        let deprecated = "warning: it is deprecated\nConfiguration may need attention\n";
        assert!(is_known(deprecated));
        assert!(!is_known(&format!("error: it is wrong\n{deprecated}")));
        assert!(!is_known("Configuration invalid"));
    }
}
