//! What the XML value keeps, what it refuses, and how edits behave.

use proptest::prelude::*;
use systole_cib::xml::{Document, MAX_ATTRIBUTES, MAX_DEPTH, Style};

fn parse(text: &str) -> Document {
    Document::parse(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

#[test]
fn order_text_and_comments_survive() {
    for (text, written) in [
        ("<a/>", "<a/>"),
        ("<?xml version=\"1.0\" ?>\n<a z='1' b=\"2\"></a>", "<a z=\"1\" b=\"2\"/>"),
        ("<a><b/> <!-- why --><c/></a>", "<a><b/><!-- why --><c/></a>"),
        ("<!-- first --><a/><!--last-->", "<!-- first --><a/><!--last-->"),
        ("<a> x <b/> y</a>", "<a> x <b/> y</a>"),
        ("<a>1 &lt; 2 &amp;&#x41;<![CDATA[<&]]></a>", "<a>1 &lt; 2 &amp;A&lt;&amp;</a>"),
        ("<a v='\"&#10;&#9;&apos;&gt;'/>", "<a v=\"&quot;&#x0A;&#x09;'&gt;\"/>"),
        ("<a v='one\n two\tthree'/>", "<a v=\"one  two three\"/>"),
        ("<a  v = 'ä€'  />", "<a v=\"ä€\"/>"),
        ("<x:a x:v='1'/>", "<x:a x:v=\"1\"/>"),
        ("<a><?php echo ?></a>", "<a><?php echo ?></a>"),
    ] {
        assert_eq!(parse(text).write(Style::Compact), written, "{text}");
    }
}

/// The parser guesses a name by what came after the one before it in the last element of the kind.
#[test]
fn attributes_may_come_in_another_sequence_than_the_last_time() {
    for second in [
        "<b x='1' y='2'/>",
        "<b x = '1' y\n= \"2\"/>",
        "<b y='2' x='1'/>",
        "<b y=\"2\" x=\"1\"/>",
        "<b xx=\"1\"/>",
        "<b x=\"1\" yy=\"2\"/>",
        "<b xx='1' yy='2'/>",
        "<b y='&lt;'/>",
    ] {
        let document = parse(&format!("<a><b x=\"1\" y=\"2\"/>{second}</a>"));
        let last = document.root().children().last().expect("there are two");
        assert_eq!(last.to_text(), parse(second).root().to_text(), "{second}");
    }
    let twice = Document::parse("<a><b x=\"1\" y=\"2\"/><b x=\"1\" x=\"2\"/></a>");
    assert!(twice.expect_err("x is there twice").to_string().contains("given twice"));
}

#[test]
fn the_indented_style_is_that_of_pacemakers_tools() {
    let document = parse(
        "<cib><configuration><!-- c --><nodes/><note>mixed <b/> text</note></configuration><status/></cib>",
    );
    let expected = "<cib>\n  <configuration>\n    <!-- c -->\n    <nodes/>\n    <note>mixed <b/> text</note>\n  \
                    </configuration>\n  <status/>\n</cib>\n";
    assert_eq!(document.to_text(), expected);
}

#[test]
fn elements_know_where_they_came_from() {
    let document = parse("<a>\n  <b/><c\n x='1'/>\r\n  <ä/>\n</a>");
    let positions: Vec<_> =
        document.root().descendants().map(|e| e.position().expect("parsed").to_string()).collect();
    assert_eq!(positions, ["1:1", "2:3", "2:7", "4:3"]);
}

#[test]
fn what_is_not_xml_is_refused_with_its_place() {
    for (text, message) in [
        ("", "line 1, column 1: there is no XML element here"),
        ("  <!-- only --> ", "line 1, column 17: there is no XML element here"),
        ("<a>\n <b>\n</a>", "line 3, column 1: not well formed"),
        ("<a>\n<b>", "line 2, column 4: <b> is not closed"),
        ("<a/>\n<b/>", "line 2, column 1: <b> stands outside"),
        ("<a/>text", "there is text outside"),
        ("text<a/>", "there is text outside"),
        ("<a x='1' y='2' x='3'/>", "line 1, column 1: attribute x of <a> is given twice"),
        ("<a x=1/>", "line 1, column 4: attribute x needs a value in quotes"),
        ("<a x/>", "attribute x needs a value in quotes"),
        ("<a x='1'y='2'/>", "a space is missing"),
        ("<1a/>", "\"1a\" cannot be a name"),
        ("<a x='&unknown;'/>", "line 1, column 7: &unknown; is not an entity"),
        ("<a>&nbsp;</a>", "&nbsp; is not an entity"),
        ("<a x='a & b'/>", "write & as &amp;"),
        ("<a x='<'/>", "write it as &lt;"),
        ("<a x='&#0;'/>", "character U+0000 is not allowed"),
        ("<a>\u{1}</a>", "character U+0001 is not allowed"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "document type declarations are not accepted"),
        ("<a", "not well formed"),
        ("<a><b></a></b>", "line 1, column 7: not well formed: </a> stands where <b> has to be closed"),
        ("<a x='1></a>", "an attribute's value has no end"),
        ("<a><? x?></a>", "an instruction has to begin with a name"),
        ("<a><![CDATA[x</a>", "<![CDATA[ without ]]>"),
        ("</a>", "not well formed"),
    ] {
        let error = Document::parse(text).expect_err(text).to_string();
        assert!(error.contains(message), "{text:?} gave {error:?}");
    }
}

#[test]
fn hostile_texts_end_in_an_error_and_not_in_the_machine() {
    let deep = "<a>".repeat(100_000);
    let balanced = format!("{deep}{}", "</a>".repeat(100_000));
    let laughs = format!(
        "<!DOCTYPE l [<!ENTITY l0 'ha'>{}]><l>&l9;</l>",
        (1..10)
            .map(|n| format!("<!ENTITY l{n} '{}'>", format!("&l{};", n - 1).repeat(10)))
            .collect::<String>()
    );
    for text in [deep, balanced, laughs] {
        assert!(Document::parse(&text).is_err());
    }
    let wide: String = (0..MAX_ATTRIBUTES).map(|n| format!(" a{n}='x'")).collect();
    assert_eq!(parse(&format!("<a{wide}/>")).root().attrs().count(), MAX_ATTRIBUTES);
    assert!(Document::parse(format!("<a{wide} a7='x'/>")).is_err());
    assert!(Document::parse(format!("<a{wide} b='x'/>")).is_err());
    let nested = format!("{}{}", "<a>".repeat(MAX_DEPTH), "</a>".repeat(MAX_DEPTH));
    assert_eq!(parse(&nested).root().descendants().count(), MAX_DEPTH);
}

#[test]
fn edits_show_where_they_were_made_and_nowhere_else() {
    let mut document = parse("<a><b id='1' x='y'/><c id='2'><d/></c></a>");
    let (b, c) = (document.find_id("1").expect("b").key(), document.find_id("2").expect("c").key());
    assert!(document.set_attr(b, "x", "z"));
    assert!(!document.set_attr(b, "x", "z"), "the same value is no change");
    document.set_attr(b, "new", "<&>");
    document.remove_attr(b, "id");
    let e = document.insert_before(c, "e");
    document.append_text(e, "hello");
    document.move_to(b, c, None);
    assert_eq!(
        document.write(Style::Compact),
        "<a><e>hello</e><c id=\"2\"><d/><b x=\"z\" new=\"&lt;&amp;&gt;\"/></c></a>"
    );
    let other = parse("<new><er n='1'/><!-- x --></new>");
    document.replace(c, other.root());
    document.remove(e);
    assert_eq!(document.write(Style::Compact), "<a><new><er n=\"1\"/><!-- x --></new></a>");
    let root = document.root_key();
    document.replace(root, other.root());
    assert_eq!(document, other);
}

#[test]
fn a_document_edited_for_ever_stays_small() {
    let mut document = parse("<a><b id='1'/></a>");
    for n in 0..200_000 {
        let b = document.find_id("1").expect("b").key();
        document.set_attr(b, "v", &format!("value {n}"));
        let child = document.append(b, "child");
        document.set_attr(child, "n", "0");
        document.remove(child);
        document.tidy();
    }
    assert!(document.n_nodes() < 2000, "{} nodes", document.n_nodes());
    assert_eq!(document.write(Style::Compact), "<a><b id=\"1\" v=\"value 199999\"/></a>");
}

/// Documents of any shape, as text.
fn documents() -> impl Strategy<Value = String> {
    let value = "[ -~\\n\\täö€]{0,12}";
    let tag = ("[a-z_][a-z0-9._-]{0,6}", proptest::collection::btree_map("[a-z][a-z-]{0,5}", value, 0..4));
    let write = |(name, attrs): (String, std::collections::BTreeMap<String, String>), inside: String| {
        let mut out = format!("<{name}");
        for (key, value) in &attrs {
            out.push_str(&format!(" {key}=\""));
            systole_cib::xml::escape_attribute(&mut out, value);
            out.push('"');
        }
        out + ">" + &inside + "</" + &name + ">"
    };
    let leaf = prop_oneof![
        "[a-z<>&\" ]{1,8}".prop_map(|text| {
            let mut out = String::new();
            systole_cib::xml::escape_text(&mut out, &text);
            out
        }),
        "[a-z ]{0,8}".prop_map(|text| format!("<!--{text}-->")),
        tag.clone().prop_map(move |tag| write(tag, String::new())),
    ];
    let inside = leaf.prop_recursive(4, 40, 5, move |inner| {
        ((tag.clone()), proptest::collection::vec(inner, 0..5))
            .prop_map(move |(tag, inner)| write(tag, inner.concat()))
    });
    inside.prop_map(|inside| format!("<root>{inside}</root>"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn written_then_parsed_is_the_same(text in documents()) {
        let document = parse(&text);
        prop_assert_eq!(&parse(&document.write(Style::Compact)), &document);
        prop_assert_eq!(&parse(&document.to_text()), &document);
    }

    #[test]
    fn any_text_is_either_read_or_refused(text in "[<>/a-c&;!\\[\\]='\"? \\-x#D]{0,60}") {
        if let Ok(document) = Document::parse(&text) {
            prop_assert_eq!(&parse(&document.write(Style::Compact)), &document);
        }
    }
}
