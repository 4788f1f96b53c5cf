//! The list of resources.

use super::{ListOptions, agent_text, parts, places, primitives};
use crate::{
    outline::{Outline, name_list},
    words::rc_text,
};
use std::collections::BTreeMap;
use systole_scheduler::overview::{
    Flags, LocationView, Overview, PrimitiveView, ReplicaView, ResourceView, ResourceViewKind,
};
use systole_types::{NodeId, OcfRc, Role};

/// Resources as far as `options` ask for them.
pub fn resource_list(overview: &Overview, options: &ListOptions) -> Outline {
    let lister = Lister { overview, options, headings: Headings::Shown };
    let mut outline = Outline::new();
    if options.brief && !options.group_by_node {
        let loose: Vec<&ResourceView> = overview
            .resources
            .iter()
            .filter(|view| matches!(view.kind, ResourceViewKind::Primitive(_)) && options.wants(view))
            .filter(|view| options.is_at_wanted_node(view))
            .collect();
        for line in brief_counts(&loose, options.inactive, Names::Shown) {
            outline.push(0, line);
        }
    }
    for view in &overview.resources {
        if lister.is_listed(view) {
            lister.resource(view, 0, &mut outline);
        }
    }
    outline
}

/// What there is to say of one resource by itself: a line for each active part, and none of them a heading.
pub fn resource_lines(overview: &Overview, view: &ResourceView) -> Outline {
    let lister = Lister { overview, options: &ListOptions::default(), headings: Headings::LeftOut };
    let mut outline = Outline::new();
    lister.resource(view, 0, &mut outline);
    outline
}

/// Whether lines of counts name the node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    Shown,
    /// They stand below one. What is active on others too is counted for each of them, in a line that looks the same, as with Pacemaker.
    Hidden,
}

/// Counts of instances by agent and node: `1/2\t(ocf:pacemaker:Dummy):\tActive node-a`. On a node that is known to be off only what
/// is not managed counts, whose state there nobody changes.
pub(super) fn brief_counts(views: &[&ResourceView], totals: bool, names: Names) -> Vec<String> {
    let mut by_agent: BTreeMap<String, (usize, BTreeMap<&str, usize>)> = BTreeMap::new();
    for view in views {
        let ResourceViewKind::Primitive(primitive) = &view.kind else { continue };
        let (total, at) = by_agent.entry(agent_text(&primitive.agent)).or_default();
        *total += 1;
        let counts = |place: &&LocationView| place.online || place.unclean || !view.flags.managed;
        for place in primitive.nodes.iter().filter(counts) {
            *at.entry(place.node.as_str()).or_default() += 1;
        }
    }
    let mut lines = Vec::new();
    for (agent, (total, at)) in &by_agent {
        for (node, count) in at {
            let count = if totals { format!("{count}/{total}") } else { count.to_string() };
            let node = if names == Names::Hidden { "" } else { node };
            lines.push(format!("{count}\t({agent}):\tActive {node}"));
        }
        if at.is_empty() && totals {
            lines.push(format!("0/{total}\t({agent}):\tActive"));
        }
    }
    lines
}

/// Which node an instance's line shows.
pub(super) enum At<'v> {
    /// The instance's own.
    Own,
    /// This one: of what is inside a replica, the container's.
    Node(Option<&'v LocationView>),
    /// None: the line stands below its node.
    Nowhere,
}

/// An instance's line. `name` stands in front.
pub(super) fn primitive_text(view: &ResourceView, name: &str, at: At<'_>) -> String {
    let ResourceViewKind::Primitive(primitive) = &view.kind else { return name.to_owned() };
    let is_multiple = primitive.nodes.len() > 1;
    let node = match at {
        At::Own => primitive.shown_at.as_ref(),
        At::Node(node) => node.or(primitive.locked_at.as_ref()),
        At::Nowhere => None,
    };
    let node = node.filter(|_| !is_multiple);
    let mut line = format!("{name}\t({}):\t", agent_text(&primitive.agent));
    if view.flags.removed {
        line.push_str(" ORPHANED");
    }
    line.push(' ');
    line.push_str(&role_text(primitive, &view.flags));
    if let Some(node) = node {
        line.push(' ');
        line.push_str(node.node.as_str());
    }
    if let Some(rc) = primitive.failed_probe {
        line.push_str(&format!(" ({}) ", rc_text(rc)));
    }
    let flags = primitive_flags(primitive, view, node);
    if !flags.is_empty() {
        line.push_str(&format!(" ({})", flags.join(", ")));
    }
    if is_multiple && !matches!(at, At::Nowhere) {
        let nodes: Vec<&str> = primitive.nodes.iter().map(|place| place.node.as_str()).collect();
        line.push_str(&format!(" [ {} ]", nodes.join(" ")));
    }
    line
}

/// An instance's line as it stands below its node.
pub fn primitive_line(view: &ResourceView) -> String {
    primitive_text(view, view.id.as_str(), At::Nowhere)
}

/// `Started`, `FAILED Promoted`, `Starting`...
fn role_text(primitive: &PrimitiveView, flags: &Flags) -> String {
    if flags.failed {
        return if primitive.role > Role::Unpromoted {
            format!("FAILED {}", primitive.role)
        } else {
            "FAILED".to_owned()
        };
    }
    match primitive.pending {
        Some(pending) if pending != "Monitoring" => pending.to_owned(),
        _ => primitive.role.to_string(),
    }
}

fn primitive_flags(primitive: &PrimitiveView, view: &ResourceView, at: Option<&LocationView>) -> Vec<String> {
    let mut flags = Vec::new();
    if at.is_some_and(|place| !place.online && place.unclean) {
        flags.push("UNCLEAN".to_owned());
    }
    if at.is_some_and(|place| view.flags.locked_to.as_ref() == Some(&place.node)) {
        flags.push("LOCKED".to_owned());
    }
    if primitive.pending == Some("Monitoring") {
        flags.push("Monitoring".to_owned());
    }
    match view.flags.target_role {
        Some(Role::Stopped) => flags.push("disabled".to_owned()),
        Some(Role::Unpromoted) => {
            let given = view.flags.target_role_text.as_deref().unwrap_or("Unpromoted");
            flags.push(format!("target-role:{given}"));
        }
        _ => {}
    }
    if view.flags.blocked {
        flags.push("blocked".to_owned());
    } else if let Some(word) = unmanaged_word(&view.flags) {
        flags.push(word.to_owned());
    }
    if view.flags.failure_ignored {
        flags.push("failure ignored".to_owned());
    }
    flags
}

/// `maintenance`, `unmanaged`, or nothing.
pub(super) fn unmanaged_word(flags: &Flags) -> Option<&'static str> {
    if flags.maintenance {
        Some("maintenance")
    } else if flags.managed {
        None
    } else {
        Some("unmanaged")
    }
}

/// Whether what has parts has a line of its own above theirs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Headings {
    Shown,
    LeftOut,
}

struct Lister<'a> {
    overview: &'a Overview,
    options: &'a ListOptions,
    headings: Headings,
}

impl Lister<'_> {
    fn heading(&self, depth: usize, text: String, outline: &mut Outline) {
        if self.headings == Headings::Shown {
            outline.push(depth, text);
        }
    }

    /// Whether a top-level resource is listed at all.
    fn is_listed(&self, view: &ResourceView) -> bool {
        let flags = &view.flags;
        if flags.removed && !flags.active {
            return false;
        }
        if self.options.group_by_node && (flags.active || !self.options.inactive) {
            return false;
        }
        if !self.options.inactive && !flags.partially_active && !flags.active {
            return false;
        }
        let is_counted = self.options.brief
            && !self.options.group_by_node
            && matches!(view.kind, ResourceViewKind::Primitive(_));
        !is_counted && self.options.wants(view) && self.options.is_at_wanted_node(view)
    }

    fn resource(&self, view: &ResourceView, depth: usize, outline: &mut Outline) {
        match &view.kind {
            ResourceViewKind::Primitive(_) => self.primitive(view, depth, outline),
            ResourceViewKind::Group { members } => self.group(view, members, depth, outline),
            ResourceViewKind::Clone { .. } => self.clone_set(view, depth, outline),
            ResourceViewKind::Bundle { replicas, .. } => self.bundle(view, replicas, depth, outline),
        }
    }

    fn primitive(&self, view: &ResourceView, depth: usize, outline: &mut Outline) {
        let is_asked_for = self.options.resources.is_some() && self.options.names(view);
        if is_internal(view) && !self.options.detail && !is_asked_for {
            return;
        }
        let at = if self.options.hide_nodes { At::Nowhere } else { At::Own };
        let line = primitive_text(view, view.id.as_str(), at);
        outline.push(depth, line + &self.description(view));
    }

    /// What somebody has written of it.
    fn description(&self, view: &ResourceView) -> String {
        let description = view.flags.description.as_ref().filter(|_| self.options.describes());
        description.map_or(String::new(), |description| format!(" ({description})"))
    }

    fn group(&self, view: &ResourceView, members: &[ResourceView], depth: usize, outline: &mut Outline) {
        let mut flags = Vec::new();
        let n_inactive = members.iter().filter(|member| !member.flags.active).count();
        if n_inactive > 0 && !self.options.inactive {
            flags.push(format!("{n_inactive} member{} inactive", if n_inactive == 1 { "" } else { "s" }));
        }
        if view.flags.disabled {
            flags.push("disabled".to_owned());
        }
        flags.extend(unmanaged_word(&view.flags).map(str::to_owned));
        let (flags, description) = (in_brackets(&flags), self.description(view));
        self.heading(depth, format!("Resource Group: {}{flags}{description}:", view.full_id), outline);
        let named = self.options.names(view);
        let shown: Vec<&ResourceView> = members
            .iter()
            .filter(|member| named || self.options.wants(member) || self.is_under_wanted(view))
            .collect();
        if self.options.brief {
            for line in brief_counts(&shown, true, Names::Shown) {
                outline.push(depth + 1, line);
            }
            return;
        }
        for member in shown {
            if (self.options.inactive || member.flags.active) && self.options.is_at_wanted_node(member) {
                self.primitive(member, depth + 1, outline);
            }
        }
    }

    /// Whether a part is shown because the whole it belongs to is asked for.
    fn is_under_wanted(&self, part: &ResourceView) -> bool {
        self.options.resources.is_none()
            || self.overview.resources.iter().any(|root| {
                self.options.names(root) && super::parts(root).into_iter().any(|p| std::ptr::eq(p, part))
            })
    }

    fn clone_set(&self, view: &ResourceView, depth: usize, outline: &mut Outline) {
        let ResourceViewKind::Clone { child, unique, promotable, max, instances, stopped } = &view.kind
        else {
            return;
        };
        let mut flags = Vec::new();
        if *promotable {
            flags.push("promotable".to_owned());
        }
        if *unique {
            flags.push("unique".to_owned());
        }
        if view.flags.disabled {
            flags.push("disabled".to_owned());
        }
        flags.extend(unmanaged_word(&view.flags).map(str::to_owned));
        let (flags, description) = (in_brackets(&flags), self.description(view));
        self.heading(depth, format!("Clone Set: {} [{child}]{flags}{description}:", view.id), outline);
        let named = self.options.names(view);
        let mut promoted = Vec::new();
        let mut started = Vec::new();
        for instance in instances {
            if !(named || self.options.wants(instance)) || !self.options.is_at_wanted_node(instance) {
                continue;
            }
            let is_forgotten =
                instance.flags.removed && !instance.flags.partially_active && !is_pending(instance);
            if is_forgotten && !*unique && !self.options.detail {
                continue;
            }
            match self.instance_shown(instance, *unique, instances.len()) {
                Shown::Whole => self.resource(instance, depth + 1, outline),
                Shown::Promoted(node) => promoted.push(node),
                Shown::Started(node) => started.push(node),
                Shown::Not => {}
            }
        }
        let n_active = promoted.len() + started.len();
        promoted.sort_unstable_by(|a, b| systole_scheduler::compare_names(a, b));
        started.sort_unstable_by(|a, b| systole_scheduler::compare_names(a, b));
        if !promoted.is_empty() {
            outline.push(depth + 1, name_list("Promoted", &promoted));
        }
        if !started.is_empty() {
            let label = match (*promotable, view.flags.target_role) {
                (false, _) => "Started",
                (true, Some(Role::Unpromoted)) => "Unpromoted (target-role)",
                (true, _) => "Unpromoted",
            };
            outline.push(depth + 1, name_list(label, &started));
        }
        if self.options.inactive && !self.options.detail && !*unique && n_active < *max as usize {
            self.stopped_nodes(view, stopped, depth + 1, outline);
        }
    }

    fn instance_shown<'v>(&self, instance: &'v ResourceView, unique: bool, _n: usize) -> Shown<'v> {
        if self.options.detail {
            let is_shown = instance.flags.partially_active || self.options.inactive || !is_group(instance);
            return if is_shown { Shown::Whole } else { Shown::Not };
        }
        if unique {
            return if instance.flags.partially_active || self.options.inactive {
                Shown::Whole
            } else {
                Shown::Not
            };
        }
        if is_pending(instance) {
            return Shown::Whole;
        }
        if !instance.flags.partially_active {
            return Shown::Not;
        }
        let needs_line = primitives(instance)
            .iter()
            .any(|part| part.flags.removed || !part.flags.managed || part.flags.failed);
        if needs_line || !instance.flags.active {
            return Shown::Whole;
        }
        let is_lost = primitives(instance)
            .iter()
            .any(|part| matches!(&part.kind, ResourceViewKind::Primitive(p) if p.nodes.iter().any(|at| !at.online && at.unclean)));
        let at = places(instance);
        match (at.len(), at.into_iter().next()) {
            (1, Some(node)) if !is_lost => {
                if highest_role(instance) == Role::Promoted {
                    Shown::Promoted(node)
                } else {
                    Shown::Started(node)
                }
            }
            _ => Shown::Whole,
        }
    }

    /// Nodes without an instance: `Stopped: [ a b ]`, `Stopped (Not installed): [ c ]`.
    fn stopped_nodes(
        &self,
        view: &ResourceView,
        stopped: &[(NodeId, Option<OcfRc>)],
        depth: usize,
        outline: &mut Outline,
    ) {
        let mut by_state: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (node, probe) in stopped.iter().filter(|(node, _)| self.options.wants_node(node.as_str())) {
            let state = match probe {
                Some(rc) => format!("Stopped ({})", rc_text(*rc)),
                None if view.flags.target_role == Some(Role::Stopped) => "Stopped (disabled)".to_owned(),
                None => "Stopped".to_owned(),
            };
            by_state.entry(state).or_default().push(node.as_str());
        }
        for (state, names) in by_state {
            outline.push(depth, name_list(&state, &names));
        }
    }

    fn bundle(&self, view: &ResourceView, replicas: &[ReplicaView], depth: usize, outline: &mut Outline) {
        let ResourceViewKind::Bundle { image, unique, is_set, .. } = &view.kind else { return };
        let named = self.options.names(view);
        self.heading(
            depth,
            format!(
                "Container bundle{}: {} [{image}]{}{}{}:",
                if *is_set { " set" } else { "" },
                view.id,
                if *unique { " (unique)" } else { "" },
                self.description(view),
                unmanaged_word(&view.flags).map_or(String::new(), |word| format!(" ({word})")),
            ),
            outline,
        );
        for replica in replicas {
            if !self.options.is_at_wanted_node(&replica.container) {
                continue;
            }
            if self.options.detail || !named {
                self.replica_parts(replica, *is_set, named, depth + 1, outline);
            } else {
                outline.push(depth + 1, self.replica_text(replica));
            }
        }
    }

    /// One line for a replica: what runs inside, where the container runs.
    fn replica_text(&self, replica: &ReplicaView) -> String {
        let name = replica.remote.as_ref().unwrap_or(&replica.container).id.as_str();
        let name = match &replica.address {
            Some(address) => format!("{name} ({address})"),
            None => name.to_owned(),
        };
        let at = match &replica.container.kind {
            ResourceViewKind::Primitive(container) => container.current.as_ref(),
            _ => None,
        };
        let inside = replica.child.as_ref().unwrap_or(&replica.container);
        let at = if self.options.hide_nodes { At::Nowhere } else { At::Node(at) };
        primitive_text(inside, &name, at)
    }

    fn replica_parts(
        &self,
        replica: &ReplicaView,
        is_set: bool,
        named: bool,
        depth: usize,
        outline: &mut Outline,
    ) {
        let shown: Vec<&ResourceView> =
            super::replica_parts(replica).filter(|part| named || self.options.names(part)).collect();
        if shown.is_empty() {
            return;
        }
        if is_set {
            outline.push(depth, format!("Replica[{}]", replica.number));
        }
        for part in shown {
            self.primitive(part, depth + 1, outline);
        }
    }
}

/// How an instance of a clone is shown.
enum Shown<'v> {
    /// By itself.
    Whole,
    /// As a name in the list of promoted ones.
    Promoted(&'v str),
    /// As a name in the list of started ones.
    Started(&'v str),
    /// Not at all, or among the nodes without an instance.
    Not,
}

/// Whether it is a connection that nobody configured by itself.
pub(super) fn is_internal(view: &ResourceView) -> bool {
    matches!(&view.kind, ResourceViewKind::Primitive(primitive) if primitive.is_internal)
}

fn is_group(view: &ResourceView) -> bool {
    matches!(view.kind, ResourceViewKind::Group { .. })
}

fn is_pending(view: &ResourceView) -> bool {
    matches!(&view.kind, ResourceViewKind::Primitive(primitive) if primitive.pending_on.is_some())
}

fn highest_role(view: &ResourceView) -> Role {
    match &view.kind {
        ResourceViewKind::Primitive(primitive) => primitive.role,
        _ => parts(view).into_iter().map(highest_role).max().unwrap_or_default(),
    }
}

fn in_brackets(flags: &[String]) -> String {
    if flags.is_empty() { String::new() } else { format!(" ({})", flags.join(", ")) }
}
