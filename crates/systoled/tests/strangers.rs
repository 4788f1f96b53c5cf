//! A cluster that speaks another major part of the protocol, at the daemon's own socket.

#![allow(missing_docs, reason = "a test")]

use std::{
    fs::{self, Permissions},
    io::{BufRead, BufReader, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};
use systole_wire::{
    PROTOCOL, ProtocolVersion,
    api::{Call, NodeReport, Reply, Request, Response},
    hub::{FromHub, ToHub, View},
};

/// Long enough for a busy machine; what is waited for comes within a second on others.
const PATIENCE: Duration = Duration::from_secs(30);

/// The other end of the daemon's connection to the hub.
struct Hub(BufReader<UnixStream>);

impl Hub {
    fn hear(&mut self) -> ToHub {
        let mut line = String::new();
        self.0.read_line(&mut line).expect("the daemon speaks in time");
        systole_wire::decode(line.trim_end().as_bytes()).expect("a message")
    }

    /// What the daemon casts next.
    fn hear_cast(&mut self) -> String {
        loop {
            if let ToHub::Cast { payload } = self.hear() {
                return payload;
            }
        }
    }

    /// Says all of this in one write.
    fn say(&mut self, messages: &[FromHub]) {
        let bytes: Vec<u8> =
            messages.iter().flat_map(|message| systole_wire::encode(message).to_vec()).collect();
        self.0.get_mut().write_all(&bytes).expect("the daemon listens");
    }
}

fn view(number: u64, names: &[&str]) -> FromHub {
    let members = (1..).zip(names.iter().map(|name| (*name).to_owned())).collect();
    FromHub::View(View { number, own_id: 1, members, has_quorum: true })
}

/// What b says, which has been a member for longer.
fn strange_hello(view: u64) -> FromHub {
    let protocol = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
    let protocol = serde_json::to_string(&protocol).expect("numbers");
    let hello = format!(r#"{{"protocol":{protocol},"name":"b","since":0}}"#);
    FromHub::Deliver {
        from: 2,
        payload: format!(r#"{{"view":{view},"number":1,"message":{{"hello":{hello}}}}}"#),
    }
}

/// A daemon with its own directory; both go with this.
struct Daemon {
    process: Child,
    dir: std::path::PathBuf,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn start(dir: &Path) -> (Daemon, Hub, mpsc::Receiver<String>) {
    fs::create_dir_all(dir).expect("directory");
    let open = || Permissions::from_mode(0o777);
    fs::set_permissions(dir, open()).expect("ours");
    let socket = dir.join("hub.sock");
    let listener = UnixListener::bind(&socket).expect("listening");
    fs::set_permissions(&socket, open()).expect("ours");
    let mut command = Command::new(env!("CARGO_BIN_EXE_systoled"));
    command.args(["--node", "a", "--state-dir"]).arg(dir).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the daemon");
    let log = BufReader::new(process.stderr.take().expect("a pipe"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let (connection, _) = listener.accept().expect("the daemon connects");
    connection.set_read_timeout(Some(PATIENCE)).expect("a socket");
    (Daemon { process, dir: dir.to_owned() }, Hub(BufReader::new(connection)), lines)
}

/// Whether the daemon logs this in time.
fn logs(lines: &mpsc::Receiver<String>, text: &str) -> bool {
    std::iter::from_fn(|| lines.recv_timeout(PATIENCE).ok()).any(|line| line.contains(text))
}

/// How the daemon says it is.
fn ask(dir: &Path) -> NodeReport {
    let mut connection = UnixStream::connect(dir.join("api.sock")).expect("the daemon listens");
    connection.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let request = Request { id: 1, client: "test".to_owned(), user: None, call: Call::Node };
    connection.write_all(&systole_wire::encode(&request)).expect("the daemon listens");
    let mut line = String::new();
    BufReader::new(connection).read_line(&mut line).expect("an answer");
    let response: Response = systole_wire::decode(line.trim_end().as_bytes()).expect("a message");
    let Reply::Node(report) = response.reply else { panic!("{response:?}") };
    report
}

#[test]
fn what_the_hub_said_after_a_stranger_does_not_bring_a_node_back() {
    let dir = std::env::temp_dir().join(format!("systoled-strangers-{}", std::process::id()));
    let (daemon, mut hub, lines) = start(&dir);
    assert!(matches!(hub.hear(), ToHub::Join { .. }));
    hub.say(&[view(1, &["a"])]);
    let hello = hub.hear_cast();
    hub.say(&[FromHub::Deliver { from: 1, payload: hello }]);
    assert!(logs(&lines, "a is the DC"));
    hub.say(&[view(5, &["a", "b"])]);
    let own_hello = std::iter::from_fn(|| Some(hub.hear_cast())).find(|cast| cast.contains("hello"));
    let own_hello = FromHub::Deliver { from: 1, payload: own_hello.expect("it says hello") };
    hub.say(&[own_hello, strange_hello(5), view(6, &["a"])]);
    assert!(logs(&lines, "this node is kept out of the cluster"));
    let report = ask(&daemon.dir);
    assert_eq!((report.state.as_str(), report.has_quorum), ("dc", false), "{report:?}");
}
