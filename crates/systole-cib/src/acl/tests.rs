use super::*;
use crate::ops::{self, CibAction, CibCall, CibOptions, Failure, Scope};

/// A CIB with a user `u` whose role has these permissions.
fn cib(permissions: &str) -> Document {
    let text = format!(
        "<cib><configuration><crm_config><cluster_property_set id='cib-bootstrap-options'>\
         <nvpair id='e' name='enable-acl' value='true'/></cluster_property_set></crm_config>\
         <resources><primitive id='p' type='d'><meta_attributes id='m'><nvpair id='n' name='x' value='1'/></meta_attributes>\
         </primitive><primitive id='q' type='d'/></resources><acls><acl_target id='u'><role id='r'/></acl_target>\
         <acl_group id='g'><role id='r'/></acl_group><acl_role id='r'>{permissions}</acl_role></acls></configuration></cib>"
    );
    Document::parse(text).expect("XML")
}

fn acl(document: &Document) -> Acl {
    Acl::in_force(document, "u", &[]).expect("access control is enabled")
}

#[test]
fn the_nearest_permission_counts_and_deny_wins() {
    let (read_all, write_all) =
        ("<acl_permission kind='read' xpath='/cib'/>", "<acl_permission kind='write' xpath='/cib'/>");
    for (permissions, p, n) in [
        ("", Access::Denied, Access::Denied),
        (read_all, Access::Readable, Access::Readable),
        ("<acl_permission kind='read' reference='p'/>", Access::Readable, Access::Readable),
        (
            "<acl_permission kind='write' object-type='nvpair' attribute='value'/>",
            Access::Denied,
            Access::Writable,
        ),
        (&format!("{write_all}<acl_permission kind='deny' reference='p'/>"), Access::Denied, Access::Denied),
        (
            &format!(
                "{read_all}<acl_permission kind='deny' reference='p'/><acl_permission kind='read' reference='n'/>"
            ),
            Access::Denied,
            Access::Readable,
        ),
        (
            &format!("{write_all}<acl_permission kind='read' reference='p'/>"),
            Access::Writable,
            Access::Writable,
        ),
    ] {
        let document = cib(permissions);
        let marks = acl(&document).marks(&document);
        let access = |id: &str| marks.access(document.find_id(id).expect("it is there"));
        assert_eq!((access("p"), access("n")), (p, n), "{permissions}");
    }
}

#[test]
fn what_may_not_be_seen_is_left_out() {
    let document =
        cib("<acl_permission kind='read' xpath='//resources'/><acl_permission kind='deny' reference='p'/>\
         <acl_permission kind='read' reference='n'/>");
    let seen = acl(&document).readable(&document).expect("something is to be seen");
    let resources = seen.root().child("configuration").and_then(|config| config.child("resources"));
    let text = resources.expect("they are readable").write(crate::xml::Style::Compact);
    assert_eq!(
        text,
        "<resources><primitive id=\"p\"><meta_attributes id=\"m\"><nvpair id=\"n\" name=\"x\" value=\"1\"/>\
         </meta_attributes></primitive><primitive id=\"q\" type=\"d\"/></resources>"
    );
    assert!(!seen.to_text().contains("acls"));
    let document = cib("");
    assert!(acl(&document).readable(&document).is_none());
}

#[test]
fn comments_in_what_may_not_be_seen_are_left_out_too() {
    let text = cib("<acl_permission kind='read' reference='n'/>").to_text();
    let text = text.replace("<meta_attributes id=\"m\">", "<!-- secret --><meta_attributes id=\"m\">");
    let document = Document::parse(text).expect("XML");
    let seen = acl(&document).readable(&document).expect("something is to be seen").to_text();
    assert!(seen.contains("id=\"n\"") && !seen.contains("secret"), "{seen}");
}

#[test]
fn where_a_denial_cannot_be_searched_for_everything_is_denied() {
    let document =
        cib("<acl_permission kind='write' xpath='/cib'/><acl_permission kind='deny' xpath='//primitive['/>");
    let acl = acl(&document);
    assert!(acl.readable(&document).is_none());
    assert!(!acl.allows_version(&document));
    let document =
        cib("<acl_permission kind='read' xpath='/cib'/><acl_permission kind='write' xpath='//primitive['/>");
    assert_eq!(self::acl(&document).marks(&document).access(document.root()), Access::Readable);
}

#[test]
fn changes_need_write_access_where_they_are_made() {
    let document =
        cib("<acl_permission kind='write' reference='p'/><acl_permission kind='read' xpath='/cib'/>");
    let acl = acl(&document);
    let allows = |from: &str, to: &str| {
        let text = document.to_text();
        assert!(text.contains(from), "{from}");
        acl.allows(&document, &Document::parse(text.replace(from, to)).expect("XML"))
    };
    for (from, to, is_allowed) in [
        ("value=\"1\"", "value=\"2\"", true),
        ("<primitive id=\"q\" type=\"d\"/>", "<primitive id=\"q\" type=\"e\"/>", false),
        ("<primitive id=\"q\" type=\"d\"/>", "", false),
        (
            "<primitive id=\"q\" type=\"d\"/>",
            "<primitive id=\"q\" type=\"d\"/><primitive id=\"z\" type=\"d\"/>",
            false,
        ),
        (
            "<primitive id=\"q\" type=\"d\"/>",
            "<primitive id=\"q\" type=\"d\"><meta_attributes id=\"y\"/></primitive>",
            true,
        ),
        ("<acl_target id=\"u\">", "<acl_target id=\"v\"/><acl_target id=\"u\">", false),
    ] {
        assert_eq!(allows(from, to), is_allowed, "{from} to {to}");
    }
    assert!(!acl.allows_version(&document));
}

#[test]
fn who_is_privileged_or_where_it_is_disabled_may_do_everything() {
    let document = cib("");
    assert!(Acl::in_force(&document, "root", &[]).is_none());
    let disabled = Document::parse(document.to_text().replace("true", "false")).expect("XML");
    assert!(Acl::in_force(&disabled, "u", &[]).is_none());
    let earlier = "<cluster_property_set id=\"a\"><nvpair id=\"f\" name=\"enable-acl\" value=\"false\"/></cluster_property_set>";
    let text = document.to_text().replace("<crm_config>", &format!("<crm_config>{earlier}"));
    assert!(
        Acl::in_force(&Document::parse(text).expect("XML"), "u", &[]).is_some(),
        "the set that counts enables it"
    );
    let by_group = Acl::of(&cib("<acl_permission kind='read' xpath='/cib'/>"), "v", &["g".to_owned()]);
    assert_eq!(by_group.permissions.len(), 1);
}

/// A call of a user who may see everything but the parameters of `p`, and change transient attributes and `q`.
fn try_out(
    document: &Document,
    action: CibAction,
    scope: Scope,
    xml: Option<&str>,
) -> Result<Document, Failure> {
    let call = CibCall { action, scope, xml: xml.map(str::to_owned), options: CibOptions::default() };
    let mut new = document.clone();
    ops::apply_as(&mut new, &call, &ops::Stamp::default(), Some(&acl(document)))
        .map_err(|error| error.failure)?;
    Ok(new)
}

fn guarded() -> Document {
    let document = cib(
        "<acl_permission kind='read' xpath='/cib'/><acl_permission kind='write' reference='q'/>\
         <acl_permission kind='write' object-type='transient_attributes'/><acl_permission kind='deny' reference='n'/>",
    );
    let status =
        "</configuration><status><node_state id=\"1\"><transient_attributes id=\"1\"/></node_state></status>";
    Document::parse(document.to_text().replace("</configuration>", status)).expect("XML")
}

#[test]
fn nobody_gets_out_of_control_by_another_name_of_the_root() {
    let document = guarded();
    let all = cib("<acl_permission kind='read' xpath='/cib'/>");
    let renamed = Document::parse(all.to_text().replace("<cib", "<x").replace("</cib", "</x")).expect("XML");
    assert!(!acl(&all).allows(&all, &renamed));
    let text = renamed.to_text();
    let text = text.split_once("?>").map_or(&*text, |(_, text)| text);
    let patch = format!("<diff format='2'><change operation='create' path=''>{text}</change></diff>");
    assert_eq!(try_out(&all, CibAction::Patch, Scope::All, Some(&patch)).err(), Some(Failure::Denied));
    for document in [&all, &document] {
        let call = CibCall {
            action: CibAction::Patch,
            scope: Scope::All,
            xml: Some(patch.clone()),
            options: CibOptions::default(),
        };
        let refused = ops::apply(&mut document.clone(), &call, &ops::Stamp::default()).err();
        assert_eq!(refused.map(|error| error.failure), Some(Failure::BadInput), "of everybody");
    }
}

#[test]
fn lists_count_only_where_lists_belong() {
    let document = guarded();
    let inside = |text: &str| {
        let patch = format!("<diff format='2'>{text}</diff>");
        try_out(&document, CibAction::Patch, Scope::All, Some(&patch))
    };
    let state = "/cib/status/node_state[@id='1']/transient_attributes[@id='1']";
    let all = "<acl_permission id='w' kind='write' xpath='/cib'/>";
    let made = inside(&format!(
        "<change operation='create' path=\"{state}\"><acls><acl_target id='u'>{all}</acl_target>\
         <acl_role id='r'>{all}</acl_role></acls></change>"
    ))
    .expect("it is the user's to write");
    assert_eq!(acl(&made).permissions.len(), acl(&document).permissions.len());
    for (what, text, failure) in [
        (
            "another section first",
            "<change operation='create' path='/cib' position='0'><acls/></change>",
            Failure::Invalid,
        ),
        ("another order", "<change operation='move' path='/cib/status' position='0'/>", Failure::Invalid),
        (
            "a second one",
            "<change operation='create' path='/cib' position='0'><configuration/></change>",
            Failure::Denied,
        ),
        (
            "an empty list of lists",
            "<change operation='create' path='/cib/configuration' position='0'><acls/></change>",
            Failure::Denied,
        ),
    ] {
        assert_eq!(inside(text).err(), Some(failure), "{what}");
    }
    let text = document.to_text().replace("<configuration>", "<configuration><acls/>");
    let twice = Document::parse(text).expect("XML");
    assert_eq!(acl(&twice).permissions.len(), acl(&document).permissions.len(), "none hides another");
}

#[test]
fn what_is_hidden_cannot_be_found_out_by_searching() {
    let document = guarded();
    let delete = |xpath: &str| {
        let scope = Scope::XPath(xpath.to_owned());
        try_out(&document, CibAction::Delete, scope, None)
    };
    for (right, wrong) in [
        ("//nvpair[@name='x' and @value='1']", "//nvpair[@name='x' and @value='2']"),
        (
            "//primitive[@id='q' and //nvpair[@name='x' and @value='1']]",
            "//primitive[@id='q' and //nvpair[@name='x' and @value='2']]",
        ),
        (
            "//primitive[@id='q' and not(//nvpair[@name='x' and @value='1'])]",
            "//primitive[@id='q' and not(//nvpair[@name='x' and @value='2'])]",
        ),
    ] {
        assert_eq!(delete(right), delete(wrong), "{right}");
    }
    let pattern = |value: &str| {
        let pattern = format!("<nvpair name='x' value='{value}'/>");
        try_out(&document, CibAction::Delete, Scope::Section("resources".to_owned()), Some(&pattern))
    };
    assert_eq!(pattern("1"), pattern("2"));
    assert!(delete("//primitive[@id='q']").expect("it may").find_id("q").is_none());
    assert_eq!(delete("//primitive[@id='p']").err(), Some(Failure::Denied));
}

#[test]
fn what_is_hidden_cannot_be_found_out_by_writing_it() {
    let document = guarded();
    let resources = || Scope::Section("resources".to_owned());
    let modify = |value: &str| {
        let xml = format!(
            "<resources><primitive id='p'><meta_attributes id='m'><nvpair id='n' value='{value}'/></meta_attributes>\
             </primitive><primitive id='q' description='mine'/></resources>"
        );
        try_out(&document, CibAction::Modify, resources(), Some(&xml))
    };
    let replace = |value: &str| {
        let xml = format!(
            "<primitive id='p' type='d'><meta_attributes id='m'><nvpair id='n' name='x' value='{value}'/></meta_attributes></primitive>"
        );
        try_out(&document, CibAction::Replace, resources(), Some(&xml))
    };
    for value in ["1", "2"] {
        assert_eq!(modify(value).err(), Some(Failure::Denied), "{value}");
        assert_eq!(replace(value).err(), Some(Failure::Denied), "{value}");
    }
    let xml = "<resources><primitive id='p'/><primitive id='q' description='mine'/></resources>";
    let mine = try_out(&document, CibAction::Modify, resources(), Some(xml)).expect("that may be");
    assert_eq!(mine.find_id("q").and_then(|q| q.attr("description")), Some("mine"));
}

#[test]
fn another_order_of_sets_of_options_switches_nothing_off() {
    let off = "<cluster_property_set id=\"a\"><nvpair id=\"f\" name=\"enable-acl\" value=\"false\"/></cluster_property_set>";
    let see = "<acl_permission kind='read' xpath='/cib'/>";
    for (write, is_allowed) in [
        ("", false),
        ("<acl_permission kind='write' xpath='//cluster_property_set[@id=\"a\"]'/>", false),
        ("<acl_permission kind='write' xpath='//crm_config'/>", true),
    ] {
        let text = cib(&format!("{see}{write}")).to_text().replace("cib-bootstrap-options", "b");
        let (before, after) = (
            text.replace("<crm_config>", &format!("<crm_config>{off}")),
            text.replace("</crm_config>", &format!("{off}</crm_config>")),
        );
        let [before, after] = [before, after].map(|text| Document::parse(text).expect("XML"));
        assert!(Acl::in_force(&after, "u", &[]).is_none(), "the order decides");
        assert_eq!(acl(&before).allows(&before, &after), is_allowed, "{write}");
    }
}
