//! CIBs made to hurt: each is answered with diagnostics or an error, without a hang or a flood.

use systole_cib::{
    model::{self, Cib, Constraint},
    verify::verify,
    xml::Document,
};

fn cib(resources: &str, constraints: &str) -> String {
    format!(
        "<cib><configuration><crm_config/><nodes/><resources>{resources}</resources><constraints>{constraints}</constraints>\
         </configuration><status/></cib>"
    )
}

/// Reads the text, and returns the view and what was said.
fn check(text: &str, message: &str) -> Cib {
    let document = Document::parse(text).expect("well formed");
    let (cib, diagnostics) = model::read(&document);
    assert!(diagnostics.iter().any(|d| d.message.contains(message)), "{message:?} in {diagnostics:?}");
    assert!(diagnostics.len() <= 1000);
    verify(&document);
    cib
}

#[test]
fn references_in_circles_are_cut() {
    let circle = "<primitive id='A' class='lsb' type='x'><meta_attributes id='m1' id-ref='m2'/>\
                  <meta_attributes id='m2' id-ref='m1'/></primitive>";
    check(&cib(circle, ""), "id-ref leads round in a circle");
    let rules = "<rsc_location id='l' rsc='A'><rule id='r1' score='1'><rule id='r2'><rule id-ref='r1'/></rule></rule></rsc_location>";
    check(&cib("", rules), "the rule refers back to itself");
    let own = "<rsc_location id='l' rsc='A'><rule id='r1' id-ref='r1'/></rsc_location>";
    check(&cib("", own), "id-ref leads round in a circle");
}

#[test]
fn references_that_double_at_each_step_are_cut() {
    let mut rules =
        "<rule id='r0' score='1'><expression id='e' attribute='a' operation='defined'/></rule>".to_owned();
    for n in 1..60 {
        rules +=
            &format!("<rule id='r{n}' score='1'><rule id-ref='r{0}'/><rule id-ref='r{0}'/></rule>", n - 1);
    }
    check(
        &cib("", &format!("<rsc_location id='l' rsc='A'>{rules}</rsc_location>")),
        "references expand to more than",
    );
}

#[test]
fn many_primitives_of_a_large_template_are_cut() {
    let ops: String = (0..2000).map(|n| format!("<op id='o{n}' name='monitor' interval='{n}'/>")).collect();
    let template = format!("<template id='t' class='lsb' type='x'><operations>{ops}</operations></template>");
    let users: String = (0..500).map(|n| format!("<primitive id='p{n}' template='t'/>")).collect();
    let cib = check(&cib(&(template + &users), ""), "references expand to more than");
    assert!(cib.resources.len() < 300, "{} resources", cib.resources.len());
}

#[test]
fn numbers_beyond_all_bounds_are_numbers_or_errors() {
    let huge = "9".repeat(5000);
    let resources = format!(
        "<primitive id='A' class='lsb' type='x'><operations><op id='o' name='monitor' interval='{huge}' timeout='{huge}h'/>\
         </operations></primitive><bundle id='b'><podman image='i' replicas='{huge}'/></bundle>"
    );
    let cib = check(
        &cib(&resources, &format!("<rsc_location id='l' rsc='A' node='n' score='-{huge}'/>")),
        "not a whole number",
    );
    let Constraint::Location(location) = &cib.constraints[0] else { panic!("a location") };
    assert!(format!("{:?}", location.preference).contains("-INFINITY"));
    let text = format!(
        "<cib epoch='{huge}' admin_epoch='-1' num_updates='x' execution-date='{huge}' have-quorum='?'/>"
    );
    assert_eq!(check(&text, "is missing").version.to_string(), "0.0.0");
}

#[test]
fn a_flood_of_mistakes_is_counted_not_listed() {
    let flood = "<primitive/>".repeat(50_000);
    check(&cib(&flood, ""), "more diagnostics are not listed");
    let twins = "<primitive id='A' class='lsb' type='x'/>".repeat(50_000);
    check(&cib(&twins, ""), "the id is already that of a <primitive>");
}

#[test]
fn what_is_not_a_cib_is_said_to_be_none() {
    for text in
        ["<nonsense/>", "<cib/>", "<cib><configuration/></cib>", "<cib><status/></cib>", "<cib><cib/></cib>"]
    {
        let document = Document::parse(text).expect("well formed");
        let _ = (model::read(&document), verify(&document));
    }
    check("<nonsense/>", "this is not a CIB");
}
