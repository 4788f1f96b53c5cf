//! Digests of a resource's parameters.

use super::{Args, find::Found};
use crate::{Exit, Failed, report::Report};
use std::sync::Arc;
use systole_output::tree::Tree;
use systole_scheduler::status::Digest;

/// `NAME=VALUE`s.
pub(super) fn pairs(words: &[String]) -> anyhow::Result<Vec<(Arc<str>, Arc<str>)>> {
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err(Failed::usage(format!("{word} is not NAME=VALUE"))),
    };
    words.iter().map(pair).collect()
}

/// What the resource's parameters on a node would be known by, were its last operation done again.
pub(super) fn show(found: &Found<'_>, args: &Args) -> anyhow::Result<Report> {
    let rsc = found.resource()?;
    let node = found.node.ok_or_else(|| Failed::usage("Must supply a node name with -N/--node"))?;
    let (resource, name) = (found.status.rsc(rsc), found.node_name(node));
    let id = resource.id.as_str();
    if !resource.is_primitive() {
        let message = format!("'{id}' is not a primitive: digests are of primitives");
        return Err(Failed::new(Exit::Unimplemented, message).into());
    }
    let digests = found.status.digests(rsc, node, &pairs(&args.changed)?);
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
