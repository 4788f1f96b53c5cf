//! Both ends against each other, and against what is no TLS.

use systole_tls::{Key, Session, TlsError};

fn key(length: usize) -> Key {
    Key::new((0..length).map(|i| u8::try_from(i % 251).expect("small")).collect()).expect("long enough")
}

/// A client and a server that have this key.
fn pair(length: usize) -> (Session, Session) {
    (Session::client(&key(length)).expect("client"), Session::server(&key(length)).expect("server"))
}

/// What one end got, and how it went.
type Outcome = (Vec<u8>, Result<(), TlsError>);

/// Carries bytes to and fro until nobody has anything to say.
fn exchange(client: &mut Session, server: &mut Session) -> (Outcome, Outcome) {
    let (mut to_client, mut to_server) = ((Vec::new(), Ok(())), (Vec::new(), Ok(())));
    loop {
        let (from_client, from_server) = (client.take_outgoing(), server.take_outgoing());
        if from_client.is_empty() && from_server.is_empty() {
            return (to_client, to_server);
        }
        // In small pieces: nothing may depend on how the network cuts them.
        for piece in from_client.chunks(7) {
            if to_server.1.is_ok() {
                to_server.1 = server.receive(piece, &mut to_server.0);
            }
        }
        if to_client.1.is_ok() && !from_server.is_empty() {
            to_client.1 = client.receive(&from_server, &mut to_client.0);
        }
    }
}

#[test]
fn ends_with_the_same_key_hear_each_other_whatever_its_length() {
    for length in [16, 256, 512, 513, 4096, 16_384] {
        let (mut client, mut server) = pair(length);
        let _ = exchange(&mut client, &mut server);
        assert!(client.is_established() && server.is_established(), "{length}");
        let long = vec![b'x'; 100_000];
        client.send(&long).expect("established");
        server.send(b"hello").expect("established");
        let ((to_client, _), (to_server, _)) = exchange(&mut client, &mut server);
        assert_eq!((to_client.as_slice(), to_server), (&b"hello"[..], long));
        client.close();
        assert!(matches!(exchange(&mut client, &mut server).1.1, Err(TlsError::Closed)));
    }
}

#[test]
fn ends_with_different_keys_do_not_come_together() {
    let mut client = Session::client(&key(256)).expect("client");
    let mut server = Session::server(&key(257)).expect("server");
    let (_, (_, at_server)) = exchange(&mut client, &mut server);
    assert!(matches!(at_server, Err(TlsError::Handshake(_))), "{at_server:?}");
    assert!(!server.is_established() && !client.is_established());
}

#[test]
fn keys_that_are_too_short_or_too_long_are_refused() {
    for length in [0, 15, 16_385] {
        assert!(matches!(Key::new(vec![0; length]), Err(TlsError::KeyLength { .. })));
    }
}

#[test]
fn what_is_no_tls_is_refused() {
    let mut seed = 7_u32;
    let mut noise = |length: usize| -> Vec<u8> {
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            seed.to_le_bytes()[3]
        };
        (0..length).map(|_| next()).collect()
    };
    let handshake = |bytes: Vec<u8>| [vec![22, 3, 3, 0x40, 0], bytes].concat();
    let client_hello = Session::client(&key(32)).expect("client").take_outgoing();
    let mut inputs: Vec<Vec<u8>> = vec![b"GET / HTTP/1.0\r\n\r\n".to_vec(), noise(100_000), vec![0; 70_000]];
    inputs.extend((0..20).map(|_| handshake(noise(0x4000))));
    for at in (0..client_hello.len()).step_by(7) {
        let mut damaged = client_hello.clone();
        damaged[at] ^= 0x55;
        inputs.push(damaged);
    }
    for input in inputs {
        let mut server = Session::server(&key(32)).expect("server");
        let mut plaintext = Vec::new();
        let _ = server.receive(&input, &mut plaintext);
        assert!(!server.is_established() && plaintext.is_empty());
    }
}

#[test]
fn a_record_that_was_tampered_with_or_comes_twice_ends_the_session() {
    for is_replay in [false, true] {
        let (mut client, mut server) = pair(32);
        let _ = exchange(&mut client, &mut server);
        client.send(b"start the database").expect("established");
        let mut record = client.take_outgoing();
        let mut plaintext = Vec::new();
        if is_replay {
            server.receive(&record, &mut plaintext).expect("good");
        } else {
            *record.last_mut().expect("a record") ^= 1;
        }
        plaintext.clear();
        assert!(server.receive(&record, &mut plaintext).is_err());
        assert!(plaintext.is_empty());
    }
}
