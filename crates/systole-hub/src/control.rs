//! What the lab asks of a running hub.

use crate::LIMITS;
use std::{path::Path, time::Duration};
use systole_link::{Connection, LinkError};
use systole_wire::hub::{Control, FromHub, HubNode, ToHub};

/// How long a hub may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the hub did not do it.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens.
    #[error("no hub listens at {path}")]
    NoHub {
        /// Where it should.
        path: std::path::PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The conversation failed.
    #[error("the hub does not answer")]
    Link(#[from] LinkError),
    /// The hub said no.
    #[error("{0}")]
    Refused(String),
}

/// From now on `node` hears nobody and nobody hears it.
///
/// # Errors
/// If there is no such hub or node.
pub fn cut(hub: &Path, node: &str) -> Result<Vec<HubNode>, ControlError> {
    ask(hub, Control::Split { nodes: vec![node.to_owned()] })
}

/// `node` is back with everyone who was not cut off.
///
/// # Errors
/// If there is no such hub or node.
pub fn heal(hub: &Path, node: &str) -> Result<Vec<HubNode>, ControlError> {
    ask(hub, Control::Heal { nodes: vec![node.to_owned()] })
}

/// Every node the hub was set up for.
///
/// # Errors
/// If there is no such hub.
pub fn list(hub: &Path) -> Result<Vec<HubNode>, ControlError> {
    ask(hub, Control::List)
}

/// Asks for `control` and returns what the hub knows after it.
///
/// # Errors
/// If there is no such hub or node.
pub fn ask(hub: &Path, control: Control) -> Result<Vec<HubNode>, ControlError> {
    let mut connection = Connection::connect(hub, LIMITS)
        .map_err(|source| ControlError::NoHub { path: hub.to_owned(), source })?;
    match connection.ask(&ToHub::Control(control), PATIENCE)? {
        FromHub::Nodes { nodes } => Ok(nodes),
        FromHub::Refused { message } => Err(ControlError::Refused(message)),
        FromHub::View(_) | FromHub::Deliver { .. } | FromHub::Ping => {
            Err(ControlError::Refused("the hub said something else".into()))
        }
    }
}
