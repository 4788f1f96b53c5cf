//! A typed view that is kept up with its document. Most edits of a running cluster's CIB are results of operations: of
//! these only the history of the one resource is read again.

use super::{context::Reader, status::Former};
use crate::{
    model::{Cib, ResourceHistory},
    upgrade,
    xml::{Changed, Document, Element, Key, Mark},
};
use std::collections::BTreeSet;

/// The typed view of a document that is edited from time to time.
#[derive(Debug, Default)]
pub struct View {
    cib: Cib,
    /// Up to where the view knows its document.
    mark: Option<Mark>,
    /// The schema that the document says it is written in.
    schema: Option<String>,
}

impl View {
    /// The document as it is now: the same as [`upgrade::read`] gives of it, whatever happened since it was asked for last.
    pub fn of(&mut self, document: &Document) -> &Cib {
        if !self.catch_up(document) {
            (self.cib, _) = upgrade::read(document);
        }
        self.mark = Some(document.mark());
        self.schema = document.root().attr("validate-with").map(str::to_owned);
        &self.cib
    }

    /// Takes in what was edited since. `false`: that is not known, or is too much to be taken in by parts.
    fn catch_up(&mut self, document: &Document) -> bool {
        let Some(changes) = self.mark.as_ref().and_then(|mark| document.changes_since(mark)) else {
            return false;
        };
        if document.root().attr("validate-with") != self.schema.as_deref() {
            return false;
        }
        let mut histories = BTreeSet::new();
        for change in changes {
            let is_header = change.at == document.root_key() && change.what == Changed::Attribute;
            match history_around(document, change.at) {
                Some(history) => {
                    histories.insert(history);
                }
                None if is_header => {}
                None => return false,
            }
        }
        let mut reader = Reader::without_references(document.root());
        self.take_header(reader.header(document.root()));
        histories.into_iter().all(|history| self.take_history(&mut reader, document.element(history)))
    }

    fn take_header(&mut self, header: Cib) {
        let Cib { version, feature_set, have_quorum, dc_uuid, last_change, execution_date, .. } = header;
        self.cib.no_quorum_panic = header.no_quorum_panic;
        self.cib.version = version;
        self.cib.feature_set = feature_set;
        self.cib.have_quorum = have_quorum;
        self.cib.dc_uuid = dc_uuid;
        self.cib.last_change = last_change;
        self.cib.execution_date = execution_date;
    }

    fn take_history<'d>(&mut self, reader: &mut Reader<'d>, element: Element<'d>) -> bool {
        let (Some(history), Some(place)) =
            (reader.history(element, &mut Former(&[])), self.place_of(element))
        else {
            return false;
        };
        let is_same = place.resource == history.resource;
        *place = history;
        is_same
    }

    /// Where the view has what it read of an `<lrm_resource>`. `None` unless everything around it is as usual.
    fn place_of(&mut self, element: Element<'_>) -> Option<&mut ResourceHistory> {
        let list = element.parent()?;
        let lrm = list.parent()?;
        let state = lrm.parent()?;
        let status = state.parent()?;
        if !(is_only_one(list) && is_only_one(lrm) && is_only_one(status)) {
            return None;
        }
        let state = status.children_named("node_state").position(|other| other.key() == state.key())?;
        let histories = self.cib.node_states.get_mut(state)?.history.as_mut()?;
        let readable =
            list.children_named("lrm_resource").filter(|other| other.id().is_some_and(|id| !id.is_empty()));
        let keys: Vec<Key> = readable.map(Element::key).collect();
        let history = keys.iter().position(|key| *key == element.key())?;
        if keys.len() == histories.len() { histories.get_mut(history) } else { None }
    }
}

/// Whether it is the one child of its name.
fn is_only_one(element: Element<'_>) -> bool {
    let Some(parent) = element.parent() else { return false };
    parent.children_named(element.name()).map(Element::key).eq([element.key()])
}

/// The `<lrm_resource>` that a node is, or is inside of.
fn history_around(document: &Document, at: Key) -> Option<Key> {
    let mut around = Some(document.find_element(at)?);
    while let Some(element) = around {
        if element.is("lrm_resource") {
            return is_in_history(element).then(|| element.key());
        }
        around = element.parent();
    }
    None
}

/// Whether an `<lrm_resource>` is where such elements belong.
fn is_in_history(element: Element<'_>) -> bool {
    let path = ["lrm_resources", "lrm", "node_state", "status", "cib"];
    let mut around = element.parent();
    let is_path = path.iter().all(|name| {
        let is_it = around.is_some_and(|element| element.is(name));
        around = around.and_then(Element::parent);
        is_it
    });
    is_path && around.is_none()
}
