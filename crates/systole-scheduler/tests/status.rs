//! What is true: rules of the first phase, each on the smallest cluster that shows it.

use std::time::Duration;
use systole_cib::model::Cib;
use systole_scheduler::{
    Overview, Status,
    placement::{Detail, assign_in_detail},
    schedule,
    status::Kind,
};
use systole_types::{Role, Timestamp};

const NOW: Timestamp = Timestamp(1_000_000);

fn cib(options: &str, nodes: &str, resources: &str, states: &str) -> Cib {
    constrained(options, nodes, resources, "", states)
}

fn constrained(options: &str, nodes: &str, resources: &str, constraints: &str, states: &str) -> Cib {
    let text = format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1"><configuration>
<crm_config><cluster_property_set id="cib-bootstrap-options">{options}</cluster_property_set></crm_config>
<nodes>{nodes}</nodes><resources>{resources}</resources><constraints>{constraints}</constraints></configuration>
<status>{states}</status></cib>"#
    );
    Cib::parse(&text).expect("well formed").0
}

fn option(name: &str, value: &str) -> String {
    format!(r#"<nvpair id="opt-{name}" name="{name}" value="{value}"/>"#)
}

fn node(id: u32) -> String {
    format!(r#"<node id="{id}" uname="node{id}"/>"#)
}

fn online(id: u32, histories: &str) -> String {
    format!(
        r#"<node_state id="{id}" uname="node{id}" in_ccm="true" crmd="online" join="member" expected="member">
<lrm id="{id}"><lrm_resources>{histories}</lrm_resources></lrm></node_state>"#
    )
}

/// A history of `rsc`: operations as `TASK:INTERVAL_MS:EXPECTED:RC`, the first being the oldest.
fn history(rsc: &str, operations: &[&str]) -> String {
    let mut text = format!(r#"<lrm_resource id="{rsc}" class="ocf" provider="pacemaker" type="Stateful">"#);
    for (call, operation) in operations.iter().enumerate() {
        let parts: Vec<&str> = operation.split(':').collect();
        let &[task, interval, expected, rc] = parts.as_slice() else { panic!("{operation}") };
        let (status, call) = if rc == "193" { ("-1", -1) } else { ("0", call as i64 + 1) };
        text += &format!(
            r#"<lrm_rsc_op id="{rsc}_{task}_{interval}_{call}" operation_key="{rsc}_{task}_{interval}" operation="{task}"
 interval="{interval}" call-id="{call}" rc-code="{rc}" op-status="{status}" on_node="node1" last-rc-change="900000"
 transition-key="1:1:{expected}:u" transition-magic="{status}:{rc};1:1:{expected}:u"/>"#
        );
    }
    text + "</lrm_resource>"
}

#[test]
fn a_history_adds_up_to_a_role() {
    let primitive = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/>"#;
    for (operations, role, failed) in [
        (&["monitor:0:7:7"][..], Role::Stopped, false),
        (&["monitor:0:7:0"], Role::Started, false),
        (&["monitor:0:7:8"], Role::Promoted, false),
        (&["start:0:0:0"], Role::Started, false),
        (&["start:0:0:0", "monitor:10000:0:0"], Role::Started, false),
        (&["start:0:0:0", "monitor:10000:0:7"], Role::Started, true),
        (&["start:0:0:0", "monitor:10000:0:190"], Role::Started, false),
        (&["start:0:0:0", "monitor:10000:0:7", "stop:0:0:0"], Role::Stopped, false),
        (&["start:0:0:0", "stop:0:0:0", "start:0:0:1"], Role::Started, true),
        (&["start:0:0:0", "stop:0:0:0", "start:0:0:193"], Role::Started, false),
        (&["start:0:0:0", "promote:0:0:0"], Role::Promoted, false),
        (&["start:0:0:0", "promote:0:0:0", "demote:0:0:0"], Role::Unpromoted, false),
        (&["start:0:0:0", "monitor:10000:8:9"], Role::Promoted, true),
    ] {
        let options = option("fencing-enabled", "false");
        let cib = cib(&options, &node(1), primitive, &online(1, &history("r", operations)));
        let status = Status::unpack(&cib, NOW);
        let rsc = status.rsc(status.find_resource("r").expect("configured"));
        assert_eq!((rsc.role, rsc.failed), (role, failed), "{operations:?}");
        assert_eq!(rsc.is_active(), role > Role::Stopped, "{operations:?}");
    }
}

#[test]
fn a_failed_stop_blocks_the_resource_or_fences_its_node() {
    let resources = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>
<primitive id="f" class="stonith" type="fence_lab"/>"#;
    for (fencing, blocked, unclean) in [("false", true, false), ("true", false, true)] {
        let states = online(1, &history("r", &["start:0:0:0", "stop:0:0:1"]));
        let cib = cib(&option("fencing-enabled", fencing), &node(1), resources, &states);
        let status = Status::unpack(&cib, NOW);
        let rsc = status.rsc(status.find_resource("r").expect("configured"));
        assert_eq!((rsc.blocked, status.nodes[0].unclean), (blocked, unclean), "fencing-enabled={fencing}");
        let reasons: Vec<&str> = status.fencing.iter().map(|request| &*request.reason).collect();
        assert_eq!(reasons, if unclean { vec!["r failed there"] } else { vec![] });
    }
}

#[test]
fn membership_says_whether_a_node_is_up_coming_up_or_to_be_fenced() {
    for (member, controller, join, expected, (online, pending, unclean)) in [
        ("true", "online", "member", "member", (true, false, false)),
        ("999000", "999000", "member", "member", (true, false, false)),
        ("0", "0", "down", "down", (false, false, false)),
        ("false", "offline", "down", "member", (false, false, true)),
        ("true", "offline", "down", "member", (true, false, true)),
        ("true", "online", "pending", "member", (true, true, false)),
        ("true", "offline", "down", "down", (true, true, false)),
        ("true", "online", "banned", "member", (true, false, true)),
    ] {
        let state = format!(
            r#"<node_state id="1" uname="node1" in_ccm="{member}" crmd="{controller}" join="{join}" expected="{expected}"/>"#
        );
        let cib = cib("", &node(1), "", &state);
        let status = Status::unpack(&cib, NOW);
        let node = &status.nodes[0];
        assert_eq!((node.online, node.pending, node.unclean), (online, pending, unclean), "{state}");
    }
}

#[test]
fn a_node_never_seen_is_fenced_unless_startup_fencing_is_off() {
    for (startup_fencing, unclean) in [("true", true), ("false", false)] {
        let cib = cib(&option("startup-fencing", startup_fencing), &node(1), "", "");
        assert_eq!(Status::unpack(&cib, NOW).nodes[0].unclean, unclean);
    }
}

#[test]
fn failures_are_outdated_after_their_timeout() {
    let meta =
        r#"<meta_attributes id="m"><nvpair id="t" name="failure-timeout" value="1000s"/></meta_attributes>"#;
    let resources =
        format!(r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy">{meta}</primitive>"#);
    let attributes = r#"<transient_attributes id="1"><instance_attributes id="a">
<nvpair id="c" name="fail-count-r#monitor_10000" value="2"/>
<nvpair id="l" name="last-failure-r#monitor_10000" value="900000"/></instance_attributes></transient_attributes>"#;
    let states = online(1, &history("r", &["start:0:0:0", "monitor:10000:0:7"]));
    let states = states.replace("</lrm></node_state>", &format!("</lrm>{attributes}</node_state>"));
    let cib = cib(&option("fencing-enabled", "false"), &node(1), &resources, &states);
    for (now, is_outdated) in [(900_500, false), (950_000, true)] {
        let status = Status::unpack(&cib, Timestamp(now));
        let rsc = status.rsc(status.find_resource("r").expect("configured"));
        assert_eq!(
            (rsc.failed, status.clear_fail_counts.len()),
            (!is_outdated, usize::from(is_outdated)),
            "at {now}"
        );
    }
    assert_eq!(Status::unpack(&cib, Timestamp(900_500)).recheck.earliest(), Some(Timestamp(901_001)));
}

/// `#default` takes back what sets of higher precedence say: the operation's own attributes too, if it is among the defaults.
#[test]
fn defaults_can_take_back_what_an_operation_says() {
    let set = |id: &str, value: &str| {
        format!(
            r#"<meta_attributes id="{id}"><nvpair id="{id}-t" name="timeout" value="{value}"/></meta_attributes>"#
        )
    };
    for (attribute, own, defaults, seconds) in [
        (r#"timeout="9s""#, String::new(), set("d", "7s"), 9),
        (r#"timeout="9s""#, String::new(), set("d", "#default"), 20),
        ("", set("m", "8s"), set("d", "#default"), 20),
        (r#"timeout="9s""#, set("m", "#default"), String::new(), 9),
        ("", set("m", "8s"), set("d", "7s"), 8),
    ] {
        let op = format!(r#"<op id="o" name="start" interval="0s" {attribute}>{own}</op>"#);
        let resources = format!(
            r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"><operations>{op}</operations></primitive>"#
        );
        let mut with_defaults = cib("", &node(1), &resources, "");
        with_defaults.operation_defaults = defaults_of(&defaults);
        let status = Status::unpack(&with_defaults, NOW);
        let rsc = status.find_resource("r").expect("configured");
        let timeout = status.op_meta(rsc, "start", Duration::ZERO).timeout;
        assert_eq!(timeout, Duration::from_secs(seconds), "{attribute} {own} {defaults}");
    }
}

fn defaults_of(sets: &str) -> Vec<systole_cib::model::AttributeSet> {
    let text = format!("<cib><configuration><op_defaults>{sets}</op_defaults></configuration></cib>");
    Cib::parse(&text).expect("well formed").0.operation_defaults
}

#[test]
fn parents_take_back_what_they_say_themselves_and_defaults_what_anybody_says() {
    let set = |id: &str, values: &[(u32, &str)]| -> String {
        let sets = values.iter().map(|(score, value)| {
            format!(
                r#"<meta_attributes id="{id}{score}" score="{score}"><nvpair id="{id}{score}-p" name="priority"
                value="{value}"/></meta_attributes>"#
            )
        });
        sets.collect()
    };
    const BACK: &str = "#default";
    for (own, group, clone, defaults, priority) in [
        (&[(0, "1")][..], &[(0, BACK)][..], &[][..], &[][..], 1),
        (&[(0, "1")], &[], &[(0, BACK)], &[], 1),
        (&[(0, "1")], &[], &[], &[(0, BACK)], 0),
        (&[], &[(0, BACK)], &[(0, "5")], &[], 5),
        (&[], &[(0, "3")], &[(0, BACK)], &[], 3),
        (&[(9, "1"), (0, BACK)], &[], &[], &[], 0),
        (&[], &[(0, "3")], &[], &[(0, BACK)], 0),
        (&[], &[(9, "3"), (0, BACK)], &[(0, "5")], &[], 5),
    ] {
        let resources = format!(
            r#"<clone id="c"><group id="g"><primitive id="p" class="ocf" provider="pacemaker" type="Dummy">{}</primitive>{}
            </group>{}</clone>"#,
            set("own", own),
            set("group", group),
            set("clone", clone)
        );
        let mut cib = cib("", &node(1), &resources, &online(1, ""));
        cib.resource_defaults = defaults_of(&set("defaults", defaults));
        let status = Status::unpack(&cib, NOW);
        let member = status.resources.iter().find(|rsc| rsc.is_primitive()).expect("a member");
        assert_eq!(member.meta.priority.value(), priority, "{own:?} {group:?} {clone:?} {defaults:?}");
    }
}

#[test]
fn histories_without_number_get_an_instance_each_and_those_beyond_the_maximum_are_removed() {
    let clone = r#"<clone id="c"><meta_attributes id="m"><nvpair id="x" name="clone-max" value="2"/></meta_attributes>
<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></clone>"#;
    let nodes: String = (1..=3).map(node).collect();
    let states: String = (1..=3).map(|id| online(id, &history("r", &["start:0:0:0"]))).collect();
    let cib = cib(&option("fencing-enabled", "false"), &nodes, clone, &states);
    let status = Status::unpack(&cib, NOW);
    let clone = status.rsc(status.find_resource("c").expect("configured"));
    let found: Vec<String> = clone
        .children
        .iter()
        .map(|&instance| {
            let rsc = status.rsc(instance);
            let at: Vec<&str> = rsc.running_on.iter().map(|&node| status.node(node).name.as_str()).collect();
            format!("{} on {}{}", rsc.id, at.join(","), if rsc.removed.is_some() { ", removed" } else { "" })
        })
        .collect();
    assert_eq!(found, ["r:0 on node1", "r:1 on node2", "r:2 on node3, removed"]);
}

#[test]
fn a_bundle_expands_to_containers_addresses_connections_and_a_clone() {
    let bundle = r#"<bundle id="b"><podman image="img" replicas="2" options="--user=root"/>
<network ip-range-start="10.0.0.254" host-interface="eth0"><port-mapping id="p" port="80"/></network>
<storage><storage-mapping id="s" source-dir-root="/var/log/b" target-dir="/var/log" options="rw"/></storage>
<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></bundle>"#;
    let cib = cib("", &node(1), bundle, "");
    let status = Status::unpack(&cib, NOW);
    let names: Vec<&str> = status.resources.iter().map(|rsc| rsc.id.as_str()).collect();
    let expected = "b b-clone r:0 r:1 b-podman-0 b-ip-10.0.0.254 b-0 b-podman-1 b-ip-10.0.1.1 b-1";
    assert_eq!(names.join(" "), expected);
    let container = status.find_resource("b-podman-1").expect("made for replica 1");
    let options = " -h b-1 -e PCMK_stderr=1 -e PCMK_remote_port=3121 -v /var/log/b/b-1:/var/log:rw \
                   -v /etc/pacemaker/authkey:/etc/pacemaker/authkey -p 10.0.1.1:80:80 -p 10.0.1.1:3121:3121 \
                   --user=root  --add-host=b-0:10.0.0.254 --add-host=b-1:10.0.1.1";
    assert_eq!(status.parameters(container, None).get("run_opts").map(|text| &**text), Some(options));
    assert_eq!(
        status.parameters(container, None).get("mount_points").map(|text| &**text),
        Some("/var/log/b/b-1")
    );
    let node = status.find_node("b-1").expect("a guest node");
    assert!(status.node(node).is_bundle());
}

#[test]
fn containers_of_an_agentless_bundle_are_said_to_be_so_and_nothing_else_changes() {
    let graph = |meta: &str, primitive: &str| {
        let bundle = format!(
            r#"<bundle id="b">{meta}<podman image="img" replicas="1" run-command="/idle"/><network control-port="3121"/>
{primitive}</bundle>"#
        );
        let cib = cib(&option("stonith-enabled", "false"), &node(1), &bundle, &online(1, ""));
        systole_graph::write_graph(&systole_scheduler::schedule(&cib, NOW).graph)
    };
    let meta =
        r#"<meta_attributes id="m"><nvpair id="m-a" name="agentless" value="true"/></meta_attributes>"#;
    let primitive = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let (plain, agentless) = (graph("", primitive), graph(meta, primitive));
    let mark = r#" CRM_meta_agentless="true""#;
    // Its probe, its start and its monitor.
    assert_eq!(agentless.matches(mark).count(), 3);
    assert_eq!(agentless.replace(mark, ""), plain);
    assert_eq!(graph(meta, ""), graph("", ""), "there is nothing to run in there");
}

#[test]
fn a_bundle_that_nobody_could_reach_is_left_out() {
    let bundle = r#"<bundle id="b"><podman image="img"/><primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></bundle>
<primitive id="after" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let cib = cib("", &node(1), bundle, "");
    let status = Status::unpack(&cib, NOW);
    assert_eq!(status.resources.len(), 1);
    assert!(matches!(
        status.rsc(status.find_resource("after").expect("configured")).kind,
        Kind::Primitive(_)
    ));
}

#[test]
fn a_resource_that_was_removed_is_known_by_its_history() {
    let states = online(1, &history("gone", &["start:0:0:0"]));
    let cib = cib(&option("fencing-enabled", "false"), &node(1), "", &states);
    let status = Status::unpack(&cib, NOW);
    let rsc = status.rsc(status.find_resource("gone").expect("made from its history"));
    assert!(rsc.removed.is_some() && rsc.is_active());
    let overview = Overview::new(&status);
    assert!(overview.resources[0].flags.removed);
    assert_eq!(overview.summary.n_instances, 1);
}

#[test]
fn numbers_beyond_reason_do_no_harm() {
    let clone = r#"<clone id="c"><meta_attributes id="m"><nvpair id="x" name="clone-max" value="99999999999"/>
<nvpair id="y" name="failure-timeout" value="99999999999999999999h"/></meta_attributes>
<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></clone>
<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="n">
<nvpair id="z" name="container" value="b"/></meta_attributes></primitive>
<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="o">
<nvpair id="w" name="container" value="a"/></meta_attributes></primitive>"#;
    let histories = history("r", &["start:0:0:1"]) + &history("a", &["start:0:0:1", "stop:0:0:1"]);
    let states = online(1, &histories).replace("900000", "9223372036854775807");
    let cib = cib("", &node(1), clone, &states);
    let status = Status::unpack(&cib, NOW);
    let clone = status.rsc(status.find_resource("c").expect("configured"));
    assert_eq!(clone.children.len(), 1_000);
    assert!(status.notes.iter().any(|note| note.to_string().contains("more than can be planned")));
    let a = status.find_resource("a").expect("configured");
    let node = status.find_node("node1").expect("configured");
    status.fail_count(a, node, systole_scheduler::status::Failures::EffectiveWithContained);
}

#[test]
fn of_two_second_halves_of_a_migration_none_counts() {
    let primitive = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/>"#;
    let ends = r#" migrate_source="node1" migrate_target="node2" on_node="#;
    let migrated = |operations: &[&str]| history("r", operations).replace(" on_node=", ends);
    for (on_target, n_running, n_dangling) in
        [(&["migrate_from:0:0:0"][..], 1, 1), (&["migrate_from:0:0:0"; 2], 2, 0)]
    {
        let states = online(1, &migrated(&["migrate_to:0:0:0"])) + &online(2, &migrated(on_target));
        let cib = cib(&option("fencing-enabled", "false"), &(node(1) + &node(2)), primitive, &states);
        let status = Status::unpack(&cib, NOW);
        let rsc = status.rsc(status.find_resource("r").expect("configured"));
        let found = (rsc.running_on.len(), rsc.dangling_migrations.len());
        assert_eq!(found, (n_running, n_dangling), "{on_target:?}");
    }
}

#[test]
fn a_ban_from_everywhere_does_not_reach_nodes_that_a_later_history_brings() {
    let group =
        r#"<group id="g"><primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/></group>"#;
    let guest = history("guest", &["monitor:10000:0:0"]).replace("Stateful", "remote");
    let states = online(1, &(history("r", &["start:0:0:6"]) + &guest));
    let cib = cib(&option("fencing-enabled", "false"), &node(1), group, &states);
    let status = Status::unpack(&cib, NOW);
    assert!(status.find_node("guest").is_some());
    let placement = assign_in_detail(&status, Detail::Scores);
    let lines = placement.scores.iter().filter(|line| line.is_score()).map(|line| line.text(&status));
    let banned: Vec<String> = lines.filter(|line| line.contains("-INFINITY")).collect();
    assert!(banned.iter().any(|line| line.contains("r allocation score on node1")), "{banned:?}");
    assert!(!banned.iter().any(|line| line.contains(" r allocation score on guest")), "{banned:?}");
}

#[test]
fn nodes_where_a_clone_is_not_looked_for_are_available_only_if_nothing_is_looked_for() {
    let clone = r#"<clone id="c"><meta_attributes id="m"><nvpair id="n" name="notify" value="true"/></meta_attributes>
<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/></clone>"#;
    let exclusive =
        r#"<rsc_location id="l" rsc="c" node="node1" score="-INFINITY" resource-discovery="exclusive"/>"#;
    let states = online(1, &history("r", &["start:0:0:0"])) + &online(2, "");
    for (probes, expected) in [("true", "node1"), ("false", "node1 node2")] {
        let options = option("fencing-enabled", "false") + &option("enable-startup-probes", probes);
        let cib = constrained(&options, &(node(1) + &node(2)), clone, exclusive, &states);
        let graph = schedule(&cib, NOW).graph;
        let attributes = graph.synapses.iter().flat_map(|synapse| synapse.action.attributes.iter());
        let available: Vec<&str> = attributes
            .filter(|(name, _)| &***name == "CRM_meta_notify_available_uname")
            .map(|(_, value)| &**value)
            .collect();
        assert!(!available.is_empty() && available.iter().all(|nodes| *nodes == expected), "{available:?}");
    }
}

#[test]
fn a_date_among_a_fence_devices_parameters_counts_for_when_to_look_again() {
    let device = |class: &str| {
        format!(
            r#"<primitive id="r" class="{class}" type="fence_dummy"><instance_attributes id="i">
<rule id="u"><date_expression id="d" operation="lt" end="2030-01-01 00:00:00Z"/></rule></instance_attributes></primitive>"#
        )
    };
    for (class, expected) in [("stonith", Some("1893456000")), ("lsb", None)] {
        let cib = cib("", &node(1), &device(class), &online(1, ""));
        let graph = schedule(&cib, NOW).graph;
        let found = graph.properties.iter().find(|(name, _)| &**name == "recheck-by");
        assert_eq!(found.map(|(_, value)| &**value), expected, "{class}");
    }
}

#[test]
fn a_monitor_makes_up_for_a_failure_of_the_same_key_or_without_keys_of_the_same_id() {
    let primitive = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"/>"#;
    let operations = history("r", &["monitor:10000:0:7", "monitor:10000:0:0"]);
    let without_keys = operations.replace(r#" operation_key="r_monitor_10000""#, "");
    assert_ne!(operations, without_keys);
    for (operations, failed) in [(operations, false), (without_keys, true)] {
        let cib = cib(&option("fencing-enabled", "false"), &node(1), primitive, &online(1, &operations));
        let status = Status::unpack(&cib, NOW);
        let rsc = status.find_resource("r").expect("configured");
        assert_eq!(status.rsc(rsc).failed, failed, "{operations}");
    }
}
