//! The running cluster, by the daemon's socket.

use super::Applied;
use crate::{Exit, Failed};
use anyhow::Context as _;
use std::{
    io::{BufRead, BufReader, ErrorKind, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_cib::{ops::CibCall, xml::Document};
use systole_wire::{
    api::{AttributeUpdate, Call, FailedOperation, NodeReport, Reply, Request, Response},
    decode, encode,
};

/// How long the daemon may take for anything that does not wait for the cluster, unless another limit is given.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);
/// A limit that is longer counts as this, which clocks can be set to: ten years.
const LONGEST_LIMIT: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How long a cleanup may take: probes are run on the way.
const CLEANUP_LIMIT: Duration = Duration::from_secs(120);
/// What the daemon gets on top of a limit it keeps itself.
const GRACE: Duration = Duration::from_secs(5);

/// A connection to `systoled`.
pub struct Daemon {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
    client: String,
    user: Option<String>,
    limit: Duration,
    next_id: u64,
    /// A change was announced while waiting for an answer.
    changed: bool,
    /// What has been read of a line whose end is still to come.
    partial: Vec<u8>,
}

impl Daemon {
    /// Connects as `client`.
    pub fn connect(
        socket: &Path,
        client: &str,
        user: Option<String>,
        limit: Option<Duration>,
    ) -> anyhow::Result<Self> {
        let stream = UnixStream::connect(socket).map_err(|error| {
            let hint = match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => "systoled is not running here",
                ErrorKind::PermissionDenied => "this user may not talk to the cluster",
                _ => "the socket cannot be used",
            };
            let exit = if error.kind() == ErrorKind::PermissionDenied {
                Exit::InsufficientPrivilege
            } else {
                Exit::Disconnected
            };
            Failed::new(exit, format!("not connected: {hint} ({}: {error})", socket.display()))
        })?;
        Ok(Self {
            socket: socket.to_owned(),
            stream: BufReader::new(stream),
            client: client.to_owned(),
            user,
            limit: limit.unwrap_or(ANSWER_LIMIT).min(LONGEST_LIMIT),
            next_id: 1,
            changed: false,
            partial: Vec::new(),
        })
    }

    pub(super) fn cib(&mut self) -> anyhow::Result<Document> {
        match self.call(Call::Cib, self.limit)? {
            Reply::Cib { xml } => Document::parse(xml).context("the daemon sent a CIB that cannot be read"),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn apply(&mut self, change: CibCall, force: bool) -> anyhow::Result<Applied> {
        match self.call(Call::Apply { change, force }, self.limit)? {
            Reply::Applied { version, output } => Ok(Applied { version, output }),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn node(&mut self) -> anyhow::Result<NodeReport> {
        match self.call(Call::Node, self.limit)? {
            Reply::Node(report) => Ok(report),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn update_attribute(&mut self, update: AttributeUpdate) -> anyhow::Result<()> {
        self.done(Call::Attribute(update), self.limit)
    }

    pub(super) fn transient_values(&mut self, name: &str) -> anyhow::Result<Vec<(String, String)>> {
        let call = Call::Attributes { name: Some(name.to_owned()), node: None };
        match self.call(call, self.limit)? {
            Reply::Attributes(values) => Ok(values.into_iter().map(|it| (it.node, it.value)).collect()),
            other => Err(unexpected(&other)),
        }
    }

    pub(super) fn write_attributes(&mut self) -> anyhow::Result<()> {
        self.done(Call::WriteAttributes, self.limit)
    }

    pub(super) fn forget_node(&mut self, node: &str) -> anyhow::Result<()> {
        self.done(Call::ForgetNode { node: node.to_owned() }, self.limit)
    }

    pub(super) fn cleanup(
        &mut self,
        resource: Option<&str>,
        node: Option<&str>,
        only_failed: bool,
        operation: Option<FailedOperation>,
    ) -> anyhow::Result<()> {
        let call = Call::Cleanup {
            resource: resource.map(str::to_owned),
            node: node.map(str::to_owned),
            only_failed,
            operation,
        };
        self.done(call, CLEANUP_LIMIT)
    }

    pub(super) fn fail(&mut self, resource: &str, node: &str) -> anyhow::Result<()> {
        self.done(Call::Fail { resource: resource.to_owned(), node: node.to_owned() }, self.limit)
    }

    pub(super) fn confirm_off(&mut self, node: &str) -> anyhow::Result<()> {
        self.done(Call::ConfirmOff { node: node.to_owned() }, CLEANUP_LIMIT)
    }

    pub(super) fn wait_idle(&mut self, limit: Duration) -> anyhow::Result<()> {
        let timeout_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.done(Call::WaitIdle { timeout_ms }, limit.saturating_add(GRACE))
    }

    /// Asks the node to leave the cluster in good order.
    pub fn shutdown(&mut self) -> anyhow::Result<()> {
        self.done(Call::Shutdown, self.limit)
    }

    pub(super) fn subscribe(&mut self) -> anyhow::Result<()> {
        // Answered by the first change, whenever that comes.
        self.send(Call::Subscribe).map(|_| ())
    }

    pub(super) fn next_change(&mut self, limit: Duration) -> anyhow::Result<bool> {
        if std::mem::take(&mut self.changed) {
            return Ok(true);
        }
        let end = Instant::now() + limit;
        while let Some(response) = self.receive(end)? {
            if matches!(response.reply, Reply::Changed { .. }) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn done(&mut self, call: Call, limit: Duration) -> anyhow::Result<()> {
        match self.call(call, limit)? {
            Reply::Done | Reply::Applied { .. } | Reply::Changed { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks, and returns the question's number.
    fn send(&mut self, call: Call) -> anyhow::Result<u64> {
        let id = self.next_id;
        self.next_id += 1;
        let request = Request { id, client: self.client.clone(), user: self.user.clone(), call };
        let lost = || Failed::new(Exit::Disconnected, "the connection to systoled was lost");
        self.stream.get_mut().write_all(&encode(&request)).with_context(lost)?;
        Ok(id)
    }

    /// Asks, and waits for the answer; a refusal is an error.
    fn call(&mut self, call: Call, limit: Duration) -> anyhow::Result<Reply> {
        let id = self.send(call)?;
        let end = Instant::now() + limit;
        loop {
            let Some(response) = self.receive(end)? else {
                let message =
                    format!("systoled at {} did not answer within {limit:?}", self.socket.display());
                return Err(Failed::new(Exit::Timeout, message).into());
            };
            match response.reply {
                Reply::Refused(refusal) if response.id == id => return Err(Failed::from(refusal).into()),
                reply if response.id == id => return Ok(reply),
                Reply::Changed { .. } => self.changed = true,
                // An answer to a question given up before.
                _ => {}
            }
        }
    }

    /// The next message; `None` once `end` has passed.
    fn receive(&mut self, end: Instant) -> anyhow::Result<Option<Response>> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.get_ref().set_read_timeout(Some(left)).context("cannot wait for systoled")?;
            match self.stream.read_until(b'\n', &mut self.partial) {
                Ok(0) => {
                    return Err(Failed::new(Exit::Disconnected, "systoled closed the connection").into());
                }
                Ok(_) if self.partial.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.partial);
                    return Ok(Some(decode(&line).with_context(|| {
                        Failed::new(Exit::Protocol, "systoled speaks another protocol than this tool")
                    })?));
                }
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error).with_context(|| {
                        Failed::new(Exit::Disconnected, "the connection to systoled was lost")
                    });
                }
            }
        }
    }
}

fn unexpected(reply: &Reply) -> anyhow::Error {
    let kind = match reply {
        Reply::Cib { .. } => "a CIB",
        Reply::Applied { .. } => "the result of a change",
        Reply::Node(_) => "a node's report",
        Reply::Attributes(_) => "attributes",
        Reply::Done => "nothing but consent",
        Reply::Refused(_) => "a refusal",
        Reply::Changed { .. } => "news of a change",
    };
    Failed::new(Exit::Protocol, format!("systoled answered with {kind}, which was not the question")).into()
}
