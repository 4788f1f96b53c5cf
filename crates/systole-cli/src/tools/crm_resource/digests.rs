//! Digests of a resource's parameters.

use super::Args;
use crate::{Failed, report::Report, view::View};
use std::sync::Arc;
use systole_output::tree::Tree;
use systole_scheduler::{
    Status,
    status::{Digest, Kind},
};
use systole_types::LocalTime;

/// `NAME=VALUE`s.
pub(super) fn pairs(words: &[String]) -> anyhow::Result<Vec<(Arc<str>, Arc<str>)>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(Failed::usage(format!("{word} is not NAME=VALUE"))),
    };
    words.iter().map(pair).collect()
}

/// What the resource's parameters on a node would be known by, were its last operation done again.
pub(super) fn show(view: &View, args: &Args, id: &str, now: LocalTime) -> anyhow::Result<Report> {
    let name = args.node.as_deref().ok_or_else(|| Failed::usage("Must supply a node name with -N/--node"))?;
    let status = Status::unpack(&view.cib, now);
    let rsc = status
        .find_resource(id)
        .filter(|rsc| matches!(status.rsc(*rsc).kind, Kind::Primitive(_)))
        .ok_or_else(|| Failed::no_such(format!("'{id}' is not a primitive: digests are of primitives")))?;
    let node = status.find_node(name).ok_or_else(|| Failed::no_such(format!("Node '{name}' not found")))?;
    let digests = status.digests(rsc, node, &pairs(&args.changed)?);
    let kinds = [
        ("all", "all parameters", Some(&digests.all)),
        ("nonprivate", "non-private parameters", Some(&digests.nonprivate)),
        ("nonreloadable", "non-reloadable parameters", digests.nonreloadable.as_ref()),
    ];
    let there = kinds.into_iter().filter_map(|(kind, words, digest)| Some((kind, words, digest?)));
    let text: String =
        there.clone().map(|(_, words, digest)| format!("{} ({words})\n", digest.hash)).collect();
    let tree = Tree::new("digests")
        .attr("resource", id)
        .attr("node", name)
        .attr("task", &*digests.task)
        .attr("interval", format!("{}ms", digests.interval.as_millis()))
        .children(there.map(|(kind, _, digest)| digest_tree(kind, digest)));
    Ok(Report::new(text, tree))
}

fn digest_tree(kind: &str, digest: &Digest) -> Tree {
    // Pacemaker's sequence is that of a hash table. The last name first is what its examples have.
    let parameters = digest
        .parameters
        .iter()
        .rev()
        .fold(Tree::new("parameters"), |tree, (name, value)| tree.attr(name, &**value));
    Tree::new("digest").attr("type", kind).attr("hash", digest.hash.as_str()).child(parameters)
}
