//! The cluster the tests run on.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};
use systole_hub::Hub;
use systole_link::{Connection, Limits, Waker, waker};
use systole_wire::api::{Call, Reply, Request, Response};

pub const NODES: [&str; 3] = ["a", "b", "c"];
pub const PATIENCE: Duration = Duration::from_secs(30);
const LIMITS: Limits = Limits { line: 16 << 20, unsent: 16 << 20 };

/// Set for this program when it is to be an executor: the node's directory.
const EXECUTOR_OF: &str = "SYSTOLE_TEST_EXECUTOR_OF";

/// Set beside that when it is to be a remote daemon: the port.
const REMOTE_PORT: &str = "SYSTOLE_TEST_REMOTE_PORT";

/// Where programs find the key they share with remote daemons.
const KEY: &str = "PCMK_authkey_location";

/// A resource is a file; each action leaves a line in a file of its own.
const AGENT: &str = r#"#!/bin/sh
node=${0%/resource.d/*}
state=$node/active/$OCF_RESOURCE_INSTANCE
echo "$1" >> "$node/log/$1-$OCF_RESOURCE_INSTANCE"
case $1 in
start) : > "$state";;
stop) [ ! -e "$node/slow" ] || sleep 2; rm -f "$state";;
monitor) [ -e "$state" ] || exit 7;;
reload-agent) ;;
meta-data) cat <<END
<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="file" version="1"><version>1.1</version>
<parameters><parameter name="color" reloadable="1"/><parameter name="size"/></parameters>
<actions><action name="reload-agent" timeout="5s"/></actions></resource-agent>
END
;;
*) exit 3;;
esac
"#;

/// Set for this program when it is to be an agent's keeper.
const KEEPER: &str = "SYSTOLE_TEST_KEEPER";

/// Runs as a keeper if the environment says so.
pub fn be_a_keeper() {
    if env::var_os(KEEPER).is_some() {
        systole_execd::keep().expect("keeper");
        std::process::exit(0);
    }
}

/// Runs as an executor if the environment says so.
pub fn be_an_executor() {
    let Some(dir) = env::var_os(EXECUTOR_OF).map(PathBuf::from) else { return };
    let config = systole_execd::Config {
        socket: dir.join("exec.sock"),
        state_file: dir.join("execd.state"),
        boot_id_file: dir.join("boot-id"),
        run_dir: dir.join("runs"),
        ocf_root: dir.clone(),
        keeper: [
            env::current_exe().expect("this program").as_os_str(),
            "keeper_process".as_ref(),
            "--exact".as_ref(),
        ]
        .map(ToOwned::to_owned)
        .into(),
        user: "hacluster".to_owned(),
        verbose: false,
    };
    match env::var(REMOTE_PORT) {
        Ok(port) => {
            // Where Pacemaker's own tools connect.
            let stock_tools = dir.join("qb");
            fs::create_dir_all(&stock_tools).expect("directory");
            let remote = systole_execd::RemoteConfig {
                address: Some(std::net::Ipv4Addr::LOCALHOST.into()),
                port: port.parse().expect("a port"),
                key: env::var_os(KEY).expect("a key").into(),
                api_socket: dir.join("api.sock"),
                names: systole_execd::remote::Names::Files(vec![stock_tools]),
                start_state: None,
            };
            systole_execd::run_remote(&config, &remote).expect("remote daemon");
        }
        Err(_) => systole_execd::run(&config).expect("executor"),
    }
    std::process::exit(0);
}

pub struct Cluster {
    root: PathBuf,
    stop_hub: Waker,
    hub: Option<thread::JoinHandle<()>>,
    programs: RefCell<BTreeMap<(String, String), Child>>,
}

impl Cluster {
    /// `n_nodes` of [`NODES`], until all are members of one partition with a DC.
    pub fn start(name: &str, n_nodes: usize) -> Self {
        // Directly in /tmp: socket paths have to be short.
        let root = PathBuf::from(format!("/tmp/systole-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).expect("directory");
        fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("directory");
        fs::write(root.join("authkey"), [7; 4096]).expect("key");
        let hub = Hub::bind(&root.join("hub.sock"), NODES.map(str::to_owned)).expect("hub");
        let (stop_hub, wakes) = waker().expect("waker");
        let hub = thread::spawn(move || hub.run(&wakes).expect("hub"));
        let cluster = Self { root, stop_hub, hub: Some(hub), programs: RefCell::default() };
        for node in &NODES[..n_nodes] {
            cluster.power_on(node);
        }
        cluster.wait_members(n_nodes);
        cluster
    }

    /// Gives a node its agents, and the directories they use.
    fn furnish(&self, node: &str) {
        for dir in ["resource.d/test", "active", "log"] {
            fs::create_dir_all(self.dir(node).join(dir)).expect("directory");
        }
        let agent = self.dir(node).join("resource.d/test/file");
        fs::write(&agent, AGENT).expect("agent");
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("agent");
    }

    /// A remote daemon on a host of its own, at `port`.
    pub fn start_remote(&self, node: &str, port: u16) {
        self.furnish(node);
        let mut command = self.executor(node);
        command.env(REMOTE_PORT, port.to_string());
        self.spawn(node, "remoted", command);
    }

    pub fn dir(&self, node: &str) -> PathBuf {
        self.root.join(node)
    }

    pub fn start_program(&self, node: &str, program: &str) {
        let command = if program == "systoled" {
            let mut command = Command::new(env!("CARGO_BIN_EXE_systoled"));
            command
                .args(["--node", node, "--state-dir"])
                .arg(self.dir(node))
                .arg("--hub")
                .arg(self.root.join("hub.sock"));
            command
        } else {
            self.executor(node)
        };
        self.spawn(node, program, command);
    }

    fn executor(&self, node: &str) -> Command {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command
            .args(["executor_process", "--exact", "--nocapture"])
            .env(EXECUTOR_OF, self.dir(node))
            .env(KEEPER, "");
        command
    }

    fn spawn(&self, node: &str, program: &str, mut command: Command) {
        let log = fs::File::options().create(true).append(true).open(self.log(node, program)).expect("log");
        command.env(KEY, self.root.join("authkey")).stdout(log.try_clone().expect("log")).stderr(log);
        let child = command.spawn().expect("program");
        self.programs.borrow_mut().insert((node.to_owned(), program.to_owned()), child);
    }

    fn log(&self, node: &str, program: &str) -> PathBuf {
        self.root.join(format!("{node}-{program}.log"))
    }

    /// What a program has said so far.
    pub fn said(&self, node: &str, program: &str) -> String {
        fs::read_to_string(self.log(node, program)).unwrap_or_default()
    }

    /// The most memory a program has had at a time, in kilobytes.
    pub fn peak_memory(&self, node: &str, program: &str) -> u64 {
        let programs = self.programs.borrow();
        let child = programs.get(&(node.to_owned(), program.to_owned())).expect("it was started");
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux tells");
        line.trim_end_matches("kB").trim().parse().expect("a number")
    }

    pub fn kill_program(&self, node: &str, program: &str) {
        let child = self.programs.borrow_mut().remove(&(node.to_owned(), program.to_owned()));
        let mut child = child.expect("it was started");
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    pub fn power_on(&self, node: &str) {
        self.furnish(node);
        self.start_program(node, "executor");
        self.start_program(node, "systoled");
    }

    /// Everything on the node ends at once, its resources too, and what a boot clears is cleared.
    pub fn power_off(&self, node: &str) {
        self.kill_program(node, "systoled");
        self.kill_program(node, "executor");
        fs::remove_dir_all(self.dir(node).join("active")).expect("resources");
        for name in ["boot-id", "execd.state"] {
            fs::remove_file(self.dir(node).join(name)).expect("what a boot clears");
        }
    }

    /// Has agents on the node take two seconds to stop a resource.
    pub fn slow_down(&self, node: &str) {
        fs::write(self.dir(node).join("slow"), "").expect("directory");
    }

    /// The cluster layer ends, for good.
    pub fn lose_layer(&mut self) {
        self.stop_hub.wake();
        self.hub.take().expect("it runs").join().expect("hub");
    }

    /// SIGTERM to `systoled`, until it has ended.
    pub fn terminate(&self, node: &str) -> ExitStatus {
        self.terminate_program(node, "systoled")
    }

    /// SIGTERM to a program, until it has ended.
    pub fn terminate_program(&self, node: &str, program: &str) -> ExitStatus {
        let child = self.programs.borrow_mut().remove(&(node.to_owned(), program.to_owned()));
        let mut child = child.expect("it was started");
        let pid = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("kill");
        until("the end of a program", || child.try_wait().expect("wait"))
    }

    /// Stops a program as a debugger would, or lets it go on.
    pub fn signal(&self, node: &str, program: &str, signal: rustix::process::Signal) {
        let programs = self.programs.borrow();
        let child = programs.get(&(node.to_owned(), program.to_owned())).expect("it was started");
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).expect("a signal");
    }

    /// Whether a node's daemon takes its executor for there.
    pub fn has_executor(&self, node: &str) -> bool {
        matches!(self.ask(node, Call::Node), Reply::Node(report) if report.executor)
    }

    pub fn ask(&self, node: &str, call: Call) -> Reply {
        let mut connection =
            until("the API", || Connection::connect(&self.dir(node).join("api.sock"), LIMITS).ok());
        let request = Request { id: 1, client: "test".to_owned(), user: None, call };
        let response: Response = connection.ask(&request, PATIENCE).expect("an answer");
        response.reply
    }

    /// The nodes whose `systoled` runs.
    fn running(&self) -> Vec<String> {
        self.programs
            .borrow()
            .keys()
            .filter(|(_, program)| program == "systoled")
            .map(|(node, _)| node.clone())
            .collect()
    }

    pub fn wait_members(&self, n_members: usize) {
        for node in self.running() {
            until("all nodes to be members", || match self.ask(&node, Call::Node) {
                Reply::Node(report) if report.dc.is_some() && report.members.len() == n_members => Some(()),
                _ => None,
            });
        }
    }

    pub fn cib(&self, node: &str) -> String {
        match self.ask(node, Call::Cib) {
            Reply::Cib { xml } => xml,
            other => panic!("{other:?}"),
        }
    }

    /// Loads a configuration with `resources`, each of them watched every 200 ms.
    pub fn load(&self, resources: &[&str]) {
        self.load_with(resources, "", "");
    }

    /// The same, with more resources, and constraints, as XML.
    pub fn load_with(&self, resources: &[&str], more: &str, constraints: &str) {
        let primitives: String = resources
            .iter()
            .map(|id| {
                format!(
                    r#"<primitive id="{id}" class="ocf" provider="test" type="file"><operations>
                    <op id="{id}-monitor" name="monitor" interval="200ms" timeout="10s"/></operations></primitive>"#
                )
            })
            .collect();
        let xml = format!(
            r#"<configuration><crm_config><cluster_property_set id="options">
            <nvpair id="options-fencing" name="stonith-enabled" value="false"/></cluster_property_set></crm_config>
            <nodes/><resources>{primitives}{more}</resources><constraints>{constraints}</constraints></configuration>"#
        );
        self.apply(serde_json::json!({
            "action": "replace", "scope": {"section": "configuration"}, "xml": xml
        }));
    }

    /// Gives a resource a parameter.
    pub fn set_parameter(&self, resource: &str, name: &str, value: &str) {
        let xml = format!(
            r#"<primitive id="{resource}"><instance_attributes id="{resource}-i">
            <nvpair id="{resource}-i-{name}" name="{name}" value="{value}"/></instance_attributes></primitive>"#
        );
        self.apply(serde_json::json!({
            "action": "modify", "scope": {"section": "resources"}, "xml": xml, "options": {"allow_create": true}
        }));
    }

    /// Has the configuration be of another schema.
    pub fn set_schema(&self, schema: &str) {
        let xml = format!(r#"<cib validate-with="{schema}"/>"#);
        self.apply(serde_json::json!({"action": "modify", "xml": xml}));
    }

    fn apply(&self, change: serde_json::Value) {
        let change = serde_json::from_value(change).expect("a change");
        let reply = self.ask("a", Call::Apply { change, force: false });
        assert!(matches!(reply, Reply::Applied { .. }), "{reply:?}");
    }

    /// Waits until the cluster has nothing left to do.
    pub fn settle(&self) {
        let node = self.running().into_iter().next().expect("a node runs");
        until("the cluster to come to rest", || {
            let call = Call::WaitIdle { timeout_ms: u64::try_from(PATIENCE.as_millis()).expect("short") };
            (self.ask(&node, call) == Reply::Done).then_some(())
        });
    }

    pub fn is_active(&self, node: &str, resource: &str) -> bool {
        self.dir(node).join("active").join(resource).exists()
    }

    /// The one node where `resource` is active.
    pub fn home(&self, resource: &str) -> &'static str {
        let active: Vec<&str> = NODES.into_iter().filter(|node| self.is_active(node, resource)).collect();
        assert_eq!(active.len(), 1, "{resource} is active on {active:?}");
        active[0]
    }

    /// Every node where `resource` is active, remote ones included.
    pub fn home_of_all(&self, resource: &str) -> Vec<String> {
        let dirs = fs::read_dir(&self.root).expect("directory").flatten();
        let names = dirs.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|node| self.is_active(node, resource)).collect()
    }

    /// Stops `resource` behind the cluster's back.
    pub fn break_resource(&self, node: &str, resource: &str) {
        fs::remove_file(self.dir(node).join("active").join(resource)).expect("it is active");
    }

    /// How often `action` of `resource` was run on `node`.
    pub fn count(&self, node: &str, action: &str, resource: &str) -> usize {
        let path = self.dir(node).join("log").join(format!("{action}-{resource}"));
        fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    /// How often `action` was run, of any resource anywhere.
    pub fn total(&self, action: &str) -> usize {
        let logs =
            NODES.iter().filter_map(|node| fs::read_dir(self.dir(node).join("log")).ok()).flatten().flatten();
        logs.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{action}-")))
            .map(|entry| fs::read_to_string(entry.path()).map_or(0, |text| text.lines().count()))
            .sum()
    }
}

/// Changes parameters of the resource `one` that runs on `node`, one that can be reloaded and one that cannot.
pub fn check_reload(cluster: &Cluster, node: &str) {
    let ran = || ["start", "stop", "reload-agent"].map(|action| cluster.count(node, action, "one"));
    let [starts, stops, reloads] = ran();
    let monitors = || cluster.count(node, "monitor", "one");
    cluster.set_parameter("one", "color", &format!("after {reloads}"));
    until("the reload", || (ran()[2] > reloads).then_some(()));
    cluster.settle();
    assert_eq!(ran(), [starts, stops, reloads + 1]);
    let monitored = monitors();
    until("monitors to go on", || (monitors() > monitored + 1).then_some(()));
    cluster.set_parameter("one", "size", &format!("after {stops}"));
    until("the restart", || (ran()[0] > starts).then_some(()));
    cluster.settle();
    assert_eq!(ran(), [starts + 1, stops + 1, reloads + 1]);
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if thread::panicking()
            && let Some(node) = self.running().first()
        {
            eprintln!("--- the CIB on {node}\n{}", self.cib(node));
        }
        for (_, mut child) in std::mem::take(&mut *self.programs.borrow_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.stop_hub.wake();
        let _ = self.hub.take().map(thread::JoinHandle::join);
        if thread::panicking() {
            print_logs(&self.root);
        }
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn print_logs(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "log") {
            eprintln!(
                "--- {}\n{}",
                entry.path().display(),
                fs::read_to_string(entry.path()).unwrap_or_default()
            );
        }
    }
}

/// Looks until there is something to see.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
