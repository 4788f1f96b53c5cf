//! `systole whatif`: what the loss of nodes would do.

use crate::{
    Cluster, Exit, Failed, Session, names, rehearse,
    report::{OutputArgs, Report},
    runner,
};
use std::thread;
use systole_cib::{read, xml::Document};
use systole_output::{loss, tree::Tree};
use systole_scheduler::{Status, placement::Detail};
use systole_types::NodeId;
use systole_whatif::{Loss, Moment, Standing, combinations, lose};

/// What the loss of nodes would do: fencing, recovery, and what would be down, for want of what.
#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("question").required(true))]
pub(super) struct Args {
    /// These nodes are lost together
    #[arg(long, value_name = "NODE", num_args = 1.., group = "question")]
    fail: Vec<String>,
    /// A table for every node (1), or every two nodes (2)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2), group = "question")]
    n_minus: Option<u8>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Tells what would happen.
pub(super) fn run(session: &mut Session<'_>, args: Args) -> anyhow::Result<Exit> {
    let result = perform(session, &args);
    runner::finish(session, &args.output, result)
}

fn perform(session: &mut Session<'_>, args: &Args) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let document = cluster.cib()?;
    let moment = rehearse::moment(session, cluster.is_live());
    let before = Standing::at_rest(&document, moment);
    let Some(n) = args.n_minus else {
        let nodes = node_names(&document, moment, &args.fail)?;
        let told = lose(&document, moment, &nodes, &before, Detail::Scores);
        return Ok(Report::new(loss::text(&told), loss::tree(&told)));
    };
    let mut report = Report::silent();
    for n in 1..=usize::from(n) {
        let sets = combinations(&document, moment, n);
        let losses = lose_each(&document, moment, &sets, &before);
        let title = if n == 1 { "Loss of one node" } else { "Loss of two nodes" };
        let table = match (losses.is_empty(), n) {
            (true, 1) => "  no node is online: there is none to lose\n".to_owned(),
            (true, _) => "  fewer than two nodes are online\n".to_owned(),
            _ => loss::table(&losses),
        };
        report.text.push_str(&format!("{title}:\n{table}"));
        report.trees.push(Tree::new("n_minus").attr("n", n).children(losses.iter().map(loss::tree)));
    }
    Ok(report)
}

fn node_names(document: &Document, moment: Moment, names: &[String]) -> anyhow::Result<Vec<NodeId>> {
    let (cib, _) = read(document);
    let status = Status::unpack(&cib, moment.now);
    let find = |name: &String| {
        let node = status.node(names::node(&status, name)?);
        if node.is_guest() {
            let why = format!("{name} is a guest node: it is lost with its host, or its container fails");
            return Err(Failed::usage(why));
        }
        Ok(node.name.clone())
    };
    names.iter().map(find).collect()
}

/// Each set of nodes lost for itself, as many at a time as there are processors.
fn lose_each(document: &Document, moment: Moment, sets: &[Vec<NodeId>], before: &Standing) -> Vec<Loss> {
    let n_threads = thread::available_parallelism().map_or(1, usize::from).min(sets.len().max(1));
    let share = sets.len().div_ceil(n_threads).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = sets
            .chunks(share)
            .map(|sets| {
                scope.spawn(move || {
                    sets.iter()
                        .map(|nodes| lose(document, moment, nodes, before, Detail::Result))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker ends with its answer")).collect()
    })
}
