//! What is found, what is an error.

use systole_cib::{
    xml::Document,
    xpath::{find, path_of},
};

const CIB: &str = "<cib><configuration><crm_config><cluster_property_set id='s'>\
    <nvpair id='o1' name='stonith-enabled' value='true'/></cluster_property_set></crm_config>\
    <nodes><node id='1' uname='a'/><node id='2' uname='b'/></nodes>\
    <resources><group id='g'><primitive id='g1' class='ocf'/><primitive id='g2' class='lsb'/></group>\
    <clone id='c'><primitive id='c1' class='ocf'><meta_attributes id='m'><nvpair id='m1' name='x' value='10'/>\
    </meta_attributes></primitive></clone></resources></configuration>\
    <status><node_state id='1' uname='a' crmd='online'><t><nvpair id='t1' name='x' value='1'>text</nvpair></t></node_state>\
    <node_state id='2' uname='b' crmd='offline'><t><nvpair id='t2' name='x' value='2'/></t></node_state></status></cib>";

#[test]
fn expressions_of_real_clients_find_what_they_look_for() {
    let document = Document::parse(CIB).expect("well formed");
    for (expression, ids) in [
        ("//primitive[@id='g1']", "g1"),
        ("//primitive", "g1 g2 c1"),
        ("/cib/configuration/nodes/node[@uname='b']", "2"),
        ("/cib/status/node_state", "1 2"),
        ("//node_state[@crmd='online']//nvpair[@name='x']", "t1"),
        ("//node_state[@uname=\"b\"]//nvpair", "t2"),
        ("//nvpair[@name='x' and @value='2']", "t2"),
        ("//nvpair[@name='x'][@value='2']", "t2"),
        ("//nvpair[@id='o1' or @id='m1']", "o1 m1"),
        ("//*[@id='c' or @id='g']", "g c"),
        ("//*[@id='c1']/..", "c"),
        ("//group/primitive[2]", "g2"),
        ("//primitive[1]", "g1 c1"),
        ("//group/primitive[last()]", "g2"),
        ("//group/primitive[position()<2]", "g1"),
        ("//primitive[not(@class='ocf')]", "g2"),
        ("//primitive[@class!='ocf']", "g2"),
        ("//primitive[meta_attributes/nvpair[@name='x']]", "c1"),
        ("//primitive[count(meta_attributes)=1]", "c1"),
        ("//node | //group", "1 2 g"),
        ("//nvpair[@value > 1 and @value <= 10]", "m1 t2"),
        ("//primitive/@id", "g1 g2 c1"),
        ("//nvpair[@name='x']/ancestor::primitive", "c1"),
        ("//primitive[starts-with(@id,'g')]", "g1 g2"),
        ("//primitive[contains(@id, '1')]", "g1 c1"),
        ("//nvpair[text()='text']", "t1"),
        ("//primitive[@id='g1']/following-sibling::primitive", "g2"),
        ("//resources//*[local-name()='nvpair']", "m1"),
        ("(//primitive)[2]", "g2"),
        ("(//primitive | //group)[1]", "g"),
        ("(//primitive[@id='g2'] | //primitive[@id='g1'])[1]/@class", "g1"),
        ("(//clone)//nvpair", "m1"),
        ("//primitive[(meta_attributes)/nvpair]", "c1"),
        ("//nothing", ""),
        ("/configuration", ""),
    ] {
        let found = find(&document, expression).unwrap_or_else(|error| panic!("{error}"));
        let found: Vec<_> = found.iter().map(|e| e.id().unwrap_or("-")).collect();
        assert_eq!(found.join(" "), ids, "{expression}");
    }
    assert_eq!(find(&document, "/").expect("nothing to find").len(), 0);
    assert_eq!(find(&document, "/cib").expect("the root").len(), 1);
}

#[test]
fn what_is_not_covered_is_said() {
    let document = Document::parse(CIB).expect("well formed");
    for (expression, message) in [
        ("", "ends too early"),
        ("//primitive[", "ends too early"),
        ("//primitive[@id='x]", "quote is not closed"),
        ("//primitive[@id='x'", "expected ]"),
        ("//a[$x]", "variables are not covered"),
        ("//a[sum(b)=1]", "function sum() is not covered"),
        ("preceding::a", "axis preceding is not covered"),
        ("'text'", "does not find elements"),
        ("1 + 1", "not covered"),
        ("//a]]", "not covered"),
    ] {
        let error = find(&document, expression).expect_err(expression).to_string();
        assert!(error.contains(message), "{expression}: {error}");
    }
    assert!(find(&document, &"(".repeat(100_000)).is_err());
    assert!(find(&document, &format!("//a{}", "[a".repeat(5_000))).is_err());
}

#[test]
fn a_costly_search_is_given_up() {
    let text = format!("<a>{}</a>", "<b><b><b/></b></b>".repeat(3_000));
    let document = Document::parse(&text).expect("well formed");
    let error = find(&document, "//*[//*[//*[//nothing]]]").expect_err("too costly").to_string();
    assert!(error.contains("takes too long"), "{error}");
}

#[test]
fn paths_are_written_as_pacemaker_does() {
    let document = Document::parse(CIB).expect("well formed");
    let path = path_of(document.find_id("m1").expect("there"));
    assert_eq!(
        path,
        "/cib/configuration/resources/clone[@id='c']/primitive[@id='c1']/meta_attributes[@id='m']/nvpair[@id='m1']"
    );
    assert_eq!(find(&document, &path).expect("a path is an XPath")[0].id(), Some("m1"));
}
