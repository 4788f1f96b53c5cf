//! `systole plan`: what a change would do before it is made; and `--plan` of the verbs that change something.

use crate::{
    Cluster, Exit, Failed, Session,
    cluster::parse,
    rehearse,
    report::{self, OutputArgs, Report},
    runner,
};
use anyhow::Context as _;
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};
use systole_cib::{patch, xml::Document};
use systole_output::plan;

/// What a change would do, before it is made.
///
/// CHANGE is a command that changes something, as it would be typed: `resource disable vip`, `node standby alpha`,
/// `option set maintenance-mode=true`, `cibadmin -M ...`; or something that may happen: `node lost|off|back NODE`,
/// `quorum lost|back`, `time DATE`. Several are parted by `then`, or each is one quoted word. FILE has a whole CIB, whose configuration is
/// tried with the present state, or a patchset.
#[derive(clap::Args)]
pub(super) struct Args {
    /// A CIB or a patchset (`-`: standard input)
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The change, or a FILE
    #[arg(value_name = "CHANGE", trailing_var_arg = true, allow_hyphen_values = true)]
    change: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Plans.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    let (words, output) = without_output(args.change, args.output);
    let changes = match read_changes(args.file, words) {
        Ok(changes) => changes,
        Err(error) => return report::emit_error(session, &output, error),
    };
    finish(session, &output, &changes)
}

/// Plans the command line of a verb that has `--plan` in it.
pub(super) fn of_command(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    let words = words.iter().map(|word| word.to_string_lossy().into_owned()).filter(|word| word != "--plan");
    let (words, output) = without_output(words.collect(), OutputArgs::default());
    finish(session, &output, &[Change::Command(words)])
}

fn finish(session: &mut Session<'_>, output: &OutputArgs, changes: &[Change]) -> anyhow::Result<Exit> {
    let result = perform(session, changes);
    runner::finish(session, output, result)
}

/// One change.
enum Change {
    /// A command, or an event.
    Command(Vec<String>),
    /// A CIB or a patchset.
    File(PathBuf),
}

fn read_changes(file: Option<PathBuf>, words: Vec<String>) -> anyhow::Result<Vec<Change>> {
    let mut changes: Vec<Change> = file.into_iter().map(Change::File).collect();
    match words.as_slice() {
        [file] if !file.contains(char::is_whitespace) && (file == "-" || Path::new(file).is_file()) => {
            changes.push(Change::File(file.into()));
        }
        words if words.iter().any(|word| word.contains(' ') && !word.contains('<')) => {
            changes.extend(
                words
                    .iter()
                    .map(|words| Change::Command(words.split_whitespace().map(str::to_owned).collect())),
            );
        }
        words => {
            let parts = words.split(|word| word == "then").filter(|words| !words.is_empty());
            changes.extend(parts.map(|words| Change::Command(words.to_vec())));
        }
    }
    if changes.is_empty() {
        return Err(Failed::usage(format!("no change given: give {}, or a FILE", rehearse::LANGUAGE)));
    }
    Ok(changes)
}

fn perform(session: &mut Session<'_>, changes: &[Change]) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let before = cluster.cib()?;
    let moment = rehearse::moment(session, cluster.is_live());
    let mut after = before.clone();
    let mut names = Vec::new();
    for change in changes {
        match change {
            Change::Command(words) => {
                after = rehearse::make(session, &after, words)?;
                names.push(words.join(" "));
            }
            Change::File(file) => {
                after = apply_file(session, &after, file)?;
                names.push(if file.as_os_str() == "-" {
                    "This".to_owned()
                } else {
                    file.display().to_string()
                });
            }
        }
    }
    let planned = systole_whatif::plan(&before, &after, moment);
    Ok(Report::new(plan::text(&names, &planned), plan::tree(&names, &planned)))
}

/// A patchset is applied; of a whole CIB the configuration is taken.
fn apply_file(session: &mut Session<'_>, document: &Document, file: &Path) -> anyhow::Result<Document> {
    let (bytes, name) = match file.to_str() {
        Some("-") => {
            (session.read_input().context("cannot read standard input")?, "standard input".to_owned())
        }
        _ => {
            let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            (bytes, file.display().to_string())
        }
    };
    let given = parse(bytes, &name)?;
    let mut changed = document.clone();
    match given.root().name() {
        "diff" => {
            patch::apply(&mut changed, given.root())
                .map_err(|error| Failed::new(Exit::Data, error.to_string()))?;
        }
        "cib" => {
            let (Some(new), Some(old)) =
                (given.root().child("configuration"), changed.root().child("configuration"))
            else {
                return Err(Failed::new(Exit::Config, format!("{name} has no configuration")).into());
            };
            let old = old.key();
            changed.replace(old, new);
            // The schema the configuration is written in counts for it.
            if let Some(schema) = given.root().attr("validate-with") {
                let root = changed.root_key();
                changed.set_attr(root, "validate-with", schema);
            }
        }
        other => {
            let message =
                format!("{name} is neither a CIB nor a patchset: its outermost element is <{other}>");
            return Err(Failed::new(Exit::Data, message).into());
        }
    }
    Ok(changed)
}

/// Takes out what chooses the form of output: behind the words of a command it is about the plan, too.
fn without_output(words: Vec<String>, mut output: OutputArgs) -> (Vec<String>, OutputArgs) {
    let mut rest = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => output.json = true,
            "--output-as" => output.output_as = words.next(),
            _ => match word.strip_prefix("--output-as=") {
                Some(form) => output.output_as = Some(form.to_owned()),
                None => rest.push(word),
            },
        }
    }
    (rest, output)
}
