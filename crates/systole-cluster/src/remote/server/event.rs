//! What happens to a remote daemon, and what it has done.

use super::{StockRequest, ToolId, ToolService};
use crate::Level;
use systole_wire::{
    exec::{FromExecutor, ToExecutor},
    remote::{FromRemote, ToRemote},
};

/// One client's connection; a hand never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteClient(pub u64);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The program started; the first event.
    Started {
        /// Unlike that of any other daemon, or of this one before.
        identity: String,
        /// The node's state at start, if its administrator wants one.
        start_state: Option<String>,
    },
    /// A client has connected and proved that it knows the key.
    Connected(RemoteClient),
    /// It is gone.
    Gone(RemoteClient),
    /// It says something.
    Received {
        /// Which.
        client: RemoteClient,
        /// What.
        message: ToRemote,
    },
    /// The executor says something.
    Executor(FromExecutor),
    /// A tool on this host has connected.
    ToolConnected {
        /// Which.
        tool: ToolId,
        /// Its user.
        user: String,
        /// What it wants to talk to.
        service: ToolService,
    },
    /// It says something.
    ToolSays {
        /// Which.
        tool: ToolId,
        /// A line of [`systole_wire::api`], without its end.
        line: String,
    },
    /// A stock tool asks something.
    ToolAsks {
        /// Which.
        tool: ToolId,
        /// What.
        request: StockRequest,
    },
    /// It is gone.
    ToolGone(ToolId),
    /// The program was told to end.
    Terminate,
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// What has to be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell a client. Dropped if it is gone.
    Send {
        /// Which.
        client: RemoteClient,
        /// What.
        message: FromRemote,
    },
    /// End a client's connection; [`Event::Gone`] is not said for it.
    Drop(RemoteClient),
    /// Tell the executor.
    ToExecutor(ToExecutor),
    /// Tell a tool: a line of [`systole_wire::api`], without its end.
    ToTool {
        /// Which.
        tool: ToolId,
        /// What.
        line: String,
    },
    /// Tell a stock tool.
    ToStockTool {
        /// Which.
        tool: ToolId,
        /// The number of the request this answers; an event otherwise.
        answers: Option<i32>,
        /// An XML element.
        xml: String,
    },
    /// End a tool's connection; [`Event::ToolGone`] is not said for it.
    DropTool(ToolId),
    /// End the program.
    Exit,
    /// Write to the log.
    Log {
        /// How important.
        level: Level,
        /// A sentence.
        message: String,
    },
}
