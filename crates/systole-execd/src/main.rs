//! `systole-execd`.

use clap::Parser;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::IpAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};
use systole_execd::{Config, RemoteConfig, remote::Role};

/// Runs resource agents for systoled, and goes on running them while systoled is away.
///
/// Started once per host, as root. May be killed and started again at any time: no resource stops, and recurring
/// monitors go on.
///
/// With --remote, or called pacemaker-remoted, it is a remote daemon instead: on a host without systoled, or as the first
/// process of a container, it runs resource agents for a cluster elsewhere, ours or Pacemaker's.
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
    /// Serve a cluster elsewhere, which connects over the network.
    #[arg(long)]
    remote: bool,
    /// The address the cluster connects to [default: all of this host's]
    #[arg(long, env = "PCMK_remote_address", value_name = "ADDRESS")]
    remote_address: Option<IpAddr>,
    /// The port the cluster connects to.
    #[arg(long, short = 'p', env = "PCMK_remote_port", default_value_t = systole_wire::remote::PORT)]
    remote_port: u16,
    /// The state this node is to have when it joins the cluster, as standby.
    #[arg(long, env = "PCMK_node_start_state", value_name = "STATE")]
    start_state: Option<String>,
    /// The socket tools on this host connect to, with --remote.
    #[arg(long, default_value = systole_wire::api::SOCKET, env = "SYSTOLE_SOCKET")]
    api: PathBuf,
    /// The settings of this container are known already, and another process is its first.
    #[arg(long, hide = true)]
    child: bool,
    /// Also log what is of interest to developers only.
    #[arg(short, long)]
    verbose: bool,
}

/// The argument that makes this program an agent's keeper.
const KEEPER: &str = "--keep-agent";

/// The argument of a remote daemon whose first process has seen to the rest.
const CHILD: &str = "--child";

/// Settings of a container.
const ENVIRONMENT: &str = "/etc/pacemaker/pcmk-init.env";

/// This program, whatever its path leads to by now.
const SELF: &str = "/proc/self/exe";

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
    let entered = std::env::args_os().nth(1).filter(|argument| argument == systole_execd::ENTER);
    let result = match entered {
        Some(_) => {
            let arguments: Vec<OsString> = std::env::args_os().skip(2).collect();
            systole_execd::enter_container(&arguments).map(|()| ExitCode::SUCCESS)
        }
        None => begin(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            systole_link::log_line("execd", "error", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn begin() -> anyhow::Result<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let is_named_so = arguments.first().is_some_and(|name| {
        let name = Path::new(name).file_name();
        name.is_some_and(|name| name == "pacemaker-remoted" || name == "pacemaker_remoted")
    });
    let is_remote = is_named_so || arguments.iter().any(|argument| argument == "--remote");
    let is_child = arguments.iter().any(|argument| argument == CHILD);
    if is_remote && !is_child {
        let setting = std::env::var("PCMK_remote_pid1").ok();
        let role = systole_execd::remote::role(std::process::id(), setting.as_deref());
        if role != Role::Plain {
            return begin_in_container(role, arguments);
        }
    }
    let arguments = Arguments::parse();
    let remote = (is_remote || arguments.remote).then(|| arguments.remote_config(is_child));
    let config = arguments.config();
    match remote {
        Some(remote) => systole_execd::run_remote(&config, &remote)?,
        None => systole_execd::run(&config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts the daemon with the container's settings: as a child of the first process, or in this one's place.
fn begin_in_container(role: Role, arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let (variables, complaints): (BTreeMap<String, String>, _) =
        systole_execd::remote::load_environment(Path::new(ENVIRONMENT));
    for complaint in complaints {
        systole_link::log_line("execd", "warning", &format!("{ENVIRONMENT}: {complaint}"));
    }
    let mut command: Vec<OsString> = vec![SELF.into(), CHILD.into(), "--remote".into()];
    command.extend(arguments.into_iter().skip(1).filter(|argument| argument != "--remote"));
    if role == Role::Init {
        return systole_execd::remote::supervise(&command, &variables);
    }
    let missing = variables.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    Err(Command::new(SELF).args(&command[1..]).envs(missing).exec().into())
}

impl Arguments {
    fn remote_config(&self, is_container: bool) -> RemoteConfig {
        let (names, complaint) = systole_execd::remote::socket_names(is_container);
        if let Some(complaint) = complaint {
            systole_link::log_line("execd", "warning", &complaint);
        }
        RemoteConfig {
            address: self.remote_address,
            port: self.remote_port,
            key: systole_remote::key_path(),
            api_socket: self.api.clone(),
            names,
            start_state: self.start_state.clone(),
        }
    }

    fn config(self) -> Config {
        Config {
            socket: self.socket,
            state_file: self.state_file,
            boot_id_file: self.boot_id_file,
            run_dir: self.run_dir,
            ocf_root: self.ocf_root,
            // Not the path: that may hold another version by then.
            keeper: vec![SELF.into(), KEEPER.into()],
            user: self.user,
            verbose: self.verbose,
        }
    }
}
