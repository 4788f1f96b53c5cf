//! What a simulation tells, in the order told: the output of `crm_simulate`.
//!
//! Text is that of Pacemaker 3.0.2, byte for byte. So are trees, but for one thing: Pacemaker loses everything after
//! requested modifications, and what it writes is not valid by its own schema. Here it is.

mod items;

use crate::{
    outline::{Outline, Style},
    status::{ListOptions, Section, TextOptions, status_lists, status_tree},
    tree::Tree,
    words::interval_text,
};
use std::collections::BTreeSet;
use systole_scheduler::{
    Note, Overview, Status, Transition, note::NoteKind, overview::Summary, placement::ScoreLine,
    plan::summary_lines,
};
use systole_types::Timestamp;
use systole_whatif::{Injected, Step};

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Audience {
    /// People, as text.
    #[default]
    People,
    /// People who want only what is essential.
    PeopleInAHurry,
    /// Programs, as trees: they always get everything.
    Programs,
}

/// How a simulation is told.
#[derive(Clone, Debug, Default)]
pub struct Manner {
    /// To whom.
    pub audience: Audience,
    /// Node attributes too.
    pub attributes: bool,
    /// Fail counts and failures too.
    pub fail_counts: bool,
    /// Scores.
    pub scores: bool,
    /// Capacities, and what is used of them.
    pub utilization: bool,
    /// When.
    pub now: Timestamp,
    /// The reader's clock is that many seconds ahead of UTC.
    pub utc_offset: i64,
}

/// Which state is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// As it is.
    Current,
    /// As it is once the transition has been carried out.
    Revised,
}

/// What has been told so far.
#[derive(Clone, Debug)]
pub struct Narrative {
    manner: Manner,
    /// For people.
    pub text: String,
    /// For programs.
    pub trees: Vec<Tree>,
    is_begun: bool,
}

impl Narrative {
    /// Nothing told yet.
    pub fn new(manner: Manner) -> Self {
        Self { manner, text: String::new(), trees: Vec::new(), is_begun: false }
    }

    /// Whether states are told at all.
    pub fn has_states(&self) -> bool {
        self.manner.audience != Audience::PeopleInAHurry
    }

    /// A line outside of all lists, for people only.
    pub fn remark(&mut self, line: &str) {
        if self.manner.audience == Audience::People {
            self.text.push_str(line);
            self.text.push('\n');
        }
    }

    /// What has changed about devices that unfence, as far as it shows in a state. At the end nobody is told any more what to try.
    pub fn changes_of_unfencing(&mut self, moment: Moment, status: &Status<'_>) {
        if self.manner.audience != Audience::People {
            return;
        }
        let texts = status.changes_of_unfencing();
        self.text.extend(texts.iter().filter_map(|note| change(note, moment == Moment::Current)));
    }

    /// An empty line after what has been told. Even who wants only what is essential gets it, as in the reference release.
    fn pause(&mut self) {
        if self.is_begun {
            self.text.push('\n');
        }
        self.is_begun = true;
    }

    /// The state of the cluster.
    pub fn state(&mut self, moment: Moment, overview: &Overview) {
        let options = self.status_options();
        let (title, element) = match moment {
            Moment::Current => ("Current cluster status", "cluster_status"),
            Moment::Revised => ("Revised Cluster Status", "revised_cluster_status"),
        };
        match self.manner.audience {
            Audience::PeopleInAHurry => {}
            Audience::Programs => {
                self.trees.push(Tree::new(element).children(status_tree(overview, &options)));
            }
            Audience::People => {
                if moment == Moment::Current {
                    self.warnings(&overview.summary);
                }
                self.pause();
                let lists = status_lists(overview, &options).into_iter();
                let blocks: Vec<String> = lists
                    .map(|(title, list)| {
                        let below = list.render(Style { depth: 2, ..Style::default() });
                        format!("  * {title}:\n{below}")
                    })
                    .collect();
                self.text.push_str(&format!("{title}:\n{}", blocks.join("\n")));
            }
        }
    }

    fn status_options(&self) -> TextOptions {
        let mut sections = BTreeSet::from([Section::Nodes, Section::Resources]);
        if self.manner.attributes {
            sections.insert(Section::Attributes);
        }
        if self.manner.fail_counts {
            sections.extend([Section::FailCounts, Section::Failures]);
        }
        TextOptions {
            list: ListOptions { inactive: true, ..ListOptions::default() },
            sections,
            failure_detail: true,
            now: self.manner.now,
            utc_offset: self.manner.utc_offset,
            ..TextOptions::default()
        }
    }

    fn warnings(&mut self, summary: &Summary) {
        if summary.maintenance {
            self.text.push_str(
                "\n              *** Resource management is DISABLED ***\n  \
                 The cluster will not attempt to start, stop or recover services\n",
            );
            self.is_begun = true;
        }
        if summary.n_disabled > 0 || summary.n_blocked > 0 {
            self.pause();
            let (disabled, blocked, all) = (summary.n_disabled, summary.n_blocked, summary.n_instances);
            self.remark(&format!(
                "{disabled} of {all} resource instances DISABLED and {blocked} BLOCKED from further action due to \
                 failure"
            ));
        }
    }

    /// Modifications that were asked for.
    pub fn modifications(&mut self, done: &[Injected]) {
        match self.manner.audience {
            Audience::Programs => self.trees.push(items::modifications(done)),
            Audience::PeopleInAHurry => self.pause(),
            Audience::People => {
                self.list("Performing Requested Modifications", done.iter().map(items::modification));
            }
        }
    }

    /// Scores and utilization, as far as they are wanted.
    pub fn scores(&mut self, transition: &Transition<'_>) {
        let (title, element) = match (self.manner.scores, self.manner.utilization) {
            (false, false) => return,
            (true, false) => ("Assignment Scores", "allocations"),
            (false, true) => ("Utilization Information", "utilizations"),
            (true, true) => ("Assignment Scores and Utilization Information", "allocations_utilizations"),
        };
        let is_wanted =
            |line: &&ScoreLine| if line.is_score() { self.manner.scores } else { self.manner.utilization };
        let lines: Vec<&ScoreLine> = transition.placement.scores.iter().filter(is_wanted).collect();
        let texts = lines.iter().map(|line| line.text(&transition.status));
        match self.manner.audience {
            Audience::Programs => {
                let trees = lines.into_iter().map(|line| items::score(line, &transition.status));
                self.trees.push(Tree::new(element).children(trees));
            }
            // Scripts ask for scores alone, and get them without any decoration.
            Audience::PeopleInAHurry if self.manner.scores => {
                self.pause();
                self.text.extend(texts.map(|line| line + "\n"));
            }
            _ => {
                let notes = |late| transition.notes.iter().filter(move |note| is_late(note) == late);
                let before: String = notes(false).filter_map(|note| change(note, true)).collect();
                self.list_after(title, &before, texts);
                self.text.extend(notes(true).filter_map(|note| change(note, true)));
            }
        }
    }

    /// What happens to resources and nodes.
    pub fn changes(&mut self, transition: &Transition<'_>) {
        let (changes, status) = (&transition.changes, &transition.status);
        match self.manner.audience {
            Audience::PeopleInAHurry => {}
            Audience::People => self.list("Transition Summary", summary_lines(changes, status).into_iter()),
            Audience::Programs => {
                let trees = changes.iter().map(|change| items::change(change, status));
                self.trees.push(Tree::new("actions").children(trees));
            }
        }
    }

    /// What was done to carry a transition out.
    pub fn steps(&mut self, steps: &[Step]) {
        match self.manner.audience {
            Audience::PeopleInAHurry => self.pause(),
            Audience::People => {
                self.pause();
                self.text.push_str("Executing Cluster Transition:\n");
                for step in steps {
                    let bullet = if matches!(step, Step::Pretended { .. }) { "" } else { "  * " };
                    self.text.push_str(&format!("{bullet}{}\n", items::step_text(step)));
                }
            }
            Audience::Programs => {
                self.trees.push(Tree::new("transition").children(steps.iter().filter_map(items::step)));
            }
        }
    }

    /// How long each CIB took: file names with seconds.
    pub fn timings(&mut self, timings: &[(String, f64)]) {
        if timings.is_empty() {
            return;
        }
        if self.manner.audience != Audience::Programs {
            let lines = timings.iter().map(|(file, seconds)| format!("Testing {file} ... {seconds:.2} secs"));
            return self.list("Timings", lines);
        }
        let trees = timings.iter().map(|(file, seconds)| {
            Tree::new("timing").attr("file", file.as_str()).attr("duration", format!("{seconds:.6}"))
        });
        self.trees.push(Tree::new("timings").children(trees));
    }

    fn list(&mut self, title: &str, lines: impl Iterator<Item = String>) {
        self.list_after(title, "", lines);
    }

    fn list_after(&mut self, title: &str, before: &str, lines: impl Iterator<Item = String>) {
        self.pause();
        let mut outline = Outline::new();
        lines.for_each(|line| outline.push(0, line));
        self.text.push_str(&format!("{title}:\n{before}{}", outline.render(Style::default())));
    }
}

/// Whether a note is told after the scores.
fn is_late(note: &Note) -> bool {
    matches!(note.kind, NoteKind::DeviceChanged { is_late: true, .. })
}

/// A change of parameters that is told in between; if asked for, with what the node would have to remember.
fn change(note: &Note, with_advice: bool) -> Option<String> {
    let (resource, node) = (note.resource.as_ref()?, note.node.as_ref()?);
    match &note.kind {
        // It makes no difference: secrets may have been taken out of the CIB.
        NoteKind::OnlyPrivateChanged { operation, interval, magic } => {
            let interval = interval_text(*interval);
            let magic = magic.as_ref().map(ToString::to_string).unwrap_or_default();
            Some(format!(
                "Only 'private' parameters to {interval}-interval {operation} for {resource} on {node} changed: {magic}\n"
            ))
        }
        NoteKind::DeviceChanged { summary: None, .. } => {
            Some(format!("Only 'private' parameters to {resource} for unfencing {node} changed\n"))
        }
        NoteKind::DeviceChanged { summary: Some(summary), .. } => {
            let advice = match with_advice {
                true => format!("Parameters to {resource} for unfencing {node} changed, try '{summary}'\n"),
                false => String::new(),
            };
            let notice = "notice: Unfencing node";
            Some(format!("{advice}{notice} {node} because the definition of {resource} changed\n"))
        }
        _ => None,
    }
}
