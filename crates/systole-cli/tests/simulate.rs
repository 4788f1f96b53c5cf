//! `crm_simulate`: what it tells, and what it leaves in files.

mod support;

use std::fs;
use support::Place;

const WEB: &str = include_str!("cibs/web.xml");

fn web() -> Place {
    Place::new().with_cib(WEB)
}

#[test]
fn mistakes_end_with_the_exit_codes_of_the_incumbent() {
    for (command, code, said) in [
        ("crm_simulate -Q -x cib.xml -d nowhere", 105, "'nowhere' not found"),
        ("crm_simulate -Q -x cib.xml -f nowhere", 105, "'nowhere' not found"),
        ("crm_simulate -Q -x cib.xml -i vip_monitor_0@nowhere=1", 105, "'nowhere' not found"),
        ("crm_simulate -x missing.xml", 65, "missing.xml"),
        ("echo '<cib><a' | crm_simulate", 65, "-:"),
        ("echo '<a/>' | crm_simulate", 78, "not a CIB"),
        ("crm_simulate -Q -x cib.xml -G /no/such/graph", 74, "/no/such/graph"),
        ("crm_simulate -Q -x cib.xml -D /no/such/drawing", 74, "/no/such/drawing"),
        ("crm_simulate -Q -x cib.xml -I /no/such/input", 105, "/no/such/input"),
        ("crm_simulate -Q -x cib.xml -O /no/such/output", 105, "/no/such/output"),
        ("crm_simulate -P nowhere", 105, "nowhere"),
        // What the incumbent says nothing about, or goes on after, is told all the same.
        ("crm_simulate -Q -x cib.xml -i vip", 0, "Invalid operation spec: vip.  Only found 1 fields"),
        ("crm_simulate -Q -x cib.xml -i nope_monitor_0@alpha=1", 0, "Invalid resource name: nope"),
        ("crm_simulate -Q -x cib.xml -F nonsense", 0, "'nonsense'"),
        ("crm_simulate -Q -x cib.xml -t someday", 0, "\"someday\" is not a date"),
    ] {
        let place = web();
        let outcome = place.sh(command);
        assert_eq!(outcome.code, code, "{command}: {outcome:?}");
        assert!(outcome.err.contains(said), "{command} says {:?}, not {said:?}", outcome.err);
        assert_eq!(outcome.out.trim(), "", "{command} prints something");
        assert_eq!(place.cib_text(), WEB, "{command} changed the CIB");
    }
}

#[test]
fn a_pretended_time_counts_more_than_the_execution_date() {
    let rule = "<rsc_location id=\"night\" rsc=\"web\"><rule id=\"night-rule\" score=\"-INFINITY\">\
                <date_expression id=\"night-date\" operation=\"lt\" end=\"2023-11-14 12:00Z\"/></rule></rsc_location>";
    let cib = format!(
        "<cib validate-with=\"pacemaker-4.0\" epoch=\"1\" num_updates=\"0\" admin_epoch=\"0\" execution-date=\"1700001000\">\
         <configuration><crm_config><cluster_property_set id=\"options\"><nvpair id=\"fencing\" name=\"fencing-enabled\" \
         value=\"false\"/></cluster_property_set></crm_config><nodes><node id=\"1\" uname=\"alpha\"/></nodes><resources>\
         <primitive id=\"web\" class=\"ocf\" provider=\"pacemaker\" type=\"Dummy\"/></resources><constraints>{rule}\
         </constraints></configuration><status><node_state id=\"1\" uname=\"alpha\" in_ccm=\"true\" crmd=\"online\" \
         join=\"member\" expected=\"member\"/></status></cib>"
    );
    let place = Place::new().with_cib(&cib);
    for (time, starts) in [("", true), ("-t '2023-11-14 11:00Z'", false), ("-t '2023-11-14 13:00Z'", true)] {
        let outcome = place.sh(&format!("crm_simulate -x cib.xml -S {time}"));
        assert_eq!(outcome.out.contains("Start      web"), starts, "{time}: {outcome:?}");
    }
}

#[test]
fn modifications_are_valid_by_the_schema_and_nothing_is_lost_after_them() {
    let outcome = web().sh(
        "crm_simulate -x cib.xml -R -i smtp_monitor_10000@gamma=7 -g ticket -d beta -u alpha -q 1 -w true \
         -t 2026-01-02 --output-as=xml",
    );
    let elements: Vec<&str> = outcome
        .out
        .lines()
        .filter(|line| line.starts_with("  <") || line.starts_with("    <") && line.contains("ject_"))
        .filter_map(|line| line.trim_start().trim_start_matches(['<', '/']).split([' ', '>']).next())
        .collect();
    assert_eq!(
        elements.join(" "),
        "cluster_status cluster_status modifications inject_spec inject_attr inject_attr modifications actions actions \
         status",
        "{}",
        outcome.out
    );
    let order = ["modify_node action=\"Online\"", "action=\"Offline\"", "modify_ticket", "inject_spec"];
    let at: Vec<_> = order.iter().map(|text| outcome.out.find(text)).collect();
    assert!(at.iter().all(Option::is_some) && at.is_sorted(), "{at:?} in {}", outcome.out);
}

#[test]
fn amounts_are_elements_as_names_of_capacities_are_the_users() {
    let capacity = r#"<node id="1" uname="alpha"><utilization id="u"><nvpair id="u1" name="cpu" value="8"/></utilization></node>"#;
    let cib = WEB.replace(r#"<node id="1" uname="alpha"/>"#, capacity);
    assert_ne!(cib, WEB, "the example has a node alpha");
    let outcome = Place::new().with_cib(&cib).sh("crm_simulate -x cib.xml -U -S --output-as=xml");
    let told = "<capacity node=\"alpha\" comment=\"Original\">\n      <cpu>8</cpu>\n    </capacity>";
    assert!(outcome.out.contains(told), "{}", outcome.out);
}

#[test]
fn features_are_told_of_nodes_that_are_to_stay() {
    for (expected, is_told) in [("member", true), ("down", false)] {
        let cib = WEB.replacen(r#"expected="member""#, &format!(r#"expected="{expected}""#), 1);
        let outcome = Place::new().with_cib(&cib).sh("crm_mon -1 --output-as=xml");
        let node = outcome.out.lines().find(|line| line.contains("<node name=\"alpha\""));
        let node = node.expect("there is a node alpha");
        assert_eq!(node.contains("feature_set="), is_told, "{node}");
    }
}

#[test]
fn a_failure_is_counted_where_the_result_is_kept() {
    let place = web();
    let outcome =
        place.sh("crm_simulate -x cib.xml -i vip_monitor_10000@alpha=7 -F vip_stop_0@alpha=1 -O after.xml");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for line in [
        "  * Injecting vip_monitor_10000@alpha=7 into the configuration\n",
        "  * Resource action: vip             stop on alpha\nPretending action 3 failed with rc=1\n",
        "  * Injecting attribute fail-count-vip#stop_0=INFINITY into /node_state '1'\n",
        "Revised Cluster Status:\n",
    ] {
        assert!(outcome.out.contains(line), "no {line:?} in {}", outcome.out);
    }
    let after = fs::read_to_string(place.dir.join("after.xml")).expect("the result is kept");
    for text in ["vip_last_failure_0", "name=\"fail-count-vip#stop_0\" value=\"INFINITY\""] {
        assert!(after.contains(text), "no {text} in {after}");
    }
    assert_eq!(place.cib_text(), WEB, "the input stays as it was");
}

#[test]
fn the_source_given_last_counts() {
    let place = web();
    fs::write(place.dir.join("empty.xml"), "<cib><configuration/><status/></cib>")
        .expect("the disk has room");
    let is_empty = |command: &str| place.sh(command).out.contains("No resources");
    assert!(is_empty("crm_simulate -L -x empty.xml"));
    assert!(!is_empty("crm_simulate -x empty.xml -L"));
    assert!(is_empty("crm_simulate -x cib.xml -p < empty.xml"));
    assert!(is_empty("crm_simulate < empty.xml"), "standard input is the default");
}

#[test]
fn a_directory_is_profiled_without_what_is_no_cib() {
    let place = web();
    fs::create_dir(place.dir.join("many")).expect("the disk has room");
    for name in ["b.xml", "a.xml", ".hidden.xml", "note.txt"] {
        fs::write(place.dir.join("many").join(name), WEB).expect("the disk has room");
    }
    fs::write(place.dir.join("many/c.xml"), "<a/>").expect("the disk has room");
    let outcome = place.sh("crm_simulate -P many -N 2");
    let files: Vec<&str> = outcome.out.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    assert_eq!(files, ["many/a.xml", "many/b.xml"], "{outcome:?}");
    assert!(outcome.err.contains("many/c.xml: not a CIB"), "{outcome:?}");
}
