//! Members that speak different versions of the protocol.

use super::*;
use crate::message::{Attach, Hand, Hello, LEVEL_OF_DIGESTS};
use systole_wire::{ProtocolVersion, exec::Digest};

/// A member `b` that speaks the protocol up to a minor part says hello, and its executor is there.
fn join(bench: &mut Bench, minor: u16) {
    let members = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    bench.tell(Event::View(View { number: 5, own_id: 1, members, has_quorum: true }));
    let hello = Hello {
        protocol: ProtocolVersion { minor, ..PROTOCOL },
        name: "b".into(),
        boot_id: "boot-of-b".into(),
        since: 5,
        live: false,
        version: "0.0.0".into(),
        generation: 0,
        fingerprint: String::new(),
        disk_error: None,
    };
    let attach = Attach {
        by: Hand::Executor,
        session: Default::default(),
        acknowledged: 0,
        forgetful: false,
        lost_monitors: Vec::new(),
        lost_operations: Vec::new(),
        in_flight: Vec::new(),
    };
    for (number, message) in [(1, Message::Hello(hello)), (2, Message::Attach(attach))] {
        let envelope = Envelope { view: 5, number, message };
        let payload = serde_json::to_string(&envelope).expect("a message");
        bench.tell(Event::Delivered { from: 2, payload });
    }
    assert!(bench.machine.group.is_settled());
}

/// Whether a result with a digest is said with it.
fn tells_digests(bench: &mut Bench) -> bool {
    bench.wait(30);
    let perform =
        bench.casts.iter().rev().find(|payload| payload.contains("perform")).expect("something is done");
    let envelope: Envelope = serde_json::from_str(perform).expect("a message");
    let Message::Perform(perform) = envelope.message else { panic!("{:?}", envelope.message) };
    let mut result = bench.result(perform.operation, true);
    let digest = Digest { names: " a ".into(), digest: "0123456789abcdef".into() };
    result.operation.digests.restart = Some(digest);
    bench.casts.clear();
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
    let record = bench.casts.iter().find(|payload| payload.contains("record")).expect("it is recorded");
    record.contains("0123456789abcdef")
}

#[test]
fn what_a_member_cannot_read_is_said_by_nobody() {
    for (minor, are_told) in
        [(PROTOCOL.minor, true), (LEVEL_OF_DIGESTS - 1, false), (PROTOCOL.minor + 1, true)]
    {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        assert_eq!(tells_digests(&mut bench), are_told, "beside one that speaks 1.{minor}");
    }
}
