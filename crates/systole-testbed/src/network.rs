//! The cluster layer in memory: agreed order and virtual synchrony, for nodes that can be cut off.
//!
//! Every message of a view has a number there; members get them in this order. Members that go from one view to the
//! next together have got the same messages of the first one.

use crate::{Micros, NodeIdx, Random, pop_if};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use systole_wire::hub::View;

/// What the network hands to a node.
#[derive(Clone, Debug)]
pub enum Arrival {
    /// A membership.
    View(View),
    /// A message.
    Message {
        /// The sender's number.
        from: u32,
        /// Its text.
        payload: String,
    },
}

/// One node's connection.
#[derive(Debug, Default)]
struct Port {
    is_up: bool,
    /// Nodes with the same number can reach each other.
    zone: u32,
    view: Option<View>,
    inbox: VecDeque<(Micros, u64, Arrival)>,
}

/// The cluster layer.
#[derive(Debug)]
pub struct Network {
    ports: Vec<Port>,
    names: Vec<String>,
    n_views: u64,
    n_messages: u64,
    /// The number of the last message each node has got.
    got: Vec<u64>,
}

/// A node's number in the cluster layer.
pub fn id_of(node: NodeIdx) -> u32 {
    node as u32 + 1
}

impl Network {
    /// A network of these nodes; none is connected yet.
    pub fn new(names: &[String]) -> Self {
        let ports = names.iter().map(|_| Port::default()).collect();
        Self { ports, names: names.to_vec(), n_views: 0, n_messages: 0, got: vec![0; names.len()] }
    }

    /// The present view of a node.
    pub fn view(&self, node: NodeIdx) -> Option<&View> {
        self.ports[node].view.as_ref()
    }

    /// Whether the hosts of two nodes can reach each other.
    pub fn share_zone(&self, a: NodeIdx, b: NodeIdx) -> bool {
        self.ports[a].zone == self.ports[b].zone
    }

    /// Whether the view of a node has everybody it can reach.
    pub fn is_complete(&self, node: NodeIdx) -> bool {
        let mates = self.ports.iter().filter(|port| port.is_up && port.zone == self.ports[node].zone).count();
        self.ports[node].view.as_ref().is_some_and(|view| view.members.len() == mates)
    }

    /// Whether nobody is cut off.
    pub fn is_whole(&self) -> bool {
        self.ports.iter().all(|port| port.zone == self.ports[0].zone)
    }

    /// When a node next gets something.
    pub fn next_arrival(&self, node: NodeIdx) -> Option<Micros> {
        self.ports[node].inbox.front().map(|(at, ..)| *at)
    }

    /// What a node gets now, if anything.
    pub fn receive(&mut self, node: NodeIdx, now: Micros) -> Option<Arrival> {
        let (_, number, arrival) = pop_if(&mut self.ports[node].inbox, |(at, ..)| *at <= now)?;
        self.got[node] = self.got[node].max(number);
        Some(arrival)
    }

    /// A node's program connects.
    pub fn connect(&mut self, node: NodeIdx, now: Micros, random: &mut Random) {
        self.ports[node] = Port { is_up: true, zone: self.ports[node].zone, ..Port::default() };
        self.got[node] = self.n_messages;
        self.update(now, random);
    }

    /// A node's program is gone.
    pub fn disconnect(&mut self, node: NodeIdx, now: Micros, random: &mut Random) {
        self.ports[node] = Port { zone: self.ports[node].zone, ..Port::default() };
        self.update(now, random);
    }

    /// Cuts or heals: who is in which zone.
    pub fn partition(&mut self, zones: &[u32], now: Micros, random: &mut Random) {
        for (port, zone) in self.ports.iter_mut().zip(zones) {
            port.zone = *zone;
        }
        self.update(now, random);
    }

    /// A message to all members of the sender's view.
    pub fn cast(&mut self, from: NodeIdx, payload: &str, now: Micros, random: &mut Random) {
        let Some(view) = self.ports[from].view.clone() else { return };
        self.n_messages += 1;
        for (id, _) in view.members {
            let to = id as usize - 1;
            if self.ports[to].is_up {
                let at = self.arrival_time(to, now, random);
                let arrival = Arrival::Message { from: id_of(from), payload: payload.to_owned() };
                self.ports[to].inbox.push_back((at, self.n_messages, arrival));
            }
        }
    }

    /// Later than everything that is under way to the node already.
    fn arrival_time(&self, to: NodeIdx, now: Micros, random: &mut Random) -> Micros {
        let earliest = self.ports[to].inbox.back().map_or(0, |(at, ..)| *at);
        earliest.max(now + random.between(100, 3000))
    }

    /// Gives new views to those whose company has changed.
    fn update(&mut self, now: Micros, random: &mut Random) {
        let mut groups: BTreeMap<u32, BTreeSet<NodeIdx>> = BTreeMap::new();
        for (node, port) in self.ports.iter().enumerate().filter(|(_, port)| port.is_up) {
            groups.entry(port.zone).or_default().insert(node);
        }
        for group in groups.into_values() {
            let ids: Vec<u32> = group.iter().map(|node| id_of(*node)).collect();
            let is_same = |node: &NodeIdx| {
                let members = self.ports[*node].view.as_ref().map(|view| &view.members);
                members.is_some_and(|members| members.iter().map(|(id, _)| *id).eq(ids.iter().copied()))
            };
            if !group.iter().all(is_same) {
                self.change_view(&group, now, random);
            }
        }
    }

    fn change_view(&mut self, group: &BTreeSet<NodeIdx>, now: Micros, random: &mut Random) {
        self.cut_inboxes(group, random);
        self.n_views += 1;
        self.n_messages += 1;
        let members: Vec<(u32, String)> =
            group.iter().map(|node| (id_of(*node), self.names[*node].clone())).collect();
        for node in group {
            let view = View {
                number: self.n_views,
                own_id: id_of(*node),
                members: members.clone(),
                has_quorum: members.len() * 2 > self.ports.len(),
            };
            self.ports[*node].view = Some(view.clone());
            let at = self.arrival_time(*node, now, random);
            self.ports[*node].inbox.push_back((at, self.n_messages, Arrival::View(view)));
        }
    }

    /// Of the messages under way, those who stay together get the same; the rest is lost.
    fn cut_inboxes(&mut self, group: &BTreeSet<NodeIdx>, random: &mut Random) {
        let mut companies: BTreeMap<u64, Vec<NodeIdx>> = BTreeMap::new();
        for node in group {
            if let Some(view) = &self.ports[*node].view {
                companies.entry(view.number).or_default().push(*node);
            }
        }
        for company in companies.into_values() {
            let least = company.iter().map(|node| self.got[*node]).max().unwrap_or(0);
            let cut =
                if random.chance(50) { self.n_messages } else { random.between(least, self.n_messages) };
            for node in company {
                self.ports[node]
                    .inbox
                    .retain(|(_, number, arrival)| *number <= cut || matches!(arrival, Arrival::View(_)));
            }
        }
    }
}
