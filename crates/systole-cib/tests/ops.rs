//! Calls on a CIB: what they change, what they refuse, which version comes out.

use systole_cib::{
    ops::{Applied, Changed, CibAction, CibCall, CibOptions, Failure, OpError, Scope, Stamp, apply},
    xml::Document,
};

const CIB: &str = r#"<cib validate-with="pacemaker-3.9" admin_epoch="1" epoch="5" num_updates="7">
  <configuration>
    <crm_config>
      <cluster_property_set id="opts"><nvpair id="opt-a" name="a" value="5"/></cluster_property_set>
    </crm_config>
    <nodes><node id="1" uname="n1"/></nodes>
    <resources>
      <primitive id="A" class="ocf" provider="heartbeat" type="Dummy">
        <meta_attributes id="A-meta"><nvpair id="A-role" name="target-role" value="Started"/></meta_attributes>
      </primitive>
      <primitive id="B" class="ocf" provider="heartbeat" type="Dummy"/>
    </resources>
    <constraints><rsc_location id="l" rsc="A" node="n1" score="5"/></constraints>
  </configuration>
  <status><node_state id="1" uname="n1" crmd="online"/></status>
</cib>"#;

fn cib() -> Document {
    Document::parse(CIB).expect("well formed")
}

fn call(action: CibAction, scope: &str, xml: &str) -> CibCall {
    let scope = match scope {
        "" => Scope::All,
        path if path.starts_with('/') => Scope::XPath(path.to_owned()),
        section => Scope::Section(section.to_owned()),
    };
    let xml = (!xml.is_empty()).then(|| xml.to_owned());
    CibCall { action, scope, xml, options: CibOptions::default() }
}

fn run(document: &mut Document, call: &CibCall) -> Result<Applied, OpError> {
    let before = document.clone();
    let result = apply(document, call, &Stamp::default());
    if result.is_err() {
        assert!(*document == before, "a refused call leaves the document untouched: {call:?}");
    }
    result
}

fn primitive(id: &str) -> String {
    format!("<primitive id='{id}' class='ocf' provider='heartbeat' type='Dummy'/>")
}

use CibAction::*;

#[test]
fn each_action_changes_what_cibadmin_changes() {
    // action, scope, XML, version afterwards, found afterwards, gone afterwards
    for (action, scope, xml, version, found, gone) in [
        (Create, "resources", primitive("C").as_str(), "1.6.0", "//primitive[3][@id='C']", ""),
        (
            Create,
            "resources",
            "<resources><group id='g'><primitive id='D' class='lsb' type='x'/></group></resources>",
            "1.6.0",
            "//group",
            "",
        ),
        (Create, "tags", "<tag id='t'><obj_ref id='A'/></tag>", "1.6.0", "/cib/configuration/tags/tag", ""),
        (Create, "status", "<node_state id='2'/>", "1.5.8", "//node_state[@id='2']", ""),
        (
            Create,
            "//group | //resources",
            primitive("C").as_str(),
            "1.6.0",
            "//resources/primitive[@id='C']",
            "",
        ),
        (Modify, "", "<nvpair id='opt-a' value='6'/>", "1.6.0", "//nvpair[@name='a' and @value='6']", ""),
        (Modify, "crm_config", "<nvpair id='opt-a' value='5'/>", "1.5.7", "//nvpair[@value='5']", ""),
        (
            Modify,
            "crm_config",
            "<crm_config><cluster_property_set id='new'><nvpair id='n' name='n' value='1'/></cluster_property_set></crm_config>",
            "1.6.0",
            "//cluster_property_set[@id='new']/nvpair",
            "",
        ),
        (
            Modify,
            "//nvpair[@id='opt-a']",
            "<nvpair id='opt-a' value='9'/>",
            "1.6.0",
            "//nvpair[@value='9']",
            "",
        ),
        (
            Modify,
            "status",
            "<node_state id='1' crmd='offline'/>",
            "1.5.8",
            "//node_state[@crmd='offline'][@uname]",
            "",
        ),
        (
            Replace,
            "resources",
            "<primitive id='B' class='lsb' type='x'/>",
            "1.6.0",
            "//primitive[@class='lsb']",
            "//primitive[@id='B' and @class='ocf']",
        ),
        (Replace, "constraints", "<constraints/>", "1.6.0", "//constraints", "//rsc_location"),
        (
            Replace,
            "//primitive[@id='A']",
            primitive("A").as_str(),
            "1.6.0",
            "//primitive[@id='A']",
            "//nvpair[@id='A-role']",
        ),
        (Replace, "status", "<status/>", "1.5.8", "//status", "//node_state"),
        (Delete, "", "<primitive id='B'/>", "1.6.0", "//primitive[@id='A']", "//primitive[@id='B']"),
        (Delete, "resources", "<primitive id='nothing'/>", "1.5.7", "//primitive", ""),
        (
            Delete,
            "crm_config",
            "<nvpair name='a'/>",
            "1.6.0",
            "//cluster_property_set",
            "//nvpair[@name='a']",
        ),
        (Delete, "", "<nvpair id='opt-a' name='other'/>", "1.5.7", "//nvpair[@id='opt-a']", ""),
        (Delete, "//nvpair", "", "1.6.0", "//nvpair[@id='A-role']", "//nvpair[@id='opt-a']"),
        (DeleteAll, "//nvpair", "", "1.6.0", "//meta_attributes", "//nvpair"),
        (
            DeleteAll,
            "//constraints/* | //primitive",
            "",
            "1.6.0",
            "//resources",
            "//primitive | //rsc_location",
        ),
        (Erase, "", "", "2.6.0", "//constraints", "//constraints/* | //node | //primitive | //node_state"),
        (Bump, "", "", "1.6.0", "//primitive", ""),
        (Upgrade, "", "", "1.6.0", "/cib[@validate-with='pacemaker-4.0']", ""),
    ] {
        let mut document = cib();
        let applied = run(&mut document, &call(action, scope, xml))
            .unwrap_or_else(|e| panic!("{action:?} {scope} {xml}: {e}"));
        assert_eq!(applied.version.to_string(), version, "{action:?} {scope} {xml}");
        for (expression, is_there) in [(found, true), (gone, false)] {
            if !expression.is_empty() {
                let found = systole_cib::xpath::find(&document, expression).expect(expression);
                assert_eq!(!found.is_empty(), is_there, "{action:?} {scope} {xml}: {expression}");
            }
        }
    }
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let older = CIB.replace("epoch=\"5\"", "epoch=\"4\"");
    for (action, scope, xml, failure, message) in [
        (Query, "tags", "", Failure::NotFound, "the CIB has no <tags> section"),
        (Query, "nonsense", "", Failure::BadInput, "\"nonsense\" is not a section of the CIB"),
        (Query, "//nothing", "", Failure::NotFound, "finds nothing"),
        (Query, "//primitive[", "", Failure::BadInput, "cannot be read at character"),
        (
            Create,
            "resources",
            primitive("A").as_str(),
            Failure::Exists,
            "<primitive id=\"A\"> exists already (line 8)",
        ),
        (
            Create,
            "resources",
            primitive("opt-a").as_str(),
            Failure::Invalid,
            "the id is already that of a <nvpair>",
        ),
        (Create, "resources", "<primitive class='lsb' type='x'/>", Failure::Invalid, "id is missing"),
        (Create, "resources", "<foo id='f'/>", Failure::Invalid, "<foo> is not known in <resources>"),
        (Create, "resources", "<foo", Failure::BadInput, "the XML given cannot be read: line 1"),
        (Create, "resources", "", Failure::BadInput, "needs XML"),
        (Create, "", primitive("C").as_str(), Failure::Invalid, "name a section"),
        (
            Create,
            "constraints",
            "<rsc_location id='x' rsc='gone' node='n1' score='5'/>",
            Failure::Invalid,
            "<rsc_location id=\"x\">: rsc refers to \"gone\", which does not exist",
        ),
        (
            Modify,
            "crm_config",
            "<nvpair id='new' name='x' value='1'/>",
            Failure::NotFound,
            "there is no <nvpair id=\"new\"> to modify",
        ),
        (Modify, "", "<cib epoch='2'/>", Failure::OldVersion, "fetch the CIB again"),
        (
            Replace,
            "",
            older.as_str(),
            Failure::OldVersion,
            "the CIB has version 1.5.7, the new one would have 1.4.7",
        ),
        (
            Replace,
            "resources",
            primitive("C").as_str(),
            Failure::NotFound,
            "there is no <primitive id=\"C\"> to replace",
        ),
        (Replace, "", "<nonsense/>", Failure::NotFound, "there is no <nonsense> to replace"),
        (
            Replace,
            "//primitive[@id='A']",
            "<group id='A'/>",
            Failure::BadInput,
            "which a <group> cannot replace",
        ),
        (
            Delete,
            "resources",
            "<primitive id='A'/>",
            Failure::Invalid,
            "refers to \"A\", which does not exist",
        ),
        (Delete, "/cib/configuration/nodes", "", Failure::Invalid, "replace it with an empty one"),
        (Delete, "/cib", "", Failure::Invalid, "replace it with an empty one"),
        (Patch, "", "<nonsense/>", Failure::BadInput, "must be <diff>"),
        (Patch, "", "<diff format='1'/>", Failure::BadInput, "only format 2"),
    ] {
        let error =
            run(&mut cib(), &call(action, scope, xml)).expect_err(&format!("{action:?} {scope} {xml}"));
        assert_eq!(error.failure, failure, "{action:?} {scope} {xml}: {error}");
        assert!(error.message.contains(message), "{action:?} {scope} {xml}: {error}");
    }
}

#[test]
fn queries_return_text() {
    for (scope, no_children, output) in [
        ("nodes", false, "<nodes>\n  <node id=\"1\" uname=\"n1\"/>\n</nodes>\n"),
        ("nodes", true, "<nodes/>\n"),
        ("//nvpair[@id='opt-a']", false, "<nvpair id=\"opt-a\" name=\"a\" value=\"5\"/>\n"),
        (
            "//primitive",
            true,
            "<xpath-query>\n  <primitive id=\"A\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"/>\n  \
             <primitive id=\"B\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"/>\n</xpath-query>\n",
        ),
    ] {
        let mut call = call(Query, scope, "");
        call.options.no_children = no_children;
        assert_eq!(run(&mut cib(), &call).expect(scope).output.as_deref(), Some(output), "{scope}");
    }
}

#[test]
fn options_of_a_modification_count() {
    let mut create = call(Modify, "crm_config", "<cluster_property_set id='new'/>");
    create.options.allow_create = true;
    let mut document = cib();
    assert_eq!(run(&mut document, &create).expect("created").version.to_string(), "1.6.0");
    for (value, expand, result) in [
        ("value++", true, "6"),
        ("value+=-3", true, "2"),
        ("value+=INFINITY", true, "INFINITY"),
        ("value++", false, "value++"),
    ] {
        let mut document = cib();
        let mut call = call(Modify, "crm_config", &format!("<nvpair id='opt-a' value='{value}'/>"));
        call.options.expand_scores = expand;
        run(&mut document, &call).expect("modified");
        assert_eq!(document.find_id("opt-a").and_then(|e| e.attr("value")), Some(result));
    }
}

#[test]
fn an_erasure_wins_though_there_is_nothing_left_to_erase() {
    let mut document = cib();
    for version in ["2.6.0", "3.7.0"] {
        assert_eq!(run(&mut document, &call(Erase, "", "")).expect("erased").version.to_string(), version);
    }
}

#[test]
fn a_change_of_the_configuration_is_stamped() {
    let stamp = Stamp {
        now_text: "today".into(),
        origin: "n1".into(),
        client: "cibadmin".into(),
        user: "root".into(),
    };
    let mut document = cib();
    apply(&mut document, &call(Modify, "status", "<node_state id='1' crmd='x'/>"), &stamp).expect("status");
    assert_eq!(document.root().attr("cib-last-written"), None);
    apply(&mut document, &call(Modify, "", "<nvpair id='opt-a' value='6'/>"), &stamp).expect("configuration");
    let attrs = ["cib-last-written", "update-origin", "update-client", "update-user"]
        .map(|a| document.root().attr(a));
    assert_eq!(attrs, [Some("today"), Some("n1"), Some("cibadmin"), Some("root")]);
}

#[test]
fn an_old_mistake_does_not_stand_in_the_way_of_other_changes() {
    let mut document = Document::parse(CIB.replace("rsc=\"A\"", "rsc=\"gone\"")).expect("well formed");
    run(&mut document, &call(Modify, "", "<nvpair id='opt-a' value='6'/>")).expect("elsewhere");
    run(
        &mut document,
        &call(Create, "constraints", "<rsc_location id='y' rsc='gone2' node='n1' score='1'/>"),
    )
    .expect_err("a new mistake");
    let mut unchecked = Document::parse(CIB.replace("pacemaker-3.9", "none")).expect("well formed");
    run(&mut unchecked, &call(Create, "resources", "<foo id='f'/>"))
        .expect("nothing is checked with \"none\"");
}

#[test]
fn an_element_does_not_get_more_attributes_than_can_be_read_again() {
    let mut document = cib();
    document.set_attr(document.root_key(), "validate-with", "none");
    let with = |element: &str, letter: char| {
        let attrs: Vec<String> = (0..6000).map(|number| format!(" {letter}{number}=''")).collect();
        element.replace("/>", &(attrs.concat() + "/>"))
    };
    let nested = "<cib><configuration><resources><primitive id='A'/></resources></configuration></cib>";
    for element in ["<cib/>", nested] {
        let mut document = document.clone();
        run(&mut document, &call(Modify, "", &with(element, 'x'))).expect("6,000 can be read");
        let refusal = run(&mut document, &call(Modify, "", &with(element, 'y')));
        assert_eq!(refusal.expect_err("12,000 cannot").failure, Failure::Invalid, "{element}");
        assert!(Document::parse(document.to_text()).is_ok());
    }
}

#[test]
fn an_upgrade_says_why_it_cannot_be() {
    let mut document = cib();
    run(&mut document, &call(Upgrade, "", "")).expect("upgraded");
    let before = document.clone();
    assert_eq!(run(&mut document, &call(Upgrade, "", "")).expect("again").changed, Changed::Status);
    let configuration = |document: &Document| document.root().child("configuration").map(|e| e.to_text());
    assert_eq!(configuration(&document), configuration(&before), "the newest needs no upgrade");
    for (from, to, message) in [
        ("rsc=\"A\"", "rsc=\"gone\"", "does not validate with any schema from pacemaker-3.9"),
        ("pacemaker-3.9", "pacemaker-0.7", "validate-with names no schema"),
    ] {
        let mut document = Document::parse(CIB.replace(from, to)).expect("well formed");
        let error = run(&mut document, &call(Upgrade, "", "")).expect_err(to);
        assert!(error.failure == Failure::Invalid && error.message.contains(message), "{error}");
    }
}
