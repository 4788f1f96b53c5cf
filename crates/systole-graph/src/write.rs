//! Writing a graph as `<transition_graph>`.

use crate::{Action, ActionKind, TransitionGraph};
use std::{fmt::Write as _, ops::Range};

/// Writes `graph` as Pacemaker does: one `<synapse>` per action, triggers naming the actions waited for.
///
/// An input that is no action of the graph cannot be named and is left out; [`check`](crate::check) finds it.
pub fn write_graph(graph: &TransitionGraph) -> String {
    let mut out = String::with_capacity(256 + graph.synapses.len() * 768);
    out.push_str("<transition_graph");
    for (name, value) in &graph.properties {
        attribute(&mut out, name, value);
    }
    if graph.synapses.is_empty() {
        out.push_str("/>\n");
        return out;
    }
    out.push_str(">\n");
    let tags = Tags::of(graph);
    for (index, synapse) in graph.synapses.iter().enumerate() {
        out.push_str("  <synapse id=\"");
        number(&mut out, index);
        out.push('"');
        if synapse.priority != 0 {
            let _ = write!(out, " priority=\"{}\"", synapse.priority);
        }
        out.push_str(">\n    <action_set>\n");
        action(&mut out, &synapse.action, tags.nth(index));
        out.push_str("    </action_set>\n");
        inputs(&mut out, &synapse.inputs, &tags);
        out.push_str("  </synapse>\n");
    }
    out.push_str("</transition_graph>\n");
    out
}

/// `<rsc_op id=... on_node=...` of every action, not yet closed: actions begin like that, and so do the triggers that name
/// them, of which there are many more.
struct Tags {
    text: String,
    /// Of each synapse's action, in sequence.
    ranges: Vec<Range<usize>>,
    /// By number; of several with the same number the last one is meant.
    by_id: Vec<(u32, usize)>,
}

impl Tags {
    fn of(graph: &TransitionGraph) -> Self {
        let mut text = String::with_capacity(graph.synapses.len() * 160);
        let ranges = graph.synapses.iter().map(|synapse| {
            let start = text.len();
            open_tag(&mut text, &synapse.action);
            start..text.len()
        });
        let ranges = ranges.collect();
        let by_id = graph.synapses.iter().enumerate().map(|(n, synapse)| (synapse.action.id, n));
        let mut by_id: Vec<(u32, usize)> = by_id.collect();
        by_id.sort_unstable();
        Self { text, ranges, by_id }
    }

    fn nth(&self, n: usize) -> &str {
        &self.text[self.ranges[n].clone()]
    }

    fn of_id(&self, id: u32) -> Option<&str> {
        let n_up_to = self.by_id.partition_point(|(known, _)| *known <= id);
        let (found, n) = *self.by_id.get(n_up_to.checked_sub(1)?)?;
        (found == id).then(|| self.nth(n))
    }
}

fn inputs(out: &mut String, inputs: &[u32], tags: &Tags) {
    if inputs.is_empty() {
        out.push_str("    <inputs/>\n");
        return;
    }
    out.push_str("    <inputs>\n");
    for tag in inputs.iter().filter_map(|id| tags.of_id(*id)) {
        out.push_str("      <trigger>\n        ");
        out.push_str(tag);
        out.push_str("/>\n      </trigger>\n");
    }
    out.push_str("    </inputs>\n");
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
    out.push('"');
    attribute(out, "operation", &action.operation);
    attribute(out, "operation_key", &action.key);
    if let Some(key) = &action.internal_key {
        attribute(out, "internal_operation_key", key);
    }
    if let Some((name, uuid)) = &action.node {
        attribute(out, "on_node", name.as_str());
        attribute(out, "on_node_uuid", uuid.as_str());
    }
    if let Some(router) = &action.router {
        attribute(out, "router_node", router.as_str());
    }
}

fn action(out: &mut String, action: &Action, tag: &str) {
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
        out.push_str("        <primitive");
        attribute(out, "id", resource.id.as_str());
        if let Some(long_id) = &resource.long_id {
            attribute(out, "long-id", long_id.as_str());
        }
        attribute(out, "class", &resource.class);
        if let Some(provider) = &resource.provider {
            attribute(out, "provider", provider);
        }
        attribute(out, "type", &resource.kind);
        out.push_str("/>\n");
    }
    attributes(out, action);
    nodes(out, action);
    out.push_str("      </");
    out.push_str(element_name(&action.kind));
    out.push_str(">\n");
}

fn attributes(out: &mut String, action: &Action) {
    out.push_str("        <attributes");
    let mut has_others = false;
    for (name, value) in action.attributes.iter() {
        if is_xml_name(name) {
            attribute(out, name, value);
        } else {
            has_others = true;
        }
    }
    if !has_others {
        out.push_str("/>\n");
        return;
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

/// Whether `name` can be the name of an XML attribute. Other parameters become `<param>` children.
fn is_xml_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() | (b == b'_') | (b == b'-') | (b == b'.');
    // Without leaving early: so that many bytes are looked at together.
    let all_plain = name.bytes().fold(true, |all, b| all & is_plain(b));
    if all_plain && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return true;
    }
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    name.starts_with(is_start)
        && name.chars().all(|c| is_start(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

/// There are too many numbers for the standard library's way of writing them.
fn number(out: &mut String, mut number: usize) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend(digits[first..].iter().map(|digit| char::from(*digit)));
}

fn attribute(out: &mut String, name: &str, value: &str) {
    out.push(' ');
    out.push_str(name);
    out.push_str("=\"");
    escape(out, value);
    out.push('"');
}

fn escape(out: &mut String, text: &str) {
    // Without leaving early: so that many bytes are looked at together.
    let is_special = |b: u8| (b < b' ') | (b == b'&') | (b == b'<') | (b == b'>') | (b == b'"');
    if !text.bytes().fold(false, |any, b| any | is_special(b)) {
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
