//! A node as the supervisor sees it: power, cable and place in the cluster layer.

use crate::{
    cgroup::{self, Hierarchy},
    control::NodeStatus,
    init::BootOrder,
    layout::Layout,
    network,
    plan::{Plan, PlannedNode},
};
use anyhow::{Context, Result, bail};
use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long a node's first process may take to appear.
const APPEARS_WITHIN: Duration = Duration::from_secs(10);

/// The group of the processes that hold nodes. No node's name has an underscore first.
const KEEPERS: &str = "_keepers";

/// One node.
pub struct Node {
    planned: PlannedNode,
    idx: usize,
    layout: Layout,
    power: Option<Power>,
    cut: bool,
    n_boots: u32,
}

/// What there is of a node only while it has power.
struct Power {
    /// `unshare`, which ends when the node's first process does.
    keeper: Child,
    init: u32,
}

impl Node {
    /// The node without power.
    pub fn new(layout: &Layout, idx: usize, planned: PlannedNode) -> Self {
        Node { planned, idx, layout: layout.clone(), power: None, cut: false, n_boots: 0 }
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.planned.name
    }

    /// The node as it is.
    pub fn status(&mut self) -> NodeStatus {
        self.notice_end();
        let init = self.power.as_ref().map(|power| power.init);
        NodeStatus {
            name: self.planned.name.clone(),
            address: self.planned.address,
            init,
            booted: init.is_some_and(|pid| Path::new(&format!("/proc/{pid}/root/run/booted")).exists()),
            cut: self.cut,
            n_boots: self.n_boots,
        }
    }

    /// Gives the node power. It boots on its own from there.
    ///
    /// # Errors
    /// If it has power already, or cannot be started.
    pub fn boot(&mut self, plan: &Plan, hierarchies: &[Hierarchy], daemons: bool) -> Result<()> {
        self.notice_end();
        if self.power.is_some() {
            bail!("{} has power already", self.planned.name);
        }
        let dir = self.layout.node_dir(&self.planned.name);
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        cgroup::create(hierarchies, &self.cgroup())?;
        let mut keeper = self.launch(plan, &dir)?;
        let result = wait_for_child(&mut keeper).and_then(|init| {
            // cgroup v2 lets no process be in the node's group itself once containers have groups below it.
            cgroup::set_apart(hierarchies, &self.layout.cgroup().join(KEEPERS), keeper.id())?;
            network::plug(&self.layout, self.idx, init, self.cut)?;
            let order = self.order(plan, hierarchies, daemons, dir);
            let mut pipe = keeper.stdin.take().expect("standard input is piped");
            pipe.write_all(&systole_wire::encode(&order)).context("the node died before it booted")?;
            Ok(init)
        });
        match result {
            Ok(init) => {
                self.power = Some(Power { keeper, init });
                self.n_boots += 1;
                Ok(())
            }
            Err(error) => {
                let _ = keeper.kill();
                let _ = keeper.wait();
                Err(error.context(format!("cannot boot {}", self.planned.name)))
            }
        }
    }

    /// Cuts the node's power: everything on it dies at once.
    ///
    /// # Errors
    /// If something does not die.
    pub fn kill(&mut self, hierarchies: &[Hierarchy]) -> Result<()> {
        if let Some(mut power) = self.power.take() {
            if let Some(pid) = i32::try_from(power.init).ok().and_then(rustix::process::Pid::from_raw) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
            network::unplug(&self.layout, self.idx);
            // What is in a paused container could not die.
            cgroup::thaw(hierarchies, &self.cgroup());
            power.keeper.wait().context("cannot wait for the node's end")?;
        }
        cgroup::destroy(hierarchies, &self.cgroup())
    }

    /// Takes the node off the network, until [`Node::heal`].
    ///
    /// # Errors
    /// If its cable cannot be drawn.
    pub fn cut(&mut self) -> Result<()> {
        self.cut = true;
        if self.power.is_some() { network::disconnect(&self.layout, self.idx) } else { Ok(()) }
    }

    /// Puts the node back on the network.
    ///
    /// # Errors
    /// If its cable cannot be plugged in.
    pub fn heal(&mut self) -> Result<()> {
        self.cut = false;
        if self.power.is_some() { network::connect(&self.layout, self.idx) } else { Ok(()) }
    }

    fn launch(&self, plan: &Plan, dir: &Path) -> Result<Child> {
        let console = dir.join("console.log");
        let console =
            File::options().create(true).append(true).open(console).context("cannot open the console")?;
        let mut command = Command::new(&plan.program);
        command.args(["lab", "launch", "--name", self.layout.name(), &self.planned.name]);
        command.stdin(Stdio::piped()).stdout(console.try_clone()?).stderr(console);
        command.spawn().context("cannot launch the node")
    }

    fn order(&self, plan: &Plan, hierarchies: &[Hierarchy], daemons: bool, disk: PathBuf) -> BootOrder {
        BootOrder {
            node: self.planned.name.clone(),
            address: self.planned.address,
            gateway: plan.subnet.host(),
            hosts: plan.nodes.iter().map(|node| (node.name.clone(), node.address)).collect(),
            disk,
            hub_dir: self.layout.hub_dir(),
            bin_dir: plan.bin_dir.clone(),
            tools: plan.tools.clone(),
            files: plan.files.clone(),
            hierarchies: hierarchies.to_vec(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default().trim().to_owned(),
            daemons,
            stack: plan.stack,
            key: plan.key.clone(),
        }
    }

    fn cgroup(&self) -> PathBuf {
        self.layout.cgroup().join(&self.planned.name)
    }

    /// A node whose first process ended has no power any more.
    fn notice_end(&mut self) {
        if self.power.as_mut().is_some_and(|power| !matches!(power.keeper.try_wait(), Ok(None))) {
            self.power = None;
            network::unplug(&self.layout, self.idx);
        }
    }
}

/// The process id of `keeper`'s only child, once there is one.
fn wait_for_child(keeper: &mut Child) -> Result<u32> {
    let children = format!("/proc/{0}/task/{0}/children", keeper.id());
    let give_up = Instant::now() + APPEARS_WITHIN;
    while Instant::now() < give_up {
        let text = fs::read_to_string(&children).unwrap_or_default();
        if let Some(pid) = text.split_whitespace().next().and_then(|pid| pid.parse().ok()) {
            return Ok(pid);
        }
        if let Some(status) = keeper.try_wait()? {
            bail!("the node's first process ended ({status}): its console says why");
        }
        thread::sleep(Duration::from_millis(2));
    }
    bail!("the node's first process did not appear")
}

/// The process between the supervisor and a node's first process: enters the node's control group and becomes
/// `unshare`, which makes the namespaces.
///
/// # Errors
/// If that fails; it does not come back otherwise.
pub fn launch(layout: &Layout, node: &str) -> Result<()> {
    use std::os::unix::process::CommandExt;
    cgroup::enter(&cgroup::hierarchies()?, &layout.cgroup().join(node))?;
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--uts",
        "--ipc",
        "--net",
        "--pid",
        "--cgroup",
        "--fork",
        "--kill-child=KILL",
        "--",
    ]);
    command.arg(std::env::current_exe().context("cannot find this program")?).args(["lab", "init"]);
    Err(command.exec()).context("cannot run unshare")
}
