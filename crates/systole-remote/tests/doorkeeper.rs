//! Those who know the key are let in, and those who do not cannot keep them out.

use std::{
    fs,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_link::{Poll, waker};
use systole_remote::{Dialer, Doorkeeper, SecureStream, listen};

/// A directory with a key in it.
fn key(name: &str, byte: u8) -> PathBuf {
    let path = std::env::temp_dir().join(format!("systole-key-{}-{name}", std::process::id()));
    fs::write(&path, vec![byte; 4096]).expect("temporary directory");
    path
}

fn doorkeeper(key: &Path) -> (Doorkeeper, SocketAddr) {
    let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("a free port");
    let address = listener.local_addr().expect("bound");
    (Doorkeeper::new(listener, key.to_owned()).expect("non-blocking"), address)
}

/// Lets both ends work until `done`, or for ten seconds.
fn work(
    doorkeeper: &mut Doorkeeper,
    dialer: &mut Dialer,
    done: impl Fn(&[SecureStream], bool, Option<&str>) -> bool,
) -> (Vec<SecureStream>, bool, Option<String>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    let (mut inside, mut is_established, mut end) = (Vec::new(), false, None::<String>);
    while Instant::now() < deadline && !done(&inside, is_established, end.as_deref()) {
        let mut poll = Poll::new();
        let doors = doorkeeper.add_to(&mut poll);
        let index = dialer.add_to(&mut poll);
        let ready = poll.wait(Some(Duration::from_millis(20))).expect("poll");
        inside.extend(doorkeeper.serve(&ready, &doors, &mut |_| {}).into_iter().map(|(stream, _)| stream));
        if end.is_none() {
            match dialer.serve(&ready, index, &mut Vec::new()) {
                Ok(is_news) => is_established |= is_news,
                Err(error) => end = Some(error.describe()),
            }
        }
    }
    (inside, is_established, end)
}

#[test]
fn who_knows_the_key_is_let_in_whoever_else_is_at_the_door() {
    let key = key("right", 1);
    let (mut doorkeeper, address) = doorkeeper(&key);
    let mut crowd: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(address).expect("listening")).collect();
    for (number, stranger) in crowd.iter_mut().enumerate() {
        let noise: Vec<u8> = (0..number * 500).map(|i| (i * 7 + number).to_le_bytes()[0]).collect();
        // Those that were turned away already do not count.
        let _ = stranger.write_all(&noise);
    }
    let (waker, _wakes) = waker().expect("pipe");
    let mut dialer = Dialer::new("127.0.0.1", address.port(), &key, &waker);
    let (inside, is_established, end) = work(&mut doorkeeper, &mut dialer, |inside, is_established, end| {
        !inside.is_empty() && is_established || end.is_some()
    });
    assert_eq!((inside.len(), is_established, end), (1, true, None));
    let _ = fs::remove_file(key);
}

#[test]
fn who_has_another_key_is_told_what_may_be_wrong() {
    let (ours, theirs) = (key("ours", 1), key("theirs", 2));
    let (mut doorkeeper, address) = doorkeeper(&ours);
    let (waker, _wakes) = waker().expect("pipe");
    let mut dialer = Dialer::new("127.0.0.1", address.port(), &theirs, &waker);
    let (inside, is_established, end) = work(&mut doorkeeper, &mut dialer, |_, _, end| end.is_some());
    assert_eq!((inside.len(), is_established), (0, false));
    assert!(end.expect("ended").contains("is the key the same on both ends?"));
    for key in [ours, theirs] {
        let _ = fs::remove_file(key);
    }
}

#[test]
fn nobody_listening_and_no_key_are_said() {
    let key = key("lonely", 1);
    let (waker, wakes) = waker().expect("pipe");
    let free = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).expect("a free port").local_addr().expect("bound");
    let (mut doorkeeper, address) = doorkeeper(&key);
    let no_key = key.with_extension("none");
    for (host, port, key, reason) in [
        ("127.0.0.1", free.port(), &key, "Connection refused"),
        ("localhost", address.port(), &no_key, "cannot read the key"),
    ] {
        let mut dialer = Dialer::new(host, port, key, &waker);
        let (_, _, end) = work(&mut doorkeeper, &mut dialer, |_, _, end| end.is_some());
        let end = end.expect("ended");
        assert!(end.contains(reason), "{end}");
    }
    drop(wakes);
    let _ = fs::remove_file(key);
}

/// Lets the doorkeeper work while `stranger` goes on, until somebody is turned away or five seconds are over. What the log
/// says.
fn log_of(mut doorkeeper: Doorkeeper, mut stranger: impl FnMut()) -> Vec<String> {
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut said = Vec::new();
    while Instant::now() < deadline && said.is_empty() {
        stranger();
        let mut poll = Poll::new();
        let doors = doorkeeper.add_to(&mut poll);
        let ready = poll.wait(Some(Duration::from_millis(10))).expect("poll");
        let let_in = doorkeeper.serve(&ready, &doors, &mut |line| said.push(line));
        assert!(let_in.is_empty());
    }
    said
}

#[test]
fn who_never_comes_to_the_end_of_a_handshake_is_turned_away_in_time() {
    let key = key("endless", 1);
    // One long record, a byte at a time: the last never comes.
    let record = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3][..], &[7; 1000]].concat();
    for is_sending in [true, false] {
        let (doorkeeper, address) = doorkeeper(&key);
        let mut peer = TcpStream::connect(address).expect("listening");
        let mut bytes = record.iter();
        let said = log_of(doorkeeper.with_patience(Duration::from_millis(300)), || {
            if let Some(byte) = bytes.next().filter(|_| is_sending) {
                let _ = peer.write_all(&[*byte]);
            }
        });
        assert!(said.len() == 1 && said[0].ends_with("the handshake took too long"), "{said:?}");
    }
    let _ = fs::remove_file(key);
}

#[test]
fn what_is_no_handshake_is_turned_away() {
    let key = key("noise", 1);
    for noise in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 4096], &[0x16, 3, 3, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0, 0]]
    {
        let (doorkeeper, address) = doorkeeper(&key);
        let mut peer = TcpStream::connect(address).expect("listening");
        peer.write_all(noise).expect("it is taken");
        // Lengths beyond reason may be waited for, though not for long.
        let said = log_of(doorkeeper.with_patience(Duration::from_millis(300)), || {});
        assert_eq!(said.len(), 1, "{said:?}");
    }
    let _ = fs::remove_file(key);
}
