//! The whole status as text, in the layout of Pacemaker 2.1 and 3.0.

use super::{
    ListOptions, histories, is_worth_showing,
    nodes::{node_list, node_name},
    operations_shown, resource_list,
};
use crate::{
    outline::{Outline, Style},
    words::{date_text, interval_text, op_status_text, rc_text},
};
use std::{collections::BTreeSet, time::Duration};
use systole_scheduler::overview::{
    AttributeView, BanView, FailureView, Overview, ResourceHistoryView, Summary,
};
use systole_types::{OpStatus, Score, Timestamp};

/// A part of the status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What the cluster runs on.
    Stack,
    /// Who schedules.
    Dc,
    /// When it was looked at, when it changed.
    Times,
    /// How many nodes and resources.
    Counts,
    /// Cluster options.
    Options,
    /// Whether resources are left alone.
    MaintenanceMode,
    /// Nodes.
    Nodes,
    /// Resources.
    Resources,
    /// Node attributes.
    Attributes,
    /// Operation history.
    Operations,
    /// Fail counts.
    FailCounts,
    /// Failed operations.
    Failures,
    /// Failed fencing.
    Fencing,
    /// Tickets.
    Tickets,
    /// Location constraints that ban.
    Bans,
}

impl Section {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Stack,
        Self::Dc,
        Self::Times,
        Self::Counts,
        Self::Options,
        Self::MaintenanceMode,
        Self::Nodes,
        Self::Resources,
        Self::Attributes,
        Self::Operations,
        Self::FailCounts,
        Self::Failures,
        Self::Fencing,
        Self::Tickets,
        Self::Bans,
    ];

    /// The ones above the list of nodes, but for options.
    pub const SUMMARY: &[Self] = &[Self::Stack, Self::Dc, Self::Times, Self::Counts, Self::MaintenanceMode];
}

/// How the text is made.
#[derive(Clone, Debug, Default)]
pub struct TextOptions {
    /// What to list.
    pub list: ListOptions,
    /// Which parts.
    pub sections: BTreeSet<Section>,
    /// When each operation ran, with results.
    pub timing: bool,
    /// All that is known of failed operations.
    pub failure_detail: bool,
    /// Of constraints that ban, only those whose ids begin so.
    pub ban_prefix: String,
    /// When this was looked at.
    pub now: Timestamp,
    /// The caller's clock is that many seconds ahead of UTC.
    pub utc_offset: i64,
}

/// The whole text.
pub fn status_text(overview: &Overview, options: &TextOptions) -> String {
    let mut out = Blocks::default();
    let has = |section| options.sections.contains(&section);
    out.list("Cluster Summary", &summary(&overview.summary, options));
    if has(Section::MaintenanceMode) {
        banner(&overview.summary, &mut out);
    }
    for (title, list) in status_lists(overview, options) {
        out.block(&format!("{title}:\n{}", list.render(Style::default())));
    }
    out.text
}

/// What stands below the summary: lists with their titles.
pub fn status_lists(overview: &Overview, options: &TextOptions) -> Vec<(&'static str, Outline)> {
    let has = |section| options.sections.contains(&section);
    let all = has(Section::Operations);
    let history = (all || has(Section::FailCounts)) && histories(overview, &options.list).next().is_some();
    let histories_title = if all { "Operations" } else { "Migration Summary" };
    // Offline guests are not listed, but where there are no other nodes the title stands even so.
    let has_nodes = overview.nodes.iter().any(|node| options.list.wants_node(node.name.as_str()));
    let lists = [
        has(Section::Nodes).then(|| ("Node List", node_list(overview, &options.list))),
        has(Section::Resources).then(|| resources(overview, options)).flatten(),
        has(Section::Attributes).then(|| ("Node Attributes", attributes(overview, options))),
        history.then(|| (histories_title, operations(overview, options, all))),
        has(Section::Failures).then(|| ("Failed Resource Actions", failures(overview, options))),
        has(Section::Tickets).then(|| ("Tickets", tickets(overview, options))),
        has(Section::Bans).then(|| ("Negative Location Constraints", bans(overview, options))),
    ];
    lists
        .into_iter()
        .flatten()
        .filter(|(title, list)| {
            let is_counted_by_node =
                options.list.brief && options.list.group_by_node && !overview.nodes.is_empty();
            let has_title = *title == "Node List" && (is_counted_by_node || has_nodes);
            !list.is_empty() || has_title || *title == histories_title
        })
        .collect()
}

/// Text in blocks, an empty line between them.
#[derive(Default)]
struct Blocks {
    text: String,
}

impl Blocks {
    fn list(&mut self, title: &str, outline: &Outline) {
        if !outline.is_empty() {
            self.block(&format!("{title}:\n{}", outline.render(Style::default())));
        }
    }

    fn block(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

/// What stands above the list of nodes.
pub(super) fn summary(summary: &Summary, options: &TextOptions) -> Outline {
    let mut outline = Outline::new();
    let has = |section| options.sections.contains(&section);
    if has(Section::Stack) {
        outline.push(0, format!("Stack: {}", summary.stack.as_deref().unwrap_or("unknown")));
    }
    if has(Section::Dc) {
        outline.push(0, dc_line(summary, options.list.detail));
    }
    if has(Section::Times) {
        outline.push(0, format!("Last updated: {}", date_text(options.now, options.utc_offset)));
        outline.push(0, last_change(summary));
    }
    if has(Section::Counts) {
        outline.push(0, format!("{} configured", counted(summary.n_nodes, "node")));
        let extra = match (summary.n_disabled, summary.n_blocked) {
            (0, 0) => String::new(),
            (disabled, 0) => format!(" ({disabled} DISABLED)"),
            (0, blocked) => format!(" ({blocked} BLOCKED from further action due to failure)"),
            (disabled, blocked) => {
                format!(" ({disabled} DISABLED, {blocked} BLOCKED from further action due to failure)")
            }
        };
        outline.push(0, format!("{} configured{extra}", counted(summary.n_instances, "resource instance")));
    }
    if has(Section::Options) {
        cluster_options(summary, &mut outline);
    }
    outline
}

fn dc_line(summary: &Summary, detail: bool) -> String {
    let Some((name, uuid)) = &summary.dc else { return "Current DC: NONE".to_owned() };
    let id = if detail && name.as_str() != uuid.as_str() { format!(" ({uuid})") } else { String::new() };
    format!(
        "Current DC: {name}{id} (version {}) - {}partition {} quorum",
        summary.dc_version.as_deref().unwrap_or("unknown"),
        if summary.has_mixed_versions { "MIXED-VERSION " } else { "" },
        if summary.has_quorum { "with" } else { "WITHOUT" }
    )
}

fn last_change(summary: &Summary) -> String {
    let change = &summary.last_change;
    let mut line = format!("Last change:  {}", change.at.as_deref().unwrap_or(""));
    for (word, value) in [("by", &change.user), ("via", &change.client), ("on", &change.origin)] {
        if let Some(value) = value {
            line.push_str(&format!(" {word} {value}"));
        }
    }
    line
}

fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

fn cluster_options(summary: &Summary, outline: &mut Outline) {
    outline.push(
        0,
        format!("Fencing of failed nodes {}", if summary.fencing_enabled { "enabled" } else { "disabled" }),
    );
    outline.push(0, format!("Cluster is {}", if summary.symmetric { "symmetric" } else { "asymmetric" }));
    outline.push(
        0,
        match summary.no_quorum_policy {
            "freeze" => "No quorum policy: Freeze resources",
            "stop" => "No quorum policy: Stop ALL resources",
            "demote" => "No quorum policy: Demote promotable resources and stop all other resources",
            "ignore" => "No quorum policy: Ignore",
            _ => "No quorum policy: Fence nodes in partition",
        },
    );
}

fn banner(summary: &Summary, out: &mut Blocks) {
    if summary.maintenance {
        out.block(
            "              *** Resource management is DISABLED ***\n  \
             The cluster will not attempt to start, stop or recover services\n",
        );
    } else if summary.stop_all {
        out.block(
            "              *** Resource management is DISABLED ***\n  The cluster will keep all resources stopped\n",
        );
    }
}

fn resources(overview: &Overview, options: &TextOptions) -> Option<(&'static str, Outline)> {
    let (title, none) = match (options.list.inactive, options.list.group_by_node) {
        (true, false) => ("Full List of Resources", "No resources"),
        (true, true) => ("Inactive Resources", "No inactive resources"),
        (false, true) => return None,
        (false, false) => ("Active Resources", "No active resources"),
    };
    let mut list = resource_list(overview, &options.list);
    if list.is_empty() {
        list.push(0, none);
    }
    Some((title, list))
}

fn attributes(overview: &Overview, options: &TextOptions) -> Outline {
    let mut outline = Outline::new();
    for node in &overview.nodes {
        if !options.list.wants_node(node.name.as_str()) || !node.online || node.attributes.is_empty() {
            continue;
        }
        outline.push(0, format!("Node: {}:", node_name(node, options.list.detail)));
        for attribute in &node.attributes {
            outline.push(1, attribute_line(attribute));
        }
    }
    outline
}

fn attribute_line(attribute: &AttributeView) -> String {
    let line = format!("{:<32}\t: {:<10}", attribute.name, attribute.value);
    let Some(expected) = attribute.expected else { return line };
    match attribute.value.parse::<i64>().unwrap_or(0) {
        value if value <= 0 => line + "\t: Connectivity is lost",
        value if value < expected => line + &format!("\t: Connectivity is degraded (Expected={expected})"),
        _ => line,
    }
}

fn operations(overview: &Overview, options: &TextOptions, all: bool) -> Outline {
    let mut outline = Outline::new();
    for (node, history) in histories(overview, &options.list) {
        let mut lines = Outline::new();
        for resource in &history.resources {
            if wants_history(overview, options, resource) {
                history_lines(resource, options, all, &mut lines);
            }
        }
        if !lines.is_empty() {
            outline.push(0, format!("Node: {}:", node_name(node, options.list.detail)));
            outline.append(1, lines);
        }
    }
    outline
}

/// Whether the history is of a resource that is asked for.
pub(super) fn wants_history(
    overview: &Overview,
    options: &TextOptions,
    history: &ResourceHistoryView,
) -> bool {
    if options.list.resources.is_none() {
        return true;
    }
    overview.resources.iter().any(|root| {
        // What is asked of a part of a bundle is told of the whole.
        let is_bundle = matches!(root.kind, systole_scheduler::overview::ResourceViewKind::Bundle { .. });
        let named = options.list.names(root) || (is_bundle && options.list.wants(root));
        super::primitives(root).into_iter().any(|part| {
            (part.id == history.resource || part.full_id == history.resource)
                && (named || is_wanted_below(root, part, options))
        })
    })
}

fn is_wanted_below(
    root: &systole_scheduler::overview::ResourceView,
    part: &systole_scheduler::overview::ResourceView,
    options: &TextOptions,
) -> bool {
    options.list.names(part)
        || super::parts(root).into_iter().any(|whole| {
            options.list.names(whole) && super::primitives(whole).iter().any(|p| std::ptr::eq(*p, part))
        })
}

fn history_lines(resource: &ResourceHistoryView, options: &TextOptions, all: bool, lines: &mut Outline) {
    let has_failed = resource.fail_count != Score::ZERO || resource.last_failure.is_some();
    if (!all && !has_failed) || (all && operations_shown(resource).next().is_none()) {
        return;
    }
    let mut head = format!("{}:", if all { &resource.resource } else { &resource.id });
    if resource.removed {
        head.push_str(" orphan");
    } else {
        head.push_str(&format!(" migration-threshold={}", resource.migration_threshold.value()));
        if has_failed {
            head.push_str(&format!(" fail-count={}", resource.fail_count.value()));
        }
        if let Some(at) = resource.last_failure {
            head.push_str(&format!(" last-failure='{}'", date_text(at, options.utc_offset)));
        }
    }
    if all {
        head.push(':');
    }
    lines.push(0, head);
    if all {
        for (task, operation) in operations_shown(resource) {
            lines.push(1, operation_line(task, operation, options));
        }
    }
}

fn operation_line(task: &str, operation: &FailureView, options: &TextOptions) -> String {
    let mut line = format!("({}) {task}", operation.call);
    let mut details = Vec::new();
    if operation.interval_ms > 0 {
        details.push(format!("interval=\"{}ms\"", operation.interval_ms));
    }
    if options.timing {
        if let Some(at) = operation.last_rc_change {
            details.push(format!("last-rc-change=\"{}\"", date_text(at, options.utc_offset)));
        }
        details.extend(operation.exec_ms.map(|ms| format!("exec-time=\"{ms}ms\"")));
        details.extend(operation.queued_ms.map(|ms| format!("queue-time=\"{ms}ms\"")));
        details.push(format!("rc={} ({})", operation.rc.code(), rc_text(operation.rc)));
    }
    if !details.is_empty() {
        line.push_str(": ");
        line.push_str(&details.join(" "));
    }
    line
}

fn failures(overview: &Overview, options: &TextOptions) -> Outline {
    let mut outline = Outline::new();
    for failure in &overview.failures {
        let wanted =
            options.list.resources.as_ref().is_none_or(|wanted| wanted.contains(failure.resource.as_str()));
        if wanted && is_worth_showing(failure) && options.list.wants_node(failure.node.as_str()) {
            outline.push(0, failure_line(failure, options.failure_detail, options.utc_offset));
        }
    }
    outline
}

/// A failed operation for people; with `detail`, all that is known of it.
pub fn failure_line(failure: &FailureView, detail: bool, utc_offset: i64) -> String {
    let ran = failure.status == OpStatus::Done;
    let at = failure.last_rc_change.map(|at| date_text(at, utc_offset));
    if detail {
        let mut line = format!(
            "{} on {} '{}' ({}): call={}, status='{}'",
            failure.key,
            failure.node,
            rc_text(failure.rc),
            failure.rc.code(),
            failure.call,
            op_status_text(failure.status)
        );
        if let Some(reason) = failure.exit_reason.as_deref().filter(|reason| !reason.is_empty()) {
            line.push_str(&format!(", exitreason='{reason}'"));
        }
        if let Some(at) = at {
            line.push_str(&format!(", last-rc-change='{at}'"));
        }
        for (name, span) in [("queued", failure.queued_ms), ("exec", failure.exec_ms)] {
            line.push_str(&span.map_or(String::new(), |ms| format!(", {name}={ms}ms")));
        }
        return line;
    }
    let mut line = format!("{} ", failure.resource);
    if failure.interval_ms > 0 {
        line.push_str(&format!("{}-interval ", interval_text(Duration::from_millis(failure.interval_ms))));
    }
    let task = if &*failure.task == "monitor" && failure.interval_ms == 0 { "probe" } else { &failure.task };
    line.push_str(&format!("{task} on {}", failure.node));
    if ran {
        line.push_str(&format!(" returned '{}'", rc_text(failure.rc)));
        if let Some(reason) = failure.exit_reason.as_deref().filter(|reason| !reason.is_empty()) {
            line.push_str(&format!(" ({reason})"));
        }
    } else {
        line.push_str(&format!(" could not be executed ({}", op_status_text(failure.status)));
        if let Some(reason) = failure.exit_reason.as_deref().filter(|reason| !reason.is_empty()) {
            line.push_str(&format!(": {reason}"));
        }
        line.push(')');
    }
    if let Some(at) = at {
        line.push_str(&format!(" at {at}"));
    }
    if let Some(exec) = failure.exec_ms.filter(|ms| *ms > 0) {
        line.push_str(&format!(" after {}", interval_text(Duration::from_millis(exec))));
    }
    line
}

fn tickets(overview: &Overview, options: &TextOptions) -> Outline {
    let mut outline = Outline::new();
    for ticket in &overview.tickets {
        let state = if ticket.granted { "granted" } else { "revoked" };
        let standby = if ticket.standby { " [standby]" } else { "" };
        let last = ticket
            .last_granted
            .map_or(String::new(), |at| format!(" last-granted='{}'", date_text(at, options.utc_offset)));
        outline.push(0, format!("{}\t{state}{standby}{last}", ticket.id));
    }
    outline
}

/// Whether a ban is of a resource that was asked for, and begins as was asked for.
pub(super) fn is_wanted(ban: &BanView, options: &TextOptions) -> bool {
    let wanted = options.list.resources.as_ref();
    let is_named =
        |wanted: &BTreeSet<String>| [&ban.resource, &ban.top].iter().any(|id| wanted.contains(id.as_str()));
    wanted.is_none_or(is_named) && ban.id.as_str().starts_with(&options.ban_prefix)
}

fn bans(overview: &Overview, options: &TextOptions) -> Outline {
    let mut outline = Outline::new();
    for ban in &overview.bans {
        if !is_wanted(ban, options) {
            continue;
        }
        let node = overview.nodes.iter().find(|node| node.name == ban.node);
        let node = node.map_or(ban.node.to_string(), |node| node_name(node, options.list.detail));
        let role = if ban.promoted_only { "in Promoted role " } else { "" };
        outline.push(0, format!("{}\tprevents {} from running {role}on {node}", ban.id, ban.resource));
    }
    outline
}
