//! What `systole explain`, `plan` and `whatif` say, on small clusters: read them as somebody who was woken up would.

mod support;

use support::Place;

const WEB: &str = include_str!("cibs/web.xml");

/// A cluster of three nodes, `a`, `b` and `c`, all up, of which nothing has been probed but what `history` tells.
fn cluster(options: &[(&str, &str)], resources: &str, constraints: &str, status: &str) -> String {
    let options: String = [("fencing-enabled", "false")]
        .iter()
        .chain(options)
        .map(|(name, value)| format!(r#"<nvpair id="o-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    let node = |id: u8, name: &str| {
        let up = r#"in_ccm="true" crmd="online" join="member" expected="member""#;
        (
            format!(r#"<node id="{id}" uname="{name}"/>"#),
            format!(r#"<node_state id="{id}" uname="{name}" {up}/>"#),
        )
    };
    let nodes = [node(1, "a"), node(2, "b"), node(3, "c")];
    let (configured, states): (Vec<String>, Vec<String>) = nodes.into_iter().unzip();
    // A case may say more of a node.
    let states: String = ["1", "2", "3"]
        .iter()
        .zip(&states)
        .filter(|(id, _)| !status.contains(&format!("<node_state id=\"{id}\"")))
        .map(|(_, state)| state.as_str())
        .collect();
    format!(
        r#"<cib validate-with="pacemaker-4.0" have-quorum="1" epoch="1" num_updates="0" admin_epoch="0"><configuration>
        <crm_config><cluster_property_set id="o">{options}</cluster_property_set></crm_config>
        <nodes>{}</nodes><resources>{resources}</resources><constraints>{constraints}</constraints></configuration>
        <status>{states}{status}</status></cib>"#,
        configured.concat()
    )
}

fn dummy(id: &str, inside: &str) -> String {
    format!(r#"<primitive id="{id}" class="ocf" provider="pacemaker" type="Dummy">{inside}</primitive>"#)
}

fn meta(id: &str, name: &str, value: &str) -> String {
    format!(
        r#"<meta_attributes id="{id}-m"><nvpair id="{id}-m-{name}" name="{name}" value="{value}"/></meta_attributes>"#
    )
}

/// Everything that is said, with the command in front.
fn say(cib: &str, commands: &[&str]) -> String {
    let place = Place::new().with_cib(cib);
    let said = commands.iter().map(|command| {
        let outcome = place.sh(command);
        format!("$ {command}\n{}{}", outcome.out, outcome.err)
    });
    let said = said.collect();
    assert_eq!(place.cib_text(), cib, "nothing was changed");
    said
}

#[test]
fn a_resource_banned_everywhere() {
    let ban =
        |node: &str| format!(r#"<rsc_location id="not-{node}" rsc="x" node="{node}" score="-INFINITY"/>"#);
    let bans = ["a", "b"].map(ban).concat();
    let down = r#"<node_state id="3" uname="c" in_ccm="false" crmd="offline" join="down" expected="down"/>"#;
    insta::assert_snapshot!(say(&cluster(&[], &dummy("x", ""), &bans, down), &["systole explain x"]));
}

#[test]
fn a_resource_that_three_things_keep_from_running() {
    let stopped = dummy("x", &meta("x", "target-role", "Stopped"));
    let ban = r#"<rsc_location id="not-a" rsc="x" node="a" score="-INFINITY"/>"#;
    let down = |id, name| {
        format!(
            r#"<node_state id="{id}" uname="{name}" in_ccm="false" crmd="offline" join="down" expected="down"/>"#
        )
    };
    let standby = r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member">
        <transient_attributes id="1"><instance_attributes id="t"><nvpair id="t1" name="standby" value="on"/>
        </instance_attributes></transient_attributes></node_state>"#;
    let states = [standby, &down(2, "b"), &down(3, "c")].concat();
    insta::assert_snapshot!(say(&cluster(&[], &stopped, ban, &states), &["systole explain x --node a"]));
}

#[test]
fn a_resource_that_failed_too_often() {
    let failed = |id: u8, node: &str| {
        format!(
            r#"<node_state id="{id}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member">
            <transient_attributes id="{id}"><instance_attributes id="s{id}"><nvpair id="s{id}-f" name="fail-count-x#start_0"
            value="INFINITY"/></instance_attributes></transient_attributes><lrm id="{id}"><lrm_resources>
            <lrm_resource id="x" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="x_last_failure_0"
            operation_key="x_start_0" operation="start" transition-magic="0:1;1:1:0:n" transition-key="1:1:0:n" call-id="2"
            rc-code="1" op-status="0" interval="0" last-rc-change="1735812000" exit-reason="disk is full"/>
            <lrm_rsc_op id="x_last_0" operation_key="x_stop_0" operation="stop" transition-magic="0:0;2:1:0:n"
            transition-key="2:1:0:n" call-id="3" rc-code="0" op-status="0" interval="0" last-rc-change="1735812001"/>
            </lrm_resource></lrm_resources></lrm></node_state>"#
        )
    };
    let status = [failed(1, "a"), failed(2, "b"), failed(3, "c")].concat();
    let cib = cluster(&[], &dummy("x", ""), "", &status);
    insta::assert_snapshot!(say(&cib, &["systole explain x", "systole explain x --node b"]));
}

#[test]
fn what_waits_for_something_that_is_disabled() {
    let resources = [dummy("db", &meta("db", "target-role", "Stopped")), dummy("web", "")].concat();
    let order = r#"<rsc_order id="db-then-web" first="db" then="web"/>"#;
    insta::assert_snapshot!(say(
        &cluster(&[], &resources, order, ""),
        &["systole explain web", "systole explain db"]
    ));
}

#[test]
fn orders_that_contradict_each_other() {
    let orders = r#"<rsc_order id="db-first" first="db" then="web"/><rsc_order id="web-first" first="web" then="db"/>"#;
    let cib = cluster(&[], &[dummy("db", ""), dummy("web", "")].concat(), orders, "");
    insta::assert_snapshot!(say(
        &cib,
        &[
            "systole explain web",
            "crm_simulate -SQ -x cib.xml",
            "crm_verify -x cib.xml",
            "systole whatif --fail c"
        ]
    ));
}

#[test]
fn a_group_follows_its_first_member() {
    let members = [dummy("ip", ""), dummy("www", &meta("www", "is-managed", "false"))].concat();
    let group = format!(r#"<group id="g">{members}</group>"#);
    insta::assert_snapshot!(say(&cluster(&[], &group, "", ""), &["systole explain g"]));
}

#[test]
fn too_little_capacity() {
    let needs = |id: &str, amount: u8| {
        dummy(
            id,
            &format!(
                r#"<utilization id="{id}-u"><nvpair id="{id}-u-cpu" name="cpu" value="{amount}"/></utilization>"#
            ),
        )
    };
    let cib = cluster(&[("placement-strategy", "utilization")], &needs("big", 4), "", "").replace(
        r#"<node id="1" uname="a"/>"#,
        r#"<node id="1" uname="a"><utilization id="a-u"><nvpair id="a-u-cpu" name="cpu" value="3"/></utilization></node>"#,
    );
    insta::assert_snapshot!(say(&cib, &["systole explain big"]));
}

#[test]
fn a_ticket_quorum_and_maintenance() {
    let ticket = r#"<rsc_ticket id="x-needs-t" rsc="x" ticket="t" loss-policy="stop"/>"#;
    let without_ticket = cluster(&[], &dummy("x", ""), ticket, "");
    let without_quorum =
        cluster(&[], &dummy("x", ""), "", "").replace("have-quorum=\"1\"", "have-quorum=\"0\"");
    let maintained = cluster(&[("maintenance-mode", "true")], &dummy("x", ""), "", "");
    let said = [without_ticket, without_quorum, maintained].map(|cib| say(&cib, &["systole explain x"]));
    insta::assert_snapshot!(said.concat());
}

#[test]
fn opposite_wishes_of_colocated_resources() {
    let resources = [dummy("db", ""), dummy("web", "")].concat();
    let constraints = r#"<rsc_location id="db-on-a" rsc="db" node="a" score="100"/>
        <rsc_location id="web-not-on-a" rsc="web" node="a" score="-INFINITY"/>
        <rsc_colocation id="web-with-db" rsc="web" with-rsc="db" score="INFINITY"/>"#;
    let cib = cluster(&[], &resources, constraints, "");
    insta::assert_snapshot!(say(
        &cib,
        &["systole explain web", "systole explain web --node a", "systole explain db"]
    ));
}

#[test]
fn plans() {
    let commands = [
        "systole plan resource disable vip",
        "systole plan node standby alpha then resource ban vip beta",
        "systole plan 'resource parameter vip ip=192.0.2.77' 'option set maintenance-mode=true'",
        "systole plan resource move db-clone beta --promoted",
        "systole plan node lost beta",
        "systole plan constraint delete vip-not-on-gamma",
        "systole plan crm_resource -r old -m -d target-role",
        "systole resource move vip beta --plan",
        "systole resource disable old --plan",
        "systole resource ban vip --plan --json | grep -c node_change",
        "sed 's/192.0.2.10/192.0.2.11/' cib.xml | systole plan -",
        "systole plan status",
        "systole plan resource disable nope",
        "systole plan",
    ];
    insta::assert_snapshot!(say(WEB, &commands));
}

#[test]
fn losses() {
    let commands = [
        "systole whatif --fail alpha",
        "systole whatif --fail alpha beta",
        "systole whatif --n-minus 2",
        "systole whatif --fail nowhere",
        "systole whatif",
    ];
    insta::assert_snapshot!(say(WEB, &commands));
}

#[test]
fn a_control_plane() {
    let Some(openstack) = systole_reference::folder("openstack") else { return };
    let cib = std::fs::read_to_string(openstack.join("controllers-running.xml")).expect("the CIB is there");
    let commands = [
        "systole explain redis-bundle",
        "systole explain redis-bundle --node overcloud-controller-1",
        "systole explain ip-10.0.0.110 --node overcloud-controller-2",
        "systole plan node standby overcloud-controller-0",
        "systole whatif --fail overcloud-controller-0",
    ];
    insta::assert_snapshot!(say(&cib, &commands));
}

#[test]
fn the_checks_of_crm_resource() {
    let cib = WEB.replace(
        r#"<nvpair id="db-clone-meta_attributes-promotable" name="promotable" value="true"/>"#,
        r#"<nvpair id="db-clone-meta_attributes-promotable" name="promotable" value="true"/>
           <nvpair id="db-clone-meta_attributes-target-role" name="target-role" value="Unpromoted"/>"#,
    );
    let commands = [
        "crm_resource --why",
        "crm_resource -Y -N beta",
        "crm_resource -Y -r vip -N alpha --output-as=xml",
        "crm_resource -Y -r db --output-as=xml",
        "crm_resource -Y -r nope",
    ];
    insta::assert_snapshot!(say(&cib, &commands));
}
