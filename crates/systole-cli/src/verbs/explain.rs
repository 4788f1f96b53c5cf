//! `systole explain`: the scheduler's reasons, for one resource.

use crate::{
    Cluster, Exit, Failed, Session,
    report::{self, OutputArgs, Report},
    view,
};
use systole_output::{outline::Outline, tree::Tree};
use systole_scheduler::{
    NodeIdx, Note, RscIdx, Status,
    placement::{self, Detail, Placement},
};
use systole_types::Score;

/// Why a resource is where it is, and why not elsewhere.
#[derive(clap::Args)]
pub(super) struct Args {
    /// The resource
    resource: String,
    /// Only about this node
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Explains.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    match explain(session, &args) {
        Ok(report) => report::emit(session, &args.output, report),
        Err(error) => report::emit_error(session, &args.output, error),
    }
}

fn explain(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let view = view::look(session, &mut cluster)?;
    let status = Status::unpack(&view.cib, session.now);
    let placement = placement::assign_in_detail(&status, Detail::Scores);
    let only = match &args.node {
        Some(name) => {
            Some(status.find_node(name).ok_or_else(|| Failed::no_such(format!("there is no node {name}")))?)
        }
        None => None,
    };
    let named = named(&status, &args.resource);
    if named.is_empty() {
        return Err(Failed::no_such(format!("there is no resource {}", args.resource)));
    }
    let mut report = Report::silent();
    for rsc in named.into_iter().flat_map(|rsc| instances(&status, rsc)) {
        let told = Told { status: &status, placement: &placement, rsc, only };
        let (outline, tree) = told.tell();
        for (depth, line) in outline.lines() {
            report.text.push_str(&format!(
                "{}{}{line}\n",
                "  ".repeat(depth),
                if depth > 1 { "* " } else { "" }
            ));
        }
        report.trees.push(tree);
    }
    Ok(report)
}

/// Resources of that name, instances named without their number too.
fn named(status: &Status<'_>, name: &str) -> Vec<RscIdx> {
    if let Some(rsc) = status.find_resource(name) {
        return vec![rsc];
    }
    let is_instance = |id: &str| id.rsplit_once(':').is_some_and(|(base, _)| base == name);
    status.iter_resources().filter(|(_, rsc)| is_instance(rsc.id.as_str())).map(|(idx, _)| idx).collect()
}

/// What agents manage below (or at) a resource.
fn instances(status: &Status<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    if status.rsc(rsc).is_primitive() {
        return vec![rsc];
    }
    status.rsc(rsc).children.iter().flat_map(|child| instances(status, *child)).collect()
}

/// One instance, and what is told of it.
struct Told<'s, 'a> {
    status: &'s Status<'a>,
    placement: &'s Placement,
    rsc: RscIdx,
    only: Option<NodeIdx>,
}

impl Told<'_, '_> {
    fn tell(&self) -> (Outline, Tree) {
        let rsc = self.status.rsc(self.rsc);
        let names = |nodes: &[NodeIdx]| -> Vec<String> {
            nodes.iter().map(|node| self.status.node(*node).name.to_string()).collect()
        };
        let now = names(&rsc.running_on);
        let assigned = self.assigned();
        let mut outline = Outline::new();
        let mut tree = Tree::new("explanation")
            .attr("resource", rsc.id.as_str())
            .attr("role", rsc.role.as_str())
            .attr("running_on", now.join(" "));
        let place = if now.is_empty() { String::new() } else { format!(" on {}", now.join(" and ")) };
        outline.push(0, format!("{}: {}{place}", rsc.id, rsc.role));
        match assigned.map(|node| self.status.node(node).name.to_string()) {
            Some(node) => {
                let verb = if now == [node.clone()] { "stays" } else { "belongs" };
                outline.push(1, format!("{verb} on {node}"));
                tree = tree.attr("assigned_to", node);
            }
            None => outline.push(1, "is not wanted anywhere, or may run nowhere"),
        }
        self.whole(&mut outline, &mut tree);
        for node in &self.status.nodes_by_name {
            if self.only.is_none_or(|only| only == *node) {
                self.node(*node, &mut outline, &mut tree);
            }
        }
        (outline, tree)
    }

    /// What holds for the instance wherever it is.
    fn whole(&self, outline: &mut Outline, tree: &mut Tree) {
        let rsc = self.status.rsc(self.rsc);
        let mut facts: Vec<String> = Vec::new();
        if !rsc.managed {
            facts.push(
                "the cluster leaves it alone (unmanaged, in maintenance, or blocked by a failure)".to_owned(),
            );
        }
        if rsc.next_role == systole_types::Role::Stopped {
            let why = rsc.next_role_reason.map_or(String::new(), |why| format!(" ({why})"));
            facts.push(format!("it is to be stopped{why}"));
        }
        facts.extend(self.colocations());
        facts.extend(self.notes(None).map(text_of));
        if facts.is_empty() && rsc.running_on.len() == 1 && self.assigned() == rsc.running_on.first().copied()
        {
            facts.push("it runs there, and nothing speaks more for another node".to_owned());
        }
        for fact in facts {
            outline.push(2, fact.as_str());
            tree.push(Tree::with_text("note", fact));
        }
    }

    /// What it is placed with or away from, and what is placed with it.
    fn colocations(&self) -> Vec<String> {
        let chain: Vec<RscIdx> =
            std::iter::successors(Some(self.rsc), |rsc| self.status.rsc(*rsc).parent).collect();
        let name = |rsc: RscIdx| &self.status.rsc(rsc).id;
        self.placement
            .colocations
            .iter()
            .filter_map(|link| {
                let from = if link.id.starts_with('#') { String::new() } else { format!(", {}", link.id) };
                if chain.contains(&link.dependent) && !chain.contains(&link.primary) {
                    return Some(format!("placed with {} (score {}{from})", name(link.primary), link.score));
                }
                let draws = chain.contains(&link.primary) && !chain.contains(&link.dependent);
                draws.then(|| format!("draws {} along (score {}{from})", name(link.dependent), link.score))
            })
            .collect()
    }

    fn node(&self, idx: NodeIdx, outline: &mut Outline, tree: &mut Tree) {
        let node = self.status.node(idx);
        let score = self.placement.allowed.get(rsc_index(self.rsc)).and_then(|table| table.score(idx));
        let mut reasons: Vec<String> =
            self.node_facts(idx).into_iter().chain(self.notes(Some(idx)).map(text_of)).collect();
        reasons.extend(score.and_then(|score| self.comparison(idx, i64::from(score))));
        // Guest nodes run only what their bundle puts there: not worth a line unless something is said of them.
        if score.is_none() && reasons.is_empty() && self.only.is_none() {
            return;
        }
        let score_text = score.map_or("may never run there".to_owned(), |score| {
            format!("score {}", Score::finite(i64::from(score)))
        });
        outline.push(1, format!("{}: {score_text}", node.name));
        let mut part = Tree::new("node").attr("name", node.name.as_str());
        part = part.maybe("score", score.map(|score| Score::finite(i64::from(score)).to_string()));
        for reason in reasons {
            outline.push(2, reason.as_str());
            part.push(Tree::with_text("note", reason));
        }
        tree.push(part);
    }

    /// Where the scheduler puts the instance.
    fn assigned(&self) -> Option<NodeIdx> {
        self.placement.assigned.get(rsc_index(self.rsc)).copied().flatten()
    }

    /// Why not here, if the score alone decides.
    fn comparison(&self, node: NodeIdx, score: i64) -> Option<String> {
        let winner = self.assigned().filter(|winner| *winner != node)?;
        let best = i64::from(self.placement.allowed.get(rsc_index(self.rsc))?.score(winner)?);
        if Score::finite(score) == -Score::INFINITY || score > best {
            return None;
        }
        let name = &self.status.node(winner).name;
        let runs_there = self.status.rsc(self.rsc).running_on.contains(&winner);
        Some(match (score == best, runs_there) {
            (false, _) => format!("not here: {name} has the higher score {}", Score::finite(best)),
            (true, true) => format!("not here: no better than {name}, where it runs"),
            (true, false) => format!("not here: no better than {name}, which is chosen"),
        })
    }

    /// What is wrong with the node itself.
    fn node_facts(&self, idx: NodeIdx) -> Vec<String> {
        let node = self.status.node(idx);
        [
            (node.unclean, "the node has to be fenced first"),
            (!node.online && !node.unclean, "the node is offline"),
            (node.standby, "the node is in standby"),
            (node.maintenance, "the node is in maintenance"),
            (node.shutdown, "the node is shutting down"),
            (node.pending, "the node is still joining"),
        ]
        .into_iter()
        .filter(|&(holds, _text)| holds)
        .map(|(_holds, text)| text.to_owned())
        .collect()
    }

    /// Notes about the instance or what it is part of: those about `node`, or about no node.
    fn notes(&self, node: Option<NodeIdx>) -> impl Iterator<Item = &Note> {
        let wanted = node.map(|node| &self.status.node(node).name);
        let chain: Vec<_> = std::iter::successors(Some(self.rsc), |rsc| self.status.rsc(*rsc).parent)
            .flat_map(|rsc| {
                let rsc = self.status.rsc(rsc);
                [Some(rsc.id.clone()), rsc.history_id.clone()].into_iter().flatten()
            })
            .collect();
        self.status
            .notes
            .iter()
            .chain(&self.placement.notes)
            .filter(move |note| note.resource.as_ref().is_some_and(|id| chain.contains(id)))
            .filter(move |note| note.node.as_ref() == wanted)
    }
}

/// The note without the names it begins with: they stand above it already.
fn text_of(note: &Note) -> String {
    let mut bare = note.clone();
    bare.resource = None;
    bare.node = None;
    bare.to_string()
}

fn rsc_index(rsc: RscIdx) -> usize {
    rsc.i()
}
