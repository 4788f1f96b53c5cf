//! Patchsets: a difference, applied, gives the new document.

use proptest::prelude::*;
use systole_cib::{
    patch::{Versions, apply, diff},
    xml::{Document, Style},
};

fn parse(text: &str) -> Document {
    Document::parse(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Applies the difference to the old document and compares. Returns the patchset.
fn check(old: &str, new: &str, versions: Versions) -> Option<String> {
    let (old, new) = (parse(old), parse(new));
    let patch = diff(&old, &new, versions);
    let Some(patch) = patch else {
        assert_eq!(old, new, "no difference");
        return None;
    };
    let patch = parse(&patch.write(Style::Compact));
    let mut result = old.clone();
    apply(&mut result, patch.root()).unwrap_or_else(|error| panic!("{error}: {patch:?}"));
    assert_eq!(result.write(Style::Compact), new.write(Style::Compact), "{old:?} by {patch:?}");
    Some(patch.write(Style::Compact))
}

#[test]
fn a_patchset_is_written_as_pacemaker_writes_it() {
    let old = "<cib epoch='5'><configuration><resources><primitive id='A' x='1' y='2'/><primitive id='B'/></resources>\
               </configuration></cib>";
    let new = "<cib epoch='5'><configuration><resources><primitive id='A' y='3' z='4'/><primitive id='C'/></resources>\
               </configuration></cib>";
    let resources = "/cib/configuration/resources";
    let expected = format!(
        "<diff format=\"2\"><change operation=\"delete\" path=\"{resources}/primitive[@id='B']\"/>\
         <change operation=\"modify\" path=\"{resources}/primitive[@id='A']\"><change-list>\
         <change-attr name=\"y\" operation=\"set\" value=\"3\"/><change-attr name=\"z\" operation=\"set\" value=\"4\"/>\
         <change-attr name=\"x\" operation=\"unset\"/></change-list><change-result><primitive id=\"A\" y=\"3\" z=\"4\"/>\
         </change-result></change><change operation=\"create\" path=\"{resources}\" position=\"1\"><primitive id=\"C\"/>\
         </change></diff>"
    );
    assert_eq!(check(old, new, Versions::Ignored).as_deref(), Some(expected.as_str()));
}

#[test]
fn a_patchset_of_debians_crm_diff_is_applied() {
    let old = "<cib epoch='5' num_updates='7' admin_epoch='1'><configuration><crm_config/><resources><group id='g'><primitive id='a'/>\
               <primitive id='b'/></group><primitive id='x' v='1'/></resources></configuration><status/></cib>";
    let patch = r#"<diff format="2"><version><source admin_epoch="1" epoch="5" num_updates="7"/>
      <target admin_epoch="1" epoch="6" num_updates="0"/></version>
      <change operation="delete" path="/cib/configuration/resources/group[@id=&apos;g&apos;]/primitive[@id=&apos;b&apos;]"/>
      <change operation="modify" path="/cib"><change-list><change-attr name="epoch" operation="set" value="6"/>
      <change-attr name="num_updates" operation="set" value="0"/></change-list><change-result>
      <cib epoch="6" num_updates="0" admin_epoch="1"/></change-result></change>
      <change operation="move" path="/cib/configuration/resources/primitive[@id=&apos;x&apos;]" position="0"/>
      <change operation="create" path="/cib/configuration/resources" position="1"><primitive id="n"/></change></diff>"#;
    let mut document = parse(old);
    apply(&mut document, parse(patch).root()).expect("it fits");
    assert_eq!(
        document.write(Style::Compact),
        "<cib epoch=\"6\" num_updates=\"0\" admin_epoch=\"1\"><configuration><crm_config/><resources>\
         <primitive id=\"x\" v=\"1\"/><primitive id=\"n\"/><group id=\"g\"><primitive id=\"a\"/></group></resources>\
         </configuration><status/></cib>"
    );
    let error =
        apply(&mut document, parse(patch).root()).expect_err("it was made for another version").to_string();
    assert!(error.contains("for version 1.5.7 of the CIB, which has version 1.6.0"), "{error}");
}

#[test]
fn a_version_that_is_no_number_is_refused() {
    let mut document = parse("<cib epoch='5'><configuration/></cib>");
    let patch = parse(
        "<diff format='2'><change operation='modify' path='/cib'><change-list><change-attr name='epoch' operation='set' \
         value='1,'/></change-list><change-result><cib epoch='1,'/></change-result></change></diff>",
    );
    let error = apply(&mut document, patch.root()).expect_err("no number");
    assert!(error.to_string().contains("epoch \"1,\""), "{error}");
}

#[test]
fn an_element_moves_once() {
    let path = "path=\"/a/b[@id='1']\"";
    let patch = format!(
        "<diff format='2'><change operation='move' {path} position='0'/><change operation='move' {path} position='1'/></diff>"
    );
    let error = apply(&mut parse("<a><b id='1'/><b id='2'/></a>"), parse(&patch).root())
        .expect_err("twice")
        .to_string();
    assert!(error.contains("moves twice"), "{error}");
}

#[test]
fn order_comments_text_and_twins_survive_too() {
    for (old, new) in [
        ("<a><b/><c/><d/></a>", "<a><d/><c/><b/></a>"),
        ("<a><b id='1'/><b id='2'/></a>", "<a><b id='2'/><b id='3'/><b id='1'/></a>"),
        ("<a><!--x--><b/></a>", "<a><b/><!--x--></a>"),
        ("<a><!--x--><b/><!--y--></a>", "<a><!--x--><c/><b/><!--z--></a>"),
        ("<a><!--x--><b v='1'/></a>", "<a><!--x--><b v='2'/></a>"),
        ("<a><b>text</b></a>", "<a><b>other</b><c/></a>"),
        ("<a>text</a>", "<a>other</a>"),
        ("<a><p><b/><b/></p><q/></a>", "<a><q/><p><b/><b/><b/></p></a>"),
        ("<a><b/><b/></a>", "<a><b/></a>"),
        ("<a x='1' y='2'/>", "<a y='2' x='1'/>"),
        ("<a/>", "<b/>"),
        ("<a><b id=\"o'k\"/></a>", "<a><b id=\"o'k\" x='1'/></a>"),
    ] {
        check(old, new, Versions::Ignored);
        check(new, old, Versions::Ignored);
        check(old, old, Versions::Ignored);
    }
}

#[test]
fn a_digest_that_differs_is_refused() {
    let (old, new) = (parse("<cib epoch='1'><a v='1'/></cib>"), parse("<cib epoch='2'><a v='2'/></cib>"));
    let patch = diff(&old, &new, Versions::Checked).expect("a difference");
    let mut other = parse("<cib epoch='1'><a v='1'/><b/></cib>");
    let error = apply(&mut other, patch.root()).expect_err("another document").to_string();
    assert!(error.contains("where") && error.contains("was expected"), "{error}");
}

/// Small documents over few names and ids, so that two of them have much in common.
fn documents() -> impl Strategy<Value = String> {
    let tag = ("[abc]", proptest::option::of("[12345]"), "[xyz]{0,2}");
    let write = |(name, id, value): (String, Option<String>, String), inside: String| {
        let id = id.map_or_else(String::new, |id| format!(" id='{id}'"));
        format!("<{name}{id} v='{value}'>{inside}</{name}>")
    };
    let leaf = prop_oneof![
        8 => tag.clone().prop_map(move |tag| write(tag, String::new())),
        1 => "[xy]".prop_map(|text| format!("<!--{text}-->")),
        1 => "[xy]".prop_map(|text| text),
    ];
    let inside = leaf.prop_recursive(3, 24, 6, move |inner| {
        (tag.clone(), proptest::collection::vec(inner, 0..6))
            .prop_map(move |(tag, inner)| write(tag, inner.concat()))
    });
    proptest::collection::vec(inside, 0..6)
        .prop_map(|inside| format!("<cib epoch='1' num_updates='2'>{}</cib>", inside.concat()))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_difference_applied_gives_the_new_document(old in documents(), new in documents()) {
        check(&old, &new, Versions::Ignored);
        check(&old, &new, Versions::Checked);
    }
}
