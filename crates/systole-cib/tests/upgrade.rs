//! What becomes of older configurations.

use systole_cib::{
    schema::{self, Schema},
    upgrade::{UpgradeError, as_far_as_possible, for_reading},
    xml::Document,
    xpath,
};

#[derive(Default)]
struct Parts<'p> {
    options: &'p str,
    nodes: &'p str,
    resources: &'p str,
    constraints: &'p str,
    sections: &'p str,
}

fn cib(schema: &str, parts: &Parts<'_>) -> Document {
    let Parts { options, nodes, resources, constraints, sections } = parts;
    let text = format!(
        "<cib validate-with='pacemaker-{schema}' admin_epoch='0' epoch='1' num_updates='0'><configuration>\
         <crm_config>{options}</crm_config><nodes>{nodes}</nodes><resources><primitive id='A' class='ocf' provider='p' type='t'/>\
         {resources}</resources><constraints>{constraints}</constraints>{sections}</configuration><status/></cib>"
    );
    Document::parse(text.as_str()).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Each XPath finds one element in what the parts become.
fn check(schema: &str, parts: &Parts<'_>, found: &[&str]) {
    let document = cib(schema, parts);
    let upgraded = as_far_as_possible(&document).expect("valid");
    assert_eq!(upgraded.schema, Schema::NEWEST, "{:?}", schema::check(&upgraded.document, Schema::NEWEST));
    assert_eq!(schema::check(&upgraded.document, Schema::NEWEST), []);
    // It is also what the scheduler reads.
    let mut read = for_reading(&document).expect("valid").map_or(document, |upgraded| upgraded.document);
    let root = read.root_key();
    read.set_attr(root, "validate-with", Schema::NEWEST.name());
    assert_eq!(read.to_text(), upgraded.document.to_text());
    for expression in found {
        let n = xpath::find(&upgraded.document, expression).expect(expression).len();
        assert_eq!(n, 1, "{expression} in {:?}", upgraded.document);
    }
}

const RULE: &str = "<rule id='r1' score='1'><expression id='e1' attribute='a' operation='defined'/></rule>";

#[test]
fn options_have_todays_names() {
    let options = |pairs: &[(&str, &str)]| {
        let pairs: String = pairs
            .iter()
            .enumerate()
            .map(|(n, (name, value))| format!("<nvpair id='p{n}' name='{name}' value='{value}'/>"))
            .collect();
        format!(
            "<cluster_property_set id='o'><nvpair id='x' name='x' value='y'/>{pairs}</cluster_property_set>"
        )
    };
    for (old, value, found) in [
        ("no_quorum_policy", "stop", "//nvpair[@name='no-quorum-policy'][@value='stop']"),
        ("transition_idle_timeout", "5", "//nvpair[@name='cluster-delay']"),
        ("expected-quorum-votes", "2", "//cluster_property_set[count(nvpair)=1]"),
        ("cluster-infrastructure", "cman", "//cluster_property_set[count(nvpair)=1]"),
        (
            "default-resource-stickiness",
            "7",
            "//rsc_defaults/meta_attributes/nvpair[@name='resource-stickiness'][@value='7']",
        ),
        (
            "is_managed_default",
            "false",
            "//rsc_defaults/meta_attributes/nvpair[@name='is-managed'][@value='false']",
        ),
        (
            "default-action-timeout",
            "9s",
            "//op_defaults/meta_attributes[@id='_2TO3_-op-defaults']/nvpair[@name='timeout']",
        ),
        (
            "default-resource-failure-stickiness",
            "-INFINITY",
            "//rsc_defaults/meta_attributes/nvpair[@name='migration-threshold'][@value='1']",
        ),
    ] {
        let options = options(&[(old, value)]);
        check("2.10", &Parts { options: &options, ..Parts::default() }, &[found]);
    }
    for (old, value, found) in [
        ("crmd-transition-delay", "5", "//nvpair[@name='transition-delay']"),
        ("stonith-action", "poweroff", "//nvpair[@name='stonith-action'][@value='off']"),
        ("remove-after-stop", "true", "//cluster_property_set[count(nvpair)=1]"),
    ] {
        let options = options(&[(old, value)]);
        check("3.0", &Parts { options: &options, ..Parts::default() }, &[found]);
    }
    let twice = options(&[("a", "1"), ("a", "2"), ("b", "1"), ("b", "#default"), ("remove-after-stop", "1")]);
    check(
        "3.0",
        &Parts { options: &twice, ..Parts::default() },
        &[
            "//nvpair[@name='a'][@value='1']",
            "//nvpair[@name='b'][@value='#default']",
            "//cluster_property_set[count(nvpair)=3]",
        ],
    );
}

#[test]
fn what_operations_need_is_a_matter_of_the_resource() {
    let primitive = |op: &str| {
        format!(
            "<primitive id='B' class='lsb' type='b'><operations><op id='o' name='start' interval='0' {op}</op></operations></primitive>"
        )
    };
    for (op, found) in [
        (
            "requires='quorum'>",
            "//primitive[@id='B']/meta_attributes[@id='_2TO3_B-meta']/nvpair[@id='_2TO3_o-meta-requires'][@value='quorum']",
        ),
        (
            "><meta_attributes id='m'><nvpair id='p' name='requires' value='nothing'/></meta_attributes>",
            "//primitive[@id='B']/meta_attributes[@id='_2TO3_m']/nvpair[@id='p'][@value='nothing']",
        ),
        (
            "><instance_attributes id='i'><nvpair id='p' name='timeout' value='5'/></instance_attributes>",
            "//op[not(instance_attributes)]/meta_attributes[@id='_2TO3_o-meta']/nvpair[@id='p'][@name='timeout']",
        ),
    ] {
        check("2.10", &Parts { resources: &primitive(op), ..Parts::default() }, &[found]);
    }
    let parameters = "<primitive id='B' class='stonith' type='b'><instance_attributes id='i'>\
                      <nvpair id='p1' name='pcmk_off_cmd' value='x'/><nvpair id='p2' name='pcmk_arg_map' value='port:plug'/>\
                      </instance_attributes></primitive>";
    check(
        "2.10",
        &Parts { resources: parameters, ..Parts::default() },
        &["//nvpair[@name='pcmk_off_action']", "//nvpair[@name='pcmk_host_argument'][@value='plug']"],
    );
}

#[test]
fn acls_of_users_become_roles() {
    let sections = "<acls><acl_user id='u'><read id='a' tag='nodes' attribute='x'/><deny id='b' xpath='//q' attribute='y'/>\
                    <write id='c' ref='A'/></acl_user></acls>";
    check(
        "1.3",
        &Parts { sections, ..Parts::default() },
        &[
            "//acl_target[@id='u']/role[@id='auto-u']",
            "//acl_role[@id='auto-u']/acl_permission[@kind='read'][@object-type='nodes'][@attribute='x']",
            "//acl_permission[@kind='deny'][@xpath='//q[@y]']",
            "//acl_permission[@kind='write'][@reference='A']",
        ],
    );
}

#[test]
fn former_resources_are_dropped_with_what_is_about_them() {
    let resources = "<primitive id='N' class='nagios' type='n'/><group id='g'><primitive id='U' class='upstart' type='u'/></group>\
                     <bundle id='k'><rkt image='i'/></bundle><bundle id='b'><docker image='i' masters='1'/></bundle>\
                     <master id='m'><primitive id='M' class='ocf' provider='p' type='m'/></master>";
    let constraints = "<rsc_location id='l' rsc='N' node='n' score='1'/><rsc_order id='o' first='A' then='g'/>\
                       <rsc_colocation id='c' score='1'><resource_set id='s'><resource_ref id='U'/><resource_ref id='A'/></resource_set></rsc_colocation>";
    let sections =
        "<acls><acl_role id='ar'><acl_permission id='ap' kind='read' reference='l'/></acl_role></acls>";
    let parts = Parts { resources, constraints, sections, ..Parts::default() };
    check(
        "3.0",
        &parts,
        &[
            "//resources[count(*)=3]",
            "//constraints[count(*)=1]//resource_set[count(*)=1]/resource_ref[@id='A']",
            "//docker[@promoted-max='1'][not(@masters)]",
            "//clone[@id='m']/meta_attributes[@score='INFINITY']/nvpair[@name='promotable'][@value='true']",
            "//acl_permission[@xpath='/*[false()]'][not(@reference)]",
        ],
    );
    let notes = as_far_as_possible(&cib("3.0", &parts)).expect("valid").notes;
    assert!(
        notes
            .iter()
            .any(|note| note == "dropping primitive N because nagios resources are no longer supported"),
        "{notes:?}"
    );
}

#[test]
fn location_constraints_have_one_rule_and_no_lifetime() {
    let second = RULE.replace("'r1'", "'r2'").replace("'e1'", "'e2'");
    let lifetime = format!("<lifetime>{second}</lifetime>");
    for (constraints, found) in [
        (
            format!("<rsc_location id='l' rsc='A'>{RULE}{second}</rsc_location>"),
            &[
                "//rsc_location[@id='pcmk__3_10_upgrade-l-1'][@rsc='A'][count(rule)=1]/rule[@id='r1']",
                "//rsc_location[@id='pcmk__3_10_upgrade-l-2'][@rsc='A'][count(rule)=1]/rule[@id='r2']",
            ][..],
        ),
        (
            format!("<rsc_location id='l' rsc='A'>{RULE}{lifetime}</rsc_location>"),
            &[
                "//rsc_location/rule[@id='pcmk__3_10_upgrade-l-lifetime-and-rule'][@boolean-op='and'][count(rule)=2]/rule[@id='r2']",
            ],
        ),
        (
            format!("<rsc_location id='l' rsc='A' node='n' score='5'>{lifetime}</rsc_location>"),
            &["//rsc_location[not(@node)]/rule/rule[@score='5']/expression[@attribute='#uname'][@value='n']"],
        ),
        (
            format!("<rsc_order id='o' first='A' then='A'>{lifetime}</rsc_order>"),
            &["//rsc_order[not(lifetime)]"],
        ),
    ] {
        check("3.0", &Parts { constraints: &constraints, ..Parts::default() }, found);
    }
    let nodes = "<node id='1' uname='p' type='ping'/>";
    check(
        "3.0",
        &Parts { nodes, ..Parts::default() },
        &[
            "//node[@type='member']",
            "//rsc_location[@node='p'][@rsc-pattern='.*'][@score='-INFINITY'][@resource-discovery='never']",
        ],
    );
}

#[test]
fn references_stay_references_unless_what_they_name_goes() {
    let resources = "<primitive id='N' class='nagios' type='n'><meta_attributes id='m'><nvpair id='p' name='a' value='b'/></meta_attributes>\
                     </primitive><primitive id='B' class='lsb' type='b'><meta_attributes id-ref='m'/></primitive>\
                     <primitive id='C' class='lsb' type='c'><meta_attributes id-ref='m'/></primitive>";
    check(
        "3.0",
        &Parts { resources, ..Parts::default() },
        &[
            "//primitive[@id='B']/meta_attributes[@id='m']/nvpair[@id='p']",
            "//primitive[@id='C']/meta_attributes[@id-ref='m'][not(*)]",
        ],
    );
}

#[test]
fn a_configuration_that_fits_the_newest_schema_is_read_as_it_is() {
    let plain = cib("3.0", &Parts::default());
    assert!(for_reading(&plain).expect("valid").is_none());
    let older = cib("3.0", &Parts { nodes: "<node id='1' uname='p' type='ping'/>", ..Parts::default() });
    assert_eq!(for_reading(&older).expect("valid").map(|upgraded| upgraded.schema), Some(Schema::NEWEST));
    let unchecked = cib("3.0", &Parts { resources: "<foo/>", ..Parts::default() });
    assert_eq!(for_reading(&unchecked).err(), Some(UpgradeError::Invalid { claimed: Schema::V3_0 }));
}

#[test]
fn references_without_end_are_not_followed() {
    let round = "<rsc_location id='l' rsc='A'><rule id='r1' score='1'><rule id-ref='r1'/></rule><rule id-ref='r1'/></rsc_location>";
    let mut doubling = format!("<rsc_location id='l' rsc='A'>{RULE}</rsc_location>");
    for n in 2..60 {
        doubling += &format!(
            "<rsc_location id='l{n}' rsc='A'><rule id='r{n}' score='1'><rule id-ref='r{0}'/><rule id-ref='r{0}'/></rule>\
             <rule id-ref='r1'/></rsc_location>",
            n - 1
        );
    }
    for constraints in [round, &doubling] {
        let document = cib("3.10", &Parts { constraints, ..Parts::default() });
        let error = for_reading(&document).err().expect("no end");
        assert_eq!(error, UpgradeError::Stuck { claimed: Schema::V3_10, reached: Schema::V3_10 });
    }
}
