//! An image of Debian packages as they are installed on the host, with all they depend on.

use super::recipes::{AGENTS, HOST_PACKAGES, Remote};
use crate::command::{output, run};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    hash::Hasher,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Dependencies that no service here needs at run time: interpreters of maintenance scripts, and what runs a whole host.
const LEFT_OUT: &[&str] =
    &["debconf", "init-system-helpers", "pacemaker", "pacemaker-remote", "systemd", "udev"];

/// What no program reads.
const NOT_TAKEN: &[&str] = &[
    "/usr/share/bash-completion",
    "/usr/share/bug",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/mysql-test",
    "/var/cache",
    "/var/lib/dpkg",
];

/// Top directories that are links into `/usr`.
const ALIASES: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// Where agents and daemons in the container keep things, beside what packages bring.
const DIRECTORIES: &[&str] = &[
    "dev",
    "etc/default",
    "etc/libqb",
    "etc/pacemaker",
    "etc/pam.d",
    "proc",
    "root",
    "run/lock",
    "run/resource-agents",
    "sys",
    "tmp",
    "usr/local/bin",
    "var/lib/pacemaker",
    "var/log/pacemaker",
    "var/tmp",
];

/// To be changed with what is done to the packages' files below, so that images are built anew.
const RECIPE_VERSION: &str = "2";

/// What a host's packages work out at installation; `su` wants it.
const PAM: &[(&str, &str)] = &[
    ("common-auth", "auth required pam_unix.so\n"),
    ("common-account", "account required pam_unix.so\n"),
    ("common-password", "password required pam_unix.so\n"),
    ("common-session", "session required pam_unix.so\n"),
    ("common-session-noninteractive", "session required pam_unix.so\n"),
];

const REMOTED: &str = "usr/sbin/pacemaker-remoted";

/// The packages of an image.
pub struct Packages {
    remote: Remote,
    ours: Ours,
    /// Name and version.
    versions: BTreeMap<String, String>,
}

/// This build's programs.
#[derive(Clone, Debug)]
pub struct Ours {
    execd: PathBuf,
    systole: PathBuf,
}

/// What `dpkg` knows of the packages on this host.
#[derive(Default)]
struct Installed {
    packages: BTreeMap<String, Package>,
    /// Which package provides what is not a package itself.
    providers: BTreeMap<String, String>,
}

struct Package {
    version: String,
    depends: String,
}

/// The packages an image needs that are not installed on this host.
///
/// # Errors
/// If `dpkg-query` fails.
pub fn missing(service: &[&'static str], remote: Remote) -> Result<Vec<&'static str>> {
    let installed = Installed::read()?;
    Ok(wanted(service, remote).filter(|name| !installed.packages.contains_key(*name)).collect())
}

fn wanted(service: &[&'static str], remote: Remote) -> impl Iterator<Item = &'static str> {
    let clusters: &[&str] = match remote {
        Remote::Stock => &[AGENTS, "pacemaker-cli-utils", "pacemaker-common"],
        Remote::Systole => &[AGENTS],
        Remote::Nobody => &[],
    };
    service.iter().copied().chain(HOST_PACKAGES.iter().copied()).chain(clusters.iter().copied())
}

/// Finds what an image with these packages is made of.
///
/// # Errors
/// If a package is not installed.
pub fn find(service: &[&'static str], remote: Remote, ours: Ours) -> Result<Packages> {
    let installed = Installed::read()?;
    let mut todo: Vec<String> = wanted(service, remote).map(str::to_owned).collect();
    if let Some(name) = todo.iter().find(|name| !installed.packages.contains_key(*name)) {
        bail!("{name} is not installed: apt-get install --no-install-recommends {name}");
    }
    let mut versions = BTreeMap::new();
    while let Some(name) = todo.pop() {
        if is_left_out(&name) || versions.contains_key(&name) {
            continue;
        }
        let Some(package) = installed.packages.get(&name) else { continue };
        todo.extend(installed.dependencies(&package.depends));
        versions.insert(name, package.version.clone());
    }
    Ok(Packages { remote, ours, versions })
}

fn is_left_out(package: &str) -> bool {
    let script = package.starts_with("perl") || package.starts_with("python3") || package.ends_with("-perl");
    script || LEFT_OUT.contains(&package)
}

impl Ours {
    /// Those beside the program that runs.
    ///
    /// # Errors
    /// If it does not know where it is.
    pub fn find() -> Result<Self> {
        let systole = std::env::current_exe().context("cannot find this program")?;
        Ok(Ours { execd: systole.with_file_name("systole-execd"), systole })
    }

    /// Puts them into `tree` under all their names.
    fn install(&self, tree: &Path) -> Result<()> {
        for (program, to) in [(&self.execd, REMOTED), (&self.systole, "usr/sbin/systole")] {
            fs::copy(program, tree.join(to)).with_context(|| format!("cannot copy {}", program.display()))?;
        }
        for name in crate::plan::tool_names(&self.systole)? {
            let link = tree.join("usr/sbin").join(name);
            if link.symlink_metadata().is_err() {
                symlink("systole", link)?;
            }
        }
        Ok(())
    }
}

impl Installed {
    fn read() -> Result<Self> {
        let format = "${db:Status-Status}\t${Package}\t${Version}\t${Provides}\t${Pre-Depends}, ${Depends}\n";
        let text = run("dpkg-query", &["--show", "--showformat", format])?;
        let mut installed = Self::default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            if fields.next() != Some("installed") {
                continue;
            }
            let (Some(name), Some(version), Some(provides), Some(depends)) =
                (fields.next(), fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let package = Package { version: version.to_owned(), depends: depends.to_owned() };
            installed.packages.insert(name.to_owned(), package);
            for provided in provides.split(',').map(bare_name).filter(|name| !name.is_empty()) {
                installed.providers.insert(provided.to_owned(), name.to_owned());
            }
        }
        Ok(installed)
    }

    /// Of every alternative in a `Depends` field the first that is installed.
    fn dependencies(&self, depends: &str) -> Vec<String> {
        let resolve = |name: &str| match self.packages.contains_key(name) {
            true => Some(name.to_owned()),
            false => self.providers.get(name).cloned(),
        };
        let first = |alternatives: &str| alternatives.split('|').find_map(|one| resolve(bare_name(one)));
        depends.split(',').filter_map(first).collect()
    }
}

/// `libc6:any (>= 2.34)` without what comes after the name.
fn bare_name(dependency: &str) -> &str {
    dependency.trim().split([' ', ':', '(']).next().unwrap_or_default()
}

impl Packages {
    /// Puts what the image would be made of into `hasher`.
    ///
    /// # Errors
    /// If a program of ours is not there.
    pub fn digest(&self, hasher: &mut impl Hasher) -> Result<()> {
        for (name, version) in &self.versions {
            hasher.write(name.as_bytes());
            hasher.write(version.as_bytes());
        }
        hasher.write(RECIPE_VERSION.as_bytes());
        for path in NOT_TAKEN.iter().chain(DIRECTORIES) {
            hasher.write(path.as_bytes());
        }
        if self.remote == Remote::Systole {
            for program in [&self.ours.execd, &self.ours.systole] {
                let about =
                    program.metadata().with_context(|| format!("there is no {}", program.display()))?;
                // Reading the whole of a program takes longer than it is worth: when it was built says as much.
                hasher.write_u64(about.len());
                hasher.write(format!("{:?}", about.modified()?).as_bytes());
            }
        }
        Ok(())
    }

    /// Lays out in `tree` what is not in any package; `work` is for downloads.
    ///
    /// # Errors
    /// If the remote daemon cannot be had.
    pub fn lay_out(&self, tree: &Path, work: &Path) -> Result<()> {
        for dir in DIRECTORIES {
            fs::create_dir_all(tree.join(dir))?;
        }
        for name in ["passwd", "group", "nsswitch.conf"] {
            run("cp", &["--archive", &format!("/etc/{name}"), &tree.join("etc").to_string_lossy()])?;
        }
        for (name, text) in PAM {
            fs::write(tree.join("etc/pam.d").join(name), text)?;
        }
        for name in ["environment", "default/locale"] {
            fs::write(tree.join("etc").join(name), "")?;
        }
        fs::write(tree.join("etc/shadow"), shadow(&fs::read_to_string("/etc/passwd")?))?;
        // The container shares the host's network, and with it the names of abstract sockets: daemons in here must
        // not take those that the host's daemons listen at.
        fs::write(tree.join("etc/libqb/force-filesystem-sockets"), "")?;
        symlink("/run", tree.join("var/run"))?;
        symlink("/run/lock", tree.join("var/lock"))?;
        match self.remote {
            Remote::Stock => self.stock_remoted(tree, work)?,
            Remote::Systole => self.ours.install(tree)?,
            Remote::Nobody => return Ok(()),
        }
        // The name it had before Pacemaker 2, which OpenStack's configurations still use.
        symlink("pacemaker-remoted", tree.join("usr/sbin/pacemaker_remoted"))?;
        Ok(())
    }

    /// Takes `pacemaker-remoted` from the host, or else out of Debian's package, which cannot be installed beside
    /// `pacemaker`.
    fn stock_remoted(&self, tree: &Path, work: &Path) -> Result<()> {
        let host = Path::new("/").join(REMOTED);
        let target = tree.join(REMOTED);
        if host.exists() {
            return fs::copy(host, target).map(drop).context("cannot copy pacemaker-remoted");
        }
        let version = self.versions.get("pacemaker-cli-utils").context("pacemaker-cli-utils is not there")?;
        let mut download = Command::new("apt-get");
        // As root: the sandbox user of apt may not write here.
        download.args(["download", "--quiet", "-o", "APT::Sandbox::User=root"]);
        download.arg(format!("pacemaker-remote={version}")).current_dir(work);
        output(download).context("cannot download pacemaker-remote")?;
        let archive = fs::read_dir(work)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
            .context("apt-get downloaded nothing")?;
        let unpacked = work.join("pacemaker-remote");
        run("dpkg-deb", &["--extract", &archive.to_string_lossy(), &unpacked.to_string_lossy()])?;
        fs::copy(unpacked.join(REMOTED), target)
            .map(drop)
            .context("there is no pacemaker-remoted in the package")
    }

    /// Copies every file of the packages into `tree`, which has the links into `/usr` already.
    ///
    /// # Errors
    /// If a file cannot be copied.
    pub fn copy(&self, tree: &Path, work: &Path) -> Result<()> {
        let (list, archive) = (work.join("files"), work.join("packages.tar"));
        let files: Vec<String> =
            self.files()?.into_iter().map(|path| path.to_string_lossy().into_owned()).collect();
        ensure!(!files.is_empty(), "the packages have no files");
        fs::write(&list, files.join("\n"))?;
        let archive = archive.to_string_lossy();
        let mut create = Command::new("tar");
        create.args(["--create", "--directory=/", "--no-recursion", "--numeric-owner", "--hard-dereference"]);
        // Some packages name their files by the links that lead into /usr.
        create.arg(format!("--transform=flags=r;s,^\\({}\\)/,usr/\\1/,", ALIASES.join("\\|")));
        create.args(["--file", &archive]).arg(format!("--files-from={}", list.display()));
        output(create)?;
        run(
            "tar",
            &["--extract", "--numeric-owner", "--file", &archive, "--directory", &tree.to_string_lossy()],
        )?;
        fs::remove_file(&*archive).context("cannot remove an archive")
    }

    /// Every file and directory of the packages, as paths below `/`.
    fn files(&self) -> Result<BTreeSet<PathBuf>> {
        let mut command = Command::new("dpkg-query");
        command.arg("--listfiles").args(self.versions.keys());
        let text = output(command)?;
        let mut files: BTreeSet<PathBuf> = text.lines().filter_map(taken).collect();
        for dir in ["/usr/bin", "/usr/sbin"] {
            for link in fs::read_dir(dir)?.flatten().map(|entry| entry.path()) {
                files.extend(alternative(&link, &files));
            }
        }
        Ok(files)
    }
}

/// `/etc/shadow` in which nobody has a password: `su` wants to find its users there.
fn shadow(passwd: &str) -> String {
    let users = passwd.lines().filter_map(|line| line.split(':').next());
    users.fold(String::new(), |text, user| text + user + ":*:19000:0:99999:7:::\n")
}

/// A line of `dpkg --listfiles` as a path below `/`, if the image takes that file.
fn taken(line: &str) -> Option<PathBuf> {
    let path = Path::new(line);
    let relative = path.strip_prefix("/").ok()?;
    let is_top = ALIASES.iter().any(|alias| relative == Path::new(alias)) || relative.as_os_str().is_empty();
    let is_taken =
        !is_top && relative != Path::new(".") && !NOT_TAKEN.iter().any(|dir| path.starts_with(dir));
    // These are links and directories of our own in the image.
    let is_ours = ["/run", "/tmp", "/var/run", "/var/lock"].iter().any(|dir| path.starts_with(dir));
    (is_taken && !is_ours && path.symlink_metadata().is_ok()).then(|| relative.to_owned())
}

/// For a link such as `/usr/bin/awk`, by way of `/etc/alternatives`, to one of `files`: both links.
fn alternative(link: &Path, files: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
    let Ok(first) = fs::read_link(link) else { return Vec::new() };
    if !first.starts_with("/etc/alternatives") {
        return Vec::new();
    }
    let Ok(target) = link.canonicalize() else { return Vec::new() };
    let below_root = |path: &Path| path.strip_prefix("/").map(Path::to_owned).ok();
    match below_root(&target).filter(|target| files.contains(target)) {
        Some(_) => [link, &first].into_iter().filter_map(below_root).collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_alternative_that_is_installed_counts() {
        let mut installed = Installed::default();
        for name in ["gawk", "libc6"] {
            let package = Package { version: "1".into(), depends: String::new() };
            installed.packages.insert(name.into(), package);
        }
        installed.providers.insert("awk".into(), "gawk".into());
        let found = installed.dependencies("libc6:any (>= 2.34), nosuch | awk, missing (= 1)");
        assert_eq!(found, ["libc6", "gawk"]);
    }

    #[test]
    fn links_into_usr_and_documentation_are_not_taken() {
        for line in ["/.", "/bin", "/lib64", "/usr/share/doc/bash", "/run", "/etc/nosuchfile"] {
            assert_eq!(taken(line), None, "{line}");
        }
        assert_eq!(taken("/etc/passwd"), Some("etc/passwd".into()));
    }
}
