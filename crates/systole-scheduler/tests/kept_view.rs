//! What was found out about a history counts until the configuration or that history changes: of a view that is kept up.

use systole_cib::{View, xml::Document};
use systole_scheduler::{schedule, status::recorded_digest};
use systole_types::Timestamp;

const NOW: Timestamp = Timestamp(1_750_000_000);

/// One resource with a parameter, running with it.
fn running(level: &str) -> Document {
    let digest = recorded_digest([("level", level)], false);
    Document::parse(format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="1"><configuration>
        <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="a"/></nodes>
        <resources><primitive id="r" class="ocf" provider="pacemaker" type="Dummy">
          <instance_attributes id="p"><nvpair id="p1" name="level" value="{level}"/></instance_attributes>
        </primitive></resources><constraints/></configuration>
        <status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
          <lrm_resource id="r" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="r_last_0" operation_key="r_start_0" operation="start"
            transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u" on_node="a" call-id="2" rc-code="0" op-status="0" interval="0" op-digest="{digest}"/>
          </lrm_resource></lrm_resources></lrm></node_state></status></cib>"#
    ))
    .expect("well formed")
}

fn planned(view: &mut View, document: &Document) -> Vec<String> {
    let graph = schedule(view.of(document), NOW).graph;
    graph.synapses.iter().map(|synapse| synapse.action.key.to_string()).collect()
}

fn set(document: &mut Document, id: &str, name: &str, value: &str) {
    let mut elements = document.root().descendants();
    let key = elements.find(|element| element.id() == Some(id)).expect("the element").key();
    document.set_attr(key, name, value);
}

#[test]
fn a_resource_is_restarted_when_its_parameter_or_the_digest_of_its_history_changes() {
    for (id, attribute, value) in [("p1", "value", "2"), ("r_last_0", "op-digest", "0123")] {
        let mut document = running("1");
        let mut view = View::default();
        for round in 0..3 {
            assert_eq!(planned(&mut view, &document), <[&str; 0]>::default(), "{id}, round {round}");
        }
        set(&mut document, id, attribute, value);
        assert_eq!(planned(&mut view, &document), ["r_stop_0", "r_start_0"], "{id}");
    }
}

#[test]
fn a_parameter_that_is_what_it_was_again_restarts_nothing() {
    let mut document = running("1");
    let mut view = View::default();
    set(&mut document, "p1", "value", "2");
    assert!(!planned(&mut view, &document).is_empty());
    set(&mut document, "p1", "value", "1");
    assert!(planned(&mut view, &document).is_empty());
}

/// A bundle of one container with nothing inside; with a history, it runs.
fn bundle(image: &str, history: &str) -> Document {
    Document::parse(format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="1"><configuration>
        <crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
        <nodes><node id="1" uname="a"/></nodes>
        <resources><bundle id="b"><podman image="{image}"/></bundle></resources><constraints/></configuration>
        <status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
          <lrm_resource id="b-podman-0" class="ocf" provider="heartbeat" type="podman">{history}</lrm_resource>
        </lrm_resources></lrm></node_state></status></cib>"#
    ))
    .expect("well formed")
}

/// That bundle with its container started, as histories keep it.
fn running_bundle(image: &str) -> Document {
    let mut view = View::default();
    let document = bundle(image, "");
    let graph = schedule(view.of(&document), NOW).graph;
    let mut actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let start = actions.find(|action| &*action.key == "b-podman-0_start_0").expect("it is started");
    let digest = recorded_digest(start.attributes.iter().map(|(name, value)| (&**name, &**value)), false);
    bundle(
        image,
        &format!(
            r#"<lrm_rsc_op id="b-podman-0_last_0" operation_key="b-podman-0_start_0" operation="start"
            transition-key="1:1:0:u" transition-magic="0:0;1:1:0:u" on_node="a" call-id="2" rc-code="0" op-status="0" interval="0" op-digest="{digest}"/>"#
        ),
    )
}

#[test]
fn a_container_is_restarted_when_its_bundle_or_the_digest_of_its_history_changes() {
    let (stop, start) = ("b-podman-0_stop_0", "b-podman-0_start_0");
    let image = |document: &mut Document| {
        let podman = document.root().descendants().find(|element| element.is("podman"));
        let key = podman.expect("the container").key();
        document.set_attr(key, "image", "other");
    };
    let digest = |document: &mut Document| set(document, "b-podman-0_last_0", "op-digest", "0123");
    let changes: [&dyn Fn(&mut Document); 2] = [&image, &digest];
    for change in changes {
        let mut document = running_bundle("one");
        let mut view = View::default();
        for round in 0..3 {
            let plan = planned(&mut view, &document);
            assert!(!plan.iter().any(|key| key == stop || key == start), "round {round}: {plan:?}");
        }
        change(&mut document);
        let plan = planned(&mut view, &document);
        assert!(plan.iter().any(|key| key == stop) && plan.iter().any(|key| key == start), "{plan:?}");
    }
}
