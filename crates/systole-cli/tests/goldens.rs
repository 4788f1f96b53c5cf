//! Output of Pacemaker's tools for an OpenStack control plane, against ours.

mod support;

use regex_lite::Regex;
use std::{collections::BTreeSet, fs};
use support::Place;

/// Recorded commands of other programs, which use our tools but are not ours.
const OTHER_PROGRAMS: [&str; 2] = ["pcs ", "crm "];

/// Recorded files that are not matched yet. One that is matched must leave this list.
const NOT_YET: [&str; 1] = [
    // Warnings about deprecated names differ in wording, and are no error here: crmsh could not commit otherwise.
    "crm_verify_-V_-x.config-only.txt",
];

/// Takes out what differs from run to run and from release to release.
fn masked(text: &str) -> String {
    let mut text = text.to_owned();
    for (pattern, with) in [
        (r"(Last updated: ).*", "${1}TIME"),
        (r#"<last_update time="[^"]*"#, r#"<last_update time="TIME"#),
        (r#" api-version="[^"]*""#, ""),
        (r"[0-9.]+s user [0-9.]+s system", "TIMES"),
        (r" \(rc=\d+\)", ""),
    ] {
        text = Regex::new(pattern).expect("a pattern").replace_all(&text, with).into_owned();
    }
    text
}

#[test]
fn recorded_commands_print_what_pacemaker_printed() {
    let Some(root) = systole_reference::folder("openstack") else { return };
    let index = fs::read_to_string(root.join("golden/index.tsv")).expect("an index");
    let (mut matched, mut others, mut differing) = (0, 0, BTreeSet::new());
    for line in index.lines().filter(|line| !line.starts_with('#')) {
        let [file, input, _, command] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}")
        };
        if OTHER_PROGRAMS.iter().any(|program| command.starts_with(program)) {
            others += 1;
            continue;
        }
        let cib = fs::read_to_string(root.join(input)).expect("the input");
        let place = Place::new().with_cib(&cib);
        fs::write(place.dir.join(input), &cib).expect("the disk has room");
        let outcome = place.sh(command);
        let masked = |text: &str| {
            let mut lines: Vec<String> = masked(text).lines().map(str::to_owned).collect();
            // Independent actions may come in any order, and do.
            if command.starts_with("crm_simulate") {
                lines.sort_unstable();
            }
            lines
        };
        let ours = masked(&format!("{}{}", outcome.out, outcome.err));
        let is_match = ["golden", "golden-3.0.2"].iter().any(|release| {
            fs::read_to_string(root.join(release).join(file)).is_ok_and(|theirs| masked(&theirs) == ours)
        });
        if is_match {
            matched += 1;
        } else {
            differing.insert(file.to_owned());
        }
    }
    eprintln!("{matched} match, {} do not yet, {others} are of other programs", differing.len());
    let expected: BTreeSet<String> = NOT_YET.iter().map(|file| (*file).to_owned()).collect();
    let worse: Vec<_> = differing.difference(&expected).collect();
    let better: Vec<_> = expected.difference(&differing).collect();
    assert!(worse.is_empty(), "these should match: {worse:?}");
    assert!(better.is_empty(), "these match now, take them off the list: {better:?}");
}

#[test]
fn the_classic_layout_shows_bundles_as_the_seed_does() {
    let Some(root) = systole_reference::folder("openstack") else { return };
    let cib = fs::read_to_string(root.join("controllers-running.xml")).expect("the input");
    let shown = Place::new().with_cib(&cib).sh("systole status --classic").out;
    for seed in ["simple-bundle.status.txt", "complex-bundles.status.txt"] {
        let text = fs::read_to_string(root.join("seed").join(seed)).expect("the seed");
        // One bundle after the other: the seed lists them in another order.
        let mut bundles: Vec<String> = Vec::new();
        for line in text.lines() {
            if !line.starts_with(' ') {
                bundles.push(String::new());
            }
            bundles.last_mut().expect("a title comes first").push_str(&format!("{line}\n"));
        }
        for bundle in bundles {
            assert!(shown.contains(&bundle), "{seed}: expected\n{bundle}\nin\n{shown}");
        }
    }
}

#[test]
fn the_configuration_of_bundles_is_printed_as_the_seed_has_it() {
    let Some(root) = systole_reference::folder("openstack") else { return };
    let place = Place::new().with_cib(include_str!("../../systole-output/tests/cibs/seed-bundles.xml"));
    for bundle in ["galera-bundle", "haproxy-bundle"] {
        let expected = fs::read_to_string(root.join(format!("seed/{bundle}.config.txt"))).expect("the seed");
        assert_eq!(place.sh(&format!("systole resource config {bundle}")).out, expected);
    }
}
