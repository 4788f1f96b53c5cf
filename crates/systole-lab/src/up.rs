//! `systole lab up`: from a file to a cluster that runs what the file says.

use crate::{
    control::{self, LabStatus},
    image,
    layout::{IMAGE_STORE, Layout},
    network,
    plan::Plan,
    progress::Progress,
    requirements, settle, supervisor,
    verbs::UpArgs,
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};
use systole_cib::{
    Severity,
    xml::{Document, Element},
};

/// How long nodes may take to boot.
const BOOT_WITHIN: Duration = Duration::from_secs(30);

const POLL: Duration = Duration::from_millis(20);

/// Brings a lab up.
///
/// # Errors
/// If it cannot be brought up (nothing is left of it then), or does not settle in time (it stays up then).
pub fn up(layout: &Layout, args: &UpArgs) -> Result<()> {
    requirements::check(args.stack)?;
    refuse_second(layout)?;
    let text =
        fs::read_to_string(&args.file).with_context(|| format!("cannot read {}", args.file.display()))?;
    let text = if args.stock_images { image::with_stock_daemons(text) } else { text };
    let document =
        Document::parse(text).map_err(|error| anyhow::anyhow!("{}: {error}", args.file.display()))?;
    let document = document.from_file(&args.file.to_string_lossy());
    let cib = document.root();
    ensure!(cib.is("cib"), "{}: this is a <{}>, not a <cib>", args.file.display(), cib.name());
    refuse_mistakes(&document)?;
    let configuration = cib.child("configuration");
    let configuration = configuration
        .with_context(|| format!("{}: there is no <configuration> in it", args.file.display()))?;
    let mut plan = Plan::new(&args.file, &node_names(cib), args.subnet, args.stack)?;
    plan.daemons = !args.no_daemons;
    require_daemons(&plan)?;

    let progress = Progress::new();
    let recipes: Vec<_> = images(cib).into_iter().filter_map(image::recipe).collect();
    require_packages(&recipes)?;
    for recipe in recipes {
        if image::build(recipe)? == image::Outcome::Built {
            progress.say(&format!("image {} built", recipe.name));
        }
    }
    let lab = start(layout, &plan).inspect_err(|_| {
        let _ = supervisor::clear(layout);
    })?;
    let names: Vec<_> = lab.nodes.iter().map(|node| format!("{} ({})", node.name, node.address)).collect();
    progress.say(&format!("nodes are up: {}", names.join(", ")));
    if args.no_daemons {
        return Ok(());
    }
    let patience = Duration::from_secs(args.timeout);
    settle::load(layout, &configuration.to_text(), &progress, patience)?;
    if args.no_wait {
        return Ok(());
    }
    settle::wait(layout, settle::Known::Nothing, &progress, patience)
}

/// Turns away a CIB that the cluster would not take, before anything is brought up for it.
fn refuse_mistakes(document: &Document) -> Result<()> {
    let diagnostics = systole_cib::validate::configuration(document);
    let errors: Vec<_> = diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    match errors.as_slice() {
        [] => Ok(()),
        [one] => bail!("the cluster would not take this CIB: {one}"),
        [first, others @ ..] => {
            bail!("the cluster would not take this CIB: {first} (and {} more like this)", others.len())
        }
    }
}

/// Turns away a second lab of the same name, and leftovers.
fn refuse_second(layout: &Layout) -> Result<()> {
    if control::is_running(layout) {
        bail!("a lab is up already: `systole lab down` ends it, `--name` makes a second one beside it");
    }
    if layout.run_dir().exists() || layout.state_dir().exists() || network::bridge_exists(layout) {
        bail!("an earlier lab did not end in good order: `systole lab down` removes what is left of it");
    }
    Ok(())
}

fn require_daemons(plan: &Plan) -> Result<()> {
    for program in plan.stack.programs() {
        ensure!(
            !plan.daemons || plan.bin_dir.join(program).exists(),
            "there is no {program} beside this program in {}: build it with `cargo build{}`",
            plan.bin_dir.display(),
            if *program == "systole-corosync" { " -p systole-corosync --features corosync" } else { "" }
        );
    }
    Ok(())
}

/// Turns away a CIB whose images cannot be made on this host, before the first is made.
fn require_packages(recipes: &[&image::Recipe]) -> Result<()> {
    let missing = recipes.iter().map(|recipe| image::missing_packages(recipe)).collect::<Result<Vec<_>>>()?;
    let mut missing = missing.concat();
    missing.sort_unstable();
    missing.dedup();
    ensure!(
        missing.is_empty(),
        "the images of these bundles are made of Debian packages that are missing: \
         apt-get install --no-install-recommends {} (and see that their services do not start on this host)",
        missing.join(" ")
    );
    Ok(())
}

fn node_names(cib: Element<'_>) -> Vec<String> {
    let nodes = cib.child("configuration").and_then(|configuration| configuration.child("nodes"));
    let nodes = nodes.into_iter().flat_map(|nodes| nodes.children_named("node"));
    nodes
        .filter(|node| matches!(node.attr("type"), None | Some("member" | "normal")))
        .filter_map(|node| node.attr("uname").map(str::to_owned))
        .collect()
}

/// The images of the bundles.
fn images(cib: Element<'_>) -> Vec<&str> {
    let containers = cib.descendants().filter(|element| element.is("podman") || element.is("docker"));
    let mut images: Vec<_> = containers.filter_map(|container| container.attr("image")).collect();
    images.sort_unstable();
    images.dedup();
    images
}

/// Starts the supervisor and waits until all nodes have booted.
fn start(layout: &Layout, plan: &Plan) -> Result<LabStatus> {
    fs::create_dir_all(layout.run_dir()).context("cannot make the lab's directory")?;
    fs::create_dir_all(IMAGE_STORE).context("cannot make the image store")?;
    plan.save(layout)?;
    let log = File::create(layout.log_file()).context("cannot make the supervisor's log")?;
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["lab", "supervise", "--name", layout.name()]).current_dir("/");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut supervisor = command.spawn().context("cannot start the supervisor")?;
    let give_up = Instant::now() + BOOT_WITHIN;
    loop {
        if let Some(error) = ended(&mut supervisor, layout)? {
            bail!(error);
        }
        if control::is_running(layout) {
            let lab = control::status(layout)?;
            if lab.nodes.iter().all(|node| node.booted) {
                return Ok(lab);
            }
            if let Some(node) = lab.nodes.iter().find(|node| node.init.is_none()) {
                bail!(
                    "{} did not boot: {}",
                    node.name,
                    last_line(&layout.node_dir(&node.name).join("console.log"))
                );
            }
        }
        ensure!(Instant::now() < give_up, "the nodes did not boot within {BOOT_WITHIN:?}");
        thread::sleep(POLL);
    }
}

/// Why the supervisor ended, if it did.
fn ended(supervisor: &mut Child, layout: &Layout) -> Result<Option<String>> {
    let Some(status) = supervisor.try_wait()? else { return Ok(None) };
    let line = last_line(&layout.log_file());
    Ok(Some(format!("the supervisor ended ({status}): {}", line.trim_start_matches("systole lab: "))))
}

fn last_line(file: &std::path::Path) -> String {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().last().unwrap_or("it said nothing").to_owned()
}
