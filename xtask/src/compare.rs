//! `cargo xtask compare`: command lines given to our tools and to the incumbent's, with the same CIB before them.
//!
//! The command lines are in `tables`, a file per tool. They are compared by what scripts see: the exit code, standard output,
//! and the CIB afterwards. Differences of the same kind are told once and counted.

mod cibs;
mod normal;
mod run;
mod table;

use crate::shell;
use anyhow::{Context, Result, ensure};
use clap::Args;
use run::{Cib, Difference, Pair};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};
use table::Deviation;

/// What is compared.
#[derive(Debug, Args)]
pub struct Options {
    /// Tables to go through, by name [default: all].
    tables: Vec<String>,
    /// The folder with the incumbent's tools [default: SYSTOLE_ORACLE].
    #[arg(long)]
    oracle: Option<PathBuf>,
    /// The folder with our tools, as `cargo xtask tools` makes it [default: a debug build].
    #[arg(long)]
    ours: Option<PathBuf>,
    /// Run only every N-th command line.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
    /// With --every: so many command lines earlier, for another sample.
    #[arg(long, default_value_t = 0)]
    shift: u32,
    /// Lines shown of each kind of difference.
    #[arg(long, default_value_t = 8)]
    lines: usize,
    /// Show each command line that differs, not each kind of difference once.
    #[arg(long)]
    all: bool,
    /// Only command lines with this text.
    #[arg(long)]
    only: Option<String>,
}

/// The tables, by name.
const TABLES: &[(&str, &str)] = &[
    ("acl", include_str!("compare/tables/acl.txt")),
    ("attributes", include_str!("compare/tables/attributes.txt")),
    ("cibadmin", include_str!("compare/tables/cibadmin.txt")),
    ("crm_diff", include_str!("compare/tables/crm_diff.txt")),
    ("crm_mon", include_str!("compare/tables/crm_mon.txt")),
    ("crm_resource", include_str!("compare/tables/crm_resource.txt")),
    ("crm_rule", include_str!("compare/tables/crm_rule.txt")),
    ("crm_shadow", include_str!("compare/tables/crm_shadow.txt")),
    ("crm_simulate", include_str!("compare/tables/crm_simulate.txt")),
    ("crm_ticket", include_str!("compare/tables/crm_ticket.txt")),
    ("crm_verify", include_str!("compare/tables/crm_verify.txt")),
    ("iso8601", include_str!("compare/tables/iso8601.txt")),
    ("mistakes", include_str!("compare/tables/mistakes.txt")),
    ("others", include_str!("compare/tables/others.txt")),
    ("sweep", include_str!("compare/tables/sweep.txt")),
];

/// Runs the tables.
///
/// # Errors
/// If something cannot be run, or the tools differ.
pub fn run(options: &Options) -> Result<()> {
    let Some(oracle) = oracle(options) else {
        shell::shout(
            "SKIPPED: no incumbent to compare with (--oracle, or SYSTOLE_ORACLE: the folder of its tools)",
        );
        return Ok(());
    };
    let place = run::Place::new()?;
    let ours = match &options.ours {
        Some(folder) => fs::canonicalize(folder).with_context(|| format!("{}", folder.display()))?,
        None => our_tools(&place)?,
    };
    let pair = Pair { oracle, ours, place: &place };
    let mut differing = 0;
    println!("{:16} {:>6} {:>6} {:>9} {:>7} {:>7}", "table", "lines", "run", "differing", "known", "crashes");
    for (name, text) in TABLES.iter().filter(|(name, _)| wanted(options, name)) {
        let mut counts = Counts::default();
        compare_table(&pair, name, text, options, &mut counts)?;
        counts.tell(options);
        let Counts { n_all, n_run, n_differing, n_known, n_crashes, .. } = counts;
        println!("{name:16} {n_all:>6} {n_run:>6} {n_differing:>9} {n_known:>7} {n_crashes:>7}");
        differing += counts.n_differing;
    }
    ensure!(differing == 0, "{differing} command lines differ");
    Ok(())
}

fn wanted(options: &Options, name: &str) -> bool {
    options.tables.is_empty() || options.tables.iter().any(|table| table == name)
}

/// Where the incumbent's tools are. `SYSTOLE_ORACLE` may name one of them.
fn oracle(options: &Options) -> Option<PathBuf> {
    let path = options.oracle.clone().or_else(|| env::var_os("SYSTOLE_ORACLE").map(PathBuf::from))?;
    let folder = if path.is_dir() { path } else { path.parent()?.to_owned() };
    folder.join("cibadmin").exists().then(|| fs::canonicalize(&folder).ok()).flatten()
}

fn our_tools(place: &run::Place) -> Result<PathBuf> {
    let folder = place.folder("tools")?;
    crate::tools::link_to(&shell::build_debug()?.join("systole"), &folder)?;
    Ok(folder)
}

/// What came of a table.
#[derive(Default)]
struct Counts {
    /// Command lines of the table, and how many of them were run.
    n_all: usize,
    n_run: usize,
    n_differing: usize,
    /// How often as the table says that they may, or in a count of changes only.
    n_known: usize,
    /// How often the incumbent crashed: there is nothing to compare with then.
    n_crashes: usize,
    /// By kind: how often, and the first.
    kinds: BTreeMap<String, (usize, Difference)>,
}

impl Counts {
    fn add(&mut self, difference: Option<Difference>, deviations: &[Deviation], options: &Options) {
        self.n_run += 1;
        let Some(difference) = difference else { return };
        if difference.is_crash() {
            self.n_crashes += 1;
            return;
        }
        if difference.is_about_counting() || deviations.iter().any(|known| difference.is(known)) {
            self.n_known += 1;
            return;
        }
        self.n_differing += 1;
        let kind = if options.all { format!("{:6}", self.n_differing) } else { difference.kind() };
        self.kinds.entry(kind).or_insert((0, difference)).0 += 1;
    }

    fn tell(&self, options: &Options) {
        let mut kinds: Vec<_> = self.kinds.values().collect();
        if !options.all {
            kinds.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        }
        for (count, example) in kinds {
            println!("== {count} such: {}", example.text(options.lines));
        }
    }
}

fn compare_table(
    pair: &Pair<'_>,
    name: &str,
    text: &str,
    options: &Options,
    counts: &mut Counts,
) -> Result<()> {
    let every = usize::try_from(options.every).unwrap_or(usize::MAX);
    let shift = usize::try_from(options.shift).unwrap_or_default();
    let table = table::read(text).with_context(|| format!("the table {name}"))?;
    for block in table.blocks {
        for cib in cibs::find(&block.cibs, &block.with)? {
            let ids = cib.as_deref().map(cibs::Ids::read).transpose()?.unwrap_or_default();
            for line in block.lines.iter().flat_map(|line| table::expand(line, &ids)) {
                counts.n_all += 1;
                let is_out = options.only.as_ref().is_some_and(|only| !line.contains(only));
                if !(counts.n_all + shift).is_multiple_of(every) || is_out {
                    continue;
                }
                let cib = cib.as_deref().map(|path: &Path| Cib { path, via: block.via });
                counts.add(pair.compare(&line, cib, &table.words)?, &table.deviations, options);
            }
        }
    }
    Ok(())
}
