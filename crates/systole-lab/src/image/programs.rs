//! An image of single programs of the host, with the libraries they need, and Busybox.

use crate::command::{find_program, run};
use anyhow::{Context, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::Hasher,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nhaproxy:x:99:99::/var/lib/haproxy:/bin/false\n";
const GROUPS: &str = "root:x:0:\nhaproxy:x:99:\n";

/// Every file the image takes from the host: path in the image, path on the host.
pub struct Files(BTreeMap<PathBuf, PathBuf>);

/// Finds what an image of `programs` takes from the host.
///
/// # Errors
/// If a program is not there.
pub fn find(programs: &[&str]) -> Result<Files> {
    let mut files = BTreeMap::new();
    for program in programs {
        let file = find_program(program).with_context(|| {
            format!("{program} is not installed: apt-get install --no-install-recommends {program}")
        })?;
        for library in libraries(&file)? {
            files.insert(merged(&library), library);
        }
        files.insert(merged(&file), file);
    }
    let busybox =
        find_program("busybox").context("busybox is not installed: apt-get install busybox-static")?;
    for library in libraries(&busybox)? {
        files.insert(merged(&library), library);
    }
    files.insert(PathBuf::from("usr/bin/busybox"), busybox);
    Ok(Files(files))
}

impl Files {
    /// Puts what the image would be made of into `hasher`.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn digest(&self, hasher: &mut impl Hasher) -> Result<()> {
        for (to, from) in &self.0 {
            hasher.write(to.as_os_str().as_encoded_bytes());
            hasher.write(&fs::read(from).with_context(|| format!("cannot read {}", from.display()))?);
        }
        [USERS, GROUPS].iter().for_each(|text| hasher.write(text.as_bytes()));
        Ok(())
    }

    /// Copies them into `tree`, which has the usual directories already.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn lay_out(&self, tree: &Path) -> Result<()> {
        for (to, from) in &self.0 {
            let to = tree.join(to);
            fs::create_dir_all(to.parent().expect("files are in directories"))?;
            fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
        for applet in run("busybox", &["--list"])?.lines() {
            let link = tree.join("usr/bin").join(applet);
            if link.symlink_metadata().is_err() {
                symlink("busybox", &link)?;
            }
        }
        fs::write(tree.join("etc/passwd"), USERS)?;
        fs::write(tree.join("etc/group"), GROUPS)?;
        Ok(())
    }
}

/// The libraries `program` is linked with, by `ldd`; none for a static program.
fn libraries(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let said = Command::new("ldd").arg(program).output().context("cannot run ldd")?;
    let text = String::from_utf8_lossy(&said.stdout);
    Ok(text.lines().filter_map(library).collect())
}

/// The file in a line of `ldd`: `libc.so.6 => /lib/... (0x...)` or `/lib64/ld-linux... (0x...)`.
fn library(line: &str) -> Option<PathBuf> {
    let file = line.split_once("=> ").map_or(line, |(_, file)| file);
    let file = file.trim().split(" (").next()?;
    file.starts_with('/').then(|| PathBuf::from(file))
}

/// A host's path as a relative one below `usr`, where all programs and libraries are in the image.
fn merged(file: &Path) -> PathBuf {
    let relative = file.strip_prefix("/").expect("programs have absolute paths");
    if relative.starts_with("usr") { relative.to_owned() } else { Path::new("usr").join(relative) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_what_ldd_prints() {
        for (line, file) in [
            (
                "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)",
                Some("/lib/x86_64-linux-gnu/libc.so.6"),
            ),
            ("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)", Some("/lib64/ld-linux-x86-64.so.2")),
            ("\tlinux-vdso.so.1 (0x00007f)", None),
            ("\tnot a dynamic executable", None),
        ] {
            assert_eq!(library(line), file.map(PathBuf::from), "{line}");
        }
    }
}
