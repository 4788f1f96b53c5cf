//! What a lab is brought up with: worked out by `up`, read by the supervisor.

use crate::{
    command::run,
    layout::Layout,
    network::Subnet,
    stack::{self, Stack},
};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The nodes of a lab whose CIB names none.
const DEFAULT_NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// More nodes than one machine is good for.
const MAX_NODES: usize = 16;

/// A lab to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The CIB to load.
    pub file: PathBuf,
    /// A tree of files every node gets, from beside the CIB.
    pub files: Option<PathBuf>,
    /// The lab's network.
    pub subnet: Subnet,
    /// Its nodes.
    pub nodes: Vec<PlannedNode>,
    /// This very program, to be run again for every node.
    pub program: PathBuf,
    /// Where this build's programs are.
    pub bin_dir: PathBuf,
    /// The names this program answers to, as tools.
    pub tools: Vec<String>,
    /// Whether the nodes start their daemons.
    pub daemons: bool,
    /// The cluster layer.
    pub stack: Stack,
    /// The secret of the nodes.
    pub key: String,
}

/// A node to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedNode {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
}

impl Plan {
    /// Plans a lab for the CIB in `file` whose `<nodes>` are `names`.
    ///
    /// # Errors
    /// If a name or the number of nodes will not do.
    pub fn new(file: &Path, names: &[String], subnet: Subnet, stack: Stack) -> Result<Self> {
        let file = file.canonicalize().with_context(|| format!("cannot open {}", file.display()))?;
        let names: Vec<String> =
            if names.is_empty() { DEFAULT_NODES.map(str::to_owned).to_vec() } else { names.to_vec() };
        ensure!(
            names.len() <= MAX_NODES,
            "{} nodes are more than a lab has room for ({MAX_NODES})",
            names.len()
        );
        for name in &names {
            ensure!(
                is_host_name(name),
                "{name:?} cannot be a host's name: change <node uname> in {}",
                file.display()
            );
        }
        let files = file.with_extension("");
        let program = std::env::current_exe().context("cannot find this program")?;
        Ok(Plan {
            files: files.is_dir().then_some(files),
            nodes: names
                .into_iter()
                .enumerate()
                .map(|(idx, name)| PlannedNode { name, address: subnet.node(idx) })
                .collect(),
            bin_dir: program.parent().context("this program is in no directory")?.to_owned(),
            tools: tool_names(&program)?,
            program,
            file,
            subnet,
            daemons: true,
            stack,
            key: stack::new_key()?,
        })
    }

    /// Reads what [`Plan::save`] wrote.
    ///
    /// # Errors
    /// If there is no plan.
    pub fn load(layout: &Layout) -> Result<Self> {
        let file = layout.plan_file();
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot read {}", file.display()))
    }

    /// Writes the plan down for the supervisor.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn save(&self, layout: &Layout) -> Result<()> {
        let file = layout.plan_file();
        // There is a secret in it.
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        options
            .open(&file)
            .and_then(|mut out| out.write_all(&serde_json::to_vec_pretty(self)?))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The names `program` answers to as a tool.
///
/// # Errors
/// If it does not say.
pub fn tool_names(program: &Path) -> Result<Vec<String>> {
    let names = run(&program.to_string_lossy(), &["--list-tools"])?;
    Ok(names.lines().map(str::to_owned).filter(|name| is_host_name(name)).collect())
}

fn is_host_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.' || byte == b'_';
    (1..=63).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['-', '.', '_'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_lead_out_of_the_labs_directories_are_turned_away() {
        for (name, good) in [
            ("controller-0", true),
            ("a.b", true),
            ("..", false),
            ("a/b", false),
            ("-x", false),
            ("_x", false),
            ("", false),
        ] {
            assert_eq!(is_host_name(name), good, "{name}");
        }
    }
}
