//! A hub in a thread, with nodes that behave and nodes that do not.

#![allow(missing_docs, reason = "a test")]

use std::{io::Write, os::unix::net::UnixStream, path::PathBuf, thread, time::Duration};
use systole_hub::{Hub, LIMITS, Patience, control};
use systole_link::{Connection, Limits, Waker, waker};
use systole_wire::{
    PROTOCOL,
    hub::{FromHub, ToHub, View},
};

const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    path: PathBuf,
    stop: Waker,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn start(name: &str) -> Self {
        Self::start_with(name, |hub| hub)
    }

    fn start_with(name: &str, setting: impl FnOnce(Hub) -> Hub) -> Self {
        let path = std::env::temp_dir().join(format!("systole-hub-{}-{name}", std::process::id()));
        let limits = Limits { line: 1 << 20, unsent: 4 << 20 };
        let hub = Hub::bind(&path, ["a", "b", "c"].map(str::to_owned)).expect("hub").with_limits(limits);
        let hub = setting(hub);
        let (stop, wakes) = waker().expect("waker");
        let thread = thread::spawn(move || hub.run(&wakes).expect("hub"));
        Self { path, stop, thread: Some(thread) }
    }

    fn join(&self, node: &str) -> Connection {
        let mut connection = Connection::connect(&self.path, LIMITS).expect("connect");
        connection.send(&ToHub::Join { protocol: PROTOCOL, node: node.into() }).expect("join");
        connection
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.wake();
        self.thread.take().expect("running").join().expect("the hub ended well");
    }
}

/// The first view with `n_members`.
fn view_of(connection: &mut Connection, n_members: usize) -> View {
    loop {
        if let FromHub::View(view) = connection.wait_message(PATIENCE).expect("a view")
            && view.members.len() == n_members
        {
            return view;
        }
    }
}

#[test]
fn a_node_that_vanishes_and_one_that_is_cut_off_leave_the_view() {
    let hub = Running::start("vanish");
    let mut a = hub.join("a");
    assert!(!view_of(&mut a, 1).has_quorum);
    let b = hub.join("b");
    assert!(view_of(&mut a, 2).has_quorum);
    drop(b);
    assert!(!view_of(&mut a, 1).has_quorum);
    let mut c = hub.join("c");
    view_of(&mut a, 2);
    control::cut(&hub.path, "c").expect("cut");
    assert_eq!(view_of(&mut c, 1).own_id, 3);
    assert!(!view_of(&mut a, 1).has_quorum);
    control::heal(&hub.path, "c").expect("heal");
    assert!(view_of(&mut c, 2).has_quorum);
    assert!(control::cut(&hub.path, "nobody").is_err());
}

#[test]
fn nonsense_closes_its_own_connection_only() {
    let hub = Running::start("nonsense");
    let mut a = hub.join("a");
    view_of(&mut a, 1);
    for nonsense in [&b"\xff\xfe\n"[..], b"{}\n", b"{\"join\":{}}\n", b"\n"] {
        let mut stream = UnixStream::connect(&hub.path).expect("connect");
        stream.write_all(nonsense).expect("write");
        assert_eq!(std::io::Read::read(&mut stream, &mut [0; 16]).expect("closed by the hub"), 0);
    }
    a.send(&ToHub::Cast { payload: "still here".into() }).expect("cast");
    let delivered: FromHub = a.wait_message(PATIENCE).expect("delivery");
    assert_eq!(delivered, FromHub::Deliver { from: 1, payload: "still here".into() });
}

#[test]
fn a_node_that_stops_reading_is_dropped_and_stalls_nobody() {
    let hub = Running::start("slow");
    let mut a = hub.join("a");
    let _deaf = hub.join("b");
    view_of(&mut a, 2);
    let payload = "x".repeat(400 << 10);
    for _ in 0..100 {
        a.send(&ToHub::Cast { payload: payload.clone() }).expect("cast");
        match a.wait_message(PATIENCE).expect("an answer") {
            FromHub::Deliver { .. } => {}
            FromHub::View(view) => {
                assert_eq!(view.members, [(1, "a".to_owned())]);
                return;
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("the node that reads nothing is still a member");
}

#[test]
fn a_node_that_hangs_leaves_the_view_and_one_that_answers_does_not() {
    // The nodes are this process, whose first thread waits for the tests.
    let patience = Patience {
        ask_after: Duration::from_millis(50),
        idle_after: Duration::from_millis(500),
        silent_after: PATIENCE * 10,
    };
    let hub = Running::start_with("hang", |hub| hub.with_patience(patience));
    let mut a = hub.join("a");
    let mut hanging = hub.join("b");
    view_of(&mut a, 2);
    let mut n_pings = 0;
    loop {
        match a.wait_message(PATIENCE).expect("still a member") {
            FromHub::Ping => {
                n_pings += 1;
                a.send(&ToHub::Pong).expect("pong");
            }
            FromHub::View(view) if view.members.len() == 1 => break,
            _ => {}
        }
    }
    assert!(n_pings > 1);
    view_of(&mut hanging, 2);
    let end = std::iter::repeat_with(|| hanging.wait_message::<FromHub>(PATIENCE)).find(Result::is_err);
    assert!(matches!(end, Some(Err(systole_link::LinkError::Closed))), "{end:?}");
}

#[test]
fn other_users_than_the_clusters_are_not_let_in() {
    let hub = Running::start_with("users", |hub| hub.with_users([54_321]));
    let mut stranger = Connection::connect(&hub.path, LIMITS).expect("connect");
    // It may be closed before that.
    let _ = stranger.send(&ToHub::Join { protocol: PROTOCOL, node: "a".into() });
    assert!(stranger.wait_message::<FromHub>(PATIENCE).is_err());
}
