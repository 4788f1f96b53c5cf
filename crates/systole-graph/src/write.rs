//! Writing a graph as `<transition_graph>`.

use crate::{
    Action, ActionKind, ResourceRef, TransitionGraph,
    attributes::{Pair, Shared},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
    ops::Range,
    sync::Arc,
};

/// Roughly how much text is handed over at once.
const PIECE: usize = 64 * 1024;

/// Writes `graph` as Pacemaker does: one `<synapse>` per action, triggers naming the actions waited for.
///
/// An input that is no action of the graph cannot be named and is left out; [`check`](crate::check) finds it.
pub fn write_graph(graph: &TransitionGraph) -> String {
    let mut all = String::with_capacity(256 + graph.synapses.len() * 768);
    write_graph_to(graph, &mut all).expect("a string takes what it is given");
    all
}

/// Hands the text that [`write_graph`] would return to `sink`, piece after piece: a large graph's text is many times
/// larger than the graph, and is nowhere as a whole.
///
/// # Errors
/// If `sink` returns one, which then gets no more.
pub fn write_graph_to(graph: &TransitionGraph, sink: &mut dyn fmt::Write) -> fmt::Result {
    let mut out = String::with_capacity(PIECE + PIECE / 4);
    out.push_str("<transition_graph");
    for (name, value) in &graph.properties {
        attribute(&mut out, name, value);
    }
    if graph.synapses.is_empty() {
        out.push_str("/>\n");
        return sink.write_str(&out);
    }
    out.push_str(">\n");
    let tags = Tags::of(graph);
    let mut common = Common::default();
    for (index, synapse) in graph.synapses.iter().enumerate() {
        out.push_str("  <synapse id=\"");
        number(&mut out, index);
        out.push('"');
        if synapse.priority != 0 {
            let _ = write!(out, " priority=\"{}\"", synapse.priority);
        }
        out.push_str(">\n    <action_set>\n");
        action(&mut out, &synapse.action, tags.nth(index), &mut common);
        out.push_str("    </action_set>\n");
        inputs(&mut out, &synapse.inputs, &tags);
        out.push_str("  </synapse>\n");
        if out.len() >= PIECE {
            sink.write_str(&out)?;
            out.clear();
        }
    }
    out.push_str("</transition_graph>\n");
    sink.write_str(&out)
}

/// A `<trigger>` for every action: there are many more triggers than actions, and actions begin with the same text.
///
/// Actions are mostly numbered from 1 on, without gaps. Of several with the same number the last one is meant.
struct Tags {
    text: String,
    /// Of each synapse's action, in sequence.
    ranges: Vec<Range<usize>>,
    /// Synapses of actions with small numbers, by number.
    by_id: Vec<Option<u32>>,
    /// Those of others.
    others: BTreeMap<u32, u32>,
}

const TRIGGER: [&str; 2] = ["      <trigger>\n        ", "/>\n      </trigger>\n"];

impl Tags {
    fn of(graph: &TransitionGraph) -> Self {
        let mut text = String::with_capacity(graph.synapses.len() * 192);
        let ranges = graph.synapses.iter().map(|synapse| {
            let start = text.len();
            text.push_str(TRIGGER[0]);
            open_tag(&mut text, &synapse.action);
            text.push_str(TRIGGER[1]);
            start..text.len()
        });
        let ranges = ranges.collect();
        let mut by_id = vec![None; graph.synapses.len() * 2];
        let mut others = BTreeMap::new();
        for (n, synapse) in (0..).zip(&graph.synapses) {
            match by_id.get_mut(synapse.action.id as usize) {
                Some(place) => *place = Some(n),
                None => _ = others.insert(synapse.action.id, n),
            }
        }
        Self { text, ranges, by_id, others }
    }

    /// `<rsc_op id=... on_node=...` of the n-th action, not yet closed.
    fn nth(&self, n: usize) -> &str {
        let Range { start, end } = self.ranges[n];
        &self.text[start + TRIGGER[0].len()..end - TRIGGER[1].len()]
    }

    /// The trigger that waits for the action with this number.
    fn trigger(&self, id: u32) -> Option<&str> {
        let small = self.by_id.get(id as usize).copied();
        let n = small.unwrap_or_else(|| self.others.get(&id).copied())?;
        Some(&self.text[self.ranges[n as usize].clone()])
    }
}

fn inputs(out: &mut String, inputs: &[u32], tags: &Tags) {
    if inputs.is_empty() {
        out.push_str("    <inputs/>\n");
        return;
    }
    out.push_str("    <inputs>\n");
    for trigger in inputs.iter().filter_map(|id| tags.trigger(*id)) {
        out.push_str(trigger);
    }
    out.push_str("    </inputs>\n");
}

/// What stays the same from one action to the next more often than not, written once.
#[derive(Default)]
struct Common<'g> {
    primitive: CommonPrimitive<'g>,
    attributes: CommonAttributes<'g>,
}

/// `<primitive>` of the resource of the last action that had one.
#[derive(Default)]
struct CommonPrimitive<'g> {
    of: Option<&'g Arc<ResourceRef>>,
    text: String,
}

impl<'g> CommonPrimitive<'g> {
    fn turn_to(&mut self, resource: &'g Arc<ResourceRef>) {
        let known = self.of.replace(resource);
        if known.is_some_and(|known| Arc::ptr_eq(known, resource) || known == resource) {
            return;
        }
        let out = &mut self.text;
        out.clear();
        value(out, "        <primitive id=\"", resource.id.as_str());
        if let Some(long_id) = &resource.long_id {
            value(out, "\" long-id=\"", long_id.as_str());
        }
        value(out, "\" class=\"", &resource.class);
        if let Some(provider) = &resource.provider {
            value(out, "\" provider=\"", provider);
        }
        value(out, "\" type=\"", &resource.kind);
        out.push_str("\"/>\n");
    }
}

/// What the last action was told in common with others.
#[derive(Default)]
struct CommonAttributes<'g> {
    of: Option<&'g Arc<Shared>>,
    text: String,
    /// Each name, and where its attribute ends in the text.
    ends: Vec<(&'g str, usize)>,
    /// Whether all can be written as XML attributes.
    is_plain: bool,
    /// Own attributes of the last action, with how many common ones come before each: those of the next are mostly the same.
    places: Vec<(&'g Arc<str>, usize)>,
}

impl<'g> CommonAttributes<'g> {
    fn turn_to(&mut self, shared: &'g Arc<Shared>) {
        if self.of.replace(shared).is_some_and(|known| Arc::ptr_eq(known, shared)) {
            return;
        }
        self.text.clear();
        self.ends.clear();
        self.places.clear();
        self.is_plain = shared.keys().all(|name| is_xml_name(name));
        for (name, value) in &**shared {
            attribute(&mut self.text, name, value);
            self.ends.push((name, self.text.len()));
        }
    }

    /// Finds the places of an action's own attributes among them; whether all can be written as XML attributes.
    fn place(&mut self, own: &'g [Pair]) -> bool {
        self.places.truncate(own.len());
        for (n, (name, _)) in own.iter().enumerate() {
            if self.places.get(n).is_some_and(|(known, _)| Arc::ptr_eq(known, name)) {
                continue;
            }
            self.places.truncate(n);
            if !is_xml_name(name) {
                return false;
            }
            let n_before = self.ends.partition_point(|(common, _)| *common < &**name);
            self.places.push((name, n_before));
        }
        self.is_plain
    }

    /// Writes them with an action's own ones in their places; an own one takes the place of a common one.
    fn write_with(&self, out: &mut String, own: &[Pair]) {
        let mut done = 0;
        for ((name, value), (_, n_before)) in own.iter().zip(&self.places) {
            let end = n_before.checked_sub(1).map_or(0, |last| self.ends[last].1);
            out.push_str(&self.text[done..end]);
            attribute(out, name, value);
            let replaced = self.ends.get(*n_before).filter(|(common, _)| *common == &**name);
            done = replaced.map_or(end, |(_, end)| *end);
        }
        out.push_str(&self.text[done..]);
    }
}

const fn element_name(kind: &ActionKind) -> &'static str {
    match kind {
        ActionKind::Pseudo => "pseudo_event",
        ActionKind::Cluster => "crm_event",
        ActionKind::Resource(_) => "rsc_op",
    }
}

fn open_tag(out: &mut String, action: &Action) {
    out.push('<');
    out.push_str(element_name(&action.kind));
    out.push_str(" id=\"");
    number(out, action.id as usize);
    value(out, "\" operation=\"", &action.operation);
    value(out, "\" operation_key=\"", &action.key);
    if let Some(key) = &action.internal_key {
        value(out, "\" internal_operation_key=\"", key);
    }
    if let Some((name, uuid)) = &action.node {
        value(out, "\" on_node=\"", name.as_str());
        value(out, "\" on_node_uuid=\"", uuid.as_str());
    }
    if let Some(router) = &action.router {
        value(out, "\" router_node=\"", router.as_str());
    }
    out.push('"');
}

fn action<'g>(out: &mut String, action: &'g Action, tag: &str, common: &mut Common<'g>) {
    out.push_str("      ");
    out.push_str(tag);
    for (name, value) in &action.extra {
        attribute(out, name, value);
    }
    out.push_str(">\n");
    let resource = match &action.kind {
        ActionKind::Resource(resource) => Some(resource),
        ActionKind::Cluster | ActionKind::Pseudo => action.about.as_ref(),
    };
    if let Some(resource) = resource {
        common.primitive.turn_to(resource);
        out.push_str(&common.primitive.text);
    }
    attributes(out, action, &mut common.attributes);
    nodes(out, action);
    out.push_str("      </");
    out.push_str(element_name(&action.kind));
    out.push_str(">\n");
}

fn attributes<'g>(out: &mut String, action: &'g Action, common: &mut CommonAttributes<'g>) {
    out.push_str("        <attributes");
    let (shared, own) = action.attributes.parts();
    common.turn_to(shared);
    if common.place(own) {
        common.write_with(out, own);
        out.push_str("/>\n");
        return;
    }
    for (name, value) in action.attributes.iter().filter(|(name, _)| is_xml_name(name)) {
        attribute(out, name, value);
    }
    out.push_str(">\n");
    for (name, value) in action.attributes.iter().filter(|(name, _)| !is_xml_name(name)) {
        out.push_str("          <param");
        attribute(out, "name", name);
        attribute(out, "value", value);
        out.push_str("/>\n");
    }
    out.push_str("        </attributes>\n");
}

fn nodes(out: &mut String, action: &Action) {
    if !action.downed.is_empty() {
        out.push_str("        <downed>\n");
        for uuid in &action.downed {
            out.push_str("          <node");
            attribute(out, "id", uuid.as_str());
            out.push_str("/>\n");
        }
        out.push_str("        </downed>\n");
    }
    if !action.maintenance.is_empty() {
        out.push_str("        <maintenance>\n");
        for (uuid, on) in &action.maintenance {
            out.push_str("          <node");
            attribute(out, "id", uuid.as_str());
            attribute(out, "node_in_maintenance", if *on { "1" } else { "0" });
            out.push_str("/>\n");
        }
        out.push_str("        </maintenance>\n");
    }
}

/// A byte that no ASCII name has.
const NOT_IN_NAMES: u8 = 1;
/// A byte that is not written as it is.
const ESCAPED: u8 = 2;

/// What is to be said of each byte: there are too many names and values for comparisons with each range.
const CLASSES: [u8; 256] = {
    let mut classes = [NOT_IN_NAMES; 256];
    let mut b = 0_u8;
    while b < 128 {
        let is_in_names = b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
        let is_escaped = b < b' ' || matches!(b, b'&' | b'<' | b'>' | b'"');
        classes[b as usize] =
            if is_in_names { 0 } else { NOT_IN_NAMES } | if is_escaped { ESCAPED } else { 0 };
        b += 1;
    }
    classes
};

/// What is to be said of all bytes together.
fn classes(text: &str) -> u8 {
    text.bytes().fold(0, |all, b| all | CLASSES[b as usize])
}

/// Whether `name` can be the name of an XML attribute. Other parameters become `<param>` children.
fn is_xml_name(name: &str) -> bool {
    if classes(name) & NOT_IN_NAMES == 0 && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return true;
    }
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start)
        && name.chars().all(|c| is_start(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

/// There are too many numbers for the standard library's way of writing them.
fn number(out: &mut String, n: usize) {
    if n >= 10 {
        number(out, n / 10);
    }
    out.push(char::from(b'0' + (n % 10) as u8));
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value);
    out.push('"');
}

/// What stands before a value, and the value: its closing quote is left to what follows.
fn value(out: &mut String, before: &'static str, value: &str) {
    out.push_str(before);
    escape(out, value);
}

fn escape(out: &mut String, text: &str) {
    if classes(text) & ESCAPED == 0 {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' => out.push_str("&#9;"),
            '\n' => out.push_str("&#10;"),
            '\r' => out.push_str("&#13;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Attributes, Synapse};

    fn text(text: &str) -> Arc<str> {
        text.into()
    }

    fn pseudo(id: u32, attributes: Attributes, inputs: &[u32]) -> Synapse {
        let action = Action {
            id,
            kind: ActionKind::Pseudo,
            operation: text("start"),
            key: text(&format!("rsc{id}_start_0")),
            internal_key: None,
            node: None,
            router: None,
            attributes,
            downed: Vec::new(),
            maintenance: Vec::new(),
            about: None,
            extra: Vec::new(),
        };
        Synapse { priority: 0, action, inputs: inputs.to_vec() }
    }

    fn graph(synapses: Vec<Synapse>) -> TransitionGraph {
        TransitionGraph { properties: Vec::new(), synapses }
    }

    fn attributes(shared: &Arc<Shared>, own: &str) -> Attributes {
        let mut all = Attributes::sharing(shared.clone());
        let pairs = own.split_whitespace().filter_map(|pair| pair.split_once('='));
        all.extend(pairs.map(|(name, value)| (text(name), text(value))));
        all
    }

    #[test]
    fn own_attributes_stand_among_common_ones_by_name_and_in_their_place() {
        let shared: Arc<Shared> = Arc::new(["b", "d"].map(|name| (text(name), text("1"))).into());
        let odd: Arc<Shared> = Arc::new([(text("a:b"), text("1")), (text("c"), text("1"))].into());
        for (shared, own, written) in [
            (&shared, "", r#"<attributes b="1" d="1"/>"#),
            (&shared, "a=2 c=2 e=2", r#"<attributes a="2" b="1" c="2" d="1" e="2"/>"#),
            (&shared, "b=2 d=&", r#"<attributes b="2" d="&amp;"/>"#),
            (&shared, "b=2 c=2", r#"<attributes b="2" c="2" d="1"/>"#),
            (&shared, "x:y=2", r#"<attributes b="1" d="1">"#),
            (&odd, "d=2", r#"<attributes c="1" d="2">"#),
            (&Arc::default(), "a=2", r#"<attributes a="2"/>"#),
        ] {
            let both = [pseudo(1, attributes(shared, ""), &[]), pseudo(2, attributes(shared, own), &[])];
            let text = write_graph(&graph(both.into()));
            assert!(text.contains(written), "{own} as {written} in {text}");
        }
    }

    #[test]
    fn what_one_action_has_in_common_with_the_next_is_written_in_its_place_in_both() {
        let shared = |names: &str| -> Arc<Shared> {
            Arc::new(names.split_whitespace().map(|name| (text(name), text("1"))).collect())
        };
        let (few, many) = (shared("b"), shared("a b d f"));
        let own = ["c", "e", "g"].map(|name| (text(name), text("2")));
        let written = |shared: &Arc<Shared>, own: &[Pair]| {
            let mut all = Attributes::sharing(shared.clone());
            all.extend(own.iter().cloned());
            all
        };
        let all = [
            (written(&few, &own), r#"<attributes b="1" c="2" e="2" g="2"/>"#),
            (written(&few, &own[..2]), r#"<attributes b="1" c="2" e="2"/>"#),
            (written(&few, &own[1..]), r#"<attributes b="1" e="2" g="2"/>"#),
            (written(&many, &own[1..]), r#"<attributes a="1" b="1" d="1" e="2" f="1" g="2"/>"#),
            (written(&many, &own), r#"<attributes a="1" b="1" c="2" d="1" e="2" f="1" g="2"/>"#),
        ];
        let actions = (1..).zip(&all).map(|(id, (attributes, _))| pseudo(id, attributes.clone(), &[]));
        let text = write_graph(&graph(actions.collect()));
        let found: Vec<&str> =
            text.lines().map(str::trim).filter(|line| line.starts_with("<attributes")).collect();
        assert_eq!(found, all.map(|(_, line)| line));
    }

    #[test]
    fn triggers_name_actions_however_these_are_numbered() {
        for ids in [vec![1, 2, 3], vec![7, 1, 4], vec![u32::MAX, 0, 1 << 20], vec![5]] {
            let inputs: Vec<u32> = ids.iter().copied().chain([6, u32::MAX - 1]).collect();
            let all = ids.iter().map(|id| pseudo(*id, Attributes::default(), &inputs)).collect();
            let text = write_graph(&graph(all));
            for id in &ids {
                let named = format!(
                    "<pseudo_event id=\"{id}\" operation=\"start\" operation_key=\"rsc{id}_start_0\"/>"
                );
                assert_eq!(text.matches(&named).count(), ids.len(), "{id} in {text}");
            }
            assert_eq!(text.matches("<trigger>").count(), ids.len() * ids.len(), "{text}");
        }
    }

    #[test]
    fn a_graph_in_pieces_is_the_whole_graph() {
        let synapses = (1..2000).map(|id| pseudo(id, Attributes::default(), &[id - 1]));
        let graph = graph(synapses.collect());
        let mut sink = Pieces { all: Vec::new(), n_taken: usize::MAX };
        assert!(write_graph_to(&graph, &mut sink).is_ok());
        assert!(sink.all.len() > 2, "{}", sink.all.len());
        assert_eq!(sink.all.concat(), write_graph(&graph));
        let mut full = Pieces { all: Vec::new(), n_taken: 1 };
        assert!(write_graph_to(&graph, &mut full).is_err());
        assert_eq!(full.all, sink.all[..1]);
    }

    /// Takes so many pieces, and no more.
    struct Pieces {
        all: Vec<String>,
        n_taken: usize,
    }

    impl fmt::Write for Pieces {
        fn write_str(&mut self, piece: &str) -> fmt::Result {
            if self.all.len() == self.n_taken {
                return Err(fmt::Error);
            }
            self.all.push(piece.to_owned());
            Ok(())
        }
    }
}
