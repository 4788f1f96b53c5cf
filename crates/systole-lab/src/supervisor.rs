//! The process that stands for the machine room of a lab: gives nodes power, lays cables, runs the cluster layer.

use crate::{
    cgroup::{self, Hierarchy},
    control::{self, Answer, Ask, LabStatus},
    init::CLUSTER_UID,
    layout::Layout,
    network,
    node::Node,
    plan::Plan,
    stack::Stack,
};
use anyhow::{Context, Result};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::net::{UnixListener, UnixStream},
    thread,
};
use systole_hub::Hub;
use systole_link::Signals;

/// A lab at work.
struct Supervisor {
    layout: Layout,
    plan: Plan,
    hierarchies: Vec<Hierarchy>,
    nodes: Vec<Node>,
}

/// Runs a lab until it is asked to end.
///
/// # Errors
/// If the lab cannot be brought up; what was there of it has then been taken down.
pub fn main(layout: &Layout) -> Result<()> {
    let _ = rustix::process::setsid();
    let plan = Plan::load(layout)?;
    let hierarchies = cgroup::hierarchies()?;
    let nodes =
        plan.nodes.iter().cloned().enumerate().map(|(idx, node)| Node::new(layout, idx, node)).collect();
    let mut supervisor = Supervisor { layout: layout.clone(), plan, hierarchies, nodes };
    let result = supervisor.run();
    let cleared = clear(layout);
    result.and(cleared)
}

impl Supervisor {
    fn run(&mut self) -> Result<()> {
        cgroup::create(&self.hierarchies, &self.layout.cgroup())?;
        network::create_bridge(&self.layout, self.plan.subnet)?;
        self.start_hub()?;
        for node in &mut self.nodes {
            node.boot(&self.plan, &self.hierarchies, self.plan.daemons)?;
        }
        let listener =
            UnixListener::bind(self.layout.control_socket()).context("cannot open the control socket")?;
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            // A client that went away is no reason to end.
            if let Ok(Next::End(stream)) = self.serve(stream) {
                return self.end(stream);
            }
        }
        Ok(())
    }

    /// The cluster layer, in a thread of its own. It also hears SIGTERM, and passes it on as a request to end.
    fn start_hub(&self) -> Result<()> {
        fs::create_dir_all(self.layout.hub_dir())?;
        let names: Vec<String> = self.plan.nodes.iter().map(|node| node.name.clone()).collect();
        let hub = Hub::bind(&self.layout.hub_socket(), names)?.with_user(CLUSTER_UID);
        let signals = Signals::catch(&[15, 2]).context("cannot catch signals")?;
        let layout = self.layout.clone();
        thread::spawn(move || {
            let ended = hub.run(&signals);
            eprintln!("the hub ended: {ended:?}");
            let _ = control::ask(&layout, &Ask::End);
        });
        Ok(())
    }

    fn serve(&mut self, mut stream: UnixStream) -> Result<Next> {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let answer = match systole_wire::decode(line.as_bytes()) {
            Ok(Ask::End) => return Ok(Next::End(stream)),
            Ok(ask) => {
                self.answer(ask).unwrap_or_else(|error| Answer::Refused { message: format!("{error:#}") })
            }
            Err(error) => Answer::Refused { message: error.to_string() },
        };
        stream.write_all(&systole_wire::encode(&answer))?;
        Ok(Next::Serve)
    }

    fn answer(&mut self, ask: Ask) -> Result<Answer> {
        match ask {
            Ask::Status => return Ok(Answer::Status(self.status())),
            Ask::Kill { node } => {
                let idx = self.find(&node)?;
                self.nodes[idx].kill(&self.hierarchies)?;
            }
            Ask::Boot { node, daemons } => {
                let idx = self.find(&node)?;
                self.nodes[idx].boot(&self.plan, &self.hierarchies, daemons)?;
            }
            Ask::Cut { node } => {
                let idx = self.find(&node)?;
                if self.plan.stack == Stack::Hub {
                    systole_hub::control::cut(&self.layout.hub_socket(), &node)?;
                }
                self.nodes[idx].cut()?;
            }
            Ask::Heal { node } => {
                let idx = self.find(&node)?;
                self.nodes[idx].heal()?;
                if self.plan.stack == Stack::Hub {
                    systole_hub::control::heal(&self.layout.hub_socket(), &node)?;
                }
            }
            Ask::End => unreachable!("handled by serve"),
        }
        Ok(Answer::Done)
    }

    fn find(&mut self, name: &str) -> Result<usize> {
        self.status().node(name)?;
        Ok(self.nodes.iter().position(|node| node.name() == name).expect("just found"))
    }

    fn status(&mut self) -> LabStatus {
        LabStatus {
            name: self.layout.name().to_owned(),
            file: self.plan.file.clone(),
            host_address: self.plan.subnet.host(),
            nodes: self.nodes.iter_mut().map(Node::status).collect(),
        }
    }

    fn end(&mut self, mut stream: UnixStream) -> Result<()> {
        let killed = self.nodes.iter_mut().try_for_each(|node| node.kill(&self.hierarchies));
        let answer = match killed.and_then(|()| clear(&self.layout)) {
            Ok(()) => Answer::Done,
            Err(error) => Answer::Refused { message: format!("{error:#}") },
        };
        let _ = stream.write_all(&systole_wire::encode(&answer));
        Ok(())
    }
}

/// What to do after a request.
enum Next {
    Serve,
    End(UnixStream),
}

/// Removes everything there may be of a lab: processes, cables, bridge, control groups, disks, sockets.
///
/// Namespaces and mounts go with the processes in them. Also works where the supervisor is gone.
///
/// # Errors
/// If something does not go away.
pub fn clear(layout: &Layout) -> Result<()> {
    let hierarchies = cgroup::hierarchies()?;
    cgroup::destroy(&hierarchies, &layout.cgroup())?;
    network::remove_ports(layout);
    network::remove_bridge(layout);
    for dir in [layout.state_dir(), layout.run_dir()] {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", dir.display()));
            }
            _ => {}
        }
        // The directory all labs share, if this was the last.
        let _ = fs::remove_dir(dir.parent().expect("labs have directories of their own"));
    }
    Ok(())
}
