//! `systole option`.

use crate::{
    Cluster, Failed, Session,
    edit::{self, Owner, Pair, PairSpec},
    names,
    report::Report,
};
use clap::Subcommand;
use systole_cib::{options::CLUSTER_OPTIONS, spelling, verify, xml::Document};
use systole_output::tree::Tree;

/// Cluster options.
#[derive(Subcommand)]
pub(super) enum Verb {
    /// List the options that are set
    List,
    /// Print an option's value
    Get {
        /// The option
        name: String,
    },
    /// Set options
    Set {
        /// NAME=VALUE
        #[arg(required = true, value_name = "NAME=VALUE")]
        pairs: Vec<String>,
        /// Whatever the cluster knows of such names and values
        #[arg(long)]
        force: bool,
    },
    /// Remove options, so that their defaults count
    Unset {
        /// The options
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Carries the verb out.
pub(super) fn perform(session: &mut Session<'_>, verb: Verb) -> anyhow::Result<Report> {
    let cluster = Cluster::open(session)?;
    let owner = Owner { section: "crm_config".to_owned(), path: Vec::new() };
    let all = PairSpec { sets: "cluster_property_set".to_owned(), ..PairSpec::default() };
    let mut options = Options { cluster, owner, all };
    match verb {
        Verb::List => options.list(),
        Verb::Get { name } => options.get(&name),
        Verb::Set { pairs, force } => options.set(&pairs, force),
        Verb::Unset { names } => options.unset(&names),
    }
}

/// The options of a cluster, and where they stand.
struct Options {
    cluster: Cluster,
    owner: Owner,
    all: PairSpec,
}

impl Options {
    fn list(&mut self) -> anyhow::Result<Report> {
        let document = self.cluster.cib()?;
        let mut report = Report::silent();
        for pair in edit::find_pairs(&document, &self.owner, &self.all) {
            report.text.push_str(&format!("{}={}\n", pair.name, pair.value));
            report.trees.push(Tree::new("option").attr("name", pair.name).attr("value", pair.value));
        }
        Ok(report)
    }

    fn get(&mut self, name: &str) -> anyhow::Result<Report> {
        let document = self.cluster.cib()?;
        let pair =
            self.found(&document, name).into_iter().next().ok_or_else(|| self.not_set(&document, name))?;
        let text = format!("{}\n", pair.value);
        Ok(Report::new(text, Tree::new("option").attr("name", pair.name).attr("value", pair.value)))
    }

    fn set(&mut self, pairs: &[String], force: bool) -> anyhow::Result<Report> {
        // All are read before anything is changed.
        let pairs = pairs.iter().map(|pair| read_pair(pair)).collect::<anyhow::Result<Vec<_>>>()?;
        pairs.iter().filter(|_| !force).try_for_each(|(name, value)| check(name, value))?;
        let mut report = Report::silent();
        for (name, value) in pairs {
            let document = self.cluster.cib()?;
            // One that is there under its older name is changed there: two names for one option would disagree.
            let there = self.found(&document, name).into_iter().next().map(|pair| pair.name);
            let name = there.unwrap_or_else(|| name.to_owned());
            let spec = named(&self.all, &name);
            edit::set_pair(&mut self.cluster, &document, &self.owner, &spec, "cib-bootstrap-options", value)?;
            report.text.push_str(&format!("{name}={value}\n"));
            report.trees.push(Tree::new("option").attr("name", name).attr("value", value));
        }
        Ok(report)
    }

    fn unset(&mut self, names: &[String]) -> anyhow::Result<Report> {
        let document = self.cluster.cib()?;
        let mut report = Report::silent();
        for name in names {
            let found = self.found(&document, name);
            if found.is_empty() {
                return Err(self.not_set(&document, name));
            }
            for pair in &found {
                edit::delete_pair(&mut self.cluster, &self.owner, pair)?;
                report.text.push_str(&format!("{} removed\n", pair.name));
            }
        }
        Ok(report)
    }

    /// Where an option is set, by any of its names.
    fn found(&self, document: &Document, name: &str) -> Vec<Pair> {
        let of_name = |name: String| edit::find_pairs(document, &self.owner, &named(&self.all, &name));
        spellings(name).into_iter().flat_map(of_name).collect()
    }

    fn not_set(&self, document: &Document, name: &str) -> anyhow::Error {
        let set = edit::find_pairs(document, &self.owner, &self.all);
        let hint = names::hint(name, set.iter().map(|pair| pair.name.as_str()));
        Failed::no_such(format!("option {name} is not set{hint}"))
    }
}

/// Whether the cluster has such an option and takes such a value.
fn check(name: &str, value: &str) -> anyhow::Result<()> {
    verify::check_option(name, value)
        .map_err(|takes| Failed::usage(format!("{name} cannot be {value:?}: it takes {takes}")))?;
    let known = || CLUSTER_OPTIONS.iter().map(|option| option.name);
    if known().any(|option| option == spelling::cluster_option(name)) {
        return Ok(());
    }
    let older = known().filter_map(spelling::older_cluster_option);
    let hint = names::hint(name, older.chain(known()));
    Err(Failed::usage(format!("there is no option {name}{hint} (--force sets it all the same)")))
}

fn named(spec: &PairSpec, name: &str) -> PairSpec {
    PairSpec { name: Some(name.to_owned()), ..spec.clone() }
}

/// The option's name, and its other name if it has one.
fn spellings(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned()];
    let today = spelling::cluster_option(name);
    if today != name {
        names.push(today.to_owned());
    }
    names.extend(spelling::older_cluster_option(today).filter(|old| *old != name).map(str::to_owned));
    names
}

fn read_pair(pair: &str) -> anyhow::Result<(&str, &str)> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name, value)),
        _ => Err(Failed::usage(format!("{pair:?} is not NAME=VALUE"))),
    }
}
