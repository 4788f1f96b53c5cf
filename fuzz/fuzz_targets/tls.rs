//! What a peer may send instead of a TLS handshake: by the first byte either to the end that connected or to the other,
//! bytes of nobody who knows the key, or a real handshake that was tampered with on its way.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_tls::{Key, Session};

/// What is sent once both ends take the session for good.
const MESSAGE: &[u8] = b"a message";

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else { return };
    match choice % 4 {
        0 => feed(Session::client(&key()).expect("a session"), bytes, choice),
        1 => feed(Session::server(&key()).expect("a session"), bytes, choice),
        _ => tamper(bytes, choice % 4 == 2),
    }
});

fn key() -> Key {
    Key::new(vec![7; 32]).expect("long enough")
}

/// Whatever comes, in pieces: nobody gets in without the key.
fn feed(mut session: Session, bytes: &[u8], choice: u8) {
    let mut plaintext = Vec::new();
    for piece in bytes.chunks(usize::from(choice / 4) * 8 + 1) {
        if session.receive(piece, &mut plaintext).is_err() {
            break;
        }
        assert!(session.take_outgoing().len() < 1 << 20);
    }
    assert!(plaintext.is_empty() && !session.is_established());
}

/// Both ends know the key, and somebody between them changes bytes: at each three of the input, a place and a change.
fn tamper(changes: &[u8], is_client_deceived: bool) {
    let mut client = Session::client(&key()).expect("a session");
    let mut server = Session::server(&key()).expect("a session");
    let mut changes = changes.chunks_exact(3);
    let mut heard = Vec::new();
    let mut has_sent = false;
    for _ in 0..8 {
        let mut to_server = client.take_outgoing();
        let mut to_client = server.take_outgoing();
        let deceived = if is_client_deceived { &mut to_client } else { &mut to_server };
        if let Some(change) = changes.next().filter(|_| !deceived.is_empty()) {
            let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % deceived.len();
            match change[2] {
                0 => deceived.truncate(at),
                1 => deceived.extend_from_within(at..),
                mask => deceived[at] ^= mask,
            }
        }
        let mut rest = Vec::new();
        if server.receive(&to_server, &mut heard).is_err() || client.receive(&to_client, &mut rest).is_err() {
            break;
        }
        assert!(rest.is_empty());
        if client.is_established() && !std::mem::replace(&mut has_sent, true) {
            client.send(MESSAGE).expect("the session stands");
        }
    }
    assert!(MESSAGE.starts_with(&heard), "something else came than was sent");
}
