//! The verbs of `systole lab`.

use crate::{
    cgroup,
    control::{self, Ask, LabStatus},
    daemons, image, init,
    layout::{DEFAULT_NAME, Layout},
    network::Subnet,
    node,
    progress::Progress,
    requirements, settle,
    stack::Stack,
    supervisor, up,
};
use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use std::{
    ffi::OsString, fs, os::unix::process::CommandExt, path::PathBuf, process::Command, time::Duration,
};

/// A whole cluster on this one host, with real containers and agents, to try things out.
#[derive(Parser)]
#[command(name = "systole lab")]
pub struct Args {
    /// The lab's name, if there is more than one on this host
    #[arg(long, global = true, default_value = DEFAULT_NAME)]
    name: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Bring a cluster up and load a CIB into it
    Up(UpArgs),
    /// End every node and leave nothing behind
    Down,
    /// Show the nodes and the cluster
    Status {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Run a command on a node
    Exec {
        /// Which node
        node: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Cut a node's power: everything on it dies at once
    Kill {
        /// Which node
        node: String,
    },
    /// Give a node power
    Boot {
        /// Which node
        node: String,
        /// Do not start the daemons
        #[arg(long)]
        no_daemons: bool,
    },
    /// Take a node off the network and the cluster layer; it goes on running
    Cut {
        /// Which node
        node: String,
    },
    /// Undo `cut`
    Heal {
        /// Which node
        node: String,
    },
    /// Wait until the cluster has nothing left to do
    Wait {
        /// Give up after this many seconds
        #[arg(long, default_value_t = 180)]
        timeout: u64,
    },
    /// Show what a node's daemons and console said
    Logs {
        /// Which node
        node: String,
    },
    /// Container images for the examples
    #[command(subcommand)]
    Image(ImageVerb),
    #[command(hide = true)]
    Supervise,
    #[command(hide = true)]
    Launch { node: String },
    #[command(hide = true)]
    Init,
}

/// How to bring a cluster up.
#[derive(clap::Args)]
pub struct UpArgs {
    /// The CIB; files in the directory of the same name (less .xml) are copied to every node
    pub file: PathBuf,
    /// Do not wait until everything runs
    #[arg(long)]
    pub no_wait: bool,
    /// Do not start the daemons (nor load the CIB)
    #[arg(long)]
    pub no_daemons: bool,
    /// The lab's network, a /24
    #[arg(long, default_value = "10.77.7.0/24")]
    pub subnet: Subnet,
    /// The cluster layer: the lab's own hub, or a real Corosync on every node
    #[arg(long, value_enum, default_value_t)]
    pub stack: Stack,
    /// Take images with Pacemaker's own remote daemon in the place of those with ours
    #[arg(long)]
    pub stock_images: bool,
    /// Give up waiting after this many seconds
    #[arg(long, default_value_t = 180)]
    pub timeout: u64,
}

#[derive(Subcommand)]
enum ImageVerb {
    /// Make images out of this host's programs and packages, unless they are there already
    Build {
        /// Which; all if none is named
        names: Vec<String>,
    },
    /// Show images, those that can be made too
    List {
        /// For programs
        #[arg(long)]
        json: bool,
    },
    /// Remove an image
    Rm {
        /// Which
        name: String,
    },
}

/// Runs a verb; the exit code where there is more to say than "done".
///
/// # Errors
/// If the verb fails.
pub fn run(args: Args) -> Result<u8> {
    let layout = Layout::new(&args.name)?;
    match args.verb {
        Verb::Up(args) => up::up(&layout, &args)?,
        Verb::Down => down(&layout)?,
        Verb::Status { json } => status(&layout, json)?,
        Verb::Exec { node, command } => exec(&layout, &node, &command)?,
        Verb::Kill { node } => tell(&layout, &Ask::Kill { node })?,
        Verb::Boot { node, no_daemons } => tell(&layout, &Ask::Boot { node, daemons: !no_daemons })?,
        Verb::Cut { node } => tell(&layout, &Ask::Cut { node })?,
        Verb::Heal { node } => tell(&layout, &Ask::Heal { node })?,
        Verb::Wait { timeout } => wait(&layout, timeout)?,
        Verb::Logs { node } => logs(&layout, &node)?,
        Verb::Image(verb) => images(verb)?,
        Verb::Supervise => supervisor::main(&layout)?,
        Verb::Launch { node } => node::launch(&layout, &node)?,
        Verb::Init => init::main()?,
    }
    Ok(0)
}

fn tell(layout: &Layout, ask: &Ask) -> Result<()> {
    requirements::root()?;
    control::ask(layout, ask).map(drop)
}

fn wait(layout: &Layout, timeout: u64) -> Result<()> {
    requirements::root()?;
    settle::wait(layout, settle::Known::Present, &Progress::new(), Duration::from_secs(timeout))
}

fn down(layout: &Layout) -> Result<()> {
    requirements::root()?;
    if control::is_running(layout) {
        control::end(layout)?;
    }
    // Also after the supervisor: it may have been one that could not finish.
    supervisor::clear(layout)
}

fn status(layout: &Layout, json: bool) -> Result<()> {
    requirements::root()?;
    let lab = control::status(layout)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&lab)?);
        return Ok(());
    }
    println!("lab {}: {} nodes, from {}", lab.name, lab.nodes.len(), lab.file.display());
    for node in &lab.nodes {
        let power = if node.init.is_none() {
            "no power"
        } else if node.booted {
            "up"
        } else {
            "booting"
        };
        let cut = if node.cut { ", cut off" } else { "" };
        println!("  {:<24} {:<15} {power}{cut}", node.name, node.address.to_string());
    }
    cluster_status(&lab)
}

/// What `systole status` says on the first node that can be asked.
fn cluster_status(lab: &LabStatus) -> Result<()> {
    let able = lab.nodes.iter().filter(|node| !node.cut);
    let sockets = able.filter_map(|node| node.path(systole_wire::api::SOCKET).ok());
    let Some(socket) = sockets.into_iter().find(|socket| socket.exists()) else { return Ok(()) };
    println!();
    let systole = std::env::current_exe().context("cannot find this program")?;
    Command::new(systole)
        .arg("status")
        .env("SYSTOLE_SOCKET", socket)
        .status()
        .context("cannot run systole status")?;
    Ok(())
}

/// Becomes the command, inside the node.
fn exec(layout: &Layout, node: &str, command: &[OsString]) -> Result<()> {
    requirements::root()?;
    let pid = control::status(layout)?.node(node)?.powered()?.to_string();
    cgroup::enter(&cgroup::hierarchies()?, &layout.cgroup().join(node))?;
    let mut nsenter = Command::new("nsenter");
    nsenter.args([
        "--target", &pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wdns=/",
        "--",
    ]);
    nsenter.args(command).env("PATH", daemons::NODE_PATH).env("HOME", "/root");
    Err(nsenter.exec()).context("cannot run nsenter")
}

fn logs(layout: &Layout, node: &str) -> Result<()> {
    requirements::root()?;
    let lab = control::status(layout)?;
    let dir = layout.node_dir(&lab.node(node)?.name);
    let disk = dir.join("root");
    let files = [
        dir.join("console.log"),
        disk.join("var/log/systole/corosync.log"),
        disk.join("var/log/systole/systole-corosync.log"),
        disk.join("var/log/systole/systole-execd.log"),
        disk.join("var/log/systole/systoled.log"),
        disk.join("var/log/syslog"),
    ];
    for file in files {
        let Ok(text) = fs::read(&file) else { continue };
        println!("==> {} <==", file.file_name().unwrap_or_default().to_string_lossy());
        println!("{}", String::from_utf8_lossy(&text).trim_end());
    }
    Ok(())
}

fn images(verb: ImageVerb) -> Result<()> {
    requirements::check(Stack::Hub)?;
    match verb {
        ImageVerb::Build { names } => {
            let recipes = match names.is_empty() {
                true => image::RECIPES.iter().collect(),
                false => names.iter().map(|name| known_recipe(name)).collect::<Result<Vec<_>>>()?,
            };
            for recipe in recipes {
                match image::build(recipe)? {
                    image::Outcome::UpToDate => println!("{}: up to date", recipe.name),
                    image::Outcome::Built => println!("{}: built", recipe.name),
                }
            }
            Ok(())
        }
        ImageVerb::List { json } => list_images(json),
        ImageVerb::Rm { name } => image::remove(&name),
    }
}

fn known_recipe(name: &str) -> Result<&'static image::Recipe> {
    let Some(recipe) = image::recipe(name) else {
        let known: Vec<_> = image::RECIPES.iter().map(|recipe| recipe.name).collect();
        bail!("there is no recipe for {name}; there are {}", known.join(", "));
    };
    Ok(recipe)
}

fn list_images(json: bool) -> Result<()> {
    let images = image::list()?;
    if json {
        let list: Vec<_> =
            images.iter().map(|image| serde_json::json!({"name": image.name, "size": image.size})).collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    for image in &images {
        let about = image::recipe(&image.name).map_or("", |recipe| recipe.about);
        println!("{:<28} {:>6.1} MB  {about}", image.name, image.size as f64 / 1e6);
    }
    for recipe in image::RECIPES.iter().filter(|recipe| images.iter().all(|image| image.name != recipe.name))
    {
        println!("{:<28} not built  {}", recipe.name, recipe.about);
    }
    Ok(())
}
