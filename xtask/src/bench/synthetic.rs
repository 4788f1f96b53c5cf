//! Clusters that the corpus's generator does not make. Nothing has been probed or started in them.

use std::fmt::Write as _;

/// When they are scheduled.
const EXECUTION_DATE: u64 = 1_750_000_000;

/// `n_bundles` bundles of three replicas on three nodes, each with a resource inside, every second one promotable.
pub fn bundles(n_bundles: u32) -> String {
    let mut resources = fence_device();
    for n in 0..n_bundles {
        let (promoted, agent) = if n % 2 == 0 { (" promoted-max=\"1\"", "Stateful") } else { ("", "Dummy") };
        let _ = write!(
            resources,
            "<bundle id=\"box{n}\"><podman image=\"registry.example/box{n}\" replicas=\"3\"{promoted}/>\
             <network ip-range-start=\"10.200.{}.{}\" control-port=\"3121\"/><storage>\
             <storage-mapping id=\"box{n}-data\" source-dir=\"/srv/box{n}\" target-dir=\"/data\"/></storage>\
             <primitive id=\"inside{n}\" class=\"ocf\" provider=\"pacemaker\" type=\"{agent}\"><operations>\
             <op id=\"inside{n}-monitor\" name=\"monitor\" interval=\"20s\"/></operations></primitive></bundle>",
            n / 32,
            n % 32 * 8 + 1
        );
    }
    cib(3, &resources, "")
}

/// `n_remotes` remote nodes behind three cluster nodes, and `n_instances` resources spread over them.
pub fn remotes(n_remotes: u32, n_instances: u32) -> String {
    let mut resources = fence_device();
    let mut constraints = String::new();
    for n in 0..n_remotes {
        let _ = write!(
            resources,
            "<primitive id=\"remote{n}\" class=\"ocf\" provider=\"pacemaker\" type=\"remote\"><instance_attributes id=\"remote{n}-p\">\
             <nvpair id=\"remote{n}-server\" name=\"server\" value=\"10.1.{}.{}\"/></instance_attributes><operations>\
             <op id=\"remote{n}-monitor\" name=\"monitor\" interval=\"60s\"/></operations></primitive>",
            n / 250,
            n % 250 + 1
        );
    }
    for n in 0..n_instances {
        let _ = write!(
            resources,
            "<primitive id=\"app{n}\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"><operations>\
             <op id=\"app{n}-monitor\" name=\"monitor\" interval=\"10s\"/></operations></primitive>"
        );
        let _ = write!(
            constraints,
            "<rsc_location id=\"app{n}-home\" rsc=\"app{n}\" node=\"remote{}\" score=\"200\" resource-discovery=\"exclusive\"/>",
            n % n_remotes
        );
    }
    cib(3, &resources, &constraints)
}

fn fence_device() -> String {
    "<primitive id=\"fencing\" class=\"stonith\" type=\"fence_ipmilan\"/>".to_owned()
}

fn cib(n_nodes: u32, resources: &str, constraints: &str) -> String {
    let mut nodes = String::new();
    let mut states = String::new();
    for n in 1..=n_nodes {
        let _ = write!(nodes, "<node id=\"{n}\" uname=\"node{n}\"/>");
        let _ = write!(
            states,
            "<node_state id=\"{n}\" uname=\"node{n}\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\">\
             <lrm id=\"{n}\"><lrm_resources/></lrm></node_state>"
        );
    }
    format!(
        "<cib crm_feature_set=\"3.19.0\" validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"1\" admin_epoch=\"0\" \
         have-quorum=\"1\" dc-uuid=\"1\" execution-date=\"{EXECUTION_DATE}\">\n<configuration><crm_config/>\
         <nodes>{nodes}</nodes>\n<resources>{resources}</resources>\n<constraints>{constraints}</constraints></configuration>\n\
         <status>{states}</status></cib>\n"
    )
}
