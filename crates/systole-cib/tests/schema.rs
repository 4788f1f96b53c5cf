//! What each schema of the configuration language takes.

use systole_cib::{
    schema::{self, Schema},
    xml::Document,
};

#[derive(Default)]
struct Parts<'p> {
    options: &'p str,
    nodes: &'p str,
    resources: &'p str,
    constraints: &'p str,
    sections: &'p str,
}

fn cib(parts: &Parts<'_>) -> Document {
    let Parts { options, nodes, resources, constraints, sections } = parts;
    let text = format!(
        "<cib validate-with='pacemaker-4.0' admin_epoch='0' epoch='1' num_updates='0'><configuration>\
         <crm_config>{options}</crm_config><nodes>{nodes}</nodes><resources><primitive id='A' class='ocf' provider='p' type='t'/>\
         {resources}</resources><constraints>{constraints}</constraints>{sections}</configuration><status/></cib>"
    );
    Document::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// `first..last` are the schemas the parts fit, without the names' common beginning; empty for none.
fn check(parts: &Parts<'_>, range: &str) {
    let document = cib(parts);
    let fits = schema::fitting(&document);
    let short = |schema: Option<Schema>| schema.map_or("", |s| s.name().trim_start_matches("pacemaker-"));
    let found = match (short(fits.oldest()), short(fits.newest())) {
        ("", _) => String::new(),
        (oldest, newest) => format!("{oldest}..{newest}"),
    };
    assert_eq!(found, range, "{document:?}");
    let mut schema = Some(Schema::V1_0);
    while let Some(at) = schema {
        let faults = schema::check(&document, at);
        assert_eq!(faults.is_empty(), fits.has(at), "{at}: {faults:?} in {document:?}");
        schema = at.next();
    }
}

#[test]
fn an_element_is_of_the_schemas_that_know_it() {
    let inner = "<primitive id='B' class='lsb' type='x'/>";
    let bundle = |container: &str| format!("<bundle id='b'><{container} image='i'/></bundle>");
    for (resources, range) in [
        ("", "1.0..4.0"),
        ("<template id='T' class='lsb' type='x'/><primitive id='B' template='T'/>", "1.2..4.0"),
        (&format!("<master id='m'>{inner}</master>"), "1.0..3.10"),
        (&bundle("docker"), "2.8..4.0"),
        (&bundle("rkt"), "2.10..3.10"),
        (&bundle("podman"), "3.2..4.0"),
        (&format!("<clone id='c'>{inner}</clone>"), "1.0..4.0"),
        (&format!("<group id='g'>{inner}text</group>"), ""),
        ("<group id='g'/>", ""),
        ("<foo/>", ""),
        (inner, "1.0..4.0"),
        (&format!("{inner}{inner}"), ""),
    ] {
        check(&Parts { resources, ..Parts::default() }, range);
    }
    for (sections, range) in [
        (
            "<fencing-topology><fencing-level id='f' target='n' index='10' devices='A'/></fencing-topology>",
            "1.2..3.10",
        ),
        ("<tags><tag id='t'><obj_ref id='A'/></tag></tags>", "1.3..4.0"),
        ("<tags><tag id='t'><obj_ref id='not-there'/></tag></tags>", "3.3..4.0"),
        (
            "<alerts><alert id='a' path='/x'><recipient id='r' value='v'/><meta_attributes id='m'/></alert></alerts>",
            "2.10..4.0",
        ),
        ("<acls><acl_user id='u'><read id='r' xpath='//x'/></acl_user></acls>", "1.2..1.3"),
        (
            "<acls><acl_role id='r'><acl_permission id='p' kind='read' xpath='//x'/></acl_role></acls>",
            "2.0..4.0",
        ),
        ("<rsc_defaults/><rsc_defaults/>", ""),
    ] {
        check(&Parts { sections, ..Parts::default() }, range);
    }
}

#[test]
fn an_attribute_is_of_the_schemas_that_know_it() {
    for (constraints, range) in [
        ("<rsc_location id='l' rsc='A' node='n' score='5'/>", "1.0..4.0"),
        ("<rsc_location id='l' rsc='A' node='n' score='5' resource-discovery='never'/>", "2.2..4.0"),
        ("<rsc_location id='l' rsc-pattern='a.*' node='n' score='5' role='Master'/>", "2.6..4.0"),
        ("<rsc_location id='l' rsc='A' node='n' score='5' role='Promoted'/>", "3.7..4.0"),
        ("<rsc_location id='l' rsc='A' node='n' score='many'/>", ""),
        ("<rsc_location id='l' rsc='gone' node='n' score='5'/>", ""),
        ("<rsc_colocation id='c' rsc='A' with-rsc='A' score-attribute='x'/>", "1.0..2.10"),
        ("<rsc_colocation id='c' rsc='A' with-rsc='A' score='1' influence='false'/>", "3.6..4.0"),
        ("<rsc_order id='o' first='A' then='A' score='1' kind='Optional'/>", ""),
    ] {
        check(&Parts { constraints, ..Parts::default() }, range);
    }
    for (nodes, range) in [
        ("<node id='1' uname='n'/>", "1.2..4.0"),
        ("<node id='1' uname='n' type='normal'/>", "1.0..2.10"),
        ("<node id='1' uname='n' type='ping'/>", "1.0..3.10"),
        ("<node id='1' uname='n' type='remote'/>", "1.3..4.0"),
        ("<node id='1' uname='n' colour='red'/>", ""),
    ] {
        check(&Parts { nodes, ..Parts::default() }, range);
    }
    for (pair, range) in [
        ("<nvpair id='x' name='a' value='b'/>", "1.0..4.0"),
        ("<nvpair id='x' name='a'/>", "1.0..3.10"),
        ("<nvpair id='x' name='crmd-transition-delay' value='1'/>", "1.0..3.10"),
        ("<nvpair id='x' name='stonith-action' value='poweroff'/>", "1.0..3.10"),
        ("<nvpair id='x' name='stonith-action' value='off'/>", "1.0..4.0"),
    ] {
        let options = format!("<cluster_property_set id='o'>{pair}</cluster_property_set>");
        check(&Parts { options: &options, ..Parts::default() }, range);
    }
}

#[test]
fn rules_changed_with_the_schemas_and_not_everywhere_at_once() {
    let date = |rest: &str| format!("<date_expression id='d' operation='in_range' {rest}/>");
    let resource = "<rsc_expression id='x' class='ocf'/>";
    for (score, inside, in_constraint, in_options) in [
        ("score='1'", date("start='2020' end='2021'").as_str(), "1.0..3.10", "1.0..4.0"),
        ("", &date("start='2020' end='2021'"), "3.9..3.10", "3.9..4.0"),
        ("score='1'", &date("start='2020'"), "3.9..3.10", "3.9..4.0"),
        ("score='1'", resource, "3.5..3.10", "3.4..4.0"),
        ("score='1'", "", "", ""),
    ] {
        let rule = format!("<rule id='r' {score}>{inside}</rule>");
        let second = "<rule id='r2' score='1'><expression id='e' attribute='a' operation='defined'/></rule>";
        let constraints = format!("<rsc_location id='l' rsc='A'>{rule}{second}</rsc_location>");
        check(&Parts { constraints: &constraints, ..Parts::default() }, in_constraint);
        let options = format!("<cluster_property_set id='o'>{rule}</cluster_property_set>");
        check(&Parts { options: &options, ..Parts::default() }, in_options);
    }
}

#[test]
fn a_diagnostic_names_the_element_and_what_to_do() {
    for (resources, message) in [
        (
            "<primitive id='B' class='lsb' type='x' colour='red'/>",
            "<primitive id=\"B\">: attribute colour is not known here",
        ),
        ("<primitive id='B' class='ocf' type='x'/>", "provider is missing"),
        ("<clone id='c'/>", "needs a <primitive> or <group>"),
        (
            "<bundle id='b'><podman image='i' masters='1'/></bundle>",
            "(the last that had it is pacemaker-3.10)",
        ),
        ("<primitive id='1' class='lsb' type='x'/>", "id: \"1\" is not an id"),
        (
            "<primitive id='B' class='lsb' type='x'><meta_attributes id='m'><nvpair id='n' name='restart-type' value='x'/></meta_attributes></primitive>",
            "<nvpair id=\"n\">: name \"restart-type\" is not supported any more",
        ),
        (
            "<primitive id='B' class='lsb' type='x'><operations/><operations/></primitive>",
            "only one <operations> is allowed, not 2",
        ),
    ] {
        let faults = schema::check(&cib(&Parts { resources, ..Parts::default() }), Schema::NEWEST);
        assert!(faults.iter().any(|f| f.to_string().contains(message)), "{message:?} in {faults:#?}");
    }
}
