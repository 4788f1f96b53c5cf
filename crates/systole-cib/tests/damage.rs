//! Damaged CIBs: cut, doubled, shuffled and overwritten at random. Whatever comes in, nothing panics or hangs, and what is
//! refused changes nothing. `PROPTEST_CASES=100000` makes a fuzzer of it.

use proptest::{prelude::*, sample::Index};
use systole_cib::{
    model,
    ops::{CibAction, CibCall, CibOptions, Scope, Stamp, apply},
    patch::{self, Versions},
    verify::verify,
    xml::{Document, Style},
    xpath,
};

/// A bit of everything.
const CIB: &str = r##"<cib crm_feature_set="3.19.0" validate-with="pacemaker-3.9" admin_epoch="0" epoch="12" num_updates="3" have-quorum="1">
<configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="n1" type="member"><instance_attributes id="na"><nvpair id="na1" name="role" value="db"/></instance_attributes></node></nodes>
<resources><template id="t" class="ocf" provider="heartbeat" type="Dummy"><operations id="to"><op id="t1" name="monitor" interval="10s"/></operations></template>
<primitive id="A" template="t"><meta_attributes id="m"><rule id="mr" score="5"><date_expression id="d" operation="in_range" start="2020-01-01"><duration id="dd" months="3"/></date_expression></rule><nvpair id="m1" name="target-role" value="Master"/></meta_attributes><meta_attributes id-ref="m"/></primitive>
<group id="g"><primitive id="B" class="systemd" type="b"/><primitive id="C" class="stonith" type="fence_x"/></group>
<clone id="c"><primitive id="D" class="lsb" type="d"><operations id-ref="to"/></primitive></clone>
<bundle id="b"><podman image="i" replicas="3" masters="1" run-command="/bin/x &amp; y"/><network control-port="3123"><port-mapping id="pm" port="80"/></network><storage><storage-mapping id="sm" source-dir="/a" target-dir="/b"/></storage></bundle></resources>
<constraints><rsc_location id="l" rsc="A"><rule id="r" score="INFINITY" boolean-op="or"><expression id="e" attribute="#uname" operation="eq" value="n1"/><rule id="r2"><rsc_expression id="re" class="ocf"/></rule></rule></rsc_location>
<rsc_order id="or" kind="Optional"><resource_set id="s" sequential="false"><resource_ref id="A"/><resource_ref id="g"/></resource_set></rsc_order><rsc_colocation id="co" rsc="A" with-rsc="g" score="-5"/></constraints>
<fencing-topology><fencing-level id="f" index="1" target="n1" devices="C,D"/></fencing-topology><tags><tag id="tag"><obj_ref id="A"/></tag></tags></configuration>
<status><node_state id="1" uname="n1" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources><lrm_resource id="A" class="ocf" provider="heartbeat" type="Dummy"><lrm_rsc_op id="A_last_0" operation_key="A_start_0" operation="start" transition-key="4:1:0:u" transition-magic="0:0;4:1:0:u" call-id="7" rc-code="0" op-status="0" interval="0" last-rc-change="1700000000" op-digest="x"/></lrm_resource></lrm_resources></lrm></node_state><tickets><ticket_state id="tk" granted="true"/></tickets></status></cib>"##;

/// One way of damaging a text of tokens.
#[derive(Clone, Debug)]
enum Damage {
    Drop(Index),
    Double(Index),
    Swap(Index, Index),
    Overwrite(Index, String),
    Cut(Index),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let words = prop_oneof![
        Just("id-ref".to_owned()),
        Just("\"m\"".to_owned()),
        Just("\"99999999999999999999\"".to_owned()),
        Just("<rule>".to_owned()),
        Just("</".to_owned()),
        Just("&#x0;".to_owned()),
        Just("<![CDATA[".to_owned()),
        "[<>\"'=&;!a-z0-9 -]{0,6}",
    ];
    let damage = prop_oneof![
        any::<Index>().prop_map(Damage::Drop),
        any::<Index>().prop_map(Damage::Double),
        (any::<Index>(), any::<Index>()).prop_map(|(a, b)| Damage::Swap(a, b)),
        (any::<Index>(), words).prop_map(|(at, word)| Damage::Overwrite(at, word)),
        any::<Index>().prop_map(Damage::Cut),
    ];
    proptest::collection::vec(damage, 0..6)
}

/// Tokens are about what a person would call so: names, values, marks.
fn tokens(text: &str) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | ':' | '.' | '#');
    let mut tokens: Vec<String> = Vec::new();
    for c in text.chars() {
        match tokens.last_mut() {
            Some(last) if is_word(c) && last.chars().all(is_word) => last.push(c),
            _ => tokens.push(c.to_string()),
        }
    }
    tokens
}

fn damaged(text: &str, damages: &[Damage]) -> String {
    let mut tokens = tokens(text);
    for damage in damages {
        let n = tokens.len();
        match damage {
            Damage::Drop(at) => drop(tokens.remove(at.index(n))),
            Damage::Double(at) => tokens.insert(at.index(n), tokens[at.index(n)].clone()),
            Damage::Swap(a, b) => tokens.swap(a.index(n), b.index(n)),
            Damage::Overwrite(at, word) => tokens[at.index(n)] = word.clone(),
            Damage::Cut(at) => tokens.truncate(at.index(n).max(n / 2)),
        }
    }
    tokens.concat()
}

fn calls(xml: &str) -> Vec<CibCall> {
    use CibAction::*;
    let section = |name: &str| Scope::Section(name.to_owned());
    let found = Scope::XPath("//*[@id]".to_owned());
    let options = CibOptions { allow_create: true, expand_scores: true, ..CibOptions::default() };
    [
        (Replace, Scope::All),
        (Replace, section("configuration")),
        (Modify, Scope::All),
        (Modify, section("resources")),
        (Create, section("status")),
        (DeleteAll, found),
        (Upgrade, Scope::All),
        (Erase, Scope::All),
    ]
    .map(|(action, scope)| CibCall { action, scope, xml: Some(xml.to_owned()), options })
    .to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_cib_is_read_or_refused(damages in damages()) {
        let text = damaged(CIB, &damages);
        let Ok(document) = Document::parse(&text) else { return Ok(()) };
        prop_assert_eq!(&Document::parse(document.write(Style::Compact)).expect("what was written"), &document);
        let first = model::read(&document);
        prop_assert_eq!(&first, &model::read(&document), "reading is a function of the text");
        verify(&document);
        let whole = Document::parse(CIB).expect("the whole one");
        for call in calls(&text) {
            let mut target = whole.clone();
            match apply(&mut target, &call, &Stamp::default()) {
                Ok(_) => if let Some(patch) = patch::diff(&whole, &target, Versions::Checked) {
                    let mut again = whole.clone();
                    patch::apply(&mut again, patch.root()).expect("the patchset fits");
                    prop_assert_eq!(&again, &target);
                },
                Err(_) => prop_assert_eq!(&target, &whole, "a refused call changes nothing"),
            }
        }
    }

    #[test]
    fn a_damaged_patchset_is_applied_or_refused(damages in damages()) {
        let whole = Document::parse(CIB).expect("the whole one");
        let changed = CIB.replace("value=\"db\"", "value=\"web\" more=\"1\"");
        let changed = changed.replacen("<tag id=\"tag\">", "<tag id=\"new\"/><tag id=\"tag\">", 1);
        let group = "<group id=\"g\"><primitive id=\"B\" class=\"systemd\" type=\"b\"/><primitive id=\"C\" class=\"stonith\" \
                     type=\"fence_x\"/></group>";
        let changed = changed.replace(group, "").replace("</resources>", &format!("{group}</resources>"));
        let new = Document::parse(&changed).expect("well formed");
        let patch = patch::diff(&whole, &new, Versions::Ignored).expect("a difference").write(Style::Compact);
        let Ok(patch) = Document::parse(damaged(&patch, &damages)) else { return Ok(()) };
        let mut target = whole.clone();
        if patch::apply(&mut target, patch.root()).is_ok() {
            let again = Document::parse(target.write(Style::Compact)).expect("what was written");
            prop_assert_eq!(&again, &target);
        }
    }

    #[test]
    fn any_text_is_an_xpath_or_refused(text in "[a-c/@*.\\[\\]()|='\" 0-9<>!:,-]{0,40}") {
        let document = Document::parse(CIB).expect("the whole one");
        let _ = xpath::find(&document, &text);
    }
}

#[test]
fn the_undamaged_one_is_fine() {
    assert_eq!(tokens(CIB).concat(), CIB);
    let (cib, diagnostics) = model::read(&Document::parse(CIB).expect("well formed"));
    assert_eq!(diagnostics, []);
    assert_eq!((cib.resources.len(), cib.constraints.len()), (4, 3));
}
