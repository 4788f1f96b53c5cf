//! What the project's first issue shows of bundles is printed byte for byte.

use std::fs;
use systole_cib::xml::Document;
use systole_output::config;

#[test]
fn bundles_are_configured_as_the_seed_shows() {
    let Some(openstack) = systole_reference::folder("openstack") else { return };
    let cib = Document::parse(include_str!("cibs/seed-bundles.xml")).expect("XML");
    for (bundle, file) in [
        ("galera-bundle", "seed/galera-bundle.config.txt"),
        ("haproxy-bundle", "seed/haproxy-bundle.config.txt"),
    ] {
        let expected = fs::read_to_string(openstack.join(file)).expect("readable");
        let element = cib.find_id(bundle).expect("configured");
        assert_eq!(config::resource(element), expected, "{bundle}");
    }
}
