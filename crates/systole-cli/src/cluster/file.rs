//! A CIB in a file, in the place of a cluster.

use super::Applied;
use crate::{Exit, Failed, Session, edit, exit::exit_of_failure, session::Rehearsal};
use anyhow::Context as _;
use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};
use systole_cib::{
    acl::Acl,
    ops::{self, CibAction, CibCall, CibOptions, Scope, Stamp},
    schema::Schema,
    validate,
    xml::{Document, Element},
};
use systole_output::tree::Tree;

/// A CIB and the file it is from.
pub struct CibFile {
    keep: Keep,
    document: Document,
    stamp: Stamp,
    /// What may be seen and changed, unless that is everything.
    acl: Option<Acl>,
}

/// Where changes are kept.
enum Keep {
    /// In the file.
    File(PathBuf),
    /// Nowhere: the CIB came from standard input.
    Nowhere,
    /// In a copy that later commands see.
    Rehearsal(Rehearsal),
}

impl CibFile {
    /// A copy of a CIB that commands are tried on.
    pub(super) fn rehearsing(rehearsal: Rehearsal, stamp: Stamp) -> Self {
        let document = rehearsal.borrow().clone();
        Self { keep: Keep::Rehearsal(rehearsal), document, stamp, acl: None }
    }

    /// Reads the file. It may be a pipe; then nothing can be changed.
    pub(super) fn open(path: PathBuf, stamp: Stamp) -> anyhow::Result<Self> {
        let bytes = fs::read(&path).map_err(|error| {
            let exit = match error.kind() {
                ErrorKind::NotFound => Exit::NoSuch,
                ErrorKind::PermissionDenied => Exit::InsufficientPrivilege,
                // A directory, say.
                _ => Exit::Config,
            };
            Failed::new(exit, format!("cannot read the CIB in {}: {error}", path.display()))
        })?;
        let document = parse_cib(bytes, &path.to_string_lossy())?;
        Ok(Self { keep: Keep::File(path), document, stamp, acl: None })
    }

    /// A CIB read from standard input.
    pub(super) fn from_input(bytes: Vec<u8>, stamp: Stamp) -> anyhow::Result<Self> {
        let document = parse_cib(bytes, "standard input")?;
        Ok(Self { keep: Keep::Nowhere, document, stamp, acl: None })
    }

    /// The same for the user that `CIB_user` names: with what the CIB's access control list allows.
    pub(super) fn with_access(mut self, session: &Session<'_>) -> Self {
        if let Some(user) = session.var("CIB_user") {
            self.acl = Acl::in_force(&self.document, &user, &systole_link::groups_of(&user));
        }
        self
    }

    /// The CIB, as far as the user may see it.
    pub(super) fn readable(&self) -> anyhow::Result<Document> {
        let Some(acl) = &self.acl else { return Ok(self.document.clone()) };
        let denied = || Failed::new(Exit::InsufficientPrivilege, "Permission denied").into();
        acl.readable(&self.document).ok_or_else(denied)
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match &self.keep {
            Keep::File(path) => Some(path),
            Keep::Nowhere | Keep::Rehearsal(_) => None,
        }
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

/// Reads a CIB: an empty cluster's state must not be told of a file that is something else, nor any of one that a cluster
/// would not take.
fn parse_cib(bytes: Vec<u8>, name: &str) -> anyhow::Result<Document> {
    let document = parse(bytes, name).map_err(|error| Failed::new(Exit::Config, error.to_string()))?;
    let root = document.root();
    if !root.is("cib") {
        let message = format!("{name} is not a CIB: its outermost element is <{}>, not <cib>", root.name());
        return Err(Failed::new(Exit::Config, message).into());
    }
    let schema = root.attr("validate-with");
    if schema.is_none_or(|schema| schema != "none" && Schema::named(schema).is_none()) {
        let message = format!("{name} does not say by validate-with in which schema it is written");
        return Err(Failed::new(Exit::Config, message).into());
    }
    match validate::configuration(&document).first() {
        None => Ok(document),
        Some(fault) => {
            let (element, fault) = (&fault.element, &fault.message);
            let message =
                format!("{name} does not conform to its schema: {element}: {fault} (crm_verify tells more)");
            Err(Failed::new(Exit::Config, message).into())
        }
    }
}

impl CibFile {
    /// Changes the CIB, and writes the file.
    pub(super) fn apply(&mut self, change: &CibCall) -> anyhow::Result<Applied> {
        let mut document = self.document.clone();
        let applied = ops::apply_as(&mut document, change, &self.stamp, self.acl.as_ref())
            .map_err(|error| Failed::new(exit_of_failure(error.failure), error.message))?;
        if applied.changed != ops::Changed::Nothing {
            // Who changed a cluster's configuration is not who edits a file of it.
            let (old, root) = (self.document.root(), document.root_key());
            for name in ["cib-last-written", "update-origin", "update-client", "update-user"] {
                match old.attr(name) {
                    Some(value) => document.set_attr(root, name, value),
                    None => document.remove_attr(root, name),
                };
            }
            self.store(&document)?;
            self.document = document;
        }
        Ok(Applied { version: applied.version.to_string(), output: applied.output })
    }

    /// Sets or removes a transient attribute in the status section.
    pub(super) fn set_transient(
        &mut self,
        node: &str,
        name: &str,
        value: Option<&str>,
    ) -> anyhow::Result<()> {
        let (uuid, _, _) = crate::tools::crm_attribute::node_id(&self.document, node)?;
        let set = format!("status-{uuid}");
        let id = edit::clean_id(&format!("{set}-{name}"));
        let Some(value) = value else {
            let xml = Tree::new("nvpair").attr("id", id).attr("name", name).to_xml();
            return self.change(CibAction::Delete, xml);
        };
        let pair = Tree::new("nvpair").attr("id", id).attr("name", name).attr("value", value);
        let state = Tree::new("node_state").attr("id", uuid.as_str()).attr("uname", node).child(
            Tree::new("transient_attributes")
                .attr("id", uuid.as_str())
                .child(Tree::new("instance_attributes").attr("id", set).child(pair)),
        );
        self.change(CibAction::Modify, state.to_xml())
    }

    /// Removes history, and the fail counts that belong to it.
    pub(super) fn cleanup(
        &mut self,
        resource: Option<&str>,
        node: Option<&str>,
        only_failed: bool,
    ) -> anyhow::Result<()> {
        let mut doomed = Vec::new();
        let states = self.document.root().child("status").into_iter().flat_map(|status| status.children());
        for state in states.filter(|state| state.is("node_state")) {
            if node.is_none_or(|node| state.attr("uname") == Some(node)) {
                doomed.extend(history_to_forget(state, resource, only_failed));
            }
        }
        for (name, id, parent) in doomed {
            let scope = Scope::XPath(format!("//node_state[@id={parent}]//{name}[@id={id}]"));
            let call =
                CibCall { action: CibAction::DeleteAll, scope, xml: None, options: CibOptions::default() };
            self.apply(&call)?;
        }
        Ok(())
    }

    fn change(&mut self, action: CibAction, xml: String) -> anyhow::Result<()> {
        let options = CibOptions { allow_create: true, ..CibOptions::default() };
        let scope = Scope::Section("status".to_owned());
        self.apply(&CibCall { action, scope, xml: Some(xml), options })?;
        Ok(())
    }

    fn store(&self, document: &Document) -> anyhow::Result<()> {
        match &self.keep {
            Keep::File(path) => rewrite(path, document.to_text().as_bytes())
                .with_context(|| format!("cannot write {}", path.display())),
            Keep::Nowhere => Ok(()),
            Keep::Rehearsal(rehearsal) => {
                rehearsal.replace(document.clone());
                Ok(())
            }
        }
    }
}

/// Elements of a node's state that go when a resource is cleaned up there: name, id and the state's id, as XPath texts.
fn history_to_forget(
    state: Element<'_>,
    resource: Option<&str>,
    only_failed: bool,
) -> Vec<(&'static str, String, String)> {
    let parent = edit::xpath_text(state.id().unwrap_or(""));
    let mut doomed = Vec::new();
    for element in state.descendants() {
        let Some(id) = element.id() else { continue };
        let doom = |name| (name, edit::xpath_text(id), parent.clone());
        match element.name() {
            "lrm_resource"
                if resource.is_none_or(|wanted| without_number(id) == without_number(wanted))
                    && (!only_failed || has_failed(element, state)) =>
            {
                doomed.push(doom("lrm_resource"));
            }
            "nvpair" if is_fail_count_of(element.attr("name").unwrap_or(""), resource) => {
                doomed.push(doom("nvpair"))
            }
            _ => {}
        }
    }
    doomed
}

/// Whether a history tells of a failure, or a fail count does.
fn has_failed(history: Element<'_>, state: Element<'_>) -> bool {
    let id = history.id().unwrap_or("");
    let failed_operation = history
        .children()
        .any(|operation| operation.id().is_some_and(|operation| operation == format!("{id}_last_failure_0")));
    failed_operation
        || state.descendants().any(|element| {
            element.is("nvpair") && is_fail_count_of(element.attr("name").unwrap_or(""), Some(id))
        })
}

/// Whether `name` is a fail count or time of failure of the resource (of any, if `None`).
fn is_fail_count_of(name: &str, resource: Option<&str>) -> bool {
    let Some(rest) = name.strip_prefix("fail-count-").or_else(|| name.strip_prefix("last-failure-")) else {
        return false;
    };
    let of = rest.split_once('#').map_or(rest, |(of, _)| of);
    resource.is_none_or(|resource| without_number(of) == without_number(resource))
}

fn without_number(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => id,
    }
}

/// Writes a file's new content into the file itself: who opened it before (`pcs -f` does) reads the new content from what it opened, as after
/// Pacemaker's tools. The content is first written beside it where that is allowed, and takes its place if writing fails on the way: the old
/// or the new one is there in the end, and after a crash the new one is beside it.
fn rewrite(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if !fs::metadata(&target).is_ok_and(|meta| meta.is_file()) {
        return write_atomically(&target, content);
    }
    let mut file = fs::OpenOptions::new().write(true).open(&target)?;
    let beside = match write_beside(&target, content) {
        Ok(beside) => Some(beside),
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) => {
            None
        }
        Err(error) => return Err(error.into()),
    };
    let length = content.len() as u64;
    let written = file.write_all(content).and_then(|()| file.set_len(length)).and_then(|()| file.sync_all());
    match (written, beside) {
        (Ok(()), Some(beside)) => Ok(fs::remove_file(&beside)?),
        (Err(_), Some(beside)) => Ok(fs::rename(&beside, &target)?),
        (written, None) => Ok(written?),
    }
}

/// Writes what is to take a file's place into a file beside it, with the same permissions, which it returns.
fn write_beside(target: &Path, content: &[u8]) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(ErrorKind::InvalidFilename)?.to_string_lossy().into_owned();
    let beside = target.with_file_name(format!(".{name}.{}", std::process::id()));
    // Left over by a process that had this number before, or planted: a link there is not followed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = fs::File::create_new(&beside)?;
    let written = (|| {
        if let Ok(meta) = fs::metadata(target) {
            file.set_permissions(meta.permissions())?;
        }
        file.write_all(content)?;
        file.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| beside)
}

/// Whether [`write_atomically`] would be let; nothing is changed.
///
/// # Errors
/// What it would fail with, if not for want of space.
pub fn check_writable(path: &Path) -> anyhow::Result<()> {
    let beside = write_beside(&replaceable(path)?, b"")?;
    Ok(fs::remove_file(&beside)?)
}

/// Replaces a file's content in one step. The file keeps its permissions; a link stays a link.
///
/// # Errors
/// If the directory cannot be written to, or the disk is full. The file is as it was then.
pub fn write_atomically(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let target = replaceable(path)?;
    let beside = write_beside(&target, content)?;
    let renamed = fs::rename(&beside, &target);
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    Ok(renamed?)
}

/// Where a file that may be replaced really is.
fn replaceable(path: &Path) -> anyhow::Result<PathBuf> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if let Ok(meta) = fs::metadata(&target)
        && !meta.is_file()
    {
        return Err(Failed::new(Exit::CannotCreate, "this is not a regular file").into());
    }
    // Putting another file in its place needs no right to write to it: who made it read-only meant it.
    if target.exists() {
        fs::OpenOptions::new().write(true).open(&target)?;
    }
    Ok(target)
}
