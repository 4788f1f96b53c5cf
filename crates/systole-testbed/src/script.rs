//! Stories written down: a command at the margin, what can be seen then indented below.
//!
//! | command | meaning |
//! | --- | --- |
//! | `boot NODE...` | gives hosts power |
//! | `boot NODE execd MS` | gives a host power, whose executor takes so many milliseconds to start |
//! | `join NODE` | waits until the node has joined the others it can reach |
//! | `kill NODE` | takes a host's power away |
//! | `cut NODE`, `heal` | cuts a host off; makes the network whole |
//! | `restart systoled NODE`, `restart execd NODE` | kills a daemon, which is back half a second later |
//! | `restart systoled NODE MS`, `restart execd NODE MS` | the same, but it is back after so many milliseconds |
//! | `hang NODE SECS` | `systoled` does nothing for so long, with its connections open |
//! | `think NODE SECS` | the same, but the kernel sees that it works |
//! | `crash RSC` | the resource dies where it runs |
//! | `fail RSC NODE` | from now on the resource cannot be started there |
//! | `fill NODE`, `empty NODE` | the host's disk is full; has space again |
//! | `write NODE NAME`, `force NODE NAME` | a tool there adds a cluster option |
//! | `has NODE NAME` | whether the node's CIB has the option |
//! | `confirm NODE` | an administrator vouches that a host is off |
//! | `forget NODE OTHER` | a tool on a node has another one forgotten |
//! | `refresh NODE` | a tool there has all history of the node forgotten, so that it is probed afresh |
//! | `set NODE OTHER NAME VALUE` | a tool on a node sets a transient attribute of that or another node |
//! | `value NODE OTHER NAME` | what a node's CIB has of that |
//! | `stop NODE` | the node leaves in good order |
//! | `begin stop NODE` | the same, without waiting for it |
//! | `wait SECS` | lets time pass |
//! | `settle` | waits until the cluster has nothing to do |
//! | `show` | members, DC and resources, as seen on each host |
//! | `changes` | how many resources were started or stopped since the last time this was asked |

use crate::{Cluster, Micros, NodeIdx, SECOND, check::attributes, plan, scenario, station::Place};
use std::fmt::Write as _;
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_cluster::NodeMachine;
use systole_wire::api::{AttributeUpdate, Call, Reply};

/// Plays a script and returns it with what could be seen.
///
/// # Panics
/// If the script has a command or a node that does not exist.
pub fn play(fencing: bool, no_quorum_policy: &str, script: &str) -> String {
    let configuration = scenario::configuration(fencing, no_quorum_policy);
    let cluster = Cluster::new(&scenario::NODES, &configuration, plan, 1);
    let mut player = Player { cluster, output: String::new(), n_changes: 0 };
    player.cluster.checker.fencing = fencing;
    player.cluster.checker.ignores_quorum = no_quorum_policy == "ignore";
    for line in script.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with(' ')) {
        writeln!(player.output, "{line}").expect("text grows");
        player.command(line);
        if let Some(violation) = &player.cluster.checker.violation {
            writeln!(player.output, "    VIOLATION: {violation}").expect("text grows");
        }
    }
    player.output
}

struct Player {
    cluster: Cluster,
    output: String,
    n_changes: u64,
}

impl Player {
    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["boot", name, "execd", ms] => {
                self.cluster.power_on(node(name));
                self.cluster.hosts[node(name)].executor_starts_at = Some(self.cluster.now + millis(ms));
            }
            ["boot", ..] => words[1..].iter().for_each(|name| self.cluster.power_on(node(name))),
            ["join", name] => {
                let has_joined = |daemon: &NodeMachine| daemon.settled_view().is_some();
                self.cluster.run_until_done(10 * SECOND, |cluster| {
                    cluster.hosts[node(name)].node.as_ref().is_some_and(has_joined)
                });
            }
            ["kill", name] => self.cluster.power_off(node(name)),
            ["cut", name] => {
                let zones: Vec<u32> = scenario::NODES.iter().map(|other| u32::from(*other == name)).collect();
                self.cluster.partition(&zones);
            }
            ["heal"] => self.cluster.partition(&[0; scenario::NODES.len()]),
            ["restart", "systoled", name] => self.cluster.restart_node(node(name), SECOND / 2),
            ["restart", "execd", name] => self.cluster.restart_executor(node(name), SECOND / 2),
            ["restart", "systoled", name, ms] => self.cluster.restart_node(node(name), millis(ms)),
            ["restart", "execd", name, ms] => self.cluster.restart_executor(node(name), millis(ms)),
            ["hang", name, secs] => self.cluster.hang(node(name), seconds(secs), false),
            ["think", name, secs] => self.cluster.hang(node(name), seconds(secs), true),
            ["crash", resource] => {
                (0..scenario::NODES.len())
                    .for_each(|idx| self.cluster.crash_resource(Place::Host(idx), resource));
            }
            ["fail", resource, name] => {
                self.cluster.hosts[node(name)].station.agents.failing_starts.insert(resource.to_owned());
            }
            ["fill", name] => self.cluster.hosts[node(name)].is_full = true,
            ["empty", name] => self.cluster.hosts[node(name)].is_full = false,
            ["write", name, option] => self.write(node(name), option, false),
            ["force", name, option] => self.write(node(name), option, true),
            ["confirm", name] => {
                let witness = (0..scenario::NODES.len()).find(|idx| self.cluster.hosts[*idx].node.is_some());
                self.ask(witness.expect("some node runs"), Call::ConfirmOff { node: name.to_owned() });
            }
            ["forget", name, other] => self.ask(node(name), Call::ForgetNode { node: other.to_owned() }),
            ["refresh", name] => {
                let node_name = Some(name.to_owned());
                let call =
                    Call::Cleanup { resource: None, node: node_name, only_failed: false, operation: None };
                self.ask(node(name), call);
            }
            ["has", name, option] => {
                let daemon = self.cluster.hosts[node(name)].node.as_ref();
                let has = daemon.is_some_and(|daemon| daemon.cib().find_id(option).is_some());
                self.print(if has { "yes" } else { "no" });
            }
            ["set", name, about, attribute, value] => {
                let [about, attribute] = [about, attribute].map(str::to_owned);
                let value = Some(value.to_owned());
                let update =
                    AttributeUpdate { node: about, name: attribute, value, ..AttributeUpdate::default() };
                self.ask(node(name), Call::Attribute(update));
            }
            ["value", name, about, attribute] => {
                let daemon = self.cluster.hosts[node(name)].node.as_ref();
                let value = daemon.and_then(|daemon| attributes::value_in(daemon.cib(), about, attribute));
                self.print(value.as_deref().unwrap_or("none"));
            }
            ["stop", name] => self.ask(node(name), Call::Shutdown),
            ["begin", "stop", name] => {
                self.cluster.ask(node(name), Call::Shutdown);
            }
            ["wait", secs] => {
                let end = self.cluster.now + seconds(secs);
                self.cluster.run_until(end);
            }
            ["settle"] => self.settle(),
            ["show"] => self.show(),
            ["changes"] => {
                let n_changes: u64 =
                    self.cluster.hosts.iter().map(|host| host.station.agents.n_changes).sum();
                let before = std::mem::replace(&mut self.n_changes, n_changes);
                self.print(&(n_changes - before).to_string());
            }
            _ => panic!("no command {line:?}"),
        }
    }

    fn print(&mut self, text: &str) {
        writeln!(self.output, "    {text}").expect("text grows");
    }

    fn settle(&mut self) {
        // What was caused just now has to be noticed first: by a monitor, at the latest.
        let end = self.cluster.now + 15 * SECOND;
        self.cluster.run_until(end);
        let at_rest = |cluster: &Cluster| {
            cluster.hosts.iter().filter_map(|host| host.node.as_ref()).all(|node| node.is_idle())
        };
        if !self.cluster.run_until_done(300 * SECOND, at_rest) {
            self.print("there is still something to do");
        }
    }

    fn show(&mut self) {
        for (idx, host) in self.cluster.hosts.iter().enumerate() {
            let line = match &host.node {
                _ if !host.is_on => format!("{}: off", host.name),
                None => format!("{}: systoled is down", host.name),
                Some(daemon) => {
                    let view = self.cluster.network.view(idx);
                    let members = view.map_or(&[][..], |view| &view.members);
                    let names: Vec<&str> = members.iter().map(|(_, name)| name.as_str()).collect();
                    let quorum =
                        if view.is_some_and(|view| view.has_quorum) { "quorum" } else { "no quorum" };
                    let dc = daemon.dc().unwrap_or("none");
                    format!("{}: members {}, {quorum}, DC {dc}", host.name, names.join(" "))
                }
            };
            let active: Vec<&str> = host
                .station
                .agents
                .active
                .iter()
                .map(String::as_str)
                .filter(|name| *name != "fence")
                .collect();
            let runs = if active.is_empty() { String::new() } else { format!(", runs {}", active.join(" ")) };
            writeln!(self.output, "    {line}{runs}").expect("text grows");
        }
    }

    fn write(&mut self, idx: NodeIdx, option: &str, force: bool) {
        let pair = format!(r#"<nvpair id="{option}" name="{option}" value="1"/>"#);
        let xml = format!(r#"<cluster_property_set id="writes">{pair}</cluster_property_set>"#);
        let options = CibOptions { allow_create: true, ..CibOptions::default() };
        let scope = Scope::Section("crm_config".to_owned());
        let change = CibCall { action: CibAction::Modify, scope, xml: Some(xml), options };
        self.ask(idx, Call::Apply { change, force });
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, idx: NodeIdx, call: Call) {
        let Some(number) = self.cluster.ask(idx, call) else { return self.print("systoled is down") };
        self.cluster.run_until_done(90 * SECOND, |cluster| !cluster.asked.contains_key(&number));
        let answer = self.cluster.answers.iter().find(|(answered, _)| *answered == number);
        let text = match answer.map(|(_, reply)| reply) {
            Some(Reply::Done) => "done".to_owned(),
            Some(Reply::Applied { .. }) => "applied".to_owned(),
            Some(Reply::Refused(refusal)) => format!("refused: {}", refusal.message),
            other => format!("{other:?}"),
        };
        self.print(&text);
    }
}

fn seconds(text: &str) -> Micros {
    text.parse::<u64>().expect("seconds") * SECOND
}

fn millis(text: &str) -> Micros {
    text.parse::<u64>().expect("milliseconds") * SECOND / 1000
}

fn node(name: &str) -> NodeIdx {
    scenario::NODES.iter().position(|node| *node == name).expect("a node of the script's cluster")
}
