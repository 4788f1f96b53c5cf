//! What the project's first issue shows of bundles is printed byte for byte.

use std::{fs, path::PathBuf};
use systole_cib::xml::Document;
use systole_output::config;

/// A file of the OpenStack data beside the repository; `None`, said loudly, where that is missing.
fn reference(path: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/openstack");
    let text = fs::read_to_string(root.join(path)).ok();
    if text.is_none() {
        eprintln!("SKIPPED: {path} is not beside the repository (../shared/openstack)");
    }
    text
}

#[test]
fn bundles_are_configured_as_the_seed_shows() {
    let cib = Document::parse(include_str!("cibs/seed-bundles.xml")).expect("XML");
    for (bundle, file) in [
        ("galera-bundle", "seed/galera-bundle.config.txt"),
        ("haproxy-bundle", "seed/haproxy-bundle.config.txt"),
    ] {
        let Some(expected) = reference(file) else { continue };
        let element = cib.find_id(bundle).expect("configured");
        assert_eq!(config::resource(element), expected, "{bundle}");
    }
}
