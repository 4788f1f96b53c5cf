//! What anybody on the host of a remote daemon may send to its sockets of libqb: the greeting, and datagrams after it. The
//! first byte tells which; a datagram's length is in the two bytes before it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_wire::libqb::{Greeting, Inbox, Outgoing};

fuzz_target!(|input: &[u8]| {
    let Some((&choice, mut rest)) = input.split_first() else { return };
    if choice == 0 {
        _ = Greeting::read(rest);
        return;
    }
    let mut inbox = Inbox::default();
    while let [low, high, more @ ..] = rest {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(more.len());
        let (datagram, left) = more.split_at(length);
        rest = left;
        let Ok(message) = inbox.take(datagram) else { return };
        let Some(message) = message else { continue };
        // Whoever asks is answered in the same form, and what is written can be read.
        let Ok(answer) = inbox.write(Outgoing::Response(message.id), &message.text, 4096) else { continue };
        assert!(answer.iter().all(|datagram| datagram.len() <= 4096));
        let mut far = Inbox::default();
        let read = answer.iter().filter_map(|datagram| far.take(datagram).expect("our own")).last();
        assert_eq!(read.expect("whole").text, message.text);
    }
});
