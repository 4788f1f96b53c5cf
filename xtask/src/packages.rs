//! Debian packages: what a lab needs is installed by name, nothing else is touched.

use crate::shell;
use anyhow::{Result, bail};
use std::{path::Path, process::Command};
use systole_lab::Stack;

/// What `systole-corosync` is linked with: a header and the Debian package it comes in.
const COROSYNC_HEADERS: &[(&str, &str)] = &[
    ("corosync/cfg.h", "libcfg-dev"),
    ("corosync/cmap.h", "libcmap-dev"),
    ("corosync/cpg.h", "libcpg-dev"),
    ("corosync/quorum.h", "libquorum-dev"),
    ("corosync/votequorum.h", "libvotequorum-dev"),
];

/// What the clients of a control plane are made of, and the Debian package it comes in.
const CLIENTS: (&str, &str) = ("/usr/lib/python3/dist-packages/pika/__init__.py", "python3-pika");

/// What runs the resources of live tests, and the Debian package it comes in.
const AGENTS: (&str, &str) = ("/usr/lib/ocf/resource.d/pacemaker/Stateful", "pacemaker-resource-agents");

/// What is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A lab over the hub, with images of single programs.
    Small,
    /// The same with every image there is, and what its clients take.
    Images,
    /// The tests: the small lab over the hub, and over Corosync, which takes headers to build against, with some more agents.
    Tests,
    /// All of these.
    Everything,
}

/// Installs what this host lacks for `scope`.
///
/// # Errors
/// If something is missing and cannot be installed.
pub fn install_missing(scope: Scope) -> Result<()> {
    let missing = missing(scope)?;
    if missing.is_empty() {
        return Ok(());
    }
    let line = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("programs are missing; on Debian this would install them: {line}");
    }
    if !is_root() {
        bail!("Debian packages are missing; run as root: {line}");
    }
    println!("installing from Debian: {}", missing.join(" "));
    let policy = KeepServicesStopped::new()?;
    if install_packages(&missing).is_err() {
        // The lists may be older than the archive.
        shell::run(&mut apt(&["update", "--quiet"]))?;
        install_packages(&missing)?;
    }
    drop(policy);
    Ok(())
}

fn missing(scope: Scope) -> Result<Vec<&'static str>> {
    let with_tests = matches!(scope, Scope::Tests | Scope::Everything);
    let stack = if with_tests { Stack::Corosync } else { Stack::Hub };
    let mut missing = systole_lab::missing_packages(stack);
    if matches!(scope, Scope::Images | Scope::Everything) {
        for recipe in systole_lab::RECIPES {
            missing.extend(systole_lab::missing_image_packages(recipe)?);
        }
        missing.extend(unless_there(CLIENTS));
    }
    if with_tests {
        let headers = COROSYNC_HEADERS.iter();
        let absent = headers.filter(|(header, _)| !Path::new("/usr/include").join(header).exists());
        missing.extend(absent.map(|(_, package)| *package));
        missing.extend(unless_there(AGENTS));
    }
    missing.sort_unstable();
    missing.dedup();
    Ok(missing)
}

fn unless_there((file, package): (&str, &'static str)) -> Option<&'static str> {
    (!Path::new(file).exists()).then_some(package)
}

fn install_packages(packages: &[&str]) -> Result<()> {
    let mut command = apt(&["install", "--yes", "--quiet", "--no-install-recommends"]);
    command.args(packages);
    shell::run(&mut command)
}

fn apt(args: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::process::Stdio::null());
    command
}

/// Whether we are root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The host's own HAProxy and Pacemaker stay off: Debian starts a service when it installs it, unless this says no.
struct KeepServicesStopped {
    ours: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl KeepServicesStopped {
    fn new() -> Result<Self> {
        use std::os::unix::fs::PermissionsExt;
        let ours = !Path::new(POLICY).exists();
        if ours {
            std::fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
            std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(KeepServicesStopped { ours })
    }
}

impl Drop for KeepServicesStopped {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_file(POLICY);
        }
    }
}
