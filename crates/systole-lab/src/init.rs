//! The first process of a node: builds the node's view of the machine, starts the daemons, restarts them when they
//! die, and takes in orphans, for as long as the node has power.

use crate::{
    cgroup::Hierarchy, command::run, daemons::Daemons, devlog, network::PREFIX_LEN, rootfs, stack::Stack,
};
use anyhow::{Context, Result};
use rustix::process::WaitOptions;
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    net::Ipv4Addr,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// What a node needs to know to boot. Comes as one line on standard input, once the node's cable is laid.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BootOrder {
    /// The node's name.
    pub node: String,
    /// Its address on `eth0`.
    pub address: Ipv4Addr,
    /// The host's address: the default route.
    pub gateway: Ipv4Addr,
    /// Names and addresses for `/etc/hosts`.
    pub hosts: Vec<(String, Ipv4Addr)>,
    /// The node's directory on the host.
    pub disk: PathBuf,
    /// The directory with the hub's socket.
    pub hub_dir: PathBuf,
    /// The directory of this build's programs.
    pub bin_dir: PathBuf,
    /// The names of the tools.
    pub tools: Vec<String>,
    /// A tree of files to copy to the node.
    pub files: Option<PathBuf>,
    /// The host's cgroup hierarchies.
    pub hierarchies: Vec<Hierarchy>,
    /// New for every boot.
    pub boot_id: String,
    /// Whether to start the daemons.
    pub daemons: bool,
    /// The cluster layer.
    pub stack: Stack,
    /// The secret of the nodes.
    pub key: String,
}

/// Settings for Podman that work on this kind of machine, with and without cgroup v2.
///
/// File and process limits are below what root may lack the right to raise; nothing here needs systemd.
const CONTAINERS_CONF: &str = r#"[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "/etc/containers/networks"
"#;

/// Image storage: the node's own, and the lab's read-only.
const STORAGE_CONF: &str = r#"[storage]
driver = "overlay"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
[storage.options]
additionalimagestores = ["/var/lib/systole-lab/images/store"]
"#;

/// Runs a node. Comes back only if it cannot boot.
///
/// # Errors
/// If the node cannot boot; the console says why.
pub fn main() -> Result<()> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).context("no boot order")?;
    let order: BootOrder = serde_json::from_str(&line).context("cannot read the boot order")?;
    rootfs::enter(&order)?;
    rustix::system::sethostname(order.node.as_bytes()).context("cannot set the host name")?;
    write_files(&order)?;
    network(&order)?;
    devlog::start()?;
    let daemons = Daemons::new(&order.node, order.stack);
    if order.daemons {
        daemons.start()?;
    }
    fs::write("/run/booted", "").context("cannot write /run/booted")?;
    reap(daemons)
}

fn write_files(order: &BootOrder) -> Result<()> {
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    for (name, address) in &order.hosts {
        hosts += &format!("{address} {name}\n");
    }
    let files: [(&str, &str); 6] = [
        ("/etc/hosts", &hosts),
        ("/etc/hostname", &format!("{}\n", order.node)),
        // There is no name server on the bridge: look-ups fail at once instead of after a time-out.
        ("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"),
        ("/etc/containers/containers.conf", CONTAINERS_CONF),
        ("/etc/containers/storage.conf", STORAGE_CONF),
        ("/etc/containers/policy.json", "{\"default\": [{\"type\": \"insecureAcceptAnything\"}]}\n"),
    ];
    for (file, text) in files {
        let file = Path::new(file);
        fs::create_dir_all(file.parent().expect("files are in directories"))?;
        let _ = fs::remove_file(file);
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    cluster_user()?;
    remote_key(&order.key)?;
    order.stack.configure(&order.hosts, &order.key)?;
    if !Path::new("/etc/localtime").exists() {
        fs::copy("/usr/share/zoneinfo/UTC", "/etc/localtime")
            .map(drop)
            .or_else(|_| fs::write("/etc/localtime", ""))?;
    }
    Ok(())
}

/// The number of the user and group that [`cluster_user`] makes.
pub(crate) const CLUSTER_UID: u32 = 189;

/// The user and group `systoled` works as; Pacemaker's packages make them, but are not needed here.
fn cluster_user() -> Result<()> {
    let uid = CLUSTER_UID;
    let user = format!("hacluster:x:{uid}:{uid}:cluster:/var/lib/pacemaker:/usr/sbin/nologin\n");
    let group = format!("haclient:x:{uid}:\n");
    for (file, name, entry) in [("/etc/group", "haclient", group), ("/etc/passwd", "hacluster", user)] {
        let mut text = fs::read_to_string(file).unwrap_or_default();
        if text.lines().all(|line| line.split(':').next() != Some(name)) {
            text.push_str(&entry);
            fs::write(file, text).with_context(|| format!("cannot write {file}"))?;
        }
    }
    Ok(())
}

/// The key of connections to remote daemons, where Pacemaker has it; bundles map it into their containers.
fn remote_key(key: &str) -> Result<()> {
    let (dir, file) = ("/etc/pacemaker", "/etc/pacemaker/authkey");
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(file, key))
        .and_then(|()| fs::set_permissions(file, fs::Permissions::from_mode(0o640)))
        .with_context(|| format!("cannot write {file}"))?;
    let group = systole_link::group("haclient").context("there is no group haclient")?;
    for path in [dir, file] {
        chown(path, None, Some(group)).with_context(|| format!("cannot give {path} to haclient"))?;
    }
    Ok(())
}

fn network(order: &BootOrder) -> Result<()> {
    run("ip", &["link", "set", "lo", "up"])?;
    run("ip", &["addr", "add", &format!("{}/{PREFIX_LEN}", order.address), "brd", "+", "dev", "eth0"])?;
    run("ip", &["link", "set", "eth0", "up"])?;
    run("ip", &["route", "add", "default", "via", &order.gateway.to_string()])?;
    // As on OpenStack controllers: HAProxy listens on virtual addresses that are elsewhere at the moment.
    fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1").context("cannot set ip_nonlocal_bind")
}

/// Takes in every process that ends, for ever.
fn reap(daemons: &'static Daemons) -> Result<()> {
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) => daemons.ended(pid, status),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::CHILD) => std::thread::sleep(std::time::Duration::from_millis(50)),
            Err(error) => return Err(error).context("cannot wait for processes"),
        }
    }
}
