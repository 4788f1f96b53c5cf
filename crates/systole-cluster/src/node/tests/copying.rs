//! A replica that is larger than one message may be.

use super::{levels::join, *};
use crate::message::{Copy, LEVEL_OF_PARTS};

/// A CIB of nine megabytes, of which one message takes four.
fn large() -> String {
    CIB.replace("<configuration>", &format!("<!--{}--><configuration>", "x".repeat(9 << 20)))
}

/// The copies, and parts of them, that were said.
fn copies(bench: &Bench) -> Vec<Message> {
    let envelopes = bench.casts.iter().map(|payload| serde_json::from_str(payload).expect("a message"));
    let messages = envelopes.map(|envelope: Envelope| envelope.message);
    messages.filter(|message| matches!(message, Message::Copy(_) | Message::CopyPart { .. })).collect()
}

#[test]
fn a_large_replica_goes_to_a_new_member_in_parts() {
    for (minor, n_parts) in [(PROTOCOL.minor, 3), (LEVEL_OF_PARTS - 1, 1)] {
        let mut bench = Bench::with(&large());
        join(&mut bench, minor);
        let copies = copies(&bench);
        assert_eq!(copies.len(), n_parts, "beside one that speaks 1.{minor}");
        let xml: String = copies
            .iter()
            .map(|message| match message {
                Message::Copy(copy) => copy.xml.as_str(),
                Message::CopyPart { xml } => xml.as_str(),
                _ => "",
            })
            .collect();
        assert!(xml.starts_with("<cib") && xml.trim_end().ends_with("</cib>"), "{}", &xml[xml.len() - 50..]);
        assert!(xml.len() > 9 << 20, "{}", xml.len());
    }
}

#[test]
fn the_parts_of_a_replica_are_put_together_and_those_of_another_view_are_not() {
    let mut bench = Bench::start();
    let members = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    let winner = CIB.replace("epoch=\"5\"", "epoch=\"9\"");
    let (first, rest) = winner.split_at(100);
    for view in [5, 6] {
        bench.tell(Event::View(View { number: view, own_id: 1, members: members.clone(), has_quorum: true }));
        let hello = bench.casts.last().expect("it says hello").replace("\"name\":\"a\"", "\"name\":\"b\"");
        let hello = hello.replace("\"version\":\"0.5.0\"", "\"version\":\"0.9.0\"");
        bench.tell(Event::Delivered { from: 2, payload: hello });
        assert!(bench.machine.group.awaits_copy());
        say(&mut bench, view, Message::CopyPart { xml: first.to_owned() });
    }
    let ledger = crate::message::Ledger::default();
    say(&mut bench, 6, Message::Copy(Box::new(Copy { xml: rest.to_owned(), generation: 1, ledger })));
    assert!(bench.machine.group.is_settled());
    assert_eq!(bench.machine.version().epoch, 9);
}

/// `b` says something in a view.
fn say(bench: &mut Bench, view: u64, message: Message) {
    let payload = serde_json::to_string(&Envelope { view, number: 2, message }).expect("a message");
    bench.tell(Event::Delivered { from: 2, payload });
}
