//! Tools of Pacemaker beside our remote daemon: its sockets of libqb, against real tools where there are some, and against
//! peers that mean no good.
//!
//! Daemon and cluster node run in this process. Real tools are Debian's, on the path or where `SYSTOLE_STOCK_TOOLS` says;
//! they look for sockets at fixed places, so each is run, as root, where these places are the test's directory.

#![allow(missing_docs, reason = "a test")]

mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram, UnixStream},
    },
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};
use support::{PATIENCE, until};
use systole_execd::{Config, RemoteConfig, remote::Names};
use systole_link::{Poll, Waker, waker};
use systole_remote::Dialer;
use systole_wire::{
    api::{Call as ApiCall, NodeReport, Reply},
    remote::{
        Call, FromRemote, PROTOCOL_VERSION, ProxyBody, ProxyMessage, ToRemote,
        stock::{self, Service, Wish},
    },
};

/// Runs a tool where libqb's places are the directory `W`.
const TOOL: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$W.etc/upper" "$W.etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$W.etc/upper,workdir=$W.etc/work" /etc
mkdir -p /etc/libqb
: > /etc/libqb/force-filesystem-sockets
mount --bind "$W" /var/run
mount --bind "$W" /tmp
exec timeout 20 "$@"
"#;

/// A daemon and, perhaps, a cluster node that drives it.
struct World {
    /// Where the sockets are. Short, since a socket's path has to be.
    sockets: PathBuf,
    key: PathBuf,
    port: u16,
}

impl World {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("systole-qb-{}-{name}", std::process::id()));
        let sockets = root.join("s");
        fs::create_dir_all(&sockets).expect("directory");
        let key = root.join("authkey");
        fs::write(&key, [0x5a; 256]).expect("key");
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let config = Config {
            socket: root.join("exec.sock"),
            state_file: root.join("state"),
            boot_id_file: root.join("boot-id"),
            run_dir: root.join("runs"),
            ocf_root: root.clone(),
            keeper: vec!["/bin/false".into()],
            user: "hacluster".to_owned(),
            verbose: false,
        };
        let remote = RemoteConfig {
            address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
            port,
            key: key.clone(),
            api_socket: root.join("api.sock"),
            names: Names::Files(vec![sockets.clone()]),
            start_state: None,
        };
        thread::spawn(move || systole_execd::run_remote(&config, &remote).expect("remote daemon"));
        let world = Self { sockets, key, port };
        until("the daemon's sockets", || world.sockets.join("pacemakerd").exists().then_some(()));
        world
    }

    /// The same, with a cluster node that answers tools with `cib`.
    fn with_cluster(name: &str, cib: String) -> Self {
        let world = Self::new(name);
        let (key, port) = (world.key.clone(), world.port);
        let (waker, wakes) = waker().expect("pipe");
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let mut node =
                ClusterNode { dialer: dial(port, &key, &waker), cib, services: Vec::new(), last_id: 0 };
            loop {
                let mut poll = Poll::new();
                poll.add(&wakes);
                let index = node.dialer.add_to(&mut poll);
                let ready = poll.wait(Some(Duration::from_millis(100))).expect("poll");
                wakes.drain();
                let mut messages = Vec::new();
                if node.dialer.serve(&ready, index, &mut messages).expect("connected") {
                    node.register();
                }
                for text in messages {
                    match FromRemote::parse(&text).expect("a message") {
                        FromRemote::Proxy(message) => node.hear(message),
                        FromRemote::Reply(reply) if reply.registered.is_some() => _ = tell.send(()),
                        _ => {}
                    }
                }
            }
        });
        told.recv_timeout(PATIENCE).expect("registered");
        world
    }

    /// Runs a stock tool; `None` if there is none, which is said.
    fn tool(&self, name: &str, arguments: &[&str]) -> Option<(Output, Duration)> {
        let dir = std::env::var("SYSTOLE_STOCK_TOOLS").unwrap_or("/usr/sbin".into());
        let program = Path::new(&dir).join(name);
        let is_stock = || Some(fs::read(&program).ok()?.windows(5).any(|bytes| bytes == b"libqb"));
        if !rustix::process::geteuid().is_root() || is_stock() != Some(true) {
            eprintln!("SKIPPED: needs root and Pacemaker's own {}", program.display());
            return None;
        }
        let began = Instant::now();
        let output = Command::new("unshare")
            .args(["--mount", "sh", "-c", TOOL, "sh"])
            .arg(program)
            .args(arguments)
            .env("W", &self.sockets)
            .output()
            .expect("unshare");
        Some((output, began.elapsed()))
    }

    fn connect(&self, service: &str) -> UnixStream {
        let stream = UnixStream::connect(self.sockets.join(service)).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // The daemon goes with the process; its files stay in use until then, but need no names.
        let _ = fs::remove_dir_all(self.sockets.with_file_name(""));
    }
}

fn dial(port: u16, key: &Path, waker: &Waker) -> Dialer {
    Dialer::new("127.0.0.1", port, key, waker)
}

/// A cluster node that knows what tools say, as far as `systoled` does.
struct ClusterNode {
    dialer: Dialer,
    cib: String,
    /// Sessions and their services.
    services: Vec<(String, Service)>,
    last_id: u32,
}

impl ClusterNode {
    fn send(&mut self, call: Call) {
        self.last_id += 1;
        let message = ToRemote { id: self.last_id, call };
        self.dialer.send(&message.to_text()).expect("connected");
    }

    fn register(&mut self) {
        let (client, protocol) = ("node".to_owned(), PROTOCOL_VERSION.to_owned());
        self.send(Call::Register { client, protocol, is_provider: true, speaks_api: false });
    }

    fn hear(&mut self, message: ProxyMessage) {
        let session = message.session;
        match message.body {
            ProxyBody::New { service } => {
                self.services.push((session, Service::from_name(&service).expect("a service")));
            }
            ProxyBody::Request { id, flags, xml, .. } => {
                let Some((_, service)) = self.services.iter().find(|(name, _)| *name == session) else {
                    return;
                };
                let wish = stock::read(*service, &session, "far", (id, flags), &xml);
                let bodies = match wish {
                    Ok(Wish::Answer(bodies)) => bodies,
                    Ok(Wish::Ask(call, pending)) => {
                        [pending.at_once(), pending.answer(&self.reply(&call))].concat()
                    }
                    Err(_) => vec![ProxyBody::Destroy],
                };
                for body in bodies {
                    self.send(Call::Forward(ProxyMessage { session: session.clone(), body }));
                }
            }
            ProxyBody::Destroy => self.services.retain(|(name, _)| *name != session),
            _ => {}
        }
    }

    fn reply(&self, call: &ApiCall) -> Reply {
        match call {
            ApiCall::Node => Reply::Node(NodeReport { node: "near".to_owned(), ..NodeReport::default() }),
            _ => Reply::Applied { version: "1.2.3".to_owned(), output: Some(self.cib.clone()) },
        }
    }
}

/// A CIB with that much text in it, which does not become much shorter where `is_noise`.
fn cib(length: usize, is_noise: bool) -> String {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + if is_noise { u8::try_from(state >> 24).unwrap_or(0) % 10 } else { 0 })
    };
    let value: String = (0..length).map(|_| next()).collect();
    format!(
        "<cib validate-with=\"pacemaker-3.9\" epoch=\"1\" num_updates=\"0\" admin_epoch=\"0\"><configuration><crm_config>\
         <cluster_property_set id=\"s\"><nvpair id=\"a\" name=\"a\" value=\"{value}\"/></cluster_property_set>\
         </crm_config><nodes/><resources/><constraints/></configuration><status/></cib>"
    )
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_stock_tool_learns_its_nodes_name() {
    let world = World::with_cluster("name", cib(10, false));
    let Some((output, _)) = world.tool("crm_node", &["-n"]) else { return };
    assert_eq!(text(&output.stdout), "far\n", "{output:?}");
}

#[test]
fn a_stock_tool_gets_a_cib_that_is_longer_than_a_datagram() {
    let world = World::with_cluster("long", cib(3_000_000, false));
    let Some((output, _)) = world.tool("cibadmin", &["-Q"]) else { return };
    assert!(output.stdout.len() > 3_000_000, "{}", text(&output.stderr));
}

#[test]
fn a_stock_tool_is_told_that_an_answer_is_too_long_for_it() {
    let world = World::with_cluster("noise", cib(3_000_000, true));
    let Some((output, took)) = world.tool("cibadmin", &["-Q"]) else { return };
    // The newer kind takes any length in parts.
    let is_whole = output.stdout.len() > 3_000_000;
    assert!(is_whole || text(&output.stderr).contains("Message too long"), "{took:?}: {output:?}");
}

#[test]
fn without_a_cluster_a_stock_tool_ends_at_once() {
    let world = World::new("alone");
    let Some((output, took)) = world.tool("crm_node", &["-n"]) else { return };
    assert!(!output.status.success() && took < Duration::from_secs(15), "{took:?}: {output:?}");
}

/// A greeting, for messages up to 128 KiB.
fn greeting() -> Vec<u8> {
    let fields = [u64::from((-1i32).cast_unsigned()), 24, 131_072];
    fields.iter().flat_map(|field| field.to_ne_bytes()).collect()
}

fn number(bytes: &[u8], at: usize) -> i32 {
    i32::from_ne_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn address(name: &str) -> SocketAddr {
    let mut bytes = [0; 107];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    SocketAddr::from_abstract_name(bytes).expect("a name")
}

/// A peer that greets as a tool does.
struct Peer {
    _stream: UnixStream,
    socket: UnixDatagram,
    requests: SocketAddr,
}

impl Peer {
    /// The answer to a greeting, and the stream.
    fn greet(world: &World, service: &str) -> (UnixStream, Vec<u8>) {
        let mut stream = world.connect(service);
        stream.write_all(&greeting()).expect("greeted");
        let mut answer = vec![0; 12_328];
        stream.read_exact(&mut answer).expect("an answer");
        (stream, answer)
    }

    fn let_in(world: &World, service: &str) -> Self {
        let (stream, answer) = Self::greet(world, service);
        Self::named(stream, &answer)
    }

    /// The peer that was answered so.
    fn named(stream: UnixStream, answer: &[u8]) -> Self {
        assert_eq!((number(answer, 16), number(answer, 24)), (0, 0), "no error, and sockets");
        let base = text(&answer[4136..8232]).trim_end_matches('\0').to_owned();
        let socket = UnixDatagram::bind_addr(&address(&format!("{base}-response"))).expect("bound");
        UnixDatagram::bind_addr(&address(&format!("{base}-event"))).map(std::mem::forget).expect("bound");
        socket.set_nonblocking(true).expect("non-blocking");
        Self { _stream: stream, socket, requests: address(&format!("{base}-request")) }
    }

    /// Sends a request that wants a response; false if it has to wait.
    fn ask(&self, id: i32, xml: &str) -> bool {
        self.send(id, 0x200, xml)
    }

    /// Sends a request that wants none.
    fn tell(&self, id: i32, xml: &str) -> bool {
        self.send(id, 0, xml)
    }

    fn send(&self, id: i32, flags: u32, xml: &str) -> bool {
        let mut datagram = vec![0; 40];
        let length = u32::try_from(xml.len() + 1).expect("short");
        let mut put = |at: usize, field: &[u8]| datagram[at..at + field.len()].copy_from_slice(field);
        put(0, &id.to_ne_bytes());
        put(8, &(length + 40).to_ne_bytes());
        put(24, &length.to_ne_bytes());
        put(32, &flags.to_ne_bytes());
        put(36, &[1]);
        datagram.extend_from_slice(xml.as_bytes());
        datagram.push(0);
        self.socket.send_to_addr(&datagram, &self.requests).is_ok()
    }
}

/// That a tool which speaks as it should is answered.
fn somebody_is_answered(world: &World) {
    let peer = Peer::let_in(world, "crmd");
    until("room for a request", || peer.ask(1, r#"<a crm_task="node-info"/>"#).then_some(()));
    let mut buffer = vec![0; 200_000];
    let length = until("the acknowledgement", || peer.socket.recv(&mut buffer).ok());
    assert!(text(&buffer[..length]).contains("<ack"));
}

#[test]
fn who_says_nothing_or_nonsense_keeps_nobody_out() {
    let world = World::with_cluster("nonsense", cib(10, false));
    let silent: Vec<UnixStream> = (0..200).map(|_| world.connect("attrd")).collect();
    for nonsense in [vec![0; 24], vec![0xff; 24], [greeting(), vec![1; 500]].concat(), vec![1; 100_000]] {
        let mut stream = world.connect("cib_ro");
        // The daemon may hang up before all is said.
        let _ = stream.write_all(&nonsense);
    }
    for garbage in [vec![], vec![0; 15], vec![0xff; 4096], vec![0; 40]] {
        let peer = Peer::let_in(&world, "cib_rw");
        peer.socket.send_to_addr(&garbage, &peer.requests).expect("sent");
    }
    somebody_is_answered(&world);
    drop(silent);
}

#[test]
fn who_asks_and_does_not_read_keeps_nobody_out() {
    let world = World::with_cluster("flood", cib(100_000, true));
    let peer = Peer::let_in(&world, "cib_rw");
    let query = r#"<cib_command cib_op="cib_query" cib_callid="1" cib_callopt="4096"/>"#;
    // In the end its own queue is full, since it is not listened to any more.
    let mut id = 0;
    until("the end of the daemon's patience", || {
        id += 1;
        (!peer.ask(id, query)).then(|| thread::sleep(Duration::from_millis(20)))?;
        (!peer.ask(id, query)).then_some(())
    });
    somebody_is_answered(&world);
    assert!(id < 1000, "{id} requests were taken up");
}

#[test]
fn who_says_much_and_leaves_is_forgotten() {
    let world = World::with_cluster("leaver", cib(10, false));
    let (stream, answer) = Peer::greet(&world, "cib_rw");
    let control = PathBuf::from(text(&answer[40..4136]).trim_end_matches('\0'));
    let peer = Peer::named(stream, &answer);
    // Without wanting to hear anything: the tool is gone before all of it is read.
    (0..100).for_each(|id| _ = peer.tell(id, r#"<cib_command cib_op="cib_query" cib_callopt="16"/>"#));
    drop(peer);
    until("the end of its connection", || (!control.exists()).then_some(()));
    somebody_is_answered(&world);
}

#[test]
fn the_daemon_that_watches_over_others_is_not_there() {
    let world = World::with_cluster("watcher", cib(10, false));
    let (_, answer) = Peer::greet(&world, "pacemakerd");
    assert_eq!(number(&answer, 16), -121);
}

#[test]
fn what_a_tool_shared_with_the_daemon_is_removed() {
    let world = World::with_cluster("shared", cib(10, false));
    let (stream, answer) = Peer::greet(&world, "attrd");
    let control = PathBuf::from(text(&answer[40..4136]).trim_end_matches('\0'));
    assert_eq!(fs::metadata(&control).expect("a file").len(), 24);
    drop(stream);
    until("the file's end", || (!control.parent()?.exists()).then_some(()));
}
