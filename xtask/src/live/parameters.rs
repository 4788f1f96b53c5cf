//! A resource whose parameters change, and what the tools say of it before, meanwhile and after.

use super::{PATIENCE, Test};
use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use systole_cib::xml::Document;

pub(super) const TESTS: &[Test] = &[
    (
        "a changed parameter that can be reloaded is, another restarts its resource, and the plan said so",
        |lab| {
            with_dummy(lab, |lab, node| {
                ensure!(planned_and_done(lab, node, "fake", "2")? == "reload");
                ensure!(planned_and_done(lab, node, "state", "/run/dummy.other")? == "restart");
                Ok(())
            })
        },
    ),
    ("explain and crm_resource --why say why a resource does not run, and what would change that", |lab| {
        with_dummy(lab, explained)
    }),
];

const DUMMY: &str = r#"<primitive id="dummy" class="ocf" provider="pacemaker" type="Dummy">
    <instance_attributes id="dummy-i">
    <nvpair id="dummy-i-fake" name="fake" value="1"/><nvpair id="dummy-i-state" name="state" value="/run/dummy.one"/>
    </instance_attributes></primitive>"#;

/// Does something with a resource more than the example has.
fn with_dummy(lab: &Lab, work: fn(&Lab, &Node) -> Result<()>) -> Result<()> {
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let tool = |name: &str, args: &[&str]| shell::output(&mut lab.tool(&node, name, args));
    tool("cibadmin", &["--create", "--scope", "resources", "--xml-text", DUMMY])?;
    let done = lab.run(&["wait"]).and_then(|_| work(lab, &node));
    tool("cibadmin", &["--delete", "--xml-text", r#"<primitive id="dummy"/>"#])?;
    lab.run(&["wait"])?;
    done
}

/// Gives the resource's parameter another value. What the plan said would happen, once it has.
///
/// A stop removes the file that stands for the resource, with what a test wrote into it.
fn planned_and_done(lab: &Lab, node: &Node, name: &str, value: &str) -> Result<String> {
    let home = lab.instance(&node.name, "dummy")?.nodes.first().cloned().context("it does not run")?;
    let shell_there = |script: &str| lab.exec(&home, &["sh", "-c", script]);
    shell_there("for file in /run/dummy.*; do echo marked > $file; done")?;
    let digest = || -> Result<String> {
        let cib = parse(&shell::output(&mut lab.tool(node, "cibadmin", &["--query"]))?)?;
        let mut entries = cib.root().descendants().filter(|entry| entry.id() == Some("dummy_last_0"));
        let start = entries.find(|entry| entry.attr("operation") == Some("start"));
        Ok(start.and_then(|start| start.attr("op-digest")).context("it was not started")?.to_owned())
    };
    let before = digest()?;
    let pair = format!(r#"<nvpair id="dummy-i-{name}" value="{value}"/>"#);
    let change = ["cibadmin", "--modify", "--scope", "resources", "--xml-text", &pair];
    let plan = shell::output(&mut lab.tool(node, "plan", &[&["--output-as=xml"], &change[..]].concat()))?;
    shell::output(&mut lab.tool(node, change[0], &change[1..]))?;
    wait_until("the change is carried out", PATIENCE, || {
        lab.run(&["wait"])?;
        ensure!(digest()? != before, "the history has the former parameters");
        Ok(())
    })?;
    let is_same = shell_there("cat /run/dummy.*")?.contains("marked");
    let plan = parse(&plan)?;
    let mut happenings = plan.root().descendants().filter(|element| element.is("resource_change"));
    let planned = happenings.next().and_then(|it| it.attr("action")).context("nothing was planned")?;
    ensure!(is_same == (planned == "reload"), "{planned} was planned, the same instance runs: {is_same}");
    Ok(planned.to_owned())
}

/// Stops the resource, and asks what would start it.
fn explained(lab: &Lab, node: &Node) -> Result<()> {
    let tool = |name: &str, args: &[&str]| shell::output(&mut lab.tool(node, name, args));
    let role = ["--resource", "dummy", "--meta", "--set-parameter", "target-role", "--parameter-value"];
    tool("crm_resource", &[&role[..], &["Stopped"]].concat())?;
    lab.run(&["wait"])?;
    let explained = tool("explain", &["dummy"])?;
    ensure!(explained.contains("target-role"), "explain does not name what stops it: {explained}");
    let why = tool("crm_resource", &["--why", "--resource", "dummy"])?;
    ensure!(why.contains("should remain stopped"), "crm_resource --why does not tell what stops it: {why}");
    // What it says would start it does.
    let command = explained.lines().find_map(|line| line.trim().strip_prefix("systole "));
    let words: Vec<&str> = command.context("explain names no command")?.split(' ').collect();
    tool(words[0], &words[1..])?;
    lab.run(&["wait"])?;
    let instance = lab.instance(&node.name, "dummy")?;
    ensure!(instance.nodes.len() == 1, "after systole {words:?} it runs on {:?}", instance.nodes);
    Ok(())
}

fn parse(text: &str) -> Result<Document> {
    Document::parse(text).map_err(|error| anyhow::anyhow!("{error}: {text}"))
}
