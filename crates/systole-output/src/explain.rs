//! `systole explain`: why a resource is where it is, in words and as a tree.

use crate::{happening, outline::Outline, tree::Tree, words};
use systole_scheduler::plan::ChangeKind;
use systole_types::{NodeId, Role};
use systole_whatif::{
    Happening,
    remedy::{Found, Verified},
    why::{Answer, Copies, Explanation, NodeAnswer, Part, Reason, Wait, Why},
};

/// What is told.
pub struct Told<'e> {
    /// The reasons.
    pub explanation: &'e Explanation,
    /// Only about this node.
    pub only: Option<&'e NodeId>,
    /// What would bring it where it is not.
    pub advice: Option<&'e Advice>,
    /// Times are given that many seconds ahead of UTC.
    pub utc_offset: i64,
}

/// What would bring a resource where one would expect it.
#[derive(Clone, Debug)]
pub struct Advice {
    /// What was tried for: `it runs on beta`.
    pub goal: String,
    /// Whether it will come so by itself.
    pub is_under_way: bool,
    /// What was found.
    pub found: Found,
}

/// How many consequences of a change are told.
const MAX_EFFECTS: usize = 4;

impl Told<'_> {
    /// For people.
    pub fn text(&self) -> String {
        let mut outline = Outline::new();
        let explanation = self.explanation;
        match explanation.parts.as_slice() {
            [part] if explanation.kind == "primitive" => {
                for answer in &part.answers {
                    outline.push(0, format!("{}: {}", answer.resource, standing(answer)));
                    outline.append(1, self.body(answer));
                }
            }
            parts => {
                let copies = match explanation.copies {
                    Some(copies) => format!(", {}", copies_text(copies)),
                    None => {
                        format!(", {} of {} run", parts.iter().filter(|part| runs(part)).count(), parts.len())
                    }
                };
                outline.push(0, format!("{}: {}{copies}", explanation.resource, explanation.kind));
                self.parts(parts, &mut outline);
            }
        }
        if let Some(advice) = self.advice {
            advise(advice, &mut outline);
        }
        outline.lines().map(|(depth, line)| format!("{}{line}\n", "  ".repeat(depth))).collect()
    }

    /// One line for what is well; reasons, told once, for those that share them.
    fn parts(&self, parts: &[Part], outline: &mut Outline) {
        let mut told: Vec<(Vec<String>, String, Outline)> = Vec::new();
        let (well, others): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| {
            let is_as_wanted =
                is_well(part) && !part.answers.iter().any(|answer| self.should_be_more(answer));
            self.only.is_none() && part.answers.len() > 1 && is_as_wanted
        });
        for part in well {
            outline.push(1, format!("{}: {}", part.name, in_one_line(part)));
        }
        for answer in self.relevant(others.into_iter().flat_map(|part| &part.answers).collect()) {
            let is_short = self.only.is_none()
                && (answer.is_settled || goes_where_it_belongs(answer))
                && !self.should_be_more(answer);
            let body = if is_short { Outline::new() } else { self.body(answer) };
            let mut standing = standing(answer);
            for happening in answer.happenings.iter().filter(|_| is_short) {
                standing.push_str(&format!(", {}", happening::of_itself(happening)));
            }
            let name = answer.resource.to_string();
            match told.iter_mut().find(|(_, known, of)| !body.is_empty() && *known == standing && *of == body)
            {
                Some((names, ..)) => names.push(name),
                None => told.push((vec![name], standing, body)),
            }
        }
        for (names, standing, body) in told {
            outline.push(1, format!("{}: {standing}", names.join(", ")));
            outline.append(2, body);
        }
    }

    /// Whether fewer instances will be promoted than should be, and this is one that might be.
    fn should_be_more(&self, answer: &Answer) -> bool {
        let Some(copies) = self.explanation.copies else { return false };
        let all = self.explanation.parts.iter().flat_map(|part| &part.answers);
        let n_promoted = all.filter(|answer| answer.next_role == Role::Promoted).count();
        n_promoted < copies.promoted_wanted as usize && answer.lacks_promotion()
    }

    /// Asked about a node: what runs there, or else what might.
    fn relevant<'a>(&self, answers: Vec<&'a Answer>) -> Vec<&'a Answer> {
        let Some(node) = self.only else { return answers };
        let those = |is_meant: &dyn Fn(&Answer) -> bool| -> Vec<&'a Answer> {
            answers.iter().copied().filter(|answer| is_meant(answer)).collect()
        };
        let there = those(&|answer| answer.hosts.contains(node));
        let idle = those(&|answer| answer.running_on.is_empty() && answer.on(node).is_some());
        match (there.is_empty(), idle.is_empty()) {
            (false, _) => there,
            (true, false) => idle,
            (true, true) => those(&|answer| answer.on(node).is_some()),
        }
    }

    fn body(&self, answer: &Answer) -> Outline {
        let mut outline = Outline::new();
        for happening in &answer.happenings {
            outline.push(0, happening::of_itself(happening));
        }
        for wait in &answer.waits {
            outline.push(0, wait_text(wait));
        }
        for reason in &answer.reasons {
            outline.push(0, self.reason_text(reason));
        }
        let mut lines: Vec<(Vec<&str>, String)> = Vec::new();
        for part in &answer.nodes {
            if !self.is_asked_about(answer, &part.node) || self.goes_without_saying(answer, part) {
                continue;
            }
            // A reason that holds everywhere has been told; what it makes of each node is not news.
            let is_ruled_out = answer.reasons.iter().any(Reason::rules_out);
            if part.reasons.is_empty() && is_ruled_out && self.only.is_none() {
                continue;
            }
            let text = self.node_text(part);
            match lines.iter_mut().find(|(_, known)| *known == text) {
                Some((names, _)) => names.push(part.node.as_str()),
                None => lines.push((vec![part.node.as_str()], text)),
            }
        }
        for (names, text) in lines {
            outline.push(0, format!("{} {text}", names.join(", ")));
        }
        outline
    }

    /// Where it may not be by what it is part of, or by what the node is for, is told of what runs nowhere, or when asked for.
    fn goes_without_saying(&self, answer: &Answer, part: &NodeAnswer) -> bool {
        match part.reasons.as_slice() {
            [Reason { why: Why::NotAllowed { opt_in: false }, .. }] => !answer.running_on.is_empty(),
            _ => self.only.is_none() && part.is_other_guest(),
        }
    }

    /// What runs in a guest on the node that was asked about is asked about, too; and what makes another node better.
    fn is_asked_about(&self, answer: &Answer, node: &NodeId) -> bool {
        let Some(only) = self.only else { return true };
        let is_chosen_instead =
            |reason: &Reason| matches!(&reason.why, Why::Worse { than, .. } if than == node);
        only == node
            || answer.is_inside(node, only)
            || answer.on(only).is_some_and(|part| part.reasons.iter().any(is_chosen_instead))
    }

    fn node_text(&self, part: &NodeAnswer) -> String {
        let score = part.score.map_or("never".to_owned(), |score| score.to_string());
        let reasons: Vec<String> = part.reasons.iter().map(|reason| self.reason_text(reason)).collect();
        if reasons.is_empty() { format!("({score})") } else { format!("({score}): {}", reasons.join("; ")) }
    }

    fn reason_text(&self, reason: &Reason) -> String {
        match &reason.why {
            Why::Failed(failure) => match failure.at {
                Some(at) => format!("{reason} at {}", words::date_text(at, self.utc_offset)),
                None => reason.to_string(),
            },
            _ => match reason.until {
                Some(until) => format!("{reason} until {}", words::date_text(until, self.utc_offset)),
                None => reason.to_string(),
            },
        }
    }

    /// For programs.
    pub fn tree(&self) -> Tree {
        let explanation = self.explanation;
        let mut tree = Tree::new("explanation")
            .attr("resource", explanation.resource.as_str())
            .attr("kind", explanation.kind);
        if let Some(copies) = explanation.copies {
            tree = tree.attr("copies_wanted", copies.wanted).attr("copies_active", copies.active);
            if copies.promoted_wanted > 0 {
                tree = tree
                    .attr("promoted_wanted", copies.promoted_wanted)
                    .attr("promoted_active", copies.promoted);
            }
        }
        let answers = self.relevant(explanation.parts.iter().flat_map(|part| &part.answers).collect());
        let tree = tree.children(answers.into_iter().map(|answer| self.instance_tree(answer)));
        match self.advice {
            Some(advice) => tree.child(advice_tree(advice)),
            None => tree,
        }
    }

    fn instance_tree(&self, answer: &Answer) -> Tree {
        let places: Vec<&str> = answer.running_on.iter().map(NodeId::as_str).collect();
        let is_told = |part: &&NodeAnswer| {
            self.is_asked_about(answer, &part.node) && (self.only.is_some() || !part.is_other_guest())
        };
        let nodes = answer.nodes.iter().filter(is_told);
        Tree::new("instance")
            .attr("resource", answer.resource.as_str())
            .attr("role", answer.role.as_str())
            .attr("running_on", places.join(" "))
            .maybe("assigned_to", answer.assigned.as_ref().map(NodeId::as_str))
            .attr("settled", answer.is_settled)
            .children(answer.reasons.iter().map(|reason| self.reason_tree(reason)))
            .children(nodes.map(|part| {
                Tree::new("node")
                    .attr("name", part.node.as_str())
                    .maybe("score", part.score.map(|score| score.to_string()))
                    .children(part.reasons.iter().map(|reason| self.reason_tree(reason)))
            }))
            .children(answer.happenings.iter().map(happening::tree))
            .children(answer.waits.iter().map(wait_tree))
    }

    fn reason_tree(&self, reason: &Reason) -> Tree {
        let score = match &reason.why {
            Why::Score(score, _) => Some(score.to_string()),
            Why::Banned(_) => Some("-INFINITY".to_owned()),
            _ => None,
        };
        let element = reason.element.as_ref().map(|id| id.as_str());
        Tree::with_text("reason", self.reason_text(reason))
            .maybe("element", element)
            .maybe("score", score)
            .maybe("until", reason.until.map(|until| until.0))
            .attr("rules_out", reason.rules_out())
    }
}

/// Whether all that happens to it next brings it where it is wanted.
fn goes_where_it_belongs(answer: &Answer) -> bool {
    let is_welcome = |happening: &Happening| {
        !happening.is_blocked && !matches!(happening.kind, ChangeKind::Stop | ChangeKind::Demote)
    };
    !answer.happenings.is_empty() && answer.happenings.iter().all(is_welcome)
}

fn runs(part: &Part) -> bool {
    part.answers.iter().all(|answer| answer.role >= Role::Started && !answer.running_on.is_empty())
}

fn is_well(part: &Part) -> bool {
    part.answers.iter().all(|answer| answer.is_settled)
}

/// A replica of which all parts are well: where it is, and in which role what is inside.
fn in_one_line(part: &Part) -> String {
    let hosts = part.answers.iter().map(|answer| &answer.running_on);
    let place = hosts.into_iter().flatten().next().map_or(String::new(), |node| format!(" on {node}"));
    let inner = part.answers.iter().rev().find(|answer| answer.hosts.len() > answer.running_on.len());
    let inner = inner.map_or(String::new(), |inner| format!(", {} {}", inner.resource, inner.role));
    format!("Started{place}{inner}")
}

/// `Started on alpha, and stays there`.
fn standing(answer: &Answer) -> String {
    let names: Vec<&str> = answer.running_on.iter().map(NodeId::as_str).collect();
    let place = if names.is_empty() { String::new() } else { format!(" on {}", names.join(" and ")) };
    let role = if answer.role == Role::Unknown { Role::Stopped } else { answer.role };
    let next = match (&answer.assigned, answer.is_settled) {
        (_, true) => "",
        (None, false) if names.is_empty() && answer.happenings.is_empty() => ", and stays so",
        _ => "",
    };
    format!("{role}{place}{next}")
}

fn copies_text(copies: Copies) -> String {
    let mut text = format!("{} of {} copies run", copies.active, copies.wanted);
    if copies.promoted_wanted > 0 {
        text.push_str(&format!(", {} of {} promoted", copies.promoted, copies.promoted_wanted));
    }
    text
}

fn wait_text(wait: &Wait) -> String {
    let place = wait.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
    let after: Vec<String> = wait.after.iter().map(ToString::to_string).collect();
    format!("its {}{place} waits for: {}", wait.task, after.join(", "))
}

fn wait_tree(wait: &Wait) -> Tree {
    Tree::new("wait")
        .attr("task", wait.task.as_str())
        .maybe("node", wait.node.as_ref().map(NodeId::as_str))
        .children(wait.after.iter().map(|prior| {
            Tree::new("prior")
                .attr("task", prior.task.as_str())
                .maybe("resource", prior.resource.as_ref().map(|id| id.as_str()))
                .maybe("node", prior.node.as_ref().map(NodeId::as_str))
                .children(prior.orders.iter().map(|order| Tree::new("order").attr("id", order.as_str())))
        }))
}

fn advise(advice: &Advice, outline: &mut Outline) {
    let found = &advice.found;
    let goal = &advice.goal;
    if advice.is_under_way {
        return outline.push(0, format!("What is under way will see to it that {goal}."));
    }
    let tried = match found.n_tried {
        0 => return,
        1 => "1 change was tried".to_owned(),
        n => format!("{n} changes were tried"),
    };
    let Some(first) = found.verified.first() else {
        let limit = if found.is_cut_short { ", not all there are" } else { "" };
        return outline.push(
            0,
            format!(
                "Nothing was found that would see to it that {goal}, alone or up to three together ({tried}{limit})."
            ),
        );
    };
    let which = match (found.verified.len(), first.remedies.len()) {
        (1, 1) => "this would do",
        (_, 1) => "any of these would do",
        (1, _) => "these would do together",
        _ => "any of these would do, all its lines together",
    };
    outline.push(0, format!("So that {goal}, {which} (seen by scheduling again):"));
    for verified in &found.verified {
        for remedy in &verified.remedies {
            let caution = remedy.caution().map_or(String::new(), |caution| format!("   # {caution}"));
            outline.push(1, format!("{remedy}{caution}"));
        }
        outline.push(2, effects(verified));
    }
}

fn effects(verified: &Verified) -> String {
    if verified.happenings.is_empty() {
        return "-> nothing else happens".to_owned();
    }
    let told: Vec<String> = verified.happenings.iter().take(MAX_EFFECTS).map(happening::line).collect();
    let more = verified.happenings.len().saturating_sub(MAX_EFFECTS);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    format!("-> {}{rest}", told.join("; "))
}

fn advice_tree(advice: &Advice) -> Tree {
    let changes = advice.found.verified.iter().map(|verified| {
        let commands = verified.remedies.iter().map(|remedy| {
            let tree = Tree::with_text("command", remedy.to_string()).attr("plan", remedy.words().join(" "));
            tree.maybe("caution", remedy.caution())
        });
        Tree::new("change").children(commands).children(verified.happenings.iter().map(happening::tree))
    });
    Tree::new("advice")
        .attr("goal", advice.goal.as_str())
        .attr("under_way", advice.is_under_way)
        .attr("tried", advice.found.n_tried)
        .attr("complete", !advice.found.is_cut_short)
        .children(changes)
}
