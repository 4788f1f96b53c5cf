//! The cluster node's daemon: the hands of [`systole_cluster::NodeMachine`].
//!
//! One loop with sockets to the cluster layer, the executor and the tools; one thread that writes the CIB to disk, and one
//! that keeps scheduler inputs.

#![forbid(unsafe_code)]

mod clients;
mod daemon;
mod executor;
mod inputs;
mod layout;
mod peer;
mod privileges;
mod proxies;
mod remotes;
mod signature;
mod store;
mod writer;

pub use daemon::{Config, run};
pub use layout::Layout;
pub use store::{CibStore, Found, StoreError};
