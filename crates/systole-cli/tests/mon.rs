//! `crm_mon` as it goes on in the background, and the files it writes.

mod support;

use std::{fs, path::Path, thread, time::Duration};
use support::Place;

const WEB: &str = include_str!("cibs/web.xml");

/// Waits until the file is there with `text` in it.
fn wait_for(file: &Path, text: &str) -> String {
    for _ in 0..500 {
        match fs::read_to_string(file) {
            Ok(found) if found.contains(text) => return found,
            _ => thread::sleep(Duration::from_millis(20)),
        }
    }
    panic!("{} never had {text}: {:?}", file.display(), fs::read_to_string(file));
}

#[test]
fn a_daemon_has_something_to_write_to() {
    let place = Place::new().with_cib(WEB);
    for command in ["crm_mon -d", "crm_mon -d --output-to=-", "crm_mon -d --output-as=none --output-to=page"]
    {
        let outcome = place.sh(command);
        assert_eq!((outcome.code, outcome.out.as_str()), (64, ""), "{command}: {outcome:?}");
    }
    // The last of the two counts.
    assert_eq!(place.sh("crm_mon -d -1").code, 0);
}

#[test]
fn the_state_in_a_file_is_written_once_since_it_does_not_change_by_itself() {
    let place = Place::new().with_cib(WEB);
    for (n, command) in ["-d --output-as html --output-to page", "-d -i 5 -h page"].iter().enumerate() {
        let file = place.dir.join(format!("{n}.html"));
        let outcome = place.sh(&format!("crm_mon {}", command.replace("page", &file.to_string_lossy())));
        assert_eq!((outcome.code, outcome.out.as_str()), (0, ""), "{command}: {outcome:?}");
        let page = wait_for(&file, "</html>");
        assert!(
            page.contains("Cluster Summary") && page.contains("http-equiv=\"refresh\" content=\"5\""),
            "{page}"
        );
    }
}

#[test]
fn a_daemon_without_a_cluster_says_so_and_goes_on() {
    let place = Place::new();
    let file = place.dir.join("page");
    let outcome = place
        .sh_on("SYSTOLE_SOCKET=/none.sock crm_mon -p pid -d -i 1 --output-as=html --output-to=page", None);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    wait_for(&file, "not connected");
    fs::remove_file(&file).expect("the page is there");
    wait_for(&file, "not connected");
    let again = place.sh_on("crm_mon -p pid -d --output-to=other", None);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.err.contains("already running"), "{again:?}");
    let outcome = place.sh_on("ps -o args= -p $(cat pid); kill $(cat pid)", None);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("crm_mon") && outcome.out.contains("page"), "{outcome:?}");
}

#[test]
fn a_daemon_that_cannot_write_does_not_start() {
    let place = Place::new().with_cib(WEB);
    for command in [
        "crm_mon -d --output-to=none/page",
        "crm_mon -d -p none/pid --output-to=page",
        "ln -s target pid; crm_mon -d -p pid --output-to=page",
        "echo precious > notes; crm_mon -d -p notes --output-to=page",
    ] {
        let outcome = place.sh(command);
        assert_eq!((outcome.code, outcome.out.as_str()), (73, ""), "{command}: {outcome:?}");
    }
    let left = place.sh("ls; cat notes");
    assert!(!left.out.contains("page") && !left.out.contains("target"), "{left:?}");
    assert!(left.out.contains("precious"), "{left:?}");
    // A number that was left over is no obstacle.
    assert_eq!(place.sh("echo 4000000000 > stale; crm_mon -d -p stale --output-to=page").code, 0);
}

#[test]
fn a_link_planted_beside_a_page_is_not_followed() {
    let place = Place::new().with_cib(WEB);
    let command =
        "echo precious > notes; ln -s notes .page.$$; exec crm_mon -1 --output-as=html --output-to=page";
    assert_eq!(place.sh(command).code, 0);
    let left = place.sh("test -L page || head -c 5 page; cat notes; ls -A");
    assert!(left.out.starts_with("<html") || left.out.starts_with("<!DOC"), "{left:?}");
    assert!(left.out.contains("precious") && !left.out.contains(".page."), "{left:?}");
}

#[test]
fn a_member_whose_executor_is_away_is_in_maintenance_and_it_is_said_why() {
    let mark = r#"<transient_attributes id="2"><instance_attributes id="status-2-executor-is-away" score="INFINITY">
        <nvpair id="m1" name="maintenance" value="true"/><nvpair id="m2" name="systole-executor" value="away"/>
        </instance_attributes></transient_attributes>"#;
    let beta = WEB.find("uname=\"beta\" in_ccm").expect("a state of beta");
    let end = beta + WEB[beta..].find('>').expect("its tag ends") + 1;
    let place = Place::new().with_cib(&format!("{}{mark}{}", &WEB[..end], &WEB[end..]));
    let status = place.sh("systole status -A");
    let warning = "WARNING: systole-execd does not answer on beta";
    for text in [warning, "Node beta: maintenance", "systole-executor"] {
        assert!(status.out.contains(text), "{text}: {}", status.out);
    }
    let mon = place.sh("crm_mon -1");
    assert!(mon.out.contains("Node beta: maintenance") && !mon.out.contains("WARNING"), "{}", mon.out);
}
