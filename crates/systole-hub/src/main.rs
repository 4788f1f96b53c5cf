//! `systole-hub`: the local hub as a program of its own.

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use systole_hub::{Hub, control};
use systole_link::Signals;

/// The cluster layer of one machine: nodes on it join over a Unix socket and get membership, quorum and agreed order.
#[derive(Parser)]
#[command(name = "systole-hub", version)]
struct Arguments {
    /// The socket nodes connect to.
    #[arg(long, default_value = "/run/systole/hub.sock", env = "SYSTOLE_HUB")]
    socket: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve these nodes until SIGTERM; quorum is a majority of them.
    Serve {
        /// Their names; they are numbered from 1 in this order.
        #[arg(required = true)]
        nodes: Vec<String>,
    },
    /// Cut a node off: it hears nobody, and nobody hears it.
    Cut {
        /// Its name.
        node: String,
    },
    /// Bring a node back.
    Heal {
        /// Its name.
        node: String,
    },
    /// Show every node.
    List,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let socket = &arguments.socket;
    let nodes = match arguments.command {
        Command::Serve { nodes } => {
            let stop = Signals::catch(&[15, 2]).context("cannot catch signals")?;
            return Ok(Hub::bind(socket, nodes)?.run(&stop)?);
        }
        Command::Cut { node } => control::cut(socket, &node)?,
        Command::Heal { node } => control::heal(socket, &node)?,
        Command::List => control::list(socket)?,
    };
    for node in nodes {
        let state = if node.joined { "joined" } else { "away" };
        println!("{} {} {state}, partition {}", node.id, node.name, node.partition);
    }
    Ok(())
}
