//! What tools list of nodes, resources, their histories and constraints, as Pacemaker's do.

mod support;

use support::Place;

/// Two nodes, the second lost; a group of which only the first member runs; a bundle whose only replica was on the lost node; a ticket that was
/// lost; histories without keys; a scheduler input of long ago.
const CIB: &str = r##"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1" execution-date="1000">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="shutdown-lock" value="true"/>
<nvpair id="o2" name="shutdown-lock-limit" value="1h"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1"/><node id="2" uname="n2"/><node id="b-0" uname="b-0" type="remote"/></nodes><resources>
<group id="g"><primitive id="g1" class="ocf" provider="p" type="t"/><primitive id="g2" class="ocf" provider="p" type="t"/></group>
<clone id="c"><primitive id="i" class="ocf" provider="p" type="t"/></clone>
<bundle id="b"><podman image="x" replicas="1"/><network control-port="9"/><primitive id="in" class="ocf" provider="p" type="t"/></bundle>
<primitive id="l" class="ocf" provider="p" type="t"/><primitive id="r" class="ocf" provider="pacemaker" type="remote"/>
</resources><constraints><rsc_ticket id="k" rsc="g1" ticket="T" loss-policy="fence"/>
<rsc_location id="l1" rsc="b" node="n1" score="5"/>
<rsc_colocation id="x1" rsc="c" with-rsc="g" score="1"/><rsc_colocation id="x2" rsc="l" with-rsc="g" score="1"/>
<rsc_colocation id="x3" rsc="r" with-rsc="c" score="1"/><rsc_colocation id="x4" rsc="r" with-rsc="l" score="1"/>
</constraints></configuration><status>
<node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
<lrm_resource id="g1" class="ocf" provider="p" type="t"><lrm_rsc_op id="g1_last_0" operation="start" call-id="4" rc-code="0" op-status="0" interval="0" exec_time="7" transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u"/>
<lrm_rsc_op id="g1_monitor_9000" operation="monitor" call-id="5" rc-code="1" op-status="0" interval="9000" transition-key="2:1:0:u" transition-magic="0:1;2:1:0:u"/></lrm_resource>
<lrm_resource id="i:0" class="ocf" provider="p" type="t"><lrm_rsc_op id="i:0_last_0" operation_key="i:0_start_0" operation="start" call-id="6" rc-code="0" op-status="0" interval="0" transition-key="3:1:0:u" transition-magic="0:0;3:1:0:u"/></lrm_resource>
<lrm_resource id="l" class="ocf" provider="p" type="t" shutdown-lock="900"/>
</lrm_resources></lrm></node_state>
<node_state id="2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="down"/></status></cib>"##;

fn output(command: &str) -> String {
    let outcome = Place::new().with_cib(CIB).sh(command);
    assert_eq!(outcome.code, 0, "{command}: {outcome:?}");
    outcome.out
}

#[test]
fn nodes_are_listed_by_what_makes_them_nodes() {
    assert_eq!(
        output("crmadmin -N"),
        "cluster node: n1 (1)\ncluster node: n2 (2)\nremote node: r (r)\n",
        "a <node> of type remote is none"
    );
}

#[test]
fn a_resource_by_itself_is_shown_as_its_active_parts() {
    let lines = |id: &str| -> Vec<String> {
        let out = output(&format!("crm_resource -w -r {id}"));
        out.lines().take_while(|line| *line != "Resource XML:").map(str::to_owned).collect()
    };
    assert_eq!(lines("g"), ["g1\t(ocf:p:t):\t FAILED n1"]);
    assert_eq!(lines("c"), ["Started: [ n1 ]"]);
    assert_eq!(lines("b"), ["b-0\t(ocf:p:t):\t Stopped"]);
    assert!(!output("crm_resource -q -r g --output-as=xml").contains("<resource id=\"g2\""));
}

#[test]
fn operations_stand_with_the_state_and_the_name_that_is_written_down() {
    assert_eq!(
        output("crm_resource -O -r g1"),
        "g1\t(ocf:p:t):\t FAILED: g1_last_0 (node=n1, call=4, rc=0): Done\n\
         g1\t(ocf:p:t):\t FAILED: g1_monitor_9000 (node=n1, call=5, rc=1): Done\n"
    );
    assert_eq!(output("crm_resource -O -r i"), "", "its history is called i:0");
    assert!(output("crm_resource -O -r i:0").starts_with("i\t(ocf:p:t):\t Started: i:0_start_0"));
    // The first instance has the history that is called i:1.
    let renumbered = Place::new().with_cib(&CIB.replace("i:0", "i:1"));
    let line = renumbered.sh("crm_resource -O -r i:1").out;
    assert!(line.starts_with("i\t(ocf:p:t):\t Started: i:1_start_0"), "{line}");
    let keyless = CIB.replace("g1_monitor_9000", "former-g1_monitor_9000");
    let line = Place::new().with_cib(&keyless).sh("crm_mon -1").out;
    assert!(line.contains("* former-g1 9s-interval monitor on n1 returned"), "{line}");
    let xml = output("crm_mon --output-as=xml");
    assert!(xml.contains("<failure id=\"g1_monitor_9000\"") && !xml.contains("exec-time"), "{xml}");
}

#[test]
fn a_removed_resource_that_does_not_run_is_not_listed() {
    let cib = CIB.replace("id=\"l\" class=\"ocf\" provider=\"p\" type=\"t\" shutdown-lock=\"900\"/>", r##"id="gone" class="ocf" provider="p" type="t">
        <lrm_rsc_op id="gone_last_0" operation_key="gone_monitor_0" operation="monitor" call-id="9" rc-code="7" op-status="0" interval="0" transition-key="9:1:7:u" transition-magic="0:7;9:1:7:u"/></lrm_resource>"##);
    let outcome = Place::new().with_cib(&cib).sh("crm_resource -L --output-as=xml");
    assert!(cib.contains("gone_last_0") && outcome.code == 0 && !outcome.out.contains("gone"), "{outcome:?}");
}

#[test]
fn a_lost_ticket_counts_where_constraints_are_looked_at() {
    let is_unclean =
        |options: &str| output(&format!("crm_mon -1 {options}")).contains("Node n1: UNCLEAN (online)");
    assert!(!is_unclean(""));
    assert!(is_unclean("-c") && is_unclean("-L"));
    let frozen = Place::new().with_cib(&CIB.replace("loss-policy=\"fence\"", "loss-policy=\"freeze\""));
    let xml = frozen.sh("crm_mon --output-as=xml").out;
    assert!(xml.contains("disabled=\"0\" blocked=\"0\""), "no failure blocks it: {xml}");
}

#[test]
fn what_is_written_of_resources_stands_in_the_list() {
    let cib = CIB.replace("<group id=\"g\">", "<group id=\"g\" description=\"a pair\">");
    let place =
        Place::new().with_cib(&cib.replace("<clone id=\"c\">", "<clone id=\"c\" description=\"many\">"));
    let listed = place.sh("crm_resource -L").out;
    assert!(listed.contains("Resource Group: g (a pair):\n") && listed.contains("[i] (many):\n"), "{listed}");
    assert!(place.sh("crm_resource -L --output-as=xml").out.contains("description=\"a pair\""));
    let shown = |options: &str| place.sh(&format!("crm_mon -1r {options}")).out.contains("(a pair)");
    assert!(!shown("") && shown("--show-description"));
}

#[test]
fn a_template_stands_for_its_resources_in_lists_of_constraints() {
    let template =
        "<template id=\"T\" class=\"ocf\" provider=\"p\" type=\"t\"/><primitive id=\"t1\" template=\"T\"/>";
    let cib = CIB.replace("</resources>", &format!("{template}</resources>"));
    let cib = cib.replace("id=\"x2\" rsc=\"l\" with-rsc=\"g\"", "id=\"x2\" rsc=\"l\" with-rsc=\"T\"");
    let listed = Place::new().with_cib(&cib).sh("crm_resource -a -r l").out;
    assert!(listed.contains("t1 (score=1, id=x2)"), "{listed}");
}

#[test]
fn the_state_of_a_scheduler_input_is_shown_as_of_now() {
    assert!(!output("crm_mon -1r").contains("LOCKED"), "the lock ended an hour after it began");
}

#[test]
fn colocations_are_followed_to_each_resource_once_and_not_into_bundles() {
    let out = output("crm_resource -A -r g");
    assert!(
        out.contains("      * r (score=1, id=x3)\n") && out.contains("      * r (id=x4 - loop)\n"),
        "{out}"
    );
    assert!(output("crm_resource -A -r b").contains("Node n1"));
    assert_eq!(output("crm_resource -A -r in"), "");
}

/// A bundle whose replica was on a node that was lost, with what ran in it.
const LOST_BUNDLE: &str = r##"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1">
<configuration><crm_config/><nodes><node id="1" uname="n1"/><node id="2" uname="n2"/></nodes><resources>
<bundle id="b"><podman image="x" replicas="1"/><network control-port="9"/><primitive id="in" class="ocf" provider="p" type="t"/></bundle>
</resources><constraints/></configuration><status>
<node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="n2" in_ccm="false" crmd="offline" join="down" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="b-podman-0" class="ocf" provider="heartbeat" type="podman"><lrm_rsc_op id="b-podman-0_last_0" operation_key="b-podman-0_start_0" operation="start" call-id="4" rc-code="0" op-status="0" interval="0" transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u"/></lrm_resource>
<lrm_resource id="b-0" class="ocf" provider="pacemaker" type="remote" container="b-podman-0"><lrm_rsc_op id="b-0_last_0" operation_key="b-0_start_0" operation="start" call-id="1" rc-code="0" op-status="0" interval="0" transition-key="2:1:0:u" transition-magic="0:0;2:1:0:u"/></lrm_resource>
</lrm_resources></lrm></node_state>
<node_state id="b-0" uname="b-0" remote_node="true" in_ccm="true" crmd="online"><lrm id="b-0"><lrm_resources>
<lrm_resource id="in" class="ocf" provider="p" type="t"><lrm_rsc_op id="in_last_0" operation_key="in_start_0" operation="start" call-id="4" rc-code="0" op-status="0" interval="0" transition-key="3:1:0:u" transition-magic="0:0;3:1:0:u"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>"##;

#[test]
fn what_is_on_a_guest_that_went_with_its_host_is_not_counted() {
    let out = Place::new().with_cib(LOST_BUNDLE).sh("crm_mon -1 -nb").out;
    let (_, list) = out.split_once("Node List:\n").expect("there are nodes");
    let end = list.find("\n\n").map_or(list, |end| &list[..=end]);
    assert_eq!(
        end,
        "  * GuestNode b-0: OFFLINE:\n    * Resources:\n  * Node n2: UNCLEAN (offline):\n    * Resources:\n      \
         * 1\t(ocf:heartbeat:podman):\tActive \n      * 1\t(ocf:pacemaker:remote):\tActive \n"
    );
}

#[test]
fn old_xml_has_no_declaration() {
    assert!(output("crm_mon --as-xml").starts_with("<crm_mon version="));
}
