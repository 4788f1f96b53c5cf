//! `systole whatif`: what the loss of nodes would do.

use crate::{happening, tree::Tree};
use systole_scheduler::plan::ChangeKind;
use systole_types::NodeId;
use systole_whatif::{Loss, Shortfall};

/// One loss, with all that happens.
pub fn text(loss: &Loss) -> String {
    let mut text = format!("Loss of {}: {}\n", names(loss), quorum(loss));
    for happening in &loss.happenings {
        text.push_str(&format!("  {}\n", happening::line(happening)));
    }
    if loss.happenings.is_empty() {
        text.push_str("  nothing happens: no resource and no other node is touched\n");
    }
    text.push_str(if loss.shortfalls.is_empty() {
        "At rest all runs as it did.\n"
    } else {
        "At rest this does not run as it did:\n"
    });
    for shortfall in &loss.shortfalls {
        text.push_str(&format!("  {}\n", shortfall_text(shortfall)));
        for want in &shortfall.wants {
            text.push_str(&format!("    {want}\n"));
        }
    }
    text.push_str(&happening::unrest(&loss.settled));
    text
}

/// A table of losses, a line each; what is down is told with what it is down for want of.
pub fn table(losses: &[Loss]) -> String {
    let width = losses.iter().map(|loss| names(loss).len()).max().unwrap_or(0);
    let mut text = String::new();
    for loss in losses {
        let (down, fewer): (Vec<&Shortfall>, Vec<&Shortfall>) =
            loss.shortfalls.iter().partition(|shortfall| shortfall.is_down());
        let mut parts = vec![quorum(loss).to_owned()];
        match loss.shortfalls.is_empty() {
            true => parts.push("nothing stays down".to_owned()),
            false if down.is_empty() => parts.push("nothing is down".to_owned()),
            false => parts.push(format!("down: {}", list(&down))),
        }
        if !fewer.is_empty() {
            parts.push(format!("fewer: {}", list(&fewer)));
        }
        let touched = count(loss, |kind| !matches!(kind, ChangeKind::Fence(_) | ChangeKind::Shutdown));
        parts.push(match touched {
            1 => "1 resource is touched".to_owned(),
            n => format!("{n} resources are touched"),
        });
        text.push_str(&format!("  {:<width$}  {}\n", names(loss), parts.join("; ")));
        for (want, resources) in wants(&down) {
            text.push_str(&format!("  {:<width$}    {resources}: {want}\n", ""));
        }
    }
    text
}

/// What is wanted, each once, with how many resources want it.
fn wants(down: &[&Shortfall]) -> Vec<(String, String)> {
    let mut wants: Vec<(String, Vec<&str>)> = Vec::new();
    for shortfall in down {
        let want = shortfall.wants.join("; ");
        match wants.iter_mut().find(|(known, _)| *known == want) {
            Some((_, resources)) => resources.push(shortfall.resource.as_str()),
            None => wants.push((want, vec![shortfall.resource.as_str()])),
        }
    }
    let who = |resources: Vec<&str>| match resources.as_slice() {
        [first, second, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second} and {} more", rest.len())
        }
        few => few.join(", "),
    };
    wants
        .into_iter()
        .filter(|(want, _)| !want.is_empty())
        .map(|(want, resources)| (want, who(resources)))
        .collect()
}

/// How many are listed by name.
const MAX_LISTED: usize = 6;

fn list(shortfalls: &[&Shortfall]) -> String {
    let mut names: Vec<String> =
        shortfalls.iter().take(MAX_LISTED).map(|shortfall| short(shortfall)).collect();
    if shortfalls.len() > MAX_LISTED {
        names.push(format!("and {} more", shortfalls.len() - MAX_LISTED));
    }
    names.join(", ")
}

/// `galera-bundle 2/3`.
fn short(shortfall: &Shortfall) -> String {
    let (copies, promoted) = (shortfall.copies, shortfall.promoted);
    match copies {
        (1, 0) => shortfall.resource.to_string(),
        (was, is) if is < was => format!("{} {is}/{was}", shortfall.resource),
        _ => format!("{} promoted {}/{}", shortfall.resource, promoted.1, promoted.0),
    }
}

fn shortfall_text(shortfall: &Shortfall) -> String {
    let (copies, promoted) = (shortfall.copies, shortfall.promoted);
    let mut parts = Vec::new();
    match copies {
        (1, 0) => parts.push("down".to_owned()),
        (was, is) if is < was => parts.push(format!("{is} of {was} copies run")),
        _ => {}
    }
    if promoted.1 < promoted.0 && copies.1 > 0 {
        parts.push(format!("{} of {} promoted", promoted.1, promoted.0));
    }
    format!("{}: {}", shortfall.resource, parts.join(", "))
}

fn names(loss: &Loss) -> String {
    loss.nodes.iter().map(NodeId::as_str).collect::<Vec<_>>().join(" + ")
}

const fn quorum(loss: &Loss) -> &'static str {
    if loss.has_quorum { "quorum is kept" } else { "quorum is lost" }
}

fn count(loss: &Loss, is_meant: impl Fn(&ChangeKind) -> bool) -> usize {
    loss.happenings.iter().filter(|happening| is_meant(&happening.kind)).count()
}

/// For programs.
pub fn tree(loss: &Loss) -> Tree {
    let shortfalls = loss.shortfalls.iter().map(|shortfall| {
        Tree::new("shortfall")
            .attr("resource", shortfall.resource.as_str())
            .attr("down", shortfall.is_down())
            .attr("copies_before", shortfall.copies.0)
            .attr("copies", shortfall.copies.1)
            .attr("promoted_before", shortfall.promoted.0)
            .attr("promoted", shortfall.promoted.1)
            .children(shortfall.wants.iter().map(|want| Tree::with_text("want", want.as_str())))
    });
    Tree::new("loss")
        .attr("quorum", loss.has_quorum)
        .attr("comes_to_rest", loss.settled.is_at_rest())
        .children(loss.nodes.iter().map(|node| Tree::new("lost").attr("node", node.as_str())))
        .children(loss.happenings.iter().map(happening::tree))
        .children(shortfalls)
}
