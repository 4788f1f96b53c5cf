//! Tools that do not read what they are told, within this process.

use super::*;
use std::{
    io::{Read, Write},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixStream},
    },
};

/// The far end of a guest.
struct Tool {
    _stream: UnixStream,
    responses: UnixDatagram,
    _events: UnixDatagram,
    requests: SocketAddr,
}

/// A counter without doors, at which so many bytes may wait.
fn counter(max_unsent: usize) -> Counter {
    let names = Names::Files(Vec::new());
    Counter { max_unsent, ..Counter::open(&names).0 }
}

/// A tool that has come in as `id`, and has asked something.
fn come_in(counter: &mut Counter, id: ToolId) -> Tool {
    let (mut stream, far) = UnixStream::pair().expect("sockets");
    far.set_nonblocking(true).expect("a socket");
    let greeting = [u64::from((-1i32).cast_unsigned()), 24, 131_072].map(u64::to_ne_bytes).concat();
    stream.write_all(&greeting).expect("greeted");
    let mut guest = Guest::new(far, "cib_rw").expect("a peer");
    assert!(guest.greet().expect("a greeting"));
    counter.guests.insert(id, guest);
    assert!(counter.welcome(id).is_none(), "it is let in");
    let mut answer = vec![0; 12_328];
    stream.read_exact(&mut answer).expect("an answer");
    let base = String::from_utf8_lossy(&answer[4136..8232]).trim_end_matches('\0').to_owned();
    let address = |end: &str| {
        let mut name = [0; 107];
        let text = format!("{base}-{end}");
        name[..text.len()].copy_from_slice(text.as_bytes());
        SocketAddr::from_abstract_name(name).expect("a name")
    };
    let bind = |end: &str| UnixDatagram::bind_addr(&address(end)).expect("bound");
    let tool = Tool {
        _stream: stream,
        responses: bind("response"),
        _events: bind("event"),
        requests: address("request"),
    };
    tool.responses.set_nonblocking(true).expect("a socket");
    tool.ask();
    assert!(matches!(counter.hear(id), Some(Visit::Asks { .. })));
    tool
}

impl Tool {
    fn ask(&self) {
        let xml = b"<a/>\0";
        let mut datagram = vec![0; 40];
        datagram[0..4].copy_from_slice(&1i32.to_ne_bytes());
        datagram[8..12].copy_from_slice(&45u32.to_ne_bytes());
        datagram[24..28].copy_from_slice(&5u32.to_ne_bytes());
        datagram[36] = 1;
        datagram.extend_from_slice(xml);
        self.responses.send_to_addr(&datagram, &self.requests).expect("sent");
    }

    /// Whether there was something to read.
    fn read(&self) -> bool {
        self.responses.recv(&mut vec![0; 200_000]).is_ok()
    }
}

/// So long that few of it fit into a socket.
fn long() -> String {
    format!("<a>{}</a>", "x".repeat(100_000))
}

/// Whether one round of the loop would find anything to do.
fn is_anything_ready(counter: &Counter) -> bool {
    let mut poll = Poll::new();
    let added = counter.add_to(&mut poll, |_| true);
    let ready = poll.wait(Some(Duration::ZERO)).expect("poll");
    let indices = added.guests.iter().flat_map(|(_, indices)| indices);
    indices.copied().any(|idx| ready.has(idx))
}

#[test]
fn what_waits_for_all_tools_together_has_a_bound() {
    let mut counter = counter(2 << 20);
    let (one, other) = (ToolId(1), ToolId(2));
    let _tools = [come_in(&mut counter, one), come_in(&mut counter, other)];
    for _ in 0..10 {
        counter.tell(one, Some(1), &long()).expect("there is room for one");
    }
    let mut told = Ok(());
    for _ in 0..40 {
        told = told.and_then(|()| counter.tell(other, Some(1), &long()));
        let n_unsent: usize = counter.guests.values().map(Guest::n_unsent).sum();
        assert!(n_unsent <= 2 << 20, "{n_unsent}");
    }
    assert_eq!(told, Err("too much waits for tools that do not read".to_owned()));
    assert_eq!(counter.guests.keys().copied().collect::<Vec<_>>(), [one], "whose turn it was is let go");
    counter.tell(one, Some(1), &long()).expect("there is room again");
    assert_eq!(Counter::open(&Names::Files(Vec::new())).0.max_unsent, MAX_UNSENT);
}

#[test]
fn while_a_tool_does_not_read_what_it_asks_wakes_nobody() {
    let mut counter = counter(MAX_UNSENT);
    let id = ToolId(1);
    let tool = come_in(&mut counter, id);
    assert!(!is_anything_ready(&counter));
    while counter.guests[&id].n_unsent() == 0 {
        counter.tell(id, Some(1), &long()).expect("it may wait");
    }
    tool.ask();
    assert!(!is_anything_ready(&counter), "there is no room, so there is nothing to do");
    assert!(counter.hear(id).is_none());
    while tool.read() {}
    assert!(is_anything_ready(&counter), "there is room");
    counter.guests.get_mut(&id).expect("it is there").flush().expect("sent");
    assert!(tool.read());
    assert!(is_anything_ready(&counter), "there is something to read");
    assert!(matches!(counter.hear(id), Some(Visit::Asks { .. })));
}
