//! Looking at the cluster: once, or whenever something changes.

use super::{Args, notify::Notifier, sections};
use crate::{
    Cluster, Exit, Session,
    report::{self, Form, Report},
    session::system_time,
    view::{self, View},
};
use std::{collections::BTreeSet, thread, time::Duration};
use systole_output::{
    status::{
        ListOptions, Page, Section, TextOptions, status_html, status_text, status_tree, unreachable_html,
    },
    tree::Tree,
};
use systole_scheduler::{Overview, Status, overview::NodeView};
use systole_wire::{EXECUTOR_ATTRIBUTE, EXECUTOR_AWAY, EXECUTOR_LEFT};

/// A file is not written more often than this, however much changes.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);

/// What is looked at, and how often.
pub(super) struct Watch<'a> {
    args: &'a Args,
    sections: BTreeSet<Section>,
    interval: Duration,
}

impl<'a> Watch<'a> {
    pub fn new(args: &'a Args, sections: BTreeSet<Section>, interval: Duration) -> Self {
        Self { args, sections, interval }
    }

    /// Shows the state once.
    pub fn once(&self, session: &mut Session<'_>) -> anyhow::Result<Exit> {
        let mut cluster = Cluster::open(session)?;
        let view = view::look(session, &mut cluster)?;
        let report = self.report(session, &mut cluster, &view)?;
        report::emit(session, &self.args.output, report)
    }

    /// Shows the state on the terminal until the connection is lost.
    pub fn keep_screen(&self, session: &mut Session<'_>) -> anyhow::Result<Exit> {
        let mut cluster = Cluster::open(session)?;
        cluster.subscribe()?;
        let mut notifier = Notifier::new(self.args);
        loop {
            let view = view::look(session, &mut cluster)?;
            let report = self.report(session, &mut cluster, &view)?;
            session.print(&format!("\x1b[H\x1b[2J{}", report.text))?;
            session.out.flush()?;
            notifier.look(&view.document);
            cluster.next_change(self.interval)?;
            session.now = system_time();
        }
    }

    /// Keeps the file up to date for ever. While the cluster cannot be reached the file says so, and it is tried again.
    pub fn keep_file(&self, session: &mut Session<'_>) -> anyhow::Result<Exit> {
        let mut notifier = Notifier::new(self.args);
        loop {
            let Err(error) = self.follow_connection(session, &mut notifier);
            if self.args.has_file() {
                // A full disk now may have room at the next attempt.
                let _ = report::emit(session, &self.args.output, self.unreachable(session, &error));
            }
            thread::sleep(self.interval);
            session.now = system_time();
        }
    }

    /// Does so until the connection is lost.
    fn follow_connection(
        &self,
        session: &mut Session<'_>,
        notifier: &mut Notifier,
    ) -> Result<std::convert::Infallible, anyhow::Error> {
        let mut cluster = Cluster::open(session)?;
        cluster.subscribe()?;
        loop {
            session.now = system_time();
            let view = view::look(session, &mut cluster)?;
            // Results are told whether there is room for the page or not; nothing else may be wanted.
            notifier.look(&view.document);
            if self.args.has_file() {
                let report = self.report(session, &mut cluster, &view)?;
                report::emit(session, &self.args.output, report)?;
            }
            thread::sleep(SHORTEST_PAUSE);
            cluster.next_change(self.interval.saturating_sub(SHORTEST_PAUSE))?;
        }
    }

    fn unreachable(&self, session: &Session<'_>, error: &anyhow::Error) -> Report {
        let exit = crate::exit::exit_of(error);
        let text = format!("{}: {error:#}", session.tool);
        Report {
            html: Some(unreachable_html(&text, &self.page())),
            text: format!("{text}\n"),
            errors: vec![text],
            exit: Some(exit),
            ..Report::default()
        }
    }

    fn report(&self, session: &Session<'_>, cluster: &mut Cluster, view: &View) -> anyhow::Result<Report> {
        let args = self.args;
        let mut sections = self.sections.clone();
        if args.tells_missing_dc && view.overview.summary.dc.is_none() {
            sections.insert(Section::Dc);
        }
        let options = TextOptions {
            list: list_options(args, view),
            sections,
            timing: args.timing_details,
            failure_detail: args.show_detail,
            ban_prefix: args.neg_locations.clone().unwrap_or_default(),
            now: session.now,
            utc_offset: session.utc_offset,
        };
        // As with Pacemaker, constraints are looked at only where something is said of them.
        let tells_of_constraints =
            [Section::Tickets, Section::Bans].iter().any(|it| options.sections.contains(it));
        let after_constraints = tells_of_constraints
            .then(|| Overview::after_constraints(Status::unpack(&view.cib, session.local_time())));
        let overview = after_constraints.as_ref().unwrap_or(&view.overview);
        let mut report = Report {
            text: status_text(overview, &options),
            trees: if args.output.is_for_programs() { status_tree(overview, &options) } else { Vec::new() },
            html: (args.output.form() == Form::Html).then(|| status_html(overview, &options, &self.page())),
            is_legacy: args.as_xml,
            ..Report::default()
        };
        if args.warnings {
            warn(&mut report, &warnings(cluster, overview)?);
        }
        Ok(report)
    }

    fn page(&self) -> Page {
        let refresh = self.args.has_file().then_some(self.interval.as_secs());
        Page {
            title: self.args.html_title.clone(),
            stylesheet: self.args.html_stylesheet.clone(),
            refresh,
            is_cgi: self.args.html_cgi,
        }
    }
}

/// What an administrator should know before anything else.
fn warnings(cluster: &mut Cluster, overview: &Overview) -> anyhow::Result<Vec<String>> {
    let mut warnings = Vec::new();
    if !overview.summary.fencing_enabled {
        warnings.push(
            "data is at risk: fencing is disabled, so after a failure two nodes may write to the same data \
             (fencing-enabled=false)"
                .to_owned(),
        );
    }
    let mark = |node: &NodeView| {
        let reason = node.attributes.iter().find(|it| &*it.name == EXECUTOR_ATTRIBUTE);
        reason.map(|reason| reason.value.to_string())
    };
    for node in &overview.nodes {
        let what = match mark(node).as_deref() {
            Some(EXECUTOR_AWAY) => format!("systole-execd does not answer on {}", node.name),
            Some(EXECUTOR_LEFT) => {
                format!(
                    "{} has left the cluster with what it runs, until it is back or confirmed to be off",
                    node.name
                )
            }
            _ => continue,
        };
        warnings.push(format!(
            "{what}: it counts as in maintenance, what runs there is left as it is and not started elsewhere"
        ));
    }
    if !cluster.is_live() {
        return Ok(warnings);
    }
    let node = cluster.node()?;
    if !node.has_quorum {
        warnings.push(format!("the partition of {} has no quorum: {}", node.node, node.members.join(" ")));
    }
    if node.dc.is_none() {
        warnings.push("no DC has been elected yet: nothing is scheduled".to_owned());
    }
    let is_marked = |it: &NodeView| it.name.as_str() == node.node && mark(it).is_some();
    if !node.executor && !overview.nodes.iter().any(is_marked) {
        warnings.push(format!(
            "systole-execd does not answer on {}: nothing is started or stopped there",
            node.node
        ));
    }
    if let Some(error) = &node.disk_error {
        warnings.push(format!("{} cannot keep its CIB on disk: {error}", node.node));
    }
    Ok(warnings)
}

/// Puts warnings first.
fn warn(report: &mut Report, warnings: &[String]) {
    if warnings.is_empty() {
        return;
    }
    let lines: String = warnings.iter().map(|warning| format!("WARNING: {warning}\n")).collect();
    report.text = format!("{lines}\n{}", report.text);
    let tree =
        Tree::new("warnings").children(warnings.iter().map(|text| Tree::with_text("warning", text.as_str())));
    report.trees.insert(0, tree);
}

fn list_options(args: &Args, view: &View) -> ListOptions {
    ListOptions {
        inactive: (args.inactive || args.output.is_for_programs()) && !args.hide_inactive,
        detail: args.show_detail,
        describe: args.show_description,
        brief: args.brief,
        group_by_node: args.group_by_node,
        hide_nodes: false,
        nodes: args.node.as_deref().and_then(|name| sections::nodes_named(view, name)),
        resources: args.resource.as_deref().map(|name| sections::resources_named(view, name)),
    }
}
