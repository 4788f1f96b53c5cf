//! `systoled`.

use clap::Parser;
use std::{path::PathBuf, process::ExitCode};
use systole_cib::model::Cib;
use systole_cluster::{InputKind, NotAStartState, Plan, StartState};
use systole_scheduler::note::Level;
use systole_types::{LocalTime, Timestamp};
use systole_wire::{PROTOCOL, ProtocolVersion};
use systoled::{Config, Layout};

/// A DC plans again after every change, and each plan is many small pieces of memory: they are kept from one to the next,
/// where the C library's allocator would give them back and ask for them anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The cluster resource manager of one node.
///
/// Joins the cluster through the local hub, keeps the configuration (CIB), decides with the other nodes what should run
/// where, and has systole-execd carry it out. Tools reach it at its API socket.
///
/// Started as root it gives up its privileges and becomes hacluster:haclient, if there is such a user.
///
/// SIGTERM: the node leaves in good order; its resources move to other nodes first. A second SIGTERM, or SIGKILL: the
/// daemon is gone at once, and its resources stay as they are; started again, it takes them up where it left off.
#[derive(Parser)]
#[command(name = "systoled", version)]
struct Arguments {
    /// This node's name [default: the host's name]
    #[arg(long)]
    node: Option<String>,
    /// What serves the hub's socket: `hub` for the local hub, `corosync` for systole-corosync. For the CIB to tell
    #[arg(long, default_value = "hub", value_name = "NAME")]
    stack: String,
    /// Keep everything below this directory: state, sockets, the lot. For trials without root.
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// The local hub's socket [default: /run/systole/hub.sock]
    #[arg(long, env = "SYSTOLE_HUB", value_name = "PATH")]
    hub: Option<PathBuf>,
    /// The executor's socket [default: /run/systole/exec.sock]
    #[arg(long, env = "SYSTOLE_EXEC_SOCKET", value_name = "PATH")]
    executor: Option<PathBuf>,
    /// The socket tools connect to [default: /run/systole/api.sock]
    #[arg(long, env = "SYSTOLE_SOCKET", value_name = "PATH")]
    api: Option<PathBuf>,
    /// Begin in standby, or out of it, whatever the CIB says: `standby` or `online`
    #[arg(long, env = "PCMK_node_start_state", value_name = "STATE")]
    start_state: Option<String>,
    /// Where the CIB is kept [default: /var/lib/pacemaker/cib]
    #[arg(long, value_name = "DIR")]
    cib_dir: Option<PathBuf>,
    /// Where scheduler inputs are kept [default: /var/lib/pacemaker/pengine]
    #[arg(long, value_name = "DIR")]
    input_dir: Option<PathBuf>,
    /// The file with this boot's name, shared with the executor [default: /run/systole/boot-id]
    #[arg(long, value_name = "PATH")]
    boot_id_file: Option<PathBuf>,
    /// Say to the other members to speak this version of their protocol (`1.6`), as an older daemon would, or one of another
    /// major version. For trials of mixed clusters: the whole cluster keeps to it
    #[arg(long, env = "SYSTOLE_SPEAK", value_name = "VERSION", hide = true)]
    speak: Option<ProtocolVersion>,
    /// Also log what is of interest to developers only
    #[arg(short, long)]
    verbose: bool,
}

impl Arguments {
    fn config(self) -> Config {
        let mut layout = self.state_dir.as_deref().map_or_else(Layout::default, Layout::below);
        for (place, given) in [
            (&mut layout.hub_socket, self.hub),
            (&mut layout.exec_socket, self.executor),
            (&mut layout.api_socket, self.api),
            (&mut layout.cib_dir, self.cib_dir),
            (&mut layout.input_dir, self.input_dir),
            (&mut layout.boot_id_file, self.boot_id_file),
        ] {
            if let Some(path) = given {
                *place = path;
            }
        }
        let node =
            self.node.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned());
        let (stack, start_state, verbose) =
            (self.stack, start_state(self.start_state.as_deref()), self.verbose);
        let protocol = self.speak.unwrap_or(PROTOCOL);
        Config { node, stack, layout, start_state, protocol, planner: plan, verbose }
    }
}

/// A word that means nothing must not keep the node out of the cluster.
fn start_state(text: Option<&str>) -> StartState {
    let state = text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    state.map(Option::unwrap_or_default).unwrap_or_else(|error: NotAStartState| {
        systole_link::log_line("systoled", "warning", &format!("{error}: taken for default"));
        StartState::Default
    })
}

/// The scheduler, as the cluster's machines want it.
fn plan(cib: &Cib, now: Timestamp) -> Plan {
    let utc_offset = systole_link::utc_offset(std::env::var("TZ").ok().as_deref(), now);
    let transition = systole_scheduler::schedule(cib, LocalTime { at: now, utc_offset });
    let kind = match transition.notes.iter().map(|note| note.level).max() {
        None | Some(Level::Info) => InputKind::Input,
        Some(Level::Warning) => InputKind::Warning,
        Some(Level::ConfigError) => InputKind::Error,
    };
    Plan { graph: transition.graph, kind, recheck: transition.status.recheck.next() }
}

fn main() -> ExitCode {
    match systoled::run(&Arguments::parse().config()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            systole_link::log_line("systoled", "error", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
