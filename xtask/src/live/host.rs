//! What `systole lab` does with the host it runs on: tests that need no daemons.

use super::{EXAMPLE, Test, residue::Residue};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::{fs, path::PathBuf, process::Command, time::Duration};

pub(super) const TESTS: &[Test] = &[
    ("a file that is no CIB is refused and nothing is brought up", broken_cib),
    ("without root there is a sentence that says so", no_root),
    ("a missing package is named, with the command that installs it", missing_package),
    ("verbs that need a lab say how to get one", no_lab),
    ("a second up is refused while a lab is up", second_up),
    ("an unknown node is refused, and those there are get named", unknown_node),
    ("what a killed supervisor left is told of, and down removes it", dead_supervisor),
    ("nodes have their own files, processes and addresses, and lose power at once", nodes_are_apart),
];

/// A word every sentence about a lab that does not exist must have.
fn expect(said: &str, words: &[&str]) -> Result<()> {
    ensure!(said.lines().count() == 1, "more than a sentence: {said}");
    for word in words {
        ensure!(said.contains(word), "{word:?} is not in: {said}");
    }
    Ok(())
}

fn broken_cib(lab: &Lab) -> Result<()> {
    let before = Residue::take(lab)?;
    let file = std::env::temp_dir().join(format!("systole-broken-{}.xml", std::process::id()));
    let result =
        ["<cib><configuration></cib>", "", "<crm_mon/>", "<cib/>"].into_iter().try_for_each(|text| {
            fs::write(&file, text)?;
            expect(&lab.refuse(&["up", &file.to_string_lossy()])?, &[&file.to_string_lossy()])
        });
    let _ = fs::remove_file(&file);
    result?;
    let mistake = "<cib><configuration><crm_config/><nodes/><resources><primitive id=\"web\"/></resources>\
                   <constraints/></configuration><status/></cib>";
    fs::write(&file, mistake)?;
    let said = lab.refuse(&["up", &file.to_string_lossy()]);
    let _ = fs::remove_file(&file);
    expect(&said?, &["web", &file.to_string_lossy()])?;
    expect(&lab.refuse(&["up", "/nowhere/at-all.xml"])?, &["/nowhere/at-all.xml"])?;
    before.compare(&Residue::take(lab)?)
}

fn no_root(lab: &Lab) -> Result<()> {
    let mut command = Command::new("setpriv");
    let ours = lab.command(&["up", EXAMPLE]);
    command
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(ours.get_program())
        .args(ours.get_args());
    let output = command.current_dir(shell::root()).output().context("cannot run setpriv")?;
    ensure!(!output.status.success(), "a lab came up without root");
    expect(String::from_utf8_lossy(&output.stderr).trim(), &["root"])
}

fn missing_package(lab: &Lab) -> Result<()> {
    let podman = fs::canonicalize("/usr/bin/podman").context("Podman is not where Debian has it")?;
    let ours = lab.command(&["up", EXAMPLE]);
    let mut command = Command::new("unshare");
    // In a mount namespace of its own, Podman is hidden.
    command.args(["--mount", "sh", "-c", "mount --bind /dev/null \"$0\" && exec \"$@\""]);
    command.arg(podman).arg(ours.get_program()).args(ours.get_args());
    let output = command.current_dir(shell::root()).output().context("cannot run unshare")?;
    ensure!(!output.status.success(), "a lab came up without Podman");
    expect(String::from_utf8_lossy(&output.stderr).trim(), &["apt-get install", "podman"])
}

fn no_lab(lab: &Lab) -> Result<()> {
    for args in [
        &["status"][..],
        &["kill", "x"],
        &["boot", "x"],
        &["cut", "x"],
        &["heal", "x"],
        &["exec", "x", "true"],
    ] {
        expect(&lab.refuse(args)?, &["systole lab up"])?;
    }
    Ok(())
}

fn second_up(lab: &Lab) -> Result<()> {
    with_bare_nodes(lab, || expect(&lab.refuse(&["up", EXAMPLE])?, &["systole lab down"]))
}

fn unknown_node(lab: &Lab) -> Result<()> {
    with_bare_nodes(lab, || {
        for verb in ["kill", "boot", "cut", "heal", "logs"] {
            expect(&lab.refuse(&[verb, "nobody"])?, &["nobody", "controller-0"])?;
        }
        expect(&lab.refuse(&["boot", "controller-0"])?, &["has power"])
    })
}

fn dead_supervisor(lab: &Lab) -> Result<()> {
    let before = Residue::take(lab)?;
    lab.run(&["up", EXAMPLE, "--no-daemons"])?;
    let init = lab.node("controller-0")?.init.context("controller-0 has no power")?;
    let supervisor = parent(parent(init)?)?;
    shell::run(Command::new("kill").args(["-9", &supervisor.to_string()]))?;
    wait_until("the supervisor is gone", Duration::from_secs(10), || {
        ensure!(lab.nodes().is_err(), "it still answers");
        Ok(())
    })?;
    let said = lab.refuse(&["up", EXAMPLE]);
    let status = lab.refuse(&["status"]);
    lab.run(&["down"])?;
    expect(&said?, &["systole lab down"])?;
    expect(&status?, &["systole lab down"])?;
    before.compare(&Residue::take(lab)?)
}

fn nodes_are_apart(lab: &Lab) -> Result<()> {
    let before = Residue::take(lab)?;
    with_bare_nodes(lab, || {
        lab.exec(
            "controller-0",
            &["sh", "-c", "echo mine >/var/lib/x; echo mine >/etc/x; echo mine >/run/x"],
        )?;
        for file in ["/var/lib/x", "/etc/x", "/run/x"] {
            ensure!(!PathBuf::from(file).exists(), "{file} reached the host");
            ensure!(lab.exec("controller-1", &["cat", file]).is_err(), "{file} reached another node");
        }
        ensure!(lab.exec("controller-1", &["hostname"])?.trim() == "controller-1", "a node has a wrong name");
        let web =
            ["podman", "run", "-d", "--net=host", "localhost/web:lab", "/usr/local/bin/web_start", "8080"];
        lab.exec("controller-0", &web)?;
        let node = lab.node("controller-0")?;
        let answers = || {
            let page = crate::client::fetch(node.address, 8080).context("no answer")?;
            ensure!(page == "controller-0", "the wrong page: {page}");
            Ok(())
        };
        wait_until("the container answers", Duration::from_secs(10), answers)?;
        lab.run(&["cut", "controller-0"])?;
        ensure!(answers().is_err(), "a node that is cut off answers");
        lab.run(&["heal", "controller-0"])?;
        wait_until("the container answers again", Duration::from_secs(10), answers)?;
        lab.run(&["kill", "controller-0"])?;
        ensure!(answers().is_err(), "a node without power answers");
        lab.run(&["boot", "controller-0", "--no-daemons"])?;
        wait_until("the node has booted", Duration::from_secs(10), || {
            let left = lab.exec("controller-0", &["cat", "/var/lib/x"])?;
            ensure!(left.trim() == "mine", "the disk lost a file");
            Ok(())
        })?;
        ensure!(lab.exec("controller-0", &["cat", "/run/x"]).is_err(), "/run outlived a power-off");
        let running = lab.exec("controller-0", &["podman", "ps", "--quiet"])?;
        ensure!(running.trim().is_empty(), "a container outlived a power-off: {running}");
        // What is held dies, too.
        lab.exec("controller-1", &web)?;
        lab.exec("controller-1", &["podman", "pause", "--all"])?;
        lab.run(&["kill", "controller-1"]).map(drop)
    })?;
    before.compare(&Residue::take(lab)?)
}

/// Nodes without daemons, for as long as `test` runs.
fn with_bare_nodes(lab: &Lab, test: impl FnOnce() -> Result<()>) -> Result<()> {
    lab.run(&["up", EXAMPLE, "--no-daemons"])?;
    let result = test();
    let down = lab.run(&["down"]).map(drop);
    result.and(down)
}

fn parent(pid: u32) -> Result<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("PPid:")).context("it has no parent")?;
    line.trim().parse().context("an odd parent")
}
