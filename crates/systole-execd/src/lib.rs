//! The executor: runs agents for `systoled`, as root, and goes on while `systoled` is away.
//!
//! What runs when is decided by [`systole_cluster::executor::ExecutorMachine`]; here are its hands: a socket, processes,
//! a file under `/run` and a clock.

#![forbid(unsafe_code)]

mod agentless;
mod containers;
mod daemon;
mod description;
mod executor;
mod keeper;
mod leftover;
mod process;
pub mod remote;
mod runner;
mod service;
mod watch;

pub use agentless::{ENTER, enter_container};
pub use daemon::{Config, run};
pub use keeper::keep;
pub use remote::{RemoteConfig, run_remote};
