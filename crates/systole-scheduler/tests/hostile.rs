//! CIBs made to hurt, through to the plan: each is planned for, soon, and the plan holds together.

#![expect(clippy::disallowed_methods, reason = "the time it takes is what is tested")]

use std::time::{Duration, Instant};
use systole_cib::{upgrade, verify::verify, xml::Document};
use systole_graph::{Flaw, TransitionGraph, check};
use systole_scheduler::{Overview, Status, schedule};
use systole_types::Timestamp;

/// Far more than any of these takes, also on a busy machine in a build that is not optimized; far less than what running
/// into one of these traps would take.
const LIMIT: Duration = Duration::from_secs(120);

fn plan(name: &str, text: &str) -> TransitionGraph {
    let begin = Instant::now();
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    verify(&document);
    let (cib, _) = upgrade::read(&document);
    let transition = schedule(&cib, Timestamp(1_700_000_000));
    // Orders in a circle are in the graph as they are in the CIB, as with Pacemaker: nothing of them is ever begun.
    let is_bad = |flaw: &&Flaw| matches!(flaw, Flaw::DoubleId(_) | Flaw::MissingInput { .. });
    assert_eq!(check(&transition.graph).iter().find(is_bad), None, "{name}");
    Overview::new(&transition.status);
    let took = begin.elapsed();
    eprintln!("{name}: {took:?}");
    assert!(took < LIMIT, "{name} took {took:?}");
    transition.graph
}

fn cib(resources: &str, constraints: &str) -> String {
    let node = |id: u8| {
        format!(
            "<node_state id='{id}' uname='n{id}' in_ccm='true' crmd='online' join='member' expected='member'><lrm id='{id}'/></node_state>"
        )
    };
    format!(
        "<cib validate-with='none' have-quorum='1'><configuration><crm_config><cluster_property_set id='o'>\
         <nvpair id='o1' name='fencing-enabled' value='false'/></cluster_property_set></crm_config><nodes><node id='1' uname='n1'/>\
         <node id='2' uname='n2'/></nodes><resources>{resources}</resources><constraints>{constraints}</constraints></configuration>\
         <status>{}{}</status></cib>",
        node(1),
        node(2)
    )
}

fn primitive(id: &str) -> String {
    format!("<primitive id='{id}' class='ocf' provider='p' type='t'/>")
}

fn meta(pairs: &[(&str, &str)]) -> String {
    let pairs: String =
        pairs.iter().map(|(name, value)| format!("<nvpair name='{name}' value='{value}'/>")).collect();
    format!("<meta_attributes id='m'>{pairs}</meta_attributes>")
}

#[test]
fn constraints_in_circles_are_planned_for() {
    let ids = ["A", "B", "C"];
    let all: String = ids.map(primitive).concat();
    let pairs = || ids.iter().zip(ids.iter().cycle().skip(1));
    let orders: String = pairs()
        .enumerate()
        .map(|(n, (a, b))| format!("<rsc_order id='o{n}' first='{a}' then='{b}'/>"))
        .collect();
    let colocations: String = pairs()
        .enumerate()
        .map(|(n, (a, b))| format!("<rsc_colocation id='c{n}' rsc='{a}' with-rsc='{b}' score='INFINITY'/>"))
        .collect();
    plan("orders in a circle", &cib(&all, &orders));
    plan("colocations in a circle", &cib(&all, &colocations));
    plan("both", &cib(&all, &(orders + &colocations)));
    plan(
        "with itself",
        &cib(
            &all,
            "<rsc_order id='o' first='A' then='A'/><rsc_colocation id='c' rsc='A' with-rsc='A' score='INFINITY'/>",
        ),
    );
    let group = format!("<group id='g'>{}{}</group>", primitive("A"), primitive("B"));
    plan(
        "a group and its member",
        &cib(
            &group,
            "<rsc_order id='o' first='g' then='A'/><rsc_colocation id='c' rsc='B' with-rsc='g' score='INFINITY'/><rsc_colocation id='d' rsc='g' with-rsc='B' score='-INFINITY'/>",
        ),
    );
    let set = "<resource_set id='s'><resource_ref id='A'/><resource_ref id='A'/><resource_ref id='B'/></resource_set>";
    plan(
        "twice in a set",
        &cib(
            &all,
            &format!(
                "<rsc_order id='o'>{set}{set}</rsc_order><rsc_colocation id='c' score='5'>{set}</rsc_colocation>"
            ),
        ),
    );
}

/// A running resource in the history of a node.
fn running(id: &str, kind: &str) -> String {
    format!(
        "<lrm_resource id='{id}' class='ocf' provider='p' type='{kind}'><lrm_rsc_op id='{id}_start_0' operation='start' \
         interval='0' call-id='1' rc-code='0' op-status='0' transition-key='1:1:0:0'/></lrm_resource>"
    )
}

#[test]
fn what_is_in_a_bundle_and_colocated_with_it_is_planned_for() {
    let bundle = format!(
        "<bundle id='B'>{}<podman image='i' replicas='2'/><network control-port='3121'/>{}</bundle>",
        meta(&[("promotable", "true")]),
        primitive("A")
    );
    let constraint = "<rsc_colocation id='c' rsc='A' with-rsc='B' score='-INFINITY' rsc-role='Promoted' \
                      with-rsc-role='Promoted'/>";
    let host = running("B-podman-0", "podman") + &running("B-0", "remote");
    let host = format!("<lrm id='1'><lrm_resources>{host}</lrm_resources></lrm>");
    let guest = format!(
        "<node_state id='B-0' uname='B-0' remote_node='true'><lrm id='B-0'><lrm_resources>{}</lrm_resources></lrm>\
         </node_state></status>",
        running("A", "t")
    );
    let cib = cib(&bundle, constraint).replace("<lrm id='1'/>", &host).replace("</status>", &guest);
    plan("with its own bundle", &cib);
}

/// Whether a migration would wait for itself is looked for backwards from it: here there are 2^40 ways back.
#[test]
fn a_migration_after_many_stops_in_layers_is_planned_for() {
    const N_LAYERS: usize = 40;
    let layer = |n: usize| [format!("a{n}"), format!("b{n}")];
    let leaving = (0..N_LAYERS).flat_map(layer);
    let capacity = |id: &str| {
        format!("<utilization id='{id}-u'><nvpair id='{id}-c' name='cpu' value='1'/></utilization>")
    };
    let resource = |id: &str, name: &str, value: &str| {
        format!(
            "<primitive id='{id}' class='ocf' provider='p' type='t'>{}<meta_attributes id='{id}-m'>\
             <nvpair id='{id}-n' name='{name}' value='{value}'/></meta_attributes></primitive>",
            capacity(id)
        )
    };
    let mut resources = resource("mover", "allow-migrate", "true");
    let mut histories = String::new();
    for id in leaving {
        resources += &resource(&id, "target-role", "Stopped");
        histories += &running(&id, "t");
    }
    let mut constraints = "<rsc_location id='there' rsc='mover' node='n2' score='100'/>".to_owned();
    for (n, (first, then)) in (1..N_LAYERS)
        .flat_map(|n| {
            layer(n - 1).into_iter().flat_map(move |first| layer(n).map(|then| (first.clone(), then)))
        })
        .enumerate()
    {
        constraints += &format!("<rsc_order id='o{n}' first='{first}' then='{then}'/>");
    }
    let text = cib(&resources, &constraints)
        .replace("<cluster_property_set id='o'>", "<cluster_property_set id='o'><nvpair id='o2' name='placement-strategy' value='utilization'/>")
        .replace("<node id='2' uname='n2'/>", "<node id='2' uname='n2'><utilization id='n2-u'><nvpair id='n2-c' name='cpu' value='90'/></utilization></node>")
        .replace("<lrm id='1'/>", &format!("<lrm id='1'><lrm_resources>{}</lrm_resources></lrm>", running("mover", "t")))
        .replace("<lrm id='2'/>", &format!("<lrm id='2'><lrm_resources>{histories}</lrm_resources></lrm>"));
    let graph = plan("layers", &text);
    assert!(
        graph.synapses.iter().any(|synapse| &*synapse.action.operation == "migrate_to"),
        "it is about a migration"
    );
}

#[test]
fn things_that_contain_themselves_are_planned_for() {
    let remote = |id: &str, name: &str| {
        format!(
            "<primitive id='{id}' class='ocf' provider='p' type='t'>{}</primitive>",
            meta(&[("remote-node", name)])
        )
    };
    plan("a guest of its own name", &cib(&remote("A", "A"), ""));
    plan(
        "guests on guests",
        &cib(
            &(remote("A", "a") + &remote("B", "b")),
            "<rsc_location id='l' rsc='A' node='b' score='INFINITY'/><rsc_location id='k' rsc='B' node='a' score='INFINITY'/>",
        ),
    );
    plan("a guest called as a node", &cib(&remote("A", "n1"), ""));
    let tag = "<tags><tag id='t'><obj_ref id='t'/><obj_ref id='u'/></tag><tag id='u'><obj_ref id='t'/></tag></tags>";
    let tagged = cib(&primitive("A"), "<rsc_location id='l' rsc='t' node='n1' score='5'/>");
    plan("tags in tags", &tagged.replace("</configuration>", &format!("{tag}</configuration>")));
    let template = "<template id='T' template='T' class='ocf' provider='p' type='t'/><primitive id='A' template='A'/><primitive id='B' template='T'/>";
    plan("templates of themselves", &cib(template, ""));
    let container = format!(
        "<primitive id='A' class='ocf' provider='p' type='t'>{}</primitive>",
        meta(&[("container", "A")])
    );
    plan("a container of its own", &cib(&container, ""));
    let twins = primitive("A") + &primitive("A") + &format!("<group id='A'>{}</group>", primitive("A"));
    plan("four of a name", &cib(&twins, "<rsc_order id='o' first='A' then='A'/>"));
}

/// It is to be fenced by stopping what it lives in, which is where it is.
#[test]
fn a_guest_that_lives_in_itself_is_planned_for() {
    let failed = "<lrm_rsc_op id='A_monitor_10000' operation='monitor' interval='10000' call-id='3' rc-code='0' op-status='0' \
                  transition-key='3:-1:0:0' op-digest='0'/>";
    let history = format!("<lrm_resource id='A' class='ocf' provider='p' type='t'>{failed}</lrm_resource>");
    let guest = format!(
        "<node_state id='g' uname='g' remote_node='true' in_ccm='true'><lrm id='g'><lrm_resources>{history}</lrm_resources>\
         </lrm></node_state></status>"
    );
    let container = format!(
        "<primitive id='A' class='ocf' provider='p' type='t'>{}</primitive>",
        meta(&[("remote-node", "g")])
    );
    let cib = cib(&container, "").replace("</status>", &guest);
    plan("a guest in itself", &cib.replace("value='false'", "value='true'"));
}

#[test]
fn numbers_beyond_reason_are_cut() {
    for huge in ["2000000000", "99999999999999999999", "-1"] {
        let clone = meta(&[
            ("clone-max", huge),
            ("clone-node-max", huge),
            ("globally-unique", "true"),
            ("migration-threshold", huge),
            ("resource-stickiness", huge),
            ("priority", huge),
            ("failure-timeout", huge),
        ]);
        plan(
            &format!("clone-max {huge}"),
            &cib(&format!("<clone id='c'>{clone}{}</clone>", primitive("A")), ""),
        );
        let bundle = format!(
            "<bundle id='b'><podman image='i' replicas='{huge}' replicas-per-host='{huge}' promoted-max='{huge}'/><network \
             ip-range-start='255.255.255.250' control-port='{huge}' host-netmask='{huge}'><port-mapping id='p' port='{huge}' \
             range='1-{huge}'/></network>{}</bundle>",
            primitive("A")
        );
        plan(&format!("replicas {huge}"), &cib(&bundle, ""));
        let ops = format!(
            "<primitive id='A' class='ocf' provider='p' type='t'><operations><op id='o' name='monitor' interval='{huge}' \
             timeout='{huge}h' start-delay='{huge}' interval-origin='2020-01-01'/><op id='q' name='start' interval='P{huge}Y'/></operations>\
             </primitive>"
        );
        plan(
            &format!("interval {huge}"),
            &cib(
                &ops,
                &format!(
                    "<rsc_location id='l' rsc='A' node='n1' score='{huge}'/><rsc_colocation id='c' rsc='A' with-rsc='A' score='-{huge}'/>"
                ),
            ),
        );
        let rule = format!(
            "<rsc_location id='l' rsc='A'><rule id='r' score='1' boolean-op='or'><date_expression id='d' operation='in_range' \
             start='{huge}-01-01'><duration id='u' years='{huge}' months='{huge}' weeks='{huge}' seconds='{huge}'/></date_expression>\
             <date_expression id='s' operation='date_spec'><date_spec id='ds' years='{huge}-' hours='-{huge}'/></date_expression>\
             <date_expression id='t' operation='lt' end='2020-01-01T00:00:00+{huge}:00'/></rule></rsc_location>"
        );
        plan(&format!("dates {huge}"), &cib(&primitive("A"), &rule));
        let status = format!(
            "<lrm id='1'><lrm_resources><lrm_resource id='A' class='ocf' provider='p' type='t'><lrm_rsc_op id='A_last_0' \
             operation_key='A_start_0' operation='start' call-id='{huge}' rc-code='{huge}' op-status='{huge}' interval='{huge}' \
             last-rc-change='{huge}' exec-time='{huge}' transition-key='{huge}:{huge}:{huge}:u' transition-magic='{huge}:{huge};{huge}:{huge}:{huge}:u'/>\
             </lrm_resource></lrm_resources></lrm>"
        );
        plan(&format!("history {huge}"), &cib(&primitive("A"), "").replace("<lrm id='1'/>", &status));
    }
}

#[test]
fn a_small_text_asks_for_a_bounded_number_of_instances() {
    let clones: String = (0..40)
        .map(|n| {
            let meta = meta(&[("clone-max", "2000000000"), ("clone-node-max", "2000000000")]);
            let members = primitive(&format!("A{n}")) + &primitive(&format!("B{n}"));
            format!("<clone id='c{n}'>{meta}<group id='g{n}'>{members}</group></clone>")
        })
        .collect();
    let (cib, _) = systole_cib::model::Cib::parse(&cib(&clones, "")).expect("well formed");
    let n = Status::unpack(&cib, Timestamp(1_700_000_000)).iter_resources().count();
    assert!((1_000..=100_200).contains(&n), "{n} resources");
}
