//! A group of processes on a simulated Corosync: one order of messages per partition, quorum told at any time.

use super::*;
use std::collections::BTreeSet;

/// A cluster of three; quorum is two.
struct Cluster {
    nodes: BTreeMap<u32, Node>,
    rings: u64,
}

struct Node {
    agreement: Agreement,
    /// What CPG has for this process and it has not taken yet.
    queue: VecDeque<Item>,
    /// Who hears whom.
    partition: BTreeSet<u32>,
    /// What the daemon was told, as text.
    log: Vec<String>,
    views: Vec<View>,
}

enum Item {
    Ring(Ring),
    Processes(Vec<Process>),
    Message(Process, Vec<u8>),
}

fn process(node: u32) -> Process {
    Process { node, pid: 100 + node }
}

impl Cluster {
    /// Three nodes that have found each other, each with its daemon connected.
    fn new() -> Self {
        let ring = Ring { leader: 1, sequence: 4 };
        let node = |id| Node {
            agreement: Agreement::new(process(id), ring, true),
            queue: VecDeque::new(),
            partition: BTreeSet::from([1, 2, 3]),
            log: Vec::new(),
            views: Vec::new(),
        };
        let mut cluster = Cluster { nodes: (1..=3).map(|id| (id, node(id))).collect(), rings: 4 };
        for members in [vec![1], vec![1, 2], vec![1, 2, 3]] {
            for id in &members {
                let processes = members.iter().copied().map(process).collect();
                cluster.node(*id).queue.push_back(Item::Processes(processes));
            }
        }
        for id in 1..=3 {
            cluster.node(id).agreement.daemon_came(format!("n{id}"));
        }
        cluster.settle();
        cluster
    }

    fn node(&mut self, id: u32) -> &mut Node {
        self.nodes.get_mut(&id).expect("there are three nodes")
    }

    /// New partitions: CPG's changes are queued, votequorum speaks at once.
    fn split(&mut self, partitions: &[&[u32]]) {
        self.rings += 4;
        for members in partitions {
            let ring = Ring { leader: members[0], sequence: self.rings };
            for id in *members {
                let node = self.node(*id);
                node.partition = members.iter().copied().collect();
                node.queue.push_back(Item::Processes(members.iter().copied().map(process).collect()));
                node.queue.push_back(Item::Ring(ring));
            }
        }
    }

    fn tell_quorum(&mut self) {
        let rings = self.rings;
        for node in self.nodes.values_mut() {
            let leader = *node.partition.first().expect("a node hears itself");
            let has_quorum = node.partition.len() >= 2;
            node.agreement.quorum_changed(Ring { leader, sequence: rings }, has_quorum);
        }
    }

    /// Sends what `id` has to send next; false if there is nothing.
    fn send_one(&mut self, id: u32) -> bool {
        let node = self.node(id);
        let Some(frame) = node.agreement.next_frame() else { return false };
        node.agreement.sent();
        for receiver in node.partition.clone() {
            self.node(receiver).queue.push_back(Item::Message(process(id), frame.clone()));
        }
        true
    }

    /// Has `id` take the next thing CPG has for it; false if there is nothing.
    fn take_one(&mut self, id: u32) -> bool {
        let node = self.node(id);
        let Some(item) = node.queue.pop_front() else { return false };
        match item {
            Item::Ring(ring) => node.agreement.ring_changed(ring),
            Item::Processes(processes) => node.agreement.processes_changed(processes),
            Item::Message(from, bytes) => {
                for told in node.agreement.received(from, &bytes) {
                    node.log.push(show(&told));
                    if let Told::View(view) = told {
                        node.views.push(view);
                    }
                }
            }
        }
        true
    }

    fn settle(&mut self) {
        while (1..=3).fold(false, |any, id| self.take_one(id) | self.send_one(id) | any) {}
    }

    /// What the daemons were told since last asked, `NODE: ...`.
    fn logs(&mut self) -> Vec<String> {
        let line =
            |(id, node): (&u32, &mut Node)| format!("{id}: {}", std::mem::take(&mut node.log).join(" "));
        self.nodes.iter_mut().map(line).collect()
    }

    fn cast(&mut self, id: u32, payload: &str) {
        self.node(id).agreement.cast(payload.to_owned());
    }
}

/// `n1+n2!` for a view with quorum, `1=text` for a message.
fn show(told: &Told) -> String {
    match told {
        Told::View(view) => {
            let names: Vec<&str> = view.members.iter().map(|(_, name)| name.as_str()).collect();
            format!("{}{}", names.join("+"), if view.has_quorum { "!" } else { "" })
        }
        Told::Deliver { from, payload } if payload.len() > 10 => format!("{from}={} bytes", payload.len()),
        Told::Deliver { from, payload } => format!("{from}={payload}"),
    }
}

#[test]
fn all_get_the_same_view_with_the_same_number() {
    let mut cluster = Cluster::new();
    assert_eq!(cluster.logs().map_last(), ["n1+n2+n3!"; 3]);
    let numbers: BTreeSet<u64> = cluster.nodes.values().map(|n| n.views.last().unwrap().number).collect();
    assert_eq!(numbers.len(), 1);
}

trait Last {
    fn map_last(&self) -> Vec<&str>;
}

impl Last for Vec<String> {
    /// The last thing each daemon was told.
    fn map_last(&self) -> Vec<&str> {
        self.iter().map(|line| line.rsplit(' ').next().unwrap_or_default()).collect()
    }
}

#[test]
fn messages_reach_every_member_and_the_sender() {
    let mut cluster = Cluster::new();
    cluster.logs();
    cluster.cast(2, "x");
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: 2=x", "2: 2=x", "3: 2=x"]);
}

#[test]
fn no_view_is_made_before_votequorum_has_spoken_of_the_new_ring() {
    let mut cluster = Cluster::new();
    cluster.logs();
    cluster.split(&[&[1, 2], &[3]]);
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: ", "2: ", "3: "]);
    cluster.tell_quorum();
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: n1+n2!", "2: n1+n2!", "3: n3"]);
}

#[test]
fn two_partitions_never_have_the_same_number_and_numbers_count_up() {
    let mut cluster = Cluster::new();
    for partitions in [&[&[1][..], &[2, 3]][..], &[&[1, 3], &[2]], &[&[1, 2, 3]], &[&[1, 2], &[3]]] {
        cluster.split(partitions);
        cluster.tell_quorum();
        cluster.settle();
    }
    let mut seen: BTreeMap<u64, Vec<(u32, String)>> = BTreeMap::new();
    for node in cluster.nodes.values() {
        assert!(node.views.is_sorted_by(|a, b| a.number < b.number));
        for view in &node.views {
            assert_eq!(seen.entry(view.number).or_insert_with(|| view.members.clone()), &view.members);
        }
    }
    assert_eq!(cluster.logs().map_last(), ["n1+n2!", "n1+n2!", "n3"]);
}

#[test]
fn a_daemon_that_comes_back_is_seen_to_have_gone() {
    let mut cluster = Cluster::new();
    cluster.logs();
    cluster.node(2).agreement.daemon_went();
    cluster.node(2).agreement.daemon_came("n2".into());
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: n1+n3! n1+n2+n3!", "2: n1+n2+n3!", "3: n1+n3! n1+n2+n3!"]);
    cluster.node(2).agreement.daemon_went();
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: n1+n3!", "2: ", "3: n1+n3!"]);
}

#[test]
fn quorum_that_changes_without_the_members_makes_a_view() {
    let mut cluster = Cluster::new();
    cluster.logs();
    for id in 1..=3 {
        let ring = cluster.node(id).agreement.ring;
        cluster.node(id).agreement.quorum_changed(ring, false);
    }
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: n1+n2+n3", "2: n1+n2+n3", "3: n1+n2+n3"]);
}

#[test]
fn a_long_payload_that_a_change_cuts_in_two_is_received_whole_by_all_or_none() {
    let long = "x".repeat(5 * crate::frame::MAX_PIECE);
    // The change comes after each number of pieces.
    for n_pieces in 0..6 {
        let mut cluster = Cluster::new();
        cluster.split(&[&[1, 2], &[3]]);
        cluster.tell_quorum();
        cluster.settle();
        cluster.logs();
        cluster.cast(1, &long);
        for _ in 0..n_pieces {
            cluster.send_one(1);
        }
        cluster.split(&[&[1, 2, 3]]);
        cluster.tell_quorum();
        cluster.settle();
        let logs = cluster.logs();
        let whole = format!("1={} bytes", long.len());
        assert_eq!(logs[0][3..], logs[1][3..], "after {n_pieces} pieces");
        assert!(logs[0].contains(&whole), "after {n_pieces} pieces: {logs:?}");
        // The newcomer has what comes after its view, and nothing else.
        let after = logs[0].split_once("n1+n2+n3!").expect("the view").1.contains(&whole);
        assert_eq!(
            logs[2],
            format!("3: n1+n2+n3!{}", if after { format!(" {whole}") } else { String::new() })
        );
    }
}

#[test]
fn what_others_sent_before_they_became_members_is_not_delivered() {
    let mut cluster = Cluster::new();
    cluster.split(&[&[1, 2], &[3]]);
    cluster.tell_quorum();
    cluster.settle();
    cluster.logs();
    cluster.split(&[&[1, 2, 3]]);
    cluster.cast(3, "x");
    cluster.send_one(3);
    cluster.tell_quorum();
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: n1+n2+n3!", "2: n1+n2+n3!", "3: 3=x n1+n2+n3!"]);
}

#[test]
fn a_process_without_a_daemon_is_no_member_and_is_told_nothing() {
    let mut cluster = Cluster::new();
    cluster.node(3).agreement.daemon_went();
    cluster.settle();
    cluster.logs();
    cluster.cast(1, "x");
    cluster.settle();
    assert_eq!(cluster.logs(), ["1: 1=x", "2: 1=x", "3: "]);
}
