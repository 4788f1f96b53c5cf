//! `systole lab`: a whole cluster on one Linux host.
//!
//! Each node is a set of namespaces with a file system, network address and Podman storage of its own. A supervisor
//! stands for the machine room: it gives nodes power, lays their cables and runs the cluster layer. Everything a lab
//! starts is in its control groups, so that `down` finds all of it, whatever happened before.

mod cgroup;
mod cluster;
mod command;
mod control;
mod daemons;
mod devlog;
mod image;
mod init;
mod layout;
mod network;
mod node;
mod plan;
mod progress;
mod requirements;
mod rootfs;
mod settle;
mod stack;
mod supervisor;
mod up;
mod verbs;

pub use image::missing_packages as missing_image_packages;
pub use image::{RECIPES, Recipe, with_stock_daemons};
pub use requirements::missing_packages;
pub use stack::Stack;

use clap::Parser;
use std::ffi::OsString;

/// The arguments make no sense.
const EXIT_USAGE: u8 = 64;

/// Runs `systole lab ARGS` and returns its exit code; `args` is what follows `lab`.
///
/// What went wrong has been written to standard error.
pub fn main(args: &[OsString]) -> u8 {
    let command_line = std::iter::once(OsString::from("systole lab")).chain(args.iter().cloned());
    let parsed = match verbs::Args::try_parse_from(command_line) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE } else { 0 };
        }
    };
    match verbs::run(parsed) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("systole lab: {error:#}");
            1
        }
    }
}
