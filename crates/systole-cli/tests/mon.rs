//! `crm_mon` as it goes on in the background.

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
    let outcome = place.sh_on("ps -o args= -p $(cat pid); kill $(cat pid)", None);
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.out.contains("crm_mon") && outcome.out.contains("page"), "{outcome:?}");
}
