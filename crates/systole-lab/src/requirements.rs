//! What a lab needs of the host, and the sentence that says how to get it.

use crate::{command::find_program, stack::Stack};
use anyhow::{Result, bail, ensure};
use std::path::Path;

/// A program and the Debian package it comes in.
const PROGRAMS: &[(&str, &str)] = &[
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("podman", "podman"),
    ("conmon", "conmon"),
    ("runc", "runc"),
    ("haproxy", "haproxy"),
    ("busybox", "busybox-static"),
    ("tar", "tar"),
    ("ldd", "libc-bin"),
];

/// Files that are no programs.
const FILES: &[(&str, &str)] = &[
    ("/usr/lib/ocf/resource.d/heartbeat/podman", "resource-agents"),
    ("/usr/lib/ocf/resource.d/heartbeat/IPaddr2", "resource-agents"),
];

/// What a lab with Corosync needs beside that.
const COROSYNC_PROGRAMS: &[(&str, &str)] = &[("corosync", "corosync")];

/// Debian packages that are missing on this host, each once.
pub fn missing_packages(stack: Stack) -> Vec<&'static str> {
    let of_stack = if stack == Stack::Corosync { COROSYNC_PROGRAMS } else { &[] };
    let programs = PROGRAMS.iter().chain(of_stack).filter(|(program, _)| find_program(program).is_none());
    let files = FILES.iter().filter(|(file, _)| !Path::new(file).exists());
    let mut packages: Vec<_> = programs.chain(files).map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Makes sure that the host has what a lab needs.
///
/// # Errors
/// If a package is missing or the caller is not root; the error says what to do.
pub fn check(stack: Stack) -> Result<()> {
    root()?;
    let missing = missing_packages(stack);
    if !missing.is_empty() {
        bail!("Debian packages are missing: apt-get install --no-install-recommends {}", missing.join(" "));
    }
    Ok(())
}

/// Makes sure that the caller is root.
///
/// # Errors
/// If not.
pub fn root() -> Result<()> {
    ensure!(
        rustix::process::geteuid().is_root(),
        "a lab makes namespaces, bridges and mounts, which takes root: run it with sudo"
    );
    Ok(())
}
