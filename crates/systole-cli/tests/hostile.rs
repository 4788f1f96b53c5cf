//! Input that was made to do harm, or is no CIB at all: every tool says what is wrong with it and where, and does no more.

mod support;

use std::fs;
use support::Place;

const CIB: &str = "<cib validate-with=\"pacemaker-4.0\" admin_epoch=\"0\" epoch=\"1\" num_updates=\"0\">\
                   <configuration><crm_config/><nodes/><resources>HERE</resources><constraints/></configuration>\
                   <status/></cib>\n";

fn resource(attributes: &str) -> String {
    CIB.replace("HERE", &format!("<primitive {attributes} class=\"ocf\" provider=\"p\" type=\"t\"/>"))
}

/// Each with what is said about it.
fn inputs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let entities = (1..10).map(|n| format!("<!ENTITY e{n} \"{}\">", format!("&e{};", n - 1).repeat(10)));
    let laughs = format!("<!DOCTYPE x [<!ENTITY e0 \"ha\">{}]>", entities.collect::<String>());
    let outside = "<!DOCTYPE x [<!ENTITY e9 SYSTEM \"file:///etc/hostname\">]>";
    let attributes: String = (0..20_000).map(|n| format!("a{n}=\"\" ")).collect();
    let mut bytes = resource("id=\"?\"").into_bytes();
    let at = bytes.iter().position(|byte| *byte == b'?').expect("it is there");
    bytes[at] = 0xff;
    let groups = 100_000;
    vec![
        ("nothing", Vec::new(), "no XML element"),
        ("no XML", b"node1 node2".to_vec(), "text outside"),
        ("no UTF-8", bytes, "UTF-8"),
        ("a NUL", resource("id=\"a\0b\"").into_bytes(), "U+0000"),
        ("half of it", resource("id=\"a\"").into_bytes()[..120].to_vec(), "has no end"),
        ("entities", (laughs + &resource("id=\"&e9;\"")).into_bytes(), "<!DOCTYPE"),
        ("a file", (outside.to_owned() + &resource("id=\"&e9;\"")).into_bytes(), "<!DOCTYPE"),
        (
            "depth",
            CIB.replace("HERE", &("<group id=\"g\">".repeat(groups) + &"</group>".repeat(groups)))
                .into_bytes(),
            "deeper than 256",
        ),
        ("attributes", resource(&attributes).into_bytes(), "more than 10000 attributes"),
    ]
}

#[test]
fn every_tool_refuses_what_is_no_cib_and_says_why() {
    for (name, bytes, said) in inputs() {
        let good = resource("id=\"a\"");
        let place = Place::new().with_cib(&good);
        fs::write(place.dir.join("bad.xml"), &bytes).expect("the disk has room");
        for command in [
            "crm_verify -V -x bad.xml",
            "crm_simulate -S -x bad.xml",
            "CIB_file=bad.xml cibadmin -Q",
            "cibadmin --replace --xml-file bad.xml",
            "cibadmin --patch --xml-file bad.xml",
            "cibadmin --create -o resources --xml-pipe < bad.xml",
            "crm_diff -o cib.xml -n bad.xml",
            "crm_diff -o cib.xml -p bad.xml",
            "CIB_file=bad.xml crm_mon -1",
            "CIB_file=bad.xml crm_resource -l",
            "CIB_file=bad.xml systole explain a",
            "systole plan bad.xml",
        ] {
            let outcome = place.sh(command);
            // Whatever is wrong with what stands for the cluster's CIB, it is no valid configuration.
            let is_cib = command.starts_with("crm_verify") || command.starts_with("CIB_file");
            let code = if is_cib { 78 } else { 65 };
            assert_eq!(outcome.code, code, "{command} with {name}: {outcome:?}");
            assert!(outcome.err.contains(said), "{command} with {name} says {:?}, not {said:?}", outcome.err);
            assert!(outcome.err.len() < 2000, "{command} with {name} says {} bytes", outcome.err.len());
            assert_eq!((outcome.out.as_str(), place.cib_text()), ("", good.clone()), "{command} with {name}");
        }
    }
}

#[test]
fn numbers_beyond_all_bounds_are_refused_or_read_as_the_most_there_is() {
    let huge = "9".repeat(400);
    let resources = format!(
        "<clone id=\"c\"><meta_attributes id=\"m\"><nvpair id=\"m1\" name=\"clone-max\" value=\"{huge}\"/>\
         <nvpair id=\"m2\" name=\"clone-node-max\" value=\"{huge}\"/></meta_attributes><primitive id=\"p\" class=\"ocf\" \
         provider=\"p\" type=\"t\"><operations><op id=\"o\" name=\"monitor\" interval=\"{huge}\" timeout=\"{huge}s\"/>\
         </operations></primitive></clone>"
    );
    let options = format!(
        "<crm_config><cluster_property_set id=\"s\"><nvpair id=\"s1\" name=\"batch-limit\" value=\"{huge}\"/>\
         <nvpair id=\"s2\" name=\"cluster-delay\" value=\"-{huge}s\"/><nvpair id=\"s3\" name=\"fencing-enabled\" \
         value=\"false\"/></cluster_property_set></crm_config>"
    );
    let state = "<status><node_state id=\"1\" uname=\"n\" in_ccm=\"true\" crmd=\"online\" join=\"member\" expected=\"member\"/>";
    let cib = CIB
        .replace("HERE", &resources)
        .replace("<crm_config/>", &options)
        .replace("<nodes/>", "<nodes><node id=\"1\" uname=\"n\"/></nodes>")
        .replace("<status/>", &format!("{state}</status>"));
    let place = Place::new().with_cib(&cib);
    for command in
        ["crm_verify -V -x cib.xml", "crm_simulate -S -x cib.xml", "crm_mon -1", "systole explain c"]
    {
        let outcome = place.sh(command);
        assert!(matches!(outcome.code, 0 | 78), "{command}: {outcome:?}");
        assert!(!outcome.err.contains("panicked"), "{command}: {outcome:?}");
    }
    let place = Place::new().with_cib(&cib.replace("epoch=\"1\"", &format!("epoch=\"{huge}\"")));
    let outcome = place.sh("crm_verify -V -x cib.xml");
    assert_eq!(outcome.code, 78, "{outcome:?}");
}

#[test]
fn an_upgrade_tells_what_it_drops() {
    let old = resource("id=\"a\"")
        .replace("pacemaker-4.0", "pacemaker-3.9")
        .replace("class=\"ocf\" provider=\"p\"", "class=\"nagios\"");
    let place = Place::new().with_cib(&old);
    let outcome = place.sh("cibadmin --upgrade --force");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.err, "dropping primitive a because nagios resources are no longer supported\n");
    assert!(!place.cib_text().contains("nagios"));
    assert_eq!(place.sh("cibadmin --upgrade --force").err, "", "there is nothing left to drop");
}
