//! Every CIB of the corpus is read without an error, and written back as it was.

#![expect(clippy::disallowed_methods, reason = "the corpus is in files")]

use std::fs;
use systole_cib::{
    Severity, model,
    xml::{Document, Style},
};
use systole_reference::{folder, xml_files};

#[test]
fn every_cib_of_the_corpus_is_read_without_an_error() {
    let folders = ["corpus/scheduler/xml", "corpus/cli/inputs", "openstack"].map(folder);
    let [Some(cases), Some(inputs), Some(openstack)] = &folders else { return };
    let mut files = xml_files(cases);
    let n_cases = files.len();
    files.extend(xml_files(inputs));
    files.extend(xml_files(openstack));
    let mut errors = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).expect("a readable file");
        let Ok(document) = Document::parse(&text) else {
            errors.push(format!("{}: not XML", file.display()));
            continue;
        };
        let document = document.from_file(&file.file_name().expect("a name").to_string_lossy());
        if !document.root().is("cib") {
            continue;
        }
        for style in [Style::Compact, Style::Indented] {
            assert_eq!(Document::parse(document.write(style)).as_ref(), Ok(&document), "{}", file.display());
        }
        let (_, diagnostics) = model::read(&document);
        errors.extend(diagnostics.iter().filter(|d| d.severity == Severity::Error).map(ToString::to_string));
    }
    assert!(n_cases > 600, "the corpus is whole: {n_cases} cases");
    assert_eq!(errors, KNOWN, "{} errors in {} files", errors.len(), files.len());
}

/// Mistakes that are there on purpose.
const KNOWN: [&str; 2] = [
    "error: colocation-influence.xml:433:7: <rsc_colocation id=\"colocation-rsc1a-rsc1b-INFINITY\">: influence: \
     \"invalid\" is neither true nor false",
    "error: order-wrong-kind.xml:34:7: <rsc_order id=\"order1\">: kind: \"foo\" is none of Mandatory, Optional, Serialize",
];
