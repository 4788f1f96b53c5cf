//! Who hears whom, and in which order. Sans-I/O.

use std::collections::BTreeMap;
use systole_wire::{
    PROTOCOL,
    hub::{Control, FromHub, HubNode, ToHub, View},
};

/// A connection, by a number of the server's choice.
pub type Link = u64;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// A message for one connection.
    To(Link, FromHub),
    /// The same message for each of these connections.
    ToAll(Vec<Link>, FromHub),
    /// The connection has no further use.
    Close(Link),
}

/// The hub's state.
///
/// A node that left is out of the view before anything else is delivered, so members of one view see the same messages.
#[derive(Debug)]
pub struct Sequencer {
    nodes: Vec<Node>,
    views: u64,
    partitions: u64,
}

#[derive(Debug)]
struct Node {
    name: String,
    link: Option<Link>,
    /// 0 for those who were not split off.
    partition: u64,
}

impl Sequencer {
    /// A hub for the nodes `names`; they are numbered from 1 in this order, and quorum is a majority of them.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let nodes = names.into_iter().map(|name| Node { name, link: None, partition: 0 }).collect();
        Self { nodes, views: 0, partitions: 0 }
    }

    /// A message came over `link`.
    pub fn message(&mut self, link: Link, message: ToHub) -> Vec<Outgoing> {
        match message {
            ToHub::Join { protocol, node } if protocol.major == PROTOCOL.major => self.join(link, &node),
            ToHub::Join { protocol, .. } => {
                let message =
                    format!("the hub speaks protocol {}, the node {}", PROTOCOL.major, protocol.major);
                refuse(link, message)
            }
            ToHub::Cast { payload } => self.cast(link, payload),
            ToHub::Control(control) => self.control(link, control),
            ToHub::Pong => Vec::new(),
        }
    }

    /// `link` is closed.
    pub fn closed(&mut self, link: Link) -> Vec<Outgoing> {
        let Some(node) = self.nodes.iter_mut().find(|n| n.link == Some(link)) else { return Vec::new() };
        node.link = None;
        let partition = node.partition;
        self.announce(&[partition])
    }

    fn join(&mut self, link: Link, name: &str) -> Vec<Outgoing> {
        if self.nodes.iter().any(|n| n.link == Some(link)) {
            return refuse(link, "this connection has joined already".to_owned());
        }
        let Some(idx) = self.nodes.iter().position(|n| n.name == name) else {
            let known: Vec<&str> = self.nodes.iter().map(|n| n.name.as_str()).collect();
            return refuse(link, format!("node {name} is none of this hub's nodes: {}", known.join(", ")));
        };
        let partition = self.nodes[idx].partition;
        let mut out = Vec::new();
        // A daemon that died and is back before we saw its end: the others must see it go.
        if let Some(old) = self.nodes[idx].link.take() {
            out.push(Outgoing::Close(old));
            out.extend(self.announce(&[partition]));
        }
        self.nodes[idx].link = Some(link);
        out.extend(self.announce(&[partition]));
        out
    }

    fn cast(&self, link: Link, payload: String) -> Vec<Outgoing> {
        let Some(from) = self.nodes.iter().position(|n| n.link == Some(link)) else {
            return refuse(link, "join first".to_owned());
        };
        let partition = self.nodes[from].partition;
        let message = FromHub::Deliver { from: number(from), payload };
        vec![Outgoing::ToAll(self.members(partition).map(|(_, link)| link).collect(), message)]
    }

    fn control(&mut self, link: Link, control: Control) -> Vec<Outgoing> {
        let names = match &control {
            Control::Split { nodes } | Control::Heal { nodes } => nodes.as_slice(),
            Control::List => &[],
        };
        if let Some(unknown) = names.iter().find(|name| self.nodes.iter().all(|n| n.name != **name)) {
            return vec![Outgoing::To(
                link,
                FromHub::Refused { message: format!("there is no node {unknown}") },
            )];
        }
        let mut out = match control {
            Control::Split { nodes } => {
                self.partitions += 1;
                self.rearrange(&nodes, self.partitions)
            }
            Control::Heal { nodes } if nodes.is_empty() => {
                let all: Vec<String> = self.nodes.iter().map(|n| n.name.clone()).collect();
                self.rearrange(&all, 0)
            }
            Control::Heal { nodes } => self.rearrange(&nodes, 0),
            Control::List => Vec::new(),
        };
        out.push(Outgoing::To(link, FromHub::Nodes { nodes: self.list() }));
        out
    }

    /// Puts the nodes `names` into `partition`.
    fn rearrange(&mut self, names: &[String], partition: u64) -> Vec<Outgoing> {
        let mut touched = vec![];
        for node in self.nodes.iter_mut().filter(|n| names.contains(&n.name) && n.partition != partition) {
            touched.extend([node.partition, partition]);
            node.partition = partition;
        }
        touched.sort_unstable();
        touched.dedup();
        self.announce(&touched)
    }

    /// A new view for every member of each of `partitions`.
    fn announce(&mut self, partitions: &[u64]) -> Vec<Outgoing> {
        let mut out = Vec::new();
        for &partition in partitions {
            self.views += 1;
            let members: BTreeMap<u32, Link> = self.members(partition).collect();
            let has_quorum = members.len() * 2 > self.nodes.len();
            let named: Vec<(u32, String)> =
                members.keys().map(|&id| (id, self.nodes[id as usize - 1].name.clone())).collect();
            for (&own_id, &link) in &members {
                let view = View { number: self.views, own_id, members: named.clone(), has_quorum };
                out.push(Outgoing::To(link, FromHub::View(view)));
            }
        }
        out
    }

    fn members(&self, partition: u64) -> impl Iterator<Item = (u32, Link)> {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, n)| n.partition == partition)
            .filter_map(|(idx, n)| n.link.map(|link| (number(idx), link)))
    }

    fn list(&self) -> Vec<HubNode> {
        let node = |(idx, n): (usize, &Node)| HubNode {
            id: number(idx),
            name: n.name.clone(),
            joined: n.link.is_some(),
            partition: n.partition,
        };
        self.nodes.iter().enumerate().map(node).collect()
    }
}

fn refuse(link: Link, message: String) -> Vec<Outgoing> {
    vec![Outgoing::To(link, FromHub::Refused { message }), Outgoing::Close(link)]
}

fn number(idx: usize) -> u32 {
    u32::try_from(idx + 1).expect("a hub has few nodes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub() -> Sequencer {
        let mut hub = Sequencer::new(["a", "b", "c"].map(str::to_owned));
        for (link, node) in [(1, "a"), (2, "b"), (3, "c")] {
            hub.message(link, ToHub::Join { protocol: PROTOCOL, node: node.into() });
        }
        hub
    }

    /// `LINK:member+member` with `!` for quorum, `LINK<FROM=payload`, `LINK:refused`, `LINK:closed`.
    fn show(out: Vec<Outgoing>) -> String {
        let one = |link: Link, message: &FromHub| match message {
            FromHub::View(view) => {
                let names: Vec<&str> = view.members.iter().map(|(_, name)| name.as_str()).collect();
                format!("{link}:{}{}", names.join("+"), if view.has_quorum { "!" } else { "" })
            }
            FromHub::Deliver { from, payload } => format!("{link}<{from}={payload}"),
            FromHub::Refused { .. } => format!("{link}:refused"),
            FromHub::Nodes { .. } => format!("{link}:nodes"),
            FromHub::Ping => format!("{link}:ping"),
        };
        let shown: Vec<String> = out
            .iter()
            .flat_map(|outgoing| match outgoing {
                Outgoing::To(link, message) => vec![one(*link, message)],
                Outgoing::ToAll(links, message) => links.iter().map(|link| one(*link, message)).collect(),
                Outgoing::Close(link) => vec![format!("{link}:closed")],
            })
            .collect();
        shown.join(" ")
    }

    fn cast(payload: &str) -> ToHub {
        ToHub::Cast { payload: payload.into() }
    }

    fn split(nodes: &[&str]) -> ToHub {
        ToHub::Control(Control::Split { nodes: nodes.iter().map(|n| n.to_string()).collect() })
    }

    #[test]
    fn messages_reach_every_member_and_the_sender() {
        assert_eq!(show(hub().message(2, cast("x"))), "1<2=x 2<2=x 3<2=x");
    }

    #[test]
    fn a_node_that_is_gone_is_out_of_the_view_at_once() {
        let mut hub = hub();
        assert_eq!(show(hub.closed(1)), "2:b+c! 3:b+c!");
        assert_eq!(show(hub.closed(2)), "3:c");
        assert_eq!(
            show(hub.message(4, ToHub::Join { protocol: PROTOCOL, node: "a".into() })),
            "4:a+c! 3:a+c!"
        );
    }

    #[test]
    fn a_cut_makes_two_partitions_that_do_not_hear_each_other() {
        let mut hub = hub();
        assert_eq!(show(hub.message(9, split(&["b"]))), "1:a+c! 3:a+c! 2:b 9:nodes");
        assert_eq!(show(hub.message(2, cast("x"))), "2<2=x");
        assert_eq!(show(hub.message(1, cast("y"))), "1<1=y 3<1=y");
        let heal = ToHub::Control(Control::Heal { nodes: vec![] });
        assert_eq!(show(hub.message(9, heal)), "1:a+b+c! 2:a+b+c! 3:a+b+c! 9:nodes");
    }

    #[test]
    fn a_cut_outlives_the_node_that_was_cut() {
        let mut hub = hub();
        hub.message(9, split(&["b"]));
        assert_eq!(show(hub.closed(2)), "");
        assert_eq!(show(hub.message(4, ToHub::Join { protocol: PROTOCOL, node: "b".into() })), "4:b");
    }

    #[test]
    fn a_node_that_comes_twice_leaves_first() {
        let out = hub().message(4, ToHub::Join { protocol: PROTOCOL, node: "a".into() });
        assert_eq!(show(out), "1:closed 2:b+c! 3:b+c! 4:a+b+c! 2:a+b+c! 3:a+b+c!");
    }

    #[test]
    fn strangers_are_refused() {
        let mut hub = hub();
        let stranger = ToHub::Join { protocol: PROTOCOL, node: "d".into() };
        assert_eq!(show(hub.message(7, stranger)), "7:refused 7:closed");
        assert_eq!(show(hub.message(8, cast("x"))), "8:refused 8:closed");
        assert_eq!(show(hub.message(9, split(&["d"]))), "9:refused");
    }
}
