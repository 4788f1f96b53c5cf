//! Debian packages that the lab and its examples need, installed where that is possible.

use crate::shell;
use anyhow::Result;
use std::{path::Path, process::Command};

/// A file that is there once its package is installed.
const NEEDED: &[(&str, &str)] = &[
    ("/usr/bin/podman", "podman"),
    ("/usr/bin/conmon", "conmon"),
    ("/usr/sbin/runc", "runc"),
    ("/usr/sbin/ip", "iproute2"),
    ("/usr/sbin/haproxy", "haproxy"),
    ("/usr/bin/busybox", "busybox-static"),
    ("/usr/lib/ocf/resource.d/heartbeat/podman", "resource-agents"),
    ("/usr/bin/ping", "iputils-ping"),
    ("/usr/sbin/arping", "arping"),
    ("/usr/sbin/iptables", "iptables"),
    ("/usr/bin/nsenter", "util-linux"),
    ("/usr/bin/pgrep", "procps"),
];

/// Installs what is missing of the Debian packages the lab needs.
///
/// # Errors
/// If something is missing that cannot be installed: not root, no `apt-get`, or `apt-get` failed.
pub fn install_missing() -> Result<()> {
    let missing: Vec<_> =
        NEEDED.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, name)| *name).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let how = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    anyhow::ensure!(is_root() && shell::has("apt-get"), "Debian packages are missing; as root: {how}");
    println!("installing from Debian: {}", missing.join(" "));
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command
            .args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"])
            .args(args)
            .env("DEBIAN_FRONTEND", "noninteractive");
        shell::output(&mut command)
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], missing.as_slice()].concat())?;
    Ok(())
}

/// Whether we are root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}
