//! Where resources are placed: the rules of Pacemaker Explained as small clusters.
//!
//! A case is a CIB in short hand: nodes, resources and constraints as XML, and what runs where.

use systole_cib::model::Cib;
use systole_scheduler::{
    Status,
    placement::{Placement, assign},
};
use systole_types::{LocalTime, Role, Timestamp};

/// Nodes `a`, `b` and `c`, without fencing.
struct Cluster {
    options: Vec<(&'static str, &'static str)>,
    node_attributes: Vec<(&'static str, &'static str, &'static str)>,
    resources: String,
    constraints: String,
    running: Vec<(&'static str, &'static str)>,
}

fn cluster(resources: &str) -> Cluster {
    Cluster {
        options: vec![("stonith-enabled", "false")],
        node_attributes: Vec::new(),
        resources: resources.to_owned(),
        constraints: String::new(),
        running: Vec::new(),
    }
}

impl Cluster {
    fn option(mut self, name: &'static str, value: &'static str) -> Self {
        self.options.push((name, value));
        self
    }

    fn attribute(mut self, node: &'static str, name: &'static str, value: &'static str) -> Self {
        self.node_attributes.push((node, name, value));
        self
    }

    fn constraints(mut self, xml: &str) -> Self {
        self.constraints.push_str(xml);
        self
    }

    fn running(mut self, resource: &'static str, node: &'static str) -> Self {
        self.running.push((resource, node));
        self
    }

    fn xml(&self) -> String {
        let pair = |(i, (name, value)): (usize, &(&str, &str))| {
            format!(r#"<nvpair id="o{i}" name="{name}" value="{value}"/>"#)
        };
        let options: String = self.options.iter().enumerate().map(pair).collect();
        let attributes = |node: &str| -> String {
            let of_node = self.node_attributes.iter().filter(|(of, ..)| *of == node);
            of_node.map(|(_, n, v)| format!(r#"<nvpair id="{node}-{n}" name="{n}" value="{v}"/>"#)).collect()
        };
        let node = |name: &&str| {
            format!(
                r#"<node id="{name}" uname="{name}"><instance_attributes id="{name}-set">{}</instance_attributes></node>"#,
                attributes(name)
            )
        };
        let nodes: String = ["a", "b", "c"].iter().map(node).collect();
        let state = |name: &&str| {
            let running = self.running.iter().filter(|(_, on)| on == name);
            let history: String = running.map(|(rsc, _)| history(rsc)).collect();
            format!(
                r#"<node_state id="{name}" uname="{name}" in_ccm="true" crmd="online" join="member" expected="member">
                <lrm id="{name}"><lrm_resources>{history}</lrm_resources></lrm></node_state>"#
            )
        };
        let states: String = ["a", "b", "c"].iter().map(state).collect();
        format!(
            r#"<cib epoch="1" num_updates="0" admin_epoch="0" validate-with="pacemaker-3.0" have-quorum="1"><configuration>
            <crm_config><cluster_property_set id="opts">{options}</cluster_property_set></crm_config>
            <nodes>{nodes}</nodes><resources>{}</resources><constraints>{}</constraints>
            </configuration><status>{states}</status></cib>"#,
            self.resources, self.constraints
        )
    }
}

fn history(rsc: &str) -> String {
    let magic = "1:1:0:0f2c1f6e-3c54-4d6a-9b0e-6d1f6c1b7a55";
    format!(
        r#"<lrm_resource id="{rsc}" type="Dummy" class="ocf" provider="heartbeat"><lrm_rsc_op id="{rsc}_last_0"
        operation_key="{rsc}_start_0" operation="start" transition-key="{magic}" transition-magic="0:0;{magic}" call-id="5"
        rc-code="0" op-status="0" interval="0"/></lrm_resource>"#
    )
}

/// A primitive with meta attributes.
fn primitive(id: &str, meta: &[(&str, &str)]) -> String {
    let pairs: String = meta
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    format!(
        r#"<primitive id="{id}" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="{id}-m">{pairs}</meta_attributes></primitive>"#
    )
}

fn primitives(ids: &[&str]) -> String {
    ids.iter().map(|id| primitive(id, &[])).collect()
}

fn clone(id: &str, meta: &[(&str, &str)], child: &str) -> String {
    let pairs: String = meta
        .iter()
        .map(|(name, value)| format!(r#"<nvpair id="{id}-{name}" name="{name}" value="{value}"/>"#))
        .collect();
    format!(r#"<clone id="{id}"><meta_attributes id="{id}-m">{pairs}</meta_attributes>{child}</clone>"#)
}

fn location(id: &str, rsc: &str, node: &str, score: &str) -> String {
    format!(r#"<rsc_location id="{id}" rsc="{rsc}" node="{node}" score="{score}"/>"#)
}

fn colocation(id: &str, dependent: &str, primary: &str, score: &str) -> String {
    format!(r#"<rsc_colocation id="{id}" rsc="{dependent}" with-rsc="{primary}" score="{score}"/>"#)
}

fn place(cluster: &Cluster, check: impl FnOnce(&Status<'_>, &Placement)) {
    let (cib, _) = Cib::parse(&cluster.xml()).expect("well-formed XML");
    let status = Status::unpack(&cib, Timestamp(1_767_225_600));
    check(&status, &assign(&status));
}

/// Where every primitive is placed: `x:a y:b z:-`.
fn check(cluster: &Cluster, expected: &str) {
    place(cluster, |status, placement| {
        let primitives = status.iter_resources().filter(|(_, rsc)| rsc.is_primitive());
        let placed: Vec<String> = primitives
            .map(|(idx, rsc)| {
                let node = placement.assigned[idx.i()].map_or("-", |node| status.node(node).name.as_str());
                let promoted = if placement.next_role[idx.i()] == Role::Promoted { "!" } else { "" };
                format!("{}={node}{promoted}", rsc.id)
            })
            .collect();
        assert_eq!(placed.join(" "), expected);
    });
}

#[test]
fn resources_are_spread_and_ties_go_by_name() {
    check(&cluster(&primitives(&["w", "x", "y", "z"])), "w=a x=b y=c z=a");
}

#[test]
fn what_runs_stays_where_nothing_else_decides() {
    check(&cluster(&primitives(&["x", "y"])).running("x", "c"), "x=c y=a");
    // Without stickiness the number of resources goes before.
    check(&cluster(&primitives(&["w", "x"])).running("w", "c").running("x", "c"), "w=c x=a");
    let sticky = primitives(&["w"]) + &primitive("x", &[("resource-stickiness", "1")]);
    check(&cluster(&sticky).running("w", "c").running("x", "c"), "w=c x=c");
}

#[test]
fn stickiness_is_weighed_against_locations() {
    let rsc = primitive("x", &[("resource-stickiness", "100")]);
    for (score, node) in [("99", "c"), ("100", "c"), ("101", "a"), ("INFINITY", "a")] {
        let cluster = cluster(&rsc).running("x", "c").constraints(&location("l", "x", "a", score));
        check(&cluster, &format!("x={node}"));
    }
}

#[test]
fn minus_infinity_bans_and_an_asymmetric_cluster_has_to_be_opted_in_to() {
    let bans: String = ["a", "b"].iter().map(|node| location(node, "x", node, "-INFINITY")).collect();
    check(&cluster(&primitives(&["x"])).constraints(&bans), "x=c");
    let opt_in = cluster(&primitives(&["x", "y"])).option("symmetric-cluster", "false");
    check(&opt_in.constraints(&location("l", "x", "b", "0")), "x=b y=-");
}

#[test]
fn hours_of_a_rule_are_those_of_the_clock_on_the_wall() {
    let rule = |dates: &str| {
        let rule = format!(r#"<rule id="r" score="-INFINITY"><date_expression id="d" {dates}</rule>"#);
        let (cib, _) = Cib::parse(
            &cluster(&primitives(&["x"]))
                .constraints(&format!(r#"<rsc_location id="l" rsc="x">{rule}</rsc_location>"#))
                .xml(),
        )
        .expect("well-formed XML");
        // 2026-01-01T00:00:00Z.
        [0, 3600].map(|utc_offset| {
            let status = Status::unpack(&cib, LocalTime { at: Timestamp(1_767_225_600), utc_offset });
            let x = status.find_resource("x").expect("it is configured");
            assign(&status).assigned[x.i()].is_none()
        })
    };
    let at_one = r#"operation="date_spec"><date_spec id="ds" hours="1"/></date_expression>"#;
    assert_eq!(rule(at_one), [false, true]);
    assert_eq!(rule(r#"operation="gt" start="2026-01-01 00:30"/>"#), [false, true], "without a zone");
    assert_eq!(rule(r#"operation="gt" start="2026-01-01 00:30Z"/>"#), [false, false]);
}

#[test]
fn a_rule_gives_its_score_where_it_holds() {
    let rule = |score: &str| {
        format!(
            r#"<rsc_location id="l" rsc="x"><rule id="r" {score}><expression id="e" attribute="disk" operation="eq" value="ssd"/></rule></rsc_location>"#
        )
    };
    let with_disks =
        || cluster(&primitives(&["x"])).attribute("b", "disk", "ssd").attribute("b", "weight", "7");
    check(&with_disks().constraints(&rule(r#"score="5""#)), "x=b");
    check(&with_disks().constraints(&rule(r#"score="-INFINITY""#)), "x=a");
    check(&with_disks().constraints(&rule(r#"score-attribute="weight""#)), "x=b");
}

#[test]
fn a_pattern_stands_for_all_resources_that_match() {
    let pattern = r#"<rsc_location id="l" rsc-pattern="^vip-(.*)$" node="c" score="10"/>"#;
    check(&cluster(&primitives(&["vip-1", "web", "vip-2"])).constraints(pattern), "vip-1=c web=a vip-2=c");
    let submatch = r#"<rsc_location id="l" rsc-pattern="^vip-(.*)$"><rule id="r" score="10">
        <expression id="e" attribute="has-%1" operation="defined"/></rule></rsc_location>"#;
    let cluster =
        cluster(&primitives(&["vip-x", "vip-y"])).attribute("b", "has-y", "1").attribute("c", "has-x", "1");
    check(&cluster.constraints(submatch), "vip-x=c vip-y=b");
}

#[test]
fn a_dependent_goes_where_its_primary_is() {
    let both = || cluster(&primitives(&["x", "y"]));
    check(&both().constraints(&colocation("c", "x", "y", "INFINITY")), "x=a y=a");
    check(&both().constraints(&colocation("c", "x", "y", "-INFINITY")), "x=b y=a");
    check(&both().constraints(&colocation("c", "x", "y", "10")), "x=a y=a");
}

#[test]
fn a_dependent_does_not_run_without_its_primary_but_can_do_without_a_wish() {
    let stopped = primitive("x", &[]) + &primitive("y", &[("target-role", "Stopped")]);
    check(&cluster(&stopped).constraints(&colocation("c", "x", "y", "INFINITY")), "x=- y=-");
    check(&cluster(&stopped).constraints(&colocation("c", "x", "y", "100")), "x=a y=-");
}

#[test]
fn the_wishes_of_dependents_count_for_the_primary_through_the_whole_chain() {
    let chain = cluster(&primitives(&["x", "y", "z"]))
        .constraints(&colocation("c1", "x", "y", "INFINITY"))
        .constraints(&colocation("c2", "y", "z", "INFINITY"))
        .constraints(&location("l", "x", "c", "50"));
    check(&chain, "x=c y=c z=c");
}

#[test]
fn without_influence_a_dependent_does_not_move_what_runs() {
    let wish = |influence: &str| {
        format!(r#"<rsc_colocation id="c" rsc="x" with-rsc="y" score="INFINITY" influence="{influence}"/>"#)
            + &location("l", "x", "c", "50")
    };
    for (influence, placed) in [("true", "x=c y=c"), ("false", "x=b y=b")] {
        let rsc = primitive("x", &[]) + &primitive("y", &[("resource-stickiness", "1")]);
        check(&cluster(&rsc).running("y", "b").constraints(&wish(influence)), placed);
    }
}

#[test]
fn a_node_attribute_widens_the_place() {
    let constraint =
        r#"<rsc_colocation id="c" rsc="x" with-rsc="y" score="INFINITY" node-attribute="rack"/>"#;
    let racks = cluster(&primitives(&["x", "y"]))
        .attribute("a", "rack", "1")
        .attribute("b", "rack", "2")
        .attribute("c", "rack", "1");
    check(&racks.constraints(constraint).constraints(&location("l", "x", "a", "-INFINITY")), "x=c y=a");
}

#[test]
fn members_of_a_group_stay_together_and_none_runs_beyond_one_that_cannot() {
    let group = |members: &str| format!(r#"<group id="g">{members}</group>"#);
    let free = cluster(&group(&primitives(&["x", "y"]))).constraints(&location("l", "g", "b", "5"));
    check(&free, "x=b y=b");
    let stopped = primitive("x", &[]) + &primitive("y", &[("target-role", "Stopped")]) + &primitive("z", &[]);
    check(&cluster(&group(&stopped)), "x=a y=- z=-");
}

#[test]
fn a_set_that_is_not_sequential_goes_with_the_next_but_not_with_itself() {
    let sets = r#"<rsc_colocation id="c" score="INFINITY">
        <resource_set id="s1" sequential="false"><resource_ref id="x"/><resource_ref id="y"/></resource_set>
        <resource_set id="s2"><resource_ref id="z"/></resource_set></rsc_colocation>"#;
    let members = cluster(&primitives(&["x", "y", "z"])).constraints(sets);
    check(&members.constraints(&location("l", "z", "b", "5")), "x=b y=b z=b");
}

#[test]
fn a_clone_has_one_instance_on_each_node() {
    check(&cluster(&clone("k", &[], &primitive("x", &[]))), "x:0=a x:1=b x:2=c");
    check(&cluster(&clone("k", &[("clone-max", "2")], &primitive("x", &[]))), "x:0=a x:1=b");
    let stacked = clone(
        "k",
        &[("clone-node-max", "2"), ("clone-max", "4"), ("globally-unique", "true")],
        &primitive("x", &[]),
    );
    check(&cluster(&stacked).constraints(&location("l", "k", "c", "-INFINITY")), "x:0=a x:1=b x:2=a x:3=b");
}

#[test]
fn instances_stay_where_they_run() {
    let two = clone("k", &[("clone-max", "2")], &primitive("x", &[]));
    check(&cluster(&two).running("x", "c"), "x:0=c x:1=a");
}

#[test]
fn one_resource_with_a_clone_runs_where_an_instance_does() {
    let clone = clone("k", &[("clone-max", "1")], &primitive("x", &[]));
    let with = cluster(&(clone + &primitives(&["y"]))).constraints(&colocation("c", "y", "k", "INFINITY"));
    check(&with.constraints(&location("l", "k", "b", "5")), "x:0=b y=b");
}

#[test]
fn the_instance_with_the_best_promotion_score_is_promoted() {
    let promotable = clone("k", &[("promotable", "true")], &primitive("x", &[]));
    check(&cluster(&promotable), "x:0=a x:1=b x:2=c");
    let scored = cluster(&promotable).attribute("a", "master-x", "5").attribute("c", "master-x", "10");
    check(&scored, "x:0=c! x:1=a x:2=b");
    let by_rule = r##"<rsc_location id="l" rsc="k"><rule id="r" role="Promoted" score="50">
        <expression id="e" attribute="#uname" operation="eq" value="b"/></rule></rsc_location>"##;
    check(&cluster(&promotable).constraints(by_rule), "x:0=a x:1=b! x:2=c");
}

#[test]
fn a_resource_colocated_with_the_promoted_instance_follows_it() {
    let promotable = clone("k", &[("promotable", "true")], &primitive("x", &[])) + &primitives(&["vip"]);
    let with = r#"<rsc_colocation id="c" rsc="vip" with-rsc="k" with-rsc-role="Promoted" score="INFINITY"/>"#;
    check(
        &cluster(&promotable).attribute("b", "master-x", "10").constraints(with),
        "x:0=b! x:1=a x:2=c vip=b",
    );
}

#[test]
fn nothing_is_placed_where_it_may_not_be() {
    for (attribute, value) in [("standby", "on"), ("maintenance", "true")] {
        check(&cluster(&primitives(&["x"])).attribute("a", attribute, value), "x=b");
    }
    check(&cluster(&primitives(&["x"])).option("stop-all-resources", "true"), "x=-");
    check(&cluster(&primitive("x", &[("is-managed", "false")])).running("x", "c"), "x=c");
    let failed = primitive("x", &[("migration-threshold", "2"), ("resource-stickiness", "100")]);
    check(&cluster(&failed).running("x", "b"), "x=b");
    check(&cluster(&failed).attribute("b", "fail-count-x#monitor_10000", "2").running("x", "b"), "x=a");
}

#[test]
fn capacity_is_minded_where_the_strategy_says_so() {
    let with_need = |id: &str| {
        primitive(id, &[]).replace(
            "</primitive>",
            &format!(r#"<utilization id="{id}-u"><nvpair id="{id}-cpu" name="cpu" value="3"/></utilization></primitive>"#),
        )
    };
    let needy = || cluster(&(with_need("x") + &with_need("y")));
    check(&needy(), "x=a y=b");
    // No node has any capacity.
    check(&needy().option("placement-strategy", "utilization"), "x=- y=-");
}

#[test]
fn a_loop_of_colocations_ends() {
    let ring = cluster(&primitives(&["x", "y", "z"]))
        .constraints(&colocation("c1", "x", "y", "INFINITY"))
        .constraints(&colocation("c2", "y", "z", "INFINITY"))
        .constraints(&colocation("c3", "z", "x", "INFINITY"));
    check(&ring, "x=a y=a z=a");
}

#[test]
fn thousands_of_resources_in_one_chain_are_placed_together() {
    let names: Vec<String> = (0..3000).map(|i| format!("r{i}")).collect();
    let resources: String = names.iter().map(|name| primitive(name, &[])).collect();
    let chain: String = names
        .windows(2)
        .enumerate()
        .map(|(i, pair)| colocation(&format!("c{i}"), &pair[0], &pair[1], "INFINITY"))
        .collect();
    place(&cluster(&resources).constraints(&chain), |_, placement| {
        assert!(placement.assigned.iter().all(|node| *node == placement.assigned[0]), "all on one node");
        assert!(placement.assigned[0].is_some());
    });
}

/// Kinds of resource that a random cluster is made of.
fn random_resource(id: &str, kind: u8) -> String {
    match kind {
        0 => clone(id, &[("clone-max", "2")], &primitive(&format!("{id}-i"), &[])),
        1 => {
            clone(id, &[("promotable", "true"), ("interleave", "true")], &primitive(&format!("{id}-i"), &[]))
        }
        2 => format!(r#"<group id="{id}">{}</group>"#, primitives(&[&format!("{id}-1"), &format!("{id}-2")])),
        _ => primitive(id, &[("resource-stickiness", "10")]),
    }
}

const SCORES: [&str; 5] = ["-INFINITY", "-50", "50", "INFINITY", "1"];

proptest::proptest! {
    #[test]
    fn whatever_the_constraints_nothing_is_placed_where_it_may_not_be(
        kinds in proptest::collection::vec(0_u8..6, 1..6),
        locations in proptest::collection::vec((0_usize..6, 0_usize..3, 0_usize..5), 0..6),
        colocations in proptest::collection::vec((0_usize..6, 0_usize..6, 0_usize..5), 0..8),
        running in proptest::collection::vec(proptest::option::of(0_usize..3), 6),
    ) {
        let names: Vec<&'static str> = ["r0", "r1", "r2", "r3", "r4", "r5"][..kinds.len()].to_vec();
        let nodes = ["a", "b", "c"];
        let mut random = cluster(&names.iter().zip(&kinds).map(|(id, kind)| random_resource(id, *kind)).collect::<String>());
        for (i, (rsc, node, score)) in locations.into_iter().enumerate() {
            let rsc = names[rsc % names.len()];
            random = random.constraints(&location(&format!("l{i}"), rsc, nodes[node], SCORES[score]));
        }
        for (i, (dependent, primary, score)) in colocations.into_iter().enumerate() {
            let (dependent, primary) = (names[dependent % names.len()], names[primary % names.len()]);
            random = random.constraints(&colocation(&format!("c{i}"), dependent, primary, SCORES[score]));
        }
        for ((name, kind), node) in names.iter().zip(&kinds).zip(running) {
            if let (true, Some(node)) = (*kind > 2, node) {
                random = random.running(name, nodes[node]);
            }
        }
        place(&random, |status, placement| {
            for (idx, rsc) in status.iter_resources().filter(|(_, rsc)| rsc.is_primitive()) {
                if let Some(node) = placement.assigned[idx.i()] {
                    let score = placement.allowed[idx.i()].score(node);
                    assert!(score.is_some_and(|score| score >= 0), "{} on {node:?} at {score:?}", rsc.id);
                }
            }
            for (_, rsc) in status.iter_resources().filter(|(_, rsc)| rsc.is_clone()) {
                let mut places: Vec<_> = rsc.children.iter().filter_map(|child| placement.assigned[child.i()]).collect();
                let n_placed = places.len();
                places.sort();
                places.dedup();
                assert_eq!(places.len(), n_placed, "one instance of {} on each node", rsc.id);
            }
            // The same again: nothing depends on anything but the input.
            assert_eq!(assign(status).assigned, placement.assigned);
        });
    }
}
