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

/// A promotable clone `db-clone` whose instances run on all nodes, unpromoted, with promotion scores 10, 9 and 8.
fn promotable(meta_of_clone: &str, more: &str, constraints: &str) -> String {
    let promotable = meta("db-clone", "promotable", "true");
    let clone =
        format!(r#"<clone id="db-clone">{promotable}{meta_of_clone}{}</clone>{more}"#, dummy("db", ""));
    let state = |(id, node, score): (u8, &str, u8)| {
        format!(
            r#"<node_state id="{id}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member">
            <transient_attributes id="{id}"><instance_attributes id="s{id}"><nvpair id="s{id}-p" name="master-db"
            value="{score}"/></instance_attributes></transient_attributes><lrm id="{id}"><lrm_resources>
            {}</lrm_resources></lrm></node_state>"#,
            started("db")
        )
    };
    let status = [(1, "a", 10), (2, "b", 9), (3, "c", 8)].map(state).concat();
    cluster(&[], &clone, constraints, &status)
}

fn operation(rsc: &str, task: &str, (call, rc): (u8, u8)) -> String {
    format!(
        r#"<lrm_rsc_op id="{rsc}_{task}" operation_key="{rsc}_{task}_0" operation="{task}" transition-magic="0:{rc};1:1:0:n"
        transition-key="1:1:0:n" call-id="{call}" rc-code="{rc}" op-status="0" interval="0" last-rc-change="1735812000" crm_feature_set="3.20.0"
        op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8"/>"#
    )
}

fn history(rsc: &str, operations: &str) -> String {
    format!(
        r#"<lrm_resource id="{rsc}" class="ocf" provider="pacemaker" type="Dummy">{operations}</lrm_resource>"#
    )
}

fn started(rsc: &str) -> String {
    history(rsc, &operation(rsc, "start", (2, 0)))
}

#[test]
fn what_keeps_an_instance_from_being_promoted() {
    let ban = |node: &str| {
        format!(
            r#"<rsc_location id="never-{node}" rsc="db-clone" role="Promoted" node="{node}" score="-INFINITY"/>"#
        )
    };
    let with = r#"<rsc_colocation id="db-with-x" rsc="db-clone" rsc-role="Promoted" with-rsc="x" score="INFINITY"/>"#;
    let stopped = dummy("x", &meta("x", "target-role", "Stopped"));
    let unpromoted = meta("role", "target-role", "Unpromoted");
    let none = meta("none", "promoted-max", "0");
    let said = [
        say(&promotable("", "", &["a", "b", "c"].map(ban).concat()), &["systole explain db-clone"]),
        say(&promotable("", &stopped, with), &["systole explain db-clone"]),
        say(&promotable(&unpromoted, "", ""), &["systole explain db-clone"]),
        say(&promotable("", "", &ban("b")), &["systole explain db-clone --node b"]),
        say(&promotable(&none, "", ""), &["systole explain db-clone --node b"]),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn a_resource_with_the_promoted_instance_of_another() {
    let with = r#"<rsc_colocation id="x-with-db" rsc="x" with-rsc="db-clone" with-rsc-role="Promoted" score="INFINITY"/>"#;
    insta::assert_snapshot!(say(&promotable("", &dummy("x", ""), with), &["systole explain x --node b"]));
}

#[test]
fn a_failed_stop_of_the_last_member_holds_up_the_group() {
    let members = ["x", "y", "z"].map(|id| dummy(id, "")).concat();
    let failed = operation("z", "start", (2, 0)) + &operation("z", "stop", (3, 1));
    let status = format!(
        r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes
        id="1"><instance_attributes id="t"><nvpair id="t1" name="standby" value="on"/></instance_attributes>
        </transient_attributes><lrm id="1"><lrm_resources>{}{}{}</lrm_resources></lrm></node_state>"#,
        started("x"),
        started("y"),
        history("z", &failed)
    );
    let cib = cluster(&[], &format!(r#"<group id="g">{members}</group>"#), "", &status);
    insta::assert_snapshot!(say(&cib, &["systole explain g --no-advice", "systole explain x --node b"]));
}

#[test]
fn a_cause_many_steps_away() {
    let names = ["r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"];
    let first = dummy("r0", &meta("r0", "target-role", "Stopped"));
    let members = first + &names[1..].iter().map(|id| dummy(id, "")).collect::<String>();
    let cib = cluster(&[], &format!(r#"<group id="g">{members}</group>"#), "", "");
    insta::assert_snapshot!(say(&cib, &["systole explain r7"]));
}

#[test]
fn a_must_that_every_node_fulfils() {
    let resources = format!(r#"<clone id="db-clone">{}</clone>{}"#, dummy("db", ""), dummy("x", ""));
    let with = r#"<rsc_colocation id="x-with-db" rsc="x" with-rsc="db-clone" score="INFINITY"/>"#;
    insta::assert_snapshot!(say(&cluster(&[], &resources, with, ""), &["systole explain x --no-advice"]));
}

/// It may run elsewhere than the other: where the attribute has the same value, or where it is promoted.
#[test]
fn a_must_that_names_no_node_is_not_told_as_one_that_does() {
    let rack =
        r#"<rsc_colocation id="by-rack" rsc="x" with-rsc="y" node-attribute="rack" score="INFINITY"/>"#;
    let resources = dummy("x", "") + &dummy("y", "");
    let said = say(&cluster(&[], &resources, rack, ""), &["systole explain x --no-advice"]);
    assert!(!said.contains("may run only where"), "{said}");
    let with = r#"<rsc_colocation id="x-with-db" rsc="x" with-rsc="db-clone" with-rsc-role="Unpromoted" score="INFINITY"/>"#;
    let promotable = meta("db-clone", "promotable", "true");
    let resources =
        format!(r#"<clone id="db-clone">{promotable}{}</clone>{}"#, dummy("db", ""), dummy("x", ""));
    let said = say(&cluster(&[], &resources, with, ""), &["systole explain x --no-advice"]);
    assert!(!said.contains("may run only where"), "{said}");
}

#[test]
fn fewer_copies_than_nodes_as_a_ban_wants_it_call_for_no_advice() {
    let clone = format!(r#"<clone id="c">{}</clone>"#, dummy("x", ""));
    let ban = r#"<rsc_location id="not-a" rsc="c" node="a" score="-INFINITY"/>"#;
    let state = |(id, node): (u8, &str)| {
        format!(
            r#"<node_state id="{id}" uname="{node}" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="{id}">
            <lrm_resources>{}</lrm_resources></lrm></node_state>"#,
            started("x")
        )
    };
    let status = [(2, "b"), (3, "c")].map(state).concat();
    let said = say(&cluster(&[], &clone, ban, &status), &["systole explain c"]);
    assert!(said.contains("not-a") && !said.contains("Nothing was found"), "{said}");
}

/// A location constraint for `x` with one rule.
fn by_rule(id: &str, score: &str, conditions: &str) -> String {
    format!(
        r#"<rsc_location id="{id}" rsc="x"><rule id="{id}-r" score="{score}">{conditions}</rule></rsc_location>"#
    )
}

fn attribute(id: &str, name: &str, operation: &str, value: &str) -> String {
    let value = if value.is_empty() { String::new() } else { format!(r#" value="{value}""#) };
    format!(r#"<expression id="{id}" attribute="{name}" operation="{operation}"{value}/>"#)
}

#[test]
fn rules_about_attributes_are_answered_by_attributes() {
    let x = dummy("x", "");
    let no_disk = by_rule("disk", "-INFINITY", &attribute("e", "disk", "ne", "ssd"));
    let one_disk = |cib: String| {
        cib.replace(
            r#"<node id="3" uname="c"/>"#,
            r#"<node id="3" uname="c"><instance_attributes id="c-a"><nvpair id="c-d" name="disk" value="hdd"/></instance_attributes></node>"#,
        )
    };
    let preferred = by_rule("disk", "INFINITY", &attribute("e", "disk", "eq", "hdd"));
    let either = format!(
        r#"<rule id="in" boolean-op="or">{}{}</rule>"#,
        attribute("e1", "ping", "not_defined", ""),
        attribute("e2", "ping", "lt", "1")
    );
    let ping = by_rule("ping", "-INFINITY", &either);
    let opt_in = [("symmetric-cluster", "false")];
    let allowed = by_rule("allowed", "10", &attribute("e", "rack", "eq", "7"));
    let said = [
        say(&one_disk(cluster(&[], &x, &no_disk, "")), &["systole explain x --node b"]),
        say(&one_disk(cluster(&[], &x, &preferred, "")), &["systole explain x --node b"]),
        say(&cluster(&[], &x, &ping, ""), &["systole explain x --node b"]),
        say(&cluster(&opt_in, &x, &allowed, ""), &["systole explain x --node b"]),
    ];
    insta::assert_snapshot!(said.concat());
}

/// At noon on a Thursday in UTC.
fn at_noon(cib: &str) -> String {
    cib.replacen("<cib ", r#"<cib execution-date="1735819200" "#, 1)
}

#[test]
fn rules_about_dates_are_answered_by_waiting() {
    let x = dummy("x", "");
    let by_day = r#"<date_expression id="d" operation="date_spec"><date_spec id="ds" hours="8-17"/></date_expression>"#;
    let by_night = by_rule("by-night", "-INFINITY", by_day);
    let ends = r##"<rule id="in" boolean-op="and"><expression id="e" attribute="#uname" operation="eq" value="a"/>
        <date_expression id="d" operation="lt" end="2025-01-02 12:30:00Z"/></rule>"##;
    let ban = by_rule("cli-ban-x-on-a", "-INFINITY", ends);
    let said = [
        say(
            &at_noon(&cluster(&[], &x, &by_night, "")),
            &["systole explain x", "systole plan time 2025-01-02T18:00Z"],
        ),
        say(&at_noon(&cluster(&[], &x, &ban, "")), &["systole explain x --node a"]),
        say(&at_noon(&cluster(&[], &x, "", "")), &["systole plan time someday"]),
    ];
    insta::assert_snapshot!(said.concat());
}

#[test]
fn failures_that_expire_are_waited_for() {
    let failed = r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member">
        <transient_attributes id="1"><instance_attributes id="s"><nvpair id="s-f" name="fail-count-x#monitor_10000" value="1"/>
        <nvpair id="s-l" name="last-failure-x#monitor_10000" value="1735819100"/></instance_attributes></transient_attributes>
        <lrm id="1"><lrm_resources><lrm_resource id="x" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op
        id="x_last_failure_0" operation_key="x_monitor_10000" operation="monitor" transition-magic="0:7;1:1:0:n"
        transition-key="1:1:0:n" call-id="3" rc-code="7" op-status="0" interval="10000" last-rc-change="1735819100"/>
        <lrm_rsc_op id="x_last_0" operation_key="x_stop_0" operation="stop" transition-magic="0:0;2:1:0:n"
        transition-key="2:1:0:n" call-id="4" rc-code="0" op-status="0" interval="0" last-rc-change="1735819101"/>
        </lrm_resource></lrm_resources></lrm></node_state>"#;
    let settings = r#"<meta_attributes id="m"><nvpair id="m1" name="migration-threshold" value="1"/><nvpair id="m2"
        name="failure-timeout" value="10min"/></meta_attributes>"#;
    let cib = at_noon(&cluster(&[], &dummy("x", settings), "", failed));
    insta::assert_snapshot!(say(&cib, &["systole explain x --node a"]));
}

#[test]
fn exclusive_discovery_is_told_where_it_allows() {
    let here = r#"<rsc_location id="here" rsc="x" node="a" score="0" resource-discovery="exclusive"/>"#;
    let there = by_rule("there", "0", &attribute("e", "disk", "eq", "ssd"))
        .replace(r#"rsc="x""#, r#"rsc="x" resource-discovery="exclusive""#);
    let cib = cluster(&[], &dummy("x", ""), &format!("{here}{there}"), "");
    insta::assert_snapshot!(say(&cib, &["systole explain x", "systole explain x --node b"]));
}

/// Of a default for OCF agents, one for systemd units, and one without rule that counts less.
#[test]
fn a_meta_attribute_is_known_by_its_element_where_rules_decide() {
    let set = |id: &str, class: &str| {
        format!(
            r#"<meta_attributes id="{id}" score="5"><rule id="{id}-r" boolean-op="and"><rsc_expression id="{id}-e" class="{class}"/></rule>
            <nvpair id="{id}-stay" name="resource-stickiness" value="7"/></meta_attributes>"#
        )
    };
    let any = r#"<meta_attributes id="any"><nvpair id="any-stay" name="resource-stickiness" value="1"/></meta_attributes>"#;
    let defaults = format!(
        "<rsc_defaults>{}{}{any}</rsc_defaults></configuration>",
        set("units", "systemd"),
        set("agents", "ocf")
    );
    let status = format!(
        r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1">
        <lrm_resources>{}</lrm_resources></lrm></node_state>"#,
        started("x")
    );
    let cib = cluster(&[], &dummy("x", ""), "", &status).replace("</configuration>", &defaults);
    let said = say(&cib, &["systole explain x --no-advice"]);
    assert!(said.contains("+7 by resource-stickiness (agents-stay)"), "{said}");
}

#[test]
fn a_bundles_guest_runs_nothing_else() {
    let bundle = format!(
        r#"<bundle id="web"><podman image="web"/><network control-port="3121"/>{}</bundle>"#,
        dummy("httpd", "")
    );
    let cib = cluster(&[], &(dummy("x", "") + &bundle), "", "");
    insta::assert_snapshot!(say(&cib, &["systole explain x --node web-0 --no-advice"]));
}

#[test]
fn what_runs_still_and_is_about_to_stop() {
    let status = format!(
        r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1">
        <lrm_resources>{}</lrm_resources></lrm></node_state>"#,
        started("x")
    );
    let cib = cluster(&[("stop-all-resources", "true")], &dummy("x", ""), "", &status);
    insta::assert_snapshot!(say(&cib, &["systole explain x"]));
}

#[test]
fn several_that_have_to_come_first() {
    let disabled = |id: &str| dummy(id, &meta(id, "target-role", "Stopped"));
    let resources = disabled("d1") + &disabled("d2") + &dummy("x", "");
    let orders = r#"<rsc_order id="o1" first="d1" then="x"/><rsc_order id="o2" first="d2" then="x"/>"#;
    insta::assert_snapshot!(say(&cluster(&[], &resources, orders, ""), &["systole explain x"]));
}

#[test]
fn another_node_is_infinitely_better() {
    let here = r#"<rsc_location id="x-on-b" rsc="x" node="b" score="INFINITY"/>"#;
    insta::assert_snapshot!(say(&cluster(&[], &dummy("x", ""), here, ""), &["systole explain x --node a"]));
}

#[test]
fn a_loss_that_nothing_can_recover_from() {
    let status = format!(
        r#"<node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1">
        <lrm_resources>{}</lrm_resources></lrm></node_state>"#,
        started("x")
    );
    let cib = cluster(&[], &dummy("x", ""), "", &status)
        .replace(r#"name="fencing-enabled" value="false""#, r#"name="fencing-enabled" value="true""#);
    let nobody = cluster(&[], "", "", "").replace(r#"crmd="online""#, r#"crmd="offline""#);
    let said = [
        say(&cib, &["systole whatif --fail a", "systole whatif --n-minus 1"]),
        say(&nobody, &["systole whatif --n-minus 1"]),
    ];
    insta::assert_snapshot!(said.concat());
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
        "crm_resource -Y -V -r vip",
    ];
    insta::assert_snapshot!(say(&cib, &commands));
}

#[test]
fn an_order_of_a_guest_after_what_is_inside_is_told_by_crm_verify() {
    let guest = dummy("vm", &meta("vm", "remote-node", "inner"));
    let order = r#"<rsc_order id="inside-first" first="x" then="vm"/>"#;
    let here = r#"<rsc_location id="x-inside" rsc="x" node="inner" score="INFINITY"/>"#;
    let cib = cluster(&[], &(guest + &dummy("x", "")), &format!("{order}{here}"), "");
    let place = Place::new().with_cib(&cib);
    let outcome = place.sh("crm_verify -x cib.xml -V");
    assert_eq!(outcome.code, 78, "{outcome:?}");
    assert!(
        outcome.err.contains("vm does not wait for x") && outcome.err.contains("inside-first"),
        "{outcome:?}"
    );
    assert_eq!(
        place
            .sh("sed s/first=.x./first=\\'vm\\'/ cib.xml | sed s/then=.vm./then=\\'x\\'/ | crm_verify -p")
            .code,
        0
    );
}

#[test]
fn what_shows_only_in_a_plan_is_told_by_crm_verify() {
    let group = format!("<group id=\"g\">{}{}</group>", dummy("x", ""), meta("g", "ordered", "false"));
    let unique = meta("k", "globally-unique", "true");
    let clone = format!("<clone id=\"k\">{unique}<primitive id=\"x\" class=\"lsb\" type=\"x\"/></clone>");
    let inside = format!("<clone id=\"k\">{}</clone>", dummy("x", ""));
    let on_inside = r#"<rsc_location id="l" rsc="x" node="a" score="1"/>"#;
    let fenced =
        "<operations><op id=\"x-op\" name=\"monitor\" interval=\"10s\" on-fail=\"fence\"/></operations>";
    let lost =
        r#"<node_state id="3" uname="c" in_ccm="false" crmd="offline" join="member" expected="member"/>"#;
    let blind = r#"<node_state id="3" uname="c" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="3">
        <instance_attributes id="t"><nvpair id="t1" name="resource-discovery-enabled" value="false"/></instance_attributes>
        </transient_attributes></node_state>"#;
    let failed = r#"<node_state id="3" uname="c" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="3">
        <instance_attributes id="t"><nvpair id="t1" name="fail-count-x#monitor_10000" value="1"/></instance_attributes>
        </transient_attributes><lrm id="3"><lrm_resources><lrm_resource id="x" class="ocf" provider="pacemaker" type="Dummy">
        <lrm_rsc_op id="x_last_failure_0" operation="monitor" operation_key="x_monitor_10000" interval="10000" call-id="3" rc-code="7"
        op-status="0" transition-key="1:1:0:u" transition-magic="0:7;1:1:0:u"/></lrm_resource></lrm_resources></lrm></node_state>"#;
    let blocked =
        "<operations><op id=\"x-op\" name=\"monitor\" interval=\"10s\" on-fail=\"block\"/></operations>";
    let blocked = format!("{}{blocked}", meta("x", "failure-timeout", "60s"));
    for (resources, constraints, status, element, message) in [
        (dummy("x", &meta("x", "requires", "fencing")), "", "", "primitive id=\"x\"", "fencing is disabled"),
        (group, "", "", "group id=\"g\"", "'ordered' of a group is deprecated"),
        (clone, "", "", "clone id=\"k\"", "ignoring 'globally-unique'"),
        (inside.clone(), on_inside, "", "rsc_location id=\"l\"", "'x' is no resource or tag"),
        (dummy("x", fenced), "", "", "op id=\"x-op\"", "taking 'on-fail' for 'stop'"),
        (dummy("x", ""), "", blind, "node id=\"3\"", "ignoring 'resource-discovery-enabled'"),
        (dummy("x", &blocked), "", failed, "primitive id=\"x\"", "ignoring 'failure-timeout'"),
    ] {
        let place = Place::new().with_cib(&cluster(&[], &resources, constraints, status));
        let outcome = place.sh("crm_verify -V -x cib.xml");
        let told = outcome.err.lines().any(|line| line.contains(element) && line.contains(message));
        assert!(outcome.code == 78 && told, "{message}: {outcome:?}");
    }
    let promotable = meta("k", "promotable", "true");
    let promotable =
        format!("<clone id=\"k\">{promotable}<primitive id=\"x\" class=\"lsb\" type=\"x\"/></clone>");
    let pattern = r#"<rsc_location id="l" rsc-pattern="[" node="a" score="1"/>"#;
    let stop = |on_fail: &str| {
        format!(
            "<operations><op id=\"x-op\" name=\"stop\" interval=\"0\" on-fail=\"{on_fail}\"/></operations>"
        )
    };
    let running = |key: &str| {
        format!(
            r#"<node_state id="3" uname="c" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="3"><lrm_resources>
            <lrm_resource id="x" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="x_last_0" operation="start"
            operation_key="x_start_0" interval="0" call-id="3" rc-code="0" op-status="0" {key}/></lrm_resource></lrm_resources></lrm></node_state>"#
        )
    };
    let key = r#"transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u""#;
    for (resources, constraints, status, code, message) in [
        (promotable, "", String::new(), 78, "<clone id=\"k\">: ignoring the resource"),
        (dummy("x", ""), pattern, String::new(), 78, "is no pattern"),
        (dummy("x", &stop("standby")), "", String::new(), 0, "'standby' is not allowed for stop"),
        (dummy("x", &stop("standby")), "", running(key), 78, "'standby' is not allowed for stop"),
        (dummy("x", ""), "", running(key), 0, ""),
        (dummy("x", ""), "", running(""), 78, "what was expected of x_last_0"),
    ] {
        let outcome = Place::new()
            .with_cib(&cluster(&[], &resources, constraints, &status))
            .sh("crm_verify -V -x cib.xml");
        assert!(outcome.code == code && outcome.err.contains(message), "{message}: {outcome:?}");
    }
    // Nobody may fence without quorum.
    let device = r#"<primitive id="f" class="stonith" type="fence_x"/>"#;
    let unclean = cluster(&[], device, "", lost).replace("have-quorum=\"1\"", "have-quorum=\"0\"");
    let unclean = unclean
        .replace("name=\"fencing-enabled\" value=\"false\"", "name=\"fencing-enabled\" value=\"true\"");
    let outcome = Place::new().with_cib(&unclean).sh("crm_verify -V -x cib.xml");
    let told = outcome.err.contains("<node id=\"3\">: c is unclean, but cannot be fenced");
    assert!(outcome.code == 78 && told, "{outcome:?}");
    let fine = cluster(&[], &inside, "", "");
    assert_eq!(Place::new().with_cib(&fine).sh("crm_verify -V -x cib.xml").code, 0);
}

/// crmsh asks so before it commits, and gives up at any exit code but 0 and 1.
#[test]
fn what_is_only_deprecated_does_not_keep_crmsh_from_committing() {
    let cib = cluster(&[("stonith-timeout", "60s")], "", "", "");
    let place = Place::new().with_cib(&cib);
    for (command, code) in [
        ("crm_verify -x cib.xml", 78),
        ("crm_verify -VV -x cib.xml", 78),
        ("crm_verify -V -p < cib.xml", 78),
        ("crm_verify -VV -p --output-as=xml < cib.xml", 78),
        ("crm_verify -VV -p < cib.xml", 0),
        ("sed s/60s/soon/ cib.xml | crm_verify -VV -p", 78),
    ] {
        assert_eq!(place.sh(command).code, code, "{command}");
    }
    let said = place.sh("crm_verify -VV -p < cib.xml").err;
    assert!(said.starts_with("warning: ") && said.ends_with("it is 'fencing-timeout' now\n"), "{said}");
    assert_eq!(said.lines().count(), 1, "every line but the first would be shown as an error: {said}");
}
