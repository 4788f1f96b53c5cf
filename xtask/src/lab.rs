//! A lab, driven from outside through the real binaries.

use crate::{client, shell};
use anyhow::{Context, Result, bail, ensure};
use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};
use systole_cib::xml::{Document, Element};

/// Between two looks at a state that is waited for.
const POLL: Duration = Duration::from_millis(50);

/// Where HAProxy answers on every node's own address.
pub const HAPROXY_PORT: u16 = 1993;

/// What a lab is called if it is given no name.
pub const DEFAULT_NAME: &str = "lab";

/// The virtual addresses of `examples/haproxy.xml`.
pub const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 77, 7, 50), Ipv4Addr::new(10, 77, 7, 51)];

/// A lab.
pub struct Lab {
    systole: PathBuf,
    name: &'static str,
    boot: Boot,
}

/// How a node gets power and its cluster's daemons.
pub type Boot = fn(&Lab, &str) -> Result<()>;

/// A node as `systole lab status --json` shows it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its first process; `None` without power.
    pub init: Option<u32>,
}

/// A resource's instance as the cluster shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: String,
    /// Its role.
    pub role: String,
    /// Where it is active.
    pub nodes: Vec<String>,
    /// Whether it failed.
    pub failed: bool,
}

impl Lab {
    /// The lab as the programs in `bin_dir` run it.
    pub fn new(bin_dir: &Path) -> Self {
        Lab { systole: bin_dir.join("systole"), name: DEFAULT_NAME, boot: with_our_daemons }
    }

    /// A lab beside this one.
    pub fn beside(&self, name: &'static str) -> Self {
        Lab { systole: self.systole.clone(), name, boot: self.boot }
    }

    /// The same lab, whose nodes come back with the daemons that `boot` starts.
    pub fn booted_by(&self, boot: Boot) -> Self {
        Lab { boot, ..self.beside(self.name) }
    }

    /// Gives a node power again, and the daemons it had.
    ///
    /// # Errors
    /// If it has power, or they do not start.
    pub fn boot(&self, node: &str) -> Result<()> {
        (self.boot)(self, node)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Makes sure that no lab of this name is up: it would be somebody else's, and in the end taken down.
    ///
    /// # Errors
    /// If there is one.
    pub fn require_none(&self) -> Result<()> {
        let (systole, name) = (self.systole.display(), self.name);
        ensure!(self.nodes().is_err(), "a lab is up already: `{systole} lab down --name {name}` ends it");
        Ok(())
    }

    /// The programs under test.
    pub fn program(&self, name: &str) -> PathBuf {
        self.systole.with_file_name(name)
    }

    /// `systole lab ARGS`, not run yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.systole);
        command.args(["lab", "--name", self.name]).args(args).current_dir(shell::root());
        command
    }

    /// Runs `systole lab ARGS` and returns what it printed.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        shell::output(&mut self.command(args))
    }

    /// Runs `systole lab ARGS`, which is expected to fail, and returns what it said.
    ///
    /// # Errors
    /// If it does not fail, or fails without a word.
    pub fn refuse(&self, args: &[&str]) -> Result<String> {
        let output = self.command(args).output().context("cannot run systole")?;
        said(&output, args)
    }

    /// The nodes.
    ///
    /// # Errors
    /// If no lab is up.
    pub fn nodes(&self) -> Result<Vec<Node>> {
        let text = self.run(&["status", "--json"])?;
        let status: serde_json::Value = serde_json::from_str(&text).context("lab status is no JSON")?;
        let nodes = status["nodes"].as_array().context("lab status has no nodes")?;
        nodes.iter().map(|node| read_node(node).context("lab status has an odd node")).collect()
    }

    /// The node called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn node(&self, name: &str) -> Result<Node> {
        self.nodes()?
            .into_iter()
            .find(|node| node.name == name)
            .with_context(|| format!("there is no node {name}"))
    }

    /// Runs a command on a node and returns what it printed.
    ///
    /// # Errors
    /// If it fails.
    pub fn exec(&self, node: &str, command: &[&str]) -> Result<String> {
        shell::output(&mut self.exec_command(node, command))
    }

    /// A command on a node, not run yet.
    pub fn exec_command(&self, node: &str, command: &[&str]) -> Command {
        self.command(&[&["exec", node, "--"], command].concat())
    }

    /// A tool of ours, as `node` runs it.
    pub fn tool(&self, node: &Node, tool: &str, args: &[&str]) -> Command {
        let mut command = Command::new(&self.systole);
        command.arg(tool).args(args);
        let socket = format!("/proc/{}/root/run/systole/api.sock", node.init.unwrap_or(0));
        command.env("SYSTOLE_SOCKET", socket);
        command
    }

    /// Every resource instance, as `node` sees it.
    ///
    /// # Errors
    /// If the node's daemon does not answer.
    pub fn instances(&self, node: &str) -> Result<Vec<Instance>> {
        // The node's own tool: the incumbent's cluster may run there.
        let text = self.exec(node, &["crm_mon", "-1r", "--output-as=xml"])?;
        let document = Document::parse(&text).map_err(|error| anyhow::anyhow!("crm_mon: {error}"))?;
        let resources = document.root().descendants().filter(|element| element.is("resource"));
        Ok(resources.map(read_instance).collect())
    }

    /// The instance called `id`, as `node` sees it.
    ///
    /// # Errors
    /// If there is none.
    pub fn instance(&self, node: &str, id: &str) -> Result<Instance> {
        let found = self.instances(node)?.into_iter().find(|instance| instance.id == id);
        found.with_context(|| format!("{node} knows no resource {id}"))
    }

    /// The replica of `bundle` whose container runs on `node`, by what Podman says.
    ///
    /// # Errors
    /// If none does.
    pub fn container(&self, node: &str, bundle: &str) -> Result<String> {
        let text = self.exec(node, &["podman", "ps", "--format", "{{.Names}}"])?;
        let name = text.lines().find(|name| name.starts_with(&format!("{bundle}-podman-")));
        name.map(str::to_owned).with_context(|| format!("no container of {bundle} runs on {node}"))
    }

    /// The id of a running container; changes when it is created anew.
    ///
    /// # Errors
    /// If it does not run.
    pub fn container_id(&self, node: &str, container: &str) -> Result<String> {
        let filter = format!("name=^{container}$");
        let text =
            self.exec(node, &["podman", "ps", "--no-trunc", "--filter", &filter, "--format", "{{.ID}}"])?;
        ensure!(!text.trim().is_empty(), "{container} does not run on {node}");
        Ok(text.trim().to_owned())
    }

    /// Which node has the address, by what the kernels say.
    ///
    /// # Errors
    /// If none has it, or more than one.
    pub fn address_holder(&self, address: Ipv4Addr) -> Result<String> {
        let wanted = format!(" {address}/");
        let mut holders = Vec::new();
        for node in self.nodes()?.into_iter().filter(|node| node.init.is_some()) {
            if self.exec(&node.name, &["ip", "-o", "-4", "addr"])?.contains(&wanted) {
                holders.push(node.name);
            }
        }
        match holders.as_slice() {
            [one] => Ok(one.clone()),
            [] => bail!("no node has {address}"),
            many => bail!("{address} is on {}", many.join(" and ")),
        }
    }

    /// Process ids of a program on a node, as the node numbers them.
    ///
    /// # Errors
    /// If the node has no power.
    pub fn pids(&self, node: &str, program: &str) -> Result<Vec<u32>> {
        let text = shell::output_whatever(&mut self.exec_command(node, &["busybox", "pidof", program]))?;
        Ok(text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
    }

    /// Whether HAProxy answers on a node's own address.
    pub fn haproxy_answers(&self, node: &Node) -> bool {
        client::fetch(node.address, HAPROXY_PORT).is_some()
    }
}

/// Waits until `check` succeeds, and returns how long that took.
///
/// # Errors
/// If it does not in time; with what the check said last.
pub fn wait_until(what: &str, patience: Duration, mut check: impl FnMut() -> Result<()>) -> Result<Duration> {
    let since = Instant::now();
    loop {
        match check() {
            Ok(()) => return Ok(since.elapsed()),
            Err(error) if since.elapsed() > patience => {
                return Err(error.context(format!("waited {patience:?} until {what}")));
            }
            Err(_) => thread::sleep(POLL),
        }
    }
}

fn with_our_daemons(lab: &Lab, node: &str) -> Result<()> {
    lab.run(&["boot", node]).map(drop)
}

fn said(output: &Output, args: &[&str]) -> Result<String> {
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    ensure!(!output.status.success(), "`systole lab {}` went through, but should not", args.join(" "));
    ensure!(!said.is_empty(), "`systole lab {}` failed without a word", args.join(" "));
    ensure!(!said.contains("panicked"), "`systole lab {}` panicked: {said}", args.join(" "));
    Ok(said)
}

fn read_node(node: &serde_json::Value) -> Option<Node> {
    Some(Node {
        name: node["name"].as_str()?.to_owned(),
        address: node["address"].as_str()?.parse().ok()?,
        init: node["init"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
    })
}

fn read_instance(resource: Element<'_>) -> Instance {
    let nodes = resource.children_named("node").filter_map(|node| node.attr("name").map(str::to_owned));
    Instance {
        id: resource.id().unwrap_or_default().to_owned(),
        role: resource.attr("role").unwrap_or_default().to_owned(),
        nodes: nodes.collect(),
        failed: resource.attr("failed") == Some("true"),
    }
}
