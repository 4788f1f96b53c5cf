//! `systole plan`: what a change would do before it is made.

use crate::{happening, tree::Tree};
use systole_whatif::{Happening, Planned};

/// For people.
pub fn text(changes: &[String], planned: &Planned) -> String {
    let mut text = String::new();
    if !planned.is_change {
        text.push_str("This changes nothing: all is so already.\n");
    } else if planned.happenings.is_empty() && planned.averted.is_empty() {
        text.push_str("Nothing would happen: no resource and no node is touched.\n");
    }
    list(&format!("{} would do this:", changes.join(" + ")), &planned.happenings, &mut text);
    list("and would avert this, which happens otherwise:", &planned.averted, &mut text);
    list("This happens anyway:", &planned.anyway, &mut text);
    text.push_str(&happening::unrest(&planned.settled));
    text
}

fn list(title: &str, happenings: &[Happening], text: &mut String) {
    if happenings.is_empty() {
        return;
    }
    text.push_str(title);
    text.push('\n');
    for happening in happenings {
        text.push_str(&format!("  {}\n", happening::line(happening)));
    }
}

/// For programs.
pub fn tree(changes: &[String], planned: &Planned) -> Tree {
    let part = |name: &str, happenings: &[Happening]| {
        Tree::new(name).children(happenings.iter().map(happening::tree))
    };
    Tree::new("plan")
        .attr("changes_anything", planned.is_change)
        .attr("comes_to_rest", planned.settled.is_at_rest())
        .children(changes.iter().map(|change| Tree::with_text("request", change.as_str())))
        .child(part("happens", &planned.happenings))
        .child(part("averted", &planned.averted))
        .child(part("anyway", &planned.anyway))
}
