//! `crm_shadow`: a copy is made, changed, looked at and put back.

mod support;

use support::Place;

const WEB: &str = include_str!("cibs/web.xml");

/// A shell command in a place that keeps shadow copies, with or without an active one.
fn sh(place: &Place, active: &str, command: &str) -> support::Outcome {
    place.sh(&format!("CIB_shadow_dir=. CIB_shadow={active} {command}"))
}

#[test]
fn a_copy_is_changed_and_put_back() {
    let place = Place::new().with_cib(WEB);
    let made = sh(&place, "", "crm_shadow -b -c try");
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.out.ends_with("\texport CIB_shadow=try\n"), "{made:?}");
    assert_eq!(sh(&place, "try", "crm_shadow -w").out, "try\n");
    assert_eq!(sh(&place, "try", "crm_shadow -F").out, "./shadow.try\n");
    assert_eq!(
        sh(&place, "try", "crm_shadow -d"),
        support::Outcome { code: 0, out: String::new(), err: String::new() }
    );

    let change = "env -u CIB_file CIB_shadow_dir=. CIB_shadow=try crm_resource -r vip -m -p priority -v 5";
    assert_eq!(place.sh(change).code, 0);
    assert_eq!(place.cib_text(), WEB, "the cluster's CIB is as it was");
    let difference = sh(&place, "try", "crm_shadow -d");
    assert_eq!(difference.code, 1);
    let line = "name=\"priority\" value=\"5\"";
    assert!(
        difference.out.lines().any(|shown| shown.starts_with("++") && shown.contains(line)),
        "{difference:?}"
    );

    assert_eq!(sh(&place, "", "crm_shadow -C try").code, 64, "it wants --force");
    assert_eq!(place.cib_text(), WEB);
    assert_eq!(sh(&place, "", "crm_shadow -C try -f").code, 0);
    assert!(place.cib_text().contains(line));
}

#[test]
fn nothing_is_overwritten_or_lost_without_force() {
    let place = Place::new().with_cib(WEB);
    for (command, code) in [
        ("-b -e empty", 0),
        ("-b -e empty", 73),
        ("-b -c empty", 73),
        ("-b -r empty", 64),
        ("-D empty", 64),
        ("-b -s empty", 0),
        ("-D empty -f", 0),
        ("-D empty -f", 0),
        ("-b -s empty", 105),
        ("-C empty -f", 105),
        ("-b -e old -v pacemaker-3.0", 0),
        ("-b -e odd -v nonsense", 64),
        ("-w", 105),
        ("-d", 105),
        ("", 64),
    ] {
        let outcome = sh(&place, "", &format!("crm_shadow {command}"));
        assert_eq!(outcome.code, code, "{command}: {outcome:?}");
    }
    let old = std::fs::read_to_string(place.dir.join("shadow.old")).expect("it was made");
    assert!(old.contains("validate-with=\"pacemaker-3.0\""), "{old}");
    assert_eq!(place.cib_text(), WEB);
}
