//! `systole option`.

use crate::{
    Cluster, Failed, Session,
    edit::{self, Owner, PairSpec},
    report::Report,
};
use clap::Subcommand;
use systole_cib::{spelling, verify};
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
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let owner = Owner { section: "crm_config".to_owned(), path: Vec::new() };
    let all = PairSpec { sets: "cluster_property_set".to_owned(), ..PairSpec::default() };
    let mut report = Report::silent();
    match verb {
        Verb::List => {
            for pair in edit::find_pairs(&document, &owner, &all) {
                report.text.push_str(&format!("{}={}\n", pair.name, pair.value));
                report.trees.push(Tree::new("option").attr("name", pair.name).attr("value", pair.value));
            }
        }
        Verb::Get { name } => {
            let pair = spellings(&name)
                .into_iter()
                .find_map(|name| edit::find_pairs(&document, &owner, &named(&all, &name)).into_iter().next())
                .ok_or_else(|| Failed::no_such(format!("option {name} is not set")))?;
            report.text = format!("{}\n", pair.value);
            report.trees.push(Tree::new("option").attr("name", pair.name).attr("value", pair.value));
        }
        Verb::Set { pairs } => {
            // All are read before anything is changed.
            let pairs = pairs.iter().map(|pair| read_pair(pair)).collect::<anyhow::Result<Vec<_>>>()?;
            for (name, value) in &pairs {
                verify::check_option(name, value).map_err(|takes| {
                    Failed::usage(format!("{name} cannot be {value:?}: it takes {takes}"))
                })?;
            }
            for (name, value) in pairs {
                // One that is there under its older name is changed there: two names for one option would disagree.
                let name = spellings(name)
                    .into_iter()
                    .find(|name| !edit::find_pairs(&document, &owner, &named(&all, name)).is_empty())
                    .unwrap_or_else(|| name.to_owned());
                let document = cluster.cib()?;
                edit::set_pair(
                    &mut cluster,
                    &document,
                    &owner,
                    &named(&all, &name),
                    "cib-bootstrap-options",
                    value,
                )?;
                report.text.push_str(&format!("{name}={value}\n"));
                report.trees.push(Tree::new("option").attr("name", name).attr("value", value));
            }
        }
        Verb::Unset { names } => {
            for name in &names {
                let found: Vec<_> = spellings(name)
                    .into_iter()
                    .flat_map(|name| edit::find_pairs(&document, &owner, &named(&all, &name)))
                    .collect();
                if found.is_empty() {
                    return Err(Failed::no_such(format!("option {name} is not set")));
                }
                for pair in &found {
                    edit::delete_pair(&mut cluster, &owner, pair)?;
                    report.text.push_str(&format!("{} removed\n", pair.name));
                }
            }
        }
    }
    Ok(report)
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
