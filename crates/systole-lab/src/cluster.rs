//! Talking to the cluster in a lab as tools do, through a node's `api.sock`.

use crate::control::LabStatus;
use anyhow::{Context, Result, bail};
use std::{path::PathBuf, time::Duration};
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_link::{Connection, Limits};
use systole_wire::api::{Call, NodeReport, Refusal, Reply, Request, Response, SOCKET};

/// Bounds of a connection: a whole CIB travels as one line.
const LIMITS: Limits = Limits { line: 256 << 20, unsent: 256 << 20 };

/// How long an answer that needs no waiting may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request that was refused.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Refused(pub Refusal);

/// A node's API socket.
pub struct NodeApi {
    connection: Connection,
}

impl NodeApi {
    /// Connects to the API of one node.
    ///
    /// # Errors
    /// If the node has no power or its daemon does not run.
    pub fn connect(lab: &LabStatus, node: &str) -> Result<Self> {
        let socket = lab.node(node)?.path(SOCKET)?;
        Self::at(socket).with_context(|| format!("systoled on {node} does not answer"))
    }

    fn at(socket: PathBuf) -> Result<Self> {
        Ok(NodeApi { connection: Connection::connect(&socket, LIMITS)? })
    }

    /// What the node knows of itself and the cluster.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn report(&mut self) -> Result<NodeReport> {
        match self.call(Call::Node, PATIENCE)? {
            Reply::Node(report) => Ok(report),
            other => bail!("a wrong answer: {other:?}"),
        }
    }

    /// The CIB as the node has it.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn cib(&mut self) -> Result<String> {
        match self.call(Call::Cib, PATIENCE)? {
            Reply::Cib { xml } => Ok(xml),
            other => bail!("a wrong answer: {other:?}"),
        }
    }

    /// Puts the `<configuration>` in `xml` in the place of the one there is. The status is the cluster's own to write.
    ///
    /// # Errors
    /// If the cluster does not take it.
    pub fn replace_configuration(&mut self, xml: String) -> Result<()> {
        let change = CibCall {
            action: CibAction::Replace,
            scope: Scope::Section("configuration".into()),
            xml: Some(xml),
            options: CibOptions::default(),
        };
        self.call(Call::Apply { change, force: false }, PATIENCE).map(drop)
    }

    fn call(&mut self, call: Call, patience: Duration) -> Result<Reply> {
        let request = Request { id: 1, client: "systole lab".into(), user: None, call };
        let response: Response = self.connection.ask(&request, patience)?;
        match response.reply {
            Reply::Refused(refusal) => Err(Refused(refusal).into()),
            reply => Ok(reply),
        }
    }
}
