//! Loading a CIB into a cluster and watching it come to rest.

use crate::{cluster::NodeApi, control, layout::Layout, progress::Progress};
use anyhow::{Result, bail};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};
use systole_cib::xml::{Document, Element};
use systole_wire::api::NodeReport;

const POLL: Duration = Duration::from_millis(100);

/// The cluster rests when its DC has had nothing to do for this long.
const AT_REST_FOR: Duration = Duration::from_millis(1000);

/// Waits until the cluster has a DC and every node is a member, then loads the `<configuration>`.
///
/// # Errors
/// If that takes too long, or the cluster does not take the CIB.
pub fn load(layout: &Layout, configuration: &str, progress: &Progress, patience: Duration) -> Result<()> {
    let give_up = Instant::now() + patience;
    let n_nodes = control::status(layout)?.nodes.len();
    loop {
        let reports = reports(layout)?;
        if let Some(dc) =
            reports.iter().find(|report| report.state == "dc" && report.members.len() == n_nodes)
        {
            progress.say(&format!(
                "{} of {n_nodes} nodes are members, the DC is {}",
                dc.members.len(),
                dc.node
            ));
            let lab = control::status(layout)?;
            NodeApi::connect(&lab, &dc.node)?.replace_configuration(configuration.to_owned())?;
            progress.say("the CIB is loaded");
            return Ok(());
        }
        progress.show(&format!("{} of {n_nodes} daemons answer", reports.len()));
        if Instant::now() > give_up {
            bail!(
                "the nodes did not form a cluster within {patience:?}: `systole lab logs NODE` shows what they say"
            );
        }
        thread::sleep(POLL);
    }
}

/// What is known when the waiting begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing runs: all that is active is news.
    Nothing,
    /// What runs by then.
    Present,
}

/// Waits until the cluster has nothing left to do, telling what starts and stops on the way.
///
/// # Errors
/// If that takes too long.
pub fn wait(layout: &Layout, from: Known, progress: &Progress, patience: Duration) -> Result<()> {
    let give_up = Instant::now() + patience;
    let mut known = (from == Known::Nothing).then(BTreeMap::new);
    let mut at_rest_since = None;
    loop {
        let reports = reports(layout)?;
        let dc = reports.iter().find(|report| report.state == "dc");
        if let Some(dc) = dc {
            let lab = control::status(layout)?;
            let active = active(&NodeApi::connect(&lab, &dc.node)?.cib()?);
            if let Some(known) = &known {
                tell_changes(known, &active, progress);
            }
            known = Some(active);
        }
        match dc.and_then(|dc| dc.idle) {
            Some(true) => {
                let since = *at_rest_since.get_or_insert_with(Instant::now);
                if since.elapsed() >= AT_REST_FOR {
                    progress.say(&format!(
                        "at rest: {} resources are active",
                        known.as_ref().map_or(0, BTreeMap::len)
                    ));
                    return Ok(());
                }
            }
            _ => at_rest_since = None,
        }
        if Instant::now() > give_up {
            bail!(
                "the cluster did not come to rest within {patience:?}: `systole lab status` shows how far it came"
            );
        }
        thread::sleep(POLL);
    }
}

/// What the daemons that can be asked say.
fn reports(layout: &Layout) -> Result<Vec<NodeReport>> {
    let lab = control::status(layout)?;
    let reachable = lab.nodes.iter().filter(|node| node.init.is_some() && !node.cut);
    Ok(reachable.filter_map(|node| NodeApi::connect(&lab, &node.name).ok()?.report().ok()).collect())
}

/// Active resources by the operation history: what is active, and where.
fn active(cib: &str) -> BTreeMap<(String, String), &'static str> {
    let mut found = BTreeMap::new();
    let Ok(document) = Document::parse(cib) else { return found };
    let status = document.root().child("status");
    for state in status.into_iter().flat_map(|status| status.children_named("node_state")) {
        let node = state.attr("uname").unwrap_or_default();
        let lrm = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        for resource in lrm.into_iter().flat_map(|lrm| lrm.children_named("lrm_resource")) {
            if let (Some(id), Some(state)) = (resource.id(), state_of(resource)) {
                found.insert((id.to_owned(), node.to_owned()), state);
            }
        }
    }
    found
}

/// The state that the last finished operation left the resource in; `None` if it is stopped.
fn state_of(resource: Element<'_>) -> Option<&'static str> {
    let call = |op: &Element<'_>| op.attr("call-id").and_then(|call| call.parse::<i64>().ok()).unwrap_or(-1);
    let last = resource
        .children_named("lrm_rsc_op")
        .filter(|op| call(op) >= 0 && op.attr("interval").is_none_or(|interval| interval == "0"))
        .max_by_key(call)?;
    match (last.attr("operation")?, last.attr("rc-code")?) {
        ("stop", _) | (_, "7") => None,
        (_, "0" | "8" | "9") => Some("started"),
        _ => Some("failed"),
    }
}

fn tell_changes(
    before: &BTreeMap<(String, String), &'static str>,
    after: &BTreeMap<(String, String), &'static str>,
    progress: &Progress,
) {
    for (key, state) in after.iter().filter(|(key, state)| before.get(*key) != Some(state)) {
        progress.say(&format!("{} {state} on {}", key.0, key.1));
    }
    for (resource, node) in before.keys().filter(|key| !after.contains_key(*key)) {
        progress.say(&format!("{resource} stopped on {node}"));
    }
}
