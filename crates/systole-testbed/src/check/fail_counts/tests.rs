use super::*;
use systole_types::OpStatus;
use systole_wire::exec::{Digests, Operation};

const KEY: &str = "1:1:0:12345678-1234-1234-1234-123456789012";

/// Two members that are agreed, in the eyes of the first.
struct Bench {
    counts: FailCounts,
    now: Micros,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self { counts: FailCounts::default(), now: 1 };
        let hearing = Hearing { by: 0, from: 0, was_settled: false, is_settled: true };
        assert_eq!(bench.hear(hearing, r#"{"view":1,"message":{"hello":{}}}"#, &cib(None, "")), None);
        bench
    }

    fn hear(&mut self, hearing: Hearing, payload: &str, cib: &Document) -> Option<String> {
        self.now += 1;
        self.counts.heard(self.now, hearing, payload, cib, |_| None)
    }

    fn says(&mut self, kind: &str, body: &str, cib: &Document) -> Option<String> {
        let hearing = Hearing { by: 0, from: 1, was_settled: true, is_settled: true };
        self.hear(hearing, &format!(r#"{{"view":1,"number":2,"message":{{"{kind}":{body}}}}}"#), cib)
    }
}

fn failure(at: i64) -> OperationResult {
    let parameters = [("CRM_meta_on_node".to_owned(), "a".to_owned())].into();
    let operation = Operation {
        call: 1,
        key: "r_monitor_10000".to_owned(),
        resource: "r".to_owned(),
        class: "ocf".to_owned(),
        provider: None,
        agent: "Dummy".to_owned(),
        operation: "monitor".to_owned(),
        interval_ms: 10_000,
        timeout_ms: 0,
        start_delay_ms: 0,
        parameters,
        transition_key: KEY.to_owned(),
        expected_rc: None,
        digests: Digests::default(),
    };
    let (rc, status) = (7, OpStatus::Done.code());
    OperationResult {
        number: 1,
        operation,
        rc,
        status,
        exit_reason: String::new(),
        at,
        exec_ms: 0,
        queue_ms: 0,
    }
}

fn record(at: i64) -> String {
    let result = serde_json::to_string(&failure(at)).expect("it has text keys");
    format!(r#"{{"by":"executor","results":[{result}]}}"#)
}

/// A CIB with a failure in its history, and with a fail count: the number, and when it failed last.
fn cib(failed_at: Option<i64>, count: &str) -> Document {
    let entry = failed_at.map_or_else(String::new, |at| {
        format!(r#"<lrm_rsc_op id="r_last_failure_0" transition-key="{KEY}" op-status="0" rc-code="7" last-rc-change="{at}"/>"#)
    });
    let pair = |name: &str, value: &str| {
        format!(r#"<nvpair id="{name}" name="{name}-r#monitor_10000" value="{value}"/>"#)
    };
    let pairs = match count.split_once(' ') {
        Some((n, last)) => pair("fail-count", n) + &pair("last-failure", last),
        None => String::new(),
    };
    let text = format!(
        r#"<cib><status><node_state id="1" uname="a"><lrm id="1"><lrm_resources><lrm_resource id="r">{entry}</lrm_resource>
        </lrm_resources></lrm><transient_attributes id="1"><instance_attributes id="s">{pairs}</instance_attributes>
        </transient_attributes></node_state></status></cib>"#
    );
    Document::parse(&text).expect("it is well formed")
}

#[test]
fn a_failure_that_is_recorded_counts_once() {
    for (count, is_wrong) in [("1 5", false), ("", true), ("2 5", true), ("1 4", true)] {
        let mut bench = Bench::new();
        let wrong = bench.says("record", &record(5), &cib(Some(5), count));
        assert_eq!(wrong.is_some(), is_wrong, "{count:?}: {wrong:?}");
    }
    let mut bench = Bench::new();
    assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
    assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None, "it is said again");
    assert!(bench.says("record", &record(5), &cib(Some(5), "2 5")).is_some(), "it counts again");
    let mut bench = Bench::new();
    assert_eq!(bench.says("record", &record(5), &cib(None, "")), None, "nobody took it in");
}

#[test]
fn nothing_counts_more_often_than_an_executor_has_reported_it() {
    for (numbers, is_wrong) in [(&[1][..], true), (&[1, 2], false), (&[1, 1], true)] {
        let mut bench = Bench::new();
        for number in numbers {
            bench.counts.reported("a-1", &OperationResult { number: *number, ..failure(5) });
        }
        assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
        let wrong = bench.says("record", &record(6), &cib(Some(6), "2 6"));
        assert_eq!(wrong.is_some(), is_wrong, "{numbers:?}: {wrong:?}");
    }
}

#[test]
fn what_is_acknowledged_has_to_be_counted() {
    let mut bench = Bench::new();
    bench.counts.reported("a-1", &failure(5));
    assert!(bench.counts.acknowledged(0, "a-1", 1).is_some());
    let mut bench = Bench::new();
    bench.counts.reported("a-1", &failure(5));
    assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
    assert_eq!(bench.counts.acknowledged(0, "a-1", 1), None);
}

#[test]
fn counts_go_with_their_node_and_when_they_are_cleared_and_for_nothing_else() {
    let of_node = |standing: &str| format!(r#"{{"nodes":[{{"id":1,"name":"a","standing":"{standing}"}}]}}"#);
    let (lost, member) = (of_node("lost"), of_node("member"));
    let clear =
        |resource: &str| format!(r#"{{"node":"a","resource":"{resource}","operation":null,"action":1}}"#);
    let cleanup =
        r#"{"incarnation":1,"number":1,"wish":{"cleanup":{"resource":null,"node":null,"only_failed":true}}}"#;
    for (kind, body, stays_wrong, goes_wrong) in [
        ("membership", &lost[..], true, false),
        ("membership", &member, false, true),
        ("clear_failure", &clear("r"), true, false),
        ("clear_failure", &clear("s"), false, true),
        ("request", cleanup, false, false),
        ("forget", r#"{"node":"a","resource":"r","action":1}"#, false, true),
        ("idle", r#"{"changes":1}"#, false, true),
    ] {
        for (count, is_wrong) in [("1 5", stays_wrong), ("", goes_wrong)] {
            let mut bench = Bench::new();
            assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
            let wrong = bench.says(kind, body, &cib(Some(5), count));
            assert_eq!(wrong.is_some(), is_wrong, "{kind} {body} {count:?}: {wrong:?}");
        }
    }
    let mut bench = Bench::new();
    assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
    assert_eq!(bench.says("membership", &lost, &cib(Some(5), "")), None);
    assert!(bench.says("membership", &member, &cib(Some(5), "2 5")).is_some(), "it comes back as another");
    assert_eq!(bench.counts.has_outlived(0, "a", 2), None);
    let mut bench = Bench::new();
    assert_eq!(bench.says("record", &record(5), &cib(Some(5), "1 5")), None);
    assert_eq!(bench.says("membership", &lost, &cib(Some(5), "")), None);
    assert_eq!(bench.says("membership", &member, &cib(Some(5), "1 5")), None, "it comes back as it was");
    assert!(bench.counts.has_outlived(0, "a", 5).is_some(), "it was booted meanwhile");
}
