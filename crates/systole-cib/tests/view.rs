//! A view that is kept up says what a view read anew says, after any edit.

#![expect(clippy::disallowed_methods, reason = "it reads the corpus")]

use std::{fs, sync::Arc};
use systole_cib::{View, model::Cib, upgrade, xml::Document, xml::Key};
use systole_reference::{folder, xml_files};

const CIB: &str = "<cib admin_epoch='0' epoch='1' num_updates='1'><configuration><crm_config>\
    <cluster_property_set id='o'><nvpair id='o-1' name='x' value='1'/></cluster_property_set></crm_config></configuration>\
    <status><node_state id='1' uname='a'><lrm id='1'><lrm_resources>\
    <lrm_resource id='A' class='ocf' provider='p' type='t'><lrm_rsc_op id='A_last_0' operation_key='A_start_0' rc-code='0'/>\
    </lrm_resource><lrm_resource id='B' class='ocf' provider='p' type='t'/></lrm_resources></lrm></node_state></status></cib>";

fn parse(text: &str) -> Document {
    Document::parse(text).expect("well formed")
}

fn check(view: &mut View, document: &Document, what: &str) {
    assert_eq!(view.of(document), &upgrade::read(document).0, "{what}\n{}", document.to_text());
}

/// The same text in memory tells that a part was not read again.
fn configured(cib: &Cib) -> Arc<str> {
    cib.cluster_options[0].pairs[0].name.clone()
}

#[test]
fn a_result_is_taken_in_without_reading_the_configuration() {
    let mut document = parse(CIB);
    let mut view = View::default();
    let before = configured(view.of(&document));
    let operation = document.find_id("A_last_0").expect("there").key();
    document.set_attr(operation, "rc-code", "7");
    let root = document.root_key();
    document.set_attr(root, "num_updates", "2");
    check(&mut view, &document, "a result");
    assert!(Arc::ptr_eq(&before, &configured(view.of(&document))), "the configuration is as it was");

    let option = document.find_id("o-1").expect("there").key();
    document.set_attr(option, "value", "2");
    check(&mut view, &document, "an option");
}

#[test]
fn a_copy_that_went_its_own_way_is_another_document() {
    let mut one = parse(CIB);
    let mut view = View::default();
    view.of(&one);
    let mut other = one.clone();
    let operation = one.find_id("A_last_0").expect("there").key();
    one.set_attr(operation, "rc-code", "7");
    other.set_attr(operation, "rc-code", "8");
    for document in [&one, &other, &one] {
        check(&mut view, document, "copies with as many edits each");
    }
}

#[test]
fn edits_beyond_counting_are_taken_in_too() {
    let mut document = parse(CIB);
    let mut view = View::default();
    view.of(&document);
    let operation = document.find_id("A_last_0").expect("there").key();
    for n in 0..3000 {
        document.set_attr(operation, "call-id", &n.to_string());
    }
    check(&mut view, &document, "3000 edits");
}

#[test]
fn after_any_edit_of_any_corpus_case_it_says_what_reading_anew_says() {
    let files = folder("corpus/scheduler/xml").map(|cases| xml_files(&cases)).unwrap_or_default();
    for (n, file) in files.iter().enumerate() {
        let mut document = parse(&fs::read_to_string(file).expect("readable"));
        let mut dice = Dice(n as u64 + 1);
        let mut view = View::default();
        view.of(&document);
        for _ in 0..4 {
            let Some(what) = edit(&mut document, &mut dice) else { break };
            check(&mut view, &document, &format!("{}: {what}", file.display()));
        }
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }
}

/// Edits the history somewhere, mostly as results do, sometimes as nothing should.
fn edit(document: &mut Document, dice: &mut Dice) -> Option<&'static str> {
    let all = |name: &str| -> Vec<Key> {
        document
            .root()
            .descendants()
            .filter(|element| element.is(name))
            .map(|element| element.key())
            .collect()
    };
    let (operations, resources) = (all("lrm_rsc_op"), all("lrm_resource"));
    if operations.is_empty() || resources.is_empty() {
        return None;
    }
    let operation = operations[dice.roll(operations.len())];
    let resource = resources[dice.roll(resources.len())];
    Some(match dice.roll(10) {
        0..=2 => {
            document.set_attr(operation, "rc-code", ["0", "1", "7", "8", "x"][dice.roll(5)]);
            "a result code"
        }
        3 => {
            document.set_attr(operation, "op-status", ["0", "4", "-1"][dice.roll(3)]);
            document.set_attr(operation, "call-id", "4711");
            "a status"
        }
        4 => {
            document.remove(operation);
            "an operation less"
        }
        5 => {
            let source = document.clone();
            document.import(resource, None, source.element(operation));
            "an operation more"
        }
        6 => {
            document.set_attr(resource, "id", "another");
            "a resource's name"
        }
        7 => {
            document.remove(resource);
            "a resource less"
        }
        8 => {
            document.rename(resource, "unheard-of");
            "a resource that is none"
        }
        _ => {
            let root = document.root_key();
            document.set_attr(root, "have-quorum", ["0", "1"][dice.roll(2)]);
            document.set_attr(root, "epoch", "4711");
            "the header"
        }
    })
}
