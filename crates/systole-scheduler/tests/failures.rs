//! What follows from failures, delays and changed parameters, as an operation's definition has it.

use systole_cib::model::Cib;
use systole_graph::TransitionGraph;
use systole_scheduler::{schedule, status::recorded_digest};
use systole_types::Timestamp;

const NOW: i64 = 1_750_000_000;
const UUID: &str = "056ce433-e2ba-6e08-eb30-e2f3a33188b8";

/// An entry of the history of `resource` on `node`.
fn entry(resource: &str, id: &str, key: &str, node: &str, rc: i32, more: &str) -> String {
    let mut parts = key.rsplit('_');
    let (interval, operation) = (parts.next().expect("interval"), parts.next().expect("operation"));
    let expected = if operation == "monitor" && interval == "0" { 7 } else { 0 };
    let parameters = [("CRM_meta_timeout", "20000")];
    let digest = recorded_digest(parameters, interval != "0");
    let more = if more.is_empty() { format!(r#"op-digest="{digest}""#) } else { more.to_owned() };
    format!(
        r#"<lrm_rsc_op id="{resource}_{id}" operation_key="{key}" operation="{operation}" crm_feature_set="3.20.2" transition-key="1:1:{expected}:{UUID}" transition-magic="0:{rc};1:1:{expected}:{UUID}" on_node="{node}" call-id="{}" rc-code="{rc}" op-status="0" interval="{interval}" last-rc-change="{}" {more}/>"#,
        if interval == "0" { 1 } else { 2 },
        NOW - 10,
    )
}

fn history(resource: &str, entries: &[String]) -> String {
    format!(
        r#"<lrm_resource id="{resource}" class="ocf" provider="pacemaker" type="Stateful">{}</lrm_resource>"#,
        entries.concat()
    )
}

/// Nodes `a` and `b`, with fencing. What is not said to have been done on a node was probed and not found.
fn graph(resources: &str, on_a: &str, attributes_of_a: &str) -> TransitionGraph {
    let probed = |node: &str| {
        let names: Vec<&str> = ["r", "fence"]
            .into_iter()
            .filter(|name| !on_a.contains(&format!("id=\"{name}\"")) || node == "b")
            .collect();
        let of = |name: &&str| {
            let agent = if *name == "fence" {
                r#"class="stonith" type="fence_dummy""#
            } else {
                r#"class="ocf" provider="pacemaker" type="Stateful""#
            };
            let probe = entry(name, "last_0", &format!("{name}_monitor_0"), node, 7, "");
            format!(r#"<lrm_resource id="{name}" {agent}>{probe}</lrm_resource>"#)
        };
        names.iter().map(of).collect::<String>()
    };
    let state = |id: u32, node: &str, done: &str, attributes: &str| {
        format!(
            r#"<node_state id="{id}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="{id}"><instance_attributes id="s{id}">{attributes}</instance_attributes></transient_attributes><lrm id="{id}"><lrm_resources>{done}{}</lrm_resources></lrm></node_state>"#,
            probed(node)
        )
    };
    let xml = format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="1"><configuration>
        <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="true"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
        <resources>{resources}<primitive id="fence" class="stonith" type="fence_dummy"/></resources>
        <constraints/></configuration><status>{}{}</status></cib>"#,
        state(1, "a", on_a, attributes_of_a),
        state(2, "b", "", ""),
    );
    schedule(&Cib::parse(&xml).expect("well formed").0, Timestamp(NOW)).graph
}

/// Actions on the resource and on nodes: `KEY NODE`, but monitors.
fn actions(graph: &TransitionGraph) -> Vec<String> {
    let actions = graph.synapses.iter().map(|synapse| &synapse.action).filter(|action| {
        let is_ours = action.key.starts_with("r_") || action.key.starts_with("stonith");
        is_ours && !action.key.contains("monitor") && !action.key.contains("notify")
    });
    let mut names: Vec<String> =
        actions.filter_map(|action| Some(format!("{} {}", action.key, action.node.as_ref()?.0))).collect();
    names.sort();
    names
}

#[test]
fn on_fail_says_what_follows_from_a_failed_monitor() {
    for (on_fail, expected) in [
        ("ignore", &[][..]),
        ("block", &[]),
        ("stop", &["r_stop_0 a"]),
        ("restart", &["r_start_0 a", "r_stop_0 a"]),
        ("standby", &["r_start_0 b", "r_stop_0 a"]),
        ("fence", &["r_start_0 b", "stonith-a-reboot a"]),
        // What cannot be understood is as good as not said.
        ("sulk", &["r_start_0 a", "r_stop_0 a"]),
    ] {
        let resource = format!(
            r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"><operations><op id="m" name="monitor" interval="10s" timeout="20s" on-fail="{on_fail}"/></operations></primitive>"#
        );
        let done = history(
            "r",
            &[
                entry("r", "last_0", "r_start_0", "a", 0, ""),
                entry("r", "last_failure_0", "r_monitor_10000", "a", 1, ""),
            ],
        );
        let count = r##"<nvpair id="f" name="fail-count-r#monitor_10000" value="1"/>"##;
        assert_eq!(actions(&graph(&resource, &done, count)), expected, "{on_fail}");
    }
}

#[test]
fn a_failed_promoted_instance_is_demoted_and_promoted_again_if_that_is_wanted() {
    for (on_fail, expected) in [
        ("demote", &["r_demote_0 a", "r_promote_0 a"][..]),
        ("restart", &["r_demote_0 a", "r_promote_0 a", "r_start_0 a", "r_stop_0 a"]),
    ] {
        let resource = format!(
            r#"<clone id="c"><meta_attributes id="cm"><nvpair id="c1" name="promotable" value="true"/><nvpair id="c2" name="clone-max" value="1"/></meta_attributes><primitive id="r" class="ocf" provider="pacemaker" type="Stateful"><operations><op id="m" name="monitor" interval="10s" timeout="20s" role="Promoted" on-fail="{on_fail}"/></operations></primitive></clone>"#
        );
        let done = history(
            "r",
            &[
                entry("r", "last_0", "r_promote_0", "a", 0, ""),
                entry("r", "last_failure_0", "r_monitor_10000", "a", 1, ""),
            ],
        );
        let scores = r##"<nvpair id="f" name="fail-count-r#monitor_10000" value="1"/><nvpair id="p" name="master-r" value="10"/>"##;
        assert_eq!(actions(&graph(&resource, &done, scores)), expected, "{on_fail}");
    }
}

#[test]
fn monitors_begin_after_their_delay_or_at_a_multiple_of_their_interval_since_an_origin() {
    let origin = "2025-06-15T00:00:00Z";
    // 2025-06-15T15:06:40Z is 3,200 seconds before the next full hour.
    for (terms, delay_ms) in [
        (String::new(), None),
        (r#"start-delay="90s""#.to_owned(), Some("90000")),
        (format!(r#"interval-origin="{origin}""#), Some("3200000")),
        (format!(r#"start-delay="7s" interval-origin="{origin}""#), Some("7000")),
        (r#"interval-origin="yesterday""#.to_owned(), None),
    ] {
        let resource = format!(
            r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"><operations><op id="m" name="monitor" interval="1h" timeout="20s" {terms}/></operations></primitive>"#
        );
        let done = history("r", &[entry("r", "last_0", "r_start_0", "a", 0, "")]);
        let graph = graph(&resource, &done, "");
        let monitor = graph.synapses.iter().find(|synapse| &*synapse.action.key == "r_monitor_3600000");
        let monitor = monitor.expect("a monitor is to be begun");
        assert_eq!(monitor.action.meta("start_delay"), delay_ms, "{terms}");
    }
}

#[test]
fn parameters_that_can_be_reloaded_are() {
    let digest = |parameters: &[(&str, &str)]| recorded_digest(parameters.iter().copied(), false);
    let more = format!(
        r#"op-digest="{}" op-force-restart=" state " op-restart-digest="{}""#,
        digest(&[("level", "1"), ("state", "/x")]),
        digest(&[("state", "/x")]),
    );
    for (level, state, expected) in [
        ("1", "/x", &[][..]),
        ("2", "/x", &["r_reload-agent_0 a"]),
        ("1", "/y", &["r_start_0 a", "r_stop_0 a"]),
        ("2", "/y", &["r_start_0 a", "r_stop_0 a"]),
    ] {
        let resource = format!(
            r#"<primitive id="r" class="ocf" provider="pacemaker" type="Stateful"><instance_attributes id="i"><nvpair id="i1" name="level" value="{level}"/><nvpair id="i2" name="state" value="{state}"/></instance_attributes></primitive>"#
        );
        let done = history("r", &[entry("r", "last_0", "r_start_0", "a", 0, &more)]);
        assert_eq!(actions(&graph(&resource, &done, "")), expected, "level {level}, state {state}");
    }
}
