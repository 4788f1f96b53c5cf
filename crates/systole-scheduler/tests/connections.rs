//! Connections to remote and guest nodes: what their history means.

use systole_cib::model::Cib;
use systole_scheduler::schedule;
use systole_types::Timestamp;

/// A bundle whose container has ended on `c`, with the connection into it, whose monitor failed.
const LOST_GUEST: &str = r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" have-quorum="1" dc-uuid="3">
  <configuration>
    <crm_config><cluster_property_set id="o">
      <nvpair id="o1" name="stonith-enabled" value="false"/>
    </cluster_property_set></crm_config>
    <nodes><node id="3" uname="c"/></nodes>
    <resources>
      <bundle id="B"><podman image="image" replicas="1"/><network control-port="3121"/>
        <primitive id="q" class="ocf" provider="heartbeat" type="Dummy"/></bundle>
    </resources>
    <constraints/>
  </configuration>
  <status>
    <node_state id="3" uname="c" in_ccm="true" crmd="online" join="member" expected="member">
      <transient_attributes id="3"><instance_attributes id="s3">
        <nvpair id="f" name="fail-count-B-0#monitor_30000" value="1"/>
      </instance_attributes></transient_attributes>
      <lrm id="3"><lrm_resources>
        <lrm_resource id="B-podman-0" class="ocf" provider="heartbeat" type="podman">
          <lrm_rsc_op id="B-podman-0_last_0" operation_key="B-podman-0_monitor_0" operation="monitor" crm_feature_set="3.20.2" transition-key="1:1:7:056ce433-e2ba-6e08-eb30-e2f3a33188b8" transition-magic="0:7;1:1:7:056ce433-e2ba-6e08-eb30-e2f3a33188b8" on_node="c" call-id="1" rc-code="7" op-status="0" interval="0" last-rc-change="1750000090"/>
        </lrm_resource>
        <lrm_resource id="B-0" class="ocf" provider="pacemaker" type="remote" container="B-podman-0">
          <lrm_rsc_op id="B-0_last_0" operation_key="B-0_start_0" operation="start" crm_feature_set="3.20.2" transition-key="67:1:0:056ce433-e2ba-6e08-eb30-e2f3a33188b8" transition-magic="0:0;67:1:0:056ce433-e2ba-6e08-eb30-e2f3a33188b8" on_node="c" call-id="3" rc-code="0" op-status="0" interval="0" op-digest="9a26e9a2696cacea9d7907b4126622df" last-rc-change="1750000002"/>
          <lrm_rsc_op id="B-0_last_failure_0" operation_key="B-0_monitor_30000" operation="monitor" crm_feature_set="3.20.2" transition-key="48:2:0:056ce433-e2ba-6e08-eb30-e2f3a33188b8" transition-magic="4:1;48:2:0:056ce433-e2ba-6e08-eb30-e2f3a33188b8" on_node="c" call-id="4" rc-code="1" op-status="4" interval="30000" op-digest="0769e694ed161cf0dfed44b348731431" last-rc-change="1750000094"/>
        </lrm_resource>
      </lrm_resources></lrm>
    </node_state>
  </status>
</cib>"#;

#[test]
fn a_lost_guest_keeps_its_failure_where_its_container_is_to_run_again() {
    let (cib, diagnostics) = Cib::parse(LOST_GUEST).expect("well formed");
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let graph = schedule(&cib, Timestamp(1_750_000_095)).graph;
    let keys: Vec<&str> = graph.synapses.iter().map(|synapse| &*synapse.action.key).collect();
    assert!(keys.contains(&"B-podman-0_start_0") && keys.contains(&"B-0_stop_0"), "{keys:?}");
    // The address it had is the one it will have: nothing was configured anew.
    assert!(!keys.iter().any(|key| key.contains("clear_failcount")), "{keys:?}");
}
