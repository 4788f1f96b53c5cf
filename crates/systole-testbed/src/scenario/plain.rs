//! Clusters of primitives and a group, on hosts.

use super::NODES;
use crate::Cluster;

/// The resources of a simulated cluster.
pub const RESOURCES: [&str; 4] = ["r0", "r1", "g0", "g1"];

/// The configuration of simulated clusters: two primitives and a group.
pub fn configuration(fencing: bool, no_quorum_policy: &str) -> String {
    let primitive = |id: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="heartbeat" type="Dummy"><operations>
            <op id="{id}-start" name="start" interval="0" timeout="20s"/>
            <op id="{id}-stop" name="stop" interval="0" timeout="20s"/>
            <op id="{id}-monitor" name="monitor" interval="10s" timeout="20s"/></operations></primitive>"#
        )
    };
    let nodes: String = NODES
        .iter()
        .enumerate()
        .map(|(idx, name)| format!(r#"<node id="{}" uname="{name}"/>"#, idx + 1))
        .collect();
    format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0">
        <configuration><crm_config><cluster_property_set id="options">
        <nvpair id="options-fencing" name="stonith-enabled" value="{fencing}"/>
        <nvpair id="options-quorum" name="no-quorum-policy" value="{no_quorum_policy}"/>
        </cluster_property_set><cluster_property_set id="writes" score="-1"/></crm_config>
        <nodes>{nodes}</nodes>
        <resources>{}{}<group id="g">{}{}</group>
        <primitive id="fence" class="stonith" type="fence_dummy"/></resources>
        <constraints/></configuration><status/></cib>"#,
        primitive(RESOURCES[0]),
        primitive(RESOURCES[1]),
        primitive(RESOURCES[2]),
        primitive(RESOURCES[3]),
    )
}

/// What is not as it should be in a cluster at rest, if anything: everything runs, once, and is monitored.
pub fn what_is_wrong_at_rest(cluster: &Cluster) -> Option<String> {
    for resource in RESOURCES {
        let is_there = |host: &&crate::host::Host| host.station.agents.active.contains(resource);
        let where_active: Vec<_> = cluster.hosts.iter().filter(is_there).collect();
        let [host] = where_active[..] else {
            let names: Vec<&str> = where_active.iter().map(|host| host.name.as_str()).collect();
            return Some(format!("{resource} is active on {names:?}"));
        };
        if !host.station.monitors(resource) {
            return Some(format!("{resource} is not monitored on {}", host.name));
        }
    }
    None
}
