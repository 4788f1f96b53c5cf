//! Reading `<transition_graph>`.

use crate::{Action, ActionKind, Attributes, ResourceRef, Synapse, TransitionGraph};
use quick_xml::{
    events::{BytesStart, Event},
    reader::Reader,
};
use std::sync::Arc;
use systole_types::{NodeId, NodeUuid, ResourceId};

/// Why a text is no transition graph.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Not XML at all.
    #[error("the transition graph is not well-formed XML")]
    Xml(#[from] quick_xml::Error),
    /// An element with missing or unreadable attributes.
    #[error("<{element}> of the transition graph has no usable {attribute:?}")]
    Attribute {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
    },
    /// Another document.
    #[error("not a transition graph: there is no <transition_graph>")]
    NoGraph,
}

/// Reads a graph as Pacemaker (or [`write_graph`](crate::write_graph)) wrote it. Unknown elements are passed over.
///
/// # Errors
/// If the text is not XML, is another document, or an action lacks its number, operation or key.
pub fn read_graph(text: &str) -> Result<TransitionGraph, ReadError> {
    let mut reader = Reader::from_str(text);
    let mut builder = Builder::default();
    loop {
        match reader.read_event()? {
            Event::Start(start) => builder.open(&Element::read(&start)?)?,
            Event::Empty(start) => {
                let element = Element::read(&start)?;
                builder.open(&element)?;
                builder.close(&element.name);
            }
            Event::End(end) => builder.close(&String::from_utf8_lossy(end.name().as_ref())),
            Event::Eof => break,
            _ => {}
        }
    }
    builder.graph.ok_or(ReadError::NoGraph)
}

/// One opening tag, attributes unescaped.
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn read(start: &BytesStart<'_>) -> Result<Self, ReadError> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(quick_xml::Error::from)?;
            let name = String::from_utf8_lossy(attribute.key.as_ref()).into_owned();
            attributes.push((name, attribute.unescape_value()?.into_owned()));
        }
        Ok(Self { name: String::from_utf8_lossy(start.name().as_ref()).into_owned(), attributes })
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn need(&self, attribute: &'static str) -> Result<&str, ReadError> {
        self.get(attribute).ok_or_else(|| self.lacks(attribute))
    }

    fn number(&self, attribute: &'static str) -> Result<u32, ReadError> {
        self.need(attribute)?.parse().map_err(|_| self.lacks(attribute))
    }

    fn lacks(&self, attribute: &'static str) -> ReadError {
        ReadError::Attribute { element: self.name.clone(), attribute }
    }
}

/// What has been read so far, and where in the document the reader is.
#[derive(Default)]
struct Builder {
    graph: Option<TransitionGraph>,
    priority: i32,
    action: Option<Action>,
    inputs: Vec<u32>,
    is_trigger: bool,
    is_maintenance: bool,
}

impl Builder {
    fn open(&mut self, element: &Element) -> Result<(), ReadError> {
        match element.name.as_str() {
            "transition_graph" => {
                let properties =
                    element.attributes.iter().map(|(n, v)| (n.as_str().into(), v.as_str().into()));
                self.graph = Some(TransitionGraph { properties: properties.collect(), synapses: Vec::new() });
            }
            "synapse" => self.priority = element.get("priority").and_then(|p| p.parse().ok()).unwrap_or(0),
            "trigger" => self.is_trigger = true,
            "maintenance" => self.is_maintenance = true,
            "rsc_op" | "pseudo_event" | "crm_event" if self.is_trigger => {
                self.inputs.push(element.number("id")?)
            }
            "rsc_op" | "pseudo_event" | "crm_event" => self.action = Some(read_action(element)?),
            "primitive" => self.agent(element)?,
            "attributes" => self.attributes(element.attributes.iter().map(|(n, v)| (n.as_str(), v.as_str()))),
            "param" => self.attributes([(element.need("name")?, element.need("value")?)].into_iter()),
            "node" => self.node(element)?,
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str) {
        match name {
            "trigger" => self.is_trigger = false,
            "maintenance" => self.is_maintenance = false,
            "synapse" => {
                let mut inputs = std::mem::take(&mut self.inputs);
                inputs.sort_unstable();
                inputs.dedup();
                if let (Some(graph), Some(action)) = (&mut self.graph, self.action.take()) {
                    graph.synapses.push(Synapse { priority: self.priority, action, inputs });
                }
            }
            _ => {}
        }
    }

    fn agent(&mut self, element: &Element) -> Result<(), ReadError> {
        let Some(action) = &mut self.action else { return Ok(()) };
        let resource = ResourceRef {
            id: ResourceId::new(element.need("id")?),
            long_id: element.get("long-id").map(ResourceId::new),
            class: element.need("class")?.into(),
            provider: element.get("provider").map(Into::into),
            kind: element.need("type")?.into(),
        };
        let resource = Arc::new(resource);
        match action.kind {
            ActionKind::Resource(_) => action.kind = ActionKind::Resource(resource),
            ActionKind::Cluster | ActionKind::Pseudo => action.about = Some(resource),
        }
        Ok(())
    }

    fn attributes<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
        if let Some(action) = &mut self.action {
            action.attributes.extend(pairs.map(|(name, value)| (name.into(), value.into())));
        }
    }

    fn node(&mut self, element: &Element) -> Result<(), ReadError> {
        let Some(action) = &mut self.action else { return Ok(()) };
        let uuid = NodeUuid::new(element.need("id")?);
        if self.is_maintenance {
            let is_on = element.get("node_in_maintenance").is_some_and(|value| matches!(value, "1" | "true"));
            action.maintenance.push((uuid, is_on));
        } else {
            action.downed.push(uuid);
        }
        Ok(())
    }
}

const KNOWN: [&str; 7] =
    ["id", "operation", "operation_key", "internal_operation_key", "on_node", "on_node_uuid", "router_node"];

fn read_action(element: &Element) -> Result<Action, ReadError> {
    let kind = match element.name.as_str() {
        "pseudo_event" => ActionKind::Pseudo,
        "crm_event" => ActionKind::Cluster,
        // Its <primitive> follows.
        _ => ActionKind::Resource(Arc::new(ResourceRef {
            id: ResourceId::new(""),
            long_id: None,
            class: "".into(),
            provider: None,
            kind: "".into(),
        })),
    };
    let extra = element.attributes.iter().filter(|(name, _)| !KNOWN.contains(&name.as_str()));
    let node = element.get("on_node").map(|name| {
        let uuid = element.get("on_node_uuid").unwrap_or(name);
        (NodeId::new(name), NodeUuid::new(uuid))
    });
    Ok(Action {
        id: element.number("id")?,
        kind,
        operation: element.need("operation")?.into(),
        key: element.need("operation_key")?.into(),
        internal_key: element.get("internal_operation_key").map(Arc::from),
        node,
        router: element.get("router_node").map(NodeId::new),
        attributes: Attributes::default(),
        downed: Vec::new(),
        maintenance: Vec::new(),
        about: None,
        extra: extra.map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect(),
    })
}
