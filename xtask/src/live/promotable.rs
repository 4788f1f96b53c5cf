//! A promotable clone whose copies are told of each other's changes.

use super::{PATIENCE, Test};
use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

pub(super) const TESTS: &[Test] = &[
    (
        "a copy that may not be promoted any more is demoted first, and all copies are told of each step",
        |lab| with_clone(lab, handed_over),
    ),
    ("a promoted copy that is gone is found out by the monitor of its role", |lab| {
        with_clone(lab, found_out)
    }),
];

/// The agent writes the environment of every call into a file.
const CLONE: &str = r#"<clone id="told-clone">
    <meta_attributes id="told-m"><nvpair id="told-m-promotable" name="promotable" value="true"/>
    <nvpair id="told-m-notify" name="notify" value="true"/></meta_attributes>
    <primitive id="told" class="ocf" provider="pacemaker" type="Stateful">
    <instance_attributes id="told-i"><nvpair id="told-i-state" name="state" value="/run/told.state"/>
    <nvpair id="told-i-envfile" name="envfile" value="/run/told.calls"/>
    <nvpair id="told-i-notify_delay" name="notify_delay" value="0"/></instance_attributes>
    <operations><op id="told-promoted" name="monitor" interval="2s" role="Promoted"/>
    <op id="told-unpromoted" name="monitor" interval="3600s" role="Unpromoted"/></operations></primitive></clone>"#;

/// Does something with a promotable clone, of which one copy is promoted.
fn with_clone(lab: &Lab, work: fn(&Lab, &Node) -> Result<()>) -> Result<()> {
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let tool = |name: &str, args: &[&str]| shell::output(&mut lab.tool(&node, name, args));
    tool("cibadmin", &["--create", "--scope", "resources", "--xml-text", CLONE])?;
    let done = wait_until("a copy is promoted", PATIENCE, || promoted(lab, &node).map(drop))
        .and_then(|_| lab.run(&["wait"]))
        .and_then(|_| work(lab, &node));
    tool("crm_resource", &["--clear", "--resource", "told-clone"])?;
    tool("cibadmin", &["--delete", "--xml-text", r#"<clone id="told-clone"/>"#])?;
    lab.run(&["wait"])?;
    tool("crm_resource", &["--cleanup"])?;
    for node in lab.nodes()? {
        lab.exec(&node.name, &["rm", "-f", "/run/told.calls"])?;
    }
    done
}

/// Where the promoted copy is, while the others run too.
fn promoted(lab: &Lab, asked: &Node) -> Result<String> {
    let copies = lab.instances(&asked.name)?.into_iter().filter(|it| it.id == "told");
    let places: Vec<_> =
        copies.flat_map(|it| it.nodes.into_iter().map(move |node| (it.role.clone(), node))).collect();
    ensure!(places.len() == lab.nodes()?.len(), "copies run at {places:?}");
    let mut promoted = places.iter().filter(|(role, _)| role == "Promoted");
    let (one, other) = (promoted.next(), promoted.next());
    ensure!(other.is_none(), "more than one is promoted: {places:?}");
    Ok(one.with_context(|| format!("none is promoted: {places:?}"))?.1.clone())
}

fn handed_over(lab: &Lab, node: &Node) -> Result<()> {
    let former = promoted(lab, node)?;
    for node in lab.nodes()? {
        lab.exec(&node.name, &["rm", "/run/told.calls"])?;
    }
    let ban = ["--ban", "--resource", "told-clone", "--node", &former, "--promoted"];
    shell::output(&mut lab.tool(node, "crm_resource", &ban))?;
    wait_until("another is promoted", PATIENCE, || {
        ensure!(promoted(lab, node)? != former, "it is still {former}");
        Ok(())
    })?;
    lab.run(&["wait"])?;
    let next = promoted(lab, node)?;
    // A demotion changes scores, so that the promotion may come by another plan, which does not know of it any more.
    let steps = [
        ("pre", "demote", &former),
        ("post", "demote", &former),
        ("pre", "promote", &next),
        ("post", "promote", &next),
    ];
    for node in lab.nodes()? {
        let calls = calls(lab, &node.name, "notify")?;
        ensure!(calls.len() == steps.len(), "{} was told {calls:?}", node.name);
        for ((when, what, place), call) in steps.into_iter().zip(&calls) {
            let told = |name: &str| call.get(name).map_or("", String::as_str);
            ensure!((told("type"), told("operation")) == (when, what), "{} was told {calls:?}", node.name);
            ensure!(told(&format!("{what}_uname")) == place, "{when} {what} on {place}: {call:?}");
            let n_active = told("active_uname").split(' ').count();
            ensure!(n_active == lab.nodes()?.len(), "{n_active} copies are said to be active: {call:?}");
        }
    }
    let before = |node: &str, action: &str| Ok::<_, anyhow::Error>(calls(lab, node, action)?.len());
    ensure!(
        before(&former, "demote")? == 1 && before(&next, "promote")? == 1,
        "demoted or promoted more than once"
    );
    Ok(())
}

fn found_out(lab: &Lab, node: &Node) -> Result<()> {
    let place = promoted(lab, node)?;
    lab.exec(&place, &["rm", "/run/told.state"])?;
    wait_until("the failure counts", PATIENCE, || {
        let query = ["--query", "--resource", "told", "--node", &place];
        let count = shell::output(&mut lab.tool(node, "crm_failcount", &query))?;
        ensure!(count.contains("value=1"), "{count}");
        Ok(())
    })?;
    wait_until("a copy is promoted again", PATIENCE, || promoted(lab, node).map(drop))?;
    let monitors = calls(lab, &place, "monitor")?;
    ensure!(!monitors.is_empty(), "there was no monitor on {place}");
    Ok(())
}

/// What the agent on a node was told in each of its calls of `action`, less what all the names begin with.
fn calls(lab: &Lab, node: &str, action: &str) -> Result<Vec<BTreeMap<String, String>>> {
    let text = lab.exec(node, &["cat", "/run/told.calls"])?;
    let begin = format!("### {action} @");
    let calls = text.split("\n###\n").filter(|call| call.trim_start().starts_with(&begin));
    Ok(calls.map(|call| call.lines().filter_map(notified).collect()).collect())
}

fn notified(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("OCF_RESKEY_CRM_meta_notify_")?.split_once('=')?;
    Some((name.to_owned(), value.trim().to_owned()))
}
