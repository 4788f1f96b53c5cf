//! What the typed view makes of a document.

use systole_cib::model::{Cib, CloneChild, Constraint, OrderKind, Primitive, Resource};
use systole_types::Score;

fn read(resources: &str, rest: &str) -> Cib {
    let text = format!(
        "<cib epoch='3' have-quorum='1'><configuration><crm_config/><nodes/><resources>{resources}</resources>{rest}\
         </configuration><status/></cib>"
    );
    let (cib, diagnostics) = Cib::parse(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    assert_eq!(diagnostics, [], "{text}");
    cib
}

fn primitive(cib: &Cib, n: usize) -> &Primitive {
    match &cib.resources[n] {
        Resource::Primitive(primitive) => primitive,
        other => panic!("a primitive, not {other:?}"),
    }
}

#[test]
fn a_template_stands_behind_what_the_primitive_says_itself() {
    let cib = read(
        "<template id='T' class='ocf' provider='p' type='Dummy'><meta_attributes id='tm'><nvpair id='1' name='a' value='t'/>\
         </meta_attributes><operations><op id='2' name='monitor' interval='10'/><op id='3' name='start' interval='0'/>\
         <op id='4' name='monitor' interval='9' role='Master'/></operations></template>\
         <primitive id='A' template='T'><meta_attributes id='am'><nvpair id='5' name='a' value='own'/></meta_attributes>\
         <operations><op id='6' name='monitor' interval='20' role='Slave'/></operations></primitive>",
        "",
    );
    let a = primitive(&cib, 0);
    assert_eq!((&*a.agent.kind, a.template.as_ref().map(|t| t.as_str())), ("Dummy", Some("T")));
    let sets: Vec<_> = a.meta.iter().map(|set| set.id.as_str()).collect();
    assert_eq!(sets, ["tm", "am"], "of equal sets the last one counts");
    let ops: Vec<_> = a.operations.iter().map(|op| op.id.as_str()).collect();
    assert_eq!(
        ops,
        ["6", "3", "4"],
        "the primitive's monitor takes the place of the template's for the same role"
    );
    assert_eq!(cib.templates[0].members, [systole_types::ElementId::new("A")]);
}

#[test]
fn references_are_replaced_by_what_they_refer_to() {
    let cib = read(
        "<primitive id='A' class='lsb' type='a'><meta_attributes id='m'><nvpair id='n' name='x' value='1'/></meta_attributes>\
         <operations id='o'><op id='o1' name='monitor' interval='5'/></operations></primitive>\
         <primitive id='B' class='lsb' type='b'><meta_attributes id-ref='m'/><instance_attributes id='i'>\
         <nvpair id-ref='n'/><nvpair id-ref='n' name='y'/><nvpair id='d' name='z' value='#default'/></instance_attributes>\
         <operations id-ref='o'/></primitive>",
        "",
    );
    let b = primitive(&cib, 1);
    assert_eq!((b.meta[0].id.as_str(), b.operations[0].id.as_str()), ("m", "o1"));
    let pairs: Vec<_> = b.parameters[0].pairs.iter().map(|p| (&*p.name, p.value.as_deref())).collect();
    assert_eq!(pairs, [("x", Some("1")), ("y", Some("1")), ("z", Some("#default"))]);
}

#[test]
fn older_spellings_are_read_as_todays() {
    let cib = read(
        "<master id='M'><meta_attributes id='m'><nvpair id='1' name='master-max' value='2'/></meta_attributes>\
         <primitive id='A' class='lsb' type='a'/></master><bundle id='b'><docker image='i' masters='2'/></bundle>",
        "<constraints><rsc_order id='o1' first='M' then='b' score='0'/><rsc_order id='o2' first='M' then='b' score='5'/>\
         </constraints>",
    );
    let Resource::Clone(clone) = &cib.resources[0] else { panic!("a clone") };
    assert!(clone.is_legacy_master && matches!(clone.child, CloneChild::Primitive(_)));
    assert_eq!(&*clone.meta[0].pairs[0].name, "promoted-max");
    let Resource::Bundle(bundle) = &cib.resources[1] else { panic!("a bundle") };
    assert_eq!(bundle.container.promoted_max, Some(2));
    let kinds: Vec<_> =
        cib.constraints.iter().map(|c| if let Constraint::Order(o) = c { o.kind } else { None }).collect();
    assert_eq!(kinds, [Some(OrderKind::Optional), Some(OrderKind::Mandatory)]);
}

#[test]
fn of_an_options_two_names_todays_counts() {
    for (pairs, values) in [
        ("<nvpair id='1' name='stonith-enabled' value='old'/>", vec!["old"]),
        (
            "<nvpair id='1' name='stonith-enabled' value='old'/><nvpair id='2' name='fencing-enabled' value='new'/>",
            vec!["new"],
        ),
    ] {
        let text = format!(
            "<cib><configuration><crm_config><cluster_property_set id='s' score='7'>{pairs}</cluster_property_set></crm_config>\
             </configuration></cib>"
        );
        let (cib, _) = Cib::parse(&text).expect("well formed");
        assert_eq!(cib.cluster_options[0].score, Score::finite(7));
        let found: Vec<_> =
            cib.cluster_options[0].pairs.iter().map(|p| (&*p.name, p.value.as_deref())).collect();
        let wanted: Vec<_> = values.into_iter().map(|value| ("fencing-enabled", Some(value))).collect();
        assert_eq!(found, wanted);
    }
}
