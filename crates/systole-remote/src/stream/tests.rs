//! What a peer that knows the key, and means ill, can do.

use super::*;
use std::net::{Ipv4Addr, TcpListener};
use systole_tls::Key;

/// Both ends of an established session: the client's and the server's.
fn pair() -> (SecureStream, SecureStream) {
    let key = Key::new(vec![7; 64]).expect("long enough");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    let socket = TcpStream::connect(address).expect("listening");
    let mut client = SecureStream::new(socket, Session::client(&key).expect("client")).expect("connected");
    let (socket, _) = listener.accept().expect("connected");
    let mut server = SecureStream::new(socket, Session::server(&key).expect("server")).expect("connected");
    while !(client.is_established() && server.is_established()) {
        for end in [&mut client, &mut server] {
            end.receive(&mut Vec::new()).expect("the handshake goes on");
        }
    }
    (client, server)
}

/// A message of `length` bytes in a few.
fn compressed(length: usize) -> Vec<u8> {
    let mut text = vec![b'x'; length];
    text.push(0);
    let mut payload = Vec::new();
    bzip2::read::BzEncoder::new(&text[..], bzip2::Compression::best())
        .read_to_end(&mut payload)
        .expect("in memory");
    let number = |length: usize| u32::try_from(length).expect("small").to_le_bytes();
    let mut frame = Frame::new(1, "x").header.to_vec();
    let total = frame.len() + payload.len();
    for (at, length) in [(24, total), (32, payload.len()), (36, text.len())] {
        frame[at..at + 4].copy_from_slice(&number(length));
    }
    frame.extend(payload);
    frame
}

/// Does what is to be done for `stream` until its end; the text of each turn in bytes, and the end.
fn turns(stream: &mut SecureStream) -> (Vec<usize>, End) {
    let mut turns = Vec::new();
    loop {
        let mut poll = Poll::new();
        let index = stream.add_to(&mut poll);
        let ready = poll.wait(Some(Duration::from_secs(10))).expect("poll");
        assert!(ready.has(index), "nothing comes any more");
        let mut messages = Vec::new();
        let fate = stream.receive(&mut messages);
        turns.push(messages.iter().map(String::len).sum());
        if let Err(end) = fate {
            return (turns, end);
        }
    }
}

#[test]
fn a_few_bytes_that_are_much_text_are_taken_a_message_at_a_time_and_none_is_lost() {
    let (mut client, mut server) = pair();
    let burst = compressed(3 << 20).repeat(20);
    assert!(burst.len() < READ_AT_ONCE / 8, "all of it comes with one read");
    client.session.send(&burst).expect("established");
    client.close();
    let (turns, end) = turns(&mut server);
    assert_eq!(turns.iter().sum::<usize>(), 20 * (3 << 20));
    assert!(turns.iter().all(|text| *text <= 3 << 20), "{turns:?}");
    assert!(matches!(end, End::Closed), "{end:?}");
}
