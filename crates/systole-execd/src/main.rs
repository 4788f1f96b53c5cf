//! `systole-execd`.

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};
use systole_execd::Config;

/// Runs resource agents for systoled, and goes on running them while systoled is away.
///
/// Started once per host, as root. May be killed and started again at any time: no resource stops, and recurring
/// monitors go on.
#[derive(Parser)]
#[command(name = "systole-execd", version)]
struct Arguments {
    /// The socket systoled connects to.
    #[arg(long, default_value = systole_wire::exec::SOCKET, env = "SYSTOLE_EXEC_SOCKET")]
    socket: PathBuf,
    /// Where to remember what runs; must not outlive the host's boot.
    #[arg(long, default_value = "/run/systole/execd.state")]
    state_file: PathBuf,
    /// Where results of agents are left; must not outlive the host's boot.
    #[arg(long, default_value = "/run/systole/execd.runs")]
    run_dir: PathBuf,
    /// Holds this boot's name; made if it is not there, must not outlive the host's boot.
    #[arg(long, default_value = "/run/systole/boot-id")]
    boot_id_file: PathBuf,
    /// The directory with resource.d in it.
    #[arg(long, default_value = "/usr/lib/ocf", env = "OCF_ROOT")]
    ocf_root: PathBuf,
    /// The user systoled runs as; it may connect beside root.
    #[arg(long, default_value = "hacluster")]
    user: String,
    /// Also log what is of interest to developers only.
    #[arg(short, long)]
    verbose: bool,
}

/// The argument that makes this program an agent's keeper.
const KEEPER: &str = "--keep-agent";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == KEEPER) {
        return match systole_execd::keep() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                systole_link::log_line("keeper", "error", &error.to_string());
                ExitCode::FAILURE
            }
        };
    }
    let arguments = Arguments::parse();
    let config = Config {
        socket: arguments.socket,
        state_file: arguments.state_file,
        boot_id_file: arguments.boot_id_file,
        run_dir: arguments.run_dir,
        ocf_root: arguments.ocf_root,
        // Not the path: that may hold another version by then.
        keeper: vec!["/proc/self/exe".into(), KEEPER.into()],
        user: arguments.user,
        verbose: arguments.verbose,
    };
    match systole_execd::run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            systole_link::log_line("execd", "error", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
