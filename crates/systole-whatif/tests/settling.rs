//! Carrying a plan out leads to a state that needs no further action.

use systole_cib::{model::Cib, read, xml::Document};
use systole_scheduler::schedule;
use systole_types::Timestamp;
use systole_whatif::{Names, OpFail, Outcome, Step, carry_out};

const NOW: Timestamp = Timestamp(1_780_000_000);

const CIB: &str = r#"<cib validate-with="pacemaker-4.0" have-quorum="1" epoch="1" num_updates="0" admin_epoch="0">
  <configuration>
    <crm_config><cluster_property_set id="o"><nvpair id="o-f" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>
    <nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
    <resources>
      <group id="web">
        <primitive id="ip" class="ocf" provider="heartbeat" type="IPaddr2">
          <instance_attributes id="ip-p"><nvpair id="ip-p-ip" name="ip" value="192.0.2.1"/></instance_attributes>
          <operations><op id="ip-m" name="monitor" interval="10s"/></operations>
        </primitive>
        <primitive id="httpd" class="ocf" provider="heartbeat" type="apache"/>
      </group>
      <clone id="ping-clone"><primitive id="ping" class="ocf" provider="pacemaker" type="ping"/></clone>
    </resources>
    <constraints/>
  </configuration>
  <status>
    <node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/>
    <node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"/>
  </status>
</cib>"#;

fn round(document: &mut Document, failures: &[OpFail]) -> Outcome {
    let (cib, diagnostics): (Cib, _) = read(document);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let transition = schedule(&cib, NOW);
    let names = Names::of(&transition.status);
    carry_out(document, &transition.graph, &names, failures, NOW)
}

fn started(outcome: &Outcome) -> Vec<String> {
    let steps = outcome.steps.iter().filter_map(|step| match step {
        Step::Resource { resource, operation, node, .. } if operation == "start" => {
            Some(format!("{resource} on {node}"))
        }
        _ => None,
    });
    steps.collect()
}

#[test]
fn a_cluster_that_came_up_needs_nothing_more() {
    let mut document = Document::parse(CIB).expect("well formed");
    let first = round(&mut document, &[]);
    assert!(first.is_complete);
    let mut names = started(&first);
    let after_ip = names.iter().skip_while(|name| *name != "ip on a");
    assert!(
        after_ip.clone().any(|name| name == "httpd on a"),
        "members of a group start in sequence: {names:?}"
    );
    names.sort();
    assert_eq!(names, ["httpd on a", "ip on a", "ping:0 on b", "ping:1 on a"]);
    let second = round(&mut document, &[]);
    assert_eq!(second.steps, [], "after one round all is as it should be");
}

#[test]
fn what_fails_to_start_is_started_elsewhere_in_the_next_round() {
    let mut document = Document::parse(CIB).expect("well formed");
    let failure: OpFail = "ip_start_0@a=1".parse().expect("an operation with its result");
    let first = round(&mut document, &[failure]);
    assert!(first.steps.iter().any(|step| matches!(step, Step::Pretended { .. })));
    let second = round(&mut document, &[]);
    assert!(started(&second).contains(&"ip on b".to_owned()), "{:?}", second.steps);
}
