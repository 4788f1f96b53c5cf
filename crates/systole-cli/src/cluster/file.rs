//! A CIB in a file, in the place of a cluster.

use super::Applied;
use crate::{Exit, Failed, exit::exit_of_failure};
use anyhow::Context as _;
use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};
use systole_cib::{
    ops::{self, CibAction, CibCall},
    xml::{Document, escape_attribute},
};

/// A CIB and the file it is from.
pub struct CibFile {
    /// `None` for standard input: changes are made, but kept nowhere.
    path: Option<PathBuf>,
    document: Document,
}

impl CibFile {
    /// Reads the file. It may be a pipe; then nothing can be changed.
    pub(super) fn open(path: PathBuf) -> anyhow::Result<Self> {
        let bytes = fs::read(&path).map_err(|error| {
            let exit = match error.kind() {
                std::io::ErrorKind::NotFound => Exit::NoSuch,
                std::io::ErrorKind::PermissionDenied => Exit::InsufficientPrivilege,
                _ => Exit::Io,
            };
            Failed::new(exit, format!("cannot read the CIB in {}: {error}", path.display()))
        })?;
        let document = parse(bytes, &path.to_string_lossy())?;
        Ok(Self { path: Some(path), document })
    }

    /// A CIB read from standard input.
    pub(super) fn from_input(bytes: Vec<u8>) -> anyhow::Result<Self> {
        Ok(Self { path: None, document: parse(bytes, "standard input")? })
    }

    /// The CIB.
    pub fn document(&self) -> &Document {
        &self.document
    }
}

/// Reads XML; what is wrong with it is told with its line.
///
/// # Errors
/// If it is no XML (exit code 65).
pub fn parse(bytes: Vec<u8>, name: &str) -> anyhow::Result<Document> {
    let text = String::from_utf8(bytes).map_err(|error| {
        Failed::new(Exit::Data, format!("{name} is not UTF-8 text: {}", error.utf8_error()))
    })?;
    match Document::parse(&text) {
        Ok(document) => Ok(document.from_file(name)),
        Err(error) => {
            let told = systole_output::diagnose::xml_error(&error, name, &text);
            Err(Failed::new(Exit::Data, told.trim_end()).into())
        }
    }
}

impl CibFile {
    /// Changes the CIB, and writes the file in one step: whoever reads it sees the old or the new CIB.
    pub(super) fn apply(&mut self, _change: &CibCall) -> anyhow::Result<Applied> {
        anyhow::bail!("not yet")
    }

    /// Sets or removes a transient attribute in the status section.
    pub(super) fn set_transient(
        &mut self,
        _node: &str,
        _name: &str,
        _value: Option<&str>,
    ) -> anyhow::Result<()> {
        anyhow::bail!("not yet")
    }

    /// Removes history, and the fail counts that belong to it.
    pub(super) fn cleanup(
        &mut self,
        _resource: Option<&str>,
        _node: Option<&str>,
        _only_failed: bool,
    ) -> anyhow::Result<()> {
        anyhow::bail!("not yet")
    }

    fn store(&self) -> anyhow::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        write_atomically(path, self.document.to_text().as_bytes())
            .with_context(|| format!("cannot write {}; it is as it was", path.display()))
    }
}

/// Replaces a file's content in one step. The file keeps its permissions; a link stays a link.
///
/// # Errors
/// If the directory cannot be written to, or the disk is full. The file is as it was then.
pub fn write_atomically(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(meta) = fs::metadata(&target) {
        if !meta.is_file() {
            return Err(Failed::new(Exit::CannotCreate, "this is not a regular file").into());
        }
    }
    let name = target.file_name().context("the path has no file name")?.to_string_lossy().into_owned();
    let beside = target.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = (|| {
        let mut file = fs::File::create(&beside)?;
        if let Ok(meta) = fs::metadata(&target) {
            file.set_permissions(meta.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&beside, &target)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    Ok(written?)
}
