//! Every long-lived decision maker of a cluster node, as machines without I/O.
//!
//! A machine is told what happened ([`Event`]) and answers with what has to be done ([`Effect`]); it never reads a clock,
//! a file, a socket or a random number. Two programs drive them: `systoled` the [`NodeMachine`], `systole-execd` the
//! [`executor::ExecutorMachine`]; a [`remote::RemoteSession`] stands between the node machine and the executor of a remote node. The simulator of `systole-testbed` drives the very same ones.
//!
//! How to drive a machine: perform the effects of each `handle` in the order given, and call `handle` with
//! `DeadlineReached` when the clock has reached `next_deadline()` (being late is harmless, being early is ignored).

#![forbid(unsafe_code)]

pub mod engine;
mod event;
pub mod executor;
mod message;
mod node;
mod planner;
mod released;
pub mod remote;
mod replica;
mod start_state;

pub use event::{
    ClientId, Effect, Endpoint, Event, Level, RemoteCommand, RemoteEvent, SessionId, Snapshot, Token,
};
pub use node::{NodeConfig, NodeMachine};
pub use planner::{InputKind, Plan, Planner};
pub use released::Released;
pub use start_state::{NotAStartState, StartState};
