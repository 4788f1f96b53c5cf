//! A text as a patchset: it is applied, or refused; and a patchset made of what came out fits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_cib::{
    patch::{self, Versions},
    xml::{Document, Style},
};

const CIB: &str = include_str!("../seeds/cib/small.xml");

fuzz_target!(|text: &str| {
    let Ok(given) = Document::parse(text) else { return };
    let before = Document::parse(CIB).expect("the seed");
    let mut after = before.clone();
    if patch::apply(&mut after, given.root()).is_err() {
        return;
    }
    let written = Document::parse(after.write(Style::Compact).as_str()).expect("what was written");
    assert!(written == after);
    if let Some(made) = patch::diff(&before, &after, Versions::Checked) {
        let mut again = before.clone();
        patch::apply(&mut again, made.root()).expect("it was made for this");
        assert!(again == after, "{made:?}");
    }
});
