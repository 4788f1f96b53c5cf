//! A text as an XPath.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_cib::{xml::Document, xpath};

const CIB: &str = include_str!("../seeds/cib/small.xml");

fuzz_target!(|text: &str| {
    let document = Document::parse(CIB).expect("the seed");
    if let Ok(found) = xpath::find(&document, text) {
        for element in found {
            let path = xpath::path_of(element);
            assert!(xpath::find(&document, &path).is_ok(), "{path}");
        }
    }
});
