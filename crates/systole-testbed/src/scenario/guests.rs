//! Clusters with a promotable clone, a bundle whose containers are nodes, and a remote node.

use super::{Fault, NODES, SECOND, Site, Story, with_failure_timeout};
use crate::{
    Cluster,
    agents::Agents,
    far::{Far, FarIdx},
    plan,
    station::Place,
};
use systole_wire::api::Call;

/// What may die, or fail to start.
pub const RESOURCES: [&str; 4] = ["r0", "p", "q", "x"];

/// Faults that these clusters have beside the others', with their weights.
pub const FAULTS: [(Fault, u64); 7] = [
    (Fault::KillContainer, 16),
    (Fault::BreakSession, 10),
    (Fault::RestartRemote, 10),
    (Fault::RemotePower, 8),
    (Fault::StallHandshake, 5),
    (Fault::RepeatResults, 4),
    (Fault::BreakAtWord, 6),
];

/// The guest nodes and their containers.
const GUESTS: [(&str, &str); 2] = [("B-0", "B-podman-0"), ("B-1", "B-podman-1")];

/// The remote node, on a machine of its own.
const REMOTE: &str = "rem";

/// No copy of the clone runs there.
const BAN_OF_CLONE: &str = r#"<rsc_location id="p-far" rsc="p-clone" node="rem" score="-INFINITY"/>"#;

/// A cluster without power. In one of three, containers may run on the remote machine too. `is_far`: copies of the clone may run there.
pub fn cluster(fencing: bool, no_quorum_policy: &str, seed: u64, is_far: bool) -> Cluster {
    let bundle_score = if seed % 3 == 2 { "100" } else { "-INFINITY" };
    let mut configuration = configuration(fencing, no_quorum_policy, bundle_score);
    if is_far {
        configuration = configuration.replace(BAN_OF_CLONE, "");
    }
    let configuration = with_failure_timeout(configuration, seed);
    let mut cluster = Cluster::new(&NODES, &configuration, plan, seed);
    cluster.checker.clones = &["p", "q"];
    cluster.promotable = &["p", "q"];
    cluster.fars = vec![Far::new(REMOTE, Site::Machine(false))];
    for (name, _) in GUESTS {
        let hosts = (0..NODES.len()).map(Place::Host).chain([Place::Far(0)]);
        cluster.fars.extend(hosts.map(|host| Far::new(name, Site::NoContainer(host))));
    }
    cluster.power_far(0, true);
    cluster
}

fn configuration(fencing: bool, no_quorum_policy: &str, bundle_score: &str) -> String {
    let nodes: String = NODES
        .iter()
        .enumerate()
        .map(|(idx, name)| format!(r#"<node id="{}" uname="{name}"/>"#, idx + 1))
        .collect();
    let plain = |id: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="heartbeat" type="Dummy"><operations>
            <op id="{id}-monitor" name="monitor" interval="10s" timeout="20s"/></operations></primitive>"#
        )
    };
    let stateful = |id: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Stateful"><operations>
            <op id="{id}-monitor" name="monitor" interval="10s" timeout="20s" role="Unpromoted"/>
            <op id="{id}-promoted" name="monitor" interval="9s" timeout="20s" role="Promoted"/></operations>
            <meta_attributes id="{id}-meta"><nvpair id="{id}-notify" name="notify" value="true"/></meta_attributes>
            </primitive>"#
        )
    };
    format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0">
        <configuration><crm_config><cluster_property_set id="options">
        <nvpair id="options-fencing" name="stonith-enabled" value="{fencing}"/>
        <nvpair id="options-quorum" name="no-quorum-policy" value="{no_quorum_policy}"/>
        </cluster_property_set><cluster_property_set id="writes" score="-1"/></crm_config>
        <nodes>{nodes}</nodes>
        <resources>{}
        <clone id="p-clone"><meta_attributes id="pc"><nvpair id="pc1" name="promotable" value="true"/>
        <nvpair id="pc2" name="notify" value="true"/></meta_attributes>{}</clone>
        <bundle id="B"><podman image="image" replicas="2" promoted-max="1"/><network control-port="3121"/>{}</bundle>
        <primitive id="{REMOTE}" class="ocf" provider="pacemaker" type="remote"><operations>
        <op id="{REMOTE}-monitor" name="monitor" interval="30s" timeout="20s"/></operations></primitive>{}
        <primitive id="fence" class="stonith" type="fence_dummy"/></resources>
        <constraints><rsc_location id="x-far" rsc="x" node="{REMOTE}" score="1000"/>
        <rsc_location id="b-far" rsc="B" node="{REMOTE}" score="{bundle_score}"/>
        {BAN_OF_CLONE}</constraints>
        </configuration><status/></cib>"#,
        plain("r0"),
        stateful("p"),
        stateful("q"),
        plain("x"),
    )
}

impl Story {
    /// Whether the fault made sense now.
    pub(super) fn inject_far(&mut self, fault: Fault) -> bool {
        let cluster = &mut self.cluster;
        let there: Vec<FarIdx> = (0..cluster.fars.len()).filter(|far| cluster.fars[*far].exists()).collect();
        let far =
            if there.is_empty() || cluster.random.chance(20) { 0 } else { *cluster.random.pick(&there) };
        match (fault, cluster.fars[far].site) {
            (Fault::KillContainer, Site::Container(host)) => {
                let name = &cluster.fars[far].name;
                let (_, container) = GUESTS.iter().find(|(guest, _)| guest == name).expect("a guest");
                cluster.crash_resource(host, container);
            }
            (Fault::BreakSession, _) if cluster.fars[far].is_up() => cluster.break_sessions(far),
            (Fault::StallHandshake, _) => {
                let span = cluster.random.between(1, 25) * SECOND;
                cluster.stall(far, span);
            }
            (Fault::RepeatResults, _) => cluster.fars[far].repeats_results = true,
            (Fault::BreakAtWord, _) => cluster.fars[far].breaks_at_word = true,
            (Fault::RestartRemote, _) if cluster.fars[far].is_up() => {
                let away = cluster.random.between(20_000, 5_000_000);
                cluster.restart_far_daemon(far, away);
            }
            (Fault::RemotePower, Site::Machine(is_on)) => cluster.power_far(far, !is_on),
            _ => return false,
        }
        true
    }

    /// Remote machines have power. Those that may have to be fenced are switched off for a while, and confirmed to be off.
    pub(super) fn mend_remotes(&mut self) {
        let cluster = &mut self.cluster;
        for far in &mut cluster.fars {
            (far.stalls_until, far.breaks_at_word) = (0, false);
        }
        for far in 0..cluster.fars.len() {
            let Site::Machine(is_on) = cluster.fars[far].site else { continue };
            if cluster.checker.fencing {
                if is_on {
                    cluster.power_far(far, false);
                }
                cluster.run_until(cluster.now + 20 * SECOND);
                let node = cluster.fars[far].name.clone();
                cluster.ask(0, Call::ConfirmOff { node });
                cluster.run_until(cluster.now + SECOND);
            }
            if cluster.fars[far].site == Site::Machine(false) {
                cluster.power_far(far, true);
            }
            cluster.fars[far].station.agents.failing_starts.clear();
        }
        cluster.run_until(cluster.now + 30 * SECOND);
    }
}

/// What is not as it should be in a cluster at rest, if anything: everything runs, as often as it should, and is monitored
/// where it runs.
pub fn what_is_wrong_at_rest(cluster: &Cluster, is_clone_banned: bool) -> Option<String> {
    let hosts = || cluster.hosts.iter();
    let fars = || cluster.fars.iter();
    let n_copies = if is_clone_banned { 3 } else { 4 };
    let wanted = [("r0", 1), ("x", 1), ("p", n_copies), ("q", 2), (GUESTS[0].1, 1), (GUESTS[1].1, 1)];
    for (resource, n_wanted) in wanted {
        let on_hosts =
            hosts().filter(|host| host.station.agents.active.contains(resource)).map(|host| &host.name);
        let far_away = fars().filter(|far| far.station.agents.active.contains(resource)).map(|far| &far.name);
        let places: Vec<&String> = on_hosts.chain(far_away).collect();
        if places.len() != n_wanted {
            return Some(format!("{resource} is active on {places:?}"));
        }
    }
    for resource in ["p", "q"] {
        let on_hosts =
            hosts().filter(|host| host.station.agents.promoted.contains(resource)).map(|host| &host.name);
        let far_away =
            fars().filter(|far| far.station.agents.promoted.contains(resource)).map(|far| &far.name);
        let places: Vec<&String> = on_hosts.chain(far_away).collect();
        if places.len() != 1 {
            return Some(format!("{resource} is promoted on {places:?}"));
        }
        let agents = hosts().map(|host| (&host.name, &host.station.agents));
        let mut copies = agents.chain(fars().map(|far| (&far.name, &far.station.agents)));
        let is_misled = |name: &str, agents: &Agents| {
            agents.active.contains(resource)
                && agents.follows.get(resource) != Some(places[0])
                && cluster.checker.notices.must_be_known(resource, places[0], name)
        };
        if let Some((name, agents)) = copies.find(|(name, agents)| is_misled(name, agents)) {
            let follows = agents.follows.get(resource);
            return Some(format!("{resource} on {name} follows {follows:?} instead of {}", places[0]));
        }
    }
    let is_unwatched =
        |far: &&Far| far.station.agents.active.iter().any(|resource| !far.station.monitors(resource));
    let unwatched = fars().find(is_unwatched)?;
    Some(format!("something is not monitored on {}", unwatched.name))
}
