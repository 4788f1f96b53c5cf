//! What changes by itself as time passes is planned when it does, not at the next regular look.

use super::*;

/// Far more than any of these tests takes.
const REGULAR_LOOK: &str = r#"<nvpair id="o2" name="cluster-recheck-interval" value="1d"/>"#;

/// Node a, that has come to rest. It is 1970-01-12 13:46:40 UTC and some seconds.
fn at_rest(constraint: &str, meta: &str) -> Bench {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let cib = CIB
        .replace("<nvpair id=\"o1\"", &format!("{REGULAR_LOOK}<nvpair id=\"o1\""))
        .replace("<constraints/>", &format!("<constraints>{constraint}</constraints>"))
        .replace(
            resource,
            &resource
                .replace("/>", &format!("><meta_attributes id=\"m\">{meta}</meta_attributes></primitive>")),
        );
    let mut bench = Bench::with(&cib);
    bench.view(1);
    bench
}

fn ban(expression: &str) -> String {
    format!(
        r#"<rsc_location id="l" rsc="r"><rule id="lr" score="-INFINITY"><date_expression id="d" {expression}</rule></rsc_location>"#
    )
}

#[test]
fn a_resource_is_stopped_and_started_when_the_dates_of_its_rules_come() {
    for (rule, stops_after_30s) in [
        (ban(r#"operation="gt" start="1970-01-12 13:47:50Z"/>"#), true),
        (ban(r#"operation="gt" start="1970-01-12 14:47:50Z"/>"#), false),
        (ban(r#"operation="date_spec"><date_spec id="s" minutes="48"/></date_expression>"#), true),
        (ban(r#"operation="date_spec"><date_spec id="s" hours="14"/></date_expression>"#), false),
    ] {
        let mut bench = at_rest(&rule, "");
        assert!(bench.running, "{rule}: {:?}", bench.ran);
        bench.wait(80);
        assert_eq!(bench.running, !stops_after_30s, "{rule} at {:?}: {:?}", bench.now.wall, bench.ran);
        if rule.contains("minutes") {
            bench.wait(60);
            assert!(bench.running, "{rule} at {:?}: {:?}", bench.now.wall, bench.ran);
        }
    }
}

#[test]
fn a_failure_is_forgotten_when_its_timeout_is_over() {
    let meta = r#"<nvpair id="m1" name="failure-timeout" value="60s"/>
                  <nvpair id="m2" name="migration-threshold" value="1"/>"#;
    let mut bench = at_rest("", meta);
    let failed = r#"<nvpair id="f" name="fail-count-r#monitor_10000" value="1"/>"#;
    let at = bench.now.wall.0;
    let last = format!("<nvpair id=\"l\" name=\"last-failure-r#monitor_10000\" value=\"{at}\"/>");
    let change = systole_cib::ops::CibCall {
        action: systole_cib::ops::CibAction::Modify,
        scope: systole_cib::ops::Scope::Section("status".to_owned()),
        xml: Some(format!(
            r#"<node_state id="1"><transient_attributes id="1"><instance_attributes id="t">{failed}{last}</instance_attributes></transient_attributes></node_state>"#
        )),
        options: systole_cib::ops::CibOptions { allow_create: true, ..Default::default() },
    };
    let call = systole_wire::api::Call::Apply { change, force: false };
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    bench.wait(30);
    assert!(!bench.running, "{:?}", bench.ran);
    bench.wait(60);
    assert!(bench.running, "{:?}", bench.ran);
}
