//! `crm_rule --check` on a CIB in a file, and on XML as pcs hands it over.

mod support;

use support::Place;

/// A CIB with a rule `r` around `conditions`.
fn cib(conditions: &str) -> String {
    format!(
        r#"<cib validate-with="pacemaker-4.0" admin_epoch="0" epoch="5" num_updates="0"><configuration><crm_config/><nodes/>
        <resources><primitive id="x" class="ocf" provider="heartbeat" type="Dummy"/></resources><constraints><rsc_location id="l" rsc="x"><rule id="r" score="5">{conditions}</rule></rsc_location>
        </constraints></configuration><status/></cib>"#
    )
}

#[test]
fn a_rule_is_not_yet_in_effect_then_it_is_then_it_has_expired() {
    let gt = r#"<date_expression id="d" operation="gt" start="2024-01-01"/>"#;
    let lt = r#"<date_expression id="d" operation="lt" end="2024-01-01"/>"#;
    let range = r#"<date_expression id="d" operation="in_range" start="2024-01-01"><duration id="u" months="1"/></date_expression>"#;
    let spec = r#"<date_expression id="d" operation="date_spec"><date_spec id="s" years="2024-2025" months="3"/></date_expression>"#;
    let inner =
        format!("<rule id=\"i\">{lt}</rule><expression id=\"e\" attribute=\"a\" operation=\"defined\"/>");
    let (not_yet, still, fits, expired) =
        ("has not yet taken effect", "is still in effect", "satisfies conditions", "is expired");
    for (conditions, date, code, words) in [
        (gt, "2024-01-01", 111, not_yet),
        (gt, "2024-01-01T00:00:01Z", 0, still),
        (lt, "2023-12-31", 0, still),
        (lt, "2024-01-01", 110, expired),
        (range, "2023-12-31", 111, not_yet),
        (range, "2024-02-01", 0, still),
        (range, "2024-02-01T00:00:01Z", 110, expired),
        (spec, "2023-06-01", 111, not_yet),
        (spec, "2024-02-28", 111, not_yet),
        (spec, "2024-03-01", 0, fits),
        (spec, "2024-04-01", 110, expired),
        (&inner, "2024-01-01", 110, expired),
    ] {
        let place = Place::new().with_cib(&cib(conditions));
        let outcome = place.sh(&format!("crm_rule --check --rule r --date {date}"));
        assert_eq!(
            (outcome.code, outcome.out.as_str()),
            (code, &*format!("Rule r {words}\n")),
            "{conditions} {date}"
        );
    }
}

#[test]
fn of_what_comes_again_or_has_no_date_nothing_can_be_told() {
    let date = r#"<date_expression id="d" operation="gt" start="2024-01-01"/>"#;
    let two = format!("{date}{}", date.replace("\"d\"", "\"e\""));
    for (conditions, rule, code, said) in [
        (
            r#"<date_expression id="d" operation="date_spec"><date_spec id="s" hours="1"/></date_expression>"#,
            "r",
            3,
            "years",
        ),
        (r#"<expression id="e" attribute="a" operation="defined"/>"#, "r", 3, "does not have a date"),
        (&two, "r", 3, "more than one date"),
        (r#"<date_expression id="d" operation="gt" start="someday"/>"#, "r", 78, "Error parsing rule"),
        (date, "nope", 105, "Rule not found"),
    ] {
        let place = Place::new().with_cib(&cib(conditions));
        let outcome = place.sh(&format!("crm_rule -c -r {rule}"));
        assert_eq!((outcome.code, outcome.out.as_str()), (code, ""), "{conditions}: {outcome:?}");
        assert!(outcome.err.contains(said), "{conditions} says {:?}", outcome.err);
    }
}

#[test]
fn rules_come_from_xml_too_and_the_last_one_decides() {
    let place = Place::new().with_cib(&cib(r#"<date_expression id="d" operation="gt" start="2024-01-01"/>"#));
    for (command, code, out) in [
        (
            "cat cib.xml | env -u CIB_file crm_rule -c -r r -d 2025-01-01 --xml-text -",
            0,
            "Rule r is still in effect\n",
        ),
        (
            "crm_rule -c -r x -X '<rule id=\"x\"><date_expression id=\"y\" operation=\"lt\" end=\"2020-01-01\"/></rule>'",
            110,
            "Rule x is expired\n",
        ),
        ("crm_rule -c -r nope -r r -d 2025-01-01", 0, "Rule r is still in effect\n"),
        ("crm_rule -c -r r -d junk", 65, ""),
        ("crm_rule -c -r r -X '<bad'", 65, ""),
        ("crm_rule -c", 64, ""),
        ("crm_rule -r r", 64, ""),
    ] {
        let outcome = place.sh(command);
        assert_eq!((outcome.code, outcome.out.as_str()), (code, out), "{command}: {outcome:?}");
    }
}
