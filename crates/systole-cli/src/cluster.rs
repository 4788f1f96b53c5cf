//! Access to a cluster: the running one, by the daemon's socket, or a CIB in a file.
//!
//! Every tool works with both. `CIB_file` names a file (`-` is standard input), `CIB_shadow` a shadow copy.

mod daemon;
mod file;

use crate::{Exit, Failed, Session, edit};
use anyhow::Context as _;
use daemon::Daemon;
use file::CibFile;
pub use file::{check_writable, parse, write_atomically};
use std::{path::PathBuf, time::Duration};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope, Stamp},
    xml::Document,
};
use systole_wire::api::{AttributeUpdate, FailedOperation, NodeReport};

/// A cluster, or what stands in for one.
pub enum Cluster {
    /// A CIB in a file; nobody runs anything.
    File(Box<CibFile>),
    /// The cluster this node is part of.
    Daemon(Daemon),
}

/// What a change (or query) of the CIB gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// The CIB's version now.
    pub version: String,
    /// What was asked for, as XML.
    pub output: Option<String>,
}

impl Cluster {
    /// The cluster that the environment points at.
    ///
    /// # Errors
    /// If there is no such file, or no daemon answers.
    pub fn open(session: &mut Session<'_>) -> anyhow::Result<Self> {
        if let Some(rehearsal) = &session.rehearsal {
            return Ok(Self::File(Box::new(CibFile::rehearsing(rehearsal.clone(), stamp(session)))));
        }
        if let Some(file) = session.var("CIB_file") {
            if file == "-" {
                let text = session.read_input().context("cannot read the CIB from standard input")?;
                let file = CibFile::from_input(text, stamp(session))?;
                return Ok(Self::File(Box::new(file.with_access(session))));
            }
            let file = CibFile::open(PathBuf::from(file), stamp(session))?;
            return Ok(Self::File(Box::new(file.with_access(session))));
        }
        if let Some(shadow) = session.var("CIB_shadow") {
            let file = CibFile::open(shadow_path(session, &shadow), stamp(session))?;
            return Ok(Self::File(Box::new(file.with_access(session))));
        }
        let socket = session.var("SYSTOLE_SOCKET").unwrap_or_else(|| systole_wire::api::SOCKET.to_owned());
        // Who asks, the daemon knows by itself; a privileged user may ask as somebody else.
        let user = session.var("CIB_user");
        let limit = session.answer_limit;
        Ok(Self::Daemon(Daemon::connect(&PathBuf::from(socket), &session.tool, user, limit)?))
    }

    /// Whether this is a running cluster.
    pub const fn is_live(&self) -> bool {
        matches!(self, Self::Daemon(_))
    }

    /// The file, if this is one that can be written.
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::File(file) => file.path(),
            Self::Daemon(_) => None,
        }
    }

    /// The whole CIB.
    ///
    /// # Errors
    /// If the daemon does not answer, or what it sends is no XML.
    pub fn cib(&mut self) -> anyhow::Result<Document> {
        match self {
            Self::File(file) => file.readable(),
            Self::Daemon(daemon) => daemon.cib(),
        }
    }

    /// The whole CIB as text, as it stands.
    ///
    /// # Errors
    /// If the daemon does not answer.
    pub fn cib_text(&mut self) -> anyhow::Result<String> {
        Ok(self.cib()?.to_text())
    }

    /// Changes (or queries) the CIB.
    ///
    /// # Errors
    /// If the change cannot be made; nothing was changed then.
    pub fn apply(&mut self, change: CibCall, force: bool) -> anyhow::Result<Applied> {
        match self {
            Self::File(file) => file.apply(&change),
            Self::Daemon(daemon) => daemon.apply(change, force),
        }
    }

    /// Merges `xml` into `section`, creating what is missing.
    ///
    /// # Errors
    /// If the change cannot be made.
    pub fn merge(&mut self, section: &str, xml: String) -> anyhow::Result<Applied> {
        self.apply(
            CibCall {
                action: CibAction::Modify,
                scope: Scope::Section(section.to_owned()),
                xml: Some(xml),
                options: CibOptions { allow_create: true, ..CibOptions::default() },
            },
            false,
        )
    }

    /// Removes what `xpath` finds.
    ///
    /// # Errors
    /// If the change cannot be made.
    pub fn delete_xpath(&mut self, xpath: &str) -> anyhow::Result<Applied> {
        let scope = Scope::XPath(xpath.to_owned());
        self.apply(
            CibCall { action: CibAction::DeleteAll, scope, xml: None, options: CibOptions::default() },
            false,
        )
    }

    /// What the daemon knows of itself and the cluster.
    ///
    /// # Errors
    /// For a file, or if the daemon does not answer.
    pub fn node(&mut self) -> anyhow::Result<NodeReport> {
        match self {
            Self::File(_) => Err(not_live("this needs a running cluster")),
            Self::Daemon(daemon) => daemon.node(),
        }
    }

    /// The name of the node this runs on: what an agent's environment says, then what the daemon says.
    ///
    /// # Errors
    /// If nobody knows.
    pub fn local_node(&mut self, session: &Session<'_>) -> anyhow::Result<String> {
        for name in ["OCF_RESKEY_CRM_meta_on_node", "CRM_meta_on_node"] {
            if let Some(node) = session.var(name) {
                return Ok(node);
            }
        }
        match self {
            Self::File(_) => session
                .var("SYSTOLE_NODE")
                .or_else(|| Some(rustix::system::uname().nodename().to_string_lossy().into_owned()))
                .ok_or_else(|| not_live("cannot tell which node this is: name one with --node")),
            Self::Daemon(daemon) => Ok(daemon.node()?.node),
        }
    }

    /// Sets or (with `None`) removes a transient attribute.
    ///
    /// # Errors
    /// If there is no such node, or the daemon does not answer.
    pub fn set_transient(&mut self, node: &str, name: &str, value: Option<&str>) -> anyhow::Result<()> {
        self.update_attribute(AttributeUpdate {
            node: node.to_owned(),
            name: name.to_owned(),
            value: value.map(str::to_owned),
            ..AttributeUpdate::default()
        })
    }

    /// Changes a transient attribute. In a file nothing is held back, and nothing can be private.
    ///
    /// # Errors
    /// If there is no such node, or the daemon does not answer.
    pub fn update_attribute(&mut self, update: AttributeUpdate) -> anyhow::Result<()> {
        match self {
            Self::File(_) if update.private => {
                let message = "--private: what is kept out of the CIB needs a running cluster";
                Err(Failed::new(Exit::Unimplemented, message).into())
            }
            Self::File(_) if update.pattern => {
                let message = "--pattern: what is known of attributes is told by a running cluster";
                Err(Failed::new(Exit::Unimplemented, message).into())
            }
            Self::File(_) if update.keep_value => Ok(()),
            Self::File(file) => file.set_transient(&update.node, &update.name, update.value.as_deref()),
            Self::Daemon(daemon) => daemon.update_attribute(update),
        }
    }

    /// Values of the transient attribute `name`, by node: as they were set last, in the CIB or not.
    ///
    /// # Errors
    /// If the daemon does not answer.
    pub fn transient_values(&mut self, name: &str) -> anyhow::Result<Vec<(String, String)>> {
        match self {
            Self::File(file) => Ok(edit::transient_values(&file.readable()?, name)),
            Self::Daemon(daemon) => daemon.transient_values(name),
        }
    }

    /// Writes transient attributes that are held back to the CIB.
    ///
    /// # Errors
    /// If the daemon does not answer.
    pub fn write_attributes(&mut self) -> anyhow::Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Daemon(daemon) => daemon.write_attributes(),
        }
    }

    /// Forgets that there ever was a node; false if this is a file, where that is a matter of its elements.
    ///
    /// # Errors
    /// If there is no such node, or it is a member.
    pub fn forget_node(&mut self, node: &str) -> anyhow::Result<bool> {
        match self {
            Self::File(_) => Ok(false),
            Self::Daemon(daemon) => daemon.forget_node(node).map(|()| true),
        }
    }

    /// Forgets failures (or all history); with `operation`, failures of that one only.
    ///
    /// # Errors
    /// If there is no such resource or node, or it took too long.
    pub fn cleanup(
        &mut self,
        resource: Option<&str>,
        node: Option<&str>,
        only_failed: bool,
        operation: Option<FailedOperation>,
    ) -> anyhow::Result<()> {
        match self {
            Self::File(_) if operation.is_some() => {
                let message = "failures of one operation can be forgotten alone in a running cluster only";
                Err(Failed::new(Exit::Unimplemented, message).into())
            }
            Self::File(file) => file.cleanup(resource, node, only_failed),
            Self::Daemon(daemon) => daemon.cleanup(resource, node, only_failed, operation),
        }
    }

    /// Takes a resource, by the name its history has, to have failed on a node.
    ///
    /// # Errors
    /// If nothing is known of it there, or no cluster runs.
    pub fn fail(&mut self, resource: &str, node: &str) -> anyhow::Result<()> {
        match self {
            Self::File(_) => Err(not_live("only what runs can fail: this needs a running cluster")),
            Self::Daemon(daemon) => daemon.fail(resource, node),
        }
    }

    /// Vouches that a lost node is off and can touch nothing.
    ///
    /// # Errors
    /// If there is no such node, or no cluster.
    pub fn confirm_off(&mut self, node: &str) -> anyhow::Result<()> {
        match self {
            Self::File(_) => {
                let message = "that a node is off can be confirmed to a running cluster only";
                Err(Failed::new(Exit::Disconnected, message).into())
            }
            Self::Daemon(daemon) => daemon.confirm_off(node),
        }
    }

    /// Waits until the cluster has nothing left to do.
    ///
    /// # Errors
    /// If that takes longer than `limit`.
    pub fn wait_idle(&mut self, limit: Duration) -> anyhow::Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Daemon(daemon) => daemon.wait_idle(limit),
        }
    }

    /// Asks to be told of changes; see [`Cluster::next_change`].
    ///
    /// # Errors
    /// For a file, or if the daemon does not answer.
    pub fn subscribe(&mut self) -> anyhow::Result<()> {
        match self {
            Self::File(_) => Err(not_live("a file does not change by itself: watch a running cluster")),
            Self::Daemon(daemon) => daemon.subscribe(),
        }
    }

    /// Waits for the next change, at most `limit`. Whether there was one.
    ///
    /// # Errors
    /// If the connection is lost.
    pub fn next_change(&mut self, limit: Duration) -> anyhow::Result<bool> {
        match self {
            Self::File(_) => Ok(false),
            Self::Daemon(daemon) => daemon.next_change(limit),
        }
    }
}

/// Who changes a file, and when: for its first line.
fn stamp(session: &Session<'_>) -> Stamp {
    Stamp {
        now_text: systole_output::words::date_text(session.now, session.utc_offset),
        origin: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        client: session.tool.clone(),
        user: session.var("CIB_user").or_else(|| session.var("USER")).unwrap_or_else(|| "root".to_owned()),
    }
}

/// Where a shadow copy is kept.
pub fn shadow_path(session: &Session<'_>, name: &str) -> PathBuf {
    let dir = session.var("CIB_shadow_dir").unwrap_or_else(|| "/var/lib/pacemaker/cib".to_owned());
    PathBuf::from(dir).join(format!("shadow.{name}"))
}

/// Something only a running cluster can do.
fn not_live(message: &str) -> anyhow::Error {
    Failed::new(Exit::Disconnected, message).into()
}
