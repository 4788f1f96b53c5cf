//! The CIB on disk, as Pacemaker keeps it, so that each can start from what the other wrote.
//!
//! `cib.xml` with its digest in `cib.xml.sig`; the versions before it as `cib-N.raw` with `cib-N.raw.sig`, where
//! `cib.last` holds the next N; and, of our own, `cib.generation`, which Pacemaker does not look at.

use crate::{
    inputs::read_number,
    signature::{self, Verdict},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use systole_cib::xml::Document;
use systole_cluster::Snapshot;
use systole_types::CibVersion;

/// How many backups are kept. Source: Pacemaker's own limit.
const MAX_BACKUPS: u64 = 100;

/// How many CIBs that could not be read are set aside; the newest is not kept if there are as many already.
const MAX_SET_ASIDE: usize = 10;

/// Why the CIB cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system says no.
    #[error("cannot {verb} {path}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The text is not a CIB.
    #[error("{path} holds no CIB: {reason}")]
    NotACib {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was changed by somebody else than the cluster.
    #[error("{path} does not have the digest in {path}.sig: it was edited by hand or damaged")]
    Digest {
        /// Which file.
        path: PathBuf,
    },
}

impl StoreError {
    fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { verb, path, source }
    }
}

/// What was found on disk at the start.
#[derive(Debug, Default)]
pub struct Found {
    /// The CIB to start from; `None` if there is none, or none that can be read.
    pub snapshot: Option<Snapshot>,
    /// What an administrator should know, in order.
    pub warnings: Vec<String>,
}

/// The directory with the CIB.
#[derive(Debug)]
pub struct CibStore {
    dir: PathBuf,
}

impl CibStore {
    /// The CIB in `dir`, which exists.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Reads `cib.xml`, or if that cannot be trusted sets it aside and reads the newest backup that can.
    pub fn load(&self) -> Found {
        let mut found = Found::default();
        let generation = read_number(&self.path("cib.generation"));
        let cib = self.path("cib.xml");
        match read_verified(&cib, &mut found.warnings) {
            Ok(Some((xml, version))) => found.snapshot = Some(Snapshot { xml, version, generation }),
            Ok(None) => {}
            Err(error) => {
                found.warnings.push(format!("the CIB on disk cannot be used: {}", describe(&error)));
                found.warnings.push(self.set_aside(&cib));
                found.snapshot = self.newest_backup(generation, &mut found.warnings);
                if found.snapshot.is_none() {
                    found.warnings.push("there is no backup either; starting without a CIB".to_owned());
                }
            }
        }
        found
    }

    /// A backup is of an earlier generation than the one on record, as far as anybody knows: it must not win over what other nodes
    /// have of the present one.
    fn newest_backup(&self, generation: u64, warnings: &mut Vec<String>) -> Option<Snapshot> {
        for path in self.backups() {
            match read_verified(&path, warnings) {
                Ok(Some((xml, version))) => {
                    warnings.push(format!("starting from the backup {}, version {version}", path.display()));
                    return Some(Snapshot { xml, version, generation: generation.saturating_sub(1) });
                }
                Ok(None) => {}
                Err(error) => warnings.push(format!("a backup cannot be used: {}", describe(&error))),
            }
        }
        None
    }

    /// Every backup, the newest first, by their numbers: the clock may have been set back. Nor do versions tell, since a CIB with a
    /// lower one may have won over it.
    fn backups(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let next = read_number(&self.path("cib.last")) % MAX_BACKUPS;
        let age = |number: u64| {
            (number >= MAX_BACKUPS, (next + MAX_BACKUPS - 1 - number % MAX_BACKUPS) % MAX_BACKUPS)
        };
        let mut found: Vec<((bool, u64), PathBuf)> = entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let number: u64 = name.strip_prefix("cib-")?.strip_suffix(".raw")?.parse().ok()?;
                Some((age(number), entry.path()))
            })
            .collect();
        found.sort();
        found.into_iter().map(|(_, path)| path).collect()
    }

    /// Moves a CIB that cannot be used out of the way, as `cib.auto.N`, for the administrator to look at.
    fn set_aside(&self, cib: &Path) -> String {
        let Some(aside) =
            (0..MAX_SET_ASIDE).map(|n| self.path(&format!("cib.auto.{n}"))).find(|path| !path.exists())
        else {
            let _ = fs::remove_file(cib).and_then(|()| remove_if_there(&signature_of(cib)));
            return format!("it was removed: {MAX_SET_ASIDE} such files are kept as cib.auto.N already");
        };
        let moved = fs::rename(cib, &aside).and_then(|()| {
            match fs::rename(signature_of(cib), signature_of(&aside)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        });
        match moved {
            Ok(()) => format!("it was set aside as {}", aside.display()),
            Err(error) => format!("it cannot be set aside as {}: {error}", aside.display()),
        }
    }

    /// Puts `snapshot` on disk; when this returns it outlives a power failure. If it fails, what was there before is
    /// still there.
    ///
    /// # Errors
    /// If the disk is full, or gone, or read-only.
    pub fn write(&mut self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let written = self.try_write(snapshot);
        if written.is_err() {
            // Half a file would only take what little room there is.
            for name in ["cib.new", "cib.new.sig", "cib.generation.new", "cib.last.new"] {
                let _ = fs::remove_file(self.path(name));
            }
        }
        written
    }

    fn try_write(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let cib = self.path("cib.xml");
        let (new, new_signature) = (self.path("cib.new"), self.path("cib.new.sig"));
        let document = Document::parse(&snapshot.xml)
            .map_err(|error| StoreError::NotACib { path: cib.clone(), reason: error.to_string() })?;
        write_durably(&new, snapshot.xml.as_bytes())?;
        let digest = signature::sign(&document);
        if let Some(digest) = &digest {
            write_durably(&new_signature, digest.as_bytes())?;
        }
        self.back_up(&cib)?;
        let signature = signature_of(&cib);
        if digest.is_none() {
            remove_if_there(&signature).map_err(StoreError::io("remove", &signature))?;
        }
        fs::rename(&new, &cib).map_err(StoreError::io("replace", &cib))?;
        if digest.is_some() {
            fs::rename(&new_signature, &signature).map_err(StoreError::io("replace", &signature))?;
        }
        self.write_generation(snapshot.generation)?;
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(StoreError::io("flush", &self.dir))
    }

    /// Written after the CIB: a crash in between leaves the lower generation, which claims less.
    fn write_generation(&self, generation: u64) -> Result<(), StoreError> {
        let path = self.path("cib.generation");
        if path.exists() && read_number(&path) == generation {
            return Ok(());
        }
        let new = self.path("cib.generation.new");
        write_durably(&new, generation.to_string().as_bytes())?;
        fs::rename(&new, &path).map_err(StoreError::io("replace", &path))
    }

    /// Keeps the present `cib.xml` as the next backup, by a second link to the same file.
    fn back_up(&self, cib: &Path) -> Result<(), StoreError> {
        if !cib.exists() {
            return Ok(());
        }
        let last = self.path("cib.last");
        let number = read_number(&last) % MAX_BACKUPS;
        let backup = self.path(&format!("cib-{number}.raw"));
        for (from, to) in [(cib.to_owned(), backup.clone()), (signature_of(cib), signature_of(&backup))] {
            remove_if_there(&to).map_err(StoreError::io("replace", &to))?;
            match fs::hard_link(&from, &to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StoreError::Io { verb: "make the backup", path: to, source: error });
                }
                _ => {}
            }
        }
        let new = self.path("cib.last.new");
        let next = (number + 1) % MAX_BACKUPS;
        fs::write(&new, next.to_string())
            .and_then(|()| fs::rename(&new, &last))
            .map_err(StoreError::io("write", &last))
    }
}

/// The CIB at `path` with its version, if there is one and it has the digest that is kept beside it. A missing digest is
/// worth a warning only, as for Pacemaker.
fn read_verified(
    path: &Path,
    warnings: &mut Vec<String>,
) -> Result<Option<(String, CibVersion)>, StoreError> {
    let not_a_cib = |reason: String| StoreError::NotACib { path: path.to_owned(), reason };
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    let xml = String::from_utf8(bytes).map_err(|_| not_a_cib("it is not UTF-8".to_owned()))?;
    let document = Document::parse(&xml).map_err(|error| not_a_cib(error.to_string()))?;
    let root = document.root();
    if !root.is("cib") {
        return Err(not_a_cib(format!("its root element is <{}>", root.name())));
    }
    match fs::read_to_string(signature_of(path)) {
        Ok(expected) => match signature::verify(&document, expected.trim()) {
            Verdict::Intact => {}
            Verdict::Altered => return Err(StoreError::Digest { path: path.to_owned() }),
            Verdict::Unknown => {
                warnings.push(format!(
                    "the digest of {} cannot be checked; it is used unverified",
                    path.display()
                ));
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warnings.push(format!("{} has no digest beside it; it is used unverified", path.display()));
        }
        Err(error) => return Err(StoreError::io("read", &signature_of(path))(error)),
    }
    let number = |name| root.attr(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let version = CibVersion {
        admin_epoch: number("admin_epoch"),
        epoch: number("epoch"),
        num_updates: number("num_updates"),
    };
    Ok(Some((xml, version)))
}

fn signature_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes a file that only its owner reads, and waits until it is on the disk itself.
fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().map_err(StoreError::io("write", path))
}

/// An error with its causes on one line.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
