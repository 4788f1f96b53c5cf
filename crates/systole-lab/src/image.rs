//! Container images out of the host's own programs, since no registry is reachable.
//!
//! An image is a program with the libraries it needs, Busybox, Bash and a start script, imported into an image store
//! that all nodes share read-only. It carries the digest of what went in as a label and is only built anew when that
//! changes.

use crate::{
    command::{find_program, output, run},
    layout::IMAGE_STORE,
};
use anyhow::{Context, Result, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::{DefaultHasher, Hasher},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// How an image is made.
pub struct Recipe {
    /// The name bundles use.
    pub name: &'static str,
    /// What it is, for `lab image list`.
    pub about: &'static str,
    /// Programs taken from the host.
    programs: &'static [&'static str],
    /// Scripts of ours: path and text.
    scripts: &'static [(&'static str, &'static str)],
}

/// The images the examples use.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "localhost/haproxy:lab",
        about: "HAProxy behind a kolla_start, as in OpenStack's images",
        programs: &["haproxy", "bash"],
        scripts: &[("usr/local/bin/kolla_start", include_str!("../images/kolla_start"))],
    },
    Recipe {
        name: "localhost/web:lab",
        about: "a web server that answers with its host's name",
        programs: &["bash"],
        scripts: &[("usr/local/bin/web_start", include_str!("../images/web_start"))],
    },
];

/// The label with the digest of what the image was made of.
const DIGEST_LABEL: &str = "org.systole.lab.digest";

/// Scratch space for building.
const WORK_DIR: &str = "/var/lib/systole-lab/images/work";

const USERS: &str = "root:x:0:0:root:/root:/bin/bash\nhaproxy:x:99:99::/var/lib/haproxy:/bin/false\n";
const GROUPS: &str = "root:x:0:\nhaproxy:x:99:\n";

/// What became of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was there, made of the same.
    UpToDate,
    /// It was made.
    Built,
}

/// An image in the store.
pub struct Listed {
    /// Its name and tag.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

/// The recipe for an image's name.
pub fn recipe(name: &str) -> Option<&'static Recipe> {
    RECIPES.iter().find(|recipe| recipe.name == name)
}

/// Makes the image unless it is there already.
///
/// # Errors
/// If a program is missing, the disk is full, or Podman fails.
pub fn build(recipe: &Recipe) -> Result<Outcome> {
    fs::create_dir_all(IMAGE_STORE).with_context(|| format!("cannot make {IMAGE_STORE}"))?;
    let files = host_files(recipe)?;
    let digest = digest(recipe, &files)?;
    if stored_digest(recipe.name).as_deref() == Some(&digest) {
        return Ok(Outcome::UpToDate);
    }
    let tree = Path::new(WORK_DIR).join("tree");
    let _ = fs::remove_dir_all(&tree);
    lay_out(recipe, &files, &tree)?;
    let archive = Path::new(WORK_DIR).join("image.tar");
    let (tree_arg, archive_arg) = (tree.to_string_lossy(), archive.to_string_lossy());
    run("tar", &["-C", &tree_arg, "--owner=0", "--group=0", "--sort=name", "-cf", &archive_arg, "."])?;
    let label = format!("LABEL {DIGEST_LABEL}={digest}");
    podman(&["import", "--quiet", "--change", &label, &archive_arg, recipe.name])?;
    fs::remove_dir_all(WORK_DIR).context("cannot remove what was used for building")?;
    Ok(Outcome::Built)
}

/// The images there are.
///
/// # Errors
/// If Podman fails.
pub fn list() -> Result<Vec<Listed>> {
    if !Path::new(IMAGE_STORE).exists() {
        return Ok(Vec::new());
    }
    let text = podman(&["images", "--format", "{{.Repository}}:{{.Tag}} {{.VirtualSize}}"])?;
    let parse = |line: &str| {
        let (name, size) = line.split_once(' ')?;
        Some(Listed { name: name.to_owned(), size: size.parse().ok()? })
    };
    Ok(text.lines().filter_map(parse).collect())
}

/// Removes an image.
///
/// # Errors
/// If there is none of that name, or Podman fails.
pub fn remove(name: &str) -> Result<()> {
    if list()?.iter().all(|image| image.name != name) {
        bail!("there is no image {name}: `systole lab image list` shows those there are");
    }
    podman(&["rmi", name]).map(drop)
}

/// Runs Podman on the shared store. In a mount namespace of its own, since it leaves a mount behind.
fn podman(args: &[&str]) -> Result<String> {
    fs::create_dir_all("/run/systole-lab")?;
    let mut command = Command::new("unshare");
    command.args([
        "--mount",
        "--",
        "podman",
        "--root",
        IMAGE_STORE,
        "--runroot",
        "/run/systole-lab/images/run",
    ]);
    command.args(["--tmpdir", "/run/systole-lab/images/tmp", "--storage-driver", "overlay"]);
    command.args(["--cgroup-manager", "cgroupfs", "--events-backend", "none", "--runtime", "runc"]);
    command.args(args).env("LC_ALL", "C");
    let result = output(command);
    let _ = fs::remove_dir_all("/run/systole-lab/images");
    let _ = fs::remove_dir("/run/systole-lab");
    result
}

fn stored_digest(name: &str) -> Option<String> {
    let format = format!("{{{{index .Labels \"{DIGEST_LABEL}\"}}}}");
    let text = podman(&["image", "inspect", "--format", &format, name]).ok()?;
    Some(text.trim().to_owned())
}

/// Every file the image takes from the host: path in the image, path on the host.
fn host_files(recipe: &Recipe) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut files = BTreeMap::new();
    for program in recipe.programs {
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
    Ok(files)
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

fn digest(recipe: &Recipe, files: &BTreeMap<PathBuf, PathBuf>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for (to, from) in files {
        hasher.write(to.as_os_str().as_encoded_bytes());
        hasher.write(&fs::read(from).with_context(|| format!("cannot read {}", from.display()))?);
    }
    for text in recipe.scripts.iter().flat_map(|(path, text)| [path, text]).chain([&USERS, &GROUPS]) {
        hasher.write(text.as_bytes());
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn lay_out(recipe: &Recipe, files: &BTreeMap<PathBuf, PathBuf>, tree: &Path) -> Result<()> {
    for dir in ["etc", "dev", "proc", "sys", "run", "tmp", "root", "var/lib", "var/log", "usr/local/bin"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    for dir in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(tree.join("usr").join(dir))?;
        symlink(format!("usr/{dir}"), tree.join(dir))?;
    }
    for (to, from) in files {
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
    for (path, text) in recipe.scripts {
        let file = tree.join(path);
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(tree.join("etc/passwd"), USERS)?;
    fs::write(tree.join("etc/group"), GROUPS)?;
    Ok(())
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
