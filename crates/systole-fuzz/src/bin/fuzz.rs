//! `fuzz [--cases N] [--seed S] [--oracle PATH] [--corpus]`: random clusters, planned by us and by the incumbent.

use anyhow::{Context as _, Result};
use clap::Parser;
use std::{
    collections::BTreeMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};
use systole_cib::{schema::Schema, xml::Document};
use systole_fuzz::{
    answer::Workplace,
    census::Census,
    generate::{self, Family},
    judge::{self, Difference, Level},
    mutate::{Alterations, Stock},
    older,
    rest::{self, Verdict},
    shrink,
};

/// Among so many clusters every part of the language should occur.
const ENOUGH_FOR_ALL: u64 = 300;

/// Compare our plans for random clusters with the incumbent's.
#[derive(Parser)]
struct Options {
    /// How many clusters
    #[arg(long, default_value_t = 200)]
    cases: u64,
    /// The first one's seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The incumbent's crm_simulate
    #[arg(long, env = "SYSTOLE_ORACLE", default_value = "/usr/sbin/crm_simulate")]
    oracle: PathBuf,
    /// A later incumbent's crm_simulate, beside one before 3.0: differences in which it plans as we do are counted apart
    #[arg(long, env = "SYSTOLE_ORACLE_NEWER")]
    newer: Option<PathBuf>,
    /// Where CIBs with differences are kept
    #[arg(long, default_value = "target/fuzz")]
    keep: PathBuf,
    /// What clusters are made of: `classic`; `wide`, all that the language has; `strewn`, the same with states that no plan led to; `tangled`,
    /// few resources with many constraints
    #[arg(long, default_value = "wide", value_parser = family)]
    family: Family,
    /// Print how many of the clusters had each part of the language
    #[arg(long)]
    census: bool,
    /// Alter cases of the scheduler corpus instead of making CIBs up
    #[arg(long)]
    corpus: bool,
    /// With --corpus: alter settings, for the most part, and what happens by them
    #[arg(long, requires = "corpus")]
    settings: bool,
    /// Do not look for smaller CIBs
    #[arg(long)]
    no_shrink: bool,
    /// How many CIBs to try on the way to the smallest
    #[arg(long, default_value_t = 1500)]
    trials: usize,
    /// Shrink at most this many of each kind
    #[arg(long, default_value_t = 1)]
    examples: usize,
    /// Look for the smallest CIBs on which the incumbent fails, too
    #[arg(long)]
    oracle_failures: bool,
    /// Compare plans that leave out what is at rest with plans of everything, through so many changes of each cluster;
    /// asks no incumbent
    #[arg(long, value_name = "CHANGES")]
    rest: Option<u32>,
    /// Compare on this CIB only
    #[arg(long)]
    file: Option<PathBuf>,
    /// Write the generated CIB, and do nothing else
    #[arg(long)]
    dump: bool,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    std::panic::set_hook(Box::new(|_| {}));
    let source = Source::new(&options)?;
    if options.dump {
        println!("{}", source.cib(options.seed).to_text());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(n_changes) = options.rest {
        return compare_rest(&options, &source, n_changes);
    }
    let workplace = Workplace::new(&options.seed.to_string())?;
    if let Some(file) = &options.file {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let found = differences(&workplace, &options.oracle, &Document::parse(&text)?, true)?;
        found.iter().for_each(|difference| println!("{difference}"));
        return Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    if older::is_older(&options.oracle) {
        return compare_with_older(&options, &workplace);
    }
    let started = Instant::now();
    let (mut kinds, mut failures): (Kinds, Kinds) = Default::default();
    let mut census = Census::default();
    for seed in options.seed..options.seed + options.cases {
        let Ok(cib) = catch_unwind(|| source.cib(seed)) else {
            kinds.entry("panic while generating".into()).or_default().push(seed);
            continue;
        };
        census.count(&cib);
        let is_older = cib.root().attr("validate-with") != Some(Schema::NEWEST.name());
        let is_validated = options.corpus || is_older || seed % 16 == 0;
        let found = differences(&workplace, &options.oracle, &cib, is_validated)?;
        let Some(first) = found.first() else { continue };
        let class = class(first);
        if first.level == Level::Oracle {
            failures.entry(class.clone()).or_default().push(seed);
            if options.oracle_failures {
                report(&options, &workplace, &source, seed, &class)?;
            }
            continue;
        }
        let seeds = kinds.entry(class.clone()).or_default();
        seeds.push(seed);
        if seeds.len() <= options.examples && !options.no_shrink {
            report(&options, &workplace, &source, seed, &class)?;
        }
    }
    let n_different: usize = kinds.values().map(Vec::len).sum();
    println!(
        "{} cases from seed {} in {:.0} s: {n_different} differ; the incumbent fails in {}",
        options.cases,
        options.seed,
        started.elapsed().as_secs_f64(),
        failures.values().map(Vec::len).sum::<usize>()
    );
    for (class, seeds) in kinds.iter().chain(&failures) {
        println!("{:>5} {class}: seeds {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    if options.census {
        print!("{}", census.table());
    } else if options.cases >= ENOUGH_FOR_ALL {
        println!("no cluster had: {}", census.missing().join(" "));
    }
    Ok(if n_different == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn family(name: &str) -> Result<Family, String> {
    match name {
        "classic" => Ok(Family::Classic),
        "wide" => Ok(Family::Wide),
        "strewn" => Ok(Family::Strewn),
        "tangled" => Ok(Family::Tangled),
        _ => Err("classic, wide, strewn or tangled".to_owned()),
    }
}

/// Compares plans that leave out what is at rest with plans of everything.
fn compare_rest(options: &Options, source: &Source, n_changes: u32) -> Result<ExitCode> {
    let (mut n_plans, mut n_partial, mut n_left_out, mut n_roots_seen) = (0_u64, 0_u64, 0, 0);
    let mut different: Vec<(u64, String, Document)> = Vec::new();
    let mut panicked = Vec::new();
    for seed in options.seed..options.seed + options.cases {
        let mut look = |cib: &Document| {
            n_plans += 1;
            match rest::judge(cib) {
                Verdict::Same { n_left_out: n, n_roots } => {
                    n_partial += u64::from(n > 0);
                    n_left_out += n;
                    n_roots_seen += n_roots;
                }
                Verdict::Different(how) => different.push((seed, how, cib.clone())),
            }
        };
        let told = catch_unwind(AssertUnwindSafe(|| match options.corpus {
            true => rest::disturb(source.cib(seed), n_changes, &mut look),
            false => generate::life(options.family, seed, n_changes, &mut look),
        }));
        panicked.extend(told.is_err().then_some(seed));
    }
    println!(
        "{n_plans} plans of {} clusters from seed {}: {} differ; {n_partial} leave something out, all together {n_left_out} of \
         {n_roots_seen} top-level resources; panics: {panicked:?}",
        options.cases,
        options.seed,
        different.len()
    );
    fs::create_dir_all(&options.keep)?;
    for (n, (seed, how, cib)) in different.iter().take(8).enumerate() {
        let mut holds = |candidate: &Document| matches!(rest::judge(candidate), Verdict::Different(_));
        let mut smallest =
            if n < options.examples { shrink::shrink(cib, 1500, &mut holds) } else { cib.clone() };
        smallest.tidy();
        let file = options.keep.join(format!("rest-{seed}.xml"));
        fs::write(&file, smallest.to_text())?;
        println!("== seed {seed}: {how} ({})", file.display());
    }
    let is_fine = different.is_empty() && panicked.is_empty();
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Counts the ways in which plans differ from those of a release before 3.0.
fn compare_with_older(options: &Options, workplace: &Workplace) -> Result<ExitCode> {
    let mut kinds = Kinds::new();
    for seed in options.seed..options.seed + options.cases {
        let today = generate::cib(Family::Classic, seed);
        let mut cib = today.clone();
        older::translate(&mut cib);
        let found = differences(workplace, &options.oracle, &cib, true)?;
        let Some(class) = older::class(&found) else { continue };
        let is_unknown = !class.starts_with("known") && !class.starts_with("Oracle");
        let has_changed = match options.newer.as_ref().filter(|_| is_unknown) {
            Some(newer) => older::class(&differences(workplace, newer, &today, false)?).is_none(),
            None => false,
        };
        let class = if has_changed { format!("changed since: {class}") } else { class };
        kinds.entry(class).or_default().push(seed);
    }
    let count = |wanted: &dyn Fn(&str) -> bool| -> usize {
        kinds.iter().filter(|(class, _)| wanted(class)).map(|(_, seeds)| seeds.len()).sum()
    };
    let known = count(&|class| class.starts_with("known"));
    let changed = count(&|class| class.starts_with("changed since"));
    let failed = count(&|class| class.starts_with("Oracle"));
    println!(
        "{} cases from seed {}: {} planned otherwise, {known} more in known ways, {changed} more where the newer \
         incumbent plans as we do; the incumbent fails in {failed}",
        options.cases,
        options.seed,
        count(&|_| true) - known - changed - failed
    );
    for (class, seeds) in &kinds {
        println!("{:>5} {class}: seeds {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    Ok(ExitCode::SUCCESS)
}

/// Where CIBs come from.
enum Source {
    Generator(Family),
    Corpus(Stock, Alterations),
}

impl Source {
    fn new(options: &Options) -> Result<Self> {
        match options.corpus {
            false => Ok(Self::Generator(options.family)),
            true => {
                let kind = if options.settings { Alterations::Settings } else { Alterations::Any };
                let stock = Stock::read()?.context("there is no corpus")?;
                Ok(Self::Corpus(stock, kind))
            }
        }
    }

    fn cib(&self, seed: u64) -> Document {
        match self {
            Self::Generator(family) => generate::cib(*family, seed),
            Self::Corpus(stock, kind) => stock.cib(&stock.mutant(*kind, seed)).0,
        }
    }

    /// The CIB with as few alterations as `holds` needs, and what they are.
    fn simplest(&self, seed: u64, holds: &mut dyn FnMut(&Document) -> bool) -> (Document, Vec<String>) {
        match self {
            Self::Generator(family) => (generate::cib(*family, seed), Vec::new()),
            Self::Corpus(stock, kind) => {
                let mutant = stock.fewest(&stock.mutant(*kind, seed), holds);
                let (cib, mut done) = stock.cib(&mutant);
                done.insert(0, stock.name(&mutant).to_owned());
                (cib, done)
            }
        }
    }
}

/// Seeds by the kind of difference they show.
type Kinds = BTreeMap<String, Vec<u64>>;

fn class(difference: &Difference) -> String {
    format!("{:?} {}", difference.level, difference.kind)
}

/// How the two answers differ. Schemas take the incumbent long to read: only if `validated` is it let do so.
fn differences(
    workplace: &Workplace,
    oracle: &Path,
    cib: &Document,
    validated: bool,
) -> Result<Vec<Difference>> {
    let mut cib = cib.clone();
    if !validated {
        let root = cib.root_key();
        cib.set_attr(root, "validate-with", "none");
    }
    workplace.put(&cib.to_text())?;
    let theirs = workplace.theirs(oracle)?;
    Ok(judge::compare(&theirs, &workplace.ours()))
}

/// Prints and keeps the smallest CIB with the same kind of difference.
fn report(options: &Options, workplace: &Workplace, source: &Source, seed: u64, wanted: &str) -> Result<()> {
    let mut holds = |candidate: &Document| {
        let found = differences(workplace, &options.oracle, candidate, true);
        found.is_ok_and(|found| found.first().is_some_and(|first| class(first) == wanted))
    };
    let (cib, done) = source.simplest(seed, &mut holds);
    let mut smallest = if holds(&cib) { shrink::shrink(&cib, options.trials, &mut holds) } else { cib };
    smallest.tidy();
    fs::create_dir_all(&options.keep)?;
    let file = options.keep.join(format!("{seed}.xml"));
    fs::write(&file, smallest.to_text())?;
    println!("== seed {seed}: {wanted} ({})", file.display());
    done.iter().for_each(|done| println!("  {done}"));
    for difference in differences(workplace, &options.oracle, &smallest, true)?.iter().take(12) {
        println!("  {difference}");
    }
    Ok(())
}
