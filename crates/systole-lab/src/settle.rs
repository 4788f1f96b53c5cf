//! Loading a CIB into a cluster and watching it come to rest.

use crate::{cluster::NodeApi, control, layout::Layout, progress::Progress};
use anyhow::{Result, bail};
use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant, SystemTime},
};
use systole_cib::model::Cib;
use systole_scheduler::{Resource, Status};
use systole_types::Timestamp;
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
            progress.show(&format!("{} resources are active", active.len()));
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

/// What is active, and where, as the scheduler understands the CIB.
fn active(cib: &str) -> BTreeMap<(String, String), &'static str> {
    let Ok((cib, _)) = Cib::parse(cib) else { return BTreeMap::new() };
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    let status = Status::unpack(&cib, Timestamp(i64::try_from(seconds).unwrap_or(i64::MAX)));
    let mut found = BTreeMap::new();
    let settled = |resource: &&Resource<'_>| resource.is_primitive() && !resource.start_pending;
    for resource in status.resources.iter().filter(settled) {
        let state = if resource.failed { "failed" } else { resource.role.as_str() };
        for &node in &resource.running_on {
            found.insert((resource.id.to_string(), status.node(node).name.to_string()), state);
        }
    }
    found
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
