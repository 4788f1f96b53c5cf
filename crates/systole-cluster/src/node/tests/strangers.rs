//! Members that speak another major part of the protocol.

use super::*;
use systole_wire::ProtocolVersion;

/// What a node says first in a view, which speaks another major part of the protocol and has been a member since view `since`.
fn strange_hello(view: u64, (from, name): (u32, &str), since: u64, rest: &str) -> Event {
    let protocol = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
    let protocol = serde_json::to_string(&protocol).expect("numbers");
    let hello = format!(r#"{{"protocol":{protocol},"name":"{name}","since":{since}{rest}}}"#);
    Event::Delivered {
        from,
        payload: format!(r#"{{"view":{view},"number":1,"message":{{"hello":{hello}}}}}"#),
    }
}

/// A view of a and strangers, all of whom have been members since view `since`.
fn meet(bench: &mut Bench, view: u64, strangers: &[(u32, &str)], since: u64) {
    bench.has_layer = true;
    let others = strangers.iter().map(|(id, name)| (*id, (*name).to_owned()));
    let members = std::iter::once((1, "a".to_owned())).chain(others).collect();
    bench.tell(Event::View(View { number: view, own_id: 1, members, has_quorum: true }));
    for stranger in strangers {
        bench.tell(strange_hello(view, *stranger, since, ""));
    }
}

fn where_quorum_is_ignored() -> String {
    let ignored = r#"<nvpair id="o2" name="no-quorum-policy" value="ignore"/><nvpair id="o1""#;
    CIB.replace(r#"<nvpair id="o1""#, ignored)
}

const B: (u32, &str) = (2, "b");
const C: (u32, &str) = (3, "c");

#[test]
fn of_members_that_cannot_understand_each_other_the_longest_one_stays_and_says_what_to_do() {
    // As today, and as in a version whose hello has another form.
    let same_form =
        r#","boot_id":"x","live":true,"version":"0.9.9","generation":9,"fingerprint":"f","disk_error":null"#;
    for rest in [same_form, r#","replica":{"form":"new"}"#] {
        for (since, stays) in [(5, true), (0, false)] {
            let mut bench = Bench::start();
            bench.view(1);
            bench.logs.clear();
            let members = vec![(1, "a".to_owned()), (2, "b".to_owned())];
            bench.tell(Event::View(View { number: 5, own_id: 1, members, has_quorum: true }));
            bench.tell(strange_hello(5, B, since, rest));
            assert!(!bench.machine.group.is_settled(), "nothing is agreed on with b");
            assert_eq!(bench.stays_away.is_empty(), stays);
            assert!(bench.logs.iter().any(|line| line.contains("protocol 2.x") && line.contains("version")));
            // b is gone, as it is to go.
            bench.view(6);
            assert_eq!(bench.machine.settled_view(), Some(6));
        }
    }
}

#[test]
fn the_version_that_most_members_have_stays_even_beside_an_older_member() {
    for (strangers, stays) in [(&[B][..], true), (&[B, C][..], false)] {
        let mut bench = Bench::start();
        bench.view(1);
        meet(&mut bench, 5, strangers, 5);
        assert_eq!(bench.stays_away.is_empty(), stays, "{strangers:?}");
    }
}

#[test]
fn a_node_that_is_kept_out_runs_nothing_even_where_quorum_is_ignored() {
    for (is_stranger, runs) in [(true, false), (false, true)] {
        let mut bench = Bench::with(&where_quorum_is_ignored());
        bench.view(1);
        assert!(bench.running);
        if is_stranger {
            meet(&mut bench, 5, &[B], 0);
        }
        bench.lose_layer();
        bench.wait(30);
        assert_eq!(bench.running, runs, "{:?}", bench.ran);
        let kept = bench.last_input.contains(r#"name="no-quorum-policy" value="stop""#);
        assert_eq!(kept, is_stranger, "{}", bench.last_input);
    }
}

#[test]
fn why_a_node_is_alone_is_known_until_it_has_agreed_with_others() {
    let mut bench = Bench::with(&where_quorum_is_ignored());
    meet(&mut bench, 5, &[B], 0);
    bench.lose_layer();
    bench.wait(30);
    // The layer is gone again before b has said a word.
    bench.has_layer = true;
    let members = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    bench.tell(Event::View(View { number: 6, own_id: 1, members, has_quorum: true }));
    bench.lose_layer();
    bench.wait(30);
    assert!(!bench.asked.contains(&"start".to_owned()), "{:?}", bench.asked);
    bench.view(7);
    assert!(bench.running, "{:?}", bench.asked);
}

#[test]
fn a_node_that_is_kept_out_looks_again_less_and_less_often_and_stops_without_delay() {
    let mut bench = Bench::start();
    bench.view(1);
    for view in 5..11 {
        meet(&mut bench, view, &[B], 0);
        bench.lose_layer();
        bench.wait(3);
        assert!(!bench.running, "{:?}", bench.ran);
    }
    let secs: Vec<u64> = bench.stays_away.drain(..).map(|pause| pause.as_secs()).collect();
    assert_eq!(secs, [60, 120, 240, 480, 900, 900]);
    bench.view(11);
    meet(&mut bench, 12, &[B], 0);
    assert_eq!(bench.stays_away, [Duration::from_secs(60)]);
}
