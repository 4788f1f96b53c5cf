//! Container images out of the host's own programs, since no registry is reachable.
//!
//! An image is made of single programs of the host, or of whole Debian packages that are installed there, and scripts of
//! ours, and imported into an image store that all nodes share read-only. It carries the digest of what went in as a
//! label and is only built anew when that changes.

mod packages;
mod programs;
mod recipes;

pub use recipes::{RECIPES, Recipe, recipe, with_stock_daemons};

use crate::{
    command::{output, run},
    layout::{IMAGE_STORE, LABS},
};
use anyhow::{Context, Result, bail};
use recipes::Contents;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::{self, File},
    hash::{DefaultHasher, Hasher},
    io::ErrorKind,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::Command,
};

/// The label with the digest of what the image was made of.
const DIGEST_LABEL: &str = "org.systole.lab.digest";

/// Held while an image is made: labs of other names share the store.
const LOCK: &str = "/var/lib/systole-lab/images/lock";

/// Scratch space for building.
const WORK_DIR: &str = "/var/lib/systole-lab/images/work";

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

/// What an image is made of, found on the host.
enum Ingredients {
    Programs(programs::Files),
    Packages(packages::Packages),
}

/// Debian packages that are missing on this host for an image.
///
/// # Errors
/// If `dpkg-query` fails.
pub fn missing_packages(recipe: &Recipe) -> Result<Vec<&'static str>> {
    match recipe.contents {
        // What these need, every lab needs.
        Contents::Programs(_) => Ok(Vec::new()),
        Contents::Packages { service, remote } => packages::missing(service, remote),
    }
}

/// Makes the image unless it is there already. What it takes the place of is removed, once no lab is up that may use it.
///
/// # Errors
/// If a program or package is missing, the disk is full, or Podman fails.
pub fn build(recipe: &Recipe) -> Result<Outcome> {
    fs::create_dir_all(IMAGE_STORE).with_context(|| format!("cannot make {IMAGE_STORE}"))?;
    let lock = File::create(LOCK).with_context(|| format!("cannot make {LOCK}"))?;
    flock(&lock, FlockOperation::LockExclusive).context("cannot wait for another lab to make its image")?;
    let ingredients = match recipe.contents {
        Contents::Programs(programs) => Ingredients::Programs(programs::find(programs)?),
        Contents::Packages { service, remote } => {
            Ingredients::Packages(packages::find(service, remote, packages::Ours::find()?)?)
        }
    };
    let digest = digest(recipe, &ingredients)?;
    if stored_digest(recipe.name).as_deref() == Some(&digest) {
        return Ok(Outcome::UpToDate);
    }
    let work = Path::new(WORK_DIR);
    let _ = fs::remove_dir_all(work);
    let archive = work.join("image.tar");
    let result = pack(recipe, &ingredients, work, &archive).and_then(|()| {
        let label = format!("LABEL {DIGEST_LABEL}={digest}");
        podman(&["import", "--quiet", "--change", &label, &archive.to_string_lossy(), recipe.name])
    });
    let removed = fs::remove_dir_all(work).context("cannot remove what was used for building");
    result.and(removed)?;
    // The image is there: what has to be left for the next time is only space.
    if may_prune(Path::new(LABS))
        && let Err(error) = prune()
    {
        eprintln!("images that {} takes the place of are still there: {error:#}", recipe.name);
    }
    Ok(Outcome::Built)
}

/// Whether there surely is no lab whose containers may run of an image that has lost its name meanwhile.
fn may_prune(labs: &Path) -> bool {
    match fs::read_dir(labs) {
        Ok(mut labs) => labs.next().is_none(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Removes images that a newer one took the name of.
fn prune() -> Result<()> {
    podman(&["image", "prune", "--force"]).map(drop)
}

/// Writes the image's files into the tar archive `archive`.
fn pack(recipe: &Recipe, ingredients: &Ingredients, work: &Path, archive: &Path) -> Result<()> {
    let tree = work.join("tree");
    lay_out(recipe, &tree)?;
    match ingredients {
        Ingredients::Programs(files) => files.lay_out(&tree)?,
        Ingredients::Packages(packages) => {
            packages.copy(&tree, work)?;
            packages.lay_out(&tree, work)?;
        }
    }
    let file = format!("--file={}", archive.display());
    let directory = format!("--directory={}", tree.display());
    run("tar", &["--create", "--numeric-owner", "--sort=name", &file, &directory, "."]).map(drop)
}

/// The images there are.
///
/// # Errors
/// If Podman fails.
pub fn list() -> Result<Vec<Listed>> {
    if !Path::new(IMAGE_STORE).exists() {
        return Ok(Vec::new());
    }
    let shown = ["--filter", "dangling=false", "--format", "{{.Repository}}:{{.Tag}} {{.VirtualSize}}"];
    let text = podman(&[&["images"], &shown[..]].concat())?;
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

fn digest(recipe: &Recipe, ingredients: &Ingredients) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    match ingredients {
        Ingredients::Programs(files) => files.digest(&mut hasher)?,
        Ingredients::Packages(packages) => packages.digest(&mut hasher)?,
    }
    for text in recipe.scripts.iter().flat_map(|(path, text)| [path, text]) {
        hasher.write(text.as_bytes());
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// The directories every image has, and the recipe's scripts.
fn lay_out(recipe: &Recipe, tree: &Path) -> Result<()> {
    for dir in ["etc", "dev", "proc", "sys", "run", "tmp", "root", "var/lib", "var/log", "usr/local/bin"] {
        fs::create_dir_all(tree.join(dir))?;
    }
    fs::set_permissions(tree.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    for dir in ["bin", "sbin", "lib", "lib64"] {
        fs::create_dir_all(tree.join("usr").join(dir))?;
        symlink(format!("usr/{dir}"), tree.join(dir))?;
    }
    for (path, text) in recipe.scripts {
        let file = tree.join(path);
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_removed_only_where_there_surely_is_no_lab() {
        let labs = std::env::temp_dir().join(format!("systole-lab-prune-{}", std::process::id()));
        assert!(may_prune(&labs), "nothing there");
        fs::create_dir(&labs).expect("a directory");
        assert!(may_prune(&labs), "empty");
        let lab = labs.join("one");
        fs::write(&lab, "").expect("a file");
        assert!(!may_prune(&labs), "a lab");
        assert!(!may_prune(&lab), "cannot be read");
        fs::remove_dir_all(&labs).expect("it is ours");
    }
}
